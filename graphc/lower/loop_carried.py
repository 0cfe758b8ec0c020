"""Loop-carried buffers: as few copies as possible on the way into a loop and from step to step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from graphc.analysis.loops import Flat, Region
from graphc.ir.graph import Value
from graphc.lower.lowering import Lowering, Step
from graphc.lower.megakernel import joins
from graphc.ops.structured import loop_yield
from graphc.plan.course import FIRST
from graphc.plan.plan import Loop

OFTEN: Final = 8
"""Steps of a loop from which on its small variables are copied into an arena."""

SMALL: Final = 1 << 14
"""Most bytes of such a variable."""


def init_in_place(lowering: Lowering, flat: Flat, position: int) -> bool:
    """Whether a loop may change the tensor that it starts with, since nothing else needs it.

    It is read by the `loop_init` node at this position alone. It is computed, and not outside of a loop that holds this
    one; or it is a donated input that becomes an output.
    """
    graph = flat.graph
    (value,), variable = graph.nodes[position].inputs, graph.nodes[position].out
    uses = sum(v is value for node in graph.nodes for v in node.inputs) + sum(v is value for v in graph.outputs)
    if uses != 1 or lowering.storage_of(value) is not value or value in graph.constants:
        return False
    if value in graph.inputs and gathers(lowering, flat, position):
        return False
    if value in graph.inputs:
        results = {n.out for n in graph.nodes if n.op is loop_yield and n.inputs[1] is variable}
        ends = bool(results.intersection(graph.outputs)) and not _inside(flat, position)
        return ends and graph.inputs.index(value) in lowering.donate
    made = next(i for i, node in enumerate(graph.nodes) if value in node.outputs)
    return _inside(flat, made) == _inside(flat, position)


def gathers(lowering: Lowering, flat: Flat, position: int) -> bool:
    """Whether a small variable that enters a loop here is to lie in an arena while the loop runs.

    Megakernels bind an arena once for all of its tensors, and the buffer of an argument or result for that one alone:
    with parameters and moments in the arena, a step of a tiny model takes fewer launches. They are copied in before the
    loop and out after it, which must run often enough to pay for that.
    """
    node = flat.graph.nodes[position]
    loop = next((r for r in flat.loops if node.out in r.variables), None)
    if lowering.target.thrifty or loop is None:
        return False
    return joins(lowering) and loop.times >= OFTEN and node.out.type.nbytes <= SMALL


def _inside(flat: Flat, position: int) -> list[Region]:
    return [loop for loop in flat.loops if loop.first <= position <= loop.last]


def yield_in_place(lowering: Lowering, loops: Sequence[Region]) -> None:
    """Find the loops among the steps, and let what is computed for the next step be written where that will read it.

    It may, if everything that reads the old value runs before, or is the kernel itself and reads each element just
    where it writes it. Else a copy at the end of the step stays.
    """
    for loop in loops:
        for position in range(loop.first, loop.last + 1):
            if lowering.graph.nodes[position].op is loop_yield:
                _write_in_place(lowering, loop, loops, position)
    for loop in loops:
        numbers = [n for n, step in enumerate(lowering.steps) if loop.first <= step.position <= loop.last]
        if numbers and loop.times > 1:
            lowering.loops.append(Loop(numbers[0], numbers[-1], loop.times))
            lowering.flags.append(loop.alive if loop.times > FIRST else None)


def _write_in_place(lowering: Lowering, loop: Region, loops: Sequence[Region], position: int) -> None:
    copy = next((s for s in lowering.steps if s.position == position), None)
    if copy is None:
        return
    node = lowering.graph.nodes[position]
    new, variable = lowering.storage_of(node.inputs[0]), lowering.storage_of(node.inputs[1])
    touching = [(n, s) for n, s in enumerate(lowering.steps) if any(o.value is new for o in s.source.operands)]
    inside = all(loop.first <= s.position <= loop.last for _, s in touching)
    first, maker = touching[0]
    if not inside or any(o.value is new and o.access == "read" for o in maker.source.operands):
        return
    if new in lowering.graph.outputs or not _read_before(lowering, loop, loops, variable, first, copy):
        return
    same = {o.name for o in maker.source.operands if o.value is variable}
    if any(o.uniform for o in maker.source.operands if o.value is variable):
        return  # a kernel does not write what it reads as a uniform buffer
    written = next(o.name for o in maker.source.operands if o.value is new)
    pairs = {read for write, read in maker.source.inplace if write == written}
    if not same <= pairs or len(same) > 1:
        return
    maker.merged.update(dict.fromkeys(same, written))
    lowering.steps.remove(copy)
    for step in lowering.steps:
        if any(o.value is new for o in step.source.operands):
            step.source = step.source.over({new: variable})
    for value, root in list(lowering.storage.items()):
        if root is new:
            lowering.storage[value] = variable
    lowering.storage[new] = variable


def _read_before(
    lowering: Lowering, loop: Region, loops: Sequence[Region], variable: Value, first: int, copy: Step
) -> bool:
    """Whether no step of the loop touches `variable` after step `first`, but the copy into it."""
    maker = lowering.steps[first]
    for number, step in enumerate(lowering.steps):
        if step is copy or not loop.first <= step.position <= loop.last:
            continue
        if not any(o.value is variable for o in step.source.operands):
            continue
        held = [r for r in loops if r.first <= step.position <= r.last and not r.first <= maker.position <= r.last]
        last = max((r.last for r in held), default=step.position)
        if number > first or last > maker.position:
            return False
    return True
