"""Indexing by integer tensors.

A negative index counts from the end, as in NumPy. A GPU cannot raise where one that is known only at run time lies
outside of its axis, so there it is reported (see `checked`), and whoever reads a result learns of it. Meanwhile what is
outside reads NaN, as in `jax.numpy.take` (see `outside`), and writes nothing. A take whose indices are known to lie
within (`clamp`) brings them to the nearest end instead, which costs less. Reference and kernels agree on all that. What
runs in NumPy raises before it comes to that: `graphc.reference.run`, the device "numpy".
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from graphc.errors import DTypeError, IndexRangeError, ShapeError
from graphc.ir.index import Idx, Index, constant
from graphc.ir.op import Case, Custom, Emitter, Indexed, Lanes, NotDifferentiable, Op, Term, apply
from graphc.ir.types import DType, NDArray, Shape, TensorType, bool_, broadcast_shapes, dtype_of, i32
from graphc.ops.batching import Batch, as_before, spread
from graphc.ops.elementwise import NUMERIC
from graphc.ops.movement import INDEXED, unbroadcast
from graphc.ops.position import iota
from graphc.ops.samples import booleans, integers, sample


def axis_length(node: Any) -> int:
    """The length of the axis that the indices of a node point into."""
    return int(node.attrs["size"] if "size" in node.attrs else node.inputs[0].type.shape[node.attrs["axis"]])


def wrap(ids: NDArray, n: int) -> NDArray:
    """Indices into an axis of n elements, brought into [0, n)."""
    positions = ids.astype(np.int64)
    return np.clip(np.where(positions < 0, positions + n, positions), 0, max(n - 1, 0))


def within(ids: NDArray, n: int) -> NDArray:
    """Which indices lie in [-n, n)."""
    return np.asarray((ids < n) & (ids >= -n))


def from_start(ids: Any, n: int) -> Any:
    """In a vjp rule: indices in their own dtype, negative ones counted from the end; what is out of range stays so."""
    return ids if ids.dtype.kind == "u" else np.where(ids < 0, ids + n, ids)


def emit_wrapped(em: Emitter, ids: Term, n: int) -> Idx:
    """The same in WGSL; `index_of` clamps."""
    if ids.dtype.kind == "int":
        t = Lanes(ids.width)(ids.dtype)
        ids = em.call(lambda i: f"select({i}, {i} + {t}({n}), {i} < {t}(0))", (ids,), ids.dtype)
    found: Idx = em.index_of(ids, n)
    return found


def outside(dtype: DType) -> float | int | bool:
    """What is read where an index lies outside: NaN, the lowest int32, the largest uint32, True."""
    return {"float": math.nan, "int": -(2**31), "uint": 2**32 - 1, "bool": True}[dtype.kind]


def fill(found: NDArray, ids: NDArray, n: int) -> NDArray:
    """What was found at `ids`, with `outside` where these are; they broadcast to it."""
    return np.where(within(ids, n), found, found.dtype.type(outside(dtype_of(found.dtype))))


def emit_filled(em: Emitter, found: Term, ids: Term, n: int) -> Term:
    """The same in WGSL."""
    t = Lanes(ids.width)(ids.dtype)
    within = f"{{0}} < {t}({n})" if ids.dtype.kind == "uint" else f"({{0}} >= {t}({-n})) & ({{0}} < {t}({n}))"
    return em.select(em.call(within.format, (ids,), bool_), found, em.literal(outside(found.dtype), found.dtype))


def _infer_checked(ids: TensorType, *, low: int, high: int, what: str) -> TensorType:
    if ids.dtype.kind not in ("int", "uint"):
        raise DTypeError(f"indices must be integers, got {ids.dtype.name}")
    if low > high + 1:
        raise ShapeError(f"no index lies in [{low}, {high}]")
    return ids


def _emit_checked(em: Emitter, node: Any, index: Index) -> Term:
    ids = em.read(node.inputs[0], index)
    em.report(node, ids, index)
    return ids


checked: Final = Op(
    "checked",
    _infer_checked,
    lambda ids, *, low, high, what: ids,
    NotDifferentiable("indices are integers"),
    Indexed(_emit_checked),
    frozenset({"indexed", "reports"}),
    lambda: (
        Case((np.array([[0, 4, -1], [2, 2, -5]], np.int32),), {"low": -5, "high": 4, "what": "take"}),
        Case((integers(67, low=0, high=9, dtype="uint32"),), {"low": 0, "high": 8, "what": "take"}),
        Case((np.zeros((0, 3), np.int32),), {"low": 0, "high": 8, "what": "take"}),
    ),
    "the indices as they are; those outside of [low, high] are reported: who reads a result gets an IndexRangeError",
    batch=as_before,
)


def check_ids(ids: TensorType, x: Shape, axis: int) -> None:
    """Raise unless `ids` are integers that can point at an element along `axis`."""
    if ids.dtype.kind not in ("int", "uint"):
        raise DTypeError(f"indices must be integers, got {ids.dtype.name}")
    if not 0 <= axis < len(x):
        raise ShapeError(f"axis {axis} is out of range for {len(x)} axes")
    if x[axis] == 0 and ids.size:
        raise IndexRangeError(f"axis {axis} of {list(x)} has no element to point at")


def taken_shape(x: Shape, ids: Shape, axis: int) -> Shape:
    """Shape of np.take: the indices' shape in the place of the axis."""
    return (*x[:axis], *ids, *x[axis + 1 :])


