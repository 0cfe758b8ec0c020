"""fold: constant folding."""

from __future__ import annotations

from dataclasses import dataclass

from graphc.ir import Graph, Node, Value, new_value, run_node
from graphc.ops import by_name
from graphc.types import NDArray, TensorType


@dataclass(frozen=True, slots=True)
class Fold:
    """Compute nodes whose inputs are all constants by the reference, once, while compiling.

    limit: most bytes of a folded result, unless it is no larger than the constants that it is made from (which the
    program no longer holds then). A large iota or broadcast is cheaper to compute in a kernel than to store. What is
    one number everywhere stays a broadcast, and an iota stays itself: in a kernel these are a literal and an index,
    while a stored tensor takes up one of the few bindings.
    """

    limit: int = 4096

    def __call__(self, graph: Graph) -> Graph:
        constants: dict[Value, NDArray] = dict(graph.constants)
        folded: dict[Value, Node] = {}
        kept: list[Node] = []
        for node in graph.nodes:
            if self._foldable(node, constants):
                results = run_node(node, [constants[v] for v in node.inputs])
                constants.update(zip(node.outputs, results, strict=True))
                folded.update(dict.fromkeys(node.outputs, node))
            else:
                kept.append(node)
        used = {value for node in kept for value in node.inputs}.union(graph.outputs)
        computed = [_computed(value, node, constants) for value, node in folded.items() if value in used]
        nodes = [node for node in computed if node is not None] + kept
        if len(nodes) == len(graph.nodes) and set(nodes) == set(graph.nodes):
            return graph
        made = {v for node in nodes for v in node.outputs}
        used.update(v for node in nodes for v in node.inputs)
        left = {v: a for v, a in constants.items() if v in used and v not in made}
        return Graph(graph.inputs, left, tuple(nodes), graph.outputs)

    def _foldable(self, node: Node, constants: dict[Value, NDArray]) -> bool:
        if "structured" in node.op.traits or any(v not in constants for v in node.inputs):
            return False
        made_from = sum(v.type.nbytes for v in set(node.inputs))
        return sum(v.type.nbytes for v in node.outputs) <= max(self.limit, made_from)


def _computed(value: Value, node: Node, constants: dict[Value, NDArray]) -> Node | None:
    """The node that makes a folded value in the program, or None where it is stored."""
    array = constants[value]
    if array.size <= 1:
        return None
    if not node.inputs or (node.op.name == "broadcast_to" and node.inputs[0].type.size == 1):
        return node
    if array.tobytes() != array.reshape(-1)[:1].tobytes() * array.size:
        return None
    number = new_value(TensorType((), value.type.dtype))
    constants[number] = array.reshape(-1)[:1].reshape(())
    return Node(by_name("broadcast_to"), (number,), (value,), {"shape": array.shape}, node.source)


fold = Fold()
