"""From groups back to a graph: one fused node a group, its body made of the very nodes that it replaces."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from graphc.families.registry import check_family
from graphc.ir.graph import BACKWARD, FORWARD, UPDATE, Graph, Node, Source, Value, new_value
from graphc.ops.movement import reshape
from graphc.ops.structured import fused
from graphc.passes.fusion.facts import OTHER_PHASE, Facts
from graphc.passes.fusion.group import Group, Pairs, inlined_members
from graphc.passes.fusion.partition import Partition

Reasons = dict[Group, tuple[str, ...]]
"""What each group holds and why it holds no more, in sentences."""


def rebuild(part: Partition, why: Reasons) -> Graph:
    """The graph whose kernels are the groups."""
    facts, graph = part.facts, part.facts.graph
    nodes: list[Node] = []
    aliases: dict[Value, list[Node]] = {}
    for node in graph.nodes:
        if node in facts.aliases:
            aliases.setdefault(node.inputs[0], []).append(node)
    nodes += _names(aliases, (*graph.inputs, *graph.constants))
    for group in _in_order(part):
        nodes += _group_nodes(facts, group, why)
        nodes += _names(aliases, group.stores)
    needed = {v for node in nodes for v in node.inputs} | set(graph.outputs)
    constants = {value: array for value, array in graph.constants.items() if value in needed}
    return Graph(graph.inputs, constants, tuple(nodes), graph.outputs)


def _names(aliases: dict[Value, list[Node]], values: Iterable[Value]) -> list[Node]:
    """The reshapes that name these values' memory, and those that name theirs."""
    found: list[Node] = []
    waiting = list(reversed(list(values)))
    while waiting:
        for node in aliases.get(waiting.pop(), ()):
            found.append(node)
            waiting += node.outputs
    return found


def _in_order(part: Partition) -> list[Group]:
    """The groups in topological order, as near to the order of their last nodes as it allows.

    Updates, which a program states last of all, run where their gradients do.
    """
    phase = part.facts.phase
    place = {g: max((n for n in g.nodes if phase[n] != OTHER_PHASE), default=g.nodes[-1]) for g in part.groups()}
    groups = [g for g in part.groups() if g.stores]
    after = {g: list(dict.fromkeys((*part.consumers(g), *part.overwriters(g)))) for g in groups}
    waiting = dict.fromkeys(groups, 0)
    for group in groups:
        for other in after[group]:
            if other in waiting:
                waiting[other] += 1
    ready = [(place[g], g.id, g) for g in groups if waiting[g] == 0]
    heapq.heapify(ready)
    ordered = []
    while ready:
        group = heapq.heappop(ready)[2]
        ordered.append(group)
        for consumer in after[group]:
            if consumer not in waiting:
                continue
            waiting[consumer] -= 1
            if waiting[consumer] == 0:
                heapq.heappush(ready, (place[consumer], consumer.id, consumer))
    return ordered


def _group_nodes(facts: Facts, group: Group, why: Reasons) -> list[Node]:
    """The kernel of a group, and reshapes that follow it."""
    if group.parts:
        return _launch(facts, group, why)
    members = [facts.nodes[n] for n in group.nodes]
    inlined = inlined_members(facts, group)
    inside = {
        v: None for node in (*members, *inlined) for v in node.inputs if v in facts.scalars and v not in group.loads
    }
    whole = len(members) == 1 and not inlined and not inside and set(group.stores) == set(members[0].outputs)
    if not group.family.fuses or whole:
        return members
    body_nodes = sorted([*inlined, *members], key=facts.position.__getitem__)
    outputs, shaped = _one_shape(group)
    body = Graph(
        tuple(group.loads),
        {v: facts.graph.constants[v] for v in inside},
        (*body_nodes, *(node for node, _ in shaped)),
        tuple(outputs),
    )
    check_family(body, group.family.name)
    source = _merged(facts, group, body_nodes)
    attrs: dict[str, Any] = {"body": body, "family": group.family.name, "why": why.get(group, ())}
    if group.aliases:
        attrs["inplace"] = _inplace(list(group.stores), body.inputs, group.aliases)
    return [Node(fused, body.inputs, body.outputs, attrs, source), *(after for _, after in shaped)]


def _launch(facts: Facts, group: Group, why: Reasons) -> list[Node]:
    """One node for kernels side by side, whose body are theirs."""
    made = [_group_nodes(facts, part, why) for part in group.parts]
    kernels = [nodes[0] for nodes in made]
    outputs = tuple(v for node in kernels for v in node.outputs)
    body = Graph(tuple(group.loads), {}, tuple(kernels), outputs)
    check_family(body, group.family.name)
    source = replace(kernels[0].source.merged(n.source for n in kernels[1:]), phase=_phase(facts, group))
    attrs: dict[str, Any] = {"body": body, "family": group.family.name, "why": why.get(group, ())}
    if group.aliases:
        attrs["inplace"] = _inplace([v for part in group.parts for v in part.stores], body.inputs, group.aliases)
    return [Node(fused, body.inputs, outputs, attrs, source), *(node for nodes in made for node in nodes[1:])]


def _one_shape(group: Group) -> tuple[list[Value], list[tuple[Node, Node]]]:
    """The outputs of a body; a pointwise kernel reshapes those not of the shape of the first, and back after it."""
    outputs = list(group.stores)
    if not group.family.pointwise:
        return outputs, []
    shape = outputs[0].type.shape
    found, shaped = [], []
    for value in outputs:
        if value.type.shape == shape:
            found.append(value)
            continue
        flat = new_value(value.type.with_shape(shape))
        inner = Node(reshape, (value,), (flat,), {"shape": shape})
        shaped.append((inner, Node(reshape, (flat,), (value,), {"shape": value.type.shape})))
        found.append(flat)
    return found, shaped


def _merged(facts: Facts, group: Group, nodes: list[Node]) -> Source:
    """The lines of all nodes; the phase is the earliest of those that the group holds."""
    return replace(nodes[0].source.merged(node.source for node in nodes[1:]), phase=_phase(facts, group))


def _phase(facts: Facts, group: Group) -> str:
    phases = {facts.phase[n] for n in group.nodes}
    return FORWARD if 1 in phases else BACKWARD if 2 in phases else UPDATE


def _inplace(stores: list[Value], loads: tuple[Value, ...], aliases: Pairs) -> tuple[tuple[int, int], ...]:
    """Aliases as positions of outputs and inputs."""
    return tuple((stores.index(new), loads.index(old)) for new, old in aliases.items())
