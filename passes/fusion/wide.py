"""Nodes with more operands than a kernel may bind, taken apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphc.ir.graph import Builder, Graph, Node, Value, renamed
from graphc.ir.rewriting import rewrite
from graphc.ops.movement import concatenate
from graphc.plan.plan import Target


def narrow(graph: Graph) -> Graph:
    """The pass: what no kernel could bind within WebGPU's baseline of 8 buffers is taken apart."""
    return narrow_nodes(graph, Target().max_storage_buffers)


def narrow_nodes(graph: Graph, max_buffers: int) -> Graph:
    """Turn each concatenation of more than `max_buffers` - 1 tensors into a tree of narrower ones."""
    most = max(max_buffers - 1, 2)

    def narrower(builder: Builder, node: Node, env: Mapping[Value, Value]) -> Sequence[Value] | None:
        if not _is_wide(node, most):
            return None
        parts = list(renamed(node.inputs, env))
        while len(parts) > most:
            parts = [_joined(builder, parts[i : i + most], node) for i in range(0, len(parts), most)]
        builder.nodes.append(Node(concatenate, tuple(parts), node.outputs, node.attrs, node.source))
        return node.outputs

    return rewrite(graph, narrower)


def _is_wide(node: Node, most: int) -> bool:
    return node.op is concatenate and len(set(node.inputs)) > most


def _joined(builder: Builder, parts: list[Value], node: Node) -> Value:
    return parts[0] if len(parts) == 1 else builder.apply(concatenate, *parts, **node.attrs)
