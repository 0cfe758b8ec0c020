"""The family dynamic_update_slice: one row of a stack, written in the bytes of the stack."""

from __future__ import annotations

from typing import Final

from graphc.families.dynamic_update_slice.kernel import dynamic_update_slice
from graphc.families.record import Family

FAMILY: Final = Family(
    name="dynamic_update_slice",
    doc="one row of a stack, written in the bytes of the stack",
    lowers=lambda op: op.kernel == "dynamic_update_slice",
    build=dynamic_update_slice,
)
