"""What each pass changed: ops that went, and what their readers read instead, ops that came, ops that are others."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from graphc.inspect.viz.diff import changes
from graphc.ir.graph import Graph
from graphc.passes.pipeline import GraphPass, pass_name
from graphc.report.rows import Rows


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
    found = changes(before, after)
    instead = {value: rows.value(now) for value, now in found.instead.items()}
    return {
        "gone": [[rows.row(node), instead.get(node.outputs[0], -1)] for node in found.gone],
        "came": [rows.row(node) for node in found.came],
        "others": [[rows.row(was), rows.row(now)] for was, now in found.others],
        "moved": found.moved,
    }
