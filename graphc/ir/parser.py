"""The inverse of `graphc.ir.graph`: a graph from its text, so that a test of a pass is two texts.

Everything that a printed graph shows comes back: names, types, attributes, constants of a few numbers, bodies, source
lines as `file:line`. What is printed in short only (large constants, the `why` of fusion, a user's own gradient) does
not: large constants are given by name, and an attribute that has no text is refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from graphc.errors import GraphError
from graphc.ir.graph import FORWARD, Graph, Node, Source, SourceLine, Value, infer_types, new_value
from graphc.ir.op import Op
from graphc.ir.types import ALL_DTYPES, DType, NDArray, TensorType

_DTYPES: Final[Mapping[str, DType]] = {dtype.name: dtype for dtype in ALL_DTYPES}
_TYPE: Final = re.compile(r"(\w+)\[([\d,]*)\]")
_HEAD: Final = re.compile(r"graph\((.*)\)$")
_TYPED: Final = re.compile(r"%([^\s,():]+): (\w+\[[\d,]*\])")
_NODE: Final = re.compile(r"(%[^=]*) = (\w+)\((.*)\)$")
_CONSTANT: Final = re.compile(r"%([^\s,():]+): (\w+\[[\d,]*\]) = constant (.*)$")
_LOCATION: Final = re.compile(r"(.+):(\d+)$")
_PHASE: Final = re.compile(r" ?\((\w+)\)$")
_BODY: Final = re.compile(r"<\d+ ops>$")


def parse_type(text: str) -> TensorType:
    """The type that `str` writes as "f32[2,3]"; raises GraphError for other texts."""
    match = _TYPE.fullmatch(text)
    if match is None or match[1] not in _DTYPES:
        raise GraphError(f"{text!r} is no tensor type: write one such as f32[2,3]")
    return TensorType(tuple(int(n) for n in match[2].split(",") if n), _DTYPES[match[1]])


def parse_graph(text: str, op: Callable[[str], Op], constants: Mapping[str, NDArray] | None = None) -> Graph:
    """The graph that prints as `text`, verified.

    op: the operation of a name (graphc.ops.by_name); it may raise KeyError. constants: the arrays of constants that
    are printed as a number of bytes, by their printed names without "%". Raises GraphError that names the line.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    graph, end = _Parser(lines, op, constants or {}).graph(0)
    if end < len(lines):
        raise GraphError(f"{lines[end].strip()!r} stands after the end of the graph")
    graph.verify()
    return graph


@dataclass(slots=True)
class _Parser:
    lines: Sequence[str]
    op: Callable[[str], Op]
    constants: Mapping[str, NDArray]

    def graph(self, at: int) -> tuple[Graph, int]:
        """The graph whose head is line `at`, and the line after its end."""
        head = _HEAD.fullmatch(self.lines[at].strip()) if at < len(self.lines) else None
        if head is None:
            found = self.lines[at].strip() if at < len(self.lines) else "the end"
            raise GraphError(f"{found!r}: a graph begins with a line such as graph(%x: f32[2,3])")
        scope = _Scope()
        inputs = tuple(scope.define(name, parse_type(kind)) for name, kind in _TYPED.findall(head[1]))
        held: dict[Value, NDArray] = {}
        nodes: list[Node] = []
        while (at := at + 1) < len(self.lines):
            line, source = _located(self.lines[at].strip())
            if line.startswith("return"):
                names = [name for name in line.removeprefix("return").split(",") if name.strip()]
                return Graph(inputs, held, tuple(nodes), tuple(scope.find(n.strip(), line) for n in names)), at + 1
            constant = _CONSTANT.fullmatch(line)
            if constant is not None:
                value = scope.define(constant[1], parse_type(constant[2]))
                held[value] = self._array(constant[1], value.type, constant[3], line)
                continue
            node, at = self._node(line, source, scope, at)
            nodes.append(node)
        raise GraphError("a graph ends with a line such as: return %1")

    def _array(self, name: str, kind: TensorType, text: str, line: str) -> NDArray:
        if text.startswith("<"):
            if name not in self.constants:
                raise GraphError(f"{line!r} shows no numbers: give the array under constants[{name!r}]")
            return np.asarray(self.constants[name], kind.dtype.numpy)
        numbers = [_number(part) for part in text.strip("[]").split(",") if part.strip()]
        return np.array(numbers, kind.dtype.numpy).reshape(kind.shape)

    def _node(self, line: str, source: Source, scope: _Scope, at: int) -> tuple[Node, int]:
        match = _NODE.fullmatch(line)
        if match is None:
            raise GraphError(f"{line!r} is no node: write one such as %1: f32[2] = neg(%x)")
        try:
            op = self.op(match[2])
        except KeyError:
            raise GraphError(f"{line!r}: there is no op {match[2]!r}") from None
        inputs: list[Value] = []
        attrs: dict[str, Any] = {}
        for part in _split(match[3]):
            if part.startswith("%"):
                inputs.append(scope.find(part, line))
                continue
            key, _, shown = part.partition("=")
            if _BODY.fullmatch(shown):
                attrs[key], end = self.graph(at + 1)
                at = end - 1
            else:
                attrs[key] = parse_attr(shown, line)
        types = infer_types(op, [v.type for v in inputs], attrs)
        shown_outputs = _TYPED.findall(match[1])
        if len(shown_outputs) != len(types):
            raise GraphError(f"{line!r}: {op.name} has {len(types)} outputs")
        outputs = tuple(scope.define(name, parse_type(kind)) for name, kind in shown_outputs)
        return Node(op, tuple(inputs), outputs, attrs, source), at


