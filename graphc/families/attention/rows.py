"""The kernels of the attention family whose workgroup is one subgroup: rows in registers, steps over columns.

A workgroup owns a few rows of one side (queries, or keys for the gradients of keys and values) and walks over the other
side in steps of four times its lanes: the scores of a step stay in registers, each lane holding four columns of every
row as a vector. What a row needs from a lane, and a lane from a row, goes by `subgroupBroadcast`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from graphc.codegen.emit import Emitter
from graphc.codegen.kernel import Bindings, KernelSource, Site, grid
from graphc.codegen.rules import prefers_texels
from graphc.errors import GraphError
from graphc.families.attention.base import WHAT, AttentionKernel, Part
from graphc.families.attention.tile import Tile, smallest
from graphc.ir.graph import Graph, Node, Value
from graphc.ir.index import LANES, Idx, Index, variable
from graphc.kernels import render
from graphc.kernels.code import Code


class RowKernel(AttentionKernel):
    """A kernel whose workgroup is a subgroup.

    Names in the WGSL: `first` is the first row of the workgroup, `next` the first column of a step, `at` the columns of
    this lane, `n0` to `n3` the same, brought inside.
    """

    def __init__(self, body: Graph, site: Site, bindings: Bindings, node: Node, part: Part | None, tile: Tile) -> None:
        super().__init__(body, site, bindings, node, part)
        self.lanes = self.size = site.target.subgroup
        self.staged = texels_of(body, site, node)
        self.tile = smallest(tile) if site.quick else tile
        self.each = -(-self.row_count // self.tile.rows)
        self.rows = self.own = -(-self.row_count // self.each)
        self.step = LANES * self.lanes

    # The parts that differ

    @abstractmethod
    def declare(self) -> None:
        """Loads and variables before the loop."""

    @abstractmethod
    def weigh(self) -> None:
        """From the columns of a step, the weights that the sums use."""

    @abstractmethod
    def finish(self) -> None:
        """Write the results."""

    # The kernel

    def kernel(self) -> KernelSource:
        """The finished source."""
        emitter = self.emitter
        with emitter.scope() as start:
            self.begin_batch()
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
                self.take_up(self.part.before)
            with emitter.scope(), emitter.scope() as step:
                emitter.line("let at = vec4<u32>(next + lane / 4u * 16u + lane % 4u) + vec4<u32>(0u, 4u, 8u, 12u);")
                last = self.column_count - 1
                for j in range(LANES):
                    emitter.line(f"let n{j} = min(at.{'xyzw'[j]}, {last}u);")
                if self.dropout:
                    self.draw("kept", "at", "first + {i}", self.rows)
                self.weigh()
                self._accumulate()
            with emitter.scope() as finish:
                if self.part and self.part.after:
                    self.leave(self.part.after)
                else:
                    self.finish()
        begin, end = self.part_bounds()
        blocks = self.each * self.count
        workgroups = grid(blocks, self.site.target)
        text = render(
            "attention",
            what=WHAT[self.kind],
            rows=self.rows,
            each=self.each,
            step=self.step,
            steps=self.steps(),
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
        if not self.site.target.software:
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
                values = [[self.read(item.value, row, self.piece(item.width, p)) for row in rows] for p in pieces]
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
