"""k-means: the nearest centre of each point, then the mean of each centre's points."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

import graphc
from graphc.bench.programs.record import Example, normal

ROUNDS: Final = 10


def squares(x: Any, centres: Any) -> Any:
    """Squared distances: [N, D], [K, D] -> [N, K]."""
    return np.sum(x**2, axis=1)[:, None] - 2 * x @ centres.T + np.sum(centres**2, axis=1)


def run(centres: Any, x: Any) -> tuple[Any, Any, Any]:
    """Centres after some rounds, the centre of each point, and how many points each has."""

    def improve(_: Any, centres: Any) -> Any:
        nearest = np.argmin(squares(x, centres), axis=1)
        count = np.bincount(nearest, minlength=len(centres))[:, None]
        return np.where(count > 0, graphc.segment_mean(x, nearest, len(centres)), centres)

    centres = graphc.fori_loop(0, ROUNDS, improve, centres)
    nearest = np.argmin(squares(x, centres), axis=1)
    return centres, nearest, np.bincount(nearest, minlength=len(centres))


def run_numpy(centres: Any, x: Any) -> tuple[Any, Any, Any]:
    """The same with np.add.at."""
    for _ in range(ROUNDS):
        nearest = np.argmin(squares(x, centres), axis=1)
        count = np.bincount(nearest, minlength=len(centres))[:, None]
        sums = np.zeros_like(centres)
        np.add.at(sums, nearest, x)
        centres = np.where(count > 0, sums / np.maximum(count, 1).astype(sums.dtype), centres)
    nearest = np.argmin(squares(x, centres), axis=1)
    return centres, nearest, np.bincount(nearest, minlength=len(centres))


def loss(centres: Any, x: Any) -> Any:
    """Mean squared distance to the nearest centre."""
    return np.mean(np.min(squares(x, centres), axis=1))


def make(small: bool) -> tuple[Any, ...]:
    """Clouds of points, of which the first few are the first centres."""
    n, width, k = (48, 2, 4) if small else (20_000, 16, 32)
    rng = np.random.default_rng(7)
    truth = 6 * normal(rng, k, width)
    x = truth[np.arange(n) % k] + normal(rng, n, width)
    return x[:k].copy(), x


def holds(arguments: tuple[Any, ...], results: Any) -> bool:
    """The points are nearer to the centres than they were, and each is counted."""
    centres, nearest, count = map(np.asarray, results)
    return bool(loss(centres, arguments[1]) < loss(*arguments) and count.sum() == len(nearest))


PROGRAM: Final = Example("k-means", "nearest centres, then means by segment", make, run, loss, holds, run_numpy)
