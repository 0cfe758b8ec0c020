"""The extension linalg."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.array_api.functions import tensordot, vecdot

__all__ = [
    "cholesky", "cross", "det", "diagonal", "eigh", "eigvalsh", "inv", "matmul", "matrix_norm", "matrix_power",
    "matrix_rank", "matrix_transpose", "outer", "pinv", "qr", "slogdet", "solve", "svd", "svdvals", "tensordot",
    "trace", "vecdot", "vector_norm",
]  # fmt: skip

det = np.linalg.det
eigh = np.linalg.eigh
eigvalsh = np.linalg.eigvalsh
inv = np.linalg.inv
matmul = np.matmul
matrix_norm = np.linalg.matrix_norm
matrix_power = np.linalg.matrix_power
matrix_transpose = np.matrix_transpose
slogdet = np.linalg.slogdet
solve = np.linalg.solve
vector_norm = np.linalg.vector_norm


def cholesky(x: Any, /, *, upper: bool = False) -> Any:
    """The triangular factor of positive definite matrices."""
    lower = np.linalg.cholesky(x)
    return np.matrix_transpose(lower) if upper else lower


def cross(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    """Cross products of vectors of three elements."""
    return np.cross(x1, x2, axis=axis)


def diagonal(x: Any, /, *, offset: int = 0) -> Any:
    """Diagonals of matrices."""
    return np.diagonal(x, offset, -2, -1)


def matrix_rank(x: Any, /, *, rtol: Any = None) -> Any:
    """How many singular values are greater than `rtol` times the largest."""
    values = svdvals(x)
    largest = np.max(values, axis=-1, keepdims=True, initial=0)
    return np.sum(values > largest * _relative(x, rtol), axis=-1)


def outer(x1: Any, x2: Any, /) -> Any:
    """All products of two vectors."""
    return np.multiply(x1[:, None], x2[None, :])


def pinv(x: Any, /, *, rtol: Any = None) -> Any:
    """The pseudo-inverse: singular values below `rtol` times the largest count as 0."""
    u, s, vh = svd(x, full_matrices=False)
    largest = np.max(s, axis=-1, keepdims=True, initial=0)
    used = s > largest * _relative(x, rtol)
    inverse = np.where(used, 1 / np.where(used, s, 1), 0).astype(s.dtype)
    return np.matmul(np.matrix_transpose(vh) * inverse[..., None, :], np.matrix_transpose(u))


def _relative(x: Any, rtol: Any) -> Any:
    if rtol is None:
        return max(x.shape[-2:]) * float(np.finfo(x.dtype).eps)
    return rtol if np.ndim(rtol) == 0 else rtol[..., None]


def qr(x: Any, /, *, mode: str = "reduced") -> Any:
    """Orthogonal and triangular factors."""
    return np.linalg.qr(x, mode)  # type: ignore[call-overload]  # "reduced" or "complete"


def svd(x: Any, /, *, full_matrices: bool = True) -> Any:
    """Singular vectors and values."""
    return np.linalg.svd(x, full_matrices)


def svdvals(x: Any, /) -> Any:
    """Singular values."""
    return np.linalg.svd(x, compute_uv=False)


def trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Any:
    """Sums of diagonals."""
    return np.trace(x, offset, -2, -1, dtype)
