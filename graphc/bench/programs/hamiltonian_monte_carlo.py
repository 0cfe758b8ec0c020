"""Hamiltonian Monte Carlo: many chains at once draw from a density of which only the logarithm is known."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

import graphc
from graphc import random
from graphc.bench.programs.record import Example

STEP: Final = 0.15
LEAPS: Final = 8


def energy(x: Any) -> Any:
    """Less the log density of a bent valley, at x [D]."""
    bent = x[1:] - 0.3 * (x[:-1] ** 2 - 1)
    return 0.5 * x[0] ** 2 + np.sum(bent**2)


def step(x: Any, v: Any, toss: Any) -> tuple[Any, Any]:
    """One chain's next point, and whether it moved: from x with the speed v, toss being uniform in [0, 1)."""
    slope = graphc.grad(energy)

    def leap(_: Any, state: tuple[Any, Any]) -> tuple[Any, Any]:
        x, v = state
        v = v - STEP / 2 * slope(x)
        x = x + STEP * v
        return x, v - STEP / 2 * slope(x)

    there, fast = graphc.fori_loop(0, LEAPS, leap, (x, v))
    rise = energy(there) + 0.5 * fast @ fast - energy(x) - 0.5 * v @ v
    moved = np.log(toss) < -rise
    return np.where(moved, there, x), moved


def run(x: Any, keys: Any) -> tuple[Any, Any]:
    """Points of all chains, [draws, chains, D], and the share of steps that moved. x: [chains, D], keys: [draws, 2]."""

    def draw(x: Any, key: Any) -> tuple[Any, tuple[Any, Any]]:
        push, toss = random.split(key)
        x, moved = graphc.vmap(step)(x, random.normal(push, x.shape), random.uniform(toss, len(x)))
        return x, (x, moved)

    _, (points, moved) = graphc.scan(draw, x, keys)
    return points, moved.mean()


def run_numpy(x: Any, keys: Any) -> tuple[Any, Any]:
    """The same with loops of Python, and the slope by hand."""

    def heights(x: Any) -> Any:
        return 0.5 * x[:, 0] ** 2 + np.sum((x[:, 1:] - 0.3 * (x[:, :-1] ** 2 - 1)) ** 2, axis=1)

    def slope(x: Any) -> Any:
        bent = 2 * (x[:, 1:] - 0.3 * (x[:, :-1] ** 2 - 1))
        found = np.zeros_like(x)
        found[:, 0] = x[:, 0]
        found[:, 1:] += bent
        found[:, :-1] -= 0.6 * x[:, :-1] * bent
        return found

    points, moved = [], []
    for key in keys:
        push, toss = random.split(key)
        v = random.normal(push, x.shape).astype(x.dtype)
        there, fast = x, v
        for _ in range(LEAPS):
            fast = fast - STEP / 2 * slope(there)
            there = there + STEP * fast
            fast = fast - STEP / 2 * slope(there)
        rise = heights(there) + 0.5 * np.sum(fast**2, 1) - heights(x) - 0.5 * np.sum(v**2, 1)
        moved.append(np.log(random.uniform(toss, len(x))) < -rise)
        x = np.where(moved[-1][:, None], there, x)
        points.append(x)
    return np.stack(points), np.mean(moved)


def loss(x: Any, keys: Any) -> Any:
    """The mean energy of the first points."""
    return np.mean(graphc.vmap(energy)(x))


def loss_numpy(x: Any, keys: Any) -> Any:
    """The same with a loop of Python."""
    return np.mean([energy(point) for point in x])


def make(small: bool) -> tuple[Any, ...]:
    """Chains that begin at random."""
    draws, chains, size = (5, 4, 3) if small else (50, 64, 8)
    x = np.random.default_rng(17).normal(size=(chains, size)).astype(np.float32)
    return x, random.split(random.key(1), draws)


def holds(arguments: tuple[Any, ...], results: Any) -> bool:
    """Most steps move, and no chain runs away."""
    points, moved = map(np.asarray, results)
    return bool(moved > 0.6 and np.abs(points).max() < 12)


PROGRAM: Final = Example(
    "hamiltonian-monte-carlo",
    "grad in fori_loop in vmap in scan",
    make,
    run,
    loss,
    holds,
    run_numpy,
    loss_numpy,
    torch=False,
)
