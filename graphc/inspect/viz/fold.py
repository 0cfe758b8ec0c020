"""Repeated structure, such as the layers of a network, folded: nodes that do the same are drawn once."""

from __future__ import annotations

from typing import Final

from graphc.ir.graph import Graph, Node, format_attr

Signature = tuple[object, ...]

_APART: Final = frozenset({"why", "start", "stop"})
"""Attributes that may differ between nodes that do the same."""


def classes(graph: Graph) -> list[list[Node]]:
    """The nodes in classes that are drawn as one box each, in order of their first member.

    Two nodes are alike if they apply the same ops with the same attributes to tensors of the same types, stem from the
    same lines of the user's code and belong to the same phase, as the same op in two layers does. Which part of a
    tensor they read, such as the random key of their layer, does not count.
    """
    found: dict[Signature, list[Node]] = {}
    for node in graph.nodes:
        found.setdefault(_signature(node), []).append(node)
    return list(found.values())


def _signature(node: Node) -> Signature:
    attrs: list[tuple[str, object]] = []
    for name, value in node.attrs.items():
        if isinstance(value, Graph):
            attrs.append((name, tuple(_shallow(inner) for inner in value.nodes)))
        elif name not in _APART:
            attrs.append((name, format_attr(value)))
    types = tuple(str(v.type) for v in (*node.inputs, *node.outputs))
    return (node.op.name, types, node.source.lines, node.source.phase, tuple(attrs))


def _shallow(node: Node) -> Signature:
    attrs = tuple((name, format_attr(value)) for name, value in node.attrs.items() if name not in _APART)
    return (node.op.name, str(node.out.type), attrs)
