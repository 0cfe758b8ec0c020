"""What a program launches until its own kernels are compiled.

Kernels that run fastest hold long texts, for which a software adapter's driver takes up to seconds each; others do the
same, bit for bit, and are compiled in a tenth of the time: products and attentions in small tiles, kernels side by
side and the members of megakernels each alone, loops that are not written out. A program starts with those that compile
sooner, and goes over to its own as these are ready and pay (see graphc.runtime.wgpu.compiler).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from graphc.lower.effort import seconds
from graphc.lower.launches import Launches, Made, Part
from graphc.plan.plan import Dispatch, Plan, Quick

LEAST: Final = 0.3
"""Seconds of compiling that a start must save in all to be worth while."""

LAUNCH: Final = 40e-6
OPERATION: Final = 2e-11
BYTE: Final = 2e-11
"""Seconds that a launch takes, and that small tiles and loops that are not written out cost for each operation and
byte: orders of magnitude on two cores."""


def quick(plan: Plan, made: Made, launches: Launches, ways: Sequence[Sequence[Sequence[Part]]]) -> Quick | None:
    """What may stand in for the launches of a plan; None where little is gained.

    made: its launches. ways: for each of them and each of the steps in it, the parts that compile soonest.
    """
    own = [seconds(kernel.wgsl) for kernel in made.kernels]
    uses = Counter(part.kernel.wgsl for steps in ways for parts in steps for part in parts)
    groups: list[Sequence[Part]] = []
    spans: list[tuple[int, int]] = []
    changed: list[bool] = []
    for group, dispatch, steps in zip(made.groups, made.dispatches, ways, strict=True):
        apart = [part for parts in steps for part in parts]
        cost = sum(seconds(part.kernel.wgsl) / uses[part.kernel.wgsl] for part in apart)
        changed.append(cost < own[dispatch.kernel] and all(map(_separable, steps)))
        instead = [[part] for part in apart] if changed[-1] else [group]
        spans.append((len(groups), len(groups) + len(instead)))
        groups += instead
    other = launches.of(groups)
    known = {kernel.wgsl for kernel in other.kernels}
    left = [0.0 if k.wgsl in known else cost for k, cost in zip(made.kernels, own, strict=True)]
    new = {kernel.wgsl for kernel in made.kernels}
    gain = sum(left) - sum(seconds(kernel.wgsl) for kernel in other.kernels if kernel.wgsl not in new)
    if gain < LEAST:
        return None
    return Quick(
        _with(plan, other),
        tuple(spans),
        tuple(left[dispatch.kernel] for dispatch in made.dispatches),
        tuple(
            _saved(d, end - start) if other_way else 0.0
            for d, (start, end), other_way in zip(made.dispatches, spans, changed, strict=True)
        ),
    )


def _separable(parts: Sequence[Part]) -> bool:
    """Whether the parts of a step may run one after the other: none reads a tensor whose bytes an earlier one took.

    What is launched at once may: it reads a copy of the tensor in a texture.
    """
    gone: set[int] = set()
    for part in parts:
        if any(binding.tensor in gone for binding in part.bindings):
            return False
        gone.update(taken.tensor for taken in part.taken)
    return True


def _saved(dispatch: Dispatch, launches: int) -> float:
    """Seconds that a dispatch saves against so many launches in its place."""
    moved = dispatch.bytes_read + dispatch.bytes_written
    return (launches - 1) * LAUNCH + dispatch.flops * OPERATION + moved * BYTE


def _with(plan: Plan, made: Made) -> Plan:
    """The plan with other launches for the same steps; lifetimes are counted in these."""
    begins, ends = made.spans()
    tensors = tuple(replace(t, start=begins[t.start], end=ends[t.end]) if ends else t for t in plan.tensors)
    return replace(plan, tensors=tensors, kernels=made.kernels, dispatches=made.dispatches, loops=made.loops)
