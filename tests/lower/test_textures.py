"""Operands of large products in textures: the plan as data, verified and replayed, and results on the device."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import reference
from graphc.analysis.loops import flatten
from graphc.codegen.kernel import texels
from graphc.codegen.rules import prefers_texels
from graphc.errors import GraphError
from graphc.ir.graph import Builder, Value, new_value
from graphc.ir.index import Index, variable
from graphc.ir.types import TensorType, f32
from graphc.lower import lower
from graphc.ops import by_name
from graphc.passes import DEFAULT, pipeline, run
from graphc.passes.marks.textures import textures
from graphc.plan.plan import Plan, Target
from graphc.plan.verify import check_plan
from graphc.tracing.trace import trace
from tests.support import tint

UNFUSED = (*pipeline.LEGALIZE, textures)
SOFTWARE = Target("software", subgroup=8, software=True, features=frozenset({"subgroup"}))


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def projections(shape: Any = (2, 96, 192), width: Any = 256) -> Any:
    """Two products of one activation, and the gradient of the first one's weight: x @ u, x @ v, x.T @ (x @ u)."""
    builder = Builder()
    matmul, reshape, transpose = (by_name(n) for n in ("matmul", "reshape", "transpose"))
    x = builder.input(TensorType(shape, f32))
    weights = [builder.input(TensorType((shape[-1], width), f32)) for _ in range(2)]
    left, right = (builder.apply(matmul, x, w) for w in weights)
    rows = shape[0] * shape[1]
    columns = builder.apply(transpose, builder.apply(reshape, x, shape=(rows, shape[-1])), perm=(1, 0))
    gradient = builder.apply(matmul, columns, builder.apply(reshape, left, shape=(rows, width)))
    return textures(builder.build([right, gradient]))


def lowered(**change: Any) -> Any:
    graph = projections()
    return graph, lower(graph, replace(SOFTWARE, **change))


def arrays() -> list[np.ndarray]:
    return [normal(2, 96, 192), normal(192, 256, seed=1), normal(192, 256, seed=2)]


def wanted(x: Any, u: Any, v: Any) -> Any:
    x, u, v = (a.astype(float) for a in (x, u, v))
    return x @ v, x.reshape(-1, x.shape[-1]).T @ (x @ u).reshape(-1, u.shape[-1])


def test_an_operand_of_several_products_is_copied_once() -> None:
    _, plan = lowered()
    first = plan.tensors[plan.inputs[0]].name
    copied = [plan.tensors[s.tensor].name for d in plan.dispatches for s in d.copies]
    assert copied.count(first) == 1
    assert any(b.access == "texture" for b in plan.dispatches[1].bindings)
    assert plan.memory["texture_bytes"] == sum(t.nbytes for t in plan.textures) > 0
    assert "texture_storage_2d<rgba32float, read>" in plan.kernels[0].wgsl
    assert "to texture 0" in str(plan)


def test_heads_are_merged_where_texels_are_read(device: Any) -> None:
    """Attention's result [batch, heads, time, 64] as rows of the next product: only divisions by powers of two."""

    def project(heads: Any, weight: Any) -> Any:
        return np.reshape(np.transpose(heads, (0, 2, 1, 3)), (2, 256, 192)) @ weight

    heads, weight = normal(2, 3, 256, 64), normal(192, 192, seed=1)
    graph = run(trace(project, heads, weight), DEFAULT)
    (dispatch,) = lower(graph, SOFTWARE).dispatches
    assert [b.access for b in dispatch.bindings].count("texture") == 2
    got = graphc.compile(project, device=device)(heads, weight)
    np.testing.assert_allclose(got, project(heads.astype(float), weight), rtol=1e-4, atol=1e-4)


def test_the_device_computes_the_same_with_and_without_textures(device: Any) -> None:
    graph = projections()
    for target in (device.target, replace(device.target, max_texture=0)):
        plan = lower(graph, target)
        got = device.prepare(graph, plan, frozenset())(arrays())
        for result, want in zip(got, wanted(*arrays()), strict=True):
            np.testing.assert_allclose(np.asarray(result), want, rtol=1e-4, atol=2e-3)


def test_a_saved_plan_is_the_same_plan_and_replays() -> None:
    graph, plan = lowered()
    again = Plan.from_json(plan.to_json())
    assert again == plan
    got = reference.run_plan(again, graph, arrays())
    for result, want in zip(got, wanted(*arrays()), strict=True):
        np.testing.assert_allclose(result, want, rtol=1e-4, atol=2e-3)


