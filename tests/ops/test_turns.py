"""Loops that end by themselves: what is left out, counted in launches and turns, and that the results are the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import reference
from graphc.errors import GraphError, TraceError
from graphc.plan.course import FIRST, Round, Run, course
from graphc.plan.plan import Loop, Plan
from graphc.runtime.numpy.program import NumpyProgram
from graphc.runtime.wgpu import native

X = np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3)
LONG = 10_000


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Counts launches on a GPU, and on the device "numpy" bodies that are run."""
    done = [0]
    record, run = native.record, NumpyProgram._run

    def recorded(encoder: Any, commands: native.Commands) -> None:
        done[0] += len(commands.steps)
        record(encoder, commands)

    def ran(self: NumpyProgram, arrays: Any) -> Any:
        done[0] += 1
        return run(self, arrays)

    monkeypatch.setattr(native, "record", recorded)
    monkeypatch.setattr(NumpyProgram, "_run", ran)
    return done


def counting(n: Any, x: Any, most: int | None) -> Any:
    return graphc.while_loop(lambda s: s[1] < n, lambda s: (s[0] * 0.75 + x, s[1] + 1), (x, 0), max_steps=most)[0]


def nested(n: Any, x: Any, most: int | None) -> Any:
    """A loop that ends in one that ends, in one that makes all its steps."""

    def outer(s: Any) -> Any:
        return s[0] + 1, counting(s[0] + n, s[1], most)

    def step(carry: Any, row: Any) -> Any:
        return graphc.while_loop(lambda s: s[0] < 2, outer, (0, carry + row), max_steps=most)[1], row * 2

    return graphc.tree.leaves(graphc.scan(step, x * 0, np.stack([x, x * 2, x])))


def mapped(n: Any, x: Any, most: int | None) -> Any:
    return graphc.vmap(lambda k, x: counting(k, x, most), in_axes=(0, None))(n + np.arange(3, dtype=np.int32), x)


def slope(n: Any, x: Any, most: int | None) -> Any:
    def loss(x: Any) -> Any:
        last = graphc.while_loop(
            lambda s: s[1] < n, lambda s: (np.sin(s[0]) * x + s[0], s[1] + 1), (x, 0), max_steps=most
        )
        return np.sum(last[0] ** 2)

    return graphc.grad(loss)(x)


def curvature(n: Any, x: Any, most: int | None) -> Any:
    return graphc.grad(lambda x: np.sum(slope(n, x, most) ** 2))(x)


def slopes(n: Any, x: Any, most: int | None) -> Any:
    return graphc.vmap(lambda k, x: slope(k, x, most), in_axes=(0, None))(n + np.arange(2, dtype=np.int32), x)


def slope_of_all(n: Any, x: Any, most: int | None) -> Any:
    return graphc.grad(lambda x: np.sum(mapped(n, x, most) ** 2))(x)


PROGRAMS: dict[str, tuple[Callable[..., Any], int]] = {
    # with how long a bound has to be for what n=5 needs
    "counting": (counting, 5),
    "nested": (nested, 6),
    "mapped": (mapped, 7),
    "slope": (slope, 5),
    "curvature": (curvature, 5),
    "slopes": (slopes, 6),
    "slope_of_all": (slope_of_all, 7),
}


LONG_TO_COMPILE = {"curvature", "slopes", "slope_of_all"}


@pytest.mark.parametrize(
    ("name", "device"),
    [
        pytest.param(name, device, marks=[pytest.mark.slow] if device == "wgpu" and name in LONG_TO_COMPILE else [])
        for name in PROGRAMS
        for device in ("numpy", "wgpu")
    ],
)
def test_turns_that_change_nothing_are_left_out(name: str, device: str, work: list[int]) -> None:
    fn, needed = PROGRAMS[name]
    long = 300 if "slope" in name or name == "curvature" else LONG
    results, counts = [], []
    for most in (needed, long):
        compiled = graphc.compile(lambda n, x, most=most: fn(n, x, most), device=device)
        work[0] = 0
        results.append([np.asarray(leaf) for leaf in graphc.tree.leaves(compiled(np.int32(5), X))])
        counts.append(work[0])
    for short, long_ in zip(*results, strict=True):
        np.testing.assert_array_equal(short, long_)
    assert counts[1] <= 2.5 * counts[0] + 20, counts


