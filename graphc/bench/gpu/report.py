"""The report of a GPU: everything is measured in turns, and written down as soon as it is known."""

from __future__ import annotations

import os
import statistics
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from graphc.bench.cases import Goal
from graphc.bench.gpu import limits
from graphc.bench.gpu.markdown import markdown
from graphc.bench.gpu.program import WarmProgram
from graphc.bench.gpu.rival import Rival, agrees, find_rival
from graphc.bench.gpu.rows import ROWS, Row
from graphc.bench.harness import machine
from graphc.bench.peers.process import PeerError
from graphc.runtime.wgpu.device import WgpuDevice
from graphc.runtime.wgpu.queue import CHECKS

SECONDS: Final = 330.0
"""After which no other program begins."""

TURNS: Final = 5
RECIPE_STEPS: Final = 5000
RIVAL_SECONDS: Final = 0.08
"""Seconds of one of PyTorch's samples."""

PROFILED: Final = ("attention-gradient", "gpt")
CHECKED: Final = ("matmul-4096", "softmax", "attention", "attention-gradient", "gpt")
"""Programs that run with fewer of wgpu-native's checks too."""

HOST_GOAL: Final = Goal("host_us_a_dispatch", 3, at_least=False)


@dataclass(slots=True)
class GpuReport:
    """What is known so far.

    peaks: bytes or operations a second. rows: by program, see _row. checks: seconds of a program with each choice of
    wgpu-native's checks. goals: (program, goal, value, met). errors: what failed, by its name. skipped: what was not
    begun, for lack of time.
    """

    small: bool
    machine: dict[str, Any]
    adapter: dict[str, Any] = field(default_factory=dict)
    torch: str = "not looked for"
    peaks: dict[str, float] = field(default_factory=dict)
    launches: dict[str, float] = field(default_factory=dict)
    transfers: dict[str, float] = field(default_factory=dict)
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    checks: dict[str, dict[str, float]] = field(default_factory=dict)
    profiles: dict[str, str] = field(default_factory=dict)
    goals: list[tuple[str, str, float | None, bool | None]] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def to_data(self) -> dict[str, Any]:
        """As plain data for JSON."""
        data = {name: getattr(self, name) for name in self.__dataclass_fields__}
        goals = [{"program": p, "goal": g, "value": v, "met": m} for p, g, v, m in self.goals]
        return {**data, "goals": goals}


def gpu_report(
    device: WgpuDevice,
    path: Path,
    *,
    names: Iterable[str] = (),
    small: bool = False,
    seconds: float = SECONDS,
    python: str | None = None,
    note: Callable[[str], None] = lambda line: None,
) -> GpuReport:
    """Measure a device, and write what is found to `path` (.json, else Markdown) as it is found.

    names: of the rows wanted; none: all. small: tiny sizes, to see that all works. seconds: after which no other row
    begins. python: the interpreter that has PyTorch; None: this one. note: told what is being done. What fails is in
    `errors`, and does not stop the rest.
    """
    report = GpuReport(small, machine())
    run = _Run(device, path, report, time.monotonic(), seconds, note, limits.Heater(device, small))
    run.guarded("adapter", lambda: report.adapter.update(limits.facts(device)))
    _limits(run)
    if device.software and not small:
        note("the sizes are those of GPUs, and take a software adapter many minutes: --small shows that all works")
    rival, report.torch = find_rival(python or sys.executable)
    note(f"PyTorch: {report.torch}")
    wanted = set(names)
    rows = [row for row in ROWS if not wanted or row.name in wanted]
    try:
        for row in rows:
            if set(row.needs) <= device.features:
                run.guarded(row.name, partial(_row, run, row, rival))
    finally:
        if rival is not None:
            rival.close()
    for row in rows:
        if row.name in CHECKED and row.name in report.rows:
            run.guarded(f"{row.name} with fewer checks", partial(_checked, run, row))
    run.write()
    return report


@dataclass(slots=True)
class _Run:
    """What all parts of a report share."""

    device: WgpuDevice
    path: Path
    report: GpuReport
    begin: float
    limit: float
    note: Callable[[str], None]
    heat: limits.Heater

    def turns(self) -> Iterator[int]:
        """The numbers of a program's turns: at least one, and no more when the time is over."""
        for number in range(1 if self.report.small else TURNS):
            if number and time.monotonic() - self.begin > self.limit:
                return
            yield number

    def guarded(self, name: str, part: Callable[[], object]) -> None:
        """Do a part; what it raises is written down. Nothing begins after the time is over."""
        if time.monotonic() - self.begin > self.limit:
            self.report.skipped.append(name)
            return
        self.note(name)
        try:
            part()
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            self.report.errors[name] = f"{type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno})"
            self.note(f"{name} FAILED: {self.report.errors[name]}")
        self.write()

    def write(self) -> None:
        """Write what is known: a whole file at any time."""
        self.report.seconds = time.monotonic() - self.begin
        data = self.report.to_data()
        if self.path.suffix == ".json":
            import json

            text = json.dumps(data, indent=1)
        else:
            text = markdown(data)
        part = self.path.with_name(self.path.name + ".part")
        part.write_text(text + "\n", encoding="utf-8")
        os.replace(part, self.path)


def _keep(into: dict[str, float], name: str, part: Callable[[], float]) -> None:
    into[name] = part()


