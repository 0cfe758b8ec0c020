"""The attention family: attention forward in one kernel, its gradient in two, with no T x S tensor in memory.

A workgroup is one subgroup. It owns a few rows of one side (queries, or keys for the gradients of keys and values) and
walks over the other side in steps of four times its lanes: the scores of a step stay in registers, each lane holding
four columns of every row as a vector. What a row needs from a lane, and a lane from a row, goes by `subgroupBroadcast`.
Steps that a causal mask hides altogether are not visited.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from graphc.index import LANES, Idx, Index, constant, variable
from graphc.ir import Graph, Node, Value
from graphc.kernels import render
from graphc.lower.emit import Emitter, literal_text
from graphc.lower.kernel import Bindings, KernelSource, Site, grid, settle
from graphc.op import Attend, Term
from graphc.ops.attention import MAX_HEAD, attention
from graphc.plan import Target
from graphc.types import f32

LOWEST = "-1e38"
"""Below every score that is not infinite: the maximum of no scores."""


def computes(body: Graph, target: Target) -> bool:
    """Whether these kernels can compute a body; else its attention is expanded into other families."""
    node = _node(body)
    q, v = node.inputs[0].type, node.inputs[2].type
    longest = max(q.shape[-1], v.shape[-1])
    sizes = all(x.type.size for x in node.inputs)
    return 8 <= target.subgroup <= 64 and q.dtype == f32 and longest <= MAX_HEAD and sizes


def build(body: Graph, site: Site) -> list[KernelSource]:
    """The kernels of a body with one attention node, its operands read through views."""
    node = _node(body)
    if node.op is attention:
        return [settle(site, lambda bindings: _Forward(body, site, bindings, node).kernel())]
    dq, dk, dv = node.outputs
    found = []
    if dq in body.outputs:
        found.append(settle(site, lambda bindings: _Queries(body, site, bindings, node).kernel()))
    if dk in body.outputs or dv in body.outputs:
        found.append(settle(site, lambda bindings: _Keys(body, site, bindings, node).kernel()))
    return found


def _node(body: Graph) -> Node:
    (node,) = [n for n in body.nodes if isinstance(n.op.lowering, Attend)]
    return node


@dataclass(frozen=True, slots=True)
class _Sum:
    """One accumulator a row: rows of `value`, each `width` long, weighted by the vectors named `weight`<row>."""

    name: str
    weight: str
    value: Value
    width: int

    def pieces(self, lanes: int) -> int:
        """Vectors of a row that one lane holds."""
        return -(-self.width // (LANES * lanes))


class _Kernel:
    """What the kernels share. Names in the WGSL: `first` is the first row of the workgroup, `next` the first column of
    a step, `at` the columns of this lane, `n0` to `n3` the same, brought inside."""

    what = ""
    most_rows = 32

    def __init__(self, body: Graph, site: Site, bindings: Bindings, node: Node, rows: int, columns: int) -> None:
        self.body, self.site, self.bindings, self.node = body, site, bindings, node
        self.emitter = Emitter(body, bindings, "")
        self.scale, self.causal = node.attrs["scale"], node.attrs["causal"]
        shape = node.inputs[0].type.shape
        self.batch, self.count = shape[:-2], math.prod(shape[:-2])
        self.queries, self.keys = shape[-2], node.inputs[1].type.shape[-2]
        self.offset = self.keys - self.queries
        self.row_count, self.column_count = rows, columns
        self.lanes = site.target.subgroup
        self.rows = 0
        self.step = LANES * self.lanes
        self.prefix: tuple[Idx, ...] = ()

    # The parts that differ

    def sums(self) -> list[_Sum]:
        """What is accumulated over the columns."""
        raise NotImplementedError

    def declare(self) -> None:
        """Loads and variables before the loop."""
        raise NotImplementedError

    def weigh(self) -> None:
        """From the columns of a step, the weights that the sums use."""
        raise NotImplementedError

    def finish(self) -> None:
        """Write the results."""
        raise NotImplementedError

    def bounds(self) -> tuple[str, str]:
        """First column that some row needs, and the one after the last."""
        raise NotImplementedError

    # The kernel

    def kernel(self) -> KernelSource:
        """The finished source."""
        self.rows, each = self._share_rows()
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
            self.declare()
            for item in self.sums():
                for r in range(self.rows):
                    pieces = range(item.pieces(self.lanes))
                    emitter.line(" ".join(f"var {item.name}{r}_{p} = vec4<f32>();" for p in pieces))
            with emitter.scope(), emitter.scope() as step:
                emitter.line("let at = vec4<u32>(next + lane) + " + self._strides() + ";")
                last = self.column_count - 1
                for j in range(LANES):
                    emitter.line(f"let n{j} = min(at.{'xyzw'[j]}, {last}u);")
                self.weigh()
                self._accumulate()
            with emitter.scope() as finish:
                self.finish()
        begin, end = self.bounds()
        blocks = each * self.count
        workgroups = grid(blocks, self.site.target)
        text = render(
            "attention",
            what=self.what,
            rows=self.rows,
            each=each,
            step=self.step,
            lanes=self.lanes,
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
            wgsl=text,
            operands=self.bindings.operands(),
            workgroups=workgroups,
            flops=self._flops(),
            needs=("subgroup",),
        )

    def _share_rows(self) -> tuple[int, int]:
        """Rows of a workgroup, all alike, and workgroups for the rows of one batch element.

        More rows mean fewer loads for each product: on a processor they are what costs, though not all rows have
        registers. A GPU has none to spare.
        """
        longest = max(item.pieces(self.lanes) for item in self.sums())
        most = self.most_rows // (1 if self.site.target.software else 2) // (1 if longest <= 2 else 2)
        each = -(-self.row_count // most)
        return -(-self.row_count // each), each

    def _flops(self) -> int:
        products = self.products()
        pairs = self.count * self.queries * self.keys
        if self.causal:
            pairs -= self.count * (self.queries * (self.queries - 1) // 2)
        return 2 * pairs * (sum(products) + sum(s.width for s in self.sums()))

    def products(self) -> Sequence[int]:
        """Lengths of the scalar products that each pair of a row and a column needs."""
        raise NotImplementedError

    def _strides(self) -> str:
        return "vec4<u32>(" + ", ".join(f"{j * self.lanes}u" for j in range(LANES)) + ")"

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
        term = self.emitter.read(value, Index(value.type.shape, dims))
        return self.emitter.name(self.emitter.widened(term, 1 if element is None else LANES)).text

    def loads(self) -> range:
        """The loads that bring one element for each row, spread over the lanes."""
        return range(-(-self.rows // self.lanes))

    def of_row(self, names: Sequence[str], r: int) -> str:
        """Row r's element of what was loaded so."""
        return f"subgroupBroadcast({names[r // self.lanes]}, {r % self.lanes}u)"

    def seen(self, r: int) -> str | None:
        """The columns that row r may see, as a vector of bool."""
        raise NotImplementedError

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

        The four columns of a lane take turns: after each the weights are rotated, so that the code is short.
        """
        emitter, lanes = self.emitter, self.lanes
        weights = list(dict.fromkeys(s.weight for s in self.sums()))
        last = self.column_count - 1
        with emitter.block(f"for (var j = next; j < min(end, next + {self.step}u); j += {lanes}u)"):
            for source in range(lanes):
                emitter.line(f"let m{source} = min(j + {source}u, {last}u);")
            for item in self.sums():
                values = [
                    [
                        self.read(item.value, variable(f"m{source}", self.column_count), self._piece(item.width, p))
                        for p in range(item.pieces(lanes))
                    ]
                    for source in range(lanes)
                ]
                for r in range(self.rows):
                    for source in range(lanes):
                        parts = " ".join(f"{item.name}{r}_{p} += x * {v};" for p, v in enumerate(values[source]))
                        emitter.line(f"{{ let x = subgroupBroadcast({item.weight}{r}.x, {source}u); {parts} }}")
            for name in weights:
                emitter.line(" ".join(f"{name}{r} = {name}{r}.yzwx;" for r in range(self.rows)))

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


class _Forward(_Kernel):
    what = "attention: softmax(scale q k^T) v, rows are queries; running maximum and sum, rescaled as these change"

    def __init__(self, body: Graph, site: Site, bindings: Bindings, node: Node) -> None:
        t, s = node.inputs[0].type.shape[-2], node.inputs[1].type.shape[-2]
        super().__init__(body, site, bindings, node, t, s)
        self.q, self.k, self.v = node.inputs

    def sums(self) -> list[_Sum]:
        return [_Sum("o", "s", self.v, self.v.type.shape[-1])]

    def products(self) -> Sequence[int]:
        return [self.q.type.shape[-1]]

    def bounds(self) -> tuple[str, str]:
        if not self.causal:
            return "0u", f"{self.keys}u"
        return "0u", f"min(first + {self.rows + self.offset}u, {self.keys}u)"

    def seen(self, r: int) -> str | None:
        if self.causal:
            return f"at <= vec4<u32>(min(first + {r + self.offset}u, {self.keys - 1}u))"
        return f"at < vec4<u32>({self.keys}u)" if self.keys % self.step else None

    def declare(self) -> None:
        for r in range(self.rows):
            self.emitter.line(f"var top{r} = {LOWEST}; var total{r} = 0.0;")

    def weigh(self) -> None:
        emitter, pieces = self.emitter, range(self.sums()[0].pieces(self.lanes))
        self.product("s", self.q, self.k)
        for r in range(self.rows):
            emitter.line(f"s{r} *= {_literal(self.scale)};")
            seen, scores = self.seen(r), f"s{r}"
            if seen:
                emitter.line(f"let seen{r} = {seen};")
                scores = f"select(vec4<f32>({LOWEST}), s{r}, seen{r})"
            emitter.line(f"let best{r} = {scores};")
            with emitter.block(""):
                most = f"max(max(best{r}.x, best{r}.y), max(best{r}.z, best{r}.w))"
                emitter.line(f"let now = max(top{r}, subgroupMax({most}));")
                emitter.line(f"let shrink = exp(top{r} - now);")
                weights = f"weight_v4(s{r} - now)"
                emitter.line(f"s{r} = " + (f"select(vec4<f32>(), {weights}, seen{r});" if seen else f"{weights};"))
                emitter.line(f"total{r} = total{r} * shrink + ((s{r}.x + s{r}.y) + (s{r}.z + s{r}.w));")
                emitter.line(f"top{r} = now;")
                emitter.line(" ".join(f"o{r}_{p} *= shrink;" for p in pieces))

    def finish(self) -> None:
        out, lse = self.node.outputs
        for r in range(self.rows):
            self.emitter.line(f"let sum{r} = subgroupAdd(total{r});")
        if lse in self.body.outputs:
            self._store_lse(lse)
        if out in self.body.outputs:
            for r in range(self.rows):
                self.emitter.line(f"let part{r} = 1.0 / sum{r};")
            self.store(out, "o", self.v.type.shape[-1], [f"part{r}" for r in range(self.rows)])

    def _store_lse(self, lse: Value) -> None:
        """Each lane writes one row's, so that the logarithm is computed once for all."""
        emitter = self.emitter
        operand = self.bindings.write(lse)
        for load in self.loads():
            mine = range(load * self.lanes, min(self.rows, (load + 1) * self.lanes))
            with emitter.block(""):
                emitter.line(f"var top = top{mine[0]}; var sum = sum{mine[0]};")
                for r in mine[1:]:
                    chosen = f"lane == {r % self.lanes}u"
                    emitter.line(f"top = select(top, top{r}, {chosen}); sum = select(sum, sum{r}, {chosen});")
                guards = [f"first + lane + {mine[0]}u < {self.row_count}u"]
                guards += [f"lane < {len(mine)}u"] if len(mine) < self.lanes else []
                emitter.line("let found = top + gc_log(sum);")
                with emitter.block(f"if ({' && '.join(guards)})"):
                    row = variable(f"(first + lane + {mine[0]}u)", self.row_count)
                    emitter.write(operand, Index(lse.type.shape, [*self.prefix, row]), Term("found", 1, f32))


