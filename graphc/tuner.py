"""Tuner: kernels that are measured on the device that runs them, instead of chosen by rule.

GRAPHC_TUNE says what is done: "off" (rules alone), "cached" (the default: what was found before is used, nothing is
measured) or "full" (what is not known yet is measured, for a bounded time a program, and written down). What may be
tried stands with each kernel family (`search` in graphc/families/); here it is only measured. A
candidate's results are compared with the reference before it may win, so tuning can only change the order of f32 sums.
What was found lies in the user's cache folder (GRAPHC_TUNE_CACHE names another file), by adapter, driver and version of
the kernels, then by kernel and class of shapes; a file that cannot be read or written is as good as none.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from graphc import reference
from graphc.analysis.loops import flatten
from graphc.errors import DeviceError, GraphcError
from graphc.ir.graph import Graph, Node
from graphc.ir.types import NDArray
from graphc.kernels import template, templates
from graphc.lower import lower
from graphc.lower.family import searches
from graphc.passes.marks.megakernel import operations
from graphc.plan.plan import Target
from graphc.runtime import Device, Runner

if TYPE_CHECKING:
    from graphc.runtime.wgpu.device import WgpuDevice

log: Final = logging.getLogger("graphc")

ENVIRONMENT: Final = "GRAPHC_TUNE"
CACHE_ENVIRONMENT: Final = "GRAPHC_TUNE_CACHE"
MODES: Final = ("off", "cached", "full")
SECONDS: Final = 30.0
"""Time for measuring the kernels of one program."""
LEAST_WORK: Final = 1 << 22
"""Floating-point operations, or a quarter of it in bytes, of a kernel that is worth measuring."""
HOPELESS: Final = 1.3
"""A candidate whose first run takes so many times the best one's is run no more."""
RUNS: Final = 4
TURNS: Final = 7
"""Runs of the best candidate and of the rules' choice in turns, before one is chosen."""
SAMPLE_SECONDS: Final = 2e-3
"""Quick kernels run as often in a row as fills this time, so that the wait at the end counts little."""
MOST_CALLS: Final = 16
GAIN: Final = 1.05
"""A candidate has to be faster than the rules' choice by this factor, in turns, to go before it."""
TOLERANCE: Final = 1e-4
"""Most that a result may differ from the reference, as a part of the largest number in it."""

Choice = tuple[int, ...]
Choices = Mapping[str, Choice]


@dataclass(frozen=True, slots=True)
class Problem:
    """A kernel to be tuned. graph: its node alone. candidates: what Target.choices may say for `name`.

    The first of them is the rules'. work: what it costs, in operations and bytes, times how often the program has it.
    """

    name: str
    graph: Graph
    candidates: tuple[Choice, ...]
    work: float = 0.0


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found for a problem. seconds: of a run of the choice; rule, rule_seconds: the same of the rules' choice.

    tried: candidates that ran. rejected: those of them that computed something else or failed.
    """

    name: str
    choice: Choice
    seconds: float
    rule: Choice
    rule_seconds: float
    tried: int
    rejected: int

    @property
    def gain(self) -> float:
        """How many times faster than the rules' choice."""
        return self.rule_seconds / self.seconds

    def __str__(self) -> str:
        found = "the rules' choice stays" if self.choice == self.rule else f"{self.choice} for {self.rule}"
        times = f"{self.seconds * 1e3:.3g} ms for {self.rule_seconds * 1e3:.3g}, {self.gain:.2f}x"
        return f"{self.name}: {found}: {times} ({self.tried} tried, {self.rejected} rejected)"


def cache_path() -> Path:
    """The file of GRAPHC_TUNE_CACHE, or tuned.json in the user's cache folder."""
    named = os.environ.get(CACHE_ENVIRONMENT, "")
    if named:
        return Path(named)
    import platformdirs  # a saved program runs without it

    return platformdirs.user_cache_path("graphc") / "tuned.json"


