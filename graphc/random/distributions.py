"""Distributions beyond uniform and normal: plain NumPy functions of random bits.

Methods that reject make eight proposals for each element, side by side, and take the first that is accepted: that none
is happens once in 10^10 elements, whose first proposal is taken then.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from graphc.errors import ArgumentError, ShapeError, TraceError
from graphc.ir.types import Lengths, Shape
from graphc.random.draws import checked_key, normal, split, unit_interval
from graphc.random.parameters import is_known, parameter, shape_of
from graphc.tracing.core import located
from graphc.transforms import custom_vjp

Array = Any

TRIES: Final = 8
"""Proposals for an element; the worst case accepts 95 of 100."""
POISSON_TRIES: Final = 20
"""Of these the worst case accepts 70 of 100."""


def exponential(key: Array, scale: Array = 1.0, shape: Lengths | None = None) -> Array:
    """Exponential of this mean; of `shape`, or of the shape of `scale`. Raises ArgumentError for a negative scale."""
    scale = parameter(scale, "exponential: scale", 0)
    lengths = shape_of("exponential", shape, scale.shape)
    return -np.log(1 - unit_interval(key, lengths, scale.dtype)) * scale


def gamma(key: Array, a: Array, shape: Lengths | None = None) -> Array:
    """Gamma of shape parameter `a` and scale 1; of `shape`, or of the shape of a.

    Multiply for a scale. There is no gradient with regard to a: taking one raises TraceError. Raises ArgumentError for
    an `a` that is not above 0. Source: Marsaglia and Tsang, "A simple method for generating gamma variables", 2000.
    """
    a = _fixed(parameter(a, "gamma: a", 0, beyond=True), "gamma", "a")
    size, cubed, boost = _gamma(key, a, shape_of("gamma", shape, a.shape))
    return size * cubed * np.exp(boost)


def beta(key: Array, a: Array, b: Array, shape: Lengths | None = None) -> Array:
    """Beta of parameters `a` and `b`; of `shape`, or of the shape of both together. Errors and gradients as `gamma`."""
    a = _fixed(parameter(a, "beta: a", 0, beyond=True), "beta", "a")
    b = _fixed(parameter(b, "beta: b", 0, beyond=True), "beta", "b")
    lengths = shape_of("beta", shape, a.shape, b.shape)
    keys = split(key, 2)
    parts = [_gamma(k, p, lengths) for k, p in zip((keys[0], keys[1]), (a, b), strict=True)]
    # Both can be too small for floats, so their logarithms are told apart.
    x, y = (np.log(size * cubed) + boost for size, cubed, boost in parts)
    apart = y - x
    return np.where(apart > 88, 0, 1 / (1 + np.exp(np.minimum(apart, 88))))


def poisson(key: Array, lam: Array, shape: Lengths | None = None) -> Array:
    """Poisson of mean `lam`, as i32; of `shape`, or of the shape of lam.

    Means are at most 2^30. Raises ArgumentError for a known one that is negative or larger. Source: Hoermann, "The
    transformed rejection method for generating Poisson random variables", 1993; below 10 by inversion.
    """
    lam = parameter(lam, "poisson: lam", 0)
    if is_known(lam) and (lam > 2.0**30).any():
        raise located(ArgumentError(f"poisson: lam is {lam!r}: needs means of at most 2**30"))
    lengths = shape_of("poisson", shape, lam.shape)
    known = lam if is_known(lam) else None
    keys = split(key, 2)
    small: Array = None
    large: Array = None
    if known is None or (known < 10).any():
        small = _poisson_by_inversion(unit_interval(keys[0], lengths, lam.dtype), np.minimum(lam, 10))
    if known is None or (known >= 10).any():
        large = _poisson_by_rejection(keys[1], np.maximum(lam, 10), lengths)
    if small is None or large is None:
        return (small if large is None else large).astype(np.int32)
    joined: Array = np.where(lam < 10, small, large)
    return joined.astype(np.int32)


def truncated_normal(key: Array, lower: Array = -2.0, upper: Array = 2.0, shape: Lengths | None = None) -> Array:
    """Standard normal between two bounds; of `shape`, or of the shape of both together.

    By inversion, and where both bounds lie beyond 5 on one side by Marsaglia's method for tails. Raises ArgumentError
    for known bounds in the wrong order. Source: scipy.stats.truncnorm; Marsaglia, "Generating a variable from the tail
    of the normal distribution", 1964.
    """
    lower, upper = parameter(lower, "truncated_normal: lower"), parameter(upper, "truncated_normal: upper")
    if is_known(lower) and is_known(upper) and (lower > upper).any():
        raise located(ArgumentError(f"truncated_normal: lower {lower!r} lies above upper {upper!r}"))
    lengths = shape_of("truncated_normal", shape, lower.shape, upper.shape)
    # Mirrored, so that what is nearer to 0 or beyond it is the upper bound, and small probabilities are exact.
    mirrored = upper > -lower
    low, high = np.where(mirrored, -upper, lower), np.where(mirrored, -lower, upper)
    keys = split(key, 2)
    inner = _by_inversion(unit_interval(keys[0], lengths, low.dtype), low, np.maximum(high, -5))
    far = high < -5
    if not is_known(far) or far.any():
        inner = np.where(far, -_tail(keys[1], -np.minimum(high, -5), -low, lengths), inner)
    inner = np.clip(inner, low, high)
    return np.where(mirrored, -inner, inner)


def multivariate_normal(key: Array, mean: Array, cov: Array, shape: Lengths | None = None) -> Array:
    """Normal vectors of this mean and covariance. mean: [..., n], cov: [..., n, n], positive definite -> [*shape, n].

    shape: what stands before n; None for that of mean and cov together. Raises ShapeError for what does not fit,
    ArgumentError for a known covariance that is not positive definite.
    """
    mean, cov = parameter(mean, "multivariate_normal: mean"), parameter(cov, "multivariate_normal: cov")
    if not mean.shape or cov.shape[-2:] != (mean.shape[-1],) * 2:
        raise located(
            ShapeError(f"multivariate_normal: mean {mean.shape} and cov {cov.shape}: needs [..., n] and [..., n, n]")
        )
    lengths = shape_of("multivariate_normal", shape, mean.shape[:-1], cov.shape[:-2])
    try:
        root = np.linalg.cholesky(cov)
    except np.linalg.LinAlgError:
        raise located(ArgumentError("multivariate_normal: cov is not positive definite")) from None
    dtype = np.result_type(mean.dtype, cov.dtype)
    noise = normal(key, (*lengths, mean.shape[-1]), dtype=dtype)
    return mean + np.matmul(root, noise[..., None])[..., 0]


def _fixed(parameter: Array, name: str, what: str) -> Array:
    """A parameter that has no gradient, and says so to those who take one."""
    if is_known(parameter):
        return parameter

    def refuse(_: Any, __: Any) -> Any:
        raise TraceError(f"{name} has no gradient with regard to {what}: write graphc.stop_gradient({what})")

    return custom_vjp(lambda x: x, lambda x: (x, ()), refuse)(parameter)


def _gamma(key: Array, a: Array, shape: Shape) -> tuple[Array, Array, Array]:
    """A gamma number in three parts: a size, a factor, and the logarithm of another one (below 0 for small a)."""
    checked_key(key)
    keys = split(key, 3)
    size = np.where(a < 1, a + 1, a) - 1 / 3
    noise = normal(keys[0], (TRIES, *shape), dtype=a.dtype)
    level = 1 - unit_interval(keys[1], (TRIES, *shape), a.dtype)
    step = noise / (3 * np.sqrt(size))
    accepted = (step > -1) & (np.log(level) < 3 * size * _rest_of_log(np.maximum(step, -0.999999)))
    cubed = (1 + np.maximum(_first(accepted, step), -0.999999)) ** 3
    boost = np.log(1 - unit_interval(keys[2], shape, a.dtype)) / a
    return size, cubed, np.where(a < 1, boost, 0)


def _rest_of_log(t: Array) -> Array:
    """log(1 + t) - t + t^2 / 2 - t^3 / 3, of small t by its series: it is the small rest of large parts."""
    terms = [(-1.0) ** (k + 1) / k for k in range(4, 13)]
    series = 0 * t
    for term in reversed(terms):
        series = series * t + term
    return np.where(abs(t) < 0.2, series * t**4, np.log1p(t) - t + t * t / 2 - t * t * t / 3)


def _first(accepted: Array, proposals: Array) -> Array:
    """Of proposals along the first axis the first that is accepted; the first one if none is."""
    place = np.argmax(accepted, axis=0)
    return np.take_along_axis(proposals, place[None], axis=0)[0]


def _poisson_by_inversion(u: Array, lam: Array) -> Array:
    """The number of probabilities, added from 0 on, that lie below a uniform number; for means up to 10."""
    term = np.exp(-lam)
    total, count = term, 0 * u
    for k in range(1, 45):
        count = count + (u >= total)
        term = term * lam / k
        total = total + term
    return count


def _poisson_by_rejection(key: Array, lam: Array, shape: Shape) -> Array:
    """Hoermann's method PTRS, for means from 10 on."""
    words = unit_interval(key, (2, POISSON_TRIES, *shape), lam.dtype)
    u, v = words[0] - 0.5, 1 - words[1]
    spread = 0.931 + 2.53 * np.sqrt(lam)
    flat = -0.059 + 0.02483 * spread
    inverse = 1.1239 + 1.1328 / (spread - 3.4)
    near = np.maximum(0.5 - abs(u), 1e-7)
    count = np.floor((2 * flat / near + spread) * u + lam + 0.43)
    some = np.maximum(count, 0)
    inside = np.log(v * inverse / (flat / (near * near) + spread)) <= _log_poisson(some, lam)
    return _first((count >= 0) & inside, some)


