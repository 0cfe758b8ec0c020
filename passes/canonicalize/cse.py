"""cse: common subexpression elimination."""

from __future__ import annotations

import struct
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from graphc.ir.graph import Builder, Graph, Node, Source, Value, renamed
from graphc.ir.rewriting import map_nodes, rewrite, rewrite_into
from graphc.ir.types import NDArray


def cse(graph: Graph) -> Graph:
    """Merge nodes that apply the same op with the same attrs to the same values, and equal constants.

    Every op is pure, random ones included (their key is an input), so equal means same op, inputs, attrs and types;
    constants are compared by their bytes. The node that stays keeps the source lines of those that it stands for.
    A `barrier` is never merged: it keeps what checkpoint recomputes apart from what was computed before. Its work is
    then done, so barriers are dropped at the end.
    """
    constants, same = _merge_constants(graph.constants)
    first: dict[Hashable, tuple[Value, ...]] = {}
    sources: dict[tuple[Value, ...], list[Source]] = {}

    def merged(builder: Builder, node: Node, env: Mapping[Value, Value]) -> Sequence[Value] | None:
        if "barrier" in node.op.traits:
            return None
        found = first.setdefault(node_key(node, renamed(node.inputs, env)), node.outputs)
        if found is node.outputs:
            return None
        sources.setdefault(found, []).append(node.source)
        return found

    def located(node: Node) -> Node:
        others = sources.get(node.outputs)
        return node if others is None else replace(node, source=node.source.merged(others))

    builder = Builder.of(replace(graph, constants=constants))
    outputs = rewrite_into(builder, graph, merged, same)
    return drop_barriers(map_nodes(builder.build(outputs), located))


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
