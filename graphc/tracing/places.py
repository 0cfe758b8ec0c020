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
from typing import Any, Final

import numpy as np

from graphc.errors import TraceError, TraceWarning
from graphc.ir.graph import Source, Value
from graphc.ir.types import TensorType
from graphc.tracing.source import located

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

    def __init__(self, trace: object, argument: str = "", given: bool = False) -> None:
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

    def check(self, type: TensorType) -> None:
        """Raise TraceError where the value that lies here would have been changed in NumPy since it was made."""
        changes = self.memory.changes
        if self.seen == len(changes):
            return
        for change in changes[self.seen :]:
            if self.overlaps(change.place):
                if change.place is self and self.memory.given:
                    _warn(self.memory.argument, change.source)
                else:
                    raise located(_stale(type, change.source))
        self.seen = len(changes)


def _stale(type: TensorType, source: Source) -> TraceError:
    line = source.lines[0] if source.lines else None
    what = f" ({line}: {line.text})" if line else ""
    return TraceError(
        f"a traced value ({type}) is used after something that shares its memory was changed in place{what}; "
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


@dataclass(frozen=True, slots=True)
class Promise:
    """An argument was changed in place to `value`, so something that is returned has to depend on that."""

    argument: str
    value: Value
    source: Source
