"""Scalars that many kernels read, put side by side in one small tensor.

An optimizer's step sizes and bias corrections are a handful of numbers computed once a step and read by the update of
every parameter. Each costs a buffer binding there; together they cost one.
"""

from __future__ import annotations

from dataclasses import replace

from graphc.ir.graph import Builder, Graph, Node, Source, Value, renamed
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
    env: dict[Value, Value] = {}
    builder, waiting = Builder(), {v for values in packs.values() for v in values}
    for node in _scalars_first(graph, waiting):
        if node.out.type.size > 1 and not env.keys().isdisjoint(node.inputs):
            node = replace(node, inputs=renamed(node.inputs, env))
        builder.nodes.append(node)
        for values in (last[v] for v in node.outputs if v in last):
            env.update(_pack(builder, values, node.source))
    return Graph(graph.inputs, graph.constants, tuple(builder.nodes), graph.outputs)


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


def _scalars_first(graph: Graph, packed: set[Value]) -> list[Node]:
    """The nodes in an order where what the packed scalars depend on stands before everything else."""
    needed = set(packed)
    early: set[Node] = set()
    for node in reversed(graph.nodes):
        if not needed.isdisjoint(node.outputs):
            early.add(node)
            needed.update(node.inputs)
    return [n for n in graph.nodes if n in early] + [n for n in graph.nodes if n not in early]


def _pack(builder: Builder, values: list[Value], source: Source) -> dict[Value, Value]:
    """Add the tensor of these scalars, and a view of it for each."""
    with builder.at(source):
        rows = [builder.apply(reshape, v, shape=(1,)) for v in values]
        packed = builder.apply(concatenate, *rows, axis=0)
        found = {}
        for k, value in enumerate(values):
            part = builder.apply(slice_, packed, start=(k,), stop=(k + 1,), step=(1,))
            found[value] = builder.apply(reshape, part, shape=value.type.shape)
        return found
