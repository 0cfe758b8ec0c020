"""residuals: what the forward pass leaves for the backward pass is the least that gives the rest for nothing.

Two rules, both exact. A mask that says where `where(x <= 0, 0, x)` took the zero can be read off that result as well,
which is kept anyway for the product that follows: the mask of a relu need not lie in memory. And a value that cheap
pointwise ops make of other values that are kept is computed again where it is read: the scaled and shifted rows of a
layer norm beside the rows themselves. Without a backward pass nothing changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from graphc.ir.graph import BACKWARD, FORWARD, Builder, Graph, Node, Value
from graphc.ir.rewriting import rewrite
from graphc.passes.fusion.fuse import Fuse, fuse
from graphc.passes.memory.remat import Ladder, Rewrite


@dataclass(frozen=True, slots=True)
class Residuals:
    """The pass; kernels: the fusion that follows."""

    kernels: Fuse = fuse

    def __call__(self, graph: Graph) -> Graph:
        if not any(node.source.phase == BACKWARD for node in graph.nodes):
            return graph
        graph = masks_from_results(graph)
        ladder = Ladder(graph, self.kernels)
        return Rewrite(ladder, ladder.free()).run()


residuals: Final = Residuals()


def masks_from_results(graph: Graph) -> Graph:
    """Let the backward pass read `y <= 0` instead of `x <= 0`, where y = where(x <= 0, 0, x).

    The two are equal, for zeros of both signs and NaN too.
    """
    maker = graph.producers()
    zeros = {v for v, array in graph.constants.items() if array.size == 1 and array.reshape(())[()] == 0}

    def is_zero(value: Value) -> bool:
        while value in maker and maker[value].op.name == "broadcast_to":
            value = maker[value].inputs[0]
        return value in zeros

    results: dict[Value, tuple[Value, Value]] = {}
    for node in graph.nodes:
        if node.op.name != "where" or node.source.phase != FORWARD:
            continue
        mask, small, x = node.inputs
        test = maker.get(mask)
        if test is None or test.op.name != "le" or test.inputs[0] is not x or not is_zero(test.inputs[1]):
            continue
        if is_zero(small) and node.out.type == x.type:
            results[mask] = node.out, test.inputs[1]
    again: dict[Value, Value] = {}

    def from_result(builder: Builder, node: Node, env: Mapping[Value, Value]) -> Sequence[Value] | None:
        if node.source.phase != BACKWARD or results.keys().isdisjoint(node.inputs):
            return None
        for mask in node.inputs:
            if mask in results and mask not in again:
                with builder.at(replace(node.source, lines=maker[mask].source.lines)):
                    again[mask] = builder.apply(maker[mask].op, *results[mask], **maker[mask].attrs)
        return builder.copy(node, again)

    return rewrite(graph, from_result)
