"""Heat that spreads over a plate: each place goes towards the mean of its neighbours, many times."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

import graphc
from graphc.bench.programs.record import Example

SPEED: Final = 0.2


def spread(u: Any) -> Any:
    """A step of time; the edge of the plate keeps its temperature."""
    inner = u[1:-1, 1:-1]
    around = u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:]
    return graphc.at(u)[1:-1, 1:-1].set(inner + SPEED * (around - 4 * inner))


def run(u: Any, times: Any) -> tuple[Any, Any]:
    """The plate after len(times) steps, and its mean temperature after each."""

    def step(u: Any, _: Any) -> tuple[Any, Any]:
        u = spread(u)
        return u, u.mean()

    return graphc.scan(step, u, times)


def run_numpy(u: Any, times: Any) -> tuple[Any, Any]:
    """The same in place."""
    u, means = u.copy(), []
    for _ in times:
        u[1:-1, 1:-1] += SPEED * (u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:] - 4 * u[1:-1, 1:-1])
        means.append(u.mean())
    return u, np.array(means)


def loss(u: Any, times: Any) -> Any:
    """How far the plate is from being flat in the end."""
    return np.mean((run(u, times)[0] - 0.5) ** 2)


def loss_numpy(u: Any, times: Any) -> Any:
    """The same in NumPy."""
    return np.mean((run_numpy(u, times)[0] - 0.5) ** 2)


def make(small: bool) -> tuple[Any, ...]:
    """A plate with a hot corner."""
    size, steps = (9, 6) if small else (512, 50)
    u = np.zeros((size, size), np.float32)
    u[: size // 3, : size // 3] = 1
    return u, np.arange(steps, dtype=np.float32)


def holds(arguments: tuple[Any, ...], results: Any) -> bool:
    """Nothing is hotter or colder than at the start."""
    u = np.asarray(results[0])
    return bool(u.min() >= 0 and u.max() <= 1)


PROGRAM: Final = Example("heat", "a stencil of slices, 512x512", make, run, loss, holds, run_numpy, loss_numpy)
