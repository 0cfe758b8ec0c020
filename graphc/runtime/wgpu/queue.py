"""The queue of a WebGPU device: limits and features, memory, transfers, submission.

Baseline limits are asked for, whatever the adapter offers, so that a program that runs here runs everywhere. Commands
are recorded and submitted under one lock, after lifetimes were checked: wgpu-native aborts the process when a submit
names a destroyed buffer.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any, Final

import numpy as np
import wgpu

from graphc.errors import DeviceError, DeviceLostError, OutOfMemoryError
from graphc.ir.types import NDArray, TensorType, dtype_of, narrow
from graphc.runtime.adapter import AdapterInfo
from graphc.runtime.array import Array, bounds_of
from graphc.runtime.base import Device, pauses
from graphc.runtime.weak import Alive
from graphc.runtime.wgpu import native
from graphc.runtime.wgpu.interrupts import deferred
from graphc.runtime.wgpu.memory import Memory, Pool, Readback, StagingRing

BASELINE: Final = {
    "max-storage-buffers-per-shader-stage": 8,
    "max-compute-invocations-per-workgroup": 256,
    "max-compute-workgroup-size-x": 256,
    "max-compute-workgroup-size-y": 256,
    "max-compute-workgroup-size-z": 64,
    "max-compute-workgroup-storage-size": 16384,
    "max-compute-workgroups-per-dimension": 65535,
    "max-storage-buffer-binding-size": 128 << 20,
    "max-buffer-size": 256 << 20,
    "min-storage-buffer-offset-alignment": 256,
    "max-texture-dimension-2d": 8192,
}
"""WebGPU's default limits, of those that compute kernels meet. Source: W3C WebGPU, section "Limits"."""

FEATURES: Final = (
    "subgroup",
    "timestamp-query",
    "timestamp-query-inside-passes",
    "shader-f16",
    "shader-f64",
    "shader-int64",
)
NEEDS: Final = {"f16": "shader-f16", "f64": "shader-f64", "i64": "shader-int64"}
"""The feature that each element type beyond WebGPU's own needs."""
IN_FLIGHT: Final = 3
KEEP_BYTES: Final = 512 << 20
FLUSH_BYTES: Final = 64 << 20
CHUNK_BYTES: Final = 16 << 20
"""What one transfer between host and device holds at most; two are under way at a time."""
READBACKS: Final = 64
"""Calls whose small results wait to be read, before later ones are read the slow way."""

CHECKS: Final = ("all", "indices", "none")
"""What wgpu-native may add to kernels: bounds of indices and a count of the turns of every loop, bounds alone, nothing.

graphc's own kernels do not need the count: their loops are counted ones. It keeps drivers from unrolling loops. Their
stores keep to their tensors; lanes whose number is not used may load from anywhere, so that without bounds the driver
has to keep loads within their buffer, as Vulkan's robust access does."""

ENVIRONMENT: Final = "GRAPHC_CHECKS"


def checks_wanted() -> str:
    """What GRAPHC_CHECKS says; raises DeviceError where that is none of CHECKS."""
    found = os.environ.get(ENVIRONMENT, "").strip() or CHECKS[0]
    if found not in CHECKS:
        raise DeviceError(f"{ENVIRONMENT} is {found!r}: write {', '.join(CHECKS[:-1])} or {CHECKS[-1]}")
    return found


def translate(error: Exception, what: str) -> DeviceError:
    """The graphc error for an error of the binding; `what` says what was being done."""
    text = str(error)
    if "Not enough memory left" in text or isinstance(error, MemoryError | wgpu.GPUOutOfMemoryError):
        return OutOfMemoryError(f"{what}: the device has no memory left")
    lines = [line.strip() for line in text.splitlines() if line.strip() and "Caused by" not in line]
    if "device is lost" in text.lower():
        return DeviceLostError(f"{what}: the device was lost; get a new one with graphc.device()")
    if lines and lines[0] == "Validation Error":
        lines = lines[1:]
    return DeviceError(f"{what}: {' '.join(lines[:12])}")


