"""Logistic regression by Newton's method: the Hessian comes from graphc, the step from np.linalg.solve."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

import graphc
from graphc.bench.programs.record import Example, learns, normal

STEPS: Final = 6
DECAY: Final = 1e-3


def loss(w: Any, x: Any, y: Any) -> Any:
    """Mean negative log-likelihood of labels y [N] (0 or 1) by x [N, D] @ w, and a penalty for large weights."""
    z = x @ w
    return np.mean(np.logaddexp(0, z) - y * z) + DECAY / 2 * w @ w


def newton(w: Any, x: Any, y: Any) -> tuple[Any, Any]:
    """The weights after some steps, and the loss after each."""

    def step(w: Any, _: None) -> tuple[Any, Any]:
        slope, curvature = graphc.grad(loss)(w, x, y), graphc.hessian(loss)(w, x, y)
        w = w - np.linalg.solve(curvature, slope)
        return w, loss(w, x, y)

    return graphc.scan(step, w, length=STEPS)


def newton_numpy(w: Any, x: Any, y: Any) -> tuple[Any, Any]:
    """The same with derivatives by hand."""
    losses = []
    for _ in range(STEPS):
        p = 1 / (1 + np.exp(-(x @ w)))
        slope = x.T @ (p - y) / len(x) + DECAY * w
        curvature = (x * (p * (1 - p))[:, None]).T @ x / len(x) + DECAY * np.eye(len(w), dtype=w.dtype)
        w = w - np.linalg.solve(curvature, slope)
        losses.append(loss(w, x, y))
    return w, np.array(losses)


def make(small: bool) -> tuple[Any, ...]:
    """Labels by a linear function of random inputs, some of them wrong."""
    rng = np.random.default_rng(1)
    x = normal(rng, *((60, 3) if small else (8_000, 24)))
    y = (x.sum(1) + normal(rng, len(x)) > 0).astype(np.float32)
    return np.zeros(x.shape[1], np.float32), x, y


PROGRAM: Final = Example(
    "logistic-regression", "Newton's method with graphc.hessian", make, newton, loss, learns(loss), newton_numpy
)
