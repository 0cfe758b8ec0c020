"""scan: the loop inside a program, against Python loops, and its gradients against those of the unrolled loop."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import reference
from graphc.errors import DTypeError, GraphError, ShapeError, TraceError
from graphc.plan.plan import Loop, Plan

RNG = np.random.default_rng(0)
C = RNG.normal(size=(2, 3)).astype(np.float32)
XS = RNG.normal(size=(5, 2, 3)).astype(np.float32)
W = (RNG.normal(size=(3, 3)) / 2).astype(np.float32)
DEVICES = ("numpy", "wgpu")


def recurrent(c: Any, xs: Any, w: Any) -> Any:
    def step(c: Any, x: Any) -> Any:
        c = np.tanh(c @ w + x)
        return c, {"sum": c.sum(), "row": c[0]}

    return graphc.scan(step, c, xs)


def unrolled(c: Any, xs: Any, w: Any) -> Any:
    sums, rows = [], []
    for i in range(xs.shape[0]):
        c = np.tanh(c @ w + xs[i])
        sums.append(c.sum())
        rows.append(c[0])
    return c, {"sum": np.stack(sums), "row": np.stack(rows)}


def swapping(c: Any, xs: Any, w: Any) -> Any:
    """Carries that change places, stay, are reshaped, and become what comes from outside."""

    def step(carry: Any, x: Any) -> Any:
        a, b, kept, _, number = carry
        return (b + x, a, kept, w, number + 1), number * a.sum()

    return graphc.scan(step, (c, c * 2, c[0], w * 0, 0), xs, reverse=True)


def swapping_unrolled(c: Any, xs: Any, w: Any) -> Any:
    a, b, last = c, c * 2, w * 0
    ys: list[Any] = [None] * len(xs)
    for i in reversed(range(len(xs))):
        ys[i] = (len(xs) - 1 - i) * a.sum()
        a, b, last = b + xs[i], a, w
    return (a, b, c[0], last, np.int32(len(xs))), np.stack(ys)


def nested(c: Any, xs: Any, w: Any) -> Any:
    def outer(c: Any, x: Any) -> Any:
        def inner(d: Any, row: Any) -> Any:
            return np.tanh(d @ w + row), (d * row).sum()

        d, sums = graphc.scan(inner, c, np.stack([x[0], x[1], x[0] * 2]))
        return d + c, sums

    return graphc.scan(outer, c, xs)


def nested_unrolled(c: Any, xs: Any, w: Any) -> Any:
    ys = []
    for i in range(xs.shape[0]):
        d, sums = c, []
        for row in (xs[i][0], xs[i][1], xs[i][0] * 2):
            sums.append((d * row).sum())
            d = np.tanh(d @ w + row)
        c = d + c
        ys.append(np.stack(sums))
    return c, np.stack(ys)


PAIRS = [(recurrent, unrolled), (swapping, swapping_unrolled), (nested, nested_unrolled)]


def close(found: Any, wanted: Any, rtol: float = 2e-6) -> None:
    assert graphc.tree.structure(found) == graphc.tree.structure(wanted)
    for a, b in zip(graphc.tree.leaves(found), graphc.tree.leaves(wanted), strict=True):
        a, b = np.asarray(a), np.asarray(b)
        np.testing.assert_allclose(a, b, rtol=0, atol=rtol * max(1.0, float(np.abs(b).max())))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("passes", [graphc.passes.DEFAULT, ()], ids=["fused", "unfused"])
@pytest.mark.parametrize(("looped", "plain"), PAIRS)
def test_equals_the_python_loop(looped: Any, plain: Any, passes: Any, device: str) -> None:
    compiled = graphc.compile(looped, device=device, passes=passes, check=True)
    close(compiled(C, XS, W), plain(C, XS, W))
    close(compiled(C * 2, XS, W), plain(C * 2, XS, W))
    executable = compiled.lower(C, XS, W)
    found = reference.run_plan(executable.plan, executable.graph, [C, XS, W])
    close(found, graphc.tree.leaves(plain(C, XS, W)))


@pytest.mark.parametrize(("looped", "plain"), PAIRS)
def test_on_arrays_it_is_a_loop(looped: Any, plain: Any) -> None:
    close(looped(C, XS, W), plain(C, XS, W))


def scalar(fn: Callable[..., Any]) -> Callable[..., Any]:
    def loss(c: Any, xs: Any, w: Any) -> Any:
        floats = [x for x in graphc.tree.leaves(fn(c, xs, w)) if x.dtype.kind == "f"]
        return sum(np.sum(np.sin(x)) for x in floats)

    return loss


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("looped", "plain"), PAIRS)
def test_gradients_are_those_of_the_unrolled_loop(looped: Any, plain: Any, device: str) -> None:
    both = [graphc.value_and_grad(scalar(fn), (0, 1, 2)) for fn in (looped, plain)]
    found, wanted = (graphc.compile(fn, device=device)(C, XS, W) for fn in both)
    close(found, wanted, 1e-5)


def test_gradients_against_finite_differences() -> None:
    direction = [RNG.normal(size=x.shape).astype(np.float32) for x in (C, XS, W)]
    gradients = graphc.compile(graphc.grad(scalar(nested), (0, 1, 2)), device="numpy")(C, XS, W)
    slope = sum(float((np.asarray(g) * d).sum()) for g, d in zip(gradients, direction, strict=True))
    loss = scalar(nested_unrolled)

    def moved(by: float) -> float:
        points = (x.astype(np.float64) + by * d for x, d in zip((C, XS, W), direction, strict=True))
        return float(loss(*points))

    assert abs(slope - (moved(1e-5) - moved(-1e-5)) / 2e-5) < 1e-4 * abs(slope)


@pytest.mark.parametrize("device", DEVICES)
def test_gradient_of_gradient(device: str) -> None:
    def twice(fn: Callable[..., Any]) -> Callable[..., Any]:
        def norm(c: Any, xs: Any, w: Any) -> Any:
            return np.sum(graphc.grad(scalar(fn), 2)(c, xs, w) ** 2)

        return graphc.compile(graphc.grad(norm, (0, 1, 2)), device=device)

    close(twice(recurrent)(C, XS, W), twice(unrolled)(C, XS, W), 1e-5)


@pytest.mark.parametrize("device", DEVICES)
def test_without_xs(device: str) -> None:
    def powers(x: Any) -> Any:
        return graphc.scan(lambda c, _: (c * 2, c), x, None, length=4)

    last, all_ = graphc.compile(powers, device=device)(np.float32(3))
    assert float(last) == 48
    assert np.asarray(all_).tolist() == [3, 6, 12, 24]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("passes", [graphc.passes.DEFAULT, ()], ids=["fused", "unfused"])
def test_no_steps(device: str, passes: Any) -> None:
    last, ys = graphc.compile(recurrent, device=device, passes=passes)(C, XS[:0], W)
    np.testing.assert_array_equal(np.asarray(last), C)
    assert np.asarray(ys["row"]).shape == (0, 3)
    assert recurrent(C, XS[:0], W)[1]["sum"].shape == (0,)
    gradient = graphc.compile(graphc.grad(scalar(recurrent), 0), device=device, passes=passes)(C, XS[:0], W)
    np.testing.assert_allclose(np.asarray(gradient), np.cos(C), rtol=1e-5)


def train(w: Any, v: Any, length: int) -> Any:
    """A state that is updated in place: nothing of it is copied."""

    def step(carry: Any, _: Any) -> Any:
        w, v = carry
        value, g = graphc.value_and_grad(lambda w: np.mean((np.tanh(w) - 0.3) ** 2))(w)
        v = 0.9 * v + g
        return (w - 0.5 * v, v), value

    return graphc.scan(step, (w, v), length=length)


def test_donated_carries_are_updated_in_place() -> None:
    compiled = graphc.compile(train, donate=("w", "v"), static=("length",))
    plan = compiled.lower(W, W * 0, 7).plan
    assert set(plan.donated) == {(0, 0), (1, 1)}
    (loop,) = plan.loops
    assert loop.times == 7
    inside = [plan.kernels[d.kernel].name for d in plan.dispatches[loop.first : loop.last + 1]]
    assert not [name for name in inside if "loop_yield" in name]
    close(compiled(W.copy(), W * 0, 7), graphc.compile(train, device="numpy", static=("length",))(W, W * 0, 7))


def test_the_plan_and_its_memory_do_not_grow_with_the_length() -> None:
    compiled = graphc.compile(train, static=("length",))
    short, long = (compiled.lower(W, W, n) for n in (30, 3000))
    assert len(short.plan.dispatches) == len(long.plan.dispatches)
    assert short.memory.peak_bytes == long.memory.peak_bytes


def test_a_plan_with_loops_is_data() -> None:
    plan = graphc.compile(nested).lower(C, XS, W).plan
    assert Plan.from_json(plan.to_json()) == plan
    assert json.loads(plan.to_json())["loops"][0]["times"] == 3
    assert "repeat 5 times" in str(plan)
    assert len(plan.loops) == 2
    sequence = plan.sequence()
    inner, outer = plan.loops
    assert sequence.count(inner.first) == 15
    assert sequence.count(outer.first) == 5
    assert sequence == sorted(sequence[: outer.first]) + sequence[outer.first :]


def test_sequence_of_nested_loops() -> None:
    plan = graphc.compile(lambda a: np.tanh(a)).lower(C).plan
    four = replace(plan, dispatches=plan.dispatches * 4, loops=(Loop(1, 2, 2), Loop(0, 2, 2)))
    assert four.sequence() == [0, 1, 2, 1, 2, 0, 1, 2, 1, 2, 3]


def test_explain_and_drawing_show_the_body() -> None:
    executable = graphc.compile(recurrent).lower(C, XS, W)
    assert "2 times, dispatches" in executable.explain(), "two steps a turn, and a fifth one after them"
    assert "scan" in str(executable.stages[0][1])
    names = [name for name, _ in executable.stages]
    for number, (_, graph) in enumerate(executable.stages):
        assert ("× 5" if number < names.index("alternate") else "× 2") in graph.to_dot()
        graph.to_networkx()


def test_profile_times_each_step() -> None:
    executable = graphc.compile(recurrent).lower(C, XS, W)
    profile = executable.profile(C, XS, W, repeat=1)
    assert len(profile.timings) in (0, len(executable.plan.sequence()))


def test_an_unlowered_scan_is_refused() -> None:
    graph = graphc.trace(recurrent, C, XS, W)
    with pytest.raises(GraphError, match="slices"):
        graphc.analysis.loops.flatten(graph)


def test_errors() -> None:
    def run(step: Any, c: Any, xs: Any, **options: Any) -> Any:
        return graphc.trace(lambda c, xs: graphc.scan(step, c, xs, **options), c, xs)

    with pytest.raises(ShapeError, match="first axes"):
        run(lambda c, x: (c, None), C, (XS, XS[:2]))
    with pytest.raises(ShapeError, match="first axes"):
        run(lambda c, x: (c, None), C, XS, length=4)
    with pytest.raises(ShapeError, match=r"carry has shape \(2, 3\), and after a step \(3,\)"):
        run(lambda c, x: (c[0], None), C, XS)
    with pytest.raises(DTypeError, match="astype"):
        run(lambda c, x: (c > 0, None), C, XS)
    with pytest.raises(TraceError, match="step makes it"):
        run(lambda c, x: ((c, c), None), C, XS)
    with pytest.raises(TraceError, match="pair"):
        run(lambda c, x: c, C, XS)
    with pytest.raises(TraceError, match="length"):
        graphc.scan(lambda c, x: (c, None), C)
    with pytest.raises(ShapeError, match="scalar"):
        graphc.scan(lambda c, x: (c, None), C, 1.0)