class Queue(Device):
    """What fills the buffers of a device and launches on it need of it. Opened when it is first used.

    checks: those of CHECKS that wgpu-native adds to kernels; None: as the environment says.
    """

    def __init__(self, name: str, adapter: AdapterInfo, checks: str | None = None) -> None:
        self.name = name
        self.adapter = adapter
        self.checks = checks or checks_wanted()
        self.software = adapter.software
        self.lock = threading.RLock()
        self._lost = ""
        self._readers = 0
        self._idle = threading.Condition(self.lock)
        self._opened = False
        self._in_flight: deque[native.Submission] = deque()
        self._pending_bytes = 0
        self._thread: int | None = None
        self._alone = True

    def _open(self) -> None:
        with deferred, self.lock:
            if self._opened:
                return
            handle = self.adapter.handle
            wanted = [f for f in FEATURES if f in handle.features and f not in self.adapter.unsound]
            limits = {
                name: max(value, handle.limits[name]) if name.startswith("min") else min(value, handle.limits[name])
                for name, value in BASELINE.items()
            }
            try:
                self._wgpu = handle.request_device_sync(required_features=wanted, required_limits=limits)
            except (wgpu.GPUError, RuntimeError) as error:
                raise DeviceError(f"adapter {self.adapter.name} gives no device: {error}") from error
            self.pool = Pool(self.create_buffer, KEEP_BYTES)
            self._staging = StagingRing(self.create_buffer)
            self._begin()
            self._opened = True
            _opened.add(self)

    def _begin(self) -> None:
        """Make what belongs to the device once it is open."""

    def _end(self) -> None:
        """Give that back."""

    def twin(self) -> Queue:
        """Another device of the same adapter, open."""
        twin = type(self)(f"{self.name}, compiling", self.adapter, self.checks)
        twin._open()
        return twin

    @property
    def handle(self) -> Any:
        """The wgpu device; opens it. Raises DeviceError if it is closed or lost."""
        self.check_open()
        if not self._opened:
            self._open()
        return self._wgpu

    def check_open(self) -> None:
        """Raise DeviceError if the device was closed, DeviceLostError if it was lost."""
        super().check_open()
        if self._lost:
            raise DeviceLostError(f"device {self.name} was lost while {self._lost}; get a new one with graphc.device()")
        if self.adapter.process != os.getpid():
            raise DeviceError(
                f"device {self.name} is of the process that this one was forked from, and drivers do not survive that: "
                "start processes by multiprocessing's 'spawn' method, or compute on the device 'numpy' here"
            )

    @cached_property
    def features(self) -> frozenset[str]:
        """The optional features that the device was opened with."""
        return frozenset(f for f in FEATURES if f in self.handle.features)

    @cached_property
    def limits(self) -> dict[str, int]:
        """The limits that the device was opened with."""
        return {name: int(self.handle.limits[name]) for name in BASELINE}

    @property
    def in_use_bytes(self) -> int:
        """Bytes of its buffers that arrays and programs hold."""
        with self.lock:
            self.pool.collect()
            return self.pool.in_use_bytes

    def trim(self) -> None:
        """Destroy the buffers that nobody uses."""
        self.synchronize()
        with self.lock:
            self.pool.collect()
            self.pool.trim(0)

    # -- memory and transfers

    @contextmanager
    def guard(self, what: str) -> Iterator[None]:
        """Turn errors of the binding into graphc's, and remember a lost device."""
        try:
            yield
        except (wgpu.GPUError, MemoryError) as error:
            ours = translate(error, what)
            if isinstance(ours, DeviceLostError):
                self._lost = what
            raise ours from error

    def create_buffer(self, size: int, usage: int) -> Any:
        """A new buffer; raises OutOfMemoryError where there is no room."""
        limit = self.limits["max-buffer-size"]
        if size > limit:
            raise OutOfMemoryError(f"a tensor needs {size} bytes, but a buffer holds at most {limit} on {self.name}")
        with self.guard(f"allocating {size} bytes on {self.name}"):
            return self.handle.create_buffer(size=size, usage=usage)

    def write(self, memory: Memory, offset: int, data: NDArray) -> None:
        """Copy host bytes into a buffer, ordered before later submits. Call with the lock held."""
        if not data.nbytes:
            return
        raw = data.reshape(-1).view(np.uint8)
        with self.guard("uploading"):
            for start in range(0, raw.size, CHUNK_BYTES):
                chunk = raw[start : start + CHUNK_BYTES]
                self.handle.queue.write_buffer(memory.buffer, offset + start, chunk)
                self._pending_bytes += chunk.size
                if self._pending_bytes > FLUSH_BYTES:
                    # The queue keeps a copy of what was written until the next submit.
                    self.submit(self.handle.create_command_encoder(), "uploading")

    def upload(self, array: NDArray) -> Array:
        """A copy of `array` in a buffer of its own."""
        type = TensorType(tuple(array.shape), dtype_of(array.dtype))
        self.check_open()
        self.check_dtype(type)
        data = to_storage(array, type)
        with deferred, self.lock:
            self.check_open()
            if type.size == 0:
                return Array(self, None, type)
            _ = self.handle
            memory = self.pool.take(data.nbytes)
            self.write(memory, 0, data)
        made = Array(self, memory, type)
        made.bounds = bounds_of(array)
        return made

    def check_dtype(self, type: TensorType) -> None:
        """Raise DeviceError for an element type that the device cannot compute with."""
        needs = NEEDS.get(type.dtype.name)
        if needs and needs not in self.features:
            lacks = f"its {needs} is wrong" if needs in self.adapter.unsound else f"it has no {needs}"
            raise DeviceError(
                f"{self.name} ({self.adapter.name}) cannot compute with {type.dtype.numpy.name}: {lacks}; "
                "device 'numpy' can"
            )

    def fetch(self, data: Any, type: TensorType) -> NDArray:
        """The elements of an Array as a new ndarray; waits for them, while other threads may submit."""
        if data is None:
            return np.zeros(type.shape, type.dtype.numpy)
        nbytes = type.size * type.dtype.itemsize
        readback = data.readback
        with deferred:
            raw = self.read(data, nbytes)[:nbytes] if readback is None else self._read_back(data, readback, nbytes)
        return raw.view(type.dtype.storage).reshape(type.shape).astype(type.dtype.numpy, copy=False)

    def read(self, memory: Memory, nbytes: int, offset: int = 0) -> NDArray:
        """Bytes of a buffer (a multiple of 4 of them) on the host, in chunks of which two are under way."""
        length = -(-nbytes // 4) * 4
        out = np.empty(length, np.uint8)
        under_way: deque[tuple[Any, int, native.Submission, int, int]] = deque()
        with self._reading(memory):
            for start in range(0, length, CHUNK_BYTES):
                size = min(CHUNK_BYTES, length - start)
                under_way.append((*self._copy_out(memory, offset + start, size), start))
                if len(under_way) > 1:
                    self._take_in(out, *under_way.popleft())
            while under_way:
                self._take_in(out, *under_way.popleft())
        return out

    @contextmanager
    def _reading(self, memory: Memory | None) -> Iterator[None]:
        """Meanwhile the device is not closed, and nothing takes over the buffer, if one is named."""
        with self.lock:
            self.check_open()
            self._readers += 1
            if memory is not None:
                memory.readers += 1
        try:
            yield
        finally:
            with self.lock:
                self._readers -= 1
                if memory is not None:
                    memory.readers -= 1
                self._idle.notify_all()

    def _copy_out(self, memory: Memory, offset: int, size: int) -> tuple[Any, int, native.Submission, int]:
        """Copy bytes to a staging buffer: it, its size, the submission that does it, and how many bytes."""
        self.throttle()
        with self.lock, self.guard("reading a result"):
            staging, room = self._staging.take(size)
            encoder = self.handle.create_command_encoder()
            encoder.copy_buffer_to_buffer(memory.buffer, offset, staging, 0, size)
            return staging, room, self.submit(encoder, "reading a result"), size

    def _take_in(self, out: NDArray, staging: Any, room: int, done: native.Submission, size: int, start: int) -> None:
        native.read_mapped(staging, out[start : start + size], done, self.alone)
        self._staging.give(staging, room)

    def read_behind(self, encoder: Any, memory: Memory, offset: int, nbytes: int) -> NDArray:
        """Submit an encoder, and read a few bytes of a buffer behind it. Call with the lock held."""
        staging, room = self._staging.take(nbytes)
        encoder.copy_buffer_to_buffer(memory.buffer, offset, staging, 0, nbytes)
        done = self.submit(encoder, "running a program")
        found = native.read_mapped(staging, np.empty(nbytes, np.uint8), done, self.alone)
        self._staging.give(staging, room)
        deferred.check()
        return found

    def readback(self, nbytes: int) -> Readback | None:
        """A place for small results that the host may want to read; None where very many wait to be read already."""
        return Readback(self._staging, nbytes) if self._staging.lent < READBACKS else None

    def _read_back(self, memory: Memory, readback: tuple[Readback, int], nbytes: int) -> NDArray:
        return self.read_box(*readback, nbytes, memory)

    def read_box(self, box: Readback, offset: int, nbytes: int, memory: Memory | None = None) -> NDArray:
        """Bytes of a readback; waits for the call that fills it. memory: what they are a copy of."""
        with self._reading(memory):
            found = box.read(
                lambda buffer, size, done: native.read_mapped(buffer, np.empty(size, np.uint8), done, self.alone)
            )
        return np.array(found[offset : offset + nbytes])

    # -- submission

    @property
    def alone(self) -> bool:
        """Whether only one thread has used the device so far; then it may block inside wgpu."""
        mine = threading.get_ident()
        if self._thread != mine:
            self._alone = self._thread is None
            self._thread = mine
        return self._alone

    def throttle(self) -> None:
        """Block while too many submits are in flight. Without the lock, so that other threads need not wait too."""
        alone = self.alone
        while len(self._in_flight) >= IN_FLIGHT:
            try:
                oldest = self._in_flight.popleft()
            except IndexError:  # another thread was quicker
                return
            oldest.wait(alone)

    def submit(self, encoder: Any, what: str) -> native.Submission:
        """Finish and submit an encoder. Blocks while too many submits are in flight. Call with the lock held."""
        with self.guard(what):
            commands = encoder.finish()
        self.throttle()
        self._pending_bytes = 0
        submission = native.submit(self.handle, commands)
        self._in_flight.append(submission)
        return submission

    def is_ready(self, data: Any) -> bool:
        """Whether the submission that writes a buffer is done."""
        return data is None or data.writer is None or data.writer.done()

    def wait(self, data: Any) -> None:
        """Wait for the submission that writes a buffer."""
        if data is not None and data.writer is not None:
            data.writer.wait(self.alone)

    def synchronize(self) -> None:
        """Wait for everything submitted so far, and for what was uploaded."""
        self.check_open()
        with self.lock:
            if self._pending_bytes:
                self.submit(self.handle.create_command_encoder(), "uploading")
            waiting = list(self._in_flight)
        for submission in waiting:
            submission.wait(self.alone)

    def settle(self, until: float) -> None:
        """Wait for everything submitted so far, at most until this time of the monotonic clock. Raises nothing."""
        if self.closed or self._lost or self.adapter.process != os.getpid():
            return
        for submission in list(self._in_flight):
            for pause in pauses():
                if submission.done() or time.monotonic() > until:
                    break
                time.sleep(pause)

    def close(self) -> None:
        """Wait for running programs, then destroy every buffer of the device."""
        with deferred, self.lock:
            if self.closed:
                return
            if self._opened and not self._lost:
                self.synchronize()
                while self._readers:
                    self._idle.wait()
                self.pool.close()
                self._staging.clear()
                self._end()
            self._in_flight.clear()
            self.closed = True


_opened: Final[Alive[Queue]] = Alive()
EXIT_SECONDS: Final = 10.0
"""How long a process that ends waits for its programs."""


@atexit.register
def _settle_all() -> None:
    """Let programs end before the process does: some drivers (SwiftShader) crash where it ends under their threads."""
    until = time.monotonic() + EXIT_SECONDS
    for device in _opened:
        device.settle(until)


def to_storage(array: NDArray, type: TensorType, what: str = "array") -> NDArray:
    """`array` as contiguous bytes in device layout: 64-bit narrowed, bool in 32 bits, padded to 4 bytes."""
    if array.dtype != type.dtype.numpy:
        array = narrow(array, what)
    host = np.ascontiguousarray(array.astype(type.dtype.storage, copy=False))
    if host.nbytes % 4:
        host = np.concatenate([host.reshape(-1).view(np.uint8), np.zeros(4 - host.nbytes % 4, np.uint8)])
    return host
