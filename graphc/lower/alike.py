"""Nodes that are alike: the same ops over the same types, reached in the same way. Their kernels are written once.

A deep model repeats its layers, so most of its nodes differ in nothing but the tensors that they touch.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any

from graphc.analysis.loops import passed_through
from graphc.codegen.kernel import KernelSource
from graphc.ir.graph import Graph, Node, Value, new_value, reports
from graphc.passes.canonicalize.cse import attr_key

UNREAD = frozenset({"why"})
"""Attributes that no kernel depends on."""


Write = Callable[[Node], list[KernelSource]]
"""Makes the kernels of one node."""


class Alike:
    """The kernels of a graph's nodes, each kind of node once. uniform: tensors that are bound as uniform buffers."""

    def __init__(
        self, graph: Graph, storage_of: Callable[[Value], Value], write: Write, uniform: frozenset[Value] = frozenset()
    ) -> None:
        self._graph, self._storage_of, self._write, self._uniform = graph, storage_of, write, uniform
        self._known: dict[Hashable, tuple[list[Value], list[KernelSource]]] = {}

    def within(
        self, body: Graph, storage_of: Callable[[Value], Value], write: Write, uniform: frozenset[Value]
    ) -> Alike:
        """The same for the nodes of a node's body: what is alike in several of them is written once, too."""
        inner = Alike(body, storage_of, write, uniform)
        inner._known = self._known
        return inner

    def __call__(self, node: Node) -> list[KernelSource]:
        """The kernels of a node: those of the first one like it, over this one's tensors.

        Kernels that check indices differ in where they report.
        """
        if any(True for _ in reports((node,))):
            return self._write(node)
        values = list(dict.fromkeys(map(self._storage_of, (*node.inputs, *node.outputs))))
        key = self._key(node, {value: n for n, value in enumerate(values)})
        known = self._known.get(key)
        if known is None:
            self._known[key] = values, (sources := self._write(node))
            return sources
        theirs, sources = known
        renamed = dict(zip(theirs, values, strict=True))
        return [over(source, renamed) for source in sources]

    def _key(self, node: Node, number: Mapping[Value, int]) -> Hashable:
        """What the kernels of a node depend on. number: of the tensors that it touches."""
        constants = self._graph.constants
        literals = tuple(
            (n, constants[v].tobytes()) for n, v in enumerate(node.inputs) if v.type.size == 1 and v in constants
        )
        first: dict[Value, int] = {}
        reached = tuple((first.setdefault(v, len(first)), number[self._storage_of(v)]) for v in node.inputs)
        made = tuple((v.type, number[self._storage_of(v)]) for v in node.outputs)
        passed = {value for value, _ in passed_through(node)}
        kept = tuple(n for n, v in enumerate(node.outputs) if v in passed)
        tensors = tuple((value.type, value in self._uniform) for value in number)
        return node.op, _attrs_key(node), tuple(v.type for v in node.inputs), reached, made, kept, literals, tensors


def graph_key(graph: Graph) -> Hashable:
    """A key that is equal for two graphs only if they are alike but for the names of their values."""
    number: dict[Value, int] = {}

    def at(value: Value) -> int:
        return number.setdefault(value, len(number))

    inputs = tuple((at(v), v.type) for v in graph.inputs)
    constants = tuple((at(v), v.type, array.tobytes()) for v, array in graph.constants.items())
    nodes = tuple(
        (node.op, _attrs_key(node), tuple(map(at, node.inputs)), tuple((at(v), v.type) for v in node.outputs))
        for node in graph.nodes
    )
    return inputs, constants, nodes, tuple(map(at, graph.outputs))


def _attrs_key(node: Node) -> Hashable:
    return tuple((name, _attr_key(node.attrs[name])) for name in sorted(node.attrs.keys() - UNREAD))


def _attr_key(value: Any) -> Hashable:
    return graph_key(value) if isinstance(value, Graph) else attr_key(value)


def over(source: KernelSource, renamed: dict[Value, Value]) -> KernelSource:
    """The kernel over other tensors; scratch of its own is made anew, once for all kernels of a node."""
    for operand in source.operands:
        if operand.value not in renamed:
            renamed[operand.value] = new_value(operand.value.type, operand.value.hint)
    return source.over(renamed)
