"""Horizontal fusion: one launch for what waits for nothing of each other, the same numbers."""

from __future__ import annotations

from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import graphc
from graphc import nn, optim
from graphc.errors import GraphError
from graphc.families.registry import check_family
from graphc.ir.graph import Graph, evaluate
from graphc.lower import lower
from graphc.passes.fusion import strategy
from graphc.passes.fusion.fuse import Fuse, fuse
from graphc.plan.plan import Target
from graphc.reference import run_plan
from graphc.tuner import problems
from tests.fusion.test_fuse_inplace import EVERY, planned, updates
from tests.support.fusing import Maker, arrays_for, assert_sound, families, kernels


def array(*shape: int) -> Any:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


def heads(x: Any, *weights: Any) -> Any:
    h = np.tanh(x @ weights[0])
    return [h @ w for w in weights[1:]]


def test_projections_of_one_activation_are_one_launch() -> None:
    arguments = array(12, 8), array(8, 8), *(array(8, n) for n in (16, 16, 16))
    compiled = graphc.compile(heads, device="wgpu")
    plan = compiled.lower(*arguments).plan
    assert [plan.kernels[d.kernel].family for d in plan.dispatches] == ["matmul", "horizontal"]
    assert len(plan.dispatches[1].bindings) == 7
    assert "3 kernels launched together" in compiled.lower(*arguments).explain()
    for got, want in zip(compiled(*arguments), heads(*arguments), strict=True):
        np.testing.assert_allclose(got.numpy(), want, rtol=1e-4, atol=1e-5)


def test_no_more_than_the_buffers_allow() -> None:
    arguments = array(12, 8), array(8, 8), *(array(8, 16) for _ in range(5))
    compiled = graphc.compile(heads, device="wgpu")
    plan = compiled.lower(*arguments).plan
    assert [len(d.nodes) for d in plan.dispatches] == [2, 3, 2]
    for got, want in zip(compiled(*arguments), heads(*arguments), strict=True):
        np.testing.assert_allclose(got.numpy(), want, rtol=1e-4, atol=1e-5)


def test_long_sums_in_parts_stay_kernels_of_their_own() -> None:
    arguments = array(4, 4096), array(4096, 4096), array(4096, 4), array(4096, 4)
    compiled = graphc.compile(heads, device="wgpu")
    for got, want in zip(compiled(*arguments), heads(*arguments), strict=True):
        np.testing.assert_allclose(got.numpy(), want, rtol=2e-3, atol=2e-3)


def test_what_waits_for_the_other_is_apart() -> None:
    def chain(x: Any, w: Any) -> Any:
        h = np.tanh(x @ w)
        first = h @ w
        return first, h @ first

    before = graphc.trace(chain, array(8, 8), array(8, 8))
    after = fuse(before)
    assert_sound(before, after)
    assert "horizontal" not in families(after)


def test_one_part_may_not_overwrite_what_another_reads() -> None:
    make = Maker()
    x, c, a, b = make.tensor(8, 8), make.tensor(8, 8), make.tensor(8, 8), make.tensor(8, 8)
    h = make.op("exp", x)
    graph = make.build([make.op("add", make.op("matmul", h, w), c) for w in (a, b)])
    after = fuse(graph)
    assert families(after) == ["map", "horizontal"]
    plan = lower(after, Target(), frozenset(range(4)))
    assert len(plan.dispatches[1].bindings) == 6
    arrays = arrays_for(graph)
    for want, got in zip(evaluate(graph, arrays), run_plan(plan, after, arrays), strict=True):
        np.testing.assert_array_equal(got, want)


def test_each_part_may_overwrite_what_it_alone_reads() -> None:
    make = Maker()
    x, a, b = make.tensor(8, 8), make.tensor(8, 8), make.tensor(8, 8)
    c, d = make.tensor(8, 8), make.tensor(8, 8)
    h = make.op("exp", x)
    graph = make.build([make.op("add", make.op("matmul", h, w), old) for w, old in ((a, c), (b, d))])
    after = fuse(graph)
    plan = lower(after, Target(), frozenset({3, 4}))
    assert [len(dispatch.bindings) for dispatch in plan.dispatches] == [2, 5]


