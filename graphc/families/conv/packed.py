"""Convolutions as products of matrices: its channels are the rows of one, its positions the columns of the other.

Both operands are put into memory anew, with the channels of a group side by side: the kernel as the terms that are
added for each channel, x with its zeros around it and between its elements. Then the terms of four channels are a
vector in either, whichever element of the kernel they belong to, and a position has all of its terms at places that
are the same for all positions: where the position lies, and how far from there. No products are made of zeros around
x that take a test, and nothing is as large as all windows of x.

So large convolutions are computed by the tiles of the family matmul, from textures where the target reads these faster.
"""

from __future__ import annotations

import math
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar, Final

from graphc.codegen.emit import Emitter
from graphc.codegen.kernel import Bindings, BuildContext, KernelSource, Search, grid, settle, texels
from graphc.codegen.parts import sum_parts
from graphc.codegen.rules import prefers_texels
from graphc.families.conv.shape import Shape, convolves, shape_of
from graphc.families.matmul.kernel import Row, Tiled, soon
from graphc.families.matmul.product import Product
from graphc.families.matmul.tile import Shape as Sizes
from graphc.families.matmul.tile import Tile, candidates, choose, parted, problem_name
from graphc.ir.graph import Graph, Node, Value, new_value
from graphc.ir.index import LANES, Idx, Index, add, clamp, constant, divide, modulo, moved, multiply, variable
from graphc.ir.op import Term
from graphc.ir.types import TensorType, f32
from graphc.kernels import render
from graphc.kernels.code import Code
from graphc.plan.plan import Target

ROW: Final = 1024
"""Elements of a row of what is packed: a power of two, so that its row is found by a shift."""
THREADS: Final = 256
"""Invocations of a workgroup that packs."""
LONGEST: Final = 1 << 14
"""Most terms that are added one after another."""
ALIKE: Final = 256
APART: Final = 16
"""Rows whose lengths are multiples of 256 terms lie in few lines of a cache: they are put 16 further apart."""
WORK: Final = 1 << 19
"""Floating-point operations from which on two launches that pack cost less than they save: 0.2 ms of 0.5."""
WASTE: Final = 8
"""How many times as many products as are wanted may be made, for channels that are no whole tile or vector: those of
the kernel without tiles take more than ten times as long."""
TAPS: Final = (3, 2, 1)
"""Neighbours in a line of the kernel that a step may take: sums go to memory and back once a step (on llvmpipe)."""
COLUMNS: Final = (4, 3, 2)
"""Neighbouring positions that an invocation may hold: those that share most of what they read."""
ROWS: Final = 16
"""Channels of the smallest tile."""


