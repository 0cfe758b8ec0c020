"""Sorting rows by merging.

First the elements of short blocks are put in order: each counts how many of its block go before it, or one invocation
takes the block and keeps what it has seen in order in its registers. Then neighbouring runs are merged, twice as long
each time. An invocation makes a part of a merged run, whose begin in both runs it finds by bisection. There is no
barrier and no workgroup memory, and equal elements keep their order since positions decide between them. Where only the
first few are wanted, runs stay as short as that, and blocks out of which they are picked are long.
"""

from __future__ import annotations

from collections.abc import Callable
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
SELECTED_OF: Final = (64, 256)
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


@dataclass(frozen=True, slots=True)
class Step:
    """A kernel that makes runs of `run` elements, each in order, of rows that have `width` elements left.

    Of each run its first `most` are kept. select: an invocation takes a run and keeps them in registers. count: one
    takes an element and counts those of the run that go before it. merge: one makes a part of a run out of two that are
    half as long.
    """

    kind: Literal["select", "count", "merge"]
    width: int
    run: int
    most: int

    @property
    def kept(self) -> int:
        """Elements that are kept of each run but the last of a row."""
        return min(self.run, self.most)

    @property
    def runs(self) -> int:
        """Runs of a row."""
        return -(-self.width // self.run)

    @property
    def left(self) -> int:
        """Elements that are kept of a row."""
        return self.width // self.run * self.kept + min(self.width % self.run, self.most)


def steps(length: int, most: int, rows: int, rules: Rules) -> list[Step]:
    """What finds the first `most` of rows of `length` elements, in order, the last with one run for each row."""
    found: list[Step] = []
    least, greatest = SELECTED_OF
    short = min(max(least, 8 * most, 2 * length * most // COUNTED), greatest)
    selects = most <= rules.kept and (rules.pickers > 0 or length > short)
    while not found or found[-1].runs > 1:
        width = found[-1].left if found else length
        if selects and rules.pickers:
            each = -(-width // -(-rules.pickers // rows))
            step = Step("select", width, min(max(least, 8 * most, each), LONGEST, width), most)
        elif found and selects and width <= COUNTED:
            step = Step("count", width, width, most)
        elif found:
            step = Step("merge", width, 2 * found[-1].kept, most)
        elif rules.pickers:
            step = Step("select", width, BLOCK, most)
        elif selects:
            step = Step("select", width, short, most)
        else:
            step = Step("count", width, min(BLOCK, width), most)
        found.append(step)
    return found


def argsort(body: Graph, context: BuildContext) -> list[KernelSource]:
    """Kernels that sort rows."""
    (node,) = body.nodes
    x, out = node.inputs[0], body.outputs[0]
    launch = Launch(body, context, "argsort")
    if not out.type.size:
        return [zeros(launch, out, 1)]
    order = _Order(launch, x, node.attrs["descending"], rules_of(context.target))
    builders = {"select": _select, "count": _count, "merge": _merge}
    kernels, known = [], x
    found = steps(order.length, node.attrs["count"], order.rows, order.rules)
    for step in found:
        made = out if step is found[-1] else new_value(TensorType((order.rows, step.left), i32), "runs")
        kernels.append(settle(context, partial(builders[step.kind], order, step, known, made)))
        known = made
    return kernels


@dataclass(frozen=True, slots=True)
class _Order:
    """What all kernels of a sort share."""

    launch: Launch
    x: Value
    descending: bool
    rules: Rules

    @property
    def length(self) -> int:
        return self.x.type.shape[-1]

    @property
    def rows(self) -> int:
        return self.x.type.size // self.length

    def holes(self, step: Step, bindings: Bindings) -> dict[str, object]:
        """What each template has."""
        key, kind = key_of(bindings.read(self.x))
        return {
            "length": self.length,
            "width": step.width,
            "run": step.run,
            "kept": step.kept,
            "key": key,
            "kind": kind,
            "less": ">" if self.descending else "<",
        }

    def ids(self, step: Step, known: Value, bindings: Bindings) -> Callable[[str], str]:
        """The positions in its row of x of what stands at a place of a row; known: x, or positions that are left."""
        if known is self.x:
            return lambda place: place
        picked = bindings.read(known)
        return lambda place: f"u32({picked.load(f'row * {step.width}u + {place}')})"


def _count(order: _Order, step: Step, known: Value, made: Value, bindings: Bindings) -> KernelSource:
    holes = order.holes(step, bindings)
    ids, written = order.ids(step, known, bindings), bindings.write(made)
    own = ids("t")
    store = written.store(f"row * {step.left}u + t / {step.run}u * {step.kept}u + place", f"i32({own})")
    holes |= {"id": own, "other": ids("other"), "store": store}
    items = known.type.size
    return order.launch.kernel("argsort_count", "argsort_count", bindings, items, holes, flops=items * step.run)


def _select(order: _Order, step: Step, known: Value, made: Value, bindings: Bindings) -> KernelSource:
    holes = order.holes(step, bindings)
    ids, written = order.ids(step, known, bindings), bindings.write(made)
    place = f"row * {step.left}u + item % {step.runs}u * {step.kept}u"
    holes |= {
        "id": ids("t"),
        "last": step.kept - 1,
        "blocks": step.runs,
        "places": range(step.kept),
        "moves": [(j, j - 1) for j in reversed(range(1, step.kept))],
        "stores": [(j, written.store(f"{place} + {j}u", f"i32(id_{j})")) for j in range(step.kept)],
    }
    items, flops = order.rows * step.runs, known.type.size * step.kept
    threads = FEW if items < order.rules.pickers * THREADS else THREADS
    return order.launch.kernel("argsort_select", "argsort_select", bindings, items, holes, flops=flops, threads=threads)


def _merge(order: _Order, step: Step, known: Value, made: Value, bindings: Bindings) -> KernelSource:
    """known: the order of runs half as long."""
    holes = order.holes(step, bindings)
    runs, written = bindings.read(known), bindings.write(made)
    half, part = step.run // 2, min(order.rules.merged, step.kept)
    parts, bisections = -(-step.kept // part), half.bit_length()
    holes |= {
        "run": half,
        "both": step.run,
        "pairs": step.runs,
        "part": part,
        "parts": parts,
        "steps": bisections,
        "known": runs.load("at"),
        "store": written.store(f"row * {step.left}u + pair * {step.kept}u + place", "i32(id)"),
    }
    items = order.rows * step.runs * parts
    flops = items * (part + bisections)
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
