"""Devices: names, the default, limits, closing, losing, threads."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.runtime import adapters
from graphc.runtime.wgpu.device import WgpuDevice
from graphc.runtime.wgpu.queue import BASELINE, translate


def fresh() -> Any:
    """A device that nobody else uses, so that a test may close or lose it."""
    return WgpuDevice("wgpu:test", adapters()[0])


def in_new_process(code: Any, **environment: Any) -> Any:
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def test_names() -> None:
    assert graphc.device("wgpu") is graphc.device("wgpu:0")
    assert graphc.device("numpy").name == "numpy"
    listed = graphc.devices()
    assert listed[0] is graphc.device("wgpu")
    assert listed[-1] is graphc.device("numpy")
    assert graphc.device(listed[0]) is listed[0]


@pytest.mark.parametrize("name", ["cuda", "wgpu:99", "wgpu:x", "", "numpy:1"])
def test_unknown_names_say_what_there_is(name: Any) -> None:
    with pytest.raises(graphc.DeviceError, match="numpy"):
        graphc.device(name)


def test_environment_chooses_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHC_DEVICE", "numpy")
    assert graphc.asarray([1.0]).device.name == "numpy"
    monkeypatch.setenv("GRAPHC_DEVICE", "nonsense")
    with pytest.raises(graphc.DeviceError, match=r"GRAPHC_DEVICE.*nonsense"):
        graphc.asarray([1.0])


def test_without_an_adapter_the_reference_runs_and_says_so_once() -> None:
    code = (
        "import graphc.runtime.registry as a; a._enumerate = lambda: []\n"
        "import graphc, numpy as np\n"
        "f = graphc.compile(lambda x: x * 2)\n"
        "print(f(np.ones(2, np.float32)).device.name, graphc.asarray([1.0]).device.name)\n"
        "try: graphc.device('wgpu')\n"
        "except graphc.DeviceError as error: print(error)\n"
    )
    done = in_new_process(code, GRAPHC_DEVICE="")
    assert done.stdout.splitlines()[0] == "numpy numpy", done.stderr
    assert "no WebGPU adapter" in done.stdout.splitlines()[1]
    assert done.stderr.count("no WebGPU adapter, running on the NumPy reference") == 1


def test_a_software_adapter_is_named_as_such() -> None:
    device = graphc.device("wgpu")
    assert isinstance(device, WgpuDevice)
    adapter = device.adapter
    if adapter.software:
        assert "software adapter" in str(adapter)
        assert "driver" in str(adapter)
    else:
        assert "GPU" in str(adapter)


def test_baseline_limits_are_asked_for(device: Any) -> None:
    for name, value in BASELINE.items():
        assert device.limits[name] <= value or name.startswith("min")
    assert device.target.max_storage_buffers <= 8
    assert device.target.alignment >= 256


def test_the_subgroup_size_is_what_a_kernel_finds(device: Any) -> None:
    assert device.target.subgroup in (0, 4, 8, 16, 32, 64)
    if "subgroup" not in device.features:
        assert device.target.subgroup == 0
    elif "llvmpipe" in device.adapter.name:
        bits = re.search(r"(\d+) bits", device.adapter.name)
        assert bits
        assert device.target.subgroup == int(bits[1]) // 32


def test_closed_device_refuses_everything() -> None:
    device = fresh()
    double = graphc.compile(lambda x: x * 2, device=device)
    x = np.ones(4, np.float32)
    array = double(x)
    kept = graphc.asarray(x, device=device)
    np.testing.assert_array_equal(array, 2 * x)
    device.close()
    device.close()
    for use in (array.numpy, array.is_ready, array.block_until_ready, lambda: double(x), lambda: double(kept)):
        with pytest.raises(graphc.DeviceError, match="closed"):
            use()
    with pytest.raises(graphc.DeviceError, match="closed"):
        graphc.asarray(x, device=device)
    assert "closed" in repr(array)


def test_a_closed_default_device_is_replaced() -> None:
    first = graphc.device("numpy")
    first.close()
    second = graphc.device("numpy")
    assert second is not first
    np.testing.assert_array_equal(graphc.asarray([1.0], device="numpy"), [1.0])


def test_a_lost_device_is_an_error_and_not_an_abort() -> None:
    device = fresh()
    double = graphc.compile(lambda x: x * 2, device=device)
    x = np.ones(4, np.float32)
    array = double(x)
    array.block_until_ready()
    device.handle.destroy()
    for use in (lambda: double(x), array.numpy, lambda: graphc.asarray(x, device=device)):
        with pytest.raises(graphc.DeviceLostError):
            use()
    device.close()


def test_binding_errors_become_ours() -> None:
    assert isinstance(translate(Exception("Not enough memory left."), "x"), graphc.OutOfMemoryError)
    assert isinstance(translate(Exception("Parent device is lost"), "x"), graphc.DeviceLostError)
    assert "compiling" in str(translate(Exception("Validation Error\n\nbad"), "compiling"))


def test_a_tensor_larger_than_a_buffer_is_refused(device: Any) -> None:
    with pytest.raises(graphc.DeviceError, match="at most"):
        graphc.asarray(np.broadcast_to(np.float32(0), (1 << 27,)), device=device)


def test_threads_share_a_device(device: Any) -> None:
    double = graphc.compile(lambda x, y: x * 2 + y, device=device)
    wrong = []

    def work(seed: Any) -> None:
        rng = np.random.default_rng(seed)
        for _ in range(20):
            x, y = rng.normal(size=(2, 100)).astype(np.float32)
            if not np.allclose(double(x, y), x * 2 + y):
                wrong.append(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=600)
    assert not any(thread.is_alive() for thread in threads)
    assert not wrong
    assert len(double.signatures) == 1


X64 = """
import numpy as np, graphc
graphc.enable_x64()
x = np.linspace(0, 1, 9)
for name in ("numpy", "wgpu"):
    try:
        total, count = graphc.compile(lambda x: (np.sum(x * x), (x * 10).astype(np.int64)), device=name)(x)
        assert total.dtype == np.float64 and abs(float(total) - np.sum(x * x)) < 1e-14
        assert count.dtype == np.int64 and np.array_equal(count, (x * 10).astype(np.int64))
        print("right")
    except graphc.DeviceError as error:
        print(error)
"""


def test_x64_computes_in_64_bits_or_names_the_device_that_can() -> None:
    done = in_new_process(X64)
    lines = done.stdout.splitlines()
    assert lines[:1] == ["right"], done.stderr
    if {"shader-f64", "shader-int64"} <= graphc.device("wgpu").features:
        assert lines[1] == "right"
    else:
        assert "device 'numpy' can" in lines[1]


FORK = """
import os, sys, graphc
x = graphc.asarray([1.0], device="wgpu")
child = os.fork()
if child == 0:
    try:
        graphc.asarray([1.0], device="wgpu")
    except graphc.DeviceError as error:
        os._exit(7 if "spawn" in str(error) else 1)
    os._exit(2)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), x.numpy())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_process_is_told_to_spawn() -> None:
    done = in_new_process(FORK)
    assert done.stdout.split() == ["7", "[1.]"], done.stderr
