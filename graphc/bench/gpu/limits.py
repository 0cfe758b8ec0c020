"""What an adapter is, and what it can do at most: arithmetic, memory, launches, and the host beside them.

The kernels here are made to be limited by one thing alone, and are long enough for a GPU of a hundred and more
multiprocessors. All that is timed are submits of many dispatches, so that the host's share is nothing.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import numpy as np

from graphc.kernels import render
from graphc.plan.plan import Kernel
from graphc.runtime.wgpu import native

CHAINS: Final = 8
"""Chains of multiply-adds in peak_chains.wgsl, of 4 lanes each."""

BINDING: Final = 128 << 20
"""Bytes of a binding at most, of WebGPU's baseline."""

ENOUGH: Final = 0.05
"""Seconds of the device's time that one sample takes, at the least."""

MOST_TIMES: Final = 256
TURNS: Final = 5

WARM: Final = 0.25
"""Seconds of work before something is measured: a GPU that has nothing to do lowers its clock (an H200 from 1,980 to
345 MHz), and takes some 0.1 s to raise it again."""

BETWEEN: Final = 0.03
"""The same between the samples of one program, when it has rested for less."""


def facts(device: Any) -> dict[str, Any]:
    """What the adapter says of itself, what it was opened with, and what a probe found."""
    adapter = device.adapter
    offered = adapter.handle.limits
    return {
        "name": adapter.name,
        "kind": adapter.kind,
        "backend": adapter.backend,
        "driver": adapter.driver,
        "subgroup": device.target.subgroup,
        "features": sorted(device.features),
        "limits": dict(sorted(device.limits.items())),
        "offered_limits": {name: int(offered[name]) for name in sorted(device.limits)},
        "offered_features": sorted(adapter.handle.features),
        "checks": device.checks,
    }


