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
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final

from graphc.codegen.emit import Emitter
from graphc.codegen.inplace import in_place
from graphc.codegen.kernel import Bindings, KernelSource, Search, Site, grid, settle, texels
from graphc.codegen.parts import sum_parts
from graphc.codegen.rules import prefers_texels
from graphc.families.conv.shape import Shape, convolves, shape_of
from graphc.families.matmul.kernel import Tiled, soon
from graphc.families.matmul.product import Product
from graphc.families.matmul.tile import Shape as Sizes
from graphc.families.matmul.tile import Tile, candidates, choose, problem_name
from graphc.ir.graph import Builder, Graph, Node, Value, new_value, prune
from graphc.ir.index import LANES, Idx, Index, add, divide, modulo, multiply, variable
from graphc.ir.types import TensorType, f32
from graphc.kernels import render
from graphc.kernels.code import Code
from graphc.ops import by_name
from graphc.plan.plan import Target

ROW: Final = 1024
"""Elements of a row of what is packed: a power of two, so that its row is found by a shift."""
THREADS: Final = 256
"""Invocations of a workgroup that packs."""
LONGEST: Final = 1 << 14
"""Most terms that are added one after another."""
WASTE: Final = 8
"""How many times as many products as are wanted may be made, for channels that are no whole tile or vector: those of
the kernel without tiles take more than ten times as long."""
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
    along each axis. channels: those of a group of x, a multiple of 4.
    """

    sizes: Shape
    x: Value
    w: Value
    reach: tuple[int, int]
    channels: int

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


def packed(body: Graph, site: Site) -> Packed | None:
    """The product that computes the convolution of a body; None where it is not to be computed so."""
    (node,) = [n for n in body.nodes if convolves(n.op)]
    if node not in site.staged or not prefers_texels(site.target) or node.out.type.dtype != f32 or not pays(node):
        return None
    s, attrs = shape_of(node), node.attrs
    channels = _whole(s.ins)
    reach = [
        (s.size[a] - 1) * attrs["strides"][a] + (s.taps[a] - 1) * attrs["dilation"][a] + 1 for a in range(len(s.size))
    ]
    terms = math.prod(s.taps) * channels
    x = _scratch("x", s.batch * math.prod(reach) * s.groups * channels, site.target)
    w = _scratch("w", s.groups * s.outs * terms, site.target)
    if x is None or w is None:
        return None
    shape = Sizes(s.groups, s.outs, terms, s.batch * s.plane)
    return Packed(node, shape, (s.groups,), False, f32, s, x, w, (reach[0], reach[1]), channels)


def _scratch(name: str, elements: int, target: Target) -> Value | None:
    """A matrix of so many elements or a few more that a texture can hold, if there is one."""
    row = ROW
    while -(-elements // row) > target.max_texture:
        row *= 2
    value = new_value(TensorType((-(-elements // row), row), f32), name)
    return value if texels(value, target) else None


def tile_of(problem: Packed, target: Target) -> Tile | None:
    """The tile, unless its sums would be too long."""
    tile = choose(problem.shape, "k", "k", target, staged=True)
    return tile if tile.part_length(problem.shape) <= LONGEST else None


def search(problem: Packed, target: Target) -> Search:
    """The tuner's problem: that of a product."""
    tiles = [t for t in candidates(problem.shape, "k", "k", target, True) if not t.depth and t.team == 1]
    return Search(problem_name(problem.shape, "k", "k", True), tuple(tile.choice for tile in tiles))


def build(body: Graph, site: Site, problem: Packed, tile: Tile) -> list[KernelSource]:
    """The kernels: two that pack, one for the products; another where the sums are long and few."""
    node = problem.node
    scratch = None
    if tile.splits > 1:
        scratch = new_value(TensorType((tile.splits, node.out.type.size), f32), "parts")

    def kernel(tile: Tile, unrolled: int) -> KernelSource:
        return settle(site, lambda bindings: _Tiled(body, site, bindings, problem, tile, unrolled).kernel(scratch))

    found = [*_pack(body, site, problem), soon(site, tile, kernel)]
    if scratch is not None:
        kept = scratch
        found.append(settle(site, lambda b: sum_parts(body, site, b, "conv", node.out, tile.splits, kept)))
    return found


