"""Bodies that attract each other, by leapfrog steps; the gradient goes through the whole simulation."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

import graphc
from graphc.bench.programs.record import Example, normal

STEP: Final = 0.01
SOFT: Final = 0.05


def pull(x: Any, mass: Any) -> Any:
    """Acceleration of each body: x [N, 3], mass [N] -> [N, 3]."""
    apart = x[None, :, :] - x[:, None, :]
    near = (np.sum(apart**2, axis=-1) + SOFT**2) ** -1.5
    return np.sum(apart * (mass * near)[:, :, None], axis=1)


def energy(x: Any, v: Any, mass: Any) -> Any:
    """Kinetic and potential energy together."""
    apart = np.sqrt(np.sum((x[None] - x[:, None]) ** 2, axis=-1) + SOFT**2)
    pairs = np.triu(mass[:, None] * mass / apart, 1)
    return np.sum(mass[:, None] * v**2) / 2 - np.sum(pairs)


def leap(x: Any, v: Any, mass: Any) -> tuple[Any, Any]:
    """A step of time."""
    v = v + STEP / 2 * pull(x, mass)
    x = x + STEP * v
    return x, v + STEP / 2 * pull(x, mass)


def run(x: Any, v: Any, mass: Any, times: Any) -> tuple[Any, Any, Any]:
    """Where all are after len(times) steps, how fast, and the energy after each."""

    def step(carry: tuple[Any, Any], _: Any) -> tuple[tuple[Any, Any], Any]:
        x, v = leap(*carry, mass)
        return (x, v), energy(x, v, mass)

    (x, v), energies = graphc.scan(step, (x, v), times)
    return x, v, energies


def run_numpy(x: Any, v: Any, mass: Any, times: Any) -> tuple[Any, Any, Any]:
    """The same with a loop of Python."""
    energies = []
    for _ in times:
        x, v = leap(x, v, mass)
        energies.append(energy(x, v, mass))
    return x, v, np.array(energies)


def loss(x: Any, v: Any, mass: Any, times: Any) -> Any:
    """How far the first body ends from a place where one wants it."""
    return np.sum((run(x, v, mass, times)[0][0] - 0.5) ** 2)


def loss_numpy(x: Any, v: Any, mass: Any, times: Any) -> Any:
    """The same with a loop of Python."""
    return np.sum((run_numpy(x, v, mass, times)[0][0] - 0.5) ** 2)


def make(small: bool) -> tuple[Any, ...]:
    """A cloud of bodies."""
    bodies, steps = (5, 8) if small else (256, 50)
    rng = np.random.default_rng(6)
    mass = rng.uniform(0.5, 1.5, bodies).astype(np.float32) / bodies
    return normal(rng, bodies, 3), normal(rng, bodies, 3) * np.float32(0.1), mass, np.arange(steps, dtype=np.float32)


def holds(arguments: tuple[Any, ...], results: Any) -> bool:
    """The energy stays."""
    energies = np.asarray(results[-1])
    return bool(np.ptp(energies) < 0.02 * np.abs(energies).max())


PROGRAM: Final = Example(
    "n-body", "gravity among all pairs, by leapfrog", make, run, loss, holds, run_numpy, loss_numpy, of=1
)