@dataclass(slots=True)
class _Scope:
    values: dict[str, Value] = field(default_factory=dict)

    def define(self, name: str, kind: TensorType) -> Value:
        """A new value; a name that is a number is only its place in the text."""
        if name in self.values:
            raise GraphError(f"%{name} is defined twice")
        self.values[name] = new_value(kind, "" if name.isdigit() else name)
        return self.values[name]

    def find(self, name: str, line: str) -> Value:
        """The value of a printed name."""
        if name.removeprefix("%") not in self.values:
            raise GraphError(f"{line!r}: {name} is not defined")
        return self.values[name.removeprefix("%")]


def _located(line: str) -> tuple[str, Source]:
    """A line without its comment, and the source lines that the comment names."""
    text, mark, comment = line.partition("  # ")
    if not mark:
        return line, Source()
    phase = _PHASE.search(comment)
    found = [_LOCATION.fullmatch(part.strip()) for part in _PHASE.sub("", comment).split(",")]
    lines = tuple(SourceLine(match[1], int(match[2])) for match in found if match)
    return text, Source(lines, phase[1] if phase else FORWARD)


def _split(text: str) -> list[str]:
    """The parts between commas that stand in no bracket and no quotes."""
    parts, depth, quoted, start = [], 0, False, 0
    for place, letter in enumerate(text):
        if letter == "'" and (place == 0 or text[place - 1] != "\\"):
            quoted = not quoted
        elif not quoted:
            depth += (letter in "([") - (letter in ")]")
            if letter == "," and depth == 0:
                parts.append(text[start:place].strip())
                start = place + 1
    return [part for part in (*parts, text[start:].strip()) if part]


def parse_attr(text: str, line: str) -> Any:
    """The attribute that `printer.format_attr` writes as `text`."""
    if text.startswith("("):
        return tuple(parse_attr(part, line) for part in _split(text[1:-1]))
    if text.startswith("'"):
        return text[1:-1].replace("\\'", "'").replace("\\\\", "\\")
    if text in _WORDS:
        return _WORDS[text]
    if text in _DTYPES:
        return _DTYPES[text]
    if re.fullmatch(r"[A-Za-z_][\w:]*", text):
        return text
    try:
        return _number(text)
    except ValueError:
        raise GraphError(f"{line!r}: {text!r} cannot be read back") from None


_WORDS: Final[Mapping[str, Any]] = {
    "True": True,
    "False": False,
    "None": None,
    "inf": math.inf,
    "nan": math.nan,
}


def _number(text: str) -> Any:
    """A Python number, or a bool."""
    text = text.strip()
    if text in ("True", "False"):
        return text == "True"
    return int(text) if re.fullmatch(r"-?\d+", text) else float(text)
