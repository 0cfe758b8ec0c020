"""Losses of classes and probabilities: cross-entropy and its kin."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.convolution import array_like
from graphc.errors import ArgumentError, ShapeError
from graphc.nn.activations import softplus
from graphc.nn.reduction import REDUCTIONS, check_reduction, counted, elementwise, operands, reduced
from graphc.nn.shared import Array, check_integer, in_range, shifted
from graphc.ops import by_name
from graphc.tracing.operands import at_least, check_fits, takes
from graphc.tracing.trace import Tracer, apply
from graphc.transforms import custom_vjp


@takes(floats="logits")
def cross_entropy(
    logits: Array,
    labels: Array,
    mask: Array | None = None,
    *,
    reduction: str = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    weight: Array | None = None,
) -> Array:
    """-log softmax(logits)[label] in nats: its mean over the positions that are kept, their sum, or each ("none").

    logits: [..., C]. labels: integers [...] in [0, C); negative ones do not count from the end. Floats [..., C] are the
    probabilities of all classes instead, and the loss is -sum(p * log softmax(logits)).
    mask: [...], bool or weights: 0 leaves a position out, and the mean is weighted. ignore_index: positions with this
    label, which may be any integer, are left out. What logits and labels hold where a position is left out does not
    matter, be it NaN: its loss is 0, and so is its gradient. The mean over no positions is NaN. label_smoothing: this
    part of the target is shared out over all classes: the loss is (1 - s) * -log p[label] + s * mean(-log p), s in
    [0, 1]. weight: [C], what each class counts; the mean is over the weights of the labels, with probabilities over
    positions.
    Raises ShapeError, DTypeError, ArgumentError for another reduction or smoothing, and IndexRangeError for a label out
    of range: at once where it is known, else when a result is read. Source: torch.nn.functional.cross_entropy.
    """
    logits, labels = array_like(logits), array_like(labels)
    soft = labels.dtype.kind == "f" and logits.ndim > 0 and labels.shape == logits.shape
    if logits.ndim < 1 or (logits.shape[:-1] != labels.shape and not soft):
        raise ShapeError(
            f"cross_entropy: logits have shape {logits.shape} and labels {labels.shape}: "
            "need labels.shape == logits.shape[:-1]"
        )
    check_reduction("cross_entropy", reduction)
    if not 0 <= label_smoothing <= 1:
        raise ArgumentError(f"cross_entropy: label_smoothing is {label_smoothing}: need 0 <= label_smoothing <= 1")
    weights, kept = counted("cross_entropy", mask, logits.shape[:-1])
    of_class = None if weight is None else _class_weights("cross_entropy", weight, logits)
    if soft:
        if ignore_index is not None:
            raise ArgumentError("cross_entropy: ignore_index is for integer labels: leave out probabilities by mask=")
        logs = _log_softmax(logits, kept)
        shared = label_smoothing / logits.shape[-1]
        target = labels.astype(logits.dtype) * (1 - label_smoothing) + shared if label_smoothing else labels
        target = target if kept is None else np.where(kept[..., None], target, 0)
        target = target if of_class is None else target * of_class
        losses = -np.sum(target.astype(logits.dtype) * logs, axis=-1)
        return reduced(losses, reduction, weights, kept, logits.dtype)
    check_integer("cross_entropy: labels", labels)
    labels, weights, kept = _without_ignored("cross_entropy", labels, ignore_index, weights, kept)
    labels = in_range("cross_entropy:label", labels, logits.shape[-1])
    logs = _log_softmax(logits, kept)
    losses = -_picked(logs, labels)
    if of_class is None:
        if label_smoothing:
            losses = (1 - label_smoothing) * losses - label_smoothing * np.mean(logs, axis=-1)
        return reduced(losses, reduction, weights, kept, logits.dtype)
    each = _rows_of(of_class, labels)
    losses = losses * each
    if label_smoothing:
        losses = (1 - label_smoothing) * losses - label_smoothing * np.mean(logs * of_class, axis=-1)
    return _over_weights(losses, each, reduction, weights, kept, logits.dtype)


@takes(floats="logs")
def nll_loss(
    logs: Array,
    labels: Array,
    mask: Array | None = None,
    *,
    reduction: str = "mean",
    ignore_index: int | None = None,
    weight: Array | None = None,
) -> Array:
    """-logs[label]: `cross_entropy` of what is a log_softmax already. logs: [..., C], labels: integers [...].

    mask, reduction, ignore_index, weight and errors are those of `cross_entropy`.
    """
    logs, labels = array_like(logs), array_like(labels)
    if logs.ndim < 1 or logs.shape[:-1] != labels.shape:
        raise ShapeError(
            f"nll_loss: logs have shape {logs.shape} and labels {labels.shape}: need labels.shape == logs.shape[:-1]"
        )
    check_reduction("nll_loss", reduction)
    check_integer("nll_loss: labels", labels)
    weights, kept = counted("nll_loss", mask, labels.shape)
    labels, weights, kept = _without_ignored("nll_loss", labels, ignore_index, weights, kept)
    labels = in_range("nll_loss:label", labels, logs.shape[-1])
    losses = -_picked(logs, labels)
    if weight is None:
        return reduced(losses, reduction, weights, kept, logs.dtype)
    each = _rows_of(_class_weights("nll_loss", weight, logs), labels)
    return _over_weights(losses * each, each, reduction, weights, kept, logs.dtype)


@takes()
def binary_cross_entropy(p: Array, target: Array, mask: Array | None = None, *, reduction: str = "mean") -> Array:
    """-(target * log p + (1 - target) * log(1 - p)) for each element, in nats. Logarithms are -100 at least.

    p: probabilities. target: of the same shape, or a number; 0, 1 or what is between, and ArgumentError for
    another number. mask, reduction and errors are those of `mse_loss` otherwise.
    `binary_cross_entropy_with_logits` is more accurate. Source: torch.nn.functional.
    """

    def logs(p: Array) -> tuple[Array, Array]:
        with np.errstate(divide="ignore"):
            return np.maximum(np.log(p), -100), np.maximum(np.log1p(-p), -100)

    def loss(p: Array, t: Array) -> Array:
        yes, no = logs(p)
        return (t - 1) * no - t * yes

    def backward(given: tuple[Array, Array], g: Array) -> tuple[Array, Array]:
        p, t = given
        yes, no = logs(p)
        return g * (p - t) / np.maximum((1 - p) * p, 1e-12), g * (no - yes)

    # As in torch: the gradient where p is 0 or 1 and should not be is large, not 0 times infinity.
    rule = custom_vjp(loss, lambda p, t: (loss(p, t), (p, t)), backward)
    p, target = operands("binary_cross_entropy", p, target)
    _check_number("binary_cross_entropy", target)
    target = np.broadcast_to(target, p.shape)
    return elementwise("binary_cross_entropy", rule, [p, target], mask, reduction)


@takes()
def binary_cross_entropy_with_logits(
    x: Array,
    target: Array,
    mask: Array | None = None,
    *,
    pos_weight: Array | None = None,
    reduction: str = "mean",
) -> Array:
    """`binary_cross_entropy` of sigmoid(x), without overflow and without losing small probabilities.

    pos_weight: what positive targets count, a number or broadcast to x; so many times as a negative one.
    """
    x, target = operands("binary_cross_entropy_with_logits", x, target)
    _check_number("binary_cross_entropy_with_logits", target)

    def loss(x: Array, t: Array, *more: Array) -> Array:
        if not more:
            return softplus(x) - t * x
        return (1 - t) * x + (1 + (more[0] - 1) * t) * softplus(-x)

    given = [x, target]
    if pos_weight is not None:
        check_fits(
            "binary_cross_entropy_with_logits",
            "pos_weight",
            array_like(pos_weight),
            x.shape,
            "a number or an array like x",
        )
        given.append(np.broadcast_to(array_like(pos_weight), x.shape))
    given = operands("binary_cross_entropy_with_logits", *given)
    return elementwise("binary_cross_entropy_with_logits", loss, given, mask, reduction)


@takes()
def kl_div(
    logs: Array,
    target: Array,
    mask: Array | None = None,
    *,
    log_target: bool = False,
    reduction: str = "mean",
) -> Array:
    """target * (log target - logs) for each element: the divergence of `target` from exp(logs), in nats.

    logs: logarithms of probabilities. target: probabilities of the same shape; 0 where it is 0; with `log_target` their
    logarithms. The divergence is the sum over classes: reduction "batchmean" is the sum over all elements over the
    length of the first axis, where "mean" is over elements. As `mse_loss` otherwise. Source: torch.nn.functional.
    """
    check_reduction("kl_div", reduction, (*REDUCTIONS, "batchmean"))
    logs, target = operands("kl_div", logs, target)
    if reduction == "batchmean" and logs.ndim < 1:
        raise ShapeError("kl_div: a number has no first axis for reduction='batchmean'")

    def loss(x: Array, t: Array) -> Array:
        if log_target:
            return np.exp(t) * (t - x)
        some = t > 0
        return np.where(some, t * np.log(np.where(some, t, 1)), 0) - t * x

    made = elementwise("kl_div", loss, [logs, target], mask, "sum" if reduction == "batchmean" else reduction)
    return made / logs.shape[0] if reduction == "batchmean" else made


def _check_number(name: str, target: Array) -> None:
    """Raise ArgumentError for one number for all elements that is no probability. What arrays hold is not looked at."""
    if not target.ndim:
        at_least(name, "target", target, 0, 1)


def _log_softmax(logits: Array, kept: Array | None) -> Array:
    """log softmax of the last axis; of zeros where the logits do not count."""
    with np.errstate(invalid="ignore" if kept is not None else None):  # infinity less infinity, where it is left out
        logs = shifted(logits, -1)
    logs = logs if kept is None else np.where(kept[..., None], logs, 0)
    return logs - np.log(np.sum(np.exp(logs), axis=-1, keepdims=True))


def _picked(logs: Array, labels: Array) -> Array:
    """logs[..., label]."""
    return np.reshape(np.take_along_axis(logs, labels[..., None], axis=-1), labels.shape)


def _rows_of(table: Array, labels: Array) -> Array:
    """table[label]; np.take would not see that labels are traced where the table is not."""
    return apply(by_name("take"), table, labels, axis=0) if isinstance(labels, Tracer) else np.take(table, labels)


def _without_ignored(
    name: str, labels: Array, ignored: int | None, weights: Array | None, kept: Array | None
) -> tuple[Array, Array | None, Array | None]:
    """Labels, 0 where they do not count; what each position counts, and where that is not 0."""
    if ignored is not None:
        if isinstance(ignored, bool) or not isinstance(ignored, int | np.integer):
            raise ArgumentError(f"{name}: ignore_index is {ignored!r}: need an integer")
        some = labels != ignored
        weights = some if weights is None else np.where(some, weights, 0)
        kept = some if kept is None else kept & some
    return labels if kept is None else np.where(kept, labels, 0), weights, kept


def _class_weights(name: str, weight: Array, logits: Array) -> Array:
    """The weights of classes; raises ShapeError where there is not one for each."""
    weight = array_like(weight)
    if weight.shape != logits.shape[-1:]:
        raise ShapeError(f"{name}: weight has shape {weight.shape}, and there are {logits.shape[-1]} classes")
    return weight.astype(logits.dtype)


def _over_weights(
    losses: Array, each: Array, reduction: str, weights: Array | None, kept: Array | None, dtype: Any
) -> Array:
    """`reduced`, whose mean is over the weights of the labels: `each`, which the losses have been multiplied with."""
    if reduction != "mean":
        return reduced(losses, reduction, weights, kept, dtype)
    wide = np.float32 if dtype == np.float16 else dtype
    total, count = (reduced(x.astype(wide), "sum", weights, kept, wide) for x in (losses, each))
    return (total / count).astype(dtype)
