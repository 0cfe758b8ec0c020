"""Adding rows at computed indices: embedding gradients.

Floats are never added atomically: each element of the result adds its rows in order, so a run repeats to the bit. Long
inputs are added in parts, each with a table of its own, and the tables are then added: that keeps the accuracy of f32
and gives more invocations something to do. In a small table every element looks at every index; for a large one the
rows of each index are chained first.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Final

from graphc.index import LANES
from graphc.ir import Graph, Node, Value, new_value
from graphc.lower.kernel import Bindings, KernelSource, Operand, Site, settle
from graphc.lower.launch import Launch, rounded, sum_type
from graphc.op import Lanes
from graphc.types import DType, TensorType, u32

PART_ROWS: Final = 512
"""Rows of a part."""
MOST_PARTS: Final = 1 << 20
"""Elements that the tables of all parts may have together."""
LOOKS: Final = 1 << 27
"""Comparisons with an index up to which every element of the table looks at every index."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Indices into an axis of `slots` elements: how WGSL compares and reads them. ids: the operand that holds them."""

    ids: Operand
    slots: int

    @property
    def ranges(self) -> str:
        """Statements before a loop of comparisons with `slot`: the raw indices that mean it.

        They are the slot itself and the slot counted from the end; at either end also all that lies beyond.
        """
        top = "0x7fffffffu" if self.ids.dtype.kind == "int" else "0xffffffffu"
        lines = [f"  let span = select(0u, {top} - slot, slot == {self.slots - 1}u);"]
        if self.ids.dtype.kind == "int":
            lines.append(f"  let wrapped = select(slot - {self.slots}u, 0x80000000u, slot == 0u);")
            lines.append(f"  let wrapped_span = select(0u, {2**31 - self.slots}u, slot == 0u);")
        return "\n".join(lines)

    @property
    def match(self) -> str:
        """Whether the raw index `id` (a u32) means `slot`."""
        if self.ids.dtype.kind == "int":
            return "id - slot <= span || id - wrapped <= wrapped_span"
        return "id - slot <= span"

    def raw(self, row: str) -> str:
        """The index of a row as a u32, as it is."""
        return f"bitcast<u32>({self.ids.load(row)})"

    def slot(self, row: str) -> str:
        """Statements that return the slot of a row."""
        last = self.slots - 1
        if self.ids.dtype.kind != "int":
            return f"  return min({self.ids.load(row)}, {last}u);"
        return (
            f"  let id = {self.ids.load(row)};\n  return u32(clamp(select(id, id + {self.slots}, id < 0), 0, {last}));"
        )


@dataclass(frozen=True, slots=True)
class Scatter:
    """A scatter seen as updates[outer, rows, inner] -> table[outer, slots, inner], inner counted in vectors of `width`.

    parts, length: how the rows are divided.
    """

    ids: Value
    updates: Value
    outer: int
    rows: int
    inner: int
    slots: int
    width: int
    parts: int
    length: int

    @property
    def table(self) -> int:
        """Elements, or vectors, of one table."""
        return self.outer * self.slots * self.inner

    @property
    def sums(self) -> DType:
        """Element type of the sums."""
        return sum_type(self.updates.type.dtype)

    def holes(self) -> dict[str, object]:
        """What the templates ask of the sizes."""
        return {
            "inner": self.inner,
            "slots": self.slots,
            "table": self.slots * self.inner,
            "plane": self.table,
            "outer": self.outer,
            "rows": self.rows,
            "lanes": self.width,
            "type": Lanes(self.width)(self.sums),
        }


