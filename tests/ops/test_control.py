"""cond, switch, while_loop, fori_loop and unrolled scans, against Python's own control flow on ndarrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import random
from graphc.errors import DTypeError, IndexRangeError, ShapeError, TraceError

X = np.array([[0.5, -1.5, 2.0], [1.0, 0.25, -0.75]], np.float32)
W = np.array([[0.5, -0.25, 0.1], [0.3, 0.2, -0.4], [-0.2, 0.6, 0.35]], np.float32)
WAYS = (("numpy", graphc.passes.DEFAULT), ("numpy", ()), ("wgpu", graphc.passes.DEFAULT))


def choosing(n: Any, x: Any, w: Any) -> Any:
    """A branch that closes over a value, and gives a number where the other gives an array's element."""
    return graphc.cond(n > 1, lambda x: (np.tanh(x @ w), 0), lambda x: (x * 2, x.sum()), x)


def switching(n: Any, x: Any, w: Any) -> Any:
    return graphc.switch(n, [lambda x: x + 1, lambda x: np.tanh(x) @ w, lambda x: -x], x)


def cond_in_scan(n: Any, x: Any, w: Any) -> Any:
    def step(c: Any, row: Any) -> Any:
        c = graphc.cond(row[0] * n > 1, lambda c: c @ w + row, lambda c: c * 0.5, c)
        return c, c.sum()

    return graphc.scan(step, x[0], x)


def scan_in_cond(n: Any, x: Any, w: Any) -> Any:
    def looped(x: Any) -> Any:
        return graphc.scan(lambda c, row: (np.tanh(c @ w + row), None), x[0], x)[0]

    return graphc.cond(n > 1, looped, lambda x: x[1] * 3, x)


def doubling(n: Any, x: Any, w: Any) -> Any:
    def body(state: Any) -> Any:
        value, turns = state
        return value * 1.5 + np.tanh(value @ w), turns + 1

    return graphc.while_loop(lambda s: np.abs(s[0]).sum() < 4 * n + 7, body, (x, 0), max_steps=12)


def while_in_while(n: Any, x: Any, w: Any) -> Any:
    def outer(state: Any) -> Any:
        i, value = state
        inner = graphc.while_loop(lambda s: s[0] < i, lambda s: (s[0] + 1, s[1] * 0.5 + x), (0, value), max_steps=4)
        return i + 1, inner[1]

    return graphc.while_loop(lambda s: s[0] < n, outer, (0, x), max_steps=4)


def counting(n: Any, x: Any, w: Any) -> Any:
    return graphc.fori_loop(-2, 3, lambda i, s: s * i + np.tanh(x), x)


def counting_to(n: Any, x: Any, w: Any) -> Any:
    """The turns that are left over would read behind the last row."""
    return graphc.fori_loop(0, n, lambda i, s: s + w[i], x, max_steps=5)


CASES = (
    choosing,
    switching,
    cond_in_scan,
    scan_in_cond,
    doubling,
    while_in_while,
    counting,
    counting_to,
)


def close(found: Any, wanted: Any, tolerance: float = 1e-5) -> None:
    pairs = zip(graphc.tree.leaves(found), graphc.tree.leaves(wanted), strict=True)
    for a, b in pairs:
        assert np.shape(a) == np.shape(b)
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("device", "passes"), WAYS)
@pytest.mark.parametrize("fn", CASES)
def test_equals_python(fn: Callable[..., Any], device: str, passes: Any) -> None:
    compiled = graphc.compile(fn, device=device, passes=passes)
    for n in (0, 1, 2, 3):
        close(compiled(np.int32(n), X, W), fn(np.int32(n), X, W))
    assert len(compiled.signatures) == 1


