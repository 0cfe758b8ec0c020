"""In-place aliases: results that take over the bytes of donated inputs. Each pair binds one buffer instead of two.

An optimizer's step reads a parameter and its moments and writes their successors, element by element. Where a kernel
would bind too many buffers otherwise, it may alias such pairs. Whatever else reads an overwritten input must then run
before the kernel that overwrites it, which is one more reason why two groups must not be joined.
"""

from __future__ import annotations

from collections import Counter

from graphc.ir.graph import Graph, Value
from graphc.passes.fusion.facts import Facts
from graphc.passes.fusion.group import Group, Pairs, inlined_members


class Aliasing:
    """Which pairs a group may alias. donated: the input slots whose buffers results may take over."""

    def __init__(self, graph: Graph, donated: frozenset[int]) -> None:
        twice = {v for v, count in Counter(graph.outputs).items() if count > 1}
        named = {v for node in graph.nodes if node.op.aliases for v in node.inputs}
        self.donated = {graph.inputs[slot] for slot in donated} - {*graph.outputs, *named}
        self.results = set(graph.outputs) - twice - named - set(graph.inputs) - set(graph.constants)

    def pairs(self, facts: Facts, group: Group, max_binding_bytes: int) -> Pairs:
        """As many pairs as the group has."""
        if not self.donated or not group.regular:
            return {}
        if not group.family.in_place([facts.nodes[n] for n in group.roots]):
            return {}
        waiting = [v for v in group.loads if v in self.donated and v.type.nbytes <= max_binding_bytes]
        waiting = [v for v in waiting if _read_in_place(facts, group, v)]
        found: Pairs = {}
        for value in group.stores:
            source = next((v for v in waiting if value in self.results and v.type == value.type), None)
            if source is not None:
                waiting.remove(source)
                found[value] = source
        return found


def _read_in_place(facts: Facts, group: Group, value: Value) -> bool:
    """Whether the group reads each element of an input only for the results at the same position.

    What is read through a view may be, too, but its kernel would not always see that. Nor may a view of what is made
    from the input be read: its kernel computes that anew at other positions.
    """
    if value.type.size != group.size or value.type.size == 1:
        return False
    inside = [*(facts.nodes[n] for n in group.nodes), *inlined_members(facts, group)]
    roots = {facts.nodes[n] for n in group.roots}
    made = {value}
    for node in sorted(inside, key=facts.position.__getitem__):
        if made.isdisjoint(node.inputs):
            continue
        if node in roots:
            if value in node.inputs:
                return False
            continue
        if not node.op.elementwise or (value in node.inputs and node.out.type.shape != value.type.shape):
            return False
        made.update(node.outputs)
    return True