def test_parts_share_views() -> None:
    """Two weight gradients read one transposed activation."""
    make = Maker()
    x, a, b = make.tensor(8, 4), make.tensor(8, 4), make.tensor(8, 4)
    turned = make.op("transpose", make.op("exp", x), perm=(1, 0))
    graph = make.build([make.op("matmul", turned, d) for d in (a, b)])
    after = fuse(graph)
    assert_sound(graph, after)
    assert families(after) == ["map", "horizontal"]
    plan = lower(after, Target())
    assert len(plan.dispatches) == 2
    arrays = arrays_for(graph)
    for want, got in zip(evaluate(graph, arrays), run_plan(plan, after, arrays), strict=True):
        np.testing.assert_array_equal(got, want)


def test_a_body_holds_kernels_that_wait_for_nothing_of_each_other() -> None:
    make = Maker()
    x, a, b = make.tensor(8, 8), make.tensor(8, 8), make.tensor(8, 8)
    first, second = make.op("matmul", x, a), make.op("matmul", x, b)
    check_family(make.build([first, second]), "horizontal")
    with pytest.raises(GraphError, match="waits for"):
        check_family(make.build([first, make.op("matmul", first, b)]), "horizontal")
    make = Maker()
    with pytest.raises(GraphError, match="kernel of its own"):
        check_family(make.build([make.op("cumsum", make.tensor(8), axis=0, reverse=False)]), "horizontal")


def layer(make: Maker, rows: int = 128, donate: bool = True) -> tuple[Graph, frozenset[int]]:
    """Weight and bias of one layer, updated by gradients of one activation."""
    x, dy = make.tensor(rows, 16), make.op("exp", make.tensor(rows, 16))
    w, m, b, n = make.tensor(16, 16), make.tensor(16, 16), make.tensor(16), make.tensor(16)
    rate = make.tensor(1)
    updates = []
    gradients = (
        make.op("matmul", make.op("transpose", x, perm=(1, 0)), dy),
        make.op("sum", dy, axes=(0,), keepdims=False),
    )
    for old, moment, gradient in ((w, m, gradients[0]), (b, n, gradients[1])):
        new = make.op("add", make.op("mul", moment, 0.9), gradient)
        updates += [make.op("sub", old, make.op("mul", new, rate)), new]
    graph = make.build(updates)
    return graph, frozenset(graph.inputs.index(v) for v in (w, m, b, n)) if donate else frozenset()


@pytest.mark.parametrize("software", [True, False])
def test_weight_and_bias_have_one_gradient(software: bool) -> None:
    """The sum over rows is launched with the product; on a GPU, where they differ in their workgroups, after it."""
    graph, donated = layer(Maker())
    after = Fuse(donated=donated)(graph)
    assert_sound(graph, after)
    assert families(after) == ["map", "horizontal"]
    launch = kernels(after)[1]
    assert [n.attrs["family"] for n in launch.attrs["body"].nodes] == ["matmul", "column"]
    assert "2 kernels launched together: written from the matmul's registers" in launch.attrs["why"][0]
    plan = lower(after, Target(software=software, subgroup=8, features=frozenset({"subgroup"})), donated)
    assert len(plan.dispatches) == (2 if software else 3)
    arrays = arrays_for(graph)
    for want, got in zip(evaluate(graph, arrays), run_plan(plan, after, arrays), strict=True):
        np.testing.assert_array_equal(got, want)


def test_short_sums_stay_apart() -> None:
    """Each workgroup of a processor runs through all parts of its launch: only loops are worth a launch less."""
    graph, donated = layer(Maker(), rows=16)
    assert "horizontal" not in families(Fuse(donated=donated)(graph))


