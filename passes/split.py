"""split: long reductions become two short ones.

A sum of many float32 numbers one after another loses digits, and a reduction with few results keeps few lanes of a GPU
busy. Both are mended by reducing chunks first and their results then. So is a matrix product over a long inner axis,
such as the gradient of a weight that many rows have passed through. It is part of the default passes, and compile
applies it before lowering in any case: every device sums in chunks.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from graphc.ir import Builder, Graph, Node, Value
from graphc.op import Reduce
from graphc.ops import by_name
from graphc.types import DType, TensorType, f16, f32

NEUTRAL: Final[Mapping[str, Callable[[DType], float]]] = {
    "sum": lambda dtype: 0.0,
    "mean": lambda dtype: 0.0,
    "prod": lambda dtype: 1.0,
    "max": lambda dtype: -math.inf if dtype.kind == "float" else float(_range(dtype)[0]),
    "min": lambda dtype: math.inf if dtype.kind == "float" else float(_range(dtype)[1]),
}
"""What a reduction is padded with to make chunks of one size."""


def _range(dtype: DType) -> tuple[int, int]:
    if dtype.kind == "bool":
        return 0, 1
    info = np.iinfo(dtype.numpy)
    return int(info.min), int(info.max)


@dataclass(frozen=True, slots=True)
class Split:
    """Splits reductions of any length, padded where the chunks do not come out even.

    terms: most terms that are added one after another, in a reduction over other axes than the last. row: longest row
    that is left whole where there are fewer than `rows` of them. longest: longest row that is left whole anyway.
    inner: longest inner axis of a matrix product that is left whole. part: shortest part that one is cut into.
    """

    terms: int = 1024
    row: int = 16384
    rows: int = 64
    longest: int = 65536
    inner: int = 16384
    part: int = 1024

    def __call__(self, graph: Graph) -> Graph:
        if not any(self.too_long(node) or self.too_deep(node) for node in graph.nodes):
            return graph
        builder = Builder()
        builder.inputs, builder.constants = list(graph.inputs), dict(graph.constants)
        env: dict[Value, Value] = {}
        for node in graph.nodes:
            operands = [env.get(v, v) for v in node.inputs]
            with builder.at(node.source):
                if self.too_long(node):
                    env[node.out] = self._reduction(builder, node, operands[0])
                    continue
                if self.too_deep(node):
                    env[node.out] = self._product(builder, *operands)
                    continue
            builder.copy(node, env)
        return builder.build([env.get(v, v) for v in graph.outputs])

    def too_long(self, node: Node) -> bool:
        """Whether a node is a reduction to be split."""
        if not isinstance(node.op.lowering, Reduce) or node.op.name not in NEUTRAL or not node.inputs[0].type.size:
            return False
        if node.out.type.dtype.kind == "int" and node.out.type.dtype.itemsize == 8:
            return False  # its ends are no floats, which is what `pad` takes
        groups = _groups(node.inputs[0].type, node.attrs["axes"])
        return any(self._chunks(groups, i) > 1 for i, (_, reduced) in enumerate(groups) if reduced) or (
            sum(reduced for _, reduced in groups) > 1 and node.inputs[0].type.size // node.out.type.size > self.terms
        )

    def too_deep(self, node: Node) -> bool:
        """Whether a node is a product of two matrices, [M, K] and [K, N], to be cut along K."""
        if node.op.name != "matmul" or node.out.type.dtype.kind != "float" or not node.out.type.size:
            return False
        a, b = (v.type.shape for v in node.inputs)
        return len(a) == len(b) == 2 and a[1] > self.inner and self._parts(a[0], a[1], b[1]) > 1

    def _parts(self, m: int, k: int, n: int) -> int:
        """How many whole parts the inner axis has; all their results together are no larger than the operands."""
        return k // max(self.part, -(-m * n // (m + n)))

    def _product(self, builder: Builder, a: Value, b: Value) -> Value:
        """Products of equally long parts as one batch, and their sum; what is left over is a product of its own."""
        (m, k), n = a.type.shape, b.type.shape[1]
        parts = self._parts(m, k, n)
        size = k // parts
        whole = size * parts

        def rows(x: Value, axis: int, start: int, stop: int) -> Value:
            starts, stops = [0, 0], list(x.type.shape)
            starts[axis], stops[axis] = start, stop
            if tuple(stops) == x.type.shape and not start:
                return x
            return builder.apply(by_name("slice"), x, start=tuple(starts), stop=tuple(stops), step=(1, 1))

        left = _reshape(builder, rows(a, 1, 0, whole), (m, parts, size))
        left = builder.apply(by_name("transpose"), left, perm=(1, 0, 2))
        right = _reshape(builder, rows(b, 0, 0, whole), (parts, size, n))
        products = builder.apply(by_name("matmul"), left, right)
        total = builder.apply(by_name("sum"), products, axes=(0,), keepdims=False)
        if whole == k:
            return total
        rest = builder.apply(by_name("matmul"), rows(a, 1, whole, k), rows(b, 0, whole, k))
        return builder.apply(by_name("add"), total, rest)

    def _chunks(self, groups: list[tuple[int, bool]], at: int) -> int:
        """Into how many chunks to cut a reduced group of axes, 1 for none."""
        length = groups[at][0]
        if at < len(groups) - 1:
            return 1 if length <= self.terms else -(-length // _chunk(length, math.isqrt(length - 1) + 1, self.terms))
        rows = math.prod(n for n, reduced in groups if not reduced)
        if length <= self.row or (rows >= self.rows and length <= self.longest):
            return 1
        wanted = max(-(-4 * self.rows // rows), -(-length // self.row))
        size = max(self.terms, -(-length // wanted))
        return -(-length // _chunk(length, size, 2 * size))

    def _reduction(self, builder: Builder, node: Node, x: Value) -> Value:
        """The reduction of `node`, step by step; groups of axes are reduced one after the other, the last one first."""
        name, dtype = node.op.name, node.out.type.dtype
        groups = _groups(x.type, node.attrs["axes"])
        if dtype == f16:  # partial results keep the precision that a single pass has in its registers
            x = builder.apply(by_name("cast"), x, dtype=f32)
        step = "sum" if name == "mean" else name
        while any(reduced for _, reduced in groups):
            at = max(i for i, (_, reduced) in enumerate(groups) if reduced)
            x, groups = self._step(builder, x, groups, at, step)
        if name == "mean":
            count = math.prod(node.inputs[0].type.shape[axis] for axis in node.attrs["axes"])
            x = builder.apply(by_name("div"), x, builder.constant(np.asarray(count, x.type.dtype.numpy)))
        if dtype == f16:
            x = builder.apply(by_name("cast"), x, dtype=f16)
        return _reshape(builder, x, node.out.type.shape)

    def _step(
        self, builder: Builder, x: Value, groups: list[tuple[int, bool]], at: int, name: str
    ) -> tuple[Value, list[tuple[int, bool]]]:
        """Reduce group `at`, or its chunks, whose results are then the group that is left to reduce."""
        length, chunks = groups[at][0], self._chunks(groups, at)
        if chunks == 1:
            x = _reshape(builder, x, [n for n, _ in groups])
            x = builder.apply(by_name(name), x, axes=(at,), keepdims=False)
            return x, groups[:at] + groups[at + 1 :]
        size = -(-length // chunks)
        if size * chunks != length:
            x = _reshape(builder, x, [n for n, _ in groups])
            high = tuple(size * chunks - length if i == at else 0 for i in range(len(groups)))
            none = (0,) * len(groups)
            filler = NEUTRAL[name](x.type.dtype)
            x = builder.apply(by_name("pad"), x, low=none, high=high, interior=none, value=filler)
        left = [*groups[:at], (chunks, True), *groups[at + 1 :]]
        shape = [n for n, _ in left]
        x = _reshape(builder, x, [*shape[: at + 1], size, *shape[at + 1 :]])
        return builder.apply(by_name(name), x, axes=(at + 1,), keepdims=False), left


def _groups(type: TensorType, axes: tuple[int, ...]) -> list[tuple[int, bool]]:
    """The shape as (length, reduced) with axes of length 1 left out and neighbours of a kind joined."""
    marked = [(axis in axes, n) for axis, n in enumerate(type.shape) if n != 1]
    return [
        (math.prod(n for _, n in found), reduced) for reduced, found in itertools.groupby(marked, key=lambda m: m[0])
    ]


def _chunk(length: int, wanted: int, most: int) -> int:
    """A chunk size from `wanted` to `most`: one that divides `length` where there is one, else the size wanted."""
    wanted = min(wanted, most)
    return next((size for size in range(wanted, min(most, 2 * wanted) + 1) if length % size == 0), wanted)


def _reshape(builder: Builder, x: Value, shape: Any) -> Value:
    return x if x.type.shape == tuple(shape) else builder.apply(by_name("reshape"), x, shape=tuple(shape))


split = Split()
