"""Arrays for the example cases of the ops: made from a seed, small, of awkward sizes, with edge values."""

from __future__ import annotations

from typing import Final

import numpy as np

from graphc.ir.op import Case
from graphc.ir.types import NDArray

EDGES: Final = np.array(
    [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, -2.5, 1e-3, -7.25, 90.0, -90.0, np.inf, -np.inf, np.nan], np.float32
)
"""Float32 values at which functions tend to be wrong. Subnormals are left out: a device may flush them to zero."""

INTEGER_EDGES: Final = np.array([0, 1, -1, 2, -2, 3, -3, 7, -7, 31, 32, 33, -32, 2**31 - 1, -(2**31), 100], np.int32)
"""Int32 values at which arithmetic wraps, divides by zero, or changes its sign."""


def sample(*shape: int, low: float = -2.0, high: float = 2.0, seed: int = 0) -> NDArray:
    """A float32 array, uniform in [low, high)."""
    return np.random.default_rng(seed).uniform(low, high, shape).astype(np.float32)


def integers(*shape: int, low: int = -9, high: int = 10, seed: int = 0, dtype: str = "int32") -> NDArray:
    """An integer array, uniform in [low, high)."""
    return np.random.default_rng(seed).integers(low, high, shape).astype(dtype)


def booleans(*shape: int, seed: int = 0) -> NDArray:
    """A bool array."""
    return np.random.default_rng(seed).random(shape) < 0.5


def pairs(values: NDArray) -> tuple[NDArray, NDArray]:
    """Two arrays that bring each value together with each."""
    return values[:, None], values[None, :]


def unary_cases(low: float = -2.0, high: float = 2.0, rtol: float = 1e-6, edges: bool = True) -> tuple[Case, ...]:
    """Cases of a float function of one operand: a matrix, a vector of prime length, 0-d, no elements, edge values."""
    shapes: tuple[tuple[int, ...], ...] = ((3, 5), (131,), (), (0, 3))
    found = [Case((sample(*shape, low=low, high=high),), rtol=rtol) for shape in shapes]
    if edges:
        found.append(Case((EDGES,), rtol=rtol, grad=False))
    return tuple(found)


def binary_cases(
    low: float = -2.0,
    high: float = 2.0,
    rtol: float = 1e-6,
    integer: bool = True,
    edges: bool = True,
    grad: bool = True,
) -> tuple[Case, ...]:
    """Cases of a function of two operands: equal shapes, broadcasting either way, 0-d, no elements, integers, edges."""
    shapes: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...] = (
        ((7, 3), (7, 3)),
        ((3, 5), (5,)),
        ((2, 1, 3), (4, 1)),
        ((), (6,)),
        ((), ()),
        ((0, 3), (3,)),
        ((8, 16), (8, 16)),
    )
    found = [
        Case((sample(*a, low=low, high=high), sample(*b, low=low, high=high, seed=1)), rtol=rtol, grad=grad)
        for a, b in shapes
    ]
    if edges:
        found.append(Case(pairs(EDGES), rtol=rtol, grad=False))
    if integer:
        found += integer_cases()
    return tuple(found)


def integer_cases() -> tuple[Case, ...]:
    """Cases of a function of two integer operands, signed and unsigned, with the edges of their range."""
    return (
        Case((integers(5, 4), integers(4, seed=1))),
        Case(pairs(INTEGER_EDGES)),
        Case(pairs(INTEGER_EDGES.astype(np.uint32))),
    )
