"""Counts: bincount, histogram, digitize; and interpolation between known points."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from graphc.errors import DTypeError, ShapeError, TraceError
from graphc.ir.types import DType, bool_, dtype_of, f32, i32
from graphc.tracing.core import as_array, constant, emit, is_tracer, owner
from graphc.tracing.promote import cast, common_dtype, converted
from graphc.tracing.reductions import traced
from graphc.tracing.selection import clip
from graphc.tracing.shaping import broadcast_to, concatenate, part, ravel, reshape
from graphc.tracing.sorting import positions, search, searchsorted
from graphc.tracing.tracer import Tracer
from graphc.tracing.ufuncs import scalar


def _float() -> DType:
    """NumPy's double precision, narrowed."""
    return dtype_of(np.float64)


def digitize(x: Any, bins: Any, right: bool = False) -> Any:
    """np.digitize, for edges that grow or fall."""
    edges = bins if is_tracer(bins) else as_array(bins)
    side = "left" if right else "right"
    if edges.ndim != 1:
        raise ShapeError(f"bins have {edges.ndim} axes: need one")
    n = edges.shape[0]

    def falling() -> Any:
        backwards = searchsorted(edges[::-1], x, side)
        return emit("sub", scalar(backwards, n), backwards)

    if not is_tracer(edges):
        steps = np.diff(edges)
        if not ((steps >= 0).all() or (steps <= 0).all()):
            raise ShapeError("bins must grow or fall all along")
        return falling() if (steps < 0).any() else searchsorted(edges, x, side)
    if n < 2:
        return searchsorted(edges, x, side)
    return emit("where", traced(edges[0] > edges[n - 1]), falling(), searchsorted(edges, x, side))


def bincount(x: Any, /, weights: Any = None, minlength: Any = 0) -> Tracer:
    """np.bincount into `minlength` bins; an id that has none is reported."""
    ids = traced(x)
    if ids.ndim != 1 or ids.value.type.dtype.kind not in ("int", "uint"):
        raise DTypeError(f"the ids are {ids.value.type}: need one axis of integers")
    if is_tracer(minlength):
        raise TraceError("minlength is traced, but has to be known: mark the argument static")
    bins = operator.index(minlength)
    if bins <= 0:
        raise TraceError(
            "the length of its result would depend on values: write `np.bincount(ids, minlength=n)` for ids below n"
        )
    if weights is None:
        given = constant(ids.state, 1, dtype_of(np.int64))
    else:
        given = traced(weights)
        if given.shape != ids.shape:
            raise ShapeError(f"weights are {given.value.type}, the ids {ids.value.type}: need one for each")
        given = cast(given, _float())
    if ids.size:
        ids = emit("checked", ids, low=0, high=bins - 1, what="bincount")
    return emit("scatter_add", ids, broadcast_to(given, ids.shape), axis=0, size=bins)


def histogram_bin_edges(a: Any, bins: Any = 10, range: Any = None, weights: Any = None) -> Any:
    """np.histogram_bin_edges, for a number of bins or known or traced edges."""
    if isinstance(bins, str):
        raise TraceError(f"bins={bins!r} depends on values: give a number of bins")
    x = ravel(a)
    x = cast(x, i32) if x.value.type.dtype == bool_ else x
    if np.ndim(bins):
        return bins
    if is_tracer(bins):
        raise TraceError("bins is traced, but has to be known: mark the argument static")
    count = operator.index(bins)
    if count < 1:
        raise ShapeError(f"bins is {count}: it must be 1 or more")
    dtype = x.value.type.dtype if x.value.type.dtype.kind == "float" else _float()
    if range is not None and not any(is_tracer(v) for v in range):
        low, high = (float(v) for v in range)
        if not low <= high or not np.isfinite([low, high]).all():
            raise ShapeError(f"range {range!r}: needs two finite numbers that do not fall")
        if low == high:
            low, high = low - 0.5, high + 0.5
        return constant(x.state, np.linspace(low, high, count + 1).astype(dtype.numpy))
    ends = range if range is not None else (np.min(x), np.max(x)) if x.size else (0.0, 1.0)
    first, last = (cast(traced(v), dtype) for v in ends)
    same = emit("eq", first, last)
    first = emit("where", same, emit("sub", first, scalar(first, 0.5)), first)
    last = emit("where", same, emit("add", last, scalar(last, 0.5)), last)
    return np.linspace(first, last, count + 1)


