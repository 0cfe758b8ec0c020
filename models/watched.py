"""What is looked at now and then while a model trains: losses of parts of the data, samples, how far layers move."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

import graphc
import graphc.optim
import graphc.random
import graphc.tree
from graphc.models import Model
from graphc.models.data import Corpus, Vocabulary

TINY: Final = np.float32(1e-30)
"""What a norm of 0 is taken for, so that an update of parameters that are 0 is no division by 0."""

SAMPLES: Final = 3
SAMPLE_LENGTH: Final = 32
"""Samples that are drawn after an evaluation, and tokens of each at most."""


def layers_of(params: Any) -> dict[str, list[int]]:
    """The leaves of each layer, as numbers, by its path: "blocks[0]" for blocks[0].wq, "head" for head.

    A layer is what stands in a list, with all that it holds; what stands in none is a layer by itself.
    """
    found: dict[str, list[int]] = {}
    for number, path in enumerate(graphc.tree.paths(graphc.tree.flatten(params)[1])):
        depth = next((n + 1 for n, key in enumerate(path) if isinstance(key, int)), len(path))
        found.setdefault(graphc.tree.dotted_path(path[:depth]).lstrip("."), []).append(number)
    return found


def update_ratios(params: Any, change: Any) -> dict[str, Any]:
    """The norm of the change of each layer's parameters over their norm, by the layer's path."""
    old, moved, norm = graphc.tree.leaves(params), graphc.tree.leaves(change), graphc.optim.global_norm
    return {
        layer: norm([moved[n] for n in leaves]) / np.maximum(norm([old[n] for n in leaves]), TINY)
        for layer, leaves in layers_of(params).items()
    }


class Sampler:
    """What a model writes with the parameters it has, always from the same random numbers."""

    def __init__(self, model: Model, config: Any, vocabulary: Vocabulary, device: Any) -> None:
        self._model, self._config, self._vocabulary, self._device = model, config, vocabulary, device
        context = getattr(config, "context", SAMPLE_LENGTH)
        self._length = min(SAMPLE_LENGTH, context) if model.DEFAULTS.samples == 1 else None

    def __call__(self, params: Any) -> list[str]:
        """A few samples: documents, or the beginning of a text."""
        found = self._model.sample(
            params, graphc.random.key(0), self._config, count=SAMPLES, length=self._length, device=self._device
        )
        return [self._vocabulary.decode(tokens) for tokens in found]


class Evaluation:
    """The mean loss over each part of the data (train, dev, ...) that a model keeps for it, on a device."""

    def __init__(self, model: Model, corpus: Corpus, config: Any, batch_size: int, seed: int, device: Any) -> None:
        parts = getattr(model, "evaluation", None)
        found = parts(corpus, config, batch_size, seed) if parts else {}
        self._parts = {
            name: [tuple(graphc.asarray(a, device) for a in batch) for batch in batches]
            for name, batches in found.items()
        }
        loss = getattr(model, "evaluation_loss", model.loss)
        self._loss = graphc.compile(lambda params, x, y: loss(params, x, y, config), device=device)

    def __call__(self, params: Any) -> dict[str, list[Any]]:
        """The losses of the batches of each part: scalars on the device that nobody has waited for."""
        return {name: [self._loss(params, *batch) for batch in batches] for name, batches in self._parts.items()}
