"""order: topological, never worse, lower where it can be."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import graphc
from graphc.autodiff.reverse import differentiate
from graphc.ir.graph import Graph, Value, evaluate
from graphc.passes import DEFAULT, run
from graphc.passes.memory.order import order, peak_bytes
from graphc.tracing.trace import spec, trace
from tests.support.handmade import Hand, ops


def live_bytes(graph: Graph) -> int:
    """Peak bytes of intermediate tensors, counted step by step the plain way."""
    root: dict[Value, Value] = {}
    for node in graph.nodes:
        if node.op.name == "reshape":
            root[node.out] = root.get(node.inputs[0], node.inputs[0])
    kept = {root.get(v, v) for v in graph.outputs}
    peak = 0
    for step, node in enumerate(graph.nodes):
        made = {v for earlier in graph.nodes[: step + 1] for v in earlier.outputs if v not in root}
        needed = {root.get(v, v) for later in graph.nodes[step:] for v in later.inputs} | set(node.outputs)
        peak = max(peak, sum(v.type.nbytes for v in (made & needed) - kept))
    return peak


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    h = Hand()
    values = [h.input(4), h.input(8, 4)]
    for _ in range(draw(st.integers(1, 14))):
        a, b = draw(st.sampled_from(values)), draw(st.sampled_from(values))
        kind = draw(st.sampled_from(["add", "sum", "reshape", "exp"]))
        if kind == "add":
            values.append(h.add(a, b) if a.type.shape in (b.type.shape, (4,)) or b.type.shape == (4,) else h.exp(a))
        elif kind == "sum":
            values.append(h.sum(a, axes=(0,)) if a.type.shape == (8, 4) else h.neg(a))
        elif kind == "reshape":
            values.append(h.reshape(h.reshape(a, shape=(a.type.size,)), shape=a.type.shape))
        else:
            values.append(h.exp(a))
    return h.graph(*draw(st.lists(st.sampled_from(values), min_size=1, max_size=3)))


@settings(deadline=None, max_examples=120)
@given(graphs())
def test_order_is_topological_and_never_worse(graph: Graph) -> None:
    after = order(graph)
    after.verify()
    assert set(after.nodes) == set(graph.nodes)
    assert after.outputs == graph.outputs
    assert peak_bytes(after) == live_bytes(after)
    assert live_bytes(after) <= live_bytes(graph)
    assert [id(n) for n in order(graph).nodes] == [id(n) for n in after.nodes]


@settings(deadline=None, max_examples=25)
@given(graphs().filter(lambda g: 2 <= len(g.nodes) <= 7))
def test_small_graphs_come_close_to_the_best_of_all_orders(graph: Graph) -> None:
    best = None
    for permuted in itertools.permutations(graph.nodes):
        seen = {*graph.inputs, *graph.constants}
        for node in permuted:
            if not set(node.inputs) <= seen:
                break
            seen.update(node.outputs)
        else:
            peak = live_bytes(Graph(graph.inputs, graph.constants, permuted, graph.outputs))
            best = peak if best is None else min(best, peak)
    assert best is not None
    assert peak_bytes(order(graph)) <= best + 8 * 4 * 4


def test_updates_run_as_soon_as_their_gradient_is_there() -> None:
    """Gradients all first, updates all last, is what tracing gives; one gradient alive at a time is enough."""
    h = Hand()
    x = h.input(64, 64)
    weights = [h.input(64, 64) for _ in range(12)]
    gradients = [h.matmul(x, w) for w in weights]
    graph = h.graph(*(h.sub(w, g) for w, g in zip(weights, gradients, strict=True)))
    after = order(graph)
    assert peak_bytes(graph) == 12 * 64 * 64 * 4
    assert peak_bytes(after) == 64 * 64 * 4
    assert ops(after)[:4] == ["matmul", "sub", "matmul", "sub"]


def test_what_is_big_and_cheap_waits_for_its_reader() -> None:
    h = Hand()
    x = h.input(1000)
    masks = [h.exp(h.mul(x, float(i))) for i in range(10)]
    total = h.sum(x, axes=(0,))
    for mask in masks:
        total = h.add(total, h.sum(mask, axes=(0,)))
    graph = h.graph(total)
    assert peak_bytes(graph) > 40_000
    assert peak_bytes(order(graph)) < 13_000


def test_an_order_that_cannot_be_better_stays_as_it_is() -> None:
    h = Hand()
    graph = h.graph(h.exp(h.neg(h.input(3))))
    assert order(graph) is graph


@pytest.mark.parametrize("depth", [2500])
def test_deep_and_wide_graphs(depth: int) -> None:
    h = Hand()
    x = value = h.input(16)
    for _ in range(depth // 2):
        value = h.tanh(value)
    graph = differentiate(h.graph(h.sum(value, axes=(0,))), [0])
    after = order(graph)
    after.verify()
    assert peak_bytes(after) <= peak_bytes(graph)
    wide = Hand()
    x = wide.input(16)
    graph = wide.graph(*(wide.mul(x, float(i)) for i in range(500)))
    assert len(order(graph).nodes) == 500


def test_results_do_not_change() -> None:
    h = Hand()
    x = h.input(6)
    parts = [h.exp(h.mul(x, 0.1 * i)) for i in range(6)]
    value = parts[0]
    for part in reversed(parts):
        value = h.div(part, h.add(value, 1))
    graph = h.graph(value, parts[3])
    array = np.linspace(-1, 1, 6, dtype=np.float32)
    for a, b in zip(evaluate(graph, [array]), evaluate(order(graph), [array]), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_checkpoint_lowers_the_peak() -> None:
    """What is computed again is computed late: wide activations of one block at a time, not of all."""

    def block(x: Any, w1: Any, w2: Any) -> Any:
        return x + np.tanh(np.sin(x @ w1)) @ w2

    def gradient(body: Any) -> Any:
        def loss(weights: Any, x: Any) -> Any:
            for w1, w2 in weights:
                x = body(x, w1, w2)
            return np.mean(x * x)

        shapes = [(spec((8, 64)), spec((64, 8))) for _ in range(10)]
        return run(trace(graphc.grad(loss), shapes, spec((128, 8))), DEFAULT)

    kept, again = peak_bytes(gradient(block)), peak_bytes(gradient(graphc.checkpoint(block)))
    assert again < 0.4 * kept
