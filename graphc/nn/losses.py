"""Losses: of each example, their mean or their sum."""

from __future__ import annotations

import numpy as np

from graphc.convolution import array_like
from graphc.errors import ShapeError
from graphc.nn.shared import Array, check_integer, in_range, shifted


def cross_entropy(
    logits: Array,
    labels: Array,
    mask: Array | None = None,
    *,
    reduction: str = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
) -> Array:
    """-log softmax(logits)[label] in nats: its mean over the positions that are kept, their sum, or each ("none").

    logits: [..., C]. labels: integers [...] in [0, C); negative ones do not count from the end. mask: [...], bool or
    weights: 0 leaves a position out, and the mean is weighted. ignore_index: positions with this label, which may be
    any integer, are left out. What logits and labels hold where a position is left out does not matter, be it NaN: its
    loss is 0, and so is its gradient. The mean over no positions is NaN. label_smoothing: this part of the target is
    shared out over all classes: the loss is (1 - s) * -log p[label] + s * mean(-log p), s in [0, 1].
    Raises ShapeError, DTypeError, ValueError for another reduction or smoothing, and IndexRangeError for a label out of
    range: at once where it is known, else when a result is read. Source: torch.nn.functional.cross_entropy.
    """
    logits, labels = array_like(logits), array_like(labels)
    if logits.ndim < 1 or logits.shape[:-1] != labels.shape:
        raise ShapeError(
            f"cross_entropy: logits have shape {logits.shape} and labels {labels.shape}: "
            "need labels.shape == logits.shape[:-1]"
        )
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"cross_entropy: reduction is {reduction!r}: need 'mean', 'sum' or 'none'")
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"cross_entropy: label_smoothing is {label_smoothing}: need 0 <= label_smoothing <= 1")
    check_integer("cross_entropy: labels", labels)
    weights: Array = None if mask is None else array_like(mask)
    kept: Array = None
    if weights is not None:
        kept = weights if weights.dtype.kind == "b" else weights != 0
    if ignore_index is not None:
        counted = labels != ignore_index
        weights = counted if weights is None else np.where(counted, weights, 0)
        kept = counted if kept is None else kept & counted
    labels = labels if kept is None else np.where(kept, labels, 0)
    labels = in_range("cross_entropy:label", labels, logits.shape[-1])
    losses = _negative_log_likelihood(logits, labels, label_smoothing, kept)
    if weights is None:
        return losses if reduction == "none" else np.mean(losses) if reduction == "mean" else np.sum(losses)
    # How many there are may be more than float16 holds.
    wide = np.float32 if logits.dtype == np.float16 else logits.dtype
    losses = np.where(kept, losses.astype(wide), 0)
    if weights.dtype.kind != "b":
        losses = losses * weights.astype(wide)
    if reduction == "mean":
        losses = np.sum(losses) / np.sum(weights.astype(wide))
    elif reduction == "sum":
        losses = np.sum(losses)
    return losses.astype(logits.dtype)


def _negative_log_likelihood(logits: Array, labels: Array, smoothing: float, kept: Array | None) -> Array:
    """[..., C] and [...] -> [...]; the target is the label, less the part that all classes share.

    kept: [...], where the logits count; elsewhere the result is a finite number.
    """
    with np.errstate(invalid="ignore" if kept is not None else None):  # infinity less infinity, where it is left out
        logs = shifted(logits, -1)
    logs = logs if kept is None else np.where(kept[..., None], logs, 0)
    logs = logs - np.log(np.sum(np.exp(logs), axis=-1, keepdims=True))
    losses = -np.reshape(np.take_along_axis(logs, labels[..., None], axis=-1), labels.shape)
    return losses if not smoothing else (1 - smoothing) * losses - smoothing * np.mean(logs, axis=-1)
