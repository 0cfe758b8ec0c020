"""Launches: the nodes of the lowered graph with their dispatches, and how time and bytes are shared among their ops."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from graphc.analysis.loops import flatten
from graphc.families.registry import kernel_family
from graphc.inspect import times
from graphc.inspect.profile import Profile
from graphc.inspect.viz.convert import kind_of
from graphc.inspect.viz.diff import body_of, leaves
from graphc.ir.graph import Graph, Node, Value
from graphc.passes.fusion.explain import Decision
from graphc.plan.plan import Dispatch, Plan
from graphc.report.rows import Rows

MOST_STOPS: Final = 64
"""Readers of one kernel that are listed."""


class Launches:
    """What the nodes of a lowered graph are launched as. nodes: those of the flat graph, which dispatches name."""

    def __init__(self, rows: Rows, graph: Graph, plan: Plan) -> None:
        self.rows, self.plan = rows, plan
        self.flat = flatten(graph).graph
        self.nodes = self.flat.nodes
        known: dict[Value, Node] = {node.outputs[0]: node for node in _kernels(graph)}
        # Those in loops may have other operands in the flat graph, and keep their results.
        self.originals = [known.get(node.outputs[0], node) for node in self.nodes]
        self.of: dict[Value, int] = {}
        for number, node in enumerate(self.originals):
            for inner in (node, *leaves([node])):
                for value in inner.outputs:
                    self.of.setdefault(value, number)

    def described(self, decided: Mapping[Node, Decision]) -> list[dict[str, Any]]:
        """Each launch: its row, why it holds what it holds, and the kernels that read it."""
        decisions: dict[int, Decision] = {}
        for node, decision in decided.items():
            place = self.of.get(node.outputs[0])
            if place is not None and decision.family:
                decisions.setdefault(place, decision)
        text = self.rows.text
        made = []
        for number, node in enumerate(self.originals):
            found = decisions.get(number)
            why = dict.fromkeys((*(found.why[:1] if found else ()), *node.attrs.get("why", ())))
            stops = [
                [self.of.get(stop.value, -1), text(stop.op), text(stop.why), stop.nbytes]
                for stop in (found.stops[:MOST_STOPS] if found else ())
            ]
            made.append({"row": self.rows.row(node), "why": [text(line) for line in why], "stops": stops})
        return made

    def dispatches(self, profile: Profile | None) -> list[dict[str, Any]]:
        """Each dispatch: its kernel and operands, and how often and how long it ran."""
        timed = times.of_dispatches(profile)
        made = []
        for number, dispatch in enumerate(self.plan.dispatches):
            one = {
                "label": self.rows.text(dispatch.label),
                "kernel": dispatch.kernel,
                "groups": list(dispatch.workgroups),
                "read": dispatch.bytes_read,
                "written": dispatch.bytes_written,
                "flops": dispatch.flops,
                "phase": self.rows.text(dispatch.phase),
                "copied": [s.tensor for s in dispatch.copies],
                "parts": [
                    [part.node, _tensors(part), self.rows.text(part.label)] for part in dispatch.members or (dispatch,)
                ],
            }
            if number in timed:
                start, seconds, count = timed[number]
                one |= {"start": _short(start), "seconds": _short(seconds), "times": count}
            made.append(one)
        return made

    def shares(self, profile: Profile | None) -> list[list[Any]]:
        """[row, seconds, bytes, operations] of each op that is launched, of a whole call.

        A launch's time is shared among its ops by their operations; what it reads and writes goes to those that read
        and make it.
        """
        timed = times.of_dispatches(profile)
        total = [[0.0, 0.0, 0.0] for _ in self.nodes]
        for number, (dispatch, count) in enumerate(zip(self.plan.dispatches, self.plan.executions(), strict=True)):
            seconds = timed[number][1] if number in timed else 0.0
            for part, weight in times.parts_of(dispatch):
                if part.node < 0:
                    continue
                found = total[part.node]
                found[0] += seconds * weight
                found[1] += (part.bytes_read + part.bytes_written) * count
                found[2] += part.flops * count
        made = []
        for node, (seconds, moved, flops) in zip(self.originals, total, strict=True):
            ops = list(leaves([node]))
            work = times.shared([0 if kind_of(op) == "view" else _operations(op) for op in ops])
            traffic = times.shared(_traffic(node, ops))
            made += [
                [self.rows.row(op), _short(seconds * w), round(moved * t), round(flops * w)]
                for op, w, t in zip(ops, work, traffic, strict=True)
                if seconds or moved or flops
            ]
        return made


def _kernels(graph: Graph) -> Iterator[Node]:
    """The nodes that become launches: those of loops in their place."""
    for node in graph.nodes:
        if node.op.repeats:
            yield from _kernels(node.attrs["body"])
        else:
            yield node


def _tensors(dispatch: Dispatch) -> list[list[Any]]:
    """The tensors that a dispatch binds: [tensor, 0 read or 1 written]."""
    written = set(dispatch.writes)
    found: dict[int, int] = {}
    for position, binding in enumerate(dispatch.bindings):
        if binding.tensor >= 0:
            writes = position in written if written else binding.access == "read_write"
            found[binding.tensor] = max(int(writes), found.get(binding.tensor, 0))
    return [[tensor, writes] for tensor, writes in found.items()]


def _operations(node: Node) -> int:
    family = kernel_family(node)
    return family.operations(node) if family is not None else 0


def _traffic(node: Node, ops: Sequence[Node]) -> list[float]:
    """Bytes of a launch's operands and results that each of its ops reads or makes."""
    loads, stores = set(node.inputs), set(node.outputs)
    if body_of(node) is None:
        return [1.0]
    readers: dict[Value, int] = {}
    for op in ops:
        for value in loads & set(op.inputs):
            readers[value] = readers.get(value, 0) + 1
    return [
        sum(v.type.nbytes / readers[v] for v in loads & set(op.inputs))
        + sum(v.type.nbytes for v in stores & set(op.outputs))
        for op in ops
    ]


def _short(number: float) -> float:
    return float(f"{number:.4g}")
