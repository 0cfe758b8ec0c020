"""The attention family against float64: tails on every side, head sizes, layouts read in place, other devices."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import nn
from graphc.codegen.rules import prefers_texels
from graphc.families.attention import kernel as attention
from graphc.ir.graph import Builder, Graph, Node, evaluate
from graphc.ir.types import TensorType, f32
from graphc.lower import lower
from graphc.lower.family import searches
from graphc.ops import by_name
from graphc.ops.structured import fused
from graphc.passes import DEFAULT, pipeline
from graphc.passes.attention import Attention
from graphc.passes.marks import textures
from graphc.passes.marks.megakernel import megakernel
from graphc.plan.plan import MOST_TURNS, Target
from tests.support import tint
from tests.support.lowering import check
from tests.support.run_graph import graph_of, has_attention, run, variants

ATTENTION, BACKWARD = by_name("attention"), by_name("attention_backward")

KINDS = ("own", "wide")
"""Of `variants`: the device as it is, and as a GPU without subgroups, whose kernels go through workgroup memory."""


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def operands(batch: Any, t: Any, s: Any, d: Any, e: Any) -> Any:
    return [normal(*batch, t, d), normal(*batch, s, d, seed=1), normal(*batch, s, e, seed=2)]


def exact(op: Any, arrays: Any, **attrs: Any) -> Any:
    """The result in float64."""
    return op.reference(*(a.astype(np.float64) for a in arrays), **attrs)


def backward_operands(batch: Any, t: Any, s: Any, d: Any, e: Any, **attrs: Any) -> Any:
    q, k, v = operands(batch, t, s, d, e)
    dout = normal(*batch, t, e, seed=3)
    out, lse = ATTENTION.reference(q, k, v, **attrs)
    return [q, k, v, dout, lse, np.sum(dout * out, axis=-1)]


SHAPES = [
    ((), 1, 1, 4, 4, True),
    ((2, 3), 16, 16, 16, 16, True),
    ((3,), 37, 37, 8, 8, True),
    ((2,), 1, 41, 12, 12, True),
    ((2,), 33, 50, 64, 64, True),
    ((1, 2), 19, 70, 10, 7, False),
    ((), 5, 9, 1, 2, True),
    pytest.param((2,), 67, 64, 128, 128, False, marks=pytest.mark.slow),
    pytest.param((2,), 40, 40, 32, 100, True, marks=pytest.mark.slow),
    pytest.param((2, 2), 97, 97, 20, 20, False, marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("batch", "t", "s", "d", "e", "causal"), SHAPES)
def test_forward(device: Any, batch: Any, t: Any, s: Any, d: Any, e: Any, causal: Any) -> None:
    attrs = {"causal": causal, "scale": 1 / math.sqrt(d)}
    arrays = operands(batch, t, s, d, e)
    got, plan = run(device, graph_of(ATTENTION, arrays, **attrs), arrays)
    if has_attention(device.target):
        assert [k.family for k in plan.kernels] == ["attention"]
    for found, want in zip(got, exact(ATTENTION, arrays, **attrs), strict=True):
        np.testing.assert_allclose(found, want, rtol=1e-5, atol=3e-6)


@pytest.mark.parametrize("shape", [(1, 1), (2, 1, 1), (1, 4), (4, 1), (2, 2)])
def test_gradients_that_are_one(device: Any, shape: Any) -> None:
    """Of an attention to itself with sides of one, gradients are the same numbers: each is written all the same."""
    x = normal(*shape)

    def loss(x: Any) -> Any:
        return np.sum(nn.attention(x, x, x) * np.cos(np.arange(x.size)).reshape(x.shape))

    graph = graphc.trace(graphc.grad(loss), x)
    for target in variants(device).values():
        check(device, pipeline.run(graph, pipeline.informed(DEFAULT, target)), target, [x])


@pytest.mark.parametrize(("batch", "t", "s", "d", "e", "causal"), SHAPES)
def test_backward(device: Any, batch: Any, t: Any, s: Any, d: Any, e: Any, causal: Any) -> None:
    attrs = {"causal": causal, "scale": 1 / math.sqrt(d)}
    arrays = backward_operands(batch, t, s, d, e, **attrs)
    got, plan = run(device, graph_of(BACKWARD, arrays, **attrs), arrays)
    if has_attention(device.target):
        assert [k.family for k in plan.kernels] == ["attention"] * 2
    for found, want in zip(got, exact(BACKWARD, arrays, **attrs), strict=True):
        np.testing.assert_allclose(found, want, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("variant", ["no subgroups", "small grid", "wide", "hardware"])
def test_other_devices(device: Any, variant: Any) -> None:
    batch, t, s, d, e = (3,), 19, 37, 8, 8
    attrs = {"causal": variant == "small grid", "scale": 0.3}
    target = (variants(device) | {"hardware": replace(device.target, software=False)})[variant]
    for op, arrays in (
        (ATTENTION, operands(batch, t, s, d, e)),
        (BACKWARD, backward_operands(batch, t, s, d, e, **attrs)),
    ):
        got, plan = run(device, graph_of(op, arrays, **attrs), arrays, target)
        assert all((k.family == "attention") == has_attention(target) for k in plan.kernels)
        for found, want in zip(got, exact(op, arrays, **attrs), strict=True):
            np.testing.assert_allclose(found, want, rtol=2e-5, atol=2e-5)


BLOCKED = [
    ((2,), 70, 70, 64, 64, True),
    ((), 33, 131, 24, 40, True),
    ((1, 2), 40, 19, 10, 7, False),
    ((2,), 70, 90, 32, 24, True),
    ((), 5, 9, 1, 2, True),
    pytest.param((3,), 131, 131, 8, 8, True, marks=pytest.mark.slow),
    pytest.param((2,), 67, 64, 128, 128, False, marks=pytest.mark.slow),
    pytest.param((), 3, 259, 33, 66, True, marks=pytest.mark.slow),
    pytest.param((2,), 70, 200, 100, 36, True, marks=pytest.mark.slow),
    pytest.param((1,), 128, 192, 32, 32, True, marks=pytest.mark.slow),
]


@pytest.mark.parametrize("op", [ATTENTION, BACKWARD], ids=["forward", "backward"])
@pytest.mark.parametrize(("batch", "t", "s", "d", "e", "causal"), BLOCKED)
def test_blocks_in_workgroup_memory(
    device: Any, op: Any, batch: Any, t: Any, s: Any, d: Any, e: Any, causal: Any
) -> None:
    attrs = {"causal": causal, "scale": 1 / math.sqrt(d)}
    arrays = (operands if op is ATTENTION else partial(backward_operands, **attrs))(batch, t, s, d, e)
    got, plan = run(device, graph_of(op, arrays, **attrs), arrays, variants(device)["wide"])
    assert [k.family for k in plan.kernels] == ["attention"] * (1 if op is ATTENTION else 2)
    assert not any(k.needs for k in plan.kernels)
    for found, want in zip(got, exact(op, arrays, **attrs), strict=True):
        np.testing.assert_allclose(found, want, rtol=2e-5, atol=2e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("batch", "t", "s", "d", "e", "causal"), [((2, 2), 70, 133, 64, 64, True), ((), 65, 64, 20, 128, False)]
)
def test_every_block_computes_the_same(device: Any, batch: Any, t: Any, s: Any, d: Any, e: Any, causal: Any) -> None:
    attrs = {"causal": causal, "scale": 0.125}
    target = variants(device)["wide"]
    for op, arrays in (
        (ATTENTION, operands(batch, t, s, d, e)),
        (BACKWARD, backward_operands(batch, t, s, d, e, **attrs)),
    ):
        graph = graph_of(op, arrays, **attrs)
        want = exact(op, arrays, **attrs)
        problems = {found.name: found.candidates for _, found in searches(graph.nodes[0], {}, target)}
        for n in range(max(map(len, problems.values()))):
            chosen = {name: tiles[min(n, len(tiles) - 1)] for name, tiles in problems.items()}
            got, _ = run(device, graph, arrays, replace(target, choices=chosen))
            for found, wanted in zip(got, want, strict=True):
                np.testing.assert_allclose(found, wanted, rtol=5e-5, atol=5e-5)


GPU = Target("gpu", subgroup=32, features=frozenset({"subgroup"}))


@pytest.mark.parametrize("sides", [(256, 256), (1000, 8192), (40, 33), (1, 500), (16, 16)], ids=str)
@pytest.mark.parametrize("head", [64, 128, 8])
def test_gpus_share_what_they_read_where_there_is_enough(sides: Any, head: int) -> None:
    attrs, (t, s) = {"causal": True, "scale": 0.125}, (min(sides), max(sides))
    for target in (GPU, replace(GPU, subgroup=0, features=frozenset())):
        for op in (ATTENTION, BACKWARD):
            b = Builder()
            shapes = [(2, t, head), (2, s, head), (2, s, head), (2, t, head), (2, t), (2, t)]
            inputs = [b.input(TensorType(shape, f32)) for shape in shapes[: 3 if op is ATTENTION else 6]]
            plan = lower(b.build(b.add(op, *inputs, **attrs)), target)
            assert {k.family for k in plan.kernels} == {"attention"}
            blocks = target.subgroup == 0 or (t >= 32 and head >= 16)
            assert all(("subgroup" in k.needs) != blocks for k in plan.kernels)


def test_browsers_accept_every_block() -> None:
    kernels: dict[str, Any] = {}
    attrs = {"causal": True, "scale": 0.125, "keep": 0.8, "boost": 1.25}
    for op, _, graph in textured(batch=(2, 3), t=70, **attrs):
        problems = {found.name: found.candidates for _, found in searches(graph.nodes[0], {}, Target())}
        for n in range(max(map(len, problems.values()))):
            chosen = {name: tiles[min(n, len(tiles) - 1)] for name, tiles in problems.items()}
            plan = lower(graph, Target(choices=chosen))
            kernels |= {f"{op.name} {k.name} {n}": (k.wgsl, k.needs) for k in plan.kernels}
    assert len(kernels) > 20
    assert tint.errors(kernels) == {}


PARTED = [
    ((), 7, 200, 8, 8, False, None),
    ((2,), 90, 130, 16, 8, True, None),
    pytest.param((), 130, 140, 9, 5, False, 0.8, marks=pytest.mark.slow),
    pytest.param((1, 2), 300, 300, 16, 8, True, 0.8, marks=pytest.mark.slow),
    pytest.param((), 7, 515, 40, 12, True, None, marks=pytest.mark.slow),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("batch", "t", "s", "d", "e", "causal", "keep"), PARTED)
def test_kernels_that_visit_some_columns_each_make_the_same(
    device: Any,
    monkeypatch: pytest.MonkeyPatch,
    batch: Any,
    t: Any,
    s: Any,
    d: Any,
    e: Any,
    causal: Any,
    keep: Any,
    kind: str,
) -> None:
    target = variants(device)[kind]
    attrs = {"causal": causal, "scale": 0.3} | ({} if keep is None else {"keep": keep, "boost": 1 / keep})
    more = [] if keep is None else [np.array([5, 11], np.uint32)]
    arrays = [*operands(batch, t, s, d, e), *more]
    out, lse = ATTENTION.reference(*arrays, **attrs)
    dout = normal(*out.shape, seed=3)
    backward = [*arrays[:3], dout, lse, np.sum(dout * out, axis=-1), *more]
    for op, given in ((ATTENTION, arrays), (BACKWARD, backward)):
        graph = graph_of(op, given, **attrs)
        monkeypatch.setattr(attention, "MOST_TURNS", MOST_TURNS)
        whole, plan = run(device, graph, given, target)
        most = max(k.turns for k in plan.kernels)
        monkeypatch.setattr(attention, "MOST_TURNS", most // 2 + 1)
        parted, longer = run(device, graph, given, target)
        if has_attention(target):
            assert len(longer.dispatches) > len(plan.dispatches)
            assert max(k.turns for k in longer.kernels) < most
        for found, want in zip(parted, whole, strict=True):  # causal gradients of keys add in another order
            np.testing.assert_allclose(found, want, rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("keys", [70_001, pytest.param(1_000_000, marks=pytest.mark.slow)])
def test_a_few_queries_over_more_keys_than_a_loop_turns(device: Any, keys: Any) -> None:
    arrays = operands((), 3, keys, 8, 4)
    got, _ = run(device, graph_of(ATTENTION, arrays, causal=True, scale=0.3), arrays)
    for found, want in zip(got, exact(ATTENTION, arrays, causal=True, scale=0.3), strict=True):
        np.testing.assert_allclose(found, want, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_dropout(device: Any, kind: str) -> None:
    target = variants(device)[kind]
    attrs = {"causal": True, "scale": 0.5, "keep": 0.8, "boost": 1.25}
    key = np.array([5, 11], np.uint32)
    q, k, v = operands((2, 2), 21, 38, 8, 8)
    out, lse = ATTENTION.reference(q, k, v, key, **attrs)
    dout = normal(*out.shape, seed=3)
    for op, arrays in (
        (ATTENTION, [q, k, v, key]),
        (BACKWARD, [q, k, v, dout, lse, np.sum(dout * out, axis=-1), key]),
    ):
        got, plan = run(device, graph_of(op, arrays, **attrs), arrays, target)
        if has_attention(target):
            assert {kernel.family for kernel in plan.kernels} == {"attention"}
        for found, want in zip(got, op.reference(*arrays, **attrs), strict=True):
            np.testing.assert_allclose(found, want, rtol=2e-5, atol=2e-5)


def test_what_the_kernels_do_not_compute_is_expanded(device: Any) -> None:
    attrs = {"causal": True, "scale": 0.1}
    arrays = operands((2,), 9, 9, 130, 5)
    (got, lse), plan = run(device, graph_of(ATTENTION, arrays, **attrs), arrays)
    assert "attention" not in {k.family for k in plan.kernels}
    want, want_lse = exact(ATTENTION, arrays, **attrs)
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=3e-6)
    np.testing.assert_allclose(lse, want_lse, rtol=1e-5, atol=3e-6)


def block(x: Any, w: Any, out: Any) -> Any:
    """Attention of heads side by side in the last axis, its result merged likewise."""
    b, t, c = x.shape
    q, k, v = (h.reshape(b, t, 3, c // 3).transpose(0, 2, 1, 3) for h in np.split(x @ w, 3, axis=-1))
    return nn.attention(q, k, v, causal=True).transpose(0, 2, 1, 3).reshape(b, t, c) @ out


def block_loss(x: Any, w: Any, out: Any) -> Any:
    return np.mean(block(x, w, out) ** 2)


@pytest.mark.parametrize("kind", KINDS)
def test_heads_are_read_in_place(device: Any, kind: str) -> None:
    target = variants(device)[kind]
    arrays = [normal(2, 21, 24), normal(24, 72, seed=1) * 0.3, normal(24, 24, seed=2) * 0.3]
    for fn in (block, graphc.value_and_grad(block_loss, argnums=(0, 1, 2))):
        traced = graphc.trace(fn, *arrays)
        graph = pipeline.run(traced, DEFAULT)
        got, plan = run(device, graph, arrays, target)
        if has_attention(target):
            assert sum(k.family == "attention" for k in plan.kernels) == (1 if fn is block else 3)
            assert not any("transpose" in k.name or "map_copy" in k.name for k in plan.kernels)
        for found, want in zip(got, evaluate(traced, arrays), strict=True):
            np.testing.assert_allclose(found, want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_nan_and_infinity_reach_the_rows_that_see_them(device: Any, kind: str) -> None:
    target = variants(device)[kind]
    q, k, v = operands((2,), 20, 20, 8, 8)
    q[0, 3, 2] = np.nan
    k[1, 11, 0] = np.inf
    v[0, 15, 4] = np.nan
    attrs = {"causal": True, "scale": 0.5}
    (got, lse), _ = run(device, graph_of(ATTENTION, [q, k, v], **attrs), [q, k, v], target)
    rows = np.arange(20)
    assert np.isnan(got[0, 3]).all()
    assert np.isnan(lse[0, 3])
    # Plain NumPy multiplies hidden values by 0 all the same: there the value that is NaN reaches every row.
    assert np.isnan(got[0, rows >= 15, 4]).all()
    assert np.isfinite(got[0, rows != 3][:, [0, 1, 2, 3, 5, 6, 7]]).all()
    assert np.isfinite(got[1, :11]).all()
    with np.errstate(invalid="ignore"):
        want = ATTENTION.reference(q, k, v, **attrs)[0]
    np.testing.assert_array_equal(np.isnan(got[1]), np.isnan(want[1]))


@pytest.mark.parametrize("kind", KINDS)
def test_large_scores_do_not_overflow(device: Any, kind: str) -> None:
    target = variants(device)[kind]
    arrays = operands((), 40, 40, 16, 16)
    arrays[0] *= 1000
    attrs = {"causal": True, "scale": 1.0}
    (got, lse), _ = run(device, graph_of(ATTENTION, arrays, **attrs), arrays, target)
    want, want_lse = exact(ATTENTION, arrays, **attrs)
    np.testing.assert_allclose(lse, want_lse, rtol=1e-5)
    assert np.isfinite(got).all()
    assert np.abs(got - want).max() < 0.02


@pytest.mark.parametrize("kind", KINDS)
def test_results_are_the_same_each_time(device: Any, kind: str) -> None:
    target = variants(device)[kind]
    attrs = {"causal": True, "scale": 0.25}
    arrays = backward_operands((2, 2), 45, 45, 16, 16, **attrs)
    first, _ = run(device, graph_of(BACKWARD, arrays, **attrs), arrays, target)
    second, _ = run(device, graph_of(BACKWARD, arrays, **attrs), arrays, target)
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_gradient_that_nobody_needs_is_not_computed() -> None:
    def loss(q: Any, k: Any, v: Any) -> Any:
        return np.sum(nn.attention(q, k, v, causal=True) ** 2)

    arrays = operands((2,), 9, 9, 8, 8)
    for wanted, kernels in (((0,), ["queries"]), ((2,), ["keys"]), ((1, 2), ["keys"])):
        traced = graphc.trace(graphc.grad(loss, argnums=wanted), *arrays)
        graph = pipeline.run(traced, [p for p in DEFAULT if p is not megakernel])
        for target in (SOFTWARE, Target("discrete", subgroup=32, features=frozenset({"subgroup"}))):
            names = [k.name for k in lower(graph, target).kernels if k.family == "attention"]
            assert names == ["attention_forward", *(f"attention_{k}" for k in kernels)]


SOFTWARE = Target("software", subgroup=8, software=True, features=frozenset({"subgroup"}))


def marked(graph: Graph) -> Graph:
    """The graph with its only node claimed for kernels, and marked as the pass `textures` marks a large one."""
    graph = graph if graph.nodes[0].op is fused else Attention()(graph)
    (node,) = graph.nodes
    body = node.attrs["body"] if node.op is fused else Graph(graph.inputs, {}, (node,), node.outputs)
    (at,) = (i for i, op in enumerate(body.nodes) if op.op in (ATTENTION, BACKWARD))
    attrs = {"body": body, "family": "attention", "why": (), "textured": (at,)}
    return replace(graph, nodes=(Node(fused, graph.inputs, graph.outputs, attrs),))


def textured(batch: Any = (2,), t: Any = 45, s: Any = 70, d: Any = 64, e: Any = 64, **attrs: Any) -> Iterator[Any]:
    """Both ops with the operands that they would read from textures, and dropout with a key."""
    key = [np.array([5, 11], np.uint32)] if "keep" in attrs else []
    q, k, v = operands(batch, t, s, d, e)
    out, lse = ATTENTION.reference(q, k, v, *key, **attrs)
    dout = normal(*out.shape, seed=3)
    delta = np.sum(dout * out, axis=-1)
    for op, arrays in ((ATTENTION, [q, k, v, *key]), (BACKWARD, [q, k, v, dout, lse, delta, *key])):
        yield op, arrays, marked(graph_of(op, arrays, **attrs))


@pytest.mark.parametrize("dropout", [{}, {"keep": 0.8, "boost": 1.25}], ids=["plain", "dropout"])
def test_operands_in_textures(device: Any, dropout: Any) -> None:
    attrs = {"causal": True, "scale": 0.125, **dropout}
    for op, arrays, graph in textured(**attrs):
        got, plan = run(device, graph, arrays)
        assert len(plan.textures) == (len(plan.dispatches[0].copies) if prefers_texels(device.target) else 0)
        for found, want in zip(got, op.reference(*arrays, **attrs), strict=True):
            np.testing.assert_allclose(found, want, rtol=2e-5, atol=5e-5)


@pytest.mark.slow
def test_every_tile_computes_the_same(device: Any) -> None:
    attrs = {"causal": False, "scale": 0.125}
    for op, arrays, graph in textured(**attrs):
        want = exact(op, arrays, **attrs)
        for alone, found in searches(graph.nodes[0], {}, device.target):
            assert sum(d.flops for d in lower(alone, device.target).dispatches) > 0
            for choice in found.candidates[1:4]:
                target = replace(device.target, choices={found.name: choice})
                got, plan = run(device, graph, arrays, target)
                if len(plan.kernels) == 1:
                    assert bool(plan.textures) == bool(choice[1])
                for result, wanted in zip(got, want, strict=True):
                    np.testing.assert_allclose(result, wanted, rtol=5e-5, atol=5e-5)


def test_which_operands_are_read_from_textures() -> None:
    attrs = {"causal": True, "scale": 0.125}
    for op, _, graph in textured(**attrs):
        plan = lower(graph, SOFTWARE)
        assert len(plan.textures) == (3 if op is ATTENTION else 4)
        for kernel in plan.kernels:
            assert kernel.wgsl.count("texture_storage_2d<rgba32float, read>") == (3 if op is ATTENTION else 4)
        for other in (replace(SOFTWARE, software=False), replace(SOFTWARE, max_texture=0)):
            assert not lower(graph, other).textures
        unmarked = replace(graph, nodes=(replace(graph.nodes[0], attrs=graph.nodes[0].attrs | {"textured": ()}),))
        assert not lower(unmarked, SOFTWARE).textures
    for _, _, graph in textured(d=60, e=64, **attrs):
        assert {len(d.copies) for d in lower(graph, SOFTWARE).dispatches} <= {0, 1, 2}


def test_heads_are_read_from_one_texture(device: Any) -> None:
    arrays = [normal(2, 24, 192), normal(192, 576, seed=1) * 0.1, normal(192, 192, seed=2) * 0.1]
    traced = graphc.trace(block, *arrays)
    graph = pipeline.run(traced, DEFAULT)
    nodes = [n if n.attrs.get("family") != "attention" else marked(_alone(n)).nodes[0] for n in graph.nodes]
    graph = replace(graph, nodes=tuple(nodes))
    got, plan = run(device, graph, arrays)
    assert len(plan.textures) == int(prefers_texels(device.target))
    np.testing.assert_allclose(got[0], evaluate(traced, arrays)[0], rtol=1e-4, atol=1e-5)


def _alone(node: Node) -> Graph:
    return Graph(node.inputs, {}, (node,), node.outputs)


def test_large_attention_is_marked() -> None:
    def attend(q: Any, k: Any, v: Any) -> Any:
        return nn.attention(q, k, v, causal=True)

    for length, found in ((256, True), (32, False)):
        graph = pipeline.run(graphc.trace(attend, *operands((4, 6), length, length, 64, 64)), DEFAULT)
        assert any(textures.textured(node) for node in graph.nodes) == found
        assert bool(lower(graph, SOFTWARE).textures) == found


def test_browsers_accept_kernels_that_read_textures() -> None:
    for _, _, graph in textured(causal=True, scale=0.125, keep=0.8, boost=1.25):
        plan = lower(graph, SOFTWARE)
        assert tint.errors({k.name: (k.wgsl, k.needs) for k in plan.kernels}) == {}
