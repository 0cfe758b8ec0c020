"""Profile: the time of each dispatch of a program, measured on its device."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from graphc.errors import DeviceError
from graphc.inspect.subject import Subject
from graphc.inspect.timing import Measured, Timing
from graphc.ir.text import COLUMNS, cut, html_bar, html_table, html_text, wrapped
from graphc.runtime import Array

NANO, MICRO, MILLI = 1e-9, 1e-6, 1e-3
Array64 = np.ndarray[Any, np.dtype[np.float64]]

LEAST_SOURCE = 12
"""Columns below which a table does not begin to name source lines."""


@dataclass(frozen=True, slots=True)
class Profile(Measured):
    """What `Executable.profile` measured. All times in seconds, each the median over the repeats.

    method: how dispatches were timed: "inside passes" or "around passes" (time stamps), or "none" where the device has
    no time stamps (timings is empty then). total: one call and the wait for its results, without time stamps.
    submit: the host's part of that call. span: from the first time stamp to the last. timings: one
    a dispatch, in the order in which they ran.
    """

    def table(self, limit: int | None = None) -> str:
        """Kernels by the time they took in all, most first, as text; at most `limit` rows."""
        rows = _by_kernel(self.timings)
        head = (
            f"{self.name} on {self.device}: {self.total / MILLI:.3f} ms a call, {self.submit / MICRO:.0f} us of it on "
            f"the host; {len(self.timings)} dispatches, {self.busy / MILLI:.3f} ms in kernels "
            f"({self.method}, median of {self.repeat})"
        )
        if not self.timings:
            return wrapped(head) + "\nthis device has no time stamps: only the whole call was timed"
        lines = [head, f"{'ms':>9} {'share':>6} {'calls':>5} {'GFLOP/s':>8} {'GB/s':>7}  kernel"]
        for name, timings in rows[:limit]:
            seconds = sum(t.seconds for t in timings)
            flops = sum(t.dispatch.flops for t in timings)
            moved = sum(t.dispatch.bytes_read + t.dispatch.bytes_written for t in timings)
            rate = (flops / seconds / 1e9, moved / seconds / 1e9) if seconds else (0.0, 0.0)
            where = ", ".join(dict.fromkeys(line for t in timings for line in t.dispatch.lines))
            line = (
                f"{seconds / MILLI:9.3f} {seconds / self.busy if self.busy else 0:6.1%} {len(timings):5d} "
                f"{rate[0]:8.2f} {rate[1]:7.2f}  {name}"
            )
            room = COLUMNS - len(line) - 4
            lines.append(f"{line}  # {cut(where, room)}" if where and room >= LEAST_SOURCE else line)
        return "\n".join([wrapped(head), *lines[1:]])

    def _repr_html_(self) -> str:
        """For notebooks: the kernels by the time they took in all."""
        rows = []
        for name, timings in _by_kernel(self.timings):
            seconds = sum(t.seconds for t in timings)
            share = seconds / self.busy if self.busy else 0.0
            where = ", ".join(dict.fromkeys(line for t in timings for line in t.dispatch.lines))
            rows.append((name, seconds / MILLI, html_bar(share), f"{share:.1%}", len(timings), where))
        table = html_table(("kernel", "ms", "", "share", "calls", "source"), rows) if rows else ""
        return html_text(self.table(limit=0)) + table

    def to_chrome_trace(self, path: str | Path) -> Path:
        """Write the dispatches as a Chrome trace (JSON), which Perfetto and chrome://tracing open; returns the path."""
        events: list[dict[str, Any]] = [
            {"ph": "M", "pid": 1, "tid": 0, "name": "process_name", "args": {"name": f"graphc: {self.name}"}}
        ]
        threads = list(dict.fromkeys(t.dispatch.phase for t in self.timings)) or ["program"]
        for number, phase in enumerate(threads):
            events.append({"ph": "M", "pid": 1, "tid": number, "name": "thread_name", "args": {"name": phase}})
        for timing in self.timings:
            dispatch = timing.dispatch
            events.append(
                {
                    "ph": "X",
                    "pid": 1,
                    "tid": threads.index(dispatch.phase),
                    "ts": timing.start / MICRO,
                    "dur": timing.seconds / MICRO,
                    "name": timing.kernel.name,
                    "cat": timing.kernel.family,
                    "args": {
                        "dispatch": timing.number,
                        "ops": list(dispatch.nodes),
                        "lines": list(dispatch.lines),
                        "workgroups": list(dispatch.workgroups),
                        "GFLOP/s": round(timing.gflops, 3),
                        "GB/s": round(timing.gbytes, 3),
                    },
                }
            )
        target = Path(path)
        target.write_text(json.dumps({"traceEvents": events, "displayTimeUnit": "ms"}), encoding="utf-8")
        return target

    def to_perfetto(self, path: str | Path) -> Path:
        """Write the dispatches in Perfetto's own format (protobuf), a track a phase; returns the path.

        Needs the package `perfetto`, and raises DeviceError without it.
        """
        try:
            from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import TrackEvent
            from perfetto.trace_builder.proto_builder import TraceProtoBuilder
        except ImportError as error:
            raise DeviceError("a Perfetto trace needs a package: pip install 'graphc[perfetto]'") from error
        builder = TraceProtoBuilder()
        phases = list(dict.fromkeys(t.dispatch.phase for t in self.timings))
        tracks = {phase: number + 2 for number, phase in enumerate(phases)}
        process = builder.add_packet().track_descriptor
        process.uuid, process.process.pid, process.process.process_name = 1, 1, f"graphc: {self.name}"
        for phase, uuid in tracks.items():
            track = builder.add_packet().track_descriptor
            track.uuid, track.parent_uuid, track.name = uuid, 1, phase
        for timing in self.timings:
            begin = round(timing.start / NANO)
            edges = (
                (begin, TrackEvent.TYPE_SLICE_BEGIN),
                (begin + round(timing.seconds / NANO), TrackEvent.TYPE_SLICE_END),
            )
            for time_, kind in edges:
                packet = builder.add_packet()
                packet.timestamp, packet.trusted_packet_sequence_id = time_, 1
                event = packet.track_event
                event.type, event.track_uuid = kind, tracks[timing.dispatch.phase]
                if kind == TrackEvent.TYPE_SLICE_BEGIN:
                    event.name = timing.kernel.name
                    event.categories.append(timing.kernel.family)
                    for name, values in (("ops", timing.dispatch.nodes), ("lines", timing.dispatch.lines)):
                        note = event.debug_annotations.add()
                        note.name, note.string_value = name, "\n".join(values)
        target = Path(path)
        target.write_bytes(builder.serialize())
        return target

    def to_html(self, path: str | Path) -> Path:
        """Write a waterfall of the dispatches as one self-contained page; returns the path."""
        from graphc.inspect.viz.waterfall import waterfall

        target = Path(path)
        target.write_text(waterfall(self), encoding="utf-8")
        return target

    def __str__(self) -> str:
        return self.table()


