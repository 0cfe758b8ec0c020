"""All operations, one record each. A record found in one of these modules is an op: nothing else to register."""

from __future__ import annotations

from typing import Final

from graphc.ir.op import Op
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

OPS: Final[dict[str, Op]] = {op.name: op for module in MODULES for op in vars(module).values() if isinstance(op, Op)}


def by_name(name: str) -> Op:
    """The op of this name; raises KeyError for a name that no op has."""
    return OPS[name]