def test_profiling_times_every_dispatch_between_the_copies(device: Any) -> None:
    w = normal(384, 384, seed=1)
    profile = graphc.compile(lambda x: np.maximum(x @ w, 0) @ w, device=device).lower(normal(128, 384))
    assert profile.plan.textures or not prefers_texels(device.target)
    measured = profile.profile(normal(128, 384), repeat=1)
    assert len(measured.timings) == len(profile.plan.dispatches)


@pytest.mark.parametrize("edit", ["no copy", "wrong tensor", "wrong place", "wrong size"])
def test_a_texture_that_does_not_hold_its_operand_is_found(edit: Any) -> None:
    graph, plan = lowered()
    first = plan.dispatches[0]
    copy = first.copies[0]
    copies = {
        "no copy": first.copies[1:],
        "wrong tensor": (replace(copy, tensor=first.copies[1].tensor), *first.copies[1:]),
        "wrong place": (replace(copy, offset=copy.offset + 256), *first.copies[1:]),
        "wrong size": first.copies,
    }[edit]
    textures = plan.textures
    if edit == "wrong size":
        textures = (replace(textures[0], height=textures[0].height + 1), *textures[1:])
    broken = replace(plan, textures=textures, dispatches=(replace(first, copies=copies), *plan.dispatches[1:]))
    check_plan(plan)
    with pytest.raises(GraphError, match=r"texture|copies"):
        check_plan(broken)
    if edit in ("no copy", "wrong tensor"):
        with pytest.raises(GraphError, match="texture"):
            reference.run_plan(broken, graph, arrays())


def test_small_or_ragged_products_and_other_targets_read_buffers() -> None:
    builder = Builder()
    a, b = builder.input(TensorType((16, 64), f32)), builder.input(TensorType((64, 64), f32))
    small = textures(builder.build([builder.apply(by_name("matmul"), a, b)]))
    assert not lower(small, SOFTWARE).textures
    ragged = lower(projections(shape=(2, 96, 190)), SOFTWARE)
    assert ragged.textures
    assert ragged.inputs[0] not in {s.tensor for d in ragged.dispatches for s in d.copies}
    for target in (Target(), replace(SOFTWARE, software=False), replace(SOFTWARE, subgroup=4)):
        assert not lower(projections(), target).textures


def tensor(*shape: int) -> Value:
    return new_value(TensorType(shape, f32), "x")


@pytest.mark.parametrize("rows", [8192, 8194, 16384, 40000])
def test_long_matrices_are_folded_into_the_limit(rows: Any) -> None:
    layout = texels(tensor(rows, 64), SOFTWARE)
    assert layout is not None
    assert layout.height <= 8192 >= layout.width
    assert layout.width * layout.height * 16 == rows * 64 * 4
    assert texels(tensor(8193, 64), SOFTWARE) is None
    assert texels(tensor(16, 96), SOFTWARE) is None


def test_a_folded_operand_is_read_where_it_lies(device: Any) -> None:
    target = replace(device.target, max_texture=128)
    graph = projections(shape=(2, 160, 128), width=256)
    plan = lower(graph, target)
    x, u, v = normal(2, 160, 128), normal(128, 256, seed=1), normal(128, 256, seed=2)
    if prefers_texels(target):
        assert any(t.height < 320 for t in plan.textures)
    for result, want in zip(device.prepare(graph, plan, frozenset())([x, u, v]), wanted(x, u, v), strict=True):
        np.testing.assert_allclose(np.asarray(result), want, rtol=1e-4, atol=2e-3)


def test_a_reshape_that_keeps_rows_keeps_the_matrix_position() -> None:
    index = Index((160, 192), [variable("m", 160), variable("k", 192)]).reshaped((2, 80, 192))
    assert [i.text for i in index.matrix] == ["m", "k"]
    assert [i.text for i in Index((2, 3), flat=variable("i", 6)).matrix] == ["(i / 3u)", "(i % 3u)"]


def test_browsers_accept_the_kernels() -> None:
    _, plan = lowered()
    assert tint.errors({k.name: (k.wgsl, k.needs) for k in plan.kernels}) == {}


def test_a_loop_copies_what_its_steps_change(device: Any) -> None:
    w = normal(128, 256, seed=1) / 16
    back = normal(256, 128, seed=2) / 16

    def loop(x: Any) -> Any:
        return graphc.scan(lambda h, _: (np.tanh(h @ w) @ back, h.sum()), x, np.zeros(3, np.float32))

    x = normal(512, 128)
    compiled = graphc.compile(loop, device=device)
    plan = compiled.lower(x).plan
    assert plan.loops
    assert plan.textures or not prefers_texels(device.target)
    h = x.astype(float)
    for _ in range(3):
        h = np.tanh(h @ w) @ back
    np.testing.assert_allclose(np.asarray(compiled(x)[0]), h, rtol=1e-4, atol=1e-4)


