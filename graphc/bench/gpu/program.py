"""One program of the report on a device: compiled, its arguments there, timed with many calls in flight."""

from __future__ import annotations

import statistics
import time
from typing import Any, Final

import numpy as np

import graphc
from graphc.bench.cases import Workload
from graphc.bench.gpu.limits import BETWEEN, WARM, Heater
from graphc.executable import Executable
from graphc.runtime.wgpu import native
from graphc.runtime.wgpu.executor import PlanRunner

SUBMIT: Final = 0.004
"""Seconds that a submit takes the device, at the least: so long a program is recorded over and over."""

SAMPLE: Final = 0.08
"""Seconds that a sample takes."""

MOST_RECORDED: Final = 256
MOST_CALLS: Final = 64


class WarmProgram:
    """A workload on a device, warm. heat: keeps the GPU's clock high before it is timed. first: the first number of
    its last result. compile_s, first_s: seconds of compiling, and from then to the first result."""

    def __init__(self, work: Workload, device: Any, heat: Heater, small: bool = False) -> None:
        self._device, self._work, self._heat, self._small = device, work, heat, small
        self._call = graphc.compile(work.fn, device=device, donate=tuple(range(work.carried)))
        begin = time.perf_counter()
        self.executable: Executable = self._call.lower(*work.arguments)
        compiled = time.perf_counter()
        self._arguments = tuple(graphc.tree.map(lambda a: device.upload(np.asarray(a)), a) for a in work.arguments)
        runner = self.executable.prepared()
        assert isinstance(runner, PlanRunner)
        runner.settle()
        self._runner = runner
        self._results: Any = None
        self()
        self.first = float(np.asarray(self._last()).reshape(-1)[0])
        self.compile_s, self.first_s = compiled - begin, time.perf_counter() - compiled
        heat(WARM)
        self._recorded, self._calls = self._counts()

    def __call__(self) -> None:
        """Start it once."""
        carried = self._work.carried
        self._results = self._call(*self._arguments)
        if carried:
            self._arguments = (*self._results[:carried], *self._arguments[carried:])

    def _last(self) -> Any:
        return graphc.tree.leaves(self._results)[-1]

    def _time(self, calls: int) -> float:
        begin = time.perf_counter()
        for _ in range(calls):
            self()
        self._last().block_until_ready()
        return (time.perf_counter() - begin) / calls

    def _counts(self) -> tuple[int, int]:
        """How often a submit records it, and how many calls make a sample."""
        if self._small:
            return 2, 2
        one = self._time(1)
        if one < SAMPLE:
            one = min(one, self._time(8))
        return max(1, min(MOST_RECORDED, round(SUBMIT / one))), max(2, min(MOST_CALLS, round(SAMPLE / one)))

    @property
    def dispatches(self) -> int:
        """Of one step."""
        return round(sum(self.executable.plan.executions()) / self._work.steps)

    def call_seconds(self) -> float:
        """Of a step, by calls one after the other, waited for once."""
        self._heat(BETWEEN)
        return self._time(self._calls) / self._work.steps

    def device_seconds(self) -> float:
        """Of a step, where each call records the program many times: what is left is the device's time."""
        count = self._recorded
        self._heat(BETWEEN)

        def record(encoder: Any, commands: native.Commands) -> None:
            for _ in range(count):
                native.record(encoder, commands)

        with self._runner.recording(record):
            self._time(1)
            return self._time(max(2, -(-self._calls // count))) / count / self._work.steps

    def host_us(self, repeat: int = 5) -> tuple[float, float]:
        """Microseconds of the host in one step, from the arguments to the submit; and of recording, a dispatch."""
        times = []

        def calls() -> None:
            for _ in range(repeat):
                self._device.synchronize()
                begin = time.perf_counter()
                self()
                times.append(time.perf_counter() - begin)

        encoding = [seconds for seconds, _ in self._runner.time_encoding(calls)]
        self._last().block_until_ready()
        executions = max(1, sum(self.executable.plan.executions()))
        host = statistics.median(times) / self._work.steps
        return host * 1e6, statistics.median(encoding) / executions * 1e6

    def profile(self, rows: int) -> str:
        """A table of its kernels, the slowest first."""
        self._heat(WARM)
        return str(self.executable.profile(*self._arguments, repeat=3).table(rows))
