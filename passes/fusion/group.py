"""A group: what one kernel is made of."""

from __future__ import annotations

from dataclasses import dataclass, field

from graphc.families.record import Family
from graphc.ir.graph import Node, Value
from graphc.passes.fusion.facts import Facts

Pairs = dict[Value, Value]
"""Results, and the inputs whose bytes they take over."""


@dataclass(slots=True, eq=False)
class Group:
    """Kernel nodes that become one kernel.

    nodes: ascending. loads, stores: values read from memory and written to it (ordered sets). roots: its matmul or its
    reductions. size: elements of an output (row: R x L). regular: every value made and read inside is read at its own
    flat position. phases: see facts.PHASES. ops: nodes, and the inlinable ones that they read through. aliases:
    in-place aliases, results that take over the bytes of inputs, where they have to. parts: the groups that are
    launched side by side, where there are such; each computes what it would alone. reports: whether it checks indices,
    and so binds the program's faults. aliasable: the aliases that it can have; None until somebody asks.
    """

    id: int
    family: Family
    space: tuple[object, ...]
    nodes: list[int]
    loads: dict[Value, None]
    stores: dict[Value, None]
    roots: list[int]
    size: int
    regular: bool
    phases: int
    ops: int
    aliases: Pairs = field(default_factory=dict)
    parts: tuple[Group, ...] = ()
    reports: bool = False
    aliasable: Pairs | None = None


def inlined_members(facts: Facts, group: Group) -> list[Node]:
    """The inlinable nodes that the group reads through."""
    found: dict[Node, None] = {}
    stack = [v for n in group.nodes for v in facts.nodes[n].inputs]
    while stack:
        node = facts.inlinable.get(stack.pop())
        if node is not None and node not in found:
            found[node] = None
            stack += node.inputs
    return list(found)
