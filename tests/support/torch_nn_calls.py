"""PyTorch's operators of networks, as one writes them in NumPy for graphc."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import numpy

from graphc import nn
from tests.support.torch_calls import Without

np: Any = numpy  # the stubs of NumPy know nothing of traced values

Call = Callable[..., Any]


def softplus(x: Any, beta: float = 1.0, threshold: float = 20.0) -> Any:
    return np.where(x * beta > threshold, x, np.logaddexp(x * beta, 0) / beta)


def selu(x: Any) -> Any:
    return 1.0507009873554805 * elu(x, 1.6732632423543772)


def elu(x: Any, alpha: float = 1.0) -> Any:
    return np.where(x > 0, x, alpha * np.expm1(np.where(x > 0, 0, x)))


def softmax(x: Any, dim: int, *, dtype: Any = None) -> Any:
    x = x if dtype is None else x.astype(dtype)
    return nn.softmax(x, dim) if np.ndim(x) else x * 0 + 1


def log_softmax(x: Any, dim: int, *, dtype: Any = None) -> Any:
    x = x if dtype is None else x.astype(dtype)
    return nn.log_softmax(x, dim) if np.ndim(x) else x * 0


def prelu(x: Any, weight: Any) -> Any:
    shape = [-1 if k == 1 else 1 for k in range(x.ndim)]
    return np.where(x > 0, x, x * (np.reshape(weight, shape) if weight.size > 1 else np.reshape(weight, ())))


ACTIVATIONS: Final[dict[str, Call]] = {
    "relu": lambda x: nn.relu(x),
    "relu6": lambda x: np.clip(x, 0, 6),
    "elu": elu, "selu": selu,
    "celu": lambda x, alpha=1.0: np.where(x > 0, x, alpha * np.expm1(np.where(x > 0, 0, x) / alpha)),
    "gelu": lambda x, *, approximate="none": nn.gelu(x, approximate == "tanh"),
    "silu": lambda x: nn.silu(x), "mish": lambda x: x * np.tanh(softplus(x)),
    "hardsigmoid": lambda x: np.clip(x / 6 + 0.5, 0, 1),
    "hardswish": lambda x: x * np.clip(x + 3, 0, 6) / 6,
    "hardtanh": lambda x, min_val=-1.0, max_val=1.0: np.clip(x, min_val, max_val),
    "hardshrink": lambda x, lambd=0.5: np.where(np.abs(x) > lambd, x, 0),
    "softshrink": lambda x, lambd=0.5: np.sign(x) * np.maximum(np.abs(x) - lambd, 0),
    "leaky_relu": lambda x, negative_slope=0.01: np.where(x > 0, x, x * negative_slope),
    "logsigmoid": lambda x: -softplus(-x, 1.0, 1e9), "prelu": prelu, "softplus": softplus,
    "softsign": lambda x: x / (1 + np.abs(x)), "tanhshrink": lambda x: x - np.tanh(x),
    "softmin": lambda x, dim, *, dtype=None: softmax(-x, dim, dtype=dtype),
    "threshold": lambda x, threshold, value: np.where(x > threshold, x, value),
    "glu": lambda x, dim=-1: (lambda a, b: a * nn.sigmoid(b))(*np.split(x, 2, axis=dim)),
}  # fmt: skip


def convolved(
    x: Any, w: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
) -> Any:
    alone = x.ndim < w.ndim
    made = nn.conv(x[None] if alone else x, w, stride=stride, padding=padding, dilation=dilation, groups=groups)
    if bias is not None:
        made = made + np.reshape(bias, (-1, *(1,) * (w.ndim - 2)))
    return made[0] if alone else made


def transposed(x: Any, w: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, output_padding: Any = 0,
               groups: int = 1, dilation: Any = 1) -> Any:  # fmt: skip
    alone = x.ndim < w.ndim
    made = nn.conv_transpose(
        x[None] if alone else x, w, stride=stride, padding=padding, output_padding=output_padding, groups=groups,
        dilation=dilation,
    )  # fmt: skip
    if bias is not None:
        made = made + np.reshape(bias, (-1, *(1,) * (w.ndim - 2)))
    return made[0] if alone else made


NAMES: Final = ("dilation", "ceil_mode", "return_indices")


def pool(function: Any, axes: int) -> Call:
    def call(x: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, *args: Any, **kwargs: Any) -> Any:
        alone = x.ndim == axes + 1
        names = ("ceil_mode", "count_include_pad", "divisor_override") if function is nn.avg_pool else NAMES
        given = {**dict(zip(names, args, strict=False)), **kwargs}
        sizes, steps, around = (np.broadcast_to(v, (axes,)) for v in (kernel_size, stride or kernel_size, padding))
        over = (np.array(x.shape[-axes:]) + 2 * around - sizes) % steps
        beyond = given.get("ceil_mode") and over.any()
        if beyond or given.get("divisor_override") or np.max(given.get("dilation", 1)) > 1:
            raise Without("windows that reach over the end, other divisors, and dilated windows")
        if np.any(padding) and not given.get("count_include_pad", True):
            raise Without("means that leave out what is put around")
        made = function(x[None] if alone else x, sizes.tolist(), steps.tolist(), around.tolist())
        return made[0] if alone else made

    return call


MODES: Final = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def pad(x: Any, pad: Any, mode: str = "constant", value: Any = None) -> Any:
    pairs = [(0, 0)] * (x.ndim - len(pad) // 2)
    pairs += [(pad[k], pad[k + 1]) for k in range(len(pad) - 2, -1, -2)]
    x = x[tuple(slice(max(-a, 0), n - max(-b, 0)) for n, (a, b) in zip(x.shape, pairs, strict=True))]
    more = [(max(a, 0), max(b, 0)) for a, b in pairs]
    if mode != "constant" and any(n == 0 and max(m) for n, m in zip(x.shape, more, strict=True)):
        raise Without("the edge of what was cut away")
    return np.pad(x, more, MODES[mode], **({"constant_values": value or 0} if mode == "constant" else {}))


def mean_of(losses: Any, reduction: str) -> Any:
    return losses if reduction == "none" else np.sum(losses) if reduction == "sum" else np.mean(losses)


def nll(x: Any, y: Any, weight: Any = None, ignore_index: int = -100, reduction: str = "mean") -> Any:
    rows = np.moveaxis(x, 1, -1) if x.ndim > 1 else x
    kept = y != ignore_index
    ids = np.where(kept, y, 0)
    each = np.where(kept, 1.0, 0.0).astype(np.float32) * (1 if weight is None else np.take(weight, ids))
    losses = -np.take_along_axis(rows, ids[..., None], -1)[..., 0] * each
    return np.sum(losses) / np.sum(each) if reduction == "mean" else mean_of(losses, reduction)


def cross_entropy(x: Any, y: Any, *, weight: Any = None, ignore_index: int = -100, reduction: str = "mean",
                  label_smoothing: float = 0.0) -> Any:  # fmt: skip
    rows = np.moveaxis(x, 1, -1) if x.ndim > 1 else x
    if y.dtype.kind == "f":
        target = np.moveaxis(y, 1, -1) if y.ndim > 1 else y
        target = target * (1 - label_smoothing) + label_smoothing / rows.shape[-1]
        losses = -np.sum(nn.log_softmax(rows) * target * (1 if weight is None else weight), axis=-1)
        return losses if reduction == "none" else np.sum(losses) / (losses.size if reduction == "mean" else 1)
    if weight is None:
        return nn.cross_entropy(
            rows, y, ignore_index=ignore_index, reduction=reduction, label_smoothing=label_smoothing
        )
    logs = nn.log_softmax(rows)
    if not label_smoothing:
        return nll(np.moveaxis(logs, -1, 1) if x.ndim > 1 else logs, y, weight, ignore_index, reduction)
    kept = y != ignore_index
    ids = np.where(kept, y, 0)
    each = np.where(kept, np.take(weight, ids), 0)
    picked = -np.take_along_axis(logs, ids[..., None], -1)[..., 0] * each
    spread = np.where(kept, -np.sum(logs * weight, axis=-1), 0) / rows.shape[-1]
    losses = (1 - label_smoothing) * picked + label_smoothing * spread
    return np.sum(losses) / np.sum(each) if reduction == "mean" else mean_of(losses, reduction)


def cosine(x: Any, y: Any, dim: int = 1, eps: float = 1e-8) -> Any:
    if not np.ndim(x):
        x, y, dim = np.reshape(x, (1,)), np.reshape(y, (1,)), 0
    x, y = np.broadcast_arrays(x, y)
    size = [np.maximum(np.linalg.vector_norm(v, axis=dim, keepdims=True), eps) for v in (x, y)]
    return np.sum(x / size[0] * (y / size[1]), axis=dim)


def distance(x: Any, y: Any, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Any:
    return np.linalg.vector_norm(x - y + eps, axis=-1, ord=p, keepdims=keepdim)


def multi_margin(x: Any, y: Any, p: int = 1, margin: float = 1.0, weight: Any = None, reduction: str = "mean") -> Any:
    alone = np.ndim(y) == 0
    x, y = (x if x.ndim == 2 else np.reshape(x, (1, -1))), np.reshape(y, (-1,))
    own = np.take_along_axis(x, y[:, None], -1)
    each = np.maximum(margin - own + x, 0) ** p
    each = each if weight is None else each * np.take(weight, y)[:, None]
    losses = np.sum(np.where(np.arange(x.shape[1]) == y[:, None], 0, each), axis=-1) / x.shape[1]
    return mean_of(losses[0] if alone else losses, reduction)


def weighted(function: Any) -> Call:
    """A loss of graphc's whose terms may have weights, which PyTorch does not divide by."""

    def call(x: Any, y: Any, weight: Any = None, reduction: str = "mean", **kwargs: Any) -> Any:
        if weight is None:
            return function(x, y, reduction=reduction, **kwargs)
        return mean_of(function(x, y, reduction="none", **kwargs) * weight, reduction)

    return call


