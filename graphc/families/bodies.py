"""What the body of a kernel reads where: the facts by which families say what one kernel may compute.

The questions are answered from how an op reads its operands (`kept`), not from its name.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from graphc.errors import GraphError
from graphc.ir.graph import Graph, Node, Value, new_value
from graphc.ir.index import Idx, Index, variable
from graphc.ir.op import Indexed, Op, Term
from graphc.ir.types import DType, Shape, TensorType, bool_


class _Probe:
    """An Emitter that writes nothing: it notes at which index an indexed op reads each operand."""

    def __init__(self) -> None:
        self.reads: list[tuple[Value, Index]] = []
        self.following = False
        self._unknown = 0

    def read(self, value: Value, index: Index) -> Term:
        self.reads.append((value, index))
        return Term("x", 1, value.type.dtype)

    def source(self, value: Value, index: Index) -> tuple[Value, Index]:
        return value, index

    def literal(self, value: float | int | bool, dtype: DType) -> Term:
        return Term("1", 1, dtype)

    def cond(self, text: str, width: int) -> Term:
        return Term("c", width, bool_)

    def select(self, when: Term, then: Term, otherwise: Term) -> Term:
        return Term("x", max(when.width, then.width, otherwise.width), then.dtype)

    def call(self, text: Callable[..., str], args: tuple[Term, ...], dtype: DType) -> Term:
        return Term("x", max((a.width for a in args), default=1), dtype)

    def index_of(self, term: Term, bound: int) -> Any:
        self._unknown += 1
        return Idx(f"unknown{self._unknown}", 0, 1, bound)

    def value_of(self, idx: Any, dtype: DType) -> Term:
        return Term("x", 1, dtype)

    def report(self, node: Any, ids: Term, index: Index) -> None:
        pass


def kept(node: Node) -> tuple[int, ...]:
    """For each operand, the number of leading positions P that reading it keeps.

    Seen as P rows, the output's element (row, .) is computed from the operand's elements (row, .): so it is for every
    divisor of P too. P is the operand's size where each element is computed from the one at its own flat position.
    1 promises nothing. Reductions and matmul read every operand whole: their operands count as kept.
    """
    if node.op.elementwise:
        return tuple(_kept_broadcast(node.out.type.shape, v.type.shape) for v in node.inputs)
    if node.op.indexed:
        inputs = tuple((v.type, node.inputs.index(v)) for v in node.inputs)
        return _kept_indexed(node.op, inputs, node.out.type, tuple(node.attrs.items()))
    return tuple(v.type.size for v in node.inputs)


def _kept_broadcast(out: Shape, operand: Shape) -> int:
    if out == operand:
        return math.prod(out)
    aligned = (1,) * (len(out) - len(operand)) + operand
    total = 1
    for n, m in zip(out, aligned, strict=True):
        if n != m:
            break
        total *= n
    return total


@lru_cache(maxsize=4096)
def _kept_indexed(
    op: Op, inputs: tuple[tuple[TensorType, int], ...], out: TensorType, attrs: tuple[tuple[str, Any], ...]
) -> tuple[int, ...]:
    """`kept` of an indexed op. inputs: types, and for each operand the first one that is the same value.

    Layers repeat each other's views, so most questions have been asked before.
    """
    lowering = op.lowering
    assert isinstance(lowering, Indexed)
    values = [new_value(type) for type, _ in inputs]
    node = Node(op, tuple(values[first] for _, first in inputs), (new_value(out),), dict(attrs))
    if not node.inputs or out.size == 0:
        return (1,) * len(node.inputs)
    flat = _reads(node, lowering, Index(out.shape, flat=variable("flat", out.size)))
    dims = _reads(node, lowering, Index(out.shape, [variable(f"d{i}", n) for i, n in enumerate(out.shape)]))
    found = []
    for value in node.inputs:
        at = [index for read, index in flat if read is value]
        if at and value.type.size == out.size and all(index.flat.text == "flat" for index in at):
            found.append(out.size)
        else:
            found.append(min((_kept_dims(out.shape, index) for read, index in dims if read is value), default=1))
    return tuple(found)


def _reads(node: Node, lowering: Indexed, index: Index) -> list[tuple[Value, Index]]:
    probe = _Probe()
    lowering.emit(probe, node, index)
    return probe.reads


def _kept_dims(out: Shape, index: Index) -> int:
    names = [(f"d{axis}", n) for axis, n in enumerate(out) if n != 1]
    read = [(idx.text, n) for idx, n in zip(index.dims, index.shape, strict=True) if n != 1]
    total = 1
    for expected, got in zip(names, read, strict=False):
        if expected != got:
            break
        total *= expected[1]
    return total


def trailing(shape: Shape, axes: tuple[int, ...]) -> tuple[int, int] | None:
    """(R, L) where reducing `axes` of `shape` reduces R rows of L consecutive elements each, else None.

    Axes of one element count on neither side, so the flat order of the elements is row-major in (R, L).
    """
    rows, length = 1, 1
    for axis, n in enumerate(shape):
        if n == 1:
            continue
        if axis in axes:
            length *= n
        elif length > 1:
            return None
        else:
            rows *= n
    return rows, length


def reduced_rows(node: Node) -> tuple[int, int] | None:
    """`trailing` of a reduction node."""
    return trailing(node.inputs[0].type.shape, node.attrs["axes"])


def reductions(body: Graph) -> list[Node]:
    """The reductions of a body, in order."""
    return [node for node in body.nodes if node.op.reduces]


def row_space(body: Graph) -> tuple[int, int]:
    """(R, L): rows and row length of the body of a row kernel; raises GraphError where it has no such space."""
    spaces = {reduced_rows(node) for node in reductions(body)}
    if len(spaces) != 1:
        raise GraphError(f"a row kernel needs reductions over one row space, got {sorted(map(str, spaces))}")
    (space,) = spaces
    if space is None:
        raise GraphError("a row kernel reduces trailing axes")
    return space


def column_space(body: Graph) -> tuple[Shape, tuple[int, ...]]:
    """(shape, axes) that every reduction of a column kernel reduces; raises GraphError where they differ."""
    spaces = {(node.inputs[0].type.shape, tuple(node.attrs["axes"])) for node in reductions(body)}
    if len(spaces) != 1:
        raise GraphError("a column kernel needs reductions of one shape over one set of axes")
    (space,) = spaces
    return space


def dependents(body: Graph, roots: set[Value]) -> set[Value]:
    """`roots` and the values computed from them."""
    found = set(roots)
    for node in body.nodes:
        if not found.isdisjoint(node.inputs):
            found.update(node.outputs)
    return found


def only(body: Graph, name: str, root: Callable[[Op], bool]) -> Node:
    """The one root of a body; raises GraphError, naming the family, where there are none or several."""
    found = [node for node in body.nodes if root(node.op)]
    if len(found) != 1:
        raise GraphError(f"{'an' if name[0] in 'aeiou' else 'a'} {name} kernel holds one {name}, got {len(found)}")
    return found[0]


def check_views(body: Graph, root: Node) -> None:
    """Raise GraphError unless the operands of `root` are views of the body's inputs."""
    name, producers = root.op.name, body.producers()
    for value in root.inputs:
        while value in producers:
            node = producers[value]
            if node.op.traits.isdisjoint(("view", "barrier")):
                raise GraphError(f"an operand of {name} is read through {node.op.name}, which is no view")
            value = node.inputs[0]
        if value in body.constants:
            raise GraphError(f"an operand of {name} is a scalar constant")


def check_epilogue(body: Graph, roots: set[Value], size: int) -> None:
    """Raise GraphError unless what depends on the roots is read at its own position, `size` of which there are."""
    bound = dependents(body, roots)
    for node in body.nodes:
        for value, leading in zip(node.inputs, kept(node), strict=True):
            if value not in bound:
                continue
            if not node.op.maps:
                raise GraphError(f"{node.op.name} reads {value!r}, which is known only after the sums")
            if leading != size or node.out.type.size != size:
                raise GraphError(f"{node.op.name} reads {value!r} at another position than its own")
    for value in body.outputs:
        if value.type.size != size:
            raise GraphError(f"output {value!r} has not the {size} elements of the result")
