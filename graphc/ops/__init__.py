"""All operations, one record each. A record found in one of these modules is an op: nothing else to register."""

from __future__ import annotations

from typing import Final

from graphc.ir.op import OPS, Op, by_name
from graphc.ops import (
    attention,
    conv,
    decompose,
    elementwise,
    indexing,
    linalg,
    logic,
    movement,
    order,
    position,
    random,
    reduce,
    structured,
    transcendental,
)

__all__ = ["MODULES", "OPS", "by_name"]

MODULES: Final = (
    elementwise,
    transcendental,
    logic,
    reduce,
    movement,
    linalg,
    decompose,
    attention,
    conv,
    indexing,
    order,
    position,
    random,
    structured,
)

OPS.update((op.name, op) for module in MODULES for op in vars(module).values() if isinstance(op, Op))
