"""The NumPy executor: input checks, index checks, and plans whose memory is wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from graphc import reference
from graphc.errors import DTypeError, GraphError, IndexRangeError, ShapeError
from graphc.ir.graph import Builder, Graph, Source, SourceLine
from graphc.ir.types import TensorType, bool_, f32, i32
from graphc.lower import lower
from graphc.ops import by_name
from graphc.passes import DEFAULT, fuse, run
from graphc.passes.pipeline import GraphPass
from graphc.plan.plan import Binding, Buffer, Dispatch, Kernel, Plan, Target, Tensor
from graphc.tracing.trace import trace
from tests.support.handmade import Hand


def chain() -> Graph:
    """exp, neg, sin one after another, between an input and an output."""
    h = Hand()
    x = h.input(4, hint="x")
    return h.graph(h.sin(h.neg(h.exp(x))))


def plan_of_chain(**changes: Tensor) -> Plan:
    """A plan of `chain` made by hand: two intermediate tensors in one arena of 128 bytes."""
    tensors = {
        "x": Tensor("%x", (4,), "f32", 0, 0, 16, 0, 0),
        "a": Tensor("%1", (4,), "f32", 2, 0, 16, 0, 1),
        "b": Tensor("%2", (4,), "f32", 2, 64, 16, 1, 2),
        "y": Tensor("%3", (4,), "f32", 1, 0, 16, 2, 2),
    }
    tensors.update(changes)
    placed = list(tensors.values())

    def step(number: int, read: int, written: int) -> Dispatch:
        bindings = tuple(
            Binding(t, placed[t].buffer, placed[t].offset, 16, "read" if placed[t].buffer == 0 else "read_write")
            for t in (read, written)
        )
        return Dispatch(f"step{number}", 0, number, (), (), "forward", bindings, (1, 1, 1), 16, 16, 0)

    return Plan(
        buffers=(Buffer("x", "input", 16, 0), Buffer("y", "output", 16, 0), Buffer("arena", "arena", 128, 0)),
        tensors=tuple(placed),
        kernels=(Kernel("k", "", ("read", "read_write"), "map"),),
        dispatches=(step(0, 0, 1), step(1, 1, 2), step(2, 2, 3)),
        inputs=(0,),
        outputs=(3,),
        constants=(),
    )


X = np.array([0.5, -1, 2, 0], np.float32)


def test_a_right_plan_gives_what_the_graph_gives() -> None:
    (expected,) = reference.run(chain(), [X])
    np.testing.assert_array_equal(reference.run_plan(plan_of_chain(), chain(), [X])[0], expected)


def test_an_output_across_an_operand_of_the_same_dispatch() -> None:
    plan = plan_of_chain(b=Tensor("%2", (4,), "f32", 2, 8, 16, 1, 2))
    with pytest.raises(GraphError, match=r"dispatch 1 \(step1\) writes %2 over %1, which it reads"):
        reference.run_plan(plan, chain(), [X])
    in_place = plan_of_chain(b=Tensor("%2", (4,), "f32", 2, 0, 16, 1, 2, alias="%1"))
    np.testing.assert_array_equal(reference.run_plan(in_place, chain(), [X])[0], reference.run(chain(), [X])[0])


def test_two_tensors_alive_at_once_in_the_same_bytes() -> None:
    h = Hand()
    x = h.input(4, hint="x")
    a = h.exp(x)
    both = h.graph(h.add(h.neg(x), a))
    first, a_tensor, _, last = plan_of_chain().tensors
    tensors = (first, replace(a_tensor, end=2), Tensor("%2", (4,), "f32", 2, 8, 16, 1, 2), last)
    with pytest.raises(GraphError, match=r"dispatch 2 \(step2\) reads %1, but 2 of its words hold %2"):
        reference.run_plan(replace(plan_of_chain(), tensors=tensors), both, [X])


def test_a_tensor_that_dies_too_early() -> None:
    plan = plan_of_chain(a=Tensor("%1", (4,), "f32", 2, 0, 16, 0, 0))
    with pytest.raises(GraphError, match="reads %1, but 4 of its words hold no value"):
        reference.run_plan(plan, chain(), [X])


def test_without_poison_a_wrong_plan_gives_nan() -> None:
    plan = plan_of_chain(a=Tensor("%1", (4,), "f32", 2, 0, 16, 0, 0))
    assert np.isnan(reference.run_plan(plan, chain(), [X], poison=False)[0]).all()


def test_an_output_that_leaves_its_buffer() -> None:
    plan = plan_of_chain(b=Tensor("%2", (4,), "f32", 2, 120, 16, 1, 2))
    with pytest.raises(GraphError, match="writes %2, which leaves its buffer of 128 bytes"):
        reference.run_plan(plan, chain(), [X])


def test_writing_over_an_input_that_was_not_donated() -> None:
    plan = plan_of_chain(y=Tensor("%3", (4,), "f32", 0, 0, 16, 2, 2, alias="%x"))
    dispatches = (
        *plan.dispatches[:2],
        replace(plan.dispatches[2], bindings=(plan.dispatches[2].bindings[0], Binding(3, 0, 0, 16, "read_write"))),
    )
    plan = replace(plan, dispatches=dispatches)
    with pytest.raises(GraphError, match="writes %3 into a buffer that may only be read"):
        reference.run_plan(plan, chain(), [X])
    donated = replace(plan, donated=((0, 0),))
    np.testing.assert_array_equal(reference.run_plan(donated, chain(), [X])[0], reference.run(chain(), [X])[0])


def test_a_node_whose_output_is_not_bound() -> None:
    plan = plan_of_chain()
    unbound = replace(plan.dispatches[1], bindings=plan.dispatches[1].bindings[:1])
    with pytest.raises(GraphError, match="has no binding through which to write %2"):
        reference.run_plan(replace(plan, dispatches=(plan.dispatches[0], unbound, plan.dispatches[2])), chain(), [X])


def test_a_node_that_is_never_executed() -> None:
    plan = plan_of_chain()
    with pytest.raises(GraphError, match="reads %1, but 4 of its words hold no value"):
        reference.run_plan(replace(plan, dispatches=plan.dispatches[1:]), chain(), [X])


def loss(w1: Any, w2: Any, x: Any, mask: Any) -> Any:
    h = np.where(mask[:, None], np.tanh(x @ w1), 0.5)
    y = (h.reshape(-1, 4) @ w2).reshape(3, -1)
    return np.mean((y - np.max(y, axis=-1, keepdims=True)) ** 2)


@pytest.mark.parametrize("passes", [(), DEFAULT])
def test_plans_of_lowering_run_in_poisoned_memory(passes: tuple[GraphPass, ...]) -> None:
    from graphc.autodiff.reverse import differentiate

    rng = np.random.default_rng(0)
    shapes = ((5, 8), (4, 6), (3, 5))
    arrays = [rng.normal(size=s).astype(np.float32) for s in shapes] + [np.array([True, False, True])]
    graph = run(differentiate(trace(loss, *arrays), [0, 1]), passes)
    plan = lower(graph, Target())
    for want, got in zip(reference.run(graph, arrays), reference.run_plan(plan, graph, arrays), strict=True):
        np.testing.assert_array_equal(got, want)


def test_a_lowered_plan_with_any_lifetime_cut_short_is_refused() -> None:
    """Every intermediate tensor that ends one dispatch early is noticed."""
    h = Hand()
    x = h.input(8, 8, hint="x")
    value = x
    for _ in range(4):
        value = h.add(h.matmul(value, x), h.matmul(x, value))
    graph = h.graph(h.sum(value, axes=(0, 1)))
    array = np.eye(8, dtype=np.float32)
    plan = lower(graph, Target())
    reference.run_plan(plan, graph, [array])
    arena = {i for i, b in enumerate(plan.buffers) if b.kind == "arena"}
    cut = 0
    for position, tensor in enumerate(plan.tensors):
        if tensor.buffer in arena and tensor.alias is None and not any(t.alias == tensor.name for t in plan.tensors):
            tensors = list(plan.tensors)
            tensors[position] = replace(tensor, end=tensor.end - 1)
            with pytest.raises(GraphError, match="words hold"):
                reference.run_plan(replace(plan, tensors=tuple(tensors)), graph, [array])
            cut += 1
    assert cut >= 4


def test_inputs_are_checked() -> None:
    graph = chain()
    with pytest.raises(ShapeError, match="takes 1 inputs, got 2"):
        reference.run(graph, [X, X])
    with pytest.raises(ShapeError, match=r"input %x is f32\[4\], got an array of shape \[3\]"):
        reference.run(graph, [X[:3]])
    with pytest.raises(DTypeError, match=r"input %x is f32\[4\], got float64"):
        reference.run(graph, [X.astype(np.float64)])


def indexing(name: str) -> Graph:
    builder = Builder()
    x, ids = builder.input(TensorType((5, 3), f32)), builder.input(TensorType((2,), i32))
    at = Source((SourceLine("model.py", 3),))
    with builder.at(at):
        if name == "take":
            out = builder.apply(by_name(name), x, ids, axis=0)
        elif name == "take_along_axis":
            wide = builder.apply(by_name("reshape"), ids, shape=(2, 1))
            out = builder.apply(by_name(name), x, wide, axis=0)
        elif name == "index_update":
            rows = builder.apply(by_name("slice"), x, start=(0, 0), stop=(2, 3), step=(1, 1))
            out = builder.apply(by_name(name), x, ids, rows, axis=0)
        else:
            rows = builder.apply(by_name("slice"), x, start=(0, 0), stop=(2, 3), step=(1, 1))
            out = builder.apply(by_name(name), ids, rows, axis=0, size=5)
    return builder.build([out])


@pytest.mark.parametrize("name", ["take", "take_along_axis", "index_update", "scatter_add"])
@pytest.mark.parametrize("bad", [5, -6])
def test_an_index_out_of_range_is_named(name: str, bad: int) -> None:
    x = np.arange(15, dtype=np.float32).reshape(5, 3)
    graph = indexing(name)
    reference.run(graph, [x, np.array([4, -5], np.int32)])
    with pytest.raises(
        IndexRangeError, match=rf"{name}: index {bad} is out of range for an axis of 5[^#]*# model.py:3"
    ):
        reference.run(graph, [x, np.array([0, bad], np.int32)])
    (unchecked,) = reference.run(graph, [x, np.array([0, bad], np.int32)], check_indices=False)
    assert np.isnan(unchecked).all(axis=1).tolist() == ([False, True] if "take" in name else [False] * 5)


def test_an_index_inside_a_fused_node_is_checked() -> None:
    h = Hand()
    table, ids = h.input(5, 3), h.input(4, dtype=i32)
    graph = fuse(h.graph(h.exp(h.neg(h.take(table, ids, axis=0)))))
    assert graph.count("fused") == 1
    with pytest.raises(IndexRangeError, match="index 9 is out of range"):
        reference.run(graph, [np.zeros((5, 3), np.float32), np.array([0, 1, 9, 2], np.int32)])


def test_bool_tensors_take_32_bits_in_memory() -> None:
    h = Hand()
    x = h.input(5, dtype=bool_)
    y = h.not_(x)
    graph = h.graph(h.and_(y, h.not_(y)), y)
    plan = lower(graph, Target())
    given = np.array([True, False, True, True, False])
    both = reference.run_plan(plan, graph, [given])
    assert [a.dtype for a in both] == [np.bool_, np.bool_]
    np.testing.assert_array_equal(both[1], ~given)