@dataclass(frozen=True, slots=True)
class Cache:
    """Choices by device in a JSON file, {device: {problem: choice}}."""

    path: Path = field(default_factory=cache_path)

    def read(self, device: str) -> dict[str, tuple[int, ...]]:
        """What was found for a device; nothing where the file is missing or damaged."""
        found = self._all().get(device, {})
        if not isinstance(found, dict):
            return {}
        return {name: tuple(c) for name, c in found.items() if isinstance(c, list) and all(type(n) is int for n in c)}

    def write(self, device: str, choices: Choices) -> None:
        """Add choices for a device; other processes never see half a file."""
        entries = self._all()
        entries[device] = {**self.read(device), **choices}
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            part = self.path.with_suffix(f".{os.getpid()}.part")
            part.write_text(json.dumps(entries, indent=1, sort_keys=True), encoding="utf-8")
            os.replace(part, self.path)
        except (OSError, ValueError) as error:
            _say_unwritable(self.path, str(getattr(error, "strerror", None) or error))

    def check(self) -> None:
        """Say, once for each file, that nothing can be kept where it cannot be written."""
        part = self.path.with_suffix(f".{os.getpid()}.part")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if self.path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            part.touch()
            part.unlink()
        except (OSError, ValueError) as error:
            _say_unwritable(self.path, str(getattr(error, "strerror", None) or error))

    def _all(self) -> dict[str, Any]:
        try:
            found = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}


@cache
def _say_unwritable(path: Path, why: str) -> None:
    log.warning("tuner: %s cannot be written (%s): what is measured is forgotten", path, why)


@dataclass(frozen=True, slots=True)
class _Forced:
    """What overrides GRAPHC_TUNE for a while."""

    mode: str
    seconds: float
    note: Callable[[str], None]
    found: list[Finding]


_forced: Final[ContextVar[_Forced | None]] = ContextVar("forced", default=None)


@contextmanager
def tuning(
    mode: str, seconds: float = SECONDS, note: Callable[[str], None] = lambda line: None
) -> Iterator[list[Finding]]:
    """Compile as if GRAPHC_TUNE were `mode`; the list grows by what is found. note: told of progress, line by line."""
    found: list[Finding] = []
    token = _forced.set(_Forced(mode, seconds, note, found))
    try:
        yield found
    finally:
        _forced.reset(token)


def mode() -> str:
    """What GRAPHC_TUNE says; raises DeviceError where that is none of MODES."""
    forced = _forced.get()
    found = forced.mode if forced else os.environ.get(ENVIRONMENT, "").strip() or "cached"
    if found not in MODES:
        raise DeviceError(f"{ENVIRONMENT} is {found!r}: write {', '.join(MODES[:-1])} or {MODES[-1]}")
    return found


def tuned(graph: Graph, device: Device) -> Target:
    """The device's target with the choices for the kernels of `graph`, as GRAPHC_TUNE says."""
    chosen = mode()
    if chosen == "off" or not device.needs_plan:
        return device.target
    forced = _forced.get()
    tuner = Tuner(cast("WgpuDevice", device))
    if forced:
        tuner = Tuner(cast("WgpuDevice", device), seconds=forced.seconds, note=forced.note)
    target = tuner.target(graph, measure=chosen == "full")
    if forced:
        forced.found.extend(tuner.found)
    return target


@cache
def kernels_version() -> str:
    """A checksum of everything that writes kernels: templates, and the code that fills them."""
    sources = sorted(
        (file.name, file.read_bytes()) for file in _modules("graphc.codegen", "graphc.families", "graphc.lower")
    )
    texts = [template(name).encode() for name in templates()] + [text for _, text in sources]
    return f"{zlib.crc32(b''.join(texts)):08x}"


def _modules(*packages: str) -> Iterator[Traversable]:
    """The Python files of packages and of the folders in them."""
    left = [resources.files(package) for package in packages]
    while left:
        for entry in left.pop().iterdir():
            if entry.is_dir():
                left.append(entry)
            elif entry.name.endswith(".py"):
                yield entry


