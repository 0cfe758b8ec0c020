"""The examples of the API page, on both kinds of device: forward, gradients, training, waiting."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

import graphc


@pytest.fixture(params=["wgpu", "numpy"])
def name(request: Any) -> Any:
    return request.param


def mlp(params: Any, x: Any) -> Any:
    h = np.tanh(x @ params["w1"] + params["b1"])
    return h @ params["w2"] + params["b2"]


def loss(params: Any, x: Any, y: Any) -> Any:
    return graphc.nn.cross_entropy(mlp(params, x), y)


def data(batch: Any = 32, features: Any = 12, hidden: Any = 16, classes: Any = 5) -> Any:
    rng = np.random.default_rng(0)
    params = {
        "w1": rng.normal(scale=0.3, size=(features, hidden)).astype(np.float32),
        "b1": np.zeros(hidden, np.float32),
        "w2": rng.normal(scale=0.3, size=(hidden, classes)).astype(np.float32),
        "b2": np.zeros(classes, np.float32),
    }
    x = rng.normal(size=(batch, features)).astype(np.float32)
    return params, x, rng.integers(0, classes, batch)


def numeric_gradient(params: Any, key: Any, index: Any, x: Any, y: Any) -> Any:
    """Central difference of the loss in float64."""
    wide = {k: v.astype(np.float64) for k, v in params.items()}
    values = []
    for step in (1e-5, -1e-5):
        moved = {k: v.copy() for k, v in wide.items()}
        moved[key][index] += step
        logits = mlp(moved, x.astype(np.float64))
        logits -= logits.max(axis=1, keepdims=True)
        values.append(np.mean(np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(y)), y]))
    return (values[0] - values[1]) / 2e-5


@pytest.mark.parametrize("passes", ["default", "none"])
def test_value_and_grad_of_an_mlp(name: Any, passes: Any) -> None:
    options: dict[str, Any] = {} if passes == "default" else {"passes": ()}
    params, x, y = data()
    value, grads = graphc.compile(graphc.value_and_grad(loss), device=name, **options)(params, x, y)
    assert isinstance(value, graphc.Array)
    np.testing.assert_allclose(float(value), float(loss(params, x, y)), rtol=1e-5)
    assert set(grads) == set(params)
    for key, index in (("w1", (3, 5)), ("b1", (2,)), ("w2", (7, 1)), ("b2", (4,))):
        expected = numeric_gradient(params, key, index, x, y)
        np.testing.assert_allclose(np.asarray(grads[key])[index], expected, rtol=1e-3, atol=1e-6)


def test_three_ways_to_wait(name: Any) -> None:
    params, x, y = data()
    step = graphc.compile(graphc.value_and_grad(loss), device=name)

    async def wait() -> Any:
        value, _ = step(params, x, y)
        return await value

    first = float(step(params, x, y)[0])
    second = np.asarray(step(params, x, y)[0])
    third = asyncio.run(wait())
    assert first == second == float(third)


def test_a_donated_training_step_learns_the_same_everywhere() -> None:
    params, x, y = data()

    def step(params: Any, x: Any, y: Any, rate: Any) -> Any:
        value, grads = graphc.value_and_grad(loss)(params, x, y)
        return graphc.tree.map(lambda p, g: p - rate * g, params, grads), value

    histories = {}
    for name in ("wgpu", "numpy"):
        compiled = graphc.compile(step, device=name, donate=(0,))
        current, history = params, []
        for n in range(30):
            current, value = compiled(current, x, y, 0.5 / (1 + n))
            history.append(value)
        histories[name] = [float(v) for v in history]
        assert len(compiled.signatures) == 1
    np.testing.assert_allclose(histories["wgpu"], histories["numpy"], rtol=1e-4)
    assert histories["wgpu"][-1] < 0.8 * histories["wgpu"][0]


def test_check_accepts_forward_and_backward(name: Any) -> None:
    params, x, y = data()
    step = graphc.compile(graphc.value_and_grad(loss), device=name, check=True)
    assert np.isfinite(float(step(params, x, y)[0]))


def test_every_stage_and_the_plan_say_the_same(device: Any) -> None:
    params, x, y = data()
    executable = graphc.compile(graphc.value_and_grad(loss), device=device).lower(params, x, y)
    leaves = graphc.tree.leaves(((params, x, y), {}))
    inputs = [np.asarray(leaf, v.type.dtype.numpy) for leaf, v in zip(leaves, executable.graph.inputs, strict=True)]
    expected = graphc.reference.run(executable.stages[0][1], inputs)
    for _, graph in executable.stages:
        for want, found in zip(expected, graphc.reference.run(graph, inputs), strict=True):
            np.testing.assert_allclose(found, want, rtol=1e-4, atol=1e-6)
    planned = graphc.reference.run_plan(executable.plan, executable.graph, inputs)
    for want, found in zip(expected, planned, strict=True):
        np.testing.assert_allclose(found, want, rtol=1e-4, atol=1e-6)
