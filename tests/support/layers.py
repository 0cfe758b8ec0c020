"""Functions of graphc.nn against formulas: traced, at once, and their gradients against differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.autodiff.reverse import differentiate
from graphc.ir.graph import evaluate
from graphc.tracing.trace import trace

Array = Any


def normal(*shape: int, seed: int = 0, scale: float = 1.0) -> Array:
    return np.random.default_rng(seed).normal(0, scale, shape)


def traced(fn: Callable[..., Any], *arguments: Array) -> list[Array]:
    """The outputs of the traced function, by the NumPy reference in float32."""
    single = [a.astype(np.float32) if a.dtype == np.float64 else a for a in arguments]
    return evaluate(trace(fn, *single), single)


def check(fn: Callable[..., Array], want: Array, *arguments: Array, rtol: float = 2e-6, atol: float = 2e-6) -> None:
    """fn in float64 is `want`; traced it is that to float32's precision; its gradients are finite differences."""
    got = fn(*arguments)
    assert got.dtype == np.float64
    np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-12)
    (single,) = traced(fn, *arguments)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, want, rtol=rtol, atol=atol)
    check_gradients(fn, *arguments)


def check_gradients(fn: Callable[..., Array], *arguments: Array) -> None:
    """Gradients of a weighted sum of fn for every float argument, against central differences in float64."""
    weights = normal(*np.shape(fn(*arguments)), seed=9)
    floats = [i for i, a in enumerate(arguments) if a.dtype == np.float64]
    single = [a.astype(np.float32) if a.dtype == np.float64 else a for a in arguments]
    scalar = trace(lambda *a: np.sum(fn(*a) * weights.astype(np.float32)), *single)
    _, *grads = evaluate(differentiate(scalar, floats), single)
    for position, grad in zip(floats, grads, strict=True):
        x = arguments[position]
        want = np.empty_like(x)
        for index in np.ndindex(x.shape):
            step = np.zeros_like(x)
            step[index] = 1e-6
            up, down = (
                np.sum(fn(*arguments[:position], x + s, *arguments[position + 1 :]) * weights) for s in (step, -step)
            )
            want[index] = (up - down) / 2e-6
        scale = max(1.0, np.abs(want).max())
        np.testing.assert_allclose(grad, want, rtol=1e-4, atol=2e-5 * scale)
