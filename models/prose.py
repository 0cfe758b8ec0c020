"""Prose: one long text as a stream of characters, batches cut from it, and writing on without end."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

import graphc
import graphc.random
from graphc.errors import DataError
from graphc.models.data import Vocabulary
from graphc.models.sampling import Decode, check_drawing, compiled_step

Array = np.ndarray[Any, np.dtype[np.int32]]

TRAIN_SHARE: Final = 0.9
EVALUATED: Final = 20
"""Batches that an evaluation takes from each part."""


def tokens_of(text: str, part: str, context: int) -> Array:
    """The tokens of the first 90% of a text ("train") or of the rest ("dev"): i32 [N].

    Raises DataError for a part that is too short for one example.
    """
    tokens = np.array(Vocabulary.of([text]).encode(text), np.int32)
    first = int(TRAIN_SHARE * len(tokens))
    found = tokens[:first] if part == "train" else tokens[first:]
    if len(found) <= context:
        raise DataError(f"the {part} part of the text has {len(found)} characters: need more than context, {context}")
    return found


def cut(tokens: Array, starts: Array, context: int) -> tuple[Array, Array]:
    """Examples from each start on: (x, y), i32 [len(starts), context], y one token later than x."""
    places = starts[:, None] + np.arange(context, dtype=np.int32)
    return tokens[places], tokens[places + 1]


class ProseBatches:
    """`batch_size` examples a step, from places that the step's own generator draws."""

    def __init__(self, tokens: Array, context: int, batch_size: int, seed: int) -> None:
        if batch_size < 1:
            raise DataError("prose has no batch of all examples: need a batch size of at least 1")
        self.data = {"tokens": tokens}
        self._context = context
        self._batch_size = batch_size
        self._seed = seed

    def draw(self, data: dict[str, Any], step: Any) -> tuple[Any, Any]:
        """The batch of a step from `data`, the tokens of the text."""
        key = graphc.random.fold_in(graphc.random.key(self._seed), step)
        last = data["tokens"].shape[0] - self._context
        return cut(data["tokens"], graphc.random.randint(key, (self._batch_size,), 0, last), self._context)

    def __call__(self, step: int) -> tuple[Array, Array]:
        return self.draw(self.data, np.int32(step))


def spread(tokens: Array, context: int, batch_size: int) -> list[tuple[Array, Array]]:
    """Up to 20 batches of examples at even distances over all tokens."""
    last = len(tokens) - context - 1
    count = max(1, min(EVALUATED, (last // context + 1) // batch_size))
    starts = np.linspace(0, last, count * batch_size).astype(np.int32)
    return [cut(tokens, part, context) for part in np.split(starts, count)]


def write(
    decode: Decode,
    params: Any,
    empty: Any,
    key: Any,
    config: Any,
    *,
    count: int,
    prompt: tuple[int, ...],
    temperature: float,
    top_k: int | None,
    length: int,
    device: Any,
    begin: int | None = 0,
) -> list[list[int]]:
    """`count` texts of `length` tokens that begin with `prompt`; the token `begin` stands before them, unseen.

    empty: the cache of no position. Where the context is full, its second half is read again as the first half of a new
    one, because a key or value in the cache belongs to its position; a token so sees between half of the context and
    all of it. The tokens stay on the device, and the host waits once, at the end. begin: None for no such token. Raises
    DataError for a length that the prompt fills, and for no prompt where nothing stands before the text.
    """
    check_drawing(temperature, top_k)
    if length <= len(prompt):
        raise DataError(f"the prompt has {len(prompt)} tokens: need a length of more, not {length}")
    before = () if begin is None else (begin,)
    if not (before or prompt):
        raise DataError("this model has no token that texts begin with: give a prompt")
    step = compiled_step(decode, config, temperature > 0, top_k, device)
    heat = np.float32(temperature or 1.0)
    given = [np.full(count, token, np.int32) for token in (*before, *prompt)]
    text: list[Any] = [given[0]]
    cache, position = empty, 0
    while len(text) < length + len(before):
        if position == config.context:
            cache, position = empty, 0
            for past in text[-max(config.context // 2, 1) : -1]:
                _, cache = step(params, cache, past, np.int32(position), key, heat)
                position += 1
        # A position comes again and again, its place in the text does not: no two draws share their random numbers.
        place = graphc.random.fold_in(key, len(text))
        drawn, cache = step(params, cache, text[-1], np.int32(position), place, heat)
        position += 1
        text.append(given[len(text)] if len(text) < len(given) else drawn)
    columns = np.stack([np.asarray(tokens) for tokens in text[len(before) :]], axis=1)
    return [[int(token) for token in row] for row in columns]
