"""empty: what is computed from tensors without elements is known while compiling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from graphc.ir.graph import Builder, Graph, Node, Value, new_value, prune, renamed, run_node
from graphc.ir.rewriting import rewrite
from graphc.ir.types import TensorType
from graphc.ops import by_name


def empty(graph: Graph) -> Graph:
    """Replace nodes whose operands are all empty, but not their result, by a constant: a sum over no elements, a matrix
    product with K = 0, padding around nothing. An index update with no index is its operand. Kernels need no rule of
    their own for these, and never bind an empty buffer.
    """

    def filled(builder: Builder, node: Node, env: Mapping[Value, Value]) -> Sequence[Value] | None:
        if node.op.name == "index_update" and not node.inputs[1].type.size:
            return renamed(node.inputs[:1], env)
        if not _from_nothing(node):
            return None
        (result,) = run_node(node, [np.zeros(v.type.shape, v.type.dtype.numpy) for v in node.inputs])
        number = new_value(TensorType((), node.out.type.dtype))
        builder.constants[number] = result.reshape(-1)[:1].reshape(())
        spread = replace(node, op=by_name("broadcast_to"), inputs=(number,), attrs={"shape": result.shape})
        builder.nodes.append(spread)
        return node.outputs

    found = rewrite(graph, filled)
    return graph if found is graph else prune(found)


def _from_nothing(node: Node) -> bool:
    """Whether the node makes elements, all equal, of operands that have none."""
    if "structured" in node.op.traits or not node.inputs or len(node.outputs) != 1:
        return False
    return node.out.type.size > 0 and not any(v.type.size for v in node.inputs)
