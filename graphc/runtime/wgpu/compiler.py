"""Kernels are compiled before they are launched: in parallel where a program waits for them, else beside its calls.

Drivers of GPUs compile when a pipeline is made, and do so in several threads. Mesa's software driver compiles at the
first launch, one kernel after the other in the one thread of the device's queue, and keeps the code in a cache on disk.
There kernels are launched once on nothing, on the device and on a second one of the same adapter at the same time:
what the second one compiles, the first one finds in the cache.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import wgpu

from graphc.errors import GraphcError
from graphc.plan.plan import Kernel, Plan
from graphc.runtime.weak import Alive
from graphc.runtime.wgpu import native
from graphc.runtime.wgpu.driver_cache import DriverCache
from graphc.runtime.wgpu.interrupts import deferred
from graphc.runtime.wgpu.pipelines import Pipelines
from graphc.runtime.wgpu.queue import Queue

PATIENCE: Final = 2.0
"""Seconds of compiling after which a line says what is going on."""

WRITING: Final = 0.25
"""Seconds after which the driver has written what it compiled to its cache, in a thread of its own."""

LONG: Final = 12_000
"""Characters of a kernel up to which any software driver compiles it."""

STORAGE_BYTES: Final = 256
UNIFORM_BYTES: Final = 1 << 14
"""What a launch on nothing binds. A kernel may ask for any element: there is none outside of a buffer's bounds."""


@dataclass(frozen=True, slots=True)
class Job:
    """A kernel, and for each texture that it reads whether its sides are powers of two: other code is made for that."""

    kernel: Kernel
    textures: tuple[tuple[bool, bool], ...] = ()

    @property
    def text(self) -> str:
        """What the driver's code depends on."""
        return f"{self.kernel.access}{self.textures}\n{self.kernel.wgsl}"


def jobs(plan: Plan) -> list[Job]:
    """The job of each dispatch of a plan."""
    sides = [(t.width & (t.width - 1) == 0, t.height & (t.height - 1) == 0) for t in plan.textures]
    return [
        Job(plan.kernels[d.kernel], tuple(sides[b.texture] for b in d.bindings if b.access == "texture"))
        for d in plan.dispatches
    ]


@dataclass(slots=True)
class Report:
    """What compiling a program took: how many kernels, and how many seconds it waited for them."""

    kernels: int = 0
    seconds: float = 0.0


class Compiler:
    """Compiles the kernels of one device. Safe for threads.

    lazy: whether the driver compiles at the first launch. shares: whether it is Mesa's, whose devices share what is
    compiled.
    """

    def __init__(self, pipelines: Pipelines) -> None:
        self.pipelines = pipelines
        self.queue = pipelines.queue
        adapter = self.queue.adapter
        self.lazy = adapter.software  # other drivers compile when a pipeline is made
        self.shares = "llvmpipe" in adapter.name and adapter.backend == "Vulkan"
        self._cache = DriverCache(f"{adapter.name}, {adapter.driver}")
        self._ready: set[bytes] = set()
        self._nothing = _Nothing(pipelines)
        self._helper: _Helper | None = None
        self._lock = threading.Lock()
        self._waiting: deque[tuple[Job, Callable[[bool], bool]]] = deque()
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._process = os.getpid()
        _compilers.add(self)

    def ready(self, wanted: Sequence[Job]) -> list[bool]:
        """For each job, whether the driver has its code: it was compiled here, or lies in the driver's cache."""
        keys = [self._key(job) for job in wanted]
        stored = self._cache.holds(keys) if self.shares else [False] * len(keys)
        return [key in self._ready or known for key, known in zip(keys, stored, strict=True)]

    def bears(self, job: Job) -> bool:
        """Whether a kernel may be compiled that nobody waits for: SwiftShader may take gigabytes for a long text."""
        return self.shares or len(job.kernel.wgsl) <= LONG

    def compile(self, wanted: Sequence[Job], name: str, report: Report) -> None:
        """Compile what is not ready, and wait for it; said in one line on stderr where it takes long.

        Raises DeviceError naming the kernel whose WGSL the device refuses.
        """
        new = [job for job in dict.fromkeys(wanted) if self._key(job) not in self._ready]
        if not new:
            return
        begin = time.perf_counter()
        with _said(len(new), name):
            fresh = [job for job, ready in zip(new, self.ready(new), strict=True) if not ready]
            if self.lazy and fresh:
                self._compile(fresh)
            self.pipelines.get([job.kernel for job in new])
        report.kernels += len(new)
        report.seconds += time.perf_counter() - begin
        self._done(new)

    def _compile(self, fresh: Sequence[Job]) -> None:
        """Launch kernels once, the longest first, also on a helper where it shares its code."""
        todo = deque(sorted(fresh, key=lambda job: -len(job.kernel.wgsl)))
        helper = self._help() if len(fresh) > 1 and processors() > 1 else None
        thread = None
        if helper is not None:
            thread = threading.Thread(
                target=helper.work, args=(todo, self._stop, False), name="graphc helper", daemon=True
            )
            thread.start()
        try:
            _work(todo, self.pipelines, self._nothing, self.queue.alone)
        finally:
            todo.clear()
            if thread is not None:
                thread.join()

    def later(self, job: Job, done: Callable[[bool], bool]) -> None:
        """Compile a kernel in a thread, after those asked for before.

        done: called with False before, and with True after, in that thread; nothing is done where it says False, since
        nobody wants the kernel any more.
        """
        with self._lock:
            self._waiting.append((job, done))
            if self._thread is None and not self._stop.is_set():
                self._thread = threading.Thread(target=self._work_later, name="graphc compiler", daemon=True)
                self._thread.start()

    def _work_later(self) -> None:
        while True:
            with self._lock:
                if not self._waiting or self._stop.is_set():
                    self._waiting.clear()
                    self._thread = None
                    return
                job, done = self._waiting.popleft()
            try:
                if done(False):
                    self._compile_later(job)
                    done(True)
            except GraphcError:  # closed or lost meanwhile: whoever uses the device next is told
                self._stop.set()

    def _compile_later(self, job: Job) -> None:
        (ready,) = self.ready([job])
        if not ready and (helper := self._help()) is not None:
            helper.work(deque([job]), self._stop)
            self._stop.wait(WRITING)
        if not self._stop.is_set():
            # No thread may find the device alone by this one, so it looks now and then instead of blocking.
            _work(deque([job]), self.pipelines, self._nothing, alone=False)
            self._done([job])

    def _help(self) -> _Helper | None:
        """A second device whose code the first one finds in the driver's cache, where there is one."""
        with self._lock:
            if self._helper is None and self.shares and self._cache.folder is not None:
                self._helper = _Helper(self.queue)
            return self._helper

    def _key(self, job: Job) -> bytes:
        return self._cache.key(job.text)

    def _done(self, compiled: Sequence[Job]) -> None:
        keys = [self._key(job) for job in compiled]
        self._ready.update(keys)
        if self.shares:
            self._cache.note(keys)

    def wait(self) -> None:
        """Wait until everything that was asked for is compiled."""
        while (thread := self._thread) is not None:
            thread.join()

    def stop(self) -> None:
        """Compile no more, and wait for the kernel that is being compiled: drivers do not survive less."""
        if self._process != os.getpid():
            return
        self._stop.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def close(self) -> None:
        """Stop, and give back what only compiling needs."""
        self.stop()
        if self._helper is not None:
            self._helper.close()


