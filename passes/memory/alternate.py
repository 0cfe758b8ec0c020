"""alternate: two steps in one turn of a loop, where a step alone would end with copies.

What a step computes for the next one has to end up where that reads it. Where something still reads what lies there, it
is computed elsewhere, and copied. Two steps in a row read and write two places in turns: the second one writes what the
first one has read, so that nothing is copied.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from graphc.analysis.loops import is_loop, passed_through
from graphc.ir.graph import Builder, Graph, Node, Value, renamed
from graphc.ir.rewriting import rewrite
from graphc.ir.scan import Scan
from graphc.ops.structured import dynamic_update_slice, scan

MOST: Final = 16
"""Nodes of a step above which its copies are few beside its work, and twice as many launches would be planned."""

OFTEN: Final = 4
"""Steps of a loop from which on there are copies to save."""


def alternate(graph: Graph) -> Graph:
    """Let loops make two steps in a turn where that saves copies; what is left of an odd number follows the loop."""

    def in_pairs(builder: Builder, node: Node, env: Mapping[Value, Value]) -> Sequence[Value] | None:
        if not _wins(node):
            return None
        loop, inputs = Scan.of(node), renamed(node.inputs, env)
        turns, left = divmod(loop.length, 2)
        twice = replace(loop, body=_twice(loop), length=turns)
        after = builder.add(scan, *inputs, **twice.attrs)
        return builder.inline(loop.body, (*loop.operands(inputs).constants, *after)) if left else after

    return rewrite(graph, in_pairs)


def _wins(node: Node) -> bool:
    """Whether a node is a loop, its slices taken by a counter, that copies less with two steps in a turn."""
    if node.op is not scan or node.attrs["length"] < OFTEN:
        return False
    loop, body = Scan.of(node), node.attrs["body"]
    if not loop.counted:
        return False
    if len(body.nodes) > MOST or any(map(is_loop, body.nodes)) or any(map(_updates, body.nodes)):
        return False
    once = copies(body, loop.consts)
    return once > 0 and copies(_twice(loop), loop.consts) < 2 * once


def _updates(node: Node) -> bool:
    """Whether a node writes into what it is given, which needs no other place."""
    inner = node.attrs["body"].nodes if node.op.is_kernel else ()
    return node.op.updates or any(map(_updates, inner))


def _twice(loop: Scan) -> Graph:
    """Two steps of a loop as one."""
    body = loop.body
    builder = Builder.of(body)
    builder.nodes = list(body.nodes)
    return builder.build(builder.inline(body, (*loop.operands(body.inputs).constants, *body.outputs)))


def copies(body: Graph, consts: int) -> int:
    """How many of its results a step has to copy to where the next one reads them."""
    roots: dict[Value, Value] = {}
    made: dict[Value, int] = {}
    for position, node in enumerate(body.nodes):
        roots.update((out, roots.get(source, source)) for out, source in passed_through(node))
        if node.op is dynamic_update_slice:
            roots[node.out] = roots.get(node.inputs[0], node.inputs[0])
        made.update((v, position) for v in node.outputs if v not in roots)
    variables = body.inputs[consts:]
    results = [roots.get(v, v) for v in body.outputs]
    found = 0
    for k, (value, variable) in enumerate(zip(results, variables, strict=True)):
        if value is variable:
            continue
        kept = variable in results or value in results[:k] or value not in made
        readers = [n for n, node in enumerate(body.nodes) if any(roots.get(v, v) is variable for v in node.inputs)]
        found += kept or not all(
            n < made[value] or (n == made[value] and _in_place(body.nodes[n], variable)) for n in readers
        )
    return found


def _in_place(node: Node, variable: Value) -> bool:
    """Whether a node reads each element of a tensor for the result at the same place alone."""
    if not node.op.is_kernel:
        return node.op.elementwise and node.out.type.shape == variable.type.shape
    inner: Graph = node.attrs["body"]
    read = {v for v, outer in zip(inner.inputs, node.inputs, strict=True) if outer is variable}
    readers = [n for n in inner.nodes if not read.isdisjoint(n.inputs)]
    return bool(read) and all(_in_place(n, next(iter(read))) for n in readers)
