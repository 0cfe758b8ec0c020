"""Which results of a kernel may take over the bytes of something that it reads.

An invocation must read an element of those bytes before it, and nobody else, writes there. Both are seen from the
order in which the code touches its operands: a load is safe where the code after it, at the same place and in the same
turn of its loops, stores the result, since a result is stored once. A place that is read after it was written, or that
the invocation does not write, is not safe; nor is one that other invocations touch as well.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from graphc.codegen.kernel import Bindings, Operand, Touches
from graphc.plan.plan import Touch

Pairs = tuple[tuple[str, str], ...]
"""Operands (output, input) that may share bytes, by name."""


def in_place(log: Sequence[tuple[str, Touch]], written: Sequence[Operand], bindings: Bindings) -> tuple[Pairs, Touches]:
    """The pairs that may share bytes, and of `log`, all that the kernel touches in its order, what concerns them.

    written: the outputs whose stores are in the log. A tensor that is read in any other way than the log says is no
    input of a pair, and nor is a texture, which is a copy.
    """
    touched: dict[str, list[tuple[int, Touch]]] = defaultdict(list)
    for time, (name, touch) in enumerate(log):
        touched[name].append((time, touch))
    reads = [o for o in bindings.operands() if o.access == "read" and not o.texture and o.name in touched]
    pairs = tuple(
        (output.name, source.name)
        for output in written
        for source in reads
        if _alike(output, source) and _read_first(touched[source.name], touched[output.name])
    )
    names = {name for pair in pairs for name in pair}
    return pairs, tuple(item for item in log if item[0] in names)


def at_once(output: Operand, source: Operand, load: Touch) -> tuple[Pairs, Touches]:
    """The same for a kernel that loads the input in one way only, and then stores the output at that very place."""
    if not _alike(output, source):
        return (), ()
    return ((output.name, source.name),), ((source.name, load), (output.name, replace(load, store=True)))


def _alike(output: Operand, source: Operand) -> bool:
    """Whether two operands are declared alike, with as many elements."""
    return (
        output.windows == source.windows == 1
        and output.dtype.wgsl_storage == source.dtype.wgsl_storage
        and output.value.type.size == source.value.type.size
        and output.vector == source.vector
    )


def _read_first(loads: Sequence[tuple[int, Touch]], stores: Sequence[tuple[int, Touch]]) -> bool:
    """Whether each load comes before the first store at its place, which the same invocation does in the same turn."""
    first: dict[tuple[str, int | None], tuple[int, Touch]] = {}
    for time, store in stores:
        if not store.alone:
            return False
        first.setdefault((store.place, store.lane), (time, store))
    for time, load in loads:
        stored = first.get((load.place, load.lane))
        if stored is None or not load.alone or stored[0] < time:
            return False
        if load.loops[: len(stored[1].loops)] != stored[1].loops:
            return False
    return bool(stores)