def _infer_take(x: TensorType, ids: TensorType, *, axis: int, clamp: bool = False) -> TensorType:
    check_ids(ids, x.shape, axis)
    return x.with_shape(taken_shape(x.shape, ids.shape, axis))


def _take(x: NDArray, ids: NDArray, *, axis: int, clamp: bool = False) -> NDArray:
    if not ids.size:
        return np.zeros(taken_shape(x.shape, ids.shape, axis), x.dtype)
    found = np.take(x, wrap(ids, x.shape[axis]), axis=axis)
    return found if clamp else fill(found, np.reshape(ids, (*ids.shape, *(1,) * (x.ndim - axis - 1))), x.shape[axis])


def _emit_take(em: Emitter, node: Any, index: Index) -> Term:
    x, ids = node.inputs
    axis, rank = node.attrs["axis"], len(ids.type.shape)
    where = em.read(ids, Index(ids.type.shape, index.dims[axis : axis + rank]))
    row = emit_wrapped(em, where, x.type.shape[axis])
    found = em.read(x, Index(x.type.shape, [*index.dims[:axis], row, *index.dims[axis + rank :]]))
    return found if node.attrs.get("clamp") else emit_filled(em, found, where, x.type.shape[axis])


def _take_cases() -> tuple[Case, ...]:
    ids = np.array([[0, 4, -1], [2, 2, -5]], np.int32)
    return (
        Case((sample(5, 3), ids), {"axis": 0}),
        Case((sample(5, 8), ids), {"axis": 0}),
        Case((sample(3, 5), ids), {"axis": 1}),
        Case((sample(2, 5, 3), np.array([4, 0], np.uint32)), {"axis": 1}),
        Case((sample(5), np.array(3, np.int32)), {"axis": 0}),
        Case((sample(5, 3), np.array([], np.int32)), {"axis": 0}),
        Case((sample(0, 3), np.zeros((0, 2), np.int32)), {"axis": 0}),
        Case((sample(5, 0), ids), {"axis": 0}),
        Case((sample(5, 3), np.array([7, -9, 5], np.int32)), {"axis": 0, "clamp": True}, grad=False),
        Case((sample(2, 5, 3), np.array([[4, 5], [-5, -6]], np.int32)), {"axis": 1}, grad=False),
        Case((sample(5, 8), np.array([5, 2**32 - 1, 0], np.uint32)), {"axis": 0}, grad=False),
        Case((integers(5), np.array([7, -9, 2], np.int32)), {"axis": 0}),
        Case((integers(5, low=0, dtype="uint32"), np.array([7, -9, 2], np.int32)), {"axis": 0}),
        Case((booleans(5), np.array([7, -9, 2, 1], np.int32)), {"axis": 0}),
        Case((booleans(5), ids), {"axis": 0}),
        Case((integers(1, 3), np.zeros(3, np.int32)), {"axis": 0}),
    )


