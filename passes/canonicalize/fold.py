"""fold: constant folding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from graphc.ir.graph import NOWHERE, Graph, Node, Value, new_value, prune, run_node
from graphc.ir.types import NDArray, TensorType
from graphc.ops import by_name


@dataclass(frozen=True, slots=True)
class Fold:
    """Compute nodes whose inputs are all constants by the reference, once, while compiling.

    limit: most bytes of a folded result, unless it is no larger than the constants that it is made from (which the
    program no longer holds then).

    What a kernel makes up from an index and numbers alone (iota, a broadcast number, arithmetic on them) is not stored:
    computing it costs less than reading it, and a constant takes up a binding. For the same reason a constant that is
    one number everywhere becomes a broadcast of that number. Only what is reduced from such tensors is folded.
    """

    limit: int = 4096

    def __call__(self, graph: Graph) -> Graph:
        state = _State(graph)
        for node in graph.nodes:
            made_from = sum(v.type.nbytes for v in set(node.inputs))
            room = max(self.limit, made_from)
            known = all(v in state.known for v in node.inputs) and node.op.traits.isdisjoint(("structured", "reports"))
            if known and sum(v.type.nbytes for v in node.outputs) <= room:
                state.compute(node)
            else:
                state.nodes.append(node)
        return state.finish()


class _State:
    """A graph being folded. known: arrays of values; generated: those that a kernel makes up by itself."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.known: dict[Value, NDArray] = {}
        self.generated: set[Value] = set()
        self.constants: dict[Value, NDArray] = {}
        self.nodes: list[Node] = []
        self.changed = False
        for value, array in graph.constants.items():
            self._constant(value, array, None)

    def compute(self, node: Node) -> None:
        """Take the results of a node as constants, or keep the node where it is generated."""
        results = run_node(node, [self.known[v] for v in node.inputs])
        made = node.op.name == "broadcast_to" or not all(_uniform(array) for array in results)
        if made and self._generates(node, node.inputs) and any(v.type.size > 1 for v in node.outputs):
            self.nodes.append(node)
            self.known.update(zip(node.outputs, results, strict=True))
            self.generated.update(node.outputs)
            return
        self.changed = True
        for value, array in zip(node.outputs, results, strict=True):
            self._constant(value, array, node)

    def _generates(self, node: Node, inputs: Sequence[Value]) -> bool:
        cheap = node.op.maps and "random" not in node.op.traits
        return cheap and all(v in self.generated or v.type.size <= 1 for v in inputs)

    def _constant(self, value: Value, array: NDArray, node: Node | None) -> None:
        """Hold `array` as a constant; as one number and a broadcast where it is one number everywhere."""
        self.known[value] = array
        if array.size <= 1 or not _uniform(array):
            self.constants[value] = array
            return
        self.changed = True
        number = new_value(TensorType((), value.type.dtype), value.hint)
        self.constants[number] = np.asarray(array.reshape(-1)[0])
        source = NOWHERE if node is None else node.source
        self.nodes.append(Node(by_name("broadcast_to"), (number,), (value,), {"shape": value.type.shape}, source))
        self.generated.add(value)

    def finish(self) -> Graph:
        """The folded graph."""
        if not self.changed:
            return self.graph
        return prune(Graph(self.graph.inputs, self.constants, tuple(self.nodes), self.graph.outputs))


def _uniform(array: NDArray) -> bool:
    if array.size <= 1:
        return True
    bits = array.reshape(-1).view(f"u{array.itemsize}")
    return bool((bits == bits[0]).all())


fold = Fold()
