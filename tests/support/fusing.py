"""Hand-made graphs and checks for the tests of fusion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import networkx as nx
import numpy as np

from graphc.families.registry import check_family, kernel_family
from graphc.ir.graph import Builder, Graph, Node, Value, evaluate
from graphc.ir.types import DType, NDArray, TensorType, f32
from graphc.ops import OPS
from graphc.plan.plan import may_be_uniform


class Maker(Builder):
    """A Builder with short spellings."""

    def tensor(self, *shape: int, dtype: DType = f32, hint: str = "") -> Value:
        return self.input(TensorType(shape, dtype), hint)

    def op(self, name: str, *inputs: Value | float, **attrs: Any) -> Value:
        values = [v if isinstance(v, Value) else self.constant(np.float32(v)) for v in inputs]
        return self.apply(OPS[name], *values, **attrs)

    def reduce(self, name: str, x: Value, *axes: int, keepdims: bool = True) -> Value:
        return self.op(name, x, axes=axes, keepdims=keepdims)

    def softmax(self, x: Value) -> Value:
        last = x.type.ndim - 1
        e = self.op("exp", self.op("sub", x, self.reduce("max", x, last)))
        return self.op("div", e, self.reduce("sum", e, last))


def kernels(graph: Graph) -> list[Node]:
    """The nodes that need a kernel: a reshape on its own is free."""
    return [node for node in graph.nodes if node.op.name != "reshape"]


def families(graph: Graph) -> list[str | None]:
    """The family of each kernel."""
    return [family.name if (family := kernel_family(node)) else None for node in kernels(graph)]


def arrays_for(graph: Graph, seed: int = 0) -> list[NDArray]:
    """Random inputs: floats of both signs, small integers, bools."""
    rng = np.random.default_rng(seed)
    found = []
    for value in graph.inputs:
        if value.type.dtype.kind == "float":
            found.append(rng.standard_normal(value.type.shape).astype(value.type.dtype.numpy))
        else:
            found.append(rng.integers(0, 2, value.type.shape).astype(value.type.dtype.numpy))
    return found


def assert_sound(before: Graph, after: Graph, max_buffers: int = 8) -> None:
    """The fused graph is well-formed, within limits, free of cycles, and computes the same numbers."""
    after.verify()
    order = nx.DiGraph()
    overwritten = {n.inputs[k]: i for i, n in enumerate(after.nodes) for _, k in n.attrs.get("inplace", ())}
    for number, node in enumerate(after.nodes):
        order.add_node(number)
        for value in node.inputs:
            order.add_edges_from((m, number) for m, other in enumerate(after.nodes) if value in other.outputs)
        order.add_edges_from((number, overwritten[v]) for v in node.inputs if overwritten.get(v, number) != number)
        if node.op.name == "fused":
            check_family(node.attrs["body"], node.attrs["family"])
            # The gradient of attention is two kernels, of which neither writes all three outputs.
            written = min(len(node.outputs), 2) if node.attrs["family"] == "attention" else len(node.outputs)
            claimed = {node.inputs[k] for _, k in node.attrs.get("inplace", ())}
            uniform = sum(may_be_uniform(v.type) for v in node.inputs if v not in claimed)
            assert len(node.inputs) + written - len(claimed) - uniform <= max_buffers
            assert node.attrs["why"]
    assert nx.is_directed_acyclic_graph(order)
    arrays = arrays_for(before)
    same(evaluate(before, arrays), evaluate(after, arrays))


def same(expected: Sequence[NDArray], got: Sequence[NDArray]) -> None:
    """Bit for bit: the reference runs the same ops on the same numbers."""
    assert len(expected) == len(got)
    for a, b in zip(expected, got, strict=True):
        np.testing.assert_array_equal(a, b)
