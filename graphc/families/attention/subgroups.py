"""The three kernels of the attention family whose workgroup is one subgroup."""

from __future__ import annotations

from graphc.families.attention.base import LOWEST, literal
from graphc.families.attention.rows import RowKernel
from graphc.ir.graph import Value
from graphc.ir.index import LANES, Index, variable
from graphc.ir.op import Term
from graphc.ir.types import f32


class RowsAreQueries(RowKernel):
    """Which of its columns, the keys, each query sees."""

    def seen(self, r: int) -> str | None:
        if self.causal:
            return f"at <= vec4<u32>(min(first + {r + self.offset}u, {self.keys - 1}u))"
        return f"at < vec4<u32>({self.keys}u)" if self.keys % self.step else None


class Forward(RowsAreQueries):
    """Attention itself."""

    kind = "forward"

    def declare(self) -> None:
        for r in range(self.rows):
            self.emitter.line(f"var top{r} = {LOWEST}; var total{r} = 0.0;")

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


class Backward(RowKernel):
    """What the two kernels of the gradient share: s are the weights, g becomes the gradients of the scores."""

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


class Queries(RowsAreQueries, Backward):
    """The gradient of the queries."""

    kind = "queries"

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


class Keys(Backward):
    """The gradients of keys and values."""

    kind = "keys"

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

    def finish(self) -> None:
        for item in self.sums():
            self.store(self.output(item.name), item.name, item.width)
