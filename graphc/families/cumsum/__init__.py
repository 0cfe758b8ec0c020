"""The family cumsum: running sums."""

from __future__ import annotations

from typing import Final

from graphc.families.cumsum.kernel import cumsum
from graphc.families.record import Family
from graphc.ir.op import Custom

FAMILY: Final = Family(
    name="cumsum",
    doc="running sums",
    lowers=lambda op: isinstance(op.lowering, Custom) and op.lowering.kernel == "cumsum",
    build=cumsum,
)
