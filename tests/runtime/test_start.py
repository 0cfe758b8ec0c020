"""A program starts with what compiles soonest, and goes over to its own kernels while it runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.errors import DeviceError
from graphc.lower import quick as quick_module
from graphc.plan.plan import Kernel
from graphc.runtime.wgpu import compiler as compiler_module
from graphc.runtime.wgpu import launching
from graphc.runtime.wgpu.compiler import Job
from graphc.runtime.wgpu.device import WgpuDevice
from graphc.runtime.wgpu.driver_cache import NOTES, DriverCache
from tests.support.adapters import ROOT


@pytest.fixture
def fresh(device: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A device that has compiled nothing, on which programs start quickly and go over to their own kernels at once."""
    monkeypatch.setenv("GRAPHC_START", "quick")
    monkeypatch.setattr(quick_module, "LEAST", 0.0)
    monkeypatch.setattr(launching, "SHARE", 1e-9)
    monkeypatch.setattr(DriverCache, "holds", lambda self, keys: [False for _ in keys])
    twin = device.twin()
    yield twin
    twin.close()


def array(*shape: int) -> Any:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


def layer(p: Any, x: Any) -> Any:
    """A step in place: products with updates, side by side."""

    def loss(p: Any) -> Any:
        return np.mean(np.tanh(x @ p[0]) @ p[1])

    value, grads = graphc.value_and_grad(loss)(p)
    return [w - 0.1 * g for w, g in zip(p, grads, strict=True)], value


def parameters(size: int) -> tuple[list[Any], Any]:
    return [array(size, 2 * size), array(2 * size, size)], array(24, size)


def trained(step: Any, p: Any, x: Any, calls: int) -> list[bytes]:
    for _ in range(calls):
        p, value = step(p, x)
    return [np.asarray(a).tobytes() for a in (*p, value)]


def test_results_are_the_same_before_and_after_its_own_kernels_are_there(fresh: Any) -> None:
    p, x = parameters(40)
    step = graphc.compile(layer, device=fresh, target="software")
    executable = step.lower(p, x)
    assert executable.plan.quick is not None
    step(p, x)
    first = executable.prepared().compiled
    assert first is not None
    assert first.kernels > 0
    assert first.waiting > 0
    fresh.compiler.wait()
    compiled = executable.prepared().compiled
    assert compiled is not None
    assert compiled.waiting < first.waiting
    executable.prepared().settle()
    compiled = executable.prepared().compiled
    assert compiled is not None
    assert compiled.waiting == 0
    # Another program of the same kind is there at once, and yet another goes over to its kernels on the way.
    assert trained(step, p, x, 6) == trained(graphc.compile(layer, device=fresh, target="software"), p, x, 6)


