"""loops: scans without slices.

What is left of a scan is what a step takes over from the step before, and what all steps see: a step of the loop is
then the same dispatches each time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from graphc.ir.graph import Builder, Graph, Node, Value, new_value, prune, renamed
from graphc.ir.rewriting import rewrite
from graphc.ir.scan import Scan
from graphc.ir.types import TensorType, i32
from graphc.ops import by_name
from graphc.ops.structured import dynamic_update_slice, scan


def loops(graph: Graph) -> Graph:
    """Let every scan count its steps, take its slices with the counter, and put its results into carried stacks.

    Stacks that nothing reads are left out. A loop of no steps becomes its first carry and empty stacks.
    """
    read = {v for node in graph.nodes for v in node.inputs} | set(graph.outputs)

    def counting(builder: Builder, node: Node, env: Mapping[Value, Value]) -> Sequence[Value] | None:
        if node.op is not scan or not _has_slices(node):
            return None
        inputs = renamed(node.inputs, env)
        if node.attrs["length"] == 0:
            return _no_steps(builder, node, inputs)
        _count(builder, node, inputs, read)
        return node.outputs

    found = rewrite(graph, counting)
    return graph if found is graph else prune(found)


def _has_slices(node: Node) -> bool:
    loop = Scan.of(node)
    return not loop.counted or loop.length == 0


def _no_steps(builder: Builder, node: Node, inputs: Sequence[Value]) -> list[Value]:
    loop = Scan.of(node)
    return [*loop.operands(inputs).carries, *(_zeros(builder, y.type) for y in loop.results(node.outputs).ys)]


def _count(builder: Builder, node: Node, inputs: Sequence[Value], read: set[Value]) -> None:
    """Add the scan that counts, with the outputs of `node` that are read."""
    loop, body = Scan.of(node), node.attrs["body"]
    own, given = loop.operands(body.inputs), loop.operands(inputs)
    kept = [(y, row) for y, row in zip(*(loop.results(v).ys for v in (node.outputs, body.outputs)), strict=True)]
    kept = [(y, row) for y, row in kept if y in read]
    inner = Builder(node.source)
    inner.constants = dict(body.constants)
    whole = [new_value(v.type, v.hint) for v in given.xs]
    stacks = [new_value(y.type, y.hint) for y, _ in kept]
    step = new_value(TensorType((), i32), "step")
    inner.inputs = [*own.constants, *whole, *own.carries, *stacks, step]
    for source, value in zip(whole, own.xs, strict=True):
        known = {"axis": 0, "clamp": True}  # no step lies outside
        inner.nodes.append(Node(by_name("take"), (source, step), (value,), known, node.source))
    inner.nodes += body.nodes
    on = -1 if loop.reverse else 1
    after = inner.apply(by_name("add"), step, inner.constant(np.asarray(on, np.int32)))
    filled = [
        inner.apply(dynamic_update_slice, s, after, row, shift=-on) for s, (_, row) in zip(stacks, kept, strict=True)
    ]
    made = inner.build([*loop.results(body.outputs).carries, *filled, after])
    start = builder.constant(np.asarray(loop.length - 1 if loop.reverse else 0, np.int32))
    first = [*given.constants, *given.xs, *given.carries, *(_zeros(builder, s.type) for s in stacks), start]
    consts, carries = loop.consts + len(whole), loop.carries + len(stacks) + 1
    counting = replace(loop, body=made, consts=consts, carries=carries, reverse=False)
    outputs = (*loop.results(node.outputs).carries, *(y for y, _ in kept), new_value(step.type))
    builder.nodes.append(Node(scan, tuple(first), outputs, counting.attrs, node.source))


def _zeros(builder: Builder, type: TensorType) -> Value:
    zero = builder.constant(np.zeros((), type.dtype.numpy))
    return builder.apply(by_name("broadcast_to"), zero, shape=type.shape)
