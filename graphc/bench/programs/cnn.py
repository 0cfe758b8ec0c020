"""A convolutional network for small pictures, with Adam."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from graphc import nn, optim
from graphc.bench.programs.record import Example, learns, normal, train, weights

CLASSES: Final = 10


def logits(p: Any, x: Any) -> Any:
    """x: [N, C, H, W] -> [N, 10]."""
    h = nn.max_pool(nn.relu(nn.conv(x, p["w1"], padding="same") + p["b1"][:, None, None]), 2)
    h = nn.max_pool(nn.relu(nn.conv(h, p["w2"], padding="same") + p["b2"][:, None, None]), 2)
    return h.reshape(len(h), -1) @ p["w3"] + p["b3"]


def mean_loss(p: Any, x: Any, y: Any) -> Any:
    """Cross-entropy of a batch."""
    return nn.cross_entropy(logits(p, x), y)


def run(p: Any, xs: Any, ys: Any) -> tuple[Any, Any]:
    """A step of Adam on each batch."""
    return train(mean_loss, optim.adam(1e-2), p, (xs, ys))


def loss(p: Any, xs: Any, ys: Any) -> Any:
    """Of the first batch."""
    return mean_loss(p, xs[0], ys[0])


def make(small: bool) -> tuple[Any, ...]:
    """Batches of pictures with a bright row, whose number is the class."""
    steps, n, channels, size, width = (3, 6, 1, 12, 4) if small else (4, 16, 3, 32, 32)
    rng = np.random.default_rng(2)
    ys = rng.integers(0, CLASSES, (steps, n)).astype(np.int32)
    xs = normal(rng, steps, n, channels, size, size) * np.float32(0.3)
    xs += 2 * (np.arange(size) == ys[..., None])[:, :, None, :, None]
    p = weights(
        rng,
        {
            "w1": (width, channels, 3, 3), "b1": (width,), "w2": (width, width, 3, 3), "b2": (width,),
            "w3": (width * (size // 4) ** 2, CLASSES), "b3": (CLASSES,),
        },
    )  # fmt: skip
    return p, xs, ys


PROGRAM: Final = Example("cnn", "two convolutions and pools: steps of Adam", make, run, loss, learns(loss))
