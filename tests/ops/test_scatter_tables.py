"""Scatters into tables of any size: rows in the order of tiles, shared tiles, what is cleared and how."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import reference
from graphc.errors import GraphError
from graphc.families.scatter_add import kernel as scatter
from graphc.families.scatter_add import partition
from graphc.ir.graph import Graph
from graphc.lower import lower
from graphc.ops import by_name
from graphc.passes import pipeline
from graphc.plan.plan import MOST_TURNS, Plan, Target
from graphc.plan.verify import check_plan
from tests.support import tint
from tests.support.run_graph import graph_of, run, variants

SCATTER, UPDATE = by_name("scatter_add"), by_name("index_update")
KINDS = ("spread", "one", "two", "skewed", "outside", "sorted")


def ids_of(kind: str, rows: int, slots: int) -> Any:
    rng = np.random.default_rng(rows)
    spread = rng.integers(0, slots, rows)
    found = {
        "spread": spread,
        "one": np.full(rows, slots - 1),
        "two": rng.integers(0, 2, rows) * (slots - 1),
        "skewed": np.minimum((rng.exponential(1, rows) * slots / 50).astype(int), slots - 1),
        "outside": rng.integers(-2 * slots, 2 * slots, rows),
        "sorted": np.sort(spread),
    }[kind]
    return found.astype(np.int32)


def added(ids: Any, updates: Any, slots: int) -> Any:
    """Rows of updates [R, ...] added at ids [R], in float64 (integers wrap); ids outside add nothing."""
    kind = float if updates.dtype.kind == "f" else updates.dtype
    out = np.zeros((slots, *updates.shape[1:]), kind)
    inside = (ids < slots) & (ids >= -slots)
    with np.errstate(over="ignore"):
        np.add.at(out, ids[inside], updates[inside].astype(kind))
    return out


def updated(x: Any, ids: Any, values: Any) -> Any:
    """x with the values written at ids, of equal ones the last; ids outside write nothing."""
    out = x.copy()
    for place, value in zip(ids, values, strict=True):
        if -len(x) <= place < len(x):
            out[place] = value
    return out


def largest(plan: Plan) -> int:
    return max(kernel.turns for kernel in plan.kernels)


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiles and chunks so small that a few hundred rows need many of each."""
    for name, value in (("CHUNK", 16), ("MOST_SLOTS", 8), ("SHORTEST_BLOCK", 8), ("CLEAR_ALONE", 4), ("GROUP", 3)):
        monkeypatch.setattr(partition, name, value)
    monkeypatch.setattr(partition, "LARGE", 1 << 10)
    monkeypatch.setattr(scatter, "PART_ROWS", 1)
    monkeypatch.setattr(scatter, "MOST_PARTS", 0)
    monkeypatch.setattr(scatter, "LONGEST", 0)


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("rows", "slots", "inner"), [(700, 90, 1), (333, 40, 4), (500, 3, 3), (90, 1000, 8), (17, 8, 1)]
)
def test_tiles_of_few_slots_and_chunks_of_few_rows(device: Any, rows: int, slots: int, inner: int, kind: str) -> None:
    ids = ids_of(kind, rows, slots)
    updates = np.random.default_rng(1).standard_normal((rows, inner)).astype(np.float32)
    graph = graph_of(SCATTER, [ids, updates], axis=0, size=slots)
    want = added(ids, updates, slots)
    for name, target in variants(device).items():
        (got,), plan = run(device, graph, [ids, updates], target)
        assert any(kernel.name == "tile_add" for kernel in plan.kernels)
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=2e-6 * max(np.abs(want).max(), 1), err_msg=name)
        (again,), _ = run(device, graph, [ids, updates], target)
        np.testing.assert_array_equal(got, again)


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("dtype", [np.int32, np.uint32])
@pytest.mark.parametrize("ids_dtype", [np.int32, np.uint32])
def test_integers_are_added_exactly(device: Any, dtype: Any, ids_dtype: Any) -> None:
    rng = np.random.default_rng(0)
    ids = rng.integers(0, 70, (20, 30)).astype(ids_dtype)
    updates = rng.integers(0, 2**31, (3, 20, 30, 2)).astype(dtype)
    (got,), _ = run(device, graph_of(SCATTER, [ids, updates], axis=1, size=50), [ids, updates])
    flat = updates.reshape(3, 600, 2).swapaxes(0, 1)
    want = added(ids.astype(np.int64).ravel(), flat, 50)
    np.testing.assert_array_equal(got, want.swapaxes(0, 1))


