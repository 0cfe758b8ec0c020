"""The family scatter_add: sums at computed indices, without atomics on floats."""

from __future__ import annotations

from typing import Final

from graphc.families.record import Family
from graphc.families.scatter_add.kernel import scatter_add, search

FAMILY: Final = Family(
    name="scatter_add",
    doc="sums at computed indices",
    lowers=lambda op: op.kernel == "scatter_add",
    build=scatter_add,
    search=search,
)
