"""split: long reductions become two short ones.

A sum of many float32 numbers one after another loses digits, and a reduction with few results keeps few lanes of a GPU
busy. Both are mended by reducing chunks first and their results then. So is a matrix product over a long inner axis,
such as the gradient of a weight that many rows have passed through. It is part of the default passes, and compile
applies it before lowering in any case: every device sums in chunks.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from graphc.ir.graph import Builder, Graph, Node, Value, renamed
from graphc.ir.rewriting import rewrite
from graphc.ir.types import DType, TensorType, f16, f32, i32
from graphc.ops import by_name

NEUTRAL: Final[Mapping[str, Callable[[DType], float]]] = {
    "sum": lambda dtype: 0.0,
    "mean": lambda dtype: 0.0,
    "prod": lambda dtype: 1.0,
    "max": lambda dtype: -math.inf if dtype.kind == "float" else float(_range(dtype)[0]),
    "min": lambda dtype: math.inf if dtype.kind == "float" else float(_range(dtype)[1]),
    "argmax": lambda dtype: NEUTRAL["max"](dtype),
    "argmin": lambda dtype: NEUTRAL["min"](dtype),
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

    terms: most terms that are added one after another, in a reduction over other axes than the last. compared: most of
    them that are compared so, to find the position of an extreme. row: longest row that is left whole where there are
    fewer than `rows` of them. longest: longest row that is left whole anyway. inner: longest inner axis of a product of
    two matrices that is left whole. part: shortest part that one is cut into. depth: longest inner axis of any product,
    and `partial` the elements that the results of its parts may have together where its kernel cuts it on its own.
    slice: longest slice of a longer one, to be added up slice by slice.
    """

    terms: int = 1024
    compared: int = 16384
    row: int = 16384
    rows: int = 64
    longest: int = 65536
    inner: int = 16384
    part: int = 1024
    depth: int = 12288
    partial: int = 1 << 20
    slice: int = 8192

    def __call__(self, graph: Graph) -> Graph:
        return rewrite(graph, self._shortened)

    def _shortened(self, builder: Builder, node: Node, env: Mapping[Value, Value]) -> Sequence[Value] | None:
        operands = renamed(node.inputs, env)
        if self.too_long(node):
            split = self._position if _finds(node) else self._reduction
            return [split(builder, node, operands[0])]
        if self.too_deep(node):
            return [self._product(builder, *operands)]
        if self.too_large(node):
            return [self._slices(builder, *operands)]
        return None

    def too_long(self, node: Node) -> bool:
        """Whether a node is a reduction to be split."""
        if not node.op.reduces or node.op.name not in NEUTRAL or not node.inputs[0].type.size:
            return False
        groups = _groups(node.inputs[0].type, node.attrs["axes"])
        if _finds(node):
            return any(self._chunks(groups, i, self.compared) > 1 for i, (_, reduced) in enumerate(groups) if reduced)
        return any(self._chunks(groups, i) > 1 for i, (_, reduced) in enumerate(groups) if reduced) or (
            sum(reduced for _, reduced in groups) > 1 and node.inputs[0].type.size // node.out.type.size > self.terms
        )

    def too_deep(self, node: Node) -> bool:
        """Whether a node is a product of two matrices, [M, K] and [K, N], to be cut along K."""
        if node.op.name != "matmul" or node.out.type.dtype.kind != "float" or not node.out.type.size:
            return False
        a, b = (v.type.shape for v in node.inputs)
        return len(a) == len(b) == 2 and a[1] > self.inner and self._parts(a[0], a[1], b[1]) > 1

    def too_large(self, node: Node) -> bool:
        """Whether a product has so long an inner axis, and so many results, that it is computed slice by slice."""
        if node.op.name != "matmul" or not node.out.type.size:
            return False
        depth = node.inputs[0].type.shape[-1]
        return depth > self.depth and self.partial // node.out.type.size < -(-depth // self.slice)

    def _slices(self, builder: Builder, a: Value, b: Value) -> Value:
        """The product of a slice of the inner axis after the other, each added to those before."""
        depth = a.type.shape[-1]
        size = -(-depth // -(-depth // self.slice) // 16) * 16
        total: Value | None = None
        for start in range(0, depth, size):
            stop = min(start + size, depth)
            left = _sliced(builder, a, a.type.ndim - 1, start, stop)
            right = _sliced(builder, b, b.type.ndim - 2, start, stop)
            product = builder.apply(by_name("matmul"), left, right)
            total = product if total is None else builder.apply(by_name("add"), total, product)
        assert total is not None
        return total

    def _parts(self, m: int, k: int, n: int) -> int:
        """How many whole parts the inner axis has; all their results together are no larger than the operands."""
        return k // max(self.part, -(-m * n // (m + n)))

    def _product(self, builder: Builder, a: Value, b: Value) -> Value:
        """Products of equally long parts as one batch, and their sum; what is left over is a product of its own."""
        (m, k), n = a.type.shape, b.type.shape[1]
        parts = self._parts(m, k, n)
        size = k // parts
        whole = size * parts

        left = _reshape(builder, _sliced(builder, a, 1, 0, whole), (m, parts, size))
        left = builder.apply(by_name("transpose"), left, perm=(1, 0, 2))
        right = _reshape(builder, _sliced(builder, b, 0, 0, whole), (parts, size, n))
        products = builder.apply(by_name("matmul"), left, right)
        total = builder.apply(by_name("sum"), products, axes=(0,), keepdims=False)
        if whole == k:
            return total
        rest = builder.apply(by_name("matmul"), _sliced(builder, a, 1, whole, k), _sliced(builder, b, 0, whole, k))
        return builder.apply(by_name("add"), total, rest)

    def _chunks(self, groups: list[tuple[int, bool]], at: int, whole: int | None = None) -> int:
        """Into how many chunks to cut a reduced group of axes, 1 for none. whole: `terms` or `compared`."""
        length = groups[at][0]
        if at < len(groups) - 1:
            few = length <= (whole or self.terms)
            return 1 if few else -(-length // _chunk(length, math.isqrt(length - 1) + 1, self.terms))
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

    def _position(self, builder: Builder, node: Node, x: Value) -> Value:
        """Where the extreme is: first in its chunk, then which chunk it is in."""
        groups = _groups(x.type, node.attrs["axes"])
        return _reshape(builder, self._find(builder, x, groups, node.op.name), node.out.type.shape)

    def _find(self, builder: Builder, x: Value, groups: list[tuple[int, bool]], name: str) -> Value:
        """The position of the extreme along the reduced group, in the shape of the others."""
        (at,) = (i for i, (_, reduced) in enumerate(groups) if reduced)
        x, chunks = self._cut(builder, x, groups, at, name, self._chunks(groups, at, self.compared))
        if chunks == 1:
            return builder.apply(by_name(name), x, axes=(at,), keepdims=False)
        size = x.type.shape[at + 1]
        best = builder.apply(by_name(name.removeprefix("arg")), x, axes=(at + 1,), keepdims=False)
        inside = builder.apply(by_name(name), x, axes=(at + 1,), keepdims=False)
        left = [*groups[:at], (chunks, True), *groups[at + 1 :]]
        shape = [n for n, _ in left]
        one = [1 if reduced else n for n, reduced in left]
        chunk = _reshape(builder, self._find(builder, best, left, name), one)
        line = tuple(n if i == at else 1 for i, n in enumerate(shape))
        number = builder.apply(by_name("iota"), shape=line, axis=at, dtype=i32)
        here = builder.apply(by_name("eq"), number, chunk)
        zero = builder.constant(np.asarray(0, np.int32))
        found = builder.apply(by_name("where"), here, _reshape(builder, inside, shape), zero)
        place = builder.apply(by_name("sum"), found, axes=(at,), keepdims=True)
        whole = builder.apply(by_name("mul"), chunk, builder.constant(np.asarray(size, np.int32)))
        return builder.apply(by_name("add"), whole, place)

    def _step(
        self, builder: Builder, x: Value, groups: list[tuple[int, bool]], at: int, name: str
    ) -> tuple[Value, list[tuple[int, bool]]]:
        """Reduce group `at`, or its chunks, whose results are then the group that is left to reduce."""
        x, chunks = self._cut(builder, x, groups, at, name, self._chunks(groups, at))
        axis = at if chunks == 1 else at + 1
        left = [] if chunks == 1 else [(chunks, True)]
        return builder.apply(by_name(name), x, axes=(axis,), keepdims=False), [*groups[:at], *left, *groups[at + 1 :]]

    def _cut(
        self, builder: Builder, x: Value, groups: list[tuple[int, bool]], at: int, name: str, chunks: int
    ) -> tuple[Value, int]:
        """The tensor with group `at` as [chunks, size], padded where that does not come out even; and the chunks."""
        length = groups[at][0]
        shape = [n for n, _ in groups]
        if chunks == 1:
            return _reshape(builder, x, shape), 1
        size = -(-length // chunks)
        if size * chunks != length:
            x = _pad(builder, _reshape(builder, x, shape), at, size * chunks - length, name)
        return _reshape(builder, x, [*shape[:at], chunks, size, *shape[at + 1 :]]), chunks


def _groups(type: TensorType, axes: tuple[int, ...]) -> list[tuple[int, bool]]:
    """The shape as (length, reduced) with axes of length 1 left out and neighbours of a kind joined."""
    marked = [(axis in axes, n) for axis, n in enumerate(type.shape) if n != 1]
    return [
        (math.prod(n for _, n in found), reduced) for reduced, found in itertools.groupby(marked, key=lambda m: m[0])
    ]


def _finds(node: Node) -> bool:
    """Whether a reduction gives a position."""
    return node.op.chooses


def _pad(builder: Builder, x: Value, axis: int, more: int, name: str) -> Value:
    """`x` with more elements at the end of an axis, none of which changes the reduction `name`."""
    shape, dtype = x.type.shape, x.type.dtype
    if dtype.kind == "int" and dtype.itemsize == 8 and name not in ("sum", "prod"):
        # The ends of its range are no floats, which is what `pad` takes: the last element again and again.
        ids = builder.apply(by_name("iota"), shape=(shape[axis] + more,), axis=0, dtype=i32)
        return builder.apply(by_name("take"), x, ids, axis=axis, clamp=True)
    high = tuple(more if i == axis else 0 for i in range(len(shape)))
    none = (0,) * len(shape)
    filler = NEUTRAL[name](dtype)
    return builder.apply(by_name("pad"), x, low=none, high=high, interior=none, value=filler)


def _chunk(length: int, wanted: int, most: int) -> int:
    """A chunk size from `wanted` to `most`: one that divides `length` where there is one, else the size wanted."""
    wanted = min(wanted, most)
    return next((size for size in range(wanted, min(most, 2 * wanted) + 1) if length % size == 0), wanted)


def _sliced(builder: Builder, x: Value, axis: int, start: int, stop: int) -> Value:
    """Elements start to stop - 1 along an axis."""
    shape = x.type.shape
    if (start, stop) == (0, shape[axis]):
        return x
    starts = tuple(start if i == axis else 0 for i in range(len(shape)))
    stops = tuple(stop if i == axis else n for i, n in enumerate(shape))
    return builder.apply(by_name("slice"), x, start=starts, stop=stops, step=(1,) * len(shape))


def _reshape(builder: Builder, x: Value, shape: Any) -> Value:
    return x if x.type.shape == tuple(shape) else builder.apply(by_name("reshape"), x, shape=tuple(shape))


split = Split()
