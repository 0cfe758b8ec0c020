"""Sums of many terms, which cancel, beside NumPy's sums of float32: both are held against float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc


def rounding(found: Any, exact: np.ndarray) -> float:
    """The root of the mean square error."""
    return float(np.sqrt(np.mean((np.asarray(found, np.float64) - exact) ** 2)))


def signed(x: Any, axis: Any) -> Any:
    """A sum of what is computed in the same kernel."""
    return np.sum(np.sqrt(x * x) * np.sign(x), axis=axis)


# An invocation takes hundreds of terms of each: longer rows, and those of few results, are summed in two kernels.
@pytest.mark.parametrize(
    ("reduced", "shape", "axes", "factor"),
    [
        pytest.param(np.sum, (256, 16384), (1,), 2.2, id="rows"),
        pytest.param(np.mean, (128, 9196), (1,), 2.2, id="means"),
        pytest.param(signed, (128, 9196), (1,), 2.2, id="fused"),
        pytest.param(np.sum, (256, 9197), (1,), 4, id="odd-rows"),  # in a quarter of the chains of additions
        pytest.param(np.sum, (2, 64, 22, 418), (0, 2, 3), 2.2, id="around"),
        pytest.param(np.sum, (1000, 64), (0,), 2.2, id="columns"),
    ],
)
def test_long_sums_lose_about_as_many_digits_as_numpys(
    reduced: Any, shape: tuple[int, ...], axes: tuple[int, ...], factor: float, device: Any
) -> None:
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    kept = [n for axis, n in enumerate(shape) if axis not in axes]
    rows = np.ascontiguousarray(np.moveaxis(x, axes, range(-len(axes), 0))).reshape(*kept, -1)
    exact = (np.mean if reduced is np.mean else np.sum)(rows.astype(np.float64), axis=-1)
    numpys = rounding((np.mean if reduced is np.mean else np.sum)(rows, axis=-1), exact)
    found = graphc.compile(lambda x: reduced(x, axis=axes), device=device)(x)
    assert rounding(found, exact) <= factor * numpys


@pytest.mark.parametrize("zeros", [-0.0, 0.0])
def test_long_sums_of_nothing_are_a_positive_zero(zeros: float, device: Any) -> None:
    x = np.full((4, 8192), zeros, np.float32)
    for axis in (0, 1):
        found = np.asarray(graphc.compile(lambda x, axis=axis: np.sum(x, axis=axis), device=device)(x))
        np.testing.assert_array_equal(np.signbit(found), np.zeros(found.shape, bool))


@pytest.mark.parametrize("place", [0, 700, 8191])
def test_long_sums_keep_what_is_infinite(place: int, device: Any) -> None:
    x = np.ones((2, 8192), np.float32)
    x[0, place], x[1, place] = np.inf, np.nan
    np.testing.assert_array_equal(graphc.compile(lambda x: np.sum(x, axis=1), device=device)(x), [np.inf, np.nan])
    np.testing.assert_array_equal(graphc.compile(lambda x: np.sum(x, axis=0), device=device)(x.T), [np.inf, np.nan])
