"""Importers of normalisations."""

from __future__ import annotations

import numpy as np

from graphc.onnx.ops.elementwise import op
from graphc.onnx.ops.reduce import axes_of
from graphc.onnx.registry import Array, Call, importer

rsqrt = op("rsqrt")


def _wide(x: Array) -> Array:
    """Half precision is computed in single."""
    return x.astype(np.float32) if x.dtype == np.float16 else x


def _standard(x: Array, axes: tuple[int, ...], epsilon: float) -> tuple[Array, Array, Array]:
    """x less its mean over the root of its variance; the mean; one over that root."""
    wide = _wide(x)
    mean = np.mean(wide, axis=axes, keepdims=True)
    apart = wide - mean
    scale = rsqrt(np.mean(apart * apart, axis=axes, keepdims=True) + wide.dtype.type(epsilon))
    return apart * scale, mean, scale


def _of_channels(x: Array, ndim: int) -> Array:
    """[C] as [C, 1, ...], to meet [N, C, ...]."""
    return np.reshape(x, (-1, *(1,) * (ndim - 2)))


@importer("LayerNormalization")
def layer_norm(
    c: Call, x: Array, scale: Array, bias: Array = None, *, axis: int = -1, epsilon: float = 1e-5, stash_type: int = 1
) -> tuple[Array, Array, Array]:
    """Over all axes from `axis` on."""
    (first,) = axes_of(c, x, [axis])
    y, mean, inverse = _standard(x, tuple(range(first, x.ndim)), epsilon)
    y = y.astype(x.dtype) * scale
    return (y if bias is None else y + bias), mean, inverse


@importer("RMSNormalization")
def rms_norm(c: Call, x: Array, scale: Array, *, axis: int = -1, epsilon: float = 1e-5, stash_type: int = 1) -> Array:
    """Over all axes from `axis` on."""
    (first,) = axes_of(c, x, [axis])
    wide = _wide(x)
    square = np.mean(wide * wide, axis=tuple(range(first, x.ndim)), keepdims=True)
    return (wide * rsqrt(square + wide.dtype.type(epsilon))).astype(x.dtype) * scale


@importer("BatchNormalization", since=6)
def batch_norm(
    c: Call,
    x: Array,
    scale: Array,
    bias: Array,
    mean: Array,
    var: Array,
    *,
    epsilon: float = 1e-5,
    momentum: float = 0.9,
    training_mode: int = 0,
    spatial: int = 1,
    is_test: int | None = None,
) -> tuple[Array, ...]:
    """By the running statistics, or in training by the batch's own, to which the running ones move."""
    if not spatial or (c.version < 7 and not is_test):
        c.refuse("statistics of single elements, and training before opset 14, are not imported")
    wide = _wide(x)
    if not training_mode:
        made = (wide - _of_channels(mean, x.ndim)) * _of_channels(rsqrt(var + var.dtype.type(epsilon)), x.ndim)
        return ((made * _of_channels(scale, x.ndim) + _of_channels(bias, x.ndim)).astype(x.dtype),)
    axes = (0, *range(2, x.ndim))
    here = np.mean(wide, axis=axes)
    apart = wide - _of_channels(here, x.ndim)
    spread = np.mean(apart * apart, axis=axes)
    y = apart * _of_channels(rsqrt(spread + spread.dtype.type(epsilon)) * scale, x.ndim) + _of_channels(bias, x.ndim)
    rest = 1 - momentum
    return y.astype(x.dtype), momentum * mean + rest * here, momentum * var + rest * spread


@importer("InstanceNormalization", since=6)
def instance_norm(c: Call, x: Array, scale: Array, bias: Array, *, epsilon: float = 1e-5) -> Array:
    """Each channel of each sample."""
    y, _, _ = _standard(x, tuple(range(2, x.ndim)), epsilon)
    return y.astype(x.dtype) * _of_channels(scale, x.ndim) + _of_channels(bias, x.ndim)


def _group_norm(x: Array, groups: int, epsilon: float) -> Array:
    parts = np.reshape(x, (x.shape[0], groups, -1))
    return np.reshape(_standard(parts, (2,), epsilon)[0].astype(x.dtype), x.shape)


@importer("GroupNormalization", since=21)
def group_norm(
    c: Call, x: Array, scale: Array, bias: Array, *, num_groups: int, epsilon: float = 1e-5, stash_type: int = 1
) -> Array:
    """Groups of channels; scale and bias are those of channels."""
    y = _group_norm(x, num_groups, epsilon)
    return y * _of_channels(scale, x.ndim) + _of_channels(bias, x.ndim)


@importer("GroupNormalization", since=18)
def group_norm_by_group(
    c: Call, x: Array, scale: Array, bias: Array, *, num_groups: int, epsilon: float = 1e-5
) -> Array:
    """Before opset 21: scale and bias are those of groups."""
    of_group = x.shape[1] // num_groups
    y = _group_norm(x, num_groups, epsilon)
    return y * _of_channels(np.repeat(scale, of_group), x.ndim) + _of_channels(np.repeat(bias, of_group), x.ndim)


@importer("LpNormalization")
def lp_norm(c: Call, x: Array, *, axis: int = -1, p: int = 2) -> Array:
    """x over the length of its rows; rows of zeros stay."""
    size = np.sum(np.abs(x), axis=axis, keepdims=True) if p == 1 else np.sqrt(np.sum(x * x, axis=axis, keepdims=True))
    return np.where(size == 0, x.dtype.type(0), x / np.where(size == 0, x.dtype.type(1), size))


@importer("LRN")
def local_response_norm(
    c: Call, x: Array, *, size: int, alpha: float = 1e-4, beta: float = 0.75, bias: float = 1.0
) -> Array:
    """x over a power of the squares of the channels around."""
    before = (size - 1) // 2
    n = x.shape[1]
    around = np.pad(x * x, [(0, 0), (before, size - 1 - before), *[(0, 0)] * (x.ndim - 2)])
    total = around[:, :n]
    for k in range(1, size):
        total = total + around[:, k : k + n]
    return x / (bias + alpha / size * total) ** beta


@importer("MeanVarianceNormalization", since=9)
def mean_variance_norm(c: Call, x: Array, *, axes: tuple[int, ...] = (0, 2, 3)) -> Array:
    """Less the mean, over the standard deviation."""
    along = axes_of(c, x, list(axes))
    apart = x - np.mean(x, axis=along, keepdims=True)
    return apart / (np.sqrt(np.mean(apart * apart, axis=along, keepdims=True)) + 1e-9)
