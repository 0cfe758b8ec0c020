"""Loops whose steps read what the next step overwrites: two steps a turn, no copies, the same numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import pytest

import graphc
from graphc import spec
from graphc.passes.memory.alternate import alternate
from graphc.plan.plan import Plan

WITHOUT: Final = tuple(p for p in graphc.passes.DEFAULT if p is not alternate)
HALF: Final = np.float32(0.5)


def neighbours(u: Any) -> Any:
    return np.roll(u, 1, 0) + np.roll(u, -1, 1)


def heat(u: Any, length: int) -> Any:
    """A stencil: a step reads all of what it replaces."""
    return graphc.scan(lambda u, _: (HALF * u + HALF * neighbours(u), None), u, length=length)[0]


def wave(u: Any, length: int) -> Any:
    """Each step hands over what it was given."""

    def step(carry: Any, _: Any) -> Any:
        before, now = carry
        return (now, HALF * now - HALF * before + HALF * neighbours(now)), None

    return graphc.scan(step, (u, u + 1), length=length)[0]


def product(u: Any, length: int) -> Any:
    """A product reads rows and columns of what it replaces."""
    return graphc.scan(lambda h, _: (np.tanh(h @ u), None), u, length=length)[0]


def recorded(u: Any, length: int) -> Any:
    """Slices come in, results of steps go out, and two of three carries change places."""

    def step(carry: Any, x: Any) -> Any:
        a, b, c = carry
        return (b * x, a, np.tanh(c @ u) + a), np.sum(c, axis=1)

    return graphc.scan(step, (u, u + 1, u - 1), np.linspace(0, 1, length, dtype="f"))


def nested(u: Any, length: int) -> Any:
    """A loop in a loop."""
    return graphc.scan(lambda h, _: (heat(h, 5) * HALF, None), u, length=length)[0]


PROGRAMS: Final[dict[str, Callable[[Any, int], Any]]] = {f.__name__: f for f in (heat, wave, product, recorded, nested)}


def copied(plan: Plan) -> int:
    """How often a call runs a dispatch that only copies a carry."""
    apart = plan.apart()
    named = zip(apart.dispatches, apart.executions(), strict=True)
    return sum(times for dispatch, times in named if dispatch.label.split()[-1] in ("loop_yield", "loop_init"))


@pytest.mark.parametrize("length", [4, 7, 1000, 1001])
@pytest.mark.parametrize("name", ["heat", "wave", "product"])
def test_a_loop_copies_nothing_from_step_to_step(name: str, length: int) -> None:
    def planned(passes: Any) -> Plan:
        fn = PROGRAMS[name]
        compiled = graphc.compile(lambda u: fn(u, length), device="numpy", target="software", passes=passes)
        return compiled.lower(spec((64, 64))).plan

    assert copied(planned(graphc.passes.DEFAULT)) <= 3, "what a loop starts with is copied once"
    assert copied(planned(WITHOUT)) >= length, "else there would be nothing to see here"


@pytest.mark.parametrize("length", [1, 3, 4, 7])
@pytest.mark.parametrize("name", PROGRAMS)
def test_the_numbers_are_the_same(name: str, length: int) -> None:
    u = np.random.default_rng(0).standard_normal((6, 6)).astype("f") * HALF

    def loss(u: Any) -> Any:
        return sum(np.sum(np.sin(x)) for x in graphc.tree.leaves(PROGRAMS[name](u, length)))

    def program(u: Any) -> Any:
        return PROGRAMS[name](u, length), graphc.grad(loss)(u)

    found = graphc.compile(program, device="wgpu")(u)
    wanted = graphc.compile(program, device="numpy", passes=())(u)
    for got, want in zip(graphc.tree.leaves(found), graphc.tree.leaves(wanted), strict=True):
        np.testing.assert_allclose(np.asarray(got), np.asarray(want), rtol=2e-5, atol=2e-5)
