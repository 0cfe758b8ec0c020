"""loops: scans without slices.

What is left of a scan is what a step takes over from the step before, and what all steps see: a step of the loop is
then the same dispatches each time.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from graphc.ir.graph import Builder, Graph, Node, Value, new_value, prune, renamed
from graphc.ir.types import TensorType, i32
from graphc.ops import by_name
from graphc.ops.structured import dynamic_update_slice, scan


def loops(graph: Graph) -> Graph:
    """Let every scan count its steps, take its slices with the counter, and put its results into carried stacks.

    Stacks that nothing reads are left out. A loop of no steps becomes its first carry and empty stacks.
    """
    if not any(node.op is scan and _has_slices(node) for node in graph.nodes):
        return graph
    read = {v for node in graph.nodes for v in node.inputs} | set(graph.outputs)
    builder = Builder()
    builder.inputs, builder.constants = list(graph.inputs), dict(graph.constants)
    env: dict[Value, Value] = {}
    for node in graph.nodes:
        if node.op is not scan or not _has_slices(node):
            builder.copy(node, env)
            continue
        inputs = renamed(node.inputs, env)
        with builder.at(node.source):
            if node.attrs["length"] == 0:
                _no_steps(builder, node, inputs, env)
            else:
                _count(builder, node, inputs, read)
    return prune(builder.build(renamed(graph.outputs, env)))


def _has_slices(node: Node) -> bool:
    counts = node.attrs["consts"] + node.attrs["carries"], node.attrs["carries"]
    return counts != (len(node.inputs), len(node.outputs)) or node.attrs["length"] == 0


def _no_steps(builder: Builder, node: Node, inputs: Sequence[Value], env: dict[Value, Value]) -> None:
    consts, carries = node.attrs["consts"], node.attrs["carries"]
    env.update(zip(node.outputs, inputs[consts : consts + carries], strict=False))
    env.update((stack, _zeros(builder, stack.type)) for stack in node.outputs[carries:])


def _count(builder: Builder, node: Node, inputs: Sequence[Value], read: set[Value]) -> None:
    """Add the scan that counts, with the outputs of `node` that are read."""
    body, length, reverse = node.attrs["body"], node.attrs["length"], node.attrs["reverse"]
    consts, carries = node.attrs["consts"], node.attrs["carries"]
    first = consts + carries
    kept = [k for k in range(carries, len(node.outputs)) if node.outputs[k] in read]
    inner = Builder(node.source)
    inner.constants = dict(body.constants)
    whole = [new_value(v.type, v.hint) for v in inputs[first:]]
    stacks = [new_value(node.outputs[k].type, node.outputs[k].hint) for k in kept]
    step = new_value(TensorType((), i32), "step")
    inner.inputs = [*body.inputs[:consts], *whole, *body.inputs[consts:first], *stacks, step]
    for source, value in zip(whole, body.inputs[first:], strict=True):
        known = {"axis": 0, "clamp": True}  # no step lies outside
        inner.nodes.append(Node(by_name("take"), (source, step), (value,), known, node.source))
    inner.nodes += body.nodes
    on = -1 if reverse else 1
    after = inner.apply(by_name("add"), step, inner.constant(np.asarray(on, np.int32)))
    filled = [
        inner.apply(dynamic_update_slice, s, after, body.outputs[k], shift=-on)
        for s, k in zip(stacks, kept, strict=True)
    ]
    made = inner.build([*body.outputs[:carries], *filled, after])
    start = builder.constant(np.asarray(length - 1 if reverse else 0, np.int32))
    given = [*inputs[:consts], *inputs[first:], *inputs[consts:first]]
    given += [_zeros(builder, s.type) for s in stacks]
    attrs = {
        "body": made,
        "length": length,
        "consts": consts + len(whole),
        "carries": carries + len(stacks) + 1,
        "reverse": False,
        **({"alive": node.attrs["alive"]} if "alive" in node.attrs else {}),
    }
    outputs = (*node.outputs[:carries], *(node.outputs[k] for k in kept), new_value(step.type))
    builder.nodes.append(Node(scan, (*given, start), outputs, attrs, node.source))


def _zeros(builder: Builder, type: TensorType) -> Value:
    zero = builder.constant(np.zeros((), type.dtype.numpy))
    return builder.apply(by_name("broadcast_to"), zero, shape=type.shape)
