"""Kernels that write at computed indices.

Indices that are negative count from the end, and what is out of range writes nothing, as in the ops' references.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import Final

from graphc.codegen.inplace import at_once
from graphc.codegen.kernel import Bindings, BuildContext, Inside, KernelSource, Operand, settle
from graphc.codegen.launch import Launch
from graphc.families.scatter_add.kernel import PART_ROWS, parts_of, slot_of
from graphc.families.scatter_add.partition import Rows, clear, cleared, take_in
from graphc.ir.graph import Graph, new_value
from graphc.ir.index import LANES
from graphc.ir.types import TensorType, u32
from graphc.plan.plan import Touch

FEW_ROWS: Final = 8
"""Rows up to which each element of an index update looks for its writer on its own."""


MOST_WRITERS: Final = 4096
"""Most parts whose last rows are compared one after another."""


def index_update(body: Graph, context: BuildContext) -> list[KernelSource]:
    """Kernels of an index update: one for a few rows; else two go before, which find the writer of each slot."""
    (node,) = body.nodes
    x, ids, values = node.inputs
    axis, shape = node.attrs["axis"], x.type.shape
    slots, inner, rows = shape[axis], math.prod(shape[axis + 1 :]), ids.type.size
    width = LANES if inner % LANES == 0 else 1
    launch = Launch(body, context, "index_update")
    parts, length = parts_of(rows, slots)
    ordered = length > PART_ROWS or parts > MOST_WRITERS
    parts = 1 if ordered else parts
    writers = new_value(TensorType((parts, slots), u32), "writers") if rows > FEW_ROWS else None

    def rows_alone(bindings: Bindings, slot: str, written: Operand) -> Inside:
        """What writes the rows alone, and leaves all else as it is."""
        value = bindings.read(values, vector=width == LANES).load("item")
        items, size = values.type.size // width, inner // width
        store = written.store("at", value)
        holes = {"inner": size, "slots": slots, "table": rows * size, "rows": rows, "lanes": width}
        holes = {**holes, "slot": slot, "store": store}
        made = launch.kernel("index_rows", "index_rows", bindings, items, holes)
        return Inside(made.code, made.workgroups, ((written.name, Touch(True, "at", vector=written.vector)),))

    def update(bindings: Bindings) -> KernelSource:
        old = bindings.read(x, vector=width == LANES)
        written = bindings.write(body.outputs[0], vector=width == LANES)
        find, functions, value = "", "", old.load("item")
        inside = None
        if rows:
            row = f"(first_row + writer - 1u) * {inner // width}u + i"
            value = bindings.read(values, vector=width == LANES).load(row)
        if writers is not None:
            known = bindings.read(writers).load(f"(part - 1u) * {slots}u + slot")
            find = f"  for (var part = {parts}u; part > 0u && writer == 0u; part--) {{ writer = {known}; }}"
        elif rows:
            write = "if (slot_of(r - 1u) == slot) { writer = r; }"
            find = f"  for (var r = {rows}u; r > 0u && writer == 0u; r--) {{ {write} }}"
            slot = slot_of(bindings.read(ids), slots)
            functions = f"\nfn slot_of(r: u32) -> u32 {{\n{slot}\n}}"
            inside = rows_alone(bindings, slot, written)
        own = bindings.storage(x) not in (bindings.storage(values), bindings.storage(ids))
        holes = {
            "inner": inner // width,
            "slots": slots,
            "table": slots * inner // width,
            "rows": rows,
            "lanes": width,
            "find": find,
            "functions": functions,
            "store_value": written.store("item", value),
            "store_old": written.store("item", old.load("item")),
        }
        inplace, touches = at_once(written, old, Touch(False, "item", vector=old.vector)) if own else ((), ())
        made = launch.kernel(
            "index_update", "index_update", bindings, x.type.size // width, holes, inplace=inplace, touches=touches
        )
        return replace(made, inside=inside) if own else made

    def last(bindings: Bindings) -> KernelSource:
        assert writers is not None
        slot = slot_of(bindings.read(ids), slots)
        written = bindings.write(writers)
        store = written.store("at", "r + 1u")
        holes = {"length": length, "rows": rows, "slots": slots, "slot": slot, "store": store}
        return launch.kernel("index_last", "index_last", bindings, parts, holes, clears=cleared(written))

    if writers is None:
        return [settle(context, update)]
    found = [settle(context, last)]
    if ordered:
        latest = Rows(ids, 1, rows, 1, slots, 1, u32, lambda bindings: "r + 1u", "max({}, {})".format)
        found = take_in(launch, latest, writers, partial(slot_of, slots=slots))
    return [*clear(launch, writers, 1), *found, settle(context, update)]
