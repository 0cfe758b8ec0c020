"""Tensors that are functions of position: triangles, and positions themselves."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from graphc.errors import DTypeError, ShapeError
from graphc.ir.index import Index, add, constant
from graphc.ir.op import Case, Emitter, Indexed, NotDifferentiable, Op, Term
from graphc.ir.types import DType, NDArray, Shape, TensorType, f32, i32, u32
from graphc.ops.batching import as_before
from graphc.ops.elementwise import NUMERIC
from graphc.ops.movement import INDEXED
from graphc.ops.places import compare
from graphc.ops.samples import booleans, sample


def _infer_triangle(x: TensorType, *, k: int) -> TensorType:
    if x.ndim < 2:
        raise ShapeError(f"needs at least 2 axes, got {list(x.shape)}")
    return x


def _emit_triangle(upper: bool) -> Indexed:
    def emit(em: Emitter, node: Any, index: Index) -> Term:
        x, k = node.inputs[0], node.attrs["k"]
        row, column = index.dims[-2], index.dims[-1]
        # Lower: column <= row + k. Upper: column >= row + k. Indices are unsigned, so k goes where it is positive.
        row, column = add(row, constant(max(k, 0))), add(column, constant(max(-k, 0)))
        kept = compare(em, column, ">=", row) if upper else compare(em, row, ">=", column)
        if kept is False:
            return em.literal(0, x.type.dtype)
        element = em.read(x, index)
        return element if kept is True else em.select(kept, element, em.literal(0, x.type.dtype))

    return Indexed(emit)


def _triangle_cases() -> tuple[Case, ...]:
    shapes = ((5, 5), (3, 8), (8, 3), (2, 4, 4), (0, 3), (1, 1))
    found = [Case((sample(*shape),), {"k": k}) for shape in shapes for k in (0, 1, -2)]
    found.append(Case((np.full((3, 3), np.inf, np.float32),), {"k": 0}, grad=False))
    found.append(Case((booleans(4, 4),), {"k": -1}))
    return tuple(found)


tril: Final = Op(
    "tril",
    _infer_triangle,
    lambda x, *, k: np.tril(x, k),
    lambda g, out, x, *, k: (np.tril(g, k),),
    _emit_triangle(upper=False),
    INDEXED,
    _triangle_cases,
    "x with zeros above the k-th diagonal of its last two axes",
    batch=as_before,
)

triu: Final = Op(
    "triu",
    _infer_triangle,
    lambda x, *, k: np.triu(x, k),
    lambda g, out, x, *, k: (np.triu(g, k),),
    _emit_triangle(upper=True),
    INDEXED,
    _triangle_cases,
    "x with zeros below the k-th diagonal of its last two axes",
    batch=as_before,
)


def _infer_iota(*, shape: Shape, axis: int, dtype: DType) -> TensorType:
    if not 0 <= axis < len(shape) or min(shape) < 0:
        raise ShapeError(f"axis {axis} is out of range for the shape {list(shape)}")
    if dtype.kind not in NUMERIC:
        raise DTypeError(f"needs a numeric element type, got {dtype.name}")
    return TensorType(tuple(shape), dtype)


def _iota(*, shape: Shape, axis: int, dtype: DType) -> NDArray:
    line = np.arange(shape[axis]).astype(dtype.numpy)
    return np.broadcast_to(line.reshape([-1 if k == axis else 1 for k in range(len(shape))]), shape)


iota: Final[Op] = Op(
    "iota",
    _infer_iota,
    _iota,
    NotDifferentiable("it has no operands"),
    Indexed(lambda em, node, index: em.value_of(index.dims[node.attrs["axis"]], node.attrs["dtype"])),
    INDEXED,
    lambda: (
        Case((), {"shape": (7,), "axis": 0, "dtype": i32}),
        Case((), {"shape": (3, 5), "axis": 0, "dtype": f32}),
        Case((), {"shape": (3, 8), "axis": 1, "dtype": u32}),
        Case((), {"shape": (0,), "axis": 0, "dtype": i32}),
        Case((), {"shape": (2, 1, 3), "axis": 1, "dtype": i32}),
    ),
    "each element's position along an axis",
)
