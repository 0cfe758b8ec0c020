"""Error of kernels/math.wgsl against float64 on the adapter of this process: `python -m tests.support.math_accuracy`.

Prints one JSON object: the adapter, and for each function and width the worst error in ULP and where it is. Denormal
arguments may count as zero and denormal results may be zero, as WGSL allows.
"""

from __future__ import annotations

import itertools
import json
import math
import sys
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from graphc import kernels
from tests.support import webgpu

COUNT: Final = 1 << 20
SMALLEST: Final = 2.0**-126
Array = np.ndarray[Any, Any]

EDGES: Final = (
    (0.0, 1e-45, 1e-38, 1.17549435e-38, 1.2e-38, 1e-30, 1e-8, 1e-4, np.inf, np.nan, 3.4028235e38, 1e30, 1e10, 1e5, 8e4),
    (1.0, 0.5, 2.0, 3.0, 1.5, 2.5, 4.0, 20.0, 100.0, 1e4, 0.99999994, 1.0000001, 8388609.0, 16777215.0, 16777216.0),
    (math.pi, math.pi / 2, math.pi / 4, math.tau, 0.41421357, 1.4142135, 1.4142137, 0.70710677, 0.7071068, 0.999),
    (88.72283, 88.72284, 87.33655, 103.97, 104.5, 9.010913, 0.625, 0.92, 3.92, 0.34657, 126.0, 127.0, 127.99999, 149.0),
)
SPECIAL: Final = np.array([sign * edge for row in EDGES for edge in row for sign in (1, -1)], np.float32)


def erf(x: Array) -> Array:
    return np.array([math.erf(v) for v in x.tolist()])


UNARY: Final[dict[str, tuple[Callable[[Array], Array], tuple[float, float], float]]] = {
    # reference, the range in which most points are uniform, the largest magnitude that counts
    "exp": (np.exp, (-104.0, 89.0), np.inf),
    "log": (np.log, (0.25, 4.0), np.inf),
    "log1p": (np.log1p, (-1.0, 3.0), np.inf),
    "expm1": (np.expm1, (-18.0, 89.0), np.inf),
    "tanh": (np.tanh, (-10.0, 10.0), np.inf),
    "sigmoid": (lambda x: 1 / (1 + np.exp(-x)), (-105.0, 20.0), np.inf),
    "erf": (erf, (-4.5, 4.5), np.inf),
    "sin": (np.sin, (-1e5, 1e5), np.inf),
    "cos": (np.cos, (-1e5, 1e5), np.inf),
    "atan": (np.arctan, (-4.0, 4.0), np.inf),
    "log2": (np.log2, (0.25, 4.0), np.inf),
    "log10": (np.log10, (0.25, 4.0), np.inf),
    "cbrt": (np.cbrt, (-8.0, 8.0), np.inf),
    "sinh": (np.sinh, (-90.0, 90.0), np.inf),
    "cosh": (np.cosh, (-90.0, 90.0), np.inf),
    "tan": (np.tan, (-1e5, 1e5), np.inf),
    "asin": (np.arcsin, (-1.0, 1.0), np.inf),
    "acos": (np.arccos, (-1.0, 1.0), np.inf),
    "asinh": (np.arcsinh, (-10.0, 10.0), np.inf),
    "acosh": (np.arccosh, (1.0, 10.0), np.inf),
    "atanh": (np.arctanh, (-1.0, 1.0), np.inf),
}
BINARY: Final[dict[str, Callable[..., Array]]] = {"pow": np.power, "atan2": np.arctan2, "hypot": np.hypot}


def any_float(rng: np.random.Generator, count: int) -> Array:
    """Floats of all bit patterns."""
    return rng.integers(0, 1 << 32, count, dtype=np.uint32).view(np.float32)