def chain(length: int = 3, rows: int = 320, width: int = 256) -> Any:
    """tanh(... tanh(x @ w0) @ w1 ...): each product needs the one before, no weight needs anything."""

    def layers(x: Any, *weights: Any) -> Any:
        for w in weights:
            x = np.tanh(x @ w)
        return x

    shapes = [graphc.spec((rows, width)), *[graphc.spec((width, width))] * length]
    return run(trace(layers, *shapes), DEFAULT)


def test_copies_are_gathered_where_one_of_them_has_to_be() -> None:
    def program(x: Any, y: Any, u: Any, v: Any) -> Any:
        return np.tanh(x @ u) @ v + y @ v

    graph = run(trace(program, *(graphc.spec(s) for s in ((320, 256), (320, 256), (256, 256), (256, 256)))), UNFUSED)
    plan = lower(graph, SOFTWARE)
    named = {plan.tensors[t].name: "xyuv"[i] for i, t in enumerate(plan.inputs)}
    copied = ["".join(named.get(plan.tensors[s.tensor].name, "h") for s in d.copies) for d in plan.dispatches]
    products = [d.kernel for d in plan.dispatches if plan.kernels[d.kernel].family == "matmul"]
    assert len(products) == 3
    assert [c for c in copied if c] == ["xu", "hvy"]  # y is read last, and is there already
    arrays = [normal(*v.type.shape, seed=n) / 16 for n, v in enumerate(graph.inputs)]
    for result, want in zip(reference.run_plan(plan, graph, arrays), reference.run(graph, arrays), strict=True):
        np.testing.assert_array_equal(result, want)


def test_a_tensor_that_is_copied_before_it_is_written_is_found() -> None:
    graph = chain()
    plan = lower(graph, SOFTWARE)
    first, second, third = plan.dispatches
    early = replace(first, copies=(*first.copies, *second.copies))
    broken = replace(plan, dispatches=(early, replace(second, copies=()), third))
    with pytest.raises(GraphError, match="has written yet"):
        check_plan(broken)
    with pytest.raises(GraphError, match="hold no value"):
        reference.run_plan(broken, graph, [normal(*v.type.shape) for v in graph.inputs])


def test_a_texture_that_is_overwritten_too_early_is_found() -> None:
    graph = chain()
    plan = lower(graph, SOFTWARE)
    first, second, third = plan.dispatches
    (late,) = (s for s in third.copies if plan.buffers[s.buffer].kind == "input")
    moved = replace(first, copies=(*first.copies, late))
    left = replace(third, copies=tuple(s for s in third.copies if s is not late))
    broken = replace(plan, dispatches=(moved, second, left))
    with pytest.raises(GraphError, match="does not hold it"):
        check_plan(broken)
    with pytest.raises(GraphError, match="reads texture"):
        reference.run_plan(broken, graph, [normal(*v.type.shape) for v in graph.inputs])


def test_no_copy_is_moved_into_a_loop_or_out_of_one() -> None:
    w, u = normal(256, 256, seed=1) / 16, normal(256, 256, seed=2) / 16

    def program(x: Any) -> Any:
        x = np.tanh(x @ w)
        x = graphc.scan(lambda h, _: (np.tanh(h @ u) @ w, h[0, 0]), x, np.zeros(3, np.float32))[0]
        return x @ u

    graph = run(trace(program, normal(512, 256)), DEFAULT)
    plan = lower(graph, SOFTWARE)
    (loop,) = plan.loops
    inside = range(loop.first, loop.last + 1)
    assert {plan.textures[s.texture].width for d in plan.dispatches for s in d.copies} == {64}
    for number, dispatch in enumerate(plan.dispatches):
        for copy in dispatch.copies:
            readers = [
                n
                for n, d in enumerate(plan.dispatches)
                if any((b.tensor, b.texture) == (copy.tensor, copy.texture) for b in d.bindings)
            ]
            assert any((n in inside) == (number in inside) and n >= number for n in readers)
    x = normal(512, 256)
    (result,) = reference.run_plan(plan, flatten(graph).graph, [x])
    np.testing.assert_allclose(result, program_in_numpy(x.astype(float), w, u), rtol=1e-4, atol=1e-4)


def program_in_numpy(x: Any, w: Any, u: Any) -> Any:
    x = np.tanh(x @ w)
    for _ in range(3):
        x = np.tanh(x @ u) @ w
    return x @ u
