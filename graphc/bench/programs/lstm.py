"""An LSTM that foretells a wave, its cell written out; the gradient goes back through the whole loop."""

from __future__ import annotations

import itertools
from typing import Any, Final

import numpy as np

import graphc
from graphc import nn, optim
from graphc.bench.programs.record import Example, learns, train, weights


def cell(p: Any, carry: tuple[Any, Any], x: Any) -> tuple[tuple[Any, Any], Any]:
    """One step: (h, c) of [N, H] each and x [N, 1] -> the new pair, and what comes next, [N]."""
    h, c = carry
    i, f, g, o = np.split(x @ p["wx"] + h @ p["wh"] + p["b"], 4, axis=-1)
    c = nn.sigmoid(f + 1) * c + nn.sigmoid(i) * np.tanh(g)
    h = nn.sigmoid(o) * np.tanh(c)
    return (h, c), h @ p["out"]


def mean_loss(p: Any, x: Any) -> Any:
    """Squared error of each next value. x: [T, N]."""
    start = np.zeros((x.shape[1], len(p["wh"])), x.dtype)
    _, guesses = graphc.scan(lambda carry, x: cell(p, carry, x[:, None]), (start, start), x[:-1])
    return np.mean((guesses - x[1:]) ** 2)


def mean_loss_numpy(p: Any, x: Any) -> Any:
    """The same with a loop of Python."""
    carry = (np.zeros((x.shape[1], len(p["wh"]))),) * 2
    errors = []
    for now, after in itertools.pairwise(x):
        carry, guess = cell(p, carry, now[:, None])
        errors.append((guess - after) ** 2)
    return np.mean(errors)


def run(p: Any, xs: Any) -> tuple[Any, Any]:
    """A step of Adam on each batch, with gradients of one length at most."""
    return train(mean_loss, optim.chain(optim.clip_by_global_norm(1.0), optim.adam(1e-2)), p, (xs,))


def loss(p: Any, xs: Any) -> Any:
    """Of the first batch."""
    return mean_loss(p, xs[0])


def loss_numpy(p: Any, xs: Any) -> Any:
    """The same with a loop of Python."""
    return mean_loss_numpy(p, xs[0])


def make(small: bool) -> tuple[Any, ...]:
    """Batches of sine waves of several lengths and phases."""
    steps, length, n, width = (3, 7, 4, 5) if small else (4, 64, 32, 64)
    rng = np.random.default_rng(3)
    speed, phase = rng.uniform(0.2, 0.6, (steps, 1, n)), rng.uniform(0, 6, (steps, 1, n))
    xs = np.sin(speed * np.arange(length)[:, None] + phase).astype(np.float32)
    p = weights(rng, {"wx": (1, 4 * width), "wh": (width, 4 * width), "b": (4 * width,), "out": (width, 1)})
    return {**p, "out": p["out"][:, 0]}, xs


PROGRAM: Final = Example(
    "lstm",
    "a cell written out, in graphc.scan: steps of Adam",
    make,
    run,
    loss,
    learns(loss_numpy),
    loss_numpy=loss_numpy,
)
