"""The three kernels of the attention family whose workgroup is one subgroup."""

from __future__ import annotations

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

    def products(self) -> list[tuple[str, Value, Value]]:
        return [("s", self.q, self.k)]

    def store_logarithms(self) -> None:
        """Each lane writes one row's, so that the logarithm is computed once for all."""
        emitter, lse = self.emitter, self.node.outputs[1]
        if lse not in self.body.outputs:
            return
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

    def store_sums(self) -> None:
        out = self.node.outputs[0]
        if out in self.body.outputs:
            self.store(out, "o", self.v.type.shape[-1], [f"part{r}" for r in range(self.rows)])


class Queries(RowsAreQueries):
    """The gradient of the queries."""

    kind = "queries"

    def declare(self) -> None:
        self.row_lse = [self.read(self.lse, self.row_of(load)) for load in self.loads()]
        self.row_delta = [self.read(self.delta, self.row_of(load)) for load in self.loads()]

    def products(self) -> list[tuple[str, Value, Value]]:
        return [("s", self.q, self.k), ("g", self.dout, self.v)]

    def statistics(self, r: int) -> tuple[str, str]:
        return self.of_row(self.row_lse, r), self.of_row(self.row_delta, r)

    def store_sums(self) -> None:
        self.store(self.node.outputs[0], "o", self.q.type.shape[-1])


class Keys(RowKernel):
    """The gradients of keys and values."""

    kind = "keys"

    @property
    def of_keys(self) -> bool:
        """Whether the gradient of the keys is wanted, which needs those of the scores."""
        return any(item.weight == "g" for item in self.sums())

    def seen(self, r: int) -> str | None:
        inside = f"at < vec4<u32>({self.queries}u)"
        if self.causal:
            return f"(at + {self.offset}u >= vec4<u32>(first + {r}u)) & ({inside})"
        return inside if self.queries % self.step else None

    def products(self) -> list[tuple[str, Value, Value]]:
        return [("s", self.k, self.q)] + ([("g", self.v, self.dout)] if self.of_keys else [])

    def read_columns(self) -> None:
        for name, value in [("lse", self.lse)] + ([("delta", self.delta)] if self.of_keys else []):
            parts = [self.read(value, variable(f"n{j}", self.column_count)) for j in range(LANES)]
            self.emitter.line(f"let {name} = vec4<f32>({', '.join(parts)});")

    def store_sums(self) -> None:
        for item in self.sums():
            self.store(self.output(item.name), item.name, item.width)
