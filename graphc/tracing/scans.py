"""Running products, extrema and the like along an axis, and what a ufunc makes of a whole axis or of segments.

Short chunks are scanned first: in each step, an element is joined with the one so far before it as those before have
taken in already. The last elements of the chunks are scanned in turn, and each chunk goes on from there. The order of
the operations is always the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from graphc.errors import DTypeError, ShapeError, TraceError
from graphc.ir.types import DType, Shape, bool_, normalize_axis
from graphc.tracing.core import constant, emit, is_tracer
from graphc.tracing.promote import accumulator, cast, requested
from graphc.tracing.reductions import NO, axes_of, cumsum, flag, no_out, traced
from graphc.tracing.shaping import broadcast_to, concatenate, part, ravel, reshape
from graphc.tracing.sorting import positions
from graphc.tracing.tracer import Tracer
from graphc.tracing.ufuncs import scalar, truth

ASSOCIATIVE: Final[dict[Any, float | None]] = {
    np.add: 0,
    np.multiply: 1,
    np.maximum: None,
    np.minimum: None,
    np.fmax: None,
    np.fmin: None,
    np.logaddexp: -np.inf,
    np.logaddexp2: -np.inf,
    np.hypot: 0,
    np.bitwise_and: -1,
    np.bitwise_or: 0,
    np.bitwise_xor: 0,
    np.logical_and: 1,
    np.logical_or: 0,
    np.logical_xor: 0,
    np.gcd: 0,
    np.lcm: None,
}
"""Ufuncs whose operations may be done in any order, and what each makes of no elements (None: an error)."""


Many = tuple[Tracer, ...]
"""Arrays that are scanned together: their first axes, up to the one that is scanned, are the same."""

CHUNK: Final = 16
"""Elements that are scanned before what is before them is known: so most steps go over a sixteenth of the elements."""


def running(x: Tracer, axis: int, join: Callable[[Any, Any], Any]) -> Tracer:
    """What an associative function makes of all elements up to each along an axis."""
    return scanned((x,), axis, lambda before, later: (traced(join(before[0], later[0])),))[0]


def scanned(xs: Many, axis: int, join: Callable[[Many, Many], Many]) -> Many:
    """The same of several arrays, for a function of their elements at two places."""
    n = xs[0].shape[axis]
    if n <= 2 * CHUNK:
        return _doubling(xs, axis, join)
    count, rest = divmod(n, CHUNK)
    chunks = tuple(_split(x, axis, count) for x in xs)
    inner = _doubling(chunks, axis + 1, join)
    totals = tuple(_joined(part(x, axis + 1, CHUNK - 1, CHUNK), axis) for x in inner)
    before = scanned(totals, axis, join)
    earlier = tuple(_split(part(x, axis, 0, count - 1), axis, count - 1) for x in before)
    others = join(earlier, tuple(part(x, axis, 1, count) for x in inner))
    made = tuple(_joined(concatenate((part(x, axis, 0, 1), y), axis), axis) for x, y in zip(inner, others, strict=True))
    if not rest:
        return made
    tail = _doubling(tuple(part(x, axis, n - rest, n) for x in xs), axis, join)
    tail = join(tuple(part(x, axis, count - 1, count) for x in before), tail)
    return tuple(concatenate((x, y), axis) for x, y in zip(made, tail, strict=True))


def _split(x: Tracer, axis: int, count: int) -> Tracer:
    """The first elements along an axis as `count` chunks, or as many of one element."""
    size = CHUNK if x.shape[axis] >= count * CHUNK else 1
    first = part(x, axis, 0, count * size)
    return reshape(first, (*x.shape[:axis], count, size, *x.shape[axis + 1 :]))


def _joined(x: Tracer, axis: int) -> Tracer:
    """An axis and the one behind it made one."""
    return reshape(x, (*x.shape[:axis], x.shape[axis] * x.shape[axis + 1], *x.shape[axis + 2 :]))


def _doubling(xs: Many, axis: int, join: Callable[[Many, Many], Many]) -> Many:
    n, step = xs[0].shape[axis], 1
    while step < n:
        joined = join(tuple(part(x, axis, 0, n - step) for x in xs), tuple(part(x, axis, step, n) for x in xs))
        xs = tuple(concatenate((part(x, axis, 0, step), y), axis) for x, y in zip(xs, joined, strict=True))
        step *= 2
    return xs


def whole(x: Tracer, axis: int, join: Callable[[Any, Any], Any]) -> Tracer:
    """What an associative function makes of all elements along an axis, which keeps the length 1."""
    while (n := x.shape[axis]) > 1:
        half = n // 2
        joined = join(part(x, axis, 0, half), part(x, axis, half, 2 * half))
        x = concatenate((joined, part(x, axis, 2 * half, n)), axis) if n % 2 else joined
    return x


def accumulate(ufunc: np.ufunc, array: Any, axis: Any = 0, dtype: Any = None) -> Tracer:
    """ufunc.accumulate of an associative ufunc."""
    x = _operand(ufunc, array, dtype)
    if not x.ndim:
        raise ShapeError(f"needs an axis, got {x.value.type}")
    axis = normalize_axis(axis, x.ndim)
    if ufunc is np.add:
        return cumsum(x, axis)
    return running(x, axis, ufunc)


def reduced(ufunc: np.ufunc, array: Any, axis: Any, dtype: Any, keepdims: Any, initial: Any, where: Any) -> Tracer:
    """ufunc.reduce of an associative ufunc that NumPy has no function for."""
    x = _operand(ufunc, array, dtype)
    neutral = ASSOCIATIVE[ufunc]
    if neutral is None and ufunc in (np.fmax, np.fmin) and x.value.type.dtype.kind == "float":
        neutral = np.nan  # which both leave out
    begun = initial is not NO and initial is not None
    if neutral is None and begun:
        neutral = initial  # what is joined with it more than once is the same
    if where is not True:
        if neutral is None:
            raise ShapeError("where= may leave nothing: give initial=")
        x = _spread_where(x, where, neutral)
    axes = axes_of(x, axis)
    empty = [i for i in axes if x.shape[i] == 0]
    if empty:
        if neutral is None:
            raise ShapeError(f"{x.value.type} has no elements along axis {empty[0]}")
        kept = tuple(1 if i in axes else n for i, n in enumerate(x.shape))
        none = neutral if is_tracer(neutral) else constant(x.state, x.dtype.type(neutral))
        x = broadcast_to(none, kept)
    if ufunc in (np.gcd, np.hypot) and all(x.shape[i] == 1 for i in axes):
        x = traced(ufunc(x, x.dtype.type(0)))  # of one element too it is not negative
    for i in axes:
        x = whole(x, i, ufunc)
    if begun:
        x = traced(ufunc(x, initial))
    if flag(keepdims):
        return x
    return reshape(x, tuple(n for i, n in enumerate(x.shape) if i not in axes))


def _spread_where(x: Tracer, where: Any, neutral: float) -> Tracer:
    mask = truth(constant(x.state, where))
    return emit("where", mask, x, neutral if is_tracer(neutral) else scalar(x, neutral))


def _operand(ufunc: np.ufunc, array: Any, dtype: Any) -> Tracer:
    x = traced(array)
    if ufunc in (np.logical_and, np.logical_or, np.logical_xor):
        return truth(x)
    if ufunc in (np.add, np.multiply):
        return cast(x, requested(dtype, accumulator(x.value.type.dtype)))

    def of_results(x: Tracer) -> DType:
        none = part(ravel(x), 0, 0, 0)
        return traced(ufunc(none, none)).value.type.dtype

    if dtype is None:
        return cast(x, of_results(x))
    wanted = cast(x, dtype := requested(dtype, x.value.type.dtype))
    if (own := of_results(wanted)) != dtype:
        raise DTypeError(f"{ufunc.__name__} of {dtype} is {own}, so that its results cannot be of dtype {dtype}")
    return wanted


def cumprod(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Tracer:
    """np.cumprod: of the flattened array without an axis."""
    no_out(out)
    x = traced(a)
    return accumulate(np.multiply, ravel(x) if axis is None else x, 0 if axis is None else axis, dtype)


def _cumulative(ufunc: np.ufunc) -> Callable[..., Tracer]:
    def cumulative(
        x: Any, /, *, axis: Any = None, dtype: Any = None, out: Any = None, include_initial: bool = False
    ) -> Tracer:
        no_out(out)
        t = traced(x)
        if axis is None:
            if t.ndim > 1:
                raise ShapeError(f"axis= is needed for {t.value.type}, which has {t.ndim} axes")
            axis = 0
        axis = normalize_axis(axis, t.ndim)
        made = accumulate(ufunc, t, axis, dtype)
        if not include_initial:
            return made
        first = broadcast_to(scalar(made, ASSOCIATIVE[ufunc] or 0), _with(made.shape, axis, 1))
        return concatenate((first, made), axis)

    return cumulative


def _with(shape: Shape, axis: int, n: int) -> Shape:
    return (*shape[:axis], n, *shape[axis + 1 :])


def _ignoring(ufunc: np.ufunc, neutral: float) -> Callable[..., Tracer]:
    def handler(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Tracer:
        no_out(out)
        x = traced(a)
        if x.value.type.dtype.kind == "float":
            x = emit("where", emit("isnan", x), scalar(x, neutral), x)
        return accumulate(ufunc, ravel(x) if axis is None else x, 0 if axis is None else axis, dtype)

    return handler


def by_place(ids: Tracer, values: Tracer, size: int, ufunc: np.ufunc) -> tuple[Tracer, Tracer]:
    """What an associative ufunc makes of the rows of values [R, ...] with the same id: [size, ...], anything where no
    row has it; and whether one has: bool [size].

    The rows are put in the order of their ids, and each is joined with those before it that have the same one.
    """
    order = positions(ids)
    place = emit("take", ids, order, axis=0, clamp=True)
    rows = emit("take", values, order, axis=0, clamp=True)
    n = rows.shape[0]
    begins = emit("ne", part(place, 0, 1, n), part(place, 0, 0, n - 1))
    begins = concatenate((broadcast_to(constant(ids.state, True, bool_), (1,)), begins), 0)

    def join(before: Many, later: Many) -> Many:
        (known, old), (begun, new) = before, later
        wide = reshape(begun, begun.shape + (1,) * (new.ndim - begun.ndim))
        return emit("or", known, begun), emit("where", wide, new, traced(ufunc(old, new)))

    rows = scanned((begins, rows), 0, join)[1]
    blank = broadcast_to(scalar(rows, 0), (size, *rows.shape[1:]))
    found = emit("index_update", blank, place, rows, axis=0)
    none, ones = (broadcast_to(constant(ids.state, t, bool_), (k,)) for t, k in ((False, size), (True, n)))
    return found, emit("index_update", none, ids, ones, axis=0)


def of_ufunc(ufunc: np.ufunc, name: str) -> None:
    """Raise TraceError for a ufunc whose operations have an order."""
    if ufunc not in ASSOCIATIVE:
        raise TraceError(f"{name} cannot be traced: write a loop, or graphc.scan for a long one")


TABLE: Final[dict[Any, Callable[..., Any]]] = {
    np.cumprod: cumprod,
    np.nancumsum: _ignoring(np.add, 0),
    np.nancumprod: _ignoring(np.multiply, 1),
}
if hasattr(np, "cumulative_sum"):  # NumPy 2.1
    TABLE[np.cumulative_sum] = _cumulative(np.add)
    TABLE[np.cumulative_prod] = _cumulative(np.multiply)
