"""Norms: numbers less their mean, over the root of their variance."""

from __future__ import annotations

import math

import numpy as np

from graphc.convolution import array_like
from graphc.errors import ArgumentError, ShapeError
from graphc.nn.shared import Array, half_again
from graphc.ops import by_name
from graphc.tracing.operands import at_least, check_axis, check_fits, takes
from graphc.tracing.trace import apply
from graphc.transforms import custom_vjp


@takes()
def layer_norm(x: Array, gain: Array | None = None, bias: Array | None = None, eps: float = 1e-5) -> Array:
    """(x - mean) / sqrt(var + eps) * gain + bias over the last axis. x: [..., D], gain and bias: [D].

    Numbers may be so large that their squares overflow; half precision is computed in single.
    Source: arXiv:1607.06450.
    """
    return _affine("layer_norm", _standardized(_rows("layer_norm", x, eps), eps, True), gain, bias)


@takes()
def rms_norm(x: Array, gain: Array | None = None, eps: float = 1e-5) -> Array:
    """x / sqrt(mean(x^2) + eps) * gain over the last axis. x: [..., D], gain: [D].

    Numbers may be so large that their squares overflow; half precision is computed in single.
    Source: arXiv:1910.07467.
    """
    return _affine("rms_norm", _standardized(_rows("rms_norm", x, eps), eps, False), gain, None)


_LARGE = 2.0**38


_SMALLER = 2.0**-80
"""Where the mean size of a row is above `_LARGE`, its numbers are made smaller before they are squared, by a power of
two, which is exact. Below, no square overflows in a row of up to 2^26 numbers; above, none does at all."""


def _standardized(x: Array, eps: float, centred: bool) -> Array:
    """The rows of x, less their mean where `centred`, over the root of their mean square.

    The gradient is written out: that of large numbers would overflow on its way too.
    """

    def scaled(x: Array) -> tuple[Array, Array]:
        wide = x.astype(np.float32) if x.dtype == np.float16 else x
        factor: Array = 1.0
        if x.dtype == np.float32:
            size = np.mean(np.abs(x), axis=-1, keepdims=True)
            factor = np.where(size < _LARGE, np.float32(1), np.float32(_SMALLER))
        small = wide - np.mean(wide, axis=-1, keepdims=True) if centred else wide
        small = small * factor
        root = apply(by_name("rsqrt"), np.mean(small * small, axis=-1, keepdims=True) + eps * (factor * factor))
        return small * root, factor * root

    def function(x: Array) -> Array:
        return half_again(scaled(x)[0], x)

    def forward(x: Array) -> tuple[Array, tuple[Array, Array]]:
        y, root = scaled(x)
        return half_again(y, x), (y, root)

    def backward(kept: tuple[Array, Array], g: Array) -> tuple[Array]:
        y, root = kept
        wide = g.astype(y.dtype)
        inner = wide - y * np.mean(wide * y, axis=-1, keepdims=True)
        if centred:
            inner = inner - np.mean(wide, axis=-1, keepdims=True)
        return ((root * inner).astype(g.dtype),)

    return custom_vjp(function, forward, backward)(x)


def _rows(name: str, x: Array, eps: float) -> Array:
    """x as an array; raises ShapeError for a number, ArgumentError for an eps below 0."""
    at_least(name, "eps", eps)
    x = array_like(x)
    if x.ndim < 1:
        raise ShapeError(f"{name}: x is a number: need [..., D]")
    return x


def _affine(name: str, y: Array, gain: Array | None, bias: Array | None) -> Array:
    if gain is not None:
        gain = array_like(gain)
        check_fits(name, "gain", gain, y.shape, "a number for each channel")
        y = y * gain
    if bias is not None:
        bias = array_like(bias)
        check_fits(name, "bias", bias, y.shape, "a number for each channel")
    return y if bias is None else y + bias