def points(low: float, high: float, limit: float) -> Array:
    """Uniform in the range; then all bit patterns, near zero and one, near multiples of pi / 2, and the edges."""
    rng = np.random.default_rng(7)
    quarter = COUNT // 4
    wide = any_float(rng, quarter)
    close = rng.uniform(-2, 2, quarter) * 2.0 ** rng.integers(-24, 1, quarter)
    near = np.concatenate([close[::2], 1 + close[1::2] * 0.5]).astype(np.float32)
    turns = rng.integers(-6366, 6367, quarter // 4) * 2 ** rng.choice([0, 0, 1, 2, 8, 16, 32], quarter // 4)
    around = (np.pi / 2 * turns).astype(np.float32)
    x = np.concatenate([rng.uniform(low, high, COUNT).astype(np.float32), wide, near, around, SPECIAL])
    if np.isfinite(limit):
        x = x[~(np.abs(x) > limit) | np.isinf(x)]
    return np.concatenate([x, np.zeros(-len(x) % 4, np.float32)])


def pow_points() -> tuple[Array, Array]:
    """Random pairs, pairs whose power is in range, decay rates to high powers, integer powers, and all edge pairs."""
    rng = np.random.default_rng(8)
    part = COUNT // 8
    x = [any_float(rng, part), np.exp2(rng.uniform(-20, 20, 3 * part))]
    y = [any_float(rng, part), rng.uniform(-6, 6, 3 * part)]
    x.append(1 + rng.uniform(-1, 1, 2 * part) * 2.0 ** rng.integers(-20, 0, 2 * part))
    y.append(rng.uniform(-126, 127, 2 * part) / np.maximum(np.abs(np.log2(x[-1])), 1e-9))
    x.append(rng.choice(np.array([0.9, 0.95, 0.99, 0.999, 0.9999, 0.99999]), part))
    y.append(rng.integers(0, 100_001, part))
    x.append(rng.uniform(-8, 8, part))
    y.append(rng.integers(-40, 41, part))
    a, b = np.meshgrid(SPECIAL, SPECIAL)
    xs = np.concatenate([*(v.astype(np.float32) for v in x), a.ravel()])
    ys = np.concatenate([*(v.astype(np.float32) for v in y), b.ravel()])
    pad = np.zeros(-len(xs) % 4, np.float32)
    return np.concatenate([xs, pad]), np.concatenate([ys, pad])


def on_device(name: str, width: int, *args: Array) -> Array:
    """`gc_<name>` of the arguments, computed on the adapter at this width."""
    element = "f32" if width == 1 else "vec4<f32>"
    count = len(args[0]) // width
    lines = [
        f"@group(0) @binding({at}) var<storage, read{'_write' if at == len(args) else ''}> b{at}: array<{element}>;"
        for at in range(len(args) + 1)
    ]
    call = ", ".join(f"b{at}[i]" for at in range(len(args)))
    code = "\n".join(lines) + kernels.math_source([(f"gc_{name}", width)], "b0")
    code += f"""@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3<u32>) {{
  let i = id.x + id.y * 65536u;
  if (i < {count}u) {{ b{len(args)}[i] = gc_{name}{kernels.SUFFIX[width]}({call}); }}
}}"""
    buffers = [webgpu.buffer(a) for a in (*args, np.zeros_like(args[0]))]
    webgpu.dispatch(code, buffers, (1024, -(-count // 65536), 1))
    return webgpu.read(buffers[-1], args[0].shape, np.float32)


def ulps(got: Array, want: Array) -> Array:
    """Distance from the float64 result in units of float32's last place; infinite where NaN or infinity differ."""
    with np.errstate(all="ignore"):
        size = np.maximum(np.abs(want), SMALLEST)
        step = np.exp2(np.floor(np.log2(np.minimum(size, 2.0**127))) - 23)
        value = got.astype(np.float64)
        value = np.where(np.isinf(value) & (np.abs(want) < 2.0**129), np.copysign(2.0**128, value), value)
        error = np.abs(value - want) / step
        error = np.where(np.isinf(want) & (got == want), 0.0, error)
        error = np.where((np.abs(want) >= 2.0**128) & np.isinf(got) & (np.sign(got) == np.sign(want)), 0.0, error)
        error = np.where((np.abs(want) < SMALLEST) & (got == 0), 0.0, error)
        both, one = np.isnan(got) & np.isnan(want), np.isnan(got) != np.isnan(want)
        return np.where(both, 0.0, np.where(one | np.isnan(error), np.inf, error))


def flushed(x: Array) -> Array:
    """Denormals as zero of the same sign."""
    return np.where(np.abs(x) < np.float32(SMALLEST), np.copysign(np.float32(0), x), x)


def worst(name: str, width: int) -> dict[str, Any]:
    """The largest error of one function at one width, and its arguments."""
    with np.errstate(all="ignore"):
        if name in BINARY:
            args: tuple[Array, ...] = pow_points()
            reference: Callable[..., Array] = BINARY[name]
        else:
            reference, (low, high), limit = UNARY[name]
            args = (points(low, high, limit),)
        got = on_device(name, width, *args)
        error = ulps(got, reference(*(a.astype(np.float64) for a in args)))
        small = np.any([(np.abs(a) < SMALLEST) & (a != 0) for a in args], axis=0)
        for choice in itertools.product(*([a[small], flushed(a[small])] for a in args)):
            error[small] = np.minimum(
                error[small], ulps(got[small], reference(*(a.astype(np.float64) for a in choice)))
            )
    at = int(np.argmax(error))
    return {"ulp": float(error[at]), "at": [repr(float(a[at])) for a in args], "got": repr(float(got[at]))}


def main() -> None:
    """Print the table."""
    names = sys.argv[1:] or [*UNARY, *BINARY]
    table = {f"{name}/{width}": worst(name, width) for name in names for width in (1, 4)}
    print(json.dumps({"adapter": webgpu.adapter_name(), "worst": table}))


if __name__ == "__main__":
    main()
