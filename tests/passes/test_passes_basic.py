"""inline, fold, cse, dce, and the pipeline that runs and verifies passes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from graphc.errors import GraphError
from graphc.ir.graph import BACKWARD, Builder, Graph, Source, SourceLine, evaluate, new_value
from graphc.ir.types import TensorType, bool_, f32, i32, u32
from graphc.ops import by_name
from graphc.ops.structured import barrier, call
from graphc.passes import DEFAULT, cse, dce, empty, fold, inline, run
from graphc.passes.canonicalize.cse import attr_key
from graphc.passes.canonicalize.fold import Fold
from tests.support.handmade import Hand, assert_same, ops

AT = [Source((SourceLine("model.py", n),)) for n in range(5)]


def test_cse_merges_equal_nodes_and_keeps_both_lines() -> None:
    builder = Builder()
    x = builder.input(TensorType((4,), f32))
    with builder.at(AT[1]):
        a = builder.apply(by_name("exp"), x)
    with builder.at(AT[2]):
        b = builder.apply(by_name("exp"), x)
    before = builder.build([builder.apply(by_name("sub"), a, b)])
    after = cse(before)
    assert ops(after) == ["exp", "sub"]
    assert str(after.nodes[0].source) == "model.py:1, model.py:2"
    assert_same(before, after)


def test_cse_keeps_sums_over_different_axes() -> None:
    h = Hand()
    x = h.input(4, 4)
    graph = h.graph(h.add(h.sum(x, axes=(0,)), h.sum(x, axes=(1,))))
    assert cse(graph).count("sum") == 2


def test_cse_keeps_casts_and_iotas_of_different_types() -> None:
    h = Hand()
    x = h.input(3, dtype=bool_)
    graph = h.graph(
        h.cast(x, dtype=f32),
        h.cast(x, dtype=i32),
        h.iota(shape=(3,), axis=0, dtype=i32),
        h.iota(shape=(3,), axis=0, dtype=u32),
    )
    assert len(cse(graph).nodes) == 4


def test_cse_sorts_operands_only_where_order_does_not_matter() -> None:
    h = Hand()
    x, y = h.input(3), h.input(3)
    graph = h.graph(h.add(x, y), h.add(y, x), h.sub(x, y), h.sub(y, x))
    after = cse(graph)
    assert ops(after) == ["add", "sub", "sub"]
    assert_same(graph, after)


def test_cse_tells_constants_apart_by_bytes_and_type() -> None:
    h = Hand()
    x = h.input(3)
    zeros = [h.const(np.float32(0.0)), h.const(np.float32(-0.0)), h.const(np.float32(0.0))]
    nans = [h.const(np.float32(np.nan)), h.const(np.float32(np.nan))]
    shaped = h.const(np.zeros(1, np.float32))
    graph = h.graph(*(h.mul(x, c) for c in (*zeros, *nans, shaped)))
    after = cse(graph)
    assert len(after.constants) == 4
    assert ops(after) == ["mul"] * 4
    assert_same(graph, after)


def test_cse_follows_chains_and_merges_random_bits_of_one_key() -> None:
    h = Hand()
    key = h.input(2, dtype=u32)
    one, two = (h.random_bits(key, shape=(5,)) for _ in range(2))
    other = h.random_bits(key, shape=(6,))
    graph = h.graph(h.add(one, 1), h.add(two, 1), other)
    assert ops(cse(graph)) == ["random_bits", "random_bits", "add"]


def test_cse_never_merges_across_a_barrier_and_drops_it_at_the_end() -> None:
    h = Hand()
    x = h.input(4)
    first = h.exp(x)
    again = h.exp(h.builder.apply(barrier, x))
    before = h.graph(h.add(first, again))
    after = cse(before)
    assert ops(after) == ["exp", "exp", "add"]
    assert_same(before, after)


def test_attr_keys_tell_types_apart() -> None:
    keys = [attr_key(v) for v in (1, 1.0, True, -0.0, 0.0, float("nan"), (1, 2), [1, 2], "1", f32, None)]
    assert len(set(keys)) == len(keys)
    assert attr_key(float("nan")) == attr_key(float("nan"))
    assert attr_key({"b": 1, "a": (2,)}) == attr_key({"a": (2,), "b": 1})
    assert attr_key(np.arange(3)) != attr_key(np.arange(3.0))


def test_dce_drops_what_no_output_needs_and_keeps_the_signature() -> None:
    h = Hand()
    x, unused = h.input(3), h.input(2)
    h.exp(h.mul(unused, 3.0))
    after = dce(h.graph(h.neg(x)))
    assert ops(after) == ["neg"]
    assert after.inputs == (x, unused)
    assert not after.constants


def test_dce_keeps_a_node_of_which_one_output_is_needed() -> None:
    inner = Hand()
    a = inner.input(3)
    body = inner.graph(inner.exp(a), inner.neg(a))
    h = Hand()
    outputs = h.builder.add(call, h.input(3), body=body, name="two", rule=None)
    graph = h.graph(outputs[1])
    assert dce(graph) is graph


def test_dce_of_a_deep_graph() -> None:
    h = Hand()
    dead = live = h.input(2)
    for _ in range(3000):
        dead, live = h.exp(dead), h.neg(live)
    assert ops(dce(h.graph(live))) == ["neg"] * 3000


def nested_calls() -> Graph:
    deepest = Hand()
    a = deepest.input(3)
    inner = Hand()
    b = inner.input(3)
    with inner.builder.at(AT[3]):
        (c,) = inner.builder.add(call, b, body=deepest.graph(deepest.mul(a, 2.0)), name="deepest", rule=None)
        d = inner.exp(c)
    outer = Hand()
    x = outer.input(3)
    with outer.builder.at(replace(AT[4], phase=BACKWARD)):
        y, z = outer.builder.add(call, x, body=inner.graph(d, b), name="inner", rule=None)
    return outer.graph(outer.add(y, z))


def test_inline_puts_nested_bodies_in_place() -> None:
    before = nested_calls()
    after = inline(before)
    assert ops(after) == ["mul", "exp", "add"]
    assert_same(before, after)


def test_inlined_nodes_keep_their_lines_and_take_the_phase_of_the_call() -> None:
    mul, exp, add = inline(nested_calls()).nodes
    assert str(mul.source) == str(exp.source) == "model.py:3"
    assert (mul.source.phase, exp.source.phase, add.source.phase) == ("backward", "backward", "forward")


def test_fold_computes_small_constant_subgraphs() -> None:
    h = Hand()
    x = h.input(8)
    table = h.cast(h.mul(h.const(np.arange(8, dtype=np.int32)), 3), dtype=f32)
    before = h.graph(h.add(x, h.add(table, h.iota(shape=(8,), axis=0, dtype=f32))))
    after = fold(before)
    assert ops(after) == ["add"]
    (constant,) = after.constants.values()
    np.testing.assert_array_equal(constant, np.arange(8, dtype=np.float32) * 4)
    assert_same(before, after)


def test_fold_of_numbers() -> None:
    h = Hand()
    three, four = (h.const(np.float32(n)) for n in (3, 4))
    after = fold(h.graph(h.sqrt(h.add(h.mul(three, three), h.mul(four, four)))))
    assert not after.nodes
    assert [array.item() for array in after.constants.values()] == [5]


def test_what_a_kernel_makes_up_by_itself_is_not_stored() -> None:
    h = Hand()
    x = h.input(8, 8)
    rows, columns = (h.iota(shape=(8, 8), axis=axis, dtype=i32) for axis in (0, 1))
    before = h.graph(h.where(h.ge(rows, columns), x, h.broadcast_to(h.const(np.float32(0)), shape=(8, 8))))
    assert fold(before) is before


def test_what_is_reduced_from_a_generated_tensor_is_a_constant() -> None:
    h = Hand()
    after = fold(h.graph(h.sum(h.iota(shape=(8,), axis=0, dtype=f32), axes=(0,))))
    assert not after.nodes
    assert [array.item() for array in after.constants.values()] == [28]


def test_a_constant_of_one_number_is_broadcast() -> None:
    h = Hand()
    x = h.input(100, 100)
    mixed = np.zeros((100, 100), np.float32)
    mixed[0, 0] = -0.0
    before = h.graph(h.add(x, h.const(np.full((100, 100), np.nan, np.float32))), h.add(x, h.const(mixed)))
    after = fold(before)
    assert ops(after) == ["broadcast_to", "add", "add"]
    assert sorted(array.size for array in after.constants.values()) == [1, 10_000]
    assert_same(before, after)


def test_fold_never_stores_a_large_iota_or_broadcast() -> None:
    h = Hand()
    big = h.iota(shape=(100_000,), axis=0, dtype=f32)
    graph = h.graph(h.sum(big, axes=(0,)), h.broadcast_to(h.const(np.float32(1)), shape=(100_000,)))
    assert fold(graph) is graph
    assert ops(Fold(limit=1 << 20)(graph)) == ["broadcast_to"]


def test_fold_leaves_what_a_kernel_has_for_nothing() -> None:
    """Stored, each of these would take a binding of every kernel that reads it."""
    h = Hand()
    x = h.input(8)
    spread = h.neg(h.broadcast_to(h.const(np.float32(0.25)), shape=(8,)))
    before = h.graph(h.mul(x, spread), h.add(x, h.iota(shape=(8,), axis=0, dtype=f32)))
    after = fold(before)
    assert sorted(ops(after)) == ["add", "broadcast_to", "iota", "mul"]
    assert [array.shape for array in after.constants.values()] == [()]
    assert_same(before, after)
    assert fold(after) is after


def test_empty_operands_make_constants() -> None:
    h = Hand()
    nothing, row = h.input(0, 3), h.input(3)
    before = h.graph(
        h.add(row, h.sum(nothing, axes=(0,))),
        h.matmul(h.transpose(nothing, perm=(1, 0)), nothing),
        h.pad(nothing, low=(1, 0), high=(1, 0), interior=(0, 0), value=7.0),
        h.index_update(row, h.input(0, dtype=i32), h.input(0), axis=0),
    )
    after = empty(before)
    assert sorted(ops(after)) == ["add", "broadcast_to", "broadcast_to", "broadcast_to"]
    assert after.outputs[-1] is row
    assert_same(before, after)


def test_fold_of_a_large_constant_may_be_as_large_as_it() -> None:
    h = Hand()
    data = h.const(np.arange(5000, dtype=np.float32))
    after = fold(h.graph(h.neg(data)))
    assert not after.nodes
    assert len(after.constants) == 1


def test_pipeline_observes_each_pass() -> None:
    seen: list[tuple[str, int, int]] = []
    h = Hand()
    x = h.input(3)
    graph = h.graph(h.add(h.exp(x), h.exp(x)))
    run(graph, (cse, dce), lambda name, before, after: seen.append((name, len(before.nodes), len(after.nodes))))
    assert seen == [("cse", 3, 2), ("dce", 2, 2)]


def test_a_pass_that_breaks_the_graph_is_named_with_the_node() -> None:
    def breaker(graph: Graph) -> Graph:
        return replace(graph, nodes=tuple(reversed(graph.nodes)))

    h = Hand()
    graph = h.graph(h.neg(h.exp(h.input(3))))
    with pytest.raises(GraphError, match=r"pass breaker: GraphError: %\w+: f32\[3\] = neg"):
        run(graph, (dce, breaker))


def test_a_pass_that_changes_the_interface_is_named() -> None:
    def shrink(graph: Graph) -> Graph:
        return replace(graph, outputs=graph.outputs[:1])

    h = Hand()
    x = h.input(3)
    with pytest.raises(GraphError, match=r"pass shrink: .* the outputs were"):
        run(h.graph(h.exp(x), h.neg(x)), (shrink,))


def test_a_pass_that_fails_is_named() -> None:
    def fails(graph: Graph) -> Graph:
        raise KeyError("lost")

    with pytest.raises(GraphError, match="pass fails: KeyError: 'lost'") as caught:
        run(Hand().graph(), (fails,))
    assert isinstance(caught.value.__cause__, KeyError)


def test_default_passes_keep_the_results_of_a_network() -> None:
    h = Hand()
    x, w = h.input(5, 4), h.input(4, 3)
    y = h.tanh(h.add(h.matmul(x, w), h.broadcast_to(h.const(np.float32(0.5)), shape=(5, 3))))
    graph = h.graph(h.mean(y, axes=(0, 1)), y)
    after = run(graph, DEFAULT)
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=v.type.shape).astype(np.float32) for v in graph.inputs]
    for old, new in zip(evaluate(graph, arrays), evaluate(after, arrays), strict=True):
        np.testing.assert_allclose(new, old, rtol=1e-6)


def test_a_node_that_a_pass_makes_wrong_is_found_though_others_were_verified_before() -> None:
    b = Builder()
    x = b.input(TensorType((3,), f32))
    first = b.apply(by_name("exp"), x)
    graph = b.build([b.apply(by_name("neg"), first)])

    def same(graph: Graph) -> Graph:
        return graph

    def wrong(graph: Graph) -> Graph:
        bad = new_value(TensorType((4,), f32))
        nodes = (graph.nodes[0], replace(graph.nodes[1], outputs=(bad,)))
        return Graph(graph.inputs, graph.constants, nodes, (bad,))

    with pytest.raises(GraphError, match=r"pass wrong: GraphError: .*neg.*types of its outputs"):
        run(graph, (same, wrong))
