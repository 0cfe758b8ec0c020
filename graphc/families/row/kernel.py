"""The row family: reductions along rows with everything before, between and after them, in one kernel.

A row belongs to one invocation (short rows), to one subgroup, or to one workgroup that joins its results (on a GPU
those of its subgroups) through shared memory; a workgroup takes several rows of the first two kinds. Each lane holds
its items of the row in registers where they are few; else every sweep reads them again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Literal

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
from graphc.families.bodies import reductions, row_space
from graphc.ir.graph import Graph, Node, Value
from graphc.ir.index import LANES, Idx, Index, add, constant, multiply, variable
from graphc.ir.op import Term
from graphc.ir.types import Shape
from graphc.kernels import render
from graphc.kernels.code import Code
from graphc.kernels.turns import turns
from graphc.plan.plan import MOST_TURNS, Target

UNROLLED = 12
"""Most items of a lane that are kept in registers where reading them again is cheap."""

UNROLLED_COSTLY = 32
"""The same where every sweep would compute elementary functions again."""

UNROLLED_TEXT = 640
"""Most ops that a kernel holds written out: longer ones take seconds to compile."""

ROLLED: Final = 4
"""Items of a lane from which on a loop over them compiles much sooner than what is written out."""

THREADS: Final = 64
"""Rows of a workgroup whose invocations have a row each."""

MOST_HELD: Final = 8
"""Most items of a lane where a subgroup of a GPU has a row: longer rows go to a workgroup. On an H200, rows of 4096
take 32 lanes 1.6 times as long as 256."""

MOST_SUBGROUPS: Final = 32
"""Of a workgroup, whose results each invocation joins by itself."""

BUSY: Final = 4
"""Workgroups for each that a GPU needs to be busy, below which rows are not put into fewer of them."""

Team = Literal["thread", "subgroup", "workgroup"]
TEAMS: Final[tuple[Team, ...]] = ("thread", "subgroup", "workgroup")


@dataclass(frozen=True, slots=True)
class RowLayout:
    """How a row is spread: over whom, over how many lanes, in items of `width` elements, `items` for each lane.

    unrolled: whether items stay in registers. each: rows of a workgroup; more than one subgroup's need to divide all
    rows, for a subgroup must not end early.
    """

    team: Team
    lanes: int
    width: int
    items: int
    unrolled: bool
    each: int = 1

    @property
    def choice(self) -> tuple[int, ...]:
        """What a tuner writes down of it."""
        return TEAMS.index(self.team), self.lanes, int(self.unrolled), self.each

    def masked(self, item: int, length: int) -> bool:
        """Whether item number `item` of some lane lies past the end of a row."""
        return (item + 1) * self.lanes * self.width > length


def layout_of(length: int, target: Target, unrolled: int = UNROLLED) -> RowLayout:
    """The layout for rows of `length` elements. unrolled: most items of a lane that may be kept in registers."""
    width = LANES if length % LANES == 0 and length else 1
    vectors = length // width
    if vectors <= 8 or length <= 16:
        return RowLayout("thread", 1, width, vectors, True, min(THREADS, target.max_invocations))
    per_lane = -(-vectors // target.subgroup) if target.subgroup else 0
    if target.subgroup and (target.software or per_lane <= MOST_HELD):
        return RowLayout("subgroup", target.subgroup, width, per_lane, per_lane <= unrolled)
    most = min(rules_of(target).row_lanes or target.max_invocations, target.max_invocations)
    lanes = 2
    while lanes < most and lanes * 4 < vectors:
        lanes *= 2
    per_lane = -(-vectors // lanes)
    return RowLayout("workgroup", lanes, width, per_lane, per_lane <= unrolled)


def grouped(layout: RowLayout, rows: int, target: Target) -> RowLayout:
    """The layout with as many subgroups in a workgroup as the rules want, where the rows divide and are many."""
    rules = rules_of(target)
    if layout.team != "subgroup":
        return layout
    for each in (8, 4, 2):
        wider = replace(layout, each=each)
        many = rows >= BUSY * rules.resident * each
        if many and each * layout.lanes <= rules.row_threads and fits(wider, rows, target):
            return wider
    return layout


def candidates(rows: int, length: int, target: Target, unrolled: int = UNROLLED) -> list[RowLayout]:
    """The search space, that of the rules first. unrolled: see layout_of."""
    first = grouped(layout_of(length, target, unrolled), rows, target)
    width, vectors = first.width, -(-length // first.width)
    found = [
        RowLayout("thread", 1, width, vectors, vectors <= unrolled, each)
        for each in (8, 32, 64)
        if each <= target.max_invocations
    ]
    lanes = [("subgroup", target.subgroup)] if target.subgroup else []
    lanes += [("workgroup", n) for n in (8, 64, 256) if n <= target.max_invocations]
    for team, count in lanes:
        items = -(-vectors // count)
        for each in (1, 2, 4, 8) if team == "subgroup" else (1,):
            layout = RowLayout("subgroup" if team == "subgroup" else "workgroup", count, width, items, True, each)
            if fits(layout, rows, target):
                found += [layout] if items <= unrolled else []
                found += [replace(layout, unrolled=False)] if items > 1 else []
    return [first, *(x for x in found if x != first)]


def fits(layout: RowLayout, rows: int, target: Target) -> bool:
    """Whether a target can run a layout for so many rows."""
    whole = layout.each == 1 or (layout.team == "subgroup" and rows % layout.each == 0) or layout.team == "thread"
    lanes = {"thread": layout.lanes == 1, "subgroup": layout.lanes == target.subgroup > 0}.get(
        layout.team, layout.lanes & (layout.lanes - 1) == 0
    )
    return (
        whole and lanes and min(layout.each, layout.lanes) >= 1 and layout.lanes * layout.each <= target.max_invocations
    )


def search(body: Graph, context: BuildContext) -> Search:
    """The tuner's problem in a body of this family."""
    rows, length = row_space(body)
    found = candidates(rows, length, context.target, _unrolled(body))
    return Search(_name(body, context.label), tuple(x.choice for x in found))


