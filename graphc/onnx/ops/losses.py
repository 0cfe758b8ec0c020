"""Importers of softmaxes, losses and dropout."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphc import nn
from graphc.onnx.registry import Array, Call, importer


def _rows(x: Array, axis: int) -> Array:
    at = axis % x.ndim if x.ndim else 0
    return np.reshape(x, (math.prod(x.shape[:at]), math.prod(x.shape[at:])))


@importer("Softmax", since=13)
def softmax(c: Call, x: Array, *, axis: int = -1) -> Array:
    """Along one axis."""
    return nn.softmax(x, axis)


@importer("LogSoftmax", since=13)
def log_softmax(c: Call, x: Array, *, axis: int = -1) -> Array:
    """Along one axis."""
    return nn.log_softmax(x, axis)


@importer("Softmax")
def softmax_of_rows(c: Call, x: Array, *, axis: int = 1) -> Array:
    """Before opset 13: along all axes from this one on."""
    return np.reshape(nn.softmax(_rows(x, axis), 1), x.shape)


@importer("LogSoftmax")
def log_softmax_of_rows(c: Call, x: Array, *, axis: int = 1) -> Array:
    """Before opset 13: along all axes from this one on."""
    return np.reshape(nn.log_softmax(_rows(x, axis), 1), x.shape)


@importer("Hardmax")
def hardmax_of_rows(c: Call, x: Array, *, axis: int = 1) -> Array:
    """Before opset 13: the greatest element of all axes from this one on."""
    rows = _rows(x, axis)
    best = np.argmax(rows, axis=1)
    return np.reshape((best[:, None] == np.arange(rows.shape[1])).astype(x.dtype), x.shape)


def _loss(logs: Array, labels: Array, weight: Array | None, reduction: str, ignore_index: int | None) -> Array:
    """-logs at the label, weighted by class. logs: [N, C, ...], labels: [N, ...]."""
    classes = logs.shape[1]
    kept = None if ignore_index is None else labels != ignore_index
    known = labels if kept is None else np.where(kept, labels, 0)
    picked = np.take_along_axis(logs, np.expand_dims(known, 1), axis=1)
    losses = -np.reshape(picked, labels.shape)
    scale = None
    if weight is not None:
        line = np.reshape(np.arange(classes), (1, classes, *(1,) * (logs.ndim - 2)))
        hit = np.expand_dims(known, 1) == line
        scale = np.sum(np.where(hit, np.reshape(weight, line.shape), logs.dtype.type(0)), axis=1)
    if kept is not None:
        scale = kept.astype(logs.dtype) if scale is None else np.where(kept, scale, logs.dtype.type(0))
        losses = np.where(kept, losses, logs.dtype.type(0))
    if scale is not None:
        losses = losses * scale
    if reduction == "none":
        return losses
    total = np.sum(losses)
    if reduction == "sum":
        return total
    return np.mean(losses) if scale is None else total / np.sum(scale)


@importer("NegativeLogLikelihoodLoss")
def nll_loss(
    c: Call,
    logs: Array,
    labels: Array,
    weight: Array = None,
    *,
    reduction: str = "mean",
    ignore_index: int | None = None,
) -> Array:
    """Of log probabilities."""
    return _loss(logs, labels, weight, reduction, ignore_index)


@importer("SoftmaxCrossEntropyLoss")
def cross_entropy_loss(
    c: Call,
    scores: Array,
    labels: Array,
    weight: Array = None,
    *,
    reduction: str = "mean",
    ignore_index: int | None = None,
) -> tuple[Array, ...]:
    """Of scores; the log probabilities are the second output."""
    logs = nn.log_softmax(scores, 1)
    return _loss(logs, labels, weight, reduction, ignore_index), logs


@importer("Dropout")
def dropout(
    c: Call, x: Array, ratio: Array = None, training: Array = None, *, seed: int | None = None, **old: Any
) -> tuple[Array, Array]:
    """Nothing is dropped in inference; training draws numbers, which only a ratio of 0 needs none of."""
    rate = 0.5 if ratio is None else ratio
    drops = training is not None and bool(np.ravel(c.known(training, "training mode"))[0])
    if drops and float(np.ravel(c.known(np.asarray(rate) if ratio is None else ratio, "ratio"))[0]):
        c.refuse("training mode draws random numbers in a way that each runtime has its own of")
    return x, np.ones(c.sized(x.shape), np.bool_)
