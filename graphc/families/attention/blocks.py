"""The kernels of the attention family that bring what they read into workgroup memory: no subgroups are needed.

A workgroup owns a block of rows and walks over blocks of columns. Its invocations stand in bands of lanes: a band has a
few rows, and each of its lanes a few columns of each block. The scores of a block are a product whose operands come
through workgroup memory, some vectors of each row and column at a time; each invocation holds those of its own rows and
columns in registers. The weights that they become are put where the operands were, slots of four columns of all rows
at a time, beside the rows of values that they weigh: a second product, of which each invocation holds its own rows, and
vectors of them that lie as far apart as a band has lanes. A row's highest score and its sum go from lane to lane
through workgroup memory, too.

Names in the WGSL: `first` is the first row of the workgroup, `next` the first column of a block, `column`<k> those of
this lane, four for each k; `s`<r>_<k> the scores, then weights, of row r there, `g`<r>_<k> their gradients.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphc.codegen.kernel import Bindings, BuildContext, KernelSource, grid
from graphc.families.attention.base import LOWEST, WHAT, AttentionKernel, Part, Sum, literal
from graphc.families.attention.tile import Blocks, Kind
from graphc.ir.graph import Graph, Node, Value
from graphc.ir.index import LANES, Idx, Index, variable
from graphc.ir.op import Term
from graphc.ir.types import f32
from graphc.kernels import render
from graphc.kernels.code import Code

BANKS = 8
"""Vectors that workgroup memory gives at once: 32 banks of 4 bytes."""


class BlockKernel(AttentionKernel):
    """A kernel of one of the three kinds."""

    def __init__(
        self,
        kind: Kind,
        body: Graph,
        context: BuildContext,
        bindings: Bindings,
        node: Node,
        part: Part | None,
        tile: Blocks,
    ) -> None:
        self.kind = kind
        super().__init__(body, context, bindings, node, part)
        self.tile = tile
        self.lanes, self.size, self.own = tile.lanes, tile.size, tile.rows
        self.rows, self.step = tile.tile_rows, tile.tile_columns
        self.each = -(-self.row_count // self.rows)
        self.fours = range(tile.columns // LANES)
        # Gradients of keys begin at the first query that sees one, which need not be where a block would begin.
        late = kind == "keys" and self.causal and (self.offset or self.rows % self.step)
        self.ragged = bool(late or self.column_count % self.step)

    def kernel(self) -> KernelSource:
        """The finished source."""
        emitter, used = self.emitter, {item.weight for item in self.sums()}
        with emitter.scope() as start:
            self.begin_batch()
            opened = list(start)
            declared = [(r, self._loaded(r, start)) for r in range(self.own)]
            mark = len(start)
            if self.part and self.part.before:
                self.take_up(self.part.before)
        with emitter.scope():
            with emitter.scope() as read:
                if self.kind == "keys":
                    self._read_columns([("lse", self.lse), *([("delta", self.delta)] if "g" in used else [])])
                self._draw()
            products = [self._product(*product) for product in self._products()]
            with emitter.scope() as exchanged:
                highest = self._highest() if self.kind == "forward" else [""] * self.own
            sums = [self._sum(item) for item in self.sums()]
        with emitter.scope() as finish:
            if self.part and self.part.after:
                self.leave(self.part.after)
            else:
                self._finish()
        begin, end = self.part_bounds()
        blocks = self.each * self.count
        workgroups = grid(blocks, self.context.target)
        batch, number, order = self._order()
        text = render(
            "attention_blocks",
            what=WHAT[self.kind],
            rows=self.rows,
            each=self.each,
            batch=batch,
            number=number,
            order=order,
            step=self.step,
            steps=self.steps(),
            size=self.size,
            lanes=self.lanes,
            groups=self.tile.groups,
            own=self.own,
            wide=self.tile.columns,
            depth=self.tile.depth,
            columns=workgroups[0],
            blocks=blocks,
            forward=self.kind == "forward",
            lowest=LOWEST,
            scale=literal(self.scale),
            boost=literal(self.node.attrs["boost"]) if self.dropout else "",
            each_row=range(self.own),
            each_column=range(self.tile.columns),
            fours=[(k, self._apart(k), f"lane + {k * self.lanes}u" if k else "lane") for k in self.fours],
            accumulators=[(item.name, p) for item in self.sums() for p in range(item.pieces(self.lanes))],
            start="\n".join(opened),
            declared=declared,
            taken_up="\n".join(start[mark:]),
            begin=begin,
            end=end,
            read="\n".join(read),
            products=products,
            exchanged="\n".join(exchanged),
            weighed=[(r, highest[r], self._best(r), self._scores(r)) for r in range(self.own)],
            vectors=range(self.sums()[0].pieces(self.lanes)),
            gradients="g" in used,
            weights="s" in used,
            sums=sums,
            slots_all=self.lanes * len(self.fours),
            slot_spread=_spread("slot", BANKS),
            finish="\n".join(finish),
        )
        return KernelSource(
            name=f"attention_{self.kind}",
            family="attention",
            code=Code.of(text),
            operands=self.bindings.operands(),
            workgroups=workgroups,
            flops=self.flops(),
        )

    def _order(self) -> tuple[str, str, str]:
        """Which batch element and which of its blocks of rows a workgroup has, and in which order they begin.

        Where a causal mask gives some more to do than others, those come first, so that no long one begins last.
        """
        if not self.causal:
            return f"block / {self.each}u", f"(block % {self.each}u)", "side by side"
        number = f"block / {self.count}u"
        if self.kind != "keys":
            number = f"{self.each - 1}u - {number}"
        return f"block % {self.count}u", f"({number})", "those with the most to do first"

    # Positions

    def row_text(self, r: int) -> str:
        return f"first + band + {r * self.tile.groups}u" if r else "first + band"

    def _seen(self, r: int, k: int) -> str | None:
        """The columns that row r may see, of four, as a vector of bool."""
        count = self.column_count
        inside = [f"column{k} < vec4<u32>({count}u)"] if self.ragged else []
        if not self.causal:
            return inside[0] if inside else None
        if self.kind != "keys":
            return f"column{k} <= vec4<u32>(min({self.row_text(r)} + {self.offset}u, {count - 1}u))"
        return " & ".join(f"({c})" for c in [f"column{k} + {self.offset}u >= vec4<u32>({self.row_text(r)})", *inside])

    def _read(self, value: Value, row: Idx, element: Idx | None = None) -> str:
        """The name of four elements of a row of `value`, or of its only one."""
        dims = [*self.prefix, row] if element is None else [*self.prefix, row, element]
        term = self.emitter.read(value, Index(value.type.shape, dims))
        return self.emitter.name(self.emitter.widened(term, 1 if element is None else LANES)).text

    def _inside(self, name: str, text: str, count: int) -> Idx:
        """A name for a position that is brought inside."""
        self.emitter.line(f"let {name} = min({text}, {count - 1}u);")
        return variable(name, count)

    def _apart(self, k: int) -> str:
        """How far the columns of this lane are from its first one: four of them."""
        return ", ".join(f"{(LANES * k + j) * self.lanes}u" for j in range(LANES))

    # Before the loop

    def _loaded(self, r: int, lines: list[str]) -> str:
        """What is added to `lines` for what is read of a row before the first column."""
        start = len(lines)
        if self.kind == "queries":
            row = self._inside(f"row{r}", self.row_text(r), self.row_count)
            lse, delta = self._read(self.lse, row), self._read(self.delta, row)
            self.emitter.line(f"let lse{r} = {lse}; let delta{r} = {delta};")
        return "\n".join(lines[start:])

    # Products

    def _products(self) -> list[tuple[str, Value, Value]]:
        """The scores, and what else is a product of rows and columns: its name, and the two sides."""
        if self.kind == "forward":
            return [("s", self.q, self.k)]
        if self.kind == "queries":
            return [("s", self.q, self.k), ("g", self.dout, self.v)]
        found = [("s", self.k, self.q), ("g", self.v, self.dout)]
        return found if any(item.weight == "g" for item in self.sums()) else found[:1]

    def _product(self, name: str, of_rows: Value, of_columns: Value) -> tuple[object, ...]:
        """The scalar product of each row with four columns: its name, loops, loads and terms."""
        length = of_rows.type.shape[-1]
        vectors = -(-length // LANES)
        turns = -(-vectors // self.tile.depth)
        planes = -(-vectors // turns)
        head = f"for (var d = 0u; d < {turns * planes}u; d += {planes}u) " if turns > 1 else ""
        with self.emitter.scope(), self.emitter.within(head) as brought:
            self._bring_terms(of_rows, "rows", planes, turns)
            self._bring_terms(of_columns, "columns", planes, turns)
        columns = [
            (k, t, ", ".join(f"b{LANES * k + j}.{letter}" for j in range(LANES)))
            for k in self.fours
            for t, letter in enumerate("xyzw")
        ]
        loop, names = self._planes(planes)
        found = [(c, _spread(c, planes), columns) for c in names]
        terms = [(k, letter, f"c{k}_{t}") for k in self.fours for t, letter in enumerate("xyzw")]
        return name, head, "\n".join(brought), loop, found, terms

    def _planes(self, count: int) -> tuple[str, list[str]]:
        """The head of a loop over planes of workgroup memory, if it takes one, and the number of each in a turn."""
        unrolled = self.tile.unrolled
        if count <= unrolled or count % unrolled:
            unrolled = count if count <= unrolled else 1
        if unrolled == count:
            return "", [f"{n}u" for n in range(count)]
        head = f"for (var c = 0u; c < {count}u; c += {unrolled}u) "
        return head, [f"(c + {n}u)" if n else "c" for n in range(unrolled)]

    def _bring_terms(self, value: Value, side: str, planes: int, turns: int) -> None:
        """Bring `planes` vectors of each row, or of each column, from vector `d` on, into workgroup memory.

        Neighbouring invocations read neighbouring vectors of one row. What lies outside is zero.
        """
        rows, length = side == "rows", value.type.shape[-1]
        first, count = ("first", self.row_count) if rows else ("next", self.column_count)
        extent, across = (self.rows, self.tile.groups) if rows else (self.step, self.lanes)
        ragged = self.row_count % self.rows != 0 if rows else self.ragged
        ragged = ragged or extent * planes % self.size != 0
        whole = length % LANES == 0 and turns * planes * LANES == length
        last = (length - 1) // LANES * LANES
        places = []
        for t, item in self._items(extent * planes):
            tag = f"{side[0]}{t}"
            self.emitter.line(f"let line_{tag} = {item} / {planes}u; let c_{tag} = {item} % {planes}u;")
            self.emitter.line(f"let e_{tag} = (c_{tag}{' + d' if turns > 1 else ''}) * 4u;")
            self.emitter.line(f"let p_{tag} = {first} + line_{tag};")
            element = f"e_{tag}" if turns * planes * LANES < length + LANES else f"min(e_{tag}, {last}u)"
            name = self._read_inside(value, tag, count, ragged, Idx(element, 1, LANES, length))
            if not whole:
                terms = f"vec4<u32>(e_{tag}) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>({length}u)"
                name = f"select(vec4<f32>(), {name}, {terms})"
            place = f"(line_{tag} % {across}u){_spread(f'c_{tag}', planes)}"
            places.append((item, f"of_{side}[c_{tag}][line_{tag} / {across}u][{place}]", name))
        self._put(places, extent * planes)

    def _items(self, total: int) -> list[tuple[int, str]]:
        """What an invocation brings of `total` vectors: numbers, the last of which may lie past the end."""
        found = []
        for t in range(-(-total // self.size)):
            item = f"(local + {t * self.size}u)" if t else "local"
            found.append((t, item))
        return found

    def _read_inside(self, value: Value, tag: str, count: int, ragged: bool, element: Idx) -> str:
        """An expression of four elements of row p_<tag>, or zero where there is no such row."""
        row = variable(f"p_{tag}", count)
        if ragged:
            row = self._inside(f"q_{tag}", f"p_{tag}", count)
        name = self._read(value, row, element)
        return f"select(vec4<f32>(), {name}, p_{tag} < {count}u)" if ragged else name

    def _put(self, places: Sequence[tuple[str, str, str]], total: int) -> None:
        """Store what was read, all of it after the last load, so that the loads wait for each other's memory once."""
        for item, place, value in places:
            beyond = (total - 1) % self.size + 1 < self.size and item == places[-1][0]
            store = f"{place} = {value};"
            self.emitter.line(f"if ({item} < {total}u) {{ {store} }}" if beyond else store)

    # Weights

    def _scores(self, r: int) -> list[tuple[int, str, str | None, str]]:
        """Row r's vectors of scores: number, whose logarithm goes with them, which are seen, which dropout keeps."""
        return [
            (k, str(r) if self.kind == "queries" else f"_{k}", self._seen(r, k), self.held(r, f"kept{k}_"))
            for k in self.fours
        ]

    def _best(self, r: int) -> str:
        """The scores of row r that are seen, the higher one of two vectors."""
        found = [
            f"select(vec4<f32>({LOWEST}), s{r}_{k}, seen{r}_{k})" if self._seen(r, k) else f"s{r}_{k}"
            for k in self.fours
        ]
        return found[0] if len(found) == 1 else f"max({found[0]}, {found[1]})"

    def _highest(self) -> list[str]:
        """The highest score of each row, of all lanes."""
        return self._exchange("highest", [f"most{r}" for r in range(self.own)], "max({}, {})")

    def _read_columns(self, values: Sequence[tuple[str, Value]]) -> None:
        """What there is one of for each column: vectors <name>_<k>."""
        for k in self.fours:
            inside = [
                self._inside(f"n{k}_{j}", f"column{k}.{letter}", self.column_count) for j, letter in enumerate("xyzw")
            ]
            for name, value in values:
                parts = ", ".join(self._read(value, column) for column in inside)
                self.emitter.line(f"let {name}_{k} = vec4<f32>({parts});")

    def _draw(self) -> None:
        """What dropout keeps, if there is any."""
        for k in self.fours if self.dropout else ():
            row = f"(first + band + ({{i}}) * {self.tile.groups}u)"
            self.draw(f"kept{k}_", f"column{k}", row, self.own)

    def _exchange(self, name: str, values: Sequence[str], op: str) -> list[str]:
        """What `op` makes of a value of each row, of all lanes of its band; `values` has those of this lane.

        The lanes of a band are in four quarters. Each of its first lanes joins what a quarter has of four rows, and
        then every lane joins the four. Places are chosen so that no bank is asked twice at once.
        """
        emitter, fours, quarter = self.emitter, self.own // LANES, self.lanes // 4

        def place(lane: str, q: str, part: str, spread: str) -> str:
            return f"of_rows[({lane}) / 4u][({lane}) % 4u * {fours}u + {q}][band ^ (({part} * 2u + {q}) ^ {spread})]"

        emitter.line("workgroupBarrier();")
        with emitter.block(""):
            emitter.line(f"let part = lane / {quarter}u; let i = lane % {quarter}u;")
            emitter.line("let spread = (i & 1u) | ((i & 2u) << 1u);")
            for q in range(fours):
                vector = f"vec4<f32>({', '.join(values[LANES * q : LANES * (q + 1)])})"
                emitter.line(f"{place('lane', f'{q}u', 'part', 'spread')} = {vector};")
        emitter.line("workgroupBarrier();")
        whole = LANES * fours == self.lanes
        with emitter.block("" if whole else f"if (lane < {LANES * fours}u)"):
            emitter.line(f"let part = lane / {fours}u; let q = lane % {fours}u;")
            spreads = ((i & 1) | ((i & 2) << 1) for i in range(quarter))
            found = [place(f"part * {quarter}u + {i}u", "q", "part", f"{n}u") for i, n in enumerate(spreads)]
            emitter.line(f"var joined = {found[0]};")
            for other in found[1:]:
                emitter.line(f"joined = {op.format('joined', other)};")
            emitter.line(f"of_rows[{quarter}u][lane][band ^ (lane & {BANKS - 1}u)] = joined;")
        emitter.line("workgroupBarrier();")
        for q in range(fours):
            parts = [part * fours + q for part in range(LANES)]
            found = [f"of_rows[{quarter}u][{m}u][band ^ {m % BANKS}u]" for m in parts]
            emitter.line(f"var {name}{q} = {found[0]};")
            for other in found[1:]:
                emitter.line(f"{name}{q} = {op.format(f'{name}{q}', other)};")
        return [f"{name}{r // LANES}.{'xyzw'[r % LANES]}" for r in range(self.own)]

    # Sums

    def _sum(self, item: Sum) -> tuple[object, ...]:
        """A sum: its name, its weights, the slots that are put into memory at a time, loops, loads and terms."""
        pieces = item.pieces(self.lanes)
        planes = -(-pieces // len(self.fours))  # of the columns' memory, for one slot
        slots = max(n for n in (1, 2, 4, 8, 16) if self.lanes % n == 0 and n * planes <= self.tile.depth)
        with self.emitter.scope(), self.emitter.within("for w") as brought:
            self._bring_values(item, slots, planes)
        loop, names = self._planes(slots)
        found = []
        for c in names:
            columns = []
            for p in range(pieces):
                plane = c if planes == 1 else f"{c} * {planes}u + {p // len(self.fours)}u"
                columns += [(p, j, plane, LANES * (p % len(self.fours)) + j) for j in range(LANES)]
            found.append((c, _spread(c, BANKS), columns))
        terms = [(p, letter, f"b{p}_{j}") for p in range(pieces) for j, letter in enumerate("xyzw")]
        return item.name, item.weight, slots, "\n".join(brought), loop, found, terms

    def _bring_values(self, item: Sum, slots: int, planes: int) -> None:
        """Bring the rows of `slots` slots from `w` on into workgroup memory: four for each."""
        vectors, fours, total = -(-item.width // LANES), len(self.fours), 0
        total = LANES * slots * vectors
        start = f"next + w / {self.lanes}u * {LANES * self.lanes}u + w % {self.lanes}u" if fours > 1 else "next + w"
        self.emitter.line(f"let start = {start};")
        places = []
        for t, number in self._items(total):
            tag = f"v{t}"
            self.emitter.line(f"let line_{tag} = {number} / {vectors}u; let e_{tag} = {number} % {vectors}u;")
            self.emitter.line(f"let j_{tag} = line_{tag} / {slots}u; let c_{tag} = line_{tag} % {slots}u;")
            self.emitter.line(f"let p_{tag} = start + j_{tag} * {self.lanes}u + c_{tag};")
            element = Idx(f"(e_{tag} * 4u)", 1, LANES, item.width)
            inside = total % self.size == 0
            name = self._read_inside(item.value, tag, self.column_count, self.ragged or not inside, element)
            piece = f"(e_{tag} / {self.lanes}u)"
            plane = f"c_{tag}" if planes == 1 else f"c_{tag} * {planes}u + {piece} / {fours}u"
            place = f"j_{tag}" if fours == 1 else f"j_{tag} + {piece} % {fours}u * 4u"
            places.append((number, f"of_columns[{plane}][{place}][e_{tag} % {self.lanes}u]", name))
        self._put(places, total)

    # Results

    def _finish(self) -> None:
        if self.kind != "forward":
            for item in self.sums():
                self.store(self.output(item.name), item.name, item.width)
            return
        out, lse = self.node.outputs
        sums = self._exchange("sum", [f"total{r}" for r in range(self.own)], "({} + {})")
        if lse in self.body.outputs:
            operand = self.bindings.write(lse)
            with self.emitter.block("if (lane == 0u)"):
                for r, total in enumerate(sums):
                    row = variable(f"({self.row_text(r)})", self.row_count)
                    guards = self.row_guards(r)
                    with self.emitter.block(f"if ({guards[0]})" if guards else ""):
                        index = Index(lse.type.shape, [*self.prefix, row])
                        self.emitter.write(operand, index, Term(f"top{r} + gc_log({total})", 1, f32))
        if out in self.body.outputs:
            for r, total in enumerate(sums):
                self.emitter.line(f"let part{r} = 1.0 / {total};")
            self.store(out, "o", self.v.type.shape[-1], [f"part{r}" for r in range(self.own)])


def _spread(plane: str, planes: int) -> str:
    """What the number of a place is changed with in a plane, so that one place of all planes is in different banks."""
    factor = BANKS // planes if planes in (2, 4) else 1
    return f" ^ ({f'({plane} * {factor}u)' if factor > 1 else plane} & {BANKS - 1}u)" if planes > 1 else ""
