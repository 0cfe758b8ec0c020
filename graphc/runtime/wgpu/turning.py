"""Programs with loops that end by themselves: some turns are submitted, then the host asks whether the loop goes on.

A call of such a program waits for its loops. Programs without them are one submit, and know nothing of this.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphc.plan.course import Course, Round, Run
from graphc.runtime.wgpu import native

Make = Callable[[Sequence[int]], native.Commands]
"""Gives what is recorded for these dispatches, by number."""

Ask = Callable[[Any, int], bool]
"""Submits an encoder, and says whether any element of a tensor (its position in the plan) is true then."""


class Turning:
    """A program that asks, with what it records. It may be run again."""

    def __init__(self, parts: Course, make: Make) -> None:
        self._parts = parts
        self._make = make
        self._made: dict[tuple[int, ...], native.Commands] = {}

    def record(self, encoder: Any, begin: Callable[[], Any], ask: Ask) -> Any:
        """Record the program, beginning with this encoder: the one in which the rest stands. begin: makes another."""
        return _Walk(self, encoder, begin, ask).follow(self._parts)

    def commands(self, run: Run, times: int) -> native.Commands:
        """What is recorded for a run, so many times over."""
        key = run.numbers * times
        if key not in self._made:
            self._made[key] = self._make(key)
        return self._made[key]


class _Walk:
    """One call. encoder: what the next dispatches are recorded into."""

    def __init__(self, program: Turning, encoder: Any, begin: Callable[[], Any], ask: Ask) -> None:
        self._program, self._begin, self._ask = program, begin, ask
        self._encoder = encoder

    def follow(self, parts: Course, times: int = 1) -> Any:
        """Record these parts so many times over."""
        if len(parts) == 1 and isinstance(parts[0], Run):
            native.record(self._encoder, self._program.commands(parts[0], times))
            return self._encoder
        for part in parts * times:
            if isinstance(part, Run):
                native.record(self._encoder, self._program.commands(part, 1))
            else:
                self._turn(part)
        return self._encoder

    def _turn(self, part: Round) -> None:
        def goes_on() -> bool:
            found = self._ask(self._encoder, part.alive)
            self._encoder = self._begin()
            return found

        part.turns(lambda count: self.follow(part.parts, count), goes_on)
