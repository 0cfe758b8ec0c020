"""Which traced values would share memory in NumPy, and what an operation in place does to them.

A graph has no memory: each of its values is made once. NumPy's arrays have: `h += 1` changes whatever else is called h,
and every view of it. So a traced value that is changed in place stands for the new value from then on, under each of
its names; a view of it, or what it is a view of, raises TraceError when it is used after that, where the two overlap.

What overlaps is asked of NumPy itself. To each value belongs, once somebody asks, a ghost: an array of bytes that
nobody writes or reads, or a view of another ghost, made as the traced value was made of the other one.

Arguments are different. What is given is never changed: `x += 1` makes a new value and binds the name to it, and who
still has the old one is warned. A change that nothing returned depends on would be lost, which is an error.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from graphc.errors import DTypeError, ShapeError, TraceError, TraceWarning
from graphc.ir.graph import Source, Value
from graphc.tracing.core import Trace, is_tracer, located
from graphc.tracing.source import caller

if TYPE_CHECKING:
    from graphc.tracing.tracer import Tracer

Ghost = np.ndarray[Any, np.dtype[np.uint8]]
WORK: Final[Any] = 10_000
"""Effort for the question whether two ghosts overlap; beyond it, they are taken to."""


@dataclass(frozen=True, slots=True)
class Change:
    """One operation in place: what it changed, and where the user wrote it."""

    place: Place
    source: Source


class Memory:
    """What NumPy would hold in one piece of memory: a value and the views of it.

    trace: where it was made. argument: the argument that it is, or became, "" for others. given: it is the argument as
    it came. changes: the operations in place on any part of it, in order.
    """

    __slots__ = ("argument", "changes", "given", "trace")

    def __init__(self, trace: Trace, argument: str = "", given: bool = False) -> None:
        self.trace = trace
        self.argument = argument
        self.given = given
        self.changes: list[Change] = []


class Place:
    """Where in a memory a value lies. seen: how many changes the value knows of; make: its ghost from its parent's."""

    __slots__ = ("_ghost", "_made", "make", "memory", "parent", "seen", "shape")

    def __init__(
        self,
        memory: Memory,
        shape: tuple[int, ...],
        parent: Place | None = None,
        make: Callable[[Ghost], Any] | None = None,
    ) -> None:
        self.memory = memory
        self.shape = shape
        self.parent = parent
        self.make = make
        self.seen: int = parent.seen if parent is not None else 0
        self._made = False
        self._ghost: Ghost | None = None

    @property
    def ghost(self) -> Ghost | None:
        """The ghost; None where it may be anywhere in the memory.

        So it is where a reshape copies: whether NumPy copies there depends on the order of the elements in memory,
        which a ghost does not know. Where one must be larger than there is room for, it is so too.
        """
        if not self._made:
            self._ghost, self._made = self._haunt(), True
        return self._ghost

    def _haunt(self) -> Ghost | None:
        if self.parent is None or self.make is None:
            try:
                return np.empty(self.shape, np.uint8)
            except (MemoryError, ValueError):
                return None
        base = self.parent.ghost
        try:
            made = None if base is None else self.make(base)
        except (TypeError, ValueError):
            return None
        if not isinstance(made, np.ndarray) or (made.size and not np.may_share_memory(made, base)):
            return None
        return made

    def overlaps(self, other: Place) -> bool:
        """Whether a change of one may change the other."""
        mine, theirs = self.ghost, other.ghost
        if mine is None or theirs is None:
            return True
        try:
            return np.shares_memory(mine, theirs, max_work=WORK)
        except np.exceptions.TooHardError:
            return True

    def check(self, x: Tracer) -> None:
        """Raise TraceError where `x`, which lies here, would have been changed in NumPy since it was made."""
        changes = self.memory.changes
        if self.seen == len(changes):
            return
        for change in changes[self.seen :]:
            if self.overlaps(change.place):
                if change.place is self and self.memory.given:
                    _warn(self.memory.argument, change.source)
                else:
                    raise located(_stale(x, change.source))
        self.seen = len(changes)


def _stale(x: Tracer, source: Source) -> TraceError:
    line = source.lines[0] if source.lines else None
    what = f" ({line}: {line.text})" if line else ""
    return TraceError(
        f"a traced value ({x.value.type}) is used after something that shares its memory was changed in place{what}; "
        "in NumPy it would have changed too, and in a graph it has not: write h = h + y, not h += y, for what is to be "
        "new, or build what was to be changed with np.where, np.concatenate or np.stack"
    )


def _warn(argument: str, source: Source) -> None:
    line = source.lines[0] if source.lines else None
    text = (
        f"argument {argument} is used after it was changed in place under another name"
        f"{f': {line.text}' if line else ''}; a compiled function changes no argument, so it is still what was given, "
        "where NumPy would have changed it and the caller's array: write y = x + 1, not y += 1, to say so"
    )
    warnings.warn_explicit(
        text, TraceWarning, line.file if line else __file__, line.line if line else 0, registry=_warned
    )