@takes()
def batch_norm(
    x: Array,
    gain: Array,
    bias: Array,
    mean: Array,
    var: Array,
    *,
    train: bool,
    momentum: float = 0.1,
    eps: float = 1e-5,
    axis: int = -1,
) -> tuple[Array, tuple[Array, Array]]:
    """Normalise each channel (last axis) and return (y, (mean, var)) with the running statistics after this batch.

    x: [..., C]; gain, bias, mean, var: [C]. axis: where the channels are, 1 for what `conv` gives. In training the
    batch's own mean and variance normalise, and the running ones move towards them by `momentum` (the variance
    unbiased, as in PyTorch); in evaluation the running ones normalise and stay. Raises ShapeError, too for a training
    batch of fewer than two rows. Source: arXiv:1502.03167.
    """
    at_least("batch_norm", "eps", eps)
    x, gain, bias, mean, var = map(array_like, (x, gain, bias, mean, var))
    check_axis("batch_norm", x, axis)
    after = x.ndim - 1 - axis % x.ndim
    for what, given in (("gain", gain), ("bias", bias), ("mean", mean), ("var", var)):
        check_fits("batch_norm", what, given, x.shape[axis : axis + 1 or None], "a number for each channel")

    def spread(of_channel: Array) -> Array:
        return np.reshape(of_channel, (-1, *(1,) * after)) if after else of_channel

    if not train:
        return (x - spread(mean)) * apply(by_name("rsqrt"), spread(var) + eps) * spread(gain) + spread(bias), (
            mean,
            var,
        )
    axes = tuple(i for i in range(x.ndim) if i != axis % x.ndim)
    count = math.prod(x.shape[i] for i in axes)
    if count < 2:
        raise ShapeError(f"batch_norm: x has shape {x.shape}: training needs at least two rows")
    wide = x.astype(np.float32) if x.dtype == np.float16 else x
    batch_mean = np.mean(wide, axis=axes)
    centred = wide - spread(batch_mean)
    batch_var = np.mean(centred * centred, axis=axes)
    y = half_again(centred * apply(by_name("rsqrt"), spread(batch_var) + eps), x) * spread(gain) + spread(bias)
    stop = by_name("stop_gradient")
    new_mean = (1 - momentum) * mean + momentum * apply(stop, half_again(batch_mean, mean))
    new_var = (1 - momentum) * var + momentum * (count / (count - 1)) * apply(stop, half_again(batch_var, var))
    return y, (new_mean, new_var)


@takes()
def group_norm(x: Array, groups: int, gain: Array | None = None, bias: Array | None = None, eps: float = 1e-5) -> Array:
    """Normalise groups of channels of each example: (x - mean) / sqrt(var + eps) * gain + bias.

    x: [N, C, *space], as `conv` has it; gain and bias: [C]. Mean and variance are those of C / groups channels and all
    of space. Numbers may be so large that their squares overflow; half precision is computed in single.
    Raises ShapeError, and ArgumentError for groups that do not divide the channels. Source: arXiv:1803.08494.
    """
    x = array_like(x)
    if x.ndim < 2:
        raise ShapeError(f"group_norm: x has shape {x.shape}: need [N, C, *space]")
    channels = x.shape[1]
    if not isinstance(groups, int | np.integer) or groups < 1 or channels % groups:
        raise ArgumentError(f"group_norm: groups is {groups!r}: need a number that divides {channels} channels")
    return _grouped("group_norm", x, int(groups), gain, bias, eps)


@takes()
def instance_norm(x: Array, gain: Array | None = None, bias: Array | None = None, eps: float = 1e-5) -> Array:
    """Normalise each channel of each example over space: (x - mean) / sqrt(var + eps) * gain + bias.

    x: [N, C, *space]; gain and bias: [C]. Raises ShapeError, too where space has no two elements. As `group_norm`
    otherwise, with a group a channel. Source: arXiv:1607.08022.
    """
    x = array_like(x)
    if x.ndim < 3 or math.prod(x.shape[2:]) < 2:
        raise ShapeError(
            f"instance_norm: x has shape {x.shape}: need [N, C, *space] with two elements of space or more"
        )
    return _grouped("instance_norm", x, x.shape[1], gain, bias, eps)


def _grouped(name: str, x: Array, groups: int, gain: Array | None, bias: Array | None, eps: float) -> Array:
    at_least(name, "eps", eps)
    count, channels, *space = x.shape
    size = channels // max(groups, 1) * math.prod(space)
    rows = _standardized(np.reshape(x, (count, groups, size)), eps, True)
    y = np.reshape(rows, x.shape)
    return _affine(name, y, *(_of_channels(name, x, what, given) for what, given in (("gain", gain), ("bias", bias))))


def _of_channels(name: str, x: Array, what: str, given: Array | None) -> Array | None:
    """A number for each channel, as it broadcasts to x: [N, C, *space]; raises ShapeError."""
    if given is None:
        return None
    given = array_like(given)
    if given.shape != x.shape[1:2]:
        raise ShapeError(f"{name}: {what} has shape {given.shape}: need ({x.shape[1]},), a number for each channel")
    return np.reshape(given, (x.shape[1],) + (1,) * (x.ndim - 2))
