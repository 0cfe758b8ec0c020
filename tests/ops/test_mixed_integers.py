"""Integers of different types in one operation: NumPy's result, or DTypeError where 32 bits do not hold it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.errors import DTypeError

UNSIGNED = np.array([0, 1, 3_000_000_000, 4_294_967_295, 7], np.uint32)
SIGNED: dict[str, Any] = {
    "int32": np.array([0, -1, 7, -(1 << 31), (1 << 31) - 1], np.int32),
    "int64": np.array([0, -1, 7, -(1 << 31), (1 << 31) - 1], np.int64),
    "int16": np.array([0, -1, 7, -32768, 32767], np.int16),
    "uint8": np.array([0, 1, 7, 255, 200], np.uint8),
    "int8": np.array([0, -1, 7, -128, 127], np.int8),
}
COMPARISONS = (np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal)
DEVICES = ("wgpu", "numpy")


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kind", SIGNED)
def test_comparisons_of_integers_with_and_without_a_sign(kind: str, device: str) -> None:
    a, b = UNSIGNED[:, None], SIGNED[kind][None, :]

    def compare(a: Any, b: Any) -> Any:
        return [f(a, b) for f in COMPARISONS] + [f(b, a) for f in COMPARISONS]

    for found, wanted in zip(graphc.compile(compare, device=device)(a, b), compare(a, b), strict=True):
        np.testing.assert_array_equal(np.asarray(found), wanted)
    # A constant beside an argument.
    for found, wanted in zip(graphc.compile(lambda a: compare(a, b), device=device)(a), compare(a, b), strict=True):
        np.testing.assert_array_equal(np.asarray(found), wanted)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("number", [-1, 0, 1, 7, 3_000_000_000, 1 << 40, -(1 << 40)])
def test_comparisons_with_numbers_of_any_size(number: int, device: str) -> None:
    def compare(x: Any) -> Any:
        return [f(x, number) for f in COMPARISONS] + [f(number, x) for f in COMPARISONS]

    for x in (UNSIGNED, SIGNED["int32"]):
        for found, wanted in zip(graphc.compile(compare, device=device)(x), compare(x), strict=True):
            np.testing.assert_array_equal(np.asarray(found), wanted)


ARITHMETIC: dict[str, Callable[..., Any]] = {
    **{f.__name__: f for f in (np.add, np.subtract, np.multiply, np.floor_divide, np.remainder, np.maximum)},
    **{f.__name__: f for f in (np.bitwise_and, np.bitwise_or, np.left_shift, np.right_shift, np.power)},
    "where": lambda a, b: np.where(a > 1, a, b),
    "concatenate": lambda a, b: np.concatenate([a, b]),
    "stack": lambda a, b: np.stack([a, b]),
    "matmul": np.matmul,
}


@pytest.mark.parametrize("name", ARITHMETIC)
def test_what_32_bits_cannot_hold_is_refused(name: str) -> None:
    for a, b in itertools.permutations((UNSIGNED, SIGNED["int32"])):
        with pytest.raises(DTypeError, match=r"uint32 and a signed integer in int64.*astype\(np\.int32\)"):
            graphc.trace(ARITHMETIC[name], a, b)
    alike = UNSIGNED.astype(np.int32, casting="unsafe")
    graphc.trace(ARITHMETIC[name], alike, SIGNED["int32"])


@pytest.mark.parametrize("device", DEVICES)
def test_quotients_and_python_numbers_stay_as_they_are(device: str) -> None:
    def functions(a: Any, b: Any) -> Any:
        return a / b, a + 1, a * True, a // 7, np.where(b > 0, a, 0), a + (b > 0), a.astype(np.int32) + b

    a, b = UNSIGNED, SIGNED["int32"] + (SIGNED["int32"] == 0)
    for found, wanted in zip(graphc.compile(functions, device=device)(a, b), functions(a, b), strict=True):
        np.testing.assert_allclose(np.asarray(found).astype(np.float64), wanted.astype(np.float64), rtol=1e-6)
