"""The attention family: attention forward in one kernel, its gradient in two, with no T x S tensor in memory.

A workgroup is one subgroup. It owns a few rows of one side (queries, or keys for the gradients of keys and values) and
walks over the other side in steps of four times its lanes: the scores of a step stay in registers, each lane holding
four columns of every row as a vector. What a row needs from a lane, and a lane from a row, goes by `subgroupBroadcast`.
Steps that a causal mask hides altogether are not visited. Where the pass `stage` marked the node, and the target reads
texels faster, operands come from textures.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from graphc.codegen.kernel import Bindings, KernelSource, Search, Site, settle
from graphc.families.attention.rows import Part, RowKernel, Sum, literal, shape_of, texels_of
from graphc.families.attention.tile import Kind, candidates, problem_name
from graphc.index import LANES, Index, variable
from graphc.ir import Graph, Node, Value, new_value
from graphc.kernels.turns import turns
from graphc.op import Attend, Term
from graphc.ops.attention import MAX_HEAD, attention
from graphc.plan import MOST_TURNS, Target
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
        return _kernels(_Forward, body, site, node)
    dq, dk, dv = node.outputs
    found = []
    if dq in body.outputs:
        found += _kernels(_Queries, body, site, node)
    both = tuple(v for v in (dk, dv) if v in body.outputs)
    # With a key, one kernel for both would bind more buffers than WebGPU grants.
    parts = ([(v,) for v in both] if len(node.inputs) > 6 else [both]) if both else []
    for wanted in parts:
        found += _kernels(_Keys, replace(body, outputs=wanted), site, node)
    return found


def _kernels(family: type[_Forward | _Queries | _Keys], body: Graph, site: Site, node: Node) -> list[KernelSource]:
    """One kernel, or several that each visit some of the columns where one would turn its loops too often.

    Where drivers take long, there is another that is quick to compile: the sums of a row are the same in both.
    """
    whole = settle(site, lambda bindings: family(body, site, bindings, node, None).kernel())
    count = turns(whole.wgsl)
    if count <= MOST_TURNS:
        soon = replace(site, quick=True)
        small = site.target.software and settle(soon, lambda b: family(body, soon, b, node, None).kernel())
        return [whole.with_quick([small]) if small else whole]
    outputs = [v for v in body.outputs if v in node.outputs]
    if family is _Keys and len(outputs) > 1:  # what is kept takes a buffer more than there would be
        return [kernel for v in outputs for kernel in _kernels(family, replace(body, outputs=(v,)), site, node)]
    like = family(body, site, site.bindings(), node, None)
    steps = -(-like.column_count // like.step)
    size = max(1, MOST_TURNS // -(-count // steps)) * like.step
    starts = range(0, like.column_count, size)
    kept = [new_value(like.kept(), "kept") for _ in starts[1:]]
    return [
        settle(site, partial(_part, family, body, site, node, Part(low, low + size, before, after)))
        for low, before, after in zip(starts, [None, *kept], [*kept, None], strict=True)
    ]


def _part(
    family: type[_Forward | _Queries | _Keys], body: Graph, site: Site, node: Node, part: Part, bindings: Bindings
) -> KernelSource:
    return family(body, site, bindings, node, part).kernel()


def parts(body: Graph) -> list[Graph]:
    """The bodies of its kernels: that of the queries' gradient, and that of the gradients of keys and values."""
    node = _node(body)
    if node.op is attention:
        return [body]
    dq, dk, dv = node.outputs
    wanted = [tuple(v for v in side if v in body.outputs) for side in ((dq,), (dk, dv))]
    return [replace(body, outputs=outputs) for outputs in wanted if outputs]


def search(body: Graph, site: Site) -> Search:
    """The tuner's problem in one of the `parts` of a body of this family."""
    node = _node(body)
    kind: Kind = "forward"
    if node.op is not attention:
        kind = "queries" if node.outputs[0] in body.outputs else "keys"
    shape, staged = shape_of(node), bool(texels_of(body, site, node))
    found = candidates(kind, shape, site.target, staged)
    return Search(problem_name(kind, shape, staged), tuple(tile.choice for tile in found))


def _node(body: Graph) -> Node:
    (node,) = [n for n in body.nodes if isinstance(n.op.lowering, Attend)]
    return node


class _RowsAreQueries(RowKernel):
    """Which columns, the keys, a tile of queries goes through, and which of them each query sees."""

    def bounds(self) -> tuple[str, str]:
        if not self.causal:
            return "0u", f"{self.keys}u"
        return "0u", f"min(first + {self.rows + self.offset}u, {self.keys}u)"

    def seen(self, r: int) -> str | None:
        if self.causal:
            return f"at <= vec4<u32>(min(first + {r + self.offset}u, {self.keys - 1}u))"
        return f"at < vec4<u32>({self.keys}u)" if self.keys % self.step else None


