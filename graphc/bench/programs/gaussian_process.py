"""Gaussian process regression: what is between the points and how sure that is; the evidence has a gradient."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from graphc.bench.programs.record import Example, normal


def kernel(p: Any, a: Any, b: Any) -> Any:
    """Covariances of function values: [N, D], [M, D] -> [N, M]."""
    apart = np.sum(a**2, axis=1)[:, None] - 2 * a @ b.T + np.sum(b**2, axis=1)
    return np.exp(2 * p["height"] - 0.5 * np.maximum(apart, 0) * np.exp(-2 * p["length"]))


def factor(p: Any, x: Any) -> Any:
    """The Cholesky factor of the covariance of noisy observations."""
    return np.linalg.cholesky(kernel(p, x, x) + np.exp(2 * p["noise"]) * np.eye(len(x), dtype=x.dtype))


def run(p: Any, x: Any, y: Any, new: Any) -> tuple[Any, Any]:
    """Mean and standard deviation of the function at new points, having seen y at x."""
    lower = factor(p, x)
    between = kernel(p, x, new)
    half = np.linalg.solve(lower, between)
    mean = half.T @ np.linalg.solve(lower, y)
    return mean, np.sqrt(np.exp(2 * p["height"]) - np.sum(half**2, axis=0))


def loss(p: Any, x: Any, y: Any, new: Any) -> Any:
    """Negative log evidence, in nats for each point."""
    lower = factor(p, x)
    half = np.linalg.solve(lower, y)
    return (0.5 * half @ half + np.sum(np.log(np.diag(lower)))) / len(x) + 0.5 * np.log(2 * np.pi)


def make(small: bool) -> tuple[Any, ...]:
    """A noisy sine."""
    n, new = (12, 5) if small else (256, 200)
    rng = np.random.default_rng(9)
    x = np.sort(rng.uniform(-4, 4, (n, 1)), axis=0).astype(np.float32)
    y = np.sin(x[:, 0]) + np.float32(0.1) * normal(rng, n)
    p = {"height": np.float32(0.1), "length": np.float32(-0.1), "noise": np.float32(-2)}
    return p, x, y, np.linspace(-3.5, 3.5, new, dtype=np.float32)[:, None]


def holds(arguments: tuple[Any, ...], results: Any) -> bool:
    """The sine lies where it is said to lie."""
    mean, std = map(np.asarray, results)
    return bool(np.all(np.abs(mean - np.sin(arguments[-1][:, 0])) < 4 * std + 0.1))


PROGRAM: Final = Example(
    "gaussian-process", "Cholesky, solve, and the gradient of the evidence", make, run, loss, holds, run
)