class _Backward(_Kernel):
    """What the two kernels of the gradient share: s are the weights, g becomes the gradients of the scores."""

    def __init__(self, body: Graph, site: Site, bindings: Bindings, node: Node, rows: int, columns: int) -> None:
        super().__init__(body, site, bindings, node, rows, columns)
        self.q, self.k, self.v, self.dout, self.lse, self.delta = node.inputs

    def products(self) -> Sequence[int]:
        return [self.q.type.shape[-1], self.v.type.shape[-1]]

    def weights_of(self, r: int, lse: str, delta: str) -> None:
        """The weights of row r, and the gradients of its scores."""
        emitter, seen = self.emitter, self.seen(r)
        weights = f"weight_v4(s{r} * {_literal(self.scale)} - {lse})"
        emitter.line(f"s{r} = " + (f"select(vec4<f32>(), {weights}, {seen});" if seen else f"{weights};"))
        emitter.line(f"g{r} = s{r} * (g{r} - {delta}) * {_literal(self.scale)};")


class _Queries(_Backward):
    what = "attention, gradient of the queries: rows are queries, columns keys"

    def __init__(self, body: Graph, site: Site, bindings: Bindings, node: Node) -> None:
        t, s = node.inputs[0].type.shape[-2], node.inputs[1].type.shape[-2]
        super().__init__(body, site, bindings, node, t, s)
        self.row_lse: list[str] = []
        self.row_delta: list[str] = []

    def sums(self) -> list[_Sum]:
        return [_Sum("o", "g", self.k, self.k.type.shape[-1])]

    def bounds(self) -> tuple[str, str]:
        if not self.causal:
            return "0u", f"{self.keys}u"
        return "0u", f"min(first + {self.rows + self.offset}u, {self.keys}u)"

    def seen(self, r: int) -> str | None:
        if self.causal:
            return f"at <= vec4<u32>(min(first + {r + self.offset}u, {self.keys - 1}u))"
        return f"at < vec4<u32>({self.keys}u)" if self.keys % self.step else None

    def declare(self) -> None:
        self.row_lse = [self.read(self.lse, self.row_of(load)) for load in self.loads()]
        self.row_delta = [self.read(self.delta, self.row_of(load)) for load in self.loads()]

    def weigh(self) -> None:
        self.product("s", self.q, self.k)
        self.product("g", self.dout, self.v)
        for r in range(self.rows):
            self.weights_of(r, self.of_row(self.row_lse, r), self.of_row(self.row_delta, r))

    def finish(self) -> None:
        self.store(self.node.outputs[0], "o", self.q.type.shape[-1])


