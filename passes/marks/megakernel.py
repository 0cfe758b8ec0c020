"""megakernel: kernels so small that several may run one after the other in one workgroup, in one launch.

A launch costs the same whatever it computes: 35 to 50 us on a software adapter, which wakes its threads for each. The
steps of a tiny model cost less than that. The pass marks kernels that one core computes faster than two launches would
begin; it knows no target: lowering joins marked neighbours where launches are dear (graphc.lower.megakernel).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from graphc.families.record import touched
from graphc.families.registry import family_of
from graphc.ir.graph import Graph, Node
from graphc.ir.rewriting import map_nodes
from graphc.ops.structured import fused

WORK: Final = 1 << 16
"""Operations up to which a kernel is marked: about 40 us of one core, so that a second core would save half of it."""


def megakernel(graph: Graph) -> Graph:
    """Mark each fused kernel that is small enough: attrs["megakernel"] is True, and attrs["why"] gets the reason."""
    return map_nodes(graph, _marked)


def small(node: Node) -> bool:
    """Whether a kernel may run in one workgroup: one that was marked, or with so little to do that it would have been.

    Kernels of their own kind and the copies of loops hold no mark.
    """
    return bool(node.attrs.get("megakernel")) if node.op is fused else operations(node) <= WORK


def marks(graph: Graph) -> bool:
    """Whether the pass has marked a kernel of this graph."""
    return any(node.attrs.get("megakernel") for node in graph.nodes)


def operations(node: Node) -> int:
    """About how many operations a kernel takes; an element that is read and one that is computed count as one each."""
    if node.op is fused:
        return sum(map(operations, node.attrs["body"].nodes))
    family = family_of(node)
    return family.operations(node) if family is not None else touched(node)


def _marked(node: Node) -> Node:
    if node.op is not fused or (work := operations(node)) > WORK:
        return node
    why = f"small: about {work:,} operations, so that it may share one workgroup's launch with its neighbours"
    return replace(node, attrs={**node.attrs, "why": (*node.attrs.get("why", ()), why), "megakernel": True})
