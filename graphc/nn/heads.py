"""Attention, and what it keeps of positions before."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.convolution import array_like
from graphc.errors import ArgumentError, ShapeError
from graphc.ir.types import as_shape
from graphc.nn.activations import softmax
from graphc.nn.shared import Array
from graphc.tracing.operands import check_fits, takes
from graphc.updates import at

Cache = dict[str, Array]
"""Keys, values, and the number of positions that they are of: see `kv_cache`."""


@takes()
def causal_mask(queries: int, keys: int | None = None) -> Array:
    """Bool [queries, keys]: True where a query may see a key, which is not after it. The last query sees all keys."""
    queries, keys = as_shape((queries, queries if keys is None else keys), "causal_mask: queries and keys")
    return np.tril(np.ones((queries, keys), dtype=np.bool_), k=keys - queries)


@takes(floats="q k v")
def attention(
    q: Array,
    k: Array,
    v: Array,
    *,
    causal: bool = False,
    scale: float | None = None,
    mask: Array | None = None,
    alibi_slopes: Array | None = None,
) -> Array:
    """softmax(scale * q @ k^T) @ v: [..., T, D], [..., S, D], [..., S, E] -> [..., T, E].

    scale: 1 / sqrt(D) unless given. causal: a query sees no later key (the last query is level with the last key).
    mask: broadcast to [..., T, S]. Bool or integers: True, or not 0, where a query may see a key. Floats are added to
    the scores: 0 where it may, -inf where it may not, any other number as a bias. A query that sees no key weighs all
    alike. Keys and values that the mask hides from all queries may be NaN or infinite.
    Heads are along axis -3: of k and v there may be fewer, each of which serves heads next to each other
    (grouped-query attention): q [..., H, T, D], k [..., K, S, D], v [..., K, S, E], where K divides H.
    alibi_slopes: [H], one for each head: scores fall by it with each position between query and key, see
    `graphc.nn.alibi_slopes`. Raises ShapeError, ArgumentError, and DTypeError for integers.
    Source: arXiv:1706.03762, arXiv:2305.13245.
    """
    q, k, v = map(array_like, (q, k, v))
    groups = _groups(q, k, v)
    if mask is not None:
        check_fits("attention", "mask", array_like(mask), (*q.shape[:-1], k.shape[-2]), "one that broadcasts")
    if groups > 1 and mask is None and alibi_slopes is None:
        # Views of what lies in memory, which kernels of attention read as they are.
        k, v, groups = _repeated(k, groups), _repeated(v, groups), 1
    # Far below every score, yet finite: no row of weights becomes NaN, and WGSL has no literal for infinity.
    hidden = -0.5 * float(np.finfo(q.dtype).max)
    seen, bias = _seen(mask, hidden)
    if seen is not None:
        k, v = _without_unseen(k, seen, groups), _without_unseen(v, seen, groups)
    return _attended(q, k, v, groups, causal, scale, seen, bias, alibi_slopes, k.shape[-2] - q.shape[-2])


@takes()
def kv_cache(
    batch: int | Sequence[int],
    heads: int,
    length: int,
    depth: int,
    value_depth: int | None = None,
    dtype: Any = np.float32,
) -> Cache:
    """Room for the keys and values of `length` positions, none of which is taken, for `cached_attention`.

    {"k": zeros [*batch, heads, length, depth], "v": zeros [*batch, heads, length, value_depth], "length": 0}. batch: a
    number, or several; value_depth: that of keys unless given; dtype: float16 takes half the memory.
    """
    lead = as_shape(batch, "kv_cache: batch")
    sizes = as_shape((heads, length, depth, depth if value_depth is None else value_depth), "kv_cache: sizes")
    return {
        "k": np.zeros((*lead, *sizes[:3]), dtype),
        "v": np.zeros((*lead, *sizes[:2], sizes[3]), dtype),
        "length": np.zeros((), np.int32),
    }


@takes(floats="q k v")
def cached_attention(
    q: Array,
    k: Array,
    v: Array,
    cache: Cache,
    *,
    scale: float | None = None,
    alibi_slopes: Array | None = None,
) -> tuple[Array, Cache]:
    """Causal attention of T new positions to all before them, and the cache with their keys and values in it.

    q: [..., H, T, D], k: [..., K, T, D], v: [..., K, T, E], where K divides H; cache: see `kv_cache`, of K heads. The
    new positions are cache["length"] and on. All shapes are fixed, so that one program serves every position; it
    writes the new keys and values into the memory of the old cache where that is donated, or the carry of a loop.
    Raises ShapeError, and IndexRangeError when a result is read where the cache has no room left.
    """
    if not isinstance(cache, dict) or not {"k", "v", "length"} <= cache.keys():
        raise ArgumentError("cached_attention: cache has to be one that kv_cache made")
    q, k, v = map(array_like, (q, k, v))
    groups = _groups(q, k, v)
    old, done = cache["k"], cache["length"]
    for name, new in (("k", k), ("v", v)):
        held = cache[name].shape
        if held[:-2] != new.shape[:-2] or held[-1] != new.shape[-1]:
            raise ShapeError(
                f"cached_attention: {name} has shape {new.shape} and the cache {held}: need [..., K, T, D]"
            )
    count, room = q.shape[-2], old.shape[-2]
    if k.shape[-2] != count:
        raise ShapeError(f"cached_attention: q has shape {q.shape} and k {k.shape}: need as many positions")
    places = done + np.arange(count, dtype=np.int32)
    key = (*(slice(None),) * (old.ndim - 2), places)
    kept = {name: at(cache[name])[key].set(new.astype(cache[name].dtype)) for name, new in (("k", k), ("v", v))}
    seen = np.arange(room, dtype=np.int32) <= places[:, None]
    made = _attended(q, kept["k"], kept["v"], groups, False, scale, seen, None, alibi_slopes, done)
    return made if made.dtype == q.dtype else made.astype(q.dtype), {**kept, "length": done + np.int32(count)}


def _groups(q: Array, k: Array, v: Array) -> int:
    """How many heads of queries share one of keys; raises ShapeError where shapes do not fit."""
    if min(q.ndim, k.ndim, v.ndim) < 2 or q.shape[-1] != k.shape[-1] or k.shape[-2] != v.shape[-2]:
        raise ShapeError(
            f"attention: q has shape {q.shape}, k {k.shape} and v {v.shape}: need [..., T, D], [..., S, D], [..., S, E]"
        )
    if min(q.ndim, k.ndim, v.ndim) < 3 or q.shape[-3] == k.shape[-3] == v.shape[-3] or q.shape[-3] == 1:
        return 1
    heads, shared = q.shape[-3], k.shape[-3]
    if shared != v.shape[-3] or not shared or heads % shared:
        raise ShapeError(
            f"attention: q has shape {q.shape}, k {k.shape} and v {v.shape}: need as many heads (axis -3) of keys and "
            "of values, a number that divides that of queries"
        )
    return int(heads // shared)


def _repeated(x: Array, groups: int) -> Array:
    """[..., K, S, D] with each head so many times."""
    *lead, heads, count, depth = x.shape
    spread = np.broadcast_to(np.expand_dims(x, -3), (*lead, heads, groups, count, depth))
    return np.reshape(spread, (*lead, heads * groups, count, depth))


def _product(a: Array, b: Array, groups: int) -> Array:
    """a @ b, where groups of heads of `a` share one of `b`: [..., H, T, X] @ [..., K, X, Y] -> [..., H, T, Y]."""
    if groups == 1:
        return a @ b
    *lead, heads, rows, inner = a.shape
    made = np.reshape(a, (*lead, heads // groups, groups * rows, inner)) @ b
    return np.reshape(made, (*made.shape[:-3], heads, rows, b.shape[-1]))


def _attended(
    q: Array,
    k: Array,
    v: Array,
    groups: int,
    causal: bool,
    scale: float | None,
    seen: Array | None,
    bias: Array | None,
    slopes: Array | None,
    first: Array,
) -> Array:
    """Attention. seen: where a query sees a key; bias: what is added to scores; first: the key beside query 0."""
    hidden = -0.5 * float(np.finfo(q.dtype).max)
    scores = _product(q, np.swapaxes(k, -1, -2), groups) * (1 / math.sqrt(q.shape[-1]) if scale is None else scale)
    if slopes is not None:
        scores = scores - _fallen(scores, array_like(slopes), first)
    if bias is not None:
        scores = scores + bias.astype(scores.dtype)
    if seen is not None:
        scores = np.where(seen, scores, hidden)
    if causal:
        # Made of the scores, not `causal_mask`: traced, it is computed where it is used and takes no memory.
        seen = np.tril(np.ones_like(scores, dtype=np.bool_), k=k.shape[-2] - q.shape[-2])
        scores = np.where(seen, scores, hidden)
    return _product(softmax(scores), v, groups)


def _fallen(scores: Array, slopes: Array, first: Array) -> Array:
    """slope * distance, [H, T, S]: traced, it is computed where it is used and takes no memory."""
    queries, keys = scores.shape[-2:]
    if scores.ndim < 3 or slopes.shape != scores.shape[-3:-2]:
        raise ShapeError(
            f"attention: alibi_slopes has shape {slopes.shape}, and the scores {scores.shape}: need a slope for each "
            "head (axis -3)"
        )
    columns = np.zeros_like(scores, shape=(keys,)) + np.arange(keys, dtype=scores.dtype)
    rows = (first + np.arange(queries, dtype=np.int32)).astype(scores.dtype)
    return slopes.astype(scores.dtype)[:, None, None] * np.abs(columns - rows[:, None])


def _seen(mask: Array | None, hidden: float) -> tuple[Array | None, Array | None]:
    """Where a mask lets a query see a key (None: everywhere), and what it adds to the scores there (None: nothing)."""
    if mask is None:
        return None, None
    mask = array_like(mask)
    if mask.dtype.kind != "f":
        return (mask if mask.dtype.kind == "b" else mask != 0), None
    seen = mask > max(hidden, -0.5 * float(np.finfo(mask.dtype).max))
    # A mask that is known and adds nothing is one of bools, whose kernels are faster.
    return seen, None if isinstance(mask, np.ndarray) and not mask[seen].any() else mask


def _without_unseen(x: Array, seen: Array, groups: int) -> Array:
    """Keys or values with 0 for what is not finite and hidden from all queries: 0 times NaN is NaN."""
    some = seen if seen.ndim < 2 else np.any(seen, axis=-2)
    if isinstance(some, np.ndarray | np.generic) and some.all():
        return x
    if groups > 1 and some.ndim > 1 and some.shape[-2] > 1:  # a mask for each head of the queries
        some = np.any(np.reshape(some, (*some.shape[:-2], some.shape[-2] // groups, groups, some.shape[-1])), axis=-2)
    return np.where(some[..., None] | np.isfinite(x), x, 0)
