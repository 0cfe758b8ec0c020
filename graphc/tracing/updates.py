"""Updates at an index: x.at[key].set(y) and its kin, which give a new array and leave `x` as it is.

What slices and ints pick is put in its place by padding and chosen by position, which fuses. What integer arrays pick
is written or added up by the ops for it, always in the same order, so that a run repeats to the bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from graphc.errors import DTypeError, GraphcError, ShapeError
from graphc.ir.types import Shape, bool_, broadcast_shapes, i32
from graphc.tracing.aliases import fresh
from graphc.tracing.core import constant, emit, is_tracer, is_weak, located, owner
from graphc.tracing.indexing import (
    Advanced,
    as_operand,
    basic,
    checked_operand,
    expanded,
    flat_ids,
    is_array,
    is_int,
    picked,
    position_of,
    range_of,
)
from graphc.tracing.promote import cast, converted
from graphc.tracing.reductions import traced
from graphc.tracing.scans import by_place
from graphc.tracing.shaping import broadcast_to, moveaxis, reshape
from graphc.tracing.tracer import Tracer
from graphc.tracing.ufuncs import scalar, truth


class At:
    """x.at: indexed with a key, it has the updates of x there. apply(x, key, y, how): makes one."""

    __slots__ = ("apply", "x")

    def __init__(self, x: Any, apply: Callable[[Any, Any, Any, str], Any]) -> None:
        self.x = x
        self.apply = apply

    def __getitem__(self, key: Any) -> Update:
        return Update(self, key)

    def __repr__(self) -> str:
        return f"at({self.x!r})"


class Update:
    """x.at[key]: each method gives a new array, in which the elements x[key] are others."""

    __slots__ = ("at", "key")

    def __init__(self, at: At, key: Any) -> None:
        self.at = at
        self.key = key

    def set(self, values: Any) -> Any:
        """x with `values` at the key. Where it names an element several times, the last value stays."""
        return self.at.apply(self.at.x, self.key, values, "set")

    def add(self, values: Any) -> Any:
        """x with `values` added at the key; all of them where it names an element several times (np.add.at)."""
        return self.at.apply(self.at.x, self.key, values, "add")

    def multiply(self, values: Any) -> Any:
        """x multiplied by `values` at the key; by all of them where it names an element several times."""
        return self.at.apply(self.at.x, self.key, values, "multiply")

    def min(self, values: Any) -> Any:
        """x with the least of each element and its `values` at the key; NaN where one of them is."""
        return self.at.apply(self.at.x, self.key, values, "min")

    def max(self, values: Any) -> Any:
        """x with the greatest of each element and its `values` at the key; NaN where one of them is."""
        return self.at.apply(self.at.x, self.key, values, "max")


UFUNCS: Final[dict[str, Any]] = {"add": np.add, "multiply": np.multiply, "min": np.minimum, "max": np.maximum}
"""What an update does with the old element and the new one; "set" takes the new one."""


def updated(x: Tracer, key: Any, y: Any, how: str) -> Any:
    """`x` with the elements at `key` set to `y`, or joined with it by a function of UFUNCS.

    Where integer arrays name an element several times, "set" writes the last value and the others take in all of them,
    as np.add.at does. `y` broadcasts to the shape of x[key]. The element type stays that of `x`. Raises TraceError for
    a key that cannot be traced, ShapeError and DTypeError for values that do not fit, IndexRangeError for a known index
    out of range.
    """
    try:
        return fresh(_updated(x, key, y, how))
    except GraphcError as error:
        raise located(error, f"at[...].{how}") from None


def _updated(x: Tracer, key: Any, y: Any, how: str) -> Tracer:
    trace = owner((x, y))
    x = constant(trace, x).as_strong()  # what is known is updated by what is traced, too
    dtype = x.value.type.dtype
    if dtype == bool_ and how != "set":  # in NumPy, addition of truth is or, and multiplication is and
        return truth(_updated(cast(x, i32), key, _int_of_bool(x, y), how))
    if how != "set":
        _check_kind(x, y)
    values = converted(trace, y, dtype)
    mask = key[0] if isinstance(key, tuple) and len(key) == 1 else key
    if _is_mask_of(mask) and (is_tracer(mask) or values.ndim <= x.ndim - np.ndim(mask)):
        return _masked(x, mask, values, how)
    items = expanded(x, key if isinstance(key, tuple) else (key,))
    if not any(is_array(item) for item in items):
        return _placed(x, items, values, how)
    items = [np.asarray(k) if isinstance(k, int) else k for k in items]
    return _scattered(x, items, values, how)


def _int_of_bool(x: Tracer, y: Any) -> Any:
    kind = np.asarray(y).dtype if not is_tracer(y) else y.dtype
    if kind != np.bool_:
        raise DTypeError(f"the values are {kind.name}, x is {x.value.type}: write values != 0")
    return y.astype(np.int32) if is_tracer(y) else np.asarray(y).astype(np.int32)


def _check_kind(x: Tracer, y: Any) -> None:
    """Raise DTypeError where the values are of a kind that the elements cannot hold."""
    kind = (
        (np.dtype(type(y)) if type(y) in (int, float, bool) else np.asarray(y).dtype) if not is_tracer(y) else y.dtype
    )
    if not np.can_cast(kind, x.dtype, "same_kind") and not (is_weak(y) and kind.kind == "i" and x.dtype.kind in "iuf"):
        raise DTypeError(
            f"the values are {kind.name}, x is {x.value.type}: write .astype(np.{x.dtype.name}) on the values, or "
            f".astype(np.{kind.name}) on x"
        )


def _is_mask_of(key: Any) -> bool:
    kind = key.dtype.kind if is_tracer(key) or isinstance(key, np.ndarray) else ""
    return bool(kind == "b" and key.ndim)


def _joined(x: Tracer, values: Tracer, how: str) -> Tracer:
    made = values if how == "set" else UFUNCS[how](x, values)
    return made if isinstance(made, Tracer) else constant(x.state, made)


def _masked(x: Tracer, mask: Any, values: Tracer, how: str) -> Tracer:
    """Where a mask holds: one value, or one for each place along the axes behind those of the mask."""
    held = constant(x.state, mask)
    if x.shape[: held.ndim] != held.shape:
        raise ShapeError(f"the mask is {held.value.type}: it must have the first axes of x, which is {x.value.type}")
    if values.ndim > x.ndim - held.ndim:
        raise ShapeError(
            f"the values are {values.value.type}, and how many the mask picks is not known: give one value, or write "
            "np.where(mask, values, x) for values of the shape of x"
        )
    held = reshape(held, held.shape + (1,) * (x.ndim - held.ndim))
    return emit("where", held, broadcast_to(_joined(x, values, how), x.shape), x)


def _placed(x: Tracer, items: list[Any], values: Tracer, how: str) -> Tracer:
    """What slices and ints pick."""
    shape: list[int] = []
    ranges: list[tuple[int, int, int]] = []
    for item in items:
        if item is None:
            shape.append(1)
        elif item is not Ellipsis:
            n = x.shape[len(ranges)]
            whole = (position_of(int(item), n, len(ranges)), 1, 1) if is_int(item) else range_of(item, n)
            ranges.append(whole)
            if not is_int(item):
                shape.append(whole[1])
    values = _fitting(values, tuple(shape))
    if 0 in (count for _, count, _ in ranges):
        return x
    flips = tuple(axis for axis, (_, _, step) in enumerate(ranges) if step < 0)
    ranges = [(a + (c - 1) * s, c, -s) if s < 0 else (a, c, s) for a, c, s in ranges]
    values = reshape(broadcast_to(values, tuple(shape)), tuple(count for _, count, _ in ranges))
    if flips:
        values = emit("flip", values, axes=flips)
    low = tuple(start for start, _, _ in ranges)
    high = tuple(n - start - (c - 1) * s - 1 for n, (start, c, s) in zip(x.shape, ranges, strict=True))
    interior = tuple(s - 1 if c > 1 else 0 for _, c, s in ranges)
    if any((*low, *high, *interior)):
        values = emit("pad", values, low=low, high=high, interior=interior, value=0.0)
    chosen: Any = None
    for axis, (start, count, step) in enumerate(ranges):
        inside = _inside(x, axis, start, count, step)
        if inside is not None:
            chosen = inside if chosen is None else emit("and", chosen, inside)
    made = _joined(x, values, how)
    return made if chosen is None else emit("where", chosen, made, x)


def _inside(x: Tracer, axis: int, start: int, count: int, step: int) -> Tracer | None:
    """Which places of an axis a slice picks; None for all of them."""
    n = x.shape[axis]
    if count == n:
        return None
    shape = tuple(n if k == axis else 1 for k in range(x.ndim))
    place = emit("iota", trace=x.state, shape=shape, axis=axis, dtype=i32)
    if count == 1:
        return emit("eq", place, scalar(place, start))
    last = start + (count - 1) * step
    found: list[Tracer] = []
    if start:
        found.append(emit("ge", place, scalar(place, start)))
    if last < n - 1:
        found.append(emit("le", place, scalar(place, last)))
    if step > 1:
        found.append(emit("eq", emit("mod", place, scalar(place, step)), scalar(place, start % step)))
    made = found[0]
    for more in found[1:]:
        made = emit("and", made, more)
    return made


def _fitting(values: Tracer, shape: Shape) -> Tracer:
    """`values`, which broadcast to `shape`; leading axes of length 1 too many are left out, as in an assignment."""
    extra = max(values.ndim - len(shape), 0)
    if extra and set(values.shape[:extra]) == {1}:
        values = reshape(values, values.shape[extra:])
    fits = values.ndim <= len(shape) and all(m in (1, n) for m, n in zip(values.shape[::-1], shape[::-1], strict=False))
    if not fits:
        raise ShapeError(f"the values are {values.value.type}, and the index picks {list(shape)}: needs that shape")
    return values


def _scattered(x: Tracer, items: list[Any], values: Tracer, how: str) -> Tracer:
    """What integer arrays pick, beside slices or not."""
    plain = all(is_array(item) or item is Ellipsis or _is_whole(item) for item in items)
    axes = [axis for axis, item in enumerate(i for i in items if i is not Ellipsis) if is_array(item)]
    together = axes == list(range(axes[0], axes[0] + len(axes))) and not any(item is Ellipsis for item in items)
    if not plain or not together:
        place = emit("iota", trace=x.state, shape=(x.size,), axis=0, dtype=i32)
        ids = picked(reshape(place, x.shape), tuple(items))
        values = reshape(broadcast_to(_fitting(values, ids.shape), ids.shape), (-1,) if ids.size else (0,))
        line = _taken_in(reshape(x, (x.size,)), reshape(ids, values.shape), values, 0, how)
        return reshape(line, x.shape)
    _, shape, arrays, _ = basic(x, items)
    first, found = axes[0], broadcast_shapes(*(np.shape(arrays[a]) for a in axes))
    head, tail = shape[:first], shape[first + len(axes) :]
    ids = _ids(x, arrays, axes)
    values = broadcast_to(_fitting(values, (*head, *found, *tail)), (*head, *found, *tail))
    if ids.shape != found:
        ids = emit("broadcast_to", ids, shape=found)
    merged = reshape(x, (*head, math.prod(shape[first : first + len(axes)]), *tail))
    return reshape(_taken_in(merged, ids, values, first, how), x.shape)


def _ids(x: Tracer, arrays: Advanced, axes: list[int]) -> Tracer:
    if len(axes) == 1:
        return checked_operand(x, arrays[axes[0]], axes[0])
    return as_operand(x, flat_ids(x, arrays, axes))


def _taken_in(x: Tracer, ids: Tracer, values: Tracer, axis: int, how: str) -> Tracer:
    """Rows of values taken in at `ids` along an axis."""
    if not ids.size or not values.size:
        return x
    return _RULES[how](x, ids, values, axis)


def _set(x: Tracer, ids: Tracer, values: Tracer, axis: int) -> Tracer:
    return emit("index_update", x, ids, values, axis=axis)


def _add(x: Tracer, ids: Tracer, values: Tracer, axis: int) -> Tracer:
    return emit("add", x, emit("scatter_add", ids, values, axis=axis, size=x.shape[axis]))


def _multiplied(x: Tracer, ids: Tracer, values: Tracer, axis: int) -> Tracer:
    found, there = _by_row(x, ids, values, axis, np.multiply)
    return emit("mul", x, emit("where", there, found, scalar(found, 1)))


def _extremum(ufunc: np.ufunc) -> Callable[..., Tracer]:
    def extremum(x: Tracer, ids: Tracer, values: Tracer, axis: int) -> Tracer:
        floats = x.value.type.dtype.kind == "float"
        found, there = _by_row(x, ids, emit("stop_gradient", values) if floats else values, axis, ufunc)
        if floats:
            found = emit("add", found, _shared(ids, values, found, axis))
        return emit("where", there, traced(ufunc(x, found)), x)

    return extremum


def _shared(ids: Tracer, values: Tracer, found: Tracer, axis: int) -> Tracer:
    """Zeros whose gradient goes to the values that are the extremum of their place, in equal shares."""
    n = found.shape[axis]
    hit = emit("eq", values, emit("take", found, ids, axis=axis, clamp=True))
    hit = emit("and", hit, emit("isfinite", values))
    number = emit("scatter_add", ids, cast(hit, values.value.type.dtype), axis=axis, size=n)
    share = emit("maximum", emit("take", number, ids, axis=axis, clamp=True), scalar(number, 1))
    apart = emit(
        "where", hit, emit("div", emit("sub", values, emit("stop_gradient", values)), share), scalar(values, 0)
    )
    return emit("scatter_add", ids, apart, axis=axis, size=n)


def _by_row(x: Tracer, ids: Tracer, values: Tracer, axis: int, ufunc: np.ufunc) -> tuple[Tracer, Tracer]:
    """What a ufunc makes of the values of each place along an axis of x, and where there are any."""
    n, count = x.shape[axis], ids.ndim
    rows = moveaxis(values, tuple(range(axis, axis + count)), tuple(range(count)))
    rows = reshape(rows, (ids.size, *rows.shape[count:]))
    places = emit("reshape", ids, shape=(ids.size,)) if count != 1 else ids
    if places.value.type.dtype.kind == "int":  # one number for each place
        places = emit("where", emit("lt", places, scalar(places, 0)), emit("add", places, scalar(places, n)), places)
    found, there = by_place(places, rows, n, ufunc)
    there = reshape(there, tuple(n if k == axis else 1 for k in range(x.ndim)))
    return moveaxis(found, 0, axis), there


_RULES: Final[dict[str, Callable[..., Tracer]]] = {
    "set": _set,
    "add": _add,
    "multiply": _multiplied,
    "min": _extremum(np.minimum),
    "max": _extremum(np.maximum),
}


def _is_whole(item: Any) -> bool:
    return isinstance(item, slice) and item == slice(None)
