"""Bytes that are taken over while they are read: the plan says how each invocation does it, and a wrong way is refused.

The plans here are made wrong by giving lowering a wrong rule, and by hand. The rule of one is that of sets: what a
kernel reads is also what it writes, in whatever order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import graphc.codegen.inplace as rule
from graphc.errors import GraphError
from graphc.ir.graph import Graph
from graphc.lower import lower
from graphc.passes import DEFAULT, run
from graphc.plan.plan import Dispatch, Plan, TakeOver, Target, Touch
from graphc.plan.verify import check_plan
from graphc.tracing.trace import spec, trace
from tests.support.lowering import Body, as_kernel

Loads = Sequence[tuple[int, Touch]]


def sets_of_places(loads: Loads, stores: Loads) -> bool:
    """As if only the places counted."""
    return {t.place for _, t in loads} <= {t.place for _, t in stores}


def anything(loads: Loads, stores: Loads) -> bool:
    """As if every input of one size could be taken over."""
    return True


def softmax(x: Any) -> Any:
    e = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return e / np.sum(e, axis=-1, keepdims=True)


def fused(fn: Callable[..., Any], *shapes: tuple[int, ...]) -> Graph:
    return run(trace(fn, *map(spec, shapes)), DEFAULT)


def flipped(n: int) -> Graph:
    """A row's softmax and the same row of a product, from its end."""
    return fused(lambda x, w: (softmax(x) + (x @ w)[:, ::-1]) @ w, (32, n), (n, n))


def rolled(n: int) -> Graph:
    return fused(lambda x, w: (softmax(x) + np.roll(x @ w, 1, axis=1)) @ w, (32, n), (n, n))


def in_turn(n: int) -> Graph:
    """Two results of a row, of which the second reads what the first one would be written over."""

    def both(x: Any, w: Any) -> Any:
        h, s = x @ w, softmax(x)
        return s @ w, (s + h[:, ::-1]) @ w

    return fused(both, (32, n), (n, n))


SHORT = {"flip": flipped(7), "roll": rolled(5), "outputs": in_turn(9)}
LONG = {"flip": flipped(99), "roll": rolled(61), "outputs": in_turn(51)}


@pytest.mark.parametrize("graph", SHORT.values(), ids=SHORT)
@pytest.mark.parametrize("wrong", [sets_of_places, anything])
def test_a_plan_by_a_wrong_rule_is_refused(
    monkeypatch: pytest.MonkeyPatch, graph: Graph, wrong: Callable[..., bool]
) -> None:
    lower(graph, Target())
    monkeypatch.setattr(rule, "_read_first", wrong)
    with pytest.raises(GraphError, match=r"into the bytes of .* an invocation reads .* after it has written"):
        lower(graph, Target())


@pytest.mark.parametrize("graph", LONG.values(), ids=LONG)
@pytest.mark.parametrize("subgroup", [0, 8])
def test_rows_of_several_invocations(monkeypatch: pytest.MonkeyPatch, graph: Graph, subgroup: int) -> None:
    target = Target(software=True, subgroup=subgroup)
    lower(graph, target)
    monkeypatch.setattr(rule, "_read_first", anything)
    with pytest.raises(GraphError, match=r"into the bytes of .* which another one may have written"):
        lower(graph, target)


def test_a_number_of_each_row_that_all_its_lanes_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """One lane writes the sum of a row over a number that the other lanes still read."""
    body, donated = Body(), frozenset({1})
    x, scale = body.tensor(32, 64), body.tensor(32, 1)
    total = body("sum", body("sin", body("mul", x, scale)), axes=(1,), keepdims=True)
    kernel = as_kernel(body.build([body("add", total, scale)]), "row")
    assert not taken(lower(kernel, Target(software=True, subgroup=8), donated))
    monkeypatch.setattr(rule, "_read_first", anything)
    with pytest.raises(GraphError, match="as others do"):
        lower(kernel, Target(software=True, subgroup=8), donated)


