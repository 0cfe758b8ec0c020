"""The family map: pointwise ops and index arithmetic; each element of the results is computed on its own."""

from __future__ import annotations

from typing import Final

from graphc.errors import GraphError
from graphc.families.map import kernel
from graphc.families.map.host import pointwise
from graphc.families.record import Colours, Family, touched
from graphc.ir.graph import Graph, Node
from graphc.ir.op import Op


def _check(body: Graph) -> None:
    shapes = {v.type.shape for v in body.outputs}
    if len(shapes) > 1:
        raise GraphError(f"the outputs of a map kernel have one shape, got {sorted(map(str, shapes))}")


def maps(op: Op) -> bool:
    """Whether an op computes each element on its own; such ops go along with the roots of other families."""
    return op.maps


def _operations(node: Node) -> int:
    if node.op.elementwise or "view" in node.op.traits:
        return sum(v.type.size for v in node.outputs)
    return touched(node)


FAMILY: Final = Family(
    name="map",
    doc="pointwise ops and index arithmetic",
    lowers=maps,
    build=kernel.build,
    check=_check,
    search=kernel.search,
    reads="elements",
    grows=True,
    horizontal=True,
    in_place=lambda roots: True,
    said=lambda roots, ops, single: f"one visit to each element: {ops}",
    operations=_operations,
    kind="map",
    colours=Colours("#b9d7f4", "#ecf4fc", "#4d90d6"),
    numpy=pointwise,
)
