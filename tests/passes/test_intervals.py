"""intervals: whatever the arguments are, results lie in the intervals found for them; and these are narrow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import graphc
from graphc import reference
from graphc.analysis.intervals import RULES, Interval, Intervals, whole
from graphc.ir.graph import Builder, Graph
from graphc.ir.op import NotDifferentiable
from graphc.ir.types import type_of
from graphc.ops import OPS

INTEGER = [
    (op, case, k)
    for op in OPS.values()
    for k, case in enumerate(op.cases())
    if any(np.asarray(x).dtype.kind in "iub" for x in case.inputs) or op.name == "iota"
]


@pytest.mark.parametrize(("op", "case", "number"), INTEGER, ids=[f"{op.name}-{k}" for op, _, k in INTEGER])
def test_every_op_keeps_its_interval(op: Any, case: Any, number: int) -> None:
    builder = Builder()
    arrays = [np.asarray(a) for a in case.inputs]
    values = [builder.input(type_of(a)) for a in arrays]
    graph = builder.build(builder.add(op, *values, **case.attrs))
    if op.name not in ("checked", "take", "take_along_axis", "index_update", "scatter_add"):
        within(graph, arrays)


def test_the_rules_are_of_ops_that_there_are() -> None:
    assert set(RULES) <= set(OPS)
    assert all(isinstance(OPS["checked"].vjp, NotDifferentiable) for _ in RULES)


def boxes(arrays: list[Any]) -> dict[int, Interval]:
    """The intervals of integer arguments."""
    return {
        n: (int(a.min()), int(a.max())) for n, a in enumerate(arrays) if a.size and np.asarray(a).dtype.kind in "iub"
    }


def within(graph: Graph, arrays: list[Any]) -> None:
    """What a graph computes lies in the intervals of its outputs, with and without knowledge of its arguments."""
    given = [np.asarray(a) for a in arrays]
    results = reference.run(graph, given, check_indices=False)
    for box in (boxes(given), {}):
        for array, interval in zip(results, Intervals(graph).outputs(box), strict=True):
            if array.dtype.kind in "iub" and array.size:
                assert interval is not None
                assert interval[0] <= int(array.min()) <= int(array.max()) <= interval[1], f"{interval}\n{graph}"


UNARY = ["-a", "abs(a)", "~a", "np.sign(a)", "np.flip(a)", "a.T", "np.max(a, 0) + a", "np.cumsum(a, 0) + a"]
BINARY = [
    "a + b",
    "a - b",
    "a * b",
    "a // {c}",
    "a % {c}",
    "np.fmod(a, {c})",
    "a // (abs(b) + 1)",
    "np.maximum(a, b)",
    "np.minimum(a, b)",
    "a & b",
    "a | b",
    "a ^ b",
    "a >> {s}",
    "a << {s}",
    "np.clip(a, {c} - 9, {c})",
    "np.where(a < b, a, b)",
    "np.where(a == {c}, 0, a)",
    "np.where(a != {c}, a, b)",
    "np.where(a < 0, a + {c}, a)",
    "np.where(~(a >= {c}), a, {c})",
    "np.where(a < b, b - a, a - b)",
    "np.where((a > 0) & (b > {c}), a, b)",
    "np.where(a > {c}, np.flip(a), a)",
    "np.where(a[0] > {c}, a, a[0])",
    "np.where(a[:, :1] > 0, a[:1], a[:, :1])",
    "np.concatenate([a, b])[:3]",
    "a[1:2] + b",
    "np.argmax(a, axis=1)[:, None] + b",
    "np.take(a, np.argmax(b, axis=0), axis=0)[:3]",
    "np.pad(a, 1)[1:4, :3]",
    "(a < b).astype(np.int32) + a",
    "a.astype(np.uint32).astype(np.int32)",
    "np.tril(a)",
    "np.sum(a, 0) + b",
]


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_random_programs_keep_their_intervals(data: st.DataObject) -> None:
    steps = [
        (
            data.draw(st.sampled_from(UNARY + BINARY)).format(
                c=data.draw(st.integers(1, 9)), s=data.draw(st.integers(0, 31))
            ),
            data.draw(st.integers(0, 8)),
            data.draw(st.integers(0, 8)),
        )
        for _ in range(data.draw(st.integers(1, 6)))
    ]

    def program(*arrays: Any) -> Any:
        found = list(arrays)
        for text, i, j in steps:
            found.append(eval(text, {"np": np, "a": found[i % len(found)], "b": found[j % len(found)]}))
        return tuple(found)

    top = data.draw(st.sampled_from([3, 20, 2**31 - 1]))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    arrays = [rng.integers(-top if k else 0, top, (3, 3)).astype(np.int32) for k in range(2)]
    within(graphc.trace(program, *arrays), arrays)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_loops_keep_their_intervals(data: st.DataObject) -> None:
    one, two = (data.draw(st.sampled_from(UNARY[:4] + BINARY[:20])).format(c=3, s=1) for _ in range(2))

    def program(a: Any, b: Any, xs: Any) -> Any:
        def step(carry: Any, x: Any) -> Any:
            a, b = carry
            made = eval(one, {"np": np, "a": a, "b": b}), eval(two, {"np": np, "a": b, "b": a + x})
            return made, made[0] + x

        return graphc.scan(step, (a, b), xs)

    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    arrays = [rng.integers(-4, 5, shape).astype(np.int32) for shape in ((2, 2), (2, 2), (5, 2, 2))]
    within(graphc.trace(program, *arrays), arrays)


def interval(fn: Callable[..., Any], *arrays: Any, box: dict[int, Interval] | None = None) -> Interval | None:
    """That of the result of a function of these arguments, of which only what `box` says is known."""
    graph = graphc.trace(fn, *arrays)
    return Intervals(graph).outputs(box or {})[0]


IDS = np.zeros(6, np.int32)
X = np.zeros((6, 8), np.float32)
KEY = graphc.random.key(0)
NARROW: list[tuple[Callable[..., Any], tuple[Any, ...], Interval]] = [
    (lambda x: np.argmax(x, axis=1), (X,), (0, 7)),
    (lambda x: np.argmax(x), (X,), (0, 47)),
    (lambda x: np.argmax(x, axis=1) + 1, (X,), (1, 8)),
    (lambda i: i % 5, (IDS,), (0, 4)),
    (lambda i: np.clip(i, 0, 4), (IDS,), (0, 4)),
    (lambda i: abs(i % 5 - 4), (IDS,), (0, 4)),
    (lambda x: (np.arange(6, dtype=np.int32) + 0 * np.argmax(x)) // 2, (X,), (0, 2)),
    (lambda i: np.where((j := i % 7) == 6, 0, j), (IDS,), (0, 5)),
    (lambda i: np.where((j := i % 7) < 3, j + 3, j), (IDS,), (3, 6)),
    (lambda i: np.where((j := np.fmod(i, 5)) < 0, j + 5, j), (IDS,), (0, 4)),
    (lambda i: (i > 3).astype(np.int32), (IDS,), (0, 1)),
    (lambda i: i.astype(np.uint32) >> np.uint32(28), (IDS,), (0, 15)),
    (lambda k: graphc.random.randint(k, (5,), 0, 9), (KEY,), (0, 8)),
    (lambda k: graphc.random.randint(k, (5,), -4, 9), (KEY,), (-4, 8)),
    (lambda k, x: graphc.random.categorical(k, x), (KEY, X), (0, 7)),
    (lambda k: graphc.random.randint(k, (5, 1), 0, 9) + np.arange(4, dtype=np.int32), (KEY,), (0, 11)),
    (lambda x: graphc.scan(lambda c, _: (np.where(c == 3, 0, c + 1), c), np.argmax(x) * 0, length=9)[1], (X,), (0, 3)),
    (lambda x: graphc.scan(lambda c, r: (np.argmax(r), c), np.int32(0), x)[1], (X,), (0, 7)),
    (lambda i: np.where(i < 3, 1, 2) + np.where(i < 3, 0, 5), (IDS,), (1, 7)),
]


@pytest.mark.parametrize("number", range(len(NARROW)))
def test_what_indices_are_often_made_of_has_a_narrow_interval(number: int) -> None:
    fn, arrays, want = NARROW[number]
    assert interval(fn, *arrays) == want


def test_what_wraps_around_or_comes_from_a_float_can_be_anything() -> None:
    anything = whole(type_of(IDS).dtype)
    assert interval(lambda i: i % 5 * 2**30, IDS) == anything
    assert interval(lambda x: x.astype(np.int32), X) == anything
    assert interval(lambda i: -i, IDS) == anything
    assert interval(lambda i: i // 0, IDS) == anything
    counted = interval(lambda i: graphc.scan(lambda c, _: (c + 1, c), i, length=9)[1], IDS, box={0: (0, 0)})
    assert counted is not None
    assert counted[1] == anything[1]


def test_arguments_are_followed_from_what_is_known_of_them() -> None:
    box = {0: (-1, 9)}
    assert interval(lambda i: np.where(i == -1, 0, i), IDS, box=box) == (0, 9)
    assert interval(lambda i: np.where(i != -1, i, 5), IDS, box=box) == (0, 9)
    assert interval(lambda i: np.where(i >= 0, i, i + 10), IDS, box=box) == (0, 9)
    assert interval(lambda i: np.where(i[0] == -1, i[0], i[1]), IDS, box=box) == (-1, 9)
    # Another element than the one that was compared.
    assert interval(lambda i: np.where(i == -1, 0, np.flip(i)), IDS, box=box) == (-1, 9)
    assert interval(lambda i: np.where(i[:, None] == -1, 0, i), IDS, box=box) == (-1, 9)
