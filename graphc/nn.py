"""Neural network functions in plain NumPy: they run at once on ndarrays and trace like any other function.

Nothing here is an operation of its own. A softmax is five NumPy calls; the compiler finds that they are one kernel.
Shapes are written `[..., C]`, where `...` stands for any leading axes.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphc.convolution import array_like
from graphc.convolution import avg_pool as avg_pool
from graphc.convolution import conv as conv
from graphc.convolution import conv_transpose as conv_transpose
from graphc.convolution import max_pool as max_pool
from graphc.errors import DTypeError, IndexRangeError, ShapeError
from graphc.ir.types import as_shape
from graphc.ops import by_name
from graphc.plan.plan import range_message
from graphc.random import bernoulli
from graphc.tracing.trace import Tracer, apply
from graphc.transforms import custom_vjp

Array = Any
"""An ndarray or a traced array; each function takes either and gives the same kind back."""


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
    weights = np.exp(_shifted(x, axis))
    return weights / np.sum(weights, axis=axis, keepdims=True)


def log_softmax(x: Array, axis: int = -1) -> Array:
    """log(softmax(x)) along `axis`, without overflow and without losing small probabilities."""
    shifted = _shifted(x, axis)
    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))


def _shifted(x: Array, axis: int) -> Array:
    """x less its maximum along `axis`. The result of either softmax does not depend on the shift, nor its gradient."""
    x = array_like(x)
    return x - apply(by_name("stop_gradient"), np.max(x, axis=axis, keepdims=True))


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
    _check_integer("cross_entropy: labels", labels)
    weights: Array = None if mask is None else array_like(mask)
    kept: Array = None
    if weights is not None:
        kept = weights if weights.dtype.kind == "b" else weights != 0
    if ignore_index is not None:
        counted = labels != ignore_index
        weights = counted if weights is None else np.where(counted, weights, 0)
        kept = counted if kept is None else kept & counted
    labels = labels if kept is None else np.where(kept, labels, 0)
    labels = _in_range("cross_entropy:label", labels, logits.shape[-1])
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
        logs = _shifted(logits, -1)
    logs = logs if kept is None else np.where(kept[..., None], logs, 0)
    logs = logs - np.log(np.sum(np.exp(logs), axis=-1, keepdims=True))
    losses = -np.reshape(np.take_along_axis(logs, labels[..., None], axis=-1), labels.shape)
    return losses if not smoothing else (1 - smoothing) * losses - smoothing * np.mean(logs, axis=-1)


def one_hot(ids: Array, n: int, dtype: Any = np.float32) -> Array:
    """[..., n] with 1 at each id and 0 elsewhere; an id outside of [0, n) gives a row of zeros, as in JAX."""
    ids = array_like(ids)
    _check_integer("one_hot: ids", ids)
    (count,) = as_shape(n, "one_hot: n")
    return (ids[..., None] == np.arange(count, dtype=np.int32)).astype(dtype)


def linear(x: Array, weight: Array, bias: Array | None = None) -> Array:
    """x @ weight + bias. x: [..., I], weight: [I, O], bias: [O] -> [..., O]. Raises ShapeError."""
    if weight.ndim != 2 or x.ndim < 1 or x.shape[-1] != weight.shape[0]:
        raise ShapeError(f"linear: x has shape {x.shape} and weight {weight.shape}: need [..., I] and [I, O]")
    y = x @ weight
    if bias is None:
        return y
    if bias.shape != weight.shape[1:]:
        raise ShapeError(f"linear: weight has shape {weight.shape} and bias {bias.shape}: need [I, O] and [O]")
    return y + bias


def embedding(table: Array, ids: Array) -> Array:
    """Rows of a table. table: [V, D], ids: integers [...] in [0, V) -> [..., D]. Negative ids are out of range.

    Raises DTypeError, and IndexRangeError for an id out of range: at once where it is known, else when a result is
    read.
    """
    ids = array_like(ids)
    _check_integer("embedding: ids", ids)
    ids = _in_range("embedding:id", ids, table.shape[0])
    if isinstance(ids, Tracer):
        return apply(by_name("take"), table, ids, axis=0)  # np.take would not see that ids are traced
    return np.take(table, ids, axis=0)


def layer_norm(x: Array, gain: Array | None = None, bias: Array | None = None, eps: float = 1e-5) -> Array:
    """(x - mean) / sqrt(var + eps) * gain + bias over the last axis. x: [..., D], gain and bias: [D].

    Numbers may be so large that their squares overflow; half precision is computed in single.
    Source: arXiv:1607.06450.
    """
    return _affine(_standardized(array_like(x), eps, True), gain, bias)


def rms_norm(x: Array, gain: Array | None = None, eps: float = 1e-5) -> Array:
    """x / sqrt(mean(x^2) + eps) * gain over the last axis. x: [..., D], gain: [D].

    Numbers may be so large that their squares overflow; half precision is computed in single.
    Source: arXiv:1910.07467.
    """
    return _affine(_standardized(array_like(x), eps, False), gain, None)


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
        return _half_again(scaled(x)[0], x)

    def forward(x: Array) -> tuple[Array, tuple[Array, Array]]:
        y, root = scaled(x)
        return _half_again(y, x), (y, root)

    def backward(kept: tuple[Array, Array], g: Array) -> tuple[Array]:
        y, root = kept
        wide = g.astype(y.dtype)
        inner = wide - y * np.mean(wide * y, axis=-1, keepdims=True)
        if centred:
            inner = inner - np.mean(wide, axis=-1, keepdims=True)
        return ((root * inner).astype(g.dtype),)

    return custom_vjp(function, forward, backward)(x)


def _half_again(y: Array, like: Array) -> Array:
    """y in half precision where `like` is."""
    return y.astype(np.float16) if like.dtype == np.float16 else y


def _affine(y: Array, gain: Array | None, bias: Array | None) -> Array:
    if gain is not None:
        y = y * gain
    return y if bias is None else y + bias


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
) -> tuple[Array, tuple[Array, Array]]:
    """Normalise each channel (last axis) and return (y, (mean, var)) with the running statistics after this batch.

    x: [..., C]; gain, bias, mean, var: [C]. In training the batch's own mean and variance normalise, and the running
    ones move towards them by `momentum` (the variance unbiased, as in PyTorch); in evaluation the running ones
    normalise and stay. Raises ShapeError for a training batch of fewer than two rows. Source: arXiv:1502.03167.
    """
    if not train:
        return (x - mean) * apply(by_name("rsqrt"), var + eps) * gain + bias, (mean, var)
    axes = tuple(range(x.ndim - 1))
    count = math.prod(x.shape[:-1])
    if count < 2:
        raise ShapeError(f"batch_norm: x has shape {x.shape}: training needs at least two rows")
    wide = x.astype(np.float32) if x.dtype == np.float16 else x
    batch_mean = np.mean(wide, axis=axes)
    centred = wide - batch_mean
    batch_var = np.mean(centred * centred, axis=axes)
    y = _half_again(centred * apply(by_name("rsqrt"), batch_var + eps), x) * gain + bias
    stop = by_name("stop_gradient")
    new_mean = (1 - momentum) * mean + momentum * apply(stop, _half_again(batch_mean, mean))
    new_var = (1 - momentum) * var + momentum * (count / (count - 1)) * apply(stop, _half_again(batch_var, var))
    return y, (new_mean, new_var)


def causal_mask(queries: int, keys: int | None = None) -> Array:
    """Bool [queries, keys]: True where a query may see a key, which is not after it. The last query sees all keys."""
    keys = queries if keys is None else keys
    return np.tril(np.ones((queries, keys), dtype=np.bool_), k=keys - queries)


def attention(
    q: Array, k: Array, v: Array, *, causal: bool = False, scale: float | None = None, mask: Array | None = None
) -> Array:
    """softmax(scale * q @ k^T) @ v: [..., T, D], [..., S, D], [..., S, E] -> [..., T, E].

    scale: 1 / sqrt(D) unless given. causal: a query sees no later key (the last query is level with the last key).
    mask: broadcast to [..., T, S]. Bool or integers: True, or not 0, where a query may see a key. Floats are added to
    the scores: 0 where it may, -inf where it may not, any other number as a bias. A query that sees no key weighs all
    alike. Keys and values that the mask hides from all queries may be NaN or infinite. Raises ShapeError.
    Source: arXiv:1706.03762.
    """
    if min(q.ndim, k.ndim, v.ndim) < 2 or q.shape[-1] != k.shape[-1] or k.shape[-2] != v.shape[-2]:
        raise ShapeError(
            f"attention: q has shape {q.shape}, k {k.shape} and v {v.shape}: need [..., T, D], [..., S, D], [..., S, E]"
        )
    # Far below every score, yet finite: no row of weights becomes NaN, and WGSL has no literal for infinity.
    hidden = -0.5 * float(np.finfo(q.dtype).max)
    seen, bias = _seen(mask, hidden)
    if seen is not None:
        k, v = _without_unseen(k, seen), _without_unseen(v, seen)
    scores = (q @ np.swapaxes(k, -1, -2)) * (1 / math.sqrt(q.shape[-1]) if scale is None else scale)
    if bias is not None:
        scores = scores + bias.astype(scores.dtype)
    if seen is not None:
        scores = np.where(seen, scores, hidden)
    if causal:
        # Made of the scores, not `causal_mask`: traced, it is computed where it is used and takes no memory.
        seen = np.tril(np.ones_like(scores, dtype=np.bool_), k=k.shape[-2] - q.shape[-2])
        scores = np.where(seen, scores, hidden)
    return softmax(scores) @ v


def _seen(mask: Array | None, hidden: float) -> tuple[Array | None, Array | None]:
    """Where a mask lets a query see a key (None: everywhere), and what it adds to the scores there (None: nothing)."""
    if mask is None:
        return None, None
    mask = array_like(mask)
    if mask.dtype.kind != "f":
        return (mask if mask.dtype.kind == "b" else mask != 0), None
    seen = mask > hidden
    # A mask that is known and adds nothing is one of bools, whose kernels are faster.
    return seen, None if isinstance(mask, np.ndarray) and not mask[seen].any() else mask


def _without_unseen(x: Array, seen: Array) -> Array:
    """Keys or values with 0 for what is not finite and hidden from all queries: 0 times NaN is NaN."""
    some = seen if seen.ndim < 2 else np.any(seen, axis=-2)
    if isinstance(some, np.ndarray | np.generic) and some.all():
        return x
    return np.where(some[..., None] | np.isfinite(x), x, 0)


def dropout(key: Array, x: Array, rate: float) -> Array:
    """x with each element set to 0 with probability `rate`, the others scaled by 1 / (1 - rate).

    key: u32[2], see graphc.random. rate: in [0, 1), else ValueError.
    """
    if not 0 <= rate < 1:
        raise ValueError(f"dropout: rate is {rate}: need 0 <= rate < 1")
    if rate == 0:
        return x
    return np.where(bernoulli(key, 1 - rate, x.shape), x * (1 / (1 - rate)), 0)


def _check_integer(what: str, ids: Array) -> None:
    if ids.dtype.kind not in "iu":
        raise DTypeError(f"{what} must be integers, got {ids.dtype}")


def _in_range(what: str, ids: Array, size: int) -> Array:
    """The ids, which must lie in [0, size): looked at now where they are known, else when the program runs."""
    if isinstance(ids, Tracer):
        return apply(by_name("checked"), ids, low=0, high=size - 1, what=what)
    ids = np.asarray(ids)
    if ids.size and (int(ids.min()) < 0 or int(ids.max()) >= size):
        low, high = int(ids.min()), int(ids.max())
        raise IndexRangeError(range_message(what, low if low < 0 else high, 0, size - 1))
    return ids
