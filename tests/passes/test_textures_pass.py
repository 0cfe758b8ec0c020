"""textures: large products are marked, whether they were fused or not, and lowering copies nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import reference
from graphc.inspect.viz.draw import to_dot
from graphc.ir.graph import Graph
from graphc.lower import lower
from graphc.passes import DEFAULT, pipeline, run, textures
from graphc.passes.marks.textures import WORK, textured
from graphc.plan.plan import Target
from graphc.tracing.trace import spec, trace
from graphc.tuner import problems

SOFTWARE = Target("software", subgroup=8, software=True, features=frozenset({"subgroup"}))
UNFUSED = (*pipeline.LEGALIZE, textures)


def layer(x: Any, u: Any, v: Any) -> Any:
    """A large product with an epilogue, and a small one."""
    return np.tanh(x @ u) @ v


def traced(rows: int = 256) -> Graph:
    return trace(layer, spec((rows, 256)), spec((256, 256)), spec((256, 8)))


@pytest.mark.parametrize("passes", [DEFAULT, UNFUSED], ids=["fused", "unfused"])
def test_the_large_product_is_marked_with_its_reason(passes: Any) -> None:
    graph = run(traced(), passes)
    (marked,) = (node for node in graph.nodes if textured(node))
    assert marked.attrs["family"] == "matmul"
    assert [op.out.type.shape for op in textured(marked)] == [(256, 256)]
    assert "34 million operations pay for copying" in marked.attrs["why"][-1]
    plan = lower(graph, SOFTWARE)
    assert [bool(d.copies) for d in plan.dispatches if "matmul" in d.label].count(True) == 1


def test_without_the_pass_operands_are_read_from_buffers() -> None:
    for passes in ((), pipeline.LEGALIZE, tuple(p for p in DEFAULT if p is not textures)):
        assert not lower(run(traced(), passes), SOFTWARE).textures
    assert not lower(run(traced(), DEFAULT), replace(SOFTWARE, software=False)).textures


def test_a_small_program_is_left_as_it_is() -> None:
    graph = traced(rows=8)
    assert WORK > 2 * 8 * 256 * 256
    assert textures(graph) is graph


def test_the_marked_graph_computes_the_same() -> None:
    rng = np.random.default_rng(0)
    graph = traced()
    arrays = [rng.standard_normal(v.type.shape).astype(np.float32) for v in graph.inputs]
    marked = run(graph, UNFUSED)
    for a, b in zip(reference.run(graph, arrays), reference.run(marked, arrays), strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(
        reference.run(graph, arrays), reference.run_plan(lower(marked, SOFTWARE), marked, arrays), strict=True
    ):
        np.testing.assert_array_equal(a, b)


def test_a_product_of_a_loop_is_marked_in_its_body() -> None:
    def loop(x: Any, w: Any) -> Any:
        return graphc.scan(lambda h, _: (h @ w, h[0, 0]), x, np.zeros(3, np.float32))[0]

    graph = run(trace(loop, spec((256, 256)), spec((256, 256))), DEFAULT)
    (repeat,) = (node for node in graph.nodes if "length" in node.attrs)
    assert any(textured(node) for node in repeat.attrs["body"].nodes)
    assert lower(graph, SOFTWARE).textures


def test_the_tuner_tries_both_ways_for_what_is_marked() -> None:
    texels = {c[5] for p in problems(run(traced(), DEFAULT), SOFTWARE) for c in p.candidates}
    assert texels == {0, 1}
    assert {c[5] for p in problems(run(traced(), ()), SOFTWARE) for c in p.candidates} == {0}
    (problem,) = (p for p in problems(run(traced(), DEFAULT), SOFTWARE) if "texels" in p.name)
    for choice in problem.candidates:
        plan = lower(problem.graph, replace(SOFTWARE, choices={problem.name: choice}))
        assert bool(plan.textures) == bool(choice[5])


def test_explain_and_pictures_show_the_decision() -> None:
    compiled = graphc.compile(layer, device="wgpu").lower(spec((256, 256)), spec((256, 256)), spec((256, 8)))
    assert "operands may be read from textures: 34 million operations" in compiled.explain()
    assert ("to textures" in compiled.explain().splitlines()[2]) == bool(compiled.plan.textures)
    assert "textures" in dict(compiled.stages)
    assert "textured" in to_dot(compiled.stages[-1][1], ops=True)
