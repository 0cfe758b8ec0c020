"""Differences, gradients and sums of samples, polynomials, covariances."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from graphc.errors import ArgumentError, ShapeError, TraceError
from graphc.ir.types import Shape, normalize_axis
from graphc.tracing.core import constant, emit, is_tracer, owner
from graphc.tracing.promote import cast, common_dtype, converted, inexact
from graphc.tracing.reductions import NO, traced
from graphc.tracing.shaping import broadcast_to, concatenate, flip, ints, moveaxis, part, ravel, reshape
from graphc.tracing.tracer import Tracer
from graphc.tracing.ufuncs import scalar


def diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = NO, append: Any = NO) -> Any:
    """np.diff."""
    if n < 0:
        raise ShapeError(f"order {n} is negative")
    x = traced(a)
    if n == 0:
        return x
    axis = normalize_axis(axis, x.ndim)
    ends = [_end(v, x.shape, axis) for v in (prepend, append)]
    if any(v is not None for v in ends):
        x = concatenate([v for v in (ends[0], x, ends[1]) if v is not None], axis)
    for _ in range(n):
        size = x.shape[axis]
        after, before = part(x, axis, min(1, size), size), part(x, axis, 0, max(size - 1, 0))
        x = emit("ne", after, before) if x.dtype.kind == "b" else emit("sub", after, before)
    return x


def _end(value: Any, shape: Shape, axis: int) -> Any:
    """A prepend= or append= argument; a number stands for a slice of it."""
    if value is NO or value is None:
        return None
    if np.ndim(value):
        return value
    wanted = (*shape[:axis], 1, *shape[axis + 1 :])
    return broadcast_to(traced(value), wanted) if is_tracer(value) else np.broadcast_to(np.asanyarray(value), wanted)


def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    """np.ediff1d."""
    x = ravel(ary)
    made = diff(x)
    parts = [ravel(v) if v is not None else None for v in (to_begin, to_end)]
    parts = [None if v is None else cast(v, x.value.type.dtype) for v in parts]
    given = [v for v in (parts[0], made, parts[1]) if v is not None]
    return concatenate(given) if len(given) > 1 else made


def gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    """np.gradient."""
    x = traced(f)
    x = cast(x, inexact(x.value.type.dtype))
    axes = tuple(range(x.ndim)) if axis is None else tuple(normalize_axis(i, x.ndim) for i in ints(axis, "axis"))
    if len(set(axes)) != len(axes):
        raise ShapeError(f"axis {axis!r} names an axis twice")
    if edge_order not in (1, 2):
        raise ShapeError(f"edge_order is {edge_order}: it must be 1 or 2")
    if len(varargs) == 0:
        spaces: list[Any] = [1.0] * len(axes)
    elif len(varargs) == 1 and not np.ndim(varargs[0]):
        spaces = [varargs[0]] * len(axes)
    elif len(varargs) == len(axes):
        spaces = list(varargs)
    else:
        raise ShapeError(f"{len(varargs)} spacings for {len(axes)} axes")
    found = [_slope(x, i, h, edge_order) for i, h in zip(axes, spaces, strict=True)]
    return found[0] if len(found) == 1 else tuple(found)


def _slope(x: Tracer, axis: int, space: Any, order: int) -> Any:
    n = x.shape[axis]
    if n < order + 1:
        raise ShapeError(f"axis {axis} of {x.value.type} has {n} elements: needs {order + 1} or more")

    def at(start: int, stop: int) -> Any:
        return part(x, axis, start, stop)

    if np.ndim(space):
        if np.shape(space) != (n,):
            raise ShapeError(f"{np.shape(space)} coordinates for axis {axis} of {x.value.type}")
        steps: Any = reshape(cast(traced(np.diff(space)), x.value.type.dtype), _line(n - 1, axis, x.ndim))
    else:
        step = cast(traced(space), x.value.type.dtype)
        steps = broadcast_to(reshape(step, (1,) * x.ndim), _line(n - 1, axis, x.ndim))

    def h(k: int) -> Any:
        return part(steps, axis, k % (n - 1), k % (n - 1) + 1)

    if np.ndim(space):
        before, after = part(steps, axis, 0, n - 2), part(steps, axis, 1, n - 1)
        low, high = -after / (before * (before + after)), before / (after * (before + after))
        middle = (after - before) / (before * after)
        inner = low * at(0, n - 2) + middle * at(1, n - 1) + high * at(2, n)
    else:
        inner = (at(2, n) - at(0, n - 2)) / (part(steps, axis, 0, n - 2) * 2)
    if order == 1:
        first = (at(1, 2) - at(0, 1)) / h(0)
        last = (at(n - 1, n) - at(n - 2, n - 1)) / h(-1)
    else:
        a, b = h(0), h(1)
        first = -(2 * a + b) / (a * (a + b)) * at(0, 1) + (a + b) / (a * b) * at(1, 2) - a / (b * (a + b)) * at(2, 3)
        a, b = h(-2), h(-1)
        last = b / (a * (a + b)) * at(n - 3, n - 2) - (b + a) / (a * b) * at(n - 2, n - 1)
        last = last + (2 * b + a) / (b * (a + b)) * at(n - 1, n)
    return concatenate((first, inner, last), axis)


def _line(n: int, axis: int, rank: int) -> Shape:
    """The shape of a line along an axis."""
    return tuple(n if k == axis else 1 for k in range(rank))


def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """np.trapezoid."""
    heights = traced(y)
    axis = normalize_axis(axis, heights.ndim)
    n = heights.shape[axis]
    width: Any = dx
    if x is not None:
        apart = (n,) if np.ndim(x) == 1 else heights.shape
        if np.shape(x)[-1:] == () or np.broadcast_shapes(np.shape(x), apart) != apart:
            raise ShapeError(f"x has shape {np.shape(x)}, y is {heights.value.type}: need {apart}")
        width = np.diff(x) if np.ndim(x) == 1 else np.diff(x, axis=axis)
        width = np.reshape(width, _line(n - 1, axis, heights.ndim)) if np.ndim(x) == 1 else width
    pairs: Any = part(heights, axis, min(1, n), n) + part(heights, axis, 0, max(n - 1, 0))
    return np.sum(width * pairs / 2.0, axis=axis - heights.ndim)


def unwrap(p: Any, discont: Any = None, axis: int = -1, *, period: Any = 2 * math.pi) -> Any:
    """np.unwrap."""
    x = traced(p)
    axis = normalize_axis(axis, x.ndim)
    whole = x.value.type.dtype.kind != "float" and isinstance(period, int | np.integer)
    if not whole:
        x = cast(x, inexact(x.value.type.dtype))
    steps: Any = diff(x, axis=axis)
    discont = period / 2 if discont is None else discont
    low: Any = -(period // 2) if whole else -period / 2
    within = np.mod(steps - low, period) + low
    if not whole or period % 2 == 0:
        high = -low
        within = np.where((within == low) & (steps > 0), high, within)
    change = np.where(np.abs(steps) < discont, 0, within - steps)
    first = part(x, axis, 0, min(1, x.shape[axis]))
    rest = part(x, axis, min(1, x.shape[axis]), x.shape[axis])
    return concatenate((first, rest + np.cumsum(change, axis=axis)), axis)


def cov(
    m: Any,
    y: Any = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: Any = None,
    fweights: Any = None,
    aweights: Any = None,
    *,
    dtype: Any = None,
) -> Any:
    """np.cov: covariances of rows."""
    if dtype is not None:
        raise TraceError("dtype= cannot be traced: write .astype on the argument")
    rows = _variables(m, rowvar)
    if y is not None:
        rows = concatenate((rows, _variables(y, rowvar, one_row_stays=True)), 0)
    rows = cast(rows, inexact(rows.value.type.dtype))
    less = (0 if bias else 1) if ddof is None else int(ddof)
    if ddof is not None and ddof != less:
        raise ArgumentError(f"ddof is {ddof!r}: needs an integer")
    weights: Any = None
    for given, named in ((fweights, "fweights"), (aweights, "aweights")):
        if given is not None:
            _check_weights(given, named, rows.shape[1])
            weight: Any = cast(traced(given), rows.value.type.dtype)
            weights = weight if weights is None else weights * weight
    values: Any = rows
    if weights is None:
        mean, total = np.mean(values, axis=1, keepdims=True), rows.shape[1]
        factor: Any = max(total - less, 0)
        apart = values - mean
        other = apart
    else:
        total = np.sum(weights)
        mean = np.sum(values * weights, axis=1, keepdims=True) / total
        inner = 1 if aweights is None else np.sum(weights * cast(traced(aweights), rows.value.type.dtype)) / total
        factor = np.maximum(total - less * inner, 0)
        apart = values - mean
        other = apart * weights
    made = apart @ other.T
    made = made / (np.float32(factor) if not is_tracer(factor) else factor)
    return np.squeeze(made)


def _check_weights(weights: Any, what: str, count: int) -> None:
    """Raise for weights that are not one for each observation, that are negative, or no counts where these are due."""
    if np.shape(weights) != (count,):
        raise ShapeError(f"{what} have shape {np.shape(weights)}: need one for each of {count} observations")
    known = None if is_tracer(weights) else np.asarray(weights)
    if known is not None and (known < 0).any():
        raise ArgumentError(f"{what} hold {known.min()}: none may be negative")
    if known is not None and what == "fweights" and (known != np.around(known)).any():
        raise ArgumentError(f"{what} hold what is no integer: they count, and aweights weigh")


def _variables(m: Any, rowvar: bool, one_row_stays: bool = False) -> Tracer:
    """Rows of observations, one for each variable."""
    x = traced(m)
    if x.ndim > 2:
        raise ShapeError(f"{x.value.type} has {x.ndim} axes: needs one or two")
    if x.ndim < 2:
        return reshape(x, (1, x.size))
    return x if rowvar or (one_row_stays and x.shape[0] == 1) else moveaxis(x, 0, 1)


def corrcoef(x: Any, y: Any = None, rowvar: bool = True, bias: Any = NO, ddof: Any = NO, *, dtype: Any = None) -> Any:
    """np.corrcoef."""
    found: Any = cov(x, y, rowvar, dtype=dtype)
    if not found.ndim:
        return found / found
    spread = np.sqrt(np.diagonal(found))
    return np.clip(found / spread[:, None] / spread[None, :], -1, 1)


def polyval(p: Any, x: Any) -> Any:
    """np.polyval, by Horner's rule."""
    trace = owner((p, x))
    common = common_dtype((p, x))
    factors, at = converted(trace, p, common), converted(trace, x, common)
    if factors.ndim != 1:
        raise ShapeError(f"the coefficients are {factors.value.type}: need one axis")
    made: Any = broadcast_to(scalar(at, 0), at.shape)
    for k in range(factors.shape[0]):
        made = made * at + reshape(part(factors, 0, k, k + 1), ())
    return made


