"""Graphs as networkx graphs, and what kind of thing each node is."""

from __future__ import annotations

from typing import Final

import networkx as nx

from graphc.families.registry import FAMILIES, kernel_family
from graphc.ir.graph import Graph, Node, Value, format_node, value_names

OTHER: Final = "custom"
"""Kernels of a kind of their own, and what is no kernel."""

KINDS: Final = (
    "input",
    "constant",
    *dict.fromkeys(family.kind for family in FAMILIES if family.kind != OTHER),
    "view",
    "random",
    OTHER,
    "output",
)


def kind_of(node: Node) -> str:
    """One of KINDS: the family of the kernel that computes the node, "view" and "random" apart."""
    family = kernel_family(node)
    if isinstance(node.attrs.get("family"), str) and family is not None:
        return family.kind
    if "random" in node.op.traits:
        return "random"
    if "view" in node.op.traits and node.op.indexed:
        return "view"
    return family.kind if family is not None else OTHER


def node_key(node: Node, names: dict[Value, str]) -> str:
    """The key of a node in the networkx graph: the name of its first output."""
    return names[node.outputs[0]]


def to_networkx(graph: Graph) -> nx.MultiDiGraph:
    """The graph for networkx.

    Nodes are inputs, constants and ops, keyed by the name of their (first) value as printed, such as "%7". Attributes:
    kind (see KINDS), op, type (of each output, joined by spaces), text (the printed node), source, phase, output
    (whether a result of the program), and ops (the names of what a fused node computes). Edges are the values that
    flow, one for each operand, with value, shape, dtype and operand (its position).
    """
    names = value_names(graph)
    results = set(graph.outputs)
    made = nx.MultiDiGraph()
    for kind, values in (("input", graph.inputs), ("constant", tuple(graph.constants))):
        for value in values:
            text = f"{names[value]}: {value.type}"
            made.add_node(
                names[value], kind=kind, op=kind, type=str(value.type), text=text, source="", phase="", ops=()
            )
            made.nodes[names[value]]["output"] = value in results
    maker = {value: names[value] for value in (*graph.inputs, *graph.constants)}
    for node in graph.nodes:
        key = node_key(node, names)
        maker.update(dict.fromkeys(node.outputs, key))
        body = node.attrs.get("body")
        made.add_node(
            key,
            kind=kind_of(node),
            op=node.op.name,
            type=" ".join(str(v.type) for v in node.outputs),
            text=format_node(node, names),
            source=str(node.source),
            phase=node.source.phase,
            ops=tuple(n.op.name for n in body.nodes) if isinstance(body, Graph) else (),
            output=not results.isdisjoint(node.outputs),
        )
        for operand, value in enumerate(node.inputs):
            attrs = {"value": names[value], "shape": value.type.shape, "dtype": str(value.type.dtype)}
            made.add_edge(maker[value], key, operand=operand, **attrs)
    return made
