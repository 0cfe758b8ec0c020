"""order: the schedule that keeps the fewest bytes alive at once.

Finding the best order is NP-hard, so several list schedules are made, the peak of each is computed from its lifetimes,
and the best is kept. All are deterministic, and the order given is one of them, so that the pass never makes it worse.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Final

from graphc.ir.graph import Graph, Node, Value, renamed


def order(graph: Graph) -> Graph:
    """The same nodes in the topological order of least peak that is found; ties go to the least byte-steps alive."""
    if len(graph.nodes) < 2:
        return graph
    model = _Model(graph)
    given = list(range(len(graph.nodes)))
    best, best_cost = given, model.cost(given)
    for schedule in SCHEDULES:
        found = schedule(model)
        cost = model.cost(found)
        if cost < best_cost:
            best, best_cost = found, cost
    if best is given:
        return graph
    return Graph(graph.inputs, graph.constants, tuple(graph.nodes[i] for i in best), graph.outputs)


def peak_bytes(graph: Graph) -> int:
    """The most bytes of intermediate tensors that are live at once in the order of the graph's nodes."""
    return _Model(graph).cost(range(len(graph.nodes)))[0]


class _Model:
    """A graph as numbers. Nodes and tensors are known by position; inputs, constants and outputs take no room.

    reads[i], writes[i]: tensors that node i reads and writes. readers[t]: nodes that read tensor t. size[t]: bytes.
    before[i], after[i]: nodes that must come before and after node i.
    """

    def __init__(self, graph: Graph) -> None:
        root = _roots(graph.nodes)
        kept = {*renamed(graph.outputs, root)}
        tensor: dict[Value, int] = {}
        self.size: list[int] = []
        self.readers: list[list[int]] = []
        self.reads: list[list[int]] = []
        self.writes: list[list[int]] = []
        maker: dict[Value, int] = {}
        waits = _waits(graph.nodes)
        self.before: list[list[int]] = []
        self.after: list[list[int]] = [[] for _ in graph.nodes]
        for i, node in enumerate(graph.nodes):
            self.before.append(sorted({maker[v] for v in node.inputs if v in maker} | waits.get(i, set())))
            for j in self.before[i]:
                self.after[j].append(i)
            self.reads.append(sorted({tensor[v] for v in renamed(node.inputs, root) if v in tensor}))
            for t in self.reads[i]:
                self.readers[t].append(i)
            self.writes.append([])
            for value in node.outputs:
                maker[value] = i
                if value not in root and value not in kept:
                    tensor[value] = len(self.size)
                    self.writes[i].append(tensor[value])
                    self.size.append(value.type.nbytes)
                    self.readers.append([])

    def cost(self, order: Sequence[int]) -> tuple[int, int]:
        """Peak bytes, and bytes alive summed over the steps."""
        step = [0] * len(order)
        for position, i in enumerate(order):
            step[i] = position
        change = [0] * (len(order) + 1)
        for i, written in enumerate(self.writes):
            for t in written:
                change[step[i]] += self.size[t]
                change[max((step[j] for j in self.readers[t]), default=step[i]) + 1] -= self.size[t]
        alive = list(accumulate(change))
        return max(alive), sum(alive)


def _waits(nodes: Sequence[Node]) -> dict[int, set[int]]:
    """For each node that overwrites inputs in place, the other nodes that read them."""
    overwriter = {node.inputs[k]: i for i, node in enumerate(nodes) for _, k in node.attrs.get("inplace", ())}
    found: dict[int, set[int]] = {}
    for i, node in enumerate(nodes) if overwriter else ():
        for value in node.inputs:
            if overwriter.get(value, i) != i:
                found.setdefault(overwriter[value], set()).add(i)
    return found


def _roots(nodes: Sequence[Node]) -> dict[Value, Value]:
    """The tensor in whose bytes each alias lies."""
    root: dict[Value, Value] = {}
    for node in nodes:
        if node.op.aliases:
            root[node.out] = root.get(node.inputs[0], node.inputs[0])
    return root


Key = Callable[[int, int], tuple[int, int]]
"""What a greedy schedule takes first: from how many bytes a node adds, and its position in the order given."""


def _forward(key: Key) -> Callable[[_Model], list[int]]:
    """List scheduling: of the nodes that are ready, the one with the least key. A key follows what the node frees."""

    def schedule(model: _Model) -> list[int]:
        left = [len(readers) for readers in model.readers]
        last = [_xor(readers) for readers in model.readers]
        waiting = [len(before) for before in model.before]
        adds = [
            sum(model.size[t] for t in model.writes[i] if left[t]) - sum(model.size[t] for t in reads if left[t] == 1)
            for i, reads in enumerate(model.reads)
        ]
        ready = [(key(adds[i], i), i) for i, count in enumerate(waiting) if not count]
        heapq.heapify(ready)
        done = [False] * len(waiting)
        found: list[int] = []
        while ready:
            at, i = heapq.heappop(ready)
            if done[i] or at != key(adds[i], i):
                continue
            done[i] = True
            found.append(i)
            for t in model.reads[i]:
                left[t] -= 1
                last[t] ^= i
                if left[t] == 1:  # its one reader that is left will free it
                    adds[last[t]] -= model.size[t]
                    if not waiting[last[t]]:
                        heapq.heappush(ready, (key(adds[last[t]], last[t]), last[t]))
            for j in model.after[i]:
                waiting[j] -= 1
                if not waiting[j]:
                    heapq.heappush(ready, (key(adds[j], j), j))
        return found

    return schedule


def _xor(numbers: Sequence[int]) -> int:
    total = 0
    for number in numbers:
        total ^= number
    return total


def _backward(model: _Model) -> list[int]:
    """From the end: of the nodes whose readers are all placed, the one that leaves the fewest bytes alive before it."""
    waiting = [len(after) for after in model.after]
    live = [False] * len(model.size)
    cost = [
        sum(model.size[t] for t in reads) - sum(model.size[t] for t in writes)
        for reads, writes in zip(model.reads, model.writes, strict=True)
    ]
    ready = [(cost[i], -i) for i, count in enumerate(waiting) if not count]
    heapq.heapify(ready)
    done = [False] * len(waiting)
    found: list[int] = []
    while ready:
        at, negative = heapq.heappop(ready)
        i = -negative
        if done[i] or at != cost[i]:
            continue
        done[i] = True
        found.append(i)
        for t in model.reads[i]:
            if not live[t]:  # the other readers of this tensor no longer bring it to life
                live[t] = True
                for j in model.readers[t]:
                    cost[j] -= model.size[t]
                    if not waiting[j] and not done[j]:
                        heapq.heappush(ready, (cost[j], -j))
        for j in model.before[i]:
            waiting[j] -= 1
            if not waiting[j]:
                heapq.heappush(ready, (cost[j], -j))
    return found[::-1]


def _depth_first(model: _Model) -> list[int]:
    """Each node right after what it needs, the sinks in the order given."""
    done = [False] * len(model.before)
    found: list[int] = []
    for sink, after in enumerate(model.after):
        stack = [sink] if not after else []
        while stack:
            i = stack[-1]
            missing = [j for j in model.before[i] if not done[j]]
            if missing:
                stack.append(missing[0])
                continue
            stack.pop()
            if not done[i]:
                done[i] = True
                found.append(i)
    return found


SCHEDULES: Final[tuple[Callable[[_Model], list[int]], ...]] = (
    _forward(lambda adds, i: (int(adds > 0), i)),
    _forward(lambda adds, i: (adds, i)),
    _backward,
    _depth_first,
)
"""As given, but what frees memory first; what adds least first; the same from the end; depth first."""
