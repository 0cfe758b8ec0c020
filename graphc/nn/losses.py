"""Losses of numbers: each, their mean or their sum. Those of classes and probabilities are in entropy.py.

Each takes a mask, bool or weights, that broadcasts to the shape of its losses: 0 leaves one out, whatever the operands
hold there, and the mean is weighted. Names and defaults are those of torch.nn.functional.
"""

from __future__ import annotations

import math

import numpy as np

from graphc.convolution import array_like
from graphc.errors import ArgumentError, ShapeError
from graphc.nn.activations import relu, softplus
from graphc.nn.reduction import elementwise, operands
from graphc.nn.shared import Array
from graphc.ops import by_name
from graphc.tracing.operands import at_least, check_axis, check_fits, takes
from graphc.tracing.trace import apply


@takes()
def mse_loss(x: Array, target: Array, mask: Array | None = None, *, reduction: str = "mean") -> Array:
    """(x - target)^2 for each element: the mean, the sum, or each of them ("none").

    x, target: floats of one shape; target may be a number. mask: broadcast to that shape, bool or weights; 0 leaves an
    element out, and the mean is weighted. Raises ShapeError, DTypeError, ArgumentError. Source: torch.
    """
    return elementwise("mse_loss", lambda x, t: (x - t) * (x - t), operands("mse_loss", x, target), mask, reduction)


@takes()
def l1_loss(x: Array, target: Array, mask: Array | None = None, *, reduction: str = "mean") -> Array:
    """|x - target| for each element, as `mse_loss`. The gradient where both are equal is 0."""
    return elementwise("l1_loss", lambda x, t: np.abs(x - t), operands("l1_loss", x, target), mask, reduction)


@takes()
def huber_loss(
    x: Array, target: Array, mask: Array | None = None, *, delta: float = 1.0, reduction: str = "mean"
) -> Array:
    """d^2 / 2 where d = |x - target| is at most `delta`, else delta * (d - delta / 2), as `mse_loss`."""
    _check_positive("huber_loss: delta", delta)

    def loss(x: Array, t: Array) -> Array:
        d = np.abs(x - t)
        return np.where(d <= delta, 0.5 * d * d, delta * (d - 0.5 * delta))

    return elementwise("huber_loss", loss, operands("huber_loss", x, target), mask, reduction)


@takes()
def smooth_l1_loss(
    x: Array, target: Array, mask: Array | None = None, *, beta: float = 1.0, reduction: str = "mean"
) -> Array:
    """d^2 / (2 beta) where d = |x - target| is below `beta`, else d - beta / 2, as `mse_loss`; beta 0 is `l1_loss`."""
    if beta == 0:
        return l1_loss(x, target, mask, reduction=reduction)
    _check_positive("smooth_l1_loss: beta", beta)

    def loss(x: Array, t: Array) -> Array:
        d = np.abs(x - t)
        return np.where(d < beta, d * d * (0.5 / beta), d - 0.5 * beta)

    return elementwise("smooth_l1_loss", loss, operands("smooth_l1_loss", x, target), mask, reduction)


@takes()
def soft_margin_loss(x: Array, target: Array, mask: Array | None = None, *, reduction: str = "mean") -> Array:
    """log(1 + exp(-target * x)) for each element, without overflow; target: 1 or -1. As `mse_loss`."""
    given = operands("soft_margin_loss", x, target)
    return elementwise("soft_margin_loss", lambda x, t: softplus(-(t * x)), given, mask, reduction)


@takes()
def hinge_embedding_loss(
    x: Array, target: Array, mask: Array | None = None, *, margin: float = 1.0, reduction: str = "mean"
) -> Array:
    """x where the target is 1, max(margin - x, 0) where it is -1; x is a distance. As `mse_loss`."""
    given = operands("hinge_embedding_loss", x, target)
    return elementwise(
        "hinge_embedding_loss", lambda x, t: np.where(t > 0, x, relu(margin - x)), given, mask, reduction
    )


@takes()
def margin_ranking_loss(
    x1: Array,
    x2: Array,
    target: Array,
    mask: Array | None = None,
    *,
    margin: float = 0.0,
    reduction: str = "mean",
) -> Array:
    """max(margin - target * (x1 - x2), 0): x1 is to be greater where the target is 1, less where it is -1.

    Shapes, mask, reduction and errors are those of `mse_loss`.
    """
    given = operands("margin_ranking_loss", x1, x2, target)
    return elementwise("margin_ranking_loss", lambda a, b, t: relu(margin - t * (a - b)), given, mask, reduction)


