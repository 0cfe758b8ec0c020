"""limit: a program that keeps to a stated number of bytes, or a reason why it cannot.

A program that fits is what it is without a limit. Else the ladder of `graphc.passes.memory.remat` is climbed from its
first step until the plan fits: each step is lowered, its memory planned and checked. The steps are the same whatever
the limit, so that a lower limit never gives a higher peak.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final, SupportsIndex

from graphc.errors import ArgumentError, MemoryLimitError
from graphc.ir.graph import Graph
from graphc.lower import lower
from graphc.passes import pipeline
from graphc.passes.fusion.fuse import Fuse
from graphc.passes.memory.order import order
from graphc.passes.memory.remat import Ladder, Remat
from graphc.passes.pipeline import GraphPass
from graphc.plan.plan import Plan, Target
from graphc.plan.report import MemoryReport, memory_report

NAMED: int = 8
"""Most tensors that an error names."""


@dataclass(frozen=True, slots=True)
class Composed:
    """A graph after its passes. plan: where finding the passes took one. passes: those that made the stages."""

    stages: list[tuple[str, Graph]]
    passes: tuple[GraphPass, ...]
    plan: Plan | None = None


def within(limit: int, usual: Composed, target: Target, donated: frozenset[int]) -> Composed:
    """The program with at most `limit` bytes beside its arguments and results, and its plan.

    usual: what it is without a limit. Raises MemoryLimitError, naming the lowest limit that works and the tensors that
    stand in the way of a lower one.
    """
    plan = lower(usual.stages[-1][1], target, donated)
    memory = memory_report(plan, target.alignment)
    if memory.peak_bytes + memory.texture_bytes <= limit:
        return replace(usual, plan=plan)
    # Textures take memory beside the arenas, and arenas apart more: where memory is short, they are not worth it.
    return _climb(limit, usual, replace(target, max_texture=0, thrifty=True), donated)


def _climb(limit: int, usual: Composed, target: Target, donated: frozenset[int]) -> Composed:
    passes = usual.passes
    at = next((i for i, p in enumerate(passes) if isinstance(p, Fuse) or p is order), len(passes))
    kernels = next((p for p in passes if isinstance(p, Fuse)), Fuse(families=()))
    first = usual.stages[: at + 1]
    ladder: Ladder | None = None
    best: tuple[MemoryReport, Plan] | None = None
    plain = 0
    step = 0
    while ladder is None or step < len(ladder.steps):
        chosen: tuple[GraphPass, ...] = ()
        found = usual.stages
        if ladder is not None:
            chosen = (Remat(ladder, step),)
            found = [*first, *pipeline.stages(first[-1][1], (*chosen, *passes[at:]))[1:]]
        plan = lower(found[-1][1], target, donated)
        memory = memory_report(plan, target.alignment)
        if memory.peak_bytes <= limit:
            return Composed(found, (*passes[:at], *chosen, *passes[at:]), plan)
        if best is None or memory.peak_bytes < best[0].peak_bytes:
            best = memory, plan
        if ladder is None:
            plain = memory.peak_bytes
            ladder = Ladder(first[-1][1], kernels)
        step += 1
    assert best is not None
    raise MemoryLimitError(_why(limit, plain, *best))


def _why(limit: int, plain: int, memory: MemoryReport, plan: Plan) -> str:
    at = memory.peak_dispatch
    live = memory.live_at(at)
    tensors = ", ".join(f"{r.name} ({r.size} bytes{_lines(plan, r.start)})" for r in live[:NAMED])
    more = f" and {len(live) - NAMED} smaller ones" if len(live) > NAMED else ""
    again = f" ({plain} bytes with nothing computed again)" if plain > memory.peak_bytes else ""
    return (
        f"{limit} bytes are allowed beside arguments and results, and the program needs {memory.peak_bytes}{again}, "
        f"which is the lowest memory_limit that works; during dispatch {at} these tensors stand in the way: "
        f"{tensors}{more}"
    )


def _lines(plan: Plan, dispatch: int) -> str:
    """Where the user's program asks for what a dispatch computes."""
    lines: Sequence[str] = plan.apart().dispatches[dispatch].lines
    return f" from {', '.join(lines[:2])}" if lines else ""


_SIZE: Final = re.compile(r"([0-9]+(?:\.[0-9]*)?(?:e\+?[0-9]{1,2})?)\s*((?:[kmg]i?)?b|)")
"""A number and a unit, in ASCII."""


def parse_bytes(limit: SupportsIndex | str | None) -> int | None:
    """Bytes of a limit such as 1000000, "512MiB" or "1.5 GB"; raises ArgumentError for what is no size above 0.

    A text that says bytes says whole ones; of a larger unit there may be a part.
    """
    if limit is None:
        return None
    units = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30}
    try:
        if isinstance(limit, str):
            size = _SIZE.fullmatch(limit.strip().lower())
            number, unit = Decimal(size[1]) if size else Decimal(0), units[size[2]] if size else 1
            found = int(number * unit) if unit > 1 or number == int(number) else 0
        else:
            found = operator.index(int(limit) if isinstance(limit, float) and limit.is_integer() else limit)
    except (TypeError, ValueError, OverflowError):
        found = 0
    if found < 1 or isinstance(limit, bool):
        raise ArgumentError(f"memory_limit {limit!r} is no size: write bytes, or a text such as '512MiB'")
    return found
