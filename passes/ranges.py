"""ranges: indices that may lie outside of their axis are checked on the device, and no others.

What a kernel reads for such an index is NaN, and nobody would notice in time. So a `checked` node is put before each
index that is not known to be in range. Known it is where intervals say so (see `intervals`), and, as long as arguments
are trusted, where it depends on arguments alone, in a way that can be looked at before a call (see graphc.index_check).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from graphc.analysis.intervals import Interval, Intervals, allowed, counts
from graphc.ir.graph import Builder, Graph, Node, Value, renamed
from graphc.ir.rewriting import rewrite
from graphc.ir.scan import Scan
from graphc.ops import by_name

LONGEST: Final = 24
"""Most ops between an argument and an index that the host goes through before a call."""

MOST: Final = 1 << 22
"""Most elements that they may have together: more are left to the device."""

_SAME_ELEMENTS: Final = frozenset(
    {"reshape", "transpose", "broadcast_to", "flip", "stop_gradient", "barrier", "checked"}
)
"""Ops whose result has exactly the elements of their operand."""


@dataclass(frozen=True, slots=True)
class Ranges:
    """The pass. trust: indices that depend on arguments alone are looked at before each call, so not by the device."""

    trust: bool = True

    def __call__(self, graph: Graph) -> Graph:
        found = Findings(graph)
        trusted = {*found.given, *found.exact} if self.trust else set()
        return _Rewrite({node for node in found.open if node not in trusted}, found.sites).graph(graph)


ranges: Final = Ranges()


@dataclass(frozen=True, slots=True)
class Exact:
    """Indices that are a function of one argument, which the host can compute.

    slot: the argument. graph: computes the indices from it. direct: whether they have all its elements and no others.
    """

    slot: int
    graph: Graph
    direct: bool


class Findings:
    """What is known of the indices of a graph.

    sites: each node that indexes, and where its indices must lie. open: those that are not proven for all arguments.
    given: those of them that are proven for some intervals of the arguments. exact: those whose indices the host can
    compute from one argument. slots: the arguments that matter to either.
    """

    def __init__(self, graph: Graph) -> None:
        self.intervals = Intervals(graph)
        proven = self.intervals.proven({})
        self.sites = {node: limit[1] for node in proven if (limit := allowed(node)) is not None}
        self.open = tuple(node for node, holds in proven.items() if not holds)
        self.given: frozenset[Node] = frozenset()
        self.exact: dict[Node, Exact] = {}
        self.slots: tuple[int, ...] = ()
        if self.open:
            self._look(graph)

    def _look(self, graph: Graph) -> None:
        integers = [n for n, v in enumerate(graph.inputs) if v.type.dtype.kind in ("int", "uint")]
        boxes = [(0, 0), *dict.fromkeys(self.sites[node] for node in self.open)]
        given: set[Node] = set()
        slots: set[int] = set()
        for box in boxes if integers else ():
            arguments = dict.fromkeys(integers, box)
            held = self._held(arguments)
            given |= held
            for slot in integers:
                if held - self._held({s: box for s in integers if s != slot}):
                    slots.add(slot)
        scopes = _Scopes(graph)
        for node in self.open:
            exact = scopes.function(node)
            if exact is not None:
                self.exact[node] = exact
                slots.add(exact.slot)
        self.given, self.slots = frozenset(given), tuple(sorted(slots))

    def _held(self, box: Mapping[int, Interval]) -> set[Node]:
        """The open nodes that are proven for this box."""
        proven = self.intervals.proven(box)
        return {node for node in self.open if proven[node]}


@dataclass(frozen=True, slots=True)
class _Body:
    """A body, the graph that its node stands in, and what each input is there: None where that is no one value."""

    graph: Graph
    around: Graph
    inputs: Mapping[Value, Value | None]


class _Scopes:
    """Where the nodes of a graph stand, those in bodies too."""

    def __init__(self, graph: Graph) -> None:
        self.outermost = graph
        self._home: dict[Node, Graph] = {}
        self._bodies: dict[Graph, _Body | None] = {}
        self._producers: dict[Graph, dict[Value, Node]] = {}
        self._add(graph)

    def _add(self, graph: Graph) -> None:
        for node in graph.nodes:
            self._home[node] = graph
            body = node.attrs.get("body")
            if not isinstance(body, Graph) or not (node.op.inlined or node.op.repeats):
                continue
            if body in self._bodies:
                self._bodies[body] = None  # run for several nodes: its inputs are no one value
                continue
            carried = set(Scan.of(node).operands(body.inputs).carries) if node.op.repeats else set()
            inputs = {v: None if v in carried else given for v, given in zip(body.inputs, node.inputs, strict=True)}
            self._bodies[body] = _Body(body, graph, inputs)
            self._add(body)

    def _maker(self, graph: Graph, value: Value) -> Node | None:
        if graph not in self._producers:
            self._producers[graph] = graph.producers()
        return self._producers[graph].get(value)

    def function(self, node: Node) -> Exact | None:
        """The indices of a node as a function of one argument that the host can compute; None where they are none.

        In the body of a loop or call, only what has exactly the elements of something around it is followed.
        """
        limit = allowed(node)
        assert limit is not None
        value: Value | None = limit[0]
        graph = self._home[node]
        while value is not None and graph is not self.outermost:
            made, body = self._maker(graph, value), self._bodies[graph]
            if made is not None:
                value = made.inputs[0] if _same_elements(made) else None
            elif body is None:
                value = None
            else:
                value, graph = body.inputs.get(value), body.around
        return None if value is None else self._function(value)

    def _function(self, result: Value) -> Exact | None:
        graph = self.outermost
        needed: dict[Value, None] = {}
        stack = [result]
        while stack:
            value = stack.pop()
            if value in needed:
                continue
            needed[value] = None
            node = self._maker(graph, value)
            if node is not None:
                if not _computable(node) or len(needed) > LONGEST:
                    return None
                stack += node.inputs
        arguments = [n for n, v in enumerate(graph.inputs) if v in needed]
        if len(arguments) != 1 or sum(v.type.size for v in needed) > MOST:
            return None
        nodes = tuple(node for node in graph.nodes if node.outputs[0] in needed)
        constants = {v: graph.constants[v] for v in needed if v in graph.constants}
        direct = not constants and all(map(_same_elements, nodes))
        return Exact(arguments[0], Graph((graph.inputs[arguments[0]],), constants, nodes, (result,)), direct)


def _same_elements(node: Node) -> bool:
    return node.op.name in _SAME_ELEMENTS or (node.op.name == "cast" and counts(node.inputs[0]) and counts(node.out))


def _computable(node: Node) -> bool:
    plain = node.op.maps and "random" not in node.op.traits
    return plain and node.op.indices is None and all(map(counts, (*node.inputs, *node.outputs)))


class _Rewrite:
    """A graph with exactly the checks of these nodes; sites: all that might have one."""

    def __init__(self, wanted: set[Node], sites: Mapping[Node, Interval]) -> None:
        self.wanted, self.sites = wanted, sites
        self._done: dict[Graph, Graph] = {}

    def graph(self, graph: Graph) -> Graph:
        """The graph itself where nothing changes."""
        if graph not in self._done:
            self._done[graph] = rewrite(graph, self._checked)
        return self._done[graph]

    def _checked(self, builder: Builder, node: Node, env: dict[Value, Value]) -> Sequence[Value] | None:
        body, checks = node.attrs.get("body"), "reports" in node.op.traits
        if isinstance(body, Graph) and (node.op.inlined or node.op.repeats):
            after = self.graph(body)
            return None if after is body else builder.copy(replace(node, attrs={**node.attrs, "body": after}), env)
        if checks and node in self.sites and node not in self.wanted:
            return renamed(node.inputs[:1], env)
        if not checks and node in self.wanted:
            limit = allowed(node)
            assert limit is not None
            ids, (low, high) = limit
            given = env.get(ids, ids)  # all that follows reads it as it is checked
            env[ids] = builder.apply(by_name("checked"), given, low=low, high=high, what=node.op.name)
            return builder.copy(node, env)
        return None