@pytest.mark.parametrize("fn", CASES)
def test_gradients_against_finite_differences(fn: Callable[..., Any]) -> None:
    rng = np.random.default_rng(3)
    directions = [rng.normal(size=v.shape) for v in (X, W)]
    for device in ("numpy", "wgpu"):
        compiled = graphc.compile(graphc.grad(traced_loss(fn), (1, 2)), device=device)
        for n in (0, 3):
            slopes = compiled(np.int32(n), X, W)
            found = sum(float((np.asarray(g) * d).sum()) for g, d in zip(slopes, directions, strict=True))
            ends = []
            for by in (1e-5, -1e-5):
                x, w = (v.astype(np.float64) + by * d for v, d in zip((X, W), directions, strict=True))
                ends.append(float(traced_loss(fn)(np.int32(n), x, w)))
            assert found == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=2e-3, abs=2e-3)


def traced_loss(fn: Callable[..., Any]) -> Callable[..., Any]:
    def loss(n: Any, x: Any, w: Any) -> Any:
        found = [v for v in graphc.tree.leaves(fn(n, x, w)) if getattr(v, "ndim", 0) > 0]
        return sum(np.sum(np.sin(v)) for v in found)

    return loss


@pytest.mark.parametrize("device", ["numpy", "wgpu"])
def test_what_is_not_taken_leaves_no_nan_in_gradients(device: str) -> None:
    def safe(x: Any, w: Any) -> Any:
        root = graphc.cond(x.sum() > 0, lambda x: np.sqrt(x.sum()) * (w / x.sum()), lambda x: w * 0, x)
        return np.sum(root)

    zero = np.zeros(3, np.float32)
    for gradient in graphc.compile(graphc.grad(safe, (0, 1)), device=device)(zero, X):
        assert np.array_equal(gradient, np.zeros_like(gradient))

    def halving(x: Any) -> Any:  # the turns after the last one would divide by zero
        return graphc.while_loop(
            lambda s: s[1] > 0, lambda s: (s[0] / s[1], s[1] - 1), (x, np.float32(2)), max_steps=5
        )[0].sum()

    close(graphc.compile(graphc.grad(halving), device=device)(X), np.full_like(X, 0.5))


@pytest.mark.parametrize("device", ["numpy", "wgpu"])
def test_indices_that_are_not_taken_are_not_looked_at(device: str) -> None:
    def pick(i: Any, x: Any) -> Any:
        def rows(x: Any) -> Any:
            return graphc.scan(lambda c, _: (c + x[i], None), x[0] * 0, None, length=2)[0] + x[i]

        return graphc.cond(i < 2, rows, lambda x: x[0], x)

    compiled = graphc.compile(pick, device=device)
    close(compiled(np.int32(1), X), X[1] * 3)
    close(compiled(np.int32(7), X), X[0])
    outside = graphc.compile(lambda i, x: graphc.cond(i > 2, lambda x: x[i], lambda x: x[0], x), device=device)
    close(outside(np.int32(1), X), X[0])
    with pytest.raises(IndexRangeError):
        np.asarray(outside(np.int32(7), X))


@pytest.mark.parametrize("device", ["numpy", "wgpu"])
def test_predicates_are_those_of_python(device: str) -> None:
    compiled = graphc.compile(lambda p: graphc.cond(p, lambda: 1, lambda: 2), device=device)
    for p in (np.nan, 0.0, -0.0, 0.5, np.inf):
        wanted = 1 if bool(np.float32(p)) else 2
        assert int(compiled(np.float32(p))) == wanted == graphc.cond(np.float32(p), lambda: 1, lambda: 2)
    stuck = graphc.compile(
        lambda x: graphc.while_loop(lambda s: s[0] < 10, lambda s: (s[0] + 1, s[1] + 1), (x, 0), max_steps=30)[1],
        device=device,
    )
    assert int(stuck(np.float32(np.nan))) == 0
    assert int(stuck(np.float32(4))) == 6
    assert int(stuck(np.float32(-100))) == 30  # max_steps
    clamped = graphc.compile(lambda i: graphc.switch(i, [lambda: 5, lambda: 6.5]), device=device)
    assert [float(clamped(np.int32(i))) for i in (-3, 0, 1, 9)] == [5.0, 5.0, 6.5, 6.5]


