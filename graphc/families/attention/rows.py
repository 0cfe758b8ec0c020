"""The kernels of the attention family whose workgroup is one subgroup: rows in registers, steps over columns.

A workgroup owns a few rows of one side (queries, or keys for the gradients of keys and values) and walks over the other
side in steps of four times its lanes: the scores of a step stay in registers, each lane holding four columns of every
row as a vector. What a row needs from a lane, and a lane from a row, goes by `subgroupBroadcast`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from graphc.codegen.emit import Emitter
from graphc.codegen.kernel import Bindings, BuildContext, KernelSource, grid
from graphc.codegen.rules import prefers_texels
from graphc.errors import GraphError
from graphc.families.attention.base import LOWEST, WHAT, AttentionKernel, Part, Sum, literal
from graphc.families.attention.tile import Tile, smallest
from graphc.ir.graph import Graph, Node, Value
from graphc.ir.index import LANES, Idx, Index, variable
from graphc.ir.op import Term
from graphc.ir.types import f32
from graphc.kernels import render
from graphc.kernels.code import Code


class RowKernel(AttentionKernel):
    """A kernel whose workgroup is a subgroup.

    Names in the WGSL: `first` is the first row of the workgroup, `next` the first column of a step, `at` the columns of
    this lane, `n0` to `n3` the same, brought inside.
    """

    def __init__(
        self, body: Graph, context: BuildContext, bindings: Bindings, node: Node, part: Part | None, tile: Tile
    ) -> None:
        super().__init__(body, context, bindings, node, part)
        self.lanes = self.size = context.target.subgroup
        self.textured = texels_of(body, context, node)
        self.tile = smallest(tile) if context.quick else tile
        self.each = -(-self.row_count // self.tile.rows)
        self.rows = self.own = -(-self.row_count // self.each)
        self.step = LANES * self.lanes

    # The parts that differ

    def declare(self) -> None:
        """Loads before the loop."""

    @abstractmethod
    def products(self) -> list[tuple[str, Value, Value]]:
        """The scores, and what else is a product of rows and columns: its name, and the two sides."""

    def read_columns(self) -> None:
        """What there is one of for each column."""

    @abstractmethod
    def seen(self, r: int) -> str | None:
        """The columns that row r may see, as a vector of bool."""

    def statistics(self, r: int) -> tuple[str, str]:
        """The logarithm of the sum of row r's weights, and the part of the gradient that all of its scores share."""
        return "lse", "delta"

    def store_logarithms(self) -> None:
        """Write the logarithms of the sums, where they are a result."""

    @abstractmethod
    def store_sums(self) -> None:
        """Write what was summed."""

    # The kernel

    def kernel(self) -> KernelSource:
        """The finished source."""
        emitter, ends = self.emitter, not (self.part and self.part.after)
        with emitter.scope() as start:
            zero = emitter.no_sum(LANES, f32)
            self.begin_batch()
            for load in self.loads() if self.row_count > 1 else ():
                last = self.row_count - 1
                emitter.line(f"let r{load} = min(first + lane + {load * self.lanes}u, {last}u);")
            self.declare()
        with emitter.scope() as taken_up:
            if self.part and self.part.before:
                self.take_up(self.part.before)
        with emitter.scope():
            with emitter.scope() as drawn:
                if self.dropout:
                    self.draw("kept", "at", "first + {i}", self.rows)
            products = [(name, self._product(*sides)) for name, *sides in self.products()]
            with emitter.scope() as column_values:
                self.read_columns()
            with emitter.scope(), emitter.within("for j") as lines:
                sums = [self._weighted(item, lines) for item in self.sums()]
        with emitter.scope() as left:
            if self.part and self.part.after:
                self.leave(self.part.after)
        with emitter.scope() as logarithms:
            if ends:
                self.store_logarithms()
        with emitter.scope() as stored:
            if ends:
                self.store_sums()
        begin, end = self.part_bounds()
        blocks = self.each * self.count
        workgroups = grid(blocks, self.context.target)
        moved = list(dict.fromkeys(item.weight for item in self.sums()))
        text = render(
            "attention",
            what=WHAT[self.kind],
            forward=self.kind == "forward",
            rows=self.rows,
            each_row=range(self.rows),
            each=self.each,
            step=self.step,
            steps=self.steps(),
            quarters=self.step // LANES,
            last=self.column_count - 1,
            lanes=self.lanes,
            lowest=LOWEST,
            scale=literal(self.scale),
            boost=literal(self.node.attrs["boost"]) if self.dropout else "",
            highest=self._reduced("max", "subgroupMax"),
            added=self._reduced("add", "subgroupAdd"),
            columns=workgroups[0],
            blocks=blocks,
            start="\n".join(start),
            zero=zero,
            taken_up="\n".join(taken_up),
            begin=begin,
            end=end,
            drawn="\n".join(drawn),
            products=products,
            column_values="\n".join(column_values),
            weighed=[(r, self.seen(r), self.held(r), *self.statistics(r)) for r in range(self.rows)],
            weights="s" in moved,
            gradients="g" in moved,
            vectors=range(self.sums()[0].pieces(self.lanes)),
            sums=sums,
            moved=moved,
            left="\n".join(left),
            logarithms="\n".join(logarithms),
            stored="\n".join(stored),
        )
        return KernelSource(
            name=f"attention_{self.kind}",
            family="attention",
            code=Code.of(text),
            operands=self.bindings.operands(),
            workgroups=workgroups,
            flops=self.flops(),
            needs=("subgroup",),
        )

    def _reduced(self, op: str, builtin: str) -> str:
        """Body of a function of the subgroup's values of x: llvmpipe reduces them one by one, but shuffles quickly."""
        if not self.context.target.software:
            return f"return {builtin}(x);"
        lines, distance = ["var y = x;"], 1
        while distance < self.lanes:
            other = f"subgroupShuffleXor(y, {distance}u)"
            lines.append(f"y = max(y, {other});" if op == "max" else f"y += {other};")
            distance *= 2
        return " ".join([*lines, "return y;"])

    # Positions

    def row_of(self, load: int) -> Idx:
        """The row that this lane loads, brought inside."""
        return variable(f"r{load}", self.row_count)

    def read(self, value: Value, row: Idx, element: Idx | None = None) -> str:
        """The name of four elements of a row of `value`, or of its only one."""
        dims = [*self.prefix, row] if element is None else [*self.prefix, row, element]
        with self.emitter.textured(self.tile.texels and value in self.textured):
            term = self.emitter.read(value, Index(value.type.shape, dims))
        return self.emitter.name(self.emitter.widened(term, 1 if element is None else LANES)).text

    def loads(self) -> range:
        """The loads that bring one element for each row, spread over the lanes."""
        return range(-(-self.rows // self.lanes))

    def of_row(self, names: Sequence[str], r: int) -> str:
        """Row r's element of what was loaded so."""
        return f"subgroupBroadcast({names[r // self.lanes]}, {r % self.lanes}u)"

    # Products and sums

    def _product(self, of_rows: Value, of_columns: Value) -> list[tuple[object, ...]]:
        """The parts of the scalar product of each row with four columns: its head, loads, and terms."""
        length = of_rows.type.shape[-1]
        whole = length // LANES * LANES
        found = []
        if whole:
            head = f"for (var d = 0u; d < {whole}u; d += 4u) "
            found.append((head, *self._terms(head, of_rows, of_columns, Idx("d", 1, LANES, length), LANES)))
        if length % LANES:
            found.append(
                ("", *self._terms("", of_rows, of_columns, Idx(f"{whole}u", 1, LANES, length), length % LANES))
            )
        return found

    def _terms(self, head: str, of_rows: Value, of_columns: Value, d: Idx, terms: int) -> tuple[object, ...]:
        """The loads of vectors at `d`; each component of the columns; each one of the rows with its number."""
        with self.emitter.scope(), self.emitter.within(head) as loaded:
            left = [self.read(of_rows, self.row_of(load), d) for load in self.loads()]
            right = [self.read(of_columns, variable(f"n{j}", self.column_count), d) for j in range(LANES)]
        letters = list(enumerate("xyzw"[:terms]))
        columns = [(t, ", ".join(f"{v}.{letter}" for v in right)) for t, letter in letters]
        rows = [
            (r, t, self.of_row([f"{v}.{letter}" for v in left], r)) for r in range(self.rows) for t, letter in letters
        ]
        return "\n".join(loaded), columns, rows

    def _weighted(self, item: Sum, lines: list[str]) -> tuple[object, ...]:
        """A sum: its name, that of its weights, the loads of four rows, and the names of their vectors.

        Past the last row are zeros: its weight there is 0, and 0 times infinity is NaN. Where the rows are one, what a
        weight makes of it is hidden from compilers, which would add the weights first.
        """
        rows = [variable(f"m{c}", self.column_count) for c in range(LANES)]
        start = len(lines)
        pieces = []
        for p in range(item.pieces(self.lanes)):
            names = [self.read(item.value, row, self.piece(item.width, p)) for row in rows]
            apart = "gc_hold_v4" if len(set(names)) < len(names) else ""
            for c in range(1, LANES) if self.column_count % LANES else ():
                inside = Term(f"select(vec4<f32>(), {names[c]}, j + {c}u < {self.column_count}u)", LANES, f32)
                names[c] = self.emitter.name(inside).text
            pieces.append((p, apart, *names))
        return item.name, item.weight, "\n".join(lines[start:]), pieces


def texels_of(body: Graph, context: BuildContext, node: Node) -> frozenset[Value]:
    """The operands (q, k, v, dout) that can be read from textures: the node is marked, and texels are whole vectors."""
    if node not in context.textured or not prefers_texels(context.target):
        return frozenset()
    return frozenset(value for value in node.inputs[:4] if _in_texels(body, context, value))


def _in_texels(body: Graph, context: BuildContext, value: Value) -> bool:
    """Whether four elements along the last axis are one texel, at a place that costs no division."""
    shape = value.type.shape
    if len(shape) < 2:
        return False
    dims = [variable(f"i{axis}", n) for axis, n in enumerate(shape[:-1])]
    dims.append(Idx("(d * 4u)", 1, LANES, shape[-1]))
    buffers, textures = Emitter(body, context.bindings()), Emitter(body, context.bindings())
    buffers.read(value, Index(shape, dims))
    try:
        with textures.textured():
            textures.read(value, Index(shape, dims))
    except GraphError:
        return False
    vectors = [touch.vector for _, touch in buffers.touches]
    touches = textures.texels
    return all(vectors) and bool(touches) and not any(sign in touch.place for touch in touches for sign in "/%")
