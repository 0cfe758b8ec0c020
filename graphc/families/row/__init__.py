"""The family row: reductions over the last axes, with what surrounds them.

All reductions of a body have one number of rows R and one row length L; a value that depends on a reduction is read
only within its own row; an output has R elements (one a row) or R x L.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from graphc.errors import GraphError
from graphc.families.bodies import dependents, kept, reduced_rows, reductions, row_space
from graphc.families.host import reduction
from graphc.families.record import Colours, Family
from graphc.families.row import kernel
from graphc.ir.graph import Graph, Node


def _check(body: Graph) -> None:
    rows, length = row_space(body)
    bound = dependents(body, {node.out for node in reductions(body)})
    for node in body.nodes:
        for value, leading in zip(node.inputs, kept(node), strict=True):
            if rows and value in bound and leading % rows:
                raise GraphError(f"{node.op.name} reads {value!r} outside of its row ({rows} rows)")
    for value in body.outputs:
        if value.type.size not in (rows, rows * length):
            raise GraphError(f"output {value!r} of a row kernel has neither {rows} nor {rows * length} elements")


def _rows(node: Node) -> tuple[int, int]:
    found = reduced_rows(node)
    assert found is not None
    return found


def _size(node: Node) -> int:
    rows, length = _rows(node)
    return rows * length


def _said(roots: Sequence[Node], ops: str, single: bool) -> str:
    rows, length = _rows(roots[0])
    return f"one pass over {rows} rows of {length}: {ops}"


FAMILY: Final = Family(
    name="row",
    doc="reductions over the last axes with what surrounds them: softmax, norms, cross-entropy, forward and backward",
    lowers=lambda op: op.reduces,
    build=kernel.build,
    computes=lambda node: reduced_rows(node) is not None,
    check=_check,
    search=kernel.search,
    reads="elements",
    grows=True,
    many=True,
    space=_rows,
    rows=_rows,
    size=_size,
    horizontal=True,
    said=_said,
    kind="row",
    colours=Colours("#bfe3b4", "#edf8e9", "#6fb35c"),
    numpy=reduction,
)
