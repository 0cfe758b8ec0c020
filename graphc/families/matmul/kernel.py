"""The matmul family: one matrix product, its operands read through views, and what follows it element by element.

A workgroup computes a tile of the result. Its invocations lie side by side along N, each with a register tile of rows
x columns. Operands are read where they lie: A @ B, A @ B.T, A.T @ B and any other view differ in which index the
lanes of a vector load run along.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar

from graphc.codegen.emit import Emitter
from graphc.codegen.inplace import in_place
from graphc.codegen.kernel import Bindings, BuildContext, KernelSource, Operand, Search, grid, settle
from graphc.codegen.parts import as_dtype, sum_parts
from graphc.codegen.rules import prefers_texels
from graphc.errors import GraphError
from graphc.families.matmul import shared
from graphc.families.matmul.product import Product, product
from graphc.families.matmul.tile import Tile, candidates, choose, problem_name, smallest
from graphc.ir.graph import Graph, Value, new_value
from graphc.ir.index import LANES, Idx, Index, add, constant, divided_by, multiply, variable
from graphc.ir.op import Lanes, Term
from graphc.ir.types import TensorType
from graphc.kernels import render
from graphc.kernels.code import Code
from graphc.plan.plan import Target

UNROLLED = 16
"""Most elements of a tile whose epilogue is written out for each."""


def build(body: Graph, context: BuildContext) -> list[KernelSource]:
    """The kernel of a body with one matmul; two where the sum is long and the result small (parts, then their sum)."""
    problem = product(body)
    a_along, b_along, textured = _layout(body, context, problem)
    tile = choose(problem.shape, a_along, b_along, _with_room(context.target, problem), len(textured) == 2)
    if len(textured) == 2 and not tile.texels:
        textured = frozenset()
    if tile.splits == 1:
        return [_product(body, context, problem, tile, textured, None)]
    sums = TensorType((tile.splits, problem.shape.batch * problem.shape.m, problem.shape.n), problem.acc)
    scratch = new_value(sums, "parts")
    return [
        _product(body, context, problem, tile, textured, scratch),
        settle(context, lambda b: sum_parts(body, context, b, "matmul", problem.node.out, tile.splits, scratch)),
    ]


def _product(
    body: Graph, context: BuildContext, problem: Product, tile: Tile, textured: frozenset[str], scratch: Value | None
) -> KernelSource:
    """The kernel of a tile, and where drivers take long for it, one that is quick to compile.

    Every sum is added up in the order of its terms, whatever the tile, so that both give the same bits.
    """

    def kernel(tile: Tile, unrolled: int) -> KernelSource:
        return settle(
            context, lambda bindings: Tiled(body, context, bindings, problem, tile, textured, unrolled).kernel(scratch)
        )

    return soon(context, tile, kernel)


def soon(context: BuildContext, tile: Tile, kernel: Callable[[Tile, int], KernelSource]) -> KernelSource:
    """What `kernel` makes of a tile, and of a small one where drivers take long.

    kernel: given a tile, and how many elements of it are written out in the epilogue.
    """
    if not context.target.software or tile.depth:
        return kernel(tile, UNROLLED)
    return kernel(tile, UNROLLED).with_quick([kernel(smallest(tile), LANES)])


def search(body: Graph, context: BuildContext) -> Search:
    """The tuner's problem in a body of this family."""
    problem = product(body)
    a_along, b_along, textured = _layout(body, context, problem)
    tiles = candidates(problem.shape, a_along, b_along, _with_room(context.target, problem), len(textured) == 2)
    return Search(
        problem_name(problem.shape, a_along, b_along, len(textured) == 2), tuple(tile.choice for tile in tiles)
    )


