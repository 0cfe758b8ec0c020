"""The family put: one row of a stack, written in the bytes of the stack."""

from __future__ import annotations

from typing import Final

from graphc.families.put.kernel import put
from graphc.families.record import Family
from graphc.ir.op import Custom

FAMILY: Final = Family(
    name="put",
    doc="one row of a stack, written in the bytes of the stack",
    lowers=lambda op: isinstance(op.lowering, Custom) and op.lowering.kernel == "put",
    build=put,
)
