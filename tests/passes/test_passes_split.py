"""split: long reductions in chunks, for every length, with the accuracy that is promised."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from graphc.ir.graph import Graph, evaluate, run_node
from graphc.ir.types import DType, bool_, dtype_of, f16, f32, i32, i64, u32
from graphc.passes import cse, split
from graphc.passes.split import Split
from tests.support.handmade import Hand, ops


def reduction(
    name: str, shape: tuple[int, ...], axes: tuple[int, ...], dtype: Any = f32, keepdims: bool = False
) -> Graph:
    h = Hand()
    return h.graph(h.op(name, h.input(*shape, dtype=dtype), axes=axes, keepdims=keepdims))


def longest_run(graph: Graph) -> int:
    """Most terms that one reduction over other axes than the last adds up."""
    runs = [0]
    for node in graph.nodes:
        shape, axes = node.inputs[0].type.shape, node.attrs.get("axes", ())
        last = max((i for i, n in enumerate(shape) if n > 1), default=-1)
        if node.op.name in ("sum", "max", "min", "prod") and last not in axes:
            runs.append(math.prod(shape[axis] for axis in axes))
    return max(runs)


@pytest.mark.parametrize("length", [1025, 1031, 2048, 4097, 12288, 65537])
@pytest.mark.parametrize("name", ["sum", "mean", "max", "min"])
def test_column_reductions_of_any_length(name: str, length: int) -> None:
    before = reduction(name, (length, 3), (0,))
    after = split(before)
    after.verify()
    assert longest_run(after) <= 1024
    assert len(after.nodes) <= 6
    x = np.random.default_rng(length).normal(size=(length, 3)).astype(np.float32)
    (got,) = evaluate(after, [x])
    exact = getattr(np, name)(x.astype(np.float64), axis=0)
    np.testing.assert_allclose(got, exact, rtol=1e-5, atol=1e-6 * length)
    if name in ("max", "min"):
        np.testing.assert_array_equal(got, getattr(np, name)(x, axis=0))


@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((1500, 2, 3), (0,)),
        ((50, 40, 6), (0, 1)),
        ((3, 2000, 4), (1,)),
        ((50, 3, 60), (0, 2)),
        ((1, 1030, 1), (0, 1, 2)),
        ((2, 1030, 1), (1,)),
        ((40, 2, 50, 3), (0, 2)),
        ((2000, 1), (0,)),
        ((20_000,), (0,)),
        ((3, 40_000), (1,)),
        ((7, 100, 300), (1, 2)),
    ],
)
@pytest.mark.parametrize("keepdims", [False, True])
def test_any_axes(shape: tuple[int, ...], axes: tuple[int, ...], keepdims: bool) -> None:
    before = reduction("sum", shape, axes, keepdims=keepdims)
    after = split(before)
    after.verify()
    assert longest_run(after) <= 1024
    x = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    (got,) = evaluate(after, [x])
    assert got.shape == before.outputs[0].type.shape
    wide: Any = x.astype(np.float64)
    np.testing.assert_allclose(got, wide.sum(axis=axes, keepdims=keepdims), rtol=1e-4, atol=2e-3)


def test_short_ones_and_many_rows_stay() -> None:
    for graph in (
        reduction("sum", (1024, 5), (0,)),
        reduction("sum", (4, 16384), (1,)),
        reduction("max", (200, 50_000), (1,)),
        reduction("argmax", (5000, 3), (0,)),
        reduction("sum", (5000, 0), (0,)),
        reduction("sum", (1024, 1, 1), (0,)),
    ):
        assert split(graph) is graph


def test_few_long_rows_are_cut_into_many() -> None:
    after = split(reduction("sum", (2, 1 << 20), (1,)))
    first = next(node for node in after.nodes if node.op.name == "sum")
    assert first.out.type.size >= 128
    assert "pad" not in ops(after)


@pytest.mark.parametrize("dtype", [i32, u32, bool_, f16])
@pytest.mark.parametrize("name", ["max", "min"])
def test_padding_never_shows(name: str, dtype: Any) -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 2, (1033, 2)).astype(dtype.numpy) if dtype == bool_ else None
    if x is None:
        x = rng.integers(1, 9, (1033, 2)).astype(dtype.numpy)
        x = -x if name == "max" and dtype != u32 else x
    (got,) = evaluate(split(reduction(name, (1033, 2), (0,), dtype)), [x])
    np.testing.assert_array_equal(got, getattr(np, name)(x, axis=0))


def test_an_infinite_column_keeps_its_extreme() -> None:
    x = np.full((1033, 1), -np.inf, np.float32)
    assert evaluate(split(reduction("max", x.shape, (0,))), [x])[0][0] == -np.inf
    x[5] = np.nan
    assert np.isnan(evaluate(split(reduction("max", x.shape, (0,))), [x])[0][0])


def test_products_and_integers() -> None:
    x = np.random.default_rng(0).integers(-3, 4, (2050, 2)).astype(np.int32)
    (got,) = evaluate(split(reduction("sum", x.shape, (0,), i32)), [x])
    np.testing.assert_array_equal(got, x.sum(0))
    ones = np.where(np.arange(1100) % 100 == 0, 2, 1).astype(np.float32)[:, None]
    assert evaluate(split(reduction("prod", ones.shape, (0,))), [ones])[0][0] == 2048


@pytest.mark.parametrize("dtype", [f32, f16, i32, i64, u32, bool_])
@pytest.mark.parametrize("name", ["argmax", "argmin", "max", "min"])
@pytest.mark.parametrize(("shape", "axis"), [((70_001,), 0), ((2, 70_001), 1), ((70_001, 3), 0), ((2, 17_001, 3), 1)])
def test_positions_and_extremes_of_any_type(name: str, shape: tuple[int, ...], axis: int, dtype: DType) -> None:
    """Few values, so that the first of many equal ones is wanted; the ends of a type's range are among them."""
    after = split(reduction(name, shape, (axis,), dtype))
    after.verify()
    assert not any(node.inputs[0].type.shape[axis] == shape[axis] for node in after.nodes if node.op.name == name)
    rng = np.random.default_rng(0)
    values = {"float": [-np.inf, -1, 0, 2], "bool": [False, True]}.get(dtype.kind)
    if values is None:
        info = np.iinfo(dtype.numpy)
        values = [info.min, info.min + 1, info.max - 1, info.max]
    some = np.array(values, dtype.numpy)
    for x in (rng.choice(some, shape), np.full(shape, some[0]), np.full(shape, some[-1])):
        (got,) = evaluate(after, [x])
        np.testing.assert_array_equal(got, getattr(np, name)(x, axis=axis))


