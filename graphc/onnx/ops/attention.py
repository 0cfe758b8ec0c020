"""Importers of attention and of rotary embeddings."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphc import nn
from graphc.onnx.registry import Array, Call, importer, traced_like
from graphc.onnx.tensors import element_type

HIDDEN = -np.inf


def _heads(x: Array, count: int | None, c: Call) -> Array:
    """[N, T, H D] -> [N, H, T, D]."""
    if count is None:
        c.refuse("inputs of three axes need q_num_heads and kv_num_heads")
    n, t, width = x.shape
    return np.transpose(np.reshape(x, (n, t, count, width // count)), (0, 2, 1, 3))


@importer("Attention")
def attention(
    c: Call,
    q: Array,
    k: Array,
    v: Array,
    mask: Array = None,
    past_key: Array = None,
    past_value: Array = None,
    lengths: Array = None,
    *,
    is_causal: int = 0,
    kv_num_heads: int | None = None,
    q_num_heads: int | None = None,
    qk_matmul_output_mode: int = 0,
    scale: float | None = None,
    softcap: float = 0.0,
    softmax_precision: int | None = None,
    left_window_size: int = -1,
    right_window_size: int = -1,
) -> tuple[Array, ...]:
    """softmax(scale q k^T + bias) v, with the keys and values of earlier steps before the new ones.

    lengths: how many keys of each sample count, where a cache is kept outside. Rows that see no key give 0.
    """
    three = q.ndim == 3
    if three:
        q, k, v = _heads(q, q_num_heads, c), _heads(k, kv_num_heads, c), _heads(v, kv_num_heads, c)
    if past_key is not None:
        k, v = np.concatenate([past_key, k], axis=2), np.concatenate([past_value, v], axis=2)
    present = k, v
    groups = q.shape[1] // k.shape[1]
    if groups > 1:
        k, v = np.repeat(k, groups, axis=1), np.repeat(v, groups, axis=1)
    rows, columns = q.shape[2], k.shape[2]
    level = columns - rows == (0 if past_key is None else past_key.shape[2])
    windows = left_window_size >= 0 or right_window_size >= 0
    plain = mask is None and lengths is None and not softcap and not windows and softmax_precision is None
    if plain and (level or not is_causal) and not c.wants(3):  # what the compiler has kernels for
        return _joined(nn.attention(q, k, v, causal=bool(is_causal), scale=scale), three), *present
    root = q.dtype.type(math.sqrt(1 / math.sqrt(q.shape[3]) if scale is None else scale))
    scores = (q * root) @ (np.swapaxes(k, -1, -2) * root)
    shown = {0: scores}
    if softcap:
        scores = softcap * np.tanh(scores / softcap)
    shown[1] = scores
    seen, bias = _mask(mask, columns)
    before: Any = 0 if past_key is None else past_key.shape[2]
    if lengths is not None:
        lengths = np.reshape(lengths, (-1, 1, 1, 1))
        before = lengths - rows
        seen = _both(seen, np.arange(columns, dtype=np.int32) < lengths)
    seen = _both(seen, _window(rows, columns, before, left_window_size, 0 if is_causal else right_window_size))
    if is_causal and right_window_size >= 0:
        seen = _both(seen, _window(rows, columns, before, -1, right_window_size))
    if bias is not None:
        scores = scores + bias
        hidden = np.max(bias if seen is None else np.where(seen, bias, HIDDEN), axis=-1, keepdims=True) == HIDDEN
    else:
        hidden = None if seen is None else ~np.any(seen, axis=-1, keepdims=True)
    if seen is not None:
        scores = np.where(seen, scores, scores.dtype.type(HIDDEN))
    shown[2] = scores
    weights = _softmax(
        scores, hidden, q.dtype if softmax_precision is None else element_type(softmax_precision, c.refuse)
    )
    weights = weights.astype(q.dtype)
    shown[3] = weights
    return _joined(weights @ v, three), *present, shown[qk_matmul_output_mode]


def _joined(y: Array, three: bool) -> Array:
    """[N, H, T, D] -> [N, T, H D], where the inputs had three axes."""
    if not three:
        return y
    y = np.transpose(y, (0, 2, 1, 3))
    return np.reshape(y, (y.shape[0], y.shape[1], -1))


def _mask(mask: Array | None, columns: int) -> tuple[Array | None, Array | None]:
    """Where a mask of bools lets keys be seen, and what one of floats adds; what it is too short for is not seen."""
    if mask is None:
        return None, None
    missing = [(0, 0)] * (mask.ndim - 1) + [(0, columns - mask.shape[-1])]
    if mask.dtype.kind == "b":
        return (np.pad(mask, missing) if missing[-1][1] else mask), None
    if not missing[-1][1]:
        return None, mask
    inside = np.arange(columns, dtype=np.int32) < mask.shape[-1]
    return inside, np.pad(mask, missing)


def _both(a: Array | None, b: Array | None) -> Array | None:
    if a is None or b is None:
        return b if a is None else a
    return a & b


def _window(rows: int, columns: int, before: Array, left: int, right: int) -> Array | None:
    """Which keys are within a window around each query, `before` keys further on; -1: any on that side."""
    if left < 0 and right < 0:
        return None
    place = np.arange(rows, dtype=np.int32)[:, None] + before
    key = np.arange(columns, dtype=np.int32)
    return _both(None if left < 0 else key >= place - left, None if right < 0 else key <= place + right)


def _softmax(scores: Array, hidden: Array | None, dtype: Any) -> Array:
    """Along the last axis; 0 in rows that are hidden."""
    scores = scores if scores.dtype == dtype or dtype == np.float64 else scores.astype(dtype)
    if hidden is None:
        weights = np.exp(scores - np.max(scores, axis=-1, keepdims=True))
        return weights / np.sum(weights, axis=-1, keepdims=True)
    zero, one = scores.dtype.type(0), scores.dtype.type(1)
    scores = np.where(hidden, zero, scores)
    weights = np.where(hidden, zero, np.exp(scores - np.max(scores, axis=-1, keepdims=True)))
    return weights / np.where(hidden, one, np.sum(weights, axis=-1, keepdims=True))


@importer("RotaryEmbedding")
def rotary(
    c: Call,
    x: Array,
    cos: Array,
    sin: Array,
    ids: Array = None,
    *,
    interleaved: int = 0,
    num_heads: int = 0,
    rotary_embedding_dim: int = 0,
) -> Array:
    """Pairs of elements turned by the angles of their position; the pairs stand side by side, or half a row apart."""
    shape = x.shape
    if x.ndim == 3:
        x = _heads(x, num_heads or None, c)
    x = np.transpose(x, (0, 2, 1, 3))  # [N, T, H, D]
    width = rotary_embedding_dim or x.shape[3]
    if ids is not None:
        cos, sin, ids = traced_like(cos, sin, ids)
        cos, sin = cos[ids], sin[ids]
    cos, sin = cos[:, :, None, : width // 2], sin[:, :, None, : width // 2]
    turned, rest = x[..., :width], x[..., width:]
    if interleaved:
        a, b = turned[..., 0::2], turned[..., 1::2]
    else:
        a, b = turned[..., : width // 2], turned[..., width // 2 :]
    parts = [cos * a - sin * b, sin * a + cos * b]
    if interleaved:
        turned = np.reshape(np.stack(parts, axis=-1), turned.shape)
    else:
        turned = np.concatenate(parts, axis=-1)
    made = np.concatenate([turned, rest], axis=-1) if rest.shape[-1] else turned
    if len(shape) == 3:
        return np.reshape(made, shape)
    return np.transpose(made, (0, 2, 1, 3))