def gaussian(x: Any, y: Any, var: Any, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> Any:
    var = var if np.ndim(var) == x.ndim or not np.ndim(var) else var[..., None]
    y = np.broadcast_to(y, x.shape)
    return nn.gaussian_nll_loss(x, y, var, full=full, eps=eps, reduction=reduction)


def hinge(x: Any, y: Any, margin: float = 1.0, reduction: str = "mean") -> Any:
    """PyTorch's samples have targets that are neither 1 nor -1, which count as both."""
    both = np.where(y != -1, x, 0) + np.where(y != 1, nn.relu(margin - x), 0)
    return mean_of(both, reduction)


def pair(x: Any, y: Any, target: Any, **settings: Any) -> Any:
    return nn.cosine_embedding_loss(x, y, target, **settings)


LOSSES: Final[dict[str, Call]] = {
    "mse_loss": weighted(nn.mse_loss), "l1_loss": weighted(nn.l1_loss), "smooth_l1_loss": nn.smooth_l1_loss,
    "huber_loss": weighted(nn.huber_loss), "binary_cross_entropy": weighted(nn.binary_cross_entropy),
    "binary_cross_entropy_with_logits": weighted(nn.binary_cross_entropy_with_logits),
    "kl_div": nn.kl_div, "poisson_nll_loss": nn.poisson_nll_loss, "gaussian_nll_loss": gaussian,
    "nll_loss": nll, "cross_entropy": cross_entropy, "soft_margin_loss": nn.soft_margin_loss,
    "hinge_embedding_loss": hinge, "margin_ranking_loss": nn.margin_ranking_loss,
    "cosine_embedding_loss": pair, "triplet_margin_loss": nn.triplet_margin_loss,
    "multi_margin_loss": multi_margin,
    "multilabel_soft_margin_loss": lambda x, y, weight=None, reduction="mean": mean_of(
        np.mean(nn.binary_cross_entropy_with_logits(x, y, reduction="none") * (1 if weight is None else weight), -1),
        reduction,
    ),
}  # fmt: skip


def along(x: Any, v: Any, axis: int = 1) -> Any:
    return v if v is None else np.reshape(v, [-1 if k == axis else 1 for k in range(x.ndim)])


def affine(y: Any, w: Any, b: Any, axis: int = 1) -> Any:
    y = y if w is None else y * along(y, w, axis)
    return y if b is None else y + along(y, b, axis)


def sound(eps: float) -> float:
    if eps < 0:
        raise Without("roots of variances that something was taken from")
    return eps


def layer_norm(x: Any, shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    lead = x.shape[: x.ndim - len(shape)]
    y = np.reshape(nn.layer_norm(np.reshape(x, (*lead, math.prod(shape))), eps=sound(eps)), x.shape)
    return (y if weight is None else y * weight) + (0 if bias is None else bias)


def rms_norm(x: Any, shape: Any, weight: Any = None, eps: Any = None) -> Any:
    lead = x.shape[: x.ndim - len(shape)]
    eps = 1.1920928955078125e-07 if eps is None else eps
    y = np.reshape(nn.rms_norm(np.reshape(x, (*lead, math.prod(shape))), eps=sound(eps)), x.shape)
    return y if weight is None else y * weight


def batch_norm(x: Any, mean: Any, var: Any, weight: Any = None, bias: Any = None, training: bool = False,
               momentum: float = 0.1, eps: float = 1e-5) -> Any:  # fmt: skip
    if x.ndim < 2:
        raise Without("channels along no axis")
    count = x.shape[1]
    weight = np.ones(count, np.float32) if weight is None else weight
    bias = np.zeros(count, np.float32) if bias is None else bias
    mean = np.zeros(count, np.float32) if mean is None else mean
    var = np.ones(count, np.float32) if var is None else var
    y, _ = nn.batch_norm(np.moveaxis(x, 1, -1), weight, bias, mean, var, train=training, momentum=momentum, eps=eps)
    return np.moveaxis(y, -1, 1)


def group_norm(x: Any, groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    return nn.group_norm(x, groups, weight, bias, sound(eps))


def instance_norm(x: Any, running_mean: Any = None, running_var: Any = None, weight: Any = None, bias: Any = None,
                  use_input_stats: bool = True, momentum: float = 0.1, eps: float = 1e-5) -> Any:  # fmt: skip
    if use_input_stats:
        return nn.instance_norm(x, weight, bias, eps)
    y = (x - along(x, running_mean)) / np.sqrt(along(x, running_var) + eps)
    return affine(y, weight, bias)


def attention(q: Any, k: Any, v: Any, attn_mask: Any = None, dropout_p: float = 0.0, is_causal: bool = False, *,
              scale: Any = None, enable_gqa: bool = False) -> Any:  # fmt: skip
    if dropout_p:
        raise Without("numbers that PyTorch draws")
    if enable_gqa:
        k, v = (np.repeat(x, q.shape[-3] // x.shape[-3], axis=-3) for x in (k, v))
    if is_causal:
        attn_mask = np.tril(np.ones((q.shape[-2], k.shape[-2]), bool))
    return nn.attention(q, k, v, scale=scale, mask=attn_mask)


def normalize(x: Any, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Any:
    return x / np.maximum(np.linalg.vector_norm(x, ord=p, axis=dim if np.ndim(x) else None, keepdims=True), eps)


def pixel_shuffle(x: Any, upscale_factor: int) -> Any:
    *lead, c, h, w = x.shape
    r = upscale_factor
    x = np.reshape(x, (*lead, c // (r * r), r, r, h, w))
    n = len(lead)
    moved = np.transpose(x, (*range(n), n, n + 3, n + 1, n + 4, n + 2))
    return np.reshape(moved, (*lead, c // (r * r), h * r, w * r))


def pixel_unshuffle(x: Any, downscale_factor: int) -> Any:
    *lead, c, h, w = x.shape
    r = downscale_factor
    x = np.reshape(x, (*lead, c, h // r, r, w // r, r))
    n = len(lead)
    moved = np.transpose(x, (*range(n), n, n + 2, n + 4, n + 1, n + 3))
    return np.reshape(moved, (*lead, c * r * r, h // r, w // r))


def embedding(
    table: Any, ids: Any, *, padding_idx: Any = None, max_norm: Any = None, scale_grad_by_freq: bool = False, **_: Any
) -> Any:
    if padding_idx is not None or max_norm is not None or scale_grad_by_freq:
        raise Without("rows without a gradient or with another one, and rows that are made shorter")
    return nn.embedding(table, ids)


def one_hot(ids: Any, num_classes: int = -1) -> Any:
    if num_classes < 0:
        raise Without("a shape that depends on values")
    return nn.one_hot(ids, num_classes, np.int32)


LAYERS: Final[dict[str, Call]] = {
    **{f"conv{n}d": convolved for n in (1, 2, 3)},
    **{f"conv_transpose{n}d": transposed for n in (1, 2, 3)},
    **{f"max_pool{n}d": pool(nn.max_pool, n) for n in (1, 2, 3)},
    **{f"avg_pool{n}d": pool(nn.avg_pool, n) for n in (1, 2, 3)},
    "pad": pad,
    "linear": lambda x, w, b=None: x @ np.swapaxes(w, -1, -2) + (0 if b is None else b) if w.ndim > 1 else x @ w
    + (0 if b is None else b),
    "bilinear": lambda x, y, w, b=None: np.einsum("...i,oij,...j->...o", x, w, y) + (0 if b is None else b),
    "embedding": embedding,
    "one_hot": one_hot,
    "layer_norm": layer_norm, "rms_norm": rms_norm, "batch_norm": batch_norm, "group_norm": group_norm,
    "instance_norm": instance_norm, "scaled_dot_product_attention": attention, "normalize": normalize,
    "cosine_similarity": cosine, "pairwise_distance": distance, "pixel_shuffle": pixel_shuffle,
    "pixel_unshuffle": pixel_unshuffle,
}  # fmt: skip

NETWORKS: Final[dict[str, Call]] = {
    **{f"nn.functional.{name}": call for table in (ACTIVATIONS, LOSSES, LAYERS) for name, call in table.items()},
    "softmax": softmax,
    "log_softmax": log_softmax,
}
