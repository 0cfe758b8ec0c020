"""Values, copies and views: which traced values share memory in NumPy, see `graphc.tracing.places`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.errors import TraceError
from graphc.ir.graph import Value
from graphc.tracing.places import Ghost, Memory, Place
from graphc.tracing.source import located
from graphc.tracing.tracer import Trace, Tracer, is_tracer


def given(x: Tracer, argument: str) -> Tracer:
    """A new tracer for `x`, as an argument that a function is given under this name."""
    made: Tracer = fresh(x)
    if has_memory(made):
        made.place = Place(Memory(made.state, argument, given=True), made.shape)
    return made


def view(made: Tracer, of: Tracer, make: Callable[[Ghost], Any]) -> Tracer:
    """`made` as a view of `of` in NumPy's sense. make: the view of a ndarray of that shape."""
    if not has_memory(of):
        own: Tracer = fresh(made)
        return own
    if of.place is None:
        of.place = Place(Memory(of.state), of.shape)
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
    if made.place is not None:
        made.place.check(made.value.type)
    return Tracer(made.state, made.value, made.weak)


def bare(x: Tracer) -> Tracer:
    """`x` for what makes a view of it: whether it may be used depends on the part that the view takes."""
    if x.place is None:
        return x
    return Tracer(x.state, x.value, x.weak)


def has_memory(x: Tracer) -> bool:
    """Whether it is an array, not a number: NumPy's numbers, which is what comes of sums and indices, never change."""
    if x.weak or not x.state.locate:
        return False
    return x.value.type.ndim > 0 or (x.place is not None and x.place.parent is not None)


def check_promises(trace: Trace, live: set[Value]) -> None:
    """Raise TraceError where an argument was changed in place and no result depends on what it became."""
    for promise in trace.promised:
        if promise.value not in live:
            text = (
                f"argument {promise.argument} is changed in place, and the change is lost: a compiled function changes "
                "no array of its caller; return the new value"
            )
            raise located(TraceError(text), source=promise.source)
