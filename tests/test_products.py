"""Matmuls side by side: one launch for what waits for nothing of each other, the same numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc
from graphc.errors import GraphError
from graphc.families import check_family, products
from graphc.ir import evaluate
from graphc.lower import lower
from graphc.passes.fuse import Fuse, fuse
from graphc.plan import Target
from graphc.reference import run_plan
from graphc.tuner import problems
from tests.fusing import Maker, arrays_for, assert_sound, families, kernels


def array(*shape: int) -> Any:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


def heads(x: Any, *weights: Any) -> Any:
    h = np.tanh(x @ weights[0])
    return [h @ w for w in weights[1:]]


def test_projections_of_one_activation_are_one_launch():
    arguments = array(12, 8), array(8, 8), *(array(8, n) for n in (16, 16, 16))
    compiled = graphc.compile(heads, device="wgpu")
    plan = compiled.lower(*arguments).plan
    assert [plan.kernels[d.kernel].family for d in plan.dispatches] == ["matmul", "products"]
    assert len(plan.dispatches[1].bindings) == 7
    assert "3 matmuls launched together" in compiled.lower(*arguments).explain()
    for got, want in zip(compiled(*arguments), heads(*arguments), strict=True):
        np.testing.assert_allclose(got.numpy(), want, rtol=1e-4, atol=1e-5)


def test_no_more_than_the_buffers_allow():
    arguments = array(12, 8), array(8, 8), *(array(8, 16) for _ in range(5))
    compiled = graphc.compile(heads, device="wgpu")
    plan = compiled.lower(*arguments).plan
    assert [len(d.nodes) for d in plan.dispatches] == [2, 3, 2]
    for got, want in zip(compiled(*arguments), heads(*arguments), strict=True):
        np.testing.assert_allclose(got.numpy(), want, rtol=1e-4, atol=1e-5)


def test_long_sums_in_parts_stay_kernels_of_their_own():
    arguments = array(4, 4096), array(4096, 4096), array(4096, 4), array(4096, 4)
    compiled = graphc.compile(heads, device="wgpu")
    for got, want in zip(compiled(*arguments), heads(*arguments), strict=True):
        np.testing.assert_allclose(got.numpy(), want, rtol=2e-3, atol=2e-3)


def test_what_waits_for_the_other_is_apart():
    def chain(x: Any, w: Any) -> Any:
        h = np.tanh(x @ w)
        first = h @ w
        return first, h @ first

    before = graphc.trace(chain, array(8, 8), array(8, 8))
    after = fuse(before)
    assert_sound(before, after)
    assert "products" not in families(after)


def test_one_part_may_not_overwrite_what_another_reads():
    make = Maker()
    x, c, a, b = make.tensor(8, 8), make.tensor(8, 8), make.tensor(8, 8), make.tensor(8, 8)
    h = make.op("exp", x)
    graph = make.build([make.op("add", make.op("matmul", h, w), c) for w in (a, b)])
    after = fuse(graph)
    assert families(after) == ["map", "products"]
    plan = lower(after, Target(), frozenset(range(4)))
    assert len(plan.dispatches[1].bindings) == 6
    arrays = arrays_for(graph)
    for want, got in zip(evaluate(graph, arrays), run_plan(plan, after, arrays), strict=True):
        np.testing.assert_array_equal(got, want)


def test_each_part_may_overwrite_what_it_alone_reads():
    make = Maker()
    x, a, b = make.tensor(8, 8), make.tensor(8, 8), make.tensor(8, 8)
    c, d = make.tensor(8, 8), make.tensor(8, 8)
    h = make.op("exp", x)
    graph = make.build([make.op("add", make.op("matmul", h, w), old) for w, old in ((a, c), (b, d))])
    after = fuse(graph)
    plan = lower(after, Target(), frozenset({3, 4}))
    assert [len(dispatch.bindings) for dispatch in plan.dispatches] == [2, 5]


def test_parts_share_views():
    """Two weight gradients read one transposed activation."""
    make = Maker()
    x, a, b = make.tensor(8, 4), make.tensor(8, 4), make.tensor(8, 4)
    turned = make.op("transpose", make.op("exp", x), perm=(1, 0))
    graph = make.build([make.op("matmul", turned, d) for d in (a, b)])
    after = fuse(graph)
    assert_sound(graph, after)
    assert families(after) == ["map", "products"]
    plan = lower(after, Target())
    assert len(plan.dispatches) == 2
    arrays = arrays_for(graph)
    for want, got in zip(evaluate(graph, arrays), run_plan(plan, after, arrays), strict=True):
        np.testing.assert_array_equal(got, want)


def test_a_body_is_taken_apart():
    make = Maker()
    x, a, b = make.tensor(4, 8), make.tensor(8, 4), make.tensor(8, 4)
    first, second = (make.op("mul", make.op("matmul", x, w), 2.0) for w in (a, b))
    body = make.build([second, first])
    found = products(body)
    assert [part.outputs for part in found] == [(second,), (first,)]
    assert [set(part.inputs) for part in found] == [{x, b}, {x, a}]
    check_family(body, "products")
    with pytest.raises(GraphError, match="one matmul"):
        check_family(make.build([make.op("add", first, second)]), "products")


def test_the_tuner_sees_each_product_once():
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
