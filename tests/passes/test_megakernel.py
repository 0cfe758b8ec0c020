"""megakernel: small kernels that follow each other share a launch, and compute the same bits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.analysis.loops import flatten
from graphc.errors import GraphError
from graphc.ir.graph import evaluate
from graphc.lower import lower
from graphc.passes import DEFAULT, pipeline, run
from graphc.passes.marks.megakernel import WORK, megakernel, operations, small
from graphc.plan.plan import Plan, Target
from graphc.plan.verify import check_plan
from graphc.reference import run_plan
from graphc.tracing.trace import spec, trace
from tests.support import tint
from tests.support.planning import model_step

SOFTWARE = Target("software", subgroup=8, software=True, features=frozenset({"subgroup"}))
WITHOUT = tuple(p for p in DEFAULT if p is not megakernel)


def array(*shape: int) -> Any:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


def mixed(x: Any, w: Any, ids: Any) -> Any:
    """Kernels of several families on small tensors: some read as vectors, some element by element, some integers."""
    h = x @ w
    top = np.argmax(h, axis=-1)
    p = np.exp(h - np.max(h, axis=-1, keepdims=True))
    p = p / np.sum(p, axis=-1, keepdims=True)
    rows = np.take(x, ids, axis=0) @ (w * 2)
    return np.tanh(p @ w.T), np.sum(rows, axis=0) + top[0], np.flip(p, axis=1) @ w.T, top


def mixed_arguments(columns: int) -> tuple[Any, ...]:
    return array(8, 12), array(12, columns), np.array([3, 0, 7, 3], np.int32)


def launched(plan: Plan) -> list[int]:
    """How many kernels each launch holds."""
    return [len(d.members) or 1 for d in plan.dispatches]


def step_of(model: str) -> tuple[Any, Plan]:
    """The training step of a model with its own defaults, as passes leave it, and its plan."""
    fn, arguments = model_step(model, 1)
    graph = run(trace(fn, *arguments), DEFAULT)
    return graph, lower(graph, SOFTWARE)


@pytest.mark.parametrize("columns", [12, 9], ids=["vectors", "elements"])
def test_kernels_of_a_small_program_share_a_launch_and_give_the_same_bits(columns: int) -> None:
    arguments = mixed_arguments(columns)
    joined = graphc.compile(mixed, device="wgpu", target="software")
    alone = graphc.compile(mixed, device="wgpu", target="software", passes=WITHOUT)
    plan, before = joined.lower(*arguments).plan, alone.lower(*arguments).plan
    assert len(plan.dispatches) < len(before.dispatches) == len(plan.apart().dispatches)
    assert max(launched(plan)) >= 3
    assert set(launched(before)) == {1}
    for a, b in zip(joined(*arguments), alone(*arguments), strict=True):
        assert np.array_equal(a.numpy(), b.numpy(), equal_nan=True)
    for got, want in zip(joined(*arguments), mixed(*arguments), strict=True):
        np.testing.assert_allclose(got.numpy(), want, rtol=1e-5, atol=1e-5)


def test_nan_and_repetition() -> None:
    x, w, ids = mixed_arguments(9)
    x[2, 3] = np.nan
    call = graphc.compile(mixed, device="wgpu")
    first, second = call(x, w, ids), call(x, w, ids)
    for a, b, want in zip(first, second, mixed(x, w, ids), strict=True):
        assert a.numpy().tobytes() == b.numpy().tobytes()
        assert np.array_equal(np.isnan(a.numpy()), np.isnan(want))


def test_a_loop_runs_its_megakernels_at_each_step() -> None:
    w = array(8, 8) / 3

    def fn(x: Any, rows: Any) -> Any:
        def step(carry: Any, row: Any) -> tuple[Any, Any]:
            h = np.tanh(carry @ w + row)
            h = h / np.sum(h * h, axis=-1, keepdims=True)
            return h @ w, np.max(h)

        return graphc.scan(step, x, rows)

    arguments = array(8, 8), array(6, 8)
    call = graphc.compile(fn, device="wgpu", target="software")
    plan = call.lower(*arguments).plan
    (loop,) = plan.loops
    assert loop.times == 6
    assert any(plan.dispatches[n].members for n in range(loop.first, loop.last + 1))
    (whole,) = plan.apart().loops
    assert whole.last - whole.first > loop.last - loop.first
    plain = graphc.compile(fn, device="wgpu", target="software", passes=WITHOUT)(*arguments)
    for a, b in zip(call(*arguments), plain, strict=True):
        assert a.numpy().tobytes() == b.numpy().tobytes()


@pytest.mark.parametrize("model", ["microgpt", "mlp"])
def test_the_step_of_a_tiny_model(model: str) -> None:
    graph, plan = step_of(model)
    check_plan(plan)
    assert len(plan.dispatches) < len(plan.apart().dispatches)
    assert Plan.from_json(plan.to_json()) == plan
    assert all(sum(b.access != "uniform" for b in d.bindings) <= 8 for d in plan.dispatches)
    assert not tint.errors({k.name: (k.wgsl, k.needs) for k in plan.kernels if k.family == "megakernel"})
    assert lower(graph, SOFTWARE) == plan


def test_microgpt_takes_at_most_thirty_launches() -> None:
    _, plan = step_of("microgpt")
    assert len(plan.dispatches) <= 30


def test_the_reference_runs_the_stages_in_poisoned_memory() -> None:
    graph = run(trace(mixed, *(spec(a.shape, a.dtype.name) for a in mixed_arguments(9))), DEFAULT)
    plan = lower(graph, SOFTWARE)
    assert max(launched(plan)) > 1
    arrays = list(mixed_arguments(9))
    for got, want in zip(run_plan(plan, graph, arrays), evaluate(flatten(graph).graph, arrays), strict=True):
        np.testing.assert_array_equal(got, want)


def test_a_barrier_stands_where_a_stage_reads_what_another_wrote_and_nowhere_else() -> None:
    def dependent(x: Any) -> Any:
        h = np.tanh(x @ x)
        h = np.tanh(h @ h)
        return h @ h

    def independent(x: Any, y: Any, z: Any) -> Any:
        return np.tanh(x @ x.T), np.sum(y, axis=-1), np.exp(z)

    def barriers(fn: Any, *shapes: tuple[int, ...]) -> list[int]:
        plan = lower(run(trace(fn, *map(spec, shapes)), DEFAULT), SOFTWARE)
        return [k.wgsl.count("storageBarrier();") for k in plan.kernels if k.family == "megakernel"]

    assert barriers(dependent, (8, 8)) == [2]
    assert barriers(independent, (8, 8), (5, 3), (7,)) == [0]


def test_what_is_large_or_forbidden_stays_alone() -> None:
    def fn(x: Any, w: Any) -> Any:
        h = np.tanh(x @ w)
        return h @ w

    def launches(rows: int, passes: Any = DEFAULT, target: Target = SOFTWARE) -> list[int]:
        return launched(lower(run(trace(long, spec((rows, 16)), spec((16, 16))), passes), target))

    def long(x: Any, w: Any) -> Any:
        return fn(fn(x, w), w)

    assert launches(8) == [4]
    assert launches(4096) == [1] * 4
    assert launches(8, WITHOUT) == [1] * 4
    assert launches(8, pipeline.LEGALIZE) == [1] * 6
    assert launches(8, target=replace(SOFTWARE, software=False)) == [1] * 4


def test_the_mark_says_why() -> None:
    graph = run(trace(np.matmul, spec((8, 8)), spec((8, 8))), DEFAULT)
    assert operations(graph.nodes[0]) == 2 * 8**3
    assert small(graph.nodes[0])
    large = run(trace(lambda a, b: np.tanh(a @ b), spec((256, 256)), spec((256, 256))), DEFAULT)
    assert operations(large.nodes[0]) > WORK
    assert not small(large.nodes[0])
    text = graphc.compile(mixed, device="wgpu", target="software").lower(*mixed_arguments(9)).explain()
    assert "it may share one workgroup's launch with its neighbours" in text
    assert "kernel megakernel_of_" in text


def test_the_verifier_refuses_a_stage_outside_of_what_is_bound() -> None:
    plan = lower(run(trace(mixed, *(spec(a.shape, a.dtype.name) for a in mixed_arguments(9))), DEFAULT), SOFTWARE)
    number = next(n for n, d in enumerate(plan.dispatches) if d.members)
    launch = plan.dispatches[number]
    broken = tuple(
        replace(b, nbytes=b.nbytes - 256) if plan.buffers[b.buffer].kind == "arena" else b for b in launch.bindings
    )
    dispatches = list(plan.dispatches)
    dispatches[number] = replace(launch, bindings=broken)
    with pytest.raises(GraphError, match="has a member that touches"):
        check_plan(replace(plan, dispatches=tuple(dispatches)))


def test_the_verifier_refuses_a_megakernel_without_one_of_its_barriers() -> None:
    """Each barrier is there for two members; the text of a megakernel has those that the plan says."""
    plan = lower(run(trace(mixed, *(spec(a.shape, a.dtype.name) for a in mixed_arguments(9))), DEFAULT), SOFTWARE)
    for number, launch in enumerate(plan.dispatches):
        assert plan.kernels[launch.kernel].wgsl.count("storageBarrier()") == len(launch.barriers)
        for barrier in launch.barriers:
            left = tuple(b for b in launch.barriers if b != barrier)
            dispatches = (*plan.dispatches[:number], replace(launch, barriers=left), *plan.dispatches[number + 1 :])
            with pytest.raises(GraphError, match=r"has no barrier between members \d+ and \d+"):
                check_plan(replace(plan, dispatches=dispatches))
    assert sum(len(launch.barriers) for launch in plan.dispatches) > 2


def test_small_variables_of_a_long_loop_lie_in_an_arena_and_large_or_short_ones_where_they_were() -> None:
    def fn(w: Any, m: Any, rows: Any) -> Any:
        def step(carry: Any, row: Any) -> tuple[Any, Any]:
            w, m = carry
            h = np.tanh(row @ w)
            g = (h / np.sum(h * h, axis=-1, keepdims=True)).T @ row
            m = m * 0.9 + g.T
            return (w - m * 0.1, m), np.sum(h)

        (w, m), sums = graphc.scan(step, (w, m), rows)
        return w, m, sums

    def plan_of(steps: int, width: int) -> Plan:
        w = spec((width, width))
        graph = run(trace(fn, w, w, spec((steps, 8, width))), DEFAULT)
        return lower(graph, SOFTWARE, frozenset((0, 1)))

    def kinds(plan: Plan) -> set[str]:
        (loop,) = plan.loops
        names = {t.name for t in plan.tensors if t.shape == plan.tensors[0].shape}
        bound = [b for d in plan.dispatches[loop.first : loop.last + 1] for s in d.members or (d,) for b in s.bindings]
        return {plan.buffers[b.buffer].kind for b in bound if plan.tensors[b.tensor].name in names}

    assert kinds(plan_of(16, 8)) == {"arena"}
    assert "input" in kinds(plan_of(4, 8))
    assert "input" in kinds(plan_of(16, 128))
    arguments = array(8, 8), array(8, 8), array(16, 8, 8)
    joined = graphc.compile(fn, device="wgpu", donate=("w", "m"))(*arguments)
    plain = graphc.compile(fn, device="wgpu", passes=WITHOUT)(*arguments)
    for a, b in zip(joined, plain, strict=True):
        assert a.numpy().tobytes() == b.numpy().tobytes()


def test_tensors_of_vectors_and_of_words_lie_in_arenas_of_their_own() -> None:
    plan = lower(run(trace(mixed, *(spec(a.shape, a.dtype.name) for a in mixed_arguments(9))), DEFAULT), SOFTWARE)
    assert sum(b.kind == "arena" for b in plan.buffers) == 2
    (text,) = [k.wgsl for k in plan.kernels if k.family == "megakernel"]
    assert ": array<vec4<f32>>;" in text
    assert ": array<u32>;" in text
