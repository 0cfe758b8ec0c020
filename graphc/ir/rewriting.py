"""Rewriting: a graph node by node, with other nodes in the place of some. All passes that do so do it with `rewrite`.

What is no rewriting is written out where it is done: nodes in another order, or some of them, or bodies made of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from graphc.ir.graph import FORWARD, Builder, Graph, Node, Source, Value, renamed

Replacement = Callable[[Builder, Node, dict[Value, Value]], "Sequence[Value] | None"]
"""`replacement(builder, node, env)`: adds nodes to the builder, and gives a value for each output of `node`; None: the
node stays, and nothing was added. `builder.copy` adds a node that still makes the same values, and gives them.

env: what has taken the place of values so far. A value that is entered is read from then on in the place of the other.
"""


def rewrite(graph: Graph, replacement: Replacement, builder: Builder | None = None) -> Graph:
    """The graph with other nodes in the place of some; itself where all of them stay.

    What is added has the source of the node that it is for. builder: what adds it; it holds the inputs and constants.
    """
    builder = builder or Builder.of(graph)
    outputs = rewrite_into(builder, graph, replacement, {})
    same = outputs == graph.outputs and tuple(builder.nodes) == graph.nodes
    return graph if same else builder.build(outputs)


def rewrite_into(
    builder: Builder, graph: Graph, replacement: Replacement, env: dict[Value, Value]
) -> tuple[Value, ...]:
    """Add the nodes of a graph to a builder, with others in the place of some; returns what its outputs became.

    The builder holds the inputs and constants. env: what stands for some of these there.
    """
    with builder.at(builder.source):
        for node in graph.nodes:
            builder.source = node.source
            found = replacement(builder, node, env)
            if found is None:
                builder.copy(node, env)
            elif found is not node.outputs:
                env.update(zip(node.outputs, found, strict=True))
    return renamed(graph.outputs, env)


def map_nodes(graph: Graph, changed: Callable[[Node], Node]) -> Graph:
    """The graph with each node as `changed` gives it, which reads and makes the same values; itself where all stay."""
    nodes = tuple(map(changed, graph.nodes))
    return graph if nodes == graph.nodes else replace(graph, nodes=nodes)


def inline_bodies(graph: Graph, chosen: Callable[[Node], bool]) -> Graph:
    """Put attrs["body"] in the place of each chosen node, also within bodies (it recurs only as deep as these nest).

    The nodes of a body keep their own source lines and take the phase of the node that they replace.
    """

    def opened(builder: Builder, node: Node, env: Mapping[Value, Value]) -> Sequence[Value] | None:
        if not chosen(node):
            return None

        def located(source: Source) -> Source:
            phase = node.source.phase if source.phase == FORWARD else source.phase
            return replace(source, lines=source.lines or node.source.lines, phase=phase)

        return builder.inline(inline_bodies(node.attrs["body"], chosen), renamed(node.inputs, env), located)

    return rewrite(graph, opened)
