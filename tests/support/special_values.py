"""NumPy's results at special values, on the adapter of this process.

`python -m tests.support.special_values [--few] [DTYPE ...]`

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
from graphc import nn

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
    *BOTH,
    *(np.true_divide, np.power, np.fmax, np.fmin, np.copysign, np.arctan2, np.hypot, np.logaddexp, np.heaviside),
)
OF_INTEGERS: Final[tuple[Function, ...]] = (
    *BOTH,
    *(np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.left_shift, np.right_shift),
)
OF_ONE: Final[tuple[Function, ...]] = (
    *(np.negative, np.absolute, np.sign, np.square, np.sqrt, np.cbrt, np.reciprocal, np.floor, np.ceil, np.trunc),
    *(np.rint, np.exp, np.exp2, np.expm1, np.log, np.log2, np.log10, np.log1p, np.sinh, np.cosh, np.tanh),
    *(np.arcsin, np.arccos, np.arctan, np.arcsinh, np.arccosh, np.arctanh, np.isnan, np.isinf, np.isfinite),
    *(nn.sigmoid, nn.relu, nn.silu, nn.gelu, lambda x: 1 / np.sqrt(x), lambda x: x**3, lambda x: x**-2),
)
OF_ONE_INTEGER: Final[tuple[Function, ...]] = (np.negative, np.absolute, np.sign, np.square, np.invert)
FEW: Final[tuple[Function, ...]] = (
    *(np.add, np.subtract, np.multiply, np.true_divide, np.floor_divide, np.maximum, np.not_equal, np.less_equal),
)
"""What is left with `--few`, among others alone."""

UNSIGNED_ZEROS: Final = ("maximum", "minimum", "fmax", "fmin", "power", "floor_divide")
"""Functions of which NumPy does not say which zero they give where operands are zeros of both signs, or tiny."""

BAD: Final = np.array([1.5, np.inf, -np.inf, np.nan, 0.0, -2.0, 1e-3, 4e37], np.float32)

CHAINS: Final[dict[str, Function]] = {
    "a sum less a term": lambda x, y: (x + y) - y,
    "a term back after it was taken": lambda x, y: (x - y) + y,
    "sums that are equal": lambda x, y: (x + 1.5) - (x + 1.5),
    "products that cancel": lambda x, y: x * y - y * x,
    "a common factor": lambda x, y: x * y - x * 2.0,
    "a factor divided out": lambda x, y: x * y / y,
    "one less one more": lambda x, y: (x + 1.0) - 1.0,
    "a sum less itself, and back": lambda x, y: (x - x) + x,
    "a number added and taken twice": lambda x, y: ((x * 2 + 1.5) - 1.5) * 3 + 1.5 - 1.5,
    "infinity added and taken": lambda x, y: (x + np.inf) - np.inf,
    "zero added, and a factor": lambda x, y: (x + np.float32(0)) * np.float32(0),
    "a huge factor of a product": lambda x, y: (x * 1e-30 * y) * 1e38,
    "a huge factor of a mask": lambda x, y: x * (y != y) * 1e20,
    "overflow and back": lambda x, y: (x * 3e38) * 1e-30,
    "a tiny divisor, then a huge one": lambda x, y: x / 1e-30 / 1e30,
    "twice a reciprocal": lambda x, y: 1.0 / (1.0 / (x + y)),
    "a computed zero": lambda x, y: x * (y * 0.0),
    "over a computed zero": lambda x, y: x / (y * 0.0),
    "0 / 0": lambda x, y: (x * 0) / (y * 0),
    "log of zero times x": lambda x, y: np.log(0 * x),
    "the root of a square": lambda x, y: np.sqrt(x * x),
    "the square of a root": lambda x, y: np.sqrt(x) * np.sqrt(x),
    "the negative of a difference": lambda x, y: -(x - y),
    "a mask as a factor": lambda x, y: x * (y > 0),
    "the lesser, chosen": lambda x, y: np.where(x <= y, x, y),
    "what is positive": lambda x, y: np.where(x <= 0, 0, x),
    "the size, chosen": lambda x, y: np.where(x < 0, -x, x),
    "below both": lambda x, y: (x < y) & (x < y * np.float32(0)),
    "not below": lambda x, y: ~(x < 1),
    "unlike itself": lambda x, y: np.where(x != x, 1.0, x - x),
    "between bounds": lambda x, y: np.minimum(np.maximum(x, 0), 1),
    "a difference from zero": lambda x, y: (x - y) == 0,
    "less than a sum": lambda x, y: x + y < x,
    "what is left of the whole": lambda x, y: x - np.floor(x),
    "a view of itself": lambda x, y: x - np.flip(np.flip(x)) + np.reshape(np.reshape(x, (2, 4)), (8,)) * 0,
    "the centre of rows of one": lambda x, y: x[:, None] - np.mean(x[:, None], axis=1, keepdims=True),
    "what is left of rows of two": lambda x, y: np.sum(x.reshape(4, 2), axis=1, keepdims=True) - x.reshape(4, 2),
    "the sum of nothing over nothing": lambda x, y: np.sum(np.zeros_like(x, shape=(2, 0)), axis=1) / 0.0 + x[:2],
    "a product with zeros": lambda x, y: x.reshape(2, 4) @ np.zeros((4, 3), np.float32),
}
"""Operations of which one undoes another, so that drivers drop both."""


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
    near &= np.isfinite(want)
    flushed = (np.abs(want) < info.tiny) & (got == 0)
    signs = (np.signbit(got) == np.signbit(want)) | (name.partition("(")[0] in UNSIGNED_ZEROS)
    same = np.where(want == 0, (got == 0) & signs, (got == want) | near | flushed)
    return np.where(np.isnan(want), np.isnan(got), same)


def check(dtype: str, together: bool, few: bool) -> tuple[int, list[str]]:
    """How many results were compared, and those that are wrong."""
    values = {**FLOATS, **INTEGERS}[dtype].astype(dtype)
    functions = [f for f in (OF_FLOATS if dtype in FLOATS else OF_INTEGERS) if not few or f in FEW]
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


def check_one(dtype: str) -> tuple[int, list[str]]:
    """The same for functions of one operand: of an argument, and of what other operations make of it."""
    values = {**FLOATS, **INTEGERS}[dtype].astype(dtype)
    functions = OF_ONE if dtype in FLOATS else OF_ONE_INTEGER

    def all_functions(x: Array, one: Array) -> list[Array]:
        return [f(x) for f in functions] + [np.where(one == 1, f(x * one), one > 2) for f in functions]

    found, wanted = (
        graphc.compile(all_functions)(values, np.ones((), dtype)),
        all_functions(values, values.dtype.type(1)),
    )
    wrong = []
    for number, (got, want) in enumerate(zip(found, wanted, strict=True)):
        name = getattr(functions[number % len(functions)], "__name__", "function")
        bad = np.flatnonzero(~agree(got, np.asarray(want).astype(np.asarray(got).dtype), name))
        wrong += [f"{name} of {values[at]!r}: {np.asarray(got)[at]!r}, NumPy {np.asarray(want)[at]!r}" for at in bad]
    return len(wanted) * len(values), wrong


def check_chains(count: int, fused: bool) -> tuple[int, list[str]]:
    """The same for chains, over `count` elements at a time, so that kernels read vectors or not."""
    of_eight = ("view", "rows", "product with")
    chains = {name: f for name, f in CHAINS.items() if count == 8 or not any(word in name for word in of_eight)}
    options: dict[str, Any] = {} if fused else {"passes": ()}

    def all_chains(x: Array, y: Array) -> dict[str, Array]:
        return {name: chain(x, y) for name, chain in chains.items()}

    compiled = graphc.compile(all_chains, **options)
    compared, wrong = 0, []
    for number in BAD:
        x, y = BAD[:count], np.full(count, number)
        found, wanted = compiled(x, y), all_chains(x, y)
        for name, result in wanted.items():
            got = np.asarray(found[name])
            want = np.asarray(result).astype(got.dtype)
            compared += want.size
            if not agree(got, want, name).all():
                wrong.append(f"{name}{'' if fused else ', unfused'}: x {x}, y {number}: {got}, NumPy {want}")
    return compared, wrong


def main() -> None:
    """Print the report."""
    compared = 0
    wrong: list[Any] = []
    device: Any = graphc.device("wgpu")
    few = "--few" in sys.argv
    with np.errstate(all="ignore"):
        for dtype in [a for a in sys.argv[1:] if a != "--few"] or [*FLOATS, *INTEGERS]:
            if dtype == "float16" and "shader-f16" not in device.target.features:
                continue
            count, bad = check_one(dtype)
            compared, wrong = compared + count, wrong + bad
            for together in (True,) if few else (False, True):
                count, bad = check(dtype, together, few)
                compared, wrong = compared + count, wrong + bad
        for fused in (True, False):
            for size in (8, 7):
                count, bad = check_chains(size, fused)
                compared, wrong = compared + count, wrong + bad
    print(json.dumps({"adapter": str(device), "compared": compared, "wrong": wrong}))


if __name__ == "__main__":
    main()
