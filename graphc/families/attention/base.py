"""What all kernels of the attention family have in common: the sizes, the sums, and which columns a row sees.

A kernel owns rows of one side, queries or keys, and walks over the other side, its columns.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from graphc.codegen.emit import Emitter
from graphc.codegen.kernel import Bindings, BuildContext, KernelSource
from graphc.codegen.literals import literal_text
from graphc.families.attention.tile import Kind, Shape
from graphc.ir.graph import Graph, Node, Value
from graphc.ir.index import LANES, Idx, Index, constant, variable
from graphc.ir.op import Term
from graphc.ir.types import TensorType, f32

LOWEST = "-1e38"
"""Below every score that is not infinite: the maximum of no scores."""

WHAT: dict[Kind, str] = {
    "forward": "attention: softmax(scale q k^T) v, rows are queries; running maximum and sum, rescaled as these change",
    "queries": "attention, gradient of the queries: rows are queries, columns keys",
    "keys": "attention, gradients of keys and values: rows are keys, columns queries",
}


@dataclass(frozen=True, slots=True)
class Sum:
    """One accumulator a row: rows of `value`, each `width` long, weighted by the vectors named `weight`<row>."""

    name: str
    weight: str
    value: Value
    width: int

    def pieces(self, lanes: int) -> int:
        """Vectors of a row that one lane holds."""
        return -(-self.width // (LANES * lanes))


@dataclass(frozen=True, slots=True)
class Part:
    """The columns low to high - 1, which one of several kernels visits, in the order of their columns.

    before, after: what the sums and variables of all rows have come to, between one kernel and the next. The first one
    starts from nothing, and the last one has the results.
    """

    low: int
    high: int
    before: Value | None
    after: Value | None


class AttentionKernel(ABC):
    """A kernel whose workgroup owns rows.

    A subclass sets, for its workgroup: `lanes`, invocations that share a row; `size`, all of them; `own`, rows that an
    invocation has sums of; `rows`, those of the workgroup; `each`, workgroups for one batch element; `step`, columns
    that are visited at once.
    """

    kind: Kind
    lanes: int
    size: int
    own: int
    rows: int
    each: int
    step: int
    dout: Value
    lse: Value
    delta: Value

    def __init__(self, body: Graph, context: BuildContext, bindings: Bindings, node: Node, part: Part | None) -> None:
        self.part = part
        self.body, self.context, self.bindings, self.node = body, context, bindings, node
        self.emitter = Emitter(body, bindings, "")
        self.scale, self.causal = node.attrs["scale"], node.attrs["causal"]
        shape = node.inputs[0].type.shape
        self.batch, self.count = shape[:-2], math.prod(shape[:-2])
        self.queries, self.keys = shape[-2], node.inputs[1].type.shape[-2]
        self.offset = self.keys - self.queries
        sides = self.queries, self.keys
        self.row_count, self.column_count = sides[::-1] if self.kind == "keys" else sides
        self.shape = shape_of(node)
        self.prefix: tuple[Idx, ...] = ()
        self.dropout = "keep" in node.attrs
        self.q, self.k, self.v = node.inputs[:3]
        if self.kind != "forward":
            self.dout, self.lse, self.delta = node.inputs[3:6]

    @abstractmethod
    def kernel(self) -> KernelSource:
        """The finished source."""

    def variables(self, r: int) -> list[str]:
        """The names of what row r keeps from column to column beside its sums, four numbers at most."""
        return [f"top{r}", f"total{r}"] if self.kind == "forward" else []

    def sums(self) -> list[Sum]:
        """What is accumulated over the columns."""
        if self.kind == "forward":
            return [Sum("o", "s", self.v, self.v.type.shape[-1])]
        if self.kind == "queries":
            return [Sum("o", "g", self.k, self.k.type.shape[-1])]
        found = [
            Sum("dv", "s", self.dout, self.v.type.shape[-1]),
            Sum("dk", "g", self.q, self.q.type.shape[-1]),
        ]
        return [item for item in found if self.output(item.name) in self.body.outputs]

    def output(self, name: str) -> Value:
        """The result that the accumulators of this name become."""
        return self.node.outputs[{"o": 0, "dk": 1, "dv": 2}[name]]

    def bounds(self) -> tuple[str, str]:
        """First column that some row needs, and the one after the last."""
        if self.kind == "keys":
            # At a whole vector, so that sums group their terms alike whatever the rows of a tile.
            begin = f"(max(first, {self.offset}u) - {self.offset}u) / {LANES}u * {LANES}u" if self.causal else "0u"
            return begin, f"{self.queries}u"
        if not self.causal:
            return "0u", f"{self.keys}u"
        return "0u", f"min(first + {self.rows + self.offset}u, {self.keys}u)"

    def part_bounds(self) -> tuple[str, str]:
        """The columns to visit: of a part those between its own, which are whole steps from the first of all."""
        begin, end = self.bounds()
        if self.part is None:
            return begin, end
        return f"max(({begin}) / {self.step}u * {self.step}u, {self.part.low}u)", f"min({end}, {self.part.high}u)"

    def steps(self) -> int:
        """Most steps over the columns."""
        return -(-(self.part.high - self.part.low if self.part else self.column_count) // self.step)

    def flops(self) -> int:
        """Floating-point operations; a multiply-add counts two."""
        gradient = any(item.weight == "g" for item in self.sums())
        terms = self.shape.head + (self.shape.width if gradient else 0) + sum(item.width for item in self.sums())
        return 2 * self.shape.pairs * terms

    # Positions

    def begin_batch(self) -> None:
        """Name the position of the batch element, and of the vectors of a row that this lane holds."""
        dims = Index(self.batch, flat=variable("batch", self.count)).dims
        self.prefix = tuple(self.emitter.named(d, longer=0) for d in dims)
        across = LANES * self.lanes
        for width in dict.fromkeys(s.width for s in self.sums()):
            for piece in range(-(-width // across)) if width > LANES else ():
                inside = f"min((lane + {piece * self.lanes}u) * 4u, {(width - 1) // LANES * LANES}u)"
                self.emitter.line(f"let {self.piece(width, piece).text} = {inside};")

    def piece(self, width: int, piece: int) -> Idx:
        """First element of a vector of a row that this lane holds."""
        if width <= LANES:
            return constant(0) if width == 1 else Idx("0u", 1, LANES, width)
        return Idx(f"e{width}_{piece}", 1, LANES, width)

    def row_text(self, r: int) -> str:
        """Row r of those whose sums an invocation has; it may lie past the last one."""
        return f"first + {r}u"

    def row_guards(self, r: int) -> list[str]:
        """What must hold for that row to exist."""
        return [f"{self.row_text(r)} < {self.row_count}u"] if self.row_count % self.rows else []

    def store(self, value: Value, name: str, width: int, factors: Sequence[str] = ()) -> None:
        """Write the accumulator `name` of each row to `value`; factors: one for each row."""
        vector, emitter, across = width % LANES == 0, self.emitter, LANES * self.lanes
        operand = self.bindings.write(value, vector=vector)
        for r in range(self.own):
            row = variable(f"({self.row_text(r)})", self.row_count)
            for p in range(-(-width // across)):
                column = self.piece(width, p)
                guards = self.row_guards(r)
                guards += [f"(lane + {p * self.lanes}u) * 4u < {width}u"] if width % across else []
                with emitter.block(f"if ({' && '.join(guards)})" if guards else ""):
                    term = Term(f"{name}{r}_{p}" + (f" * {factors[r]}" if factors else ""), LANES, f32)
                    index = Index(value.type.shape, [*self.prefix, row, column])
                    if vector:
                        emitter.write(operand, index, term)
                        continue
                    text, flat = emitter.name(term).text, emitter.named(index.flat, longer=0).text
                    for lane in range(min(LANES, width)):
                        write = operand.store(f"{flat} + {lane}u", f"{text}.{'xyzw'[lane]}")
                        emitter.line(f"if ({column.text} + {lane}u < {width}u) {{ {write} }}" if lane else write)

    # What is kept from one kernel to the next

    def kept(self) -> TensorType:
        """The type of what is kept from one kernel to the next: vectors of all invocations, side by side."""
        return TensorType((self.each * self.count * self.own * self._vectors(), self.size, LANES), f32)

    def _vectors(self) -> int:
        return sum(item.pieces(self.lanes) for item in self.sums()) + bool(self.variables(0))

    def _places(self, r: int) -> Iterator[tuple[str, list[str]]]:
        """Where each vector that row r keeps lies, and the names in it."""
        names = [[f"{item.name}{r}_{p}"] for item in self.sums() for p in range(item.pieces(self.lanes))]
        names += [self.variables(r)] if self.variables(r) else []
        local = "lane" if self.size == self.lanes else "local"
        for k, found in enumerate(names):
            yield f"((block * {self.own}u + {r}u) * {self._vectors()}u + {k}u) * {self.size}u + {local}", found

    def take_up(self, before: Value) -> None:
        """Go on from where the kernel before has left off."""
        source = self.bindings.read(before, vector=True)
        for r in range(self.own):
            for place, names in self._places(r):
                if len(names) == 1:
                    self.emitter.line(f"{names[0]} = {source.load(place)};")
                    continue
                held = self.emitter.name(Term(source.load(place), LANES, f32)).text
                self.emitter.line(" ".join(f"{name} = {held}.{c};" for name, c in zip(names, "xyzw", strict=False)))

    def leave(self, after: Value) -> None:
        """Keep what the sums and variables have come to."""
        written = self.bindings.write(after, vector=True)
        for r in range(self.own):
            for place, names in self._places(r):
                value = names[0] if len(names) == 1 else f"vec4<f32>({', '.join([*names, '0.0', '0.0'][:LANES])})"
                self.emitter.line(written.store(place, value))

    # Dropout

    def draw(self, kept: str, columns: str, row: str, count: int) -> None:
        """Variables `kept`<n>: for eight rows each, which of four weights dropout keeps, four bits a row.

        columns: the four columns, a vector. row: the name of row i of `count`, {i} standing for i.
        """
        key, emitter = self.node.inputs[-1], self.emitter
        words = [emitter.read(key, Index((2,), [constant(k)])).text for k in range(2)]
        for n in range(-(-count // 8)):
            emitter.line(f"var {kept}{n} = 0u;")
            with emitter.block(f"for (var i = 0u; i < {min(8, count - 8 * n)}u; i++)"):
                emitter.line(f"let place = {self.place(row.format(i=f'{8 * n}u + i'), columns)};")
                bits = f"gc_threefry_v4({words[0]}, {words[1]}, place, vec4<u32>(), vec4<bool>()) >> vec4<u32>(8u)"
                keep = f"vec4<f32>({literal(self.node.attrs['keep'])})"
                emitter.line(f"let keep = vec4<f32>({bits}) * {literal(2.0**-24)} < {keep};")
                emitter.line("let bit = select(vec4<u32>(), vec4<u32>(1u, 2u, 4u, 8u), keep);")
                emitter.line(f"{kept}{n} |= (bit.x | bit.y | bit.z | bit.w) << (4u * i);")

    def place(self, row: str, columns: str) -> str:
        """Flat positions of a row's weights in a tensor of all of them."""
        if self.kind == "keys":
            return f"(vec4<u32>(batch * {self.queries}u) + {columns}) * {self.keys}u + ({row})"
        return f"vec4<u32>((batch * {self.queries}u + {row}) * {self.keys}u) + {columns}"

    def held(self, r: int, kept: str = "kept") -> str:
        """Which weights of row r dropout keeps, as a vector of bool; "" where there is none."""
        if not self.dropout:
            return ""
        bits = ", ".join(f"{1 << (4 * (r % 8) + j)}u" for j in range(LANES))
        return f"(vec4<u32>({kept}{r // 8}) & vec4<u32>({bits})) != vec4<u32>()"


def literal(number: float) -> str:
    """A number as WGSL text."""
    text = literal_text(number, f32)
    assert text is not None, f"the scale {number} is a number of ordinary size"
    return text


def shape_of(node: Node) -> Shape:
    """The sizes of an attention node, or of its gradient."""
    q, k, v = (value.type.shape for value in node.inputs[:3])
    return Shape(math.prod(q[:-2]), q[-2], k[-2], q[-1], v[-1], node.attrs["causal"])
