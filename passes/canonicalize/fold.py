"""fold: constant folding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from graphc.ir.graph import Builder, Graph, Node, Value, prune, run_node
from graphc.ir.rewriting import rewrite
from graphc.ir.types import NDArray
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
        state, builder = _State(self.limit), Builder.of(replace(graph, constants={}))
        for value, array in graph.constants.items():
            state.constant(builder, value, array)
        found = rewrite(graph, state.computed, builder)
        return graph if found is graph else prune(found)


class _State:
    """What is known of a graph being folded. known: arrays of values; generated: those that a kernel makes up by
    itself."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.known: dict[Value, NDArray] = {}
        self.generated: set[Value] = set()

    def computed(self, builder: Builder, node: Node, env: Mapping[Value, Value]) -> Sequence[Value] | None:
        """Take the results of a node as constants, or keep the node where it is generated."""
        room = max(self.limit, sum(v.type.nbytes for v in set(node.inputs)))
        known = all(v in self.known for v in node.inputs) and node.op.traits.isdisjoint(("structured", "reports"))
        if not known or sum(v.type.nbytes for v in node.outputs) > room:
            return None
        results = run_node(node, [self.known[v] for v in node.inputs])
        made = node.op.name == "broadcast_to" or not all(_uniform(array) for array in results)
        if made and self._generates(node, node.inputs) and any(v.type.size > 1 for v in node.outputs):
            self.known.update(zip(node.outputs, results, strict=True))
            self.generated.update(node.outputs)
            return None
        for value, array in zip(node.outputs, results, strict=True):
            self.constant(builder, value, array)
        return node.outputs

    def _generates(self, node: Node, inputs: Sequence[Value]) -> bool:
        cheap = node.op.maps and "random" not in node.op.traits
        return cheap and all(v in self.generated or v.type.size <= 1 for v in inputs)

    def constant(self, builder: Builder, value: Value, array: NDArray) -> None:
        """Hold `array` as a constant; as one number and a broadcast where it is one number everywhere."""
        self.known[value] = array
        if array.size <= 1 or not _uniform(array):
            builder.constants[value] = array
            return
        number = builder.constant(array.reshape(-1)[0], value.hint)
        spread, shape = by_name("broadcast_to"), value.type.shape
        builder.nodes.append(Node(spread, (number,), (value,), {"shape": shape}, builder.source))
        self.generated.add(value)


def _uniform(array: NDArray) -> bool:
    if array.size <= 1:
        return True
    bits = array.reshape(-1).view(f"u{array.itemsize}")
    return bool((bits == bits[0]).all())


fold = Fold()
