"""The order in which the dispatches of a plan run, where the host looks now and then whether a loop goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from graphc.plan.plan import Loop, Plan

FIRST: Final = 4
"""Turns of a loop before the host first looks whether it goes on; a loop of no more turns just makes them."""

SHARE: Final = 4
MOST: Final = 64
"""Later looks come after a quarter of the turns made so far, and after 64 at most: few turns are made for nothing."""


@dataclass(frozen=True, slots=True)
class Run:
    """Dispatches by number that run one after the other, with nothing to be asked."""

    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Round:
    """A loop that ends by itself, or holds one. alive: the tensor that says whether it goes on, or -1."""

    parts: tuple[Run | Round, ...]
    times: int
    alive: int

    def turns(self, do: Callable[[int], None], goes_on: Callable[[], bool]) -> None:
        """Let `do` make so many turns, over and over, and ask `goes_on` after each time but the last."""
        done = 0
        while done < self.times:
            count = self.times - done
            if self.alive >= 0:
                count = min(count, max(FIRST, min(MOST, done // SHARE)))
            do(count)
            done += count
            if self.alive >= 0 and done < self.times and not goes_on():
                break


Course = tuple[Run | Round, ...]
"""Dispatches and loops, one after the other."""


def course(plan: Plan) -> Course:
    """All dispatches of a plan. Loops that the host has nothing to ask of are written out."""
    return _between(plan.loops, 0, len(plan.dispatches))


def _between(loops: Sequence[Loop], begin: int, end: int) -> Course:
    """What runs from one dispatch up to, and without, another one."""
    parts: list[Run | Round] = []
    while begin < end:
        held = [n for n, loop in enumerate(loops) if loop.first == begin and loop.last < end]
        if held:  # the last one holds the others
            loop = loops[held[-1]]
            inner = _between(loops[: held[-1]], loop.first, loop.last + 1)
            known = all(isinstance(part, Run) for part in inner) and loop.alive < 0
            numbers = [m for part in inner if isinstance(part, Run) for m in part.numbers]
            parts.append(Run(tuple(numbers) * loop.times) if known else Round(inner, loop.times, loop.alive))
            begin = loop.last + 1
            continue
        stop = min((loop.first for loop in loops if begin < loop.first < end), default=end)
        parts.append(Run(tuple(range(begin, stop))))
        begin = stop
    return _joined(parts)


def _joined(parts: Sequence[Run | Round]) -> Course:
    """The same with runs that follow each other as one."""
    found: list[Run | Round] = []
    for part in parts:
        before = found[-1] if found else None
        if isinstance(part, Run) and isinstance(before, Run):
            found[-1] = Run(before.numbers + part.numbers)
        else:
            found.append(part)
    return tuple(found)
