"""Cases of the systems that several tests share: sizes, parameters away from their first values, batches, oracles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc import random, tree
from graphc.models import MODELS, batchnorm_mlp, bigram, gpt, microgpt, mlp
from tests.support import model_oracles

Array = Any


@dataclass(frozen=True)
class Case:
    """A model at a size, with a batch of a shape. oracle: (params, x, y) -> (loss, gradients), float64."""

    model: str
    config: Any
    oracle: Callable[[Any, Array, Array], tuple[float, Any]] | None
    x: tuple[int, ...]
    y: tuple[int, ...]

    def params(self, dtype: Any = np.float32) -> Any:
        """Parameters with every gain, bias and running mean moved away from where training begins."""
        generator = np.random.default_rng(7)
        first = MODELS[self.model].init(random.key(5), self.config)
        # Weights of a standard deviation of 0.02 would leave every layer almost linear.
        factor = 6.0 if self.model == "gpt" else 2.0 if self.model == "microgpt" else 1.0

        def moved(p: Array) -> Array:
            return (p * (factor if p.ndim > 1 else 1.0) + 0.3 * (p.ndim == 1) * generator.normal(size=p.shape)).astype(
                dtype
            )

        return tree.map(moved, first)

    def batch(self, number: int = 0) -> tuple[Array, Array]:
        """Tokens drawn for this number, each followed, most of the time, by the next token of the vocabulary."""
        generator = np.random.default_rng((3, number))
        size = self.config.vocab_size
        x, noise = generator.integers(0, size, self.x), generator.integers(0, size, self.y)
        following = ((x if self.x == self.y else x[:, -1]) + 1) % size
        y = np.where(generator.random(self.y) < 0.8, following, noise)
        return x.astype(np.int32), y.astype(np.int32)


def _gpt(scale: float | None) -> Case:
    config = gpt.Config(vocab_size=11, context=8, width=16, heads=2, layers=2, scale=scale, dropout=0.0)
    used = 8**-0.5 if scale is None else scale
    return Case("gpt", config, lambda p, x, y: model_oracles.gpt(p, x, y, 2, used), (4, 8), (4, 8))


def _batchnorm(**settings: Any) -> Case:
    config = batchnorm_mlp.Config(**settings)
    return Case("batchnorm_mlp", config, model_oracles.batchnorm_mlp, (32, 3), (32,))


CASES = {
    "bigram": Case("bigram", bigram.Config(), model_oracles.bigram, (400, 1), (400,)),
    "bigram-onehot": Case("bigram", bigram.Config(gather=False), model_oracles.bigram, (400, 1), (400,)),
    "mlp": Case("mlp", mlp.Config(), model_oracles.mlp, (32, 3), (32,)),
    "mlp-wide": Case("mlp", mlp.Config(features=10, hidden=200), model_oracles.mlp, (32, 3), (32,)),
    "batchnorm-1": _batchnorm(),
    "batchnorm-5": _batchnorm(depth=5, normalise_output=True),
    "microgpt": Case("microgpt", microgpt.Config(layers=2), None, (3, 16), (3, 16)),
    "gpt": _gpt(None),
    "gpt-fixed-scale": _gpt(16**-0.5),
}
