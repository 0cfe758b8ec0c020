"""What one pass changed: ops that went, ops that came, ops that are others; as text and as a drawing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import graphviz

from graphc.analysis.loops import is_loop
from graphc.inspect.viz.dot import label
from graphc.ir.graph import Graph, Node, Value, format_attr, format_node, renamed, value_names

MOST: Final = 200
"""Boxes of a drawing; what else changed is counted."""

COLOURS: Final = {"gone": "#f6c1bd", "came": "#bfe3c0", "other": "#ffe3a6", "same": "#eeeeee"}
BORDERS: Final = {"gone": "#b3261e", "came": "#1b7a2b", "other": "#a06a00", "same": "#909090"}


@dataclass(frozen=True, slots=True)
class Changes:
    """Between two graphs; an op is known by its first result, and may stand in a kernel or loop.

    gone: ops that are no more. instead: for results that went, what their readers read now. came: new ops. others: ops
    that have the same results, before and after. kernels: fused nodes, where there were none before.
    """

    gone: tuple[Node, ...]
    instead: Mapping[Value, Value]
    came: tuple[Node, ...]
    others: tuple[tuple[Node, Node], ...]
    moved: int
    kernels: tuple[Node, ...]

    def __bool__(self) -> bool:
        return bool(self.gone or self.came or self.others or self.moved or self.kernels)


def body_of(node: Node) -> Graph | None:
    """The ops that a node holds and that exist as they are: those of a kernel or a loop, not of what is yet to be
    put in its place."""
    body = node.attrs.get("body")
    return body if isinstance(body, Graph) and (is_loop(node) or node.op.is_kernel) else None


def leaves(nodes: Iterable[Node]) -> Iterator[Node]:
    """The ops of a graph: those in kernels in the place of the kernels, those in loops after the loop."""
    for node in nodes:
        body = body_of(node)
        if body is None or is_loop(node):
            yield node
        if body is not None:
            yield from leaves(body.nodes)


def changes(before: Graph, after: Graph) -> Changes:
    """What a pass changed that made `after` of `before`."""
    old, new = ({node.outputs[0]: node for node in leaves(graph.nodes)} for graph in (before, after))
    instead = _instead(before, after, old, new)
    others = [(n, new[v]) for v, n in old.items() if v in new and _differs(n, new[v], instead)]
    held, holds = ({n.outputs[0]: n for n in graph.nodes if n.op.is_kernel} for graph in (before, after))
    others += [(n, holds[v]) for v, n in held.items() if v in holds and _attrs(n) != _attrs(holds[v])]
    return Changes(
        gone=tuple(n for v, n in old.items() if v not in new),
        instead=instead,
        came=tuple(n for v, n in new.items() if v not in old),
        others=tuple(others),
        moved=_moved(list(old), list(new)),
        kernels=() if held else tuple(holds.values()),
    )


def _instead(before: Graph, after: Graph, old: Mapping[Value, Node], new: Mapping[Value, Node]) -> dict[Value, Value]:
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


def _differs(was: Node, now: Node, instead: Mapping[Value, Value]) -> bool:
    """Whether a node became another one, beside reading what stands for something that went."""
    if was is now:
        return False
    bodies = [body and len(body.nodes) for body in (body_of(was), body_of(now))]
    if was.op is not now.op or bodies[0] != bodies[1] or _attrs(was) != _attrs(now):
        return True
    return renamed(was.inputs, instead) != now.inputs


def _attrs(node: Node) -> list[tuple[str, str]]:
    return [(k, format_attr(v)) for k, v in node.attrs.items() if k not in ("body", "why", "family", "inplace")]


def _moved(old: list[Value], new: list[Value]) -> int:
    """How many of the ops that stayed have another place among them."""
    stayed = set(old) & set(new)
    a, b = ([v for v in order if v in stayed] for order in (old, new))
    return sum(x is not y for x, y in zip(a, b, strict=True))


def common_names(before: Graph, after: Graph) -> dict[Value, str]:
    """Names for the values of two graphs: those of the first as they are printed, then more numbers for new ones."""
    names = value_names(before)
    for graph in (before, after):
        for node in leaves(graph.nodes):
            for value in (*node.inputs, *node.outputs):
                names.setdefault(value, f"%{len(names)}")
    return names


def diff_text(before: Graph, after: Graph) -> str:
    """What changed, a line for each op: - went, + came, ~ is another one, = is a kernel now."""
    found, names = changes(before, after), common_names(before, after)

    def line(mark: str, node: Node, more: str = "") -> str:
        source = f"  # {node.source}" if node.source.lines else ""
        return f"{mark} {format_node(node, names)}{more}{source}"

    lines = []
    for node in found.gone:
        now = found.instead.get(node.outputs[0])
        lines.append(line("-", node, f"  (now read: {names.get(now, repr(now))})" if now is not None else ""))
    lines += [line("+", node) for node in found.came]
    for was, now_ in found.others:
        lines += [line("~", now_), f"    was {format_node(was, names)}"]
    lines += [f"= {n.attrs['family']} kernel: {_ops(n)}  # {n.source}" for n in found.kernels]
    if found.moved:
        lines.append(f"{found.moved} ops stand elsewhere in the order")
    return "\n".join(lines) if lines else "nothing changed"


def _ops(node: Node) -> str:
    return ", ".join(inner.op.name for inner in leaves([node]))


def diff_dot(before: Graph, after: Graph, title: str = "") -> str:
    """Graphviz source of what changed and what stands next to it: red went, green came, yellow is another one.

    A dashed arrow leads from what went to what is read instead of it.
    """
    found, names = changes(before, after), common_names(before, after)
    kinds: dict[Node, str] = dict.fromkeys(found.gone, "gone")
    kinds |= dict.fromkeys(found.came, "came") | {now: "other" for _, now in found.others if not now.op.is_kernel}
    more = len(kinds) - MOST
    kinds = dict(list(kinds.items())[:MOST])
    picture = graphviz.Digraph("graphc", comment=None)
    text = [title] + ([f"and {more} more"] if more > 0 else []) + ([] if kinds else ["nothing changed"])
    picture.attr("graph", fontname="Helvetica", fontsize="11", label=label(*filter(None, text)), labelloc="t")
    picture.attr("node", fontname="Helvetica", fontsize="10", shape="box", style="filled,rounded", margin="0.1,0.04")
    picture.attr("edge", fontname="Helvetica", fontsize="8", arrowsize="0.6", color="#707070")
    makers = _makers(before, after, kinds)
    drawn: dict[Value, str] = {}  # by first result: an op that stayed is one box
    colours = {node.outputs[0]: kind for node, kind in kinds.items()}

    def box(node: Node) -> str:
        place = node.outputs[0]
        if place not in drawn:
            drawn[place] = f"n{len(drawn)}"
            kind = colours.get(place, "same")
            lines = (f"{names[node.outputs[0]]} {node.op.name}", str(node.outputs[0].type), str(node.source))
            style = {"fillcolor": COLOURS[kind], "color": BORDERS[kind]}
            picture.node(
                drawn[place],
                label=label(*filter(None, lines)),
                tooltip=label(format_node(node, names), limit=600),
                **style,
            )
        return drawn[place]

    for node in kinds:
        _arrows(picture, node, makers[kinds[node] == "gone"], box)
    for node in found.gone:
        now = makers[0].get(found.instead.get(node.outputs[0], node.outputs[0]))
        if node in kinds and now is not None:
            picture.edge(box(node), box(now), label=label("read instead"), style="dashed", constraint="false")
    for readers, side in ((after, False), (before, True)):
        near = {v for node, kind in kinds.items() if (kind == "gone") == side for v in node.outputs}
        for node in leaves(readers.nodes):
            if node not in kinds and near & set(node.inputs):
                _arrows(picture, node, {v: m for v, m in makers[side].items() if v in near}, box)
    return str(picture.source)


def _makers(before: Graph, after: Graph, kinds: Mapping[Node, str]) -> tuple[dict[Value, Node], dict[Value, Node]]:
    """What makes each value: after the pass, and before it (by the node after it, where there is one)."""
    new = {value: node for node in leaves(after.nodes) for value in node.outputs}
    old = {value: new.get(value, node) for node in leaves(before.nodes) for value in node.outputs}
    return new, old


def _arrows(picture: graphviz.Digraph, node: Node, makers: Mapping[Value, Node], box: Callable[[Node], str]) -> None:
    for value in dict.fromkeys(node.inputs):
        if value in makers:
            picture.edge(box(makers[value]), box(node), label=label(str(value.type)))
        else:
            box(node)
