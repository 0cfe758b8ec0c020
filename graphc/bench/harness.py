"""Runs benchmarks: all variants of a case take turns, and what is reported are medians of one such run.

A machine that is busy with something else slows all variants alike, so ratios hold where times do not.
"""

from __future__ import annotations

import datetime
import gc
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import numpy as np

import graphc
from graphc.bench.cases import Case, Goal, Workload
from graphc.bench.cold import ColdResult
from graphc.bench.peaks import BufferCopy, Peak, kernel_copy, multiply_add
from graphc.bench.peers import Peer, Peers
from graphc.bench.peers.process import PeerError
from graphc.executable import Executable
from graphc.ir.graph import Graph
from graphc.passes import pipeline, textures
from graphc.runtime import Device
from graphc.runtime.wgpu.executor import PlanRunner
from graphc.tuner import Finding, tuning

SAMPLE_SECONDS: Final = 0.02
"""Quick programs are called as often in a row as fills this time, and waited for once, as a training loop does."""

PEER_SECONDS: Final = 0.1
"""The same for a peer."""

MOST_CALLS: Final = 64

MOST_SECONDS: Final = 15.0
"""A variant that has taken so long in all is measured no more: a peer may take 18 s for one step."""

SETTLE: Final = 0.12
"""Seconds of rest before a peer's turn, and after its and NumPy's: OpenBLAS's idle threads spin for 105 ms here (2^28
ticks), and take the cores of what runs next: attention then takes 42 ms instead of 25."""


Peaks = dict[str, BufferCopy | Peak]
"""What measures the limits of a device, by name."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What was measured of one variant of a case; seconds: median time of a call.

    Of a call that makes several training steps, everything is given for one of them. What a device without a plan
    (NumPy) has none of is zero. bytes: sum over the kernels of what each reads and writes. host_us: of the host's time
    in a call, from the arguments to the submit. encode_us: of recording a call, for each dispatch; command_us: the same
    for each command, which counts copies into textures and compute passes too.
    """

    seconds: float
    flops: float = 0
    bytes: float = 0
    dispatches: float = 0
    host_us: float = 0.0
    encode_us: float = 0.0
    command_us: float = 0.0

    @property
    def gflops(self) -> float:
        """Arithmetic rate in GFLOP/s; a multiply-add counts as two."""
        return self.flops / self.seconds / 1e9

    @property
    def gbytes(self) -> float:
        """Memory rate in GB/s; each kernel's operands count once."""
        return self.bytes / self.seconds / 1e9


@dataclass(frozen=True, slots=True)
class CaseResult:
    """A case with the sample of each variant: fused, unfused, numpy, limit.

    unfused: one kernel an op as it stands (for attention: with every other fusion), operands read from buffers. Where
    large products may read textures, "unfused, textures" is the same program with the pass `textures`. limit: the time
    that the fused program's kernels would take if each ran at the measured peak of arithmetic or of memory, whichever
    is slower for it. metrics: the figures that goals are about. peaks: GB/s (copy: the better of both ways) and
    multiply-add GFLOP/s of the device in the same rounds. Peers that ran have samples of their own ("torch",
    "tinygrad"); absent says why others have none. Where kernels were tuned, "tuned" is the fused program with what was
    found, and "fused" goes by the rules; found: by the tuner, kernel by kernel, in this run.
    """

    name: str
    what: str
    samples: dict[str, Sample]
    metrics: dict[str, float]
    peaks: dict[str, float]
    goals: Sequence[Goal] = ()
    absent: dict[str, str] = field(default_factory=dict)
    found: Sequence[Finding] = ()

    def judged(self) -> list[tuple[Goal, float | None, bool | None]]:
        """Each goal with what was measured, and whether that reaches it; None for one about a peer that did not run."""
        values = [(goal, self.metrics.get(goal.metric)) for goal in self.goals]
        return [(goal, value, None if value is None else goal.met(value)) for goal, value in values]

    def to_data(self) -> dict[str, Any]:
        """As plain data for JSON."""
        goals = [{"goal": str(goal), "value": value, "met": met} for goal, value, met in self.judged()]
        samples = {n: {**asdict(s), "gflops": s.gflops, "gbytes": s.gbytes} for n, s in self.samples.items()}
        return {
            "name": self.name,
            "what": self.what,
            "samples": samples,
            "metrics": self.metrics,
            "peaks": self.peaks,
            "goals": goals,
            "absent": self.absent,
            "found": [{**asdict(finding), "gain": finding.gain} for finding in self.found],
        }


