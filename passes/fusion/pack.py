"""Scalars that many kernels read, put side by side in one small tensor.

An optimizer's step sizes and bias corrections are a handful of numbers computed once a step and read by the update of
every parameter. Each costs a buffer binding there; together they cost one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from graphc.ir.graph import Builder, Graph, Node, Value
from graphc.ir.rewriting import rewrite
from graphc.ir.types import DType
from graphc.ops.movement import concatenate, reshape, slice_


def pack_scalars(graph: Graph) -> Graph:
    """Let larger ops read the results of scalar programs from one tensor for each element type.

    Only scalars computed from scalars alone are packed: they wait for nothing else, so that no op waits longer.
    """
    packs = {dtype: values for dtype, values in _scalars(graph).items() if len(values) > 1}
    if not packs:
        return graph
    last = {values[-1]: values for values in packs.values()}
    views: dict[Value, Value] = {}

    def packed(builder: Builder, node: Node, env: Mapping[Value, Value]) -> Sequence[Value]:
        builder.copy(node, views if node.out.type.size > 1 else {})
        for values in (last[v] for v in node.outputs if v in last):
            views.update(_pack(builder, values))
        return node.outputs

    waiting = {v for values in packs.values() for v in values}
    return rewrite(replace(graph, nodes=_scalars_first(graph, waiting)), packed)


def _scalars(graph: Graph) -> dict[DType, list[Value]]:
    """The scalars to pack, by element type, in order of computation."""
    known = {v for v in (*graph.inputs, *graph.constants) if v.type.size == 1}
    fixed = set(graph.constants)
    computed: dict[Value, None] = {}
    for node in graph.nodes:
        if node.outputs[0].type.size == 1 and all(v in known for v in node.inputs):
            known.update(node.outputs)
            if all(v in fixed for v in node.inputs):
                fixed.update(node.outputs)
            elif node.op.elementwise:
                computed[node.out] = None
    read = {v for node in graph.nodes if node.outputs[0].type.size > 1 for v in node.inputs}
    found: dict[DType, list[Value]] = {}
    for value in computed:
        if value in read:
            found.setdefault(value.type.dtype, []).append(value)
    return found


def _scalars_first(graph: Graph, packed: set[Value]) -> tuple[Node, ...]:
    """The nodes in an order where what the packed scalars depend on stands before everything else."""
    needed = set(packed)
    early: set[Node] = set()
    for node in reversed(graph.nodes):
        if not needed.isdisjoint(node.outputs):
            early.add(node)
            needed.update(node.inputs)
    return tuple(sorted(graph.nodes, key=lambda node: node not in early))


def _pack(builder: Builder, values: list[Value]) -> dict[Value, Value]:
    """Add the tensor of these scalars, and a view of it for each."""
    rows = [builder.apply(reshape, v, shape=(1,)) for v in values]
    packed = builder.apply(concatenate, *rows, axis=0)
    found = {}
    for k, value in enumerate(values):
        part = builder.apply(slice_, packed, start=(k,), stop=(k + 1,), step=(1,))
        found[value] = builder.apply(reshape, part, shape=value.type.shape)
    return found
