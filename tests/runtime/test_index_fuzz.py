"""Indices made in random ways: where NumPy raises, and only there, who reads a result is told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import graphc

STEPS = (
    "i + {c}",
    "i - {c}",
    "i * {c}",
    "-i",
    "abs(i)",
    "i // {c}",
    "i % {c}",
    "np.clip(i, -{c}, {c})",
    "np.maximum(i, {c})",
    "np.where(i < {c}, i, 0)",
    "np.where(i == {c}, i - 1, i)",
    "np.where(j > i, i, j)",
    "np.flip(i)",
    "i + np.arange(6, dtype=np.int32)",
    "i + np.argmax(j)",
    "np.cumsum(i)",
    "i & {c}",
    "i | {c}",
    "i >> 1",
    "(i < {c}).astype(np.int32) + j",
)
USES = (
    "t[i]",
    "np.take(t, i, axis=1).T",
    "np.take_along_axis(t, i[:, None], axis=0)",
    "t[i, j]",
    "u[i][:, None] * t[j]",
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_whoever_raises_in_numpy_raises_here(data: st.DataObject) -> None:
    """Indices made in random ways, of arguments and of what only the device knows: NumPy's verdict is graphc's."""
    agree(data)


@pytest.mark.slow
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_whoever_raises_in_numpy_raises_here_often(data: st.DataObject) -> None:
    agree(data)


def agree(data: st.DataObject) -> None:
    texts = [
        (data.draw(st.sampled_from(STEPS)).format(c=data.draw(st.integers(1, 7))), data.draw(st.integers(0, 1)))
        for _ in range(data.draw(st.integers(0, 4)))
    ]
    use = data.draw(st.sampled_from(USES))

    def program(t: Any, u: Any, i: Any, n: Any) -> Any:
        found = [i, n.astype(np.int32)]
        for text, k in texts:
            found[k] = eval(text, {"np": np, "i": found[k], "j": found[1 - k]})
        return eval(use, {"np": np, "t": t, "u": u, "i": found[0], "j": found[1]})

    def looped(t: Any, u: Any, i: Any, n: Any) -> Any:
        """The same in each step, with indices that move on."""

        def step(carry: Any, x: Any) -> Any:
            made = program(t, u, carry, n + x.astype(np.float32))
            return carry + x, made * 2

        return graphc.scan(step, i, np.arange(2, dtype=np.int32))[1]

    def slopes(t: Any, u: Any, i: Any, n: Any) -> Any:
        value, grads = graphc.value_and_grad(lambda t: np.sum(program(t, u, i, n)))(t)
        return value + 0 * np.sum(grads)

    kind = data.draw(st.sampled_from(["plain", "loop", "gradient"]))
    traced = {"plain": program, "loop": looped, "gradient": slopes}[kind]
    eager = {"plain": program, "loop": looped, "gradient": lambda *a: np.sum(program(*a))}[kind]
    rng = np.random.default_rng(data.draw(st.integers(0, 999)))
    t, u = rng.standard_normal((6, 6)).astype(np.float32), rng.standard_normal(6).astype(np.float32)
    high = data.draw(st.sampled_from([3, 6, 8]))
    i, n = rng.integers(-high, high, 6).astype(np.int32), rng.integers(-high, high, 6).astype(np.float32)
    try:
        want = eager(t, u, i, n)
    except IndexError:
        want = None
    given: Any = i
    if data.draw(st.booleans()):
        given = graphc.asarray(i, "wgpu")
        if data.draw(st.booleans()):
            given.bounds = None  # as of one that a program has computed
    for options in ({"device": "wgpu"}, {"device": "wgpu", "passes": ()}, {"device": "numpy"}):
        try:
            got = np.asarray(graphc.compile(traced, **options)(t, u, given, n))
        except graphc.IndexRangeError:
            assert want is None, f"{options}: raised for {texts}, {use}, {kind}"
            continue
        assert want is not None, f"{options}: did not raise for {texts}, {use}, {kind}, {i}, {n}"
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)
