"""Settings that NumPy refuses, or that mean something which a graph does not know, are refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import nn, optim, random

X = np.arange(15, dtype=np.float32).reshape(3, 5)
SQUARE = np.eye(3, dtype=np.float32) + 1

HALF: Any = 0.5
MORE: Any = 1.5

FRACTIONS: dict[str, Callable[..., Any]] = {
    "sum": lambda x: np.sum(x, axis=MORE),
    "max": lambda x: np.max(x, axis=HALF),
    "argmax": lambda x: np.argmax(x, axis=HALF),
    "cumsum": lambda x: np.cumsum(x, axis=MORE),
    "squeeze": lambda x: np.squeeze(x[None], HALF),
    "flip": lambda x: np.flip(x, HALF),
    "median": lambda x: np.median(x, axis=HALF),
    "quantile": lambda x: np.quantile(x, 0.5, axis=MORE),
    "nansum": lambda x: np.nansum(x, axis=HALF),
    "average": lambda x: np.average(x, axis=HALF),
    "ptp": lambda x: np.ptp(x, axis=HALF),
    "sort": lambda x: np.sort(x, axis=HALF),
    "concatenate": lambda x: np.concatenate([x, x], axis=HALF),
    "stack": lambda x: np.stack([x, x], axis=HALF),
    "take": lambda x: np.take(x, 0, axis=HALF),
    "roll": lambda x: np.roll(x, 1, axis=HALF),
    "matrix_power": lambda x: np.linalg.matrix_power(x[:3, :3], MORE),
    "matrix_power of a half": lambda x: np.linalg.matrix_power(x[:3, :3], HALF),
}


@pytest.mark.parametrize("name", FRACTIONS)
def test_a_fraction_is_no_axis_or_count(name: str) -> None:
    with pytest.raises((graphc.ShapeError, graphc.TraceError), match="integer"):
        graphc.trace(FRACTIONS[name], X)


@pytest.mark.parametrize("order", ["K", "A"])
@pytest.mark.parametrize(
    "fn",
    [lambda x, o: np.ravel(x.T, o), lambda x, o: x.T.flatten(o), lambda x, o: x.T.ravel(order=o)],
    ids=["ravel", "flatten", "method"],
)
def test_the_order_of_memory_is_not_known(fn: Any, order: str) -> None:
    with pytest.raises(graphc.TraceError, match="write order='C'"):
        graphc.trace(lambda x: fn(x, order), X)
    row = graphc.compile(lambda x: fn(x, order), device="numpy")(X[0])
    np.testing.assert_array_equal(row, fn(X[0], order))


def test_other_orders_are_numpys() -> None:
    for order in ("C", "F"):
        for fn in (lambda x, o=order: np.ravel(x.T, o), lambda x, o=order: np.reshape(x.T, 15, order=o)):
            np.testing.assert_array_equal(graphc.compile(fn, device="numpy")(X), fn(X))


def test_matrix_power_of_integers() -> None:
    for n in (0, 1, 3, np.int64(2), -2):
        found = graphc.compile(lambda x, n=n: np.linalg.matrix_power(x, n), device="numpy")(SQUARE)
        np.testing.assert_allclose(found, np.linalg.matrix_power(SQUARE, int(n)), rtol=1e-5)


@pytest.mark.parametrize("device", ["numpy", "wgpu"])
def test_the_lowest_integer_has_a_greatest_common_divisor(device: str) -> None:
    low = -(2**31)
    a, b = (x.ravel().astype(np.int32) for x in np.meshgrid([low, low + 1, -6, 1, 3, 2**30], [1, -1, 6, 9, 12, 2**20]))
    for fn in (np.gcd, lambda a, b: np.gcd(b, a)):
        np.testing.assert_array_equal(graphc.compile(fn, device=device)(a, b), np.gcd(a, b))


def test_the_imaginary_part_of_a_real_value_is_zero() -> None:
    np.testing.assert_array_equal(graphc.compile(lambda x: x.imag + np.imag(x), device="numpy")(X), 0 * X)


def test_approximations_by_name() -> None:
    np.testing.assert_array_equal(nn.gelu(X, "none"), nn.gelu(X))
    np.testing.assert_array_equal(nn.gelu(X, "tanh"), nn.gelu(X, True))
    wrong: Any = "exact"
    with pytest.raises(graphc.ArgumentError, match="write True or 'tanh'"):
        nn.gelu(X, wrong)


def test_settings_are_refused_as_graphc_refuses() -> None:
    for wrong in (
        lambda: nn.dropout(random.key(0), X, 1.5),
        lambda: random.randint(random.key(0), (2,), 3, 3),
        lambda: optim.chain(),
    ):
        with pytest.raises(graphc.ArgumentError):
            wrong()


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_what_a_mask_leaves_out_has_no_part_in_a_gradient(cell: str) -> None:
    rng = np.random.default_rng(0)
    gates = {"gru": 3, "lstm": 4}[cell]
    xs = rng.normal(size=(4, 2, 3)).astype(np.float32)
    mask = np.array([[1, 1], [1, 1], [1, 0], [0, 0]], bool)
    xs[~mask] = np.nan
    w = [rng.normal(size=(n, gates * 5)).astype(np.float32) / 4 for n in (3, 5)]

    def loss(w: Any, xs: Any) -> Any:
        ys, _ = getattr(nn, cell)(xs, None, *w, mask=mask)
        return np.sum(ys)

    found = graphc.grad(loss)(w, xs)
    want = graphc.grad(loss)(w, np.nan_to_num(xs))
    for a, b in zip(found, want, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)