class Tuner:
    """Finds the best choice for each problem of a program on one device.

    clock: seconds, for the limit and for the measurements. seconds: when to stop measuring. note: told of progress.
    found: what it found, problem by problem.
    """

    def __init__(
        self,
        device: WgpuDevice,
        cache: Cache | None = None,
        clock: Callable[[], float] = time.perf_counter,
        seconds: float = SECONDS,
        note: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._device, self._clock, self._seconds, self._note = device, clock, seconds, note
        self._cache = cache or Cache()
        self.found: list[Finding] = []

    @property
    def key(self) -> str:
        """The device and the kernels that a choice was found with."""
        adapter = self._device.adapter
        return f"{adapter.name}, {adapter.backend}, {adapter.driver}, kernels {kernels_version()}"

    def target(self, graph: Graph, measure: bool) -> Target:
        """The device's target with what is known, and, with `measure`, what can be found out in time."""
        target = self._device.target
        known: dict[str, Choice] = self._cache.read(self.key)
        if measure:
            self._cache.check()
            found = self._search([p for p in problems(graph, target) if p.name not in known])
            if found:
                self._cache.write(self.key, found)
                known |= found
        return replace(target, choices=known) if known else target

    def _search(self, left: Sequence[Problem]) -> dict[str, Choice]:
        """The best choice for each problem, the costliest first, as far as the time goes."""
        begin = self._clock()
        end, found = begin + self._seconds, dict[str, Choice]()
        for number, problem in enumerate(left):
            now = self._clock()
            if now >= end:
                self._note(f"tuner: time is up, {len(left) - number} of {len(left)} kernels go by the rules")
                break
            count = len(problem.candidates)
            self._note(f"tuner: {number + 1} of {len(left)}, {now - begin:.0f} s: {problem.name}: {count} candidates")
            finding = self.best(problem, end)
            if finding is not None:
                self.found.append(finding)
                found[problem.name] = finding.choice
                self._note(f"tuner: {finding}")
        return found

    def best(self, problem: Problem, end: float) -> Finding | None:
        """The fastest candidate that computes what the reference does, of those tried before `end` on the clock.

        None where not even one is right.
        """
        arrays = operands(problem.graph)
        wanted = reference.run(problem.graph, arrays)
        uploaded = [self._device.upload(a) for a in arrays]
        trials: dict[Choice, _Trial] = {}
        tried = rejected = 0
        least = float("inf")
        for candidate in problem.candidates:
            if tried and self._clock() >= end:
                log.info("tuner: %s: no time for all candidates", problem.name)
                break
            tried += 1
            try:
                trial = self._trial(problem, candidate, uploaded, wanted)
            except GraphcError as error:
                log.warning("tuner: %s: candidate %s fails: %s", problem.name, candidate, error)
                trial = None
            if trial is None:
                rejected += 1
                continue
            seconds = self.measure(trial, least)
            if seconds < least or candidate == problem.candidates[0]:
                trials = {c: t for c, t in trials.items() if c == problem.candidates[0]} | {candidate: trial}
                least = min(least, seconds)
        if not trials:
            return None
        rule, choice = next(iter(trials)), next(reversed(trials))
        times = self._in_turns(trials)
        if times[rule] < GAIN * times[choice]:
            choice = rule
        return Finding(problem.name, choice, times[choice], rule, times[rule], tried, rejected)

    def _trial(
        self, problem: Problem, candidate: Choice, uploaded: Sequence[Any], wanted: Sequence[NDArray]
    ) -> _Trial | None:
        """A candidate ready to run; None where it computes something else."""
        target = replace(self._device.target, choices={problem.name: candidate})
        runner = self._device.prepare(problem.graph, lower(problem.graph, target), frozenset())
        runner.settle()
        results = [np.asarray(a) for a in runner(uploaded)]
        if not all(map(agrees, results, wanted)):
            log.warning("tuner: %s: candidate %s computes something else, and is rejected", problem.name, candidate)
            return None
        return _Trial(runner, uploaded, self._clock)

    def measure(self, trial: _Trial, least: float) -> float:
        """Seconds of one run, the least of a few; of one alone where it is hopeless beside `least`."""
        times: list[float] = []
        while len(times) < RUNS and (not times or times[0] < HOPELESS * least):
            times.append(trial())
        return min(times)

    def _in_turns(self, trials: Mapping[Choice, _Trial]) -> dict[Choice, float]:
        """The least seconds of each, measured in turn: what was slow for a moment alone gets another chance here."""
        times: dict[Choice, list[float]] = {choice: [] for choice in trials}
        for _ in range(TURNS):
            for choice, trial in trials.items():
                times[choice].append(trial())
        return {choice: min(found) for choice, found in times.items()}


class _Trial:
    """A candidate with its operands on the device; each call runs it, and says how many seconds one run took."""

    def __init__(self, runner: Runner, uploaded: Sequence[Any], clock: Callable[[], float]) -> None:
        self._runner, self._uploaded, self._clock = runner, uploaded, clock
        self._calls = 1
        self._calls = max(1, min(MOST_CALLS, int(SAMPLE_SECONDS / max(self(), 1e-9))))

    def __call__(self) -> float:
        begin = self._clock()
        for _ in range(self._calls):
            last = self._runner(self._uploaded)[0]
        last.block_until_ready()
        return (self._clock() - begin) / self._calls


def problems(graph: Graph, target: Target) -> list[Problem]:
    """The kernels of a program that are worth measuring, each kind once, those that cost most in all first."""
    flat = flatten(graph).graph
    found: dict[str, Problem] = {}
    count: dict[str, int] = {}
    for node in flat.nodes:
        for alone, search in searches(node, flat.constants, target) if _cost(node) >= LEAST_WORK else ():
            count[search.name] = count.get(search.name, 0) + 1
            known = found.get(search.name)
            if known is None:
                found[search.name] = Problem(search.name, alone, search.candidates, _work(alone, target))
            elif len(search.candidates) < len(known.candidates):  # beside others it has less choice
                found[search.name] = replace(known, candidates=search.candidates)
    left = [replace(p, work=p.work * count[p.name]) for p in found.values() if p.work and len(p.candidates) > 1]
    return sorted(left, key=lambda p: -p.work)


def _work(alone: Graph, target: Target) -> float:
    """What a program of one node costs; nothing where that is too little to be measured, or it does not run alone."""
    work = sum(map(_cost, alone.nodes))
    if work < LEAST_WORK:
        return 0.0
    try:
        lower(alone, target)
    except DeviceError:  # with donated operands, in place, it binds fewer buffers
        return 0.0
    return float(work)


def _cost(node: Node) -> int:
    """Operations of a node, and four for each byte that it reads or writes."""
    return operations(node) + 4 * sum(v.type.nbytes for v in (*node.inputs, *node.outputs))


def operands(graph: Graph) -> list[NDArray]:
    """Inputs for a kernel: positive numbers, so that sums do not cancel and roots exist; small integers."""
    rng = np.random.default_rng(0)
    found: list[NDArray] = []
    for value in graph.inputs:
        kind, shape = value.type.dtype, value.type.shape
        if kind.kind == "float":
            found.append(rng.uniform(0.5, 1.5, shape).astype(kind.numpy))
        elif kind.kind == "bool":
            found.append(rng.random(shape) < 0.5)
        else:
            found.append(rng.integers(0, 3, shape).astype(kind.numpy))
    return found


def agrees(got: NDArray, wanted: NDArray) -> bool:
    """Whether a result is the reference's but for the order of sums: for flags, in all but one of a thousand."""
    if got.shape != wanted.shape or got.dtype != wanted.dtype:
        return False
    if got.dtype.kind != "f":
        return bool(np.mean(got != wanted) <= 1e-3) if got.size else True
    finite = np.isfinite(wanted)
    if not np.array_equal(np.isfinite(got), finite):
        return False
    largest = np.abs(wanted[finite]).max(initial=0)
    return bool((np.abs(got[finite].astype(float) - wanted[finite]) <= TOLERANCE * largest).all())
