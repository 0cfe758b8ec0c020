"""The family column: reductions over axes that are not the last ones.

All reductions of a body reduce one set of axes of one shape; what depends on them is read at its own position; outputs
have as many elements as a result.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from graphc.errors import GraphError
from graphc.families.bodies import check_epilogue, column_space, reduced_rows, reductions
from graphc.families.column import kernel
from graphc.families.host import reduction
from graphc.families.record import Colours, Family
from graphc.ir.graph import Graph, Node


def _check(body: Graph) -> None:
    sums = reductions(body)
    column_space(body)
    if reduced_rows(sums[0]) is not None:
        raise GraphError("a column kernel reduces axes that are not the last ones")
    check_epilogue(body, {node.out for node in sums}, sums[0].out.type.size)


def _in_place(roots: Sequence[Node]) -> bool:
    """Not where the axes that are reduced have one element: then an input has as many as the result."""
    return all(node.inputs[0].type.size != node.out.type.size for node in roots)


FAMILY: Final = Family(
    name="column",
    doc="sums over leading axes, in two deterministic steps where they are long",
    lowers=lambda op: op.reduces,
    build=kernel.build,
    computes=lambda node: reduced_rows(node) is None,
    check=_check,
    search=kernel.search,
    reads="elements",
    grows=True,
    many=True,
    space=lambda node: column_space(Graph((), {}, (node,), ())),
    horizontal=True,
    terms=lambda node: node.inputs[0].type.size // max(node.out.type.size, 1),
    in_place=_in_place,
    said=lambda roots, ops, single: f"summed as it is computed: {ops}",
    kind="column",
    colours=Colours("#a5ded6", "#e6f6f4", "#3aa79a"),
    numpy=reduction,
)
