"""Indices out of range among the arguments of a call, looked at before the call runs.

A program is compiled twice, if need be: once for arguments whose indices are known to be in range, which costs the
device nothing, and once with checks on the device, for those of which the host does not know. The host knows ndarrays,
Arrays that were made of one, and results whose numbers have a range by the nature of their op (argmax, randint).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from graphc.analysis.intervals import Box, Interval, hull, inside, whole
from graphc.errors import IndexRangeError
from graphc.ir.graph import Graph, Node, Value, describe, evaluate
from graphc.ir.types import NDArray
from graphc.passes.ranges import Exact, Findings
from graphc.plan.plan import range_message
from graphc.runtime.array import Array, bounds_of

REMEMBERED: Final = 16
"""So many intervals of arguments those of the results are found for: numbers that change at each call are none."""


class IndexCheck:
    """What is to be known of the arguments of a program before it runs without checks on the device.

    graph: the program before indices were checked. names: those of its arguments.
    """

    def __init__(self, graph: Graph, names: Sequence[str]) -> None:
        self._graph, self._names = graph, names
        self._findings = Findings(graph)
        self._slots = self._findings.slots
        self._watched = [node for node in self._findings.open if node in self._findings.given | {*self._findings.exact}]
        self._fine: dict[int, Interval] = {}
        self._made: dict[tuple[Interval | None, ...], list[Interval | None]] = {}
        self._integers = [n for n, v in enumerate(graph.outputs) if _is_list(v)]
        self._inputs = [n for n, v in enumerate(graph.inputs) if _is_list(v)]

    @property
    def watched(self) -> bool:
        """Whether there is anything to look at."""
        return bool(self._watched)

    def axes(self) -> dict[int, int]:
        """The arguments whose elements are indices, as they come, and the length of the shortest axis of each."""
        found: dict[int, int] = {}
        for node, exact in self._findings.exact.items():
            if exact.direct:
                size = self._findings.sites[node][1] + 1
                found[exact.slot] = min(size, found.get(exact.slot, size))
        return found

    def admits(self, leaves: Sequence[Any]) -> bool:
        """Whether the host knows that the indices in these arguments are in range.

        Raises IndexRangeError where it knows that one is not.
        """
        if not self._slots:
            return True
        bounds = {slot: _bounds(leaves[slot]) for slot in self._slots}
        if all(b is not None and slot in self._fine and inside(b, self._fine[slot]) for slot, b in bounds.items()):
            return True
        known = {slot: b for slot, b in bounds.items() if b is not None}
        proven = self._findings.intervals.proven(known)
        left = [node for node in self._watched if not proven[node]]
        if not left and len(known) == len(self._slots):
            self._grow(known)
        sure = [self._known(node, leaves, bounds) for node in left]
        return all(sure)

    def _grow(self, known: Box) -> None:
        """Remember intervals of arguments for which all indices are in range."""
        wider = {slot: hull(b, self._fine.get(slot, b)) for slot, b in known.items()}
        proven = self._findings.intervals.proven(wider)
        self._fine = wider if all(proven[node] for node in self._watched) else dict(known)

    def _known(self, node: Node, leaves: Sequence[Any], bounds: Mapping[int, Interval | None]) -> bool:
        """Whether the host can see that the indices of a node are in range; raises where it sees that one is not."""
        exact = self._findings.exact.get(node)
        if exact is None:
            return False
        host = _host(leaves[exact.slot])
        if host is not None:
            (ids,) = evaluate(exact.graph, [host.astype(exact.graph.inputs[0].type.dtype.numpy, copy=False)])
            found = bounds_of(ids)
        else:
            found = bounds[exact.slot] if exact.direct else None
        if found is None:
            return host is not None
        low, high = self._findings.sites[node]
        if found[0] < low or found[1] > high:
            self._refuse(node, exact, found[0] if found[0] < low else found[1])
        return True

    def _refuse(self, node: Node, exact: Exact, bad: int) -> None:
        low, high = self._findings.sites[node]
        what = range_message(f"argument {self._names[exact.slot]}", bad, low, high)
        raise IndexRangeError(f"{what}\n  in  {describe(self._graph, node)}{node.source.at}")

    def results(self, leaves: Sequence[Any]) -> list[tuple[int, Interval]]:
        """The positions of integer results, and their intervals, as far as the host knows them."""
        if not self._integers:
            return []
        known = tuple(leaf.bounds if isinstance(leaf := leaves[slot], Array) else None for slot in self._inputs)
        if known not in self._made:
            if len(self._made) >= REMEMBERED:
                return []
            box = {slot: b for slot, b in zip(self._inputs, known, strict=True) if b is not None}
            self._made[known] = self._findings.intervals.outputs(box)
        made = self._made[known]
        types = [v.type.dtype for v in self._graph.outputs]
        return [(n, b) for n in self._integers if (b := made[n]) is not None and b != whole(types[n])]


def _is_list(value: Value) -> bool:
    """Whether a value may be a list of indices."""
    return value.type.dtype.kind in ("int", "uint") and value.type.ndim > 0 and value.type.size > 0


def _host(leaf: Any) -> NDArray | None:
    """The elements of an argument, where the host has them."""
    if not isinstance(leaf, Array):
        return np.asarray(leaf)
    data = leaf._content
    return data if isinstance(data, np.ndarray) else None


def _bounds(leaf: Any) -> Interval | None:
    """The lowest and highest element of an argument; None where nobody here knows them. Of no elements, 0 and 0."""
    if isinstance(leaf, Array):
        if leaf.bounds is None and isinstance(leaf._content, np.ndarray):
            leaf.bounds = bounds_of(leaf._content)
        return leaf.bounds if leaf.size else (0, 0)
    array = np.asarray(leaf)
    return bounds_of(array) if array.size else (0, 0)
