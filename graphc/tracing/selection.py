"""Functions that choose elements: where, clip, take, triangles, diagonals, padding, comparisons of arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from graphc.errors import ArgumentError, IndexRangeError, ShapeError, TraceError
from graphc.ir.types import NDArray, Shape, f32, f64, i32, i64, normalize_axis
from graphc.tracing.core import as_array, constant, emit, is_tracer, owner
from graphc.tracing.promote import cast, common_dtype, converted
from graphc.tracing.reductions import NO, all_, any_, no_out, traced
from graphc.tracing.shaping import broadcast_to, ints, moveaxis, part, ravel, reshape
from graphc.tracing.tracer import Tracer
from graphc.tracing.ufuncs import scalar, truth


def where(condition: Any, x: Any = NO, y: Any = NO, /) -> Tracer:
    """np.where with three arguments."""
    if x is NO or y is NO:
        raise TraceError("np.where(mask) has a shape that depends on values: write np.where(mask, x, y)")
    trace = owner((condition, x, y))
    common = common_dtype((x, y))
    chosen = truth(constant(trace, condition))
    return emit("where", chosen, converted(trace, x, common), converted(trace, y, common))


def select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    """np.select: the choice of the first condition that holds."""
    made = default
    for condition, choice in reversed(list(zip(condlist, choicelist, strict=True))):
        made = np.where(condition, choice, made)
    return made


def clip(a: Any, a_min: Any = NO, a_max: Any = NO, out: Any = None, *, min: Any = NO, max: Any = NO) -> Any:
    """np.clip: minimum(maximum(a, a_min), a_max)."""
    no_out(out)
    if (a_min is not NO or a_max is not NO) and (min is not NO or max is not NO):
        raise ArgumentError("a_min and a_max are given, and min or max too: leave one of them out")
    low, high = (min if a_min is NO else a_min), (max if a_max is NO else a_max)
    made = a
    if low is not None and low is not NO:
        made = np.maximum(made, low)
    if high is not None and high is not NO:
        made = np.minimum(made, high)
    return made


def constant_ids(ids: Any, size: int, what: str) -> NDArray:
    """Known indices as int32 in [0, size); raises IndexRangeError for one outside, TraceError for no integers."""
    array = as_array(ids)
    if array.size == 0 and array.dtype.kind == "f":
        array = array.astype(np.int32)
    if array.dtype.kind not in "iu":
        raise TraceError(f"{what} are {array.dtype.name}: needs integers")
    bad = array[(array < -size) | (array >= size)]
    if bad.size:
        raise IndexRangeError(f"index {bad.flat[0]} is out of range for {what} of length {size}")
    return np.where(array < 0, array + size, array).astype(np.int32)


def index_operand(x: Tracer, ids: Any, size: int, what: str) -> Tracer:
    """Indices, known or traced, as an int32 or uint32 tracer."""
    if not is_tracer(ids):
        return constant(owner((x,)), constant_ids(ids, size, what))
    if ids.value.type.dtype.kind not in ("int", "uint"):
        hint = ": write np.where(mask, x, y)" if ids.dtype.kind == "b" else ": write ids.astype(np.int32)"
        raise TraceError(f"{what} is indexed by {ids.value.type}, but needs integers{hint}")
    if ids.value.type.dtype == i64:
        ids = emit("checked", ids, low=-size, high=size - 1, what="indexing")  # 32 bits would hold another number
    return ids if ids.value.type.dtype.kind == "uint" else cast(ids, i32)


def gathered(x: Tracer, ids: Tracer, axis: int, within: bool) -> Tracer:
    """The take node. within: no index lies outside of the axis, so nothing stands in for what it would read there."""
    return emit("take", x, ids, axis=axis, clamp=True) if within else emit("take", x, ids, axis=axis)


def take(a: Any, indices: Any, axis: Any = None, out: Any = None, mode: str = "raise") -> Tracer:
    """np.take. Indices known while tracing are checked then, traced ones when they are known (see passes.ranges)."""
    no_out(out)
    trace = owner((a, indices))
    x = constant(trace, a).as_strong()
    if axis is None:
        x, axis = ravel(x), 0
    axis = normalize_axis(axis, x.ndim)
    size = x.shape[axis]
    if mode != "raise":
        ids = constant(trace, indices)
        ids = ids % size if mode == "wrap" else clip(ids, 0, size - 1)
        return gathered(x, cast(ids, i32), axis, True)
    return gathered(x, index_operand(x, indices, size, f"axis {axis}"), axis, not is_tracer(indices))


def take_along_axis(arr: Any, indices: Any, axis: Any = -1) -> Tracer:
    """np.take_along_axis."""
    trace = owner((arr, indices))
    x = constant(trace, arr).as_strong()
    if axis is None:
        x, axis = ravel(x), 0
    axis = normalize_axis(axis, x.ndim)
    ids = index_operand(constant(trace, x), indices, x.shape[axis], f"axis {axis}")
    if ids.ndim != x.ndim:
        raise ShapeError(f"x is {x.value.type}, indices are {ids.value.type}: need as many axes")
    return emit("take_along_axis", x, ids, axis=axis)


def _triangle(name: str) -> Callable[..., Tracer]:
    def triangle(m: Any, k: int = 0) -> Tracer:
        x = traced(m)
        if x.ndim == 1:
            x = broadcast_to(x, (x.shape[0], x.shape[0]))
        return emit(name, x, k=ints(k, "k")[0])

    return triangle


def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tracer:
    """np.diagonal: a strided slice of the last two axes made one."""
    x = traced(a)
    if x.ndim < 2:
        raise ShapeError(f"needs two axes or more, got {x.value.type}")
    x = moveaxis(x, (axis1, axis2), (-2, -1))
    m, n = x.shape[-2:]
    count = max(0, min(m, n - offset) if offset >= 0 else min(m + offset, n))
    flat = reshape(x, (*x.shape[:-2], m * n))
    start = min(offset if offset >= 0 else -offset * n, m * n)
    return part(flat, flat.ndim - 1, start, start + (count - 1) * (n + 1) + 1 if count else start, n + 1)


def diag(v: Any, k: int = 0) -> Tracer:
    """np.diag: the diagonal of a matrix, or the matrix with this diagonal."""
    x = traced(v)
    if x.ndim == 2:
        return diagonal(x, k)
    if x.ndim != 1:
        raise ShapeError(f"needs one or two axes, got {x.value.type}")
    size = x.shape[0] + abs(k)
    if k:
        x = emit("pad", x, low=(max(k, 0),), high=(max(-k, 0),), interior=(0,), value=0.0)
    rows = emit("iota", trace=x.state, shape=(size, size), axis=0, dtype=i32)
    columns = emit("iota", trace=x.state, shape=(size, size), axis=1, dtype=i32)
    if k:
        rows = emit("add", rows, scalar(rows, k))
    return emit("where", emit("eq", rows, columns), x, scalar(x, 0))


def trace_(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: Any = None) -> Any:
    """np.trace: the sum of the diagonal."""
    no_out(out)
    return np.sum(diagonal(a, offset, axis1, axis2), axis=-1, dtype=dtype)


def _widths(pad_width: Any, rank: int) -> list[tuple[int, int]]:
    if isinstance(pad_width, dict):
        widths = np.zeros((rank, 2), int)
        for axis, width in pad_width.items():
            widths[axis] = width
    else:
        try:
            widths = np.broadcast_to(np.asarray(pad_width), (rank, 2))
        except ValueError:
            raise ShapeError(f"pad_width {pad_width!r} does not give (before, after) for {rank} axes") from None
    if widths.dtype.kind not in "iu" or (widths.size and widths.min() < 0):
        raise ShapeError(f"pad_width {pad_width!r}: needs integers that are not negative")
    return [(int(low), int(high)) for low, high in widths]


def pad(array: Any, pad_width: Any, mode: Any = "constant", **options: Any) -> Tracer:
    """np.pad in all modes but a function; empty pads with 0."""
    x = traced(array)
    widths = _widths(pad_width, x.ndim)
    if not isinstance(mode, str) or mode not in _OPTIONS:
        raise TraceError(f"mode {mode!r} cannot be traced: write np.concatenate of the parts")
    for name in options:
        if name not in _OPTIONS[mode]:
            raise ArgumentError(f"mode {mode!r} has no {name}=")
    if mode in ("constant", "empty"):
        return _pad_constant(x, widths, options.get("constant_values", 0))
    if mode in _STATISTICS:
        return _pad_statistic(x, widths, _STATISTICS[mode], options.get("stat_length"))
    if mode == "linear_ramp":
        return _pad_ramp(x, widths, options.get("end_values", 0))
    kind = options.get("reflect_type", "even")
    if kind not in ("even", "odd"):
        raise ArgumentError(f"reflect_type is {kind!r}: it must be 'even' or 'odd'")
    manner: Any = mode
    for axis, (low, high) in enumerate(widths):
        if low or high:
            if not x.shape[axis]:
                raise ShapeError(f"axis {axis} of {x.value.type} is empty: mode {mode!r} has nothing to repeat")
            if kind == "odd":
                x = _pad_odd(x, axis, (low, high), mode)
                continue
            ids = np.pad(np.arange(x.shape[axis], dtype=np.int32), (low, high), mode=manner)
            x = gathered(x, constant(x.state, ids), axis, True)
    return x


def _pad_odd(x: Tracer, axis: int, width: tuple[int, int], mode: Any) -> Tracer:
    """An axis that goes on beyond its ends turned by half around them: twice the end less what is reflected.

    What is reflected may be made so itself, so that an element is one of x, added or taken off, and multiples of the
    first and the last. How many, NumPy says of rows of known elements.
    """

    def spread(row: Any) -> NDArray:
        return np.pad(row, width, mode=mode, reflect_type="odd")

    n = x.shape[axis]
    place = np.arange(n)
    inner = spread(np.where((place > 0) & (place < n - 1), place, 0))
    made: Any = gathered(x, constant(x.state, np.abs(inner).astype(np.int32)), axis, True)
    made = made * _column(np.sign(inner), axis, x)
    for end in sorted({0, n - 1}):
        times, edge = _column(spread(np.where(place == end, 1, 0)), axis, x), part(x, axis, end, end + 1)
        # Nothing of an end that is infinite is nothing.
        made = made + np.where(times == 0, np.zeros((), x.dtype), times * edge)
    return cast(made, x.value.type.dtype)


def _column(numbers: NDArray, axis: int, x: Tracer) -> NDArray:
    return numbers.astype(x.dtype).reshape([-1 if k == axis else 1 for k in range(x.ndim)])


def _mean(x: Any, axis: int, keepdims: Any) -> Any:
    """The mean along an axis, of integers the nearest integer: by quotients, which no float rounds and none exceeds."""
    if x.value.type.dtype.kind == "float":
        return np.mean(x, axis=axis, keepdims=keepdims)
    n = x.shape[axis]
    rest = np.sum(x % n, axis=axis, keepdims=keepdims)
    return _nearest(np.sum(x // n, axis=axis, keepdims=keepdims) + rest // n, rest % n, n).astype(x.dtype)


def _median(x: Any, axis: int, keepdims: Any) -> Any:
    """The median along an axis, of integers the nearest integer."""
    if x.value.type.dtype.kind == "float":
        return np.median(x, axis=axis, keepdims=keepdims)
    n = x.shape[axis]
    return _mean(part(traced(np.sort(x, axis=axis)), axis, (n - 1) // 2, n // 2 + 1), axis, keepdims)


_STATISTICS: Final[dict[str, Any]] = {"maximum": np.max, "minimum": np.min, "mean": _mean, "median": _median}
_OPTIONS: Final[dict[str, tuple[str, ...]]] = {
    "constant": ("constant_values",),
    "empty": (),
    "edge": (),
    "wrap": (),
    "reflect": ("reflect_type",),
    "symmetric": ("reflect_type",),
    "linear_ramp": ("end_values",),
    **dict.fromkeys(_STATISTICS, ("stat_length",)),
}
"""The modes of np.pad, and the keywords that each has."""


def _pad_statistic(x: Tracer, widths: list[tuple[int, int]], of: Any, lengths: Any) -> Tracer:
    """Each side of each axis filled with a number of the elements beside it; axis after axis, as in NumPy."""
    near = np.broadcast_to(np.asarray(max(x.shape, default=0) if lengths is None else lengths), (x.ndim, 2))
    for axis, (low, high) in enumerate(widths):
        n, parts = x.shape[axis], [x]
        for side, count in ((0, low), (1, high)):
            beside = min(int(near[axis, side]), n) if lengths is not None else n
            if not count:
                continue
            if beside < 1:
                raise ShapeError(f"axis {axis} of {x.value.type} has no elements to pad with")
            some = part(x, axis, 0, beside) if side == 0 else part(x, axis, n - beside, n)
            found: Any = of(some, axis=axis, keepdims=True)
            wide = broadcast_to(found, (*x.shape[:axis], count, *x.shape[axis + 1 :]))
            parts = [wide, *parts] if side == 0 else [*parts, wide]
        x = emit("concatenate", *parts, axis=axis) if len(parts) > 1 else x
    return x


def _pad_ramp(x: Tracer, widths: list[tuple[int, int]], ends: Any) -> Tracer:
    """Each side of each axis filled with even steps from the edge to an end value."""
    if x.value.type.dtype.kind != "float":
        raise TraceError(f"mode 'linear_ramp' of {x.value.type} cannot be traced: write x.astype(np.float32)")
    targets = np.broadcast_to(np.asarray(ends), (x.ndim, 2))
    for axis, (low, high) in enumerate(widths):
        n, parts = x.shape[axis], [x]
        for side, count in ((0, low), (1, high)):
            if not count or not n:
                continue
            edge: Any = part(x, axis, 0, 1) if side == 0 else part(x, axis, n - 1, n)
            share = np.arange(count, dtype=x.dtype) / x.dtype.type(count)  # from the end to the edge
            line = (share if side == 0 else share[::-1]).reshape([count if k == axis else 1 for k in range(x.ndim)])
            end = x.dtype.type(targets[axis, side])
            ramp = traced(end + (edge - end) * line)
            parts = [ramp, *parts] if side == 0 else [*parts, ramp]
        x = emit("concatenate", *parts, axis=axis) if len(parts) > 1 else x
    return x


def _pad_constant(x: Tracer, widths: list[tuple[int, int]], values: Any) -> Tracer:
    if is_tracer(values):
        raise TraceError("constant_values is traced: write np.concatenate of the parts")
    fills = np.broadcast_to(np.asarray(values), (x.ndim, 2))
    if x.ndim == 0 or not any(low or high for low, high in widths):
        return x
    if len({fill.tobytes() for fill in fills.flat}) == 1:  # the same bits: 0.0 is not -0.0
        return _pad_node(x, tuple(w[0] for w in widths), tuple(w[1] for w in widths), fills.flat[0])
    none = [0] * x.ndim
    for axis, (width, fill) in enumerate(zip(widths, fills, strict=True)):
        for side in (0, 1):
            if width[side]:
                amount = tuple(width[side] if i == axis else 0 for i in range(x.ndim))
                x = _pad_node(x, *((amount, tuple(none)) if side == 0 else (tuple(none), amount)), fill[side])
    return x


def _pad_node(x: Tracer, low: Shape, high: Shape, value: Any) -> Tracer:
    number = np.asarray(value).astype(x.dtype).item()
    return emit("pad", x, low=low, high=high, interior=(0,) * x.ndim, value=float(number))


def round_(a: Any, decimals: int = 0, out: Any = None) -> Any:
    """np.round: half to even."""
    no_out(out)
    x = traced(a)
    if x.value.type.dtype.kind != "float":
        if x.value.type.dtype.kind == "bool":
            if decimals < 0:
                raise TraceError(f"{x.value.type} has no tens to round to: write x.astype(np.int32)")
            return cast(x, f32)
        if decimals >= 0:
            return x
        unit = 10**-decimals
        if unit > np.iinfo(x.dtype).max:
            return np.zeros_like(x)  # less than half of the unit, whatever it is
        return _nearest(x // unit, x % unit, unit) * unit
    if decimals == 0:
        return emit("round", x)
    unit = scalar(x, 10.0 ** abs(decimals))
    there, back = ("mul", "div") if decimals > 0 else ("div", "mul")
    return emit(back, emit("round", emit(there, x, unit)), unit)


def _nearest(whole: Any, rest: Any, unit: Any) -> Any:
    """The integer nearest to whole + rest / unit, of 0 <= rest < unit; the even one of two. Nothing leaves integers."""
    more = (rest > unit - rest) | ((rest == unit - rest) & (whole % 2 != 0))
    return whole + more.astype(whole.dtype)


def nan_to_num(x: Any, copy: bool = True, nan: float = 0.0, posinf: Any = None, neginf: Any = None) -> Tracer:
    """np.nan_to_num."""
    if not copy:
        raise TraceError("copy=False changes an array, which a graph cannot: assign the result, x = np.nan_to_num(x)")
    t = traced(x)
    if t.value.type.dtype.kind != "float":
        return t
    info = np.finfo(t.dtype)
    zero = scalar(t, 0)
    infinite = np.isinf(t)
    made = where(infinite & (t > zero), scalar(t, float(info.max) if posinf is None else posinf), t)
    made = where(infinite & (t < zero), scalar(t, float(info.min) if neginf is None else neginf), made)
    return where(np.isnan(t), scalar(t, nan), made)


def isclose(a: Any, b: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Any:
    """np.isclose: |a - b| <= atol + rtol * |b|."""
    trace = owner((a, b))
    common = common_dtype((a, b))
    apart: Any = None
    integral = common.kind in ("int", "uint")
    if integral:
        # Told apart as integers: as float32 those above 2^24 are rounded.
        m, n = converted(trace, a, common), converted(trace, b, common)
        apart = (np.maximum(m, n) - np.minimum(m, n)).astype(np.uint32)
    if common not in (f32, f64):
        common = common_dtype((a, b, np.float32(0)))
    x, y = converted(trace, a, common), converted(trace, b, common)
    apart = abs(x - y) if apart is None else cast(apart, common)
    close = (apart <= atol + rtol * abs(y)) & np.isfinite(y) | (apart == 0 if integral else x == y)
    return close | (np.isnan(x) & np.isnan(y)) if equal_nan else close


def allclose(a: Any, b: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Tracer:
    """np.allclose, as a traced bool."""
    return all_(isclose(a, b, rtol, atol, equal_nan))


def array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> Any:
    """np.array_equal, as a traced bool (a plain one where the shapes differ)."""
    if np.shape(a1) != np.shape(a2):
        return False
    same = np.equal(a1, a2)
    return all_(same | (np.isnan(a1) & np.isnan(a2)) if equal_nan else same)


def isin(
    element: Any, test_elements: Any, assume_unique: bool = False, invert: bool = False, *, kind: Any = None
) -> Any:
    """np.isin: whether each element equals one of others."""
    trace = owner((element, test_elements))
    common = common_dtype((element, test_elements))
    x, others = converted(trace, element, common), ravel(converted(trace, test_elements, common))
    found: Any = any_(emit("eq", reshape(x, (*x.shape, 1)), others), axis=-1)
    return ~found if invert else found


def angle(z: Any, deg: bool = False) -> Any:
    """np.angle of real numbers: 0, or half a turn where they are negative."""
    made = np.arctan2(0.0, z)
    return np.rad2deg(made) if deg else made


TABLE: Final[dict[Any, Callable[..., Any]]] = {
    np.where: where,
    np.select: select,
    np.clip: clip,
    np.take: take,
    np.take_along_axis: take_along_axis,
    np.tril: _triangle("tril"),
    np.triu: _triangle("triu"),
    np.diagonal: diagonal,
    np.diag: diag,
    np.diagflat: lambda v, k=0: diag(ravel(v), k),
    np.trace: trace_,
    np.pad: pad,
    np.round: round_,
    np.around: round_,
    np.fix: lambda x, out=None: np.trunc(x),
    np.nan_to_num: nan_to_num,
    np.isposinf: lambda x, out=None: np.isinf(x) & (traced(x) > 0),
    np.isneginf: lambda x, out=None: np.isinf(x) & (traced(x) < 0),
    np.isclose: isclose,
    np.allclose: allclose,
    np.array_equal: array_equal,
    np.isin: isin,
    np.angle: angle,
}
