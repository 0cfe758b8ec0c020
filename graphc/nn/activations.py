"""Functions of each element, and softmax."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from graphc.convolution import array_like
from graphc.errors import ArgumentError, ShapeError
from graphc.nn.shared import Array, shifted
from graphc.ops import by_name
from graphc.tracing.operands import check_axis, flag, takes
from graphc.tracing.trace import apply

Approximate = bool | Literal["none", "tanh"]
"""Whether gelu takes its tanh form, as a truth value or by PyTorch's names."""


@takes()
def relu(x: Array) -> Array:
    """max(x, 0) for each element; NaN stays NaN. The gradient at 0 is 0, as in PyTorch."""
    x = array_like(x)
    # Not np.maximum: its gradient at a tie is shared between both sides.
    return np.where(x <= 0, 0, x)


@takes(floats="x")
def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)) for each element, accurate for all x. Raises DTypeError for what is no float."""
    return apply(by_name("sigmoid"), array_like(x))


@takes(floats="x")
def silu(x: Array) -> Array:
    """x * sigmoid(x), also called swish. Source: arXiv:1702.03118."""
    x = array_like(x)
    return x * sigmoid(x)


@takes()
def gelu(x: Array, approximate: Approximate = False) -> Array:
    """x * Phi(x), with Phi the normal distribution function; `approximate` takes its tanh form.

    Raises ArgumentError for an approximation of another name.
    Source: arXiv:1606.08415.
    """
    return _gelu("gelu", array_like(x), approximate)


def _gelu(name: str, x: Array, approximate: Approximate) -> Array:
    if not isinstance(approximate, str):
        flag(name, "approximate", approximate)
    elif approximate not in ("none", "tanh"):
        raise ArgumentError(f"{name}: approximate is {approximate!r}: write True or 'tanh', False or 'none'")
    if approximate and approximate != "none":
        return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))
    return 0.5 * x * (1 + apply(by_name("erf"), x * math.sqrt(0.5)))


@takes(numbers="x")
def softplus(x: Array) -> Array:
    """log(1 + exp(x)) for each element, without overflow."""
    x = array_like(x)
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


@takes(floats="gate")
def swiglu(gate: Array, up: Array | None = None, axis: int = -1) -> Array:
    """silu(gate) * up. Without `up`, the halves of `gate` along `axis` are both.

    swiglu(x @ w1, x @ w3) @ w2 is the MLP of many language models. Raises ShapeError. Source: arXiv:2002.05202.
    """
    gate, up = _gated("swiglu", gate, up, axis)
    return silu(gate) * up


@takes()
def geglu(gate: Array, up: Array | None = None, axis: int = -1, approximate: Approximate = False) -> Array:
    """gelu(gate) * up, as `swiglu`; `approximate` takes gelu's tanh form. Source: arXiv:2002.05202."""
    gate, up = _gated("geglu", gate, up, axis)
    return _gelu("geglu", gate, approximate) * up


def _gated(name: str, gate: Array, up: Array | None, axis: int) -> tuple[Array, Array]:
    """The two factors of a gated unit."""
    gate = array_like(gate)
    if up is None:
        if not -gate.ndim <= axis < gate.ndim or gate.shape[axis] % 2:
            raise ShapeError(f"{name}: gate has shape {gate.shape}: axis {axis} has to be one of an even length")
        first, second = np.split(gate, 2, axis)
        return first, second
    up = array_like(up)
    if gate.shape != up.shape:
        raise ShapeError(f"{name}: gate has shape {gate.shape} and up {up.shape}: need the same")
    return gate, up


@takes(numbers="x")
def softmax(x: Array, axis: int = -1) -> Array:
    """exp(x) / sum(exp(x)) along `axis`, without overflow. Raises ShapeError for an axis that there is not."""
    x = array_like(x)
    check_axis("softmax", x, axis)
    weights = np.exp(shifted(x, axis))
    return weights / np.sum(weights, axis=axis, keepdims=True)


@takes(numbers="x")
def log_softmax(x: Array, axis: int = -1) -> Array:
    """log(softmax(x)) along `axis`, without overflow and without losing small probabilities. Errors: `softmax`."""
    x = array_like(x)
    check_axis("log_softmax", x, axis)
    lower = shifted(x, axis)
    if not lower.shape[axis]:
        return lower
    return lower - np.log(np.sum(np.exp(lower), axis=axis, keepdims=True))