def _limits(run: _Run) -> None:
    """All that the adapter can do at most."""
    device, report, small = run.device, run.report, run.report.small
    parts: dict[str, Callable[[], float]] = {
        "multiply_add_f32": lambda: limits.multiply_add(device, "f32", small),
        **{f"kernel_copy_{n}": partial(limits.kernel_copy, device, n, small) for n in (1, 2, 4)},
        "buffer_copy": lambda: limits.buffer_copy(device, small),
    }
    if "shader-f16" in device.features:
        parts["multiply_add_f16"] = lambda: limits.multiply_add(device, "f16", small)
    for name, part in parts.items():
        run.guarded(name, partial(_keep, report.peaks, name, part))
    run.guarded("launches", lambda: report.launches.update(limits.launches(device, run.heat, small)))
    run.guarded("transfers", lambda: report.transfers.update(limits.transfers(device, small)))


def _row(run: _Run, row: Row, rival: Rival | None) -> None:
    """Measure one program and PyTorch's in turns. Of the row's data, "seconds" is the one that ratios are of: of a
    training step by calls, of other programs on the device."""
    small, report = run.report.small, run.report
    work = row.make(small)
    program = WarmProgram(work, run.device, run.heat, small)
    theirs, absent = _prepared(rival, work.peer, program.first) if rival else (0.0, report.torch)
    times: dict[str, list[float]] = {"device": [], "call": []}
    calls = max(1, min(256, round(RIVAL_SECONDS / max(theirs, 1e-6))))
    for _ in run.turns():
        times["device"].append(program.device_seconds())
        times["call"].append(program.call_seconds())
        if rival and not absent:
            try:
                run.heat(limits.BETWEEN)
                times.setdefault("torch", []).append(rival.seconds(calls, tf32=False))
                if row.tf32:
                    times.setdefault("torch_tf32", []).append(rival.seconds(calls, tf32=True))
            except PeerError as error:
                absent = str(error)
    found = {name: statistics.median(values) for name, values in times.items()}
    training = work.carried > 0
    own = found["call"] if training else found["device"]
    host, encode = program.host_us()
    data: dict[str, Any] = {
        "what": row.what,
        "seconds": own,
        "device_seconds": found["device"],
        "call_seconds": found["call"],
        "flops": 0 if small else row.flops,
        "bytes": 0 if small else row.nbytes,
        "dispatches": program.dispatches,
        "host_us": host,
        "encode_us": encode,
        "compile_s": program.compile_s,
        "first_s": program.first_s,
        "torch_absent": absent,
    }
    data |= {f"{name}_seconds": found[name] for name in ("torch", "torch_tf32") if name in found}
    data["metrics"] = _metrics(row, data, report.peaks)
    report.rows[row.name] = data
    for goal in () if small else row.goals:
        value = data["metrics"].get(goal.metric)
        report.goals.append((row.name, str(goal), value, None if value is None else goal.met(value)))
    if row.name == "gpt" and not small:
        each = data["metrics"]["host_us_a_dispatch"]
        report.goals.append((row.name, str(HOST_GOAL), each, HOST_GOAL.met(each)))
    if row.name in PROFILED:
        run.guarded(f"{row.name} by kernel", lambda: report.profiles.update({row.name: program.profile(30)}))


def _prepared(rival: Rival, peer: Any, first: float) -> tuple[float, str]:
    """Seconds of PyTorch's program, and why it is not measured."""
    if peer is None:
        return 0.0, "no such program"
    try:
        theirs, seconds = rival.prepare(peer)
    except PeerError as error:
        return 0.0, str(error)
    return seconds, "" if agrees(first, theirs) else f"computes {theirs:.6g} where graphc has {first:.6g}"


def _metrics(row: Row, data: dict[str, Any], peaks: dict[str, float]) -> dict[str, float]:
    """The figures that goals are about."""
    seconds = data["seconds"]
    found = {
        "milliseconds": seconds * 1e3,
        "per_second": 1 / seconds,
        "host_us_a_dispatch": data["host_us"] / max(1, data["dispatches"]),
    }
    arithmetic = peaks.get("multiply_add_f16" if "shader-f16" in row.needs else "multiply_add_f32")
    if data["flops"]:
        found["tflops"] = data["flops"] / seconds / 1e12
        if arithmetic:
            found["of_multiply_add"] = data["flops"] / seconds / arithmetic
    if data["bytes"]:
        found["gbytes"] = data["bytes"] / seconds / 1e9
        if copy := copy_rate(peaks):
            found["of_copy"] = data["bytes"] / seconds / copy
    if "torch_seconds" in data:
        found["times_torch"] = data["torch_seconds"] / seconds
    if "torch_tf32_seconds" in data:
        found["times_torch_tf32"] = data["torch_tf32_seconds"] / seconds
    if row.name == "gpt":
        found["recipe_s"] = RECIPE_STEPS * seconds
    return found


def copy_rate(peaks: dict[str, float]) -> float:
    """The best rate of a copy, in bytes a second; 0 where none was measured."""
    return max((rate for name, rate in peaks.items() if "copy" in name), default=0.0)


def _checked(run: _Run, row: Row) -> None:
    """The program with each choice of wgpu-native's checks, in turns."""
    small = run.report.small
    devices = {way: WgpuDevice(f"{run.device.name}, checks: {way}", run.device.adapter, way) for way in CHECKS}
    try:
        programs = {way: WarmProgram(row.make(small), device, run.heat, small) for way, device in devices.items()}
        times: dict[str, list[float]] = {way: [] for way in programs}
        for _ in run.turns():
            for way, program in programs.items():
                times[way].append(program.device_seconds())
        run.report.checks[row.name] = {way: statistics.median(values) for way, values in times.items()}
        del programs, program
    finally:
        for device in devices.values():
            device.close()
