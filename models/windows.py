"""Batches of fixed windows: the characters before each character of each document."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

import graphc.random
from graphc.models.data import Vocabulary
from graphc.models.sampling import Decode

Array = np.ndarray[Any, np.dtype[np.int32]]


def windows(documents: Sequence[str], vocabulary: Vocabulary, width: int) -> tuple[Array, Array]:
    """All examples: (x, y), i32 [N, width] and [N]. Before a document stand end tokens, after it one."""
    ends = [vocabulary.end] * width
    tokens = np.array([t for d in documents for t in (*ends, *vocabulary.encode(d), vocabulary.end)], np.int32)
    starts = np.cumsum([0, *(len(d) + 1 + width for d in documents[:-1])])
    lengths = np.array([len(d) + 1 for d in documents])
    first = np.repeat(starts - np.cumsum([0, *lengths[:-1]]), lengths) + np.arange(lengths.sum())
    return tokens[first[:, None] + np.arange(width)], tokens[first + width]


SPLIT_SEED: Final = 42
"""Of the shuffle before the split: runs with different seeds share their dev names."""


def split(documents: Sequence[str], seed: int) -> dict[str, list[str]]:
    """Shuffled documents in three parts: train (80%), dev (10%) and test (10%)."""
    shuffled = list(documents)
    random.Random(seed).shuffle(shuffled)
    first, second = int(0.8 * len(shuffled)), int(0.9 * len(shuffled))
    return {"train": shuffled[:first], "dev": shuffled[first:second], "test": shuffled[second:]}


def evaluation(
    documents: Sequence[str], vocabulary: Vocabulary, width: int, seed: int
) -> dict[str, list[tuple[Array, Array]]]:
    """What to measure the loss on: one batch of dev with all its examples, and one of train with as many."""
    parts = split(documents, seed)
    if not parts["dev"]:
        return {}
    x, y = windows(parts["dev"], vocabulary, width)
    train_x, train_y = windows(parts["train"], vocabulary, width)
    return {"train": [(train_x[: len(y)], train_y[: len(y)])], "dev": [(x, y)]}


class WindowBatches:
    """`batch_size` examples a step, drawn with replacement by the step's own generator; 0: all of them, in order."""

    def __init__(
        self, documents: Sequence[str], vocabulary: Vocabulary, width: int, batch_size: int, seed: int
    ) -> None:
        x, y = windows(documents, vocabulary, width)
        self.data = {"x": x, "y": y}
        self._batch_size = batch_size
        self._seed = seed

    def draw(self, data: dict[str, Any], step: Any) -> tuple[Any, Any]:
        """The batch of a step from `data`, all examples."""
        if not self._batch_size:
            return data["x"], data["y"]
        key = graphc.random.fold_in(graphc.random.key(self._seed), step)
        rows = graphc.random.randint(key, (self._batch_size,), 0, data["y"].shape[0])
        return np.take(data["x"], rows, axis=0), np.take(data["y"], rows, axis=0)

    def __call__(self, step: int) -> tuple[Array, Array]:
        return self.draw(self.data, np.int32(step))


def before(count: int, width: int, end: int) -> Array:
    """The windows [count, width] before the first token of each document: end tokens."""
    return np.full((count, width), end, np.int32)


def decoder(apply: Callable[[Any, Any, Any], Any]) -> Decode:
    """How a model of windows, whose logits are apply(params, x [B, width], config), draws token after token.

    What it keeps is its window: (params, tokens [B], position, window, config) -> (logits [B, V], the window that ends
    with these tokens).
    """

    def decode(params: Any, tokens: Any, position: Any, window: Any, config: Any) -> tuple[Any, Any]:
        window = np.concatenate([window[:, 1:], tokens[:, None]], axis=1)
        return apply(params, window, config), window

    return decode