def vander(x: Any, N: Any = None, increasing: bool = False) -> Any:
    """np.vander: powers as columns."""
    t = traced(x)
    if t.ndim != 1:
        raise ShapeError(f"needs one axis, got {t.value.type}")
    columns: list[Any] = []
    count = t.shape[0] if N is None else operator.index(N)
    if count < 0:
        raise ShapeError(f"N is {count}: it must not be negative")
    for k in range(count):
        columns.append(columns[-1] * t if k else np.ones_like(t))
    if not columns:
        return reshape(part(t, 0, 0, 0), (t.shape[0], 0)) if t.shape[0] == 0 else broadcast_to(t[:0], (t.shape[0], 0))
    return np.stack(columns if increasing else columns[::-1], axis=1)


def sinc(x: Any) -> Any:
    """np.sinc: sin(pi x) / (pi x), and 1 at 0."""
    t = traced(x)
    t = cast(t, inexact(t.value.type.dtype))
    angle = emit("mul", t, scalar(t, math.pi))
    near = emit("lt", emit("abs", angle), scalar(t, 1))
    # The derivatives of a quotient cancel near 0; those of the series do not.
    small = emit("where", near, angle, scalar(t, 0))
    square = emit("mul", small, small)
    series = scalar(t, 0)
    for k in reversed(range(_sinc_terms(float(np.finfo(t.value.type.dtype.numpy).eps)))):
        series = emit("add", emit("mul", series, square), scalar(t, (-1) ** k / math.factorial(2 * k + 1)))
    far = emit("where", near, scalar(t, 1), angle)
    return emit("where", near, series, emit("div", emit("sin", far), far))