def test_a_donated_loop_goes_over_on_the_way(fresh: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    p, x = parameters(48)
    step = graphc.compile(layer, device=fresh, donate=(0,))
    executable = step.lower(p, x)
    seen, state = [], p
    for _ in range(4):
        state, value = step(state, x)
        fresh.compiler.wait()
        compiled = executable.prepared().compiled
        assert compiled is not None
        seen.append(compiled.waiting)
    assert seen == sorted(seen, reverse=True)
    monkeypatch.setenv("GRAPHC_START", "full")
    whole = graphc.compile(layer, device=fresh)
    made = trained(whole, p, x, 4)
    assert made == [np.asarray(a).tobytes() for a in (*state, value)]
    compiled = whole.lower(p, x).prepared().compiled
    assert compiled is not None
    assert compiled.waiting == 0


def test_what_an_executable_says(fresh: Any) -> None:
    p, x = parameters(56)
    executable = graphc.compile(layer, device=fresh).lower(p, x)
    assert str(executable).endswith("not compiled yet")
    assert f"layer of 3 arguments on {fresh.name}: " in str(executable)
    executable(p, x)
    fresh.compiler.wait()
    executable.prepared().settle()
    assert " compiled in " in str(executable)
    assert "beside its calls" not in str(executable)
    assert str(graphc.compile(layer, device="numpy").lower(p, x)) == "layer of 3 arguments on numpy"


def test_long_waits_are_said_on_stderr(
    fresh: Any, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(compiler_module, "PATIENCE", 0.0)
    p, x = parameters(60)
    graphc.compile(layer, device=fresh)(p, x)
    said = capfd.readouterr().err
    assert "graphc: compiling " in said
    assert " kernels for layer\n" in said


def test_a_kernel_that_is_refused_names_itself(fresh: Any) -> None:
    bad = Kernel("bad", "@compute @workgroup_size(1) fn main() { let x: u32 = 1.5; }", (), "map")
    with pytest.raises(DeviceError, match="compiling kernel bad"):
        fresh.compiler.compile([Job(bad)], "a test", compiler_module.Report())
    fresh.compiler.later(Job(bad), lambda compiled: True)
    fresh.compiler.wait()
    good = graphc.compile(lambda x: x + 1, device=fresh)
    assert np.asarray(good(array(3))).tolist() == (array(3) + 1).tolist()


def test_how_programs_start_is_one_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHC_START", "slowly")
    with pytest.raises(DeviceError, match="write quick or full"):
        graphc.compile(lambda x: x + 1, device="wgpu")(array(3))


def test_notes_lie_in_the_drivers_cache_and_go_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESA_SHADER_CACHE_DIR", str(tmp_path))
    monkeypatch.delenv("MESA_SHADER_CACHE_DISABLE", raising=False)
    cache = DriverCache("driver 1")
    one, two = cache.key("one"), cache.key("two")
    cache.note([one])
    assert cache.holds([one, two]) == [False, False]  # there is no cache
    folder = tmp_path / "mesa_shader_cache"
    folder.mkdir()
    cache.note([one])
    assert cache.holds([one, two]) == [True, False]
    other = DriverCache("driver 1")
    assert other.holds([one, two]) == [True, False]
    other.note([one, two])
    assert (folder / NOTES).stat().st_size == len(one) + len(two)
    assert DriverCache("driver 1").holds([one, two]) == [True, True]
    assert DriverCache("driver 2").key("one") != one
    (folder / NOTES).unlink()
    assert DriverCache("driver 1").holds([one]) == [False]
    monkeypatch.setenv("MESA_SHADER_CACHE_DISABLE", "true")
    assert DriverCache("driver 1").folder is None


SCRIPT = """
import json, sys
import numpy as np
import graphc
from graphc.runtime.wgpu import launching
launching.SHARE = 1e-9
from tests.runtime.test_start import layer, parameters, trained

p, x = parameters(32)
step = graphc.compile(layer)
executable = step.lower(p, x)
runner = executable.prepared()
first = runner.compiled
bits = trained(step, p, x, 3)
if "settle" in sys.argv:
    runner.settle()
    executable.device.compiler.wait()
said = {"waiting": first.waiting, "left": runner.compiled.waiting, "bits": [b.hex() for b in bits]}
print(json.dumps({**said, "shares": executable.device.compiler.shares}))
"""
"""Ends while kernels are being compiled, unless it settles."""


def run_script(cache: Path, *arguments: str, **environment: str) -> dict[str, Any]:
    # One processor, so that the quick kernels are all compiled by the device itself, would hide what helpers do.
    settings = {"MESA_SHADER_CACHE_DIR": str(cache), "GRAPHC_TUNE": "off", "GRAPHC_START": "quick", **environment}
    env = {k: v for k, v in os.environ.items() if k != "MESA_SHADER_CACHE_DISABLE"} | settings
    command = [sys.executable, "-c", SCRIPT, *arguments]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


def test_an_empty_cache_a_full_one_and_none_give_the_same_bits(tmp_path: Path) -> None:
    tmp_path.joinpath("a").mkdir()
    empty = run_script(tmp_path / "a")
    settled = run_script(tmp_path / "a", "settle")
    assert settled["left"] == 0
    again = run_script(tmp_path / "a")
    # Where the driver keeps a cache, the second process knows what the first one left in it.
    assert again["waiting"] == (0 if empty["shares"] else empty["waiting"])
    none = run_script(tmp_path / "b", MESA_SHADER_CACHE_DISABLE="true")
    whole = run_script(tmp_path / "c", GRAPHC_START="full")
    assert whole["waiting"] == 0
    assert empty["bits"] == settled["bits"] == again["bits"] == none["bits"] == whole["bits"]


def test_a_closed_device_compiles_no_more(device: Any) -> None:
    twin = device.twin()
    assert isinstance(twin, WgpuDevice)
    twin.close()
    asked: list[bool] = []

    def done(compiled: bool) -> bool:
        asked.append(compiled)
        return True

    twin.compiler.later(Job(Kernel("k", "", (), "map")), done)
    twin.compiler.wait()
    assert asked == []