@pytest.mark.usefixtures("small_chunks")
def test_tables_in_several_windows(device: Any) -> None:
    target = replace(device.target, max_binding_bytes=4096, max_workgroups=5)
    ids = ids_of("skewed", 300, 400)
    updates = np.random.default_rng(1).standard_normal((300, 4)).astype(np.float32)
    (got,), _ = run(device, graph_of(SCATTER, [ids, updates], axis=0, size=400), [ids, updates], target)
    np.testing.assert_allclose(got, added(ids, updates, 400), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("rows", "slots", "inner"), [(70_001, 300_000, 1), (20_000, 50_000, 20), (70_001, 27, 8), (3000, 2_000_000, 1)]
)
def test_more_rows_than_a_loop_turns(device: Any, rows: int, slots: int, inner: int, kind: str) -> None:
    ids = ids_of(kind, rows, slots)
    updates = np.random.default_rng(1).uniform(0, 1, (rows, inner)).astype(np.float32)
    graph = graph_of(SCATTER, [ids, updates], axis=0, size=slots)
    (got,), plan = run(device, graph, [ids, updates])
    want = added(ids, updates, slots)
    assert np.abs(got - want).max() <= 3e-6 * want.max()
    assert largest(plan) <= MOST_TURNS
    x = np.random.default_rng(2).standard_normal((slots, inner)).astype(np.float32)
    (got,), plan = run(device, graph_of(UPDATE, [x, ids, updates], axis=0), [x, ids, updates])
    np.testing.assert_array_equal(got, updated(x, ids, updates))
    assert largest(plan) <= MOST_TURNS


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("rows", "slots", "inner"),
    [(228_146, 6_000_000, 1), (1_000_000, 27, 1), (1_000_000, 1_000_000, 4), (10_000_000, 27, 1), (10_000_000, 999, 1)],
)
def test_millions_of_rows(device: Any, rows: int, slots: int, inner: int, kind: str) -> None:
    ids = ids_of(kind, rows, slots)
    updates = np.random.default_rng(1).uniform(0, 1, (rows, inner)).astype(np.float32)
    (got,), _ = run(device, graph_of(SCATTER, [ids, updates], axis=0, size=slots), [ids, updates])
    want = added(ids, updates, slots)
    assert np.abs(got - want).max() <= 3e-6 * want.max()


def test_many_small_tables_are_added_in_groups(device: Any) -> None:
    ids = ids_of("spread", 300_000, 5)
    updates = np.random.default_rng(1).uniform(0, 1, 300_000).astype(np.float32)
    (got,), plan = run(device, graph_of(SCATTER, [ids, updates], axis=0, size=5), [ids, updates])
    assert [kernel.name for kernel in plan.kernels] == ["scatter_add", "scatter_groups", "scatter_sum"]
    want = added(ids, updates, 5)
    assert np.abs(got - want).max() <= 3e-6 * want.max()


def test_browsers_take_the_kernels() -> None:
    software = Target("software", software=True, subgroup=8, features=frozenset({"subgroup"}))
    texts = {}
    for rows, slots, inner in ((700, 3_000_000, 1), (70_001, 300_000, 1), (300_000, 5, 1), (20_000, 5000, 20)):
        ids, updates = np.zeros(rows, np.int32), np.zeros((rows, inner), np.float32)
        table = np.zeros((slots, inner), np.float32)
        graphs = {
            "add": graph_of(SCATTER, [ids, updates], axis=0, size=slots),
            "update": graph_of(UPDATE, [table, ids, updates], axis=0),
        }
        for name, graph in graphs.items():
            for target in (software, Target()):
                for kernel in lower(graph, target).kernels:
                    texts[f"{name} {rows} {target.name} {kernel.name}"] = kernel.wgsl, kernel.needs
    assert any("tile_sum" in name for name in texts)
    assert any("scatter_groups" in name for name in texts)
    assert tint.errors(texts) == {}


# What is cleared


LARGE = 1_500_000


def a_large_one() -> tuple[Graph, list[Any]]:
    ids = ids_of("spread", 900, LARGE)
    updates = np.random.default_rng(1).uniform(0, 1, 900).astype(np.float32)
    return graph_of(SCATTER, [ids, updates], axis=0, size=LARGE), [ids, updates]


