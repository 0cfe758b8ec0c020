"""fold: constant folding."""

from __future__ import annotations

from dataclasses import dataclass

from graphc.ir import Graph, Node, Value, run_node
from graphc.types import NDArray


@dataclass(frozen=True, slots=True)
class Fold:
    """Compute nodes whose inputs are all constants by the reference, once, while compiling.

    limit: most bytes of a folded result, unless it is no larger than the constants that it is made from (which the
    program no longer holds then). A large iota or broadcast is cheaper to compute in a kernel than to store.
    """

    limit: int = 4096

    def __call__(self, graph: Graph) -> Graph:
        constants: dict[Value, NDArray] = dict(graph.constants)
        kept: list[Node] = []
        for node in graph.nodes:
            if self._foldable(node, constants):
                results = run_node(node, [constants[v] for v in node.inputs])
                constants.update(zip(node.outputs, results, strict=True))
            else:
                kept.append(node)
        if len(kept) == len(graph.nodes):
            return graph
        used = {value for node in kept for value in node.inputs}.union(graph.outputs)
        return Graph(graph.inputs, {v: a for v, a in constants.items() if v in used}, tuple(kept), graph.outputs)

    def _foldable(self, node: Node, constants: dict[Value, NDArray]) -> bool:
        if "structured" in node.op.traits or any(v not in constants for v in node.inputs):
            return False
        made_from = sum(v.type.nbytes for v in set(node.inputs))
        return sum(v.type.nbytes for v in node.outputs) <= max(self.limit, made_from)


fold = Fold()
