"""The matmul family against float64: every way to read the operands, edges of every size, epilogues, split sums."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from graphc.errors import DeviceError
from graphc.families.matmul.tile import Shape, Tile, choose
from graphc.ir.graph import Builder
from graphc.ir.types import TensorType, f32, i32
from graphc.lower import lower
from graphc.ops import by_name
from graphc.ops.structured import fused
from tests.support.run_graph import graph_of, run, variants

MATMUL, TRANSPOSE, ADD, MAXIMUM = (by_name(n) for n in ("matmul", "transpose", "add", "maximum"))
VARIANTS = ("own", "no subgroups", "wide", "small grid")


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def check(got: np.ndarray, want: np.ndarray, terms: int) -> None:
    """Within the error of an f32 sum of so many products of normal numbers."""
    np.testing.assert_allclose(got, want, rtol=2e-6, atol=2e-6 * max(4, terms) ** 0.5 + 1e-7 * terms)


def fused_body(a_shape: Any, b_shape: Any, swap_a: Any = False, swap_b: Any = False, epilogue: Any = None) -> Any:
    """A fused matmul whose operands are read through transposes; epilogue(builder, product) -> outputs."""
    body = Builder()
    operands = []
    for shape, swap in ((a_shape, swap_a), (b_shape, swap_b)):
        stored = (*shape[:-2], shape[-1], shape[-2]) if swap else shape
        value = body.input(TensorType(stored, f32))
        rank = len(shape)
        perm = (*range(rank - 2), rank - 1, rank - 2)
        operands.append(body.apply(TRANSPOSE, value, perm=perm) if swap else value)
    product = body.apply(MATMUL, *operands)
    outputs = epilogue(body, product) if epilogue else [product]
    return body.build(outputs)


def graph_around(body: Any) -> Any:
    outer = Builder()
    inputs = [outer.input(v.type) for v in body.inputs]
    return outer.build(outer.add(fused, *inputs, body=body, family="matmul", why=()))


SIZES = [
    (3, 5, 700),
    (1, 1, 1),
    (1, 64, 27),
    (5, 7, 9),
    (16, 16, 16),
    (17, 31, 37),
    (33, 8, 66),
    (64, 1, 1),
    (40, 12, 20),
    (70, 68, 72),
]


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(("swap_a", "swap_b"), list(itertools.product((False, True), repeat=2)))
def test_transposed_operands_are_read_in_place(device: Any, variant: Any, swap_a: Any, swap_b: Any) -> None:
    for m, k, n in SIZES:
        a, b = normal(m, k), normal(k, n, seed=1)
        graph = graph_around(fused_body((m, k), (k, n), swap_a, swap_b))
        stored = [np.ascontiguousarray(a.T) if swap_a else a, np.ascontiguousarray(b.T) if swap_b else b]
        (got,), plan = run(device, graph, stored, variants(device)[variant])
        assert len(plan.dispatches) == 1
        check(got, a.astype(float) @ b, k)


@pytest.mark.parametrize("variant", VARIANTS)
def test_batches_broadcast(device: Any, variant: Any) -> None:
    shapes = [((2, 3, 5), (2, 5, 4)), ((2, 3, 5), (5, 4)), ((3, 5), (2, 5, 4)), ((2, 1, 3, 5), (3, 5, 4))]
    shapes += [((2, 3, 5, 16), (3, 16, 4)), ((4, 1, 8, 12), (1, 3, 12, 8)), ((70, 1, 9), (9, 5))]
    for a_shape, b_shape in shapes:
        a, b = normal(*a_shape), normal(*b_shape, seed=1)
        (got,), _ = run(device, graph_of(MATMUL, [a, b]), [a, b], variants(device)[variant])
        check(got, a.astype(float) @ b, a_shape[-1])


@pytest.mark.parametrize("variant", VARIANTS)
def test_empty_sums_are_zero(device: Any, variant: Any) -> None:
    a, b = np.zeros((3, 0), np.float32), np.zeros((0, 5), np.float32)
    (got,), _ = run(device, graph_of(MATMUL, [a, b]), [a, b], variants(device)[variant])
    np.testing.assert_array_equal(got, np.zeros((3, 5)))


def test_integers_wrap_around(device: Any) -> None:
    a = np.random.default_rng(0).integers(-(2**31), 2**31, (9, 13)).astype(np.int32)
    b = np.random.default_rng(1).integers(-(2**31), 2**31, (13, 6)).astype(np.int32)
    (got,), _ = run(device, graph_of(MATMUL, [a, b]), [a, b])
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(got, a @ b)
    assert got.dtype == i32.numpy


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("shape", [(34, 12, 20), (16, 7, 27), (3, 1100, 8)])
def test_epilogue_with_bias_residual_and_two_outputs(device: Any, variant: Any, shape: Any) -> None:
    m, k, n = shape

    def epilogue(body: Any, product: Any) -> Any:
        bias = body.input(TensorType((n,), f32))
        residual = body.input(TensorType((m, n), f32))
        zero = body.constant(np.float32(0))
        linear = body.apply(ADD, product, bias)
        return [linear, body.apply(ADD, body.apply(MAXIMUM, linear, zero), residual)]

    body = fused_body((m, k), (k, n), epilogue=epilogue)
    arrays = [normal(m, k), normal(k, n, seed=1), normal(n, seed=2), normal(m, n, seed=3)]
    got, _ = run(device, graph_around(body), arrays, variants(device)[variant])
    linear = arrays[0].astype(float) @ arrays[1] + arrays[2]
    check(got[0], linear, k)
    check(got[1], np.maximum(linear, 0) + arrays[3], k)


@pytest.mark.parametrize("variant", VARIANTS)
def test_heads_are_split_and_merged_by_index_arithmetic(device: Any, variant: Any) -> None:
    # q [B, T, H * D] is read as [B, H, T, D]; k likewise, transposed: scores [B, H, T, T] in one kernel.
    b, t, h, d = 2, 6, 3, 8
    body, reshape = Builder(), by_name("reshape")
    q, k = (body.input(TensorType((b, t, h * d), f32)) for _ in range(2))
    split = [body.apply(reshape, v, shape=(b, t, h, d)) for v in (q, k)]
    left = body.apply(TRANSPOSE, split[0], perm=(0, 2, 1, 3))
    right = body.apply(TRANSPOSE, split[1], perm=(0, 2, 3, 1))
    graph = graph_around(body.build([body.apply(MATMUL, left, right)]))
    arrays = [normal(b, t, h * d), normal(b, t, h * d, seed=1)]
    (got,), _ = run(device, graph, arrays, variants(device)[variant])
    x, y = (v.astype(float).reshape(b, t, h, d).transpose(0, 2, 1, 3) for v in arrays)
    check(got, x @ y.swapaxes(-1, -2), d)


@pytest.mark.parametrize("variant", VARIANTS)
def test_long_sums_are_split(device: Any, variant: Any) -> None:
    rows = 20_001
    a, b = np.abs(normal(rows, 5)), np.abs(normal(rows, 12, seed=1))
    graph = graph_around(fused_body((5, rows), (rows, 12), swap_a=True))
    (got,), plan = run(device, graph, [a, b], variants(device)[variant])
    want = a.T.astype(float) @ b
    assert len(plan.dispatches) == 2
    assert np.abs(got - want).max() <= 3e-6 * np.abs(want).max()


@pytest.mark.parametrize("swap", [False, True])
def test_operands_and_results_larger_than_a_binding_are_bound_in_windows(device: Any, swap: Any) -> None:
    a, b = normal(40, 100), normal(100, 68, seed=1)
    target = replace(device.target, max_binding_bytes=8192)
    stored = [np.ascontiguousarray(a.T), np.ascontiguousarray(b.T)] if swap else [a, b]
    graph = graph_around(fused_body(a.shape, b.shape, swap, swap))
    (got,), plan = run(device, graph, stored, target)
    assert len(plan.dispatches[0].bindings) == 2 + 4 + 2
    check(got, a.astype(float) @ b, 100)


@pytest.mark.parametrize("variant", VARIANTS)
def test_float16_operands_are_added_in_float32(device: Any, variant: Any) -> None:
    target = variants(device)[variant]
    a, b = normal(20, 300).astype(np.float16), normal(300, 24, seed=1).astype(np.float16)
    graph = graph_of(MATMUL, [a, b])
    if "shader-f16" not in target.features:
        with pytest.raises(DeviceError, match="shader-f16"):
            run(device, graph, [a, b], target)
    else:
        (got,), _ = run(device, graph, [a, b], target)
        np.testing.assert_allclose(got, a.astype(float) @ b.astype(float), rtol=1e-3, atol=1e-3)


def test_nan_and_infinity_stay_in_their_rows_and_columns(device: Any) -> None:
    a, b = normal(20, 10), normal(10, 30, seed=1)
    a[3, 4], b[2, 29] = np.nan, np.inf
    (got,), _ = run(device, graph_of(MATMUL, [a, b]), [a, b])
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(np.isfinite(got), np.isfinite(a @ b))


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 9), (9, 1, 1)])
def test_each_element_is_written_by_one_invocation(device: Any, variant: Any, shape: Any) -> None:
    # x @ w + x in the bytes of x: a second invocation of the same element would read what the first has written.
    m, k, n = shape
    texts = [
        kernel.wgsl
        for kernel in lower(graph_of(MATMUL, [normal(m, k), normal(k, n)]), variants(device)[variant]).kernels
    ]
    tile_rows, tile_columns = map(int, re.findall(r"a tile of (\d+) x (\d+)", texts[0])[0])
    stores = re.sub(r"\s+", " ", texts[0].split("k += 4u")[1])
    assert tile_rows == m or re.search(rf"row( \+ r\))? < {m}u", stores)
    assert tile_columns == n or f"column < {n}u" in stores


def test_tiles_cover_every_shape(device: Any) -> None:
    rng = np.random.default_rng(0)
    for target in variants(device).values():
        for _ in range(200):
            shape = Shape(*(int(2 ** rng.uniform(0, 9)) for _ in range(4)))
            tile = choose(shape, "km"[rng.integers(2)], "nk"[rng.integers(2)], target)
            wide, high = tile.across(shape)
            assert wide * tile.tile_columns >= shape.n > (wide - 1) * tile.tile_columns
            assert high * tile.tile_rows >= shape.m > (high - 1) * tile.tile_rows
            assert tile.part_length(shape) * tile.splits >= shape.k
            assert tile.lanes * tile.groups <= target.max_invocations


def test_large_products_take_the_measured_tile(device: Any) -> None:
    target = variants(device)["own"]
    if not target.software or target.subgroup != 8:
        target = variants(device)["no subgroups"]
    tile = choose(Shape(1, 4096, 384, 1536), "k", "n", target)
    assert isinstance(tile, Tile)
    assert tile.tile_rows >= 16
    assert tile.tile_columns >= 64
