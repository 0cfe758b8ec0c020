"""inline: the body of each `call` node takes its place."""

from __future__ import annotations

from graphc.ir import Graph, inline_bodies
from graphc.op import Inline


def inline(graph: Graph) -> Graph:
    """Replace every node whose op is lowered as Inline by its body, nested ones included."""
    return inline_bodies(graph, lambda node: isinstance(node.op.lowering, Inline))
