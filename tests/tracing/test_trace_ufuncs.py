"""Every ufunc and operator that traces gives what NumPy gives: values, shapes and element types."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.support.operands import EDGE, B, C, H, K, N, P, X, Y
from tests.support.tracing import assert_same

UNARY = {
    "negative": X,
    "positive": X,
    "absolute": X,
    "fabs": X,
    "sign": EDGE,
    "square": X,
    "reciprocal": P,
    "sqrt": P,
    "cbrt": EDGE,
    "exp": X,
    "exp2": X,
    "expm1": X,
    "log": P,
    "log2": P,
    "log10": P,
    "log1p": P,
    "sin": X,
    "cos": X,
    "tan": X,
    "sinh": X,
    "cosh": X,
    "tanh": X,
    "arcsinh": X,
    "arccosh": P + 1,
    "arctanh": X / 3,
    "signbit": EDGE,
    "deg2rad": X,
    "radians": X,
    "rad2deg": X,
    "degrees": X,
    "arctan": EDGE,
    "arcsin": X / 2,
    "arccos": X / 2,
    "floor": EDGE,
    "ceil": EDGE,
    "rint": EDGE,
    "trunc": EDGE,
    "isnan": EDGE,
    "isfinite": EDGE,
    "isinf": EDGE,
    "logical_not": EDGE,
    "conjugate": X,
    "modf": X,
}

BINARY = {
    "add": (X, Y),
    "subtract": (X, Y),
    "multiply": (X, Y),
    "divide": (X, P),
    "true_divide": (X, P),
    "floor_divide": (X, P),
    "remainder": (X, P),
    "mod": (X, P),
    "fmod": (X, P),
    "power": (P, X),
    "float_power": (P, X),
    "maximum": (EDGE, EDGE[::-1]),
    "minimum": (EDGE, EDGE[::-1]),
    "fmax": (EDGE, EDGE[::-1]),
    "fmin": (EDGE, EDGE[::-1]),
    "hypot": (X, Y),
    "arctan2": (EDGE[:, None], EDGE),
    "copysign": (EDGE[:, None], EDGE),
    "logaddexp": (X, Y),
    "logaddexp2": (X, Y),
    "heaviside": (EDGE, np.float32(0.5)),
    "equal": (K, N),
    "not_equal": (K, N),
    "less": (X, Y),
    "less_equal": (K, N),
    "greater": (X, Y),
    "greater_equal": (K, N),
    "logical_and": (B, C),
    "logical_or": (X, K),
    "logical_xor": (B, C),
    "bitwise_and": (K, N),
    "bitwise_or": (B, C),
    "bitwise_xor": (K, N),
    "left_shift": (K, N),
    "right_shift": (K, N),
    "divmod": (X, P),
    "vecdot": (X, Y),
    "matmul": (X, Y.T),
}


@pytest.mark.parametrize("name", UNARY)
def test_unary_ufunc(name: str) -> None:
    assert_same(getattr(np, name), UNARY[name])


@pytest.mark.parametrize("name", BINARY)
def test_binary_ufunc(name: str) -> None:
    assert_same(getattr(np, name), *BINARY[name])


@pytest.mark.parametrize(
    "name",
    [
        "negative",
        "absolute",
        "sign",
        "square",
        "sqrt",
        "exp",
        "tanh",
        "floor",
        "rint",
        "isnan",
        "isinf",
        "isfinite",
        "invert",
        "reciprocal",
        "logical_not",
        "sin",
        "log1p",
        "fabs",
    ],
)
def test_unary_ufunc_of_integers(name: str) -> None:
    assert_same(getattr(np, name), N)


@pytest.mark.parametrize(
    "name",
    [
        "add",
        "multiply",
        "maximum",
        "minimum",
        "equal",
        "less",
        "greater_equal",
        "logical_and",
        "bitwise_xor",
        "true_divide",
    ],
)
def test_binary_ufunc_of_bools(name: str) -> None:
    with np.errstate(all="ignore"):
        assert_same(getattr(np, name), B, C | ~C if name == "true_divide" else C)


@pytest.mark.parametrize(
    "name", ["add", "subtract", "multiply", "true_divide", "floor_divide", "remainder", "power", "maximum", "less"]
)
@pytest.mark.parametrize("other", [2, 2.5, True, np.float32(1.5), np.float64(1.5), np.int64(3), N, X, H, B], ids=str)
@pytest.mark.parametrize("base", ["K", "P", "B", "H"])
def test_result_types_are_numpys(name: str, base: str, other: Any) -> None:
    ufunc = getattr(np, name)
    first = {"K": N, "P": P, "B": B, "H": np.abs(H) + 1}[base]
    if isinstance(other, np.ndarray) and other.dtype.kind == "f":
        other = np.abs(other) + 1
    try:
        with np.errstate(all="ignore"):
            wanted = ufunc(first, other)
    except TypeError:
        with pytest.raises(TypeError):
            assert_same(lambda a: ufunc(a, other), first)
    else:
        check_types(name, first, other, wanted, base)


def check_types(name: str, first: Any, other: Any, wanted: Any, base: str) -> None:
    """Both orders of the operands; no integer is divided by 0."""
    ufunc = getattr(np, name)
    if wanted.dtype.kind in "iu" and (base == "B" or isinstance(other, bool)) and name in ("floor_divide", "remainder"):
        other = 1 if isinstance(other, np.ndarray) and other.dtype == bool else other
    if isinstance(other, np.ndarray) and other.dtype == bool and name in ("floor_divide", "remainder", "true_divide"):
        other = other | True
    tolerance = 2e-3 if wanted.dtype == np.float16 else 2e-6
    assert_same(lambda a: ufunc(a, other), first, rtol=tolerance)
    assert_same(lambda a: ufunc(other, a), first | True if first.dtype == bool else first, rtol=tolerance)


OPERATORS: dict[str, Any] = {
    "arithmetic": lambda a, b: (a + b, a - b, a * b, a / b, a // b, a % b, a**b, -a, +a, abs(a)),
    "scalars": lambda a, b: (a + 1, 1 - a, 2 * a, 1 / a, a // 2, 7 % a, 2**a, 2.0**a, a - 0.5, divmod(a, 2)),
    "powers": lambda a, b: (a**1, a**2, a**3, a**4, a**0.5, a**-0.5, a**-1, a**-2, a**0, a**2.5, np.power(a, 2)),
    "comparisons": lambda a, b: (a < b, a <= b, a > b, a >= b, a == b, a != b, a < 1, a != 2),
    "chained": lambda a, b: ((a > 1) & (b > 1) | ~(a < 1), (a > 1) ^ (b > 1)),
}


@pytest.mark.parametrize("name", OPERATORS)
def test_operators(name: str) -> None:
    assert_same(OPERATORS[name], P, P[::-1].copy())


@pytest.mark.parametrize("other", [N, 3, np.int32(3)])
def test_integer_operators(other: Any) -> None:
    assert_same(lambda a: (a & other, a | other, a ^ other, a << other, a >> other, other & a, other << a % 3, ~a), K)
    assert_same(lambda a: (a // other, a % other, a**2, a**3, divmod(a, other), a / other, abs(a), -a), K)


def test_arrays_on_the_left() -> None:
    assert_same(lambda a: (X + a, X - a, X @ a.T, X**2 * a, np.float32(2) * a, np.float64(2) - a), Y)
