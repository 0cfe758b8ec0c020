"""np.where(kept, f(x), 0): where nothing is kept, neither the value of f nor its derivative matters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import nn

Array = Any

BAD = np.array([0.0, -1.0, 2.0, np.nan, np.inf, 3.0, -np.inf, 0.5], np.float32)
KEPT = np.isfinite(BAD) & (BAD > 0)
WAYS: dict[str, dict[str, Any]] = {"fused": {}, "unfused": {"passes": ()}, "numpy": {"device": "numpy"}}

ELEMENTWISE: dict[str, tuple[Callable[[Array], Array], Callable[[Array], Array]]] = {
    "log": (np.log, lambda x: 1 / x),
    "sqrt": (np.sqrt, lambda x: 0.5 / np.sqrt(x)),
    "square": (lambda x: x * x, lambda x: 2 * x),
    "reciprocal": (lambda x: 1 / x, lambda x: -1 / x**2),
    "power": (lambda x: x**2.5, lambda x: 2.5 * x**1.5),
    "a chain": (
        lambda x: np.exp(-3 * np.log(x) ** 2) + x,
        lambda x: np.exp(-3 * np.log(x) ** 2) * -6 * np.log(x) / x + 1,
    ),
    "arccosh": (lambda x: np.arccosh(x + 1), lambda x: 1 / np.sqrt((x + 1) ** 2 - 1)),
    "a mask within": (lambda x: np.where(x > 1, np.log(x - 1), x * x), lambda x: np.where(x > 1, 1 / (x - 1), 2 * x)),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elements_that_are_left_out(name: str, way: str) -> None:
    function, derivative = ELEMENTWISE[name]
    with np.errstate(all="ignore"):
        want = np.where(KEPT, derivative(BAD.astype(np.float64)), 0)
        for kept in (lambda f, m: np.where(m, f, 0), lambda f, m: np.where(~m, 0, f)):
            gradient = graphc.grad(lambda x, m, kept=kept: np.sum(kept(function(x), m)))
            found = np.asarray(graphc.compile(gradient, **WAYS[way])(BAD, KEPT))
            np.testing.assert_allclose(found, want, rtol=2e-5)


ROWS = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
COUNTED = np.array([True, False, True, False, True])
WORSE = np.where(COUNTED[:, None], ROWS, np.array([[1], [np.nan], [1], [np.inf], [1]], np.float32))
LABELS = np.array([0, 1, 2, 3, 0], np.int32)

LOSSES: dict[str, Callable[[Array, Array], Array]] = {
    "cross entropy": lambda x, y: nn.cross_entropy(x, y, reduction="none"),
    "log softmax": lambda x, y: -np.take_along_axis(nn.log_softmax(x), y[:, None], axis=1)[:, 0],
    "squares": lambda x, y: np.mean((x - 1) ** 2, axis=1),
    "a softmax": lambda x, y: np.sum(nn.softmax(x) ** 2, axis=-1),
    "a logarithm of a sum": lambda x, y: np.log(np.sum(np.exp(x), axis=1)),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", LOSSES)
def test_rows_that_are_left_out(name: str, way: str) -> None:
    def total(x: Array, y: Array, counted: Array) -> Array:
        return np.sum(np.where(counted, LOSSES[name](x, y), 0)) / np.sum(counted)

    compiled = graphc.compile(graphc.value_and_grad(total), **WAYS[way])
    with np.errstate(all="ignore"):
        (value, found), (clean, wanted) = (compiled(x, LABELS, COUNTED) for x in (WORSE, ROWS))
    np.testing.assert_allclose(float(value), float(clean), rtol=1e-6)
    np.testing.assert_allclose(np.asarray(found), np.asarray(wanted), rtol=1e-5, atol=1e-7)
    assert (np.asarray(found)[~COUNTED] == 0).all()


def test_what_is_kept_is_not_changed() -> None:
    """NaN that counts is seen."""
    gradient = graphc.compile(graphc.grad(lambda x: np.sum(np.where(x == x, x, np.log(x) * 2)) + np.sum(x * x)))
    assert np.isnan(np.asarray(gradient(BAD))[3])
    both = graphc.compile(graphc.grad(lambda x: np.sum(np.where(KEPT, np.log(x), x * x))))
    with np.errstate(all="ignore"):
        want = np.where(KEPT, 1 / BAD, 2 * BAD)
    np.testing.assert_allclose(np.asarray(both(BAD)), want, rtol=1e-6)


def test_linear_operations_are_not_chosen_twice() -> None:
    graph = graphc.trace(graphc.grad(lambda x: np.sum(np.where(x > 0, 3 * x + 1, 0))), ROWS)
    assert sum(node.op.name == "where" for node in graph.nodes) <= 2


def test_gradients_of_gradients() -> None:
    twice = graphc.grad(lambda x: np.sum(graphc.grad(lambda x: np.sum(np.where(KEPT, np.log(x), 0)))(x)))
    with np.errstate(all="ignore"):
        want = np.where(KEPT, -1 / BAD**2, 0)
    np.testing.assert_allclose(np.asarray(graphc.compile(twice)(BAD)), want, rtol=1e-5)
