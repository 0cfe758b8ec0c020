"""The elementary functions of kernels/math.wgsl, on drivers of different makers."""

from __future__ import annotations

import json

import numpy as np
import pytest

from graphc import kernels
from tests.support import math_accuracy, webgpu
from tests.support.adapters import DRIVERS, run_on

LIMIT = 4.0


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in DRIVERS if name not in ("lavapipe", "swiftshader")]


@pytest.mark.parametrize("driver", ["lavapipe", "swiftshader", *SLOW])
def test_functions_are_within_4_ulp_of_float64(driver: str) -> None:
    report = json.loads(run_on(driver, "tests.support.math_accuracy"))
    assert DRIVERS[driver] in report["adapter"]
    assert len(report["worst"]) == 48
    assert {name: found for name, found in report["worst"].items() if found["ulp"] > LIMIT} == {}


def test_the_measure_sees_wrong_results() -> None:
    want = np.array([1.0, 1.0, np.nan, np.inf, 0.0, 1e-40, np.finfo(np.float32).max])
    got = np.array([1.0 + 5 * 2.0**-23, np.nan, 1.0, 3e38, 1e-37, 0.0, np.inf], np.float32)
    assert math_accuracy.ulps(got, want).round().tolist()[:4] == [5.0, np.inf, np.inf, np.inf]
    assert math_accuracy.ulps(got, want)[4] > 1e6
    assert math_accuracy.ulps(got, want)[5:].tolist() == [0.0, 1.0]


SPECIAL = np.array(
    [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, -np.nan, 2.5, 3.5, -0.5, 0.49999997, 8388609.0, -2.5]
)
UNARY = {
    "isnan": np.isnan,
    "isinf": np.isinf,
    "isfinite": np.isfinite,
    "sign": np.sign,
    "round": np.rint,
}
BINARY = {"max": np.maximum, "min": np.minimum, "copysign": np.copysign}


@pytest.mark.parametrize("width", [1, 4])
@pytest.mark.parametrize("name", [*UNARY, *BINARY])
def test_special_values_agree_with_numpy(name: str, width: int) -> None:
    a, b = (v.ravel().astype(np.float32) for v in np.meshgrid(SPECIAL, SPECIAL))
    arguments = (a, b) if name in BINARY else (a,)
    with np.errstate(invalid="ignore"):
        want = {**UNARY, **BINARY}[name](*arguments).astype(np.float32)
    boolean = name.startswith("is")
    element = "f32" if width == 1 else "vec4<f32>"
    call = f"gc_{name}{kernels.SUFFIX[width]}({', '.join(f'{n}[i]' for n in 'ab'[: len(arguments)])})"
    value = f"select({element}(0.0), {element}(1.0), {call})" if boolean else call
    code = f"""
@group(0) @binding(0) var<storage, read> a: array<{element}>;
@group(0) @binding(1) var<storage, read> b: array<{element}>;
@group(0) @binding(2) var<storage, read_write> y: array<{element}>;
{kernels.math_source([(f"gc_{name}", width)], "y")}
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3<u32>) {{
  let i = id.x;
  _ = &b;
  if (i < {len(a) // width}u) {{ y[i] = {value}; }}
}}"""
    buffers = [webgpu.buffer(v) for v in (a, b, np.zeros_like(a))]
    webgpu.dispatch(code, buffers, (4, 1, 1))
    np.testing.assert_array_equal(webgpu.read(buffers[2], a.shape, np.float32), want)


def threefry(key: tuple[int, int], counter: tuple[int, int]) -> tuple[int, int]:
    """Threefry-2x32-20 in Python integers, written from the paper's description."""
    mask = 0xFFFFFFFF
    schedule = [key[0], key[1], key[0] ^ key[1] ^ 0x1BD11BDA]
    x, y = (counter[0] + key[0]) & mask, (counter[1] + key[1]) & mask
    rotations = [13, 15, 26, 6, 17, 29, 16, 24]
    for step in range(20):
        r = rotations[step % 8]
        x = (x + y) & mask
        y = (((y << r) | (y >> (32 - r))) & mask) ^ x
        if step % 4 == 3:
            turn = step // 4 + 1
            x = (x + schedule[turn % 3]) & mask
            y = (y + schedule[(turn + 1) % 3] + turn) & mask
    return x, y


def test_threefry_known_answers() -> None:
    # the Random123 distribution's known-answer vectors
    assert threefry((0, 0), (0, 0)) == (0x6B200159, 0x99BA4EFE)
    assert threefry((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3)) == (0xC4923A9C, 0x483DF7A0)


@pytest.mark.parametrize("width", [1, 4])
def test_threefry_bits(width: int) -> None:
    key = (0x13198A2E, 0x03707344)
    count = 64
    element = "u32" if width == 1 else "vec4<u32>"
    index = "i" if width == 1 else "(vec4<u32>(i * 4u) + vec4<u32>(0u, 1u, 2u, 3u))"
    true = "true" if width == 1 else "vec4<bool>(true)"
    suffix = kernels.SUFFIX[width]
    call = f"gc_threefry{suffix}({key[0]}u, {key[1]}u, {element}(7u), {index}, "
    code = f"""
@group(0) @binding(0) var<storage, read_write> y: array<{element}>;
{kernels.math_source([("gc_threefry", width)])}
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3<u32>) {{
  let i = id.x;
  if (i < {count // width}u) {{
    y[i] = {call}!({true}));
    y[i + {count // width}u] = {call}{true});
  }}
}}"""
    made = webgpu.buffer(np.zeros(2 * count, np.uint32))
    webgpu.dispatch(code, [made], (1, 1, 1))
    want = np.array([threefry(key, (7, i)) for i in range(count)], np.uint32).T
    np.testing.assert_array_equal(webgpu.read(made, (2, count), np.uint32), want)
