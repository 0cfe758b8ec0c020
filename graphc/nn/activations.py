"""Functions of each element, and softmax."""

from __future__ import annotations

import math

import numpy as np

from graphc.convolution import array_like
from graphc.nn.shared import Array, shifted
from graphc.ops import by_name
from graphc.tracing.trace import apply


def relu(x: Array) -> Array:
    """max(x, 0) for each element; NaN stays NaN. The gradient at 0 is 0, as in PyTorch."""
    x = array_like(x)
    # Not np.maximum: its gradient at a tie is shared between both sides.
    return np.where(x <= 0, 0, x)


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)) for each element, accurate for all x."""
    return apply(by_name("sigmoid"), array_like(x))


def silu(x: Array) -> Array:
    """x * sigmoid(x), also called swish. Source: arXiv:1702.03118."""
    x = array_like(x)
    return x * sigmoid(x)


def gelu(x: Array, approximate: bool = False) -> Array:
    """x * Phi(x), with Phi the normal distribution function; `approximate` takes its tanh form.

    Source: arXiv:1606.08415.
    """
    x = array_like(x)
    if approximate:
        return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))
    return 0.5 * x * (1 + apply(by_name("erf"), x * math.sqrt(0.5)))


def softmax(x: Array, axis: int = -1) -> Array:
    """exp(x) / sum(exp(x)) along `axis`, without overflow."""
    weights = np.exp(shifted(x, axis))
    return weights / np.sum(weights, axis=axis, keepdims=True)


def log_softmax(x: Array, axis: int = -1) -> Array:
    """log(softmax(x)) along `axis`, without overflow and without losing small probabilities."""
    lower = shifted(x, axis)
    return lower - np.log(np.sum(np.exp(lower), axis=axis, keepdims=True))
