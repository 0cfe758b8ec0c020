"""check_plan: plans of lowering pass, and every way of spoiling one is named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from graphc.autodiff.reverse import differentiate
from graphc.errors import GraphError
from graphc.ir.graph import Graph
from graphc.lower import lower
from graphc.passes import DEFAULT, run
from graphc.passes.pipeline import GraphPass
from graphc.plan.plan import Plan, Target, Tensor
from graphc.plan.verify import check_plan
from graphc.tracing.trace import spec, trace
from tests.support.handmade import Hand


def training_graph() -> Graph:
    """Value, gradients and updated weights of a small network."""

    def loss(w1: Any, w2: Any, x: Any) -> Any:
        return np.mean((np.tanh(x @ w1) @ w2) ** 2)

    graph = differentiate(trace(loss, spec((6, 8)), spec((8, 5)), spec((20, 6))), [0, 1])
    h = Hand()
    inputs = [h.builder.input(v.type) for v in graph.inputs]
    value, *gradients = h.builder.inline(graph, inputs)
    return h.graph(value, *(h.sub(w, h.mul(g, 0.1)) for w, g in zip(inputs, gradients, strict=False)))


@pytest.mark.parametrize("passes", [(), DEFAULT])
@pytest.mark.parametrize("donate", [frozenset(), frozenset({0, 1})])
def test_plans_of_lowering_pass(passes: tuple[GraphPass, ...], donate: frozenset[int]) -> None:
    check_plan(lower(run(training_graph(), passes), Target(), donate))


def test_arenas_of_limited_size_pass() -> None:
    target = replace(Target(), max_buffer_bytes=1024)
    plan = lower(run(training_graph(), ()), target)
    assert sum(b.kind == "arena" for b in plan.buffers) > 1
    check_plan(plan)


def plan() -> Plan:
    """A chain of matrix products: every intermediate tensor has its own time."""
    h = Hand()
    x = value = h.input(8, 8, hint="x")
    for _ in range(5):
        value = h.matmul(value, x)
    return lower(h.graph(value), Target())


def arena_tensors(p: Plan) -> list[int]:
    return [i for i, t in enumerate(p.tensors) if p.buffers[t.buffer].kind == "arena"]


def with_tensor(p: Plan, i: int, tensor: Tensor) -> Plan:
    """The plan with one tensor changed, and the bindings moved with it."""
    moved = tuple(
        replace(
            d,
            bindings=tuple(
                replace(b, buffer=tensor.buffer, offset=tensor.offset) if b.tensor == i else b for b in d.bindings
            ),
        )
        for d in p.dispatches
    )
    return replace(p, tensors=(*p.tensors[:i], tensor, *p.tensors[i + 1 :]), dispatches=moved)


def moved_together(p: Plan) -> Plan:
    first, second = arena_tensors(p)[:2]
    return with_tensor(p, second, replace(p.tensors[second], offset=p.tensors[first].offset))


def misaligned(p: Plan) -> Plan:
    i = arena_tensors(p)[0]
    return with_tensor(p, i, replace(p.tensors[i], offset=p.tensors[i].offset + 16))


def outside(p: Plan) -> Plan:
    i = arena_tensors(p)[0]
    return with_tensor(p, i, replace(p.tensors[i], offset=1 << 20))


def short_lived(p: Plan) -> Plan:
    i = arena_tensors(p)[0]
    return replace(p, tensors=tuple(replace(t, end=t.end - 1) if n == i else t for n, t in enumerate(p.tensors)))


def later_user(p: Plan) -> Plan:
    """The last dispatch also reads the first intermediate tensor, whose place was given away."""
    last, early = p.dispatches[-1], p.dispatches[1].bindings[0]
    bindings = (early, *last.bindings[1:])
    spoiled = replace(p, dispatches=(*p.dispatches[:-1], replace(last, bindings=bindings)))
    tensors = tuple(replace(t, end=len(p.dispatches)) if n == early.tensor else t for n, t in enumerate(p.tensors))
    return replace(spoiled, tensors=tensors)


def written_input(p: Plan) -> Plan:
    first, kernel = p.dispatches[0], p.kernels[p.dispatches[0].kernel]
    at = next(n for n, b in enumerate(first.bindings) if p.buffers[b.buffer].kind == "input")
    bindings = tuple(replace(b, access="read_write") if n == at else b for n, b in enumerate(first.bindings))
    access = tuple("read_write" if n == at else a for n, a in enumerate(kernel.access))
    kernels = (*p.kernels, replace(kernel, access=access))
    spoiled = replace(first, bindings=bindings, kernel=len(p.kernels))
    return replace(p, kernels=kernels, dispatches=(spoiled, *p.dispatches[1:]))


def wrong_access(p: Plan) -> Plan:
    first = p.dispatches[0]
    bindings = (replace(first.bindings[0], access="read_write"), *first.bindings[1:])
    return replace(p, dispatches=(replace(first, bindings=bindings), *p.dispatches[1:]))


def missing_binding(p: Plan) -> Plan:
    first = p.dispatches[0]
    return replace(p, dispatches=(replace(first, bindings=first.bindings[1:]), *p.dispatches[1:]))


def taken_too_early(p: Plan) -> Plan:
    """The third intermediate tensor takes the place of the first, which dispatch 3 reads in its stead."""
    first, _, third = arena_tensors(p)[:3]
    tensor = replace(p.tensors[third], offset=p.tensors[first].offset, alias=p.tensors[first].name)
    p = with_tensor(p, third, tensor)
    late = p.dispatches[3]
    bindings = tuple(replace(b, tensor=first) if b.tensor == third else b for b in late.bindings)
    tensors = tuple(replace(t, end=9) if n == first else t for n, t in enumerate(p.tensors))
    dispatches = (*p.dispatches[:3], replace(late, bindings=bindings), *p.dispatches[4:])
    return replace(p, tensors=tensors, dispatches=dispatches)


SPOILED: dict[Callable[[Plan], Plan], str] = {
    moved_together: "overlapping windows|share bytes",
    misaligned: "no multiple of 256",
    outside: "outside its place",
    short_lived: "but said to live from",
    later_user: "share bytes|overlapping windows",
    written_input: "may only be read",
    wrong_access: "its kernel as",
    missing_binding: "bindings, its kernel",
    taken_too_early: "takes the place of",
}


@pytest.mark.parametrize("spoil", SPOILED, ids=lambda f: f.__name__)
def test_a_spoiled_plan_is_refused(spoil: Callable[[Plan], Plan]) -> None:
    good = plan()
    check_plan(good)
    with pytest.raises(GraphError, match=SPOILED[spoil]):
        check_plan(spoil(good))
