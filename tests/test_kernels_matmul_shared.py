"""Products whose workgroups share what they load: every layout, edges, masks, types, epilogues; Tint's uniformity."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from graphc.families.matmul.tile import Shape, Tile, can_share, candidates, choose
from graphc.ir import Builder
from graphc.lower import lower
from graphc.ops import by_name
from graphc.plan import Target
from graphc.types import TensorType, f32
from tests import tint
from tests.run_graph import graph_of, run, variants
from tests.test_kernels_matmul import check, fused_body, graph_around, normal

LAYOUTS = list(itertools.product((False, True), repeat=2))
# Small and large tiles; sums of whole blocks, of a part of one, and over the edges of rows and columns.
SIZES = [(128, 64, 128), (130, 68, 132), (127, 100, 140), (512, 80, 516)]


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


def test_odd_sums_are_shared_where_no_vector_runs_along_k(device: Any) -> None:
    for swaps in LAYOUTS:
        (got,), plan, want = product(device, 132, 71, 136, *swaps)
        assert ("var<workgroup>" in plan.kernels[0].wgsl) == swaps[0]
        check(got, want, 71)


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


@pytest.mark.slow
@pytest.mark.parametrize(("swap_a", "swap_b"), LAYOUTS)
@pytest.mark.parametrize("variant", ["own", "wide"])
def test_every_candidate_of_the_tuner_is_right(device: Any, variant: Any, swap_a: Any, swap_b: Any) -> None:
    from graphc.tuner import problems

    m, k, n = 200, 640, 196
    target = variants(device)[variant]
    graph = graph_around(fused_body((m, k), (k, n), swap_a, swap_b))
    a, b = normal(m, k), normal(k, n, seed=1)
    stored = [np.ascontiguousarray(a.T) if swap_a else a, np.ascontiguousarray(b.T) if swap_b else b]
    (problem,) = problems(graph, target)
    assert len(problem.candidates) > 1
    for choice in problem.candidates:
        (got,), _ = run(device, graph, stored, replace(target, choices={problem.name: choice}))
        check(got, a.astype(float) @ b, k)


def test_browsers_accept_the_kernels() -> None:
    texts = {}
    for swaps, size in itertools.product(LAYOUTS, [(128, 64, 128), (512, 68, 516)]):
        m, k, n = size
        (kernel,) = lower(graph_around(fused_body((m, k), (k, n), *swaps)), Target("gpu")).kernels
        texts[f"{swaps} {size}"] = (kernel.wgsl, kernel.needs)
    assert all("workgroupBarrier" in text for text, _ in texts.values())
    assert tint.errors(texts) == {}
