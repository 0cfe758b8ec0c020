"""Batches of short documents, such as names: one document a row, between end tokens, cut or padded to the context."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.models.data import Vocabulary

Array = np.ndarray[Any, np.dtype[np.int32]]
Batches = Callable[[int], tuple[Array, Array]]
"""The batch of each step, a function of the step alone, so that a run can stop and go on."""

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
        self._documents = order
        self._vocabulary = vocabulary
        self._context = context
        self._batch_size = batch_size or len(order)

    def __call__(self, step: int) -> tuple[Array, Array]:
        x = np.full((self._batch_size, self._context), self._vocabulary.end, dtype=np.int32)
        y = np.full((self._batch_size, self._context), PADDING, dtype=np.int32)
        for row in range(self._batch_size):
            document = self._documents[(step * self._batch_size + row) % len(self._documents)]
            tokens = [self._vocabulary.end, *self._vocabulary.encode(document), self._vocabulary.end]
            count = min(self._context, len(tokens) - 1)
            x[row, :count] = tokens[:count]
            y[row, :count] = tokens[1 : count + 1]
        return x, y
