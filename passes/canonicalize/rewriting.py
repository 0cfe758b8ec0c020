"""The engine of `simplify`: it walks a graph once and lets rules replace each node as it comes by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from graphc.ir.graph import Graph, Node, Source, Value, infer_types, new_value, prune, renamed
from graphc.ir.types import NDArray, TensorType
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
        self.constants: dict[Value, NDArray] = dict(graph.constants)
        self.nodes: list[Node] = []
        self.source = Source()
        self._made: dict[Value, Node] = {}
        self._env: dict[Value, Value] = {}
        self._changed = False
        self._readers = Counter(v for node in graph.nodes for v in {*node.inputs})
        self._readers.update(graph.outputs)

    def visit(self, node: Node) -> None:
        """Add a node of the graph, or what the rules make of it."""
        inputs = renamed(node.inputs, self._env)
        if inputs != node.inputs:
            node = replace(node, inputs=inputs)
        self.source = node.source
        found = self._apply_rules(node)
        if found is None:
            self._keep(node)
        else:
            self._changed = True
            self._env[node.out] = found

    def finish(self) -> Graph:
        """The rewritten graph, without what nothing needs any more."""
        if not self._changed:
            return self.graph
        outputs = renamed(self.graph.outputs, self._env)
        return prune(Graph(self.graph.inputs, self.constants, tuple(self.nodes), outputs))

    def emit(self, op: str, *inputs: Value, also: Node | None = None, **attrs: Any) -> Value:
        """The value of a new node, simplified. `also`: a node that it absorbs, whose source lines it keeps."""
        source = self.source if also is None else self.source.merged([also.source])
        record = by_name(op)
        types = infer_types(record, [v.type for v in inputs], attrs)
        node = Node(record, inputs, tuple(new_value(t) for t in types), attrs, source)
        found = self._apply_rules(node)
        if found is not None:
            return found
        self._keep(node)
        return node.out

    def scalar(self, number: float | int | bool, type: TensorType) -> Value:
        """A constant 0-d tensor of the element type of `type`."""
        value = new_value(TensorType((), type.dtype))
        self.constants[value] = np.asarray(number, type.dtype.numpy)
        return value

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
        array = self.constants.get(value)
        if array is None:
            spread = self.producer(value, "broadcast_to", "reshape")
            array = None if spread is None else self.constants.get(spread.inputs[0])
        return array.reshape(-1)[0] if array is not None and array.size == 1 else None

    def readers(self, value: Value) -> int:
        """How many nodes and outputs of the graph being rewritten read `value`; 0 for one that a rule made."""
        return self._readers[value]

    def _apply_rules(self, node: Node) -> Value | None:
        for rule in self.rules.get(node.op.name, ()):
            found = rule(self, node)
            if found is not None:
                assert found.type == node.out.type, f"{rule.__name__} turned {node.out.type} into {found.type}"
                return found
        return None

    def _keep(self, node: Node) -> None:
        self.nodes.append(node)
        self._made.update(dict.fromkeys(node.outputs, node))
