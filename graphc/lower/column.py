"""The column family: reductions over axes that are not the last; an invocation for four neighbouring results."""

from __future__ import annotations

import math

from graphc.families import column_space, reductions
from graphc.index import LANES, Idx, Index, add, constant, multiply, variable
from graphc.ir import Graph
from graphc.kernels import render
from graphc.lower.emit import Emitter
from graphc.lower.kernel import Bindings, KernelSource, Site, grid, settle
from graphc.lower.reduction import Accumulator, Partial
from graphc.types import Shape, strides_of

CHAINS = 4
"""Partial results of one invocation side by side: shorter chains of additions are faster and more exact."""


def build(body: Graph, site: Site) -> list[KernelSource]:
    """One kernel for a body of the column family (see graphc.families)."""
    return [settle(site, lambda bindings: _Column(body, site, bindings).kernel())]


class _Column:
    def __init__(self, body: Graph, site: Site, bindings: Bindings) -> None:
        self.body, self.site, self.bindings = body, site, bindings
        self.shape, self.axes = column_space(body)
        self.kept: Shape = tuple(1 if a in self.axes else n for a, n in enumerate(self.shape))
        self.count = math.prod(self.shape[a] for a in self.axes)
        self.size = math.prod(self.kept)
        self.lanes = LANES if self.size >= LANES else 1
        self.emitter = Emitter(body, bindings)

    def kernel(self) -> KernelSource:
        lanes, items = self.lanes, -(-self.size // self.lanes)
        flat = variable("(i * 4u)", items * LANES, LANES, 1) if lanes == LANES else variable("i", self.size)
        kept = Index(self.kept, flat=flat).map(self._named)
        accumulators = [Accumulator(self.emitter, node) for node in reductions(self.body)]
        self._reduce(accumulators, kept)
        outputs = list(self.body.outputs)
        indices = [Index(v.type.shape, flat=flat) for v in outputs]
        terms = [self.emitter.read(v, index) for v, index in zip(outputs, indices, strict=True)]
        written = [self.bindings.write(v, vector=lanes == LANES) for v in outputs]
        for operand, index, term in zip(written, indices, terms, strict=True):
            self.emitter.write(operand, index, term)
        threads = min(8 if self.site.target.software else 64, self.site.target.max_invocations)
        workgroups = grid(-(-items // threads), self.site.target)
        text = render(
            "column",
            what=self.site.label,
            count=self.count,
            size=threads,
            lanes=lanes,
            columns=workgroups[0],
            items=items,
            body=self.emitter.text,
        )
        reads = [o for o in self.bindings.operands() if o.access == "read"]
        return KernelSource(
            name=f"column_{self.site.label}",
            family="column",
            wgsl=text,
            operands=self.bindings.operands(),
            workgroups=workgroups,
            flops=sum(max(v.type.size for v in (*n.inputs, *n.outputs)) for n in self.body.nodes),
            inplace=tuple((w.name, r.name) for w in written for r in reads if self.emitter.shareable(w, r)),
        )

    def _reduce(self, accumulators: list[Accumulator], kept: Index) -> None:
        """Sum in a loop over the reduced positions, in a few chains side by side, and bind the results."""
        emitter, lanes, count = self.emitter, self.lanes, self.count
        chains = CHAINS if count >= 4 * CHAINS and len(self.body.nodes) <= 24 else 1
        partials = [[a.variable(lanes) for _ in range(chains)] for a in accumulators]
        if count // chains:
            with emitter.block(f"for (var k = 0u; k < {count // chains}u; k++)"):
                step = multiply(variable("k", count // chains), chains)
                for chain in range(chains):
                    self._take(accumulators, [p[chain] for p in partials], kept, add(step, constant(chain)))
        for position in range(count // chains * chains, count):
            self._take(accumulators, [p[0] for p in partials], kept, constant(position))
        for accumulator, parts in zip(accumulators, partials, strict=True):
            while len(parts) > 1:
                parts = [accumulator.join(a, b) for a, b in zip(parts[::2], parts[1::2], strict=True)]
            result = accumulator.finished(parts[0], count)
            emitter.bind_term(accumulator.node.out, result)

    def _take(self, accumulators: list[Accumulator], partials: list[Partial], kept: Index, k: Idx) -> None:
        """Take the elements at reduced position `k` into the partial results."""
        index = self._at(kept, k)
        for accumulator, partial in zip(accumulators, partials, strict=True):
            term = self.emitter.read(accumulator.input, index)
            element = accumulator.element(term, k, self.lanes, None)
            accumulator.assign(partial, accumulator.join(partial, element))

    def _at(self, kept: Index, k: Idx) -> Index:
        """The element at reduced position `k` of the results at `kept`."""
        axes, shape = self.axes, self.shape
        inside = iter(Index(tuple(shape[a] for a in axes), flat=k).dims)
        dims = [next(inside) if a in axes else d for a, d in enumerate(kept.dims)]
        leading = axes == tuple(range(len(axes)))
        stride = strides_of(shape)[axes[-1]]
        return Index(shape, dims, add(multiply(k, stride), kept.flat) if leading else None)

    def _named(self, idx: Idx) -> Idx:
        return self.emitter.named(idx, longer=0) if idx.const is None else idx
