"""The family attention: one attention, or its gradient, whose operands are views of what lies in memory."""

from __future__ import annotations

from typing import Final

from graphc.errors import GraphError
from graphc.families.attention import kernel
from graphc.families.bodies import check_views, only
from graphc.families.record import Colours, Family
from graphc.ir.graph import Graph, Node
from graphc.ir.op import Op


def _attends(op: Op) -> bool:
    return op.attends


def _check(body: Graph) -> None:
    node = only(body, "attention", _attends)
    check_views(body, node)
    if not set(body.outputs) <= set(node.outputs):
        raise GraphError("the outputs of an attention kernel are those of its attention")


def _operations(node: Node) -> int:
    """Those of its two products, or of the seven that its gradient makes, hidden scores included."""
    q, k, v = (value.type for value in node.inputs[:3])
    products = 1 if len(node.outputs) == 2 else 3.5
    return int(products * 2 * q.size * k.shape[-2] * (1 + v.shape[-1] / q.shape[-1]))


FAMILY: Final = Family(
    name="attention",
    doc="softmax(scale q k^T) v and its gradient, with no scores in memory",
    lowers=_attends,
    build=kernel.build,
    check=_check,
    fits=kernel.computes,
    search=kernel.search,
    parts=kernel.parts,
    reads="views",
    said=lambda roots, ops, single: f"scores and weights stay in registers, operands are read in place: {ops}",
    operations=_operations,
    texels=lambda node: True,
    kind="attention",
    colours=Colours("#f6b26b", "#fde9d0", "#e2574c"),
)
