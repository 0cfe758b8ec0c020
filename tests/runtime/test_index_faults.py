"""Indices out of range that only the device knows of: who reads a result is told, in every way and on any device."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import nn
from graphc.ir.graph import Graph, reports
from graphc.ir.op import apply
from graphc.ir.types import NDArray
from graphc.lower import lower
from graphc.ops import by_name
from graphc.passes import pipeline
from graphc.passes.fusion.fuse import Fuse
from graphc.passes.ranges import Ranges
from graphc.tracing.trace import trace
from tests.support.adapters import run_on

TABLE = np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32)
GOOD = np.array([0, 4, 2, 1, 3, 3, 0], np.float32)
LOW, HIGH = -6, 5
"""Beyond either end of the first axis of TABLE, negative indices counted."""


def whole(numbers: Any) -> Any:
    """Indices that nobody knows before the program runs."""
    return numbers.astype(np.int32)


def looped(t: Any, n: Any) -> Any:
    return graphc.scan(lambda total, i: (total + np.sum(t[i]), t[i] * 2), np.float32(0), whole(n))


def carried(t: Any, n: Any) -> Any:
    def step(i: Any, x: Any) -> Any:
        return whole(x), np.sum(t[i])

    return graphc.scan(step, np.int32(0), n)


@dataclass(frozen=True)
class Kind:
    """One way to index TABLE by numbers like GOOD. low, high: numbers beyond either end. moved: what the program adds.

    at: the position of a number that the results depend on.
    """

    fn: Callable[..., Any]
    low: int = LOW
    high: int = HIGH
    moved: int = 0
    at: int = 5


KINDS = {
    "getitem": Kind(lambda t, n: t[whole(n)]),
    "take": Kind(lambda t, n: np.take(t, whole(n), axis=0) * 2),
    "flat": Kind(lambda t, n: np.take(t, whole(n) + 10), low=-26, high=5, moved=10),
    "one number": Kind(lambda t, n: t[np.max(whole(n))] + t[np.min(whole(n))]),
    "columns": Kind(lambda t, n: t.T[:, whole(n)]),
    "several axes": Kind(lambda t, n: t[whole(n), np.minimum(whole(n), 2)]),
    "by rows": Kind(lambda t, n: t[whole(n)[:, None], np.arange(3)]),
    "along an axis": Kind(lambda t, n: np.take_along_axis(t, whole(n)[:, None], axis=0)),
    "a part of it": Kind(lambda t, n: t[whole(n)][:2], at=1),
    "integers": Kind(lambda t, n: whole(t * 10)[whole(n)]),
    "mask": Kind(lambda t, n: (t > 0)[whole(n)]),
    "unsigned": Kind(lambda t, n: t[n.astype(np.uint32)], low=HIGH),
    "sum": Kind(lambda t, n: np.sum(np.exp(t[whole(n)]), axis=-1)),
    "product": Kind(lambda t, n: t[whole(n)] @ t.T),
    "softmax": Kind(lambda t, n: nn.softmax(t[whole(n)])),
    "mean of columns": Kind(lambda t, n: np.mean(t[whole(n)], axis=0)),
    "embedding": Kind(lambda t, n: nn.embedding(t, whole(n)), low=-1),
    "labels": Kind(lambda t, n: nn.cross_entropy(n[:, None] * t[:, 0], whole(n)), low=-1),
    "labels, gradient": Kind(graphc.grad(lambda t, n: nn.cross_entropy(n[:, None] * t[:, 0], whole(n))), low=-1),
    "gradient": Kind(graphc.grad(lambda t, n: np.sum(t[whole(n)] ** 2))),
    "gradient, one a row": Kind(graphc.grad(lambda t, n: np.sum(np.take_along_axis(t, whole(n)[:, None], axis=0)))),
    "value and gradient": Kind(graphc.value_and_grad(lambda t, n: np.sum(nn.embedding(t, whole(n)) ** 2)), low=-1),
    "scatter": Kind(lambda t, n: apply(by_name("scatter_add"), whole(n), n, axis=0, size=5)),
    "update": Kind(lambda t, n: apply(by_name("index_update"), t[:, 0] * 1, whole(n), n, axis=0)),
    "loop": Kind(looped),
    "loop, carried": Kind(carried, high=5),
    "loop, gradient": Kind(graphc.grad(lambda t, n: looped(t, n)[0])),
    "checkpoint": Kind(graphc.grad(lambda t, n: np.sum(graphc.checkpoint(lambda t: t[whole(n)] ** 3)(t)))),
}
WAYS: dict[str, dict[str, Any]] = {"fused": {}, "unfused": {"passes": ()}}


@pytest.fixture(params=["wgpu", "numpy"])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def numbers(bad: int | None, at: int = 5) -> NDArray:
    """GOOD, with one bad number in it."""
    made = GOOD.copy()
    if bad is not None:
        made[at] = bad
    return made


def same(got: Any, want: Any) -> None:
    for a, b in zip(graphc.tree.leaves(got), graphc.tree.leaves(want), strict=True):
        np.testing.assert_allclose(np.asarray(a), b, rtol=2e-5, atol=1e-5)


def refused(read: Callable[[], Any], value: int | str) -> str:
    """The message with which reading is refused; it names the number and the line."""
    with pytest.raises(graphc.IndexRangeError) as caught:
        read()
    message = str(caught.value)
    assert re.search(rf" {value} is out of range", message), message
    assert re.search(r"\n  at  test_index_faults\.py:\d+: ", message), message
    return message


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_way_to_index_tells_of_a_bad_index(name: str, kind: str, way: str) -> None:
    """A good call, a bad one beyond each end, and a good one again."""
    case = KINDS[kind]
    compiled = graphc.compile(case.fn, device=name, **WAYS[way])
    want = graphc.compile(case.fn, device="numpy")(TABLE, GOOD)
    want = graphc.tree.map(np.asarray, want)
    same(compiled(TABLE, GOOD), want)
    for bad in dict.fromkeys((case.low, case.high)):

        def read(bad: int = bad) -> None:
            for leaf in graphc.tree.leaves(compiled(TABLE, numbers(bad, case.at))):
                np.asarray(leaf)

        refused(read, bad + case.moved)
        same(compiled(TABLE, GOOD), want)


def test_the_message_says_what_why_and_where(name: str) -> None:
    def fetch(t: Any, n: Any) -> Any:
        return np.take(t, whole(n), axis=0)

    message = refused(lambda: np.asarray(graphc.compile(fetch, device=name)(TABLE, numbers(7))), 7)
    assert message.startswith("take: index 7 is out of range for an axis of 5")
    assert "np.take(t, whole(n), axis=0)" in message
    labels = graphc.compile(KINDS["labels"].fn, device=name)
    message = refused(lambda: float(labels(TABLE, numbers(-1))), -1)
    assert message.startswith("cross_entropy: label -1 is out of range: need 0 <= label < 5")
    ids = graphc.compile(KINDS["embedding"].fn, device=name)
    message = refused(lambda: np.asarray(ids(TABLE, numbers(9))), 9)
    assert message.startswith("embedding: id 9 is out of range: need 0 <= id < 5")
    both = graphc.compile(KINDS["several axes"].fn, device=name)
    message = refused(lambda: np.asarray(both(TABLE, numbers(6))), 6)
    assert "for an axis of 5" in message


def test_what_argmax_gives_is_no_reason_to_check_and_one_more_is(device: Any) -> None:
    def after(t: Any, shift: int) -> Any:
        return t[np.argmax(t, axis=0) + shift]

    for shift in (0, 1):
        compiled = graphc.compile(lambda t, shift=shift: after(t, shift), device=device)
        assert len(compiled.lower(TABLE).plan.checks) == shift
        np.testing.assert_array_equal(
            compiled(TABLE * [[1], [1], [1], [1], [0]]),
            after(TABLE * [[1], [1], [1], [1], [0]], shift).astype(np.float32),
        )
    last = np.where(np.arange(5)[:, None] == 4, 9, TABLE).astype(np.float32)
    refused(lambda: compiled(last).numpy(), 5)


READS: dict[str, Callable[[Any], Any]] = {
    "float": float,
    "item": lambda a: a.item(),
    "numpy": lambda a: a.numpy(),
    "asarray": np.asarray,
    "block_until_ready": lambda a: a.block_until_ready(),
    "await": lambda a: asyncio.run(_awaited(a)),
    "repr": repr,
    "arithmetic": lambda a: (a + 1).numpy(),
}


async def _awaited(array: Any) -> Any:
    return await array


@pytest.mark.parametrize("how", READS)
def test_every_way_to_read_raises_again_and_again(device: Any, how: str) -> None:
    total = graphc.compile(lambda t, n: np.sum(t[whole(n)]), device=device)
    bad, good = total(TABLE, numbers(HIGH)), total(TABLE, GOOD)
    for _ in range(2):
        refused(lambda: READS[how](bad), HIGH)
    READS[how](good)


def test_of_two_calls_under_way_only_the_bad_one_raises(device: Any) -> None:
    rows = graphc.compile(lambda t, n: (t[whole(n)], np.sum(t[whole(n)])), device=device)
    calls = [rows(TABLE, numbers(HIGH if k % 3 == 1 else None, at=k % 7)) for k in range(20)]
    for k, (part, total) in reversed(list(enumerate(calls))):
        if k % 3 == 1:
            refused(partial(float, total), HIGH)
            refused(part.numpy, HIGH)
        else:
            np.testing.assert_array_equal(part, TABLE[GOOD.astype(int)])
            assert np.isfinite(float(total))


def test_results_that_wait_to_be_read_in_great_numbers(device: Any) -> None:
    """Beyond so many the device keeps the faults, as it does results."""
    total = graphc.compile(lambda t, n: np.sum(t[whole(n)]), device=device)
    calls = [total(TABLE, numbers(HIGH if k in (3, 95) else None)) for k in range(100)]
    for k, call in enumerate(calls):
        if k in (3, 95):
            refused(partial(float, call), HIGH)
        else:
            assert np.isfinite(float(call))


def test_a_result_that_was_computed_from_a_bad_one_raises_too(device: Any) -> None:
    rows = graphc.compile(lambda t, n: t[whole(n)], device=device)
    plain = graphc.compile(lambda x: x * 2, device=device)
    again = graphc.compile(lambda t, x: t[whole(x[:, 0] * 0)], device=device)
    bad, good = rows(TABLE, numbers(HIGH)), rows(TABLE, GOOD)
    refused(lambda: plain(plain(bad)).numpy(), HIGH)
    refused(lambda: again(TABLE, plain(bad)).numpy(), HIGH)
    np.testing.assert_array_equal(plain(good), TABLE[GOOD.astype(int)] * 2)
    np.testing.assert_array_equal(again(TABLE, good)[0], TABLE[0])


def test_a_training_step_with_donated_arguments(device: Any) -> None:
    """The step that met a bad label is told of when a later loss is read, and never where there was none."""

    def loss(params: Any, x: Any, n: Any) -> Any:
        return nn.cross_entropy(x @ params["w"] + params["b"], whole(n))

    def step(params: Any, x: Any, n: Any) -> Any:
        value, grads = graphc.value_and_grad(loss)(params, x, n)
        return graphc.tree.map(lambda p, g: p - 0.1 * g, params, grads), value

    compiled = graphc.compile(step, device=device, donate=("params",))
    x = np.random.default_rng(1).standard_normal((7, 4)).astype(np.float32)

    def train(bad: int | None) -> Any:
        params = {"w": np.zeros((4, 5), np.float32), "b": np.zeros(5, np.float32)}
        for k in range(9):
            params, value = compiled(params, x, numbers(-1 if k == bad else None))
        return params, value

    params, value = train(None)
    assert np.isfinite(float(value))
    assert np.isfinite(params["w"].numpy()).all()
    params, value = train(4)
    refused(lambda: float(value), -1)
    refused(lambda: params["b"].numpy(), -1)


def test_arguments_that_the_host_knows_cost_the_device_nothing(device: Any) -> None:
    """The plan has no check; a second program has them, for arguments that nobody knows of."""
    compiled = graphc.compile(lambda t, i: t[i] * 2, device=device)
    ids = np.array([4, -5, 0], np.int32)
    executable = compiled.lower(TABLE, ids)
    assert not executable.plan.checks
    compiled(TABLE, ids), compiled(TABLE, graphc.asarray(ids, device))
    pick = graphc.compile(lambda t: (np.argmax(t, axis=0).astype(np.int32), whole(t[0])), device=device)
    known, unknown = pick(np.abs(TABLE) * 0 + [2, 1, 0])
    assert known.bounds == (0, 4)
    compiled(TABLE, known)
    assert "guarded" not in executable.__dict__
    np.testing.assert_array_equal(compiled(TABLE, unknown), TABLE[[2, 1, 0]] * 2)
    assert len(executable.guarded.plan.checks) == 1
    _, bad = pick(np.abs(TABLE) * 0 + [2, 7, 0])
    refused(lambda: compiled(TABLE, bad).numpy(), 7)


def test_what_is_taken_from_known_indices_is_known(device: Any) -> None:
    """A batch of labels that the device draws from all labels needs no check, where these are in range."""
    labels = graphc.asarray(np.array([3, 1, 4, 1, 0, 2], np.int32), device)
    draw = graphc.compile(lambda y, k: y[graphc.random.randint(k, (4,), 0, 6)], device=device)
    batch = draw(labels, graphc.random.key(0))
    assert batch.bounds == (0, 4)
    take = graphc.compile(lambda t, i: nn.embedding(t, i), device=device)
    take(TABLE, batch)
    assert "guarded" not in take.lower(TABLE, batch).__dict__


def test_indices_computed_from_an_argument_are_refused_at_the_call(name: str) -> None:
    """Where the host can compute them: cuts, shifts, labels that stand for something else."""
    shifted = graphc.compile(lambda t, i: t[i + 1], device=name)
    cut = graphc.compile(lambda t, i: nn.embedding(t, i[:, 1:]), device=name)
    ignored = graphc.compile(lambda x, y: nn.cross_entropy(x, y, ignore_index=-100), device=name)
    np.testing.assert_array_equal(shifted(TABLE, np.array([3, -6])), TABLE[[4, 0]])
    ids = np.array([[-1, 0, 4], [9, 1, 2]], np.int32)
    np.testing.assert_array_equal(cut(TABLE, ids), TABLE[ids[:, 1:]])  # the first column may be anything
    ignored(TABLE, np.array([0, -100, 2, 1, 0]))
    for call, bad, argument in (
        (shifted, np.array([4, 0]), "i: index 5"),
        (cut, ids[1:, ::-1], "i: index 9"),
        (ignored, np.array([0, -100, 3, 1, 0]), "y: index 3"),
        (ignored, np.array([0, -1, 2, 1, 0]), "y: index -1"),
    ):
        with pytest.raises(
            graphc.IndexRangeError, match=rf"argument {argument} is out of range[^$]*\n  at  test_index"
        ):
            call(TABLE, bad)


def test_indices_that_are_computed_of_two_arguments_are_checked_by_the_device(name: str) -> None:
    compiled = graphc.compile(lambda t, i, j: t[i + j], device=name)
    np.testing.assert_array_equal(compiled(TABLE, np.array([3, -6]), np.array([1, 2])), TABLE[[4, -4]])
    refused(lambda: compiled(TABLE, np.array([3, 0]), np.array([1, 5])).numpy(), 5)


def test_only_real_positions_are_looked_at(device: Any) -> None:
    """Kernels compute lanes past the end of a tensor or row, from whatever lies there: that is no fault."""
    rng = np.random.default_rng(2)
    for rows in (1, 2, 5, 7, 33, 130):
        for width in (1, 3, 6, 37):
            n = rng.integers(0, 4, (rows, width)).astype(np.float32)
            t = rng.standard_normal(4).astype(np.float32)

            def fn(t: Any, n: Any) -> Any:
                ids = whole(n * 1.0)
                return t[ids], np.sum(t[ids], axis=0), np.max(t[ids], axis=1), np.sum(t[ids.T], axis=0)

            ids = n.astype(int)
            want = t[ids], t[ids].sum(0), t[ids].max(1), t[ids.T].sum(0)
            for way in WAYS.values():
                same(graphc.compile(fn, device=device, **way)(t, n), want)


def test_large_tables_in_windows_and_few_buffers(device: Any) -> None:
    """The buffer of faults counts among the 8 that a kernel may bind."""
    rng = np.random.default_rng(3)
    tables = [rng.standard_normal((60, 16)).astype(np.float32) for _ in range(9)]

    def fn(n: Any, *tables: Any) -> Any:
        return sum(t[whole(n)] for t in tables)

    n = rng.integers(0, 60, 12).astype(np.float32)
    graph = trace(fn, n, *tables)
    for binding in (1 << 27, 2048):
        target = replace(device.target, max_binding_bytes=binding)
        fused = [replace(p, max_binding_bytes=binding) if isinstance(p, Fuse) else p for p in pipeline.DEFAULT]
        unfused: list[pipeline.GraphPass] = [Ranges(), *pipeline.LEGALIZE]
        for passes in (fused, unfused):
            done = pipeline.run(graph, passes)
            plan = lower(done, target)
            assert plan.checks
            assert max(sum(b.access != "uniform" for b in d.bindings) for d in plan.dispatches) <= 8
            runner = device.prepare(done, plan, frozenset())
            np.testing.assert_allclose(runner([n, *tables])[0], sum(t[n.astype(int)] for t in tables), atol=1e-5)
            worse = n.copy()
            worse[-1] = 60
            refused(runner([worse, *tables])[0].numpy, 60)


def test_beside_other_kernels_in_megakernels_and_with_a_memory_limit(device: Any) -> None:
    def fn(t: Any, n: Any, x: Any) -> Any:
        rows = t[whole(n)]
        return np.sum(np.exp(x), axis=0), np.sum(rows, axis=1), np.tanh(x) @ x.T, nn.softmax(rows)[0]

    x = np.random.default_rng(4).standard_normal((6, 4)).astype(np.float32)
    want = [np.exp(x).sum(0), TABLE[GOOD.astype(int)].sum(1), np.tanh(x) @ x.T, None]
    for options in ({}, {"memory_limit": 10**6}, {"check": True}):
        compiled = graphc.compile(fn, device=device, **options)
        for got, expected in zip(compiled(TABLE, GOOD, x), want, strict=True):
            if expected is not None:
                np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)
        if "check" not in options:
            results = compiled(TABLE, numbers(LOW), x)
            for result in results:
                refused(result.numpy, LOW)


def test_profiling_is_not_disturbed(device: Any) -> None:
    compiled = graphc.compile(KINDS["getitem"].fn, device=device)
    executable = compiled.lower(TABLE, GOOD)
    refused(lambda: executable.profile(TABLE, numbers(HIGH), repeat=2), HIGH)
    assert executable.profile(TABLE, GOOD, repeat=2).table()
    np.testing.assert_array_equal(compiled(TABLE, GOOD), TABLE[GOOD.astype(int)])


def test_a_plan_with_checks_is_read_back_from_text(device: Any) -> None:
    plan = graphc.compile(KINDS["loop"].fn, device=device).lower(TABLE, GOOD).plan
    assert plan.checks
    assert type(plan).from_json(plan.to_json()) == plan
    assert "check 0: take in [-5, 4]" in str(plan)


def test_what_nobody_reads_is_nan_and_writes_nothing(device: Any) -> None:
    """The numbers of a bad call, looked at without its faults."""

    def fn(t: Any, n: Any) -> Any:
        ids = whole(n)
        rows, integers = t[ids], whole(t * 10)[ids]
        return rows, integers, apply(by_name("scatter_add"), ids, n * 0 + 1, axis=0, size=5)

    rows, integers, counts = graphc.compile(fn, device=device)(TABLE, numbers(HIGH))
    raw = [device.fetch(a._content, a.type) for a in (rows, integers, counts)]
    assert np.isnan(raw[0]).all(axis=1).tolist() == [k == 5 for k in range(7)]
    assert (raw[1] == np.iinfo(np.int32).min).all(axis=1).tolist() == [k == 5 for k in range(7)]
    assert raw[2].tolist() == [2, 1, 1, 1, 1]


def checks(fn: Callable[..., Any], *arrays: Any, trust: bool = True) -> int:
    """How many indices of a function the device checks."""
    return len(list(reports(Ranges(trust)(graphc.trace(fn, *arrays)).nodes)))


IDS = np.zeros(4, np.int32)
KEY = graphc.random.key(0)
FREE: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "argmax": (lambda t: t[np.argmax(t, axis=0)], (TABLE,)),
    "modulo": (lambda t, n: t[whole(n) % 5], (TABLE, GOOD)),
    "clip": (lambda t, n: t[np.clip(whole(n), 0, 4)], (TABLE, GOOD)),
    "take with a mode": (lambda t, n: np.take(t, whole(n), axis=0, mode="wrap"), (TABLE, GOOD)),
    "where": (lambda t, n: t[np.where((whole(n) >= 0) & (whole(n) < 5), 3, 0)], (TABLE, GOOD)),
    "randint": (lambda t, k: t[graphc.random.randint(k, (9,), 0, 5)], (TABLE, KEY)),
    "windows": (lambda t, k: t[graphc.random.randint(k, (9, 1), 0, 4) + np.arange(2, dtype=np.int32)], (TABLE, KEY)),
    "categorical": (lambda t, k: t[graphc.random.categorical(k, np.swapaxes(t, 0, 1))], (TABLE, KEY)),
    "a loop that counts": (
        lambda t: graphc.scan(lambda c, i: (c + t[i], t[i]), t[0], np.arange(5, dtype=np.int32)),
        (TABLE,),
    ),
    "a drawn token": (
        lambda t: graphc.scan(lambda i, _: (np.argmax(t[i % 5] * t, axis=0)[0], t[i]), np.argmax(t[:, 0]), length=4),
        (TABLE,),
    ),
    "an argument": (lambda t, i: t[i], (TABLE, IDS)),
    "labels": (nn.cross_entropy, (TABLE[:4], IDS)),
    "gradient of a loss": (graphc.value_and_grad(lambda t, i: nn.cross_entropy(nn.embedding(t, i), i)), (TABLE, IDS)),
    "a loop over labels": (
        lambda t, i: graphc.scan(lambda c, j: (c + nn.cross_entropy(t[:4], j), c), np.float32(0), i[None]),
        (TABLE, IDS),
    ),
    "drawn labels": (
        lambda t, i, k: nn.embedding(t, np.maximum(np.take(i, graphc.random.randint(k, (3,), 0, 4)), 0)),
        (TABLE, IDS, KEY),
    ),
}


@pytest.mark.parametrize("kind", FREE)
def test_indices_in_range_are_not_checked(kind: str) -> None:
    fn, arrays = FREE[kind]
    assert checks(fn, *arrays) == 0


def test_an_index_is_checked_once_however_often_it_is_used() -> None:
    def fn(t: Any, n: Any) -> Any:
        ids = whole(n)
        return np.sum(t[ids] * t[ids] + t[np.where(ids < 0, ids + 5, ids)])

    assert checks(fn, TABLE, GOOD) == 1
    assert checks(graphc.value_and_grad(fn), TABLE, GOOD) == 1
    assert checks(lambda t, n: (t[whole(n)], t[:3][whole(n)]), TABLE, GOOD) == 2
    assert checks(lambda t, i: t[i] + t[i], TABLE, IDS, trust=False) == 1


def test_checking_twice_changes_nothing() -> None:
    for kind in KINDS.values():
        once = Ranges()(graphc.trace(kind.fn, TABLE, GOOD))
        assert list(reports(once.nodes))
        assert Ranges()(once) is once


def test_a_call_shared_by_two_arguments_is_not_one_of_them() -> None:
    """A body that stands in a graph twice has no one argument."""
    inner = graphc.checkpoint(lambda t, i: t[i])
    graph: Graph = graphc.trace(lambda t, i, j: inner(t, i) + inner(t, j), TABLE, IDS, IDS)
    compiled = graphc.compile(lambda t, i, j: inner(t, i) + inner(t, j), device="numpy")
    assert list(reports(Ranges(False)(graph).nodes))
    for bad in ((IDS + 7, IDS), (IDS, IDS + 7)):
        with pytest.raises(graphc.IndexRangeError):
            compiled(TABLE, *bad)


@pytest.mark.parametrize("driver", ["swiftshader"])
def test_on_another_driver(driver: str) -> None:
    assert run_on(driver, "tests.support.index_faults") == "".join(f"{kind}: told\n" for kind in KINDS)
