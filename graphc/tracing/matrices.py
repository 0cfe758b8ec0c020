"""np.linalg: decompositions, solvers and what is made of them.

A graph cannot raise LinAlgError: a matrix without a result gives NaN (one that is not positive definite, one that holds
NaN), a singular one infinite numbers or NaN. Only the triangle that NumPy reads of a symmetric matrix counts; the
gradient is that of a symmetric one, half of it in each triangle.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from graphc.errors import ArgumentError, ShapeError, TraceError
from graphc.ir.types import Shape, broadcast_shapes
from graphc.tracing import products
from graphc.tracing.core import emit, emit_all, is_tracer, located, owner
from graphc.tracing.promote import cast, common_dtype, converted, inexact
from graphc.tracing.reductions import traced
from graphc.tracing.rules import with_gradient
from graphc.tracing.shaping import ints
from graphc.tracing.tracer import Tracer

_EYE: Final = np.eye(1)
_QR: Final[Any] = type(np.linalg.qr(_EYE))
_EIGH: Final[Any] = type(np.linalg.eigh(_EYE))
_SVD: Final[Any] = type(np.linalg.svd(_EYE))
_SLOGDET: Final[Any] = type(np.linalg.slogdet(_EYE))


def _stack(a: Any, square: bool) -> Any:
    """An operand as a stack of matrices."""
    x = traced(a)
    if x.ndim < 2:
        raise ShapeError(f"{x.value.type}: needs matrices, 2 axes or more")
    if square and x.shape[-1] != x.shape[-2]:
        raise ShapeError(f"{x.value.type}: needs square matrices")
    return x


def _matrices(a: Any, square: bool = False) -> Any:
    """An operand as a stack of matrices of floats."""
    x = _stack(a, square)
    return cast(x, inexact(x.value.type.dtype)).as_strong()


def _turned(x: Any) -> Any:
    return np.swapaxes(x, -1, -2)


def _symmetric(a: Any, lower: bool) -> Any:
    """The symmetric matrix of a triangle of `a`, whatever the other one holds; half of the gradient goes to each."""

    def mirrored(a: Any) -> Any:
        return np.tril(a) + _turned(np.tril(a, -1)) if lower else np.triu(a) + _turned(np.triu(a, 1))

    def backward(made: Any, a: Any, g: Any) -> Any:
        return (g + _turned(g)) * 0.5

    return with_gradient("symmetric", mirrored, lambda a: (mirrored(a), a), backward, _matrices(a, square=True))


def cholesky(a: Any, /, *, upper: bool = False) -> Any:
    """np.linalg.cholesky; NaN for a matrix that is not positive definite."""
    made: Any = emit("cholesky", _symmetric(a, not upper))
    diagonal = np.diagonal(made, axis1=-2, axis2=-1)
    known = np.all(emit("gt", traced(diagonal), traced(np.zeros_like(diagonal))), axis=-1)
    made = np.where(known[..., None, None], made, np.nan)
    return _turned(made) if upper else made


def triangular(a: Any, b: Any, lower: bool, unit: bool = False, transposed: bool = False) -> Any:
    """x with a x = b for a triangular matrix; stacks of matrices broadcast."""
    x, y = traced(a), traced(b)
    batch = broadcast_shapes(x.shape[:-2], y.shape[:-2])
    return emit(
        "triangular_solve",
        _spread(x, (*batch, *x.shape[-2:])),
        _spread(y, (*batch, *y.shape[-2:])),
        lower=lower,
        unit=unit,
        transposed=transposed,
    )


def check_triangular(a: Shape, b: Shape) -> None:
    """Raise ShapeError unless these are the shapes of square matrices and of as many rows."""
    if len(a) < 2 or a[-1] != a[-2]:
        raise located(ShapeError(f"solve_triangular: a is {list(a)}: needs square matrices"))
    if len(b) < 2 or b[-2] != a[-1]:
        raise located(ShapeError(f"solve_triangular: a is {list(a)}, b is {list(b)}: need as many rows of both"))


def solve_triangular(a: Any, b: Any, lower: bool, unit: bool, transposed: bool) -> Any:
    """graphc.solve_triangular."""
    x, y = _pair(a, b)
    rows: Any = y[:, None] if y.ndim == 1 else y
    check_triangular(x.shape, rows.shape)
    made: Any = triangular(x, rows, lower, unit, transposed)
    return made[..., 0] if y.ndim == 1 else made


def _spread(x: Tracer, shape: Shape) -> Tracer:
    return x if x.shape == shape else emit("broadcast_to", x, shape=shape)


def _solved(x: Any, y: Any) -> Any:
    """Solutions of square systems; both are stacks of matrices."""
    if x.shape[-1] != y.shape[-2]:
        raise ShapeError(f"a is {x.value.type}, b is {y.value.type}: need as many rows of both")
    packed, order = emit_all("lu", x)
    batch = broadcast_shapes(x.shape[:-2], y.shape[:-2])
    rows: Any = _spread(order, (*batch, order.shape[-1]))
    given: Any = _spread(y, (*batch, *y.shape[-2:]))
    moved: Any = np.take_along_axis(given, rows[..., None], axis=-2)
    return triangular(packed, triangular(packed, moved, True, unit=True), False)


def _pair(a: Any, b: Any) -> tuple[Any, Any]:
    trace = owner((a, b))
    dtype = inexact(common_dtype((a, b)))
    return converted(trace, a, dtype).as_strong(), converted(trace, b, dtype).as_strong()


def solve(a: Any, b: Any) -> Any:
    """np.linalg.solve; infinite or NaN where a is singular."""
    x, y = _pair(a, b)
    _matrices(x, square=True)
    if y.ndim == 1:
        return _solved(x, y[:, None])[..., 0]
    if not y.ndim:
        raise ShapeError("b is a number: needs a vector or matrices")
    return _solved(x, y)


def inv(a: Any) -> Any:
    """np.linalg.inv; infinite or NaN for a singular matrix."""
    x = _matrices(a, square=True)
    return _solved(x, traced(np.eye(x.shape[-1], dtype=x.dtype)))


def _factored(a: Any) -> tuple[Any, Any]:
    """The diagonal of U, and the sign of the order of rows."""
    x = _matrices(a, square=True)
    packed, order = emit_all("lu", x)
    rows: Any = order
    # Pairs of rows that stand the wrong way round.
    turned = np.triu(emit("gt", rows[..., :, None], rows[..., None, :]).astype(np.int32), 1)
    odd = np.sum(turned, axis=(-2, -1)) % 2
    return np.diagonal(packed, axis1=-2, axis2=-1), (1 - 2 * odd).astype(x.dtype)


def det(a: Any) -> Any:
    """np.linalg.det. The gradient is that of the polynomial that it is, at singular matrices too."""

    def value(a: Any) -> Any:
        diagonal, sign = _factored(a)
        return np.prod(diagonal, axis=-1) * sign

    x = _matrices(a, square=True)
    if not x.shape[-1]:
        return np.ones(x.shape[:-2], x.dtype)
    return with_gradient(
        "det", value, lambda a: (value(a), a), lambda made, a, g: g[..., None, None] * _cofactors(a), x
    )


def _cofactors(a: Any) -> Any:
    """The matrix of the derivatives of a determinant, by singular values, of which none divides."""

    def parts(a: Any) -> tuple[Any, Any, Any, Any]:
        u, s, vh = _svd(a)
        diagonal, sign = _factored(u @ vh)
        return u, s, vh, (sign * np.prod(np.sign(diagonal), axis=-1))[..., None, None]

    def by_values(a: Any) -> Any:
        u, s, vh, sign = parts(a)
        return (u * _others(s)[..., None, :]) @ vh * sign

    def backward(made: Any, a: Any, g: Any) -> Any:
        # The second derivative of a determinant, which is symmetric: what it makes of g.
        u, s, vh, sign = parts(a)
        inner = _turned(u) @ g @ _turned(vh)
        pairs = _other_pairs(s)
        diagonal = np.diagonal(inner, axis1=-2, axis2=-1)
        eye = np.eye(s.shape[-1], dtype=a.dtype)
        mixed = eye * np.sum(pairs * diagonal[..., None, :], axis=-1)[..., None] - pairs * _turned(inner)
        return u @ mixed @ vh * sign

    return with_gradient("cofactors", by_values, lambda a: (_cofactors(a), a), backward, a)


def _before(s: Any) -> Any:
    """The products of the elements before each one along the last axis."""
    return np.cumprod(np.concatenate([np.ones_like(s[..., :1]), s[..., :-1]], axis=-1), axis=-1)


def _others(s: Any) -> Any:
    """The products of all other elements along the last axis."""
    return _before(s) * _before(s[..., ::-1])[..., ::-1]


def _other_pairs(s: Any) -> Any:
    """[..., n, n]: the products of all elements but two, and 0 on the diagonal."""
    n = s.shape[-1]
    above = np.triu(np.ones((n, n), bool), 1)
    between = _before(np.where(above, s[..., None, :], 1))
    outside = _before(s)[..., :, None] * _before(s[..., ::-1])[..., ::-1][..., None, :]
    found = np.where(above, between * outside, 0)
    return found + _turned(found)


def slogdet(a: Any) -> Any:
    """np.linalg.slogdet."""
    diagonal, sign = _factored(a)
    sign = sign * np.prod(np.sign(diagonal), axis=-1)
    return _SLOGDET(sign, np.sum(np.log(np.abs(diagonal)), axis=-1))


def qr(a: Any, mode: str = "reduced") -> Any:
    """np.linalg.qr."""
    if mode not in ("reduced", "complete", "r"):
        raise TraceError(f"mode {mode!r} cannot be traced: write 'reduced', 'complete' or 'r'")
    q, r = emit_all("qr", _matrices(a), complete=mode == "complete")
    return r if mode == "r" else _QR(q, r)


def _svd(a: Any) -> tuple[Any, Any, Any]:
    u, s, vh = emit_all("svd", _matrices(a))
    return u, s, vh


def svd(a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False) -> Any:
    """np.linalg.svd; the vectors that complete a square matrix are made by a QR decomposition, and have no gradient."""
    x = _symmetric(a, True) if hermitian else _matrices(a)
    u, s, vh = _svd(x)
    if not compute_uv:
        return s
    m, n = x.shape[-2:]
    if full_matrices and m > n:
        u = np.concatenate([u, emit_all("qr", u, complete=True)[0][..., n:]], axis=-1)
    if full_matrices and n > m:
        vh = np.concatenate([vh, _turned(emit_all("qr", traced(_turned(vh)), complete=True)[0])[..., m:, :]], axis=-2)
    return _SVD(u, s, vh)


def svdvals(x: Any, /) -> Any:
    """np.linalg.svdvals."""
    return _svd(x)[1]


def eigh(a: Any, UPLO: str = "L") -> Any:
    """np.linalg.eigh."""
    if UPLO.upper() not in ("L", "U"):
        raise ShapeError(f"UPLO is {UPLO!r}: it must be 'L' or 'U'")
    values, vectors = emit_all("eigh", _symmetric(a, UPLO.upper() == "L"))
    return _EIGH(values, vectors)


def eigvalsh(a: Any, UPLO: str = "L") -> Any:
    """np.linalg.eigvalsh."""
    return eigh(a, UPLO)[0]


def _least(x: Any, rcond: Any) -> float:
    """The share of the largest singular value below which one counts as 0."""
    return float(max(x.shape[-2:], default=0) * np.finfo(x.dtype).eps if rcond is None else rcond)


def _kept(s: Any, share: float) -> Any:
    """Which singular values count."""
    large = np.max(s, axis=-1, keepdims=True) if s.shape[-1] else s
    return s > large * share


def _inverse(x: Tracer, share: float) -> Any:
    """The pseudo-inverse of matrices of any rank, with the gradient that it has as long as the rank stays."""

    def by_values(a: Any) -> Any:
        u, s, vh = _svd(a)
        kept = _kept(s, share)
        return (_turned(vh) * np.where(kept, 1 / np.where(kept, s, 1), 0)[..., None, :]) @ _turned(u)

    def forward(a: Any) -> Any:
        return _inverse(a, share), a

    def backward(made: Any, a: Any, g: Any) -> Any:
        out, over = _turned(made), _turned(g)
        rest = over @ made @ out  # of the columns of a that are none of its own, and of its rows
        other = out @ made @ over
        return rest - a @ (made @ rest) + other - (other @ made) @ a - out @ g @ out

    return with_gradient("pinv", by_values, forward, backward, x)


def _least_squares(x: Any, y: Any, share: float) -> tuple[Any, Any, Any]:
    """The shortest y' that brings x y' nearest to y, the rank of x, and its singular values.

    Of full rank: by QR, whose gradient is exact where singular values are equal too. Else: by singular values.
    """
    m, n = x.shape[-2:]
    s = _svd(x)[1]
    rank = np.sum(_kept(s, share), axis=-1)
    full = (rank == min(m, n))[..., None, None]
    shortest = _inverse(x, share) @ y
    # What is not of full rank has no part in what is found by QR, nor in its gradient.
    sound: Any = np.where(full, x, np.eye(m, n, dtype=x.dtype))
    if m >= n:
        q, r = emit_all("qr", sound, complete=False)
        found = triangular(r, _turned(q) @ y, False)
    else:
        q, r = emit_all("qr", traced(_turned(sound)), complete=False)
        found = q @ triangular(r, y, False, transposed=True)
    return np.where(full, found, shortest), rank, s


def _sensible(share: float, dtype: Any) -> float:
    """A share as LAPACK takes it: the precision in the place of one that leaves all singular values in, or none."""
    return share if 0 < share < 1 else float(np.finfo(dtype).eps)


def lstsq(a: Any, b: Any, rcond: Any = None) -> Any:
    """np.linalg.lstsq. The sums of squared residuals are those of a matrix of full rank: none where m <= n."""
    x, y = _pair(a, b)
    if x.ndim != 2 or y.ndim not in (1, 2) or x.shape[0] != y.shape[0]:
        raise ShapeError(
            f"a is {x.value.type}, b is {y.value.type}: needs a matrix, and one of as many rows or a vector"
        )
    m, n = x.shape
    rows = y if y.ndim == 2 else y[:, None]
    share = _sensible(_least(x, rcond), x.dtype)
    found, rank, s = _least_squares(x, rows, share)
    apart = rows - x @ found
    rest = np.sum(apart * apart, axis=0) if m > n else np.zeros(0, x.dtype)
    return (found if y.ndim == 2 else found[:, 0]), rest, rank, s


def pinv(a: Any, rcond: Any = None, hermitian: bool = False, *, rtol: Any = None) -> Any:
    """np.linalg.pinv. Without rcond, singular values count as 0 that are so to the digits of the element type."""
    x = _symmetric(a, True) if hermitian else _matrices(a)
    share = _least(x, rtol if rcond in (None, 1e-15) else rcond)
    return _least_squares(x, traced(np.eye(x.shape[-2], dtype=x.dtype)), share)[0]


def matrix_rank(A: Any, tol: Any = None, hermitian: bool = False, *, rtol: Any = None) -> Any:
    """np.linalg.matrix_rank."""
    x = traced(A)
    if x.ndim < 2:
        return np.any(emit("ne", x, traced(np.zeros_like(x)))).astype(np.int64)
    x = _symmetric(A, True) if hermitian else _matrices(A)
    s = _svd(x)[1]
    if not s.shape[-1]:
        return np.zeros(s.shape[:-1], np.int64)
    least = np.asarray(tol)[..., None] if tol is not None else np.max(s, axis=-1, keepdims=True) * _least(x, rtol)
    return np.sum(s > least, axis=-1).astype(np.int64)


def matrix_power(a: Any, n: int) -> Any:
    """np.linalg.matrix_power, of negative powers too; raises TraceError for what is no integer."""
    (n,) = ints(n, "matrix_power: n")
    x = _stack(a, square=True)
    if n == 0:
        return np.broadcast_to(np.eye(x.shape[-1], dtype=x.dtype), x.shape)
    return products.matrix_power(x if n > 0 else inv(x), abs(n))


def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """np.linalg.norm: those of singular values here, all others in `products`."""
    t: Any = traced(x)
    two = axis if axis is not None else (0, 1) if t.ndim == 2 else None
    if not (isinstance(two, tuple) and len(two) == 2 and ord in (2, -2, "nuc")):
        return products.norm(x, ord, axis, keepdims)
    s = _svd(np.moveaxis(t, two, (-2, -1)))[1]
    added = ord == "nuc" or (ord == 2 and not s.shape[-1])  # the greatest of none is 0, as their sum
    made: Any = np.sum(s, axis=-1) if added else np.max(s, axis=-1) if ord == 2 else np.min(s, axis=-1)
    return np.expand_dims(made, tuple(i % t.ndim for i in two)) if keepdims else made


def cond(x: Any, p: Any = None) -> Any:
    """np.linalg.cond."""
    t = _matrices(x)
    if not t.size:
        raise ShapeError(f"{t.value.type} has no elements, so it has no condition number")
    if p in (None, 2, -2):
        s = _svd(t)[1]
        found = s[..., 0] / s[..., -1] if p != -2 else s[..., -1] / s[..., 0]
    else:
        found = norm(t, p, (-2, -1)) * norm(inv(t), p, (-2, -1))
    # A singular matrix has an infinite one: 0 / 0 says as much, unless there was NaN before.
    return np.where(np.isnan(found) & ~np.any(np.isnan(t), axis=(-2, -1)), np.inf, found)


def tensorsolve(a: Any, b: Any, axes: Any = None) -> Any:
    """np.linalg.tensorsolve."""
    x, y = _pair(a, b)
    if axes is not None:
        x = np.moveaxis(x, axes, tuple(range(x.ndim - len(axes), x.ndim)))
    left = x.shape[y.ndim - x.ndim :] if x.ndim > y.ndim else ()
    return np.reshape(solve(np.reshape(x, (y.size, math.prod(left))), np.reshape(y, (-1,))), left)


def tensorinv(a: Any, ind: int = 2) -> Any:
    """np.linalg.tensorinv."""
    x = traced(a)
    if ind <= 0:
        raise ArgumentError(f"ind is {ind}: it must be 1 or more")
    rows, rest = x.shape[:ind], x.shape[ind:]
    return np.reshape(inv(np.reshape(x, (math.prod(rows), math.prod(rest)))), (*rest, *rows))


def polyfit(x: Any, y: Any, deg: Any, rcond: Any = None, full: bool = False, w: Any = None, cov: Any = False) -> Any:
    """np.polyfit: the coefficients."""
    if full or cov:
        raise TraceError(
            "full= and cov= cannot be traced: leave them out, and write np.linalg.lstsq for what they tell"
        )
    if np.min(deg, initial=0) < 0:
        raise ArgumentError(f"deg is {deg!r}: no power may be negative")
    if w is not None and np.shape(w) != np.shape(y)[:1]:
        raise ShapeError(f"w has shape {np.shape(w)}, y {np.shape(y)}: need a weight for each of y")
    powers: Any = np.arange(deg, -1, -1) if np.ndim(deg) == 0 else np.sort(np.asarray(deg))[::-1]  # highest first
    if not is_tracer(x) and not is_tracer(w):
        # What is known is solved in float64 before anything runs; the fit is then one product.
        left: Any = np.asarray(x, np.float64)[:, None] ** powers
        weights: Any = np.ones(len(left)) if w is None else np.asarray(w, np.float64)
        left = left * weights[:, None]
        size = np.sqrt((left * left).sum(0))
        share = len(left) * np.finfo(np.float64).eps if rcond is None else _sensible(rcond, np.float64)
        known = np.linalg.pinv(left / size, share) / size[:, None] * weights
        given = traced(y)
        dtype = inexact(given.value.type.dtype)
        made: Any = traced(known.astype(dtype.numpy)) @ cast(given, dtype)
    else:
        points, values = _pair(x, y)
        left = points[:, None] ** powers.astype(np.int32)
        if w is not None:
            weights = cast(traced(w), points.value.type.dtype)
            left = left * weights[:, None]
            values = values * (weights if values.ndim == 1 else weights[:, None])
        size = np.sqrt(np.sum(left * left, axis=0))
        share = len(left) * float(np.finfo(points.dtype).eps) if rcond is None else float(rcond)
        share = _sensible(share, points.dtype)
        columns = values if values.ndim == 2 else values[:, None]
        made = _least_squares(traced(left / size), columns, share)[0] / size[:, None]
        made = made if values.ndim == 2 else made[:, 0]
    if np.ndim(deg) == 0:
        return made
    rows: list[Any] = [np.zeros_like(made[0])] * (int(powers[0]) + 1)
    for at, power in enumerate(powers):
        rows[int(powers[0]) - int(power)] = made[at]
    return np.stack(rows)


TABLE: Final[dict[Any, Callable[..., Any]]] = {
    np.linalg.cholesky: cholesky,
    np.linalg.solve: solve,
    np.linalg.inv: inv,
    np.linalg.det: det,
    np.linalg.slogdet: slogdet,
    np.linalg.qr: qr,
    np.linalg.svd: svd,
    np.linalg.svdvals: svdvals,
    np.linalg.eigh: eigh,
    np.linalg.eigvalsh: eigvalsh,
    np.linalg.lstsq: lstsq,
    np.linalg.pinv: pinv,
    np.linalg.matrix_rank: matrix_rank,
    np.linalg.matrix_power: matrix_power,
    np.linalg.norm: norm,
    np.linalg.matrix_norm: lambda x, /, *, keepdims=False, ord="fro": norm(x, ord, (-2, -1), keepdims),
    np.linalg.cond: cond,
    np.linalg.tensorsolve: tensorsolve,
    np.linalg.tensorinv: tensorinv,
    np.polyfit: polyfit,
}