def _batch_take(batch: Batch, x: Any, ids: Any, *, axis: int, clamp: bool = False) -> Any:
    if not batch.mapped[1]:
        return apply(take, x, ids, axis=axis + 1, clamp=clamp)
    if not batch.mapped[0]:
        return np.moveaxis(apply(take, x, ids, axis=axis, clamp=clamp), axis, 0)
    # Both differ: one row of elements for each example, at the places that lie along it.
    n, places = x.shape[axis + 1], ids.shape[1:]
    before, after = x.shape[1 : axis + 1], x.shape[axis + 2 :]
    if clamp:
        ids = np.clip(from_start(ids, n), 0, max(n - 1, 0))
    ids = np.reshape(ids, (batch.size, *(1,) * axis, math.prod(places), *(1,) * len(after)))
    return np.reshape(apply(take_along_axis, x, ids, axis=axis + 1), (batch.size, *before, *places, *after))


take: Final = Op(
    "take",
    _infer_take,
    _take,
    lambda g, out, x, ids, *, axis, clamp=False: (apply(scatter_add, ids, g, axis=axis, size=x.shape[axis]), None),
    Indexed(_emit_take),
    INDEXED,
    _take_cases,
    "the elements of x at `ids` along an axis (np.take), NaN where these are out of range, unless they are clamped",
    indices=1,
    batch=_batch_take,
)


def _infer_take_along_axis(x: TensorType, ids: TensorType, *, axis: int) -> TensorType:
    check_ids(ids, x.shape, axis)
    if ids.ndim != x.ndim:
        raise ShapeError(f"indices have {ids.ndim} axes, need {x.ndim} as in {list(x.shape)}")
    without = [(*s[:axis], 1, *s[axis + 1 :]) for s in (x.shape, ids.shape)]
    shape = broadcast_shapes(*without)
    return x.with_shape((*shape[:axis], ids.shape[axis], *shape[axis + 1 :]))


def _spread_but(x: Any, shape: Shape, axis: int) -> Any:
    """x broadcast to `shape`, save along `axis`."""
    return np.broadcast_to(x, (*shape[:axis], x.shape[axis], *shape[axis + 1 :]))


def _take_along_axis(x: NDArray, ids: NDArray, *, axis: int) -> NDArray:
    shape = np.broadcast_shapes(*((*s[:axis], 1, *s[axis + 1 :]) for s in (x.shape, ids.shape)))
    x, ids = _spread_but(x, shape, axis), _spread_but(ids, shape, axis)
    if not ids.size:
        return np.zeros(ids.shape, x.dtype)
    return fill(np.take_along_axis(x, wrap(ids, x.shape[axis]), axis=axis), ids, x.shape[axis])


def _take_along_axis_vjp(g: Any, out: Any, x: Any, ids: Any, *, axis: int) -> tuple[Any, None]:
    n, ids_dtype = x.shape[axis], dtype_of(ids.dtype)
    full = (*g.shape[:axis], n, *g.shape[axis + 1 :])
    # Of the forward pass nothing may be left that looks at them.
    ids = ids.apply(checked, ids, low=-n, high=n - 1, what="take_along_axis") if ids.size else ids
    places = from_start(_spread_but(ids, g.shape, axis), n)
    if g.shape[axis] == 1:
        # One element a row, as in cross-entropy: a comparison, which fuses, and no scatter.
        line = ids.apply(iota, shape=tuple(n if k == axis else 1 for k in range(x.ndim)), axis=axis, dtype=ids_dtype)
        return unbroadcast(np.where(places == line, g, 0), x.shape), None
    outer, inner = math.prod(full[:axis]), math.prod(full[axis + 1 :])
    before = ids.apply(iota, shape=(outer, 1, 1), axis=0, dtype=i32) * (n * inner)
    after = ids.apply(iota, shape=(1, 1, inner), axis=2, dtype=i32)
    g, places = np.where((places >= 0) & (places < n), g, 0), np.clip(places, 0, max(n - 1, 0))
    flat = np.reshape(places, (outer, g.shape[axis], inner)).astype(np.int32) * inner + (before + after)
    added = apply(scatter_add, np.reshape(flat, (-1,)), np.reshape(g, (-1,)), axis=0, size=outer * n * inner)
    return unbroadcast(np.reshape(added, full), x.shape), None