def _log_poisson(k: Array, lam: Array) -> Array:
    """The logarithm of the probability of k, without the difference of large numbers.

    Source: Loader, "Fast and accurate computation of binomial probabilities", 2000.
    """
    # k log(k / lam) + lam - k is lam times a function of the relative distance, by its series where that is small.
    apart = (k - lam) / lam
    near = np.clip(apart, -0.15, 0.15)
    series = 0 * near
    for n in reversed(range(2, 12)):
        series = series * near + (-1.0) ** n / (n * (n - 1))
    safe = np.maximum(k, 1)
    deviance = np.where(near == apart, lam * near * near * series, np.where(k > 0, k * np.log(safe / lam), 0) + lam - k)
    # Stirling's series for log(k!), which is exact enough from 1 on; 0! is 1.
    square = safe * safe
    error = (1 / 12 - (1 / 360 - (1 / 1260 - 1 / (1680 * square)) / square) / square) / safe
    return np.where(k > 0, -deviance - error - 0.5 * np.log(2 * math.pi * safe), -lam)


def _by_inversion(u: Array, low: Array, high: Array) -> Array:
    """The normal number below which lies a part u of what lies between two bounds."""
    before, until = _normal_part(low), _normal_part(high)
    return _normal_quantile(before + u * (until - before))


