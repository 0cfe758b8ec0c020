"""What the kernels of the attention family share: rows of one side, steps over the other, sums in registers."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from graphc.codegen.emit import Emitter, literal_text
from graphc.codegen.kernel import Bindings, KernelSource, Site, grid
from graphc.codegen.rules import prefers_texels
from graphc.errors import GraphError
from graphc.families.attention.tile import Kind, Shape, Tile, choose, smallest
from graphc.index import LANES, Idx, Index, constant, variable
from graphc.ir import Graph, Node, Value
from graphc.kernels import render
from graphc.kernels.code import Code
from graphc.op import Term
from graphc.types import TensorType, f32


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


class RowKernel(ABC):
    """A kernel whose workgroup owns rows.

    Names in the WGSL: `first` is the first row of the workgroup, `next` the first column of a step, `at` the columns of
    this lane, `n0` to `n3` the same, brought inside.
    """

    what = ""
    kind: Kind

    def __init__(
        self, body: Graph, site: Site, bindings: Bindings, node: Node, rows: int, columns: int, part: Part | None
    ) -> None:
        self.part = part
        self.body, self.site, self.bindings, self.node = body, site, bindings, node
        self.emitter = Emitter(body, bindings, "")
        self.scale, self.causal = node.attrs["scale"], node.attrs["causal"]
        shape = node.inputs[0].type.shape
        self.batch, self.count = shape[:-2], math.prod(shape[:-2])
        self.queries, self.keys = shape[-2], node.inputs[1].type.shape[-2]
        self.offset = self.keys - self.queries
        self.row_count, self.column_count = rows, columns
        self.lanes = site.target.subgroup
        self.shape = shape_of(node)
        self.staged = texels_of(body, site, node)
        self.tile: Tile = choose(self.kind, self.shape, site.target, bool(self.staged))
        if site.quick:
            self.tile = smallest(self.tile)
        self.rows, self.each = self._share_rows()
        self.step = LANES * self.lanes
        self.prefix: tuple[Idx, ...] = ()
        self.dropout = "keep" in node.attrs

    # The parts that differ

    @abstractmethod
    def sums(self) -> list[Sum]:
        """What is accumulated over the columns."""

    @abstractmethod
    def declare(self) -> None:
        """Loads and variables before the loop."""

    @abstractmethod
    def weigh(self) -> None:
        """From the columns of a step, the weights that the sums use."""

    def variables(self, r: int) -> list[str]:
        """The names of what row r keeps from column to column beside its sums, four numbers at most."""
        return []

    @abstractmethod
    def finish(self) -> None:
        """Write the results."""

    @abstractmethod
    def bounds(self) -> tuple[str, str]:
        """First column that some row needs, and the one after the last."""

    # The kernel

    def kernel(self) -> KernelSource:
        """The finished source."""
        emitter = self.emitter
        with emitter.scope() as start:
            dims = Index(self.batch, flat=variable("batch", self.count)).dims
            self.prefix = tuple(emitter.named(d, longer=0) for d in dims)
            for width in dict.fromkeys(s.width for s in self.sums()):
                for piece in range(-(-width // self.step)) if width > LANES else ():
                    inside = f"min((lane + {piece * self.lanes}u) * 4u, {(width - 1) // LANES * LANES}u)"
                    emitter.line(f"let {self._piece(width, piece).text} = {inside};")
            for load in self.loads() if self.row_count > 1 else ():
                last = self.row_count - 1
                emitter.line(f"let r{load} = min(first + lane + {load * self.lanes}u, {last}u);")
            emitter.line(f"let four_on = (lane + 4u) % {self.lanes}u;")
            self.declare()
            for item in self.sums():
                for r in range(self.rows):
                    pieces = range(item.pieces(self.lanes))
                    emitter.line(" ".join(f"var {item.name}{r}_{p} = vec4<f32>();" for p in pieces))
            if self.part and self.part.before:
                self._take_up(self.part.before)
            with emitter.scope(), emitter.scope() as step:
                emitter.line("let at = vec4<u32>(next + lane / 4u * 16u + lane % 4u) + vec4<u32>(0u, 4u, 8u, 12u);")
                last = self.column_count - 1
                for j in range(LANES):
                    emitter.line(f"let n{j} = min(at.{'xyzw'[j]}, {last}u);")
                if self.dropout:
                    self.draw()
                self.weigh()
                self._accumulate()
            with emitter.scope() as finish:
                if self.part and self.part.after:
                    self._leave(self.part.after)
                else:
                    self.finish()
        begin, end = self._bounds()
        blocks = self.each * self.count
        workgroups = grid(blocks, self.site.target)
        text = render(
            "attention",
            what=self.what,
            rows=self.rows,
            each=self.each,
            step=self.step,
            steps=-(-self._columns() // self.step),
            lanes=self.lanes,
            highest=self._reduced("max", "subgroupMax"),
            total=self._reduced("add", "subgroupAdd"),
            columns=workgroups[0],
            blocks=blocks,
            start="\n".join(start),
            begin=begin,
            end=end,
            body="\n".join(step),
            finish="\n".join(finish),
        )
        return KernelSource(
            name=f"attention_{type(self).__name__.strip('_').lower()}",
            family="attention",
            code=Code.of(text),
            operands=self.bindings.operands(),
            workgroups=workgroups,
            flops=self._flops(),
            needs=("subgroup",),
        )

    def _columns(self) -> int:
        """Most columns that are visited."""
        return self.part.high - self.part.low if self.part else self.column_count

    def _bounds(self) -> tuple[str, str]:
        """The columns to visit: of a part those between its own, which are whole steps from the first of all."""
        begin, end = self.bounds()
        if self.part is None:
            return begin, end
        return f"max(({begin}) / {self.step}u * {self.step}u, {self.part.low}u)", f"min({end}, {self.part.high}u)"

    def kept(self) -> TensorType:
        """The type of what is kept from one kernel to the next: vectors of all lanes, side by side."""
        return TensorType((self.each * self.count * self.rows * self._vectors(), self.lanes, LANES), f32)

    def _vectors(self) -> int:
        return sum(item.pieces(self.lanes) for item in self.sums()) + bool(self.variables(0))

    def _places(self, r: int) -> Iterator[tuple[str, list[str]]]:
        """Where each vector that row r keeps lies, and the names in it."""
        names = [[f"{item.name}{r}_{p}"] for item in self.sums() for p in range(item.pieces(self.lanes))]
        names += [self.variables(r)] if self.variables(r) else []
        for k, found in enumerate(names):
            yield f"((block * {self.rows}u + {r}u) * {self._vectors()}u + {k}u) * {self.lanes}u + lane", found

    def _take_up(self, before: Value) -> None:
        """Go on from where the kernel before has left off."""
        source = self.bindings.read(before, vector=True)
        for r in range(self.rows):
            for place, names in self._places(r):
                if len(names) == 1:
                    self.emitter.line(f"{names[0]} = {source.load(place)};")
                    continue
                held = self.emitter.name(Term(source.load(place), LANES, f32)).text
                self.emitter.line(" ".join(f"{name} = {held}.{c};" for name, c in zip(names, "xyzw", strict=False)))

    def _leave(self, after: Value) -> None:
        """Keep what the sums and variables have come to."""
        written = self.bindings.write(after, vector=True)
        for r in range(self.rows):
            for place, names in self._places(r):
                value = names[0] if len(names) == 1 else f"vec4<f32>({', '.join([*names, '0.0', '0.0'][:LANES])})"
                self.emitter.line(written.store(place, value))

    def _share_rows(self) -> tuple[int, int]:
        """Rows of a workgroup, all alike, and workgroups for the rows of one batch element."""
        each = -(-self.row_count // self.tile.rows)
        return -(-self.row_count // each), each

    def _flops(self) -> int:
        gradient = any(item.weight == "g" for item in self.sums())
        terms = self.shape.head + (self.shape.width if gradient else 0) + sum(item.width for item in self.sums())
        return 2 * self.shape.pairs * terms

    def _reduced(self, op: str, builtin: str) -> str:
        """Body of a function of the subgroup's values of x: llvmpipe reduces them one by one, but shuffles quickly."""
        if not self.site.target.software:
            return f"return {builtin}(x);"
        lines, distance = ["var y = x;"], 1
        while distance < self.lanes:
            other = f"subgroupShuffleXor(y, {distance}u)"
            lines.append(f"y = max(y, {other});" if op == "max" else f"y += {other};")
            distance *= 2
        return " ".join([*lines, "return y;"])

    # Positions

    def _piece(self, width: int, piece: int) -> Idx:
        """First element of a vector of a row that this lane holds."""
        if width <= LANES:
            return constant(0) if width == 1 else Idx("0u", 1, LANES, width)
        return Idx(f"e{width}_{piece}", 1, LANES, width)

    def row_of(self, load: int) -> Idx:
        """The row that this lane loads, brought inside."""
        return variable(f"r{load}", self.row_count)

    def read(self, value: Value, row: Idx, element: Idx | None = None) -> str:
        """The name of four elements of a row of `value`, or of its only one."""
        dims = [*self.prefix, row] if element is None else [*self.prefix, row, element]
        with self.emitter.staged(self.tile.texels and value in self.staged):
            term = self.emitter.read(value, Index(value.type.shape, dims))
        return self.emitter.name(self.emitter.widened(term, 1 if element is None else LANES)).text

    def loads(self) -> range:
        """The loads that bring one element for each row, spread over the lanes."""
        return range(-(-self.rows // self.lanes))

    def of_row(self, names: Sequence[str], r: int) -> str:
        """Row r's element of what was loaded so."""
        return f"subgroupBroadcast({names[r // self.lanes]}, {r % self.lanes}u)"

    @abstractmethod
    def seen(self, r: int) -> str | None:
        """The columns that row r may see, as a vector of bool."""

    # Products and sums

    def product(self, name: str, of_rows: Value, of_columns: Value) -> None:
        """Variables `name`<row>: the scalar product of each row with four columns."""
        length, emitter = of_rows.type.shape[-1], self.emitter
        emitter.line(" ".join(f"var {name}{r} = vec4<f32>();" for r in range(self.rows)))
        whole = length // LANES * LANES
        if whole:
            with emitter.block(f"for (var d = 0u; d < {whole}u; d += 4u)"):
                self._terms(name, of_rows, of_columns, Idx("d", 1, LANES, length), LANES)
        if length % LANES:
            with emitter.block(""):
                self._terms(name, of_rows, of_columns, Idx(f"{whole}u", 1, LANES, length), length % LANES)

    def _terms(self, name: str, of_rows: Value, of_columns: Value, d: Idx, terms: int) -> None:
        left = [self.read(of_rows, self.row_of(load), d) for load in self.loads()]
        right = [self.read(of_columns, variable(f"n{j}", self.column_count), d) for j in range(LANES)]
        # A row's scores stay in registers while its terms are added: all columns first, then row by row.
        for t, letter in enumerate("xyzw"[:terms]):
            self.emitter.line(f"let c{t} = vec4<f32>({', '.join(f'{v}.{letter}' for v in right)});")
        for r in range(self.rows):
            added = (
                f"{self.of_row([f'{v}.{letter}' for v in left], r)} * c{t}" for t, letter in enumerate("xyzw"[:terms])
            )
            self.emitter.line(" ".join(f"{name}{r} += {term};" for term in added))

    def _accumulate(self) -> None:
        """Add the weighted rows of the other side to the sums.

        Four columns at a time, those in the x of the first four lanes. Then the weights move on: y, z and w to x, and
        after these the x of the next four lanes, so that the code is short.
        """
        emitter, last = self.emitter, self.column_count - 1
        weights = list(dict.fromkeys(s.weight for s in self.sums()))
        with emitter.block(f"for (var j = next; j < min(end, next + {self.step}u); j += 4u)", self.step // LANES):
            for c in range(LANES):
                emitter.line(f"let m{c} = min(j + {c}u, {last}u);")
            rows = [variable(f"m{c}", self.column_count) for c in range(LANES)]
            for item in self.sums():
                pieces = range(item.pieces(self.lanes))
                values = [[self.read(item.value, row, self._piece(item.width, p)) for row in rows] for p in pieces]
                for r in range(self.rows):
                    given = " ".join(f"let x{c} = subgroupBroadcast({item.weight}{r}.x, {c}u);" for c in range(LANES))
                    added = " ".join(
                        f"{item.name}{r}_{p} += (x0 * {v[0]} + x1 * {v[1]}) + (x2 * {v[2]} + x3 * {v[3]});"
                        for p, v in enumerate(values)
                    )
                    emitter.line(f"{{ {given} {added} }}")
            for name in weights:
                for r in range(self.rows):
                    emitter.line(f"{name}{r} = vec4<f32>({name}{r}.yzw, subgroupShuffle({name}{r}.x, four_on));")

    def draw(self) -> None:
        """Variables `kept`<n>: for eight rows each, which of this lane's weights dropout keeps, four bits a row."""
        key, emitter = self.node.inputs[-1], self.emitter
        words = [emitter.read(key, Index((2,), [constant(k)])).text for k in range(2)]
        for n in range(-(-self.rows // 8)):
            emitter.line(f"var kept{n} = 0u;")
            with emitter.block(f"for (var i = 0u; i < {min(8, self.rows - 8 * n)}u; i++)"):
                emitter.line(f"let place = {self.place(f'first + {8 * n}u + i')};")
                bits = f"gc_threefry_v4({words[0]}, {words[1]}, place, vec4<u32>(), vec4<bool>()) >> vec4<u32>(8u)"
                keep = f"vec4<f32>({literal(self.node.attrs['keep'])})"
                emitter.line(f"let keep = vec4<f32>({bits}) * {literal(2.0**-24)} < {keep};")
                emitter.line("let bit = select(vec4<u32>(), vec4<u32>(1u, 2u, 4u, 8u), keep);")
                emitter.line(f"kept{n} |= (bit.x | bit.y | bit.z | bit.w) << (4u * i);")

    def place(self, row: str) -> str:
        """Flat positions of a row's weights in a tensor of all of them."""
        return f"vec4<u32>((batch * {self.queries}u + {row}) * {self.keys}u) + at"

    def dropped(self, text: str, r: int) -> str:
        """Weights of row r (or their gradients) after dropout."""
        if not self.dropout:
            return text
        bits = ", ".join(f"{1 << (4 * (r % 8) + j)}u" for j in range(LANES))
        boost = literal(self.node.attrs["boost"])
        kept = f"(vec4<u32>(kept{r // 8}) & vec4<u32>({bits})) != vec4<u32>()"
        return f"select(vec4<f32>(), {text} * {boost}, {kept})"

    def store(self, value: Value, name: str, width: int, factors: Sequence[str] = ()) -> None:
        """Write the accumulator `name` of each row to `value`; factors: one for each row."""
        vector, emitter = width % LANES == 0, self.emitter
        operand = self.bindings.write(value, vector=vector)
        for r in range(self.rows):
            row = variable(f"(first + {r}u)", self.row_count)
            guards = [f"first + {r}u < {self.row_count}u"] if self.row_count % self.rows else []
            for p in range(-(-width // self.step)):
                column = self._piece(width, p)
                inside = [f"(lane + {p * self.lanes}u) * 4u < {width}u"] if width % self.step else []
                with emitter.block(f"if ({' && '.join(guards + inside)})" if guards + inside else ""):
                    term = Term(f"{name}{r}_{p}" + (f" * {factors[r]}" if factors else ""), LANES, f32)
                    index = Index(value.type.shape, [*self.prefix, row, column])
                    if vector:
                        emitter.write(operand, index, term)
                        continue
                    text, flat = emitter.name(term).text, emitter.named(index.flat, longer=0).text
                    for lane in range(min(LANES, width)):
                        write = operand.store(f"{flat} + {lane}u", f"{text}.{'xyzw'[lane]}")
                        emitter.line(f"if ({column.text} + {lane}u < {width}u) {{ {write} }}" if lane else write)


def literal(number: float) -> str:
    """A number as WGSL text."""
    text = literal_text(number, f32)
    assert text is not None, f"the scale {number} is a number of ordinary size"
    return text


def shape_of(node: Node) -> Shape:
    """The sizes of an attention node, or of its gradient."""
    q, k, v = (value.type.shape for value in node.inputs[:3])
    return Shape(math.prod(q[:-2]), q[-2], k[-2], q[-1], v[-1], node.attrs["causal"])


def texels_of(body: Graph, site: Site, node: Node) -> frozenset[Value]:
    """The operands (q, k, v, dout) that can be read from textures: the node is marked, and texels are whole vectors."""
    if node not in site.staged or not prefers_texels(site.target):
        return frozenset()
    return frozenset(value for value in node.inputs[:4] if _in_texels(body, site, value))


def _in_texels(body: Graph, site: Site, value: Value) -> bool:
    """Whether four elements along the last axis are one texel, at a place that costs no division."""
    shape = value.type.shape
    if len(shape) < 2:
        return False
    dims = [variable(f"i{axis}", n) for axis, n in enumerate(shape[:-1])]
    dims.append(Idx("(d * 4u)", 1, LANES, shape[-1]))
    buffers, textures = Emitter(body, site.bindings()), Emitter(body, site.bindings())
    buffers.read(value, Index(shape, dims))
    try:
        with textures.staged():
            textures.read(value, Index(shape, dims))
    except GraphError:
        return False
    vectors = [touch.vector for _, touch in buffers.touches]
    touches = textures.texels
    return all(vectors) and bool(touches) and not any(sign in touch.place for touch in touches for sign in "/%")