@takes()
def gaussian_nll_loss(
    x: Array,
    target: Array,
    var: Array,
    mask: Array | None = None,
    *,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Array:
    """(log var + (x - target)^2 / var) / 2: how unlikely targets are under a mean x and a variance, in nats.

    var: of the shape of x, a number, or with a last axis of 1. It is raised to `eps` at least, as if it were that for
    the gradient; a number below 0 is an ArgumentError. full: with the constant log(2 pi) / 2. As `mse_loss` otherwise.
    """
    _check_positive("gaussian_nll_loss: eps", eps)
    x, target = operands("gaussian_nll_loss", x, target)
    var = array_like(var)
    if not var.ndim:
        at_least("gaussian_nll_loss", "var", var)
    var = np.broadcast_to(var, x.shape) if var.ndim == x.ndim and var.shape[-1:] == (1,) else var
    stop = by_name("stop_gradient")

    def loss(x: Array, t: Array, var: Array) -> Array:
        # As torch has it: what is raised keeps its gradient, so that it can grow again.
        var = np.where(var < eps, var - apply(stop, var) + eps, var)
        return 0.5 * (np.log(var) + (x - t) * (x - t) / var) + (0.5 * math.log(2 * math.pi) if full else 0.0)

    return elementwise("gaussian_nll_loss", loss, operands("gaussian_nll_loss", x, target, var), mask, reduction)


@takes()
def poisson_nll_loss(
    x: Array,
    target: Array,
    mask: Array | None = None,
    *,
    log_input: bool = True,
    full: bool = False,
    eps: float = 1e-8,
    reduction: str = "mean",
) -> Array:
    """exp(x) - target * x: how unlikely counts are under a logarithm of their rate x, in nats.

    log_input=False: x is the rate itself, and the loss x - target * log(x + eps). full: with Stirling's approximation
    of log(target!) where the target is above 1. As `mse_loss` otherwise.
    """
    at_least("poisson_nll_loss", "eps", eps)

    def loss(x: Array, t: Array) -> Array:
        made = np.exp(x) - t * x if log_input else x - t * np.log(x + eps)
        if not full:
            return made
        many = t > 1
        n = np.where(many, t, 1)
        return made + np.where(many, n * np.log(n) - n + 0.5 * np.log(2 * math.pi * n), 0)

    return elementwise("poisson_nll_loss", loss, operands("poisson_nll_loss", x, target), mask, reduction)


@takes()
def cosine_similarity(a: Array, b: Array, axis: int = -1, eps: float = 1e-8) -> Array:
    """The cosine of the angle between a and b along an axis: sum(a b) / (max(|a|, eps) max(|b|, eps)).

    a, b: arrays that broadcast. Half precision is computed in single. The gradient of vectors shorter than eps is that
    of sum(a b) alone. Source: torch.nn.functional.cosine_similarity.
    """
    at_least("cosine_similarity", "eps", eps)
    a, b = array_like(a), array_like(b)
    check_fits("cosine_similarity", "a", a, b.shape, "arrays that broadcast")
    a, b = operands("cosine_similarity", *np.broadcast_arrays(a, b))
    check_axis("cosine_similarity", a, axis)
    first, second = (x.astype(np.float32) if x.dtype == np.float16 else x for x in (a, b))
    made = np.sum(first * second, axis=axis) * _over_length(first, axis, eps) * _over_length(second, axis, eps)
    return made.astype(a.dtype)


@takes()
def cosine_embedding_loss(
    x1: Array,
    x2: Array,
    target: Array,
    mask: Array | None = None,
    *,
    margin: float = 0.0,
    reduction: str = "mean",
) -> Array:
    """1 - cos(x1, x2) where the target is 1, max(cos(x1, x2) - margin, 0) where it is -1.

    x1, x2: [..., D]; target: [...] or a number. The losses are [...]. As `mse_loss` otherwise.
    """
    x1, x2 = operands("cosine_embedding_loss", x1, x2)
    target = _rows("cosine_embedding_loss", x1, target)

    def loss(a: Array, b: Array, t: Array) -> Array:
        cosine = np.sum(a * b, axis=-1) * _over_length(a, -1, 1e-6) * _over_length(b, -1, 1e-6)
        return np.where(t > 0, 1 - cosine, relu(cosine - margin))

    return elementwise("cosine_embedding_loss", loss, [x1, x2, target], mask, reduction, axes=1)


@takes()
def triplet_margin_loss(
    anchor: Array,
    positive: Array,
    negative: Array,
    mask: Array | None = None,
    *,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: str = "mean",
) -> Array:
    """max(|anchor - positive| - |anchor - negative| + margin, 0), with norms of order `p` over the last axis.

    Arrays are [..., D], and the losses [...]. eps is added to each difference. swap: the nearer of anchor and positive
    stands for the anchor beside the negative. As `mse_loss` otherwise. Source: torch.nn.functional.triplet_margin_loss.
    """
    given = operands("triplet_margin_loss", anchor, positive, negative)
    if given[0].ndim < 1:
        raise ShapeError("triplet_margin_loss: the operands are numbers: need [..., D]")
    if not p >= 1:
        raise ArgumentError(f"triplet_margin_loss: p is {p}: need a number of at least 1")

    def apart(a: Array, b: Array) -> Array:
        d = a - b + eps
        if p == 2:
            square = np.sum(d * d, axis=-1)
            return np.sqrt(np.where(square > 0, square, np.finfo(square.dtype).tiny))
        if p == 1:
            return np.sum(np.abs(d), axis=-1)
        return np.max(np.abs(d), axis=-1) if math.isinf(p) else np.sum(np.abs(d) ** p, axis=-1) ** (1 / p)

    def loss(a: Array, b: Array, c: Array) -> Array:
        far = np.minimum(apart(a, c), apart(b, c)) if swap else apart(a, c)
        return relu(apart(a, b) - far + margin)

    return elementwise("triplet_margin_loss", loss, given, mask, reduction, axes=1)


def _over_length(x: Array, axis: int, eps: float) -> Array:
    """1 over the length of vectors, `eps` at least."""
    return apply(by_name("rsqrt"), np.maximum(np.sum(x * x, axis=axis), eps * eps))


def _rows(name: str, x: Array, target: Array) -> Array:
    """A number for each vector of x, in its element type; raises ShapeError."""
    target = array_like(target)
    if x.ndim < 1 or target.shape not in (x.shape[:-1], ()):
        raise ShapeError(f"{name}: vectors have shape {x.shape} and the target {target.shape}: need [..., D] and [...]")
    return target.astype(x.dtype)


def _check_positive(what: str, value: float) -> None:
    if not value > 0 or math.isinf(value):
        raise ArgumentError(f"{what} is {value}: need a number above 0")
