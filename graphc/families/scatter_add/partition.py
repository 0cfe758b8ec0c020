"""Taking rows into a large table at computed slots: the rows are put in the order of the slots' tiles first.

A tile is a stretch of slots. Blocks of rows are counted by tile, the counts are summed up, and each block puts its rows
where they belong: a counting sort, which keeps rows of one tile in one order each time. Then an invocation owns a tile,
or one column of it, and takes in its rows one after the other. A tile of many rows is shared: all but its first rows
are taken, a fixed number at a time, into tables of their own, which are joined afterwards. So no invocation goes
through all rows however they are spread over the slots, nothing is atomic, and a run repeats to the bit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Final

from graphc.codegen.kernel import Bindings, KernelSource, Operand, settle
from graphc.codegen.launch import Launch
from graphc.families.cumsum.kernel import Line, scan
from graphc.ir.graph import Value, new_value
from graphc.ir.index import LANES
from graphc.ir.op import Lanes
from graphc.ir.types import DType, TensorType, u32
from graphc.plan.plan import MOST_TURNS

CHUNK: Final = 512
"""Rows that one invocation takes in: f32 sums of more lose accuracy."""
MOST_CHUNKS: Final = 8192
"""Most chunks of one tile; where there could be more, they are longer."""
MOST_SLOTS: Final = 8192
"""Most slots of a tile, which one invocation may have to clear: half of the turns that it has."""
TABLES: Final = 1 << 22
"""Elements that the tables of all chunks may have together; a quarter of those of the result where that is more."""
SHORTEST_BLOCK: Final = 128
LONGEST_BLOCK: Final = 8192
"""Rows of a block: about as many as there are tiles, so that there are no more counts than rows."""
CLEAR_ALONE: Final = 1024
"""Counts of a block above which they are cleared before, not by the invocation that then counts."""
LARGE: Final = 1 << 16
"""Elements above which a tensor is filled with zeros by no kernel."""
GROUP: Final = 64
"""Tables that are added up before they are added to the others: long sums are more exact so."""


@dataclass(frozen=True)
class Rows:
    """Rows r with slots and updates: updates[outer, rows, inner] -> table[outer, slots, inner].

    inner: in vectors of `width`. sums: element type of the table. load: the update of row r at (o, i) as an element of
    the table. join: what an element becomes by another one; its neutral element is 0.
    """

    ids: Value
    outer: int
    rows: int
    inner: int
    slots: int
    width: int
    sums: DType
    load: Callable[[Bindings], str]
    join: Callable[[str, str], str]

    @cached_property
    def length(self) -> int:
        """Rows of a chunk."""
        return max(CHUNK, -(-self.rows // MOST_CHUNKS))

    @cached_property
    def windows(self) -> int:
        """Places for tables of chunks."""
        return -(-self.rows // self.length)

    @cached_property
    def tile(self) -> int:
        """Slots of a tile."""
        each = self.outer * self.inner * self.width
        room = max(TABLES, each * self.slots // 4) // (self.windows * each)
        few = self.slots * self.length // (2 * self.rows)  # half a chunk of rows, if they are spread evenly
        return max(1, min(room, few, MOST_SLOTS))

    @cached_property
    def tiles(self) -> int:
        """Stretches of slots, with room in the last one for the slot after all others: that of rows that go nowhere."""
        return self.slots // self.tile + 1

    @cached_property
    def blocks(self) -> int:
        """Blocks of rows."""
        return -(-self.rows // min(max(self.tiles, SHORTEST_BLOCK), LONGEST_BLOCK))

    @property
    def cleared_apart(self) -> bool:
        """Whether the counts of blocks are cleared before, not by the invocations that then count."""
        return self.tiles > CLEAR_ALONE or self.tiles * self.blocks > LARGE

    @property
    def kind(self) -> str:
        """WGSL type of an element, or vector, of the table."""
        return Lanes(self.width)(self.sums)

    @property
    def vector(self) -> bool:
        """Whether the table is reached as vectors."""
        return self.width == LANES


def take_in(launch: Launch, rows: Rows, table: Value, slot: Callable[[Operand], str]) -> list[KernelSource]:
    """The kernels that take rows into a table, for which `clear` has come before.

    slot: the statements that return the slot which the index of row r means, the number of slots for none.
    """
    counts = new_value(TensorType((rows.tiles * rows.blocks,), u32), "counts")
    ends = new_value(counts.type, "ends")
    order = new_value(TensorType((rows.rows,), u32), "order")
    tables = (rows.windows, rows.outer, rows.tile, rows.inner * rows.width)
    more = new_value(TensorType(tables, rows.sums), "tables")
    made = _Kernels(launch, rows, slot, ends, order)
    kernels = [settle(launch.context, partial(made.count, counts))]
    return [
        *(clear(launch, counts, 1) if rows.cleared_apart else ()),
        *kernels,
        *scan(launch, counts, ends, Line(rows.tiles * rows.blocks, 1)),
        settle(launch.context, made.put_in_order),
        settle(launch.context, partial(made.add, table)),
        settle(launch.context, partial(made.rest, more)),
        settle(launch.context, partial(made.join, table, more)),
    ]


def clear(launch: Launch, value: Value, width: int) -> list[KernelSource]:
    """The kernel that fills a small tensor with zeros: what may share a launch with its neighbours.

    A large one is filled without a kernel, which is several times as fast: the kernel that writes it first says so, see
    `cleared`. width: 4 where the tensor is accessed as vectors.
    """
    if value.type.size > LARGE:
        return []
    return [zeros(launch, value, width)]


def cleared(written: Operand) -> tuple[str, ...]:
    """For `KernelSource.clears` of the first kernel that writes a tensor which `clear` has no kernel for."""
    return (written.name,) if written.value.type.size > LARGE else ()


def zeros(launch: Launch, value: Value, width: int) -> KernelSource:
    """The kernel that fills a tensor with zeros."""

    def generate(bindings: Bindings) -> KernelSource:
        written = bindings.write(value, vector=width == LANES)
        holes = {"store": written.store("i", f"{Lanes(width)(value.type.dtype)}()"), "lanes": width}
        return launch.kernel(f"{launch.family}_clear", "clear", bindings, value.type.size // width, holes)

    return settle(launch.context, generate)


class _Kernels:
    def __init__(self, launch: Launch, rows: Rows, slot: Callable[[Operand], str], ends: Value, order: Value) -> None:
        self.launch, self.rows, self.slot, self.ends, self.order = launch, rows, slot, ends, order

    def count(self, counts: Value, bindings: Bindings) -> KernelSource:
        """How many rows of each block lie in each tile."""
        rows = self.rows
        ids = bindings.read(rows.ids)
        written = bindings.write(counts, access="read_write")
        zero = written.store(f"tile * {rows.blocks}u + b", "0u")
        holes = {
            "clear": "" if rows.cleared_apart else f"  for (var tile = 0u; tile < {rows.tiles}u; tile++) {{ {zero} }}",
            "store": written.store("at", f"{written.load('at')} + 1u"),
            "slot": self.slot(ids),
        }
        return self._blocks("count", bindings, holes, cleared(written) if rows.cleared_apart else ())

    def put_in_order(self, bindings: Bindings) -> KernelSource:
        """The rows in the order of their tiles."""
        ids = bindings.read(self.rows.ids)
        ends = bindings.write(self.ends, access="read_write")
        written = bindings.write(self.order)
        holes = {
            "end": ends.load("at"),
            "move": ends.store("at", "place"),
            "store": written.store("place", "r"),
            "slot": self.slot(ids),
        }
        return self._blocks("order", bindings, holes)

    def _blocks(
        self, what: str, bindings: Bindings, holes: Mapping[str, object], clears: tuple[str, ...] = ()
    ) -> KernelSource:
        rows = self.rows
        name = f"tile_{what}"
        sizes: dict[str, object] = {"rows": rows.rows, "blocks": rows.blocks, "tile": rows.tile}
        return self.launch.kernel(name, name, bindings, rows.blocks, {**sizes, **holes}, clears=clears)

    def add(self, table: Value, bindings: Bindings) -> KernelSource:
        """The first rows of each tile, into the table itself."""
        rows = self.rows
        holes = self._tiles(bindings)
        load = rows.load(bindings)
        written = bindings.write(table, vector=rows.vector, access="read_write")
        del holes["tile"]
        holes |= {
            **self._sizes(),
            "slots": rows.slots,
            "store": written.store("at", rows.join(written.load("at"), load)),
        }
        items = rows.tiles * rows.outer * rows.inner
        flops = rows.outer * rows.rows * rows.inner * rows.width
        return self.launch.kernel("tile_add", "tile_add", bindings, items, holes, flops=flops, clears=cleared(written))

    def rest(self, more: Value, bindings: Bindings) -> KernelSource:
        """The other rows of each tile, into tables of their own."""
        rows = self.rows
        holes = self._tiles(bindings)
        load = rows.load(bindings)
        written = bindings.write(more, vector=rows.vector, access="read_write")
        holes |= {
            **self._sizes(),
            "slots": rows.slots,
            "table": rows.tile * rows.inner,
            "clear": written.store(f"table + slot * {rows.inner}u", f"{rows.kind}()"),
            "store": written.store("at", rows.join(written.load("at"), load)),
        }
        return self.launch.kernel("tile_rest", "tile_rest", bindings, rows.windows * rows.outer * rows.inner, holes)

    def join(self, table: Value, more: Value, bindings: Bindings) -> KernelSource:
        """The tables of a tile, into the table."""
        rows = self.rows
        holes = self._tiles(bindings)
        tables = bindings.read(more, vector=rows.vector)
        written = bindings.write(table, vector=rows.vector, access="read_write")
        groups, size = -(-rows.windows // GROUP), rows.tile * rows.inner
        most = max(1, (MOST_TURNS - 512) // (1 + groups * (1 + GROUP)))  # elements of an invocation
        lanes = -(-size // min(most, GROUP))
        one = tables.load(f"((window + k) * {rows.outer}u + o) * {size}u + e")
        holes |= {
            "outer": rows.outer,
            "lanes": lanes,
            "lanes_outer": lanes * rows.outer,
            "length": rows.length,
            "table": size,
            "slots_inner": rows.slots * rows.inner,
            "each": -(-size // lanes),
            "group": GROUP,
            "groups": groups,
            "type": rows.kind,
            "total": written.load("at"),
            "join_some": rows.join("some", one),
            "join_total": rows.join("total", "some"),
            "store": written.store("at", "total"),
        }
        return self.launch.kernel("tile_sum", "tile_sum", bindings, rows.windows * rows.outer * lanes, holes)

    def _tiles(self, bindings: Bindings) -> dict[str, object]:
        """What kernels over ordered rows have in common."""
        rows = self.rows
        return {
            "slot": self.slot(bindings.read(rows.ids)),
            "start": bindings.read(self.ends).load(f"tile * {rows.blocks}u"),
            "row": bindings.read(self.order).load("p"),
            "tiles": rows.tiles,
            "tile": rows.tile,
            "rows": rows.rows,
        }

    def _sizes(self) -> dict[str, object]:
        rows = self.rows
        return {
            "lanes": rows.width,
            "inner": rows.inner,
            "outer": rows.outer,
            "inner_outer": rows.inner * rows.outer,
            "length": rows.length,
        }