@pytest.mark.parametrize("name", ["argmax", "argmin"])
def test_the_first_nan_is_the_extreme(name: str) -> None:
    x = np.random.default_rng(0).normal(size=(2, 70_001)).astype(np.float32)
    x[0, [69_000, 69_500]] = np.nan
    (got,) = evaluate(split(reduction(name, x.shape, (1,))), [x])
    np.testing.assert_array_equal(got, getattr(np, name)(x, axis=1))


def test_half_precision_is_summed_in_single() -> None:
    x = np.full((4100, 1), 1.0, np.float16)
    (got,) = evaluate(split(reduction("sum", x.shape, (0,), f16)), [x])
    assert got.dtype == np.float16
    assert got[0] == 4100
    (mean,) = evaluate(split(reduction("mean", x.shape, (0,), f16)), [x])
    assert mean[0] == 1


def test_228146_rows_within_3e6_of_the_largest_entry() -> None:
    """Summed as kernels do, one term after another within a chunk."""
    rows = 228_146
    x = np.random.default_rng(0).uniform(0, 1, (rows, 1)).astype(np.float32)
    after = split(reduction("sum", x.shape, (0,)))
    env = {after.inputs[0]: x}
    for node in after.nodes:
        operand = env[node.inputs[0]]
        if node.op.name == "sum":
            (axis,) = node.attrs["axes"]
            env[node.out] = np.take(np.add.accumulate(operand, axis=axis, dtype=np.float32), -1, axis=axis)
        else:
            (env[node.out],) = run_node(node, [operand])
    got = env[after.outputs[0]]
    exact = x.astype(np.float64).sum(0)
    assert np.abs(got - exact).max() / np.abs(exact).max() < 3e-6


