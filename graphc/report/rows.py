"""Rows: each node of every stage once, as plain data; what repeats (texts, types, sources) is kept once."""

from __future__ import annotations

from typing import Any

from graphc.inspect.viz.convert import KINDS, kind_of
from graphc.inspect.viz.diff import body_of
from graphc.inspect.viz.dot import clean
from graphc.inspect.viz.fold import classes
from graphc.ir.graph import Graph, Node, Source, SourceLine, Value, format_attr

TEXT = 240
"""Characters of a name, type or text that are kept."""

_KIND = {kind: number for number, kind in enumerate(KINDS)}
_HIDDEN = frozenset({"body", "why", "family", "inplace"})


class Table:
    """Texts by number. What is no text to be shown (control characters, marks of direction) is replaced."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._known: dict[str, int] = {}

    def __call__(self, text: str, limit: int = TEXT) -> int:
        """The number of a text."""
        known = self._known.get(text)
        if known is None:
            known = self._known[text] = len(self.texts)
            self.texts.append(clean(text.replace("\t", "    "), limit))
        return known


class Rows:
    """The table of nodes, values and source lines. Values are numbered in the order in which they are first met, so
    that those of the first stage have the numbers that it prints."""

    def __init__(self) -> None:
        self.text = Table()
        self.nodes: list[Node] = []
        self.rows: list[list[Any]] = []
        self.types: list[int] = []
        self.constants: dict[int, str] = {}
        self.sources: list[list[Any]] = []
        self.lines: list[SourceLine] = []
        self._rows: dict[Node, int] = {}
        self._values: dict[Value, int] = {}
        self._sources: dict[Source, int] = {}
        self._lines: dict[tuple[str, int], int] = {}

    def graph(self, graph: Graph) -> list[int]:
        """The rows of a graph's nodes."""
        for value in graph.values():
            self.value(value)
        for value, array in graph.constants.items():
            self.constants[self.value(value)] = format_attr(array.item()) if array.size == 1 else str(value.type)
        return [self.row(node) for node in graph.nodes]

    def value(self, value: Value) -> int:
        """The number of a value."""
        known = self._values.get(value)
        if known is None:
            known = self._values[value] = len(self.types)
            self.types.append(self.text(str(value.type)))
        return known

    def row(self, node: Node) -> int:
        """The number of a node: [op, inputs, outputs, attributes, source, kind, body or 0]."""
        known = self._rows.get(node)
        if known is not None:
            return known
        body = body_of(node)
        inside: Any = 0
        if body is not None:
            # The values of a kernel's body are those outside of it; those of a loop are its own.
            inputs, outputs = ([*map(self.value, vs)] for vs in (body.inputs, body.outputs))
            inside = [self.graph(body), inputs, outputs]
        row = [
            self.text(node.op.name),
            [*map(self.value, node.inputs)],
            [*map(self.value, node.outputs)],
            self.text(", ".join(f"{k}={format_attr(v)}" for k, v in node.attrs.items() if k not in _HIDDEN)),
            self.source(node.source),
            _KIND[kind_of(node)],
            inside,
        ]
        known = self._rows[node] = len(self.rows)
        self.rows.append(row)
        self.nodes.append(node)
        return known

    def known(self, node: Node) -> int | None:
        """The number of a node that has one."""
        return self._rows.get(node)

    def source(self, source: Source) -> int:
        """The number of a source: [lines, phase, scope]."""
        known = self._sources.get(source)
        if known is None:
            lines = list(dict.fromkeys(self.line(line) for line in source.lines))
            known = self._sources[source] = len(self.sources)
            self.sources.append([lines, self.text(source.phase), self.text(source.scope)])
        return known

    def line(self, line: SourceLine) -> int:
        """The number of a source line; several expressions may stand in one."""
        key = (line.file, line.line)
        known = self._lines.get(key)
        if known is None:
            known = self._lines[key] = len(self.lines)
            self.lines.append(line)
        return known

    def alike(self) -> list[int]:
        """For each row the number of its class: nodes that do the same, as in the layers of a network."""
        found = [0] * len(self.nodes)
        for number, members in enumerate(classes(Graph((), {}, tuple(self.nodes), ()))):
            for node in members:
                found[self._rows[node]] = number
        return found
