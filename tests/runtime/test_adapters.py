"""What is chosen where there is only OpenGL, and what varies with the width of a driver's vectors."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from graphc.runtime.adapter import AdapterInfo, preference
from tests.support.adapters import DRIVERS, ROOT, environment


def python(code: str, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *options, *(["-c", code] if code else [])],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )


REMAINDERS = """
import numpy as np, graphc
values = np.array([-2**31, -7, -3, -1, 0, 1, 3, 7, 2**31 - 1], np.int32)
a, b = (np.ascontiguousarray(v.ravel()) for v in np.meshgrid(values, values))
for fn in (np.floor_divide, np.remainder, np.fmod):
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(graphc.compile(lambda a, b: fn(a, b))(a, b), fn(a, b))
        for c in values:
            np.testing.assert_array_equal(graphc.compile(lambda a: fn(a, c))(values), fn(values, c))
            np.testing.assert_array_equal(graphc.compile(lambda a: fn(c, a))(values), fn(c, values))
device = graphc.device(None)
print(device.name, device.adapter.backend if device.name != "numpy" else "")
"""


def test_opengl_is_not_chosen_unless_it_is_named() -> None:
    done = python(REMAINDERS, **{**environment("opengl"), "GRAPHC_DEVICE": ""})
    assert done.stdout.split() == ["numpy"], done.stderr
    (line,) = done.stderr.splitlines()
    assert re.search(r"through OpenGL, running on the NumPy reference.*Vulkan driver.*GRAPHC_DEVICE=wgpu.*differ", line)


@pytest.mark.parametrize("name", ["wgpu", "wgpu:0"])
def test_opengl_that_is_named_says_so_and_divides_integers_as_numpy(name: str) -> None:
    done = python(REMAINDERS, **{**environment("opengl"), "GRAPHC_DEVICE": name})
    assert done.stdout.split() == ["wgpu:0", "OpenGL"], done.stderr
    assert sum("through OpenGL" in line and repr(name) in line for line in done.stderr.splitlines()) == 1


def test_listing_the_devices_names_none() -> None:
    done = python("import graphc; print(*graphc.devices())", **{**environment("opengl"), "GRAPHC_DEVICE": ""})
    assert done.stdout == "Device('wgpu:0') Device('numpy')\n"
    assert "running on" not in done.stderr


def test_adapters_through_opengl_come_last() -> None:
    found = [
        AdapterInfo("fast", "discrete", "OpenGL", "", 0, None),
        AdapterInfo("soft", "software", "Vulkan", "", 0, None),
        AdapterInfo("quick", "integrated", "Vulkan", "", 0, None),
    ]
    assert [a.name for a in sorted(found, key=preference)] == ["quick", "soft", "fast"]


@pytest.mark.slow
def test_every_op_is_right_on_opengl() -> None:
    done = python(
        "", "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/ops/test_ops_gpu.py", **environment("opengl")
    )
    assert done.returncode == 0, done.stdout


def test_the_suite_refuses_an_adapter_that_is_no_default() -> None:
    variables = {**environment("opengl"), "GRAPHC_DEVICE": ""}
    done = python("", "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/ops/test_ops_gpu.py", **variables)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "Vulkan driver" in done.stderr


def test_a_width_of_vectors_has_kernels_of_its_own(tmp_path: Path) -> None:
    """Mesa's cache of shaders does not know of the width: after 256 bits, 128 must not find 8 lanes."""
    found = []
    for width in (256, 128, 256):
        variables = {**environment(f"lavapipe-{width}"), "MESA_SHADER_CACHE_DIR": str(tmp_path)}
        done = python("import graphc; print(graphc.device('wgpu').target.subgroup)", **variables)
        found.append(done.stdout.strip())
    assert found == ["8", "4", "8"]


ROUNDING = """
import numpy as np, graphc
graphc.enable_x64()
x = np.array([0, -0.3, 1.5, 2.5, -1.5, -2.5, 0.5, -0.5, 0.49999999999999994, 3.5, 1e10 + 0.5, -1e10 - 1.5,
              2.0**52 - 0.5, 2.0**53, -1e15 - 0.5, 1e300, np.inf, -np.inf, np.nan])
for fn in (np.rint, np.floor, np.ceil, np.trunc):
    for part in (x, x[:3], x[10:13]):
        np.testing.assert_array_equal(graphc.compile(fn, device="wgpu")(part), fn(part), fn.__name__)
"""


UNSOUND = "import graphc; print(*graphc.device('wgpu').adapter.unsound)"


@pytest.mark.parametrize("driver", [name for name in DRIVERS if name.startswith("lavapipe")])
def test_doubles_are_rounded_whatever_the_width_or_refused_in_words(driver: str) -> None:
    done = python(ROUNDING, **environment(driver))
    if "shader-f64" in python(UNSOUND, **environment(driver)).stdout:
        assert driver == "lavapipe-512"
        assert "cannot compute with float64: its shader-f64 is wrong; device 'numpy' can" in done.stderr
    else:
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("name", "driver", "unsound"),
    [
        ("llvmpipe (LLVM 22.1.8, 512 bits)", "Mesa 26.2.6-1 (LLVM 22.1.8)", True),
        ("llvmpipe (LLVM 22.1.8, 512 bits)", "", True),
        ("llvmpipe (LLVM 22.1.8, 256 bits)", "Mesa 26.2.6-1 (LLVM 22.1.8)", False),
        ("llvmpipe (LLVM 22.1.8, 128 bits)", "Mesa 26.2.6-1 (LLVM 22.1.8)", False),
        ("llvmpipe (LLVM 15.0.6, 512 bits)", "Mesa 22.3.6 (LLVM 15.0.6)", False),
        ("llvmpipe (LLVM 19.1.7, 512 bits)", "Mesa 25.0.7-2+deb13u1 (LLVM 19.1.7)", False),
        ("llvmpipe (LLVM 20.1.8, 512 bits)", "Mesa 25.1.2 (LLVM 20.1.8)", True),
        ("NVIDIA H100", "570.86", False),
    ],
)
def test_only_wide_vectors_of_new_drivers_have_no_64_bits(name: str, driver: str, unsound: bool) -> None:
    found = AdapterInfo(name, "software", "Vulkan", driver, 0, None).unsound
    assert found == ({"shader-f64", "shader-int64"} if unsound else set())


UNDER_WAY = """
import threading, numpy as np, graphc
def heavy(x):
    for _ in range(12):
        x = x @ x * np.float32(0.002)
    return x
program = graphc.compile(heavy, device="wgpu")
results = [program(np.full((256, 256), 0.01, np.float32)) for _ in range(3)]
threading.Thread(target=results[2].block_until_ready, daemon=True).start()
"""


@pytest.mark.parametrize("driver", ["lavapipe", "swiftshader"])
def test_a_process_ends_cleanly_whatever_the_driver(driver: str) -> None:
    """SwiftShader crashes where the process ends under its threads, most of the time."""
    for _ in range(3):
        done = python(UNDER_WAY, **environment(driver))
        assert done.returncode == 0, done.stderr