@dataclass(frozen=True, slots=True)
class Report:
    """All results of a run, and what it ran on; those of the group cold apart. peers: what each says that it is."""

    device: str
    machine: dict[str, Any]
    results: list[CaseResult] = field(default_factory=list)
    peers: dict[str, str] = field(default_factory=dict)
    cold: list[ColdResult] = field(default_factory=list)

    def to_data(self) -> dict[str, Any]:
        """As plain data for JSON; goals: how many were reached, missed, and not measured."""
        cold = [result.to_data() for result in self.cold]
        marks = [met for result in self.results for _, _, met in result.judged()]
        marks += [goal["met"] for result in cold for goal in result["goals"]]
        return {
            "device": self.device,
            "machine": self.machine,
            "peers": self.peers,
            "goals": {"reached": marks.count(True), "missed": marks.count(False), "unmeasured": marks.count(None)},
            "cases": [r.to_data() for r in self.results],
            "cold": cold,
        }


def run_cases(
    cases: Iterable[Case],
    device: Device,
    *,
    repeat: int = 7,
    small: bool = False,
    peers: Peers | None = None,
    tune: float = 0.0,
    note: Callable[[str], None] = lambda line: None,
) -> Report:
    """Measure cases on a WebGPU device, each variant `repeat` times in turn.

    small: tiny sizes, without goals, to see that all works. peers: those that take turns with graphc. tune: seconds for
    measuring the kernels of each program, which then runs with the best of them too; what is found is kept. note: told
    what is being done, a line at a time.
    """
    report = Report(_describe(device), machine(), peers=dict(peers.versions) if peers else {})
    peaks: Peaks = {
        "buffer_copy": BufferCopy(device, small),
        "kernel_copy": kernel_copy(device, small),
        "multiply_add": multiply_add(device, small),
    }
    for case in cases:
        note(f"{case.name}: {case.what}")
        goals = () if small else case.goals
        how = _Run(device, peaks, repeat, peers, tune, note)
        report.results.append(_run(case, case.make(small), goals, how))
    return report


class _Compiled:
    """One variant of a program on a device, with arguments that stay there."""

    def __init__(self, work: Workload, device: Device, passes: Sequence[pipeline.GraphPass]) -> None:
        self.device = device
        donate = tuple(range(work.carried))
        self._call = graphc.compile(work.fn, device=device, passes=passes, donate=donate)
        begin = time.perf_counter()
        self.executable: Executable = self._call.lower(*work.arguments)
        self.compile_seconds = time.perf_counter() - begin
        self.executable.prepared().settle()
        self._carried = work.carried
        self.steps = work.steps
        self._arguments = tuple(graphc.tree.map(lambda a: device.upload(np.asarray(a)), a) for a in work.arguments)
        self.results: Any = None

    def __call__(self) -> None:
        """Start it once."""
        self.results = self._call(*self._arguments)
        if self._carried:
            self._arguments = (*self.results[: self._carried], *self._arguments[self._carried :])

    def wait(self) -> None:
        """Wait for the last start."""
        graphc.tree.leaves(self.results)[-1].block_until_ready()

    def host_us(self, repeat: int) -> float:
        """Median time until a call returns while the device has nothing else to do."""
        times = []
        for _ in range(repeat):
            self.device.synchronize()
            begin = time.perf_counter()
            self()
            times.append(time.perf_counter() - begin)
        self.wait()
        return float(np.median(times)) * 1e6

    def encode_us(self, repeat: int) -> tuple[float, float]:
        """Median time of recording a call for each of its dispatches, and for each of its commands, while the device
        has nothing else to do."""
        runner = self.executable.prepared()
        if not isinstance(runner, PlanRunner) or not self.executable.plan.dispatches:
            return 0.0, 0.0

        def calls() -> None:
            for _ in range(repeat):
                self.device.synchronize()
                self()

        seconds, commands = map(float, np.median(runner.time_encoding(calls), axis=0))
        return seconds * 1e6 / sum(self.executable.plan.executions()), seconds * 1e6 / commands

    def sample(self, seconds: float, repeat: int) -> Sample:
        """The facts of its plan beside the measured time of a call."""
        plan, steps = self.executable.plan, self.steps
        made = list(zip(plan.dispatches, plan.executions(), strict=True))
        return Sample(
            seconds / steps,
            sum(d.flops * n for d, n in made) / steps,
            sum((d.bytes_read + d.bytes_written) * n for d, n in made) / steps,
            sum(n for _, n in made) / steps,
            self.host_us(repeat) / steps,
            *self.encode_us(repeat),
        )