def pays(node: Node) -> bool:
    """Whether tiles and vectors are full enough of channels."""
    s = shape_of(node)
    made = -(-s.outs // ROWS) * ROWS * _whole(s.ins)
    return 0 < made <= WASTE * s.outs * s.ins


def _whole(channels: int) -> int:
    return -(-channels // LANES) * LANES


@dataclass(frozen=True, slots=True)
class Packed(Product):
    """A convolution as a product. The batch are its groups; x and w: scratch, the operands packed.

    sizes: of the convolution. reach: places of x, zeros counted, from the first one that is read to the last one,
    along each axis. pitch: from the first term of a row of w to that of the next. channels: those of a group of x, a
    multiple of 4. taps: neighbours in a line of the kernel whose terms are added in one step, so that what they read of
    x serves neighbouring positions as well.
    """

    sizes: Shape
    x: Value
    w: Value
    reach: tuple[int, int]
    pitch: int
    channels: int
    taps: int

    @property
    def operands(self) -> tuple[Value, Value]:
        """What A and B are read from."""
        return self.w, self.x

    def out(self, batch: Idx, m: Idx, n: Idx) -> Index:
        """Position of an element of the result."""
        s, shape = self.sizes, self.node.out.type.shape
        image, inside = divide(n, s.plane), modulo(n, s.plane)
        channel = add(multiply(batch, s.outs), m)
        flat = add(multiply(add(multiply(image, s.groups * s.outs), channel), s.plane), inside)
        return Index(shape, [image, channel, *Index(s.size, flat=inside).dims], flat)


def packed(body: Graph, context: BuildContext) -> Packed | None:
    """The product that computes the convolution of a body; None where it is not to be computed so."""
    (node,) = [n for n in body.nodes if convolves(n.op)]
    if (
        node not in context.textured
        or not prefers_texels(context.target)
        or node.out.type.dtype != f32
        or not pays(node)
    ):
        return None
    s, attrs = shape_of(node), node.attrs
    channels = _whole(s.ins)
    reach = [
        (s.size[a] - 1) * attrs["strides"][a] + (s.taps[a] - 1) * attrs["dilation"][a] + 1 for a in range(len(s.size))
    ]
    terms = math.prod(s.taps) * channels
    x = _scratch("x", s.batch * math.prod(reach) * s.groups * channels, context.target)
    pitch = terms if terms % ALIKE else terms + APART
    w = _scratch("w", s.groups * s.outs * pitch, context.target)
    if x is None or w is None:
        return None
    taps = next(n for n in TAPS if s.taps[1] % n == 0)
    shape = Sizes(s.groups, s.outs, terms // taps, s.batch * s.plane)
    return Packed(node, shape, (s.groups,), False, f32, s, x, w, (reach[0], reach[1]), pitch, channels, taps)


def _scratch(name: str, elements: int, target: Target) -> Value | None:
    """A matrix of so many elements or a few more that a texture can hold, if there is one."""
    row = ROW
    while -(-elements // row) > target.max_texture:
        row *= 2
    value = new_value(TensorType((-(-elements // row), row), f32), name)
    return value if texels(value, target) else None


def tile_of(problem: Packed, target: Target) -> Tile | None:
    """The tile, unless its sums would be too long."""
    tile = choose(problem.shape, "k", "k", target, textured=True)
    if _name(problem) not in target.choices:
        tile = _by_rule(problem, tile)
    tile = replace(tile, splits=parted(problem.shape, tile, target))
    return tile if tile.part_length(problem.shape) * problem.taps <= LONGEST else None


def _by_rule(problem: Packed, tile: Tile) -> Tile:
    """The tile that the rules choose: of a few columns where a step has many terms, neighbours in a line if possible.

    So are the loads of a multiply-add as few as with twice the columns and a third of the terms.
    """
    if problem.taps == 1:
        return tile
    columns = next((n for n in COLUMNS if problem.sizes.size[1] % n == 0), LANES) if _touching(problem.node) else LANES
    return replace(tile, columns=columns)


def _touching(node: Node) -> bool:
    """Whether what neighbours in a line of the kernel read of x is what neighbouring positions read."""
    return bool(node.attrs["strides"][1] == node.attrs["dilation"][1] == 1)


def _name(problem: Packed) -> str:
    return problem_name(problem.shape, "k", "k", True)


def search(problem: Packed, target: Target) -> Search:
    """The tuner's problem: that of a product."""
    tiles = [t for t in candidates(problem.shape, "k", "k", target, True) if not t.depth and t.team == 1]
    first = _by_rule(problem, tiles[0])
    return Search(_name(problem), tuple(tile.choice for tile in dict.fromkeys((first, *tiles))))


def build(body: Graph, context: BuildContext, problem: Packed, tile: Tile) -> list[KernelSource]:
    """The kernels: two that pack, one for the products; another where the sums are long and few."""
    node = problem.node
    scratch = None
    if tile.splits > 1:
        scratch = new_value(TensorType((tile.splits, node.out.type.size), f32), "parts")

    def kernel(tile: Tile, unrolled: int) -> KernelSource:
        made = settle(
            context, lambda bindings: _Tiled(body, context, bindings, problem, tile, unrolled).kernel(scratch)
        )
        return replace(made, flops=made.flops * problem.taps)

    found = [*_pack(body, context, problem), soon(context, tile, kernel)]
    if scratch is not None:
        kept = scratch
        found.append(settle(context, lambda b: sum_parts(body, context, b, "conv", node.out, tile.splits, kept)))
    return found


def _pack(body: Graph, context: BuildContext, problem: Packed) -> list[KernelSource]:
    """The kernels that put x and w where the product reads them."""
    s, node, attrs = problem.sizes, problem.node, problem.node.attrs
    x = [_Line(attrs["padding"][a][0], attrs["spread"][a], problem.reach[a]) for a in range(2)]
    w = [_Line(0, 1, s.taps[a]) for a in range(2)]
    pitch = math.prod(problem.reach) * s.groups * problem.channels
    jobs = ((node.inputs[0], s.groups, x, problem.x, pitch), (node.inputs[1], 1, w, problem.w, problem.pitch))
    return [settle(context, partial(_packing, body, context, s.ins, *job)) for job in jobs]


@dataclass(frozen=True, slots=True)
class _Line:
    """Where elements go along an axis of `reach` places: `low` after its first one, or before it, `spread` apart."""

    low: int
    spread: int
    reach: int

    def place(self, element: Idx) -> Idx:
        """The place of an element, which may lie outside: below zero it wraps around."""
        return (
            moved(multiply(element, self.spread), self.low, 1 << 32)
            if element.const is None
            else constant((element.const * self.spread + self.low) & 0xFFFFFFFF)
        )

    def all_inside(self, count: int) -> bool:
        """Whether all of so many elements have a place."""
        return self.low >= 0 and (count - 1) * self.spread + self.low < self.reach


def _packing(
    body: Graph,
    context: BuildContext,
    ins: int,
    value: Value,
    groups: int,
    lines: list[_Line],
    to: Value,
    pitch: int,
    bindings: Bindings,
) -> KernelSource:
    """The kernel that puts the channels of each place of `value` [N, C, H, W] side by side, those of a group in whole
    vectors.

    An invocation takes four channels at four neighbouring elements, and writes four vectors: loads and stores of
    vectors cost a software adapter little more than those of elements. pitch: from one n to the next.
    """
    emitter = Emitter(body, bindings, "  ")
    most, _, height, width = value.type.shape
    quads, across = -(-ins // LANES), -(-width // LANES)
    item = variable("item", most * height * groups * quads * across)
    above = divide(item, across)
    block = emitter.named(modulo(above, groups * quads), longer=0)
    above = divide(above, groups * quads)
    image, y = emitter.named(divide(above, height), longer=0), emitter.named(modulo(above, height), longer=0)
    x = Idx(emitter.named(multiply(modulo(item, across), LANES), longer=0).text, 1, LANES, width)
    first = emitter.named(multiply(modulo(block, quads), LANES), longer=0)
    group = multiply(divide(block, quads), ins)
    seen = []
    for t in range(LANES):
        inside = add(first, constant(t))
        channel = add(group, clamp(inside, ins) if ins % LANES else inside)
        term = emitter.read(value, Index(value.type.shape, [image, replace(channel, bound=groups * ins), y, x]))
        term = emitter.name(emitter.widened(term, LANES))
        if ins % LANES:
            term = emitter.name(Term(f"select(vec4<f32>(), {term.text}, {inside.text} < {ins}u)", LANES, f32))
        seen.append(term.text)
    written = bindings.write(to, vector=True)
    row = emitter.named(lines[0].place(y), longer=0)
    pixel = groups * quads * LANES
    base = emitter.named(add(multiply(image, pitch), multiply(row, lines[1].reach * pixel)), longer=0)
    inside_row = [] if lines[0].all_inside(height) else [f"{row.text} < {lines[0].reach}u"]
    for p, lane in enumerate("xyzw"):
        place = emitter.named(lines[1].place(Idx(f"({x.text} + {p}u)", 0, 1, width)), longer=0)
        guards = [*inside_row] if lines[1].all_inside(width) else [*inside_row, f"{place.text} < {lines[1].reach}u"]
        if width % LANES and p:
            guards.append(f"{x.text} + {p}u < {width}u")
        flat = add(add(base, multiply(place, pixel)), multiply(block, LANES))
        index = Index(to.type.shape, flat=replace(flat, lane=1, align=LANES))
        term = Term(f"vec4<f32>({', '.join(f'{name}.{lane}' for name in seen)})", LANES, f32)
        with emitter.block(f"if ({' && '.join(guards)})") if guards else nullcontext():
            emitter.write(written, index, term)
    dense = all(line.all_inside(n) and n == line.reach for line, n in zip(lines, (height, width), strict=True))
    size = min(THREADS, context.target.max_invocations)
    workgroups = grid(-(-item.bound // size), context.target)
    name = f"{to.hint}_of_{context.label}"
    text = render("conv_pack", what=name, size=size, columns=workgroups[0], items=item.bound, body=emitter.text)
    return KernelSource(
        name=f"conv_{name}",
        family="conv",
        code=Code.of(text),
        operands=bindings.operands(),
        workgroups=workgroups,
        clears=() if dense else (written.name,),
    )


class _Tiled(Tiled):
    """Writes the kernel of the product."""

    family: ClassVar[str] = "conv"

    def __init__(
        self, body: Graph, context: BuildContext, bindings: Bindings, problem: Packed, tile: Tile, unrolled: int
    ) -> None:
        textured = frozenset(("a", "b")) if tile.texels else frozenset[str]()
        super().__init__(body, context, bindings, problem, tile, textured, unrolled)
        self.packed = problem
        self.emitter = Emitter(_reading(body, problem), bindings, "")
        line = problem.sizes.size[1]
        self.touching = tile.columns > 1 and _touching(problem.node) and line % tile.columns == 0
        if self.touching and tile.columns == LANES:
            self.wide = LANES
        self.first: dict[tuple[str, str], Idx] = {}

    def column_text(self, j: int) -> str:
        """Column j of this invocation, which may lie past the edge: neighbours, or as far apart as all are wide."""
        if self.touching:
            return f"(column + {j}u)" if j else "column"
        return super().column_text(j)

    def columns_inside(self, across: int) -> int:
        """Columns of an invocation that are not outside of the result in any case."""
        if self.wide == LANES:
            return 1
        return self.tile.columns if self.touching else super().columns_inside(across)

    def sums(self, r: int, j: int) -> str:
        """The sums of row r that are written at once from column j on."""
        if self.wide == LANES:
            return f"vec4<f32>({', '.join(f'c{r}_{t}' for t in range(LANES))})"
        return super().sums(r, j)

    def holes(self) -> dict[str, object]:
        """What is particular to the kernel."""
        return super().holes() | ({"width": self.tile.columns} if self.touching else {})

    def begin(self, rows: list[Idx], columns: list[Idx]) -> None:
        """Where the first term of each row and column lies; of columns that are neighbours, of the first one."""
        p, s, size = self.packed, self.packed.sizes, self.problem.shape
        stride = p.node.attrs["strides"]
        for m in rows:
            at = multiply(add(multiply(self.batch, size.m), m), p.pitch)
            self.first["a", m.text] = self.emitter.named(at, longer=0)
        if self.touching:
            columns = [self.clamped("start", variable("column", size.n), size.n - len(columns), self.guard_columns)]
        for j, n in enumerate(columns):
            i, place = Index(s.size, flat=modulo(n, s.plane)).dims
            line = add(multiply(divide(n, s.plane), p.reach[0]), multiply(i, stride[0]))
            at = multiply(add(multiply(line, p.reach[1]), multiply(place, stride[1])), self.pixel)
            self.first["b", str(j)] = self.emitter.named(add(at, multiply(self.batch, p.channels)), longer=0)

    @property
    def pixel(self) -> int:
        """From one place of x to the next."""
        return self.packed.sizes.groups * self.packed.channels

    def step(self, rows: list[Idx], columns: list[Idx], k: Idx, terms: int) -> list[Row]:
        """Load the terms of some neighbours in a line of the kernel, for four channels; what is multiplied, by row."""
        p, emitter, many = self.packed, self.emitter, range(len(columns))
        far = p.node.attrs["dilation"][1]
        steps = p.sizes.taps[1] // p.taps  # in a line of the kernel
        number, channel = divide(k, p.channels), modulo(k, p.channels)
        below = multiply(divide(number, steps), p.node.attrs["dilation"][0] * p.reach[1] * self.pixel)
        aside = multiply(modulo(number, steps), p.taps * far * self.pixel)
        place = emitter.named(add(add(below, aside), channel), longer=0)
        at = emitter.named(add(multiply(number, p.taps * p.channels), channel), longer=0)
        left = [
            [self._load("a", add(self.first["a", m.text], at), tap * p.channels) for m in rows] for tap in range(p.taps)
        ]
        names: dict[tuple[int, int], str] = {}

        def right(j: int, tap: int) -> str:
            at = (0, j + tap) if self.touching else (j, tap * far)
            if at not in names:
                names[at] = self._load("b", add(self.first["b", str(at[0])], place), at[1] * self.pixel)
            return names[at]

        found = [[right(j, tap) for tap in range(p.taps)] for j in many]
        each = [(tap, t, f"{tap}{t}") for tap in range(p.taps) for t in range(LANES)]
        products = [(j, term, f"{found[j][tap]}.{'xyzw'[t]}") for j in many for tap, t, term in each]
        return [
            (r, [(term, self.element(left[tap], r, t)) for tap, t, term in each], products)
            for r in range(self.tile.rows)
        ]

    def _load(self, which: str, at: Idx, further: int) -> str:
        """The name of four elements of an operand."""
        value = self.problem.operands[0 if which == "a" else 1]
        return self.operand(which, Index(value.type.shape, flat=add(at, constant(further))), LANES)

    def part_place(self, m: Idx, n: Idx) -> Idx:
        """Where this part of a sum lies among all parts."""
        part = multiply(variable("part", self.tile.splits), self.problem.node.out.type.size)
        return add(part, self.problem.out(self.batch, m, n).flat)


def _reading(body: Graph, problem: Packed) -> Graph:
    """The body, which reads what was packed as well."""
    return replace(body, inputs=(*body.inputs, problem.x, problem.w))
