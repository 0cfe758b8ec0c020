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

from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext

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
        emitter = self.emitter
        with emitter.scope() as start:
            self.begin_batch()
            self._declare()
            if self.part and self.part.before:
                self.take_up(self.part.before)
        with emitter.scope(), emitter.scope() as step:
            for k in self.fours:
                apart = ", ".join(f"{(LANES * k + j) * self.lanes}u" for j in range(LANES))
                emitter.line(f"let column{k} = vec4<u32>(next + lane) + vec4<u32>({apart});")
            if self.kind == "forward":
                self._weigh()
            else:
                self._weigh_gradients()
            for item in self.sums():
                self._accumulate(item)
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

    # Before the loop

    def _declare(self) -> None:
        emitter = self.emitter
        for r in range(self.own):
            if self.kind == "forward":
                emitter.line(f"var top{r} = {LOWEST}; var total{r} = 0.0;")
            if self.kind == "queries":
                row = self._inside(f"row{r}", self.row_text(r), self.row_count)
                emitter.line(f"let lse{r} = {self._read(self.lse, row)}; let delta{r} = {self._read(self.delta, row)};")
            for item in self.sums():
                pieces = range(item.pieces(self.lanes))
                emitter.line(" ".join(f"var {item.name}{r}_{p} = vec4<f32>();" for p in pieces))

    # Products

    def _product(self, name: str, of_rows: Value, of_columns: Value) -> None:
        """Variables `name`<row>_<k>: the scalar product of each row with four columns."""
        emitter, length = self.emitter, of_rows.type.shape[-1]
        vectors = -(-length // LANES)
        turns = -(-vectors // self.tile.depth)
        planes = -(-vectors // turns)
        for r in range(self.own):
            emitter.line(" ".join(f"var {name}{r}_{k} = vec4<f32>();" for k in self.fours))
        head = f"for (var d = 0u; d < {turns * planes}u; d += {planes}u)" if turns > 1 else ""
        with emitter.block(head):
            emitter.line("workgroupBarrier();")
            self._bring_terms(of_rows, "rows", planes, turns)
            self._bring_terms(of_columns, "columns", planes, turns)
            emitter.line("workgroupBarrier();")
            for c in self._planes(planes):
                spread = _spread(c, planes)
                emitter.line(f"let in_lane = lane{spread}; let in_band = band{spread};")
                for j in range(self.tile.columns):
                    emitter.line(f"let b{j} = of_columns[{c}][{j}u][in_lane];")
                for k in self.fours:
                    for t, letter in enumerate("xyzw"):
                        parts = ", ".join(f"b{LANES * k + j}.{letter}" for j in range(LANES))
                        emitter.line(f"let c{k}_{t} = vec4<f32>({parts});")
                self._add_up(name, self.fours, c, "c{p}_{j}")

    def _planes(self, count: int) -> Iterator[str]:
        """The number of each plane of workgroup memory, in a block or a loop around what is emitted for it."""
        emitter, unrolled = self.emitter, self.tile.unrolled
        if count <= unrolled or count % unrolled:
            unrolled = count if count <= unrolled else 1
        looped = unrolled < count
        with emitter.block(f"for (var c = 0u; c < {count}u; c += {unrolled}u)" if looped else ""):
            for n in range(unrolled):
                with emitter.block("") if unrolled > 1 else nullcontext():
                    yield (f"(c + {n}u)" if n else "c") if looped else f"{n}u"

    def _add_up(self, name: str, parts: Iterable[int], plane: str, factor: str) -> None:
        """Add to the variables `name`<r>_<part> what a plane has of each row, times vectors called `factor`."""
        for r in range(self.own):
            terms = " ".join(
                f"{name}{r}_{p} += a.{letter} * {factor.format(p=p, j=j)};"
                for p in parts
                for j, letter in enumerate("xyzw")
            )
            self.emitter.line(f"{{ let a = of_rows[{plane}][{r}u][in_band]; {terms} }}")

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

    def _weigh(self) -> None:
        """From scores to weights: maxima and sums of the rows are brought up to date, and their sums rescaled."""
        emitter, pieces = self.emitter, range(self.sums()[0].pieces(self.lanes))
        self._draw()
        self._product("s", self.q, self.k)
        for r in range(self.own):
            best = []
            for k in self.fours:
                emitter.line(f"s{r}_{k} *= {literal(self.scale)};")
                seen = self._seen(r, k)
                if seen:
                    emitter.line(f"let seen{r}_{k} = {seen};")
                best.append(f"select(vec4<f32>({LOWEST}), s{r}_{k}, seen{r}_{k})" if seen else f"s{r}_{k}")
            emitter.line(f"let best{r} = {best[0] if len(best) == 1 else f'max({best[0]}, {best[1]})'};")
            most = f"max(max(best{r}.x, best{r}.y), max(best{r}.z, best{r}.w))"
            emitter.line(f"let most{r} = {most};")
        highest = self._exchange("highest", [f"most{r}" for r in range(self.own)], "max({}, {})")
        for r, high in enumerate(highest):
            with emitter.block(""):
                emitter.line(f"let now = max(top{r}, {high});")
                emitter.line(f"let shrink = exp(top{r} - now);")
                emitter.line(f"total{r} *= shrink;")
                for k in self.fours:
                    weights, s = f"weight_v4(s{r}_{k} - now)", f"s{r}_{k}"
                    seen = self._seen(r, k)
                    emitter.line(
                        f"{s} = " + (f"select(vec4<f32>(), {weights}, seen{r}_{k});" if seen else f"{weights};")
                    )
                    emitter.line(f"total{r} += ({s}.x + {s}.y) + ({s}.z + {s}.w);")
                    if self.dropout:
                        emitter.line(f"{s} = {self.dropped(s, r, f'kept{k}_')};")
                emitter.line(f"top{r} = now;")
                emitter.line(" ".join(f"o{r}_{p} *= shrink;" for p in pieces))

    def _weigh_gradients(self) -> None:
        """Variables s: the weights. Variables g: the gradients of the scores."""
        emitter, sums = self.emitter, self.sums()
        sides, used = (self.q, self.dout), {item.weight for item in sums}
        if self.kind == "keys":
            self._read_columns([("lse", self.lse), *([("delta", self.delta)] if "g" in used else [])])
        self._draw()
        others = (self.k, self.v)
        left, right = (others, sides) if self.kind == "keys" else (sides, others)
        self._product("s", left[0], right[0])
        if "g" in used:
            self._product("g", left[1], right[1])
        scale = literal(self.scale)
        for r in range(self.own):
            for k in self.fours:
                own = str(r) if self.kind == "queries" else f"_{k}"
                s, g, seen = f"s{r}_{k}", f"g{r}_{k}", self._seen(r, k)
                weights = f"weight_v4({s} * {scale} - lse{own})"
                emitter.line(f"{s} = " + (f"select(vec4<f32>(), {weights}, {seen});" if seen else f"{weights};"))
                if "g" in used:
                    emitter.line(f"{g} = {s} * ({self.dropped(g, r, f'kept{k}_')} - delta{own}) * {scale};")
                if "s" in used and self.dropout:
                    emitter.line(f"{s} = {self.dropped(s, r, f'kept{k}_')};")

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

    def _accumulate(self, item: Sum) -> None:
        """Add the weighted rows of the other side to a sum.

        A slot is four columns of a lane: its weights are one vector a row. Some slots at a time are put into workgroup
        memory, with the rows of their columns.
        """
        emitter, pieces = self.emitter, item.pieces(self.lanes)
        planes = -(-pieces // len(self.fours))  # of the columns' memory, for one slot
        slots = max(n for n in (1, 2, 4, 8, 16) if self.lanes % n == 0 and n * planes <= self.tile.depth)
        with emitter.block(f"for (var w = 0u; w < {self.lanes * len(self.fours)}u; w += {slots}u)"):
            emitter.line("workgroupBarrier();")
            for k in self.fours:
                lane = f"lane + {k * self.lanes}u" if k else "lane"
                with emitter.block(f"if ({lane} - w < {slots}u)"):
                    emitter.line(f"let slot = {lane} - w; let in_band = band{_spread('slot', BANKS)};")
                    for r in range(self.own):
                        emitter.line(f"of_rows[slot][{r}u][in_band] = {item.weight}{r}_{k};")
            self._bring_values(item, slots, planes)
            emitter.line("workgroupBarrier();")
            for c in self._planes(slots):
                emitter.line(f"let in_band = band{_spread(c, BANKS)};")
                for p in range(pieces):
                    plane = c if planes == 1 else f"{c} * {planes}u + {p // len(self.fours)}u"
                    for j in range(LANES):
                        place = LANES * (p % len(self.fours)) + j
                        emitter.line(f"let b{p}_{j} = of_columns[{plane}][{place}u][lane];")
                self._add_up(item.name, range(pieces), c, "b{p}_{j}")

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
