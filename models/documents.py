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
        x = np.full((len(order), context), vocabulary.end, dtype=np.int32)
        y = np.full((len(order), context), PADDING, dtype=np.int32)
        for row, document in enumerate(order):
            tokens = [vocabulary.end, *vocabulary.encode(document), vocabulary.end]
            count = min(context, len(tokens) - 1)
            x[row, :count] = tokens[:count]
            y[row, :count] = tokens[1 : count + 1]
        self.data = {"x": x, "y": y}
        self._batch_size = batch_size or len(order)

    def draw(self, data: dict[str, Any], step: Any) -> tuple[Any, Any]:
        """The batch of a step from `data`, all documents."""
        rows = (step * self._batch_size + np.arange(self._batch_size, dtype=np.int32)) % data["x"].shape[0]
        return np.take(data["x"], rows, axis=0), np.take(data["y"], rows, axis=0)

    def __call__(self, step: int) -> tuple[Array, Array]:
        return self.draw(self.data, np.int32(step))