def test_one_may_not_overwrite_what_another_reads() -> None:
    """The gradient that goes on is computed with the old weight: both share a launch, but not the weight's bytes."""
    make = Maker()
    x, dy, w, other = make.tensor(128, 64), make.tensor(128, 64), make.tensor(64, 64), make.tensor(64, 64)
    new = make.op("sub", w, make.op("matmul", make.op("transpose", x, perm=(1, 0)), dy))
    graph = make.build([new, make.op("matmul", dy, w), make.op("matmul", dy, other)])
    donated = frozenset(slot for slot, v in enumerate(graph.inputs) if v is w)
    after = Fuse(donated=donated)(graph)
    assert_sound(graph, after)
    plan = lower(after, Target(), donated)
    arrays = arrays_for(graph)
    for want, got in zip(evaluate(graph, arrays), run_plan(plan, after, arrays), strict=True):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("device", ["wgpu", "numpy"])
def test_a_training_step_beside_its_reference(device: str) -> None:
    """Products and sums of one launch, step after step, with parameters updated in place."""
    optimizer = optim.adamw(0.01)
    rng = np.random.default_rng(0)

    def step(params: Any, state: Any, x: Any, y: Any) -> Any:
        def loss(p: Any) -> Any:
            h = nn.layer_norm(np.tanh(nn.linear(x, p["w"], p["b"])), p["gain"], p["bias"])
            return nn.cross_entropy(nn.linear(h, p["v"], p["c"]), y)

        value, grads = graphc.value_and_grad(loss)(params)
        return (*optimizer.update(grads, state, params), value)

    shapes = {"w": (48, 64), "b": (64,), "gain": (64,), "bias": (64,), "v": (64, 12), "c": (12,)}
    params = {name: rng.standard_normal(shape).astype("f") * 0.1 for name, shape in shapes.items()}
    x, y = rng.standard_normal((256, 48)).astype("f"), rng.integers(0, 12, 256).astype(np.int32)
    fast = graphc.compile(step, device=device, donate=(0, 1))
    slow = graphc.compile(step, device="numpy", passes=())
    assert "horizontal" in families(fast.lower(params, optimizer.init(params), x, y).graph)
    found: list[Any] = []
    for compiled in (fast, slow):
        p, s = params, optimizer.init(params)
        for _ in range(3):
            p, s, value = compiled(p, s, x, y)
        found.append((p, value))
    np.testing.assert_allclose(found[0][1].numpy(), found[1][1].numpy(), rtol=1e-5)
    for name in params:
        np.testing.assert_allclose(found[0][0][name].numpy(), found[1][0][name].numpy(), rtol=1e-4, atol=2e-5)


def test_the_tuner_sees_each_product_once() -> None:
    """Also where an update is written in place, which the tuner's operands cannot be."""

    def step(w: Any, m: Any, v: Any, x: Any, s: Any) -> Any:
        g = x.T @ np.tanh(x @ w)
        m, v = 0.9 * m + 0.1 * g, 0.9 * v + 0.1 * g * g
        return w - s[0] * m / (np.sqrt(v) + s[1]), m, v, x @ w

    sizes = [graphc.spec((512, 512))] * 3
    graph = Fuse(donated=frozenset({0, 1, 2}))(graphc.trace(step, *sizes, sizes[0], graphc.spec((128,))))
    assert any("inplace" in node.attrs for node in kernels(graph))
    found = problems(graph, Target())
    assert found
    for problem in found:
        lower(problem.graph, Target())


@settings(max_examples=40, deadline=None)
@given(updates(), st.sampled_from((5, 8)), st.sets(st.integers(0, 5)))
def test_random_launches(graph: Graph, buffers: int, kept: set[int]) -> None:
    """Random graphs with donated inputs, sums of all lengths counted as long."""
    with mock.patch.object(strategy, "LONG", 1):
        planned(graph, EVERY - kept, buffers)
