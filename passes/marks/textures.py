"""textures: the products, and attentions, whose operands may be read from textures.

A software adapter loads from a storage buffer lane by lane, and from a texture four elements at once: a product whose
operands have been copied to textures takes 0.6 of the time (lavapipe: 90 GFLOPS for 50). The pass marks the
products that are large enough to pay for the copies. It knows no target: lowering copies what is marked where the
target reads texels faster, and where an operand lies in whole rows of them. The products of an attention count as one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from graphc.families.registry import kernel_family
from graphc.ir.graph import Graph, Node
from graphc.ir.rewriting import map_nodes
from graphc.ops.structured import fused
from graphc.passes.marks.megakernel import operations

WORK: Final = 1 << 24
"""Floating-point operations from which on a product is marked: it takes 0.2 ms less then, and the copies 0.1. A family
whose kernels gain more by it asks for less."""


def textures(graph: Graph) -> Graph:
    """Mark each large product or attention: attrs["textured"] of its kernel holds its position among the body's ops.

    One that was not fused becomes a kernel of one op, to hold the mark. Attrs["why"] gets the reason.
    """
    return map_nodes(graph, _marked)


def textured(node: Node) -> frozenset[Node]:
    """The ops in a node's body whose operands may be read from textures."""
    return frozenset(node.attrs["body"].nodes[i] for i in node.attrs.get("textured", ()))


def _marked(node: Node) -> Node:
    if (family := kernel_family(node)) is not None and family.launches:
        body = node.attrs["body"]
        marked = map_nodes(body, _marked)
        return node if marked is body else replace(node, attrs={**node.attrs, "body": marked})
    kernel = node if node.op is fused else _alone(node)
    body = kernel.attrs["body"]
    large = tuple(i for i, op in enumerate(body.nodes) if _large(op))
    if not large:
        return node
    work = " and ".join(f"{operations(body.nodes[i]) / 1e6:,.0f}" for i in large)
    why = f"operands may be read from textures: {work} million operations pay for copying them"
    return replace(kernel, attrs={**kernel.attrs, "why": (*kernel.attrs.get("why", ()), why), "textured": large})


def _alone(node: Node) -> Node:
    """A kernel of one op."""
    body = Graph(tuple(dict.fromkeys(node.inputs)), {}, (node,), node.outputs)
    family = kernel_family(node)
    name = family.name if family is not None else ""
    return Node(fused, body.inputs, body.outputs, {"body": body, "family": name, "why": ()}, node.source)


def _large(node: Node) -> bool:
    family = kernel_family(node)
    if family is None or not family.texels(node):
        return False
    return family.operations(node) >= (WORK if family.work is None else min(WORK, family.work))
