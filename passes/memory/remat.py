"""remat: values of the forward pass are computed again in the backward pass instead of being kept for it.

What is kept between the passes is what forward kernels store and backward kernels read: the residuals. `Ladder` orders
them by the bytes that dropping each one saves for every operation that computing it again costs: cheap pointwise and
row ops first, matmuls later. It remembers that a stretch of dropped values is alive all at once when the backward pass
comes to it, so of values that cost the same, those far apart go first. `Remat` drops the first so many of that order.
Every step of the ladder is the same whatever the memory limit is: a lower limit can only mean a later step.

Sources of the ideas: Chen et al., "Training deep nets with sublinear memory cost", 2016; Jain et al., "Checkmate:
breaking the memory wall with optimal tensor rematerialization", 2020.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

from graphc.families.registry import family_of
from graphc.ir.graph import BACKWARD, FORWARD, Builder, Graph, Node, Value, new_value
from graphc.ir.rewriting import rewrite
from graphc.passes.fusion.facts import expensive
from graphc.passes.fusion.fuse import Fuse
from graphc.passes.fusion.group import Group

STEPS: Final = 12
"""Most steps of a ladder; each drops about as many bytes as the others."""

CHEAP_OPS: Final = 16
FEW: Final = 4096
"""Most ops behind a value that is computed again for nothing, and fewest elements that are worth it."""

TRANSCENDENTAL: Final = 8
"""Operations that an element of exp, tanh and their like counts for."""


@dataclass(frozen=True, slots=True)
class Drop:
    """A residual that is computed again. flops: what that costs beyond what was dropped before it."""

    value: Value
    flops: int


@dataclass(frozen=True, slots=True)
class Remat:
    """The pass: compute again what the first `step` steps of a ladder drop. Other graphs (bodies of loops) stay."""

    ladder: Ladder
    step: int

    def __call__(self, graph: Graph) -> Graph:
        if graph.nodes != self.ladder.graph.nodes:
            return graph
        return Rewrite(self.ladder, self.ladder.dropped(self.step)).run()


@dataclass(eq=False)
class Ladder:
    """What can be dropped in one graph, in order, and how many values each step drops.

    graph: before fusion, with its backward pass. kernels: the fusion that follows, which decides what lies in memory.
    """

    graph: Graph
    kernels: Fuse

    def __post_init__(self) -> None:
        self.forward = _forward_values(self.graph)
        partition = self.kernels.partition(_without_updates(self.graph, self.forward), launches=False)
        groups = [g for g in partition.groups() if g.stores]
        self.maker = self.graph.producers()
        self.stored = {v for g in groups for v in g.stores}
        late = [g for g in groups if not self._holds_forward(partition.facts.nodes, g)]
        self.late = {v for g in late for n in g.nodes for v in partition.facts.nodes[n].outputs}
        self.late |= {v for v in self.maker if v not in self.forward and v not in partition.facts.defining}
        outputs = set(self.graph.outputs)
        found = {v: None for g in late for v in g.loads if v in self.forward and v in self.stored}
        self.residuals = tuple(v for v in found if v not in outputs and v.type.nbytes)

    def _holds_forward(self, nodes: list[Node], group: Group) -> bool:
        return any(v in self.forward for n in group.nodes for v in nodes[n].outputs)

    @cached_property
    def drops(self) -> tuple[Drop, ...]:
        """Every residual, first to be dropped first."""
        return tuple(_Greedy(self).run())

    @cached_property
    def steps(self) -> tuple[int, ...]:
        """How many residuals each step drops; step 0 drops none."""
        total, saved = sum(d.value.type.nbytes for d in self.drops), 0
        counts = [0]
        for count, drop in enumerate(self.drops, 1):
            saved += drop.value.type.nbytes
            if saved * STEPS >= len(counts) * total:
                counts.append(count)
                while len(counts) * total <= saved * STEPS and len(counts) <= STEPS:
                    counts.append(count)
        return tuple(dict.fromkeys(counts))

    def free(self) -> frozenset[Value]:
        """The residuals that cheap pointwise ops make of others and of inputs: keeping them buys nothing."""
        kept = set(self.residuals)
        found: set[Value] = set()
        for value in self.residuals:
            if value.type.size >= FEW and self._is_cheap(value, kept):
                found.add(value)
                kept.discard(value)
        return frozenset(found)

    def _is_cheap(self, value: Value, kept: set[Value]) -> bool:
        """Whether few cheap ops lead from what is kept to this value."""
        seen: set[Node] = set()
        stack = [value]
        while stack:
            node = self.maker[stack.pop()]
            if node in seen:
                continue
            seen.add(node)
            if expensive(node) or not node.op.maps or len(seen) > CHEAP_OPS:
                return False
            stack += [v for v in node.inputs if v in self.forward and v not in kept]
        return True

    def dropped(self, step: int) -> frozenset[Value]:
        """The residuals that are computed again at a step."""
        return frozenset(d.value for d in self.drops[: self.steps[step]])


def _without_updates(graph: Graph, forward: set[Value]) -> Graph:
    """The graph without what is made of gradients, which reads no residuals: its results are all that this needs."""
    updates = {n for n in graph.nodes if n.source.phase != BACKWARD and forward.isdisjoint(n.outputs)}
    made = {v for n in updates for v in n.outputs}
    wanted = [v for n in updates for v in n.inputs if v not in made] + [v for v in graph.outputs if v not in made]
    given = {*graph.inputs, *graph.constants}
    kept = tuple(n for n in graph.nodes if n not in updates)
    return Graph(graph.inputs, graph.constants, kept, tuple(dict.fromkeys(v for v in wanted if v not in given)))


def _forward_values(graph: Graph) -> set[Value]:
    """What nodes of the forward pass compute; what waits for the backward pass does not belong to it."""
    found: set[Value] = set()
    known = {*graph.inputs, *graph.constants}
    for node in graph.nodes:
        if node.source.phase == FORWARD and all(v in known for v in node.inputs):
            found.update(node.outputs)
            known.update(node.outputs)
    return found


def flops(node: Node) -> int:
    """Operations of a node, a multiply-add counted as two; views cost nothing."""
    if "body" in node.attrs:
        return sum(map(flops, node.attrs["body"].nodes)) * int(node.attrs.get("length", 1))
    size = max((v.type.size for v in (*node.inputs, *node.outputs)), default=0)
    family = family_of(node)
    if family is not None and family.reads == "views":
        return family.operations(node)
    if "view" in node.op.traits or "barrier" in node.op.traits:
        return 0
    return size * (TRANSCENDENTAL if "transcendental" in node.op.traits else 1)


class _Greedy:
    """The order of dropping, found on the graph of what lies in memory.

    sources: what lies in memory and is read to compute each stored forward value. own: operations of that. A value
    that the backward pass does not read is not kept, so what is computed from it leads further back.
    """

    def __init__(self, ladder: Ladder) -> None:
        self.ladder = ladder
        self.kept = set(ladder.residuals)
        self.again: set[Value] = set()
        self.sources: dict[Value, list[Value]] = {}
        self.readers: dict[Value, list[Value]] = {}
        self.own: dict[Value, int] = {}
        for value in ladder.maker:
            if value in ladder.stored and value in ladder.forward:
                self._survey(value)
        self._stretch: dict[Value, Value] = {}
        self._stretch_bytes: dict[Value, int] = {}

    def _survey(self, value: Value) -> None:
        nodes: dict[Node, None] = {}
        sources: dict[Value, None] = {}
        stack = [value]
        while stack:
            node = self.ladder.maker[stack.pop()]
            if node in nodes:
                continue
            nodes[node] = None
            for read in node.inputs:
                if read in self.ladder.forward:
                    if read in self.ladder.stored:
                        sources[read] = None
                    else:
                        stack.append(read)
        self.sources[value] = list(sources)
        self.own[value] = sum(map(flops, nodes))
        for source in sources:
            self.readers.setdefault(source, []).append(value)

    def run(self) -> Iterable[Drop]:
        """Drop what has the best score again and again; scores grow as neighbours are dropped."""
        heap = [(self._score(v)[0], i, v) for i, v in enumerate(self.ladder.residuals)]
        heapq.heapify(heap)
        while heap:
            _, i, value = heapq.heappop(heap)
            score, cost, chain = self._score(value)
            if heap and score > heap[0][0]:
                heapq.heappush(heap, (score, i, value))
                continue
            self.kept.discard(value)
            self._join(value, chain)
            self.again.update(chain)
            yield Drop(value, cost)

    def _score(self, value: Value) -> tuple[float, int, list[Value]]:
        """(operations x bytes of the stretch that it becomes a part of / bytes saved, operations, what is computed)."""
        chain: dict[Value, None] = {value: None}
        stack = [value]
        while stack:
            for source in self.sources[stack.pop()]:
                if source not in chain and source not in self.kept and source not in self.again:
                    chain[source] = None
                    stack.append(source)
        cost = sum(self.own[v] for v in chain)
        stretch = sum(v.type.nbytes for v in chain)
        stretch += sum(self._stretch_bytes[root] for root in {self._root(v) for v in self._neighbours(value, chain)})
        return cost * stretch / value.type.nbytes, cost, list(chain)

    def _neighbours(self, value: Value, chain: Iterable[Value]) -> list[Value]:
        """What is computed again already and reads or is read by what would be."""
        found = [source for v in chain for source in self.sources[v] if source in self.again]
        return found + [reader for reader in self.readers.get(value, ()) if reader in self.again]

    def _join(self, value: Value, chain: Iterable[Value]) -> None:
        roots = {self._root(v) for v in self._neighbours(value, chain)}
        self._stretch_bytes[value] = sum(v.type.nbytes for v in chain) + sum(self._stretch_bytes.pop(r) for r in roots)
        for other in (*chain, *roots):
            self._stretch[other] = value

    def _root(self, value: Value) -> Value:
        while self._stretch[value] is not value:
            self._stretch[value] = value = self._stretch[self._stretch[value]]
        return value


class Rewrite:
    """A graph being copied: what the backward pass reads of dropped values it reads of their copies.

    A copy stands right before the first node that reads it, and belongs to the backward pass.
    """

    def __init__(self, ladder: Ladder, dropped: frozenset[Value]) -> None:
        self.ladder = ladder
        self.kept = set(ladder.residuals) - dropped
        self.spoiled: set[Value] = set()
        for node in ladder.graph.nodes:
            for value in node.outputs:
                through = value not in ladder.stored and not self.spoiled.isdisjoint(node.inputs)
                if value in dropped or (value in ladder.forward and through):
                    self.spoiled.add(value)
        self.copies: dict[Value, Value] = {}

    def run(self) -> Graph:
        """The whole graph."""
        return rewrite(self.ladder.graph, self._again)

    def _again(self, builder: Builder, node: Node, env: Mapping[Value, Value]) -> Sequence[Value] | None:
        if node.outputs[0] not in self.ladder.late:
            return None
        gone = [v for v in node.inputs if v in self.spoiled]
        for value in gone:
            self._copy(builder, value)
        return builder.copy(node, {v: self.copies[v] for v in gone})

    def _copy(self, builder: Builder, value: Value) -> None:
        stack = [value]
        while stack:
            if stack[-1] in self.copies:
                stack.pop()
                continue
            node = self.ladder.maker[stack[-1]]
            missing = [v for v in node.inputs if self._is_gone(v) and v not in self.copies]
            if missing:
                stack += missing
                continue
            outputs = tuple(new_value(v.type, v.hint) for v in node.outputs)
            inputs = tuple(self.copies.get(v, v) if self._is_gone(v) else v for v in node.inputs)
            self.copies.update(zip(node.outputs, outputs, strict=True))
            source = replace(node.source, phase=BACKWARD)
            builder.nodes.append(replace(node, inputs=inputs, outputs=outputs, source=source))

    def _is_gone(self, value: Value) -> bool:
        """Whether the backward pass cannot read a value: the forward pass made it, and it is not kept."""
        return value in self.ladder.forward and value not in self.kept
