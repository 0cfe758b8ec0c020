"""Sorting rows by merging.

First the elements of short blocks are put in order: each counts how many of its block go before it, or one invocation
takes the block and keeps what it has seen in order in its registers. Then neighbouring runs are merged, twice as long
each time. An invocation makes a part of a merged run, whose begin in both runs it finds by bisection. There is no
barrier and no workgroup memory, and equal elements keep their order since positions decide between them. Where only the
first few are wanted, runs stay as short as that, and blocks out of which they are picked are long.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Final, Literal

from graphc.codegen.kernel import Bindings, BuildContext, KernelSource, Operand, settle
from graphc.codegen.launch import THREADS, Launch
from graphc.codegen.rules import Rules, rules_of
from graphc.families.scatter_add.partition import zeros
from graphc.ir.graph import Graph, Value, new_value
from graphc.ir.types import TensorType, i32

BLOCK: Final = 32
"""Elements of a block that is put in order before anything is merged."""
COUNTED: Final = 64
"""Elements picked out of a row up to which they are put in order by counting, all at once."""
PICKED_OF: Final = (64, 256)
"""Fewest and most elements of a block out of which some are picked and then put in order by counting: as many as leave
half of COUNTED of a row, so that few are counted."""
LONGEST: Final = 4096
"""Elements of a block that one invocation goes through, at most."""
FEW: Final = 8
"""Invocations of a workgroup where there are too few for more: as many as the vectors of a processor have lanes."""


def turns(length: int) -> int:
    """About how many comparisons an element takes part in."""
    passes = max(0, (max(length, 1) - 1).bit_length() - 5)
    return min(length, BLOCK) + passes * max(length.bit_length(), 1)


def stored(length: int, run: int, most: int) -> int:
    """Elements that are left of a row of `length` when each run of `run` keeps no more than its first `most`."""
    whole, rest = divmod(length, run)
    return whole * min(run, most) + min(rest, most)


@dataclass(frozen=True, slots=True)
class Step:
    """A kernel that makes runs of `run` elements, each in order, of rows that have `width` elements left.

    pick: an invocation takes a run and keeps its first elements in registers. count: one takes an element and counts
    those of the run that go before it. merge: one makes a part of a run out of two that are half as long.
    """

    kind: Literal["pick", "count", "merge"]
    width: int
    run: int


def steps(length: int, most: int, rows: int, rules: Rules) -> list[Step]:
    """What finds the first `most` of rows of `length` elements, in order, the last with one run for each row."""
    found: list[Step] = []
    width, done = length, 0
    least, greatest = PICKED_OF
    short = min(max(least, 8 * most, 2 * length * most // COUNTED), greatest)
    picks = most <= rules.kept and (rules.pickers > 0 or length > short)
    while True:
        if picks and rules.pickers:
            each = -(-width // -(-rules.pickers // rows))
            step = Step("pick", width, min(max(least, 8 * most, each), LONGEST, width))
        elif not found:
            first = Step("pick", width, short) if picks else Step("count", width, min(BLOCK, width))
            step = Step("pick", width, BLOCK) if rules.pickers else first
        elif picks and width <= COUNTED:
            step = Step("count", width, width)
        else:
            step = Step("merge", width, 2 * done)
        found.append(step)
        if step.run >= width:
            return found
        width, done = stored(width, step.run, most), min(step.run, most)


def argsort(body: Graph, context: BuildContext) -> list[KernelSource]:
    """Kernels that sort rows."""
    (node,) = body.nodes
    x, out = node.inputs[0], body.outputs[0]
    launch = Launch(body, context, "argsort")
    length, most = x.type.shape[-1], node.attrs["count"]
    if not out.type.size:
        return [zeros(launch, out, 1)]
    rows, rules = x.type.size // length, rules_of(context.target)
    order = _Order(launch, x, most, node.attrs["descending"], rules)
    builders = {"pick": _pick, "count": _count, "merge": _merge}
    kernels, known = [], x
    found = steps(length, most, rows, rules)
    for step in found:
        after = stored(step.width, step.run, most)
        made = out if step is found[-1] else new_value(TensorType((rows, after), i32), "runs")
        kernels.append(settle(context, partial(builders[step.kind], order, step, known, made)))
        known = made
    return kernels


@dataclass(frozen=True, slots=True)
class _Order:
    """What all kernels of a sort share."""

    launch: Launch
    x: Value
    most: int
    descending: bool
    rules: Rules

    @property
    def length(self) -> int:
        return self.x.type.shape[-1]

    @property
    def rows(self) -> int:
        return self.x.type.size // self.length

    def holes(self, source: Operand, step: Step) -> dict[str, object]:
        """What each template has."""
        key, kind = key_of(source)
        return {
            "length": self.length,
            "width": step.width,
            "run": step.run,
            "kept": min(step.run, self.most),
            "key": key,
            "kind": kind,
            "less": ">" if self.descending else "<",
        }


def _count(order: _Order, step: Step, known: Value, made: Value, bindings: Bindings) -> KernelSource:
    """known: x, or the positions of the elements that are left of each of its rows."""
    source, picked = bindings.read(order.x), None if known is order.x else bindings.read(known)
    written = bindings.write(made)
    kept, after = min(step.run, order.most), stored(step.width, step.run, order.most)
    own = "t" if picked is None else f"u32({picked.load('item')})"
    holes = {
        **order.holes(source, step),
        "id": own,
        "other": "other" if picked is None else f"u32({picked.load(f'row * {step.width}u + other')})",
        "store": written.store(f"row * {after}u + t / {step.run}u * {kept}u + place", f"i32({own})"),
    }
    items = known.type.size
    return order.launch.kernel("argsort_blocks", "argsort_blocks", bindings, items, holes, flops=items * step.run)


def _pick(order: _Order, step: Step, known: Value, made: Value, bindings: Bindings) -> KernelSource:
    """known: x, or the positions of the elements that are left of each of its rows."""
    source, picked = bindings.read(order.x), None if known is order.x else bindings.read(known)
    written = bindings.write(made)
    kept, after = min(step.run, order.most), stored(step.width, step.run, order.most)
    blocks = -(-step.width // step.run)
    place = f"row * {after}u + item % {blocks}u * {kept}u"
    holes = {
        **order.holes(source, step),
        "id": "t" if picked is None else f"u32({picked.load(f'row * {step.width}u + t')})",
        "last": kept - 1,
        "blocks": blocks,
        "places": range(kept),
        "moves": [(j, j - 1) for j in reversed(range(1, kept))],
        "stores": [(j, written.store(f"{place} + {j}u", f"i32(id_{j})")) for j in range(kept)],
    }
    items = order.rows * blocks
    few = order.rules.pickers and items < order.rules.pickers * THREADS
    return order.launch.kernel(
        "argsort_select",
        "argsort_select",
        bindings,
        items,
        holes,
        flops=known.type.size * kept,
        threads=FEW if few else THREADS,
    )


def _merge(order: _Order, step: Step, known: Value, made: Value, bindings: Bindings) -> KernelSource:
    """known: the order of runs half as long."""
    source, runs = bindings.read(order.x), bindings.read(known)
    written = bindings.write(made)
    kept, after, half = min(step.run, order.most), stored(step.width, step.run, order.most), step.run // 2
    pairs, part = -(-step.width // step.run), min(order.rules.merged, kept)
    parts = -(-kept // part)
    items = order.rows * pairs * parts
    holes = {
        **order.holes(source, step),
        "run": half,
        "both": step.run,
        "pairs": pairs,
        "part": part,
        "parts": parts,
        "steps": half.bit_length(),
        "known": runs.load("at"),
        "store": written.store(f"row * {after}u + pair * {kept}u + place", "i32(id)"),
    }
    flops = items * (part + half.bit_length())
    return order.launch.kernel("argsort_merge", "argsort_merge", bindings, items, holes, flops=flops)


def key_of(source: Operand) -> tuple[str, str]:
    """Statements that return a number which orders as element `at` does, NaN above all, and its type."""
    element = source.load("at")
    match source.dtype.name:
        case "bool":
            return f"  return select(0u, 1u, {element});", "u32"
        case "u32" | "i32" | "i64":
            return f"  return {element};", source.dtype.wgsl
        case "f64":
            bits = f"let bits = bitcast<i64>({element});"
            huge = "0x7ff0000000000000li"
            flipped = "select(bits, -(bits & 0x7fffffffffffffffli), bits < 0li)"
            nan = f"(bits & 0x7fffffffffffffffli) > {huge}"
            return f"  {bits}\n  return select({flipped}, 0x7fffffffffffffffli, {nan});", "i64"
        case _:  # the bits of a float grow with it, and fall where it is negative; both zeros are 0
            bits = f"let bits = bitcast<i32>(f32({element}));"
            flipped = "select(bits, -(bits & 0x7fffffff), bits < 0)"
            return f"  {bits}\n  return select({flipped}, 0x7fffffff, (bits & 0x7fffffff) > 0x7f800000);", "i32"