def _normal_part(x: Array) -> Array:
    """The part of the standard normal distribution below x, exact in its relative size below 0.

    Source: the Chebyshev fit of erfc in Press et al., "Numerical recipes", section 6.2.
    """
    z = abs(x) * math.sqrt(0.5)
    t = 1 / (1 + z / 2)
    fit = (
        -1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398, 1.48851587, -0.82215223,
        0.17087277,
    )  # fmt: skip
    total = 0 * t
    for term in reversed(fit):
        total = total * t + term
    tail = 0.5 * t * np.exp(total - z * z)
    return np.where(x < 0, tail, 1 - tail)


def _normal_quantile(p: Array) -> Array:
    """The standard normal number below which lies a part p.

    Source: Wichura, "Algorithm AS 241: the percentage points of the normal distribution", 1988, in single precision.
    """
    q = p - 0.5
    r = 0.180625 - q * q
    middle = q * (((59.109374720 * r + 159.29113202) * r + 50.434271938) * r + 3.3871327179)
    middle = middle / (((67.187563600 * r + 78.757757664) * r + 17.895169469) * r + 1)
    root = np.sqrt(-np.log(np.maximum(np.minimum(p, 1 - p), 1e-37)))
    r = np.minimum(root, 5) - 1.6
    near = (((0.17023821103 * r + 1.3067284816) * r + 2.7568153900) * r + 1.4234372777) / (
        (0.12021132975 * r + 0.73700164250) * r + 1
    )
    r = np.maximum(root, 5) - 5
    far = (((0.017337203997 * r + 0.42868294337) * r + 3.0812263860) * r + 6.6579051150) / (
        (0.012258202635 * r + 0.24197894225) * r + 1
    )
    outer = np.where(root <= 5, near, far)
    return np.where(abs(q) <= 0.425, middle, np.where(q < 0, -outer, outer))


def _tail(key: Array, low: Array, high: Array, shape: Shape) -> Array:
    """Normal numbers between two bounds of which the lower one is at least 5."""
    words = unit_interval(key, (2, TRIES, *shape), low.dtype)
    reach = 1 - np.exp(-0.5 * (high - low) * (high + low))
    proposals = np.sqrt(low * low - 2 * np.log(1 - words[0] * reach))
    return _first(words[1] * proposals <= low, proposals)