def test_terms_of_a_sum_that_invocations_share_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where several invocations add the terms of one result, one of them writes it, and all read what it scales."""

    body, donated = Body(), frozenset({1})
    x, scale = body.tensor(64, 96), body.tensor(96)
    total = body("sum", body("sin", body("mul", x, scale)), axes=(0,), keepdims=False)
    kernel = as_kernel(body.build([body("add", total, scale)]), "column")
    assert not taken(lower(kernel, Target(), donated))
    assert taken(lower(kernel, Target(software=True), donated))
    monkeypatch.setattr(rule, "_read_first", sets_of_places)
    with pytest.raises(GraphError, match="as others do"):
        lower(kernel, Target(), donated)


def test_a_variable_of_a_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next value of a variable is written over this one, which the kernel reads from its end."""
    import graphc

    def program(x: Any, xs: Any) -> Any:
        return graphc.scan(lambda h, y: (softmax(y) + h[:, ::-1], np.sum(h)), x, xs)

    graph = fused(program, (8, 5), (3, 8, 5))  # more steps would take turns, and write over nothing that they read
    lower(graph, Target())
    monkeypatch.setattr(rule, "_read_first", sets_of_places)
    with pytest.raises(GraphError, match=r"updates .* in place, but an invocation"):
        lower(graph, Target())


def taken(plan: Plan) -> list[TakeOver]:
    return [t for d in plan.apart().dispatches for t in d.taken]


def updated() -> Plan:
    """The plan of a donated update."""
    graph = fused(lambda w, g: w - g * 0.1, (8, 5), (8, 5))
    return lower(graph, Target(), frozenset({0}))


def spoiled(plan: Plan, change: Callable[[Dispatch, TakeOver], Dispatch]) -> Plan:
    found = [change(d, d.taken[0]) if d.taken else d for d in plan.dispatches]
    return replace(plan, dispatches=tuple(found))


def with_touches(change: Callable[[tuple[Touch, ...]], tuple[Touch, ...]]) -> Callable[[Dispatch, TakeOver], Dispatch]:
    return lambda d, t: replace(d, taken=(replace(t, touches=change(t.touches)),))


BY_HAND: dict[str, tuple[Callable[[Dispatch, TakeOver], Dispatch], str]] = {
    "backwards": (with_touches(lambda touches: touches[::-1]), "after it has written it"),
    "nothing": (with_touches(lambda touches: ()), "is not on record"),
    "loads": (with_touches(lambda touches: tuple(t for t in touches if not t.store)), "is not on record"),
    "elsewhere": (with_touches(lambda t: (replace(t[0], place="(i + 1u)"), *t)), "which another one may have written"),
    "in reverse": (with_touches(lambda t: (replace(t[0], lane=-1), *t)), "which another one may have written"),
    "once for all": (
        with_touches(lambda t: tuple(replace(x, loops=(1,)) if x.store else x for x in t)),
        "which another one may have written",
    ),
    "shared": (with_touches(lambda t: (replace(t[0], alone=False), *t)), "as others do"),
    "horizontal": (with_touches(lambda t: (replace(t[0], part=1), *t)), "of another kernel of the launch"),
    "twice": (lambda d, t: replace(d, taken=(t, t)), "two tensors with one binding"),
    "another": (lambda d, t: replace(d, taken=(replace(t, tensor=1),)), "does not lie there"),
    "bound to be read": (
        lambda d, t: replace(
            d, taken=(replace(t, binding=next(n for n, b in enumerate(d.bindings) if b.tensor == 1)),)
        ),
        "through a binding for read",
    ),
}


@pytest.mark.parametrize("spoil", BY_HAND)
def test_a_plan_that_was_made_wrong_by_hand_is_refused(spoil: str) -> None:
    plan = updated()
    check_plan(plan)
    change, message = BY_HAND[spoil]
    with pytest.raises(GraphError, match=message):
        check_plan(spoiled(plan, change))


def test_a_plan_that_does_not_say_how_is_refused() -> None:
    plan = lower(fused(lambda x, w: np.tanh(softmax(x @ w) * 2) @ w, (8, 20), (20, 20)), Target())
    assert taken(plan)
    with pytest.raises(GraphError, match="does not say how"):
        check_plan(spoiled(plan, lambda d, t: replace(d, taken=())))


def test_plans_say_what_they_take_over() -> None:
    plan = updated()
    assert taken(plan)
    assert "@0+0* over %w" in str(plan)
    assert Plan.from_json(plan.to_json()) == plan


def test_loads_in_a_loop_before_the_store_after_it() -> None:
    """A number that is read in every turn, and written when the loop is over, is taken over."""
    stores = [(9, Touch(True, "row"))]
    assert rule._read_first([(1, Touch(False, "row", loops=(1,)))], stores)
    assert not rule._read_first([(1, Touch(False, "row"))], [(9, Touch(True, "row", loops=(1,)))])
    assert not rule._read_first([(1, Touch(False, "row", loops=(1,)))], [(9, Touch(True, "row", loops=(2,)))])