def _scatter(node: Node) -> Scatter:
    ids, updates = node.inputs
    axis, slots = node.attrs["axis"], node.attrs["size"]
    shape = updates.type.shape
    outer, inner = math.prod(shape[:axis]), math.prod(shape[axis + ids.type.ndim :])
    rows = ids.type.size
    width = LANES if inner % LANES == 0 else 1
    parts = max(1, min(-(-rows // PART_ROWS), MOST_PARTS // max(1, outer * slots * inner)))
    length = max(1, -(-rows // parts))
    return Scatter(ids, updates, outer, rows, inner // width, slots, width, max(1, -(-rows // length)), length)


def scatter_add(body: Graph, site: Site) -> list[KernelSource]:
    """Kernels of scatter_add: one for a few rows, more for a long input or a large table."""
    (node,) = body.nodes
    launch, scatter = Launch(body, site, "scatter"), _scatter(node)
    out = body.outputs[0]
    if scatter.rows == 0:
        return [settle(site, partial(_zeros, launch, scatter, out))]
    target = out
    if scatter.parts > 1:
        shape = (scatter.parts, scatter.outer, scatter.slots, scatter.inner * scatter.width)
        target = new_value(TensorType(shape, scatter.sums), "parts")
    if scatter.table * scatter.rows <= LOOKS:
        kernels = [settle(site, partial(_look, launch, scatter, target))]
    else:
        heads = new_value(TensorType((scatter.parts, scatter.slots), u32), "heads")
        links = new_value(TensorType((scatter.rows,), u32), "links")
        kernels = [
            settle(site, partial(_clear, launch, scatter, heads)),
            settle(site, partial(_chain, launch, scatter, heads, links)),
            settle(site, partial(_walk, launch, scatter, heads, links, target)),
        ]
    if scatter.parts > 1:
        kernels.append(settle(site, partial(_sum, launch, scatter, target, out)))
    return kernels


def _zeros(launch: Launch, scatter: Scatter, out: Value, bindings: Bindings) -> KernelSource:
    written = bindings.write(out, vector=scatter.width == LANES)
    zero = f"{Lanes(scatter.width)(out.type.dtype)}()"
    store = written.store("i", zero)
    return launch.kernel("scatter_zero", "scatter_clear", bindings, scatter.table, {"store": store})


def _look(launch: Launch, scatter: Scatter, out: Value, bindings: Bindings) -> KernelSource:
    rows = Rows(bindings.read(scatter.ids), scatter.slots)
    updates = bindings.read(scatter.updates, vector=scatter.width == LANES)
    written = bindings.write(out, vector=updates.vector)
    return launch.kernel(
        "scatter_add",
        "scatter_add",
        bindings,
        scatter.parts * scatter.table,
        {
            "length": scatter.length,
            "ranges": rows.ranges,
            "id": rows.raw("r"),
            "match": rows.match,
            "load": updates.load(f"(first_row + r) * {scatter.inner}u + i"),
            "store": written.store("item", rounded("total", out.type.dtype, scatter.width)),
            **scatter.holes(),
        },
        flops=scatter.outer * scatter.rows * scatter.inner * scatter.width,
    )


def _clear(launch: Launch, scatter: Scatter, heads: Value, bindings: Bindings) -> KernelSource:
    store = bindings.write(heads).store("i", f"{scatter.rows}u")
    return launch.kernel("scatter_clear", "scatter_clear", bindings, heads.type.size, {"store": store})


def _chain(launch: Launch, scatter: Scatter, heads: Value, links: Value, bindings: Bindings) -> KernelSource:
    rows = Rows(bindings.read(scatter.ids), scatter.slots)
    head = bindings.write(heads, access="read_write")
    link = bindings.write(links)
    return launch.kernel(
        "scatter_links",
        "scatter_links",
        bindings,
        scatter.rows,
        {
            "rows": scatter.rows,
            "length": scatter.length,
            "slot": rows.slot("r"),
            "store_link": link.store("row", f"select({scatter.rows}u, next, next < last)"),
            "store_head": head.store(f"part * {scatter.slots}u + id", "row"),
        },
    )


def _walk(launch: Launch, scatter: Scatter, heads: Value, links: Value, out: Value, bindings: Bindings) -> KernelSource:
    updates = bindings.read(scatter.updates, vector=scatter.width == LANES)
    written = bindings.write(out, vector=updates.vector)
    return launch.kernel(
        "scatter_walk",
        "scatter_walk",
        bindings,
        scatter.parts * scatter.table,
        {
            "head": bindings.read(heads).load(f"part * {scatter.slots}u + slot"),
            "link": bindings.read(links).load("r"),
            "load": updates.load(f"(first_row + r) * {scatter.inner}u + i"),
            "store": written.store("item", rounded("total", out.type.dtype, scatter.width)),
            **scatter.holes(),
        },
        flops=scatter.outer * scatter.rows * scatter.inner * scatter.width,
    )


def _sum(launch: Launch, scatter: Scatter, parts: Value, out: Value, bindings: Bindings) -> KernelSource:
    source = bindings.read(parts, vector=scatter.width == LANES)
    written = bindings.write(out, vector=scatter.width == LANES)
    return launch.kernel(
        "scatter_sum",
        "sum_parts",
        bindings,
        scatter.table,
        {
            "what": "scatter_add",
            "parts": scatter.parts,
            "lanes": scatter.width,
            "type": Lanes(scatter.width)(scatter.sums),
            "load": source.load(f"part * {scatter.table}u + i"),
            "finish": "  " + written.store("i", rounded("total", out.type.dtype, scatter.width)),
        },
        flops=scatter.parts * scatter.table * scatter.width,
    )
