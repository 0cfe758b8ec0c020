"""Fused bodies on the device "numpy": computed block by block, so that what lies between its ops stays in cache.

A body is a loop over blocks of its iteration space, the shape S that its largest values have. Every value inside is
seen as an array of S's rank whose axes have S's length or 1; sums over trailing axes stay inside a block, sums over
leading axes are added up over the blocks. Blocks are shared out over threads: NumPy lets others run while it computes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import wait
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from graphc.families.host import Compute, add_rows
from graphc.ir.graph import Graph, Node, Value
from graphc.ir.types import NDArray, Shape
from graphc.runtime.forks import Threads
from graphc.runtime.numpy.compute import compute

ELEMENTS: Final = 1 << 15
"""Elements of a block: a few of them fit a core's cache together."""

WORTH: Final = 1 << 16
"""Elements of a body from which blocks pay."""

_WITHIN: Final = frozenset({"take_along_axis"})
"""Indexed ops that work on a block as they do on the whole, if they index its last axis."""

Ranges = tuple[tuple[int, int], ...]


@dataclass(slots=True)
class _Step:
    """One node in the loop. scratch: which array of a thread it writes, or -1 where it writes an output or a part."""

    node: Node
    run: Compute
    reads: tuple[Value, ...]
    scratch: int = -1
    part: bool = False


@dataclass(slots=True, eq=False)
class Blocked:
    """A body cut into what is done before the loop (views of its inputs), the loop, and what follows it.

    space: S. shapes: each value of the loop at S's rank. depth: axes that blocks may cut. outputs: values that the loop
    leaves in memory. before, after: nodes run on whole arrays.
    """

    space: Shape
    before: list[Node] = field(default_factory=list)
    after: list[Node] = field(default_factory=list)
    steps: list[_Step] = field(default_factory=list)
    shapes: dict[Value, Shape] = field(default_factory=dict)
    sources: list[Value] = field(default_factory=list)
    outputs: list[Value] = field(default_factory=list)
    depth: int = 0
    blocks: list[Ranges] = field(default_factory=list)
    sizes: list[tuple[int, Any]] = field(default_factory=list)

    def run(self, read: Callable[[Value], NDArray], write: Callable[[Value], NDArray], pool: Threads | None) -> None:
        """Compute the outputs. read: a value made before the loop. write: the array of an output."""
        whole = {v: read(v).reshape(self.shapes[v]) for v in self.sources}
        parts: dict[Value, NDArray] = {}
        for value in self.outputs:
            array = write(value)
            if any(s.part and s.node.out is value for s in self.steps):
                parts[value] = np.empty((len(self.blocks), *array.shape), array.dtype)
            else:
                whole[value] = array.reshape(self.shapes[value])
        if pool is None or len(self.blocks) < 2:
            self._loop(range(len(self.blocks)), whole, parts)
        else:
            count = min(pool.count, len(self.blocks))
            futures = [
                pool.submit(self._loop, range(first, len(self.blocks), count), whole, parts)
                for first in range(1, count)
            ]
            try:
                self._loop(range(0, len(self.blocks), count), whole, parts)
            finally:
                wait(futures)  # an interrupted call leaves nobody behind who writes into what the next one uses
            for future in futures:
                future.result()
        for value, array in parts.items():
            add_rows(array, write(value))

    def _loop(self, numbers: Sequence[int], whole: dict[Value, NDArray], parts: dict[Value, NDArray]) -> None:
        memory = [np.empty(size, dtype) for size, dtype in self.sizes]
        with np.errstate(all="ignore"):
            for number in numbers:
                self._block(number, memory, whole, parts)

    def _block(
        self, number: int, memory: list[NDArray], whole: dict[Value, NDArray], parts: dict[Value, NDArray]
    ) -> None:
        ranges = self.blocks[number]
        env: dict[Value, NDArray] = {}

        def cut(value: Value) -> NDArray:
            where = tuple(
                slice(a, b) if n > 1 else slice(None) for (a, b), n in zip(ranges, self.shapes[value], strict=False)
            )
            return whole[value][where]

        for step in self.steps:
            operands = [env[v] if v in env else env.setdefault(v, cut(v)) for v in step.reads]
            value = step.node.out
            if step.part:
                target = parts[value][number].reshape(-1)
                np.add.reduce(operands[0].reshape(-1, target.size), axis=0, out=target)
                continue
            if step.scratch < 0:
                out = cut(value)
            else:
                lengths = [b - a for a, b in ranges]
                full = self.shapes[value]
                shape = tuple(
                    1 if n == 1 else lengths[axis] if axis < len(lengths) else n for axis, n in enumerate(full)
                )
                out = memory[step.scratch][: math.prod(shape)].reshape(shape)
            step.run(operands, out)
            env[value] = out


