"""Drawings of graphs: kinds by colour, kernels as frames, forward, backward and update by the style of the border."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import graphviz

from graphc.families.record import OWN
from graphc.families.registry import FAMILIES
from graphc.inspect.viz.convert import OTHER
from graphc.inspect.viz.dot import clean, label, log, render
from graphc.inspect.viz.fold import classes
from graphc.inspect.viz.scene import Arrow, Box, Frame, Scene, make_scene
from graphc.ir.graph import BACKWARD, FORWARD, UPDATE, Graph, Node

COLOURS: Final = {
    "input": "#fff7d6",
    "constant": "#ececec",
    **{family.kind: family.colours.box for family in FAMILIES if family.kind != OTHER},
    "view": "#f4f4f4",
    "random": "#dcc6f0",
    OTHER: OWN.box,
    "output": "#ffe08a",
}
FRAME_COLOURS: Final = {family.kind: family.colours.frame for family in FAMILIES}
BORDERS: Final = {
    FORWARD: {"color": "#404040", "style": "solid"},
    BACKWARD: {"color": "#b3261e", "style": "dashed"},
    UPDATE: {"color": "#6a1b9a", "style": "dotted"},
}

MANY_OPS: Final = 60
"""Ops in kernels from which on a kernel lists its ops instead of drawing each."""

MANY_NODES: Final = 60
"""Nodes from which on repeated structure is folded."""
SOME_NODES: Final = 40
"""Nodes from which on it is folded where that halves the picture."""


STYLE: Final = (
    "@media (prefers-color-scheme: dark) { .graph > polygon, #a_graph0 polygon { fill: #14171c; } "
    ".graph > text, #a_graph0 text, .edge text { fill: #d5dae2; } .edge path { stroke: #8f9aab; } "
    ".edge polygon { fill: #8f9aab; stroke: #8f9aab; } }"
)
"""Of drawings: what lies on the ground is light where the reader's system is dark. Boxes keep their colours."""


def to_dot(
    graph: Graph,
    *,
    title: str = "",
    ops: bool | None = None,
    fold: bool | None = None,
    legend: bool = True,
    times: Mapping[Node, float] | None = None,
) -> str:
    """Graphviz source of a drawing.

    ops: draw each op of a fused kernel (else a kernel lists its ops). fold: draw nodes that do the same, as layers of
    a network do, once, with their number. Both are chosen by the size of the graph unless given. times: seconds of
    nodes, which are written beside them; the longer, the wider the border.
    """
    inner = sum(len(n.attrs["body"].nodes) for n in graph.nodes if isinstance(n.attrs.get("body"), Graph))
    ops = inner + len(graph.nodes) <= MANY_OPS if ops is None else ops
    fold = _worth_folding(graph) if fold is None else fold
    return _write(make_scene(graph, ops, fold, times), title, legend)


def _worth_folding(graph: Graph) -> bool:
    count = len(graph.nodes)
    return count > MANY_NODES or (count > SOME_NODES and 2 * len(classes(graph)) <= count)


def to_svg(
    graph: Graph,
    path: str | os.PathLike[str] | None = None,
    *,
    title: str = "",
    ops: bool | None = None,
    fold: bool | None = None,
    legend: bool = True,
    times: Mapping[Node, float] | None = None,
) -> str:
    """An SVG drawing, also written to `path`. Options: see `to_dot`.

    Without a program that can lay it out, the DOT source is written beside `path` (the ending .dot), a line in the log
    says so, and the SVG returned holds that line only.
    """
    return svg_of(to_dot(graph, title=title, ops=ops, fold=fold, legend=legend, times=times), path)


def svg_of(source: str, path: str | os.PathLike[str] | None = None) -> str:
    """The drawing of a Graphviz source; see `to_svg`."""
    picture = render(source)
    if picture is None:
        message = "No Graphviz program could draw this graph: pip install graphviz-pure"
        if path is not None:
            beside = Path(path).with_suffix(".dot")
            beside.write_text(source, encoding="utf-8")
            log.warning("graphc: wrote %s instead of %s", beside, path)
        return (
            '<svg xmlns="http://www.w3.org/2000/svg" width="640" height="40">'
            f'<text x="8" y="24" font-family="sans-serif" font-size="14">{message}</text></svg>'
        )
    text = picture.decode("utf-8")
    text = text[text.index("<svg") :].replace("<svg ", '<svg role="img" aria-label="A drawing of a program" ', 1)
    text = text.replace(">", f"><style>{STYLE}</style>", 1)
    if path is not None:
        Path(path).write_text(text, encoding="utf-8")
    return text


