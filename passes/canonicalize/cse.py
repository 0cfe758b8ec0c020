"""cse: common subexpression elimination."""

from __future__ import annotations

import struct
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from graphc.ir.graph import Builder, Graph, Node, Source, Value, renamed, rewrite
from graphc.ir.types import NDArray


def cse(graph: Graph) -> Graph:
    """Merge nodes that apply the same op with the same attrs to the same values, and equal constants.

    Every op is pure, random ones included (their key is an input), so equal means same op, inputs, attrs and types;
    constants are compared by their bytes. The node that stays keeps the source lines of those that it stands for.
    A `barrier` is never merged: it keeps what checkpoint recomputes apart from what was computed before. Its work is
    then done, so barriers are dropped at the end.
    """
    constants, env = _merge_constants(graph.constants)
    first: dict[Hashable, int] = {}
    kept: list[Node] = []
    sources: dict[int, list[Source]] = {}
    for node in graph.nodes:
        inputs = renamed(node.inputs, env)
        key = None if "barrier" in node.op.traits else node_key(node, inputs)
        position = len(kept) if key is None else first.setdefault(key, len(kept))
        if position == len(kept):
            kept.append(node if inputs == node.inputs else replace(node, inputs=inputs))
            continue
        env.update(zip(node.outputs, kept[position].outputs, strict=True))
        sources.setdefault(position, []).append(node.source)
    for position, others in sources.items():
        kept[position] = replace(kept[position], source=kept[position].source.merged(others))
    outputs = renamed(graph.outputs, env)
    return drop_barriers(Graph(graph.inputs, constants, tuple(kept), outputs))


def drop_barriers(graph: Graph) -> Graph:
    """Let the readers of every `barrier` read what it passes on."""

    def passed(builder: Builder, node: Node, env: Mapping[Value, Value]) -> Sequence[Value] | None:
        return renamed(node.inputs, env) if "barrier" in node.op.traits else None

    return rewrite(graph, passed)


def node_key(node: Node, inputs: tuple[Value, ...]) -> Hashable:
    """A key that is equal for two nodes only if they compute the same values, `inputs` standing for node.inputs."""
    if "commutative" in node.op.traits:
        inputs = tuple(sorted(inputs, key=lambda v: v.id))
    types = tuple(v.type for v in node.outputs)
    return node.op, inputs, attr_key(node.attrs), types


def attr_key(value: Any) -> Hashable:
    """A hashable stand-in for an attribute: 1, 1.0 and True differ, NaN equals itself, -0.0 is not 0.0."""
    if isinstance(value, float):
        return "float", struct.pack("<d", value)
    if isinstance(value, Mapping):
        return "mapping", tuple((key, attr_key(value[key])) for key in sorted(value))
    if isinstance(value, tuple | list):
        return type(value).__name__, tuple(attr_key(item) for item in value)
    if isinstance(value, np.ndarray | np.generic):
        return "array", value.dtype, value.shape, value.tobytes()
    if isinstance(value, Hashable):
        return type(value).__name__, value
    return "object", id(value)


def _merge_constants(constants: Mapping[Value, NDArray]) -> tuple[dict[Value, NDArray], dict[Value, Value]]:
    first: dict[Hashable, Value] = {}
    kept: dict[Value, NDArray] = {}
    env: dict[Value, Value] = {}
    for value, array in constants.items():
        same = first.setdefault((value.type, array.tobytes()), value)
        if same is value:
            kept[value] = array
        else:
            env[value] = same
    return kept, env
