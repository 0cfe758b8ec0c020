"""Recomputation: the same results, fewer bytes, a stated limit held, and errors that help."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

import graphc
from graphc import reference, tree
from graphc.executable import Executable
from graphc.ir.graph import Graph, evaluate
from graphc.passes import DEFAULT, run
from graphc.passes.fusion.fuse import fuse
from graphc.passes.memory.order import peak_bytes
from graphc.passes.memory.remat import Ladder, Remat
from tests.support.planning import transformer
from tests.support.programs import RandomProgram, programs

BEFORE = DEFAULT[: DEFAULT.index(fuse)]
AFTER = DEFAULT[DEFAULT.index(fuse) :]


def flops(executable: Executable) -> int:
    return sum(d.flops for d in executable.plan.dispatches)


def deep(weights: Any, x: Any) -> Any:
    for w in weights:
        x = np.tanh(x @ w)
    return np.mean(x * x)


def deep_graph(layers: int) -> Graph:
    weights = [graphc.spec((16, 16))] * layers
    return run(graphc.trace(graphc.grad(deep), weights, graphc.spec((256, 16))), BEFORE)


def random_arguments(abstract: Any, seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)

    def draw(spec: Any) -> Any:
        if np.dtype(spec.dtype).kind == "i":
            return rng.integers(0, 5, spec.shape).astype(spec.dtype)
        return rng.normal(size=spec.shape).astype(spec.dtype) * np.float32(0.3)

    return tree.map(draw, abstract)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(programs(max_steps=20))
def test_every_step_of_a_ladder_computes_the_same_bits(program: RandomProgram) -> None:
    inputs = program.arrays(0)
    both = graphc.value_and_grad(program.loss, tuple(range(len(inputs))))
    graph = run(graphc.trace(both, *inputs), BEFORE)
    ladder = Ladder(graph, fuse)
    want = evaluate(graph, inputs)
    for step in range(len(ladder.steps)):
        after = run(graph, (Remat(ladder, step),))
        for a, b in zip(want, evaluate(after, inputs), strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_deep_chain_keeps_values_far_apart() -> None:
    """Of 36 equal layers about 6 are kept and as many are computed again at a time: the square root."""
    graph = deep_graph(36)
    ladder = Ladder(graph, fuse)
    peaks = [peak_bytes(run(graph, (Remat(ladder, step), *AFTER))) for step in range(len(ladder.steps))]
    assert min(peaks) < 0.5 * peaks[0]
    assert peaks[1] < peaks[0]


def test_pointwise_values_go_before_products() -> None:
    def loss(w: Any, x: Any) -> Any:
        h = x @ w
        return np.sum(np.sin(h) * np.tanh(h))

    graph = run(graphc.trace(graphc.grad(loss, (0, 1)), graphc.spec((64, 64)), graphc.spec((64, 64))), BEFORE)
    ladder = Ladder(graph, fuse)
    costs = [drop.flops for drop in ladder.drops]
    assert costs == sorted(costs)


def test_nothing_to_compute_again_is_a_ladder_of_one_step() -> None:
    graph = run(graphc.trace(lambda x: np.tanh(x) + 1, graphc.spec((8,))), BEFORE)
    ladder = Ladder(graph, fuse)
    assert ladder.steps == (0,)
    assert Remat(ladder, 0)(graph) is graph


@pytest.mark.parametrize("layers", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_less_memory_gives_the_same_gradients(layers: int, device: graphc.Device) -> None:
    step, abstract = transformer(width=32, heads=2, layers=layers, length=16, batch=4)
    params, state, x, y = random_arguments(abstract)
    state = tree.map(np.abs, state)
    plain = graphc.compile(step, device=device).lower(params, state, x, y)
    limit = int(plain.memory.peak_bytes * (0.7 if layers == 1 else 0.5))
    limited = graphc.compile(step, device=device, memory_limit=limit).lower(params, state, x, y)
    assert limited.memory.peak_bytes <= limit
    assert flops(limited) <= 1.35 * flops(plain)
    assert "remat" in [name for name, _ in limited.stages]
    for a, b in zip(tree.leaves(plain(params, state, x, y)), tree.leaves(limited(params, state, x, y)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    assert "remat" not in limited.explain()


def test_the_poisoned_run_of_a_limited_plan_equals_the_plain_one() -> None:
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=(16, 16)).astype(np.float32) / 4 for _ in range(12)]
    x = rng.normal(size=(64, 16)).astype(np.float32)
    plain = graphc.compile(graphc.grad(deep), device="numpy").lower(weights, x)
    limit = int(0.6 * plain.memory.peak_bytes)
    limited = graphc.compile(graphc.grad(deep), device="numpy", memory_limit=limit).lower(weights, x)
    want = reference.run(plain.graph, [*weights, x])
    for a, b in zip(want, reference.run_plan(limited.plan, limited.graph, [*weights, x]), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


def test_a_lower_limit_never_gives_a_higher_peak() -> None:
    arguments = [graphc.spec((16, 16))] * 12, graphc.spec((256, 16))
    plain = graphc.compile(graphc.grad(deep), device="numpy").lower(*arguments).memory.peak_bytes
    peaks = []
    for part in (1.0, 0.9, 0.75, 0.55):
        limit = int(part * plain)
        limited = graphc.compile(graphc.grad(deep), device="numpy", memory_limit=limit).lower(*arguments)
        peaks.append(limited.memory.peak_bytes)
        assert peaks[-1] <= part * plain
    assert peaks[0] == plain
    assert peaks == sorted(peaks, reverse=True)


def test_an_error_names_tensors_lines_and_the_lowest_limit_that_works() -> None:
    weights = [graphc.spec((16, 16))] * 12
    x = graphc.spec((256, 16))

    def compiled(limit: int) -> Executable:
        return graphc.compile(graphc.grad(deep), device="numpy", memory_limit=limit).lower(weights, x)

    with pytest.raises(graphc.MemoryLimitError, match=r"test_remat.py:\d+") as caught:
        compiled(1000)
    (needed,) = re.findall(r"needs (\d+)", str(caught.value))
    lowest = int(needed)
    assert "stand in the way" in str(caught.value)
    assert "with nothing computed again" in str(caught.value)
    assert compiled(lowest).memory.peak_bytes == lowest
    with pytest.raises(graphc.MemoryLimitError, match=str(lowest)):
        compiled(lowest - 1)


@pytest.mark.parametrize("passes", [(), DEFAULT[:-2], BEFORE])
def test_other_passes_hold_a_limit_too(passes: Any) -> None:
    weights = [graphc.spec((16, 16))] * 12
    arguments = weights, graphc.spec((256, 16))
    plain = graphc.compile(graphc.grad(deep), device="numpy", passes=passes).lower(*arguments).memory.peak_bytes
    limit = int(0.7 * plain)
    limited = graphc.compile(graphc.grad(deep), device="numpy", passes=passes, memory_limit=limit).lower(*arguments)
    assert limited.memory.peak_bytes <= limit


@pytest.mark.slow
def test_a_gpt_of_batch_64_in_half_the_memory() -> None:
    step, abstract = transformer(width=384, heads=6, layers=6, length=256, batch=64)
    plain = graphc.compile(step, device="numpy", donate=(0, 1)).lower(*abstract)
    limit = plain.memory.peak_bytes // 2
    limited = graphc.compile(step, device="numpy", donate=(0, 1), memory_limit=limit).lower(*abstract)
    ratio = flops(limited) / flops(plain)
    print(f"{plain.memory.peak_bytes} -> {limited.memory.peak_bytes} bytes at {ratio:.3f} x the operations")
    assert limited.memory.peak_bytes <= limit
    assert ratio <= 1.35
