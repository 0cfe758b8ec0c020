"""Forked processes: the device "numpy" goes on computing there, an adapter says what to do instead."""

from __future__ import annotations

import os
import pickle
import select
import signal
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork"),
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
]

SECONDS = 60.0
X = np.linspace(-2, 2, 200 * 400, dtype=np.float32).reshape(200, 400)


def in_child(call: Callable[[], Any]) -> Any:
    """What `call` gives in a forked process, or the GraphcError that it raises there. Fails where it hangs."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            try:
                found = call()
            except graphc.GraphcError as error:
                found = error
            with os.fdopen(write, "wb") as file:
                pickle.dump(found, file)
        finally:
            os._exit(0)
    os.close(write)
    data = b""
    with os.fdopen(read, "rb", buffering=0) as file:
        while select.select([file], [], [], SECONDS)[0]:
            more = file.read(1 << 16)
            data += more
            if not more:
                os.waitpid(child, 0)
                return pickle.loads(data)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return pytest.fail("the child hangs")


def program(a: Any) -> Any:
    """Pointwise work on many elements, a sum, and a loop: what shares threads and what does not."""
    h = np.tanh(a) * 2 + np.exp(-a * a)
    total = graphc.scan(lambda c, row: (c + row, None), np.zeros(400, np.float32), h)[0]
    return h, np.sum(h, axis=1), total


def check(found: Any) -> None:
    for one, other in zip(found, program(X), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("when", ["not used yet", "compiled", "used", "used by a child before"])
def test_the_numpy_device_computes_in_a_child(when: str) -> None:
    compiled = graphc.compile(program, device="numpy")
    if when == "compiled":
        compiled.lower(X)
    if when.startswith("used"):
        compiled(X)

    def call() -> Any:
        return [np.asarray(r) for r in compiled(X)]

    if when == "used by a child before":
        check(in_child(call))
    check(in_child(call))
    check(in_child(lambda: in_child(call)))
    check(call())


def test_a_child_of_a_process_whose_threads_are_computing() -> None:
    compiled = graphc.compile(program, device="numpy")
    compiled(X)
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            compiled(X)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(4):
            check(in_child(lambda: [np.asarray(r) for r in compiled(X)]))
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_a_child_of_a_process_that_is_compiling() -> None:
    compiled = graphc.compile(program, device="numpy")
    tracing, go_on = threading.Event(), threading.Event()

    @graphc.compile(device="numpy")
    def slow(a: Any) -> Any:
        tracing.set()
        go_on.wait(SECONDS)
        return program(a)

    def compiled_in_the_child() -> Any:
        go_on.set()
        return [np.asarray(r) for r in slow(X)]

    thread = threading.Thread(target=lambda: slow(X))
    thread.start()
    tracing.wait(SECONDS)
    try:
        check(in_child(lambda: [np.asarray(r) for r in compiled(X)]))
        check(in_child(compiled_in_the_child))
    finally:
        go_on.set()
        thread.join()


def test_random_numbers_are_the_parents() -> None:
    key = graphc.random.key(3)
    np.testing.assert_array_equal(in_child(lambda: graphc.random.normal(key, (5,))), graphc.random.normal(key, (5,)))


USES: dict[str, Callable[[Any, Any, Any], Any]] = {
    "a call": lambda fn, x, r: fn(X),
    "a call with Arrays": lambda fn, x, r: fn(x),
    "reading": lambda fn, x, r: np.asarray(r[0]),
    "waiting": lambda fn, x, r: r[0].block_until_ready(),
    "asking": lambda fn, x, r: r[0].is_ready(),
    "uploading": lambda fn, x, r: graphc.asarray(X, "wgpu"),
    "compiling": lambda fn, x, r: graphc.compile(lambda a: a + 1, device="wgpu")(X),
    "another device of its kind": lambda fn, x, r: graphc.device("wgpu:0").synchronize(),
}


@pytest.mark.parametrize("busy", [False, True])
@pytest.mark.parametrize("use", USES)
def test_an_adapter_of_the_parent_is_refused_at_once(use: str, busy: bool) -> None:
    compiled = graphc.compile(program, device="wgpu")
    x = graphc.asarray(X, "wgpu")
    results = [compiled(x) for _ in range(6 if busy else 1)]
    found = in_child(lambda: USES[use](compiled, x, results[-1]))
    assert isinstance(found, graphc.DeviceError)
    assert "'spawn' method" in str(found)
    check([np.asarray(r) for r in results[-1]])


def test_an_adapter_that_was_only_looked_for_is_refused_too() -> None:
    graphc.devices()
    found = in_child(lambda: np.asarray(graphc.compile(program, device="wgpu")(X)[0]))
    assert isinstance(found, graphc.DeviceError)
