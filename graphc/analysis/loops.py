"""Loops on their way to a plan: the nodes of loop bodies in line with the others, in the order of dispatches.

A loop of a flat graph reads like one step of it. Before its nodes stand `loop_init` nodes, which make the tensors that
the loop changes; its last nodes are `loop_yield` nodes, after which these tensors hold what the next step starts with.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from graphc.errors import GraphError
from graphc.ir.graph import Builder, Graph, Node, Value, new_value, prune, renamed
from graphc.ir.scan import Scan
from graphc.ops.structured import loop_init, loop_yield, scan


@dataclass(frozen=True, slots=True)
class Region:
    """A loop of a flat graph: the nodes first to last, which run `times` times. variables: the tensors it changes.

    alive: the one of them that says whether it goes on, if it may end sooner: not where all its elements are false.
    """

    first: int
    last: int
    times: int
    variables: tuple[Value, ...]
    alive: Value | None = None


@dataclass(frozen=True, slots=True)
class Flat:
    """A graph without scans, and its loops, inner ones before those that hold them."""

    graph: Graph
    loops: tuple[Region, ...]


def is_loop(node: Node) -> bool:
    """Whether a node repeats its body."""
    return node.op.repeats


def flatten(graph: Graph) -> Flat:
    """The graph with the body of each scan in its place, always alike. Raises GraphError where a scan takes slices."""
    if not any(map(is_loop, graph.nodes)):
        return Flat(graph, ())
    flattener = _Flattener(graph)
    flattener.add(graph.nodes, {})
    builder = flattener.builder
    return Flat(builder.build(renamed(graph.outputs, flattener.env)), tuple(flattener.loops))


def passed_through(node: Node) -> Iterator[tuple[Value, Value]]:
    """(output, input or earlier output) for the outputs of a node that need no bytes of their own: views that keep the
    flat order, and outputs of a fused node that are one of its inputs or stand there twice."""
    if node.op.aliases:
        yield node.out, node.inputs[0]
    elif node.op.is_kernel:
        seen = dict(zip(node.attrs["body"].inputs, node.inputs, strict=True))
        for inner, outer in zip(node.attrs["body"].outputs, node.outputs, strict=True):
            if inner in seen:
                yield outer, seen[inner]
            seen.setdefault(inner, outer)


class _Flattener:
    def __init__(self, graph: Graph) -> None:
        self.builder = Builder.of(graph)
        self.loops: list[Region] = []
        self.env: dict[Value, Value] = {}
        self.seen: set[Value] = set(graph.values())

    def add(self, nodes: tuple[Node, ...], env: dict[Value, Value]) -> None:
        """Add nodes whose inputs are renamed by `env`; loops among them are opened."""
        for node in nodes:
            if not is_loop(node):
                self._copy(node, env)
            else:
                self._loop(node, renamed(node.inputs, env), env)

    def _copy(self, node: Node, env: dict[Value, Value]) -> None:
        inputs = renamed(node.inputs, env)
        outputs = renamed(node.outputs, env)
        same = inputs == node.inputs and outputs == node.outputs
        self.builder.nodes.append(node if same else replace(node, inputs=inputs, outputs=outputs))

    def _loop(self, node: Node, inputs: tuple[Value, ...], outer: dict[Value, Value]) -> None:
        loop, body = Scan.of(node), node.attrs["body"]
        if not loop.counted:
            raise GraphError("a scan still takes slices or stacks results: run passes.loops")
        env = self._names(body)
        own, given = loop.operands(body.inputs), loop.operands(inputs)
        variables = renamed(own.carries, env)
        env.update(zip(own.constants, given.constants, strict=True))
        for variable, value in zip(variables, given.carries, strict=True):
            self.builder.nodes.append(Node(loop_init, (value,), (variable,), {}, node.source))
        start = len(self.builder.nodes)
        self.add(body.nodes, env)
        for value, array in body.constants.items():
            self.builder.constants[env.get(value, value)] = array
        made = list(renamed(body.outputs, env))
        # What another variable, or anything from outside, holds now must be kept before variables change.
        source = {out: v for n in self.builder.nodes[start:] for out, v in passed_through(n)}
        for k, (value, variable) in enumerate(zip(made, variables, strict=True)):
            origin = value
            while origin in source:
                origin = source[origin]
            if origin is not variable and origin in variables:
                made[k] = new_value(value.type)
                self.builder.nodes.append(Node(loop_init, (value,), (made[k],), {}, node.source))
        results = renamed(node.outputs, outer)
        for value, variable, result in zip(made, variables, results, strict=True):
            self.builder.nodes.append(Node(loop_yield, (value, variable), (result,), {}, node.source))
        times, flag = loop.length, variables[loop.alive] if loop.alive >= 0 else None
        if flag is not None and not flag.type.size:  # nothing is left that goes on
            times, flag = 1, None
        self.loops.append(Region(start, len(self.builder.nodes) - 1, times, tuple(variables), flag))

    def _names(self, body: Graph) -> dict[Value, Value]:
        """New values for those of a body that stands in the graph already."""
        env = {}
        for value in body.values():
            if value in self.seen:
                env[value] = new_value(value.type, value.hint)
            self.seen.add(env.get(value, value))
        return env


def trim(graph: Graph) -> Graph:
    """The graph without what no output depends on, in loops too: operands that no step reads, results and carries that
    nobody does."""
    live = set(graph.outputs)
    kept = []
    for node in reversed(graph.nodes):
        if live.isdisjoint(node.outputs):
            continue
        found = _trimmed(node, live) if node.op is scan else node
        kept.append(found)
        live.update(found.inputs)
    return prune(Graph(graph.inputs, graph.constants, tuple(reversed(kept)), graph.outputs))


def _trimmed(node: Node, live: set[Value]) -> Node:
    """A loop with those of its results that are live, and what these need."""
    loop, body = Scan.of(node), node.attrs["body"]
    chosen = {i for i, v in enumerate(node.outputs) if v in live}
    if loop.alive >= 0:
        chosen.add(loop.alive)
    while True:
        order = sorted(chosen)
        inner = trim(Graph(body.inputs, body.constants, body.nodes, tuple(body.outputs[i] for i in order)))
        read = {*inner.outputs, *(v for made in inner.nodes for v in made.inputs)}
        needed = {i for i, v in enumerate(loop.operands(body.inputs).carries) if v in read}
        if needed <= chosen:
            break
        chosen |= needed
    own = [i for i in order if i < loop.carries]
    places = loop.operands(range(len(body.inputs)))
    constants = [i for i in places.constants if body.inputs[i] in read]
    taken = [*constants, *(places.carries[i] for i in own), *(i for i in places.xs if body.inputs[i] in read)]
    less = replace(
        loop,
        body=Graph(tuple(body.inputs[i] for i in taken), inner.constants, inner.nodes, inner.outputs),
        consts=len(constants),
        carries=len(own),
        alive=own.index(loop.alive) if loop.alive >= 0 else -1,
    )
    inputs, outputs = tuple(node.inputs[i] for i in taken), tuple(node.outputs[i] for i in order)
    return replace(node, inputs=inputs, outputs=outputs, attrs=less.attrs)
