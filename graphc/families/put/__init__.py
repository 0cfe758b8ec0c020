"""The family put: one row of a stack, written in the bytes of the stack."""

from __future__ import annotations

from typing import Final

from graphc.families.put.kernel import put
from graphc.families.record import Family

FAMILY: Final = Family(
    name="put",
    doc="one row of a stack, written in the bytes of the stack",
    lowers=lambda op: op.kernel == "put",
    build=put,
)
