"""The family cumsum: running sums."""

from __future__ import annotations

from typing import Final

from graphc.families.cumsum.kernel import cumsum
from graphc.families.record import Family

FAMILY: Final = Family(
    name="cumsum",
    doc="running sums",
    lowers=lambda op: op.kernel == "cumsum",
    build=cumsum,
)