class Unfit(Exception):
    """The body is no loop over blocks."""


def blocked(body: Graph) -> Blocked | None:
    """The body as a loop over blocks; None where it is too small, or does not have that form."""
    try:
        return _Builder(body).build()
    except Unfit:
        return None


class _Builder:
    def __init__(self, body: Graph) -> None:
        self.body = body
        sums = [n for n in body.nodes if n.op.reduces]
        largest = max((n.inputs[0] for n in sums), key=lambda v: v.type.size, default=None)
        value = largest if largest is not None else max(body.outputs, key=lambda v: v.type.size)
        self.found = Blocked(value.type.shape)
        if value.type.size < WORTH:
            raise Unfit
        self.rank = len(self.found.space)
        self.early = {*body.inputs, *body.constants}
        self.late: set[Value] = set()
        self.trailing: dict[Value, int] = {}
        self.uncut = self.rank
        self.column = False

    def build(self) -> Blocked:
        found = self.found
        for node in self.body.nodes:
            if len(node.outputs) != 1:
                raise Unfit
            if any(v in self.late for v in node.inputs):
                found.after.append(node)
                self.late.add(node.out)
            elif self._goes_before(node):
                found.before.append(node)
                self.early.add(node.out)
            else:
                self._add(node)
        inside = {s.node.out: None for s in found.steps}
        needed = {v for n in found.after for v in n.inputs} | set(self.body.outputs)
        found.outputs = [v for v in inside if v in needed]
        found.sources = list(dict.fromkeys(v for s in found.steps for v in s.reads if v not in inside))
        found.depth = self.uncut
        if not found.steps or not found.depth:
            raise Unfit
        found.blocks = list(_blocks(found.space, found.depth))
        if len(found.blocks) < 2:
            raise Unfit
        self._scratch()
        return found

    def _goes_before(self, node: Node) -> bool:
        if not all(v in self.early for v in node.inputs):
            return False
        small = node.out.type.size * 16 <= math.prod(self.found.space)
        moves = "indexed" in node.op.traits and "reports" not in node.op.traits and node.op.name not in _WITHIN
        return "view" in node.op.traits or moves or (small and not node.op.reduces)

    def _add(self, node: Node) -> None:
        """Put a node into the loop; raises Unfit where its value has no place in S."""
        trailing = max((self.trailing.get(v, 0) for v in node.inputs if v.type.shape), default=0)
        reads = tuple(node.inputs)
        shape = node.out.type.shape
        if node.op.reduces:
            self._add_reduction(node, trailing)
            return
        if node.op.aliases:
            self._place(node.inputs[0], trailing)
            kept = self.found.shapes[node.inputs[0]]
            tail = next((t for t in range(self.rank + 1) if _padded(shape, self.rank, t) == kept), None)
            if tail is None:
                raise Unfit
            self.trailing[node.out] = tail
            self.found.shapes[node.out] = kept
            self.found.steps.append(_Step(node, lambda arrays, out: np.copyto(out, arrays[0]), reads))
            return
        if node.op.name in _WITHIN:
            if node.attrs["axis"] != self.rank - 1 or trailing:
                raise Unfit
            self.uncut = min(self.uncut, self.rank - 1)
        elif node.op.traits.isdisjoint(("pointwise", "reports")):
            raise Unfit
        for value in reads:
            self._place(value, trailing)
        self.trailing[node.out] = trailing
        self._set_shape(node.out, _padded(shape, self.rank, trailing))
        self.found.steps.append(_Step(node, compute(self.body, node), reads))

    def _add_reduction(self, node: Node, trailing: int) -> None:
        value, axes = node.inputs[0], node.attrs["axes"]
        self._place(value, trailing)
        shape = self.found.shapes[value]
        if trailing or shape != self.found.space:
            raise Unfit
        step = _Step(node, compute(self.body, node), (value,))
        if axes == tuple(range(self.rank - len(axes), self.rank)) and node.op.name != "prod" and not self.column:
            self.uncut = min(self.uncut, self.rank - len(axes))
            tail = 0 if node.attrs["keepdims"] else len(axes)
            self.trailing[node.out] = tail
            self.found.shapes[node.out] = (*shape[: self.rank - len(axes)], *[1] * len(axes))
            step.run = _reduction(node)
        elif axes == tuple(range(len(axes))) and node.op.name == "sum" and value.type.dtype.name == "f32":
            self.column = True
            self.uncut = min(self.uncut, len(axes))
            self.late.add(node.out)
            self.found.shapes[node.out] = shape
            step.part = True
        else:
            raise Unfit
        self.found.steps.append(step)

    def _place(self, value: Value, trailing: int) -> None:
        if value not in self.found.shapes:
            if value not in self.early:
                raise Unfit
            self._set_shape(value, _padded(value.type.shape, self.rank, trailing))
            return
        here = self.trailing.get(value)
        if here is not None and value.type.shape and here != trailing:
            raise Unfit
        if value in self.early and self.found.shapes[value] != _padded(value.type.shape, self.rank, trailing):
            raise Unfit

    def _set_shape(self, value: Value, shape: Shape) -> None:
        if len(shape) != self.rank or any(a not in (1, b) for a, b in zip(shape, self.found.space, strict=True)):
            raise Unfit
        self.found.shapes[value] = shape

    def _scratch(self) -> None:
        """Give each step that writes no output an array of its thread; arrays are used again after the last reader."""
        found = self.found
        last = {v: number for number, step in enumerate(found.steps) for v in step.reads}
        first = found.blocks[0]  # no other is larger
        largest = math.prod(b - a for a, b in first) * math.prod(found.space[len(first) :])
        free: dict[Any, list[int]] = {}
        held: dict[Value, int] = {}
        outputs = set(found.outputs)
        for number, step in enumerate(found.steps):
            value = step.node.out
            if value not in outputs and not step.part:
                dtype = value.type.dtype.numpy
                spare = free.setdefault(dtype, [])
                if not spare:
                    found.sizes.append((largest, dtype))
                    spare.append(len(found.sizes) - 1)
                step.scratch = held[value] = spare.pop()
            for read in set(step.reads):
                if read in held and last[read] == number:
                    slot = held.pop(read)
                    free[found.sizes[slot][1]].append(slot)


