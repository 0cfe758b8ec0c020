"""Why the kernels are what they are: what was joined, and what stands between a kernel and its readers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

from graphc.ir.graph import Node, Value
from graphc.passes.fusion.facts import Facts
from graphc.passes.fusion.group import Group, inlined_members
from graphc.passes.fusion.partition import Partition

MAX_STOPS: Final = 4
"""Readers named in attrs["why"] of one kernel."""


@dataclass(frozen=True, slots=True)
class Stop:
    """A kernel that reads what another one makes, and is not one with it.

    op: the name of its first op. value: the first result of that op. why: what stands between the two. nbytes: what one
    kernel for both would not move: what it would not read again, and not write where nobody else reads it.
    """

    op: str
    value: Value
    why: str
    nbytes: int


@dataclass(frozen=True, slots=True)
class Decision:
    """Where one op went.

    family: of its kernel ("custom": one of its own kind; "" for an op that needs none). outputs: the tensors that the
    kernel writes, which are values of the graph before and after fusion. ops: names of all ops in the kernel. why: what
    the kernel is and why it holds no more, in sentences. stops: all kernels that read it, each with what
    stands between.
    """

    family: str
    outputs: tuple[Value, ...]
    ops: tuple[str, ...]
    why: tuple[str, ...]
    stops: tuple[Stop, ...] = ()

    def __str__(self) -> str:
        return "; ".join(self.why)


def reasons(part: Partition) -> dict[Group, tuple[str, ...]]:
    """For each group, what it holds and why it does not hold its readers too."""
    found = {group: _reasons(part, group) for group in part.groups()}
    found |= {inner: (_summary(part.facts, inner),) for group in part.groups() for inner in group.parts}
    return found


def _reasons(part: Partition, group: Group) -> tuple[str, ...]:
    found = [_summary(part.facts, group)]
    found += [f"its output is read by {stop.op}: {stop.why}" for stop in stops(part, group, MAX_STOPS)]
    if any(v in part.facts.materialized for v in group.stores):
        found.append("an output is a result of the program, or read by an op that needs it in memory")
    return tuple(found)


def stops(part: Partition, group: Group, most: int | None = None) -> list[Stop]:
    """For each group that reads this one, at most `most` of them: why the two are not joined, and what that costs."""
    found = []
    for reader in part.consumers(group)[:most]:
        joined = part.joined(group, reader)
        why = joined if isinstance(joined, str) else "joining saves nothing"
        first = part.facts.nodes[reader.nodes[0]]
        found.append(Stop(first.op.name, first.outputs[0], why, _between(part, group, reader)))
    return found


def _between(part: Partition, a: Group, b: Group) -> int:
    """Bytes that two groups move, and one group of them would not."""
    loads, stores = part.boundary((a, b))
    apart = sum(v.type.nbytes for group in (a, b) for v in (*group.loads, *group.stores))
    return apart - sum(v.type.nbytes for v in (*loads, *stores))


def decide(part: Partition) -> dict[Node, Decision]:
    """For each op of the graph, where it went."""
    facts = part.facts
    found: dict[Node, Decision] = {}
    why_of = reasons(part)
    for group in part.groups():
        why = why_of[group]
        names = tuple(facts.nodes[n].op.name for n in group.nodes)
        made = Decision(group.family.kind, tuple(group.stores), names, why, tuple(stops(part, group)))
        for node in (*inlined_members(facts, group), *(facts.nodes[n] for n in group.nodes)):
            found.setdefault(node, made)
    for node in facts.graph.nodes:
        found.setdefault(node, Decision("", (), (node.op.name,), ("it only renames memory",)))
    return {node: found[node] for node in facts.graph.nodes}


def _summary(facts: Facts, group: Group) -> str:
    names = Counter(facts.nodes[n].op.name for n in group.nodes)
    listed = ", ".join(name if count == 1 else f"{count} {name}" for name, count in names.items())
    if group.parts:
        parts = Counter(_summary(facts, part) for part in group.parts)
        each = "; ".join(f"{count} times {text}" if count > 1 else text for text, count in parts.items())
        return f"{len(group.parts)} kernels launched together: {each}"
    return group.family.said([facts.nodes[n] for n in group.roots], listed, len(group.nodes) == 1)