def _sinc_terms(eps: float) -> int:
    """Terms of the series of sin(a) / a that count for |a| < 1, in its second derivative too."""
    count = 1
    while 2 * count * (2 * count - 1) / math.factorial(2 * count + 1) > eps / 2:
        count += 1
    return count


def cross(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: Any = None) -> Any:
    """np.cross of vectors of three elements (or of two, which gives numbers)."""
    if axis is not None:
        axisa = axisb = axisc = axis
    trace = owner((a, b))
    common = common_dtype((a, b))
    x, y = (moveaxis(converted(trace, v, common).as_strong(), at, -1) for v, at in ((a, axisa), (b, axisb)))
    sizes = {x.shape[-1], y.shape[-1]}
    if not sizes <= {2, 3}:
        raise ShapeError(f"{x.value.type} and {y.value.type}: the vectors need 2 or 3 elements")
    p: list[Any] = [x[..., k] for k in range(x.shape[-1])]
    q: list[Any] = [y[..., k] for k in range(y.shape[-1])]
    z = p[0] * q[1] - p[1] * q[0]
    if sizes == {2}:
        return z
    first = (p[1] * q[2] if len(q) == 3 else 0) - (p[2] * q[1] if len(p) == 3 else 0)
    second = (p[2] * q[0] if len(p) == 3 else 0) - (p[0] * q[2] if len(q) == 3 else 0)
    return moveaxis(np.stack([first, second, z], axis=-1), -1, axisc)


