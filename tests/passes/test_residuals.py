"""residuals: fewer bytes between forward and backward for nothing, and the same bits."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings

import graphc
from graphc import nn
from graphc.executable import Executable
from graphc.ir.graph import BACKWARD, Graph, evaluate
from graphc.passes import DEFAULT, residuals, run
from graphc.passes.memory.residuals import masks_from_results
from tests.support.planning import transformer
from tests.support.programs import RandomProgram, programs

BEFORE = DEFAULT[: DEFAULT.index(residuals)]
WITHOUT = tuple(p for p in DEFAULT if p is not residuals)


def traced(fn: Any, *arguments: Any) -> Graph:
    return run(graphc.trace(fn, *arguments), BEFORE)


def compiled(fn: Any, passes: Any, *arguments: Any) -> Executable:
    program: graphc.Compiled[..., Any] = graphc.compile(fn, device="numpy", passes=passes, donate=(0, 1))
    return program.lower(*arguments)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(programs(max_steps=25))
def test_no_bit_changes(program: RandomProgram) -> None:
    inputs = program.arrays(0)
    graph = traced(graphc.value_and_grad(program.loss, tuple(range(len(inputs)))), *inputs)
    for a, b in zip(evaluate(graph, inputs), evaluate(run(graph, (residuals,)), inputs), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_mask_of_a_relu_is_read_off_its_result() -> None:
    def loss(x: Any, w: Any) -> Any:
        return np.sum(nn.relu(x @ w) ** 3)

    special = np.array([[0.0, -0.0, 1.0, -2.0, np.nan, np.inf, -np.inf, 1e-45]], np.float32).T
    one = np.ones((1, 1), np.float32)
    graph = traced(graphc.grad(loss, (0, 1)), special, one)
    after = masks_from_results(graph)
    after.verify()
    maker = after.producers()
    tests = [node for node in after.nodes if node.op.name == "le" and node.source.phase == BACKWARD]
    assert [maker[node.inputs[0]].op.name for node in tests] == ["where"]
    for a, b in zip(evaluate(graph, [special, one]), evaluate(after, [special, one]), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_mask_of_something_else_stays() -> None:
    for function in (
        lambda x: np.where(x <= 1, 0, x),
        lambda x: np.where(x < 0, 0, x),
        lambda x: np.where(x <= 0, x, 0),
    ):
        graph = traced(graphc.grad(lambda x, f=function: np.sum(f(x) * f(x))), graphc.spec((8, 8)))
        assert masks_from_results(graph) is graph


def test_a_graph_without_a_backward_pass_stays() -> None:
    graph = traced(lambda x: nn.relu(x) + np.tanh(x), graphc.spec((100, 100)))
    assert residuals(graph) is graph


def test_a_transformer_step_keeps_much_less_at_the_price_of_nothing() -> None:
    step, arguments = transformer(width=128, heads=4, layers=2, length=64, batch=8)
    plain, kept = (compiled(step, passes, *arguments) for passes in (WITHOUT, DEFAULT))
    assert kept.memory.peak_bytes < 0.75 * plain.memory.peak_bytes
    assert kept.contract.flops < 1.01 * plain.contract.flops
    assert kept.contract.bytes_moved < 1.05 * plain.contract.bytes_moved


def test_it_works_inside_of_a_loop() -> None:
    def loss(w: Any, x: Any) -> Any:
        return np.mean(nn.relu(x @ w) ** 2)

    def train(w: Any, xs: Any) -> Any:
        return graphc.scan(lambda w, x: (w - 0.1 * graphc.grad(loss)(w, x), loss(w, x)), w, xs)

    rng = np.random.default_rng(0)
    w, xs = rng.normal(size=(64, 64)).astype(np.float32) / 8, rng.normal(size=(3, 100, 64)).astype(np.float32)
    new, losses = graphc.compile(train, device="wgpu")(w, xs)
    want, expected = graphc.compile(train, device="wgpu", passes=())(w, xs)
    np.testing.assert_allclose(new, want, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
