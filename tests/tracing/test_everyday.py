"""Everyday NumPy traces: results as NumPy's on both devices, fused and not, and gradients as differences say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc
from graphc.errors import ShapeError
from tests.support.everyday import EXACT, SMOOTH

ALL = {**SMOOTH, **EXACT}


def compare(got: Any, want: Any, what: str) -> None:
    found, expected = graphc.tree.leaves(got), graphc.tree.leaves(want)
    assert len(found) == len(expected), what
    for one, other in zip(found, expected, strict=True):
        one, other = np.asarray(one), np.asarray(other)
        assert one.shape == other.shape, f"{what}: {one.shape}, NumPy {other.shape}"
        assert one.dtype.kind == other.dtype.kind, f"{what}: {one.dtype}, NumPy {other.dtype}"
        np.testing.assert_allclose(one.astype(float), other.astype(float), rtol=2e-5, atol=2e-5, err_msg=what)


@pytest.mark.parametrize("name", ALL)
def test_results_are_numpys(name: str) -> None:
    fn, args = ALL[name]
    want = fn(*args)
    for passes in ((), graphc.passes.DEFAULT):
        compare(graphc.compile(fn, device="numpy", passes=passes)(*args), want, name)


GROUPS = [list(ALL)[k::8] for k in range(8)]


@pytest.mark.parametrize("group", range(len(GROUPS)))
def test_kernels_give_the_same(group: int, device: Any) -> None:
    """Many functions in one program: what is compared above, from kernels."""
    names = GROUPS[group]

    def program(arguments: dict[str, Any]) -> dict[str, Any]:
        return {name: ALL[name][0](*arguments[name]) for name in names}

    got = graphc.compile(program, device=device)({name: ALL[name][1] for name in names})
    for name in names:
        compare(got[name], ALL[name][0](*ALL[name][1]), name)


def total(fn: Any, x: Any) -> Any:
    """A number that depends on each result, each with a weight of its own."""
    found = 0
    for k, leaf in enumerate(graphc.tree.leaves(fn(x))):
        weight = np.cos(np.arange(leaf.size) + k).reshape(leaf.shape)
        found = found + np.sum(leaf * (weight if leaf.dtype == np.float64 else weight.astype(np.float32)))
    return found


@pytest.mark.parametrize("name", SMOOTH)
def test_gradients_are_differences(name: str) -> None:
    fn, (x,) = SMOOTH[name]
    way = np.sin(np.arange(x.size) + 1.0).reshape(x.shape)
    with np.errstate(all="ignore"):
        step = 1e-6
        want = (total(fn, x + step * way) - total(fn, x - step * way)) / (2 * step)
    gradient = graphc.compile(graphc.grad(lambda x: total(fn, x)), device="numpy")(x)
    found = float(np.sum(np.asarray(gradient, np.float64) * way))
    assert found == pytest.approx(float(want), rel=1e-3, abs=1e-3), name


def test_words_for_copy_are_numpys() -> None:
    for copy in (None, False, True, np._CopyMode.IF_NEEDED):
        found = graphc.compile(lambda x, copy=copy: np.array(x, copy=copy) * 2, device="numpy")(np.ones(3))
        assert np.asarray(found).tolist() == [2, 2, 2]


INFINITE = [[-np.inf, 1, 2, 3], [1, 2, 3, np.inf], [1, 2, np.inf, np.inf], [-np.inf, -np.inf, 0, np.inf], [np.inf] * 2]


@pytest.mark.parametrize("data", [*INFINITE, [-np.inf, np.inf], [3e38, -3e38, 0], [1, 2, 3, 4, 7], [0.25]], ids=str)
def test_quantiles_between_infinities_are_limits(data: list[float]) -> None:
    """Where NumPy gives NaN although the limit is known, the limit; NaN between -inf and inf."""
    x = np.array(data, np.float32)
    for q in (0, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1):
        with np.errstate(all="ignore"):
            want = float(np.quantile(x.astype(np.float64), q))
            place = np.float32(q) * (len(x) - 1)
            low, high = np.sort(x)[int(np.floor(place))], np.sort(x)[int(np.ceil(place))]
        if np.isnan(want) and not (low == -np.inf and high == np.inf):
            want = float(high if np.isinf(high) and np.isfinite(low) else low)
        found = float(graphc.compile(lambda x, q=q: np.quantile(x, q), device="numpy")(x))
        np.testing.assert_allclose(found, want, rtol=1e-6)
        assert np.array_equal(
            float(graphc.compile(np.nanquantile, device="numpy", static=("q",))(x, q=q)), found, equal_nan=True
        )
    with np.errstate(all="ignore"):
        middle = np.median(x.astype(np.float64))
    np.testing.assert_allclose(float(graphc.compile(np.median, device="numpy")(x)), middle, rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.int32, np.uint32])
def test_reciprocals_of_integers_are_rounded_towards_zero(dtype: Any, device: Any) -> None:
    info = np.iinfo(dtype)
    x = np.array([v for v in (1, 2, 3, 7, info.max, -1, -2, -3, -7, info.min) if v and v >= info.min], dtype)
    for where in ("numpy", device):
        found = graphc.compile(lambda x: np.reciprocal(x), device=where)(x)
        assert found.dtype == x.dtype
        np.testing.assert_array_equal(np.asarray(found), np.reciprocal(x))
    np.testing.assert_array_equal(np.asarray(np.reciprocal(graphc.asarray(x, device="numpy"))), np.reciprocal(x))


def test_rounded_bools_are_floats() -> None:
    """NumPy's are float16, as other functions of bool are float32 where NumPy's are float16."""
    x = np.array([True, False])
    found = graphc.compile(lambda x: np.round(x), device="numpy")(x)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(np.asarray(found), np.round(x))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0)], ids=str)
def test_medians_of_nothing_are_nan(shape: tuple[int, ...]) -> None:
    x = np.zeros(shape, np.float32)
    for axis in (None, 0, -1):
        for median in (np.median, np.nanmedian):
            found = graphc.compile(lambda x, f=median, a=axis: [f(x, axis=a), f(x, axis=a, keepdims=True)])(x)
            for got, keepdims in zip(found, (False, True), strict=True):
                np.testing.assert_array_equal(np.asarray(got), median(x, axis=axis, keepdims=keepdims))
    with pytest.raises(ShapeError, match="no quantile"):  # as np.quantile, which has no element to give
        graphc.compile(lambda x: np.quantile(x, 0.5))(x)