_warned: Final[dict[Any, Any]] = {}


def given(x: Tracer, argument: str) -> Tracer:
    """A new tracer for `x`, as an argument that a function is given under this name."""
    made: Tracer = fresh(x)
    if _has_memory(made):
        made.place = Place(Memory(made.state, argument, given=True), made.shape)
    return made


def view(made: Tracer, of: Tracer, make: Callable[[Ghost], Any]) -> Tracer:
    """`made` as a view of `of` in NumPy's sense. make: the view of a ndarray of that shape."""
    if not _has_memory(of):
        own: Tracer = fresh(made)
        return own
    if of.place is None:
        of.place = Place(Memory(of.state), of.shape)
    from graphc.tracing.tracer import Tracer

    seen = Tracer(made.state, made.value, made.weak)
    seen.place = Place(of.place.memory, made.shape, of.place, make)
    return seen


def fresh(made: Any) -> Any:
    """`made` as a value of its own: a copy, in NumPy's sense. Of a list or tuple, each; what is not traced as it is."""
    if isinstance(made, list | tuple):
        parts = [fresh(x) for x in made]
        return type(made)(*parts) if hasattr(made, "_fields") else type(made)(parts)
    if not is_tracer(made):
        return made
    from graphc.tracing.tracer import Tracer

    if made.place is not None:
        made.place.check(made)
    return Tracer(made.state, made.value, made.weak)


def bare(x: Tracer) -> Tracer:
    """`x` for what makes a view of it: whether it may be used depends on the part that the view takes."""
    if x.place is None:
        return x
    from graphc.tracing.tracer import Tracer

    return Tracer(x.state, x.value, x.weak)


def _has_memory(x: Tracer) -> bool:
    """Whether it is an array, not a number: NumPy's numbers, which is what comes of sums and indices, never change."""
    if x.weak or not x.state.locate:
        return False
    return x.value.type.ndim > 0 or (x.place is not None and x.place.parent is not None)


def changed(x: Tracer, ufunc: np.ufunc, other: Any) -> Any:
    """What `x op= other` binds the name to.

    As in NumPy the result has the shape and element type of `x`. Raises ShapeError and DTypeError where it cannot,
    TraceError for what NumPy has no memory of its own for, and for a value of an enclosing function.
    """
    from graphc.tracing.promote import cast
    from graphc.tracing.ufuncs import call_ufunc

    made = call_ufunc(ufunc, "__call__", (x, other), {})
    if not _has_memory(x):
        return made
    have, want = made.value.type, x.value.type
    what = f"{ufunc.__name__} in place: the result is {have}, and what it is to be written to is {want}"
    if not np.can_cast(made.dtype, x.dtype, "same_kind"):
        raise located(DTypeError(f"{what}: write h = h + y, not h += y, or use astype"))
    if have.shape != want.shape:
        raise located(ShapeError(f"{what}: write h = h + y, not h += y"))
    return _assign(x, cast(made, want.dtype), caller(2))


def _assign(x: Tracer, made: Tracer, source: Source) -> Tracer:
    from graphc.tracing.tracer import Tracer

    place = x.place
    memory = None if place is None else place.memory
    here = made.state
    if memory is not None and memory.argument:
        here.promised.append(Promise(memory.argument, made.value, source))
    if place is not None and memory is not None and memory.given and place.parent is None:
        memory.changes.append(Change(place, source))
        new = Tracer(here, made.value)
        new.place = Place(Memory(here, memory.argument), made.shape)
        return new
    if x.state is not here or (memory is not None and memory.trace is not here):
        text = (
            f"a value of the enclosing function ({x.value.type}) is changed in place inside a function that is traced "
            "on its own (the step of a loop, a function that is differentiated): write h = h + y, and return it"
        )
        raise located(TraceError(text))
    if place is not None and place.parent is not None and place.ghost is not None and not place.ghost.flags.writeable:
        text = f"NumPy gives a view that cannot be written to ({x.value.type}): write h = h + y, not h += y"
        raise located(TraceError(text))
    x.value = made.value
    if place is not None and memory is not None:
        memory.changes.append(Change(place, source))
        place.seen = len(memory.changes)
    return x


@dataclass(frozen=True, slots=True)
class Promise:
    """An argument was changed in place to `value`, so something that is returned has to depend on that."""

    argument: str
    value: Value
    source: Source


def check_promises(trace: Trace, live: set[Value]) -> None:
    """Raise TraceError where an argument was changed in place and no result depends on what it became."""
    for promise in trace.promised:
        if promise.value not in live:
            text = (
                f"argument {promise.argument} is changed in place, and the change is lost: a compiled function changes "
                "no array of its caller; return the new value"
            )
            raise located(TraceError(text), source=promise.source)