class _Forward(_RowsAreQueries):
    kind = "forward"
    what = "attention: softmax(scale q k^T) v, rows are queries; running maximum and sum, rescaled as these change"

    def __init__(self, body: Graph, site: Site, bindings: Bindings, node: Node, part: Part | None) -> None:
        t, s = node.inputs[0].type.shape[-2], node.inputs[1].type.shape[-2]
        super().__init__(body, site, bindings, node, t, s, part)
        self.q, self.k, self.v = node.inputs[:3]

    def sums(self) -> list[Sum]:
        return [Sum("o", "s", self.v, self.v.type.shape[-1])]

    def declare(self) -> None:
        for r in range(self.rows):
            self.emitter.line(f"var top{r} = {LOWEST}; var total{r} = 0.0;")

    def variables(self, r: int) -> list[str]:
        return [f"top{r}", f"total{r}"]

    def weigh(self) -> None:
        emitter, pieces = self.emitter, range(self.sums()[0].pieces(self.lanes))
        self.product("s", self.q, self.k)
        for r in range(self.rows):
            emitter.line(f"s{r} *= {literal(self.scale)};")
            seen, scores = self.seen(r), f"s{r}"
            if seen:
                emitter.line(f"let seen{r} = {seen};")
                scores = f"select(vec4<f32>({LOWEST}), s{r}, seen{r})"
            emitter.line(f"let best{r} = {scores};")
            with emitter.block(""):
                most = f"max(max(best{r}.x, best{r}.y), max(best{r}.z, best{r}.w))"
                emitter.line(f"let now = max(top{r}, highest({most}));")
                emitter.line(f"let shrink = exp(top{r} - now);")
                weights = f"weight_v4(s{r} - now)"
                emitter.line(f"s{r} = " + (f"select(vec4<f32>(), {weights}, seen{r});" if seen else f"{weights};"))
                emitter.line(f"total{r} = total{r} * shrink + ((s{r}.x + s{r}.y) + (s{r}.z + s{r}.w));")
                emitter.line(f"top{r} = now;")
                if self.dropout:
                    emitter.line(f"s{r} = {self.dropped(f's{r}', r)};")
                emitter.line(" ".join(f"o{r}_{p} *= shrink;" for p in pieces))

    def finish(self) -> None:
        out, lse = self.node.outputs
        for r in range(self.rows):
            self.emitter.line(f"let sum{r} = added(total{r});")
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


class _Backward(RowKernel):
    """What the two kernels of the gradient share: s are the weights, g becomes the gradients of the scores."""

    def __init__(
        self, body: Graph, site: Site, bindings: Bindings, node: Node, rows: int, columns: int, part: Part | None
    ) -> None:
        super().__init__(body, site, bindings, node, rows, columns, part)
        self.q, self.k, self.v, self.dout, self.lse, self.delta = node.inputs[:6]

    def weights_of(self, r: int, lse: str, delta: str) -> None:
        """The weights of row r, and the gradients of its scores."""
        emitter, seen = self.emitter, self.seen(r)
        weights = f"weight_v4(s{r} * {literal(self.scale)} - {lse})"
        emitter.line(f"s{r} = " + (f"select(vec4<f32>(), {weights}, {seen});" if seen else f"{weights};"))
        used = {item.weight for item in self.sums()}
        if "g" in used:
            emitter.line(f"g{r} = s{r} * ({self.dropped(f'g{r}', r)} - {delta}) * {literal(self.scale)};")
        if "s" in used and self.dropout:
            emitter.line(f"s{r} = {self.dropped(f's{r}', r)};")


class _Queries(_RowsAreQueries, _Backward):
    kind = "queries"
    what = "attention, gradient of the queries: rows are queries, columns keys"

    def __init__(self, body: Graph, site: Site, bindings: Bindings, node: Node, part: Part | None) -> None:
        t, s = node.inputs[0].type.shape[-2], node.inputs[1].type.shape[-2]
        super().__init__(body, site, bindings, node, t, s, part)
        self.row_lse: list[str] = []
        self.row_delta: list[str] = []

    def sums(self) -> list[Sum]:
        return [Sum("o", "g", self.k, self.k.type.shape[-1])]

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
    kind = "keys"
    what = "attention, gradients of keys and values: rows are keys, columns queries"

    def __init__(self, body: Graph, site: Site, bindings: Bindings, node: Node, part: Part | None) -> None:
        t, s = node.inputs[0].type.shape[-2], node.inputs[1].type.shape[-2]
        super().__init__(body, site, bindings, node, s, t, part)

    def sums(self) -> list[Sum]:
        found = [
            Sum("dv", "s", self.dout, self.v.type.shape[-1]),
            Sum("dk", "g", self.q, self.q.type.shape[-1]),
        ]
        return [item for item in found if self._output(item.name) in self.body.outputs]

    def _output(self, name: str) -> Value:
        return self.node.outputs[{"dk": 1, "dv": 2}[name]]

    def bounds(self) -> tuple[str, str]:
        # At a whole vector, so that sums group their terms alike whatever the rows of a tile.
        begin = f"(max(first, {self.offset}u) - {self.offset}u) / {LANES}u * {LANES}u" if self.causal else "0u"
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
        needed = [("lse", self.lse)]
        if any(item.weight == "g" for item in self.sums()):
            self.product("g", self.v, self.dout)
            needed.append(("delta", self.delta))
        for name, value in needed:
            parts = [self.read(value, variable(f"n{j}", self.column_count)) for j in range(LANES)]
            self.emitter.line(f"let {name} = vec4<f32>({', '.join(parts)});")
        for r in range(self.rows):
            self.weights_of(r, "lse", "delta")

    def place(self, row: str) -> str:
        return f"(vec4<u32>(batch * {self.queries}u) + at) * {self.keys}u + ({row})"

    def finish(self) -> None:
        for item in self.sums():
            self.store(self._output(item.name), item.name, item.width)
