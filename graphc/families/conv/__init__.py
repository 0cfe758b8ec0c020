"""The family conv: one convolution, whose operands are views of what lies in memory, and an epilogue.

What depends on the convolution is read at the same flat position; outputs have as many elements as its result.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from graphc.families.bodies import check_epilogue, check_views, only
from graphc.families.conv import kernel
from graphc.families.conv.packed import WORK, pays
from graphc.families.conv.shape import convolves, shape_of
from graphc.families.record import Colours, Family
from graphc.ir.graph import Graph, Node


def _check(body: Graph) -> None:
    node = only(body, "conv", convolves)
    check_views(body, node)
    check_epilogue(body, {node.out}, node.out.type.size)


def _terms(node: Node) -> int:
    return shape_of(node).terms


def _said(roots: Sequence[Node], ops: str, single: bool) -> str:
    return "operands read in place" if single else f"written from the convolution's registers: {ops}"


FAMILY: Final = Family(
    name="conv",
    doc="convolutions over two axes with folded operands and an epilogue; their gradients, which are convolutions too",
    lowers=convolves,
    build=kernel.build,
    check=_check,
    search=kernel.search,
    reads="views",
    grows=True,
    horizontal=True,
    terms=_terms,
    said=_said,
    operations=lambda node: 2 * node.out.type.size * _terms(node),
    texels=pays,
    work=WORK,
    kind="conv",
    colours=Colours("#e8d19a", "#faf3df", "#c99a2e"),
)
