"""The family index_update: writing at computed indices."""

from __future__ import annotations

from typing import Final

from graphc.families.index_update.kernel import index_update
from graphc.families.record import Family

FAMILY: Final = Family(
    name="index_update",
    doc="writing at computed indices",
    lowers=lambda op: op.kernel == "index_update",
    build=index_update,
)