def _emit_take_along_axis(em: Emitter, node: Any, index: Index) -> Term:
    x, ids = node.inputs
    axis = node.attrs["axis"]

    def operand(shape: Shape, along: Idx) -> Index:
        dims = [constant(0) if n == 1 else d for d, n in zip(index.dims, shape, strict=True)]
        return Index(shape, [along if k == axis else d for k, d in enumerate(dims)])

    where = em.read(ids, operand(ids.type.shape, index.dims[axis]))
    n = x.type.shape[axis]
    return emit_filled(em, em.read(x, operand(x.type.shape, emit_wrapped(em, where, n))), where, n)


take_along_axis: Final[Op] = Op(
    "take_along_axis",
    _infer_take_along_axis,
    _take_along_axis,
    _take_along_axis_vjp,
    Indexed(_emit_take_along_axis),
    INDEXED,
    lambda: (
        Case((sample(4, 7), integers(4, 1, low=-7, high=7)), {"axis": 1}),
        Case((sample(4, 7), integers(4, 3, low=-7, high=7)), {"axis": 1}),
        Case((sample(4, 7), integers(2, 7, low=-4, high=4)), {"axis": 0}),
        Case((sample(2, 4, 3), integers(2, 5, 3, low=0, high=4, dtype="uint32")), {"axis": 1}),
        Case((sample(4, 8), integers(1, 8, low=0, high=8)), {"axis": 1}),
        Case((sample(1, 8), integers(4, 1, low=0, high=8)), {"axis": 1}),
        Case((sample(4, 7), np.zeros((4, 0), np.int32)), {"axis": 1}),
        Case((sample(0, 7), np.zeros((0, 1), np.int32)), {"axis": 1}),
        Case((sample(4), np.array([9, -9, 2], np.int32)), {"axis": 0}, grad=False),
        Case((sample(4, 7), np.array([[7], [6], [-8], [-7]], np.int32)), {"axis": 1}, grad=False),
    ),
    "for each position of `ids` the element of x at that place along an axis, NaN where they are out of range",
    indices=1,
    batch=lambda batch, x, ids, *, axis: apply(
        take_along_axis,
        *(y if mapped else y[None] for y, mapped in zip((x, ids), batch.mapped, strict=True)),
        axis=axis + 1,
    ),
)


def _infer_scatter_add(ids: TensorType, updates: TensorType, *, axis: int, size: int) -> TensorType:
    rest = updates.ndim - ids.ndim
    if not 0 <= axis <= rest or updates.shape[axis : axis + ids.ndim] != ids.shape or size < 0:
        raise ShapeError(f"updates {list(updates.shape)} need the indices' shape {list(ids.shape)} at axis {axis}")
    if updates.dtype.kind not in NUMERIC:
        raise DTypeError(f"needs {' or '.join(NUMERIC)} updates, got {updates.dtype.name}")
    shape = (*updates.shape[:axis], size, *updates.shape[axis + ids.ndim :])
    check_ids(ids, shape, axis)
    return updates.with_shape(shape)


def _scatter_add(ids: NDArray, updates: NDArray, *, axis: int, size: int) -> NDArray:
    before, after = updates.shape[:axis], updates.shape[axis + ids.ndim :]
    out_shape = (*before, size, *after)
    if not updates.size:
        return np.zeros(out_shape, updates.dtype)
    outer, inner = math.prod(before), math.prod(after)
    kept = within(ids.reshape(-1), size)
    rows = updates.reshape(outer, ids.size, inner)[:, kept]
    places = wrap(ids.reshape(-1)[kept], size)
    flat = (np.arange(outer)[:, None, None] * size + places[None, :, None]) * inner + np.arange(inner)
    if updates.dtype.kind == "f":  # bincount adds in float64
        total = np.bincount(flat.reshape(-1), rows.reshape(-1), outer * size * inner)
        return total.astype(updates.dtype).reshape(out_shape)
    out = np.zeros(outer * size * inner, updates.dtype)
    np.add.at(out, flat.reshape(-1), rows.reshape(-1))
    return out.reshape(out_shape)