def convolve(a: Any, v: Any, mode: str = "full") -> Any:
    """np.convolve: sums of products with the reversed shorter operand."""
    return _correlated(a, v, mode, True)


def correlate(a: Any, v: Any, mode: str = "valid") -> Any:
    """np.correlate: sums of products with the operand moved along."""
    return _correlated(a, v, mode, False)


def _correlated(a: Any, v: Any, mode: str, flipped: bool) -> Any:
    trace = owner((a, v))
    common = common_dtype((a, v))
    x, y = (converted(trace, t, common).as_strong() for t in (a, v))
    if x.ndim != 1 or y.ndim != 1 or not x.size or not y.size:
        raise ShapeError(f"{x.value.type} and {y.value.type}: need one axis of an element or more")
    if mode not in ("full", "same", "valid"):
        raise ShapeError(f"mode is {mode!r}: it must be 'full', 'same' or 'valid'")
    if not flipped:
        y = flip(y, 0)  # a correlation is a convolution with the reversed operand
    if y.size > x.size:
        x, y = y, x
    n, taps = x.size, y.size
    before = {"full": taps - 1, "valid": 0, "same": taps // 2}[mode]
    count = {"full": n + taps - 1, "valid": n - taps + 1, "same": n}[mode]
    if mode == "same" and not flipped and np.shape(v)[0] > np.shape(a)[0]:
        before = (taps - 1) // 2
    after = count - n + taps - 1 - before
    wide = emit("pad", x, low=(before,), high=(max(after, 0),), interior=(0,), value=0.0)
    reverse = flip(y, 0)
    if taps <= _TAPS:
        found: Any = None
        for k in range(taps):
            term = emit("mul", part(wide, 0, k, k + count), reshape(part(reverse, 0, k, k + 1), ()))
            found = term if found is None else emit("add", found, term)
        return found
    place = constant(trace, (np.arange(count)[:, None] + np.arange(taps)).astype(np.int32))
    windows: Any = emit("take", wide, place, axis=0, clamp=True)
    return windows @ reverse


def sliding_window_view(
    x: Any, window_shape: Any, axis: Any = None, *, subok: bool = False, writeable: bool = False
) -> Any:
    """np.lib.stride_tricks.sliding_window_view: windows as new axes, the last ones."""
    found: Any = traced(x)
    sizes = ints(window_shape, "window_shape")
    axes = tuple(range(found.ndim)) if axis is None else ints(axis, "axis")
    if len(axes) != len(sizes):
        raise ShapeError(
            f"window_shape {window_shape!r}, axis {axis!r}: need a size for each axis of {found.value.type}"
        )
    for k, size in zip(axes, sizes, strict=True):
        k = normalize_axis(k, x.ndim)
        n = found.shape[k]
        if not 0 <= size <= n:
            raise ShapeError(f"a window of {size} elements does not fit {found.value.type} along axis {k}")
        found = _windows(found, k, size)
    return found


def _windows(x: Any, axis: int, size: int) -> Any:
    """x with one more axis, the last: the elements from each one along `axis` on. It is made of views alone.

    Rows of n elements, all alike and one after the other, taken as rows of n + 1, begin one further along each.
    """
    rows = np.moveaxis(x, axis, -1)
    *outer, n = rows.shape
    alike = np.broadcast_to(rows[..., None, :], (*outer, size + 1, n))
    line = np.reshape(alike, (*outer, (size + 1) * n))[..., : size * (n + 1)]
    begun = np.reshape(line, (*outer, size, n + 1))[..., : n - size + 1]
    return np.moveaxis(np.moveaxis(begun, -2, -1), -2, axis)


_TAPS: Final = 16
"""Products that are added one by one; more of them are a product with a matrix of windows."""


TABLE: Final[dict[Any, Callable[..., Any]]] = {
    np.diff: diff,
    np.ediff1d: ediff1d,
    np.gradient: gradient,
    np.trapezoid: trapezoid,
    np.unwrap: unwrap,
    np.cov: cov,
    np.corrcoef: corrcoef,
    np.polyval: polyval,
    np.vander: vander,
    np.sinc: sinc,
    np.cross: cross,
    np.convolve: convolve,
    np.correlate: correlate,
    np.lib.stride_tricks.sliding_window_view: sliding_window_view,
}
