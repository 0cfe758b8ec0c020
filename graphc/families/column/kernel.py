"""The column family: reductions over axes that are not the last; an invocation for four neighbouring results."""

from __future__ import annotations

import math
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial

from graphc.codegen.emit import Emitter
from graphc.codegen.inplace import in_place
from graphc.codegen.kernel import (
    Bindings,
    BuildContext,
    KernelSource,
    Operand,
    Search,
    grid,
    kernel_class,
    settle,
    size_class,
)
from graphc.codegen.reduction import BLOCK, LONG, Accumulator, Partial, SharedMemory
from graphc.codegen.rules import rules_of
from graphc.families.bodies import column_space, reductions
from graphc.ir.graph import Graph
from graphc.ir.index import LANES, Idx, Index, add, constant, multiply, variable
from graphc.ir.types import Shape, strides_of
from graphc.kernels import render
from graphc.kernels.code import Code
from graphc.kernels.turns import turns
from graphc.plan.plan import MOST_TURNS, Target

CHAINS = 4
"""Partial results of one invocation side by side: shorter chains of additions are faster and more exact."""


def build(body: Graph, context: BuildContext) -> list[KernelSource]:
    """One kernel for a body of the column family (see graphc.families)."""
    layout = _layout(body, context)
    while True:
        source = settle(context, partial(_kernel, body, context, layout))
        down = 2 * layout.down
        if down > context.target.max_invocations or turns(source.wgsl) <= MOST_TURNS:
            return [source]
        layout = ColumnLayout(min(layout.across, context.target.max_invocations // down), down)


def _kernel(body: Graph, context: BuildContext, layout: ColumnLayout, bindings: Bindings) -> KernelSource:
    return _Column(body, context, bindings, layout).kernel()


@dataclass(frozen=True, slots=True)
class ColumnLayout:
    """A workgroup of across x down invocations: `across` items side by side, their terms shared out over `down`."""

    across: int
    down: int

    @property
    def choice(self) -> tuple[int, ...]:
        """What a tuner writes down of it."""
        return self.across, self.down


def layout_of(items: int, count: int, target: Target) -> ColumnLayout:
    """On a processor an invocation an item; a GPU has too few items to be busy, so it shares out their terms too."""
    if target.software:
        return ColumnLayout(min(8, target.max_invocations), 1)
    down = 1
    while down < 16 and down * 8 <= count and items * down < rules_of(target).columns:
        down *= 2
    across = 64 if down == 1 else 16
    while across * down > target.max_invocations:
        down, across = max(down // 2, 1), across if down > 1 else across // 2
    return ColumnLayout(across, down)


def candidates(items: int, count: int, target: Target) -> list[ColumnLayout]:
    """The search space, that of the rules first."""
    first = layout_of(items, count, target)
    found = [ColumnLayout(across, down) for across in (4, 8, 16, 32, 64) for down in (1, 2, 4, 8, 16)]
    fits = [x for x in found if x.across * x.down <= target.max_invocations and (x.down == 1 or x.down * 4 <= count)]
    return [first, *(x for x in fits if x != first)]


def search(body: Graph, context: BuildContext) -> Search:
    """The tuner's problem in a body of this family."""
    _, items, count = _space(body)
    return Search(_name(body, context.label), tuple(x.choice for x in candidates(items, count, context.target)))


def _name(body: Graph, label: str) -> str:
    lanes, items, count = _space(body)
    return f"column {kernel_class(body, label)}, {size_class(count, items * lanes)}"


def _space(body: Graph) -> tuple[int, int, int]:
    """Elements of an item, how many items there are, and the terms of each."""
    shape, axes = column_space(body)
    count = math.prod(shape[a] for a in axes)
    size = math.prod(n for a, n in enumerate(shape) if a not in axes)
    lanes = LANES if size >= LANES else 1
    return lanes, -(-size // lanes), count


def _layout(body: Graph, context: BuildContext) -> ColumnLayout:
    """What a tuner chose, if it fits the target, else what the rules choose."""
    _, items, count = _space(body)
    if context.target.choices:
        match context.target.choices.get(_name(body, context.label)):
            # A tree over shared memory joins a power of two.
            case (across, down) if min(across, down) >= 1 and down & (down - 1) == 0:
                if across * down <= context.target.max_invocations:
                    return ColumnLayout(across, down)
    return layout_of(items, count, context.target)


class _Column:
    def __init__(self, body: Graph, context: BuildContext, bindings: Bindings, layout: ColumnLayout) -> None:
        self.body, self.context, self.bindings, self.layout = body, context, bindings, layout
        self.shape, self.axes = column_space(body)
        self.kept: Shape = tuple(1 if a in self.axes else n for a, n in enumerate(self.shape))
        self.size = math.prod(self.kept)
        self.lanes, self.items, self.count = _space(body)
        self.emitter = Emitter(body, bindings)
        across, down = self.layout.across, self.layout.down
        self.shared = SharedMemory(self.emitter, down, across, "local", "part", f"local % {across}u")

    def kernel(self) -> KernelSource:
        lanes, items, layout = self.lanes, self.items, self.layout
        flat = variable("(i * 4u)", items * LANES, LANES, 1) if lanes == LANES else variable("i", self.size)
        kept = Index(self.kept, flat=flat).map(self._named)
        with self.emitter.several(self.layout.down > 1):
            self._reduce([Accumulator(self.emitter, node) for node in reductions(self.body)], kept)
        written = self._write(flat)
        workgroups = grid(-(-items // layout.across), self.context.target)
        # Barriers have to be met by every invocation: those past the end go along with the last item.
        start = f"if (item >= {items}u) {{ return; }}\n  let i = item;"
        text = render(
            "column",
            what=self.context.label,
            count=self.count,
            shared=self.shared.declarations(),
            size=layout.across * layout.down,
            across=layout.across,
            down=layout.down,
            lanes=lanes,
            columns=workgroups[0],
            items=items,
            start=f"  {start}" if layout.down == 1 else f"  let i = min(item, {items - 1}u);",
            body=self.emitter.text,
        )
        inplace, touches = in_place(self.emitter.touches, written, self.bindings)
        return KernelSource(
            name=f"column_{self.context.label}",
            family="column",
            code=Code.of(text),
            operands=self.bindings.operands(),
            workgroups=workgroups,
            flops=sum(max(v.type.size for v in (*n.inputs, *n.outputs)) for n in self.body.nodes),
            inplace=inplace,
            touches=touches,
        )

    def _write(self, flat: Idx) -> list[Operand]:
        """Store the outputs; returns their operands."""
        outputs, emitter = list(self.body.outputs), self.emitter
        indices = [Index(v.type.shape, flat=flat) for v in outputs]
        written = [self.bindings.write(v, vector=self.lanes == LANES) for v in outputs]
        alone = self.layout.down == 1
        with nullcontext() if alone else emitter.block(f"if (part == 0u && item < {self.items}u)"):
            terms = [emitter.read(v, index) for v, index in zip(outputs, indices, strict=True)]
            for operand, index, term in zip(written, indices, terms, strict=True):
                emitter.write(operand, index, term)
        return written

    def _reduce(self, accumulators: list[Accumulator], kept: Index) -> None:
        """Reduce in a loop over the terms of this invocation, in a few chains side by side, and bind the results."""
        emitter, lanes, down = self.emitter, self.lanes, self.layout.down
        count = self.count // down  # whole rounds: every invocation has a term
        chains = CHAINS if count >= 4 * CHAINS and len(self.body.nodes) <= 24 else 1
        partials = [[a.variable(lanes) for _ in range(chains)] for a in accumulators]
        rounds = count // chains
        if rounds > LONG and any(a.sums_floats for a in accumulators):
            with emitter.block(f"for (var start = 0u; start < {rounds}u; start += {BLOCK}u)"):
                blocks = [[a.block(p) for p in chained] for a, chained in zip(accumulators, partials, strict=True)]
                head = f"for (var k = start; k < min(start + {BLOCK}u, {rounds}u); k++)"
                with emitter.block(head, BLOCK):
                    self._turn(accumulators, blocks, kept, rounds)
                for accumulator, chained, parts in zip(accumulators, partials, blocks, strict=True):
                    for total, part in zip(chained, parts, strict=True):
                        accumulator.end_block(total, part)
        elif rounds:
            with emitter.block(f"for (var k = 0u; k < {rounds}u; k++)"):
                self._turn(accumulators, partials, kept, rounds)
        for round in range(count // chains * chains, -(-self.count // down)):
            position = self._term(constant(round))
            inside = f"{position.text} < {self.count}u" if (round + 1) * down > self.count else None
            self._take(accumulators, [p[0] for p in partials], kept, position, inside)
        for accumulator, parts in zip(accumulators, partials, strict=True):
            while len(parts) > 1:
                parts = [accumulator.join(a, b) for a, b in zip(parts[::2], parts[1::2], strict=True)]
            total = parts[0] if down == 1 else self.shared.join(accumulator, parts[0])
            emitter.bind_term(accumulator.node.out, accumulator.finished(total, self.count))

    def _turn(self, accumulators: list[Accumulator], partials: list[list[Partial]], kept: Index, count: int) -> None:
        """Turn `k` of `count` of the loop: a term for each chain of each reduction."""
        chains = len(partials[0])
        step = multiply(variable("k", count), chains)
        for chain in range(chains):
            position = self._term(add(step, constant(chain)))
            self._take(accumulators, [p[chain] for p in partials], kept, position, None)

    def _term(self, round: Idx) -> Idx:
        """The reduced position that this invocation takes in a round."""
        down = self.layout.down
        return round if down == 1 else add(multiply(round, down), variable("part", down))

    def _take(
        self, accumulators: list[Accumulator], partials: list[Partial], kept: Index, k: Idx, inside: str | None
    ) -> None:
        """Take the elements at reduced position `k` into the partial results, if they are `inside`."""
        index = self._at(kept, k)
        condition = None if inside is None else self.emitter.cond(inside, 1).text
        for accumulator, before in zip(accumulators, partials, strict=True):
            term = self.emitter.read(accumulator.input, index)
            element = accumulator.element(term, k, self.lanes, condition)
            accumulator.assign(before, accumulator.join(before, element))

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
