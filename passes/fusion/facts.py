"""What fusion knows of a graph before it decides: which ops need a kernel, what each reads, who reads each value.

Views, iota and masks made of nothing but them are *inlinable*: they are no kernels of their own, every kernel that
reads through one holds a copy of it as index arithmetic. All other ops are *kernel nodes*. A kernel node's reads lead
through inlinable nodes to values in memory: inputs, constants and results of other kernel nodes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from graphc.families.bodies import kept
from graphc.families.record import Family
from graphc.families.registry import OWN, family_of
from graphc.ir.graph import BACKWARD, FORWARD, Graph, Node, Value
from graphc.ops.movement import reshape

PHASES: Final = {FORWARD: 1, BACKWARD: 2}
OTHER_PHASE: Final = 4
VIEWS: Final = frozenset({"view", "barrier"})
"""Traits of ops that only name elements of their operand."""

MAX_INLINABLE: Final = 16
"""Most inlinable nodes behind one value: what is repeated in every reader must stay small."""


@dataclass(frozen=True, slots=True)
class Read:
    """One way in which a kernel node reads a value in memory.

    kept: leading positions that it keeps (see families.kept). regular: each element is read at its own flat position.
    """

    value: Value
    kept: int
    regular: bool


def expensive(node: Node) -> bool:
    """Whether computing an element twice costs more than reading it from memory."""
    return not node.op.traits.isdisjoint(("transcendental", "random", "contraction", "reduction"))


def _can_be_inlined(node: Node, unloaded: set[Value]) -> bool:
    if any(v.type.size == 0 for v in (*node.inputs, *node.outputs)) or "reports" in node.op.traits:
        return False
    if node.op.indexed:
        return not VIEWS.isdisjoint(node.op.traits) or all(v in unloaded for v in node.inputs)
    return node.op.elementwise and not expensive(node) and all(v in unloaded for v in node.inputs)


class Facts:
    """The facts of one graph. Kernel nodes are known by their number, in topological order."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.position = {node: i for i, node in enumerate(graph.nodes)}
        self.scalars = {value for value, array in graph.constants.items() if array.size == 1}
        self.weight: dict[Value, int] = {}
        self.inlinable = self._inlinable_nodes()
        self.materialized: set[Value] = set()
        self.aliases: set[Node] = set()
        self._materialize()
        self.nodes = [n for n in graph.nodes if n.outputs[0] not in self.inlinable]
        self.defining: dict[Value, int] = {v: i for i, n in enumerate(self.nodes) for v in n.outputs}
        self.reads: list[tuple[Read, ...]] = []
        self.users: dict[Value, list[int]] = {}
        self._trace_reads()
        self.family = [self._family(node) for node in self.nodes]
        self.expensive = [expensive(node) for node in self.nodes]
        self.phase = self._phases()

    def _inlinable_nodes(self) -> dict[Value, Node]:
        inlinable: dict[Value, Node] = {}
        unloaded = set(self.scalars)
        for node in self.graph.nodes:
            behind = 1 + sum(self.weight.get(v, 0) for v in node.inputs)
            if behind <= MAX_INLINABLE and _can_be_inlined(node, unloaded):
                inlinable[node.out] = node
                self.weight[node.out] = behind
                if all(v in unloaded for v in node.inputs):
                    unloaded.add(node.out)
        return inlinable

    def _materialize(self) -> None:
        """Find the values that must lie in memory, and make kernel nodes of the inlinable nodes that define them."""
        needed = list(self.graph.outputs)
        for node in self.graph.nodes:
            reads = self._family(node).reads
            if reads == "memory":
                needed += node.inputs
            elif reads == "views":
                needed += filter(None, map(self._operand_base, node.inputs))
        while needed:
            value = needed.pop()
            view = self.inlinable.get(value)
            if view is None:
                self.materialized.add(value)
            elif view.op is reshape and self._in_memory(view.inputs[0]) and view.inputs[0] not in self.scalars:
                self.aliases.add(view)
                needed.append(view.inputs[0])
            else:
                del self.inlinable[value]
                self.materialized.add(value)

    def _in_memory(self, value: Value) -> bool:
        """Whether a value is no inlinable one, or a reshape, which can be a name for memory."""
        return value not in self.inlinable or self.inlinable[value].op is reshape

    def _operand_base(self, value: Value) -> Value | None:
        """What an operand that is read through views is a view of, where that must be put in memory for it."""
        above = None
        while value in self.inlinable and not VIEWS.isdisjoint(self.inlinable[value].op.traits):
            above, value = value, self.inlinable[value].inputs[0]
        if value in self.scalars:
            return above
        return value if value in self.inlinable else None

    def _trace_reads(self) -> None:
        reads: dict[Value, tuple[Read, ...]] = {}
        for node in self.graph.nodes:
            found = dict.fromkeys(self._node_reads(node, reads))
            if node.out in self.inlinable:
                reads[node.out] = tuple(found)
                continue
            number = len(self.reads)
            self.reads.append(tuple(found))
            for value in dict.fromkeys(read.value for read in found):
                self.users.setdefault(value, []).append(number)

    def _node_reads(self, node: Node, behind: dict[Value, tuple[Read, ...]]) -> Iterable[Read]:
        family = family_of(node) or OWN
        for value, leading in zip(node.inputs, kept(node), strict=True):
            if value in self.scalars and family.reads == "elements":
                continue
            size = node.out.type.size if family.pointwise else value.type.size
            if value in self.inlinable:
                for read in behind[value]:
                    total = math.gcd(read.kept, leading)
                    yield Read(read.value, total, total == size == read.value.type.size)
            else:
                yield Read(value, leading, leading == size == value.type.size)

    def _family(self, node: Node) -> Family:
        if any(v.type.size == 0 for v in (*node.inputs, *node.outputs)):
            return OWN
        return family_of(node) or OWN

    def _phases(self) -> list[int]:
        """The phase of each kernel node.

        What is said to be forward but waits for the backward pass is an update, and so is what only updates read.
        """
        found: list[int] = []
        for number, node in enumerate(self.nodes):
            phase = PHASES.get(node.source.phase, OTHER_PHASE)
            above = (self.defining.get(read.value) for read in self.reads[number])
            if phase == 1 and any(found[m] != 1 for m in above if m is not None):
                phase = OTHER_PHASE
            found.append(phase)
        for number in reversed(range(len(found))):
            users = {u for v in self.nodes[number].outputs for u in self.users.get(v, ())}
            if found[number] == 1 and users and all(found[u] == OTHER_PHASE for u in users):
                found[number] = OTHER_PHASE
        return found

    def rows(self, number: int) -> tuple[int, int]:
        """(R, L) of a root whose result is read within its own row."""
        rows = self.family[number].rows
        assert rows is not None
        return rows(self.nodes[number])

    def ops(self, number: int) -> int:
        """Ops that a kernel gets with this node: itself and the inlinable ones it reads through."""
        return 1 + sum(self.weight[v] for v in self.nodes[number].inputs if v in self.inlinable)

    def size(self, number: int) -> int:
        """Elements of a kernel node's result."""
        return self.nodes[number].out.type.size
