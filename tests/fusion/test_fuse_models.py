"""How many kernels traced models become: the counts that the project promises."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import nn, optim, tree
from graphc.ir.graph import Graph
from graphc.models import microgpt
from graphc.passes import pipeline
from graphc.passes.fusion.fuse import fuse
from graphc.tracing.trace import trace
from tests.support.fusing import assert_sound, families, kernels


def compiled(fn: Any, *args: Any, donate: int = 0) -> Graph:
    """The traced function after all passes up to fusion; its first `donate` arguments are donated."""
    graph = trace(fn, *args)
    donated = frozenset(range(len(tree.leaves(args[:donate]))))
    for graph_pass in pipeline.DEFAULT:
        if graph_pass is not fuse:
            graph = graph_pass(graph)
    after = replace(fuse, donated=donated)(graph)
    assert_sound(graph, after)
    return after


def array(*shape: int) -> Any:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


X = array(32, 16)
LABELS = np.arange(32, dtype=np.int32) % 16


def test_softmax() -> None:
    assert families(compiled(nn.softmax, X)) == ["row"]


def test_scaled_causal_softmax() -> None:
    def attend(scores: Any) -> Any:
        return nn.softmax(np.where(nn.causal_mask(16), scores * 0.25, -np.inf))

    assert families(compiled(attend, array(2, 4, 16, 16))) == ["row"]


def test_linear_bias_relu() -> None:
    assert families(compiled(lambda x, w, b: nn.relu(x @ w + b), X, array(16, 8), array(8))) == ["matmul"]


def test_gelu_of_a_linear_layer() -> None:
    assert families(compiled(lambda x, w, b: nn.gelu(x @ w + b), X, array(16, 8), array(8))) == ["matmul"]


def test_norms() -> None:
    assert families(compiled(nn.layer_norm, X, array(16), array(16))) == ["row"]
    assert families(compiled(nn.rms_norm, X)) == ["row"]
    assert families(compiled(nn.log_softmax, X)) == ["row"]


def test_norm_gradients() -> None:
    grad = graphc.grad(lambda x, g, b, t: np.sum(nn.layer_norm(x, g, b) * t), argnums=(0, 1, 2))
    found = families(compiled(grad, X, array(16), array(16), X))
    assert found.count("row") == 1
    assert found.count("column") == 1
    assert len(found) <= 3


def test_cross_entropy() -> None:
    assert len(kernels(compiled(nn.cross_entropy, X, LABELS))) <= 2
    assert len(kernels(compiled(graphc.value_and_grad(nn.cross_entropy), X, LABELS))) <= 3
    assert len(kernels(compiled(graphc.grad(nn.cross_entropy), X, LABELS))) == 1


def adam_step(apply: Any) -> Any:
    update = optim.adam(0.01)

    def step(params: Any, state: Any, x: Any, y: Any) -> Any:
        loss, grads = graphc.value_and_grad(lambda p: nn.cross_entropy(apply(p, x), y))(params)
        return loss, update.update(grads, state, params)

    return step


def test_linear_relu_adam_training_step() -> None:
    params = {"w": array(16, 16), "b": array(16)}
    step = adam_step(lambda p, x: nn.relu(x @ p["w"] + p["b"]))
    assert len(kernels(compiled(step, params, optim.adam(0.01).init(params), X, LABELS))) <= 8


def test_sgd_updates_where_the_gradient_is_made() -> None:
    def step(w: Any, x: Any, y: Any) -> Any:
        return w - 0.1 * graphc.grad(lambda w: nn.cross_entropy(x @ w, y))(w)

    assert families(compiled(step, array(16, 16), X, LABELS)) == ["matmul", "row", "matmul"]


def microgpt_step(layers: int, batch: int) -> Graph:
    config = microgpt.Config(layers=layers)
    params = microgpt.init(graphc.random.key(0), config)
    optimizer = optim.adam(optim.linear(0.01, 0.0, 1000), 0.85, 0.99)

    def step(params: Any, state: Any, x: Any, y: Any) -> Any:
        loss, grads = graphc.value_and_grad(lambda p: microgpt.loss(p, x, y, config))(params)
        return loss, optimizer.update(grads, state, params)

    x = np.arange(batch * 16, dtype=np.int32).reshape(batch, 16) % 27
    return compiled(step, params, optimizer.init(params), x, x, donate=2)


@pytest.mark.parametrize("batch", [1, 4])
def test_microgpt_training_step(batch: int) -> None:
    assert len(kernels(microgpt_step(1, batch))) <= 33


def test_each_layer_costs_the_same() -> None:
    one, two, three = (len(kernels(microgpt_step(layers, 1))) for layers in (1, 2, 3))
    assert three - two == two - one <= 22