class _Keys(_Backward):
    what = "attention, gradients of keys and values: rows are keys, columns queries"
    most_rows = 16

    def __init__(self, body: Graph, site: Site, bindings: Bindings, node: Node) -> None:
        t, s = node.inputs[0].type.shape[-2], node.inputs[1].type.shape[-2]
        super().__init__(body, site, bindings, node, s, t)

    def sums(self) -> list[_Sum]:
        found = [
            _Sum("dv", "s", self.dout, self.v.type.shape[-1]),
            _Sum("dk", "g", self.q, self.q.type.shape[-1]),
        ]
        return [item for item in found if self._output(item.name) in self.body.outputs]

    def _output(self, name: str) -> Value:
        return self.node.outputs[{"dk": 1, "dv": 2}[name]]

    def bounds(self) -> tuple[str, str]:
        begin = f"max(first, {self.offset}u) - {self.offset}u" if self.causal else "0u"
        return begin, f"{self.queries}u"

    def seen(self, r: int) -> str | None:
        inside = f"at < vec4<u32>({self.queries}u)"
        if self.causal:
            return f"(at + {self.offset}u >= vec4<u32>(first + {r}u)) & ({inside})"
        return inside if self.queries % self.step else None

    def declare(self) -> None:
        """Everything is read as it is needed."""

    def weigh(self) -> None:
        self.product("s", self.k, self.q)
        self.product("g", self.v, self.dout)
        for name, value in (("lse", self.lse), ("delta", self.delta)):
            parts = [self.read(value, variable(f"n{j}", self.column_count)) for j in range(LANES)]
            self.emitter.line(f"let {name} = vec4<f32>({', '.join(parts)});")
        for r in range(self.rows):
            self.weights_of(r, "lse", "delta")

    def finish(self) -> None:
        for item in self.sums():
            self.store(self._output(item.name), item.name, item.width)


def _literal(number: float) -> str:
    text = literal_text(number, f32)
    assert text is not None, f"the scale {number} is a number of ordinary size"
    return text