class _Eager:
    """A NumPy function on ndarrays."""

    def __init__(self, fn: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self._fn, self._arguments = fn, arguments

    def __call__(self) -> None:
        """Run it once."""
        self._fn(*self._arguments)

    def wait(self) -> None:
        """Nothing to wait for."""


@dataclass(frozen=True, slots=True)
class _Run:
    """What all cases of a run share; see run_cases."""

    device: Device
    peaks: Peaks
    repeat: int
    peers: Peers | None
    tune: float
    note: Callable[[str], None]


def _run(case: Case, work: Workload, goals: Sequence[Goal], how: _Run) -> CaseResult:
    compiled, found = _compiled(work, how)
    fused, repeat = compiled["fused"], how.repeat
    numpy: _Eager | _Compiled = (
        _Eager(work.eager, work.arguments)
        if work.eager is not None
        else _Compiled(work, graphc.device("numpy"), pipeline.DEFAULT)
    )
    others, absent = _start_peers(work, fused, how.peers) if how.peers else ({}, {})
    try:
        times = _take_turns({**compiled, "numpy": numpy, **others}, how.peaks, repeat)
    finally:
        for peer in others.values():
            peer.close()
    absent |= {name: peer.failure for name, peer in others.items() if peer.failure}
    rates = {name: peak.work / times[name] / 1e9 for name, peak in how.peaks.items()}
    rates["copy"] = max(rates["buffer_copy"], rates["kernel_copy"])
    samples = {name: variant.sample(times[name], repeat) for name, variant in compiled.items()}
    for name in ("numpy", *(name for name in others if name not in absent)):
        samples[name] = Sample(times[name] / work.steps)
    samples["limit"] = _limit(fused, rates)
    return CaseResult(case.name, case.what, samples, _metrics(samples, fused, work), rates, goals, absent, found)


def _compiled(work: Workload, how: _Run) -> tuple[dict[str, _Compiled], Sequence[Finding]]:
    """The variants of a program that run on the device, and what the tuner found for the tuned one."""
    with tuning("off") if how.tune else nullcontext():
        found = {
            "fused": _Compiled(work, how.device, pipeline.DEFAULT),
            "unfused": _Compiled(work, how.device, _fewer_passes(work.without)),
            "unfused, textures": _Compiled(work, how.device, (*_fewer_passes(work.without), textures)),
        }
    if not found["unfused, textures"].executable.plan.textures:
        del found["unfused, textures"]
    if not how.tune:
        return found, ()
    with tuning("full", how.tune, how.note) as findings:
        tuned = _Compiled(work, how.device, pipeline.DEFAULT)
    return {"fused": found.pop("fused"), "tuned": tuned, **found}, findings


def _start_peers(work: Workload, fused: _Compiled, peers: Peers) -> tuple[dict[str, Peer], dict[str, str]]:
    """The peers that run a program, warm, and why others do not."""
    started: dict[str, Peer] = {}
    absent = dict(peers.missing)
    if work.peer is None:
        return started, {}
    fused()  # from the state in which a peer begins
    fused.wait()
    first = float(np.asarray(graphc.tree.leaves(fused.results)[-1]).reshape(-1)[0])
    for name in (name for name in peers.versions if name in work.peer.runs):
        try:
            started[name] = Peer(peers.python, name, work.peer, work.steps, first)
        except PeerError as error:
            absent[name] = str(error)
    return started, absent


def _take_turns(variants: dict[str, Any], peaks: Peaks, repeat: int) -> dict[str, float]:
    """Median seconds a call of each variant and each peak, all of them measured in turn."""
    calls = {name: _calls_in_a_row(variant) for name, variant in variants.items()}
    times: dict[str, list[float]] = {name: [] for name in (*variants, *peaks)}
    for peak in peaks.values():
        peak()
    for _ in range(repeat):
        for name, variant in variants.items():
            if sum(times[name]) * calls[name] < MOST_SECONDS:
                peer = isinstance(variant, Peer)
                time.sleep(SETTLE if peer else 0.0)
                times[name].append(_time(variant, calls[name]))
                time.sleep(SETTLE if peer or name == "numpy" else 0.0)
        for name, peak in peaks.items():
            begin = time.perf_counter()
            peak()
            times[name].append(time.perf_counter() - begin)
    return {name: float(np.median(found)) for name, found in times.items()}


def _calls_in_a_row(variant: Any) -> int:
    """Warms a variant up, and says how many calls fill a sample; a peer comes warm, but has slept: its are longer."""
    if isinstance(variant, Peer):
        return max(1, min(MOST_CALLS, int(PEER_SECONDS / variant.seconds)))
    _time(variant, 1)
    return max(1, min(MOST_CALLS, int(SAMPLE_SECONDS / _time(variant, 1))))


def _time(variant: Any, calls: int) -> float:
    begin = time.perf_counter()
    for _ in range(calls):
        variant()
    variant.wait()
    return (time.perf_counter() - begin) / calls


def _fewer_passes(without: tuple[str, ...]) -> Sequence[pipeline.GraphPass]:
    """The default passes less `textures` and some others; only what lowering needs where none are named."""
    left_out = {*without, pipeline.pass_name(textures)}
    return tuple(p for p in pipeline.DEFAULT if pipeline.pass_name(p) not in left_out) if without else pipeline.LEGALIZE


def _limit(fused: _Compiled, rates: dict[str, float]) -> Sample:
    """The least time of a program's dispatches at the peaks."""
    plan = fused.executable.plan
    seconds = flops = moved = 0.0
    for dispatch, count in zip(plan.dispatches, plan.executions(), strict=True):
        nbytes = dispatch.bytes_read + dispatch.bytes_written
        flops += dispatch.flops * count
        moved += nbytes * count
        seconds += max(nbytes / rates["copy"], dispatch.flops / rates["multiply_add"]) * count / 1e9
    steps = fused.steps
    return Sample(max(seconds, 1e-9) / steps, flops / steps, moved / steps, sum(plan.executions()) / steps)


def _passes_seconds(traced: Graph) -> float:
    """Median time of the passes, of a few, as in a process that holds no other program.

    The collector goes over all that lives while the passes make objects, and here that is every program measured.
    """
    times = []
    gc.collect()
    gc.freeze()
    try:
        time.sleep(SETTLE)
        for _ in range(3):
            begin = time.perf_counter()
            pipeline.stages(traced, pipeline.DEFAULT)
            times.append(time.perf_counter() - begin)
    finally:
        gc.unfreeze()
    return statistics.median(times)


def _metrics(samples: dict[str, Sample], fused: _Compiled, work: Workload) -> dict[str, float]:
    own = samples["fused"]
    traced = fused.executable.stages[0][1]
    passes = _passes_seconds(traced)
    others = {name.replace(", ", "_"): sample.seconds for name, sample in samples.items()}
    measured = {
        "milliseconds": own.seconds * 1e3,
        "per_second": work.items / work.steps / own.seconds,
        **{f"times_{name}": s / own.seconds for name, s in others.items() if name not in ("fused", "tuned", "limit")},
        "unfused_times_numpy": others["numpy"] / others["unfused"],
        "of_limit": samples["limit"].seconds / own.seconds,
        "dispatches": own.dispatches,
        "bytes_of_unfused": own.bytes / max(samples["unfused"].bytes, 1),
        "host_us": own.host_us,
        "encode_us": own.encode_us,
        "command_us": own.command_us,
        "compile_s": fused.compile_seconds,
        "passes_s": passes,
    }
    if "tuned" in samples:
        measured["tuned_gain"] = own.seconds / others["tuned"]
    if "torch" in samples:
        measured["of_torch"] = own.seconds / others["torch"]
        measured["numpy_of_torch"] = others["numpy"] / others["torch"]
    return measured


PEER_METRICS: Final = ("times_torch", "times_tinygrad", "of_torch", "numpy_of_torch")
"""The metrics that there are only where peers were measured."""


def machine() -> dict[str, Any]:
    """What a figure depends on beside the device."""
    return {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
        "platform": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": blas(),
    }


def blas() -> list[str]:
    """Which BLAS NumPy calls, which of its kernels and on how many threads; empty where threadpoolctl is missing."""
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return []
    return [
        " ".join(str(info.get(key, "")) for key in ("internal_api", "version", "architecture", "num_threads"))
        + " threads"
        for info in threadpool_info()
        if info.get("user_api") == "blas"
    ]


def _describe(device: Device) -> str:
    adapter = getattr(device, "adapter", None)
    return f"{device.name}: {adapter}" if adapter is not None else device.name
