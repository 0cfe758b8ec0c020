"""Functions of the order of elements: sort and its kin, ranks in a row, medians and quantiles.

One op gives the positions of the elements in order; the elements are then taken there, so that a gradient goes back to
where they stood. NaN is larger than everything, as in NumPy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from graphc.errors import ShapeError, TraceError
from graphc.ir.types import Shape, dtype_of, f16, f32, i32, normalize_axis
from graphc.tracing.core import as_array, constant, emit, is_tracer, owner
from graphc.tracing.promote import cast, common_dtype, converted, inexact
from graphc.tracing.reductions import NO, axes_of, flag, no_out, traced
from graphc.tracing.selection import take
from graphc.tracing.shaping import broadcast_to, ints, moveaxis, part, ravel, reshape
from graphc.tracing.tracer import Tracer
from graphc.tracing.ufuncs import scalar


def positions(x: Tracer, count: int | None = None, descending: bool = False) -> Tracer:
    """Where the first `count` elements (None: all) of each row stand in order, as int32."""
    return emit("argsort", x, count=x.shape[-1] if count is None else count, descending=descending)


def ordered(x: Tracer) -> Tracer:
    """The elements of each row in order."""
    return emit("take_along_axis", x, positions(x), axis=x.ndim - 1) if x.size else x


def _along_last(a: Any, axis: Any, name: str) -> tuple[Tracer, int]:
    """`a` with the axis to sort along as its last one, and where it stood."""
    x = traced(a)
    if axis is None:
        x, axis = ravel(x), -1
    if not x.ndim:
        raise ShapeError(f"{name} needs an axis, got {x.value.type}")
    axis = normalize_axis(axis, x.ndim)
    return (x if axis == x.ndim - 1 else moveaxis(x, axis, -1)), axis


def _plain(order: Any) -> None:
    if order is not None:
        raise TraceError("order= names fields, and a traced array has none: leave it out")


def sort(a: Any, axis: Any = -1, kind: Any = None, order: Any = None, *, stable: Any = None) -> Tracer:
    """np.sort, which is stable."""
    _plain(order)
    x, axis = _along_last(a, axis, "sort")
    return moveaxis(ordered(x), -1, axis)


def argsort(a: Any, axis: Any = -1, kind: Any = None, order: Any = None, *, stable: Any = None) -> Tracer:
    """np.argsort, which is stable."""
    _plain(order)
    x, axis = _along_last(a, axis, "argsort")
    return moveaxis(cast(positions(x), dtype_of(np.int64)), -1, axis)


def partition(a: Any, kth: Any, axis: Any = -1, kind: str = "introselect", order: Any = None) -> Tracer:
    """np.partition: all elements in order, which is a partition at any place."""
    _check_kth(a, kth, axis)
    return sort(a, axis, order=order)


def argpartition(a: Any, kth: Any, axis: Any = -1, kind: str = "introselect", order: Any = None) -> Tracer:
    """np.argpartition: as np.argsort."""
    _check_kth(a, kth, axis)
    return argsort(a, axis, order=order)


def _check_kth(a: Any, kth: Any, axis: Any) -> None:
    x = traced(a)
    n = x.size if axis is None else x.shape[normalize_axis(axis, x.ndim)] if x.ndim else 1
    for k in ints(kth, "kth"):
        if not -n <= k < n:
            raise ShapeError(f"kth is {k}: it must lie in [{-n}, {n - 1}]")


def lexsort(keys: Any, axis: int = -1) -> Tracer:
    """np.lexsort: the last key counts first."""
    rows = [traced(key) for key in keys]
    if not rows:
        raise ShapeError("needs a key or more")
    axis = normalize_axis(axis, rows[0].ndim)
    rows = [moveaxis(x, axis, -1) for x in rows]
    order = positions(rows[0])
    for x in rows[1:]:
        again = positions(emit("take_along_axis", x, order, axis=x.ndim - 1))
        order = emit("take_along_axis", order, again, axis=x.ndim - 1)
    return moveaxis(cast(order, dtype_of(np.int64)), -1, axis)


def before(a: Any, b: Any) -> Tracer:
    """Whether element a goes before b in the order of np.sort: NaN after all others."""
    x, y = traced(a), traced(b)
    less = emit("lt", x, y)
    if x.value.type.dtype.kind != "float":
        return less
    return emit("or", less, emit("and", emit("isnan", y), emit("not", emit("isnan", x))))


_COUNTED: Final = 8
"""Lengths up to which all elements are compared, and no place is searched for."""


def search(edges: Tracer, v: Tracer, right: bool) -> Tracer:
    """For each element of v how many of the sorted edges go before it, or before and beside it where `right`."""

    def goes(found: Tracer) -> Tracer:
        return emit("not", before(v, found)) if right else before(found, v)

    n = edges.shape[0]
    if n <= _COUNTED:
        total = constant(v.state, 0, i32)
        for k in range(n):
            total = emit("add", total, cast(goes(reshape(part(edges, 0, k, k + 1), ())), i32))
        return total if total.shape == v.shape else emit("broadcast_to", total, shape=v.shape)
    # Bisection: each turn decides one bit of the number, and all of them are one kernel.
    place = emit("broadcast_to", constant(v.state, 0, i32), shape=v.shape)
    for bit in reversed(range(n.bit_length())):
        tried = emit("add", place, scalar(place, 1 << bit))
        last = emit("minimum", emit("sub", tried, scalar(tried, 1)), scalar(tried, n - 1))
        holds = emit("and", emit("le", tried, scalar(tried, n)), goes(emit("take", edges, last, axis=0, clamp=True)))
        place = emit("where", holds, tried, place)
    return place


def searchsorted(a: Any, v: Any, side: str = "left", sorter: Any = None) -> Tracer:
    """np.searchsorted, by bisection of all elements side by side."""
    if side not in ("left", "right"):
        raise ShapeError(f"side is {side!r}: it must be 'left' or 'right'")
    trace = owner((a, v, sorter))
    common = common_dtype((a, v))
    edges, values = converted(trace, a, common), converted(trace, v, common)
    if edges.ndim != 1:
        raise ShapeError(f"the sorted array is {edges.value.type}: needs one axis")
    if sorter is not None:
        if np.shape(sorter) != edges.shape:
            raise ShapeError(f"sorter has shape {np.shape(sorter)}: needs a place for each of {edges.value.type}")
        edges = take(edges, sorter)
    return cast(search(edges.as_strong(), values.as_strong(), side == "right"), dtype_of(np.int64))


_LISTED: Final = 1 << 16
"""Places that are listed for each count of elements that are no NaN; more of them are computed, in single precision."""


_METHODS: Final = {"linear", "lower", "higher", "nearest", "midpoint"}


def _quantile(a: Any, q: Any, axis: Any, method: str, keepdims: Any, ignoring: bool, empty: bool = False) -> Tracer:
    """Quantiles of rows, by interpolation between their elements in order; of those that are not NaN if `ignoring`.

    A row of no elements has NaN if `empty`. Integers stay integers where a method picks one of them.
    """
    if method not in _METHODS:
        raise TraceError(f"method {method!r} cannot be traced: write one of {', '.join(sorted(_METHODS))}")
    x = traced(a)
    wide = inexact(x.value.type.dtype)
    whole = x.value.type.dtype.kind in ("int", "uint")
    if not whole or method in ("linear", "midpoint"):
        x = cast(x, wide)
    axes = axes_of(x, axis)
    rest = [i for i in range(x.ndim) if i not in axes]
    kept = tuple(1 if i in axes else n for i, n in enumerate(x.shape))
    rows = moveaxis(x, rest, tuple(range(len(rest))))
    rows = reshape(rows, (*(x.shape[i] for i in rest), -1 if x.size else 0))
    n = rows.shape[-1]
    if not n and not empty:
        raise ShapeError(f"{x.value.type} has no elements along axis {axes}, so there is no quantile")
    wide = f32 if wide == f16 else wide
    shape: Shape = np.shape(q)
    known = None if is_tracer(q) else as_array(q)
    if known is not None and known.size and not ((known >= 0) & (known <= 1)).all():
        raise ShapeError("quantiles must lie in [0, 1], percentiles in [0, 100]")
    if not n:
        made = broadcast_to(scalar(x, np.nan), (*shape, *rows.shape[:-1]))
        return reshape(made, (*shape, *kept)) if flag(keepdims) else made
    line = ordered(rows)
    flat: Any
    last: Any = n - 1
    if known is not None:  # places are counted as NumPy counts them, in single for what is single alone
        known = np.reshape(known.astype(np.promote_types(known.dtype, np.float32)), (-1,))
    if known is not None and (whole or not ignoring):
        flat = known
    else:
        place = converted(x.state, q if known is None else known.astype(wide.numpy), wide).as_strong()
        flat = reshape(place, (place.size,))
        last = scalar(flat, n - 1)
    missing: Any = None if whole else emit("isnan", line)
    if missing is not None and ignoring:
        present: Any = np.sum(emit("not", missing), axis=-1, keepdims=True)
        count = cast(present, wide)
        last = np.maximum(count - 1, 0)
    elif missing is not None:
        missing = part(missing, missing.ndim - 1, n - 1, n)  # NaN goes last, so it is there if anywhere
    if missing is not None and ignoring and known is not None and _rounds(known, n) and n * known.size < _LISTED:
        # As many elements are left as only the numbers say: a list has the places for each count.
        counts = np.arange(n + 1).clip(1).astype(known.dtype)[:, None] - known.dtype.type(1)
        lower, upper, share = (
            emit("take", constant(x.state, v), cast(np.squeeze(present, -1), i32), axis=0, clamp=True)
            for v in _places(counts * known, method, x.dtype)
        )
    else:
        lower, upper, share = _places(flat * last, method, x.dtype)

    def at(where: Any) -> Any:
        ids = np.broadcast_to(where, (*rows.shape[:-1], flat.size)).astype(np.int32)
        return emit("take_along_axis", line, constant(x.state, ids), axis=line.ndim - 1)

    found: Any = at(lower)
    if method in ("linear", "midpoint"):
        above = at(upper)
        found = _between(found, above, share)
    if missing is not None:
        found = np.where(np.all(missing, axis=-1, keepdims=True) if ignoring else missing, np.nan, found)
    made = moveaxis(cast(found, x.value.type.dtype), -1, 0)
    made = reshape(made, (*shape, *made.shape[1:]))
    return reshape(made, (*shape, *kept)) if flag(keepdims) else made


def _rounds(shares: Any, count: int) -> bool:
    """Whether a share of so many elements may be no number of single precision."""
    return count >= 1 << 16 or bool((shares * 256 % 1 != 0).any())


def _places(virtual: Any, method: str, dtype: Any) -> tuple[Any, Any, Any]:
    """The places before and after one between elements, and how far it is from the first to the second."""
    lower, upper = np.floor(virtual), np.ceil(virtual)
    if method == "lower":
        upper = lower
    elif method == "higher":
        lower = upper
    elif method == "nearest":
        lower = upper = np.rint(virtual)
    share = np.where(upper > lower, 0.5, 0) if method == "midpoint" else virtual - lower
    return lower, upper, share.astype(dtype)


def _between(low: Any, high: Any, share: Any) -> Any:
    """A part of the way from one number to one that is no less, from the nearer of them, as NumPy does it.

    Where one is infinite it is the limit: all that lies between -inf and a number is -inf, and between a number and inf
    inf, where NumPy gives that or NaN by which is nearer.
    """
    apart = high - low
    mixed = np.where(share < 0.5, low + apart * share, high - apart * (1 - share))
    mixed = np.where(np.isfinite(low) & np.isinf(high), high, mixed)
    return np.where((low == high) | (np.isinf(low) & np.isfinite(high)), low, mixed)


def _quantiles(scale: float, ignoring: bool) -> Callable[..., Tracer]:
    def quantile(
        a: Any,
        q: Any,
        axis: Any = None,
        out: Any = None,
        overwrite_input: bool = False,
        method: str = "linear",
        keepdims: Any = NO,
        *,
        weights: Any = None,
    ) -> Tracer:
        no_out(out)
        if weights is not None:
            raise TraceError("weights= of quantiles cannot be traced: repeat the elements with np.repeat")
        part_of_one = q if scale == 1 else q / scale if is_tracer(q) else np.asarray(q) / scale
        return _quantile(a, part_of_one, axis, method, keepdims, ignoring, empty=ignoring)

    return quantile


def _median(ignoring: bool) -> Callable[..., Tracer]:
    def median(a: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False, keepdims: Any = NO) -> Tracer:
        no_out(out)
        return _quantile(a, 0.5, axis, "linear", keepdims, ignoring, empty=True)

    return median


TABLE: Final[dict[Any, Callable[..., Any]]] = {
    np.sort: sort,
    np.argsort: argsort,
    np.partition: partition,
    np.argpartition: argpartition,
    np.lexsort: lexsort,
    np.searchsorted: searchsorted,
    np.quantile: _quantiles(1, False),
    np.percentile: _quantiles(100, False),
    np.nanquantile: _quantiles(1, True),
    np.nanpercentile: _quantiles(100, True),
    np.median: _median(False),
    np.nanmedian: _median(True),
}
