"""Many programs at once: futures, back-pressure, event loops, threads, transfers in chunks, the end of a process."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import threading
import time
from typing import Any

import numpy as np
import pytest
import wgpu
from wgpu.backends.wgpu_native._ffi import lib

import graphc
from graphc import optim
from graphc.models import MODELS, data
from graphc.models.train import training_step
from graphc.runtime import adapters
from graphc.runtime.wgpu import native
from graphc.runtime.wgpu import queue as wgpu_queue
from graphc.runtime.wgpu.device import WgpuDevice
from graphc.runtime.wgpu.queue import IN_FLIGHT


def heavy(x: Any) -> Any:
    """Some tenths of a second on a processor."""
    for _ in range(12):
        x = x @ x * np.float32(0.002)
    return x


HEAVY = np.full((384, 384), 0.01, np.float32)


def numbers() -> Any:
    """Live objects of wgpu, resident bytes of this process where the system tells, and device bytes."""
    gc.collect()
    report = wgpu.diagnostics.wgpu_native_counts.get_dict()
    resident = 0
    if os.path.exists("/proc/self/statm"):
        with open("/proc/self/statm") as file:
            resident = int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    device = graphc.device("wgpu")
    assert isinstance(device, WgpuDevice)
    pool = device.pool
    return report["total"]["count"], resident, pool.in_use_bytes + pool.free_bytes


def train_flat(name: Any, steps: Any, warm_up: Any) -> None:
    model, corpus = MODELS[name], data.load(None)
    config, _ = model.configure(corpus)
    batch, optimizer = model.batches(corpus, config, 8, 0), optim.adam(1e-3)
    params = model.init(graphc.random.key(0), config)
    state = optimizer.init(params)
    step = graphc.compile(training_step(model, config, optimizer), device="wgpu", donate=("params", "state"))
    pending = []
    for number in range(steps):
        params, state, loss = step(params, state, *batch(number))
        pending.append(loss)
        if len(pending) > 5:
            assert np.isfinite(float(pending.pop(0)))
        if number == warm_up:
            before = numbers()
    after = numbers()
    assert after[0] <= before[0], "live wgpu objects"  # fewer: wgpu lets go of what earlier tests used when it likes
    assert after[1] <= 1.01 * before[1], "host memory"
    assert after[2] <= 1.01 * before[2], "device memory"


def test_memory_stays_flat_over_200_steps() -> None:
    train_flat("mlp", 200, 50)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mlp", "microgpt"])
def test_memory_stays_flat_over_2000_steps(name: Any) -> None:
    train_flat(name, 2000, 200)


class Polls:
    """wgpu-native's functions, with a record of polls: whether each blocked inside of it, and until which submit."""

    def __init__(self) -> None:
        self.blocked: list[bool] = []
        self.until: list[Any] = []

    def __getattr__(self, name: Any) -> Any:
        return getattr(lib, name)

    def wgpuDevicePoll(self, device: Any, wait: Any, index: Any) -> Any:
        self.blocked.append(bool(wait))
        self.until.append(index[0] if wait and index else None)
        return lib.wgpuDevicePoll(device, wait, index)


def test_back_pressure_waits_without_spinning(monkeypatch: pytest.MonkeyPatch) -> None:
    device = WgpuDevice("wgpu:test", adapters()[0])
    program = graphc.compile(heavy, device=device)
    x = graphc.asarray(HEAVY, device)
    program(x).block_until_ready()
    polls = Polls()
    monkeypatch.setattr(native, "lib", polls)
    results = [program(x) for _ in range(IN_FLIGHT + 2)]
    assert len(device._in_flight) <= IN_FLIGHT
    results[-1].block_until_ready()
    assert all(polls.blocked)
    assert 1 <= len(polls.blocked) <= len(results) + 1
    assert results[0].is_ready()
    device.close()


