"""All kernel families, and which of them computes a node. A new one is a line in FAMILIES."""

from __future__ import annotations

from functools import cache
from typing import Final

from graphc.errors import GraphError
from graphc.families import (
    argsort,
    attention,
    column,
    conv,
    cumsum,
    dynamic_update_slice,
    factor,
    horizontal,
    index_update,
    map,
    matmul,
    row,
    scatter_add,
)
from graphc.families.record import Family
from graphc.ir.graph import Graph, Node
from graphc.ir.op import Op

FAMILIES: Final = (
    matmul.FAMILY,
    conv.FAMILY,
    horizontal.FAMILY,
    attention.FAMILY,
    row.FAMILY,
    column.FAMILY,
    map.FAMILY,
    cumsum.FAMILY,
    argsort.FAMILY,
    scatter_add.FAMILY,
    index_update.FAMILY,
    dynamic_update_slice.FAMILY,
    factor.FAMILY,
)
"""In the order in which legends name them."""

_NAMED: Final = {family.name: family for family in FAMILIES}
NAMES: Final = tuple(_NAMED)
MAP: Final = map.FAMILY
"""The family whose ops go along with the roots of others, and which copies tensors."""


LAUNCH: Final = horizontal.FAMILY
"""The family of kernels that are launched together."""

OWN: Final = Family(
    "custom", "what is inlined first, and ops of no elements", lambda op: False, lambda body, context: []
)
"""Stands for the family of nodes that have none: fusion leaves them as they are."""


def by_name(name: str) -> Family:
    """The family of this name; raises GraphError where there is none."""
    if name not in _NAMED:
        raise GraphError(f"there is no kernel family {name!r}: there are {', '.join(NAMES)}")
    return _NAMED[name]


@cache
def _lowering(op: Op) -> tuple[Family, ...]:
    return tuple(family for family in FAMILIES if family.lowers(op))


def family_of(node: Node) -> Family | None:
    """The family that computes the op of a node; None for one that is inlined first."""
    for family in _lowering(node.op):
        if family.computes(node):
            return family
    return None


def kernel_family(node: Node) -> Family | None:
    """The family of a fused kernel, or of an op that is a kernel of its own; None for what is inlined first."""
    named = node.attrs.get("family")
    return family_of(node) if named is None else by_name(named)


def check_family(body: Graph, name: str) -> None:
    """Raise GraphError, saying what stands in the way, unless one kernel of the family can compute `body`."""
    family = by_name(name)
    if not body.outputs:
        raise GraphError(f"{_a(name)} kernel has outputs")
    for value, array in body.constants.items():
        if array.size != 1:
            raise GraphError(f"the constant {value!r} is no scalar: it must be an input")
    for node in body.nodes:
        if family.launches:
            _check_part(node)
        elif not (MAP.lowers(node.op) or family.lowers(node.op)):
            raise GraphError(f"{_a(name)} kernel does not compute {node.op.name}")
    produced = {v for node in body.nodes for v in node.outputs}
    for value in body.outputs:
        if value not in produced:
            raise GraphError(f"output {value!r} is not computed in the body")
    family.check(body)


def _check_part(node: Node) -> None:
    """Raise GraphError unless the kernel of a node may share a launch."""
    family = kernel_family(node)
    if family is None or family.launches or not family.horizontal:
        raise GraphError(f"{node.op.name} has a kernel of its own")
    if "body" in node.attrs:
        check_family(node.attrs["body"], family.name)


def _a(name: str) -> str:
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
