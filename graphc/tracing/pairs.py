"""Complex numbers while a function is traced: pairs of real arrays, and Fourier transforms, which make such pairs.

A graph holds real numbers. What is complex within a function is a pair of traced arrays; what goes in or out is real.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any, Final, NoReturn

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from graphc.errors import GraphcError, ShapeError, TraceError
from graphc.ir.types import normalize_axis
from graphc.tracing.core import located
from graphc.tracing.promote import cast, inexact
from graphc.tracing.reductions import traced

MOST: Final = 1 << 12
"""Longest prime part of a transform, which takes a square of products."""


class Pair(NDArrayOperatorsMixin):
    """A complex array: its real and its imaginary part, of one shape."""

    def __init__(self, real: Any, imag: Any) -> None:
        self.real, self.imag = real, imag

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""
        shape: tuple[int, ...] = np.shape(self.real)
        return shape

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def T(self) -> Pair:
        """The array turned."""
        return Pair(self.real.T, self.imag.T)

    def conj(self) -> Pair:
        """The conjugate."""
        return Pair(self.real, -self.imag)

    def reshape(self, *shape: Any) -> Pair:
        """The elements in another shape."""
        return Pair(self.real.reshape(*shape), self.imag.reshape(*shape))

    def __getitem__(self, key: Any) -> Pair:
        return Pair(self.real[key], self.imag[key])

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: Any = None, copy: Any = None) -> NoReturn:
        raise located(
            TraceError(
                "a complex value cannot leave a graph, nor become a plain array: write np.real(z) and np.imag(z)"
            )
        )

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return call_ufunc(ufunc, method, inputs, kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        rule = _FUNCTIONS.get(func)
        if rule is None:
            raise located(TraceError(f"{_refused(func.__name__)}"))
        try:
            return rule(*args, **kwargs)
        except GraphcError as error:
            raise located(error, func.__name__) from None


def _refused(name: str) -> str:
    return f"np.{name} of complex numbers cannot be traced: write it for np.real(z) and np.imag(z)"


def is_complex(x: Any) -> bool:
    """Whether an operand is complex: a pair, a complex number or an array of these."""
    return isinstance(x, Pair | complex | np.complexfloating) or (isinstance(x, np.ndarray) and x.dtype.kind == "c")


def _parts(x: Any) -> tuple[Any, Any]:
    """The real and imaginary part; None for one that is not there."""
    if isinstance(x, Pair):
        return x.real, x.imag
    if is_complex(x):
        wide = np.asarray(x)
        # Numbers stay Python's, which take the element type of what they meet.
        return (wide.real, wide.imag) if wide.ndim else (float(wide.real), float(wide.imag))
    return x, None


def _product(a: Any, b: Any, times: Callable[[Any, Any], Any]) -> Pair:
    (p, q), (r, s) = _parts(a), _parts(b)
    # A real number has an imaginary part of 0, whose products give a result of 0 its sign.
    if q is None:
        real, imag = times(p, r), times(p, s)
        return Pair(real, imag + r * 0.0 if times is np.multiply else imag + 0.0)
    if s is None:
        real, imag = times(p, r), times(q, r)
        return Pair(real, imag + p * 0.0 if times is np.multiply else imag + 0.0)
    return Pair(times(p, r) - times(q, s), times(p, s) + times(q, r))


def _sum(ufunc: Any) -> Callable[[Any, Any], Pair]:
    def rule(a: Any, b: Any) -> Pair:
        (p, q), (r, s) = _parts(a), _parts(b)
        real = ufunc(p, r)
        zero = real * 0.0
        return Pair(real, ufunc(0.0 if q is None else q, 0.0 if s is None else s) + np.zeros_like(zero))

    return rule


def _quotient(a: Any, b: Any) -> Pair:
    """By Smith's rule, whose numbers are no squares: these leave the range where the quotient does not."""
    (p, q), (r, s) = _parts(a), _parts(b)
    if s is None:
        r = np.where(r == 0, np.abs(r), r) if np.ndim(r) or not isinstance(r, int | float) else abs(r) if r == 0 else r
        return Pair(p / r, q / r)
    q = 0.0 if q is None else q
    if not np.ndim(r) and isinstance(r, float):
        wide = abs(r) >= abs(s)
        ratio = (s / r if r else 0.0) if wide else r / s
        size = r + s * ratio if wide else s + r * ratio
        if wide:
            return Pair((p + q * ratio) / size, (q - p * ratio) / size)
        return Pair((p * ratio + q) / size, (q * ratio - p) / size)
    wide = np.abs(r) >= np.abs(s)
    greater, smaller = np.where(wide, r, s), np.where(wide, s, r)
    ratio = smaller / np.where(greater == 0, 1, greater)
    size = greater + smaller * ratio
    size = np.where(size == 0, np.abs(size), size)
    first, second = np.where(wide, 1, ratio), np.where(wide, ratio, 1)
    return Pair((p * first + q * second) / size, (q * first - p * second) / size)