@pytest.mark.parametrize("device", ["numpy", "wgpu"])
@pytest.mark.parametrize("passes", [graphc.passes.DEFAULT, ()], ids=["fused", "apart"])
def test_loops_without_a_bound(device: str, passes: Any, work: list[int]) -> None:
    compiled = graphc.compile(lambda n, x: (counting(n, x, None), mapped(n, x, None)), device=device, passes=passes)
    for n in (0, 1, 4, 5, 70):
        work[0] = 0
        one, several = compiled(np.int32(n), X)
        wanted = [np.asarray(counting(np.int32(n + i), X, None)) for i in range(3)]
        np.testing.assert_allclose(np.asarray(one), wanted[0], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(np.asarray(several), np.stack(wanted), rtol=1e-5, atol=1e-6)
        assert work[0] < 60 * (n + 8)
    fori = graphc.compile(lambda n, x: graphc.fori_loop(0, n, lambda i, s: s + i, x), device=device, passes=passes)
    np.testing.assert_array_equal(np.asarray(fori(np.int32(9), X)), X + np.float32(36))


@pytest.mark.parametrize("device", ["numpy", "wgpu"])
def test_a_predicate_of_nan(device: str) -> None:
    compiled = graphc.compile(
        lambda x: graphc.while_loop(lambda s: s[0] < 10, lambda s: (s[0] + 1, s[1] + 1), (x, 0))[1], device=device
    )
    assert [int(compiled(np.float32(x))) for x in (np.nan, 10, 9.5, -30, np.inf, -5)] == [0, 0, 1, 40, 0, 15]
    assert int(graphc.compile(lambda x: graphc.while_loop(lambda s: s, lambda s: s - 1, x), device=device)(3)) == 0


def test_a_condition_is_not_asked_of_the_state_after_the_last_turn() -> None:
    """Its index would be out of range there."""
    x = np.arange(1, 7, dtype=np.float32)
    for device in ("numpy", "wgpu"):
        compiled = graphc.compile(
            lambda x: graphc.while_loop(lambda i: x[i] > 0, lambda i: i + 1, 0, max_steps=6), device=device
        )
        assert int(compiled(x)) == 6
        assert int(compiled(np.where(x == 3, 0, x).astype(np.float32))) == 2


def test_the_plan_says_what_is_asked_and_the_reference_asks_it() -> None:
    executable = graphc.compile(lambda n, x: nested(n, x, 50), device="wgpu").lower(np.int32(3), X)
    plan = executable.plan
    assert [loop.times for loop in plan.loops] == [50, 50, 3]
    assert [loop.alive >= 0 for loop in plan.loops] == [True, True, False]
    assert "repeat at most 50 times" in str(plan)
    assert Plan.from_json(plan.to_json()) == plan
    parts = [part for part in course(plan) if isinstance(part, Round)]
    assert [(part.times, part.alive) for part in parts] == [(3, -1)]
    found = reference.run_plan(plan, executable.graph, [np.int32(3), X])
    for got, wanted in zip(found, nested(np.int32(3), X, 50), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-6)


def test_the_course_of_loops_in_loops() -> None:
    six = graphc.compile(lambda x: x + 1, device="wgpu").lower(X).plan.dispatches * 6
    plan = Plan((), (), (), six, (), (), (), loops=(Loop(1, 1, 2), Loop(3, 3, 90, alive=7), Loop(1, 4, 3)))
    inner = (Run((1, 1, 2)), Round((Run((3,)),), 90, 7), Run((4,)))
    assert course(plan) == (Run((0,)), Round(inner, 3, -1), Run((5,)))
    assert plan.sequence() == [0, *[1, 1, 2, 3, 4] * 3, 5]
    assert plan.executions() == [1, 6, 3, 3, 3, 1]


@pytest.mark.parametrize("ends", [1, FIRST, FIRST + 1, 10, 100, 1000, 10_000])
def test_few_turns_are_made_for_nothing(ends: int) -> None:
    done: list[int] = []
    Round((), 2_000, 0).turns(done.append, lambda: sum(done) < ends)
    assert min(ends, 2_000) <= sum(done) <= min(1.25 * ends + FIRST, ends + 64, 2_000)
    assert len(done) <= FIRST + 14 + ends / 60


def test_what_needs_a_bound_says_so() -> None:
    with pytest.raises((GraphError, TraceError), match=r"give max_steps=[\s\S]*test_turns.py"):
        graphc.compile(lambda x: slope(np.int32(3) + x[0, 0].astype(np.int32), x, None), device="numpy")(X)
    with pytest.raises(TraceError, match="never ends"):
        graphc.compile(lambda x: graphc.while_loop(lambda s: True, lambda s: s + 1, x), device="numpy")(X)


@pytest.mark.parametrize(("device", "passes"), [("numpy", ()), ("wgpu", graphc.passes.DEFAULT)])
def test_a_loop_of_no_turns_hands_its_cotangents_on(device: str, passes: Any) -> None:
    ways: Any = {"device": device, "passes": passes}

    def repeated(x: Any, w: Any) -> Any:
        return graphc.while_loop(lambda s: s > 1, lambda s: s / 2 * w, x, max_steps=0) * 3

    def bounded(x: Any, w: Any) -> Any:
        return graphc.fori_loop(0, w.astype(np.int32), lambda i, s: s * w + i, x, max_steps=0) * 3

    def inner(x: Any, w: Any) -> Any:
        return graphc.scan(lambda c, _: (repeated(c, w), None), x, None, length=2)[0] / 3

    x, w = np.float32(5), np.float32(2)
    for fn in (repeated, bounded, inner):
        one = graphc.compile(graphc.grad(fn, argnums=(0, 1)), **ways)
        assert [float(g) for g in one(x, w)] == [3, 0]
        twice = graphc.compile(graphc.grad(lambda x, w, fn=fn: graphc.grad(fn)(x * x, w)), **ways)
        assert float(twice(x, w)) == 0
        many = graphc.compile(graphc.vmap(graphc.grad(fn), in_axes=(0, None)), **ways)
        np.testing.assert_array_equal(np.asarray(many(x + np.arange(3, dtype=np.float32), w)), [3, 3, 3])
        tangent = graphc.compile(lambda x, w, fn=fn: graphc.jvp(fn, (x, w), (x, w))[1], **ways)
        assert float(tangent(x, w)) == 15
