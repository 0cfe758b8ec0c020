"""Decompositions and what np.linalg makes of them: against NumPy in float64, at sizes where kernels have edges."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.ir.op import Case, Op
from graphc.ops import decompose
from graphc.tracing.trace import apply

L = np.linalg
OPS = (decompose.lu, decompose.qr, decompose.eigh, decompose.svd)
CASES = [pytest.param(op, case, id=f"{op.name}-{n}") for op in OPS for n, case in enumerate(op.cases())]


def relative(got: np.ndarray, want: Any) -> float:
    """How far `got` is off, of the largest entry."""
    assert got.shape == np.shape(want)
    return float(np.max(np.abs(got - want)) / max(np.max(np.abs(want)), 1e-30))


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng([7, *shape]).normal(size=shape).astype(np.float32)


def positive(*shape: int) -> np.ndarray:
    x = normal(*shape).astype(np.float64)
    return (x @ x.mT / shape[-1] + np.eye(shape[-1])).astype(np.float32)


@pytest.mark.parametrize(("op", "case"), CASES)
def test_kernels_give_what_the_reference_gives(op: Op, case: Case, device: Any) -> None:
    found = graphc.compile(lambda *x: apply(op, *x, **case.attrs), device=device)(*case.inputs)
    for got, want in zip(found, op.reference(*case.inputs, **case.attrs), strict=True):
        np.testing.assert_allclose(np.asarray(got), want, rtol=case.rtol, atol=case.atol)


@pytest.mark.parametrize(("op", "case"), CASES)
def test_the_reference_is_a_decomposition(op: Op, case: Case) -> None:
    (a,) = (np.asarray(x, np.float64) for x in case.inputs)
    made = op.reference(a, **case.attrs)
    identity = np.eye(a.shape[-1])
    if op is decompose.lu:
        packed, order = made
        product = (np.tril(packed, -1) + identity) @ np.triu(packed)
        a = np.take_along_axis(a, order[..., None], -2)
        assert (np.abs(np.tril(packed, -1)) <= 1).all()
    elif op is decompose.qr:
        product = made[0] @ made[1]
        np.testing.assert_array_equal(made[1], np.triu(made[1]))
    elif op is decompose.eigh:
        a, product = np.tril(a) + np.tril(a, -1).mT, made[1] * made[0][..., None, :] @ made[1].mT
    else:
        product = made[0] * made[1][..., None, :] @ made[2]
    np.testing.assert_allclose(product, a, atol=1e-11 * (1 + np.abs(a).max(initial=0)))


def root(a: Any) -> Any:
    """The square root of a definite matrix."""
    found: Any = L.eigh(a)
    return found[1] * np.sqrt(found[0]) @ found[1].T


FUNCTIONS: dict[str, tuple[Callable[..., Any], Callable[[int], tuple[np.ndarray, ...]]]] = {
    "cholesky": (L.cholesky, lambda n: (positive(n, n),)),
    "solve": (L.solve, lambda n: (positive(n, n) + normal(n, n) / n, normal(n, 2))),
    "inv": (L.inv, lambda n: (positive(n, n),)),
    "slogdet": (lambda a: L.slogdet(a)[1], lambda n: (positive(n, n) + normal(n, n) / n,)),
    "det": (lambda a: L.det(a / np.float32(1.5)), lambda n: (positive(n, n),)),
    "qr": (lambda a: tuple(L.qr(a)), lambda n: (normal(n + 3, n),)),
    "svdvals": (L.svdvals, lambda n: (normal(n, n + 2),)),
    "eigvalsh": (L.eigvalsh, lambda n: (positive(n, n) * 3,)),
    "of a matrix": (root, lambda n: (positive(n, n),)),
    "lstsq": (lambda a, b: L.lstsq(a, b)[0], lambda n: (normal(n + 9, n), normal(n + 9, 2))),
    "pinv": (L.pinv, lambda n: (normal(n, n + 9),)),
}


def check(name: str, n: int, device: Any, passes: Any = graphc.passes.DEFAULT, limit: float = 2e-5) -> None:
    """Values against NumPy in float64, and the gradient along a direction against differences of those."""
    function, arguments = FUNCTIONS[name]
    given = arguments(n)
    wide = tuple(x.astype(np.float64) for x in given)
    want = graphc.tree.leaves(function(*wide))
    weights = [np.cos(np.arange(x.size)).reshape(x.shape) for x in map(np.asarray, want)]

    def total(*x: Any) -> Any:
        found = graphc.tree.leaves(function(*x))
        return sum(np.sum(y * w.astype(y.dtype)) for y, w in zip(found, weights, strict=True))

    def both(*x: Any) -> Any:
        return function(*x), graphc.grad(total, argnums=tuple(range(len(x))))(*x)

    found, gradients = graphc.compile(both, device=device, passes=passes)(*given)
    for got, expected in zip(graphc.tree.leaves(found), want, strict=True):
        assert relative(np.asarray(got), expected) < limit, name
    directions = [np.sin(1 + np.arange(x.size)).reshape(x.shape) for x in given]
    if given[0].shape[-1] == given[0].shape[-2]:
        directions[0] = directions[0] + directions[0].T
    step = 1e-6
    ends = [total(*(x + sign * step * d for x, d in zip(wide, directions, strict=True))) for sign in (1, -1)]
    slope = sum(float(np.sum(np.asarray(g, np.float64) * d)) for g, d in zip(gradients, directions, strict=True))
    size = sum(float(np.sum(np.abs(np.asarray(g, np.float64) * d))) for g, d in zip(gradients, directions, strict=True))
    assert abs(slope - (ends[0] - ends[1]) / (2 * step)) < 1e-4 * size, name


@pytest.mark.parametrize("n", [1, 2, 33])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_and_gradients_on_numpy(name: str, n: int) -> None:
    check(name, n, "numpy")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_and_gradients_from_kernels(name: str, device: Any) -> None:
    check(name, 35, device)


@pytest.mark.slow
@pytest.mark.parametrize("passes", [(), graphc.passes.DEFAULT], ids=["unfused", "fused"])
@pytest.mark.parametrize("n", [1, 2, 3, 65, 200])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_all_sizes_from_kernels(name: str, n: int, passes: Any, device: Any) -> None:
    check(name, n, device, passes, 5e-5)


@pytest.mark.parametrize("batch", [(0,), (2, 3)])
def test_stacks(batch: tuple[int, ...], device: Any) -> None:
    a, b = positive(*batch, 3, 3), normal(*batch, 3, 2)

    def program(a: Any, b: Any) -> Any:
        u, s, vh = L.svd(b, full_matrices=False)
        return L.cholesky(a), L.solve(a, b), L.det(a), L.qr(b)[1], u * s[..., None, :] @ vh, L.eigvalsh(a), L.inv(a)

    for got, want in zip(graphc.compile(program, device=device)(a, b), program(a, b), strict=True):
        np.testing.assert_allclose(np.asarray(got), want, rtol=2e-5, atol=2e-5)


SCALES = np.array([1e-36, 1e-25, 1e-20, 1, 1e20, 1e36], np.float32)


def test_matrices_of_any_scale(device: Any) -> None:
    """Where squares of elements are 0 or infinite, and what is left of them denormal, which drivers may take for 0; in
    the last two, within a matrix too."""
    a = normal(4, 3) * SCALES[:, None, None]
    columns = normal(4, 3) * np.array([1e-25, 1, 1e25], np.float32)
    rows = np.diag(np.array([1, 1e-25, 1e5], np.float32))
    b = normal(4)
    symmetric = np.broadcast_to(positive(4, 4), (6, 4, 4)) * SCALES[:, None, None] + np.triu(normal(4, 4), 1)

    def program(a: Any, columns: Any, rows: Any, symmetric: Any) -> Any:
        (u, s, vh), q = L.svd(a, full_matrices=False), L.qr(columns)
        values, vectors = L.eigh(symmetric)  # of the lower triangle: what stands above it counts for nothing
        solved = [L.lstsq(a[n], b)[0] for n in (1, 4)]
        whole = (u * (s / s[:, :1])[:, None, :]) @ vh
        parts = (values[..., None], vectors**2, L.svdvals(rows))
        return *L.qr(a), *q, s[..., None], whole, L.matrix_rank(a), L.pinv(a), *solved, *parts

    found = graphc.compile(program, device=device)(a, columns, rows, symmetric)
    want = program(*(x.astype(np.float64) for x in (a, columns, rows, symmetric)))
    for got, known in zip(found, want, strict=True):
        along: Any = {1: (), 2: -2, 3: (-2, -1)}[known.ndim]
        size = np.max(np.abs(known), axis=along, keepdims=True)
        np.testing.assert_allclose(np.asarray(got) / size, known / size, atol=5e-6)


def test_gradients_of_matrices_of_any_scale() -> None:
    def loss(a: Any) -> Any:  # the same at each scale
        (u, s, vh), (q, r) = L.svd(a, full_matrices=False), L.qr(a)
        return np.sum(np.sin(u[0] * vh[1])) + np.sum(np.sin(q)) + s[0] / s[1] + r[0, 1] / r[0, 0]

    a = normal(4, 3)
    gradient = graphc.compile(graphc.vmap(graphc.grad(loss)), device="numpy")
    scales = SCALES[1:-1]
    found = np.asarray(gradient(a * scales[:, None, None])) * scales[:, None, None]
    np.testing.assert_allclose(found, np.broadcast_to(found[2], found.shape), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("shape", [(2, 0), (0, 2), (3, 2, 0)])
def test_what_completes_a_matrix_without_elements_is_the_identity(shape: tuple[int, ...], device: Any) -> None:
    def program(a: Any) -> Any:
        return *L.qr(a, "complete"), *L.svd(a)

    a = np.zeros(shape, np.float32)
    for got, want in zip(graphc.compile(program, device=device)(a), program(a), strict=True):
        np.testing.assert_array_equal(np.asarray(got), want)


def test_what_has_no_result_is_nan_or_infinite(device: Any) -> None:
    a = np.stack([positive(4, 4), -positive(4, 4), positive(4, 4), np.zeros((4, 4), np.float32)])
    a[2, 3, 1] = np.nan
    known = np.array([True, False, False, False])
    found = graphc.compile(L.cholesky, device=device)(a)
    np.testing.assert_array_equal(np.isfinite(np.asarray(found)).all((1, 2)), known)
    np.testing.assert_array_equal(np.isnan(np.asarray(found)).all((1, 2)), ~known)
    inverse, det, (values, _), singular = graphc.compile(
        lambda a: (L.inv(a), L.det(a), L.eigh(a), L.svdvals(a)), device=device
    )(a)
    np.testing.assert_array_equal(np.isfinite(np.asarray(inverse)).all((1, 2)), [True, True, False, False])
    np.testing.assert_array_equal(np.isfinite(np.asarray(det)), [True, True, False, True])
    np.testing.assert_array_equal(np.isfinite(np.asarray(values)).all(1), [True, True, False, True])
    np.testing.assert_array_equal(np.isfinite(np.asarray(singular)).all(1), [True, True, False, True])
    assert float(det[3]) == 0


def test_deficient_ranks(device: Any) -> None:
    a = normal(7, 2) @ normal(2, 5)
    b = normal(7, 3)
    u, s, vh = np.linalg.svd(a.astype(np.float64))
    known = (vh[:2].T / s[:2]) @ u[:, :2].T

    def program(a: Any, b: Any) -> Any:
        whole = L.svd(a)
        return L.pinv(a), L.lstsq(a, b)[0], L.matrix_rank(a), L.svd(a, full_matrices=False)[0], whole[0], whole[2]

    inverse, solved, rank, left, left_whole, right_whole = map(np.asarray, graphc.compile(program, device=device)(a, b))
    assert rank == 2
    assert relative(inverse, known) < 2e-5
    assert relative(solved, known @ b) < 2e-5
    for vectors in (left, left_whole, right_whole.T):  # whole bases, though there are but two singular values
        np.testing.assert_allclose(vectors.T @ vectors, np.eye(vectors.shape[1]), atol=3e-6)


def test_equal_values_have_a_gradient() -> None:
    a = np.eye(4, dtype=np.float32) * 2

    def loss(a: Any) -> Any:
        return np.sum(L.svdvals(a)) + np.sum(L.eigvalsh(a)) + np.sum(L.pinv(a) * np.eye(4, dtype=np.float32))

    found = graphc.compile(graphc.grad(loss), device="numpy")(a)
    np.testing.assert_allclose(np.asarray(found), np.eye(4) * (1 + 1 - 0.25), atol=1e-6)


READ: tuple[tuple[Callable[[Any], Any], bool], ...] = (
    (L.cholesky, True),
    (lambda a: L.cholesky(a, upper=True), False),
    (L.eigvalsh, True),
    (lambda a: L.eigh(a, "U")[1] ** 2, False),
    (lambda a: L.svd(a, hermitian=True)[1], True),
    (lambda a: L.pinv(a, hermitian=True), True),
    (lambda a: L.matrix_rank(a, hermitian=True), True),
)


def with_other(a: np.ndarray, lower: bool) -> np.ndarray:
    """A symmetric matrix once for each thing that its other triangle may hold."""
    other = np.array([1, 1e8, np.inf, np.nan], np.float32)[:, None, None]
    return np.where(np.tri(len(a), dtype=bool) if lower else np.tri(len(a), dtype=bool).T, a, other)


def test_only_the_triangle_that_numpy_reads_counts(device: Any) -> None:
    a = positive(4, 4)
    program = graphc.compile(lambda low, high: [f(low if lower else high) for f, lower in READ], device=device)
    found = program(with_other(a, True), with_other(a, False))
    for got, (function, _) in zip(found, READ, strict=True):
        for one in np.asarray(got):
            np.testing.assert_allclose(one, function(a), atol=1e-5)


@pytest.mark.parametrize(("function", "lower"), READ[:-1])
def test_each_triangle_has_half_of_the_gradient_whatever_the_other_one_holds(
    function: Callable[[Any], Any], lower: bool
) -> None:
    a = positive(4, 4)
    weights = np.cos(np.arange(function(a).size)).reshape(function(a).shape).astype(np.float32)
    gradient = graphc.compile(graphc.vmap(graphc.grad(lambda a: np.sum(function(a) * weights))), device="numpy")
    found, (want,) = np.asarray(gradient(with_other(a, lower))), np.asarray(gradient(a[None]))
    np.testing.assert_allclose(want, want.T, atol=1e-6)
    for one in found:
        np.testing.assert_allclose(one, want, atol=1e-5)


def test_a_gradient_of_a_gradient() -> None:
    a, d = positive(3, 3).astype(np.float64), positive(3, 3).astype(np.float64)

    def slope(a: Any) -> Any:
        return np.sum(graphc.grad(lambda x: np.sum(np.sin(L.inv(x))) + L.slogdet(x)[1] + np.sum(L.cholesky(x)))(a) * d)

    found = np.sum(np.asarray(graphc.compile(graphc.grad(slope), device="numpy")(a.astype(np.float32))) * d)
    first = graphc.compile(slope, device="numpy")
    ends = [float(first((a + s * 1e-2 * d).astype(np.float32))) for s in (1, -1)]
    assert abs(found - (ends[0] - ends[1]) / 2e-2) < 2e-2 * abs(found)


def test_everything_else_of_linalg() -> None:
    a, s, v = normal(4, 3), positive(4, 4), normal(7)

    def program(a: Any, s: Any, v: Any) -> Any:
        return [
            L.norm(a, 2), L.norm(a, -2), L.norm(a, "nuc"), L.matrix_norm(a, ord=2, keepdims=True),
            L.cond(s), L.cond(s, 1), L.cond(s, -2), L.matrix_power(s, -2), L.matrix_power(s, 0), L.matrix_rank(a),
            L.tensorsolve(np.reshape(s, (2, 2, 4)), np.reshape(a[:, 0], (2, 2))), L.cholesky(s, upper=True),
            L.tensorinv(np.reshape(s, (4, 2, 2)), 1), L.svd(s, compute_uv=False), L.lstsq(a, s[0])[1],
            L.qr(a, "r"), L.slogdet(-a[:3])[0], L.pinv(s, hermitian=True),
            np.polyfit(np.arange(7.0), v, 2), np.polyfit(v, np.arange(7.0), 1, w=np.arange(1.0, 8)),
            np.polyfit(np.arange(7.0), v, np.array([0, 2])) if hasattr(v, "value") else np.zeros(3),
        ]  # fmt: skip

    found = graphc.compile(program, device="numpy")(a, s, v)
    for n, (got, want) in enumerate(zip(found[:-1], program(a, s, v)[:-1], strict=True)):
        assert np.shape(got) == np.shape(want), n
        assert np.allclose(np.asarray(got), want, rtol=2e-4, atol=2e-5), n
    left = np.stack([np.ones(7), np.arange(7.0) ** 2], 1)
    assert np.allclose(found[-1], np.insert(L.lstsq(left, v)[0][::-1], 1, 0), atol=1e-5)


@pytest.mark.parametrize("dtype", [np.int32, np.uint32, np.bool_, np.float16, np.float32])
@pytest.mark.parametrize("n", [0, 1, 3])
def test_a_power_has_the_element_type_of_its_matrix(n: int, dtype: Any) -> None:
    a = np.broadcast_to(np.array([[1, 1], [0, 1]], dtype), (3, 2, 2))
    found = graphc.compile(lambda a: L.matrix_power(a, n), device="numpy")(a)
    assert found.dtype == a.dtype
    np.testing.assert_array_equal(np.asarray(found), L.matrix_power(a, n))


@pytest.mark.parametrize(
    ("text", "function"),
    [
        ("needs square matrices", lambda x: L.matrix_power(x, 1)),
        ("needs square matrices", lambda x: L.inv(x)),
        ("2 axes or more", lambda x: L.det(x[0])),
        ("as many rows", lambda x: L.solve(x[:, :3], x[:2])),
        ("as many rows", lambda x: L.lstsq(x, x[:2])),
    ],
)
def test_what_does_not_fit_raises(text: str, function: Callable[..., Any]) -> None:
    with pytest.raises(graphc.ShapeError, match=text):
        graphc.compile(function, device="numpy")(normal(3, 4))


def test_columns_that_complete_have_no_gradient() -> None:
    with pytest.raises(graphc.TraceError, match="no gradient"):
        graphc.grad(lambda x: np.sum(L.qr(x, "complete")[0]))(normal(4, 2))


def test_the_gradient_of_qr_does_not_cancel_before_it_is_divided() -> None:
    q, r = L.qr(normal(4, 4).astype(np.float64))
    r[-1, -1] = 1e-4
    r = r.astype(np.float32).astype(np.float64)
    to_q, to_r = normal(2, 4, 4).astype(np.float64)
    inner = np.tril(r @ np.triu(to_r).T - to_q.T @ q)
    want = L.solve(r, (to_q + q @ (inner + np.tril(inner, -1).T)).T).T

    def gradient(to_q: Any, to_r: Any, q: Any, r: Any) -> Any:
        rule: Any = decompose.qr.vjp
        return rule((to_q, to_r), (q, r), q @ r, complete=False)[0]

    narrow = (x.astype(np.float32) for x in (to_q, to_r, q, r))
    assert relative(np.asarray(graphc.compile(gradient, device="numpy")(*narrow)), want) < 5e-6


def test_vmap_is_a_stack() -> None:
    a, b = positive(4, 3, 3), normal(3, 2)

    def one(a: Any, b: Any) -> Any:
        return L.solve(a, b), L.qr(b)[1], L.eigvalsh(a), L.cholesky(a), L.svdvals(a)

    found = graphc.compile(graphc.vmap(one, in_axes=(0, None)), device="numpy")(a, b)
    for n in range(4):
        for got, want in zip(found, one(a[n], b), strict=True):
            np.testing.assert_allclose(np.asarray(got)[n], want, rtol=1e-5, atol=1e-6)
