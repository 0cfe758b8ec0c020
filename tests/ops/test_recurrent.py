"""Recurrent cells and their loops against formulas of one element at a time, and gradients against differences."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import nn
from graphc.errors import ShapeError
from tests.support.layers import check, normal

Array = Any

STEPS, BATCH, INNER, HIDDEN = 3, 2, 3, 2
XS = normal(STEPS, BATCH, INNER)
H, C = normal(BATCH, HIDDEN, seed=1), normal(BATCH, HIDDEN, seed=2)


def weights(gates: int) -> tuple[Array, ...]:
    shapes = ((INNER, gates * HIDDEN), (HIDDEN, gates * HIDDEN), (gates * HIDDEN,), (gates * HIDDEN,))
    return tuple(normal(*shape, seed=10 + i) for i, shape in enumerate(shapes))


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def gru_step(x: Array, h: Array, w: Array, u: Array, b: Array, d: Array) -> Array:
    new = np.empty_like(h)
    for n, j in np.ndindex(h.shape):
        r, z, c = (j + g * HIDDEN for g in range(3))
        a, e = x[n] @ w + b, h[n] @ u + d
        update = sigmoid(a[z] + e[z])
        new[n, j] = (1 - update) * math.tanh(a[c] + sigmoid(a[r] + e[r]) * e[c]) + update * h[n, j]
    return new


def lstm_step(x: Array, h: Array, c: Array, w: Array, u: Array, b: Array, d: Array) -> tuple[Array, Array]:
    new, cell = np.empty_like(h), np.empty_like(c)
    for n, j in np.ndindex(h.shape):
        i, f, g, o = ((x[n] @ w + b + h[n] @ u + d)[j + k * HIDDEN] for k in range(4))
        cell[n, j] = sigmoid(f) * c[n, j] + sigmoid(i) * math.tanh(g)
        new[n, j] = sigmoid(o) * math.tanh(cell[n, j])
    return new, cell


def gru_loop(order: Any) -> tuple[Array, Array]:
    h, ys = H, np.empty((STEPS, BATCH, HIDDEN))
    for t in order:
        h = ys[t] = gru_step(XS[t], h, *weights(3))
    return ys, h


def lstm_loop(order: Any) -> tuple[Array, Array, Array]:
    (h, c), ys = (H, C), np.empty((STEPS, BATCH, HIDDEN))
    for t in order:
        h, c = lstm_step(XS[t], h, c, *weights(4))
        ys[t] = h
    return ys, h, c


def test_cells() -> None:
    check(nn.gru_cell, gru_step(XS[0], H, *weights(3)), XS[0], H, *weights(3))
    h, c = lstm_step(XS[0], H, C, *weights(4))

    def both(x: Any, h: Any, c: Any, *more: Any) -> Any:
        return np.stack(nn.lstm_cell(x, (h, c), *more))

    check(both, np.stack([h, c]), XS[0], H, C, *weights(4))
    w, u, _, d = weights(3)
    zero = np.zeros(3 * HIDDEN)
    check(lambda x, h: nn.gru_cell(x, h, w, u), gru_step(XS[0], H, w, u, zero, zero), XS[0], H)
    check(lambda x, h: nn.gru_cell(x, h, w, u, None, d), gru_step(XS[0], H, w, u, zero, d), XS[0], H)
    one = nn.gru_cell(XS[0, 0], H[0], *weights(3))
    np.testing.assert_allclose(one, gru_step(XS[0], H, *weights(3))[0])


@pytest.mark.parametrize("reverse", [False, True])
def test_loops(reverse: bool) -> None:
    order = range(STEPS)[:: -1 if reverse else 1]
    ys, last = gru_loop(order)

    def gru(x: Any, h: Any, *more: Any) -> Any:
        ys, last = nn.gru(x, h, *more, reverse=reverse)
        return np.concatenate([ys, last[None]])

    check(gru, np.concatenate([ys, last[None]]), XS, H, *weights(3), atol=1e-5)
    ys, h, c = lstm_loop(order)

    def lstm(x: Any, h: Any, c: Any, *more: Any) -> Any:
        ys, (h, c) = nn.lstm(x, (h, c), *more, reverse=reverse)
        return np.concatenate([ys, np.stack([h, c])])

    check(lstm, np.concatenate([ys, np.stack([h, c])]), XS, H, C, *weights(4), atol=1e-5)


LOOPS: dict[str, tuple[Callable[..., Any], int]] = {"gru": (nn.gru, 3), "lstm": (nn.lstm, 4)}


@pytest.mark.parametrize("name", LOOPS)
def test_a_sequence_that_has_ended_keeps_its_state(name: str) -> None:
    loop, gates = LOOPS[name]
    mask = np.array([[1, 1], [1, 0], [1, 0]], bool)
    ys, last = loop(XS, None, *weights(gates), mask=mask)
    short, first = loop(XS[:1, 1:], None, *weights(gates))
    np.testing.assert_allclose(ys[:, 1:], np.concatenate([short, np.zeros((2, 1, HIDDEN))]))
    for a, b in zip(graphc.tree.leaves(last), graphc.tree.leaves(first), strict=True):
        np.testing.assert_allclose(a[1:], b)
    whole, _ = loop(XS, None, *weights(gates))
    np.testing.assert_allclose(ys[:, :1], whole[:, :1])


def loss(name: str, unroll: int) -> Callable[..., Any]:
    def total(x: Any, *more: Any) -> Any:
        return np.sum(LOOPS[name][0](x, None, *more, unroll=unroll)[0] ** 2)

    return graphc.value_and_grad(total, argnums=(0, 1, 2))


def single(name: str) -> tuple[Array, ...]:
    return tuple(x.astype(np.float32) for x in (XS, *weights(LOOPS[name][1])))


@pytest.mark.parametrize(
    ("name", "device", "unroll"),
    [
        ("gru", "numpy", 1),
        ("lstm", "numpy", STEPS),
        pytest.param("gru", "wgpu", 1, marks=pytest.mark.slow),
        pytest.param("lstm", "wgpu", 1, marks=pytest.mark.slow),
    ],
)
def test_gradients_of_compiled_loops(name: str, device: str, unroll: int) -> None:
    want = loss(name, 1)(*single(name))
    got = graphc.compile(loss(name, unroll), device=device)(*single(name))
    for a, b in zip(graphc.tree.leaves(got), graphc.tree.leaves(want), strict=True):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", LOOPS)
def test_loops_on_a_device_and_over_examples(name: str) -> None:
    given = single(name)
    want = LOOPS[name][0](given[0], None, *given[1:])[0]
    got = graphc.compile(lambda x, *more: LOOPS[name][0](x, None, *more)[0], device="wgpu")(*given)
    np.testing.assert_allclose(np.asarray(got), want, rtol=1e-5, atol=1e-6)
    each = graphc.vmap(lambda x: LOOPS[name][0](x, None, *given[1:])[0], in_axes=1, out_axes=1)
    np.testing.assert_allclose(graphc.compile(each, device="numpy")(given[0]), want, rtol=1e-5, atol=1e-6)


def test_a_turn_of_the_loop_is_two_kernels_beside_its_bookkeeping() -> None:
    arguments = tuple(x.astype(np.float32) for x in (XS, *weights(4)))
    plan = graphc.compile(lambda x, *more: nn.lstm(x, None, *more)[0], device="numpy").lower(*arguments).plan
    products = [d for d in plan.dispatches if plan.kernels[d.kernel].family == "matmul"]
    assert len(products) == 2, "that with w_ih stands before the loop"


def test_what_does_not_fit_is_named() -> None:
    w, u, b, d = weights(3)
    with pytest.raises(ShapeError, match=r"gru_cell: w_ih has shape \(6, 3\): need \(3, 6\), which is \[I, 3 H\]"):
        nn.gru_cell(XS[0], H, w.T, u, b, d)
    with pytest.raises(ShapeError, match=r"lstm_cell: w_ih has shape \(3, 6\): need \(3, 8\)"):
        nn.lstm_cell(XS[0], (H, C), w, u, b, d)
    with pytest.raises(ShapeError, match=r"gru: b_hh has shape \(5,\): need \(6,\)"):
        nn.gru(XS, H, w, u, b, d[:5])
    with pytest.raises(ShapeError, match=r"lstm: the state is a ndarray: need a pair \(h, c\)"):
        nn.lstm(XS, H, *weights(4))
    with pytest.raises(ShapeError, match=r"gru: x has shape \(2, 3\) and the state \(3, 2\)"):
        nn.gru(XS, normal(3, 2), w, u)
