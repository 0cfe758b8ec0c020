"""Decompositions of matrices: Cholesky, LU, QR, eigenvalues of symmetric matrices, singular values; triangular solves.

All take stacks of matrices, [..., m, n]. A graph cannot raise: what has no result (a matrix that is not positive
definite, one that holds NaN) gives NaN, and what is divided by zero is infinite or NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from graphc.errors import DTypeError, ShapeError, TraceError
from graphc.ir.op import Case, Custom, Op, apply
from graphc.ir.types import NDArray, TensorType, i32
from graphc.ops.batching import as_before
from graphc.ops.samples import sample

BLOCK: Final = 32
"""Columns that the reference of LU takes at a time."""


def _check(a: TensorType, square: bool) -> None:
    if a.dtype.name not in ("f32", "f64"):
        raise DTypeError(f"{a}: needs float32 or float64: use astype")
    if a.ndim < 2:
        raise ShapeError(f"{a}: needs matrices, 2 axes or more")
    if square and a.shape[-1] != a.shape[-2]:
        raise ShapeError(f"{a}: needs square matrices")


def _turned(x: Any) -> Any:
    return np.swapaxes(x, -1, -2)


def _lower(x: Any) -> Any:
    """The lower triangle with half of the diagonal."""
    return (np.tril(x) + np.tril(x, -1)) * 0.5


def _of_lower(x: Any) -> Any:
    """The gradient of what is read of the lower triangle, from that of the symmetric matrix."""
    return _lower(x + _turned(x))


def _diagonal(x: Any) -> Any:
    """Matrices with the rows of x as their diagonals."""
    return np.tril(np.triu(np.broadcast_to(x[..., None, :], (*x.shape, x.shape[-1]))))


def _each(function: Callable[..., Any], *arrays: NDArray) -> Any:
    """A function of np.linalg of a stack of matrices; NaN for those that it raises LinAlgError for."""
    try:
        return function(*arrays)
    except np.linalg.LinAlgError:
        found = function(*(np.broadcast_to(np.eye(*a.shape[-2:], dtype=a.dtype), a.shape) for a in arrays))
        parts = [np.array(x) for x in (found if isinstance(found, tuple) else (found,))]
        for at in np.ndindex(*arrays[0].shape[:-2]):
            try:
                made = function(*(a[at] for a in arrays))
            except np.linalg.LinAlgError:
                made = (np.nan,) * len(parts)
            for part, x in zip(parts, made if isinstance(made, tuple) else (made,), strict=True):
                part[at] = x
        return tuple(parts) if isinstance(found, tuple) else parts[0]


# Cholesky


def _infer_cholesky(a: TensorType) -> TensorType:
    _check(a, True)
    return a


def _cholesky(a: NDArray) -> NDArray:
    return np.asarray(_each(np.linalg.cholesky, a), a.dtype)


def _cholesky_vjp(g: Any, out: Any, a: Any) -> tuple[Any]:
    inner = _lower(_turned(out) @ g)
    left = apply(triangular_solve, out, inner, lower=True, unit=False, transposed=True)
    return (_of_lower(_turned(apply(triangular_solve, out, _turned(left), lower=True, unit=False, transposed=True))),)


def positive(*shape: int, seed: int = 0) -> NDArray:
    """Symmetric positive definite matrices."""
    x = sample(*shape, seed=seed)
    return np.asarray(x @ _turned(x) + 2 * np.eye(shape[-1]), np.float32)


_SQUARES: Final = ((1, 1), (2, 2), (5, 5), (3, 4, 4), (2, 0, 3, 3), (2, 0, 0))


def _cholesky_cases() -> tuple[Case, ...]:
    found = [Case((positive(*shape),), rtol=1e-5, atol=1e-5) for shape in _SQUARES]
    return (*found, Case((positive(2, 67, 67),), rtol=1e-5, atol=1e-4, grad=False))


cholesky: Final = Op(
    "cholesky",
    _infer_cholesky,
    _cholesky,
    _cholesky_vjp,
    Custom("factor"),
    frozenset(),
    _cholesky_cases,
    "the lower triangular L with L L^T = a, which is read below its diagonal; NaN where a is not positive definite",
    batch=as_before,
)


# LU


def _infer_lu(a: TensorType) -> tuple[TensorType, TensorType]:
    _check(a, True)
    return a, TensorType(a.shape[:-1], i32)


def _lu(a: NDArray) -> tuple[NDArray, NDArray]:
    n = a.shape[-1]
    made = np.array(a.reshape(int(np.prod(a.shape[:-2])), n, n))
    order = np.tile(np.arange(n, dtype=np.int32), (len(made), 1))
    each = np.arange(len(made))
    with np.errstate(all="ignore"):
        for first in range(0, n, BLOCK):
            end = min(first + BLOCK, n)
            for j in range(first, end):
                size = np.abs(made[:, j:, j])
                pivot = j + np.argmax(np.where(np.isnan(size), -1, size), axis=1)
                for array in (made, order):
                    array[each, j], array[each, pivot] = array[each, pivot].copy(), array[each, j].copy()
                top = made[:, j, j, None]
                made[:, j + 1 :, j] = np.where(top == 0, 0, made[:, j + 1 :, j] / top)
                made[:, j + 1 :, j + 1 : end] -= made[:, j + 1 :, j, None] * made[:, j, None, j + 1 : end]
            if end < n:
                known = made[:, first:end, first:end]
                right = _triangular_solve(known, made[:, first:end, end:], lower=True, unit=True, transposed=False)
                made[:, first:end, end:] = right
                made[:, end:, end:] -= made[:, end:, first:end] @ right
    return made.reshape(a.shape), order.reshape(a.shape[:-1])


def _lu_vjp(g: Any, out: Any, a: Any) -> tuple[Any]:
    (given, _), (packed, order) = g, out
    below = np.tril(packed, -1) + np.tril(np.triu(np.ones_like(packed)))
    above = np.triu(packed)
    inner = np.tril(_turned(below) @ np.tril(given, -1), -1) + np.triu(np.triu(given) @ _turned(above))
    left = apply(triangular_solve, packed, inner, lower=True, unit=True, transposed=True)
    moved = _turned(apply(triangular_solve, packed, _turned(left), lower=False, unit=False, transposed=False))
    back = np.argsort(order, axis=-1)
    return (np.take_along_axis(moved, back[..., None], axis=-2),)


def _lu_cases() -> tuple[Case, ...]:
    found = [Case((sample(*shape, seed=3),), rtol=1e-5, atol=1e-5) for shape in _SQUARES]
    return (*found, Case((sample(2, 67, 67),), rtol=1e-4, atol=2e-4, grad=False))


lu: Final = Op(
    "lu",
    _infer_lu,
    _lu,
    _lu_vjp,
    Custom("factor"),
    frozenset({"structured"}),
    _lu_cases,
    "(L below the diagonal, whose own is 1, and U above; the order of rows), so that a[order] = L U: partial pivoting",
    batch=as_before,
)


# Triangular solves


def _infer_triangular(a: TensorType, b: TensorType, *, lower: bool, unit: bool, transposed: bool) -> TensorType:
    _check(a, True)
    _check(b, False)
    if a.dtype != b.dtype or a.shape[:-1] != b.shape[:-1]:
        raise ShapeError(f"a is {a}, b is {b}: need one element type, and shapes that differ in their last axis alone")
    return b


def _triangular_solve(a: NDArray, b: NDArray, *, lower: bool, unit: bool, transposed: bool) -> NDArray:
    a = _turned(a) if transposed else a
    n, made = a.shape[-1], np.array(b)
    down = lower != transposed
    with np.errstate(all="ignore"):
        for i in range(n) if down else reversed(range(n)):
            known = slice(0, i) if down else slice(i + 1, n)
            if known.stop > known.start:
                made[..., i, :] -= (a[..., i, None, known] @ made[..., known, :])[..., 0, :]
            if not unit:
                made[..., i, :] /= a[..., i, i, None]
    return made


def _triangular_vjp(g: Any, out: Any, a: Any, b: Any, *, lower: bool, unit: bool, transposed: bool) -> tuple[Any, Any]:
    to_b = apply(triangular_solve, a, g, lower=lower, unit=unit, transposed=not transposed)
    to_a = -(out @ _turned(to_b)) if transposed else -(to_b @ _turned(out))
    if lower:
        return np.tril(to_a, -1 if unit else 0), to_b
    return np.triu(to_a, 1 if unit else 0), to_b


def _triangular_cases() -> tuple[Case, ...]:
    found = []
    for shape, k in (((1, 1), 1), ((5, 5), 3), ((3, 4, 4), 1), ((2, 0, 3, 3), 2), ((2, 0, 0), 3), ((3, 3), 0)):
        for lower, unit, transposed in ((True, False, False), (False, True, False), (False, False, True)):
            attrs = {"lower": lower, "unit": unit, "transposed": transposed}
            matrix = sample(*shape) + np.float32(4) * np.eye(shape[-1], dtype=np.float32)
            found.append(Case((matrix, sample(*shape[:-1], k, seed=1)), attrs, rtol=1e-5, atol=1e-5))
    large = np.asarray(sample(2, 67, 67) / 67 + np.eye(67), np.float32)
    for lower in (True, False):
        attrs = {"lower": lower, "unit": False, "transposed": lower}
        found.append(Case((large, sample(2, 67, 5, seed=1)), attrs, rtol=1e-5, atol=1e-5, grad=False))
    return tuple(found)


triangular_solve: Final = Op(
    "triangular_solve",
    _infer_triangular,
    _triangular_solve,
    _triangular_vjp,
    Custom("factor"),
    frozenset(),
    _triangular_cases,
    "x with a x = b, or a^T x = b where `transposed`, for the triangle of a that `lower` says; where `unit` its "
    "diagonal counts as 1",
    batch=as_before,
)


# QR


def _infer_qr(a: TensorType, *, complete: bool) -> tuple[TensorType, TensorType]:
    _check(a, False)
    m, n = a.shape[-2:]
    k = m if complete else min(m, n)
    return TensorType((*a.shape[:-2], m, k), a.dtype), TensorType((*a.shape[:-2], k, n), a.dtype)


def _qr(a: NDArray, *, complete: bool) -> tuple[NDArray, NDArray]:
    made = np.linalg.qr(a, "complete" if complete else "reduced")
    return np.asarray(made.Q, a.dtype), np.asarray(made.R, a.dtype)


def _qr_vjp(g: Any, out: Any, a: Any, *, complete: bool) -> tuple[Any]:
    (to_q, to_r), (q, r) = g, out
    m, n = a.shape[-2:]
    if complete and m > n:
        raise TraceError(
            "qr: the columns that complete Q have no gradient: write np.linalg.qr(x), which leaves them out"
        )
    if m >= n:
        return (_tall_qr(to_q, to_r, q, r),)
    left = _tall_qr(to_q + a[..., m:] @ _turned(to_r[..., m:]), to_r[..., :m], q, r[..., :m])
    return (np.concatenate([left, q @ to_r[..., m:]], axis=-1),)


def _tall_qr(to_q: Any, to_r: Any, q: Any, r: Any) -> Any:
    """The gradient of a with q r = a, where q has no more columns than rows. What of `to_q` lies within q's columns
    counts by its skew part alone: summed with its transpose, it would have to cancel before it is divided by r."""
    own, within = r @ _turned(np.triu(to_r)), _turned(q) @ to_q
    lower = np.tril(own, -1)
    found = q @ (np.tril(own) + _turned(lower) + np.tril(within - _turned(within), -1))
    if q.shape[-2] > q.shape[-1]:
        found = found + (to_q - q @ within)
    return _turned(apply(triangular_solve, r, _turned(found), lower=False, unit=False, transposed=False))


def _qr_cases() -> tuple[Case, ...]:
    shapes = ((1, 1), (2, 2), (5, 5), (7, 3), (3, 5), (2, 4, 4), (0, 3, 2), (3, 0), (0, 3), (4, 1))
    found = [Case((sample(*shape, seed=3),), {"complete": False}, rtol=1e-5, atol=1e-5) for shape in shapes]
    found.append(Case((sample(2, 7, 3),), {"complete": True}, rtol=1e-5, atol=1e-5, grad=False))
    return (*found, Case((sample(2, 67, 35),), {"complete": False}, rtol=1e-4, atol=1e-4, grad=False))


qr: Final = Op(
    "qr",
    _infer_qr,
    _qr,
    _qr_vjp,
    Custom("factor"),
    frozenset({"structured"}),
    _qr_cases,
    "(q, r) with q r = a: q has orthonormal columns, as many as a has rows where `complete`, r is upper triangular",
    batch=as_before,
)


# Eigenvalues and singular values


def _signs(rows: NDArray) -> NDArray:
    """1 or -1 for each row: that which makes its largest element positive."""
    if not rows.shape[-1]:
        return np.ones(rows.shape[:-1], rows.dtype)
    at = np.argmax(np.abs(rows), axis=-1)[..., None]
    return np.where(np.take_along_axis(rows, at, -1)[..., 0] < 0, -1, 1).astype(rows.dtype)


def _infer_eigh(a: TensorType) -> tuple[TensorType, TensorType]:
    _check(a, True)
    return TensorType(a.shape[:-1], a.dtype), a


def _eigh(a: NDArray) -> tuple[NDArray, NDArray]:
    values, vectors = _each(np.linalg.eigh, a)
    return np.asarray(values, a.dtype), np.asarray(vectors * _signs(_turned(vectors))[..., None, :], a.dtype)


def _apart(x: Any) -> Any:
    """1 / (x[j] - x[i]) at [i, j], and 0 where both are equal."""
    rest = x[..., None, :] - x[..., :, None]
    same = rest == 0
    return np.where(same, 0, 1 / np.where(same, 1, rest))


def _eigh_vjp(g: Any, out: Any, a: Any) -> tuple[Any]:
    (to_values, to_vectors), (values, vectors) = g, out
    inner = _diagonal(to_values) + _apart(values) * (_turned(vectors) @ to_vectors)
    return (_of_lower(vectors @ inner @ _turned(vectors)),)


def symmetric(*shape: int, seed: int = 0) -> NDArray:
    """Symmetric matrices."""
    x = sample(*shape, seed=seed)
    return np.asarray(x + _turned(x), np.float32)


def _eigh_cases() -> tuple[Case, ...]:
    found = [Case((symmetric(*shape, seed=2),), rtol=2e-5, atol=2e-5) for shape in _SQUARES]
    # Eigenvalues far apart from each other, so that vectors are sharp.
    large = np.asarray(symmetric(33, 33) * 0.3 + np.diag(np.arange(33.0) ** 2), np.float32)
    return (*found, Case((large,), rtol=1e-4, atol=1e-3, grad=False))


eigh: Final = Op(
    "eigh",
    _infer_eigh,
    _eigh,
    _eigh_vjp,
    Custom("factor"),
    frozenset({"structured"}),
    _eigh_cases,
    "(eigenvalues, growing; eigenvectors, the columns of a matrix, their largest element positive) of symmetric "
    "matrices, which are read below their diagonal; equal eigenvalues give no gradient to each other's vectors",
    batch=as_before,
)


def _infer_svd(a: TensorType) -> tuple[TensorType, TensorType, TensorType]:
    _check(a, False)
    m, n = a.shape[-2:]
    k, batch = min(m, n), a.shape[:-2]
    made = ((*batch, m, k), (*batch, k), (*batch, k, n))
    first, second, third = (TensorType(shape, a.dtype) for shape in made)
    return first, second, third


def _svd(a: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    u, s, vh = _each(lambda x: tuple(np.linalg.svd(x, full_matrices=False)), a)
    signs = _signs(vh) if a.shape[-2] >= a.shape[-1] else _signs(_turned(u))
    u, vh = u * signs[..., None, :], vh * signs[..., :, None]
    return np.asarray(u, a.dtype), np.asarray(s, a.dtype), np.asarray(vh, a.dtype)


def _svd_vjp(g: Any, out: Any, a: Any) -> tuple[Any]:
    (to_u, to_s, to_vh), (u, s, vh) = g, out
    v, to_v, (m, n) = _turned(vh), _turned(to_vh), a.shape[-2:]
    # s[j] / (s[j]^2 - s[i]^2) as a product of numbers of the size of 1 and of 1 / s, which loses no digits.
    total = s[..., None, :] + s[..., :, None]
    total = np.where(total == 0, 1, total)
    inner_u, inner_v = _turned(u) @ to_u, vh @ to_v
    inner = _apart(s) * (
        (inner_u - _turned(inner_u)) * (s[..., None, :] / total)
        + (s[..., :, None] / total) * (inner_v - _turned(inner_v))
    )
    made = u @ (inner + _diagonal(to_s)) @ vh
    inverse = np.where(s == 0, 0, 1 / np.where(s == 0, 1, s))
    if m > n:
        made = made + ((to_u - u @ (_turned(u) @ to_u)) * inverse[..., None, :]) @ vh
    if n > m:
        made = made + (u * inverse[..., None, :]) @ _turned(to_v - v @ (vh @ to_v))
    return (made,)


def _svd_cases() -> tuple[Case, ...]:
    shapes = ((1, 1), (2, 2), (4, 4), (6, 3), (3, 5), (2, 3, 4), (0, 3, 2), (3, 0), (0, 3), (1, 4))
    found = [Case((sample(*shape, seed=5),), rtol=2e-5, atol=2e-5) for shape in shapes]
    spread = np.asarray(sample(35, 33) * 0.1 + np.eye(35, 33) * (1 + np.arange(33.0)), np.float32)
    return (*found, Case((spread,), rtol=1e-4, atol=5e-4, grad=False))


svd: Final = Op(
    "svd",
    _infer_svd,
    _svd,
    _svd_vjp,
    Custom("factor"),
    frozenset({"structured"}),
    _svd_cases,
    "(u, s, vh) with u diag(s) vh = a, reduced: s falls, and the largest element of each row of vh (of each column of "
    "u where a has fewer rows than columns) is positive; equal values give no gradient to each other's vectors",
    batch=as_before,
)
