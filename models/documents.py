"""Batches of short documents, such as names: one document a row, between end tokens, cut or padded to the context."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from graphc.models.data import Vocabulary

Array = np.ndarray[Any, np.dtype[np.int32]]

PADDING = -1
"""In targets: a position that is not there."""


TRAIN_SHARE: Final = 0.9
EVALUATED: Final = 1000
"""Most documents of a part that an evaluation looks at."""


def split(documents: Sequence[str], seed: int) -> dict[str, list[str]]:
    """Shuffled documents in two parts, train (90%) and dev; few documents are all in train.

    The shuffle is Python's, as in Karpathy's microgpt: what is trained on first is the same.
    """
    order = list(documents)
    random.Random(seed).shuffle(order)
    first = math.ceil(TRAIN_SHARE * len(order))
    return {"train": order[:first], "dev": order[first:]}


def evaluation(
    documents: Sequence[str], vocabulary: Vocabulary, context: int, seed: int
) -> dict[str, list[tuple[Array, Array]]]:
    """What to measure the loss on: a batch of dev, and as many documents of train."""
    parts = split(documents, seed)
    count = min(EVALUATED, len(parts["dev"]))
    data = {name: DocumentBatches(part[:count], vocabulary, context, 0).data for name, part in parts.items() if count}
    return {name: [(batch["x"], batch["y"])] for name, batch in data.items()}


class DocumentBatches:
    """Documents in their order, `batch_size` a step, over and over.

    batch_size 0 takes all of them in each step. A batch is (x, y), i32 [batch_size, context]: y holds the token that
    follows each one of x, PADDING after the last.
    """

    def __init__(self, documents: Sequence[str], vocabulary: Vocabulary, context: int, batch_size: int) -> None:
        x = np.full((len(documents), context), vocabulary.end, dtype=np.int32)
        y = np.full((len(documents), context), PADDING, dtype=np.int32)
        for row, document in enumerate(documents):
            tokens = [vocabulary.end, *vocabulary.encode(document), vocabulary.end]
            count = min(context, len(tokens) - 1)
            x[row, :count] = tokens[:count]
            y[row, :count] = tokens[1 : count + 1]
        self.data = {"x": x, "y": y}
        self._batch_size = batch_size or len(documents)

    def draw(self, data: dict[str, Any], step: Any) -> tuple[Any, Any]:
        """The batch of a step from `data`, all documents."""
        rows = (step * self._batch_size + np.arange(self._batch_size, dtype=np.int32)) % data["x"].shape[0]
        return np.take(data["x"], rows, axis=0), np.take(data["y"], rows, axis=0)

    def __call__(self, step: int) -> tuple[Array, Array]:
        return self.draw(self.data, np.int32(step))
