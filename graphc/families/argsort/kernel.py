"""Sorting rows by merging.

Each element of a short block counts how many of the block go before it: that is its place, and no invocation waits for
another. Then neighbouring runs are merged, twice as long each time: the place of an element in the merged run is its
place in its own run and the number of elements of the other run that go before it, which it finds by bisection. No
element needs more than some ten comparisons in a pass, there is no barrier and no workgroup memory, and equal elements
keep their order since positions decide between them. Where only the first few are wanted, runs stay as short as that;
and where they are very few, an invocation picks those of a block as it goes through it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

from graphc.codegen.kernel import Bindings, BuildContext, KernelSource, Operand, settle
from graphc.codegen.launch import Launch
from graphc.families.scatter_add.partition import zeros
from graphc.ir.graph import Graph, Value, new_value
from graphc.ir.types import TensorType, i32

BLOCK: Final = 32
"""Elements that are put in order by counting."""


MOST_SELECTED: Final = 16
"""First elements up to which they are picked out of blocks, in registers."""
COUNTED: Final = 64
"""Elements picked out of a row up to which they are put in order by counting, all at once."""
SELECTED_OF: Final = (64, 256)
"""Fewest and most elements of such a block: as many as leave half of COUNTED of a row, so that few are put in order."""


def turns(length: int) -> int:
    """About how many comparisons an element takes part in."""
    passes = max(0, (max(length, 1) - 1).bit_length() - 5)
    return min(length, BLOCK) + passes * max(length.bit_length(), 1)


def stored(length: int, run: int, most: int) -> int:
    """Elements that are left of a row of `length` when each run of `run` keeps no more than its first `most`."""
    whole, rest = divmod(length, run)
    return whole * min(run, most) + min(rest, most)


def argsort(body: Graph, context: BuildContext) -> list[KernelSource]:
    """Kernels that sort rows: one that orders blocks, and one for each time that runs are merged."""
    (node,) = body.nodes
    x, out = node.inputs[0], body.outputs[0]
    launch = Launch(body, context, "argsort")
    length, most = x.type.shape[-1], node.attrs["count"]
    if not out.type.size:
        return [zeros(launch, out, 1)]
    rows, descending = x.type.size // length, node.attrs["descending"]
    kernels, known, width, run = [], x, length, min(BLOCK, length)
    least, greatest = SELECTED_OF
    block = min(max(least, 8 * most, 2 * length * most // COUNTED), greatest)
    selects = most <= MOST_SELECTED and length > block
    run = block if selects else run
    while True:
        after = stored(width, run, most)
        last = run >= width
        made = out if last else new_value(TensorType((rows, after), i32), "runs")
        if known is x and selects:
            kernels.append(settle(context, partial(_select, launch, x, made, length, run, most, descending)))
        elif known is x or (selects and last and width <= COUNTED):
            kernels.append(
                settle(context, partial(_order_blocks, launch, x, known, made, width, run, most, descending))
            )
        else:
            kernels.append(settle(context, partial(_merge, launch, x, known, made, width, run // 2, most, descending)))
        if last:
            return kernels
        known, width, run = made, after, 2 * min(run, most)
        run = width if selects and width <= COUNTED else run


def _order_blocks(
    launch: Launch,
    x: Value,
    known: Value,
    made: Value,
    width: int,
    run: int,
    most: int,
    descending: bool,
    bindings: Bindings,
) -> KernelSource:
    """known: x, or the positions of the `width` elements that are left of each of its rows."""
    source, picked = bindings.read(x), None if known is x else bindings.read(known)
    written = bindings.write(made)
    kept, after = min(run, most), stored(width, run, most)
    own = "t" if picked is None else f"u32({picked.load('item')})"
    other = "other" if picked is None else f"u32({picked.load(f'row * {width}u + other')})"
    holes = {
        **_common(source, x.type.shape[-1], descending),
        "width": width,
        "run": run,
        "kept": kept,
        "id": own,
        "other": other,
        "store": written.store(f"row * {after}u + t / {run}u * {kept}u + place", f"i32({own})"),
    }
    items = known.type.size
    return launch.kernel("argsort_blocks", "argsort_blocks", bindings, items, holes, flops=items * run)


def _select(
    launch: Launch, x: Value, made: Value, length: int, run: int, most: int, descending: bool, bindings: Bindings
) -> KernelSource:
    source = bindings.read(x)
    written = bindings.write(made)
    common = _common(source, length, descending)
    kind, less, after, blocks = common["kind"], common["less"], stored(length, run, most), -(-length // run)
    insert = [
        f"        if (({j - 1}u >= held) | (key_{j} {less} key_{j - 1})) {{ let key_there = key_{j - 1}; "
        f"let id_there = id_{j - 1}; key_{j - 1} = key_{j}; id_{j - 1} = id_{j}; "
        f"key_{j} = key_there; id_{j} = id_there; }}"
        for j in reversed(range(1, most))
    ]
    place = f"row * {after}u + item % {blocks}u * {most}u"
    holes = {
        **common,
        "run": run,
        "kept": most,
        "last": most - 1,
        "blocks": blocks,
        "declare": "\n".join(f"  var key_{j} = {kind}();\n  var id_{j} = 0u;" for j in range(most)),
        "insert": "\n".join(insert),
        "store": "\n".join(
            f"  if ({j}u < held) {{ {written.store(f'{place} + {j}u', f'i32(id_{j})')} }}" for j in range(most)
        ),
    }
    items = x.type.size // length * blocks
    return launch.kernel("argsort_select", "argsort_select", bindings, items, holes, flops=x.type.size)


def _merge(
    launch: Launch,
    x: Value,
    known: Value,
    made: Value,
    width: int,
    run: int,
    most: int,
    descending: bool,
    bindings: Bindings,
) -> KernelSource:
    """known: the order of runs of `run` elements, of rows that have `width` of them left."""
    source, runs = bindings.read(x), bindings.read(known)
    written = bindings.write(made)
    after, kept = stored(width, 2 * run, most), min(2 * run, most)
    steps = run.bit_length()
    holes = {
        **_common(source, x.type.shape[-1], descending),
        "width": width,
        "run": run,
        "kept": kept,
        "steps": steps,
        "own": runs.load("item"),
        "other": runs.load(f"row * {width}u + begin + middle"),
        "store": written.store(f"row * {after}u + t / {2 * run}u * {kept}u + place", "own"),
    }
    return launch.kernel(
        "argsort_merge", "argsort_merge", bindings, known.type.size, holes, flops=known.type.size * steps
    )


def _common(source: Operand, length: int, descending: bool) -> Mapping[str, object]:
    key, kind = key_of(source)
    return {"length": length, "key": key, "kind": kind, "less": ">" if descending else "<"}


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
