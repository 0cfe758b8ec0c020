"""Attention."""

from __future__ import annotations

import math

import numpy as np

from graphc.convolution import array_like
from graphc.errors import ShapeError
from graphc.nn.activations import softmax
from graphc.nn.shared import Array


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
