"""Drawing tokens one after another from a model that keeps a cache of its past."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

import numpy as np

import graphc
import graphc.random
from graphc.errors import DataError

Array = Any
COLDEST: Final = np.float32(1e-30)
"""A temperature as good as 0; a smaller one may be taken for 0 by a driver."""
FREE: Final = -1
"""In a list of given tokens: one that is drawn."""

Decode = Callable[[Any, Array, Array, Any, Any], tuple[Array, Any]]


def draw(key: Array, logits: Array, temperature: Array | None, top_k: int | None = None) -> Array:
    """One token for each row of logits [B, V] -> i32 [B]: from softmax(logits / temperature), or the likeliest (None).

    top_k keeps the k largest logits of a row, and all that equal the smallest of them.
    """
    if temperature is None:
        return np.argmax(logits, axis=-1).astype(np.int32)
    if top_k is not None and top_k < logits.shape[-1]:
        larger = np.sum(logits[:, None, :] > logits[:, :, None], axis=-1)
        logits = np.where(larger < top_k, logits, -1e9)
    return graphc.random.categorical(key, _over(logits, temperature))


def draw_any(key: Array, logits: Array, temperature: Array, top_k: Array) -> Array:
    """`draw` with a temperature and a top_k that are known only when it runs: 0 takes the likeliest."""
    larger = np.sum(logits[:, None, :] > logits[:, :, None], axis=-1)
    kept = np.where(larger < top_k, logits, -1e9)
    drawn = graphc.random.categorical(key, _over(kept, np.where(temperature > 0, temperature, 1)))
    return np.where(temperature > 0, drawn, np.argmax(logits, axis=-1).astype(np.int32))


def _over(logits: Array, temperature: Array) -> Array:
    """logits / temperature, less the largest of each row: however small the temperature, nothing overflows."""
    below = (logits - np.max(logits, axis=-1, keepdims=True)).astype(np.float32)
    return below / np.maximum(temperature, COLDEST)


def check_drawing(temperature: float, top_k: int | None) -> None:
    """Raise DataError for a temperature below 0 or not finite, and for a top_k below 1."""
    if not 0 <= temperature < math.inf or (top_k is not None and top_k < 1):
        raise DataError(f"temperature {temperature} and top-k {top_k}: need a number >= 0, and an integer >= 1")


def generate(
    decode: Decode,
    params: Any,
    cache: Any,
    key: Array,
    config: Any,
    *,
    count: int,
    prompt: tuple[int, ...] = (),
    temperature: float = 1.0,
    top_k: int | None = None,
    length: int | None = None,
    device: Any = None,
) -> list[list[int]]:
    """`count` documents of up to `length` and config.context tokens, begun with `prompt`.

    cache: what the model keeps of its past, before the first token. decode(params, tokens [B], position, cache,
    config) -> (logits [B, V], cache). The end token is the last of the vocabulary. All positions are one program.
    Raises DataError for a prompt that fills the context.
    """
    if len(prompt) >= config.context:
        raise DataError(f"the prompt has {len(prompt)} tokens: need fewer than the context, {config.context}")
    check_drawing(temperature, top_k)
    end = config.vocab_size - 1
    given = np.full(config.context if length is None else min(length, config.context), FREE, dtype=np.int32)
    given[: len(prompt)] = prompt[: len(given)]
    program = _compiled_positions(decode, config, temperature > 0, top_k, device)
    first = np.full(count, end, dtype=np.int32)
    columns = program(params, cache, first, given, key, np.float32(temperature or 1.0))
    return [_until(row, end) for row in np.asarray(columns).T.tolist()]


@lru_cache(maxsize=16)
def _compiled_positions(
    decode: Decode, config: Any, random: bool, top_k: int | None, device: Any
) -> Callable[..., Array]:
    """The program of all positions, compiled once for each way of drawing.

    (params, cache, first tokens [B], given [T], key, temperature) -> tokens [T, B]; `given` holds the token of each
    position, or FREE where one is drawn.
    """

    def positions(params: Any, cache: Any, first: Array, given: Array, key: Array, temperature: Array) -> Array:
        def one(carry: tuple[Array, Any], x: tuple[Array, Array]) -> tuple[tuple[Array, Any], Array]:
            tokens, cache = carry
            position, fixed = x
            logits, cache = decode(params, tokens, position, cache, config)
            drawn = draw(graphc.random.fold_in(key, position), logits, temperature if random else None, top_k)
            tokens = np.where(fixed == FREE, drawn, fixed)
            return (tokens, cache), tokens

        numbers = np.arange(given.shape[0], dtype=np.int32)
        return graphc.scan(one, (first, cache), (numbers, given))[1]

    compiled: Callable[..., Array] = graphc.compile(positions, device=device)
    return compiled


@lru_cache(maxsize=16)
def compiled_step(decode: Decode, config: Any, random: bool, top_k: int | None, device: Any) -> Callable[..., Any]:
    """The program of one position, compiled once for each way of drawing.

    (params, cache, tokens [B], position, key, temperature) -> (next tokens [B], cache).
    """

    def sample_step(params: Any, cache: Any, tokens: Array, position: Array, key: Array, temperature: Array) -> Any:
        logits, cache = decode(params, tokens, position, cache, config)
        return draw(graphc.random.fold_in(key, position), logits, temperature if random else None, top_k), cache

    compiled: Callable[..., Any] = graphc.compile(sample_step, device=device, donate=("cache",))
    return compiled


def _until(tokens: list[int], end: int) -> list[int]:
    """The tokens with the first end token as the last."""
    return tokens[: tokens.index(end) + 1] if end in tokens else tokens
