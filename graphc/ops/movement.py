"""Movement: each output element is an input element at a computed place, or a constant.

Lowerings compute the place by index arithmetic, so a movement costs nothing where it fuses with its reader.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from graphc.errors import DTypeError, ShapeError
from graphc.ir.graph import Value
from graphc.ir.index import LANES, Idx, Index, add, constant, divide, modulo, multiply, reverse
from graphc.ir.op import Case, Emitter, Indexed, Op, Term, apply
from graphc.ir.types import NDArray, Shape, TensorType, broadcast_shapes
from graphc.ops.batching import Batch, along, before
from graphc.ops.places import chosen, compare, ends, every, lane_of, on_one_side, shifted, within
from graphc.ops.reduce import reduced_shape
from graphc.ops.samples import booleans, integers, sample

VIEW: Final = frozenset({"view", "indexed"})
INDEXED: Final = frozenset({"indexed"})


def _dims(index: Index, axis: int, idx: Idx, shape: Shape) -> Index:
    """The index with another coordinate along one axis."""
    return Index(shape, [idx if k == axis else d for k, d in enumerate(index.dims)])


def _infer_reshape(x: TensorType, *, shape: Shape) -> TensorType:
    out = x.with_shape(shape)
    if any(n < 0 for n in shape) or out.size != x.size:
        raise ShapeError(f"{x.size} elements of {list(x.shape)} do not fit the shape {list(shape)}")
    return out


reshape: Final = Op(
    "reshape",
    _infer_reshape,
    lambda x, *, shape: x.reshape(shape),
    lambda g, out, x, *, shape: (np.reshape(g, x.shape),),
    Indexed(lambda em, node, index: em.read(node.inputs[0], index.reshaped(node.inputs[0].type.shape))),
    VIEW | {"alias"},
    lambda: (
        Case((sample(3, 4),), {"shape": (2, 6)}),
        Case((sample(6),), {"shape": (2, 1, 3)}),
        Case((sample(1, 1),), {"shape": ()}),
        Case((sample(),), {"shape": (1, 1)}),
        Case((sample(0, 3),), {"shape": (5, 0)}),
        Case((integers(3, 5),), {"shape": (15,)}),
    ),
    "the same elements in row-major order with another shape",
    batch=lambda batch, x, *, shape: np.reshape(x, (batch.size, *shape)),
)


def _infer_transpose(x: TensorType, *, perm: Shape) -> TensorType:
    if sorted(perm) != list(range(x.ndim)):
        raise ShapeError(f"perm {perm} is no permutation of the {x.ndim} axes of {list(x.shape)}")
    return x.with_shape([x.shape[axis] for axis in perm])


def _emit_transpose(em: Emitter, node: Any, index: Index) -> Term:
    x, perm = node.inputs[0], node.attrs["perm"]
    moved = [axis for axis in perm if x.type.shape[axis] != 1]
    if moved == sorted(moved):  # every element keeps its flat position
        return em.read(x, index.reshaped(x.type.shape))
    return em.read(x, Index(x.type.shape, [index.dims[perm.index(axis)] for axis in range(len(perm))]))


transpose: Final = Op(
    "transpose",
    _infer_transpose,
    lambda x, *, perm: np.transpose(x, perm),
    lambda g, out, x, *, perm: (np.transpose(g, tuple(perm.index(axis) for axis in range(len(perm)))),),
    Indexed(_emit_transpose),
    VIEW,
    lambda: (
        Case((sample(3, 5),), {"perm": (1, 0)}),
        Case((sample(2, 3, 4),), {"perm": (2, 0, 1)}),
        Case((sample(2, 3, 8, 4),), {"perm": (0, 2, 1, 3)}),
        Case((sample(),), {"perm": ()}),
        Case((sample(3, 5),), {"perm": (0, 1)}),
        Case((sample(3, 1, 5),), {"perm": (1, 0, 2)}),
        Case((sample(0, 3),), {"perm": (1, 0)}),
        Case((booleans(5, 3),), {"perm": (1, 0)}),
    ),
    "output axis i is input axis perm[i]",
    batch=lambda batch, x, *, perm: np.transpose(x, (0, *(axis + 1 for axis in perm))),
)


def _infer_broadcast_to(x: TensorType, *, shape: Shape) -> TensorType:
    if len(shape) < x.ndim or min(shape, default=0) < 0 or broadcast_shapes(x.shape, shape) != tuple(shape):
        raise ShapeError(f"{list(x.shape)} does not broadcast to {list(shape)}")
    return x.with_shape(shape)


def unbroadcast(g: Any, shape: Shape) -> Any:
    """The sum of g over the axes along which an operand of `shape` was repeated."""
    if tuple(g.shape) == tuple(shape):
        return g
    extra = g.ndim - len(shape)
    axes = (*range(extra), *(k + extra for k, n in enumerate(shape) if n == 1 and g.shape[k + extra] != 1))
    return np.reshape(np.sum(g, axis=axes), shape)


def _batch_broadcast_to(batch: Batch, x: Any, *, shape: Shape) -> Any:
    x = np.reshape(x, (batch.size, *(1,) * (len(shape) + 1 - x.ndim), *x.shape[1:]))
    return np.broadcast_to(x, (batch.size, *shape))


broadcast_to: Final = Op(
    "broadcast_to",
    _infer_broadcast_to,
    lambda x, *, shape: np.broadcast_to(x, shape),
    lambda g, out, x, *, shape: (unbroadcast(g, x.shape),),
    Indexed(lambda em, node, index: em.read(node.inputs[0], index.broadcast_from(node.inputs[0].type.shape))),
    VIEW,
    lambda: (
        Case((sample(3, 1),), {"shape": (3, 5)}),
        Case((sample(4),), {"shape": (2, 3, 4)}),
        Case((sample(1, 3, 1),), {"shape": (2, 3, 4)}),
        Case((sample(),), {"shape": (7,)}),
        Case((sample(),), {"shape": ()}),
        Case((sample(1, 3),), {"shape": (0, 3)}),
        Case((booleans(1, 3),), {"shape": (2, 3)}),
    ),
    "x repeated to a shape, as NumPy broadcasts",
    batch=_batch_broadcast_to,
)


def _infer_slice(x: TensorType, *, start: Shape, stop: Shape, step: Shape) -> TensorType:
    if not len(start) == len(stop) == len(step) == x.ndim:
        raise ShapeError(f"start {start}, stop {stop} and step {step} need one number for each axis of {list(x.shape)}")
    for axis, (a, b, s, n) in enumerate(zip(start, stop, step, x.shape, strict=True)):
        if s < 1 or not 0 <= a <= n or not a <= b <= n:
            raise ShapeError(f"axis {axis} of {list(x.shape)} has no slice {a}:{b}:{s}")
    return x.with_shape([-(-(b - a) // s) for a, b, s in zip(start, stop, step, strict=True)])


def _slices(start: Shape, stop: Shape, step: Shape) -> tuple[slice, ...]:
    return tuple(slice(a, b, s) for a, b, s in zip(start, stop, step, strict=True))


def _slice_vjp(g: Any, out: Any, x: Any, *, start: Shape, stop: Shape, step: Shape) -> tuple[Any]:
    high = []
    for a, s, n, m in zip(start, step, x.shape, g.shape, strict=True):
        high.append(n - a - ((m - 1) * s + 1 if m else 0))
    interior = tuple(s - 1 for s in step)
    return (apply(pad, g, low=tuple(start), high=tuple(high), interior=interior, value=0.0),)


def _emit_slice(em: Emitter, node: Any, index: Index) -> Term:
    x, attrs = node.inputs[0], node.attrs
    parts = zip(index.dims, attrs["start"], attrs["step"], strict=True)
    return em.read(x, Index(x.type.shape, [add(multiply(d, s), constant(a)) for d, a, s in parts]))


def _slice_cases() -> tuple[Case, ...]:
    def case(x: NDArray, *parts: tuple[int, int, int]) -> Case:
        start, stop, step = zip(*parts, strict=True) if parts else ((), (), ())
        return Case((x,), {"start": start, "stop": stop, "step": step})

    return (
        case(sample(7), (1, 6, 1)),
        case(sample(7), (1, 6, 2)),
        case(sample(5, 8), (0, 5, 1), (4, 8, 1)),
        case(sample(5, 9), (1, 5, 3), (0, 9, 4)),
        case(sample(2, 3, 4), (1, 2, 1), (0, 3, 2), (3, 4, 1)),
        case(sample(4, 3), (2, 2, 1), (0, 3, 1)),
        case(sample()),
        case(sample(0, 3), (0, 0, 1), (0, 2, 1)),
        case(booleans(9), (0, 9, 4)),
    )


slice_: Final = Op(
    "slice",
    _infer_slice,
    lambda x, *, start, stop, step: x[_slices(start, stop, step)],
    _slice_vjp,
    Indexed(_emit_slice),
    VIEW,
    _slice_cases,
    "x[start:stop:step] along every axis; steps are positive",
    batch=before(start=lambda n: 0, stop=lambda n: n, step=lambda n: 1),
)


def _infer_flip(x: TensorType, *, axes: Shape) -> TensorType:
    reduced_shape(x.shape, axes, True)
    return x


def _emit_flip(em: Emitter, node: Any, index: Index) -> Term:
    x, axes = node.inputs[0], node.attrs["axes"]
    dims = [reverse(d, n) if k in axes else d for k, (d, n) in enumerate(zip(index.dims, x.type.shape, strict=True))]
    return em.read(x, Index(x.type.shape, dims))


flip: Final = Op(
    "flip",
    _infer_flip,
    lambda x, *, axes: np.flip(x, axes),
    lambda g, out, x, *, axes: (np.flip(g, axes),),
    Indexed(_emit_flip),
    VIEW,
    lambda: (
        Case((sample(7),), {"axes": (0,)}),
        Case((sample(3, 8),), {"axes": (1,)}),
        Case((sample(3, 8),), {"axes": (0,)}),
        Case((sample(2, 3, 5),), {"axes": (0, 2)}),
        Case((sample(2, 3),), {"axes": ()}),
        Case((sample(),), {"axes": ()}),
        Case((sample(0, 3),), {"axes": (0, 1)}),
    ),
    "x with the order along axes reversed",
    batch=along("axes"),
)


def _infer_pad(x: TensorType, *, low: Shape, high: Shape, interior: Shape, value: float) -> TensorType:
    if not len(low) == len(high) == len(interior) == x.ndim:
        raise ShapeError(f"low {low}, high {high}, interior {interior} need a number for each axis of {list(x.shape)}")
    if min((*low, *high, *interior), default=0) < 0:
        raise ShapeError(f"low {low}, high {high} and interior {interior} must not be negative")
    sizes = zip(low, high, interior, x.shape, strict=True)
    return x.with_shape([a + n + max(n - 1, 0) * i + b for a, b, i, n in sizes])


def _inner(low: Shape, interior: Shape, shape: Shape) -> tuple[slice, ...]:
    """Where the elements of an operand of `shape` lie in the padded tensor."""
    parts = zip(low, interior, shape, strict=True)
    return tuple(slice(a, a + max(n + max(n - 1, 0) * i, 0), i + 1) for a, i, n in parts)


def _pad(x: NDArray, *, low: Shape, high: Shape, interior: Shape, value: float) -> NDArray:
    sizes = zip(low, high, interior, x.shape, strict=True)
    out = np.full([a + n + max(n - 1, 0) * i + b for a, b, i, n in sizes], value, x.dtype)
    out[_inner(low, interior, x.shape)] = x
    return out


def _emit_pad(em: Emitter, node: Any, index: Index) -> Term:
    x, attrs = node.inputs[0], node.attrs
    conditions: list[Term | bool] = []
    dims = []
    parts = zip(index.dims, attrs["low"], attrs["interior"], x.type.shape, strict=True)
    for d, low, interior, n in parts:
        step = interior + 1
        if d.const is not None:
            place, rest = divmod(d.const - low, step)
            conditions.append(rest == 0 and 0 <= place < n)
            dims.append(constant(min(max(place, 0), max(n - 1, 0))))
            continue
        moved = shifted(d, low)
        place = divide(moved, step)
        if step > 1:
            conditions.append(compare(em, modulo(moved, step), "<", constant(1)))
        conditions.append(place.bound <= n or (n > 0 and compare(em, place, "<", constant(n))))
        dims.append(within(place, n))
    inside = every(em, conditions)
    filler = em.literal(attrs["value"], x.type.dtype)
    if inside is False:
        return filler
    element = em.read(x, Index(x.type.shape, dims))
    return element if inside is True else em.select(inside, element, filler)


def _pad_cases() -> tuple[Case, ...]:
    def case(x: NDArray, *parts: tuple[int, int, int], value: float = 0.0) -> Case:
        low, high, interior = zip(*parts, strict=True) if parts else ((), (), ())
        attrs = {"low": low, "high": high, "interior": interior, "value": value}
        return Case((x,), attrs, grad=math.isfinite(value))

    return (
        case(sample(5), (2, 1, 0)),
        case(sample(3, 4), (0, 0, 0), (1, 3, 0), value=-1.5),
        case(sample(3, 4), (1, 1, 0), (0, 0, 0)),
        case(sample(3, 4), (1, 0, 2), (0, 2, 1)),
        case(sample(3, 8), (4, 4, 0), (4, 4, 0)),
        case(sample(2, 3, 4), (0, 0, 0), (0, 1, 0), (0, 0, 3)),
        case(sample()),
        case(sample(0, 3), (2, 1, 1), (0, 0, 0), value=2.0),
        case(sample(0), (0, 0, 0)),
        case(integers(5), (1, 2, 0), value=7),
        case(booleans(5), (1, 2, 0), value=True),
        case(sample(6), (1, 1, 0), value=float("-inf")),
        case(sample(1), (3, 3, 0)),
    )


pad: Final[Op] = Op(
    "pad",
    _infer_pad,
    _pad,
    lambda g, out, x, *, low, high, interior, value: (g[_inner(low, interior, x.shape)],),
    Indexed(_emit_pad),
    INDEXED,
    _pad_cases,
    "x with `value` before (low), after (high) and between (interior) its elements",
    batch=before(low=lambda n: 0, high=lambda n: 0, interior=lambda n: 0),
)


def _without(shape: Shape, axis: int) -> Shape:
    return shape[:axis] + shape[axis + 1 :]


def _infer_concatenate(*types: TensorType, axis: int) -> TensorType:
    if not types:
        raise ShapeError("needs one operand at least")
    first = types[0]
    if any(t.dtype != first.dtype for t in types):
        raise DTypeError(f"operands need one element type, got {' and '.join(t.dtype.name for t in types)}")
    if not 0 <= axis < first.ndim:
        raise ShapeError(f"axis {axis} is out of range for {first.ndim} axes")
    for t in types:
        if t.ndim != first.ndim or _without(t.shape, axis) != _without(first.shape, axis):
            raise ShapeError(f"{list(first.shape)} and {list(t.shape)} differ in another axis than {axis}")
    total = sum(t.shape[axis] for t in types)
    return first.with_shape([total if k == axis else n for k, n in enumerate(first.shape)])


def _concatenate_vjp(g: Any, out: Any, *inputs: Any, axis: int) -> tuple[Any, ...]:
    found, start = [], 0
    for x in inputs:
        n = x.shape[axis]
        found.append(g[(slice(None),) * axis + (slice(start, start + n),)])
        start += n
    return tuple(found)


def _emit_concatenate(em: Emitter, node: Any, index: Index) -> Term:
    axis, d, total = node.attrs["axis"], index.dims[node.attrs["axis"]], node.out.type.shape[node.attrs["axis"]]
    pieces: list[tuple[int, int, Value]] = []
    end = 0
    for x in node.inputs:
        start, end = end, end + x.type.shape[axis]
        if start < end:
            pieces.append((start, end, x))
    by_lane = [_reached(d, lane, total, pieces) for lane in range(1 if d.uniform else LANES)]
    sure = {held[0] for held in by_lane if len(held) == 1}
    unsure = [lane for lane, held in enumerate(by_lane) if len(held) > 1]
    alike = all(on_one_side(d, start) for start, _, _ in pieces)
    if em.following or len(sure) != 1 or not unsure or len(unsure) > _FEW or alike:
        return _select(em, index, axis, [pieces[n] for n in sorted({n for held in by_lane for n in held})])
    result = _select(em, index, axis, [pieces[min(sure)]])
    for lane in unsure:
        at = Index(index.shape, [lane_of(idx, lane) for idx in index.dims])
        other = [pieces[n] for n in by_lane[lane] if n not in sure]
        start, end, _ = pieces[min(sure)]
        inside = compare(em, shifted(at.dims[axis], start), "<", constant(end - start))
        assert isinstance(inside, Term), "an element that lies in one operand or another"
        lanes = ", ".join(f"!{inside.text}" if k == lane else "false" for k in range(LANES))
        result = em.select(em.cond(f"vec4<bool>({lanes})", LANES), _select(em, at, axis, other), result)
    return result


_FEW: Final = 2
"""Lanes that are read once more by themselves, rather than all of them."""


def _reached(d: Idx, lane: int, total: int, pieces: Sequence[tuple[int, int, Value]]) -> list[int]:
    """The operands in which a lane may lie."""
    low, high = ends(d, lane, total)
    return [n for n, (start, end, _) in enumerate(pieces) if start <= high and low < end]


def _select(em: Emitter, index: Index, axis: int, pieces: Sequence[tuple[int, int, Value]]) -> Term:
    """The element of one of several operands. Those that are views of one tensor are one load at a place of several."""
    d = index.dims[axis]
    read: list[tuple[int, Value, list[tuple[int, Index]]]] = []
    for start, end, x in pieces:
        place = constant(d.const - start) if d.const is not None else within(shifted(d, start), end - start)
        value, at = em.source(x, _dims(index, axis, place, x.type.shape))
        if read and read[-1][1] is value:
            read[-1] = (end, value, [*read[-1][2], (end, at)])
        else:
            read.append((end, value, [(end, at)]))
    result: Term | None = None
    for end, value, places in reversed(read):
        conditions = [compare(em, d, "<", constant(stop)) for stop, _ in places[:-1]]
        dims = []
        for idx in zip(*(at.dims for _, at in places), strict=True):
            pairs = [(when, place) for when, place in zip(conditions, idx[:-1], strict=True) if isinstance(when, Term)]
            dims.append(chosen(pairs, idx[-1]) if pairs else idx[-1])
        element = em.read(value, Index(value.type.shape, dims) if len(places) > 1 else places[0][1])
        if result is None:
            result = element
            continue
        here = compare(em, d, "<", constant(end))
        assert isinstance(here, Term), "an element that lies in one operand or another"
        result = em.select(here, element, result)
    assert result is not None, "an element is read of a tensor that has none"
    return result


concatenate: Final = Op(
    "concatenate",
    _infer_concatenate,
    lambda *arrays, axis: np.concatenate(arrays, axis),
    _concatenate_vjp,
    Indexed(_emit_concatenate),
    INDEXED | {"joins"},
    lambda: (
        Case((sample(3), sample(5, seed=1)), {"axis": 0}),
        Case((sample(2, 3), sample(1, 3, seed=1), sample(4, 3, seed=2)), {"axis": 0}),
        Case((sample(2, 4), sample(2, 8, seed=1)), {"axis": 1}),
        Case((sample(2, 3), sample(2, 1, seed=1), sample(2, 7, seed=2)), {"axis": 1}),
        Case((sample(2, 3, 4), sample(2, 1, 4, seed=1)), {"axis": 1}),
        Case((sample(0, 3), sample(2, 3), sample(0, 3)), {"axis": 0}),
        Case((sample(0, 3), sample(0, 3)), {"axis": 0}),
        Case((sample(5),), {"axis": 0}),
        Case((booleans(3), booleans(2, seed=1)), {"axis": 0}),
    ),
    "the operands one after another along an axis",
    batch=along("axis"),
)
