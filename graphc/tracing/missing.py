"""The functions that leave out NaN."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from graphc.tracing.core import emit
from graphc.tracing.promote import cast, inexact, requested
from graphc.tracing.reductions import (
    NO,
    all_,
    chosen,
    extremum_of,
    is_all,
    mean,
    position_of,
    prod,
    std,
    sum,
    traced,
    var,
)
from graphc.tracing.tracer import Tracer
from graphc.tracing.ufuncs import scalar, truth


def filled(x: Tracer, value: float) -> Tracer:
    """`x` with `value` in the place of NaN."""
    if x.value.type.dtype.kind != "float":
        return x
    return emit("where", emit("isnan", x), scalar(x, value), x)


def _left(x: Tracer, where: Any) -> Any:
    """The elements that are not NaN, of those that a where= argument leaves in."""
    if x.value.type.dtype.kind != "float":
        return where
    there = emit("not", emit("isnan", x))
    return there if is_all(where) else np.logical_and(there, truth(traced(where)))


def _total(function: Callable[..., Tracer], neutral: float) -> Callable[..., Tracer]:
    def handler(
        a: Any,
        axis: Any = None,
        dtype: Any = None,
        out: Any = None,
        keepdims: Any = NO,
        initial: Any = NO,
        where: Any = NO,
    ) -> Tracer:
        return function(filled(traced(a), neutral), axis, dtype, out, keepdims, initial, where)

    return handler


def _extremum(name: str) -> Callable[..., Any]:
    """np.nanmax, np.nanmin: NaN only where there is nothing else."""
    neutral, join = (-np.inf, np.fmax) if name == "max" else (np.inf, np.fmin)

    def handler(
        a: Any, axis: Any = None, out: Any = None, keepdims: Any = NO, initial: Any = NO, where: Any = NO
    ) -> Any:
        x = traced(a)
        if x.value.type.dtype.kind != "float" or x.size == 0 or (initial is NO and not is_all(where)):
            return extremum_of(name)(x, axis, out, keepdims, initial, where)
        left = _left(x, where)
        found = extremum_of(name)(chosen(x, left, neutral), axis, out, keepdims)
        nothing = all_(emit("not", left), axis, keepdims=keepdims)
        found = emit("where", nothing, scalar(found, np.nan), found)
        return found if initial is NO else join(found, initial)

    return handler


def _position(name: str) -> Callable[..., Tracer]:
    """np.nanargmax, np.nanargmin. NumPy raises where all is NaN; here it is the first place."""
    neutral = -np.inf if name == "argmax" else np.inf

    def handler(a: Any, axis: Any = None, out: Any = None, *, keepdims: Any = NO) -> Tracer:
        return position_of(name)(filled(traced(a), neutral), axis, out, keepdims=keepdims)

    return handler


def nanmean(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = NO, *, where: Any = NO
) -> Any:
    """np.nanmean."""
    x = traced(a)
    return mean(x, axis, dtype, out, keepdims, where=_left(x, where))


def _spread(function: Callable[..., Tracer]) -> Callable[..., Any]:
    """np.nanvar, np.nanstd: NaN where there are no more than ddof elements."""

    def handler(
        a: Any,
        axis: Any = None,
        dtype: Any = None,
        out: Any = None,
        ddof: float = 0,
        keepdims: Any = NO,
        *,
        where: Any = NO,
        mean: Any = NO,
        correction: Any = NO,
    ) -> Any:
        x = traced(a)
        x = cast(x, requested(dtype, inexact(x.value.type.dtype)))
        left = _left(x, where)
        found = function(x, axis, None, out, ddof, keepdims, where=left, mean=mean, correction=correction)
        count = sum(traced(np.broadcast_to(left, x.shape)), axis, keepdims=keepdims)
        few = emit("le", count, scalar(count, int(ddof if correction is NO else correction)))
        return emit("where", few, scalar(found, np.nan), found)

    return handler


TABLE: Final[dict[Any, Callable[..., Any]]] = {
    np.nanmax: _extremum("max"),
    np.nanmin: _extremum("min"),
    np.nanargmax: _position("argmax"),
    np.nanargmin: _position("argmin"),
    np.nanmean: nanmean,
    np.nanvar: _spread(var),
    np.nanstd: _spread(std),
    np.nansum: _total(sum, 0.0),
    np.nanprod: _total(prod, 1.0),
}
