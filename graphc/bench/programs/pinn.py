"""A network that solves the heat equation: its loss is how far its own derivatives are from the equation."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

import graphc
from graphc import optim
from graphc.bench.programs.record import Example, learns, train, weights

SPREAD: Final = 0.1


def u(p: Any, t: Any, x: Any) -> Any:
    """The temperature at one time and place."""
    return np.tanh(t * p["wt"] + x * p["wx"] + p["b"]) @ p["out"]


def gap(p: Any, t: Any, x: Any) -> Any:
    """du/dt - spread * d2u/dx2, which is to be 0."""
    return graphc.grad(u, 1)(p, t, x) - SPREAD * graphc.grad(graphc.grad(u, 2), 2)(p, t, x)


def mean_loss(p: Any, points: Any) -> Any:
    """points: [N, 2]. The equation inside, sin(pi x) at the start, 0 at both ends."""
    t, x = points[:, 0], points[:, 1]
    inside = graphc.vmap(gap, (None, 0, 0))(p, t, x)
    at = graphc.vmap(u, (None, 0, 0))
    start = at(p, 0 * t, x) - np.sin(np.pi * x)
    ends = at(p, t, 0 * x), at(p, t, 0 * x + 1)
    return np.mean(inside**2) + np.mean(start**2) + sum(np.mean(end**2) for end in ends)


def run(p: Any, points: Any) -> tuple[Any, Any]:
    """A step of Adam on each set of points."""
    return train(mean_loss, optim.adam(1e-2), p, (points,))


def loss(p: Any, points: Any) -> Any:
    """At the first points."""
    return mean_loss(p, points[0])


def loss_numpy(p: Any, points: Any) -> Any:
    """The same with derivatives by hand."""
    t, x = points[0, :, 0], points[0, :, 1]

    def hidden(t: Any, x: Any) -> Any:
        return np.tanh(t[:, None] * p["wt"] + x[:, None] * p["wx"] + p["b"])

    h = hidden(t, x)
    slope = 1 - h**2
    inside = (slope * p["wt"] + 2 * SPREAD * h * slope * p["wx"] ** 2) @ p["out"]
    start = hidden(0 * t, x) @ p["out"] - np.sin(np.pi * x)
    ends = hidden(t, 0 * x) @ p["out"], hidden(t, 0 * x + 1) @ p["out"]
    return np.mean(inside**2) + np.mean(start**2) + sum(np.mean(end**2) for end in ends)


def make(small: bool) -> tuple[Any, ...]:
    """Points in the unit square."""
    steps, n, width = (3, 10, 6) if small else (4, 2048, 64)
    rng = np.random.default_rng(10)
    p = weights(rng, {"wt": (1, width), "wx": (1, width), "out": (width, 1)})
    p = {name: w.reshape(-1) for name, w in p.items()}
    p["b"] = rng.uniform(-1, 1, width).astype(np.float32)
    return p, rng.uniform(0, 1, (steps, n, 2)).astype(np.float32)


PROGRAM: Final = Example(
    "pinn",
    "the heat equation by grad of grad within vmap: steps of Adam",
    make,
    run,
    loss,
    learns(loss_numpy),
    loss_numpy=loss_numpy,
)