def _reduction(node: Node) -> Compute:
    """A reduction of a block over as many trailing axes as the node's; the result keeps them with length 1."""
    count = len(node.attrs["axes"])
    name, dtype = node.op.name, node.inputs[0].type.dtype
    ufuncs = {"sum": np.add, "mean": np.add, "max": np.maximum, "min": np.minimum}
    if name not in ufuncs or dtype.name != "f32":
        raise Unfit
    total = math.prod(node.inputs[0].type.shape[a] for a in node.attrs["axes"])

    def run(arrays: Sequence[NDArray], out: NDArray) -> None:
        x = arrays[0]
        x = x.reshape(*x.shape[: x.ndim - count], -1)
        ufuncs[name].reduce(x, axis=-1, out=out.reshape(x.shape[:-1]))
        if name == "mean":
            np.divide(out, np.float32(total), out=out)

    return run


def _padded(shape: Shape, rank: int, trailing: int) -> Shape:
    """`shape` with axes of length 1 after it and before it, up to `rank` axes."""
    shape = (*shape, *[1] * trailing) if shape else ()
    return (*[1] * (rank - len(shape)), *shape)


def _blocks(space: Shape, depth: int) -> Iterator[Ranges]:
    """Ranges of the first axes that cut S into blocks of about ELEMENTS."""
    inner = math.prod(space[depth:])
    axis = depth - 1
    while axis > 0 and inner * space[axis] <= ELEMENTS:
        inner *= space[axis]
        axis -= 1
    length = max(1, ELEMENTS // max(inner, 1))
    for index in np.ndindex(*space[:axis]):
        outer = tuple((i, i + 1) for i in index)
        for first in range(0, space[axis], length):
            yield (*outer, (first, min(first + length, space[axis])))
