"""Contrastive learning: two views of one thing are to be nearer to each other than to all others in the batch."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from graphc import nn, optim
from graphc.bench.programs.record import Example, learns, normal, train, weights

HEAT: Final = 0.2


def code(p: Any, x: Any) -> Any:
    """Vectors of length 1: [N, D] -> [N, E]."""
    z = nn.relu(x @ p["w1"] + p["b1"]) @ p["w2"]
    return z / np.linalg.norm(z, axis=1, keepdims=True)


def mean_loss(p: Any, a: Any, b: Any) -> Any:
    """The loss of SimCLR (arXiv:2002.05709). a, b: two views, [N, D] each."""
    n = len(a)
    z = code(p, np.concatenate([a, b]))
    near = z @ z.T / HEAT
    near = np.where(np.eye(2 * n, dtype=bool), -np.inf, near)
    return nn.cross_entropy(near, (np.arange(2 * n) + n) % (2 * n))


def run(p: Any, a: Any, b: Any) -> tuple[Any, Any]:
    """A step of momentum on each batch."""
    return train(mean_loss, optim.momentum(0.1, 0.9), p, (a, b))


def loss(p: Any, a: Any, b: Any) -> Any:
    """Of the first batch."""
    return mean_loss(p, a[0], b[0])


def make(small: bool) -> tuple[Any, ...]:
    """Points, each with two kinds of noise."""
    steps, n, width, hidden, size = (3, 5, 6, 8, 4) if small else (4, 256, 128, 256, 64)
    rng = np.random.default_rng(14)
    x = normal(rng, steps, n, width)
    a, b = (x + np.float32(0.3) * normal(rng, *x.shape) for _ in range(2))
    return weights(rng, {"w1": (width, hidden), "b1": (hidden,), "w2": (hidden, size)}), a, b


PROGRAM: Final = Example("contrastive", "two views, all others apart: steps of momentum", make, run, loss, learns(loss))
