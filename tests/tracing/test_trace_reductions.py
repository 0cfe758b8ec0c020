"""Every reduction that traces gives what NumPy gives: values, shapes and element types."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc
from graphc.errors import DTypeError
from graphc.tracing.scans import ASSOCIATIVE
from tests.support.operands import B, H, M, N, T, X
from tests.support.tracing import assert_same

ufuncs: Any = np
"""NumPy, whose types leave out some calls of `reduce`."""

REDUCTIONS: dict[str, Any] = {
    "sum": np.sum,
    "prod": np.prod,
    "mean": np.mean,
    "var": np.var,
    "std": np.std,
    "max": np.max,
    "min": np.min,
    "amax": np.amax,
    "amin": np.amin,
    "any": np.any,
    "all": np.all,
    "ptp": np.ptp,
    "count_nonzero": np.count_nonzero,
}


@pytest.mark.parametrize("name", REDUCTIONS)
@pytest.mark.parametrize("axis", [None, 0, -1, (0, 2), (1,), ()])
@pytest.mark.parametrize("keepdims", [False, True])
def test_reductions(name: str, axis: Any, keepdims: bool) -> None:
    assert_same(lambda t: REDUCTIONS[name](t, axis=axis, keepdims=keepdims), T)


@pytest.mark.parametrize("name", [n for n in REDUCTIONS if n != "ptp"])
@pytest.mark.parametrize("operand", [N, B, H], ids=["int", "bool", "half"])
def test_reductions_of_other_types(name: str, operand: Any) -> None:
    assert_same(lambda t: REDUCTIONS[name](t, 1), operand, rtol=4e-3 if operand is H else 2e-6, atol=2e-3)


@pytest.mark.parametrize("name", ["argmax", "argmin"])
@pytest.mark.parametrize("operand", [T, N, B], ids=["float", "int", "bool"])
def test_positions_of_extrema(name: str, operand: Any) -> None:
    fn = getattr(np, name)
    assert_same(
        lambda t: (fn(t), fn(t, 0), fn(t, axis=-1), fn(t, axis=1, keepdims=True), fn(t, keepdims=True)), operand
    )


OTHER_REDUCTIONS: dict[str, Any] = {
    "dtype": lambda x: (np.sum(x, dtype=np.int32), np.mean(x, dtype=np.float16), np.prod(x, 0, dtype="float32")),
    "ddof": lambda x: (np.var(x, ddof=1), np.std(x, axis=1, ddof=1), np.var(x, 0, correction=1)),
    "mean of var": lambda x: np.var(x, axis=1, mean=np.mean(x, axis=1, keepdims=True)),
    "methods": lambda x: (
        x.sum(),
        x.mean(0),
        x.var(1),
        x.std(),
        x.max(),
        x.min(-1),
        x.prod(1),
        x.argmax(),
        x.argmin(1),
    ),
    "method keepdims": lambda x: (
        x.sum(axis=1, keepdims=True),
        x.mean(-1, keepdims=True),
        (x > 0).any(1),
        (x > 0).all(),
    ),
    "cumsum": lambda x: (np.cumsum(x), np.cumsum(x, axis=0), np.cumsum(x, -1), x.cumsum(1)),
    "ufunc reduce": lambda x: (
        ufuncs.add.reduce(x),
        ufuncs.add.reduce(x, axis=None),
        ufuncs.multiply.reduce(x, axis=1),
    ),
    "ufunc extrema": lambda x: (ufuncs.maximum.reduce(x, axis=1, keepdims=True), ufuncs.minimum.reduce(x)),
    "ufunc logic": lambda x: (ufuncs.logical_and.reduce(x > 0), ufuncs.logical_or.reduce(x > 0, axis=1)),
    "accumulate": lambda x: (np.add.accumulate(x), np.add.accumulate(x, axis=1)),
    "ufunc outer": lambda x: (np.multiply.outer(x, x[0]), np.subtract.outer(x[:, 0], x)),
    "average": lambda x: (np.average(x), np.average(x, 1), np.average(x, axis=0, weights=np.array([1.0, 2, 3], "f4"))),
    "nansum": lambda x: (np.nansum(np.where(x > 0, np.float32(np.nan), x), 1), np.nanprod(x)),
    "nan extrema": lambda x: tuple(
        f(np.where(x > 1, np.float32(np.nan), x), 1) for f in (np.nanmax, np.nanmin, np.nanmean)
    ),
    "dtype of ufunc": lambda x: np.add(x, 1, dtype=np.float16).astype(np.float32),
}


@pytest.mark.parametrize("name", OTHER_REDUCTIONS)
def test_other_reductions(name: str) -> None:
    assert_same(OTHER_REDUCTIONS[name], X, rtol=2e-3 if "dtype" in name else 2e-6)


def test_zero_size_arrays() -> None:
    empty = np.zeros((0, 4), np.float32)
    assert_same(
        lambda e: (
            e + 1,
            np.sum(e),
            np.sum(e, 0),
            np.prod(e, 0),
            e @ M,
            np.concatenate([e, X]),
            e.T,
            e[:, 1:],
            np.any(e),
            np.all(e > 0, axis=0),
            np.roll(e, 1, 0),
            np.tile(e, (2, 1)),
            np.cumsum(e, 0),
            e.reshape(4, 0),
            e[::-1],
        ),
        empty,
    )


def test_zero_dimensional_arrays() -> None:
    zero = np.float32(1.5)
    assert_same(
        lambda z: (z + 1, np.sum(z), z * X, np.reshape(z, (1, 1)), z[None], z[...], z[()], np.max(z), z.T), zero
    )


@pytest.mark.parametrize("ufunc", [np.hypot, np.logaddexp, np.logaddexp2])
@pytest.mark.parametrize("dtype", [np.int32, np.uint32, bool])
def test_a_ufunc_of_floats_has_no_results_of_another_dtype(ufunc: Any, dtype: Any) -> None:
    """As NumPy, which finds no loop for them."""
    x = np.ones((2, 3), np.float32)
    for fn in (ufunc.reduce, ufunc.accumulate):
        with pytest.raises(TypeError):
            fn(x, dtype=dtype)
        with pytest.raises(DTypeError, match="cannot be of dtype"):
            graphc.trace(lambda x, fn=fn: fn(x, dtype=dtype), x)
        np.testing.assert_allclose(graphc.compile(lambda x, fn=fn: fn(x), device="numpy")(x), fn(x), rtol=1e-6)


MASK = np.array([[True, False, True], [False, False, False]])
TRUTHS = np.array([[True, True, False], [False, True, True]])
REDUCED = [
    *((u, np.array([[1, 2, 3], [4, 5, 6]], np.float32), 1.5) for u in ASSOCIATIVE if "ff->f" in u.types),
    *((u, np.array([[1, 2, 3], [4, 5, 6]], np.int32), 5) for u in ASSOCIATIVE if "ii->i" in u.types),
    *(
        (u, MASK.T[:2, :2].repeat(2, 1)[:, :3], k)
        for u in (np.logical_and, np.logical_or, np.logical_xor)
        for k in (True, False)
    ),
]


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize(("ufunc", "x", "initial"), REDUCED)
def test_what_is_masked_counts_nothing(ufunc: Any, x: Any, initial: Any, axis: int) -> None:
    """Neither it nor the initial value once more, and without elements the initial value is the result."""
    for masked, array in ((MASK, x), (True, x), (MASK[:, :0], x[:, :0])):

        def reduced(x: Any, masked: Any = masked) -> Any:
            return ufunc.reduce(x, axis=axis, where=masked, initial=initial)

        found = np.asarray(graphc.compile(reduced, device="numpy")(array))
        np.testing.assert_allclose(found, reduced(array), rtol=1e-6)
