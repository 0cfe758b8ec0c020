"""Products whose workgroups share what they load: every layout, edges, masks, types, epilogues; Tint's uniformity."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.codegen.rules import rules_of
from graphc.families.matmul.tile import Shape, Tile, can_share, candidates, choose, problem_name
from graphc.ir.graph import Builder
from graphc.ir.types import TensorType, f32
from graphc.lower import lower
from graphc.ops import by_name
from graphc.plan.plan import Target
from tests.lower.test_kernels_matmul import check, fused_body, graph_around, normal
from tests.support import tint
from tests.support.run_graph import graph_of, run, variants

LAYOUTS = list(itertools.product((False, True), repeat=2))
# Small and large tiles; sums of whole blocks, of a part of one, and over the edges of rows and columns.
SIZES = [(128, 64, 128), (130, 68, 132), (127, 101, 141)]
# (lanes, groups, rows, columns), depth, stages: each form once, every layout with two of them.
FORMS = [
    ((16, 16, 8, 2), 16, 1),
    ((16, 16, 8, 2), 8, 2),
    ((16, 8, 8, 2), 8, 1),
    ((8, 16, 8, 2), 8, 1),
    ((8, 8, 8, 2), 8, 2),
    ((16, 16, 8, 1), 16, 1),
    ((8, 8, 4, 2), 8, 1),
    ((8, 8, 4, 1), 32, 1),
]


def product(
    device: Any, m: Any, k: Any, n: Any, swap_a: Any = False, swap_b: Any = False, epilogue: Any = None, extra: Any = ()
) -> Any:
    a, b = normal(m, k), normal(k, n, seed=1)
    graph = graph_around(fused_body((m, k), (k, n), swap_a, swap_b, epilogue))
    stored = [np.ascontiguousarray(a.T) if swap_a else a, np.ascontiguousarray(b.T) if swap_b else b]
    got, plan = run(device, graph, [*stored, *extra], variants(device)["wide"])
    return got, plan, a.astype(float) @ b


@pytest.mark.parametrize(("swap_a", "swap_b"), LAYOUTS)
def test_every_layout_at_every_edge(device: Any, swap_a: Any, swap_b: Any) -> None:
    for m, k, n in SIZES:
        (got,), plan, want = product(device, m, k, n, swap_a, swap_b)
        assert "var<workgroup>" in plan.kernels[0].wgsl
        check(got, want, k)


def as_chosen(target: Target, form: Any, shape: Shape, a_along: str, b_along: str) -> Target:
    """The target, for which a tuner has found this form."""
    (lanes, groups, rows, columns), depth, stages = form
    name = problem_name(shape, a_along, b_along, False)
    return replace(target, choices={name: (lanes, groups, rows, columns, 0, 0, depth, stages, 1)})


@pytest.mark.parametrize(("form", "swaps"), list(zip(FORMS, LAYOUTS * 2, strict=True)))
def test_every_form_of_tile_over_edges_with_a_tail(device: Any, form: Any, swaps: Any) -> None:
    m, k, n = 139, 83, 149  # primes: no vector but by single elements, no whole block
    a, b = normal(m, k), normal(k, n, seed=1)
    graph = graph_around(fused_body((m, k), (k, n), *swaps))
    along = "m" if swaps[0] and m % 4 == 0 else "k", "k" if swaps[1] and k % 4 == 0 else "n"
    target = as_chosen(variants(device)["wide"], form, Shape(1, m, k, n), *along)
    stored = [np.ascontiguousarray(x.T) if swap else x for x, swap in zip((a, b), swaps, strict=True)]
    (got,), plan = run(device, graph, stored, target)
    (_, groups, rows, _), depth, stages = form
    assert f"{groups}>, {rows // 4}>, {depth}>, {stages}>;" in plan.kernels[0].wgsl
    check(got, a.astype(float) @ b, k)


@pytest.mark.parametrize("half", [False, True])
def test_forms_with_a_batch_an_epilogue_and_parts(device: Any, half: Any) -> None:
    """Heads side by side, a bias and a residual after them, and sums that are split; f16 where it is known."""
    target = variants(device)["wide"]
    dtype = np.float16 if half and "shader-f16" in target.features else np.float32

    def attend(x: Any, w: Any, bias: Any, old: Any) -> Any:
        q = x.reshape(2, 72, 3, 40).transpose(0, 2, 1, 3)
        return np.maximum(q @ w + bias, 0) + old

    x, w = normal(2, 72, 120).astype(dtype), normal(3, 40, 68, seed=1).astype(dtype)
    bias, old = normal(68, seed=2).astype(dtype), normal(2, 3, 72, 68, seed=3).astype(dtype)
    run_as(device, attend, (x, w, bias, old), ((8, 8, 8, 2), 8, 1), Shape(6, 72, 40, 68), "k", "n", half)

    def gradient(x: Any, g: Any) -> Any:
        return x.T @ g

    x, g = normal(1100, 68).astype(dtype), normal(1100, 132, seed=1).astype(dtype)
    run_as(device, gradient, (x, g), ((8, 8, 4, 2), 16, 1), Shape(1, 68, 1100, 132), "m", "n", half, launches=2)


# A row, a few, more than a tile; whole vectors and tails; parts, where sums are long.
THIN = [(1, 64, 27), (7, 131, 65), (4, 4100, 68)]


@pytest.mark.parametrize("swaps", LAYOUTS)
def test_few_results_are_shared_by_teams(device: Any, swaps: Any) -> None:
    for m, k, n in THIN:
        (got,), plan, want = product(device, m, k, n, *swaps)
        assert "shares[other]" in plan.kernels[0].wgsl
        assert len(plan.dispatches) == (2 if k > 2000 else 1)
        check(got, want, k)


@pytest.mark.parametrize(("a_shape", "b_shape"), [((7, 2, 96), (7, 96, 33)), ((2, 1, 3, 80), (5, 80, 40))])
def test_teams_of_a_batch(device: Any, a_shape: Any, b_shape: Any) -> None:
    a, b = normal(*a_shape), normal(*b_shape, seed=1)
    (got,), plan = run(device, graph_of(by_name("matmul"), [a, b]), [a, b], variants(device)["wide"])
    assert "shares[other]" in plan.kernels[0].wgsl
    check(got, a.astype(float) @ b, a_shape[-1])


def test_a_team_finishes_each_row_once(device: Any) -> None:
    """What follows the product comes after the shares are added, and may take over the bytes of what it reads."""

    def layer(x: Any, w: Any, bias: Any, old: Any) -> Any:
        return np.tanh(x @ w + bias) + old

    arrays = normal(6, 96), normal(96, 70, seed=1), normal(70, seed=2), normal(6, 70, seed=3)
    graph = graphc.compile(layer, device="numpy").lower(*arrays).graph
    (got,), plan = run(device, graph, arrays, variants(device)["wide"])
    assert "shares[other]" in plan.kernels[0].wgsl
    np.testing.assert_allclose(got, layer(*(x.astype(float) for x in arrays)), rtol=1e-5, atol=1e-5)


def run_as(
    device: Any, function: Any, arrays: Any, form: Any, shape: Shape, a: str, b: str, half: bool, launches: int = 1
) -> None:
    """Compile a function with this form of tile, and compare it with NumPy in float64."""
    target = as_chosen(variants(device)["wide"], form, shape, a, b)
    graph = graphc.compile(function, device="numpy").lower(*arrays).graph
    got, plan = run(device, graph, arrays, target)
    assert len(plan.dispatches) == launches
    assert "columns_of_b" in plan.kernels[0].wgsl
    want = function(*(x.astype(float) for x in arrays))
    if half:
        np.testing.assert_allclose(got[0], want, rtol=2e-3, atol=2e-2)
    else:
        check(got[0], want, shape.k)


def test_batches_epilogues_and_integers(device: Any) -> None:
    wide = variants(device)["wide"]
    a, b = normal(3, 80, 64), normal(3, 64, 96, seed=1)
    (got,), plan = run(device, graph_of(by_name("matmul"), [a, b]), [a, b], wide)
    assert "var<workgroup>" in plan.kernels[0].wgsl
    check(got, a.astype(float) @ b, 64)

    def epilogue(body: Any, sums: Any) -> Any:
        return [body.apply(by_name("add"), sums, body.input(TensorType((130,), f32)))]

    bias = normal(130, seed=5)
    (got,), _, want = product(device, 129, 64, 130, epilogue=epilogue, extra=[bias])
    check(got, want + bias, 64)
    x = np.arange(128 * 64, dtype=np.int32).reshape(128, 64)
    (got,), _ = run(device, graph_of(by_name("matmul"), [x, x.T.copy()]), [x, x.T.copy()], wide)
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(got, x @ x.T)


def test_what_lies_beyond_a_sum_is_not_added(device: Any) -> None:
    # 68 terms are 4 blocks and a quarter: the other twelve read NaN, of a row that is not in the product.
    wide = variants(device)["wide"]
    builder = Builder()
    a, b = builder.input(TensorType((129, 68), f32)), builder.input(TensorType((68, 128), f32))
    graph = builder.build([builder.apply(by_name("matmul"), a, b)])
    x, y = normal(129, 68), normal(68, 128, seed=1)
    x[-1], y[-1] = np.nan, np.inf
    (got,), _ = run(device, graph, [x, y], wide)
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(np.isnan(got), np.isnan(x @ y))


def test_long_sums_are_split_at_whole_blocks(device: Any) -> None:
    (got,), plan, want = product(device, 128, 1100, 132)
    assert len(plan.dispatches) == 2
    assert "var<workgroup>" in plan.kernels[0].wgsl
    check(got, want, 1100)


def test_the_tile_stays_within_the_limits() -> None:
    gpu = Target("gpu", max_storage_buffers=8)
    shape = Shape(1, 1024, 1024, 1024)
    tile = choose(shape, "k", "n", gpu)
    assert tile.depth
    assert tile.shared_bytes <= gpu.max_shared_bytes
    assert choose(shape, "k", "n", replace(gpu, max_shared_bytes=1024)).depth == 0
    assert choose(Shape(1, 1024, 32, 1024), "k", "n", gpu).depth == 0
    assert not can_share(Tile(16, 16, 4, 1, False, "k", "n", depth=64), shape, gpu)
    assert all(t.shared_bytes <= gpu.max_shared_bytes for t in candidates(shape, "k", "n", gpu, False))


WHOLE = [(16384, 384, 384), (16384, 384, 1536), (384, 16384, 384), (1536, 16384, 384), (384, 16384, 1152), (2048,) * 3]


@pytest.mark.parametrize("sizes", WHOLE)
def test_the_workgroups_of_a_large_product_leave_little_of_a_round_empty(sizes: Any) -> None:
    m, k, n = sizes
    gpu, shape = Target("gpu", subgroup=32), Shape(1, m, k, n)
    rules, tile = rules_of(gpu), choose(shape, "m" if k > m else "k", "n", gpu)
    rounds = -(-tile.count(shape) // rules.cores)
    assert tile.rows * tile.columns * tile.width == rules.sums
    assert rounds >= tile.resident  # no multiprocessor has room left
    assert tile.count(shape) >= 0.9 * rounds * rules.cores
    assert tile.splits == 1 or tile.splits * m * n <= rules.parts


def test_browsers_accept_the_kernels() -> None:
    texts = {}
    for swaps, size in itertools.product(LAYOUTS, [(128, 64, 128), (512, 68, 516), (7, 131, 65)]):
        m, k, n = size
        (kernel,) = lower(graph_around(fused_body((m, k), (k, n), *swaps)), Target("gpu")).kernels
        texts[f"{swaps} {size}"] = (kernel.wgsl, kernel.needs)
    assert all("workgroupBarrier" in text for text, _ in texts.values())
    assert tint.errors(texts) == {}