def test_who_shares_a_device_does_not_block_inside_wgpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """wgpu holds a lock while a thread waits in it, and no other thread can submit."""
    device = WgpuDevice("wgpu:test", adapters()[0])
    program = graphc.compile(heavy, device=device)
    program(HEAVY).block_until_ready()
    polls = Polls()
    monkeypatch.setattr(native, "lib", polls)
    program(HEAVY).block_until_ready()
    assert polls.blocked == [True]
    other = threading.Thread(target=lambda: program(HEAVY).numpy())
    other.start()
    other.join()
    polls.blocked.clear()
    np.testing.assert_allclose(program(HEAVY), heavy(HEAVY), rtol=1e-3)
    assert polls.blocked
    assert not any(polls.blocked[:-1])
    device.close()


def test_a_small_result_is_read_without_waiting_for_what_came_later(
    device: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, total = graphc.compile(heavy, device=device), graphc.compile(np.sum, device=device)
    x = graphc.asarray(HEAVY, device)
    program(x).block_until_ready()
    loss = total(x)
    loss.block_until_ready()
    later = program(x)
    submits, polls = [], Polls()
    with monkeypatch.context() as patched:
        patched.setattr(device, "submit", lambda *given: submits.append(given))
        patched.setattr(native, "lib", polls)
        assert abs(float(loss) - HEAVY.sum()) < 1e-3 * HEAVY.sum()
    assert not submits
    last = later._content.writer._index[0]
    assert all(until < last for until in polls.until if until is not None)
    later.block_until_ready()
    assert float(loss) == float(loss)


def test_losses_kept_for_long_are_all_right(device: Any) -> None:
    gc.collect()
    before = device._staging.lent
    square = graphc.compile(lambda x: (x * x, np.sum(x), x[:3]), device=device)
    kept = [square(np.full(5, i, np.float32)) for i in range(3 * wgpu_queue.READBACKS)]
    for i, (squares, total, part) in reversed(list(enumerate(kept))):
        np.testing.assert_array_equal(squares.numpy(), np.full(5, i * i, np.float32))
        assert float(total) == 5 * i
        np.testing.assert_array_equal(part.numpy(), np.full(3, i, np.float32))
    del kept, squares, total, part
    gc.collect()
    square(np.ones(5, np.float32))[0].block_until_ready()
    assert device._staging.lent <= before + 1


def test_a_small_state_that_is_donated_reads_as_it_is_now(device: Any) -> None:
    step = graphc.compile(lambda n, x: (n + 1, x * 2), device=device, donate=("n", "x"))
    n, x = np.float32(0), np.ones(8, np.float32)
    for i in range(1, 8):
        n, x = step(n, x)
        assert float(n) == i
        np.testing.assert_array_equal(x, np.full(8, 2.0**i))


def test_programs_are_interleaved_under_asyncio(device: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each task awaits its own steps; the event loop turns while it waits."""
    slow, quick = graphc.compile(heavy, device=device), graphc.compile(lambda x, y: x * 0.5 + y, device=device)
    x = graphc.asarray(HEAVY, device)
    np.asarray(slow(x))
    ticks = 0
    unfinished = iter([False] * 10)
    is_ready = device.is_ready

    async def clock() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    async def halves(seed: int) -> int:
        y = np.random.default_rng(seed).normal(size=50).astype(np.float32)
        value, want = y, y
        for _ in range(10):
            value, want = await quick(value, y), want * np.float32(0.5) + y
        np.testing.assert_allclose(value, want, rtol=1e-6)
        return seed

    async def main() -> Any:
        beside = asyncio.create_task(clock())
        with monkeypatch.context() as patched:  # however fast the device is, it is not ready at first
            patched.setattr(device, "is_ready", lambda data: next(unfinished, True) and is_ready(data))
            await slow(x)
        assert ticks > 5
        results = await asyncio.gather(*(halves(seed) for seed in range(8)), asyncio.wait_for(awaited(slow(x)), 60))
        beside.cancel()
        return results

    async def awaited(array: Any) -> Any:
        return await array

    *seeds, last = asyncio.run(main())
    assert seeds == list(range(8))
    np.testing.assert_allclose(last, heavy(HEAVY), rtol=1e-3)


def test_an_await_that_is_cancelled_leaves_the_array_usable(device: Any) -> None:
    program = graphc.compile(heavy, device=device)

    async def main() -> Any:
        array = program(HEAVY)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.shield(forever(array)), 0)
        return (await array).numpy()

    async def forever(array: Any) -> None:
        await array
        await asyncio.sleep(3600)

    np.testing.assert_allclose(asyncio.run(main()), heavy(HEAVY), rtol=1e-3)


def test_threads_train_side_by_side(device: Any) -> None:
    def step(w: Any, x: Any) -> Any:
        return w - 0.1 * graphc.grad(lambda w: np.mean((x @ w - 1) ** 2))(w)

    rng = np.random.default_rng(0)
    x = rng.normal(size=(16, 300)).astype(np.float32) * 0.1
    starts = rng.normal(size=(4, 300)).astype(np.float32)
    shared = graphc.compile(step, device=device, donate=("w",))

    def run(w: Any, program: Any, steps: Any = 25) -> Any:
        for _ in range(steps):
            w = program(w, x)
        return w.numpy()

    found = {}

    def work(i: Any) -> None:
        own = graphc.compile(step, device=device) if i % 2 else shared
        found[i] = run(starts[i], own)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=600)
    for i in range(4):
        np.testing.assert_array_equal(found[i], run(starts[i], shared))


@pytest.mark.parametrize("count", [1, 1023, 1024, 1025, 10_000])
def test_transfers_go_in_chunks(count: Any, device: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wgpu_queue, "CHUNK_BYTES", 4096)
    sizes: list[int] = []
    take = device._staging.take

    def taken(nbytes: int) -> Any:
        sizes.append(nbytes)
        return take(nbytes)

    monkeypatch.setattr(device._staging, "take", taken)
    host = np.arange(count, dtype=np.float32)
    array = graphc.asarray(host, device)
    np.testing.assert_array_equal(array, host)
    assert len(sizes) == -(-4 * count // 4096)
    assert max(sizes) <= 4096
    np.testing.assert_array_equal(graphc.asarray(host > 5, device), host > 5)


def test_a_large_array_goes_there_and_back(device: Any) -> None:
    host = np.random.default_rng(0).random((10_500_001,), np.float32)
    gc.collect()
    lent = device._staging.lent
    np.testing.assert_array_equal(graphc.asarray(host, device).numpy(), host)
    assert device._staging.lent == lent


def test_what_is_being_read_is_not_overwritten(device: Any) -> None:
    double = graphc.compile(lambda x: x * 2, device=device, donate=("x",))
    x = graphc.asarray(np.ones(1000, np.float32), device)
    memory = x._content
    with device._reading(memory):
        y = double(x)
    np.testing.assert_array_equal(y, np.full(1000, 2, np.float32))
    np.testing.assert_array_equal(device.read(memory, 4000).view(np.float32), np.ones(1000))


def test_closing_waits_for_a_reader() -> None:
    device = WgpuDevice("wgpu:test", adapters()[0])
    program = graphc.compile(heavy, device=device)
    array = program(HEAVY)
    found = []
    reader = threading.Thread(target=lambda: found.append(array.numpy()))
    reader.start()
    while not device._readers and reader.is_alive():
        time.sleep(0.001)
    device.close()
    reader.join(timeout=600)
    np.testing.assert_allclose(found[0], heavy(HEAVY), rtol=1e-3)
    with pytest.raises(graphc.DeviceError, match="closed"):
        program(HEAVY)


EXIT = """
import asyncio, threading, numpy as np, graphc
def heavy(x):
    for _ in range(12):
        x = x @ x * np.float32(0.002)
    return x
x = np.full((256, 256), 0.01, np.float32)
program = graphc.compile(heavy, device="wgpu")
results = [program(x) for _ in range(3)]
threading.Thread(target=results[2].block_until_ready, daemon=True).start()
{end}
"""


@pytest.mark.parametrize(
    ("end", "status"),
    [
        ("", 0),
        ("import sys; sys.exit(3)", 3),
        ("graphc.device('wgpu').close()", 0),
        ("class Cycle: pass\nc = Cycle(); c.me = c; c.kept = results", 0),
    ],
)
def test_a_process_ends_cleanly_with_work_under_way(end: Any, status: Any) -> None:
    done = subprocess.run(
        [sys.executable, "-c", EXIT.format(end=end)], capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    assert "panic" not in done.stderr
