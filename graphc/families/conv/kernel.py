"""The conv family without tiles: an invocation holds a few channels of the result at four neighbouring positions.

What it reads of x serves all its channels, and an element of the kernel all its positions. Long sums, as those of the
gradients of kernels are, are shared out: parts lie in memory until another kernel adds them up.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any, Final

from graphc.codegen.emit import Emitter
from graphc.codegen.inplace import in_place
from graphc.codegen.kernel import Bindings, BuildContext, KernelSource, Operand, Search, settle, size_class
from graphc.codegen.launch import THREADS, Launch, sum_type
from graphc.codegen.parts import as_dtype, sum_parts
from graphc.codegen.rules import rules_of
from graphc.families.conv import packed
from graphc.families.conv.shape import Shape, convolves, shape_of
from graphc.ir.graph import Graph, Node, Value, new_value
from graphc.ir.index import LANES, Idx, Index, add, clamp, divide, multiply, variable
from graphc.ir.op import Lanes, Term
from graphc.ir.types import TensorType, bool_
from graphc.ops.conv import spread_size
from graphc.plan.plan import Target

CHANNELS: Final = (4, 8, 2, 1)
"""Channels that an invocation may hold."""
LONGEST: Final = 8192
"""Turns of an invocation's loops from which on a sum is shared out."""
SHORTEST: Final = 256
"""Terms of a part below which a second step is not worth its launch."""
MOST_PARTS: Final = 1 << 22
"""Elements that all parts may take together."""


def candidates(shape: Shape) -> list[tuple[int, ...]]:
    """The search space: channels of an invocation, those of the rules first."""
    return [(n,) for n in CHANNELS if n <= max(shape.outs, 1)]


def search(body: Graph, context: BuildContext) -> Search:
    """The tuner's problem in a body of this family."""
    problem = packed.packed(body, context)
    if problem is not None and packed.tile_of(problem, context.target) is not None:
        return packed.search(problem, context.target)
    shape = shape_of(_node(body))
    return Search(_name(shape), tuple(candidates(shape)))


def _name(s: Shape) -> str:
    return f"conv {size_class(s.batch, s.groups, s.ins, s.outs, *s.taps, *s.size)}"


def _channels(shape: Shape, target: Target) -> int:
    """What a tuner chose, if it fits, else what the rules choose."""
    known = candidates(shape)
    found = target.choices.get(_name(shape))
    return found[0] if found in known else known[0][0]


