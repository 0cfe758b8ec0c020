"""Positions in attention: rotary embeddings, and biases that grow with the distance."""

from __future__ import annotations

import math

import numpy as np

from graphc.convolution import array_like
from graphc.errors import ArgumentError, ShapeError
from graphc.ir.types import as_shape
from graphc.nn.shared import Array, half_again
from graphc.tracing.operands import takes
from graphc.tracing.trace import Tracer


@takes(floats="x")
def rotary_embedding(
    x: Array,
    positions: Array | None = None,
    *,
    base: float = 10000.0,
    dims: int | None = None,
    interleaved: bool = False,
) -> Array:
    """Queries or keys [..., T, D], each pair of elements turned by an angle that grows with the position.

    positions: broadcast to [..., T], 0, 1, ... unless given; integers or floats, a traced number for one token among
    many. Pair i turns by position * base ** (-2 i / dims). Pairs are elements i and i + dims / 2, or with `interleaved`
    2 i and 2 i + 1. dims: so many elements turn, the first ones; all of D unless given.
    Known positions are turned into sines and cosines in float64 at once, traced ones in the program in float32; half
    precision is computed in single. Raises ShapeError, ArgumentError, and DTypeError for integers.
    Source: arXiv:2104.09864.
    """
    x = array_like(x)
    if x.ndim < 2:
        raise ShapeError(f"rotary_embedding: x has shape {x.shape}: need [..., T, D]")
    count = x.shape[-1] if dims is None else dims
    if not isinstance(count, int | np.integer) or not 0 < count <= x.shape[-1] or count % 2:
        raise ArgumentError(f"rotary_embedding: {count!r} elements turn: need an even number of the {x.shape[-1]}")
    if not base > 0 or math.isinf(base):
        raise ArgumentError(f"rotary_embedding: base is {base}: need a number above 0")
    places = np.arange(x.shape[-2]) if positions is None else array_like(positions)
    if len(places.shape) > x.ndim - 1 or any(
        n not in (1, m) for n, m in zip(places.shape[::-1], x.shape[-2::-1], strict=False)
    ):
        raise ShapeError(f"rotary_embedding: x has shape {x.shape} and positions {places.shape}: need [..., T]")
    wide = x.astype(np.float32) if x.dtype == np.float16 else x
    turns = base ** (-2.0 * np.arange(count // 2) / count)
    turns = np.repeat(turns, 2) if interleaved else np.concatenate([turns, turns])
    away = np.arange(count) % 2 == 0 if interleaved else np.arange(count) < count // 2
    if isinstance(places, Tracer):
        angles = places.astype(np.float32)[..., None] * turns.astype(np.float32)
    else:
        angles = np.asarray(places)[..., None] * turns
    cosine, sine = np.cos(angles).astype(wide.dtype), (np.sin(angles) * np.where(away, -1, 1)).astype(wide.dtype)
    turning = wide if count == x.shape[-1] else wide[..., :count]
    made = turning * cosine + _partners(turning, interleaved) * sine
    if count < x.shape[-1]:
        made = np.concatenate([made, wide[..., count:]], axis=-1)
    return half_again(made, x)


def _partners(x: Array, interleaved: bool) -> Array:
    """The other element of each pair."""
    if not interleaved:
        return np.roll(x, x.shape[-1] // 2, -1)
    pairs = np.reshape(x, (*x.shape[:-1], x.shape[-1] // 2, 2))
    return np.reshape(np.flip(pairs, -1), x.shape)


@takes()
def alibi_slopes(heads: int) -> Array:
    """By how much the scores of each head fall with each position of distance: f32 [heads], for `attention`.

    2 ** (-8 i / heads) for i = 1 ... heads, where that is a power of two; else those of the next smaller power of two,
    and between them every other one of the next greater. Source: arXiv:2108.12409.
    """
    (count,) = as_shape(heads, "alibi_slopes: heads")
    if not count:
        return np.zeros(0, np.float32)
    whole = 2 ** int(math.log2(count))
    slopes = 2.0 ** (-8.0 * np.arange(1, whole + 1) / whole)
    more = 2.0 ** (-4.0 * np.arange(1, 2 * whole + 1, 2) / whole)
    return np.concatenate([slopes, more])[:count].astype(np.float32)


@takes()
def alibi(heads: int, queries: int, keys: int | None = None) -> Array:
    """What attention with linear biases adds to scores: f32 [heads, queries, keys], -slope * |distance|.

    The last query is level with the last key. attention(..., mask=alibi(...)) takes it; `alibi_slopes` in its place
    takes no memory. Source: arXiv:2108.12409.
    """
    count, columns = as_shape((queries, queries if keys is None else keys), "alibi: queries and keys")
    distance = np.abs(np.arange(columns) - np.arange(columns - count, columns)[:, None]).astype(np.float32)
    return -alibi_slopes(heads)[:, None, None] * distance
