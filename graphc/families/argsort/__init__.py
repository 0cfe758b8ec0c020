"""The family argsort: the order of the elements of each row."""

from __future__ import annotations

from typing import Final

from graphc.families.argsort.host import order
from graphc.families.argsort.kernel import argsort, turns
from graphc.families.record import Family

FAMILY: Final = Family(
    name="argsort",
    doc="the order of the elements of rows",
    lowers=lambda op: op.kernel == "argsort",
    build=argsort,
    numpy=order,
    operations=lambda node: node.inputs[0].type.size * turns(node.inputs[0].type.shape[-1]),
)
