"""What each pass changed: ops that went, and what their readers read instead, ops that came, ops that are others."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from graphc.ir import Graph, Node, Value
from graphc.passes.pipeline import GraphPass, pass_name
from graphc.report.rows import Rows, body_of, leaves


def stages(rows: Rows, found: Sequence[tuple[str, Graph]], passes: Sequence[GraphPass]) -> list[dict[str, Any]]:
    """Each stage: its name, what the pass does, and, where that changed anything, its rows and the differences."""
    about = {pass_name(p): _about(p) for p in passes}
    made: list[dict[str, Any]] = []
    before: Graph | None = None
    for name, graph in found:
        stage: dict[str, Any] = {"name": rows.text(name), "about": rows.text(about.get(name, ""))}
        if before is None or before.nodes != graph.nodes or before.outputs != graph.outputs:
            stage["rows"] = rows.graph(graph)
            stage["inputs"], stage["outputs"] = ([*map(rows.value, vs)] for vs in (graph.inputs, graph.outputs))
            if before is not None:
                stage["changes"] = _changes(rows, before, graph)
        made.append(stage)
        before = graph
    return made


def _about(graph_pass: GraphPass) -> str:
    """The first paragraph that is said of a pass, in its module or on itself."""
    module = inspect.getmodule(graph_pass if inspect.isfunction(graph_pass) else type(graph_pass))
    for text in (getattr(module, "__doc__", None), graph_pass.__doc__):
        if text:
            return " ".join(text.split("\n\n")[0].split())
    return ""


def _changes(rows: Rows, before: Graph, after: Graph) -> dict[str, Any]:
    old, new = ({node.outputs[0]: node for node in leaves(graph.nodes)} for graph in (before, after))
    instead = _instead(before, after, old, new)
    gone = [[rows.row(n), rows.value(instead[v]) if v in instead else -1] for v, n in old.items() if v not in new]
    came = [rows.row(n) for v, n in new.items() if v not in old]
    others = [
        [rows.row(n), rows.row(new[v])] for v, n in old.items() if v in new and _differs(rows, n, new[v], instead)
    ]
    kernels = {node.outputs[0]: node for node in before.nodes if body_of(node)}
    others += [
        [rows.row(kernels[v]), rows.row(node)]
        for node in after.nodes
        if body_of(node) and (v := node.outputs[0]) in kernels and _text(rows, node) != _text(rows, kernels[v])
    ]
    return {"gone": gone, "came": came, "others": others, "moved": _moved(list(old), list(new))}


def _instead(before: Graph, after: Graph, old: Mapping[Value, Node], new: Mapping[Value, Node]) -> dict[Value, Value]:
    """For values that went, what their readers read now."""
    found: dict[Value, Value] = {}
    for value, node in old.items():
        other = new.get(value)
        if other is None or other is node or len(other.inputs) != len(node.inputs):
            continue
        for was, now in zip(node.inputs, other.inputs, strict=True):
            if was is not now and was not in new:
                found.setdefault(was, now)
    for was, now in zip(before.outputs, after.outputs, strict=True):
        if was is not now and was not in new:
            found.setdefault(was, now)
    return found


def _differs(rows: Rows, was: Node, now: Node, instead: Mapping[Value, Value]) -> bool:
    """Whether a node became another one, beside reading what stands for something that went."""
    if was is now:
        return False
    a, b = rows.rows[rows.row(was)], rows.rows[rows.row(now)]
    if (a[0], a[3], a[6] and len(a[6][0])) != (b[0], b[3], b[6] and len(b[6][0])):
        return True
    return tuple(instead.get(v, v) for v in was.inputs) != now.inputs


def _text(rows: Rows, node: Node) -> Any:
    """The attributes of a node as they are shown."""
    return rows.rows[rows.row(node)][3]


def _moved(old: list[Value], new: list[Value]) -> int:
    """How many of the ops that stayed have another place among them."""
    stayed = set(old) & set(new)
    a, b = ([v for v in order if v in stayed] for order in (old, new))
    return sum(x is not y for x, y in zip(a, b, strict=True))
