"""NumPy's results at special values, on the adapter of this process: `python -m tests.special_values [DTYPE ...]`.

Every function of two operands, with operands that come as arguments, as a constant on either side, or as one value
twice, over zeros, infinities, NaN, tiny and huge numbers; alone, and between other operations of one kernel. Prints one
JSON object: the adapter, how many results were compared, and those that differ from NumPy's.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np

import graphc

Array = Any
Function = Callable[..., Array]

FLOATS: Final = {
    "float32": np.array([0.0, -0.0, 1.0, -1.0, 2.5, -7.25, np.inf, -np.inf, np.nan, 1e-30, -1e-30, 5e37, -5e37]),
    "float16": np.array([0.0, -0.0, 1.0, -1.0, 2.5, -7.25, np.inf, -np.inf, np.nan, 2e-4, -2e-4, 1e4, -1e4]),
}
INTEGERS: Final = {
    "int32": np.array([0, 1, -1, 2, -2, 7, -7, 31, 32, 33, 1 << 16, -(1 << 16), (1 << 31) - 1, -(1 << 31)]),
    "uint32": np.array([0, 1, 2, 7, 31, 32, 33, 1 << 16, (1 << 31) - 1, 1 << 31, (1 << 32) - 1]),
}
CONSTANTS: Final = {
    "float": (0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan),
    "int": (0, 1, -1, -(1 << 31)),
    "uint": (0, 1, (1 << 32) - 1),
}
COMPARISONS: Final[tuple[Function, ...]] = (
    *(np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal),
)
BOTH: Final[tuple[Function, ...]] = (
    *(np.add, np.subtract, np.multiply, np.floor_divide, np.remainder, np.fmod, np.maximum, np.minimum),
    *COMPARISONS,
)
OF_FLOATS: Final[tuple[Function, ...]] = (
    *(*BOTH, np.true_divide, np.power, np.fmax, np.fmin, np.copysign, np.arctan2, np.hypot, np.logaddexp),
    np.heaviside,
)
OF_INTEGERS: Final[tuple[Function, ...]] = (
    *(*BOTH, np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.left_shift, np.right_shift),
)
UNSIGNED_ZEROS: Final = ("maximum", "minimum", "fmax", "fmin", "power", "floor_divide")
"""Functions of which NumPy does not say which zero they give where operands are zeros of both signs, or tiny."""


def forms(function: Function, dtype: np.dtype[Any], together: bool) -> Iterator[tuple[str, Callable[..., Array]]]:
    """The ways to bring operands to a function of two: `f(x, y, one)` each. together: among other operations."""

    def before(x: Array, one: Array) -> Array:
        return x * one if together else x

    def after(x: Array, one: Array) -> Array:
        return np.where(one == 1, x, np.zeros_like(x)) if together else x

    name = getattr(function, "__name__", "function")
    yield f"{name}(x, y)", lambda x, y, one: after(function(before(x, one), before(y, one)), one)
    yield f"{name}(x, x)", lambda x, y, one: after(function(before(x, one), before(x, one)), one)
    kind = {"f": "float", "i": "int", "u": "uint"}[dtype.kind]
    for number in CONSTANTS[kind]:
        c = dtype.type(number)
        yield f"{name}(x, {number})", lambda x, y, one, c=c: after(function(before(x, one), c), one)
        yield f"{name}({number}, x)", lambda x, y, one, c=c: after(function(c, before(x, one)), one)


def agree(got: Array, want: Array, name: str) -> Array:
    """Where two results are of one kind, and equal or near. Denormal numbers may be zero."""
    got, want = np.asarray(got), np.asarray(want)
    if want.dtype.kind != "f":
        return got == want
    info = np.finfo(want.dtype)
    size = np.maximum(np.abs(want.astype(np.float64)), float(info.tiny))
    near = np.abs(got.astype(np.float64) - want.astype(np.float64)) <= 8 * float(info.eps) * size
    flushed = (np.abs(want) < info.tiny) & (got == 0)
    signs = (np.signbit(got) == np.signbit(want)) | (name.partition("(")[0] in UNSIGNED_ZEROS)
    same = np.where(want == 0, (got == 0) & signs, (got == want) | near | flushed)
    return np.where(np.isnan(want), np.isnan(got), same)


def check(dtype: str, together: bool) -> tuple[int, list[str]]:
    """How many results were compared, and those that are wrong."""
    values = {**FLOATS, **INTEGERS}[dtype].astype(dtype)
    functions = OF_FLOATS if dtype in FLOATS else OF_INTEGERS
    x, y = (v.copy() for v in np.broadcast_arrays(values[:, None], values[None, :]))
    one, compared, wrong = np.ones((), dtype), 0, []
    for function in functions:
        named = dict(forms(function, np.dtype(dtype), together))
        options: dict[str, Any] = {} if together else {"passes": ()}

        def all_forms(x: Array, y: Array, one: Array, named: dict[str, Function] = named) -> list[Array]:
            return [form(x, y, one) for form in named.values()]

        found = graphc.compile(all_forms, **options)(x, y, one)
        for name, form, got in zip(named, named.values(), found, strict=True):
            want = form(x, y, one)
            compared += x.size
            bad = np.argwhere(~agree(got, want, name))
            if len(bad):
                at = tuple(bad[0])
                wrong.append(
                    f"{name} of {dtype}{' among others' if together else ''}, {len(bad)} of {x.size}: x {x[at]!r}, "
                    f"y {y[at]!r}: {np.asarray(got)[at]!r}, NumPy {np.asarray(want)[at]!r}"
                )
    return compared, wrong


def main() -> None:
    """Print the report."""
    compared, wrong = 0, []
    device: Any = graphc.device("wgpu")
    with np.errstate(all="ignore"):
        for dtype in sys.argv[1:] or ("float32", "int32", "uint32", "float16"):
            if dtype == "float16" and "shader-f16" not in device.target.features:
                continue
            for together in (False, True):
                count, bad = check(dtype, together)
                compared, wrong = compared + count, wrong + bad
    print(json.dumps({"adapter": str(device), "compared": compared, "wrong": wrong}))


if __name__ == "__main__":
    main()