def test_on_plain_arrays_only_what_is_taken_is_run() -> None:
    calls: list[str] = []
    assert graphc.cond(False, lambda: calls.append("yes"), lambda: calls.append("no")) is None
    graphc.switch(5, [lambda: calls.append("first"), lambda: calls.append("last")])
    assert calls == ["no", "last"]
    known = graphc.trace(lambda x: graphc.cond(True, lambda x: x * 2, np.tanh, x), X)
    assert [node.op.name for node in known.nodes] == ["mul"]


@pytest.mark.parametrize("device", ["numpy", "wgpu"])
def test_a_loop_over_arrays_ends_when_its_condition_is_false(device: str) -> None:
    turns: list[int] = []

    def state() -> Any:
        return graphc.asarray(X, device=device), graphc.asarray(np.int32(0), device=device)

    def body(s: Any) -> Any:
        turns.append(1)
        return s[0] * 0.5 + 1, s[1] + 1

    value, count = graphc.while_loop(lambda s: s[1] < 70, body, state())
    assert int(count) == 70
    assert value.device.name.startswith(device)
    close(value, np.full_like(X, 2.0))
    assert len(turns) <= 4  # traced, and not run in Python
    assert int(graphc.while_loop(lambda s: s[1] < 0, body, state())[1]) == 0
    assert int(graphc.while_loop(lambda s: s[1] < 70, body, state(), max_steps=40)[1]) == 40
    close(graphc.fori_loop(0, 3, lambda i, s: s * i + 1, state()[0]), np.full_like(X, 5.0))


@pytest.mark.parametrize("unroll", [2, True])
@pytest.mark.parametrize("reverse", [False, True])
def test_steps_that_are_written_out(unroll: Any, reverse: bool) -> None:
    xs = np.linspace(-1, 1, 15, dtype=np.float32).reshape(5, 3)

    def looped(c: Any, xs: Any, **how: Any) -> Any:
        def step(carry: Any, x: Any) -> Any:
            c, n = carry
            c += np.tanh(x) * n
            return (c * 0.5, n + 1), (c, None, c[0])

        return graphc.scan(step, (c, 0), xs, reverse=reverse, **how)

    wanted = looped(X[0], xs)
    close(graphc.compile(lambda c, xs: looped(c, xs, unroll=unroll), device="numpy")(X[0], xs), wanted)
    slopes = []
    for how in ({}, {"unroll": unroll}):
        gradient = graphc.grad(lambda c, xs, how=how: np.sum(looped(c, xs, **how)[1][0] ** 2), (0, 1))
        slopes.append(graphc.compile(gradient, device="numpy")(X[0], xs))
    close(slopes[1], slopes[0])


def test_unroll_of_steps_without_slices() -> None:
    def count(x: Any) -> Any:
        return graphc.scan(lambda c, _: (c * 2, c), x, None, length=7, unroll=3)

    close(graphc.compile(count, device="numpy")(X), count(X))
    with pytest.raises(TraceError, match="unroll 0 is no number of steps"):
        graphc.scan(lambda c, _: (c, None), X, None, length=2, unroll=0)


@pytest.mark.parametrize("device", ["numpy", "wgpu"])
def test_keys_donation_and_no_turns(device: str) -> None:
    def walk(key: Any, x: Any, n: Any) -> Any:
        def body(s: Any) -> Any:
            i, key, x = s
            return i + 1, random.fold_in(key, i), x + random.normal(key, x.shape)

        return graphc.while_loop(lambda s: s[0] < n, body, (0, key, x), max_steps=3)[1:]

    compiled = graphc.compile(walk, device=device, donate=(1,))
    for n in (0, 2):
        given = graphc.asarray(X, device=device)
        key, x = random.key(4), X
        for i in range(n):
            key, x = random.fold_in(key, np.int32(i)), x + np.asarray(random.normal(key, X.shape))
        close(compiled(random.key(4), given, np.int32(n))[1], x)
    none = graphc.compile(lambda x: graphc.fori_loop(5, 2, lambda i, s: s + i, x), device=device)
    close(none(X), X)
    close(graphc.fori_loop(5, 2, lambda i, s: s + i, X), X)