def histogram(a: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None) -> Any:
    """np.histogram: the last bin holds its upper edge too."""
    x = ravel(a)
    x = cast(x, i32) if x.value.type.dtype == bool_ else x
    edges = histogram_bin_edges(a, bins, range)
    line = traced(edges)
    n = line.shape[0] - 1
    if line.ndim != 1 or n < 1:
        raise ShapeError(f"bins are {line.value.type}: need one axis of two edges or more")
    common = common_dtype((x, line))
    x, line = cast(x, common), cast(line, common)
    place = emit("sub", search(line, x, True), constant(x.state, 1, i32))
    last = reshape(part(line, 0, n, n + 1), ())
    place = emit("where", emit("eq", x, last), scalar(place, n - 1), place)
    held = emit("and", emit("ge", x, reshape(part(line, 0, 0, 1), ())), emit("le", x, last))
    place = emit("where", held, place, scalar(place, n))  # a bin more, for what has none
    if weights is None:
        given = constant(x.state, 1, dtype_of(np.int64))
    else:
        given = ravel(weights)
        if given.shape != x.shape:
            raise ShapeError(f"weights are {given.value.type}, the elements {x.value.type}: need one for each")
        given = cast(given, i32) if given.value.type.dtype == bool_ else given
    counts = part(emit("scatter_add", place, broadcast_to(given, x.shape), axis=0, size=n + 1), 0, 0, n)
    if density:
        counts = counts / np.sum(counts) / np.diff(line)
    return counts, edges if is_tracer(edges) else constant(x.state, np.asarray(edges))


def interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None) -> Any:
    """np.interp: straight lines between points whose xp grow."""
    trace = owner((x, xp, fp))
    common = common_dtype((x, xp, fp, np.float32(0)))
    common = common if common.kind == "float" else f32
    at, points, values = (converted(trace, v, common).as_strong() for v in (x, xp, fp))
    if points.ndim != 1 or points.shape != values.shape or not points.size:
        raise ShapeError(f"xp is {points.value.type}, fp {values.value.type}: need one axis of as many points")
    if period is not None:
        span = scalar(at, abs(period))
        at, points = emit("mod", at, span), emit("mod", points, span)
        order = positions(emit("stop_gradient", points))
        points, values = (emit("take", v, order, axis=0, clamp=True) for v in (points, values))
        n = points.shape[0]
        points = concatenate(
            (emit("sub", part(points, 0, n - 1, n), span), points, emit("add", part(points, 0, 0, 1), span))
        )
        values = concatenate((part(values, 0, n - 1, n), values, part(values, 0, 0, 1)))
        left = right = None
    n = points.shape[0]
    first, last = reshape(part(values, 0, 0, 1), ()), reshape(part(values, 0, n - 1, n), ())
    if n == 1:
        made = broadcast_to(first, at.shape)
    else:
        place = search(emit("stop_gradient", points), emit("stop_gradient", at), True)
        place = emit("sub", clip(place, 1, n - 1), scalar(place, 1))
        beside = emit("add", place, scalar(place, 1))
        x0, x1 = (emit("take", points, i, axis=0, clamp=True) for i in (place, beside))
        y0, y1 = (emit("take", values, i, axis=0, clamp=True) for i in (place, beside))
        made = _on_line(at, x0, x1, y0, y1)
    begin, end = reshape(part(points, 0, 0, 1), ()), reshape(part(points, 0, n - 1, n), ())
    before = first if left is None else converted(trace, left, common)
    after = last if right is None else converted(trace, right, common)
    made = emit("where", emit("lt", at, begin), before, made)
    made = emit("where", emit("gt", at, end), after, made)
    return emit("where", emit("isnan", at), at, made)


def _on_line(at: Tracer, x0: Tracer, x1: Tracer, y0: Tracer, y1: Tracer) -> Tracer:
    """The line through two points, at places between them: from the first point, or from the second where that is NaN.

    Where both are NaN it is the height that both points have, if they have the same, and at a point always that point's
    own. The gradient goes through what is taken alone: an infinite slope that is not does not reach it.
    """
    zero, one = scalar(at, 0), scalar(at, 1)
    across, up = emit("sub", x1, x0), emit("sub", y1, y0)
    steep = emit("div", up, emit("where", emit("eq", across, zero), one, across))
    steep = emit("stop_gradient", steep)
    second = emit("isnan", emit("add", emit("mul", steep, emit("sub", at, x0)), y0))
    neither = emit("and", second, emit("isnan", emit("add", emit("mul", steep, emit("sub", at, x1)), y1)))
    first_point = emit("and", second, emit("eq", at, x0))
    last_point = emit("eq", at, x1)
    held = emit("or", first_point, emit("and", neither, emit("eq", y0, y1)))
    held = emit("or", held, last_point)
    across = emit("where", emit("or", held, emit("eq", across, zero)), one, across)
    slope = emit("div", emit("where", held, zero, up), across)
    step = emit("where", held, zero, emit("sub", at, emit("where", second, x1, x0)))
    line = emit("add", emit("mul", slope, step), emit("where", second, y1, y0))
    return emit("where", held, emit("where", last_point, y1, y0), line)


TABLE: Final[dict[Any, Callable[..., Any]]] = {
    np.digitize: digitize,
    np.bincount: bincount,
    np.histogram: histogram,
    np.histogram_bin_edges: histogram_bin_edges,
    np.interp: interp,
}
