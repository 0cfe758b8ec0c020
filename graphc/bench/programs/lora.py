"""Low-rank adaptation: a network stays as it is, and products of thin matrices that are added to it learn."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

import graphc
from graphc import nn, optim
from graphc.bench.programs.record import Example, learns, normal, weights

RANK: Final = 4
SCALE: Final = 2.0


def logits(thin: Any, base: Any, x: Any) -> Any:
    """x: [N, D] -> [N, C]. thin: for each layer the pair of matrices."""
    for w, (a, b) in zip(base["hidden"], thin, strict=True):
        x = nn.gelu(x @ w + SCALE * (x @ a) @ b)
    return x @ base["head"]


def mean_loss(thin: Any, base: Any, x: Any, y: Any) -> Any:
    """Cross-entropy of a batch."""
    return nn.cross_entropy(logits(thin, base, x), y)


def run(thin: Any, base: Any, xs: Any, ys: Any) -> tuple[Any, Any, Any]:
    """A step on each batch: the thin matrices, the network with them added, and the losses."""
    optimizer = optim.adam(3e-2)

    def step(carry: Any, batch: Any) -> tuple[Any, Any]:
        thin, state = carry
        value, grads = graphc.value_and_grad(mean_loss)(thin, base, *batch)
        thin, state = optimizer.update(grads, state, thin)
        return (thin, state), value

    (thin, _), losses = graphc.scan(step, (thin, optimizer.init(thin)), (xs, ys))
    merged = [w + SCALE * a @ b for w, (a, b) in zip(base["hidden"], thin, strict=True)]
    return thin, merged, losses


def loss(thin: Any, base: Any, xs: Any, ys: Any) -> Any:
    """Of the first batch."""
    return mean_loss(thin, base, xs[0], ys[0])


def make(small: bool) -> tuple[Any, ...]:
    """The network, of random weights, and a task that it was not made for."""
    steps, n, width, layers, classes = (3, 8, 8, 2, 3) if small else (4, 128, 256, 3, 10)
    rng = np.random.default_rng(13)
    hidden = [weights(rng, {"w": (width, width)})["w"] for _ in range(layers)]
    head = weights(rng, {"w": (width, classes)})["w"]
    thin = [
        (weights(rng, {"a": (width, RANK)})["a"], np.float32(0.01) * normal(rng, RANK, width)) for _ in range(layers)
    ]
    xs = normal(rng, steps, n, width)
    ys = np.argmax(xs[..., :classes], axis=-1).astype(np.int32)
    return thin, {"hidden": hidden, "head": head}, xs, ys


def holds(arguments: tuple[Any, ...], results: Any) -> bool:
    """What is merged differs by matrices of that rank, and the loss falls."""
    merged = graphc.tree.map(np.asarray, results[1])
    ranks = [np.linalg.matrix_rank(a - b, tol=1e-3) for a, b in zip(merged, arguments[1]["hidden"], strict=True)]
    return bool(max(ranks) <= RANK and learns(loss)(arguments, results))


PROGRAM: Final = Example("lora", "thin matrices beside a network that stays: steps of Adam", make, run, loss, holds)