def _with_room(target: Target, problem: Product) -> Target:
    """The target with workgroup memory counted in sums of 4 bytes."""
    each = problem.acc.storage.itemsize
    return target if each <= LANES else replace(target, max_shared_bytes=target.max_shared_bytes * LANES // each)


def _layout(body: Graph, context: BuildContext, problem: Product) -> tuple[str, str, frozenset[str]]:
    """The index along which each operand is read as vectors, and the operands to be read from textures."""
    a_along = "k" if _vector(body, context, problem, "a", "k") or not _vector(body, context, problem, "a", "m") else "m"
    b_along = "n" if _vector(body, context, problem, "b", "n") or not _vector(body, context, problem, "b", "k") else "k"
    return a_along, b_along, _staged(body, context, problem, a_along, b_along)


def _vector(body: Graph, context: BuildContext, problem: Product, operand: str, along: str) -> bool:
    """Whether lanes along this index read consecutive, aligned elements."""
    emitter = _read_along(body, context, problem, operand, along)
    touches = [touch for _, touch in emitter.touches]
    return bool(touches) and all(touch.vector or touch.lane == 0 for touch in touches) and touches[0].lane is not None


def _staged(body: Graph, context: BuildContext, problem: Product, a_along: str, b_along: str) -> frozenset[str]:
    """The operands ("a", "b") to be read from textures: where they may be, and texels are whole vectors."""
    if problem.node not in context.textured or not prefers_texels(context.target):
        return frozenset()
    return frozenset(o for o, along in (("a", a_along), ("b", b_along)) if _in_texels(body, context, problem, o, along))


def _in_texels(body: Graph, context: BuildContext, problem: Product, operand: str, along: str) -> bool:
    """Whether lanes along this index read one texel, with no division but by powers of two (shifts)."""
    try:
        emitter = _read_along(body, context, problem, operand, along, textured=True)
    except GraphError:
        return False
    touches = emitter.texels
    whole = all(touch.lane == (1 if touch.vector else 0) for touch in touches)
    divisors = [n for touch in touches for n in divided_by(touch.place)]
    return bool(touches) and whole and all(n.bit_count() == 1 for n in divisors)


def _read_along(
    body: Graph, context: BuildContext, problem: Product, operand: str, along: str, textured: bool = False
) -> Emitter:
    """An emitter that has read one vector of an operand, with its lanes along this index."""
    size = problem.shape
    lengths = {"m": size.m, "k": size.k, "n": size.n}
    where = {name: variable(name, max(length, 1)) for name, length in lengths.items()}
    where[along] = Idx(f"({along} * 4u)", 1, LANES, max(lengths[along], 1))
    emitter, batch = Emitter(body, context.bindings()), variable("batch", max(size.batch, 1))
    with emitter.textured(textured):
        if operand == "a":
            emitter.read(problem.node.inputs[0], problem.a(batch, where["m"], where["k"]))
        else:
            emitter.read(problem.node.inputs[1], problem.b(batch, where["k"], where["n"]))
    return emitter


Row = tuple[int, list[tuple[str, str]], list[tuple[int, str, str]]]
"""A row of sums: its number; the elements of A, by the name of the term; the vectors of B by column and term."""
_NOTHING: list[Row] = []


class Tiled:
    """Writes the tiled kernel. Names in the WGSL: a<i>, b<j> loaded, c<row>_<column> sums.

    textured: the operands ("a", "b") that are read from textures. unrolled: most elements of a tile whose epilogue is
    written out for each. What is computed as a product of matrices is a kernel of another family, and says where the
    elements of its operands lie.
    """

    family: ClassVar[str] = "matmul"

    def __init__(
        self,
        body: Graph,
        context: BuildContext,
        bindings: Bindings,
        problem: Product,
        tile: Tile,
        textured: frozenset[str],
        unrolled: int,
    ) -> None:
        self.textured, self.unrolled = textured, unrolled
        self.body, self.context, self.bindings, self.problem, self.tile = body, context, bindings, problem, tile
        self.emitter = Emitter(body, bindings, "")
        size = problem.shape
        self.batch = variable("batch", size.batch)
        self.width = tile.width
        self.wide = tile.width  # elements of a column that are written at once
        self.guard_rows = size.m % tile.tile_rows != 0
        self.guard_columns = size.n % tile.tile_columns != 0

    # Indices

    def row_text(self, r: int) -> str:
        """Row r of this invocation, which may lie past the edge."""
        if self.tile.team > 1:
            return "(row + share)"
        return f"(row + {self.tile.row_offset(r)}u)" if r else "row"

    def column_text(self, j: int) -> str:
        """First column of column group j of this invocation, which may lie past the edge."""
        step = j * self.tile.lanes * self.width
        return f"(column + {step}u)" if step else "column"

    def column(self, j: int) -> Idx:
        """The same as an index that is known to lie within."""
        text, size = self.column_text(j), self.problem.shape.n
        return Idx(text, 1, LANES, size) if self.wide == LANES else variable(text, size)

    def clamped(self, name: str, idx: Idx, last: int, guard: bool) -> Idx:
        """A name for the index, brought to at most `last` where the tile may reach over the edge."""
        if idx.const is not None:
            return idx
        self.emitter.line(f"let {name} = " + (f"min({idx.text}, {last}u);" if guard else f"{idx.text};"))
        return replace(idx, text=name)

    # Code

    def kernel(self, scratch: Value | None) -> KernelSource:
        """The kernel; with `scratch`, it writes its parts of the sums there and leaves the epilogue to another."""
        tile, size = self.tile, self.problem.shape
        if tile.depth:
            holes = shared.holes(self.emitter, self.problem, tile, self.batch, self.operand)
        else:
            holes = self.holes()
        with self.emitter.scope() as finish:
            written = self._finish(scratch)
        workgroups = grid(tile.count(size), self.context.target)
        wide, high = tile.across(size)
        text = render(
            "matmul_shared" if tile.depth else "matmul_thin" if tile.team > 1 else "matmul",
            what=self.context.label,
            size=tile.threads,
            lanes=tile.lanes,
            tile_rows=tile.tile_rows,
            tile_columns=tile.tile_columns,
            tiles=tile.count(size),
            tiles_high=high,
            tiles_plane=wide * high,
            tiles_each=wide * high * tile.splits,
            splits=tile.splits,
            grid_columns=workgroups[0],
            part_length=tile.part_length(size),
            each_row=range(tile.rows),
            each_column=range(tile.columns),
            finish="\n".join(finish),
            **holes,
        )
        inplace, touches = in_place(self.emitter.touches, written, self.bindings)
        return KernelSource(
            name=f"{self.family}_{self.context.label}",
            family=self.family,
            code=Code.of(text),
            operands=self.bindings.operands(),
            workgroups=workgroups,
            flops=2 * size.batch * size.m * size.n * size.k,
            needs=("subgroup",) if tile.spread else (),
            inplace=inplace,
            touches=touches,
        )

    def holes(self) -> dict[str, object]:
        """What is particular to the kernels whose invocations load their own operands."""
        tile, size = self.tile, self.problem.shape
        with self.emitter.scope() as start:
            rows = self._load_rows()
            last = size.n - 1 if self.width == 1 else (size.n - 1) // LANES * LANES
            columns = [self.clamped(f"n{j}", self.column(j), last, self.guard_columns) for j in range(tile.columns)]
            zero = self.emitter.no_sum(self.width, self.problem.acc)
            self.begin(rows, columns)
        whole, steps, rest = size.k // LANES * LANES, _NOTHING, _NOTHING
        with self.emitter.scope(), self.emitter.scope() as loaded:
            if whole:
                steps = self.step(rows, columns, Idx("k", 1, LANES, size.k), LANES)
        with self.emitter.scope(), self.emitter.scope() as rest_loaded:
            if size.k % LANES:
                rest = self.step(rows, columns, Idx(f"{whole}u", 1, LANES, size.k), size.k % LANES)
        holes: dict[str, object] = {
            "tiles_wide": tile.across(size)[0],
            "width": self.width,
            "zero": zero,
            "k_whole": whole,
            "k_turns": -(-tile.part_length(size) // (LANES * tile.team)),
            "start": "\n".join(start),
            "loaded": "\n".join(loaded),
            "steps": steps,
            "last_part": f"part == {tile.splits - 1}u" + (" && share == 0u" if tile.team > 1 else ""),
            "rest_loaded": "\n".join(rest_loaded),
            "rest": rest,
        }
        if tile.team > 1:
            kind = Lanes(self.width)(self.problem.acc)
            return holes | {"team": tile.team, "stride": LANES * tile.team, "columns": tile.columns, "type": kind}
        below = f" + local / {tile.lanes}u * {tile.rows}u" if tile.groups > 1 else ""
        return holes | {"row_of_group": below, "groups": tile.groups}

    def _load_rows(self) -> list[Idx]:
        """The index along M of each load of A: of one row, or of four where lanes run along M."""
        tile, last = self.tile, self.problem.shape.m - 1
        lanes = LANES if tile.a_along == "m" else 1
        found = []
        for i in range(tile.loads):
            first = f"row + {i * lanes}u"
            if tile.spread:
                first = f"row + {i * tile.lanes * lanes}u + " + (f"lane * {lanes}u" if lanes > 1 else "lane")
            first = first.replace("row + 0u", "row")
            idx = Idx(first, 1, LANES, last + 1) if lanes == LANES else variable(first, last + 1)
            found.append(self.clamped(f"m{i}", idx, last // lanes * lanes, self.guard_rows))
        return found

    def begin(self, rows: list[Idx], columns: list[Idx]) -> None:
        """Write what is known of these rows and columns before the first term."""

    def step(self, rows: list[Idx], columns: list[Idx], k: Idx, terms: int) -> list[Row]:
        """Load what `terms` (at most 4) products of every sum need, from index k on; what is multiplied, by row."""
        tile = self.tile
        left, right = self._terms("a", rows, k, terms), self._terms("b", columns, k, terms)
        products = [(j, str(t), right[t][j]) for j in range(tile.columns) for t in range(terms)]
        return [(r, [(str(t), self.element(left[t], r, t)) for t in range(terms)], products) for r in range(tile.rows)]

    def _terms(self, which: str, places: list[Idx], k: Idx, terms: int) -> list[list[str]]:
        """For each of some terms from index k on, an operand's vectors (or elements) at places along its other axis.

        Of A read along k, the whole vectors, of which `element` takes one.
        """
        at = self.problem.a if which == "a" else lambda batch, place, k: self.problem.b(batch, k, place)
        if (self.tile.a_along if which == "a" else self.tile.b_along) == "k":
            whole = [self.operand(which, at(self.batch, place, k), LANES) for place in places]
            return [whole if which == "a" else [f"{name}.{'xyzw'[t]}" for name in whole] for t in range(terms)]
        width = LANES if which == "a" else self.width
        ks = [add(Idx(k.text, 0, LANES, k.bound), constant(t)) for t in range(terms)]
        return [[self.operand(which, at(self.batch, place, one), width) for place in places] for one in ks]

    def operand(self, which: str, index: Index, width: int) -> str:
        """The name of an operand's vector (or element), in the type of the sums; a broadcast fills the vector."""
        value = self.problem.operands[0 if which == "a" else 1]
        with self.emitter.textured(which in self.textured), self.emitter.several():
            term = self.emitter.widened(self.emitter.read(value, index), width)
        if term.dtype != self.problem.acc:
            term = Term(f"{Lanes(term.width)(self.problem.acc)}({term.text})", term.width, self.problem.acc)
        return self.emitter.name(term).text

    def element(self, parts: list[str], r: int, t: int) -> str:
        """A's element in row r of the tile, t-th of this step."""
        tile = self.tile
        if tile.a_along == "m":
            name, letter = parts[r // LANES // tile.lanes if tile.spread else r // LANES], "xyzw"[r % LANES]
            source = r // LANES % tile.lanes
        else:
            name, letter = parts[r // tile.lanes if tile.spread else r], "xyzw"[t]
            source = r % tile.lanes
        return f"subgroupBroadcast({name}.{letter}, {source}u)" if tile.spread else f"{name}.{letter}"

    def _finish(self, scratch: Value | None) -> list[Operand]:
        """Write the outputs (or the scratch) from the sums."""
        size, emitter = self.problem.shape, self.emitter
        vector = self.wide == LANES and size.n % LANES == 0
        outputs = [scratch] if scratch else list(dict.fromkeys(self.body.outputs))
        written = [self.bindings.write(v, vector=vector) for v in outputs]
        # Of a tile that is larger than the result, what lies outside in any case is not written at all.
        rows, across = min(self.tile.rows, max(size.m, 1)), self.tile.lanes * self.width
        if self.tile.team > 1:
            rows = 1
        columns, each = range(self.columns_inside(across)), self._rows_at_once(rows)
        if each == rows:
            for j in columns:
                for r in range(rows):
                    self._write_guarded(scratch, outputs, written, self.row_text(r), j, self.sums(r, j))
            return written
        # A loop over the rows, in which the sums move up: all written out, a long epilogue takes a driver seconds to
        # compile; an array of sums with a running index takes it even longer.
        moved = f"r / 4u * {self.tile.row_offset(4)}u + r % 4u" if self.tile.depth else "r"
        with emitter.block(f"for (var r = 0u; r < {rows}u; r += {each}u)"):
            for r in range(each):
                for j in columns:
                    row = f"(row + {moved} + {r}u)" if r else f"(row + {moved})"
                    self._write_guarded(scratch, outputs, written, row, j, self.sums(r, j))
            held = columns if self.wide == self.width else range(self.tile.columns)
            for r in range(each, rows):
                emitter.line(" ".join(f"c{r - each}_{j} = c{r}_{j};" for j in held))
        return written

    def columns_inside(self, across: int) -> int:
        """Columns of an invocation that are not outside of the result in any case; `across` from one to the next."""
        return min(self.tile.columns, max(-(-self.problem.shape.n // across), 1))

    def sums(self, r: int, j: int) -> str:
        """The sums of row r that are written at once from column j on."""
        return f"c{r}_{j}"

    def _rows_at_once(self, rows: int) -> int:
        """Rows of the tile whose epilogue is written out: all of them, or as many as are in each turn of a loop."""
        one = self.tile.columns * self.width
        few = [n for n in range(1, rows + 1) if rows % n == 0 and (n == 1 or n * one <= self.unrolled)]
        return max(n for n in few if n == rows or not self.tile.depth or LANES % n == 0)

    def _write_guarded(
        self, scratch: Value | None, outputs: list[Value], written: list[Operand], row: str, j: int, sums: str
    ) -> None:
        """Write one vector of results, if it lies inside: that in row `row`, column group j, with this sum."""
        size = self.problem.shape
        guards = [f"{row} < {size.m}u"] if self.guard_rows else []
        guards += [f"{self.column_text(j)} < {size.n}u"] if self.guard_columns else []
        m, term = variable(row, size.m), Term(sums, self.wide, self.problem.acc)
        if not guards:
            self._write(scratch, outputs, written, m, self.column(j), term)
            return
        with self.emitter.block(f"if ({' && '.join(guards)})"):
            self._write(scratch, outputs, written, m, self.column(j), term)

    def _write(
        self, scratch: Value | None, outputs: list[Value], written: list[Operand], m: Idx, n: Idx, sums: Term
    ) -> None:
        emitter, out = self.emitter, self.problem.node.out
        if scratch:
            self._store(written[0], Index(scratch.type.shape, flat=self.part_place(m, n)), sums, n)
            return
        emitter.bind(out, lambda index: as_dtype(sums, out.type.dtype))
        index = self.problem.out(self.batch, m, n)
        terms = [emitter.read(v, index.reshaped(v.type.shape)) for v in outputs]
        for value, operand, term in zip(outputs, written, terms, strict=True):
            self._store(operand, index.reshaped(value.type.shape), term, n)

    def part_place(self, m: Idx, n: Idx) -> Idx:
        """Where this part of a sum lies among all parts."""
        size = self.problem.shape
        rows = add(multiply(self.batch, size.m), m)
        row = add(multiply(variable("part", self.tile.splits), size.batch * size.m), rows)
        return add(multiply(row, size.n), n)

    def _store(self, operand: Operand, index: Index, term: Term, n: Idx) -> None:
        if operand.vector or self.wide == 1:
            self.emitter.write(operand, index, term)
            return
        # Rows do not end on whole vectors: each lane is written alone, if its column exists.
        name = self.emitter.name(self.emitter.widened(term, LANES)).text
        flat = self.emitter.name(Term(index.flat.text, 1, term.dtype), "i").text
        for lane in range(LANES):
            store = operand.store(f"{flat} + {lane}u", f"{name}.{'xyzw'[lane]}")
            self.emitter.line(f"if ({n.text} + {lane}u < {self.problem.shape.n}u) {{ {store} }}" if lane else store)
