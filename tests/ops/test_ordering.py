"""graphc.top_k and graphc.unique: against NumPy, on every kind of array; long rows from kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc
from graphc.ops import by_name
from graphc.tracing.trace import apply
from tests.support import tint

ARGSORT = by_name("argsort")
RNG = np.random.default_rng(11)
X = RNG.integers(-9, 9, size=(5, 70)).astype(np.float32)
X[1, 3] = X[1, 60] = np.nan


@pytest.mark.parametrize("k", [0, 1, 7, 70])
def test_top_k(k: int, device: Any) -> None:
    order = np.argsort(-X, axis=-1, kind="stable")
    order[1] = np.concatenate([[3, 60], order[1][~np.isin(order[1], [3, 60])]])
    order = order[:, :k]
    for values, ids in (
        graphc.compile(lambda x: graphc.top_k(x, k), device=device)(X),
        graphc.top_k(X, k),
        graphc.top_k(graphc.asarray(X, "numpy"), k),
    ):
        np.testing.assert_array_equal(np.asarray(ids), order)
        np.testing.assert_array_equal(np.asarray(values), np.take_along_axis(X, order, -1))


def test_gradients_of_top_k_go_where_the_elements_stood() -> None:
    x = RNG.normal(size=(3, 9)).astype(np.float32)
    gradient = np.asarray(graphc.grad(lambda x: np.sum(graphc.top_k(x, 2)[0] * np.array([1.0, 2.0], np.float32)))(x))
    want = np.zeros_like(x)
    np.put_along_axis(want, np.argsort(-x, axis=-1)[:, :2], np.array([[1, 2]], np.float32), -1)
    np.testing.assert_array_equal(gradient, want)


def test_top_k_along_any_axis_and_of_examples(device: Any) -> None:
    x = np.random.default_rng(5).integers(-4, 4, size=(4, 6, 5)).astype(np.float32)
    for axis in (0, 1, -1):
        order = np.take(np.argsort(-x, axis=axis, kind="stable"), range(3), axis=axis)
        for top in (graphc.compile(lambda x, axis=axis: graphc.top_k(x, 3, axis), device=device), None):
            values, ids = top(x) if top else graphc.top_k(x, 3, axis=axis)
            np.testing.assert_array_equal(np.asarray(ids), order)
            np.testing.assert_array_equal(np.asarray(values), np.take_along_axis(x, order, axis))
    _, ids = graphc.compile(graphc.vmap(lambda x: graphc.top_k(x, 2, axis=0)), device=device)(x)
    np.testing.assert_array_equal(np.asarray(ids), np.argsort(-x, axis=1, kind="stable")[:, :2])
    gradient = np.asarray(graphc.grad(lambda x: np.sum(graphc.top_k(x, 2, axis=1)[0] * np.float32(3)))(x))
    want = np.zeros_like(x)
    np.put_along_axis(want, np.argsort(-x, axis=1, kind="stable")[:, :2], 3, 1)
    np.testing.assert_array_equal(gradient, want)


@pytest.mark.parametrize("size", [3, 18, 30])
def test_unique(size: int) -> None:
    x = X[1].reshape(7, 10)
    values, first, back, counts = np.unique(x, return_index=True, return_inverse=True, return_counts=True)
    found = graphc.compile(
        lambda x: graphc.unique(x, size, return_index=True, return_inverse=True, return_counts=True), device="numpy"
    )(x)
    some, index, inverse, number = map(np.asarray, found)
    n = min(size, len(values))
    np.testing.assert_array_equal(some[:n], values[:n])
    np.testing.assert_array_equal(some[n:], np.full(max(size - n, 0), np.nan))
    np.testing.assert_array_equal(index[:n], first[:n])
    np.testing.assert_array_equal(number, np.concatenate([counts[:n], np.zeros(size - n, int)]))
    np.testing.assert_array_equal(inverse, np.minimum(back.reshape(x.shape), size - 1))


def test_unique_fills_up() -> None:
    for x in (np.array([2, 1, 2], np.int32), graphc.asarray(np.array([2, 1, 2], np.int32), "numpy")):
        np.testing.assert_array_equal(np.asarray(graphc.unique(x, 4, fill_value=-1)), [1, 2, -1, -1])
        np.testing.assert_array_equal(np.asarray(graphc.unique(x, 4)), [1, 2, 2, 2])
    np.testing.assert_array_equal(np.asarray(graphc.unique(np.zeros(0, np.int32), 2, fill_value=7)), [7, 7])


def test_what_does_not_fit_is_said() -> None:
    with pytest.raises(graphc.ShapeError, match=r"top_k: k is 71, x \[5, 70\]"):
        graphc.top_k(X, 71)
    with pytest.raises(graphc.ShapeError, match=r"top_k: k is 6, x \[5, 70\]: needs as many elements along axis 0"):
        graphc.top_k(X, 6, axis=0)
    with pytest.raises(graphc.ShapeError, match=r"top_k: axis is 2, x \[5, 70\]"):
        graphc.top_k(X, 1, axis=2)
    with pytest.raises(graphc.ShapeError, match="needs an integer that is known"):
        graphc.trace(lambda x, k: graphc.top_k(x, k), X, 3)
    with pytest.raises(graphc.ShapeError, match="give fill_value="):
        graphc.unique(np.zeros(0), 2)


def test_other_compilers_take_the_kernels() -> None:
    texts = {}
    for dtype in (np.float32, np.int32, np.uint32, np.bool_):
        for count, descending in ((300, False), (5, True), (16, False)):
            program = graphc.compile(
                lambda x, count=count, descending=descending: apply(ARGSORT, x, count=count, descending=descending)
            )
            plan = program.lower(np.zeros((3, 300), dtype)).plan
            assert plan is not None
            for kernel in plan.kernels:
                texts[f"{kernel.name} {np.dtype(dtype)} {count}"] = (kernel.wgsl, kernel.needs)
    assert len(texts) > 12
    assert tint.errors(texts) == {}