def _scatter_cases() -> tuple[Case, ...]:
    ids = np.array([[0, 4, -1], [2, 2, -5]], np.int32)
    many = integers(3000, low=0, high=5)
    return (
        Case((ids, sample(2, 3, 4)), {"axis": 0, "size": 5}),
        Case((ids, sample(2, 3, 8)), {"axis": 0, "size": 5}),
        Case((ids, sample(2, 2, 3)), {"axis": 1, "size": 5}),
        Case((ids, sample(2, 2, 3, 3)), {"axis": 1, "size": 5}),
        Case((np.array(3, np.int32), sample(4)), {"axis": 0, "size": 5}),
        Case((np.array([1, 0, 1], np.uint32), sample(3)), {"axis": 0, "size": 2}),
        Case((np.zeros(0, np.int32), sample(0, 3)), {"axis": 0, "size": 5}),
        Case((np.zeros(0, np.int32), sample(0, 3)), {"axis": 0, "size": 0}),
        Case((np.array([7, -9, 5], np.int32), sample(3, 2)), {"axis": 0, "size": 5}),
        Case((many, sample(3000, 3, low=0, high=1)), {"axis": 0, "size": 5}, 3e-6, 1e-5, grad=False),
        Case((ids, integers(2, 3)), {"axis": 0, "size": 5}),
    )


def _gradient_of_updates(g: Any, ids: Any, axis: int, size: int) -> Any:
    """The gradient of what was added at `ids`: none where these are out of range."""
    inside = ids < size if ids.dtype.kind == "u" else (ids < size) & (ids >= -size)
    inside = np.reshape(inside, (*ids.shape, *(1,) * (g.ndim - axis - 1)))
    return np.where(inside, apply(take, g, ids, axis=axis, clamp=True), 0)


def _places_of_examples(batch: Batch, ids: Any, n: int, what: str) -> tuple[Any, Any]:
    """Places in a table of n + 1 slots an example, all in one, as a vector; and the length of such a table.

    What is out of range goes to the last slot of its example, which is cut off, so that it is written nowhere.
    """
    ids = apply(checked, ids, low=-n, high=n - 1, what=what) if ids.size else ids
    places = from_start(ids, n).astype(np.int32)
    places = np.where((places >= 0) & (places < n), places, n)
    example = ids.apply(iota, shape=(batch.size, *(1,) * (ids.ndim - 1)), axis=0, dtype=i32)
    return np.reshape(places + example * (n + 1), (-1,)), batch.size * (n + 1)


def _batch_scatter_add(batch: Batch, ids: Any, updates: Any, *, axis: int, size: int) -> Any:
    if not batch.mapped[0]:
        return apply(scatter_add, ids, updates, axis=axis + 1, size=size)
    updates = spread(batch, updates, 1)
    count, first, last = ids.ndim - 1, updates.shape[1 : axis + 1], updates.shape[axis + ids.ndim :]
    rows = np.transpose(
        updates, (0, *range(axis + 1, axis + 1 + count), *range(1, axis + 1), *range(axis + 1 + count, updates.ndim))
    )
    places, total = _places_of_examples(batch, ids, size, "scatter_add")
    rows = np.reshape(rows, (places.shape[0], *first, *last))
    table = apply(scatter_add, places, rows, axis=0, size=total)
    table = np.reshape(table, (batch.size, size + 1, *first, *last))[:, :size]
    return np.moveaxis(table, 1, axis + 1)


scatter_add: Final[Op] = Op(
    "scatter_add",
    _infer_scatter_add,
    _scatter_add,
    lambda g, out, ids, updates, *, axis, size: (None, _gradient_of_updates(g, ids, axis, size)),
    Custom("scatter_add"),
    frozenset(),
    _scatter_cases,
    "zeros with `size` along an axis, to which the updates are added at `ids`; what is out of range is left out",
    indices=0,
    batch=_batch_scatter_add,
)


