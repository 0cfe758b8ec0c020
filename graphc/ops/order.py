"""Sorting: where the elements of each row stand once they are in order."""

from __future__ import annotations

from typing import Final

import numpy as np

from graphc.errors import ShapeError
from graphc.ir.op import Case, Custom, NotDifferentiable, Op
from graphc.ir.types import NDArray, TensorType, i32
from graphc.ops.batching import as_before
from graphc.ops.samples import booleans, integers, sample


def _infer_argsort(x: TensorType, *, count: int, descending: bool) -> TensorType:
    if not x.ndim:
        raise ShapeError("needs an axis to sort along, got a scalar")
    if not 0 <= count <= x.shape[-1]:
        raise ShapeError(f"count is {count}: it must lie in [0, {x.shape[-1]}], the length of the last axis")
    return TensorType((*x.shape[:-1], count), i32)


def _argsort(x: NDArray, *, count: int, descending: bool) -> NDArray:
    if not descending:
        return np.argsort(x, axis=-1, kind="stable")[..., :count].astype(np.int32)
    # From the end of the order of the reversed row, so that the first of equal ones comes first, and NaN before all.
    order = x.shape[-1] - 1 - np.argsort(x[..., ::-1], axis=-1, kind="stable")[..., ::-1]
    return np.ascontiguousarray(order[..., :count]).astype(np.int32)


def _argsort_cases() -> tuple[Case, ...]:
    odd = np.array([[0.0, -0.0, np.nan, np.inf, -np.inf, -np.nan, 1e-37, -3.0, -0.0, 0.0, -1e-37]], np.float32)
    found = [
        Case((x,), {"count": count, "descending": descending})
        for x, count, descending in (
            (sample(3, 40), 40, False),
            (sample(2, 3, 131), 131, True),
            (integers(4, 100, low=-9, high=9), 100, False),
            (integers(2, 70, low=0, high=5, dtype="uint32"), 9, True),
            (booleans(3, 37), 37, False),
            (sample(2, 300), 7, True),
            (integers(2, 150, low=0, high=9), 16, False),
            (sample(3, 131), 1, True),
            (odd, 11, True),
            (np.tile(odd, (2, 7)), 77, False),
        )
    ]
    return (*found, *(Case((x,), {"count": 0, "descending": False}) for x in (sample(3, 0), sample(3, 4))))


argsort: Final[Op] = Op(
    "argsort",
    _infer_argsort,
    _argsort,
    NotDifferentiable("positions are integers"),
    Custom("argsort"),
    frozenset(),
    _argsort_cases,
    "the positions of the first `count` elements of each row in order, NaN after all others; where `descending` the "
    "other way round, NaN first. Of equal elements the one that stands first comes first",
    batch=as_before,
)
