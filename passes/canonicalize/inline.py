"""inline: the body of each `call` node takes its place; so do the operations of attention that no pass claimed."""

from __future__ import annotations

from graphc.ir.graph import Graph
from graphc.ir.rewriting import inline_bodies
from graphc.passes.attention import expand


def inline(graph: Graph) -> Graph:
    """Replace every node whose op is lowered as Inline by its body, nested ones included, and expand attention."""
    return expand(inline_bodies(graph, lambda node: node.op.inlined))