def parts_of(shape: Shape, channels: int, target: Target) -> int:
    """Into how many parts the sums are cut: where they are long, or too few for the device to be busy."""
    busy = rules_of(target).resident * THREADS // max(shape.items(channels), 1)
    long = -(-shape.rows * (1 + shape.taps[1]) // LONGEST)
    wanted = max(min(busy, shape.terms // SHORTEST), long)
    results = max(shape.batch * shape.groups * shape.outs * shape.plane, 1)
    return max(1, min(wanted, shape.rows, max(MOST_PARTS // results, long)))


def _node(body: Graph) -> Node:
    (node,) = [n for n in body.nodes if convolves(n.op)]
    return node


def build(body: Graph, context: BuildContext) -> list[KernelSource]:
    """The kernels of a body with one convolution: a product of matrices where that pays.

    Else one kernel, or two where its sums are shared out.
    """
    problem = packed.packed(body, context)
    if problem is not None and (tile := packed.tile_of(problem, context.target)) is not None:
        return packed.build(body, context, problem, tile)
    node = _node(body)
    shape = shape_of(node)
    channels = _channels(shape, context.target)
    parts = parts_of(shape, channels, context.target)
    scratch = None
    if parts > 1:
        scratch = new_value(TensorType((parts, node.out.type.size), sum_type(node.out.type.dtype)), "parts")
    found = [settle(context, lambda bindings: _Direct(body, context, bindings, channels, parts).kernel(scratch))]
    if scratch is not None:
        kept = scratch
        found.append(
            settle(context, lambda bindings: sum_parts(body, context, bindings, "conv", node.out, parts, kept))
        )
    return found


class _Direct:
    """Writes the kernel. Names in the WGSL: c<t> the sums of the t-th channel."""

    def __init__(self, body: Graph, context: BuildContext, bindings: Bindings, channels: int, parts: int) -> None:
        self.body, self.context, self.bindings = body, context, bindings
        self.channels, self.parts = channels, parts
        self.emitter = Emitter(body, bindings, "")
        self.node = _node(body)
        self.attrs: dict[str, Any] = dict(self.node.attrs)
        self.shape = shape_of(self.node)
        self.acc = sum_type(self.node.out.type.dtype)
        plane, self.lanes = self.shape.plane, self.shape.lanes
        self.position = Idx("position", 1, LANES, plane) if self.lanes == LANES else variable("position", plane)

    def kernel(self, scratch: Value | None) -> KernelSource:
        """The kernel; with `scratch`, it leaves its parts of the sums there, for another to go on with."""
        s, emitter = self.shape, self.emitter
        blocks_group = -(-s.outs // self.channels)
        with emitter.scope() as start:
            zero = emitter.no_sum(self.lanes, self.acc)
            top, left = self._corners()
        with emitter.scope(), emitter.scope(), emitter.scope() as lines:
            seen = self._element() if s.terms else ""
            element = "\n".join(lines)
            weights = [self._weight(t, lines) for t in range(self.channels)] if s.terms else []
        with emitter.scope() as finish:
            written = self._finish(scratch)
        inplace, touches = in_place(emitter.touches, written, self.bindings)
        across = -(-s.plane // self.lanes)
        rows = -(-s.rows // self.parts)
        holes = {
            "what": self.context.label,
            "channels": self.channels,
            "lanes": self.lanes,
            "parts": self.parts,
            "across": across,
            "across_all": across * s.blocks(self.channels),
            "blocks": s.blocks(self.channels),
            "blocks_each": s.groups * blocks_group,
            "blocks_group": blocks_group,
            "group_channels": s.outs,
            "rows": rows,
            "rows_all": s.rows,
            "high": s.taps[0],
            "wide": s.taps[1],
            "start": "\n".join(start),
            "top": top,
            "left": left,
            "each_channel": range(self.channels),
            "zero": zero,
            "down": self._moved("tap", 0),
            "aside": self._moved("b", 1),
            "element": element,
            "seen": seen,
            "weights": weights,
            "finish": "\n".join(finish),
        }
        launch = Launch(self.body, self.context, "conv")
        items = s.items(self.channels) * self.parts
        return launch.kernel(
            f"conv_{self.context.label}",
            "conv",
            self.bindings,
            items,
            holes,
            flops=2 * self.node.out.type.size * s.terms,
            inplace=inplace,
            touches=touches,
        )

    def _corners(self) -> list[str]:
        """Where the first element of the kernel lies in x."""
        inside = self.position
        if self.shape.plane % self.lanes:  # the last positions of the last invocation are beyond the end
            inside = clamp(inside, self.shape.plane)
        places = Index(self.shape.size, flat=self.emitter.named(inside, longer=0)).dims
        return [self._corner(place, axis) for axis, place in enumerate(places)]

    def _corner(self, place: Idx, axis: int) -> str:
        """The place in x, its zeros counted, of the first tap; below zero it wraps around."""
        low = -self.attrs["padding"][axis][0] & 0xFFFFFFFF
        moved = multiply(place, self.attrs["strides"][axis])
        if moved.const is not None:
            return f"{self._vector()}({(moved.const + low) & 0xFFFFFFFF}u)"
        text = moved.vector if self.lanes == LANES else moved.text
        return f"{text} + {low}u" if low else text

    def _vector(self) -> str:
        return "vec4<u32>" if self.lanes == LANES else "u32"

    def _moved(self, tap: str, axis: int) -> str:
        """How far a tap lies from the first."""
        distance = self.attrs["dilation"][axis]
        return f"{tap} * {distance}u" if distance > 1 else tap

    def _element(self) -> str:
        """Read the elements of x that a tap is multiplied with; their name."""
        s, emitter, value = self.shape, self.emitter, self.node.inputs[0]
        channel = add(multiply(variable("group_number", s.groups), s.ins), self._channel_in())
        (y, inside_y), (x, inside_x) = self._place("y", 0), self._place("x", 1)
        with emitter.several():
            read = emitter.read(value, Index(value.type.shape, [variable("n", s.batch), channel, y, x]))
        seen = emitter.widened(self._as_sum(read), self.lanes)
        for inside in (inside_y, inside_x):
            if inside is not None:
                text = f"select({Lanes(self.lanes)(self.acc)}(), {seen.text}, {inside.text})"
                seen = emitter.name(Term(text, self.lanes, self.acc))
        return emitter.name(seen).text

    def _weight(self, t: int, lines: list[str]) -> tuple[int, str, str]:
        """A channel's number, what is added to `lines` to load its element of the kernel, and the name of that."""
        start = len(lines)
        kernel, taps = self.node.inputs[1], self.shape.taps
        at = [self._out(t, clamped=True), self._channel_in(), variable("tap", taps[0]), variable("b", taps[1])]
        with self.emitter.several():
            weight = self._as_sum(self.emitter.read(kernel, Index(kernel.type.shape, at)))
        return t, "\n".join(lines[start:]), weight.text

    def _channel_in(self) -> Idx:
        return divide(Idx("r", 0, 1, self.shape.rows), self.shape.taps[0])

    def _as_sum(self, term: Term) -> Term:
        if term.dtype == self.acc:
            return term
        return self.emitter.name(Term(f"{Lanes(term.width)(self.acc)}({term.text})", term.width, self.acc))

    def _place(self, name: str, axis: int) -> tuple[Idx, Term | None]:
        """The place in x that a tap lies at, and whether there is an element: None where there always is."""
        low, stride = self.attrs["padding"][axis][0], self.attrs["strides"][axis]
        spread, size = self.attrs["spread"][axis], self.node.inputs[0].type.shape[2 + axis]
        whole = spread_size(size, spread)
        last = (self.shape.size[axis] - 1) * stride + (self.shape.taps[axis] - 1) * self.attrs["dilation"][axis] - low
        place = Idx(name, None if self.lanes == LANES else 0, 1, whole)
        if low <= 0 and last < whole and spread == 1:
            return place, None
        text = f"({name} < {self._vector()}({whole}u))"
        if spread > 1:
            text = f"({text} & ({name} % {spread}u == {self._vector()}()))"
        inside = self.emitter.cond(text, self.lanes)
        return clamp(divide(Idx(name, place.lane), spread), size), Term(inside.text, self.lanes, bool_)

    def _out(self, t: int, clamped: bool = False) -> Idx:
        """The t-th channel of this invocation; some other one of the tensor in place of one past its group's end."""
        s = self.shape
        whole = s.outs % self.channels == 0
        idx = Idx(f"(first + {t}u)" if t else "first", 0, 1, s.groups * s.outs)
        return idx if whole or not clamped else clamp(idx, s.groups * s.outs)

    def _finish(self, scratch: Value | None) -> list[Operand]:
        """Write the outputs (or the parts) from the sums."""
        s, emitter, out = self.shape, self.emitter, self.node.out
        outputs = [scratch] if scratch is not None else list(dict.fromkeys(self.body.outputs))
        vector = self.lanes == LANES and s.plane % LANES == 0
        written = [self.bindings.write(v, vector=vector) for v in outputs]
        rows = multiply(variable("n", s.batch), s.groups * s.outs)
        for t in range(self.channels):
            o = self._out(t)
            flat = add(multiply(add(rows, o), s.plane), self.position)
            sums = Term(f"c{t}", self.lanes, self.acc)
            guard = s.outs % self.channels != 0 and t > 0
            with emitter.block(f"if (first_of_group + {t}u < {s.outs}u)") if guard else nullcontext():
                if scratch is not None:
                    part = multiply(variable("part", self.parts), out.type.size)
                    self._store(written[0], Index(scratch.type.shape, flat=add(part, flat)), sums)
                    continue
                place = Index(s.size, flat=self.position).dims
                index = Index(out.type.shape, [variable("n", s.batch), o, *place], flat)
                self._epilogue(outputs, written, index, sums)
        return written

    def _epilogue(self, outputs: Sequence[Value], written: Sequence[Operand], index: Index, sums: Term) -> None:
        self.emitter.bind(self.node.out, lambda _: as_dtype(sums, self.node.out.type.dtype))
        terms = [self.emitter.read(v, index.reshaped(v.type.shape)) for v in outputs]
        for value, operand, term in zip(outputs, written, terms, strict=True):
            self._store(operand, index.reshaped(value.type.shape), term)

    def _store(self, operand: Operand, index: Index, term: Term) -> None:
        if operand.vector or self.lanes == 1:
            self.emitter.write(operand, index, term)
            return
        # Channels do not end on whole vectors: each lane is written alone, if its position exists.
        name = self.emitter.name(self.emitter.widened(term, LANES)).text
        flat = self.emitter.name(Term(index.flat.text, 1, term.dtype), "i").text
        for lane in range(LANES):
            store = operand.store(f"{flat} + {lane}u", f"{name}.{'xyzw'[lane]}")
            inside = f"position + {lane}u < {self.shape.plane}u"
            self.emitter.line(f"if ({inside}) {{ {store} }}" if lane else store)