def test_mapped_over_examples() -> None:
    def one(n: Any, x: Any) -> Any:
        halved = graphc.cond(n > 1, lambda x: x * 0.5, np.tanh, x)
        grown = graphc.while_loop(lambda s: s[0] < n, lambda s: (s[0] + 1, s[1] * 2), (0, halved), max_steps=4)
        return graphc.switch(n, [lambda v: v, lambda v: -v, lambda v: v + 1], grown[1])

    ns, xs = np.array([0, 1, 2, 3], np.int32), np.stack([X, X * 2, X - 1, X])
    found = graphc.compile(graphc.vmap(one), device="numpy")(ns, xs)
    close(found, np.stack([one(n, x) for n, x in zip(ns, xs, strict=True)]))


def test_errors() -> None:
    def refused(error: type[Exception], text: str, fn: Callable[..., Any]) -> None:
        with pytest.raises(error, match=text) as caught:
            graphc.trace(fn, X)
        assert "test_control.py" in str(caught.value)

    refused(ShapeError, r"cond: true_fn is f32\[3\], and false_fn is f32\[2\]", lambda x: graphc.cond(
        x[0, 0] > 0, lambda: x[0], lambda: x[:, 0]))  # fmt: skip
    refused(DTypeError, r"cond: true_fn\[1\] is f32\[\], and false_fn\[1\] is i32\[\]", lambda x: graphc.cond(
        x[0, 0] > 0, lambda: (x, x[0, 0]), lambda: (x, np.int32(1))))  # fmt: skip
    refused(TraceError, "cond: true_fn returns", lambda x: graphc.cond(x[0, 0] > 0, lambda: x, lambda: (x, x)))
    refused(
        ShapeError, r"pred must be a scalar, got shape \(2, 3\)", lambda x: graphc.cond(x > 0, lambda: x, lambda: x)
    )
    refused(DTypeError, "switch: index must be an integer", lambda x: graphc.switch(x[0, 0], [lambda: x, lambda: x]))
    refused(TraceError, "switch: needs a branch", lambda x: graphc.switch(1, []))
    refused(ShapeError, r"switch: branches\[0\] is .*branches\[2\] is", lambda x: graphc.switch(
        x[0, 0].astype(np.int32), [lambda: x, lambda: x, lambda: x[0]]))  # fmt: skip
    refused(TraceError, "it never ends", lambda x: graphc.while_loop(lambda s: True, lambda s: s - 1, x))
    refused(ShapeError, r"while_loop: init\[0\] is f32\[2,3\], and after a turn f32\[3\]", lambda x: graphc.while_loop(
        lambda s: s[1] < 3, lambda s: (s[0].sum(0), s[1] + 1), (x, 0), max_steps=3))  # fmt: skip
    refused(DTypeError, "while_loop: init is f32.*after a turn i32", lambda x: graphc.while_loop(
        lambda s: s.sum() < 3, lambda s: s.astype(np.int32), x, max_steps=3))  # fmt: skip
    refused(ShapeError, r"cond_fn\(state\) must be a scalar", lambda x: graphc.while_loop(
        lambda s: s < 3, lambda s: s + 1, x, max_steps=3))  # fmt: skip
    refused(TraceError, "fori_loop: the state is", lambda x: graphc.fori_loop(0, 2, lambda i, s: (s, i), x))
    refused(DTypeError, "fori_loop: upper must be an integer", lambda x: graphc.fori_loop(0, 1.5, lambda i, s: s, x))
