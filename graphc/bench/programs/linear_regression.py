"""Linear regression: weights, their standard errors and the share of variance explained, by the normal equations."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from graphc.bench.programs.record import Example, normal


def fit(x: Any, y: Any) -> tuple[Any, Any, Any]:
    """x: [N, D], y: [N] -> weights [D + 1] with the intercept first, their standard errors, and R squared."""
    design = np.column_stack([np.ones(len(x), x.dtype), x])
    gram = design.T @ design
    w = np.linalg.solve(gram, design.T @ y)
    rest = y - design @ w
    variance = rest @ rest / (design.shape[0] - design.shape[1])
    errors = np.sqrt(variance * np.diag(np.linalg.inv(gram)))
    return w, errors, 1 - rest @ rest / np.sum((y - y.mean()) ** 2)


def unexplained(x: Any, y: Any) -> Any:
    """The part of the variance that is left; its gradient says which entries of x matter."""
    return 1 - fit(x, y)[2]


def make(small: bool) -> tuple[Any, ...]:
    """A noisy linear function of random inputs."""
    rng = np.random.default_rng(0)
    x = normal(rng, *((40, 3) if small else (20_000, 32)))
    return x, x @ np.arange(1, x.shape[1] + 1, dtype=np.float32) + 2 + 0.5 * normal(rng, len(x))


def holds(arguments: tuple[Any, ...], results: Any) -> bool:
    """The weights are found, within four of their errors."""
    w, errors, r2 = map(np.asarray, results)
    truth = np.array([2, *range(1, len(w))])
    return bool(np.all(np.abs(w - truth) < 4 * errors) and r2 > 0.9)


PROGRAM: Final = Example(
    "linear-regression", "weights, errors and R squared by the normal equations", make, fit, unexplained, holds, fit
)
