"""empty: what is computed from tensors without elements is known while compiling."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from graphc.ir.graph import Graph, Node, Value, new_value, prune, renamed, run_node
from graphc.ir.types import NDArray, TensorType
from graphc.ops import by_name


def empty(graph: Graph) -> Graph:
    """Replace nodes whose operands are all empty, but not their result, by a constant: a sum over no elements, a matrix
    product with K = 0, padding around nothing. An index update with no index is its operand. Kernels need no rule of
    their own for these, and never bind an empty buffer.
    """
    constants: dict[Value, NDArray] = dict(graph.constants)
    env: dict[Value, Value] = {}
    nodes: list[Node] = []
    for node in graph.nodes:
        inputs = renamed(node.inputs, env)
        node = node if inputs == node.inputs else replace(node, inputs=inputs)
        if node.op.name == "index_update" and not node.inputs[1].type.size:
            env[node.out] = node.inputs[0]
        elif _from_nothing(node):
            (result,) = run_node(node, [np.zeros(v.type.shape, v.type.dtype.numpy) for v in node.inputs])
            number = new_value(TensorType((), node.out.type.dtype))
            constants[number] = result.reshape(-1)[:1].reshape(())
            nodes.append(replace(node, op=by_name("broadcast_to"), inputs=(number,), attrs={"shape": result.shape}))
        else:
            nodes.append(node)
    if len(constants) == len(graph.constants) and not env:
        return graph
    outputs = renamed(graph.outputs, env)
    return prune(Graph(graph.inputs, constants, tuple(nodes), outputs))


def _from_nothing(node: Node) -> bool:
    """Whether the node makes elements, all equal, of operands that have none."""
    if "structured" in node.op.traits or not node.inputs or len(node.outputs) != 1:
        return False
    return node.out.type.size > 0 and not any(v.type.size for v in node.inputs)
