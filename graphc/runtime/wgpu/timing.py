"""Time stamps around dispatches, resolved in batches.

Inside one compute pass where the device can ("timestamp-query-inside-passes"), else with a pass for each dispatch, else
not at all. Reading them costs nothing until the program is done, but passes and stamps have a price of their own: a
profile shows the time of the program without them too.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, Final, Literal

import numpy as np
import wgpu
from wgpu.backends.wgpu_native.extras import write_timestamp

from graphc.ir.types import NDArray
from graphc.runtime.wgpu import native
from graphc.runtime.wgpu.queue import Queue

Method = Literal["inside passes", "around passes", "none"]
_BATCH: Final = 2048
"""Dispatches of one query set: WebGPU allows 4096 queries in a set."""


class Stopwatch:
    """Records the dispatches of one program with a time stamp before and after each."""

    def __init__(self, device: Queue, count: int) -> None:
        self._device = device
        self._count = count
        self.method: Method = "none"
        if "timestamp-query-inside-passes" in device.features:
            self.method = "inside passes"
        elif "timestamp-query" in device.features:
            self.method = "around passes"
        handle = device.handle
        self._sets: list[tuple[int, Any, Any]] = []
        if self.method != "none":
            usage = wgpu.BufferUsage.QUERY_RESOLVE | wgpu.BufferUsage.COPY_SRC
            for first in range(0, count, _BATCH):
                queries = 2 * min(_BATCH, count - first)
                query_set = handle.create_query_set(type="timestamp", count=queries)
                self._sets.append((first, query_set, handle.create_buffer(size=8 * queries, usage=usage)))

    def record(self, encoder: Any, commands: native.Commands) -> None:
        """Record all dispatches into a command encoder. Call with the device's lock held."""
        if self.method == "none":
            native.record(encoder, commands)
            return
        record = self._inside if self.method == "inside passes" else self._around
        steps, copies = commands.steps, commands.copies
        for first, query_set, buffer in self._sets:
            last = min(first + _BATCH, len(steps))
            for begin, end in itertools.pairwise(sorted({first, *(s for s in copies if first < s < last), last})):
                native.copy(encoder._internal, [copy.order for copy in copies.get(begin, ())])
                record(encoder, query_set, begin - first, steps[begin:end])
            encoder.resolve_query_set(query_set, 0, 2 * (last - first), buffer, 0)

    def _inside(self, encoder: Any, query_set: Any, start: int, steps: Sequence[native.Step]) -> None:
        compute = encoder.begin_compute_pass()
        for number, step in enumerate(steps, start):
            write_timestamp(compute, query_set, 2 * number)
            native.encode(compute._internal, [step])
            write_timestamp(compute, query_set, 2 * number + 1)
        compute.end()

    def _around(self, encoder: Any, query_set: Any, start: int, steps: Sequence[native.Step]) -> None:
        for number, step in enumerate(steps, start):
            writes = {
                "query_set": query_set,
                "beginning_of_pass_write_index": 2 * number,
                "end_of_pass_write_index": 2 * number + 1,
            }
            compute = encoder.begin_compute_pass(timestamp_writes=writes)
            native.encode(compute._internal, [step])
            compute.end()

    def read(self) -> NDArray | None:
        """Start and end of each dispatch in nanoseconds after the first start, float64 [count, 2]; waits for them.

        None where the device has no time stamps.
        """
        if self.method == "none":
            return None
        parts = [np.frombuffer(self._device.handle.queue.read_buffer(b), np.uint64) for _, _, b in self._sets]
        ticks = np.concatenate(parts).reshape(self._count, 2).astype(np.int64)
        # A driver may report an end before its start by a tick or two.
        ticks[:, 1] = np.maximum(ticks[:, 1], ticks[:, 0])
        since: NDArray = (ticks - ticks[0, 0]).astype(np.float64)
        return since
