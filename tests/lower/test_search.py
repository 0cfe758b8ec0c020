"""The search space of each family: whatever a tuner may choose computes the same; the rules choose what is first."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import reference
from graphc.analysis.loops import flatten
from graphc.codegen import rules
from graphc.codegen.kernel import Search
from graphc.families.column import kernel as column
from graphc.families.map import kernel as map_family
from graphc.families.registry import FAMILIES as RECORDS
from graphc.families.row import kernel as row
from graphc.ir.graph import Graph, Node
from graphc.ir.types import TensorType, i32
from graphc.lower import lower
from graphc.lower.family import searches
from graphc.models.train import training_step
from graphc.ops import OPS
from graphc.ops.structured import fused
from graphc.plan.plan import Target
from graphc.tuner import agrees, operands
from tests.support.lowering import Body, as_kernel
from tests.support.run_graph import run, variants
from tests.support.systems import CASES

SOFTWARE = Target("software", subgroup=8, software=True, features=frozenset({"subgroup"}))
INTEGRATED = Target("integrated", subgroup=32, integrated=True, features=frozenset({"subgroup"}))
DISCRETE = Target("discrete", subgroup=32, features=frozenset({"subgroup"}))
TARGETS = (SOFTWARE, INTEGRATED, DISCRETE, Target(), Target("small", max_invocations=64, max_shared_bytes=4096))


def a_map() -> Graph:
    b = Body()
    x, y = b.tensor(37, 12), b.tensor(12)
    return as_kernel(b.build([b("exp", b("mul", x, y)), b("add", x, y)]), "map")


def a_row(rows: int = 24, length: int = 100) -> Graph:
    b = Body()
    x = b.tensor(rows, length)
    e = b("exp", b("sub", x, b("max", x, axes=(1,), keepdims=True)))
    total = b("sum", e, axes=(1,), keepdims=True)
    return as_kernel(b.build([b("div", e, total), b("log", total)]), "row")


def a_column() -> Graph:
    b = Body()
    x = b.tensor(70, 24)
    return as_kernel(b.build([b("add", b("sum", b("mul", x, x), axes=(0,), keepdims=False), 1.0)]), "column")


def a_matmul() -> Graph:
    b = Body()
    x, w, c = b.tensor(40, 64), b.tensor(64, 48), b.tensor(48)
    return as_kernel(b.build([b("maximum", b("add", b("matmul", x, w), c), 0.0)]), "matmul")


def a_scatter() -> Graph:
    b = Body()
    ids, updates = b.input(TensorType((300,), i32)), b.tensor(300, 8)
    return b.build(b.add(OPS["scatter_add"], ids, updates, axis=0, size=11))


def a_conv() -> Graph:
    b = Body()
    x, w, c = b.tensor(2, 6, 7, 9), b.tensor(8, 3, 3, 2), b.tensor(8, 1, 1)
    attrs = {"strides": (2, 1), "padding": ((1, 0), (1, 1)), "dilation": (1, 2), "spread": (1, 1), "groups": 2}
    return as_kernel(b.build([b("maximum", b("add", b("conv", x, w, **attrs), c), 0.0)]), "conv")


def an_attention() -> Graph:
    b = Body()
    q, k, v = (b.tensor(2, 20, 8) for _ in range(3))
    outputs = b.add(OPS["attention"], q, k, v, scale=0.5, causal=True)
    return as_kernel(b.build(outputs), "attention")


FAMILIES = {
    "map": a_map,
    "row": a_row,
    "column": a_column,
    "matmul": a_matmul,
    "conv": a_conv,
    "attention": an_attention,
    "scatter_add": a_scatter,
}


SEARCHED = [
    pytest.param(family, target, id=f"{family}-{target.name}")
    for family in FAMILIES
    for target in TARGETS
    if family != "attention" or "subgroup" in target.features or not target.software
]
"""Attention has no kernel on a software adapter without subgroups."""


def only_search(graph: Graph, target: Target) -> Search | None:
    """The only problem of a graph; none where the target has no kernel for attention."""
    (node,) = graph.nodes
    found = [search for _, search in searches(node, graph.constants, target)]
    assert len(found) <= 1
    return found[0] if found else None


def launches(graph: Graph, target: Target) -> list[Any]:
    plan = lower(graph, target)
    return [(plan.kernels[d.kernel].wgsl, d.workgroups) for d in plan.dispatches]


def test_every_family_with_a_search_space_is_tested() -> None:
    assert set(FAMILIES) == {family.name for family in RECORDS if family.search}


@pytest.mark.parametrize("family", FAMILIES)
def test_every_candidate_computes_what_the_reference_does(device: Any, family: str) -> None:
    graph = FAMILIES[family]()
    arrays = operands(graph)
    wanted = reference.run(graph, arrays)
    for target in variants(device).values():
        found = only_search(graph, target)
        if not found:
            continue
        for choice in found.candidates:
            got, _ = run(device, graph, arrays, replace(target, choices={found.name: choice}))
            assert all(map(agrees, got, wanted)), (family, target.name, choice)


@pytest.mark.parametrize(("family", "target"), SEARCHED)
def test_candidates_are_kernels_of_their_own_the_rules_first(family: str, target: Target) -> None:
    graph = FAMILIES[family]()
    found = only_search(graph, target)
    assert found
    assert len(set(found.candidates)) == len(found.candidates)
    assert launches(graph, target) == launches(graph, replace(target, choices={found.name: found.candidates[0]}))
    made = [repr(launches(graph, replace(target, choices={found.name: c}))) for c in found.candidates]
    assert len(set(made)) >= len(made) * 2 // 3  # sizes may bring a few together


@pytest.mark.parametrize(("family", "target"), SEARCHED)
def test_a_choice_that_does_not_fit_is_ignored(family: str, target: Target) -> None:
    graph = FAMILIES[family]()
    found = only_search(graph, target)
    assert found
    rule = launches(graph, target)
    size = len(found.candidates[0])
    for bad in ((), (0,) * size, (-1,) * size, (1 << 20,) * size, (1,) * (size + 1), (3,) * (size + 2)):
        assert launches(graph, replace(target, choices={found.name: bad})) == rule, bad


def name_of(graph: Graph) -> str:
    found = only_search(graph, SOFTWARE)
    assert found
    return found.name


def test_names_tell_kernels_and_classes_of_sizes_apart() -> None:
    names = {name_of(make()) for make in FAMILIES.values()}
    assert len(names) == len(FAMILIES)
    assert name_of(a_row(rows=30)) == name_of(a_row(rows=32))
    assert name_of(a_row(rows=33)) != name_of(a_row(rows=32))
    assert name_of(a_row(length=96)) != name_of(a_row(length=100))


def test_rows_of_a_subgroup_share_a_workgroup_only_where_none_ends_early() -> None:
    for layout in row.candidates(7, 100, DISCRETE):
        assert layout.each == 1 or layout.team == "thread"
    assert {x.each for x in row.candidates(24, 100, DISCRETE) if x.team == "subgroup"} == {1, 2, 4, 8}
    assert not row.fits(row.RowLayout("subgroup", 16, 4, 2, True), 24, DISCRETE)


def test_beside_others_a_kernel_keeps_the_size_of_its_workgroups() -> None:
    """Kernels whose workgroups differ do not share a launch."""
    column, matmul = a_column().nodes[0], a_matmul().nodes[0]
    inputs, outputs = (*column.inputs, *matmul.inputs), (*column.outputs, *matmul.outputs)
    body = Graph(inputs, {}, (column, matmul), outputs)
    launch = Node(fused, inputs, outputs, {"body": body, "family": "horizontal", "why": ()})
    found = list(searches(launch, {}, SOFTWARE))
    assert [search.name.split()[0] for _, search in found] == ["column", "matmul"]
    for alone, search in found:
        texts = [launches(alone, replace(SOFTWARE, choices={search.name: c})) for c in search.candidates]
        sizes = {re.findall(r"@workgroup_size\((\d+)\)", wgsl)[0] for made in texts for wgsl, _ in made}
        assert len(sizes) == 1
        assert len(texts) > 1
    whole = only_search(a_column(), SOFTWARE)
    assert whole is not None
    assert set(found[0][1].candidates) < set(whole.candidates)


def test_adapters_fall_into_classes() -> None:
    assert [rules.adapter_class(t) for t in (SOFTWARE, INTEGRATED, DISCRETE, Target())] == [
        "software",
        "integrated",
        "discrete",
        "discrete",
    ]


def test_the_rules_of_a_class_show_in_its_kernels() -> None:
    """A processor takes neighbours in turn and shares no sum; a GPU spreads both, the wider one over more."""
    cpu, small, large = SOFTWARE, INTEGRATED, DISCRETE
    assert [map_family.layout_of(1 << 18, t).neighbours for t in (cpu, small, large)] == [True, False, False]
    assert [column.layout_of(4096, 4096, t).down for t in (cpu, small, large)] == [1, 4, 16]
    assert row.layout_of(4096, replace(cpu, subgroup=0)).lanes == 8
    assert row.layout_of(4096, replace(large, subgroup=0)).lanes == 256
    assert [rules.rules_of(t).resident for t in (cpu, small, large)] == [4, 64, 128]


def test_no_rule_passes_a_limit() -> None:
    small = Target("small", max_invocations=32, max_shared_bytes=2048)
    assert map_family.layout_of(1 << 18, small).threads <= 32
    for length in (8, 300, 5000):
        layout = row.layout_of(length, small)
        assert layout.lanes * layout.each <= 32
    assert all(x.across * x.down <= 32 for x in column.candidates(4096, 4096, small))


@pytest.mark.slow
@pytest.mark.parametrize("model", ["microgpt", "gpt", "batchnorm-5", "bigram-onehot"])
def test_a_training_step_is_the_same_whatever_is_chosen(device: Any, model: str) -> None:
    """Each kernel of a step with a candidate drawn at random, a few times."""
    case = CASES[model]
    system = graphc.models.MODELS[case.model]
    optimizer = graphc.optim.adamw(0.01)
    params = case.params()
    arguments = (params, optimizer.init(params), *case.batch())
    step = graphc.compile(training_step(system, case.config, optimizer), device=device)
    wanted = [np.asarray(a) for a in graphc.tree.leaves(step(*arguments))]
    executable = step.lower(*arguments)
    flat = flatten(executable.graph).graph
    rng = np.random.default_rng(0)
    for _ in range(4):
        problems = [s for n in flat.nodes for _, s in searches(n, flat.constants, device.target)]
        choices = {p.name: p.candidates[rng.integers(len(p.candidates))] for p in problems}
        plan = lower(executable.graph, replace(device.target, choices=choices))
        runner = device.prepare(executable.graph, plan, frozenset())
        got = [np.asarray(a) for a in runner([np.asarray(a) for a in graphc.tree.leaves(arguments)])]
        for a, b in zip(got, wanted, strict=True):
            np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-4)
