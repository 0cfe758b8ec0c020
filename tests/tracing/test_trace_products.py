"""Every product that traces gives what NumPy gives: values, shapes and element types."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc
from tests.support.operands import BATCH, B, C, K, M, N, T, V, X, Y, floats
from tests.support.tracing import assert_same

PRODUCTS: dict[str, Any] = {
    "matmul": lambda x, m, b: (
        x @ m,
        np.matmul(x, b),
        b.mT @ m,
        np.matmul(b.mT, b),
        x @ m[:, 0],
        m[:, 0] @ m,
        x[0] @ m[:, 0],
    ),
    "matmul vectors": lambda x, m, b: (b @ m[0], x[0] @ b, np.matmul(x[0], x[0])),
    "matmul integers": lambda x, m, b: ((x > 0).astype(int) @ (m > 0).astype(int), (x > 0) @ (m > 0)),
    "dot": lambda x, m, b: (
        np.dot(x, m),
        np.dot(x[0], x[0]),
        x.dot(m[:, 0]),
        np.dot(x, 2),
        np.dot(x, b),
        np.dot(x[0], b),
    ),
    "vdot": lambda x, m, b: (np.vdot(x, x), np.vdot(x, Y)),
    "inner": lambda x, m, b: (np.inner(x, Y), np.inner(x[0], x[1]), np.inner(b.mT, x), np.inner(x, 3.0)),
    "outer": lambda x, m, b: (np.outer(x, m), np.outer(x[0], V), np.linalg.outer(x[0], V)),
    "tensordot": lambda x, m, b: (
        np.tensordot(x, m, 1),
        np.tensordot(b, x, ([1], [1])),
        np.tensordot(x, Y, 2),
        np.tensordot(x[0], m[0], 0),
        np.tensordot(b, b, ((0, 2), (0, 2))),
    ),
    "kron": lambda x, m, b: (np.kron(x, m), np.kron(x[0], m)),
    "cross": lambda x, m, b: (np.cross(x.T, Y.T), np.cross(x, Y, axis=0)),
    "norm": lambda x, m, b: (
        np.linalg.norm(x),
        np.linalg.norm(x, axis=1),
        np.linalg.norm(b, axis=(1, 2)),
        np.linalg.norm(x, "fro"),
        np.linalg.norm(x, 1),
        np.linalg.norm(x, np.inf),
        np.linalg.norm(x, -1),
    ),
    "vector norms": lambda x, m, b: (
        *(np.linalg.norm(x, o, axis=1) for o in (0, 1, 2, 3, np.inf, -np.inf)),
        np.linalg.norm(x, axis=0, keepdims=True),
        np.linalg.vector_norm(b, axis=(0, 1)),
        np.linalg.matrix_norm(b),
    ),
    "powers": lambda x, m, b: (np.linalg.matrix_power(x[:, :3], 5), np.linalg.multi_dot([x, m, m.T, x.T])),
    "linalg": lambda x, m, b: (
        np.linalg.matmul(x, m),
        np.linalg.tensordot(x, m, axes=1),
        np.linalg.vecdot(x, Y),
        np.linalg.matrix_transpose(b),
    ),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_products(name: str) -> None:
    assert_same(PRODUCTS[name], X, M, BATCH, rtol=2e-5)


@pytest.mark.parametrize("shape", [(0, 1), (1, 0), (0, 0)])
@pytest.mark.parametrize("ord", [1, 2, np.inf, "nuc", "fro"])
def test_norms_of_no_elements_are_zero(ord: Any, shape: tuple[int, ...]) -> None:
    x = np.zeros(shape, np.float32)

    def norm(x: Any) -> Any:
        return np.linalg.norm(x, ord)

    found, gradient = graphc.compile(graphc.value_and_grad(norm), device="numpy")(x)
    assert float(found) == norm(x) == 0
    assert np.asarray(gradient).shape == shape


@pytest.mark.parametrize("ord", [0.5, 1, 1.5, 2, 3, np.inf, -1, -3.5])
def test_norms_of_what_is_zero_have_gradients(ord: float) -> None:
    x = np.array([[0, 0, 0], [2, 0, -1], [3, 1, 2]], np.float32)

    def norms(x: Any) -> Any:
        return np.sum(np.linalg.norm(x, ord, axis=1) * np.array([1, 2, 3], np.float32))

    found, gradient = map(np.asarray, graphc.compile(graphc.value_and_grad(norms), device="numpy")(x))
    with np.errstate(divide="ignore"):
        np.testing.assert_allclose(found, norms(x), rtol=1e-6)
    assert np.isfinite(gradient).all()
    np.testing.assert_array_equal(gradient[0], 0)
    steps = 1e-3 * np.eye(3)
    slopes = [(np.linalg.norm(x[2] + step, ord) - np.linalg.norm(x[2] - step, ord)) / 2e-3 for step in steps]
    np.testing.assert_allclose(gradient[2], np.array(slopes) * 3, rtol=1e-4, atol=1e-4)


def test_products_with_no_columns_have_gradients() -> None:
    """Of a stack with one matrix, whose rows are taken together."""
    a, b = np.ones((2, 3, 4), np.float32), np.ones((4, 0), np.float32)
    for x, y in ((a, b), (a[..., :0], b.T[:, :3])):
        for passes in ((), graphc.passes.DEFAULT):
            step = graphc.compile(graphc.grad(lambda x, y: np.sum(x @ y), (0, 1)), device="numpy", passes=passes)
            for gradient, given in zip(step(x, y), (x, y), strict=True):
                np.testing.assert_array_equal(np.asarray(gradient), np.zeros_like(given))


EINSUM: list[tuple[str, tuple[tuple[int, ...], ...]]] = [
    ("ij,jk->ik", ((3, 4), (4, 5))),
    ("ij,jk", ((3, 4), (4, 5))),
    ("ij,kj->ik", ((3, 4), (5, 4))),
    ("ij,jk->ki", ((3, 4), (4, 5))),
    ("bij,bjk->bik", ((2, 3, 4), (2, 4, 5))),
    ("bhqd,bhkd->bhqk", ((2, 3, 4, 5), (2, 3, 6, 5))),
    ("bhqk,bkhd->bqhd", ((2, 3, 4, 5), (2, 5, 3, 6))),
    ("btd,dhk->bhtk", ((2, 3, 4), (4, 2, 5))),
    ("ii", ((4, 4),)),
    ("ii->i", ((4, 4),)),
    ("iji->j", ((3, 4, 3),)),
    ("iii->i", ((3, 3, 3),)),
    ("ij->ji", ((3, 4),)),
    ("ij->", ((3, 4),)),
    ("ji", ((3, 4),)),
    ("i,i", ((4,), (4,))),
    ("i,j->ij", ((4,), (3,))),
    ("i,j->ji", ((4,), (3,))),
    ("i,i->i", ((4,), (4,))),
    ("ij,ij->i", ((3, 4), (3, 4))),
    ("ij,j->i", ((3, 4), (4,))),
    ("i,ij->j", ((3,), (3, 4))),
    ("ii,ij->j", ((3, 3), (3, 4))),
    ("...ij,...jk->...ik", ((2, 3, 4), (2, 4, 5))),
    ("...ij,...jk", ((7, 2, 3, 4), (2, 4, 5))),
    ("i...,i...->...", ((3, 4, 2), (3, 4, 2))),
    ("...i->...", ((2, 3, 4),)),
    ("...,...->...", ((3, 4), (4,))),
    ("ij,jk,kl->il", ((3, 4), (4, 5), (5, 2))),
    ("ij,jk,kl->li", ((3, 4), (4, 5), (5, 2))),
    ("a,b,c->abc", ((2,), (3,), (4,))),
    ("ijk,ijk,i->jk", ((2, 3, 4), (2, 3, 4), (2,))),
    ("ij,ij,ij,jk->ik", ((3, 4), (3, 4), (3, 4), (4, 5))),
    ("ij,kl->", ((3, 4), (2, 5))),
    ("ij,kl->ik", ((3, 4), (2, 5))),
    ("ijk,kl,lm,jn->imn", ((2, 3, 4), (4, 5), (5, 2), (3, 6))),
    ("ij,jk->ik", ((1, 4), (4, 5))),
    ("bij,bjk->bik", ((1, 3, 4), (2, 4, 5))),
    ("ij,ij->ij", ((1, 4), (3, 4))),
    ("ij,jk->ik", ((3, 0), (0, 5))),
    (",ij->ij", ((), (3, 4))),
    ("i j , j k -> i k", ((3, 4), (4, 5))),
]


@pytest.mark.parametrize(("subscripts", "shapes"), EINSUM, ids=lambda v: v if isinstance(v, str) else None)
def test_einsum(subscripts: str, shapes: Any) -> None:
    operands = [floats(*shape) for shape in shapes]
    assert_same(lambda *args: np.einsum(subscripts, *args), *operands, rtol=1e-5, atol=1e-5)


def test_einsum_calling_forms() -> None:
    assert_same(lambda x, m: np.einsum(x, [0, 1], m, [1, 2], [0, 2]), X, M, rtol=1e-5)
    assert_same(lambda x, m: np.einsum(x, [0, 1], m, [1, 2]), X, M, rtol=1e-5)
    assert_same(lambda t: np.einsum(t, [..., 0], [0, ...]), T)
    assert_same(lambda x, m: np.einsum("ij,jk->ik", x, m, optimize=True), X, M, rtol=1e-5)
    assert_same(lambda i, n: np.einsum("ij,ij->j", i, n), K, N)
    assert_same(lambda b, c: np.einsum("ij,kj->ik", b, c), B, C)
    assert_same(lambda i: np.einsum("ij,ij->i", i, X), K)
