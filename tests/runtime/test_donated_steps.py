"""The usual training step of small models, parameters and state donated: it runs, and its numbers are the reference's.

Small tensors are what runs out of storage buffers first: each of a few numbers, and there are many of them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import optim
from graphc.passes.marks.megakernel import megakernel

Model = tuple[Any, Callable[[Any, Any], Any]]
"""Initial parameters, and what they predict for rows of inputs."""


def network(*sizes: int) -> Model:
    rng = np.random.default_rng(len(sizes))
    layers = [
        {"w": rng.normal(size=(a, b)).astype("f") * 0.5, "b": np.zeros(b, "f")} for a, b in itertools.pairwise(sizes)
    ]

    def predict(layers: Any, x: Any) -> Any:
        for layer in layers[:-1]:
            x = np.tanh(x @ layer["w"] + layer["b"])
        return x @ layers[-1]["w"] + layers[-1]["b"]

    return layers, predict


def polynomial(degree: int) -> Model:
    """Parameters without axes."""

    def predict(params: Any, x: Any) -> Any:
        total = np.zeros_like(x[:, :1])
        for c in reversed(params):
            total = total * np.tanh(x[:, :1]) + c
        return total

    return [np.float32(0.1)] * (degree + 1), predict


def lists(count: int, most: int) -> Model:
    """Many arrays of 1 to `most` numbers, each of which scales the inputs on its own."""

    def predict(params: Any, x: Any) -> Any:
        return sum(np.tanh(x[:, :1] * np.sum(p) + np.mean(p * p)) for p in params)

    return [np.linspace(0.1, 0.3, 1 + k % most, dtype="f") for k in range(count)], predict


MODELS: dict[str, Model] = {
    "1-1": network(1, 1),
    "2-1": network(2, 1),
    "1-3-1": network(1, 3, 1),
    "2-16-16-1": network(2, 16, 16, 1),
    "7-5-3": network(7, 5, 3),
    "constant": polynomial(0),
    "cubic": polynomial(3),
    "degree 9": polynomial(9),
    "4 lists": lists(4, 2),
    "13 lists": lists(13, 8),
}
OPTIMIZERS: dict[str, optim.Optimizer] = {
    "sgd": optim.sgd(0.1),
    "momentum": optim.momentum(0.1),
    "adam": optim.adam(0.01),
    "adamw": optim.adamw(0.01),
}
OPTIMIZERS |= {f"clipped {n}": optim.chain(optim.clip_by_global_norm(0.5), o) for n, o in OPTIMIZERS.items()}
PAIRS = list(itertools.product(MODELS, OPTIMIZERS))


def trained(model: Model, optimizer: optim.Optimizer, **options: Any) -> list[Any]:
    """What three steps give: the losses, and all numbers of parameters and state."""
    params, predict = model
    sizes = params[0]["w"].shape[0] if isinstance(params[0], dict) else 1
    x = np.random.default_rng(1).normal(size=(20, sizes)).astype("f")
    y = np.sin(x.sum(axis=1, keepdims=True))

    def step(params: Any, state: Any, x: Any, y: Any) -> Any:
        loss, grads = graphc.value_and_grad(lambda p: np.mean((predict(p, x) - y) ** 2))(params)
        return *optimizer.update(grads, state, params), loss

    compiled = graphc.compile(step, **options)
    state, found = optimizer.init(params), []
    for _ in range(3):
        params, state, loss = compiled(params, state, x, y)
        found.append(loss)
    return [np.asarray(leaf) for leaf in graphc.tree.leaves((params, state, found))]


def check(pair: tuple[str, str], passes: Any) -> None:
    model, optimizer = MODELS[pair[0]], OPTIMIZERS[pair[1]]
    wanted = trained(model, optimizer, device="numpy", passes=())
    for got, want in zip(trained(model, optimizer, device="wgpu", donate=(0, 1), passes=passes), wanted, strict=True):
        np.testing.assert_allclose(got, want, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("pair", PAIRS[::5], ids=" ".join)
def test_steps(pair: tuple[str, str]) -> None:
    """A launch for each kernel: it is compiled sooner."""
    check(pair, tuple(p for p in graphc.passes.DEFAULT if p is not megakernel))


@pytest.mark.slow
@pytest.mark.parametrize("pair", PAIRS, ids=" ".join)
def test_steps_in_megakernels(pair: tuple[str, str]) -> None:
    check(pair, graphc.passes.DEFAULT)


@pytest.mark.parametrize("count", [1, 3, 4, 5, 9])
@pytest.mark.parametrize("size", [1, 5, 65])
def test_an_update_of_many_arrays(count: int, size: int) -> None:
    """The first of them needs a sum of the next, and all have successors: 3 to 21 tensors in one launch."""
    arrays = [np.linspace(-1, k, size, dtype="f") for k in range(count)]

    def update(xs: Any) -> Any:
        rest = [x * 0.5 + xs[k] for k, x in enumerate(xs[1:])]
        return [xs[0] * 0.5 + np.tanh(xs[-1]) * np.sum(xs[-1]), *rest]

    got = graphc.compile(update, device="wgpu", donate="xs")([graphc.asarray(x, "wgpu") for x in arrays])
    for a, b in zip(got, update(arrays), strict=True):
        np.testing.assert_allclose(a.numpy(), b, rtol=1e-4, atol=1e-5)
