"""Fusion: how many kernels small programs become, and that they still compute the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc
from graphc.ir.graph import BACKWARD, FORWARD, Builder, Graph, Source, SourceLine, Value, evaluate
from graphc.ir.types import bool_, i32
from graphc.passes.fusion.fuse import Fuse, decisions, fuse
from tests.support.fusing import Maker, assert_sound, families, kernels


def fused(graph: Graph) -> Graph:
    after = fuse(graph)
    assert_sound(graph, after)
    return after


def causal_scores(b: Maker, x: Any, size: int) -> Any:
    i = b.op("iota", shape=(size, size), axis=0, dtype=i32)
    j = b.op("iota", shape=(size, size), axis=1, dtype=i32)
    return b.op("where", b.op("ge", i, j), b.op("mul", x, 0.25), b.constant(np.float32(-np.inf)))


def test_softmax_is_one_row_kernel() -> None:
    b = Maker()
    assert families(fused(b.build([b.softmax(b.tensor(8, 33))]))) == ["row"]


def test_scale_mask_softmax_is_one_kernel_that_reads_only_the_scores() -> None:
    b = Maker()
    x = b.tensor(2, 4, 16, 16)
    after = fused(b.build([b.softmax(causal_scores(b, x, 16))]))
    assert families(after) == ["row"]
    assert after.nodes[0].inputs == (x,)


def test_matmul_takes_scale_and_mask_and_softmax_is_a_second_kernel() -> None:
    b = Maker()
    q, k = b.tensor(2, 16, 8), b.tensor(2, 16, 8)
    scores = b.op("matmul", q, b.op("transpose", k, perm=(0, 2, 1)))
    assert families(fused(b.build([b.softmax(causal_scores(b, scores, 16))]))) == ["matmul", "row"]


def test_linear_bias_relu_is_one_kernel_with_the_weight_read_in_place() -> None:
    b = Maker()
    x, w, bias = b.tensor(32, 16), b.tensor(64, 16), b.tensor(64)
    h = b.op("add", b.op("matmul", x, b.op("transpose", w, perm=(1, 0))), bias)
    after = fused(b.build([b.op("maximum", h, 0.0)]))
    assert families(after) == ["matmul"]
    assert after.nodes[0].inputs == (x, w, bias)


def test_matmul_output_with_another_use_is_also_an_output() -> None:
    b = Maker()
    h = b.op("matmul", b.tensor(8, 4), b.tensor(4, 8))
    after = fused(b.build([b.op("maximum", h, 0.0), h]))
    assert families(after) == ["matmul"]
    assert len(after.nodes[0].outputs) == 2


def test_a_sum_of_products_is_accumulated_by_the_last_matmul() -> None:
    b = Maker()
    x = b.tensor(8, 4)
    parts = [b.op("matmul", x, b.tensor(4, 8)) for _ in range(3)]
    assert families(fused(b.build([b.op("add", b.op("add", parts[0], parts[1]), parts[2])]))) == [
        "horizontal",
        "matmul",
    ]


def test_an_operand_that_is_computed_lies_in_memory() -> None:
    b = Maker()
    h = b.op("tanh", b.tensor(8, 4))
    assert families(fused(b.build([b.op("matmul", h, b.tensor(4, 8))]))) == ["map", "matmul"]


def layer_norm(b: Maker, x: Any) -> Any:
    mean = b.reduce("mean", x, 1)
    centred = b.op("sub", x, mean)
    variance = b.reduce("mean", b.op("mul", centred, centred), 1)
    scaled = b.op("mul", centred, b.op("rsqrt", b.op("add", variance, 1e-5)))
    return b.op("add", b.op("mul", scaled, b.tensor(16)), b.tensor(16))


def rms_norm(b: Maker, x: Any) -> Any:
    square = b.reduce("mean", b.op("mul", x, x), 1)
    return b.op("mul", x, b.op("rsqrt", b.op("add", square, 1e-5)))


def test_layer_norm_is_one_kernel() -> None:
    b = Maker()
    assert families(fused(b.build([layer_norm(b, b.tensor(32, 16))]))) == ["row"]


def test_two_norms_over_the_same_rows_are_one_kernel() -> None:
    b = Maker()
    x = b.op("add", b.op("take", b.tensor(27, 16), b.tensor(8, dtype=i32), axis=0), b.tensor(8, 16))
    first = rms_norm(b, x)
    assert families(fused(b.build([first, rms_norm(b, first)]))) == ["row"]


def test_log_softmax_picked_is_one_kernel_and_the_mean_another() -> None:
    b = Maker()
    x, labels = b.tensor(8, 27), b.tensor(8, 1, dtype=i32)
    shifted = b.op("sub", x, b.reduce("max", x, 1))
    logp = b.op("sub", shifted, b.op("log", b.reduce("sum", b.op("exp", shifted), 1)))
    picked = b.op("take_along_axis", logp, labels, axis=1)
    loss = b.op("neg", b.reduce("mean", picked, 0, 1, keepdims=False))
    assert families(fused(b.build([loss]))) == ["row", "row"]


def test_values_of_other_rows_end_a_row_kernel() -> None:
    b = Maker()
    p = b.softmax(b.tensor(8, 8))
    after = fused(b.build([b.op("mul", b.op("transpose", p, perm=(1, 0)), b.tensor(8, 8))]))
    assert families(after) == ["row", "map"]
    assert any("across rows" in why for why in after.nodes[0].attrs["why"])


def test_column_sums_of_the_same_tensors_share_a_kernel() -> None:
    b = Maker()
    g, xhat = b.tensor(64, 16), b.tensor(64, 16)
    gain = b.reduce("sum", b.op("mul", g, xhat), 0, keepdims=False)
    after = fused(b.build([gain, b.reduce("sum", g, 0, keepdims=False)]))
    assert families(after) == ["column"]
    assert set(after.nodes[0].inputs) == {g, xhat}


def adam(b: Maker, shape: tuple[int, ...], rate: Any) -> list[Value]:
    """A step for a parameter of `shape`: the parameter and its two moments."""
    p, g, m, v = (b.tensor(*shape) for _ in range(4))
    m = b.op("add", b.op("mul", m, 0.9), b.op("mul", g, 0.1))
    v = b.op("add", b.op("mul", v, 0.99), b.op("mul", b.op("mul", g, g), 0.01))
    step = b.op("div", b.op("mul", m, rate), b.op("add", b.op("sqrt", v), 1e-8))
    return [b.op("sub", p, step), m, v]


def test_adam_is_one_kernel_a_parameter_and_one_for_the_scalars() -> None:
    b = Maker()
    t = b.tensor()
    rate = b.op("div", 0.01, b.op("sub", 1.0, b.op("pow", b.constant(np.float32(0.9)), t)))
    outputs = []
    for shape in ((16, 4), (9,)):
        outputs += adam(b, shape, rate)
    assert families(fused(b.build(outputs))) == ["map", "map", "map"]


def test_an_expensive_value_is_not_computed_for_each_row() -> None:
    b = Maker()
    e = b.op("exp", b.tensor(16))
    graph = b.build([b.op("mul", b.tensor(64, 16), e)])
    assert families(fused(graph)) == ["map", "map"]
    assert "exp would be computed 1024 times for 16 elements" in str(decisions(graph)[graph.nodes[0]])


def test_a_cheap_value_is_computed_for_each_row() -> None:
    b = Maker()
    assert len(kernels(fused(b.build([b.op("mul", b.tensor(64, 16), b.op("add", b.tensor(16), 1.0))])))) == 1


def test_reading_at_two_places_does_not_multiply_the_work() -> None:
    b = Maker()
    x = b.tensor(8, 8)
    for _ in range(12):
        y = b.op("tanh", x)
        x = b.op("add", y, b.op("transpose", y, perm=(1, 0)))
    assert len(kernels(fused(b.build([x])))) == 13


def test_a_value_needed_before_and_after_a_matmul_makes_no_cycle() -> None:
    b = Maker()
    x = b.op("exp", b.tensor(8, 8))
    y = b.op("matmul", x, b.tensor(8, 8))
    assert families(fused(b.build([b.op("tanh", b.op("add", x, y))]))) == ["map", "matmul"]


def test_siblings_that_depend_on_each_other_elsewhere_stay_apart() -> None:
    b = Maker()
    x = b.tensor(8, 8)
    a = b.op("exp", x)
    c = b.op("tanh", b.op("mul", b.op("matmul", a, x), x))
    d = b.op("add", b.op("matmul", c, x), b.op("sin", x))
    fused(b.build([a, c, d]))


@pytest.mark.parametrize("limit", [4, 5, 8])
def test_no_kernel_binds_more_buffers_than_the_limit(limit: int) -> None:
    b = Maker()
    x = b.tensor(16, 8)
    for _ in range(20):
        x = b.op("add", x, b.tensor(16, 8))
    graph = b.build([x])
    after = Fuse(max_buffers=limit)(graph)
    assert_sound(graph, after, limit)
    assert len(kernels(after)) == -(-20 // (limit - 2))


def test_families_can_be_turned_off() -> None:
    b = Maker()
    graph = b.build([b.softmax(b.tensor(4, 9))])
    after = Fuse(families=("map",))(graph)
    assert_sound(graph, after)
    assert families(after) == ["row", "map", "row", "map"]


def test_wide_concatenation_becomes_a_tree() -> None:
    b = Maker()
    parts = [b.tensor(n % 3 + 1, 2) for n in range(500)]
    fused(b.build([b.op("concatenate", *parts, axis=0)]))


def test_deep_chain_has_kernels_of_bounded_size() -> None:
    b = Maker()
    x = b.tensor(4)
    for _ in range(2000):
        x = b.op("sin", x)
    after = fused(b.build([x]))
    assert len(after.nodes) == 21
    assert max(len(node.attrs["body"].nodes) for node in after.nodes) <= 96


def test_long_chains_of_views_stay_shallow() -> None:
    b = Maker()
    x = b.tensor(2, 3)
    for _ in range(300):
        x = b.op("transpose", x, perm=(1, 0))
    after = fused(b.build([b.op("exp", x)]))
    assert max(len(node.attrs["body"].nodes) for node in after.nodes) <= 96


def test_a_reshape_of_a_result_costs_no_kernel() -> None:
    b = Maker()
    y = b.op("reshape", b.op("exp", b.tensor(4, 6)), shape=(24,))
    assert families(fused(b.build([y]))) == ["map"]


def test_reshapes_of_reshapes_cost_no_kernel() -> None:
    b = Maker()
    y = b.op("exp", b.tensor(4, 6))
    first = b.op("reshape", y, shape=(24,))
    outputs = [b.op("reshape", first, shape=(6, 4)), first, b.op("reshape", b.tensor(6), shape=(2, 3))]
    turned = b.op("reshape", b.op("transpose", y, perm=(1, 0)), shape=(24,))
    assert families(fused(b.build(outputs))) == ["map"]
    assert families(fused(b.build([*outputs, b.op("reshape", turned, shape=(2, 12))]))) == ["map"]


def test_outputs_of_one_map_kernel_have_one_shape() -> None:
    b = Maker()
    x = b.tensor(4, 6)
    y = b.op("exp", x)
    after = fused(b.build([y, b.op("mul", b.op("reshape", y, shape=(24,)), b.tensor(24))]))
    assert families(after) == ["map"]
    assert len({v.type.shape for v in after.nodes[0].outputs}) == 1


def test_views_of_inputs_and_constants_as_outputs() -> None:
    b = Maker()
    x = b.tensor(4, 6)
    c = b.constant(np.arange(6, dtype=np.float32))
    outputs = [x, c, b.op("transpose", x, perm=(1, 0)), b.op("reshape", x, shape=(24,))]
    outputs += [b.op("broadcast_to", c, shape=(2, 6)), b.op("iota", shape=(3,), axis=0, dtype=i32)]
    outputs += [b.op("add", b.constant(np.float32(1)), 2.0)]
    fused(b.build(outputs))


def test_ops_with_kernels_of_their_own_read_memory() -> None:
    b = Maker()
    x = b.op("transpose", b.op("exp", b.tensor(5, 4)), perm=(1, 0))
    y = b.op("cumsum", x, axis=0, reverse=False)
    after = fused(b.build([b.op("tanh", y)]))
    assert families(after) == ["map", "cumsum", "map"]


def test_empty_tensors_are_left_alone() -> None:
    b = Maker()
    x = b.tensor(0, 4)
    fused(b.build([b.op("exp", b.op("mul", x, 2.0)), b.reduce("sum", x, 0), b.reduce("max", b.tensor(3, 0, 2), 2)]))


def test_mask_made_of_positions_is_repeated_instead_of_stored() -> None:
    b = Maker()
    i = b.op("iota", shape=(6, 6), axis=0, dtype=i32)
    mask = b.op("ge", i, b.op("iota", shape=(6, 6), axis=1, dtype=i32))
    zero = b.constant(np.float32(0))
    ys = [b.op("matmul", b.op("where", mask, b.op("exp", b.tensor(6, 6)), zero), b.tensor(6, 6)) for _ in range(2)]
    after = fused(b.build(ys))
    assert families(after) == ["map", "matmul", "matmul"]
    assert all(v.type.dtype != bool_ for node in after.nodes for v in node.outputs)


def test_random_bits_are_drawn_once() -> None:
    b = Maker()
    key = b.input(b.constant(np.zeros(2, np.uint32)).type)
    bits = b.op("random_bits", key, shape=(8,))
    after = fused(b.build([b.op("cast", bits, dtype=b.tensor(1).type.dtype), b.reduce("sum", bits, 0)]))
    assert sum(node.attrs["body"].count("random_bits") for node in after.nodes if node.op.name == "fused") == 1


def test_forward_and_backward_of_hidden_layers_stay_apart() -> None:
    b = Maker()
    x, w = b.tensor(8, 8), b.tensor(8, 8)
    h = b.op("matmul", x, w)
    r = b.op("maximum", h, 0.0)
    y = b.op("matmul", r, w)
    with b.at(Source(phase=BACKWARD)):
        g = b.op("matmul", y, w)
        back = b.op("where", b.op("gt", h, 0.0), g, 0.0)
        grad = b.op("matmul", x, back)
    after = fused(b.build([grad]))
    phases = [{n.source.phase for n in node.attrs["body"].nodes} for node in after.nodes if node.op.name == "fused"]
    assert all(len(found) == 1 for found in phases)
    assert all(v.type.dtype != bool_ for node in after.nodes for v in node.outputs)


def test_source_of_a_fused_node_has_all_lines() -> None:
    b = Maker()
    x = b.tensor(4)
    for line in range(3):
        with b.at(Source((SourceLine("model.py", line),), FORWARD)):
            x = b.op("sin", x)
    node = fused(b.build([x])).nodes[0]
    assert [line.line for line in node.source.lines] == [0, 1, 2]


def test_the_result_does_not_depend_on_the_run() -> None:
    def build() -> str:
        b = Maker()
        outputs = adam(b, (16, 4), b.tensor())
        return str(fuse(b.build([*outputs, b.softmax(layer_norm(b, b.tensor(8, 16)))])))

    assert build() == build()


def test_fusing_twice_changes_nothing() -> None:
    b = Maker()
    after = fuse(b.build([b.softmax(b.tensor(4, 9))]))
    assert [n.op.name for n in fuse(after).nodes] == ["fused"]


def test_decisions_say_for_every_op_where_it_went() -> None:
    b = Maker()
    x = b.tensor(8, 8)
    p = b.softmax(b.op("transpose", x, perm=(1, 0)))
    dead = b.op("exp", x)
    graph = b.build([b.op("matmul", p, x), b.op("cumsum", p, axis=0, reverse=False)])
    found = decisions(graph)
    assert set(found) == set(graph.nodes)
    after = fuse(graph)
    kernels_of = {node.outputs[0]: node for node in after.nodes}
    for node, decision in found.items():
        if node.op.name in ("max", "sub", "exp", "sum", "div", "transpose") and node.out is not dead:
            assert kernels_of[decision.outputs[0]].attrs["family"] == decision.family == "row"
    assert "computes nothing that is used" in str(found[graph.nodes[6]])
    assert "cumsum has a kernel of its own" in str(found[graph.nodes[5]])
    assert "a row kernel and a matmul kernel loop over different axes" in str(found[graph.nodes[5]])


def test_dead_ops_are_dropped() -> None:
    b = Maker()
    x = b.tensor(4)
    b.op("exp", x)
    graph = b.build([b.op("sin", x)])
    after = fuse(graph)
    assert [node.op.name for node in after.nodes] == ["sin"]
    np.testing.assert_array_equal(evaluate(after, [np.ones(4, np.float32)])[0], np.sin(np.ones(4, np.float32)))


def test_an_empty_graph() -> None:
    b = Builder()
    assert fuse(b.build([])).nodes == ()


def test_a_tiny_op_goes_along_with_another_kernel() -> None:
    b = Maker()
    mean = b.reduce("mean", b.tensor(4, 9), 0, 1, keepdims=False)
    count = b.op("add", b.tensor(dtype=i32), b.constant(np.int32(1)))
    assert families(fused(b.build([mean, count]))) == ["row"]


def test_a_tensor_larger_than_a_binding_counts_as_several_buffers() -> None:
    b = Maker()
    total = b.tensor(64, 64)
    for _ in range(3):
        total = b.op("add", b.op("exp", total), b.tensor(64, 64))
    graph = b.build([total])
    assert len(kernels(fuse(graph))) == 1
    narrow = Fuse(max_binding_bytes=64 * 64 * 4 // 2)(graph)
    assert len(kernels(narrow)) > 1
    assert all(2 * (len(n.inputs) + len(n.outputs)) <= 8 for n in kernels(narrow))


def _turned(s: Any, x: Any) -> Any:
    return sum(np.cos(s * i) * x + np.sin(s * i) for i in range(14))


def _stacked(s: Any, x: Any) -> Any:
    return np.stack([x + np.exp(-s * i) for i in range(40)])


def _laddered(s: Any, x: Any) -> Any:
    powers = [s]
    for i in range(2, 70):
        powers.append(powers[-1] * s / np.float32(i))
    return np.concatenate([x * p for p in powers])


@pytest.mark.parametrize("program", [_turned, _stacked, _laddered])
def test_any_number_of_scalars_may_be_read_beside_an_array(program: Any) -> None:
    """They are packed into one tensor, and that by kernels that bind no more buffers than others do."""
    arrays = np.float32(0.7), np.linspace(0.1, 2, 5).astype(np.float32)
    found = np.asarray(graphc.compile(program)(*arrays))
    np.testing.assert_allclose(found, program(*arrays), rtol=1e-5, atol=1e-6)


def test_updates_of_parameters_of_one_size_share_kernels() -> None:
    """As far as the buffers allow, also where they wait for all gradients: two parameters with a moment each."""

    def step(params: list[Any], moments: list[Any], x: Any) -> Any:
        def loss(params: list[Any]) -> Any:
            return np.sum(np.tanh(np.tanh(x @ params[0]) @ params[1]) @ params[2] @ params[3])

        grads = graphc.grad(loss)(params)
        factor = 1 / np.maximum(np.sqrt(sum(np.sum(g * g) for g in grads)), 1)
        moments = [0.9 * m + factor * g for m, g in zip(moments, grads, strict=True)]
        return [p - 0.1 * m for p, m in zip(params, moments, strict=True)], moments

    w = graphc.spec((24, 24))
    graph = graphc.trace(step, [w] * 4, [w] * 4, graphc.spec((8, 24)))
    before = graphc.passes.run(graph, graphc.passes.DEFAULT[: graphc.passes.DEFAULT.index(fuse)])
    after = Fuse(donated=frozenset(range(8)))(before)
    assert_sound(before, after)
    updates = [n for n in kernels(after) if set(n.outputs) & set(after.outputs)]
    assert len(updates) == 3, "of four parameters, two fit in one kernel with the sum that all wait for"