def _infer_index_update(x: TensorType, ids: TensorType, values: TensorType, *, axis: int) -> TensorType:
    check_ids(ids, x.shape, axis)
    if values.dtype != x.dtype:
        raise DTypeError(f"operands need one element type, got {x.dtype.name} and {values.dtype.name}")
    need = taken_shape(x.shape, ids.shape, axis)
    if values.shape != need:
        raise ShapeError(f"values are {list(values.shape)}, need {list(need)}")
    return x


def _index_update(x: NDArray, ids: NDArray, values: NDArray, *, axis: int) -> NDArray:
    out = np.moveaxis(x, axis, 0).copy()
    inside = within(ids.reshape(-1), x.shape[axis])
    places = wrap(ids.reshape(-1)[inside], x.shape[axis])
    merged = values.reshape(*x.shape[:axis], ids.size, *x.shape[axis + 1 :])
    rows = np.moveaxis(merged, axis, 0)[inside]
    # Of equal places the last one counts; NumPy leaves open which one an assignment takes.
    kept, last = np.unique(places[::-1], return_index=True)
    out[kept] = rows[::-1][last]
    return np.ascontiguousarray(np.moveaxis(out, 0, axis))


def _index_update_vjp(g: Any, out: Any, x: Any, ids: Any, values: Any, *, axis: int) -> tuple[Any, None, Any]:
    cleared = apply(index_update, g, ids, np.zeros_like(values), axis=axis)
    number = np.reshape(ids.apply(iota, shape=(math.prod(ids.shape),), axis=0, dtype=i32), ids.shape)
    writer = apply(index_update, np.zeros_like(number, shape=(x.shape[axis],)), ids, number, axis=0)
    lasts = apply(take, writer, ids, axis=0) == number  # an index out of range reads no number of a row
    mask = np.reshape(lasts, (1,) * axis + tuple(ids.shape) + (1,) * (x.ndim - axis - 1))
    return cleared, None, np.where(mask, apply(take, g, ids, axis=axis, clamp=True), 0)


def _batch_index_update(batch: Batch, x: Any, ids: Any, values: Any, *, axis: int) -> Any:
    x, values = spread(batch, x, 0), spread(batch, values, 2)
    if not batch.mapped[1]:
        return apply(index_update, x, ids, values, axis=axis + 1)
    n, count = x.shape[axis + 1], ids.ndim - 1
    first, last = x.shape[1 : axis + 1], x.shape[axis + 2 :]
    table = np.moveaxis(x, axis + 1, 1)
    table = np.concatenate([table, np.zeros_like(table, shape=(batch.size, 1, *first, *last))], axis=1)
    rows = np.transpose(
        values, (0, *range(axis + 1, axis + 1 + count), *range(1, axis + 1), *range(axis + 1 + count, values.ndim))
    )
    places, total = _places_of_examples(batch, ids, n, "index_update")
    rows = np.reshape(rows, (places.shape[0], *first, *last))
    table = apply(index_update, np.reshape(table, (total, *first, *last)), places, rows, axis=0)
    table = np.reshape(table, (batch.size, n + 1, *first, *last))[:, :n]
    return np.moveaxis(table, 1, axis + 1)


index_update: Final[Op] = Op(
    "index_update",
    _infer_index_update,
    _index_update,
    _index_update_vjp,
    Custom("index_update"),
    frozenset({"update"}),
    lambda: (
        Case((sample(5, 3), np.array([1, -1], np.int32), sample(2, 3, seed=1)), {"axis": 0}),
        Case((sample(5, 8), np.array([1, 1, 4], np.int32), sample(3, 8, seed=1)), {"axis": 0}),
        Case((sample(2, 5, 3), np.array([[0, 3]], np.uint32), sample(2, 1, 2, 3, seed=1)), {"axis": 1}),
        Case((sample(5, 3), np.array(2, np.int32), sample(3, seed=1)), {"axis": 0}),
        Case((sample(7), np.array([9, -9, 2], np.int32), sample(3, seed=1)), {"axis": 0}),
        Case((sample(5, 3), np.zeros(0, np.int32), sample(0, 3)), {"axis": 0}),
        Case((integers(5), np.array([1, 1], np.int32), np.array([7, 8], np.int32)), {"axis": 0}),
    ),
    "x with the values written at `ids` along an axis: of equal ids the last; what is out of range is left out",
    indices=1,
    batch=_batch_index_update,
)
