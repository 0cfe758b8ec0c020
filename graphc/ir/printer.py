"""The textual form of a graph: one line a node, `%7: f32[32,27] = matmul(%5, %w2)  # mlp.py:6`."""

from __future__ import annotations

import re
from typing import Any, Final

import numpy as np

from graphc.ir.graph import FORWARD, Graph, Node, Source, Value
from graphc.ir.types import ALL_DTYPES, DType

SHOWN: Final = 8
"""Most numbers of a constant that are printed; of larger ones the text gives the bytes."""

_WORD: Final = re.compile(r"[A-Za-z_][\w:]*")
_MEANT_OTHERWISE: Final = frozenset({"True", "False", "None", "inf", "nan", *(dtype.name for dtype in ALL_DTYPES)})
"""Words that as an attribute are no strings: a string of this kind is quoted."""


def value_names(graph: Graph) -> dict[Value, str]:
    """A unique printed name for each value: its hint where it has one, else its number in order."""
    names: dict[Value, str] = {}
    taken: set[str] = set()
    for number, value in enumerate(graph.values()):
        name = value.hint or str(number)
        if name in taken:
            name = f"{name}.{number}"
        taken.add(name)
        names[value] = f"%{name}"
    return names


def format_attr(value: Any) -> str:
    """One attribute as it is printed."""
    if isinstance(value, Graph):
        return f"<{len(value.nodes)} ops>"
    if isinstance(value, tuple):
        return "(" + ", ".join(format_attr(v) for v in value) + ("," if len(value) == 1 else "") + ")"
    if isinstance(value, str):
        plain = _WORD.fullmatch(value) and value not in _MEANT_OTHERWISE
        return value if plain else "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    if isinstance(value, DType | int | float | bool | type(None)):
        return str(value)
    return getattr(value, "__name__", type(value).__name__)


def format_node(node: Node, names: dict[Value, str]) -> str:
    """One node, without its source."""
    outputs = ", ".join(f"{names.get(v, repr(v))}: {v.type}" for v in node.outputs)
    arguments = [names.get(v, repr(v)) for v in node.inputs]
    arguments += [f"{key}={format_attr(value)}" for key, value in node.attrs.items() if key != "why"]
    return f"{outputs} = {node.op.name}({', '.join(arguments)})"


def describe(graph: Graph, node: Node) -> str:
    """One node with its source lines, for messages."""
    text = format_node(node, value_names(graph))
    return f"{text}  # {node.source}" if node.source.lines else text


def format_graph(graph: Graph) -> str:
    """The whole graph; the body of a fused node is indented below it."""
    return "\n".join(_lines(graph, ""))


def _lines(graph: Graph, indent: str) -> list[str]:
    names = value_names(graph)
    lines = [f"{indent}graph({', '.join(f'{names[v]}: {v.type}' for v in graph.inputs)})"]
    for value, array in graph.constants.items():
        shown = _constant(array)
        lines.append(f"{indent}  {names[value]}: {value.type} = constant {shown}")
    for node in graph.nodes:
        lines.append(f"{indent}  {format_node(node, names)}{_comment(node.source)}")
        for attr in node.attrs.values():
            if isinstance(attr, Graph):
                lines += _lines(attr, indent + "    ")
    lines.append(f"{indent}  return {', '.join(names[v] for v in graph.outputs)}")
    return lines


def _comment(source: Source) -> str:
    """Where a node comes from, and the phase that it belongs to unless that is the forward one."""
    phase = "" if source.phase == FORWARD else f"({source.phase})"
    text = " ".join(filter(None, (str(source), phase)))
    return f"  # {text}" if text else ""


def _constant(array: np.ndarray[Any, Any]) -> str:
    if array.size > SHOWN:
        return f"<{array.nbytes} bytes>"
    numbers = ", ".join(map(str, array.ravel()))  # each as short as its own precision allows
    return numbers if array.size == 1 else f"[{numbers}]"


def same_constant(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> bool:
    """Whether two constants are the same bytes (so that NaN equals NaN and -0.0 differs from 0.0)."""
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
