"""Adding rows at computed indices: embedding gradients.

Floats are never added atomically: an invocation owns one column of the table and adds its rows in order, so a run
repeats to the bit. Long inputs are added in parts, each with a table of its own, and the tables are then added: that
keeps the accuracy of f32 and gives more invocations something to do. Where the table is too large for that, the rows
are put in order first (see graphc.families.scatter_add.partition).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Final

from graphc.codegen.kernel import Bindings, BuildContext, KernelSource, Operand, Search, settle, size_class
from graphc.codegen.launch import Launch, rounded, sum_type
from graphc.codegen.rules import rules_of
from graphc.families.scatter_add.partition import Rows, clear, cleared, take_in, zeros
from graphc.ir.graph import Graph, Node, Value, new_value
from graphc.ir.index import LANES
from graphc.ir.op import Lanes
from graphc.ir.types import DType, TensorType
from graphc.plan.plan import Target

PART_ROWS: Final = 512
"""Rows of a part, where no tuner chose another number."""
LONGEST: Final = 4096
"""Most rows of a part that a tuner may choose, and that are added in one part where the table is large."""
MOST_PARTS: Final = 1 << 21
"""Elements that the tables of all parts may have together."""
CLEAR_ALONE: Final = 1024
"""Slots above which tables are cleared by a kernel of their own, not by the invocations that then add."""
MOST_SUMMED: Final = 512
"""Most tables that are added one after another; more of them are added in groups first."""


def parts_of(rows: int, table: int, part_rows: int = PART_ROWS) -> tuple[int, int]:
    """How many parts the rows are divided into, and the rows of each, where a part has a table of this size."""
    parts = max(1, min(-(-rows // part_rows), MOST_PARTS // max(1, table)))
    length = max(1, -(-rows // parts))
    return max(1, -(-rows // length)), length


def slot_of(ids: Operand, slots: int) -> str:
    """Statements that return the slot that the index of row r means: negative from the end, `slots` for none."""
    if ids.dtype.kind != "int":
        return f"  return min({ids.load('r')}, {slots}u);"
    return (
        f"  let id = {ids.load('r')};\n"  # what is still negative is a large u32
        f"  return min(u32(select(id, id + {slots}, id < 0)), {slots}u);"
    )


@dataclass(frozen=True, slots=True)
class Scatter:
    """A scatter seen as updates[outer, rows, inner] -> table[outer, slots, inner], inner counted in vectors of `width`.

    parts, length: how the rows are divided; no parts where they are put in order instead.
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


def search(body: Graph, context: BuildContext) -> Search:
    """The tuner's problem in a body of one scatter_add: the rows of a part."""
    (node,) = body.nodes
    rows = node.inputs[0].type.size
    found = [n for n in (64, 128, 256, 512, 1024, 2048, 4096) if n < 2 * rows]
    return Search(_name(node), tuple((n,) for n in dict.fromkeys((PART_ROWS, *found))))


def _name(node: Node) -> str:
    ids, updates = node.inputs
    rows = max(ids.type.size, 1)
    return f"scatter_add {size_class(rows, updates.type.size // rows, node.attrs['size'])}"


def _part_rows(node: Node, target: Target) -> int:
    """What a tuner chose, else what the rules choose. f32 sums of more rows lose accuracy."""
    match target.choices.get(_name(node)) if target.choices else None:
        case (rows,) if 1 <= rows <= LONGEST:
            return rows
    return PART_ROWS


