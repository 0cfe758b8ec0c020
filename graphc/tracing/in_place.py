"""Operations in place: what `x += y` binds a name to, and what it does to x (see `graphc.tracing.places`)."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.errors import DTypeError, ShapeError, TraceError
from graphc.ir.graph import Source
from graphc.tracing.aliases import has_memory
from graphc.tracing.dispatch import call_ufunc
from graphc.tracing.places import Change, Memory, Place, Promise
from graphc.tracing.promote import cast
from graphc.tracing.source import caller, located
from graphc.tracing.tracer import Tracer


def changed(x: Tracer, ufunc: np.ufunc, other: Any) -> Any:
    """What `x op= other` binds the name to.

    As in NumPy the result has the shape and element type of `x`. Raises ShapeError and DTypeError where it cannot,
    TraceError for what NumPy has no memory of its own for, and for a value of an enclosing function.
    """
    made = call_ufunc(ufunc, "__call__", (x, other), {})
    if not has_memory(x):
        return made
    have, want = made.value.type, x.value.type
    what = f"{ufunc.__name__} in place: the result is {have}, and what it is to be written to is {want}"
    if not np.can_cast(made.dtype, x.dtype, "same_kind"):
        raise located(DTypeError(f"{what}: write h = h + y, not h += y, or use astype"))
    if have.shape != want.shape:
        raise located(ShapeError(f"{what}: write h = h + y, not h += y"))
    return _assign(x, cast(made, want.dtype), caller(2))


def _assign(x: Tracer, made: Tracer, source: Source) -> Tracer:
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
