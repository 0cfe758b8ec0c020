"""A variational autoencoder with a normal code, and noise from keys."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

import graphc
from graphc import nn, optim
from graphc.bench.programs.record import Example, learns, train, weights


def mean_loss(p: Any, key: Any, x: Any) -> Any:
    """Negative evidence lower bound in nats of pictures x [N, D] of 0 and 1."""
    h = np.tanh(x @ p["w1"] + p["b1"])
    mean, log_var = np.split(h @ p["w2"] + p["b2"], 2, axis=1)
    code = mean + np.exp(0.5 * log_var) * graphc.random.normal(key, mean.shape)
    z = nn.relu(code @ p["w3"] + p["b3"]) @ p["w4"] + p["b4"]
    likely = np.sum(x * z - np.logaddexp(0, z), axis=1)
    divergence = 0.5 * np.sum(mean**2 + np.exp(log_var) - 1 - log_var, axis=1)
    return np.mean(divergence - likely)


def run(p: Any, key: Any, xs: Any) -> tuple[Any, Any]:
    """A step of Adam on each batch, with noise of its own."""
    return train(mean_loss, optim.adam(3e-3), p, (graphc.random.split(key, len(xs)), xs))


def loss(p: Any, key: Any, xs: Any) -> Any:
    """Of the first batch."""
    return mean_loss(p, key, xs[0])


def make(small: bool) -> tuple[Any, ...]:
    """Pictures that are one of a few patterns, with some bits turned over."""
    steps, n, bits, width, code = (3, 8, 12, 10, 3) if small else (4, 128, 784, 256, 16)
    rng = np.random.default_rng(4)
    patterns = rng.integers(0, 2, (5, bits))
    xs = patterns[rng.integers(0, 5, (steps, n))] ^ (rng.random((steps, n, bits)) < 0.02)
    p = weights(
        rng,
        {
            "w1": (bits, width), "b1": (width,), "w2": (width, 2 * code), "b2": (2 * code,),
            "w3": (code, width), "b3": (width,), "w4": (width, bits), "b4": (bits,),
        },
    )  # fmt: skip
    return p, graphc.random.key(0), xs.astype(np.float32)


PROGRAM: Final = Example(
    "vae", "a normal code with noise from keys: steps of Adam", make, run, loss, learns(loss), torch=False
)