def _scatter(node: Node, target: Target) -> Scatter:
    ids, updates = node.inputs
    axis, slots = node.attrs["axis"], node.attrs["size"]
    shape = updates.type.shape
    outer, inner = math.prod(shape[:axis]), math.prod(shape[axis + ids.type.ndim :])
    rows = ids.type.size
    width = LANES if inner % LANES == 0 else 1
    most = _part_rows(node, target)
    parts, length = parts_of(rows, outer * slots * inner, most)
    if length > most and (length > LONGEST or parts * outer * inner // width < rules_of(target).scatter):
        parts = 0
    return Scatter(ids, updates, outer, rows, inner // width, slots, width, parts, length)


def scatter_add(body: Graph, context: BuildContext) -> list[KernelSource]:
    """Kernels of scatter_add: one, before it one that clears large tables, after it one that adds those of parts."""
    (node,) = body.nodes
    launch, scatter = Launch(body, context, "scatter"), _scatter(node, context.target)
    out = body.outputs[0]
    if scatter.rows == 0:
        return [zeros(launch, out, scatter.width)]
    tables, parts = out, max(scatter.parts, 1)
    if parts > 1 or scatter.sums != out.type.dtype:
        shape = (parts, scatter.outer, scatter.slots, scatter.inner * scatter.width)
        tables = new_value(TensorType(shape, scatter.sums), "tables")
    kernels = []
    if not scatter.parts or scatter.slots > CLEAR_ALONE:
        kernels += clear(launch, tables, scatter.width)
    if scatter.parts:
        kernels.append(settle(context, partial(_add, launch, scatter, tables)))
    else:
        kernels += take_in(launch, _rows(scatter), tables, partial(slot_of, slots=scatter.slots))
    while parts > MOST_SUMMED:
        group = math.isqrt(parts - 1) + 1
        sums = new_value(TensorType((-(-parts // group), *tables.type.shape[1:]), scatter.sums), "tables")
        kernels.append(settle(context, partial(_sum_groups, launch, scatter, tables, sums, group)))
        tables, parts = sums, sums.type.shape[0]
    if tables is not out:
        kernels.append(settle(context, partial(_sum, launch, scatter, tables, out)))
    return kernels


def _rows(scatter: Scatter) -> Rows:
    """The same for rows that are put in order."""
    kind = Lanes(scatter.width)(scatter.sums)

    def load(bindings: Bindings) -> str:
        updates = bindings.read(scatter.updates, vector=scatter.width == LANES)
        return f"{kind}({updates.load(f'(o * {scatter.rows}u + r) * {scatter.inner}u + i')})"

    s = scatter
    return Rows(s.ids, s.outer, s.rows, s.inner, s.slots, s.width, s.sums, load, "{} + {}".format)


def _sum_groups(
    launch: Launch, scatter: Scatter, tables: Value, sums: Value, group: int, bindings: Bindings
) -> KernelSource:
    """Adds up tables in groups of neighbours."""
    source = bindings.read(tables, vector=scatter.width == LANES)
    written = bindings.write(sums, vector=scatter.width == LANES)
    return launch.kernel(
        "scatter_groups",
        "sum_groups",
        bindings,
        sums.type.shape[0] * scatter.table,
        {
            "parts": tables.type.shape[0],
            "group": group,
            "lanes": scatter.width,
            "table": scatter.table,
            "type": Lanes(scatter.width)(scatter.sums),
            "load": source.load(f"part * {scatter.table}u + i"),
            "store": written.store("item", "total"),
        },
        flops=tables.type.size,
    )


def _add(launch: Launch, scatter: Scatter, tables: Value, bindings: Bindings) -> KernelSource:
    ids = bindings.read(scatter.ids)
    updates = bindings.read(scatter.updates, vector=scatter.width == LANES)
    written = bindings.write(tables, vector=updates.vector, access="read_write")
    kind = Lanes(scatter.width)(scatter.sums)
    zero = written.store(f"table + slot * {scatter.inner}u", f"{kind}()")
    alone = scatter.slots > CLEAR_ALONE
    return launch.kernel(
        "scatter_add",
        "scatter_add",
        bindings,
        scatter.parts * scatter.outer * scatter.inner,
        {
            "lanes": scatter.width,
            "inner": scatter.inner,
            "outer": scatter.outer,
            "inner_outer": scatter.inner * scatter.outer,
            "table": scatter.slots * scatter.inner,
            "length": scatter.length,
            "rows": scatter.rows,
            "clear": "" if alone else f"  for (var slot = 0u; slot < {scatter.slots}u; slot++) {{ {zero} }}",
            "type": kind,
            "total": written.load("at"),
            "load": updates.load(f"(o * {scatter.rows}u + r) * {scatter.inner}u + i"),
            "store": written.store("at", "total"),
            "slots": scatter.slots,
            "slot": slot_of(ids, scatter.slots),
        },
        flops=scatter.outer * scatter.rows * scatter.inner * scatter.width,
        clears=cleared(written) if alone else (),
    )


def _sum(launch: Launch, scatter: Scatter, tables: Value, out: Value, bindings: Bindings) -> KernelSource:
    source = bindings.read(tables, vector=scatter.width == LANES)
    written = bindings.write(out, vector=scatter.width == LANES)
    return launch.kernel(
        "scatter_sum",
        "sum_parts",
        bindings,
        scatter.table,
        {
            "what": "scatter_add",
            "parts": tables.type.shape[0],
            "lanes": scatter.width,
            "type": Lanes(scatter.width)(scatter.sums),
            "load": source.load(f"part * {scatter.table}u + i"),
            "finish": "  " + written.store("i", rounded("total", out.type.dtype, scatter.width)),
        },
        flops=tables.type.size,
    )
