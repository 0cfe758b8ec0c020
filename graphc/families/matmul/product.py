"""The matrix product of a kernel's body: its sizes, and where its operands and its result lie."""

from __future__ import annotations

from dataclasses import dataclass

from graphc.codegen.launch import sum_type
from graphc.families.matmul.tile import Shape
from graphc.ir.graph import Graph, Node, Value
from graphc.ir.index import Idx, Index, add, multiply
from graphc.ir.types import DType, broadcast_shapes


@dataclass(frozen=True, slots=True)
class Product:
    """The matrix product of a body.

    shape: its sizes; where B has no batch of its own, the batch of A counts as rows. batch: the batch axes. merged:
    whether the batch counts as rows. acc: element type of the sums.
    """

    node: Node
    shape: Shape
    batch: tuple[int, ...]
    merged: bool
    acc: DType

    @property
    def operands(self) -> tuple[Value, Value]:
        """What A and B are read from."""
        a, b = self.node.inputs
        return a, b

    def a(self, batch: Idx, m: Idx, k: Idx) -> Index:
        """Position of A's element."""
        value, size = self.node.inputs[0], self.shape
        if self.merged:
            return Index((size.m, size.k), [m, k]).reshaped(value.type.shape)
        dims = Index(self.batch, flat=batch).dims
        return Index((*self.batch, size.m, size.k), [*dims, m, k]).broadcast_from(value.type.shape)

    def b(self, batch: Idx, k: Idx, n: Idx) -> Index:
        """Position of B's element."""
        value, size = self.node.inputs[1], self.shape
        if self.merged:
            return Index((size.k, size.n), [k, n]).reshaped(value.type.shape)
        dims = Index(self.batch, flat=batch).dims
        return Index((*self.batch, size.k, size.n), [*dims, k, n]).broadcast_from(value.type.shape)

    def out(self, batch: Idx, m: Idx, n: Idx) -> Index:
        """Position of an element of the result."""
        shape = self.node.out.type.shape
        if self.merged:
            rows = Index(shape[:-1], flat=m).dims
            return Index(shape, [*rows, n], add(multiply(m, self.shape.n), n))
        return Index(shape, [*Index(self.batch, flat=batch).dims, m, n])


def product(body: Graph) -> Product:
    """The only matmul of a body."""
    (node,) = [n for n in body.nodes if n.op.contracts]
    a, b = (v.type for v in node.inputs)
    batch = broadcast_shapes(a.shape[:-2], b.shape[:-2])
    count = 1
    for n in batch:
        count *= n
    m, k, n = a.shape[-2], a.shape[-1], b.shape[-1]
    merged = b.size == k * n and a.size == count * m * k
    shape = Shape(1, count * m, k, n) if merged else Shape(count, m, k, n)
    return Product(node, shape, batch, merged, sum_type(a.dtype))