def test_two_sums_of_one_tensor_share_the_padding() -> None:
    h = Hand()
    x = h.input(1031, 4)
    graph = h.graph(h.sum(x, axes=(0,)), h.mean(x, axes=(0,)))
    assert cse(split(graph)).count("pad") == 1


def test_limits_are_options() -> None:
    after = Split(terms=8)(reduction("sum", (100, 2), (0,)))
    assert longest_run(after) <= 8
    x = np.arange(200, dtype=dtype_of("f32").numpy).reshape(100, 2)
    np.testing.assert_array_equal(evaluate(after, [x])[0], x.sum(0))


@pytest.mark.parametrize(("m", "k", "n"), [(3, 20_000, 4), (27, 20_480, 5), (1, 16_385, 1)])
def test_products_over_a_long_axis(m: int, k: int, n: int) -> None:
    h = Hand()
    before = h.graph(h.op("matmul", h.input(m, k), h.input(k, n)))
    after = split(before)
    after.verify()
    longest = max(node.inputs[0].type.shape[-1] for node in after.nodes if node.op.name == "matmul")
    assert longest < 2 * 1024
    generator = np.random.default_rng(k)
    a, b = generator.random((m, k)).astype(np.float32), generator.random((k, n)).astype(np.float32)
    (got,) = evaluate(after, [a, b])
    np.testing.assert_allclose(got, a.astype(np.float64) @ b.astype(np.float64), rtol=1e-6)


@pytest.mark.parametrize(
    "shapes", [((2, 3, 13_001), (2, 13_001, 4)), ((3, 16_000), (16_000, 2)), ((3, 2, 20_000), (20_000, 5))], ids=str
)
def test_products_with_many_results_are_added_up_in_slices(shapes: tuple[tuple[int, ...], ...]) -> None:
    """Any result counts as many here."""
    h = Hand()
    after = Split(partial=0, slice=4096, inner=1 << 20)(
        h.graph(h.op("matmul", *(h.input(*s, dtype=i32) for s in shapes)))
    )
    after.verify()
    depths = [node.inputs[0].type.shape[-1] for node in after.nodes if node.op.name == "matmul"]
    assert sum(depths) == shapes[0][-1]
    assert max(depths) <= 4096 + 16
    a, b = (np.random.default_rng(0).integers(-9, 9, shape).astype(np.int32) for shape in shapes)
    np.testing.assert_array_equal(evaluate(after, [a, b])[0], a @ b)


def test_products_with_few_results_are_left_to_the_kernel() -> None:
    h = Hand()
    graph = h.graph(h.op("matmul", h.input(2, 8, 1_000_000), h.input(2, 1_000_000, 8)))
    assert split(graph) is graph
    h = Hand()
    large = split(h.graph(h.op("matmul", h.input(2, 2000, 100_000), h.input(2, 100_000, 2000))))
    assert ops(large).count("matmul") == 13


def test_products_that_are_left_whole() -> None:
    for shapes in (((8, 16_384), (16_384, 8)), ((2, 8, 20_000), (2, 20_000, 8)), ((30_000, 12_000), (12_000, 30_000))):
        h = Hand()
        graph = h.graph(h.op("matmul", *(h.input(*shape) for shape in shapes)))
        assert split(graph) is graph
