"""Batches of short documents, such as names: one document a row, between end tokens, cut or padded to the context."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.models.data import Vocabulary

Array = np.ndarray[Any, np.dtype[np.int32]]

PADDING = -1
"""In targets: a position that is not there."""


class DocumentBatches:
    """Documents in an order shuffled once by `seed` (None: as they come), `batch_size` a step, over and over.

    batch_size 0 takes all of them in each step. A batch is (x, y), i32 [batch_size, context]: y holds the token that
    follows each one of x, PADDING after the last. The shuffle is Python's, as in Karpathy's microgpt.
    """

    def __init__(
        self, documents: Sequence[str], vocabulary: Vocabulary, context: int, batch_size: int, seed: int | None
    ) -> None:
        order = list(documents)
        if seed is not None:
            random.Random(seed).shuffle(order)
        rows = np.full((len(order), context + 1), PADDING, dtype=np.int32)
        for row, document in zip(rows, order, strict=True):
            tokens = [vocabulary.end, *vocabulary.encode(document), vocabulary.end][: context + 1]
            row[: len(tokens)] = tokens
        self.data = {"documents": rows}
        self._end = vocabulary.end
        self._batch_size = batch_size or len(order)

    def draw(self, data: dict[str, Any], step: Any) -> tuple[Any, Any]:
        """The batch of a step from `data`, all documents as they are in y, after an end token."""
        table = data["documents"]
        places = (step * self._batch_size + np.arange(self._batch_size, dtype=np.int32)) % table.shape[0]
        rows = np.take(table, places, axis=0)
        x, y = rows[:, :-1], rows[:, 1:]
        return np.where(x == PADDING, np.int32(self._end), x), y

    def __call__(self, step: int) -> tuple[Array, Array]:
        return self.draw(self.data, np.int32(step))
