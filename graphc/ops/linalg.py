"""Matrix products."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from graphc.errors import ShapeError
from graphc.ir.op import Case, Contraction, Op
from graphc.ir.types import NDArray, TensorType, broadcast_shapes
from graphc.ops.batching import Batch, level
from graphc.ops.elementwise import NUMERIC, same_dtype
from graphc.ops.movement import unbroadcast
from graphc.ops.samples import integers, sample


def infer_matmul(a: TensorType, b: TensorType) -> TensorType:
    """Type of a @ b: [..., M, K] x [..., K, N] -> [..., M, N].

    Batch dimensions broadcast; accumulation is f32. Raises ShapeError if a rank is below 2 or the two K differ.
    Source: numpy.matmul.
    """
    same_dtype((a, b), NUMERIC)
    if a.ndim < 2 or b.ndim < 2:
        raise ShapeError(f"a is {a}, b is {b}: each needs at least 2 axes")
    if a.shape[-1] != b.shape[-2]:
        raise ShapeError(f"a is {a}, b is {b}: need a.shape[-1] == b.shape[-2], got {a.shape[-1]} and {b.shape[-2]}")
    try:
        batch = broadcast_shapes(a.shape[:-2], b.shape[:-2])
    except ShapeError as error:
        raise ShapeError(f"a is {a}, b is {b}: batch {error}") from None
    return TensorType((*batch, a.shape[-2], b.shape[-1]), a.dtype)


def _matmul(a: NDArray, b: NDArray) -> NDArray:
    if a.dtype == np.float16:
        return np.asarray(np.matmul(a.astype(np.float32), b.astype(np.float32)), np.float16)
    return np.asarray(np.matmul(a, b))


def _matmul_vjp(g: Any, out: Any, a: Any, b: Any) -> tuple[Any, Any]:
    if b.ndim == 2 and a.ndim > 2:
        # One matrix for the whole batch: its gradient is one product over all rows, not a batch of products to sum.
        rows = math.prod(a.shape[:-1])
        rows_a, rows_g = np.reshape(a, (rows, a.shape[-1])), np.reshape(g, (rows, g.shape[-1]))
        return g @ np.swapaxes(b, -1, -2), np.swapaxes(rows_a, 0, 1) @ rows_g
    return (
        unbroadcast(g @ np.swapaxes(b, -1, -2), a.shape),
        unbroadcast(np.swapaxes(a, -1, -2) @ g, b.shape),
    )


def _matmul_cases() -> tuple[Case, ...]:
    shapes: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...] = (
        ((3, 5), (5, 7)),
        ((1, 1), (1, 1)),
        ((1, 9), (9, 1)),
        ((17, 16), (16, 27)),
        ((2, 3, 5), (2, 5, 4)),
        ((2, 3, 5), (5, 4)),
        ((3, 5), (2, 5, 4)),
        ((2, 1, 3, 5), (3, 5, 4)),
        ((3, 0), (0, 4)),
        ((0, 3), (3, 4)),
        ((0, 2, 3), (3, 4)),
        ((2, 3, 0), (0, 4)),
        ((2, 3, 4), (4, 0)),
    )
    found = [Case((sample(*a), sample(*b, seed=1)), rtol=1e-5, atol=1e-5) for a, b in shapes]
    found.append(Case((sample(65, 130), sample(130, 67, seed=1)), rtol=1e-5, atol=1e-4, grad=False))
    found.append(Case((integers(3, 4), integers(4, 5, seed=1))))
    return tuple(found)


def _batch_matmul(batch: Batch, a: Any, b: Any) -> Any:
    """One batched product."""
    if b.shape[-1] == 1 and not batch.mapped[0] and a.ndim == 2:
        # A matrix that all share times a column for each example: the examples are the rows of one product.
        return (b[..., 0] @ np.swapaxes(a, 0, 1))[..., None]
    if a.shape[-2] == 1 and not batch.mapped[1] and b.ndim == 2:
        return (a[..., 0, :] @ b)[..., None, :]
    a, b = level(batch, a, b)
    return a @ b


matmul: Final = Op(
    "matmul",
    infer_matmul,
    _matmul,
    _matmul_vjp,
    Contraction(),
    frozenset({"contraction"}),
    _matmul_cases,
    "a @ b: [..., M, K] x [..., K, N] -> [..., M, N]; batch dimensions broadcast",
    batch=_batch_matmul,
)
