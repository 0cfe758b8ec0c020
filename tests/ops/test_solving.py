"""graphc.solve_triangular, and least squares below full rank: values, gradients, what does not fit; in float64 too."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.ir import types

RNG = np.random.default_rng(2)
A = RNG.normal(size=(2, 1, 4, 4)) + 4 * np.eye(4)
B = RNG.normal(size=(3, 4, 2))


@pytest.fixture
def x64() -> Iterator[None]:
    types._Precision.x64 = True
    yield
    types._Precision.x64 = False


def dense(a: Any, lower: bool, unit: bool, trans: int) -> Any:
    """The matrix that is meant."""
    a = np.tril(a) if lower else np.triu(a)
    a = a * (1 - np.eye(a.shape[-1])) + np.eye(a.shape[-1]) if unit else a
    return np.swapaxes(a, -1, -2) if trans else a


@pytest.mark.parametrize(("lower", "unit", "trans"), list(itertools.product((False, True), (False, True), (0, 1))))
def test_triangular_systems_and_their_gradients(lower: bool, unit: bool, trans: int, device: Any) -> None:
    settings: dict[str, Any] = {"lower": lower, "unit_diagonal": unit, "trans": trans}
    a, b = A.astype(np.float32), B.astype(np.float32)

    def both(a: Any, b: Any) -> Any:
        def total(a: Any, b: Any) -> Any:
            return np.sum(np.sin(graphc.solve_triangular(a, b, **settings)))

        return graphc.solve_triangular(a, b, **settings), graphc.grad(total, argnums=(0, 1))(a, b)

    found, gradients = graphc.compile(both, device=device)(a, b)
    # The same by general solves, in float64 and by hand.
    inverse = np.linalg.inv(dense(A, lower, unit, trans))
    want = inverse @ B
    np.testing.assert_allclose(np.asarray(found), want, atol=1e-5 * np.abs(want).max())
    back = np.swapaxes(inverse, -1, -2) @ np.cos(want)
    to_a = -np.sum(back @ np.swapaxes(want, -1, -2), axis=1, keepdims=True)
    to_a = np.swapaxes(to_a, -1, -2) if trans else to_a
    to_a = np.tril(to_a, -1 if unit else 0) if lower else np.triu(to_a, 1 if unit else 0)
    for got, known in zip(gradients, (to_a, np.sum(back, axis=0)), strict=True):
        np.testing.assert_allclose(np.asarray(got), known, atol=1e-5 * np.abs(known).max())


def test_every_kind_of_array_vectors_and_examples() -> None:
    a, b = A[0, 0].astype(np.float32), B[0, :, 0].astype(np.float32)
    want = np.linalg.solve(np.triu(A[0, 0]), B[0, :, 0])
    arrays = graphc.asarray(a, "numpy"), graphc.asarray(b, "numpy")
    mapped = graphc.compile(graphc.vmap(graphc.solve_triangular, in_axes=(None, 0)), device="numpy")(
        a, np.stack([b, b])
    )
    for found in (graphc.solve_triangular(a, b), graphc.solve_triangular(*arrays), np.asarray(mapped)[1]):
        np.testing.assert_allclose(np.asarray(found), want, rtol=1e-5)
    transposed = graphc.solve_triangular(a, b, "T")
    np.testing.assert_allclose(np.asarray(transposed), np.linalg.solve(np.triu(A[0, 0]).T, B[0, :, 0]), rtol=1e-5)


def test_what_does_not_fit_is_said() -> None:
    with pytest.raises(graphc.ArgumentError, match="trans is 2: write 0 or 'N'"):
        graphc.solve_triangular(A, B, trans=2)
    with pytest.raises(graphc.ShapeError, match="square"):
        graphc.solve_triangular(np.ones((2, 3)), B)
    with pytest.raises(graphc.ShapeError, match="need as many rows of both"):
        graphc.solve_triangular(np.ones((3, 3)), np.ones(4))


def shortest(a: Any, b: Any) -> Any:
    return np.sum(np.sin(np.linalg.lstsq(a, b, rcond=1e-5)[0]))


def pseudo(a: Any, b: Any) -> Any:
    return np.sum(np.sin(np.linalg.pinv(a, rcond=1e-5) @ b))


@pytest.mark.parametrize("function", [shortest, pseudo])
@pytest.mark.parametrize(("m", "n", "rank"), [(5, 3, 2), (3, 5, 2), (4, 4, 3), (4, 4, 4), (5, 3, 3), (3, 4, 1)])
def test_gradients_below_full_rank(m: int, n: int, rank: int, function: Any) -> None:
    """Against differences among the matrices of that rank, where the function is smooth; second derivatives too."""
    rng = np.random.default_rng(m + n + rank)
    wide, b = rng.normal(size=(m, rank)) @ rng.normal(size=(rank, n)), rng.normal(size=(m, 2)).astype(np.float32)
    left, right = rng.normal(size=(m, m)), rng.normal(size=(n, n))
    direction = left @ wide + wide @ right
    program = graphc.compile(
        lambda a, d: (
            graphc.grad(function)(a, b),
            graphc.grad(lambda a: np.sum(graphc.grad(function)(a, b) * d))(a),
        ),
        device="numpy",
    )
    gradient, second = program(wide.astype(np.float32), direction.astype(np.float32))
    gradient = np.asarray(gradient)

    def at(t: float) -> Any:
        return (np.eye(m) + t * left) @ wide @ (np.eye(n) + t * right)

    step = 1e-5
    slope = (function(at(step), b) - function(at(-step), b)) / (2 * step)
    assert abs(np.sum(gradient * direction) - slope) < 1e-4 * np.abs(gradient * direction).sum()
    # The second derivative along the same path: its bend, less what the path's own bend does.
    step = 1e-3
    bend = (function(at(step), b) - 2 * function(wide, b) + function(at(-step), b)) / step**2
    bend -= np.sum(gradient * (2 * left @ wide @ right))
    terms = np.abs(np.asarray(second) * direction).sum()
    assert abs(np.sum(np.asarray(second) * direction) - bend) < 1e-3 * terms


DECOMPOSED: dict[str, Callable[[Any], Any]] = {
    "cholesky": lambda a: np.linalg.cholesky(a @ a.mT + np.eye(4)),
    "solve": lambda a: np.linalg.solve(a, a[..., ::-1] + 1),
    "triangular": lambda a: np.linalg.inv(np.tril(a)),
    "inv": np.linalg.inv,
    "det": np.linalg.det,
    "slogdet": lambda a: np.linalg.slogdet(a)[1],
    "qr": lambda a: np.linalg.qr(a)[1],
    "svdvals": np.linalg.svdvals,
    "eigvalsh": lambda a: np.linalg.eigvalsh(a + a.mT),
    "eigh": lambda a: np.linalg.eigh(a + a.mT)[1] ** 2,
    "pinv": lambda a: np.linalg.pinv(a[..., :2]),
    "lstsq": lambda a: np.linalg.lstsq(a[0, :, :3], a[1, :, :2])[0],
    "norm": lambda a: np.linalg.norm(a, 2, axis=(-2, -1)),
    "power": lambda a: np.linalg.matrix_power(a, -3),
}


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("name", DECOMPOSED)
def test_float64_keeps_its_digits(name: str) -> None:
    function, a = DECOMPOSED[name], np.broadcast_to(A, (2, 1, 4, 4))[:, 0] * 1.0

    def total(a: Any) -> Any:
        return np.sum(np.sin(function(a)))

    found, gradient = graphc.compile(lambda a: (function(a), graphc.grad(total)(a)), device="numpy")(a)
    found, gradient, want = np.asarray(found), np.asarray(gradient), function(a)
    assert found.dtype == gradient.dtype == np.float64
    np.testing.assert_allclose(found, want, rtol=0, atol=1e-12 * np.abs(want).max())
    direction = np.random.default_rng(1).normal(size=a.shape)
    step = 1e-5
    slope = (total(a + step * direction) - total(a - step * direction)) / (2 * step)
    assert abs(np.sum(gradient * direction) - slope) < 1e-8 * np.abs(gradient * direction).sum()


def cofactors(a: Any) -> Any:
    """The derivatives of a determinant, by determinants of what is left without a row and a column."""
    n = len(a)
    return np.array(
        [[(-1) ** (i + j) * np.linalg.det(np.delete(np.delete(a, i, 0), j, 1)) for j in range(n)] for i in range(n)]
    )


NILPOTENT = np.array([[0.0, 1.0], [0.0, 0.0]])


def of_rank(n: int, rank: int) -> Any:
    rng = np.random.default_rng(n + rank)
    return rng.normal(size=(n, rank)) @ rng.normal(size=(rank, n))


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize(
    "a",
    [
        *(of_rank(n, rank) for n, rank in [(1, 1), (1, 0), (2, 1), (2, 0), (3, 2), (3, 1), (4, 4), (4, 3), (4, 2)]),
        NILPOTENT,
        np.eye(3),
    ],
    ids=lambda a: f"{len(a)}-{np.linalg.matrix_rank(a)}",
)
def test_determinants_of_singular_matrices_have_gradients(a: Any) -> None:
    """First and second ones: a determinant is a polynomial, whatever the rank."""
    direction = np.random.default_rng(9).normal(size=a.shape)

    def slope(a: Any) -> Any:
        return np.sum(graphc.grad(np.linalg.det)(a) * direction)

    first, second = graphc.compile(lambda a: (graphc.grad(np.linalg.det)(a), graphc.grad(slope)(a)), device="numpy")(a)
    np.testing.assert_allclose(first, cofactors(a), atol=1e-12)
    step = 1e-5
    want = (cofactors(a + step * direction) - cofactors(a - step * direction)) / (2 * step)
    np.testing.assert_allclose(second, want, atol=1e-7)


def test_kernels_give_the_gradient_of_a_stack_of_determinants(device: Any) -> None:
    a = np.stack([of_rank(3, rank) for rank in (3, 2, 1, 0)]).astype(np.float32)
    found = graphc.compile(graphc.grad(lambda a: np.sum(np.linalg.det(a))), device=device)(a)
    np.testing.assert_allclose(found, [cofactors(x) for x in a], atol=2e-5)
