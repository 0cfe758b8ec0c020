"""dce: dead code elimination."""

from __future__ import annotations

from graphc.ir import Graph, Value


def dce(graph: Graph) -> Graph:
    """Drop the nodes and constants that no output depends on. The inputs stay: they are the program's signature."""
    live: set[Value] = set(graph.outputs)
    kept = []
    for node in reversed(graph.nodes):
        if not live.isdisjoint(node.outputs):
            kept.append(node)
            live.update(node.inputs)
    constants = {value: array for value, array in graph.constants.items() if value in live}
    if len(kept) == len(graph.nodes) and len(constants) == len(graph.constants):
        return graph
    return Graph(graph.inputs, constants, tuple(reversed(kept)), graph.outputs)
