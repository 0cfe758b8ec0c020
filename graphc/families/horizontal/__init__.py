"""The family horizontal: independent kernels of other families, launched together (horizontal fusion).

The nodes of a body are kernels.
"""

from __future__ import annotations

from typing import Final

from graphc.errors import GraphError
from graphc.families.horizontal import kernel
from graphc.families.record import Colours, Family
from graphc.ir.graph import Graph


def _check(body: Graph) -> None:
    made = {v for node in body.nodes for v in node.outputs}
    for node in body.nodes:
        if not made.isdisjoint(node.inputs):
            raise GraphError(f"{node!r} waits for a kernel that it is launched with")


FAMILY: Final = Family(
    name="horizontal",
    doc="kernels of the families above that wait for nothing of each other, launched together",
    lowers=lambda op: False,
    build=kernel.build,
    check=_check,
    launches=True,
    horizontal=True,
    kind="horizontal",
    colours=Colours("#ffbe85", "#ffeede", "#e08a3c"),
)
