"""A graph as text for a terminal: numbered kernels, what each computes, and the numbers of those that it reads."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Final

from graphc.analysis.loops import is_loop
from graphc.inspect.times import format_seconds
from graphc.inspect.viz.convert import kind_of
from graphc.inspect.viz.dot import clean
from graphc.inspect.viz.fold import classes
from graphc.ir.graph import Graph, Node, Value, format_attr
from graphc.ir.text import COLUMNS, cut, wrapped

MANY: Final = 60
"""Nodes from which on those that do the same, as the layers of a network do, are one line."""

_NUMBER: Final = re.compile(r"\[\d+\]")


def graph_text(
    graph: Graph, *, columns: int = COLUMNS, fold: bool | None = None, times: Mapping[Node, float] | None = None
) -> str:
    """The graph in lines of at most `columns` characters.

    fold: write nodes that do the same once, with their number; chosen by the size of the graph unless given. times:
    seconds of nodes, where they were measured.
    """
    fold = len(graph.nodes) > MANY if fold is None else fold
    groups = classes(graph) if fold else [[node] for node in graph.nodes]
    return "\n".join(_Text(graph, groups, columns, times or {}).lines())


class _Text:
    def __init__(self, graph: Graph, groups: list[list[Node]], columns: int, times: Mapping[Node, float]) -> None:
        self.graph, self.groups, self.columns, self.times = graph, groups, columns, times
        self.folded = any(len(members) > 1 for members in groups)
        self.total = sum(times.values())
        called = graph.called
        self.names: dict[Value, str] = {}
        for value, name in zip(graph.inputs, called.inputs or [""] * len(graph.inputs), strict=True):
            self.names[value] = clean(name or value.hint or "argument", 60)
        for value, array in graph.constants.items():
            self.names[value] = format_attr(array.item()) if array.size == 1 else f"constant {value.type}"
        self.results = dict(zip(range(len(graph.outputs)), called.outputs, strict=False))
        for number, members in enumerate(groups, 1):
            for member in members:
                self.names.update(dict.fromkeys(member.outputs, f"#{number}"))

    def lines(self) -> list[str]:
        """All lines."""
        arguments = self._alike([(self.names[v], str(v.type)) for v in self.graph.inputs])
        found = [wrapped(f"arguments: {', '.join(arguments) or 'none'}", self.columns)]
        phase = ""
        for number, members in enumerate(self.groups, 1):
            if members[0].source.phase != phase:
                phase = members[0].source.phase
                found.append(phase)
            found += self._node(number, members)
        made = [
            (clean(self.results.get(number) or f"result[{number}]", 60), f"{value.type} ← {self.names[value]}")
            for number, value in enumerate(self.graph.outputs)
        ]
        return found + [cut(line, self.columns) for line in self._alike(made)]

    def _alike(self, named: list[tuple[str, str]]) -> list[str]:
        """Names and what they are; where nodes are folded, those that differ in the number of a layer are one."""
        if not self.folded:
            return [f"{name} {what}" for name, what in named]
        found = Counter((_NUMBER.sub("[*]", name), what) for name, what in named)
        return [f"{name} {what}" + (f" × {times}" if times > 1 else "") for (name, what), times in found.items()]

    def _node(self, number: int, members: list[Node]) -> list[str]:
        node = members[0]
        body = node.attrs.get("body")
        what = node.op.name if not isinstance(body, Graph) else f"{kind_of(node)} kernel"
        if is_loop(node):
            what = f"loop of {node.attrs['length']} steps"
        times = f" × {len(members)}" if len(members) > 1 else ""
        types = ", ".join(dict.fromkeys(str(v.type) for v in node.outputs))
        seconds = sum(self.times.get(member, 0.0) for member in members)
        took = f"  {format_seconds(seconds)}, {seconds / self.total:.1%}" if seconds else ""
        where = ", ".join(dict.fromkeys(_short(str(line)) for line in node.source.lines))
        read = ", ".join(dict.fromkeys(self.names[v] for v in node.inputs)) or "nothing"
        found = [cut(f"  #{number:<4} {what}{times} → {types}{took}", self.columns)]
        if isinstance(body, Graph):
            inner = ", ".join(n.op.name for n in body.nodes)
            found.append(cut(f"        {inner}", self.columns))
        found.append(cut(f"        ← {read}" + (f"  # {where}" if where else ""), self.columns))
        return found


def _short(line: str) -> str:
    """`folder/model.py:12` without its folder."""
    return clean(line.replace("\\", "/").rsplit("/", 1)[-1], 40)
