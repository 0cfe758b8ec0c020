"""Remainders and integer powers of kernels/arith.wgsl against NumPy: `python -m tests.support.arith_exact`.

Prints one JSON object: the adapter, and for each function and width the number of wrong results and the first of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from graphc import kernels
from graphc.ops import by_name
from tests.support import webgpu

Array = np.ndarray[Any, Any]

EDGES: Final = np.array(
    [0.0, -0.0, 1, -1, 0.5, 2.5, -2.5, 7, -7, 1e9, -3.7e12, 0.1, 3e38, -3e38, 1e-30, 3e-29, np.inf, -np.inf, np.nan],
    np.float32,
)
WHOLE: Final = np.array([0, 1, -1, 2, -2, 3, 5, -7, 31, 32, 33, 46341, 2**31 - 1, -(2**31)], np.int32)


def floats() -> tuple[Array, Array]:
    """Each edge with each, then numbers of very different size."""
    rng = np.random.default_rng(0)
    a, b = ((rng.standard_normal(6000) * 10.0 ** rng.integers(-12, 12, 6000)).astype(np.float32) for _ in range(2))
    return _paired(EDGES, a, b)


def integers() -> tuple[Array, Array]:
    """Each edge with each, then random ones."""
    rng = np.random.default_rng(1)
    a, b = (rng.integers(-100, 100, 2000).astype(np.int32) for _ in range(2))
    return _paired(WHOLE, a, b)


def _paired(edges: Array, a: Array, b: Array) -> tuple[Array, Array]:
    left, right = np.meshgrid(edges, edges)
    joined = np.concatenate([left.ravel(), a]), np.concatenate([right.ravel(), b])
    whole = len(joined[0]) // 4 * 4
    return joined[0][:whole], joined[1][:whole]


def on_device(name: str, width: int, a: Array, b: Array) -> Array:
    """The function of every pair."""
    scalar = {"float32": "f32", "int32": "i32", "uint32": "u32"}[a.dtype.name]
    element = scalar if width == 1 else f"vec4<{scalar}>"
    code = f"""
@group(0) @binding(0) var<storage, read> a: array<{element}>;
@group(0) @binding(1) var<storage, read> b: array<{element}>;
@group(0) @binding(2) var<storage, read_write> y: array<{element}>;
{kernels.math_source([(name, width)])}
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3<u32>) {{
  let i = id.x;
  if (i < {len(a) // width}u) {{ y[i] = {name}{kernels.SUFFIX[width]}(a[i], b[i]); }}
}}"""
    buffers = [webgpu.buffer(v) for v in (a, b, np.zeros_like(a))]
    webgpu.dispatch(code, buffers, (-(-len(a) // 64), 1, 1))
    return webgpu.read(buffers[2], a.shape, a.dtype)


def same(got: Array, want: Array) -> Array:
    """Equal, with the sign of zero, and NaN where NaN is wanted. WGSL allows a subnormal result to be zero."""
    if got.dtype.kind != "f":
        return np.asarray(got == want)
    equal = (got == want) & (np.signbit(got) == np.signbit(want))
    tiny = (got == 0) & (want != 0) & (np.abs(want) < 2.0**-126)
    return np.asarray(equal | (np.isnan(got) & np.isnan(want)) | tiny)


def near(got: Array, want: Array) -> Array:
    """Equal to within the two roundings of a quotient."""
    with np.errstate(invalid="ignore"):
        return np.asarray(same(got, want) | (np.abs(got - want) <= 4e-7 * np.abs(want)))


CHECKS: Final[dict[str, tuple[Callable[[], tuple[Array, Array]], Callable[..., Any], Callable[..., Array], str]]] = {
    "gc_fmod": (floats, np.fmod, same, "float32"),
    "gc_mod": (floats, np.remainder, same, "float32"),
    "gc_floordiv": (floats, np.floor_divide, near, "float32"),
    "gc_ipow": (integers, by_name("pow").reference, same, "int32"),
    "gc_upow": (integers, np.power, same, "uint32"),
}


def report() -> dict[str, Any]:
    """The number of wrong results of each function and width, and an example."""
    found: dict[str, Any] = {"adapter": webgpu.adapter_name(), "wrong": {}}
    for name, (points, reference, agree, dtype) in CHECKS.items():
        a, b = (v.astype(dtype) for v in points())
        with np.errstate(all="ignore"):
            want = np.asarray(reference(a, b))
        for width in (1, 4):
            got = on_device(name, width, a, b)
            bad = np.flatnonzero(~agree(got, want))
            example = [str(v[bad[0]]) for v in (a, b, got, want)] if len(bad) else []
            found["wrong"][f"{name}/{width}"] = [len(bad), example]
    return found


if __name__ == "__main__":
    print(json.dumps(report()))
