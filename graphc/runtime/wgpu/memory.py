"""Device memory: buffers that are used again, and staging buffers for reading back.

All commands of a device go through one queue, in order, so a buffer may be handed out again while the GPU still works
on its last use: the next use is queued behind it. Buffers are never destroyed while a program may still name them.
"""

from __future__ import annotations

import gc
import itertools
import threading
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import wgpu

from graphc.errors import OutOfMemoryError

GRAIN: Final = 256
"""Buffer sizes are multiples of this many bytes, so that near sizes share buffers and vec4 tails stay inside."""

STORAGE_USAGE: Final = (
    wgpu.BufferUsage.STORAGE | wgpu.BufferUsage.UNIFORM | wgpu.BufferUsage.COPY_SRC | wgpu.BufferUsage.COPY_DST
)
STAGING_USAGE: Final = wgpu.BufferUsage.MAP_READ | wgpu.BufferUsage.COPY_DST

_uids: Final = itertools.count(1)


def padded(nbytes: int) -> int:
    """The buffer size for a tensor of this size."""
    return max(GRAIN, -(-nbytes // GRAIN) * GRAIN)


class Loan(weakref.ref[Any]):
    """Something that is given back once nothing refers to its holder any more, by appending the Loan to a deque.

    A finalizer would be code of Python's, in which Ctrl-C is lost; and it runs in any thread at any moment. Appending
    to a deque is atomic, and C code. Forgotten, nothing is given back. item: what was lent.
    """

    __slots__ = ("item",)
    item: Any


def lend(holder: Any, returned: deque[Loan], item: Any) -> Loan:
    """A loan of `item` to `holder`; it comes back to `returned`."""
    loan = Loan(holder, returned.append)
    loan.item = item
    return loan


class Memory:
    """One GPU buffer in use. It goes back to its pool when nothing refers to it any more.

    uid: never used twice, so caches may be keyed by it. writer: the submission that writes it. readers: transfers to
    the host under way, which nothing may overwrite it for. readback: where its contents were copied to for the host
    when they were computed, and the byte offset in it.
    """

    __slots__ = ("__weakref__", "buffer", "nbytes", "readback", "readers", "uid", "writer")

    def __init__(self, buffer: Any, nbytes: int, uid: int) -> None:
        self.buffer = buffer
        self.nbytes = nbytes
        self.uid = uid
        self.writer: Any = None
        self.readers = 0
        self.readback: tuple[Readback, int] | None = None


class Pool:
    """Buffers by size. `take` prefers the one that the same tag had last, so that bind groups can be used again.

    keep_bytes: unused buffers beyond this are destroyed, oldest first. Not safe for threads: callers hold the
    device's lock; only `returned` may be appended to from anywhere.
    """

    def __init__(self, create: Callable[[int, int], Any], keep_bytes: int) -> None:
        self._create = create
        self._keep_bytes = keep_bytes
        self._free: dict[int, list[tuple[Any, int, object]]] = {}
        self._order: deque[int] = deque()
        self._free_bytes = 0
        self._alive: dict[int, Any] = {}  # all of them, for `close`
        self.in_use_bytes = 0
        self.returned: deque[Loan] = deque()
        self._lent: dict[int, Loan] = {}
        self._outlived: deque[Loan] = deque()
        self._held: dict[int, Loan] = {}

    def hold(self, holder: Any, things: Any) -> None:
        """Keep `things` until the next call after nothing refers to `holder` any more.

        Objects of the binding have finalizers in Python, which so run where Ctrl-C is put off.
        """
        loan = lend(holder, self._outlived, things)
        self._held[id(loan)] = loan

    def take(self, nbytes: int, tag: object = None) -> Memory:
        """A buffer of at least `nbytes`; its contents are whatever was there."""
        if self.returned or self._outlived:
            self.collect()
        size = padded(nbytes)
        free = self._free.get(size)
        if free:
            self.in_use_bytes += size
            position = len(free) - 1
            if free[position][2] != tag:
                position = next((i for i, entry in enumerate(free) if entry[2] == tag), position)
            buffer, uid, _ = free.pop(position)
            self._free_bytes -= size
            return self._lend(buffer, size, uid, tag)
        try:
            buffer = self._create(size, STORAGE_USAGE)
        except OutOfMemoryError:
            gc.collect()  # Arrays that only a cycle keeps alive
            self.collect()
            if not self._free_bytes:
                raise
            self.trim(0)
            buffer = self._create(size, STORAGE_USAGE)
        self.in_use_bytes += size
        uid = next(_uids)
        self._alive[uid] = buffer
        return self._lend(buffer, size, uid, tag)

    def _lend(self, buffer: Any, size: int, uid: int, tag: object) -> Memory:
        memory = Memory(buffer, size, uid)
        self._lent[uid] = lend(memory, self.returned, (buffer, size, uid, tag))
        return memory

    def collect(self) -> None:
        """Take in the buffers that were given back since the last call, and let go of what was held."""
        while self._outlived:
            del self._held[id(self._outlived.popleft())]
        while self.returned:
            buffer, size, uid, tag = self.returned.popleft().item
            del self._lent[uid]
            self.in_use_bytes -= size
            self._free_bytes += size
            self._free.setdefault(size, []).append((buffer, uid, tag))
            self._order.append(size)
        if self._free_bytes > self._keep_bytes:
            self.trim(self._keep_bytes)
        elif len(self._order) > 4096:
            self._order = deque(size for size, free in self._free.items() for _ in free)

    def trim(self, keep_bytes: int) -> None:
        """Destroy unused buffers, those of the sizes returned longest ago first, until `keep_bytes` are left."""
        while self._free_bytes > keep_bytes and self._order:
            size = self._order.popleft()
            free = self._free.get(size)
            if free:
                buffer, uid, _ = free.pop(0)
                buffer.destroy()
                del self._alive[uid]
                self._free_bytes -= size

    def close(self) -> None:
        """Destroy all buffers, also those in use: nobody may name them any more."""
        for buffer in self._alive.values():
            buffer.destroy()
        self._alive.clear()
        self._free.clear()
        self._free_bytes = 0

    @property
    def free_bytes(self) -> int:
        """Bytes of the buffers that wait to be used again."""
        return self._free_bytes


class StagingRing:
    """MAP_READ buffers for reading results, of sizes that are powers of two; used in turn, safe for threads.

    keep_bytes: unused buffers beyond this are destroyed. lent: how many are in use.
    """

    def __init__(self, create: Callable[[int, int], Any], largest: int = 16 << 20, keep_bytes: int = 64 << 20) -> None:
        self._create = create
        self._largest = largest
        self._keep_bytes = keep_bytes
        self._free: dict[int, list[Any]] = {}
        self._free_bytes = 0
        self.lent = 0
        self._lock = threading.Lock()
        self.returned: deque[Loan] = deque()
        self._lent: dict[int, Loan] = {}

    def take(self, nbytes: int) -> tuple[Any, int]:
        """A buffer of at least `nbytes`, and its size."""
        while self.returned:
            loan = self.returned.popleft()
            self.forget(loan)
            self.give(*loan.item)
        size = max(GRAIN, 1 << (nbytes - 1).bit_length()) if nbytes <= self._largest else padded(nbytes)
        with self._lock:
            self.lent += 1
            free = self._free.get(size)
            if free:
                self._free_bytes -= size
                return free.pop(), size
        return self._create(size, STAGING_USAGE), size

    def lend(self, holder: Any, buffer: Any, size: int) -> Loan:
        """A buffer that comes back by itself when nothing refers to `holder` any more."""
        loan = lend(holder, self.returned, (buffer, size))
        self._lent[id(loan)] = loan
        return loan

    def forget(self, loan: Loan) -> None:
        """The buffer of a loan does not come back by itself, once nobody holds the loan any more."""
        del self._lent[id(loan)]

    def give(self, buffer: Any, size: int) -> None:
        """Give a buffer back, unmapped."""
        with self._lock:
            self.lent -= 1
            if self._free_bytes + size <= self._keep_bytes:
                self._free.setdefault(size, []).append(buffer)
                self._free_bytes += size
            else:
                buffer.destroy()

    def clear(self) -> None:
        """Destroy the waiting buffers."""
        with self._lock:
            for free in self._free.values():
                for buffer in free:
                    buffer.destroy()
            self._free.clear()
            self._free_bytes = 0


class Readback:
    """The small results of one call, copied for the host by the call itself.

    To read a result otherwise is a copy behind everything that was submitted meanwhile; to read it here is to wait for
    the call alone. submission: the call, once it is submitted.
    """

    __slots__ = ("__weakref__", "_bytes", "_loan", "_lock", "_ring", "_size", "buffer", "submission")

    def __init__(self, ring: StagingRing, nbytes: int) -> None:
        self.buffer, self._size = ring.take(nbytes)
        self.submission: Any = None
        self._loan: Loan | None = ring.lend(self, self.buffer, self._size)
        self._ring = ring
        self._bytes: Any = None
        self._lock = threading.Lock()

    def read(self, load: Callable[[Any, int, Any], Any]) -> Any:
        """All bytes, by `load(buffer, size, submission)` the first time."""
        with self._lock:
            if self._bytes is None:
                self._bytes = load(self.buffer, self._size, self.submission)
                assert self._loan is not None
                self._ring.forget(self._loan)
                self._ring.give(self.buffer, self._size)
                self.buffer = self._loan = None
            return self._bytes