def _pack(body: Graph, site: Site, problem: Packed) -> list[KernelSource]:
    """The kernels that put x and w where the product reads them."""
    s, node = problem.sizes, problem.node
    attrs, channels = node.attrs, problem.channels
    around = ((0, 0), (0, 0), (0, channels - s.ins))
    places = [(attrs["padding"][a][0], attrs["spread"][a], problem.reach[a]) for a in range(len(s.size))]
    x = _Packing(body, node.inputs[0])
    x.reshape(s.batch, s.groups, s.ins, *node.inputs[0].type.shape[2:])
    x.transpose(0, 3, 4, 1, 2)
    for axis, (low, spread, reach) in enumerate(places):
        x.place(1 + axis, low, spread, reach)
    x.pad(around=((0, 0), *around[:1], *around))
    w = _Packing(body, node.inputs[1])
    w.transpose(0, 2, 3, 1)
    w.pad(around=((0, 0), *around))
    return [x.kernel(site, problem.x), w.kernel(site, problem.w)]


class _Packing:
    """The graph of an operand of a body, put in another order."""

    def __init__(self, body: Graph, value: Value) -> None:
        inside = prune(replace(body, outputs=(value,)))
        read = {v for node in inside.nodes for v in node.inputs} | {value}
        self.builder = Builder()
        self.builder.inputs = [v for v in inside.inputs if v in read]
        self.builder.constants = dict(inside.constants)
        self.builder.nodes = list(inside.nodes)
        self.value = value

    def _apply(self, name: str, **attrs: Any) -> None:
        self.value = self.builder.apply(by_name(name), self.value, **attrs)

    def reshape(self, *shape: int) -> None:
        """Another shape."""
        if self.value.type.shape != shape:
            self._apply("reshape", shape=shape)

    def transpose(self, *perm: int) -> None:
        """Another order of the axes."""
        self._apply("transpose", perm=perm)

    def pad(self, around: Sequence[tuple[int, int]], interior: Sequence[int] = ()) -> None:
        """Zeros before and after each axis, and between its elements."""
        inner = tuple(interior) or (0,) * len(around)
        if any(low or high for low, high in around) or any(inner):
            low, high = zip(*around, strict=True)
            self._apply("pad", low=low, high=high, interior=inner, value=0.0)

    def place(self, axis: int, low: int, spread: int, reach: int) -> None:
        """Elements `spread` apart along an axis of `reach` places, `low` places after its first one or before it."""
        shape = self.value.type.shape
        length = (shape[axis] - 1) * spread + 1
        high = max(0, reach - low - length)

        def at(n: int, others: int = 0) -> tuple[int, ...]:
            return tuple(n if a == axis else others for a in range(len(shape)))

        self.pad(tuple(zip(at(max(low, 0)), at(high), strict=True)), at(spread - 1))
        start = max(-low, 0)
        whole = self.value.type.shape
        if (start, start + reach) != (0, whole[axis]):
            stops = tuple(start + reach if a == axis else n for a, n in enumerate(whole))
            self._apply("slice", start=at(start), stop=stops, step=at(1, 1))

    def kernel(self, site: Site, to: Value) -> KernelSource:
        """The kernel that writes all that to scratch."""
        self.reshape(*self.value.type.shape[:3], math.prod(self.value.type.shape[3:]))
        body = self.builder.build((self.value,))
        return settle(site, lambda bindings: self._kernel(body, site, bindings, to))

    def _kernel(self, body: Graph, site: Site, bindings: Bindings, to: Value) -> KernelSource:
        value, emitter = self.value, Emitter(body, bindings)
        most, lines, places, channels = value.type.shape
        quads = channels // LANES
        item = variable("item", most * lines * places * quads)
        line = divide(item, places * quads)
        quad = modulo(divide(item, places), quads)
        channel = Idx(multiply(quad, LANES).text, 1, LANES, channels)
        dims = [
            divide(line, lines),
            modulo(line, lines),
            modulo(item, places),
            replace(channel, lane=1, bound=channels),
        ]
        index = Index(value.type.shape, dims)
        element = emitter.read(value, index)
        written = bindings.write(to, vector=True)
        emitter.write(written, Index(to.type.shape, flat=index.flat), element)
        size = min(THREADS, site.target.max_invocations)
        workgroups = grid(-(-item.bound // size), site.target)
        name = f"{to.hint}_of_{site.label}"
        text = render("conv_pack", what=name, size=size, columns=workgroups[0], items=item.bound, body=emitter.text)
        inplace, touches = in_place(emitter.touches, [written], bindings)
        return KernelSource(
            f"conv_{name}", "conv", Code.of(text), bindings.operands(), workgroups, 0, (), inplace, touches
        )


class _Tiled(Tiled):
    """Writes the kernel of the product."""

    family: ClassVar[str] = "conv"

    def __init__(self, body: Graph, site: Site, bindings: Bindings, problem: Packed, tile: Tile, unrolled: int) -> None:
        staged = frozenset(("a", "b")) if tile.texels else frozenset[str]()
        super().__init__(body, site, bindings, problem, tile, staged, unrolled)
        self.packed = problem
        self.emitter = Emitter(_reading(body, problem), bindings, "")
        self.first: dict[tuple[str, str], Idx] = {}
        self.distance: Idx = Idx("k")

    def begin(self, rows: list[Idx], columns: list[Idx]) -> None:
        """Where the first term of each row and column lies."""
        p, s, size = self.packed, self.packed.sizes, self.problem.shape
        stride = p.node.attrs["strides"]
        pixel = s.groups * p.channels
        for m in rows:
            at = multiply(add(multiply(self.batch, size.m), m), size.k)
            self.first["a", m.text] = self.emitter.named(at, longer=0)
        for n in columns:
            i, j = Index(s.size, flat=modulo(n, s.plane)).dims
            line = add(multiply(divide(n, s.plane), p.reach[0]), multiply(i, stride[0]))
            at = multiply(add(multiply(line, p.reach[1]), multiply(j, stride[1])), pixel)
            self.first["b", n.text] = self.emitter.named(add(at, multiply(self.batch, p.channels)), longer=0)

    def at_step(self, k: Idx) -> None:
        """How far from the first term of a position those from k on lie."""
        p, s = self.packed, self.packed.sizes
        dilation, pixel = p.node.attrs["dilation"], s.groups * p.channels
        tap, channel = divide(k, p.channels), modulo(k, p.channels)
        below = multiply(divide(tap, s.taps[1]), dilation[0] * p.reach[1] * pixel)
        aside = multiply(modulo(tap, s.taps[1]), dilation[1] * pixel)
        self.distance = self.emitter.named(add(add(below, aside), channel), longer=0)

    def place(self, which: str, side: Idx, k: Idx) -> Index:
        """Where the elements of an operand lie for a row or column, from a term on."""
        first = self.first[which, side.text]
        value = self.problem.operands[0 if which == "a" else 1]
        return Index(value.type.shape, flat=add(first, k if which == "a" else self.distance))

    def part_place(self, m: Idx, n: Idx) -> Idx:
        """Where this part of a sum lies among all parts."""
        part = multiply(variable("part", self.tile.splits), self.problem.node.out.type.size)
        return add(part, self.problem.out(self.batch, m, n).flat)


def _reading(body: Graph, problem: Packed) -> Graph:
    """The body, which reads what was packed as well."""
    return replace(body, inputs=(*body.inputs, problem.x, problem.w))