def measure(executable: Subject, leaves: Sequence[Any], repeat: int) -> Profile:
    """Time a program: `repeat` calls as they are, and `repeat` with time stamps. Arrays stay on the device; of those
    that a call takes over, it gets a copy."""
    if repeat < 1:
        raise DeviceError(f"repeat is {repeat}: need at least 1")
    runner = executable.prepared()
    copies = [np.asarray(leaf) for leaf in leaves]
    device = executable.device
    taken = {n for n in executable.donated if isinstance(leaves[n], Array)}
    calls = []
    for warm in range(repeat + 1):
        arguments = [device.upload(copies[n]) if n in taken else leaf for n, leaf in enumerate(leaves)]
        device.synchronize()
        begin = time.perf_counter()
        outputs = runner(arguments)
        submitted = time.perf_counter()
        for output in outputs:
            output.block_until_ready()
        if warm:
            calls.append((time.perf_counter() - begin, submitted - begin))
    total, submit = (float(x) for x in np.median(np.array(calls), axis=0))
    method, stamps = runner.time_dispatches(copies, repeat)
    if stamps is None:
        return Profile(executable.name, device.name, method, repeat, total, submit, 0.0, ())
    plan = executable.plan
    starts, seconds = timeline(stamps)
    span = float(starts[-1] + seconds[-1])
    timings = tuple(
        Timing(n, plan.dispatches[n], plan.kernels[plan.dispatches[n].kernel], float(starts[k]), float(seconds[k]))
        for k, n in enumerate(plan.sequence())
    )
    return Profile(executable.name, device.name, method, repeat, total, submit, span, timings)


def timeline(stamps: Array64) -> tuple[Array64, Array64]:
    """When each dispatch began and how long it took, in seconds, of stamps[repeat, dispatch, begin or end] in ns.

    Durations and the gaps between dispatches are medians over the repeats, and the beginnings are their sums: medians
    of the beginnings themselves would let one dispatch begin before the median end of the one before it.
    """
    seconds = np.median(stamps[:, :, 1] - stamps[:, :, 0], axis=0)
    gaps = np.maximum(np.median(stamps[:, 1:, 0] - stamps[:, :-1, 1], axis=0), 0)
    first = np.median(stamps[:, :1, 0], axis=0)
    starts = np.concatenate([first, first + np.cumsum(seconds[:-1] + gaps)])
    return starts / 1e9, seconds / 1e9


def _by_kernel(timings: Sequence[Timing]) -> list[tuple[str, list[Timing]]]:
    groups: dict[str, list[Timing]] = {}
    for timing in timings:
        groups.setdefault(timing.kernel.name, []).append(timing)
    return sorted(groups.items(), key=lambda item: -sum(t.seconds for t in item[1]))