def test_large_tables_are_cleared_without_a_kernel(device: Any) -> None:
    graph, arrays = a_large_one()
    plan = lower(graph, device.target)
    (number,) = (n for n, d in enumerate(plan.dispatches) if d.clears)
    (position,) = plan.dispatches[number].clears
    assert position == plan.outputs[0]
    assert plan.kernels[plan.dispatches[number].kernel].name == "tile_add"
    assert not any("clear" in kernel.name for kernel in plan.kernels)
    assert f"clear {plan.tensors[position].name}@" in str(plan)
    assert Plan.from_json(plan.to_json()) == plan
    runner = device.prepare(graph, plan, frozenset())
    for shift in (0, 7, 11):  # the same memory again, with other rows set
        ids = arrays[0] + shift
        (got,) = runner([ids, arrays[1]])
        np.testing.assert_allclose(got.numpy(), added(ids, arrays[1], LARGE), rtol=1e-6)


def test_the_verifier_follows_clears() -> None:
    graph, _ = a_large_one()
    plan = lower(graph, graphc.device("wgpu").target)
    check_plan(plan)
    number = next(n for n, d in enumerate(plan.dispatches) if d.clears)
    for at, clears in ((number, plan.inputs[:1]), (0, plan.dispatches[number].clears)):
        wrong = replace(plan.dispatches[at], clears=clears)
        spoilt = replace(plan, dispatches=(*plan.dispatches[:at], wrong, *plan.dispatches[at + 1 :]))
        with pytest.raises(GraphError, match=r"clears .* which it does not write"):
            check_plan(spoilt)


def test_the_reference_follows_clears() -> None:
    graph, arrays = a_large_one()
    plan = lower(graph, graphc.device("wgpu").target)
    (got,) = reference.run_plan(plan, graph, arrays)
    np.testing.assert_array_equal(got, reference.run(graph, arrays)[0])
    first = replace(plan.dispatches[0], clears=plan.inputs[:1])
    with pytest.raises(GraphError, match="only be read"):
        reference.run_plan(replace(plan, dispatches=(first, *plan.dispatches[1:])), graph, arrays)


def test_scatters_in_a_loop_clear_in_each_step(device: Any) -> None:
    rows, slots = 900, 70_000
    ids = np.stack([ids_of("spread", rows + k, slots)[:rows] for k in range(5)])

    def step(total: Any, i: Any) -> tuple[Any, Any]:
        gradient = graphc.grad(lambda w: np.sum(w[i] * w[i]))(total)
        return total - np.float32(0.25) * gradient, np.sum(gradient)

    def fn(w: Any, ids: Any) -> Any:
        return graphc.scan(step, w, ids)

    w = np.random.default_rng(0).uniform(0, 1, slots).astype(np.float32)
    compiled = graphc.compile(fn, device=device)
    got, sums = compiled(w, ids)
    plan = compiled.lower(w, ids).plan
    assert plan.loops
    assert any(d.clears for d in plan.dispatches)
    want, sums_wanted = w.astype(float), []
    for row in ids:
        gradient = added(row, 2 * want[row], slots)
        want = want - 0.25 * gradient
        sums_wanted.append(gradient.sum())
    np.testing.assert_allclose(got.numpy(), want, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(sums.numpy(), sums_wanted, rtol=1e-5)


def test_a_saved_program_clears(device: Any, tmp_path: Path) -> None:
    ids = ids_of("two", 900, 100_000)
    fn = graphc.compile(graphc.grad(lambda w, i: np.sum(w[i])), device=device)
    w = np.zeros(100_000, np.float32)
    fn.lower(w, ids).save(tmp_path / "p")
    loaded = graphc.load_program(tmp_path / "p", "wgpu")
    for shift in (0, 1):
        np.testing.assert_array_equal(np.asarray(loaded(w, ids - shift)), added(ids - shift, np.ones(900), 100_000))


def test_a_gradient_of_picked_rows_beside_numpy(device: Any) -> None:
    """Through the public face, fused and unfused: rows of a large table picked by computed ids."""
    rng = np.random.default_rng(0)
    table = rng.standard_normal((40_000, 8)).astype(np.float32)
    ids = rng.integers(0, 20_000, 9000).astype(np.int32)
    weights = rng.standard_normal((9000, 8)).astype(np.float32)
    gradient = graphc.grad(lambda t, i, w: np.sum(t[i * 2] * w))
    want = added(ids * 2, weights, 40_000)
    for passes in (pipeline.DEFAULT, ()):
        got = np.asarray(graphc.compile(gradient, device=device, passes=passes)(table, ids, weights))
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)
