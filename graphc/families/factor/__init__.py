"""The family factor: decompositions of matrices, and triangular solves."""

from __future__ import annotations

from typing import Final

from graphc.families.factor.kernel import build, operations
from graphc.families.record import Family

FAMILY: Final = Family(
    name="factor",
    doc="decompositions of matrices, and triangular solves",
    lowers=lambda op: op.kernel == "factor",
    build=build,
    operations=operations,
)