def _name(body: Graph, label: str) -> str:
    rows, length = row_space(body)
    return f"row {kernel_class(body, label)}, {size_class(rows)} of {length}"


def _unrolled(body: Graph) -> int:
    """Most items of a lane that may be kept in registers."""
    costly = any("transcendental" in node.op.traits for node in body.nodes)
    return min(UNROLLED_COSTLY if costly else UNROLLED, UNROLLED_TEXT // len(body.nodes))


def _layout(body: Graph, context: BuildContext) -> RowLayout:
    """What a tuner chose, if it fits the target, else what the rules choose."""
    rows, length = row_space(body)
    first = grouped(layout_of(length, context.target, _unrolled(body)), rows, context.target)
    if context.target.choices:
        match context.target.choices.get(_name(body, context.label)):
            case (team, lanes, unrolled, each) if 0 <= team < len(TEAMS) and lanes >= 1:
                items = -(-length // (first.width * lanes))
                found = RowLayout(TEAMS[team], lanes, first.width, items, bool(unrolled), each)
                if fits(found, rows, context.target) and (not unrolled or items <= UNROLLED_COSTLY):
                    return found
    return first


def build(body: Graph, context: BuildContext) -> list[KernelSource]:
    """One kernel for a body of the row family (see graphc.families)."""
    layout = _layout(body, context)
    while True:
        source = settle(context, partial(_kernel, body, context, layout))
        wider = _wider(layout, row_space(body)[1], context.target)
        if wider is None or turns(source.wgsl) <= MOST_TURNS:
            return [_with_quick(source, body, context, layout)]
        layout = wider


def _with_quick(source: KernelSource, body: Graph, context: BuildContext, layout: RowLayout) -> KernelSource:
    """The kernel, and where drivers take long for it, one that reads its items in loops: it adds in the same order."""
    if not (context.target.software and layout.unrolled and layout.items >= ROLLED):
        return source
    quick = settle(context, partial(_kernel, body, replace(context, quick=True), replace(layout, unrolled=False)))
    return source.with_quick([quick]) if set(source.pairs()) <= set(quick.pairs()) else source


def _kernel(body: Graph, context: BuildContext, layout: RowLayout, bindings: Bindings) -> KernelSource:
    return _Row(body, context, bindings, layout).kernel()


def _wider(layout: RowLayout, length: int, target: Target) -> RowLayout | None:
    """A layout that shares a row among more lanes, where there are more: they turn their loops less often."""
    lanes = 2 << (layout.lanes - 1).bit_length()
    if lanes > target.max_invocations:
        return None
    return RowLayout("workgroup", lanes, layout.width, -(-length // (layout.width * lanes)), False)


def _subgroups(layout: RowLayout, target: Target) -> int:
    """The subgroups of a workgroup that shares a row, where each joins its lanes before they are joined; 0: none do."""
    count = layout.lanes // target.subgroup if target.subgroup and layout.lanes % target.subgroup == 0 else 0
    return count if layout.team == "workgroup" and 2 <= count <= MOST_SUBGROUPS and not target.software else 0


class _Row:
    def __init__(self, body: Graph, context: BuildContext, bindings: Bindings, layout: RowLayout) -> None:
        self.body, self.context, self.bindings, self.layout = body, context, bindings, layout
        self.rows, self.length = row_space(body)
        self.emitter = Emitter(body, bindings)
        self.row = variable("row", max(self.rows, 1))
        self.columns: dict[int, Idx] = {}
        self.subgroups = _subgroups(layout, context.target)
        self.shared = SharedMemory(self.emitter, self.subgroups or layout.lanes)

    def kernel(self) -> KernelSource:
        for level in levels(self.body):
            self._reduce([Accumulator(self.emitter, node) for node in level])
        written = self._write_outputs()
        layout, each = self.layout, self.layout.each
        groups = -(-self.rows // each)
        workgroups = grid(groups, self.context.target)
        number = "group.x" if workgroups[1] == 1 else f"(group.x + group.y * {workgroups[0]}u)"
        subgroup = layout.team == "subgroup" or self.subgroups > 0
        within = "" if each == 1 else " + local" if layout.lanes == 1 else f" + local / {layout.lanes}u"
        text = render(
            "row",
            what=self.context.label,
            rows=self.rows,
            length=self.length,
            each=each,
            lanes=layout.lanes,
            needs="subgroup" if subgroup else "nothing",
            shared=self.shared.declarations(),
            size=layout.lanes * each,
            row=number if each == 1 else f"{number} * {each}u{within}",
            lane="local" if each == 1 else "0u" if layout.lanes == 1 else f"local % {layout.lanes}u",
            # Lanes that share a row end together: barriers and subgroup operations have to be met by all.
            outside=f"row >= {self.rows}u" if layout.team == "thread" else f"{number} >= {groups}u",
            body=self.emitter.text,
        )
        inplace, touches = in_place(self.emitter.touches, written, self.bindings)
        return KernelSource(
            name=f"row_{self.context.label}",
            family="row",
            code=Code.of(text),
            operands=self.bindings.operands(),
            workgroups=workgroups,
            flops=sum(max(v.type.size for v in (*n.inputs, *n.outputs)) for n in self.body.nodes if _counts(n)),
            needs=("subgroup",) if subgroup else (),
            inplace=inplace,
            touches=touches,
        )

    # Positions

    def _column(self, item: int) -> Idx:
        """The first column of an item of this lane."""
        if item in self.columns:
            return self.columns[item]
        layout = self.layout
        step = 1 if layout.width == LANES else 0
        if layout.team == "thread":
            start = item * layout.width
            found = Idx(f"{start}u", 1, LANES, self.length) if step else constant(start)
        else:
            name = f"c{item}"
            start = item * layout.lanes * layout.width
            lane = "lane" if layout.width == 1 else f"lane * {layout.width}u"
            self.emitter.line(f"let {name} = {lane}{f' + {start}u' if start else ''};")
            found = Idx(name, step, layout.width, self.length)
        self.columns[item] = found
        return found

    def _items(self, block: bool = False) -> Iterator[tuple[Idx, str | None]]:
        """For each item of this lane its first column, and the condition that it lies in the row (None: always).

        An item that is not unrolled is the body of a loop: the caller's code runs in its scope. block: only for those
        of the block that begins at `start`.
        """
        layout = self.layout
        if layout.unrolled:
            for item in range(layout.items):
                column = self._column(item)
                yield column, f"{column.text} < {self.length}u" if layout.masked(item, self.length) else None
            return
        # A quick kernel keeps results in the bytes of operands, as the one does that it stands in for: one name in all
        # sweeps tells that each of them reads, in the same turn, the place that the last one writes.
        quick = self.context.quick
        first, last = ("start", f"min(start + {BLOCK}u, {layout.items}u)") if block else ("0u", f"{layout.items}u")
        head = f"for (var item = {first}; item < {last}; item++)"
        with self.emitter.block(head, BLOCK if block else None, again=quick):
            name = "c" if quick else self.emitter.fresh("c")
            scale = "" if layout.width == 1 else f" * {layout.width}u"
            self.emitter.line(f"let {name} = (item * {layout.lanes}u + lane){scale};")
            step = 1 if layout.width == LANES else 0
            masked = layout.masked(layout.items - 1, self.length)
            yield Idx(name, step, layout.width, self.length), f"{name} < {self.length}u" if masked else None

    def _at(self, shape: Shape, column: Idx) -> Index:
        """The position (row, column) in a tensor of R x L elements."""
        flat = add(multiply(self.row, self.length), column)
        lead, product = 0, 1
        while lead < len(shape) and (product < self.rows or shape[lead] == 1):
            product *= shape[lead]
            lead += 1
        if product != self.rows:
            return Index(shape, flat=flat)
        outer, inner = Index(shape[:lead], flat=self.row), Index(shape[lead:], flat=column)
        return Index(shape, [*outer.dims, *inner.dims], flat)

    # Reductions

    def _reduce(self, accumulators: list[Accumulator]) -> None:
        """Compute some reductions in one sweep over the row, and bind their results."""
        layout, partials = self.layout, list[Partial | None]([None] * len(accumulators))
        if layout.unrolled:
            self._take(accumulators, partials)
        else:
            totals = [a.variable(layout.width, from_first=self.context.quick) for a in accumulators]
            partials = [*totals]
            if layout.items <= LONG or not any(a.sums_floats for a in accumulators):
                self._take(accumulators, partials)
            else:
                with self.emitter.block(f"for (var start = 0u; start < {layout.items}u; start += {BLOCK}u)"):
                    parts = [a.block(total) for a, total in zip(accumulators, totals, strict=True)]
                    self._take(accumulators, [*parts], block=True)
                    for accumulator, total, part in zip(accumulators, totals, parts, strict=True):
                        accumulator.end_block(total, part)
        for accumulator, mine in zip(accumulators, partials, strict=True):
            result = accumulator.finished(self._joined(accumulator, mine), self.length)
            self.emitter.bind_term(accumulator.node.out, result)

    def _take(self, accumulators: list[Accumulator], partials: list[Partial | None], block: bool = False) -> None:
        """Take this lane's items into the partial results: names in place of those before, or assigned where these are
        in `var`s. block: those of one block."""
        width, emitter = self.layout.width, self.emitter
        for column, inside in self._items(block):
            condition = emitter.cond(inside, 1).text if inside else None
            for n, accumulator in enumerate(accumulators):
                term = emitter.read(accumulator.input, self._at(accumulator.input.type.shape, column))
                element = accumulator.element(term, column, width, condition)
                before = partials[n]
                joined = element if before is None else accumulator.join(before, element)
                if self.layout.unrolled:
                    partials[n] = joined
                elif before is not None:
                    accumulator.assign(before, joined)

    def _joined(self, accumulator: Accumulator, partial: Partial | None) -> Partial:
        """The partial results of all lanes of the row as one, known to every lane."""
        found = accumulator.across_vector(partial if partial is not None else accumulator.neutral(1))
        if self.layout.team == "subgroup":
            return accumulator.across_lanes(found, self.layout.lanes, builtin=True)
        if self.subgroups:
            lanes = self.layout.lanes // self.subgroups
            return self.shared.gather(accumulator, accumulator.across_lanes(found, lanes, builtin=True), lanes)
        return self.shared.join(accumulator, found) if self.layout.team == "workgroup" else found

    # Outputs

    def _write_outputs(self) -> list[Operand]:
        """Store the outputs; returns their operands."""
        full = [v for v in self.body.outputs if v.type.size == self.rows * self.length]
        single = [v for v in self.body.outputs if v not in full]
        vector = self.layout.width == LANES
        alone = self.layout.team == "thread"
        written = [self.bindings.write(v, vector=vector) for v in full]
        small = [self.bindings.write(v) for v in single]
        # Read now, store last: the elements of the row may need an input whose bytes a result of the row takes over.
        places = [Index(v.type.shape, flat=self.row) for v in single]
        results = [self.emitter.read(v, index) for v, index in zip(single, places, strict=True)]
        for column, inside in self._items() if full else ():
            indices = [self._at(v.type.shape, column) for v in full]
            terms = [self.emitter.read(v, index) for v, index in zip(full, indices, strict=True)]
            if inside is None:
                self._store(written, indices, terms)
            else:
                with self.emitter.block(f"if ({inside})"):
                    self._store(written, indices, terms)
        if alone:
            self._store(small, places, results)
        elif single:
            with self.emitter.block("if (lane == 0u)"), self.emitter.several():
                self._store(small, places, results)
        return written + small

    def _store(self, operands: list[Operand], indices: list[Index], terms: list[Term]) -> None:
        for operand, index, term in zip(operands, indices, terms, strict=True):
            self.emitter.write(operand, index, term)


def levels(body: Graph) -> list[list[Node]]:
    """The reductions of a body in groups: those of one group need only results of the groups before."""
    depth: dict[Value, int] = {}
    groups: dict[int, list[Node]] = {}
    sums = set(reductions(body))
    for node in body.nodes:
        needs = max((depth.get(v, 0) for v in node.inputs), default=0)
        if node in sums:
            groups.setdefault(needs, []).append(node)
        for value in node.outputs:
            depth[value] = needs + (node in sums)
    return [groups[level] for level in sorted(groups)]


def _counts(node: Node) -> bool:
    return "pointwise" in node.op.traits or node.op.reduces
