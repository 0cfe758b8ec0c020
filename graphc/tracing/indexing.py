"""x[key] with NumPy's rules: slices, ints, None, Ellipsis, and integer arrays, known or traced."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from graphc.errors import GraphcError, IndexRangeError, TraceError
from graphc.ir.types import NDArray, Shape, broadcast_shapes, i32
from graphc.tracing.aliases import bare, fresh, view
from graphc.tracing.core import adopted, as_array, constant, emit, is_tracer, located, owner
from graphc.tracing.promote import cast
from graphc.tracing.selection import constant_ids, gathered, index_operand
from graphc.tracing.shaping import broadcast_to, permuted, reshape
from graphc.tracing.tracer import Tracer
from graphc.tracing.ufuncs import scalar

Advanced = dict[int, Any]
"""Integer arrays (ndarray or Tracer) by the axis of the sliced array that they index."""


def getitem(x: Tracer, key: Any) -> Any:
    """x[key]. Raises TraceError for boolean masks and other keys, IndexRangeError for a known index out of range."""
    items = key if isinstance(key, tuple) else (key,)
    simple = all(isinstance(k, slice | type(None) | type(Ellipsis)) or is_int(k) for k in items)
    try:
        if not simple:
            return fresh(picked(x, key))
        # The Ellipsis gives a view where NumPy would give a number, to see whether that place was changed.
        whole = items if any(k is Ellipsis for k in items) else (*items, Ellipsis)
        made = picked(bare(x), key)
        moves = any(map(_moves, items))  # then it may lie anywhere
        made = view(made, x, lambda ghost: None if moves else ghost[whole])
        return made if made.ndim or whole is items else fresh(made)
    except GraphcError as error:
        raise located(error, "indexing") from None


def picked(x: Tracer, key: Any) -> Tracer:
    """x[key], with no thought of what is a view."""
    x = adopted(owner((x,)), x)
    items = expanded(x, key if isinstance(key, tuple) else (key,))
    if any(is_array(item) for item in items):
        # A plain integer beside an array is an index array of no axes, and takes part in where the result's axes go.
        items = [np.asarray(k) if isinstance(k, int) else k for k in items]
    x, shape, arrays, split = basic(x, items)
    x = reshape(x, shape)
    return _advanced(x, arrays, split) if arrays else x


def is_array(item: Any) -> bool:
    """Whether an item of a key is an integer array."""
    return is_tracer(item) or isinstance(item, np.ndarray)


def expanded(x: Tracer, key: tuple[Any, ...]) -> list[Any]:
    """The key with plain ints, arrays in the place of lists and known masks, and slices for what it leaves out."""
    plain = (slice, type(None), type(Ellipsis))
    given = [k if isinstance(k, plain) or is_tracer(k) or is_int(k) else _known(k) for k in key]
    used = sum(map(_width, given))
    if used > x.ndim:
        raise IndexRangeError(f"{used} indices for {x.value.type}, which has {x.ndim} axes")
    if sum(k is Ellipsis for k in given) > 1:
        raise IndexRangeError("more than one Ellipsis")
    fill = [slice(None)] * (x.ndim - used)
    items: list[Any] = []
    axis = 0
    for k in given:
        if k is Ellipsis:
            # Even where it stands for no axis it parts the index arrays on its sides.
            items += fill or [Ellipsis]
            axis += len(fill)
            continue
        if _is_mask(k):
            items += _positions(x, k, axis)
        elif is_tracer(k):
            items.append(_checked_tracer(x, k))
        elif isinstance(k, slice) and (is_tracer(k.start) or is_tracer(k.stop)):
            if any(is_array(other) for other in given) or sum(map(_moves, given)) > 1:
                raise TraceError(_MOVING)
            items.append(_window(x, k, axis))
        else:
            items.append(int(k) if is_int(k) else k)
        axis += _width(k)
    return items if any(k is Ellipsis for k in given) else items + fill


def is_int(item: Any) -> bool:
    """Whether an item of a key is a plain integer."""
    return isinstance(item, int | np.integer) and not isinstance(item, bool)


def _checked_tracer(x: Tracer, item: Tracer) -> Tracer:
    kind = item.value.type.dtype.kind
    if kind == "bool":
        raise TraceError(
            f"{x.value.type} is indexed by a mask ({item.value.type}), and the shape of the result would depend on its "
            "values: write np.where(mask, x, y), or np.sum(np.where(mask, x, 0))"
        )
    if kind not in ("int", "uint"):
        raise TraceError(f"{x.value.type} is indexed by {item.value.type}: write ids.astype(np.int32)")
    return item.as_strong() if item.weak else item


def _known(item: Any) -> Any:
    """A key that is no plain index as an array; raises TraceError for what does not index."""
    if isinstance(item, list | tuple) and any(is_tracer(i) for i in item):
        return np.stack([i if is_tracer(i) else np.asarray(i) for i in item])
    array = as_array(item)
    if array.size == 0 and array.dtype.kind == "f":
        array = array.astype(np.int32)
    if array.dtype.kind not in "iub":
        raise TraceError(f"indexed by {type(item).__name__} {array.dtype.name}: needs integers")
    if array.dtype.kind == "b" and not array.ndim:
        raise TraceError("a single bool as index is a mask of no axes: write x[None] or np.where")
    return array


def _width(item: Any) -> int:
    """How many axes of the indexed array a key takes."""
    if item is None or item is Ellipsis:
        return 0
    return item.ndim if _is_mask(item) else 1


def _is_mask(item: Any) -> bool:
    return isinstance(item, np.ndarray) and item.dtype.kind == "b"


def _positions(x: Tracer, mask: NDArray, axis: int) -> list[Any]:
    """A known mask over axes from `axis` on as index arrays."""
    if x.shape[axis : axis + mask.ndim] != mask.shape:
        raise IndexRangeError(f"a mask of shape {mask.shape} does not fit the axes of {x.value.type} from {axis} on")
    return list(np.nonzero(mask))


def basic(x: Tracer, items: list[Any]) -> tuple[Tracer, Shape, Advanced, bool]:
    """Apply slices and ints. Returns the sliced array, its shape with ints taken out and None put in, the index arrays
    by axis of that shape, and whether something stands between those arrays."""
    starts, stops, steps, flips = [], [], [], []
    shape: list[int] = []
    arrays: Advanced = {}
    places: list[int] = []
    axis = 0
    for place, item in enumerate(items):
        if item is Ellipsis:
            continue
        if item is None:
            shape.append(1)
            continue
        n = x.shape[axis]
        start, count, step = 0, n, 1
        if isinstance(item, slice):
            start, count, step = range_of(item, n)
            shape.append(count)
        elif isinstance(item, int):
            start, count = position_of(item, n, axis), 1
        else:
            places.append(place)
            arrays[len(shape)] = item if is_tracer(item) else constant_ids(item, n, f"axis {axis}")
            shape.append(n)
        if step < 0:
            flips.append(axis)
            start, step = (start + (count - 1) * step if count else 0), -step
        starts.append(start)
        stops.append(start + (count - 1) * step + 1 if count else start)
        steps.append(step)
        axis += 1
    if tuple(starts) != (0,) * x.ndim or tuple(stops) != x.shape or any(s != 1 for s in steps):
        x = emit("slice", x, start=tuple(starts), stop=tuple(stops), step=tuple(steps))
    if flips and x.size:
        x = emit("flip", x, axes=tuple(flips))
    apart = bool(places) and places[-1] - places[0] != len(places) - 1
    return x, tuple(shape), arrays, apart


_MOVING: Final = (
    "a slice bound is traced, but shapes have to be known: mark the argument static, or write x[k : k + length] "
    "or `np.take(x, start + np.arange(length), axis=0)` for a moving window of known length"
)


def _moves(item: Any) -> bool:
    return isinstance(item, slice) and (is_tracer(item.start) or is_tracer(item.stop))


def _window(x: Tracer, item: slice, axis: int) -> Tracer:
    """The indices that x[k : k + 3] picks along an axis: as many as the bounds are apart, whatever k is.

    One that would not lie in the axis as a whole is reported: in NumPy its length would be another.
    """
    if not (is_tracer(item.start) and is_tracer(item.stop)) or item.step not in (None, 1):
        raise TraceError(_MOVING)
    trace = owner((x, item.start, item.stop))
    (base, before), (other, after) = (_linear(adopted(trace, bound)) for bound in (item.start, item.stop))
    length, n = after - before, x.shape[axis]
    if base != other or length < 0:
        raise TraceError(_MOVING)
    if length > n:
        raise IndexRangeError(f"a slice of {length} elements of axis {axis}, which has the length {n}")
    start = _checked_tracer(x, adopted(trace, item.start))
    start = cast(emit("checked", start, low=0, high=n - length, what="slice"), i32)
    return emit("add", start, emit("iota", trace=start.state, shape=(length,), axis=0, dtype=i32))


def _linear(x: Tracer) -> tuple[Any, int]:
    """A traced integer as another one and a number that was added to it."""
    builder, value, offset = x.state.builder, x.value, 0
    made = {v: node for node in builder.nodes for v in node.outputs}
    while (node := made.get(value)) is not None and node.op.name in ("add", "sub", "cast"):
        known = [builder.constants.get(v) for v in node.inputs]
        if node.op.name == "cast":
            if node.inputs[0].type.dtype.kind not in ("int", "uint"):
                break
            value = node.inputs[0]
        elif len(known) == 2 and known[1] is not None and known[1].size == 1:
            offset += int(known[1].item()) * (1 if node.op.name == "add" else -1)
            value = node.inputs[0]
        elif node.op.name == "add" and known[0] is not None and known[0].size == 1:
            offset += int(known[0].item())
            value = node.inputs[1]
        else:
            break
    return value, offset


def range_of(item: slice, n: int) -> tuple[int, int, int]:
    """First index, number of elements and step of a slice of an axis of length n."""
    if any(is_tracer(v) for v in (item.start, item.stop, item.step)):
        raise TraceError(_MOVING)
    try:
        start, stop, step = item.indices(n)
    except (TypeError, ValueError) as error:
        raise TraceError(f"slice {item}: {error}") from None
    return start, len(range(start, stop, step)), step


def position_of(index: int, n: int, axis: int) -> int:
    """A known index counted from the start of an axis of length n."""
    if not -n <= index < n:
        raise IndexRangeError(f"index {index} is out of range for axis {axis} of length {n}")
    return index % n


def _advanced(x: Tracer, arrays: Advanced, apart: bool) -> Tracer:
    """Gather by index arrays: one of them is a take, several index their axes made one.

    Known arrays that count up or down along an axis of the result, as np.arange(n) does beside labels, gather nothing:
    theirs are the rows in which the others pick elements.
    """
    axes = sorted(arrays)
    shape = broadcast_shapes(*(np.shape(arrays[a]) for a in axes))
    counted = _counted(arrays, shape)
    if counted:
        return _picked(x, arrays, shape, counted, apart)
    if len(axes) == 1:
        axis = axes[0]
        return gathered(x, checked_operand(x, arrays[axis], axis), axis, not is_tracer(arrays[axis]))
    flat = flat_ids(x, arrays, axes)
    first = axes[0]
    if apart or axes != list(range(first, first + len(axes))):
        rest = [a for a in range(x.ndim) if a not in axes]
        to = 0 if apart else first
        x = permuted(x, [*rest[:to], *axes, *rest[to:]])
        first = to
    lead, tail = x.shape[:first], x.shape[first + len(axes) :]
    x = reshape(x, (*lead, math.prod(x.shape[first : first + len(axes)]), *tail))
    ids = as_operand(x, flat)
    if ids.shape != shape:
        ids = emit("broadcast_to", ids, shape=shape)
    return gathered(x, ids, first, not is_tracer(flat))


def _counted(arrays: Advanced, shape: Shape) -> dict[int, tuple[int, int, int]]:
    """The axes whose index arrays are known and count along an axis of the result: (that axis, first, step)."""
    found: dict[int, tuple[int, int, int]] = {}
    if 0 in shape:
        return found
    for a in sorted(arrays):
        ids = arrays[a]
        if is_tracer(ids):
            continue
        ids = np.reshape(ids, (1,) * (len(shape) - ids.ndim) + ids.shape)
        taken = {d for d, _, _ in found.values()}
        for d in (d for d, n in enumerate(ids.shape) if n == shape[d] and d not in taken):
            line = ids[tuple(slice(None) if k == d else slice(0, 1) for k in range(ids.ndim))]
            values = line.reshape(-1)
            step = int(values[1] - values[0]) if len(values) > 1 else 1
            if step and np.array_equal(values, values[0] + step * np.arange(len(values))) and (ids == line).all():
                found[a] = d, int(values[0]), step
                break
    return found


def _picked(x: Tracer, arrays: Advanced, shape: Shape, counted: dict[int, tuple[int, int, int]], apart: bool) -> Tracer:
    """Gather where some index arrays only count: the elements that the others pick in rows of their own."""
    for a, (d, first, step) in counted.items():
        x = _line(x, a, first, step, shape[d])
    axes = sorted(arrays)
    others = [a for a in axes if a not in counted]
    rows = sorted(counted, key=lambda a: counted[a][0])
    rest = [a for a in range(x.ndim) if a not in arrays]
    made = [counted[a][0] for a in rows]
    made += [d for d in range(len(shape)) if d not in made]
    lead, tail = tuple(x.shape[a] for a in rows), tuple(x.shape[a] for a in rest)
    x, size = permuted(x, [*rows, *others, *rest]), math.prod(x.shape[a] for a in others)
    if others:
        ids = checked_operand(x, arrays[others[0]], len(rows))
        if len(others) > 1:
            inner = {k: arrays[a] for k, a in enumerate(others, len(rows))}
            ids = as_operand(x, flat_ids(x, inner, sorted(inner)))
        if ids.shape != shape:
            ids = emit("broadcast_to", ids, shape=shape)
        ids = reshape(permuted(ids, made), (*lead, -1, *(1,) * len(rest)))
        x = emit("take_along_axis", reshape(x, (*lead, size, *tail)), ids, axis=len(rows))
    else:  # along the other axes of the result all is alike
        wide = tuple(shape[d] for d in made[len(rows) :])
        x = broadcast_to(reshape(x, (*lead, *(1,) * len(wide), *tail)), (*lead, *wide, *tail))
    x = reshape(x, (*(shape[d] for d in made), *tail))
    # The axes of the index arrays go where the first of them stood, or to the front where something parts them.
    before = 0 if apart else sum(a < axes[0] for a in rest)
    places = [len(shape) + k for k in range(len(rest))]
    order = [*places[:before], *(made.index(d) for d in range(len(shape))), *places[before:]]
    return permuted(x, order)


def _line(x: Tracer, axis: int, first: int, step: int, count: int) -> Tracer:
    """The elements first, first + step, ... along an axis."""
    low = min(first, first + step * (count - 1))
    high = max(first, first + step * (count - 1))
    if (low, high, abs(step)) != (0, x.shape[axis] - 1, 1):
        starts = tuple(low if a == axis else 0 for a in range(x.ndim))
        stops = tuple(high + 1 if a == axis else n for a, n in enumerate(x.shape))
        x = emit("slice", x, start=starts, stop=stops, step=tuple(abs(step) if a == axis else 1 for a in range(x.ndim)))
    return emit("flip", x, axes=(axis,)) if step < 0 else x


def flat_ids(x: Tracer, arrays: Advanced, axes: list[int]) -> Any:
    """Positions in the indexed axes made one, row-major."""
    if not any(is_tracer(arrays[a]) for a in axes):
        sizes = [x.shape[a] for a in axes]
        total: NDArray = np.zeros((), np.int64)
        for a, n in zip(axes, sizes, strict=True):
            total = total * n + arrays[a]
        return total.astype(np.int32)
    made: Any = None
    within: Any = None
    for a in axes:
        n, ids = x.shape[a], arrays[a]
        if is_tracer(ids):
            ids, inside = _from_start(ids, n)
            within = inside if within is None else within & inside
        made = ids if made is None else made * np.int32(n) + ids
    return np.where(within, made, np.int32(math.prod(x.shape[a] for a in axes)))


def _from_start(ids: Tracer, n: int) -> tuple[Tracer, Tracer]:
    """Traced indices into an axis of length n as int32, negative ones counted from the end; which lie in [0, n).

    Those outside are reported here, where it is known what they are.
    """
    ids = emit("checked", ids, low=-n, high=n - 1, what="indexing")
    if ids.value.type.dtype.kind == "uint":
        return cast(ids, i32), emit("lt", ids, scalar(ids, n))
    ids = cast(ids, i32)
    ids = emit("where", emit("lt", ids, scalar(ids, 0)), emit("add", ids, scalar(ids, n)), ids)
    return ids, emit("and", emit("ge", ids, scalar(ids, 0)), emit("lt", ids, scalar(ids, n)))


def checked_operand(x: Tracer, ids: Any, axis: int) -> Tracer:
    """Indices into an axis, none of which is lost where they are narrowed."""
    return index_operand(x, ids, x.shape[axis], f"axis {axis}") if is_tracer(ids) else as_operand(x, ids)


def as_operand(x: Tracer, ids: Any) -> Tracer:
    """Indices that lie in their axis as an operand of an op."""
    if is_tracer(ids):
        return ids if ids.value.type.dtype.kind == "uint" else cast(ids, i32)
    return constant(owner((x,)), np.asarray(ids, np.int32))
