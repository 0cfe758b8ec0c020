"""Which launches a program makes now: its own, or those that stand in for them until their kernels are compiled."""

from __future__ import annotations

import math
import os
import weakref
from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from graphc.errors import DeviceError
from graphc.plan.plan import Access, Dispatch, Plan
from graphc.runtime.wgpu.compiler import Compiler, Job, Report, jobs

ENVIRONMENT: Final = "GRAPHC_START"
MODES: Final = ("quick", "full")

SHARE: Final = 0.25
"""A kernel is compiled when a program has lost so much of the time that takes by not having it."""


@dataclass(slots=True)
class Step:
    """One dispatch, made ready. groups: bind groups by the buffers that they name."""

    dispatch: Dispatch
    access: tuple[Access, ...]
    pipeline: Any
    buffers: tuple[int, ...]
    groups: OrderedDict[tuple[int, ...], Any] = field(default_factory=OrderedDict)


@dataclass(frozen=True, slots=True)
class _Due:
    """A kernel that is to be compiled after so many runs. dispatches: those that launch it."""

    runs: int
    job: Job
    dispatches: tuple[int, ...]


class Launching:
    """The launches of a plan on a device.

    A program starts with what the driver compiles soonest, if that is much; a kernel of its own is compiled beside its
    calls when it has cost a part of the time that takes, and is launched from then on. Both ways give the same bits, so
    it does not matter when.

    steps: the dispatches; sequence: the number of each in the order in which they run; positions: the numbers of those
    that stand for each dispatch of the plan. version: how often they changed.
    report: what compiling took while the program waited for it. made: the steps by whether they are the plan's own and
    by number, always the same dict.
    """

    def __init__(self, compiler: Compiler, plan: Plan, name: str) -> None:
        self._compiler, self._plan, self._name = compiler, plan, name
        self.report = Report()
        self.version = 0
        self._runs = 0
        self.made: dict[tuple[bool, int], Step] = {}
        self._jobs = jobs(plan)
        quick = plan.quick if start_mode() == "quick" else None
        self._quick = quick
        self._others = jobs(quick.plan) if quick else []
        ready = compiler.ready(self._jobs) if quick else ()
        self._own = [
            not quick or known or not quick.seconds[n] for n, known in enumerate(ready or [True] * len(self._jobs))
        ]
        self._wanted = [not own and compiler.bears(job) for own, job in zip(self._own, self._jobs, strict=True)]
        compiler.compile([job for _, _, job in self._chosen()], name, self.report)
        self._due = sorted(self._missing(), key=lambda due: due.runs, reverse=True)
        self._build()

    @property
    def waiting(self) -> int:
        """Kernels of the plan's own that are not launched yet."""
        return len({self._plan.dispatches[n].kernel for n, wanted in enumerate(self._wanted) if wanted})

    def ran(self) -> None:
        """Count a run, and have compiled what it is time for."""
        self._runs += 1
        while self._due and self._due[-1].runs <= self._runs:
            due, me = self._due.pop(), weakref.ref(self)

            def done(compiled: bool, due: _Due = due, me: weakref.ref[Launching] = me) -> bool:
                launching = me()
                if launching is None or all(launching._own[n] for n in due.dispatches):
                    return False
                if compiled:
                    launching._take(due.dispatches)
                return True

            self._compiler.later(due.job, done)

    def settle(self) -> None:
        """Compile what is missing, wait for it, and make the plan's own launches from now on."""
        missing = [n for n, wanted in enumerate(self._wanted) if wanted]
        if missing:
            self._compiler.compile([self._jobs[n] for n in missing], self._name, self.report)
            self._due.clear()
            self._take(missing)

    def _chosen(self) -> list[tuple[bool, int, Job]]:
        """Whether it is one of the plan's own, its number, and its job, of each launch."""
        found = []
        for number, own in enumerate(self._own):
            if own or self._quick is None:
                found.append((True, number, self._jobs[number]))
                continue
            first, end = self._quick.spans[number]
            found += [(False, other, self._others[other]) for other in range(first, end)]
        return found

    def _missing(self) -> list[_Due]:
        """The kernels to be compiled later, with the runs after which they are."""
        if self._quick is None:
            return []
        times = Counter(self._plan.sequence())
        by_job: dict[Job, list[int]] = {}
        for number, wanted in enumerate(self._wanted):
            if wanted:
                by_job.setdefault(self._jobs[number], []).append(number)
        found = []
        for job, numbers in by_job.items():
            saved = sum(self._quick.saved[n] * times[n] for n in numbers)
            if saved > 0:
                runs = math.ceil(SHARE * self._quick.seconds[numbers[0]] / saved)
                found.append(_Due(runs, job, tuple(numbers)))
        return found

    def _take(self, numbers: Sequence[int]) -> None:
        """Launch the plan's own kernels for these dispatches."""
        with self._compiler.queue.lock:
            for number in numbers:
                self._own[number], self._wanted[number] = True, False
            self._build()

    def _build(self) -> None:
        """The steps and their sequence, as is chosen now."""
        chosen = self._chosen()
        new = [(own, n) for own, n, _ in chosen if (own, n) not in self.made]
        plans = {True: self._plan, False: self._quick.plan if self._quick else self._plan}
        kernels = [plans[own].kernels[plans[own].dispatches[n].kernel] for own, n in new]
        for (own, n), kernel, pipeline in zip(new, kernels, self._compiler.pipelines.get(kernels), strict=True):
            dispatch = plans[own].dispatches[n]
            buffers = tuple(b.buffer for b in dispatch.bindings if b.access != "texture")
            self.made[own, n] = Step(dispatch, kernel.access, pipeline, buffers)
        kept = {(own, n): self.made[own, n] for own, n, _ in chosen}
        self.made.clear()
        self.made.update(kept)
        self.steps = list(kept.values())
        position = {key: k for k, key in enumerate(kept)}
        self.positions = [
            [position[key] for key in self._launches_of(number)] for number in range(len(self._plan.dispatches))
        ]
        self.sequence = [k for number in self._plan.sequence() for k in self.positions[number]]
        self.version += 1

    def _launches_of(self, number: int) -> list[tuple[bool, int]]:
        """What stands for a dispatch of the plan now."""
        if self._own[number] or self._quick is None:
            return [(True, number)]
        return [(False, other) for other in range(*self._quick.spans[number])]


def start_mode() -> str:
    """What GRAPHC_START says; raises DeviceError where that is none of MODES."""
    found = os.environ.get(ENVIRONMENT, "").strip() or MODES[0]
    if found not in MODES:
        raise DeviceError(f"{ENVIRONMENT} is {found!r}: write {' or '.join(MODES)}")
    return found
