"""The family matmul: one product, whose operands are views of what lies in memory, and an epilogue.

What depends on the product is read at the same flat position; outputs have as many elements as its result.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from graphc.families.bodies import check_epilogue, check_views, only
from graphc.families.matmul import kernel
from graphc.families.matmul.host import product
from graphc.families.record import Colours, Family
from graphc.ir.graph import Graph, Node
from graphc.ir.index import LANES
from graphc.ir.op import Op

SIDE: Final = 16
"""Rows, and columns, of a result from which on textures pay: with fewer, each element of a copy is read too seldom."""


def _multiplies(op: Op) -> bool:
    return op.contracts


def _check(body: Graph) -> None:
    node = only(body, "matmul", _multiplies)
    check_views(body, node)
    check_epilogue(body, {node.out}, node.out.type.size)


def _in_place(roots: Sequence[Node]) -> bool:
    """Whether no invocation reads past the end of its row, where another one writes."""
    return roots[0].out.type.shape[-1] % LANES == 0


def _said(roots: Sequence[Node], ops: str, single: bool) -> str:
    return "operands read in place" if single else f"written from the matmul's registers: {ops}"


def _operations(node: Node) -> int:
    return 2 * node.out.type.size * node.inputs[0].type.shape[-1]


def _texels(node: Node) -> bool:
    a, b = (v.type for v in node.inputs)
    m, k, n = a.shape[-2], a.shape[-1], b.shape[-1]
    rows = node.out.type.size // n if n and b.size == k * n else m  # a batch of A against one B is one product
    return min(rows, n) >= SIDE


FAMILY: Final = Family(
    name="matmul",
    doc="batched products with folded operands and an epilogue",
    lowers=_multiplies,
    build=kernel.build,
    check=_check,
    search=kernel.search,
    reads="views",
    grows=True,
    horizontal=True,
    terms=lambda node: node.inputs[0].type.shape[-1],
    in_place=_in_place,
    said=_said,
    operations=_operations,
    texels=_texels,
    kind="matmul",
    colours=Colours("#ffc99b", "#fff1e4", "#f2994a"),
    numpy=product,
)
