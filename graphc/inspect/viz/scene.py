"""What a picture shows, before it is written as DOT: boxes, frames around the ops of a kernel, arrows."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from graphc.analysis.loops import is_loop
from graphc.inspect.times import format_seconds
from graphc.inspect.viz.convert import kind_of
from graphc.inspect.viz.fold import classes
from graphc.ir.graph import Graph, Node, Value, format_attr, format_node, value_names

MAX_LINES = 4
"""Source lines named at a box."""


@dataclass(frozen=True, slots=True)
class Box:
    """A node of the picture. lines: text, top to bottom. frame: the Frame it stands in, or None. share: of all time."""

    id: str
    kind: str
    phase: str
    lines: tuple[str, ...]
    tooltip: str
    frame: str | None = None
    share: float = 0.0


@dataclass(frozen=True, slots=True)
class Frame:
    """The frame around what one kernel computes. title: its kind, source lines and time. share: of all time."""

    id: str
    kind: str
    phase: str
    title: tuple[str, ...]
    tooltip: str
    share: float = 0.0


@dataclass(frozen=True, slots=True)
class Arrow:
    """A tensor that flows. start_frame, end_frame: the frames whose borders it ends at, where these hold one box only.

    back: it leads to an earlier box of a folded picture, as from one layer to the next. saved: it waits from one phase
    of the program for another. nbytes: of the tensor.
    """

    start: str
    end: str
    text: str
    tooltip: str
    start_frame: str | None = None
    end_frame: str | None = None
    back: bool = False
    saved: bool = False
    nbytes: int = 0


@dataclass(slots=True)
class Scene:
    """A whole picture."""

    boxes: list[Box] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    arrows: dict[tuple[str, str, str], Arrow] = field(default_factory=dict)


def make_scene(graph: Graph, ops: bool, folded: bool, times: Mapping[Node, float] | None = None) -> Scene:
    """The picture of a graph. ops: draw each op of a kernel, not a list of them. folded: see `classes`.

    times: seconds of nodes, where they were measured.
    """
    return _Painter(graph, ops and not folded, folded, times or {}).paint()


class _Painter:
    def __init__(self, graph: Graph, ops: bool, folded: bool, times: Mapping[Node, float]) -> None:
        self.graph, self.ops, self.folded, self.times = graph, ops, folded, times
        self.total = sum(times.values())
        self.names = value_names(graph)
        self.scene = Scene()
        self.classes = classes(graph) if folded else [[node] for node in graph.nodes]
        # Where an arrow for a value starts: box and position of its class (later ones are drawn below).
        self.made: dict[Value, tuple[str, int]] = {}
        # Results that a loop or kernel hands on as they came: what they are outside of it.
        self.passed: dict[Value, Value] = {}
        self.alone: set[str] = set()
        self.leaves: dict[object, str] = {}
        self.given: dict[str, Box] = {}
        self.called = dict(zip(graph.inputs, graph.called.inputs, strict=False))

    def paint(self) -> Scene:
        places = {node: place for place, members in enumerate(self.classes) for node in members}
        for place, members in enumerate(self.classes):
            self._class(place, members)
        for node in self.graph.nodes:
            place = places[node]
            if f"k{place}" in self._framed():
                self._inner_arrows(place, node)
            else:
                for value in node.inputs:
                    self._arrow(value, f"n{place}", place, node.source.phase)
        self._outputs()
        self.scene.boxes += [replace(box, lines=_short(box.lines)) for box in self.given.values()]
        return self.scene

    def _framed(self) -> set[str]:
        return {frame.id for frame in self.scene.frames} if self.ops else set()

    def _class(self, place: int, members: list[Node]) -> None:
        node = members[0]
        body = node.attrs.get("body")
        for member in members:
            for value in member.outputs:
                self.made[value] = (f"n{place}", place)
        kind, phase, tip = kind_of(node), node.source.phase, format_node(node, self.names)
        times = [f"× {len(members)}"] if len(members) > 1 else []
        share, took = self._took(members)
        where = [*_where(node), *took]
        if not isinstance(body, Graph):
            lines = (_op_text(node), *times, *where)
            self.scene.boxes.append(Box(f"n{place}", kind, phase, lines, tip, share=share))
            return
        title = (f"loop × {node.attrs['length']}" if is_loop(node) else " ".join([f"{kind} kernel", *times]), *where)
        frame = f"k{place}"
        self.scene.frames.append(Frame(frame, kind, phase, title, tip, share))
        if self.ops:
            within = value_names(body)
            for number, inner in enumerate(body.nodes):
                box = Box(
                    f"n{place}_{number}",
                    kind_of(inner),
                    inner.source.phase,
                    (_op_text(inner),),
                    format_node(inner, within),
                    f"k{place}",
                )
                self.scene.boxes.append(box)
        else:
            lines = tuple(textwrap.wrap(", ".join(_counted(n.op.name for n in body.nodes)), 34))
            self.scene.boxes.append(Box(f"n{place}", kind, phase, lines, tip, frame))
            self.alone.add(f"n{place}")

    def _took(self, members: list[Node]) -> tuple[float, list[str]]:
        """The part of all time that nodes took together, and what is written of it."""
        seconds = sum(self.times.get(member, 0.0) for member in members)
        share = seconds / self.total if self.total else 0.0
        return share, [f"{format_seconds(seconds)}, {share:.1%}"] if seconds else []

    def _inner_arrows(self, place: int, node: Node) -> None:
        """Arrows between the ops of a kernel, and from and to what is outside of it."""
        body = node.attrs["body"]
        within = value_names(body)
        outer = dict(zip(body.inputs, node.inputs, strict=True))
        inner: dict[Value, str] = {}
        for value, array in body.constants.items() if is_loop(node) else ():
            inner[value] = f"n{place}_c{len(inner)}"
            name = format_attr(array.item()) if array.size == 1 else str(value.type)
            box = Box(inner[value], "constant", "", (name,), str(value.type), f"k{place}")
            self.scene.boxes.append(box)
        for number, op in enumerate(body.nodes):
            here = f"n{place}_{number}"
            for value in op.inputs:
                if value in inner:
                    self._add(Arrow(inner[value], here, str(value.type), within[value], nbytes=value.type.nbytes))
                elif value in outer:
                    self._arrow(outer[value], here, place, node.source.phase)
            inner.update(dict.fromkeys(op.outputs, here))
        for value, result in zip(node.outputs, body.outputs, strict=True):
            if result in inner:
                self.made[value] = (inner[result], place)
            elif result in outer:
                self.passed[value] = self._origin(outer[result])

    def _origin(self, value: Value) -> Value:
        return self.passed.get(value, value)

    def _arrow(self, value: Value, end: str, place: int, phase: str = "") -> None:
        value = self._origin(value)
        end_frame = f"k{place}" if end in self.alone else None
        if value not in self.made:
            start = self._leaf(value, end)
            self._add(Arrow(start, end, str(value.type), self.names[value], None, end_frame, nbytes=value.type.nbytes))
            return
        start, origin = self.made[value]
        start_frame = f"k{origin}" if start in self.alone else None
        saved = phase not in ("", self.classes[origin][0].source.phase)
        back = origin >= place
        ends = start_frame, end_frame
        self._add(Arrow(start, end, str(value.type), self.names[value], *ends, back, saved, value.type.nbytes))

    def _add(self, arrow: Arrow) -> None:
        self.scene.arrows.setdefault((arrow.start, arrow.end, arrow.text), arrow)

    def _leaf(self, value: Value, end: str) -> str:
        """The box of an input or constant: one for each box that reads it, so that no arrow crosses the picture."""
        array = self.graph.constants.get(value)
        kind = "input" if array is None else "constant"
        name = self.called.get(value) or value.hint or self.names[value]
        if array is not None and array.size == 1:
            name = format_attr(array.item())
        # Folded, those of one type that a box reads are drawn as one: all gains and biases of a norm.
        key = (kind, value.type, end) if self.folded else (value, end)
        if key not in self.leaves:
            self.leaves[key] = f"v{len(self.leaves)}"
        place = self.leaves[key]
        before = self.given.get(place)
        names = before.lines if before else ()
        tips = f"{before.tooltip}\n" if before else ""
        if name not in names:
            tip = f"{tips}{self.names[value]}: {value.type}"
            self.given[place] = Box(place, kind, "", (*names, name), tip)
        return place

    def _outputs(self) -> None:
        groups: dict[object, list[Value]] = {}
        names = dict(zip(self.graph.outputs, self.graph.called.outputs, strict=False))
        for position, value in enumerate(self.graph.outputs):
            key = (self.made.get(self._origin(value)), value.type) if self.folded else position
            groups.setdefault(key, []).append(value)
        for number, values in enumerate(groups.values()):
            value = values[0]
            name = names.get(value) or value.hint or ("result" if len(self.graph.outputs) == 1 else f"result {number}")
            lines = (name,) if len(values) == 1 else (f"{len(values)} results",)
            self.scene.boxes.append(Box(f"r{number}", "output", "", lines, self.names[value]))
            self._arrow(value, f"r{number}", len(self.classes))


def _short(names: tuple[str, ...]) -> tuple[str, ...]:
    """Names in as few lines as a box may have."""
    lines = textwrap.wrap(", ".join(names), 34) if len(names) > 1 else list(names)
    return tuple(lines if len(lines) <= MAX_LINES else [*lines[: MAX_LINES - 1], f"… {len(names)} in all"])


def _op_text(node: Node) -> str:
    attrs = ", ".join(f"{key}={format_attr(value)}" for key, value in node.attrs.items() if key not in ("why", "body"))
    return f"{node.op.name} {attrs}" if attrs and len(attrs) < 40 else node.op.name


def _where(node: Node) -> list[str]:
    """The source lines, several numbers of one file together: "model.py:3, 7"."""
    files: dict[str, list[int]] = {}
    for line in node.source.lines:
        numbers = files.setdefault(line.file.replace("\\", "/").rsplit("/", 1)[-1], [])
        if line.line not in numbers:
            numbers.append(line.line)
    texts = [f"{file}:{', '.join(map(str, sorted(numbers)))}" for file, numbers in files.items()]
    wrapped = [part for text in texts for part in textwrap.wrap(text, 34)]
    return wrapped if len(wrapped) <= MAX_LINES else [*wrapped[: MAX_LINES - 1], "…"]


def _counted(names: Iterable[str]) -> list[str]:
    return [name if count == 1 else f"{count} {name}" for name, count in Counter(names).items()]