_compilers: Final[Alive[Compiler]] = Alive()


@atexit.register
def _stop_all() -> None:
    for compiler in _compilers:
        compiler.stop()


class _Nothing:
    """What kernels bind that are launched for nothing but being compiled."""

    def __init__(self, pipelines: Pipelines) -> None:
        self._pipelines = pipelines
        self._device = pipelines.queue
        self._buffers: list[Any] = []
        self._uniform: Any = None
        self._views: dict[tuple[bool, bool], Any] = {}

    def launch(self, job: Job, pipeline: Any) -> native.Submission:
        """Launch one workgroup."""
        device = self._device
        with deferred, device.lock, device.guard(f"compiling kernel {job.kernel.name}"):
            group = self._pipelines.bind(job.kernel.access, self._windows(job))
            encoder = device.handle.create_command_encoder()
            compute = encoder.begin_compute_pass()
            compute.set_pipeline(pipeline)
            compute.set_bind_group(0, group)
            compute.dispatch_workgroups(1)
            compute.end()
            return native.submit(device.handle, encoder.finish())

    def _windows(self, job: Job) -> list[tuple[Any, int, int]]:
        """A buffer of its own for each storage binding: no buffer is both read and written."""
        sides = iter(job.textures)
        windows: list[tuple[Any, int, int]] = []
        for position, mode in enumerate(job.kernel.access):
            if mode == "texture":
                windows.append((self._view(next(sides)), 0, 0))
            elif mode == "uniform":
                if self._uniform is None:
                    self._uniform = self._made(UNIFORM_BYTES, wgpu.BufferUsage.UNIFORM)
                windows.append((self._uniform, 0, UNIFORM_BYTES))
            else:
                while len(self._buffers) <= position:
                    self._buffers.append(self._made(STORAGE_BYTES, wgpu.BufferUsage.STORAGE))
                windows.append((self._buffers[position], 0, STORAGE_BYTES))
        return windows

    def _made(self, size: int, usage: int) -> Any:
        return self._device.handle.create_buffer(size=size, usage=usage)

    def _view(self, sides: tuple[bool, bool]) -> Any:
        if sides not in self._views:
            width, height = (4 if power else 3 for power in sides)
            usage = wgpu.TextureUsage.COPY_DST | wgpu.TextureUsage.STORAGE_BINDING
            made = self._device.handle.create_texture(size=(width, height, 1), format="rgba32float", usage=usage)
            self._views[sides] = made.create_view()
        return self._views[sides]


class _Helper:
    """A second device of an adapter, which only compiles."""

    def __init__(self, queue: Queue) -> None:
        self._device = queue.twin()
        self._pipelines = Pipelines(self._device)
        self._nothing = _Nothing(self._pipelines)
        self._working = threading.Lock()

    def work(self, todo: deque[Job], stop: threading.Event, wait: bool = True) -> None:
        """Compile what is to be done until nothing is left; what the device refuses is left to the one it helps.

        wait: until it is free, where it is at work for another thread; else it does nothing.
        """
        if not self._working.acquire(blocking=wait):
            return
        try:
            _work(todo, self._pipelines, self._nothing, True, stop)
        except GraphcError:
            return
        finally:
            self._pipelines.clear()
            self._working.release()

    def close(self) -> None:
        """Give its memory back."""
        with self._working:
            self._device.close()


def _work(
    todo: deque[Job], pipelines: Pipelines, nothing: _Nothing, alone: bool, stop: threading.Event | None = None
) -> None:
    while stop is None or not stop.is_set():
        try:
            job = todo.popleft()
        except IndexError:  # another thread took the last one
            return
        (pipeline,) = pipelines.get([job.kernel])
        nothing.launch(job, pipeline).wait(alone)


@contextmanager
def _said(count: int, name: str) -> Iterator[None]:
    """Say once what takes so long, if it does."""
    line = f"graphc: compiling {count} kernel{'' if count == 1 else 's'} for {name}"
    timer = threading.Timer(PATIENCE, lambda: print(line, file=sys.stderr, flush=True))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
