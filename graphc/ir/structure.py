"""What makes two graphs the same program, and two constants the same."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from graphc.ir.graph import Graph, Value
from graphc.ir.types import NDArray


def structure(graph: Graph) -> Hashable:
    """What makes two graphs compute the same: their ops, attributes, types and constants, not names or source lines."""
    number: dict[Value, int] = {}
    for value in graph.values():
        number[value] = len(number)
    constants = tuple((v.type, array.tobytes()) for v, array in graph.constants.items())
    nodes = tuple(
        (node.op.name, tuple(number[v] for v in node.inputs), len(node.outputs), _frozen(node.attrs))
        for node in graph.nodes
    )
    return tuple(v.type for v in graph.inputs), constants, nodes, tuple(number[v] for v in graph.outputs)


def _frozen(attrs: Any) -> Hashable:
    # The rule of a call matters to differentiation, which is over by now.
    return tuple((k, structure(v) if isinstance(v, Graph) else v) for k, v in attrs.items() if k != "rule")


def same_constant(a: NDArray, b: NDArray) -> bool:
    """Whether two constants are the same bytes (so that NaN equals NaN and -0.0 differs from 0.0)."""
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
