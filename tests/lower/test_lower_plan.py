"""What lowering puts in a plan: aliases, in-place updates, donation, copies of outputs, shared kernels, records."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.errors import GraphError, OutOfMemoryError
from graphc.ir.graph import Builder, Graph, evaluate
from graphc.ir.types import i32
from graphc.lower import lower
from graphc.ops.structured import call, fused
from graphc.plan.plan import Plan, Target
from tests.support.lowering import Body, as_kernel, check, execute, random_arrays

TARGET = Target()


def kinds(plan: Plan) -> list[str]:
    return [buffer.kind for buffer in plan.buffers]


def chain(*names: str, shape: tuple[int, ...] = (5, 7)) -> Graph:
    """Ops applied one after the other to an input."""
    b = Body()
    last = b.tensor(*shape)
    for name in names:
        last = b(name, last)
    return b.build([last])


def test_a_reshape_costs_nothing(device: Any) -> None:
    b = Body()
    x = b.tensor(4, 6)
    y = b("reshape", b("neg", x), shape=(3, 8))
    graph = b.build([b("exp", y)])
    plan = check(device, graph, device.target)
    assert len(plan.dispatches) == 2
    assert sum(t.alias is not None for t in plan.tensors) >= 1


def test_a_chain_runs_in_place_in_one_arena_slot(device: Any) -> None:
    graph = chain("neg", "tanh", "neg", "abs", "exp")
    plan = check(device, graph, device.target)
    assert plan.memory["peak_bytes"] == 256
    assert plan.memory["naive_bytes"] == 4 * 256
    assert [len(d.bindings) for d in plan.dispatches] == [2, 1, 1, 1, 2]


def test_nothing_is_overwritten_that_is_read_later(device: Any) -> None:
    b = Body()
    x = b.tensor(6, 6)
    y = b("neg", x)
    z = b("exp", y)  # y lives on
    t = b("transpose", y, perm=(1, 0))  # not read at its own position
    graph = b.build([b("add", b("add", z, t), y)])
    plan = check(device, graph, device.target)
    assert len({(d.bindings[-1].buffer, d.bindings[-1].offset) for d in plan.dispatches[:3]}) == 3


def test_an_output_that_is_an_input_or_given_twice_or_a_constant_is_copied(device: Any) -> None:
    b = Body()
    x = b.tensor(3, 4)
    y = b("neg", x)
    flat = b("reshape", y, shape=(12,))
    c = b.constant(np.arange(5, dtype=np.float32))
    graph = b.build([x, y, y, flat, c, x])
    plan = check(device, graph, device.target)
    assert sum(d.node == -1 for d in plan.dispatches) == 5
    assert len({plan.tensors[t].buffer for t in plan.outputs}) == 6
    assert plan.tensors[plan.outputs[3]].shape == (12,)


def test_an_output_that_is_a_reshape_has_its_own_shape(device: Any) -> None:
    b = Body()
    graph = b.build([b("reshape", b("neg", b.tensor(3, 4)), shape=(2, 6))])
    plan = check(device, graph, device.target)
    assert plan.tensors[plan.outputs[0]].shape == (2, 6)
    assert len(plan.dispatches) == 1


def test_empty_tensors_have_no_kernel(device: Any) -> None:
    b = Body()
    x = b.tensor(0, 4)
    graph = b.build([b("neg", x), b("sum", x, axes=(0,), keepdims=False), x, b("sum", x, axes=(1,), keepdims=False)])
    plan = check(device, graph, device.target)
    assert len(plan.dispatches) == 1


def update() -> Graph:
    """p - 0.5 g, the step of an optimiser, as one kernel."""
    b = Body()
    p, g = b.tensor(8, 9), b.tensor(8, 9)
    return as_kernel(b.build([b("sub", p, b("mul", g, 0.5))]), "map")


def test_a_donated_input_is_updated_in_place(device: Any) -> None:
    graph = update()
    plan = lower(graph, device.target, frozenset({0}))
    assert plan.donated == ((0, 0),)
    assert kinds(plan) == ["input", "input"]
    assert plan.kernels[0].access == ("read", "read_write")
    assert plan.tensors[plan.outputs[0]].alias == plan.tensors[plan.inputs[0]].name
    arrays = random_arrays(graph)
    for got, want in zip(execute(device, graph, plan, arrays, frozenset({0})), evaluate(graph, arrays), strict=True):
        np.testing.assert_allclose(got, want, 1e-6)
    assert lower(graph, device.target).donated == ()


def test_a_donated_input_that_is_dead_before_gives_its_buffer() -> None:
    b = Body()
    x = b.tensor(8, 8)
    total = b("sum", x, axes=(0,), keepdims=False)
    graph = b.build([b("broadcast_to", total, shape=(8, 8))])
    assert lower(graph, TARGET, frozenset({0})).donated == ((0, 0),)


def test_a_donated_input_that_is_read_after_is_kept() -> None:
    b = Body()
    x = b.tensor(8, 8)
    y = b("neg", x)
    graph = b.build([y, b("sum", x, axes=(0,), keepdims=False)])
    assert lower(graph, TARGET, frozenset({0})).donated == ()


def test_a_donated_input_passed_through_needs_no_copy(device: Any) -> None:
    b = Body()
    x = b.tensor(8, 8)
    graph = b.build([x])
    plan = lower(graph, device.target, frozenset({0}))
    assert (plan.donated, plan.dispatches) == (((0, 0),), ())
    (array,) = random_arrays(graph)
    np.testing.assert_array_equal(execute(device, graph, plan, [array], frozenset({0}))[0], array)


def test_each_donated_buffer_is_taken_once(device: Any) -> None:
    b = Body()
    x, y = b.tensor(6, 6), b.tensor(6, 6)
    graph = b.build([b("neg", x), b("exp", y), b("add", b("abs", x), 1.0)])
    plan = lower(graph, device.target, frozenset({0, 1}))
    assert len({i for i, _ in plan.donated}) == len({o for _, o in plan.donated}) == len(plan.donated)
    arrays = random_arrays(graph)
    got = execute(device, graph, plan, arrays, frozenset({0, 1}))
    for a, want in zip(got, evaluate(graph, arrays), strict=True):
        np.testing.assert_allclose(a, want, 1e-6)


def test_a_tensor_given_twice_to_a_fused_node_is_bound_once(device: Any) -> None:
    b = Body()
    x, y, z = b.tensor(4, 6), b.tensor(4, 6), b.tensor(24)
    body = b.build([b("add", b("mul", x, y), b("reshape", b("exp", z), shape=(4, 6)))])
    outer = Body()
    v = outer.tensor(4, 6)
    (out,) = outer.add(fused, v, v, outer("reshape", v, shape=(24,)), body=body, family="map", why=())
    plan = check(device, outer.build([out]), device.target)
    assert len(plan.dispatches[0].bindings) == 2


def test_equal_kernels_are_one() -> None:
    graph = chain("neg", "neg", "exp")
    plan = lower(graph, TARGET)
    assert len(plan.dispatches) == 3
    assert len({k.wgsl for k in plan.kernels}) == len(plan.kernels)
    wide = Body()
    outputs = [wide("exp", wide.tensor(4, 4)) for _ in range(5)]
    assert len(lower(wide.build(outputs), TARGET).kernels) == 1


def test_kernel_names_are_distinct_identifiers() -> None:
    b = Body()
    graph = b.build([b("exp", b.tensor(n)) for n in (3, 8, 9)])
    names = [k.name for k in lower(graph, TARGET).kernels]
    assert len(set(names)) == len(names) == 3
    assert all(name.isidentifier() and name.startswith("map_exp") for name in names)


def test_dispatches_tell_what_they_compute() -> None:
    plan = lower(update(), TARGET)
    (dispatch,) = plan.dispatches
    assert [line.split(" = ")[1].split("(")[0] for line in dispatch.nodes] == ["mul", "sub"]
    assert "0.5" in dispatch.nodes[0]
    assert (dispatch.bytes_read, dispatch.bytes_written, dispatch.flops) == (2 * 72 * 4, 72 * 4, 2 * 72)
    assert dispatch.label.startswith("map: ")
    assert Plan.from_json(plan.to_json()) == plan


def test_two_arenas_where_one_buffer_would_be_too_large(device: Any) -> None:
    b = Body()
    xs = [b("exp", b.tensor(16, 16)) for _ in range(4)]
    ys = [b("transpose", x, perm=(1, 0)) for x in xs]
    total = b("add", b("add", ys[0], ys[1]), b("add", ys[2], ys[3]))
    graph = b.build([total])
    plan = check(device, graph, replace(device.target, max_buffer_bytes=2048))
    assert kinds(plan).count("arena") >= 2
    assert all(buffer.nbytes <= 2048 for buffer in plan.buffers)


def test_a_tensor_larger_than_any_buffer_is_an_error() -> None:
    b = Body()
    graph = b.build([b("exp", b.tensor(1000))])
    with pytest.raises(OutOfMemoryError, match=r"input %0: f32\[1000\] needs 4000 bytes, and a buffer .* 2048"):
        lower(graph, replace(TARGET, max_buffer_bytes=2048))


def test_a_value_larger_than_any_buffer_names_its_line() -> None:
    graph = graphc.trace(lambda x: np.exp(x[:, None] @ x[None]) @ x, graphc.spec(100))
    with pytest.raises(
        OutOfMemoryError, match=r"f32\[100,100\] needs 40000 bytes(.*\n)+  at  test_lower_plan.py:\d+: "
    ):
        lower(graph, replace(TARGET, max_buffer_bytes=2048))


def test_a_node_that_was_not_inlined_is_an_error() -> None:
    b = Body()
    body = b.build([b("exp", b.tensor(3))])
    outer = Builder()
    graph = outer.build(outer.add(call, outer.input(body.inputs[0].type), body=body, name="f", rule=None))
    with pytest.raises(GraphError, match="inline"):
        lower(graph, TARGET)


def test_long_chains_lower_without_recursion() -> None:
    graph = chain(*["neg", "tanh"] * 1000, shape=(8,))
    assert len(lower(graph, TARGET).dispatches) == 2000


def test_a_fused_output_that_is_an_input_or_stands_twice_needs_no_kernel_of_its_own(device: Any) -> None:
    b = Body()
    x, y = b.tensor(4, 5), b.tensor(4, 5, dtype=i32)
    z = b("neg", x)
    graph = as_kernel(b.build([z, y, z, x]), "map")
    plan = lower(graph, device.target)
    arrays = random_arrays(graph)
    for got, want in zip(execute(device, graph, plan, arrays), evaluate(graph, arrays), strict=True):
        np.testing.assert_array_equal(got, want)
    assert sum(d.node == 0 for d in plan.dispatches) == 1


@pytest.mark.parametrize("passes", [(), graphc.passes.DEFAULT])
def test_a_concatenation_of_many_arrays_fits_the_buffers_of_a_kernel(passes: Any) -> None:
    arrays = [np.full((3, 2), i, np.float32) for i in range(40)]
    got = graphc.compile(lambda *xs: np.concatenate(xs, axis=1), passes=passes)(*arrays)
    np.testing.assert_array_equal(np.asarray(got), np.concatenate(arrays, axis=1))


def test_a_result_of_the_row_does_not_overwrite_what_the_row_still_needs(device: Any) -> None:
    b = Body()
    x, s = b.tensor(4, 3), b.tensor(4, 1)
    offset = b("cumsum", s, axis=0, reverse=False)
    inner = Body()
    row, start = inner.tensor(4, 3), inner.tensor(4, 1)
    total = inner("sum", row, axes=(1,), keepdims=True)
    body = inner.build([total, inner("add", row, start)])
    outputs = b.add(fused, x, offset, body=body, family="row", why=())
    graph = b.build([b("cumsum", v, axis=0, reverse=False) for v in outputs])
    plan = check(device, graph, device.target)
    assert any(t.alias for t in plan.tensors)
