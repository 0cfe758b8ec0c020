"""Products: matmul, dot and its kin, einsum, norms; all of them made of matmul, mul and sum."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from graphc.errors import ShapeError, TraceError
from graphc.ir.types import Shape, bool_, f16, f32, i32, normalize_axis
from graphc.tracing.core import emit, owner
from graphc.tracing.einsum import contract, einsum
from graphc.tracing.promote import cast, common_dtype, converted, inexact, loop_dtypes
from graphc.tracing.reductions import any_, axes_of, flag, no_out, reduce, root, traced
from graphc.tracing.shaping import ints, ravel, reshape
from graphc.tracing.tracer import Tracer
from graphc.tracing.ufuncs import truth


def matmul(a: Any, b: Any) -> Tracer:
    """np.matmul: [..., M, K] @ [..., K, N]; a vector is a matrix of one row, or of one column on the right."""
    trace = owner((a, b))
    dtype = loop_dtypes(np.matmul, (a, b))[0]
    x, y = converted(trace, a, dtype), converted(trace, b, dtype)
    if not x.ndim or not y.ndim:
        raise ShapeError(f"a is {x.value.type}, b is {y.value.type}: needs vectors or matrices, use * for scalars")
    if x.ndim == 1 and y.ndim == 1:
        if x.shape != y.shape:
            raise ShapeError(f"a is {x.value.type}, b is {y.value.type}: need equal lengths, got {x.size} and {y.size}")
        return np.sum(x * y, dtype=x.dtype)  # type: ignore[no-any-return]  # tracers
    if x.ndim == 1 or y.ndim == 1:
        k = y.shape[-2] if y.ndim > 1 else y.shape[0]
        if x.shape[-1] != k:
            axis = "b.shape[-2]" if y.ndim > 1 else "b.shape[0]"
            raise ShapeError(
                f"a is {x.value.type}, b is {y.value.type}: need a.shape[-1] == {axis}, got {x.shape[-1]} and {k}"
            )
    if dtype == bool_:
        return truth(matmul(cast(x, i32), cast(y, i32)))
    left = reshape(x, (1, *x.shape)) if x.ndim == 1 else x
    right = reshape(y, (*y.shape, 1)) if y.ndim == 1 else y
    made = emit("matmul", left, right)
    if x.ndim == 1:
        return reshape(made, (*made.shape[:-2], made.shape[-1]))
    return reshape(made, made.shape[:-1]) if y.ndim == 1 else made


def dot(a: Any, b: Any, out: Any = None) -> Any:
    """np.dot."""
    no_out(out)
    x, y = _pair(a, b)
    if not x.ndim or not y.ndim:
        return x * y
    if y.ndim <= 2:
        return matmul(x, y)
    return _contract_axes(x, y, (x.ndim - 1,), (y.ndim - 2,))


def vdot(a: Any, b: Any, /) -> Any:
    """np.vdot: the sum of products of all elements."""
    x, y = _pair(a, b)
    return matmul(ravel(x), ravel(y))


def inner(a: Any, b: Any, /) -> Any:
    """np.inner: the sum of products over the last axes."""
    x, y = _pair(a, b)
    if not x.ndim or not y.ndim:
        return x * y
    if x.ndim == y.ndim == 1:
        return matmul(x, y)
    return _contract_axes(x, y, (x.ndim - 1,), (y.ndim - 1,))


def outer(a: Any, b: Any, out: Any = None) -> Any:
    """np.outer."""
    no_out(out)
    x, y = _pair(a, b)
    return reshape(x, (-1, 1)) * reshape(y, (1, -1))


def tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    """np.tensordot."""
    x, y = _pair(a, b)
    if isinstance(axes, int | np.integer):
        n = int(axes)
        if n < 0 or n > min(x.ndim, y.ndim):
            raise ShapeError(f"axes={n} for {x.value.type} and {y.value.type}")
        return _contract_axes(x, y, tuple(range(x.ndim - n, x.ndim)), tuple(range(n)))
    left, right = (ints(part, "axes") for part in axes)
    if len(left) != len(right):
        raise ShapeError(f"axes {left} and {right}: need as many on both sides")
    return _contract_axes(
        x, y, tuple(normalize_axis(i, x.ndim) for i in left), tuple(normalize_axis(i, y.ndim) for i in right)
    )


def kron(a: Any, b: Any) -> Any:
    """np.kron."""
    x, y = _pair(a, b)
    rank = max(x.ndim, y.ndim)
    m = (1,) * (rank - x.ndim) + x.shape
    n = (1,) * (rank - y.ndim) + y.shape
    left = reshape(x, tuple(k for i in m for k in (i, 1)))
    right = reshape(y, tuple(k for i in n for k in (1, i)))
    return reshape(left * right, tuple(i * j for i, j in zip(m, n, strict=True)))


def _pair(a: Any, b: Any) -> tuple[Any, Any]:
    trace = owner((a, b))
    dtype = common_dtype((a, b))
    return converted(trace, a, dtype), converted(trace, b, dtype)


def _contract_axes(x: Tracer, y: Tracer, left: tuple[int, ...], right: tuple[int, ...]) -> Tracer:
    """Sum of products over paired axes; the free axes of x, then those of y."""
    for i, j in zip(left, right, strict=True):
        if x.shape[i] != y.shape[j]:
            raise ShapeError(
                f"a is {x.value.type}, b is {y.value.type}: need a.shape[{i}] == b.shape[{j}], "
                f"got {x.shape[i]} and {y.shape[j]}"
            )
    a = list(range(x.ndim))
    b = list(range(x.ndim, x.ndim + y.ndim))
    for i, j in zip(left, right, strict=True):
        b[j] = a[i]
    kept = [k for k in a if k not in b] + [k for k in b if k not in a]
    return contract(x, a, y, b, kept)[0]


def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """np.linalg.norm: vector norms, and the Frobenius, 1 and infinity norms of matrices."""
    t = traced(x)
    t = cast(t, inexact(t.value.type.dtype))
    if axis is None and (ord is None or (t.ndim == 2 and ord == "fro")):
        return _euclidean(t, axes_of(t, None), flag(keepdims))
    given = tuple(range(t.ndim)) if axis is None else ints(axis, "axis")
    given = tuple(normalize_axis(i, t.ndim) for i in given)
    if len(given) == 1:
        return vector_norm(t, axis=given, keepdims=keepdims, ord=2 if ord is None else ord)
    if len(given) != 2:
        raise ShapeError(f"axis {axis} of {t.value.type}: needs one axis or two")
    if ord in (None, "fro"):
        return vector_norm(t, axis=given, keepdims=keepdims)
    if ord not in (1, -1, np.inf, -np.inf):
        raise TraceError(f"there is no matrix norm {ord!r}")
    total_over, pick_over = (given[0], given[1]) if abs(ord) == 1 else (given[1], given[0])
    sums: Any = reduce("sum", emit("abs", t), (total_over,), True)
    made = _extreme(sums, (pick_over,), True, ord > 0)
    return made if keepdims else reshape(made, tuple(n for i, n in enumerate(t.shape) if i not in given))


def vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:
    """np.linalg.vector_norm."""
    t = traced(x)
    t = cast(t, inexact(t.value.type.dtype))
    axes, keep = axes_of(t, axis), flag(keepdims)
    if ord == 2:
        return _euclidean(t, axes, keep)
    size = emit("abs", t)
    if ord in (np.inf, -np.inf):
        return _extreme(size, axes, keep, ord > 0)
    if ord == 0:
        return reduce("sum", cast(truth(t), t.value.type.dtype), axes, keep)
    if ord == 1:
        return reduce("sum", size, axes, keep)
    if not isinstance(ord, int | float):
        raise TraceError(f"the norm {ord!r} cannot be traced")
    return _any_norm(size, axes, keep, float(ord))


def _any_norm(size: Any, axes: Shape, keep: bool, ord: float) -> Any:
    """The norm of any order of sizes. What is 0 has a gradient of 0, and so has a norm that is 0."""
    zero = size == 0
    powers = np.where(zero, 0.0 if ord > 0 else np.inf, np.where(zero, 1, size) ** ord)
    total: Any = reduce("sum", traced(powers), axes, keep)
    nothing = total == 0 if ord > 0 else any_(zero, axes, keepdims=keep)
    return np.where(nothing, 0, np.where(nothing, 1, total) ** (1 / ord))


def _extreme(size: Tracer, axes: Shape, keep: bool, greatest: bool) -> Tracer:
    """The greatest or least of sizes; the greatest of none is 0, as their sum."""
    if greatest and any(not size.shape[i] for i in axes):
        return reduce("sum", size, axes, keep)
    return reduce("max" if greatest else "min", size, axes, keep)


def _euclidean(t: Tracer, axes: Shape, keep: bool) -> Tracer:
    """The root of the sum of squares, of half precision in single."""
    dtype = t.value.type.dtype
    wide = cast(t, f32) if dtype == f16 else t
    return cast(root(reduce("sum", emit("mul", wide, wide), axes, keep)), dtype)


def matrix_power(a: Any, n: int) -> Any:
    """A power of a matrix, n >= 1."""
    made, square = None, a
    while n:
        if n % 2:
            made = square if made is None else matmul(made, square)
        n //= 2
        square = matmul(square, square) if n else square
    return made


def multi_dot(arrays: Any, *, out: Any = None) -> Any:
    """np.linalg.multi_dot: the order with the fewest multiplications."""
    no_out(out)
    given = list(arrays)
    trace = owner(given)
    dtype = common_dtype(tuple(given))
    parts = [converted(trace, x, dtype) for x in given]
    while len(parts) > 1:
        at = min(range(len(parts) - 1), key=lambda i: math.prod(parts[i].shape) * parts[i + 1].shape[-1])
        parts[at : at + 2] = [matmul(parts[at], parts[at + 1])]
    return parts[0]


def cross(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: Any = None) -> Any:
    """np.cross of three-dimensional vectors."""
    if axis is not None:
        axisa = axisb = axisc = axis
    x, y = _pair(a, b)
    x, y = np.moveaxis(x, axisa, -1), np.moveaxis(y, axisb, -1)
    if x.shape[-1] != 3 or y.shape[-1] != 3:
        raise ShapeError(f"needs vectors of length 3, got {x.shape[-1]} and {y.shape[-1]}")
    made = np.roll(x, -1, -1) * np.roll(y, 1, -1) - np.roll(x, 1, -1) * np.roll(y, -1, -1)
    return np.moveaxis(made, -1, axisc)


def vecdot(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    """np.linalg.vecdot."""
    return np.sum(x1 * x2, axis=axis)


TABLE: Final[dict[Any, Callable[..., Any]]] = {
    np.dot: dot,
    np.vdot: vdot,
    np.inner: inner,
    np.outer: outer,
    np.tensordot: tensordot,
    np.kron: kron,
    np.cross: cross,
    np.einsum: einsum,
    np.linalg.vector_norm: vector_norm,
    np.linalg.multi_dot: multi_dot,
    np.linalg.outer: lambda x1, x2, /: outer(x1, x2),
    np.linalg.matmul: lambda x1, x2, /: matmul(x1, x2),
    np.linalg.tensordot: lambda x1, x2, /, *, axes=2: tensordot(x1, x2, axes),
    np.linalg.vecdot: vecdot,
    np.linalg.cross: lambda x1, x2, /, *, axis=-1: cross(x1, x2, axis=axis),
    np.linalg.trace: lambda x, /, *, offset=0, dtype=None: np.trace(x, offset, -2, -1, dtype),
    np.linalg.diagonal: lambda x, /, *, offset=0: np.diagonal(x, offset, -2, -1),
    np.linalg.matrix_transpose: lambda x, /: np.matrix_transpose(x),
}