def _write(scene: Scene, title: str, legend: bool) -> str:
    picture = graphviz.Digraph("graphc", comment=None)
    picture.attr("graph", fontname="Helvetica", fontsize="11", rankdir="TB", nodesep="0.2", ranksep="0.35")
    picture.attr(
        "graph", label=label(title), labelloc="t", tooltip=label(title or "graph"), newrank="true", compound="true"
    )
    picture.attr("node", fontname="Helvetica", fontsize="10", shape="box", margin="0.1,0.04", height="0.3")
    picture.attr("edge", fontname="Helvetica", fontsize="8", arrowsize="0.6", color="#707070", fontcolor="#505050")
    by_frame: dict[str | None, list[Box]] = {}
    for box in scene.boxes:
        by_frame.setdefault(box.frame, []).append(box)
    for frame in scene.frames:
        with picture.subgraph(name=f"cluster_{frame.id}") as cluster:
            _frame(cluster, frame)
            for box in by_frame.get(frame.id, ()):
                _box(cluster, box)
    for box in by_frame.get(None, ()):
        _box(picture, box)
    for arrow in scene.arrows.values():
        _arrow(picture, arrow)
    if legend:
        _legend(picture, scene)
    return str(picture.source)


def _frame(cluster: graphviz.Digraph, frame: Frame) -> None:
    border = BORDERS.get(frame.phase, BORDERS[FORWARD])
    cluster.attr(
        label=label(*frame.title, align="l"),
        tooltip=label(frame.tooltip, limit=600),
        labeljust="l",
        fontsize="9",
        margin="6",
        style=f"filled,rounded,{border['style']}",
        color=border["color"],
        fillcolor=FRAME_COLOURS.get(frame.kind, OWN.frame),
        **_border(frame.share),
    )


def _box(picture: graphviz.Digraph, box: Box) -> None:
    border = BORDERS.get(box.phase, BORDERS[FORWARD])
    shape = {"input": "ellipse", "constant": "ellipse", "output": "cds"}.get(box.kind, "box")
    style = f"filled,{border['style']}" + (",rounded" if shape == "box" else "")
    picture.node(
        box.id,
        label=label(*box.lines),
        tooltip=label(box.tooltip, limit=600),
        shape=shape,
        style=style,
        color=border["color"],
        fillcolor=COLOURS[box.kind],
        **_border(box.share),
    )


def _border(share: float) -> dict[str, str]:
    """How wide a border is around what took a part of all time."""
    return {"penwidth": f"{1 + 5 * share:.1f}"} if share else {}


def _arrow(picture: graphviz.Digraph, arrow: Arrow) -> None:
    more = {"penwidth": f"{_width(arrow.nbytes):.1f}"}
    if arrow.saved:
        more["color"] = "#a8b8d0"
    if arrow.back:
        more |= {"constraint": "false", "style": "dashed"}
    if arrow.start_frame and not arrow.back:
        more["ltail"] = f"cluster_{arrow.start_frame}"
    if arrow.end_frame and not arrow.back:
        more["lhead"] = f"cluster_{arrow.end_frame}"
    tip = label(f"{arrow.tooltip}: {arrow.text}")
    picture.edge(arrow.start, arrow.end, label=label(arrow.text), tooltip=tip, labeltooltip=tip, **more)


def _width(nbytes: int) -> float:
    """How wide the arrow of a tensor is: 1 up to 4 KiB, and 0.3 more for each time that it is twice as large."""
    return min(5.0, 1.0 + 0.3 * max(0.0, math.log2(max(nbytes, 1) / 4096)))


def _legend(picture: graphviz.Digraph, scene: Scene) -> None:
    kinds = [kind for kind in COLOURS if any(box.kind == kind for box in scene.boxes)]
    phases = [phase for phase in BORDERS if any(box.phase == phase for box in scene.boxes)]
    cells = "".join(f'<td bgcolor="{COLOURS[kind]}">{kind}</td>' for kind in kinds)
    for phase in phases if len(phases) > 1 else ():
        border = BORDERS[phase]
        cells += (
            f'<td border="1" bgcolor="white" style="{border["style"]}" color="{border["color"]}">{clean(phase)}</td>'
        )
    if cells:
        table = f'<<table border="0" cellborder="0" cellspacing="3" cellpadding="3"><tr>{cells}</tr></table>>'
        picture.node("legend", label=table, shape="plain", tooltip="legend")