class Burst:
    """Dispatches of one kernel on buffers of its own, made once, recorded as often as is asked for.

    windows: for each dispatch, its (buffer number, byte offset, bytes) by binding. sizes: bytes of each buffer.
    """

    def __init__(
        self,
        device: Any,
        kernel: Kernel,
        sizes: Sequence[int],
        windows: Sequence[Sequence[tuple[int, int, int]]],
        groups: int,
    ) -> None:
        self._device = device
        _ = device.handle  # opens it
        with device.lock:
            (self._pipeline,) = device.pipelines.get([kernel])
            self._memory = [device.pool.take(nbytes) for nbytes in sizes]
            for memory in self._memory:
                device.write(memory, 0, np.full(memory.nbytes // 4, 0.5, np.float32))
            self._groups = [
                device.pipelines.bind(kernel.access, [(self._memory[n].buffer, at, size) for n, at, size in bindings])
                for bindings in windows
            ]
            steps = [(self._pipeline._internal, group._internal, groups, 1, 1) for group in self._groups]
        self.commands = native.Commands(steps, {})

    def record(self, encoder: Any, times: int = 1) -> None:
        """Record it so many times."""
        for _ in range(times):
            native.record(encoder, self.commands)

    def seconds(self, times: int) -> float:
        """From the submit of so many runs until the device has done them."""
        return timed(self._device, partial(self.record, times=times))[2]


def timed(device: Any, record: Callable[[Any], object]) -> tuple[float, float, float]:
    """Seconds in which commands are recorded, are finished, and run: from the submit until they are done."""
    device.synchronize()
    begin = time.perf_counter()
    encoder = device.handle.create_command_encoder()
    record(encoder)
    recorded = time.perf_counter()
    with device.lock, device.guard("measuring"):
        commands = encoder.finish()
        finished = time.perf_counter()
        submission = native.submit(device.handle, commands)
    submission.wait(device.alone)
    return recorded - begin, finished - recorded, time.perf_counter() - finished


def rate(burst: Burst | _BufferCopy, work: float, small: bool = False) -> float:
    """Work a second: the best of a few turns, each long enough for the host not to count."""
    burst.seconds(1)
    one = burst.seconds(1)
    until = time.perf_counter() + (0.0 if small else WARM)
    while time.perf_counter() < until:
        one = min(one, burst.seconds(8) / 8)
    times = 1 if small else max(1, min(MOST_TIMES, round(ENOUGH / max(one, 1e-6))))
    burst.seconds(times)
    return max(times * work / burst.seconds(times) for _ in range(1 if small else TURNS))


class Heater:
    """Keeps a device at work, so that its clock is high when something is measured."""

    def __init__(self, device: Any, small: bool = False) -> None:
        self._small = small
        self._burst, _ = _chains(device, "f32", small)
        self._one = max(self._burst.seconds(1), 1e-5)

    def __call__(self, seconds: float) -> None:
        """Work for so long, and wait for the end of it."""
        until = time.perf_counter() + seconds
        while not self._small and time.perf_counter() < until:
            times = max(1, min(MOST_TIMES, round(BETWEEN / self._one)))
            self._one = min(self._one, self._burst.seconds(times) / times)


def multiply_add(device: Any, kind: str = "f32", small: bool = False) -> float:
    """Operations a second in registers, of "f32" or "f16" numbers; a multiply-add counts as two."""
    burst, work = _chains(device, kind, small)
    return rate(burst, work, small)


def _chains(device: Any, kind: str, small: bool) -> tuple[Burst, float]:
    """The kernel of multiply-adds, and its operations."""
    half = kind == "f16"
    groups, rounds = (8, 64) if small else (2112, 2048)
    if device.software:
        groups = min(groups, 64)
    text = render("peak_chains", rounds=rounds, V=f"vec4<{kind}>", enable="enable f16;" if half else "")
    kernel = Kernel("peak_chains", text, ("read", "read_write"), "map", ("shader-f16",) if half else ())
    burst = Burst(device, kernel, [4096, 16 * 256 * groups], [[(0, 0, 4096), (1, 0, 16 * 256 * groups)]], groups)
    return burst, groups * 256 * rounds * CHAINS * 4 * 2.0


def kernel_copy(device: Any, each: int, small: bool = False) -> float:
    """Bytes a second, each counted as read and as written, of a kernel with `each` vec4 an invocation."""
    piece = 1 << 20 if small else BINDING
    moves = "\n".join(f"  out[first + {n * 256}u] = x[first + {n * 256}u];" for n in range(each))
    text = render("peak_stream", each=each, span=256 * each, moves=moves)
    windows = [[(0, at, piece), (1, at, piece)] for at in (0, piece)]
    kernel = Kernel("peak_stream", text, ("read", "read_write"), "map")
    burst = Burst(device, kernel, [2 * piece, 2 * piece], windows, piece // (16 * 256 * each))
    return rate(burst, 4.0 * piece, small)


class _BufferCopy:
    """Copies that the driver makes."""

    def __init__(self, device: Any, nbytes: int) -> None:
        self._device, self._nbytes = device, nbytes
        with device.lock:
            self._memory = [device.pool.take(nbytes) for _ in range(2)]

    def seconds(self, times: int) -> float:
        source, target = (memory.buffer for memory in self._memory)

        def record(encoder: Any) -> None:
            for _ in range(times):
                encoder.copy_buffer_to_buffer(source, 0, target, 0, self._nbytes)

        return timed(self._device, record)[2]


def buffer_copy(device: Any, small: bool = False) -> float:
    """Bytes a second, each counted as read and as written, of a copy of a buffer."""
    nbytes = 2 << 20 if small else 2 * BINDING
    return rate(_BufferCopy(device, nbytes), 2.0 * nbytes, small)


def launches(device: Any, heat: Heater, small: bool = False) -> dict[str, float]:
    """Microseconds of a dispatch that does nothing: on the device, each after the one before (dependent) or all at
    once (independent: each has a buffer of its own), and on the host: recorded, finished."""
    count = 64 if small else 1024
    kernel = Kernel("peak_launch", render("peak_launch"), ("read_write",), "map")
    found: dict[str, float] = {}
    for name, buffers in (("dependent", 1), ("independent", count)):
        burst = Burst(device, kernel, [256] * buffers, [[(n % buffers, 0, 256)] for n in range(count)], 1)
        samples = []
        heat(WARM)
        for _ in range(3 if small else 9):
            heat(BETWEEN)
            samples.append(timed(device, burst.record))
        empty = [timed(device, _nothing)[2] for _ in range(3)]
        encode, finish, run = (statistics.median(values) for values in zip(*samples[1:], strict=True))
        found[f"{name}_us"] = max(run - statistics.median(empty), 0.0) / count * 1e6
        found[f"{name}_record_us"] = encode / count * 1e6
        found[f"{name}_finish_us"] = finish / count * 1e6
        found["empty_submit_us"] = statistics.median(empty) * 1e6
    return found


def _nothing(encoder: Any) -> None:
    """Record nothing."""


def transfers(device: Any, small: bool = False) -> dict[str, float]:
    """GB/s of uploads and of results that are read back, and microseconds until 4 bytes are back."""
    nbytes = 1 << 20 if small else 64 << 20
    data = np.ones(nbytes // 4, np.float32)
    up, down, little = [], [], []
    for _ in range(2 if small else 4):
        device.synchronize()
        begin = time.perf_counter()
        array = device.upload(data)
        device.synchronize()
        up.append(time.perf_counter() - begin)
        begin = time.perf_counter()
        array.numpy()
        down.append(time.perf_counter() - begin)
        one = device.upload(np.ones(1, np.float32))
        device.synchronize()
        begin = time.perf_counter()
        one.numpy()
        little.append(time.perf_counter() - begin)
    return {
        "upload_gb_s": nbytes / min(up) / 1e9,
        "readback_gb_s": nbytes / min(down) / 1e9,
        "readback_4_bytes_us": statistics.median(little) * 1e6,
    }
