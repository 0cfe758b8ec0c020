"""Times of a profile for the nodes that were launched: what a dispatch took is shared among what it launches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from graphc.analysis.loops import flatten
from graphc.inspect.profile import Profile
from graphc.ir.graph import Graph, Node, Value
from graphc.plan.plan import Dispatch, Plan


def of_dispatches(profile: Profile | None) -> dict[int, tuple[float, float, int]]:
    """First start, seconds in all and runs of each dispatch, by its number; empty without a profile."""
    found: dict[int, tuple[float, float, int]] = {}
    for timing in profile.timings if profile else ():
        start, seconds, count = found.get(timing.number, (timing.start, 0.0, 0))
        found[timing.number] = (start, seconds + timing.seconds, count + 1)
    return found


def parts_of(dispatch: Dispatch) -> list[tuple[Dispatch, float]]:
    """What a dispatch launches, each with its part of the dispatch's time, by its operations and bytes."""
    parts = dispatch.members or (dispatch,)
    return list(zip(parts, shared([p.flops + p.bytes_read + p.bytes_written for p in parts]), strict=True))


def of_nodes(graph: Graph, plan: Plan, profile: Profile | None) -> dict[Node, float]:
    """Seconds of a call that go to each node of the lowered `graph` that `plan` launches; those of a loop together."""
    owner: dict[Value, Node] = {}
    for node in graph.nodes:
        for inner in _within(node):
            owner.update(dict.fromkeys(inner.outputs, node))
    flat = flatten(graph).graph.nodes
    found: dict[Node, float] = {}
    for number, (_, seconds, _) in of_dispatches(profile).items():
        for part, weight in parts_of(plan.dispatches[number]):
            launched = owner.get(flat[part.node].outputs[0]) if part.node >= 0 else None
            if launched is not None:
                found[launched] = found.get(launched, 0.0) + seconds * weight
    return found


def _within(node: Node) -> Iterator[Node]:
    """A node, and the nodes of its body."""
    yield node
    body = node.attrs.get("body")
    for inner in body.nodes if isinstance(body, Graph) else ():
        yield from _within(inner)


def shared(weights: Sequence[float]) -> list[float]:
    """Weights as parts of 1; equal ones where all are 0."""
    total = sum(weights)
    return [w / total for w in weights] if total else [1 / len(weights)] * len(weights) if weights else []


def format_seconds(seconds: float) -> str:
    """A time in the unit that gives it few digits: "12.3 us", "1.24 ms", "2.5 s"."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.3g} us"
