"""The engine of `simplify`: rules replace each node of a graph as it comes by, and what other rules have made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from graphc.ir.graph import Builder, Graph, Node, Value, infer_types, new_value, prune, renamed
from graphc.ir.rewriting import rewrite
from graphc.ir.types import TensorType
from graphc.ops import by_name

Rule = Callable[["Rewriter", Node], "Value | None"]
"""`rule(rewriter, node)`: the value that takes the place of the node's output, or None where it does not apply."""


class Rewriter:
    """A graph being rewritten. Rules look at producers and constants, and add nodes with `emit`.

    Whatever is emitted passes through the rules itself, so that every node in the result is in its simplest form.
    """

    def __init__(self, graph: Graph, rules: Mapping[str, tuple[Rule, ...]]) -> None:
        self.graph = graph
        self.rules = rules
        self._builder = Builder.of(graph)
        self._made: dict[Value, Node] = {}
        self._readers = Counter(v for node in graph.nodes for v in {*node.inputs})
        self._readers.update(graph.outputs)

    def run(self) -> Graph:
        """The rewritten graph, without what nothing needs any more; itself where no rule applies."""
        found = rewrite(self.graph, self._simplest, self._builder)
        return found if found is self.graph else prune(found)

    def _simplest(self, builder: Builder, node: Node, env: Mapping[Value, Value]) -> Sequence[Value]:
        inputs = renamed(node.inputs, env)
        return self._add(node if inputs == node.inputs else replace(node, inputs=inputs))

    def _add(self, node: Node) -> Sequence[Value]:
        """Add a node, or what the rules make of it, whose values are returned."""
        for rule in self.rules.get(node.op.name, ()):
            found = rule(self, node)
            if found is not None:
                assert found.type == node.out.type, f"{rule.__name__} turned {node.out.type} into {found.type}"
                return (found,)
        self._builder.nodes.append(node)
        self._made.update(dict.fromkeys(node.outputs, node))
        return node.outputs

    def emit(self, op: str, *inputs: Value, also: Node | None = None, **attrs: Any) -> Value:
        """The value of a new node, simplified. `also`: a node that it absorbs, whose source lines it keeps."""
        source = self._builder.source if also is None else self._builder.source.merged([also.source])
        record = by_name(op)
        types = infer_types(record, [v.type for v in inputs], attrs)
        return self._add(Node(record, inputs, tuple(new_value(t) for t in types), attrs, source))[0]

    def scalar(self, number: float | int | bool, type: TensorType) -> Value:
        """A constant 0-d tensor of the element type of `type`."""
        return self._builder.constant(np.asarray(number, type.dtype.numpy))

    def fill(self, number: float | int | bool, type: TensorType) -> Value:
        """A tensor of this type with one number everywhere."""
        return self.broadcast(self.scalar(number, type), type)

    def broadcast(self, value: Value, type: TensorType) -> Value:
        """`value` in the shape of `type`."""
        return value if value.type == type else self.emit("broadcast_to", value, shape=type.shape)

    def producer(self, value: Value, *ops: str) -> Node | None:
        """The node that makes `value`, if its op has one of these names."""
        node = self._made.get(value)
        return node if node is not None and node.op.name in ops else None

    def number(self, value: Value) -> Any:
        """The number that every element of `value` is (a NumPy scalar), where that is known; else None."""
        constants = self._builder.constants
        array = constants.get(value)
        if array is None:
            spread = self.producer(value, "broadcast_to", "reshape")
            array = None if spread is None else constants.get(spread.inputs[0])
        return array.reshape(-1)[0] if array is not None and array.size == 1 else None

    def readers(self, value: Value) -> int:
        """How many nodes and outputs of the graph being rewritten read `value`; 0 for one that a rule made."""
        return self._readers[value]
