"""dce: dead code elimination."""

from __future__ import annotations

from graphc.ir.graph import Graph, prune


def dce(graph: Graph) -> Graph:
    """Drop the nodes and constants that no output depends on. The inputs stay: they are the program's signature."""
    return prune(graph)