def _exp(z: Pair) -> Pair:
    size = np.exp(z.real)
    return Pair(size * np.cos(z.imag), size * np.sin(z.imag))


_UFUNCS: Final[dict[Any, Callable[..., Any]]] = {
    np.add: _sum(np.add),
    np.subtract: _sum(np.subtract),
    np.multiply: lambda a, b: _product(a, b, np.multiply),
    np.matmul: lambda a, b: _product(a, b, np.matmul),
    np.true_divide: _quotient,
    np.negative: lambda z: Pair(-z.real, -z.imag),
    np.positive: lambda z: z,
    np.conjugate: lambda z: z.conj(),
    np.absolute: lambda z: np.hypot(z.real, z.imag),
    np.square: lambda z: _product(z, z, np.multiply),
    np.exp: _exp,
}


def call_ufunc(ufunc: np.ufunc, method: str, operands: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A ufunc of operands of which one is complex."""
    rule = _UFUNCS.get(ufunc)
    if rule is None or method != "__call__" or kwargs:
        raise located(TraceError(_refused(ufunc.__name__)))
    return rule(*operands)


def _angle(z: Any, deg: bool = False) -> Any:
    made = np.arctan2(z.imag, z.real)
    return made * (180 / math.pi) if deg else made


def _each(func: Any) -> Callable[..., Pair]:
    """A linear function, of both parts."""
    return lambda z, *args, **kwargs: Pair(func(z.real, *args, **kwargs), func(z.imag, *args, **kwargs))


def _transform(z: Any, n: Any, axis: int, norm: Any, back: bool) -> Pair:
    """A Fourier transform along an axis: of parts whose lengths are the prime factors, each by a product."""
    real, imag = _parts(z)
    x = traced(real)
    if not x.ndim:
        raise ShapeError("needs an axis, got a number")
    axis = normalize_axis(axis, x.ndim)
    length = x.shape[axis] if n is None else operator.index(n)
    if length < 1:
        raise ShapeError(f"{length} points: needs one or more")
    if norm not in (None, "backward", "ortho", "forward"):
        raise ShapeError(f"norm is {norm!r}: it must be 'backward', 'ortho' or 'forward'")
    dtype = inexact(x.value.type.dtype)

    def rows(v: Any) -> Any:
        known: Any = cast(traced(v), dtype)
        return _cut(np.moveaxis(known, axis, -1), length)

    parts = [None if v is None else rows(v) for v in (real, imag)]
    made = _stages(Pair(*parts), 1 if back else -1)
    power = {None: 1.0 if back else 0.0, "backward": 1.0 if back else 0.0, "ortho": 0.5}.get(norm, 0.0 if back else 1.0)
    scale = float(length) ** -power
    return Pair(*(np.moveaxis(v if scale == 1 else v * scale, -1, axis) for v in (made.real, made.imag)))


def _cut(x: Any, length: int) -> Any:
    """The first elements of rows, with zeros where there are fewer."""
    short = length - x.shape[-1]
    return np.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, short)]) if short > 0 else x[..., :length]


def _factor(n: int) -> int:
    """A factor of n near to 32, n where it is prime or short."""
    found = [f for f in range(2, min(n, 65)) if n % f == 0]
    return n if n <= 64 or not found else max(found)


def _stages(z: Pair, sign: int) -> Pair:
    """The transform of rows of n = p q elements: of q rows of p, a turn of each, and of p rows of q."""
    n = np.shape(z.real)[-1]
    p = _factor(n)
    if p == n:
        if n > MOST:
            raise TraceError(f"{n} points have a prime factor above {MOST}: pad them to a length that has none, n=")
        return _times(z, _turns(np.outer(np.arange(n), np.arange(n)), n, sign), np.matmul)
    q = n // p
    lead = np.shape(z.real)[:-1]

    # x[a q + b] -> over a for each b, turned by b k, then over b.
    def rows(v: Any, *shape: int) -> Any:
        return None if v is None else np.reshape(v, (*lead, *shape))

    first = Pair(*(None if v is None else np.swapaxes(rows(v, p, q), -1, -2) for v in (z.real, z.imag)))
    first = _times(first, _turns(np.outer(np.arange(p), np.arange(p)), p, sign), np.matmul)
    first = _times(first, _turns(np.outer(np.arange(q), np.arange(p)), n, sign), np.multiply)
    second = _stages(Pair(*(np.swapaxes(v, -1, -2) for v in (first.real, first.imag))), sign)
    return Pair(*(rows(np.swapaxes(v, -1, -2), n) for v in (second.real, second.imag)))


def _turns(steps: Any, n: int, sign: int) -> tuple[Any, ...]:
    """exp(sign 2 pi i steps / n)."""
    angle = 2 * np.pi / n * (steps % n)
    parts = np.cos(angle), sign * np.sin(angle)
    return tuple(np.where(np.abs(part) < 1e-12, 0, part) for part in parts)  # a quarter of a turn is one


def _times(z: Pair, turns: tuple[Any, ...], times: Callable[[Any, Any], Any]) -> Pair:
    c, s = (v.astype(z.real.dtype) for v in turns)
    if z.imag is None:
        return Pair(times(z.real, c), times(z.real, s))
    return Pair(times(z.real, c) - times(z.imag, s), times(z.real, s) + times(z.imag, c))


def fft(a: Any, n: Any = None, axis: int = -1, norm: Any = None, out: Any = None) -> Pair:
    """np.fft.fft."""
    return _transform(a, n, axis, norm, False)


def ifft(a: Any, n: Any = None, axis: int = -1, norm: Any = None, out: Any = None) -> Pair:
    """np.fft.ifft."""
    return _transform(a, n, axis, norm, True)


def rfft(a: Any, n: Any = None, axis: int = -1, norm: Any = None, out: Any = None) -> Pair:
    """np.fft.rfft."""
    if is_complex(a):
        raise TraceError("rfft takes real numbers: write np.fft.fft")
    made = _transform(a, n, axis, norm, False)
    axis = axis % made.ndim
    key = (slice(None),) * axis + (slice(0, made.shape[axis] // 2 + 1),)
    return made[key]


def irfft(a: Any, n: Any = None, axis: int = -1, norm: Any = None, out: Any = None) -> Any:
    """np.fft.irfft."""
    z = a if isinstance(a, Pair) else Pair(traced(a), traced(a) * 0.0)
    axis = normalize_axis(axis, z.ndim)
    length = 2 * (z.shape[axis] - 1) if n is None else operator.index(n)
    if length < 1:
        raise ShapeError(f"n is {length}: a transform needs 1 point or more")
    kept = length // 2 + 1
    real, imag = (_cut(np.moveaxis(v, axis, -1), kept) for v in (z.real, z.imag))
    inner = slice(kept - 2 if length % 2 == 0 else kept - 1, 0, -1)
    whole = Pair(
        np.concatenate([real, real[..., inner]], -1),
        np.concatenate([imag[..., :1] * 0.0, imag[..., 1:], -imag[..., inner]], -1),
    )
    if length % 2 == 0 and length > 1:  # the imaginary parts of the first and the middle element do not count
        known = np.ones(length)
        known[length // 2] = 0
        whole = Pair(whole.real, whole.imag * known.astype(real.dtype))
    return np.moveaxis(_transform(whole, None, -1, norm, True).real, -1, axis)


_SWAPPED: Final = {None: "forward", "backward": "forward", "ortho": "ortho", "forward": "backward"}
"""norm= of the other direction."""


def hfft(a: Any, n: Any = None, axis: int = -1, norm: Any = None, out: Any = None) -> Any:
    """np.fft.hfft."""
    return irfft(np.conjugate(a), n, axis, _other(norm))


def ihfft(a: Any, n: Any = None, axis: int = -1, norm: Any = None, out: Any = None) -> Pair:
    """np.fft.ihfft."""
    return rfft(a, n, axis, _other(norm)).conj()


def _other(norm: Any) -> Any:
    if norm not in _SWAPPED:
        raise ShapeError(f"norm is {norm!r}: it must be 'backward', 'ortho' or 'forward'")
    return _SWAPPED[norm]


def _axes(a: Any, s: Any, axes: Any) -> list[tuple[int, Any]]:
    """The axes of a transform over several, and the length of each (None: as it is)."""
    z = a if isinstance(a, Pair) else traced(a)
    chosen = list(range(z.ndim) if s is None else range(-len(s), 0)) if axes is None else list(axes)
    sizes = [None] * len(chosen) if s is None else list(s)
    if len(sizes) != len(chosen):
        raise ShapeError(f"s is {s!r}, axes {axes!r}: need a length for each axis")
    found = [normalize_axis(axis, z.ndim) for axis in chosen]
    return [(axis, z.shape[axis] if n == -1 else n) for axis, n in zip(found, sizes, strict=True)]


def _several(each: Callable[..., Pair]) -> Callable[..., Pair]:
    def transform(a: Any, s: Any = None, axes: Any = None, norm: Any = None, out: Any = None) -> Pair:
        made = a if isinstance(a, Pair) else Pair(traced(a), traced(a) * 0.0)
        for k, (axis, n) in enumerate(reversed(_axes(a, s, axes))):
            made = each(a if k == 0 else made, n, axis, norm)
        return made

    return transform


fftn: Final = _several(fft)
ifftn: Final = _several(ifft)


def rfftn(a: Any, s: Any = None, axes: Any = None, norm: Any = None, out: Any = None) -> Pair:
    """np.fft.rfftn: of real numbers along the last axis, then of complex ones along the others."""
    *others, (last, n) = _axes(a, s, axes)
    made = rfft(a, n, last, norm)
    for axis, size in reversed(others):
        made = fft(made, size, axis, norm)
    return made


def irfftn(a: Any, s: Any = None, axes: Any = None, norm: Any = None, out: Any = None) -> Any:
    """np.fft.irfftn."""
    *others, (last, n) = _axes(a, s, axes)
    made = a
    for axis, size in others:
        made = ifft(made, size, axis, norm)
    return irfft(made, n, last, norm)


def _plane(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same of the last two axes, where none are named."""

    def transform(a: Any, s: Any = None, axes: Any = (-2, -1), norm: Any = None, out: Any = None) -> Any:
        return function(a, s, axes, norm)

    return transform


def _shifted(sign: int) -> Callable[..., Any]:
    """np.fft.fftshift and back: rolls by half of each axis, rounded down and up."""

    def shift(x: Any, axes: Any = None) -> Any:
        z = x if isinstance(x, Pair) else traced(x)
        chosen = range(z.ndim) if axes is None else axes if isinstance(axes, tuple | list) else (axes,)
        found = tuple(normalize_axis(axis, z.ndim) for axis in chosen)
        by = tuple(sign * (z.shape[axis] // 2) for axis in found)
        if isinstance(z, Pair):
            return Pair(np.roll(z.real, by, found), np.roll(z.imag, by, found))
        return np.roll(z, by, found)

    return shift


_OF_EITHER: Final[dict[Any, Callable[..., Any]]] = {
    np.fft.fft: fft,
    np.fft.ifft: ifft,
    np.fft.rfft: rfft,
    np.fft.irfft: irfft,
    np.fft.hfft: hfft,
    np.fft.ihfft: ihfft,
    np.fft.fftn: fftn,
    np.fft.ifftn: ifftn,
    np.fft.rfftn: rfftn,
    np.fft.irfftn: irfftn,
    np.fft.fft2: _plane(fftn),
    np.fft.ifft2: _plane(ifftn),
    np.fft.rfft2: _plane(rfftn),
    np.fft.irfft2: _plane(irfftn),
    np.fft.fftshift: _shifted(1),
    np.fft.ifftshift: _shifted(-1),
}

_FUNCTIONS: Final[dict[Any, Callable[..., Any]]] = {
    np.real: lambda z: z.real,
    np.imag: lambda z: z.imag,
    np.angle: _angle,
    np.sum: _each(np.sum),
    np.mean: _each(np.mean),
    np.reshape: _each(np.reshape),
    np.transpose: _each(np.transpose),
    np.swapaxes: _each(np.swapaxes),
    np.moveaxis: _each(np.moveaxis),
    np.roll: _each(np.roll),
    **_OF_EITHER,
}
"""Functions of a complex array."""

TABLE: Final[dict[Any, Callable[..., Any]]] = _OF_EITHER
"""Functions of a real array."""
