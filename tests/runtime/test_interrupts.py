"""Ctrl-C is never lost: it ends a user's loop, whatever the binding was doing, and leaves everything usable."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from wgpu.backends.wgpu_native import _api
from wgpu.backends.wgpu_native._ffi import ffi

from graphc.runtime.weak import Alive, Attached
from graphc.runtime.wgpu import interrupts, native
from graphc.runtime.wgpu.interrupts import deferred
from tests.support.interrupted import loops

ROOT = Path(__file__).resolve().parents[2]
QUICK = [("read", "wgpu", 15), ("compile", "wgpu", 15), ("submit", "wgpu", 15), ("read", "numpy", 15)]
LONG = [(what, device, 300) for what in loops("numpy") for device in ("wgpu", "numpy")]


def pressed(what: str, device: str, count: int) -> dict[str, int]:
    """What became of so many Ctrl-C at random moments of a loop, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.interrupted", what, device, str(count)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Exception ignored" not in done.stderr
    assert done.returncode == 0, done.stderr
    found: dict[str, int] = ast.literal_eval(done.stdout)
    return found


@pytest.mark.parametrize(("what", "device", "count"), QUICK, ids=lambda v: str(v))
def test_ctrl_c_ends_a_loop(what: str, device: str, count: int) -> None:
    assert pressed(what, device, count) == {"interrupted": count}


@pytest.mark.slow
@pytest.mark.parametrize(("what", "device", "count"), LONG, ids=lambda v: str(v))
def test_ctrl_c_ends_every_loop(what: str, device: str, count: int) -> None:
    assert pressed(what, device, count) == {"interrupted": count}


def test_it_is_raised_at_the_end_of_the_outermost_context() -> None:
    seen = []
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012  # what runs meanwhile is the matter
        with deferred:
            with deferred:
                signal.raise_signal(signal.SIGINT)
                seen.append("inside")
            seen.append("still inside")
        seen.append("never")
    assert seen == ["inside", "still inside"]
    with deferred:
        seen.append("once")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_it_is_not_lost_while_the_handler_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pressed once more between the change of the handler and the next line."""

    class Pressing:
        getsignal = staticmethod(signal.getsignal)

        @staticmethod
        def signal(number: int, handler: Any) -> None:
            signal.signal(number, handler)
            if handler is not signal.default_int_handler:
                signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(interrupts, "_raw", Pressing)
    with pytest.raises(KeyboardInterrupt), deferred:
        pass
    monkeypatch.undo()
    with deferred:
        pass


def test_a_handler_of_ones_own_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def handler(number: int, frame: Any) -> None:
        calls.append(number)

    before = signal.signal(signal.SIGINT, handler)
    try:
        with deferred:
            signal.raise_signal(signal.SIGINT)
            assert not calls
        assert calls == [signal.SIGINT]
        assert signal.getsignal(signal.SIGINT) is handler
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("setting", [signal.SIG_IGN, signal.SIG_DFL])
def test_what_is_no_handler_stays(setting: signal.Handlers) -> None:
    before = signal.signal(signal.SIGINT, setting)
    try:
        with deferred:
            assert signal.getsignal(signal.SIGINT) is setting
        assert signal.getsignal(signal.SIGINT) is setting
    finally:
        signal.signal(signal.SIGINT, before)


def test_an_error_inside_is_not_covered() -> None:
    with pytest.raises(ZeroDivisionError), deferred:
        _ = 1 / 0
    with pytest.raises(KeyboardInterrupt) as caught, deferred:  # noqa: PT012  # as above
        signal.raise_signal(signal.SIGINT)
        _ = 1 / 0
    assert isinstance(caught.value.__context__, ZeroDivisionError)


def test_other_threads_leave_signals_alone() -> None:
    def work() -> None:
        with deferred:
            found.append(signal.getsignal(signal.SIGINT))

    found: list[Any] = []
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [signal.default_int_handler]


@pytest.mark.parametrize("name", ["_on_done", "_on_mapped"])
def test_ctrl_c_at_the_beginning_of_a_callback(name: str, device: Any) -> None:
    """The callback does its work, and the interrupt is raised when the next context ends."""

    def interrupt(frame: Any, event: str, argument: Any) -> None:
        if event == "call" and frame.f_code.co_name == name:
            raise KeyboardInterrupt

    ticket = next(native._tickets)
    native._waiting.add(ticket)
    view = ffi.new("WGPUStringView *")
    sys.settrace(interrupt)
    try:
        getattr(native, name)(3, view[0], ffi.cast("void *", ticket), ffi.NULL)
    finally:
        sys.settrace(None)
    assert ticket not in native._waiting
    assert native._mapped.pop(ticket, None) == (3 if name == "_on_mapped" else None)
    with pytest.raises(KeyboardInterrupt), deferred:
        pass
    with deferred:
        pass


def test_what_belongs_to_objects_that_are_gone_is_forgotten_by_no_line_of_python(device: Any) -> None:
    """Ctrl-C in a finalizer is printed and lost; the binding keeps much of what it makes for a call by such."""

    class Known:
        pass

    def count(frame: Any, event: str, argument: Any) -> None:
        if event == "call":
            called.append(frame.f_code.co_qualname)

    called: list[str] = []
    attached, alive = Attached(), Alive[Known]()
    one, other = Known(), Known()
    for item in (one, other):
        attached[item] = str(item)
        alive.add(item)
    assert attached.get(one) == str(one)
    assert attached.get(Known(), 5) == 5
    sys.setprofile(count)
    try:
        del one, item
        del other
    finally:
        sys.setprofile(None)
    assert not called
    assert len(attached) == 0
    assert not list(alive)
    assert isinstance(_api._refs_per_struct, Attached)  # `device` has opened the binding


STARTING = """
import os, signal, sys, threading, time
import numpy as np, graphc
kept = []
try:
    threading.Timer(float(sys.argv[1]), os.kill, (os.getpid(), signal.SIGINT)).start()
    for n in range(100000):
        np.asarray(graphc.compile(lambda a: np.tanh(a @ a), device="wgpu")(np.ones((2, 2), np.float32)))
        registry = graphc.runtime.registry._registry
        kept.append((registry.devices, registry.adapters))
        registry.devices, registry.adapters = {}, None
except KeyboardInterrupt:
    os._exit(7)
os._exit(1)
"""


@pytest.mark.parametrize("delay", [0.3, 0.5, 0.7, 0.9])
def test_ctrl_c_while_adapters_are_found_and_opened(delay: float) -> None:
    """A loop that starts anew again and again, so that it is no matter when it is pressed."""
    done = subprocess.run(
        [sys.executable, "-c", STARTING, str(delay)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 7, done.stderr
