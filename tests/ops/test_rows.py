"""Results in the bytes of operands that are read in another order: fused programs give what NumPy gives."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import graphc
import graphc.codegen.inplace as rule
from graphc.errors import GraphError
from graphc.passes.marks.megakernel import megakernel
from tests.support.rows import WITHIN, RandomProgram, programs, softmax

QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large]
ALONE = tuple(p for p in graphc.passes.DEFAULT if p is not megakernel)
"""The default passes with a launch for each kernel, which compiles sooner."""


def close(got: Any, want: Any, what: str, program: RandomProgram) -> None:
    got, want = np.asarray(got), np.asarray(want)
    assert got.shape == want.shape, f"{what}: shape {got.shape}, want {want.shape}\n{program}"
    scale = max(1.0, float(np.max(np.abs(want), initial=0.0)))
    worst = float(np.max(np.abs(got.astype(np.float64) - want), initial=0.0))
    assert worst <= 3e-4 * scale, f"{what}: off by {worst:.3g} of {scale:.3g}\n{program}"


def updated(program: RandomProgram, seed: int, passes: Any) -> None:
    """One call with what is donated; the arguments are Arrays, so that there is something to take over."""
    xs, w = program.arrays(seed)
    wanted = program([x.astype(np.float64) for x in xs], w.astype(np.float64))
    compiled = graphc.compile(program.separate, device="wgpu", donate=tuple(program.donated), passes=passes)
    found = compiled(*(graphc.asarray(x, "wgpu") for x in xs), w)
    for k, (got, want) in enumerate(zip(found, wanted, strict=True)):
        close(got, want, f"result {k}", program)


def differentiated(program: RandomProgram, seed: int, passes: Any) -> None:
    xs, w = program.arrays(seed)
    slopes = graphc.grad(program.loss, argnums=(0, 1))
    wanted = graphc.compile(slopes, device="numpy", passes=())(xs, w)
    found = graphc.compile(slopes, device="wgpu", passes=passes)(xs, w)
    for k, (got, want) in enumerate(zip(graphc.tree.leaves(found), graphc.tree.leaves(wanted), strict=True)):
        close(got, want, f"gradient {k}", program)


def repeated(program: RandomProgram, seed: int, passes: Any, times: int) -> None:
    """The successors are what the next step of a loop starts with."""
    xs, w = program.arrays(seed)
    over = np.linspace(0, 1, times, dtype="f")

    def step(xs: Any, t: Any, w: Any) -> Any:
        new = program(xs, w)
        return [np.tanh(new[k % len(new)] + 0.1 * t) for k in range(len(xs))], np.sum(new[-1], axis=0)

    def run(xs: Any, over: Any, w: Any) -> Any:
        return graphc.scan(lambda xs, t: step(xs, t, w), xs, over)

    carry, sums = [x.astype(np.float64) for x in xs], []
    for t in over:
        carry, total = step(carry, float(t), w.astype(np.float64))
        sums.append(total)
    compiled = graphc.compile(run, device="wgpu", donate=(0,), passes=passes)
    found = compiled([graphc.asarray(x, "wgpu") for x in xs], over, w)
    for k, (got, want) in enumerate(zip(graphc.tree.leaves(found), [*carry, np.stack(sums)], strict=True)):
        close(got, want, f"result {k} of {times} steps", program)


@pytest.mark.parametrize("length", [2, 3, 5, 8, 13, 16])
def test_every_way_to_move_a_row_of_each_length(length: int) -> None:
    """Sums of a row and another one in another order: the other one is donated, or computed and needed no more."""
    rng = np.random.default_rng(length)
    x, w = rng.uniform(-1, 1, (33, length)).astype("f"), rng.uniform(-1, 1, (length, length)).astype("f")
    donated = [rng.uniform(-1, 1, (33, length)).astype("f") for _ in WITHIN]

    def run(x: Any, w: Any, donated: Any) -> Any:
        moves = list(enumerate(WITHIN.values()))
        free = [(softmax(x + k) * k + move(np.cos(x + k) @ w)) @ w for k, move in moves]
        return free, [softmax(x * k) + move(donated[k]) for k, move in moves]

    compiled = graphc.compile(run, device="wgpu", donate="donated", passes=ALONE)
    found = compiled(x, w, [graphc.asarray(y, "wgpu") for y in donated])
    for got, want in zip(graphc.tree.leaves(found), graphc.tree.leaves(run(x, w, donated)), strict=True):
        np.testing.assert_allclose(got.numpy(), want, rtol=1e-4, atol=1e-5)


@settings(max_examples=25, suppress_health_check=QUIET)
@given(programs(8), st.integers(0, 5))
def test_updates(program: RandomProgram, seed: int) -> None:
    updated(program, seed, ALONE)


@settings(max_examples=8, suppress_health_check=QUIET)
@given(programs(6), st.integers(0, 5))
def test_gradients(program: RandomProgram, seed: int) -> None:
    differentiated(program, seed, ALONE)


@settings(max_examples=8, suppress_health_check=QUIET)
@given(programs(6), st.integers(0, 5), st.sampled_from((2, 3, 9)))
def test_loops(program: RandomProgram, seed: int, times: int) -> None:
    repeated(program, seed, ALONE, times)


def refused_or_right(program: RandomProgram, seed: int, salt: int) -> None:
    """Lower by a rule that takes over bytes by chance, and as often wrongly as not."""
    compiled = graphc.compile(program.separate, device="wgpu", donate=tuple(program.donated), passes=ALONE)
    xs, w = program.arrays(seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rule, "_read_first", lambda loads, stores: zlib.crc32(f"{salt} {loads}".encode()) % 2 == 0)
        try:
            compiled.lower(*xs, w)
        except GraphError as error:
            if "into the bytes of" not in str(error):
                raise
            return
    wanted = program([x.astype(np.float64) for x in xs], w.astype(np.float64))
    for k, (got, want) in enumerate(zip(compiled(*xs, w), wanted, strict=True)):
        close(got, want, f"result {k}", program)


@settings(max_examples=15, suppress_health_check=QUIET)
@given(programs(5), st.integers(0, 5), st.integers(0, 99))
def test_what_the_verifier_lets_pass_is_right(program: RandomProgram, seed: int, salt: int) -> None:
    refused_or_right(program, seed, salt)


@pytest.mark.slow
@settings(max_examples=300, suppress_health_check=QUIET)
@given(programs(9), st.integers(0, 5), st.integers(0, 99))
def test_whatever_the_verifier_lets_pass_is_right(program: RandomProgram, seed: int, salt: int) -> None:
    refused_or_right(program, seed, salt)


@pytest.mark.slow
@settings(max_examples=300, suppress_health_check=QUIET)
@given(programs(14), st.integers(0, 99), st.sampled_from((2, 9)), st.booleans())
def test_many(program: RandomProgram, seed: int, times: int, megakernel: bool) -> None:
    passes = graphc.passes.DEFAULT if megakernel else ALONE
    updated(program, seed, passes)
    differentiated(program, seed, passes)
    repeated(program, seed, passes, times)
