"""Fusion: many ops, one kernel. Pointwise chains, row programs, column sums, and what surrounds a matmul.

The result holds `fused` nodes. The values of their bodies are those of the graph before, so that every op can be found
again, and each body obeys the rules of `graphc.families`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from graphc.families.registry import NAMES
from graphc.ir.graph import Graph, Node, prune
from graphc.passes.fusion.build import rebuild
from graphc.passes.fusion.explain import Decision, decide, reasons
from graphc.passes.fusion.facts import Facts
from graphc.passes.fusion.pack import pack_scalars
from graphc.passes.fusion.partition import Limits, Partition
from graphc.passes.fusion.strategy import join_dependent, join_independent
from graphc.passes.fusion.wide import narrow_nodes


@dataclass(frozen=True, slots=True)
class Fuse:
    """The fusion pass.

    max_buffers: most storage buffers of a kernel, inputs and outputs together. max_binding_bytes: what one of them may
    hold; a larger tensor takes several. max_nodes: most ops of a kernel, views included. families: those that may be
    fused; the others' ops stay nodes of their own. donated: input slots whose buffers results may take over: such pairs
    count as one buffer.
    """

    max_buffers: int = 8
    max_binding_bytes: int = 128 << 20
    max_nodes: int = 96
    families: tuple[str, ...] = NAMES
    donated: frozenset[int] = frozenset()

    def __call__(self, graph: Graph) -> Graph:
        part = self.partition(graph)
        return rebuild(part, reasons(part))

    def partition(self, graph: Graph, launches: bool = True) -> Partition:
        """The groups that become kernels.

        launches: also join what is independent, which saves launches and changes little of what is stored.
        """
        prepared = narrow_nodes(pack_scalars(prune(graph)), self.max_buffers)
        families = frozenset(self.families)
        limits = Limits(self.max_buffers, self.max_binding_bytes, self.max_nodes, families, self.donated)
        part = Partition(Facts(prepared), limits)
        join_dependent(part)
        if launches:
            join_independent(part)
        return part


fuse: Final = Fuse()


def decisions(graph: Graph, options: Fuse = fuse) -> dict[Node, Decision]:
    """For each node of a graph before fusion: the kernel that it goes into, and why that kernel holds no more."""
    found = decide(options.partition(graph))
    by_output = {node.outputs[0]: decision for node, decision in found.items()}
    unused = Decision("", (), (), ("it computes nothing that is used",))
    return {node: by_output.get(node.outputs[0], unused) for node in graph.nodes}
