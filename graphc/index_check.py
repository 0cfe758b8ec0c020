"""Indices out of range among the arguments of a call, found before the call runs.

A GPU cannot raise: what kernels read out of range is NaN. Arguments that are used as indices just as they come (token
ids, labels) are therefore checked on the host, where the host knows them: ndarrays, and Arrays that were made of one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from graphc.errors import IndexRangeError
from graphc.ir import Graph, Node, Value
from graphc.printer import describe
from graphc.runtime.array import Array, bounds_of

_IDS: Final = {"take": 1, "take_along_axis": 1, "index_update": 1, "scatter_add": 0}
"""The operand that holds the indices, of each op that indexes."""

_SAME_ELEMENTS: Final = frozenset({"reshape", "transpose", "broadcast_to", "flip", "stop_gradient"})
"""Ops whose result has exactly the elements of their operand."""


@dataclass(frozen=True, slots=True)
class IndexLimit:
    """An argument is an index into an axis of `size`; `where` is the node that says so."""

    size: int
    where: str

    def check(self, name: str, indices: Any) -> None:
        """Raise IndexRangeError if one of `indices` is known to lie outside [-size, size)."""
        bounds = indices.bounds if isinstance(indices, Array) else bounds_of(np.asarray(indices))
        if bounds is None:
            return
        low, high = bounds
        if low < -self.size or high >= self.size:
            bad = low if low < -self.size else high
            raise IndexRangeError(
                f"argument {name}: index {bad} is out of range for an axis of {self.size}\n  in  {self.where}"
            )


def index_limits(graph: Graph) -> Mapping[int, IndexLimit]:
    """The limit of each input that is used as indices just as it comes: the narrowest of several."""
    origin: dict[Value, int] = {v: n for n, v in enumerate(graph.inputs) if v.type.dtype.kind in ("int", "uint")}
    found: dict[int, IndexLimit] = {}
    for node in graph.nodes:
        name = node.op.name
        if name in _IDS:
            slot = origin.get(node.inputs[_IDS[name]])
            size = _axis_size(node)
            if slot is not None and (slot not in found or size < found[slot].size):
                found[slot] = IndexLimit(size, describe(graph, node))
        elif (name in _SAME_ELEMENTS or _is_integer_cast(node)) and node.inputs[0] in origin:
            origin[node.out] = origin[node.inputs[0]]
    return found


def _is_integer_cast(node: Node) -> bool:
    return node.op.name == "cast" and node.out.type.dtype.kind in ("int", "uint")


def _axis_size(node: Node) -> int:
    if node.op.name == "scatter_add":
        return int(node.attrs["size"])
    return int(node.inputs[0].type.shape[node.attrs["axis"]])
