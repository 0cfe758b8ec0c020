"""The buffer pool and the staging ring, with buffers that only count."""

from __future__ import annotations

import gc
from typing import Any

import pytest

from graphc.errors import OutOfMemoryError
from graphc.runtime.wgpu.memory import Pool, Readback, StagingRing


class Heap:
    """Makes buffers, and counts the bytes that are not destroyed."""

    def __init__(self, limit: Any = 1 << 60) -> None:
        self.bytes = 0
        self.made = 0
        self.limit = limit

    def create(self, size: Any, usage: Any) -> Any:
        if self.bytes + size > self.limit:
            raise OutOfMemoryError("full")
        self.bytes += size
        self.made += 1
        heap = self

        class Buffer:
            def destroy(self) -> None:
                heap.bytes -= size

        return Buffer()


def test_a_buffer_comes_back_when_its_memory_is_dropped() -> None:
    heap = Heap()
    pool = Pool(heap.create, keep_bytes=1 << 20)
    first = pool.take(1000)
    buffer, uid = first.buffer, first.uid
    del first
    gc.collect()
    again = pool.take(900)
    assert again.buffer is buffer
    assert again.uid == uid
    assert heap.made == 1
    assert pool.take(5000).buffer is not buffer


def test_the_same_tag_gets_its_buffer_back() -> None:
    pool = Pool(Heap().create, keep_bytes=1 << 20)
    held = {tag: pool.take(256, tag) for tag in "abcd"}
    uids = {tag: memory.uid for tag, memory in held.items()}
    del held
    for tag in "cadb":
        kept = pool.take(256, tag)
        assert kept.uid == uids[tag]
        del kept


def test_a_buffer_in_use_is_never_handed_out_twice() -> None:
    pool = Pool(Heap().create, keep_bytes=1 << 20)
    held = []
    for n in range(200):
        held.append(pool.take(256))
        assert len({memory.uid for memory in held}) == len(held)
        if n % 3 == 0:
            held.pop(n % len(held))


def test_unused_bytes_are_bounded() -> None:
    heap = Heap()
    pool = Pool(heap.create, keep_bytes=10_000)
    for n in range(1, 60):
        pool.take(n * 256)
        gc.collect()
        pool.collect()
        assert pool.free_bytes <= 10_000
        assert heap.bytes <= 10_000 + n * 256
    held = pool.take(256)
    pool.trim(0)
    assert heap.bytes == held.nbytes


def test_a_full_device_gives_up_unused_buffers_first() -> None:
    heap = Heap(limit=4096)
    pool = Pool(heap.create, keep_bytes=1 << 20)
    small = [pool.take(512) for _ in range(8)]
    small.clear()
    large = pool.take(4096)
    assert large.nbytes == 4096
    with pytest.raises(OutOfMemoryError):
        pool.take(256)


def test_the_ring_keeps_a_few_of_each_size_and_no_giant() -> None:
    heap = Heap()
    ring = StagingRing(heap.create, largest=4096, keep_bytes=2048)
    for _ in range(10):
        ring.give(*ring.take(1000))
    assert heap.made == 1
    for taken in [ring.take(1000) for _ in range(5)]:
        ring.give(*taken)
    assert heap.bytes == 2 * 1024
    ring.give(*ring.take(100_000))
    assert heap.bytes == 2 * 1024
    assert ring.lent == 0
    ring.clear()
    assert heap.bytes == 0


def test_a_readback_that_only_a_cycle_keeps_gives_its_buffer_back_whole() -> None:
    """A traceback holds what was read when it was raised; the collector finalises all of a cycle at once."""
    finalized = []

    class Buffer:
        def destroy(self) -> None:
            raise AssertionError("it is kept")

        def __del__(self) -> None:
            finalized.append(self)

    ring = StagingRing(lambda size, usage: Buffer())
    cycle: list[Any] = [Readback(ring, 64)]
    cycle.append(cycle)
    del cycle
    gc.collect()
    again = ring.take(64)
    assert ring.lent == 1
    assert again
    assert not finalized
