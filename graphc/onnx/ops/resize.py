"""Importer of Resize: axis by axis, with the places and weights known on the host."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.ir.types import NDArray
from graphc.onnx.ops.reduce import axes_of
from graphc.onnx.registry import Array, Call, importer


@importer("Resize", since=11)
def resize(
    c: Call,
    x: Array,
    roi: Array = None,
    scales: Array = None,
    sizes: Array = None,
    *,
    antialias: int = 0,
    axes: Any = None,
    coordinate_transformation_mode: str = "half_pixel",
    cubic_coeff_a: float = -0.75,
    exclude_outside: int = 0,
    extrapolation_value: float = 0.0,
    keep_aspect_ratio_policy: str = "stretch",
    mode: str = "nearest",
    nearest_mode: str = "round_prefer_floor",
) -> Array:
    """x with other lengths of its axes, by the nearest element, or between two (linear) or four (cubic)."""
    if antialias:
        c.refuse("antialias is not imported")
    along = axes_of(c, x, axes)
    lengths, factors = _lengths(c, x, along, scales, sizes, keep_aspect_ratio_policy)
    region = [0.0] * len(along) + [1.0] * len(along)
    if coordinate_transformation_mode == "tf_crop_and_resize":
        region = [float(n) for n in np.ravel(c.known(roi, "roi"))]
    c.sized([n if k not in along else lengths[along.index(k)] for k, n in enumerate(x.shape)])
    for k, axis in enumerate(along):
        n, m = x.shape[axis], lengths[k]
        if n == m and factors[k] == 1 and coordinate_transformation_mode != "tf_crop_and_resize":
            continue
        span = region[k], region[len(along) + k]
        where = _places(c, coordinate_transformation_mode, n, m, factors[k], span)
        if mode == "nearest":
            ids, weights = _nearest(where, nearest_mode)[:, None], None
        elif mode == "linear":
            ids = np.floor(where).astype(np.int64)[:, None] + np.arange(2)
            weights = 1 - np.abs(where[:, None] - ids)
        else:
            ids = np.floor(where).astype(np.int64)[:, None] + np.arange(-1, 3)
            weights = _cubic(np.abs(where[:, None] - ids), cubic_coeff_a)
        if exclude_outside and weights is not None:
            weights = weights * ((ids >= 0) & (ids < n))
            weights = weights / weights.sum(axis=1, keepdims=True)
        beyond = (where < 0) | (where > n - 1) if coordinate_transformation_mode == "tf_crop_and_resize" else None
        x = _along(x, axis, np.clip(ids, 0, n - 1), weights, beyond, extrapolation_value)
    return x


def _lengths(
    c: Call, x: Array, along: tuple[int, ...], scales: Array, sizes: Array, policy: str
) -> tuple[list[int], list[float]]:
    """The lengths of the result along these axes, and by what they grow."""
    if scales is not None and np.prod(scales.shape):
        factors = [float(s) for s in np.ravel(c.known(scales, "scales"))]
        return [int(np.floor(x.shape[axis] * s)) for axis, s in zip(along, factors, strict=True)], factors
    if sizes is None:
        c.refuse("it has neither scales nor sizes")
    lengths = c.ints(sizes, "sizes")
    factors = [m / x.shape[axis] for axis, m in zip(along, lengths, strict=True)]
    if policy != "stretch":
        factor = min(factors) if policy == "not_larger" else max(factors)
        lengths = [int(np.floor(x.shape[axis] * factor + 0.5)) for axis in along]
        factors = [factor] * len(along)
    return lengths, factors


def _places(c: Call, how: str, n: int, m: int, factor: float, span: tuple[float, float]) -> NDArray:
    """Where each element of the result lies on the axis of x."""
    at = np.arange(m, dtype=np.float64)
    if how == "half_pixel":
        return (at + 0.5) / factor - 0.5
    if how == "half_pixel_symmetric":
        return n / 2 * (1 - m / (factor * n)) + (at + 0.5) / factor - 0.5
    if how == "pytorch_half_pixel":
        return (at + 0.5) / factor - 0.5 if m > 1 else np.zeros(m)
    if how == "align_corners":
        return at * (n - 1) / (factor * n - 1) if factor * n > 1 else np.zeros(m)
    if how == "asymmetric":
        return at / factor
    if how == "tf_crop_and_resize":
        start, end = span
        if m > 1:
            return start * (n - 1) + at * (end - start) * (n - 1) / (m - 1)
        return np.full(m, 0.5 * (start + end) * (n - 1))
    return c.refuse(f"coordinate_transformation_mode {how!r}")


def _nearest(where: NDArray, how: str) -> NDArray:
    if how == "floor":
        made = np.floor(where)
    elif how == "ceil":
        made = np.ceil(where)
    elif how == "round_prefer_ceil":
        made = np.floor(where + 0.5)
    else:
        made = np.ceil(where - 0.5)
    return made.astype(np.int64)


def _cubic(apart: NDArray, a: float) -> NDArray:
    """Weights at these distances. Source: Keys, Cubic convolution interpolation, 1981."""
    near = ((a + 2) * apart - (a + 3)) * apart**2 + 1
    far = ((a * apart - 5 * a) * apart + 8 * a) * apart - 4 * a
    return np.where(apart <= 1, near, np.where(apart < 2, far, 0))


def _along(
    x: Array, axis: int, ids: NDArray, weights: NDArray | None, beyond: NDArray | None, otherwise: float
) -> Array:
    """Sums of elements at ids [M, taps] along an axis, with these weights."""
    before = (slice(None),) * axis
    ndim = x.ndim
    total: Array = None
    for k in range(ids.shape[1]):
        part = x[(*before, ids[:, k])]
        if weights is not None:
            row = np.reshape(weights[:, k].astype(x.dtype), [-1 if a == axis else 1 for a in range(ndim)])
            part = part * row
        total = part if total is None else total + part
    if beyond is not None:
        row = np.reshape(beyond, [-1 if a == axis else 1 for a in range(ndim)])
        total = np.where(row, x.dtype.type(otherwise), total)
    return total


@importer("Upsample", since=9)
def upsample(c: Call, x: Array, scales: Array, *, mode: str = "nearest") -> Array:
    """What Resize was before opset 10."""
    return resize(c, x, None, scales, mode=mode, coordinate_transformation_mode="asymmetric", nearest_mode="floor")
