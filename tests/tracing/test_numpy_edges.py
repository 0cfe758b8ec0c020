"""Numbers at the edges of ranges, beside NumPy's: near 0, infinite, missing, of one row, at places that round."""

from __future__ import annotations

import functools
import inspect
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.errors import ShapeError
from tests.support.tracing import assert_same

WAYS = {"numpy": ("numpy", ()), "wgpu": ("wgpu", ()), "wgpu passes": ("wgpu", graphc.passes.DEFAULT)}

untyped: Any = np
"""NumPy for arguments that its types leave out."""

NEWEST = "m.ndim != 1" in inspect.getsource(np.cov)
"""Whether this NumPy turns one row, too, where rowvar is false."""


def results(fn: Callable[..., Any], way: str, *args: Any) -> list[Any]:
    """What a function gives, compiled one way: its leaves as ndarrays."""
    device, passes = WAYS[way]
    return [np.asarray(leaf) for leaf in graphc.tree.leaves(graphc.compile(fn, device=device, passes=passes)(*args))]


@pytest.mark.parametrize("way", WAYS)
def test_sinc_and_its_derivatives_hold_near_0(way: str) -> None:
    x = np.array([0, 1e-5, -1e-4, 3e-4, 1e-3, -0.01, 0.1, 0.3, 0.318, 0.319, -0.32, 0.5, 0.8, 1.2], np.float32)
    wide = np.pi * x.astype(np.float64)
    with np.errstate(all="ignore"):
        first = np.pi * (np.cos(wide) / wide - np.sin(wide) / wide**2)
        second = -(np.pi**2) * (np.sin(wide) / wide + 2 * np.cos(wide) / wide**2 - 2 * np.sin(wide) / wide**3)
    small = np.abs(wide) < 0.04
    first = np.where(small, np.pi * (-wide / 3 + wide**3 / 30), first)
    second = np.where(small, np.pi**2 * (-1 / 3 + wide**2 / 10), second)

    def slope(x: Any) -> Any:
        return graphc.grad(lambda x: np.sum(np.sinc(x)))(x)

    def derivatives(x: Any) -> Any:
        return np.sinc(x), slope(x), graphc.grad(lambda x: np.sum(slope(x)))(x)

    found = results(derivatives, way, x)
    np.testing.assert_allclose(found[0], np.sinc(x.astype(np.float64)), rtol=1e-6)
    np.testing.assert_allclose(found[1], first, rtol=1e-5)
    np.testing.assert_allclose(found[2], second, rtol=1e-5)


@pytest.mark.parametrize("way", WAYS)
def test_interp_between_points_that_are_no_numbers(way: str) -> None:
    inf, nan = np.inf, np.nan
    cases = (
        ([0, 1, 2], [1, inf, 3], [0, 0.5, 1, 1.5, 2, 3]),
        ([0, 1, 2], [-inf, inf, inf], [-1, 0, 0.5, 1, 1.5, 2]),
        ([-inf, 0, 1, inf], [1, 2, 3, 4], [-inf, -5, 0, 0.5, 1, 7, inf, nan]),
        ([-inf, inf], [2, 2], [-inf, 0, inf]),
        ([-inf, inf], [2, 3], [-inf, 0, inf]),
        ([0, 1, 2, 3], [1, nan, 3, 4], [0, 0.5, 1, 1.5, 2, 2.5, 3]),
        ([0, 1, 1, 2], [1, 2, 3, 4], [0.5, 1, 1.5]),
    )
    for case in cases:
        xp, fp, x = (np.array(v, np.float32) for v in case)
        with np.errstate(all="ignore"):
            wanted = np.interp(x, xp, fp)
        np.testing.assert_array_equal(results(np.interp, way, x, xp, fp)[0], wanted.astype(np.float32))


@pytest.mark.parametrize("way", WAYS)
def test_the_gradient_of_interp_is_that_of_the_line_that_is_taken(way: str) -> None:
    def total(x: Any, xp: Any, fp: Any) -> Any:
        return np.sum(np.interp(x, xp, fp))

    slopes = graphc.grad(total, argnums=(0, 1, 2))
    f32 = np.float32
    x, xp, fp = np.array([0, 0.5, 1, 1.25], f32), np.array([0, 1, 2], f32), np.array([1, 3, 4], f32)
    dx, dxp, dfp = results(slopes, way, x, xp, fp)
    np.testing.assert_allclose(dx, [2, 2, 1, 1])
    np.testing.assert_allclose(dxp, [-2 - 1, -1 - 1 - 0.75, -0.25])
    np.testing.assert_allclose(dfp, [1.5, 0.5 + 1 + 0.75, 0.25])
    outer = np.array([-np.inf, 0, 1, np.inf], f32)
    dx, _, dfp = results(slopes, way, np.array([-5, 0.5, 7], f32), outer, np.array([1, 2, 3, 4], f32))
    np.testing.assert_allclose(dx, [0, 1, 0])
    np.testing.assert_allclose(dfp, [0, 1.5, 1.5, 0])


@pytest.mark.parametrize("way", WAYS)
def test_ldexp_reaches_every_number_and_saturates(way: str) -> None:
    f32 = np.float32
    x = np.array([0, -0.0, 1, -1.75, 1.9999999, 1e-45, -1e-38, 3e38, 1e-20, np.inf, -np.inf, np.nan], f32)
    n = np.concatenate([np.arange(-300, 301, 7), [-150, -149, -127, -126, 127, 128, 256, -(10**9), 10**9]])
    n = np.concatenate([n, [np.iinfo(np.int32).min, np.iinfo(np.int32).max]]).astype(np.int32)[:, None]
    with np.errstate(all="ignore"):
        wanted = np.ldexp(x, n)
        exact = np.ldexp(x.astype(np.float64), n)
        flushed = np.ldexp(np.where(np.abs(x) < np.finfo(f32).tiny, np.copysign(f32(0), x), x), n)
    found = results(np.ldexp, way, x, n)[0]
    assert found.dtype == f32
    assert (np.signbit(found) == np.signbit(wanted))[~np.isnan(wanted)].all()
    # A device may take a subnormal number for 0, and one that only rounding makes the smallest normal number.
    equal = (found == wanted) | (np.isnan(found) & np.isnan(wanted)) | (found == flushed)
    assert (equal | ((found == 0) & (np.abs(exact) < np.finfo(f32).tiny))).all()
    if way == "numpy":
        np.testing.assert_array_equal(found, wanted)


def test_ldexp_of_half_precision_is_computed_in_single() -> None:
    x, n = np.array([0, 1.5, 65504, 6e-8, -np.inf], np.float16), np.arange(-60, 60, 3, dtype=np.int32)[:, None]
    with np.errstate(all="ignore"):
        wanted = np.ldexp(x, n)
    found = results(np.ldexp, "numpy", x, n)[0]
    assert found.dtype == np.float16
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("rowvar", [True, False])
@pytest.mark.parametrize("shape", [(3,), (1, 3), (3, 1), (2, 3), (1, 1)])
def test_cov_of_one_row_is_of_one_observation(shape: tuple[int, ...], rowvar: bool) -> None:
    x = np.arange(1, 1 + np.prod(shape), dtype=np.float32).reshape(shape) ** 2
    wanted = np.cov(x, rowvar=rowvar, ddof=0)
    if NEWEST:
        found = results(lambda x: np.cov(x, rowvar=rowvar, ddof=0), "numpy", x)[0]
        assert found.shape == wanted.shape
        np.testing.assert_allclose(found, wanted, rtol=1e-5)
    # The rows of a second argument are taken as they were, where there is one of them.
    assert_same(lambda x: np.cov(x, x * x, ddof=0), x)


def test_cov_of_one_variable_beside_another_of_one_row() -> None:
    x, y = np.array([[1], [2], [4]], np.float32), np.array([[3, 1, 2]], np.float32)
    assert_same(lambda x, y: np.cov(x, y, rowvar=False), x, y)


def test_cov_of_too_few_weighted_observations_has_no_number() -> None:
    x = np.array([[1, 2, 4], [3, 1, 2]], np.float32)
    with np.errstate(all="ignore"), pytest.warns(RuntimeWarning, match="Degrees of freedom"):
        wanted = np.cov(x, fweights=[1, 0, 1], ddof=3)
    np.testing.assert_array_equal(results(lambda x: np.cov(x, fweights=[1, 0, 1], ddof=3), "numpy", x)[0], wanted)


@pytest.mark.parametrize("way", WAYS)
def test_sizes_of_roots_of_minus_zero(way: str) -> None:
    """Drivers take a root for positive, and its size for the root itself."""
    x = np.array([-0.0, 0, 4], np.float32)
    for found in (*results(lambda x: np.abs(np.sqrt(x)), way, x), *results(lambda x: np.abs(x**-0.5), way, x)):
        assert not np.signbit(found).any()


@pytest.mark.parametrize("way", WAYS)
def test_powers_of_signed_zeros_and_infinities(way: str) -> None:
    x = np.array([-np.inf, -0.0, 0, -2, 0.25, 4, np.inf, np.nan], np.float32)
    for power in (-3, -2, -1.5, -1, -0.5, 0, 0.5, 1, 2, 3, 4):
        for raised in (operator.pow, np.power, np.float_power):

            def fn(x: Any, raised: Any = raised, power: Any = power) -> Any:
                return raised(x, power)

            with np.errstate(all="ignore"):
                wanted = np.asarray(fn(x), np.float32)
            found = results(fn, way, x)[0]
            np.testing.assert_allclose(found, wanted, rtol=1e-6)
            assert (np.signbit(found) == np.signbit(wanted))[~np.isnan(wanted)].all(), power


def test_the_gradient_of_a_root_is_that_of_the_power() -> None:
    x = np.array([0.25, 4, 0, np.inf], np.float32)
    found = results(graphc.grad(lambda x: np.sum(x**-0.5)), "numpy", x)[0]
    np.testing.assert_allclose(found, [-4, -0.0625, -np.inf, 0])
    found = results(graphc.grad(lambda x: np.sum(np.float_power(x, 0.5))), "numpy", x)[0]
    np.testing.assert_allclose(found, [1, 0.25, np.inf, 0])


@pytest.mark.parametrize("method", ["linear", "lower", "higher", "nearest", "midpoint"])
def test_quantiles_stand_where_numpy_puts_them(method: Any) -> None:
    x = np.arange(101, dtype=np.float32) ** 2
    few = np.where(np.arange(101) % 3 == 1, np.nan, x)
    shares = np.arange(101)

    def taken(x: Any, few: Any) -> Any:
        tenths = shares / 1000 * 7
        return (
            np.percentile(x, shares, method=method),
            np.quantile(x, tenths, method=method),
            np.quantile(x, tenths.astype(np.float32), method=method),
            np.nanpercentile(few.reshape(1, -1), shares, axis=1, method=method),
            np.nanquantile(few, tenths, method=method),
            np.nanquantile(np.stack([few, x, few * np.nan]), 0.29, axis=1, method=method),
            np.nanpercentile(few, 29, method=method),
            np.percentile(few, shares, method=method),
            [np.percentile(x[:n], 29, method=method) for n in (1, 2, 30, 100)],
        )

    with pytest.warns(RuntimeWarning, match="All-NaN"):
        assert_same(taken, x, few, rtol=1e-6)
    np.testing.assert_array_equal(
        results(lambda x: np.percentile(x, shares, method=method), "wgpu passes", x)[0],
        np.percentile(x, shares, method=method).astype(np.float32),
    )


def test_medians_are_in_the_middle() -> None:
    x = np.array([[3, 1, np.nan, 2, 5, 8], [4, 1, 2, 7, 9, 1]], np.float32)
    assert_same(lambda x: (np.median(x, axis=1), np.nanmedian(x, axis=1), np.nanmedian(x)), x)


WHERE = (
    np.sum,
    np.prod,
    np.mean,
    np.var,
    np.std,
    np.any,
    np.all,
    np.nansum,
    np.nanmean,
    np.nanstd,
    functools.partial(np.max, initial=0),
    functools.partial(np.nanmin, initial=9),
)


@pytest.mark.parametrize("fn", WHERE)
@pytest.mark.parametrize("shapes", [((3,), (2, 3)), ((3,), (1, 3)), ((1, 3), (2, 3)), ((2, 1), (2, 3)), ((), (3,))])
def test_a_mask_does_not_make_what_is_reduced_larger(fn: Any, shapes: tuple[Any, Any]) -> None:
    x, mask = np.ones(shapes[0], np.float32), np.ones(shapes[1], np.bool_)
    with pytest.raises(ValueError):
        fn(x, where=mask)
    with pytest.raises(ShapeError, match=r"where= has shape .*: it must broadcast to"):
        graphc.compile(lambda x, mask: fn(x, where=mask), device="numpy")(x, mask)


def test_a_mask_of_fewer_axes_stands_for_all_rows() -> None:
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    for mask in map(np.array, ([True, False, True], [[True], [False]], True, [[True]])):
        assert_same(lambda x, m=mask: (np.sum(x, axis=0, where=m), np.sum(x, where=m)), x)


def test_axes_of_weights_are_any_integers() -> None:
    x = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    w = np.arange(1, 25, dtype=np.float32).reshape(2, 3, 4)
    assert_same(
        lambda x, w: (
            untyped.average(x, axis=np.int64(1), weights=w[0, :, 0]),
            untyped.average(x, axis=-1, weights=w[0, 0], returned=True),
            untyped.average(x, axis=(2,), weights=w[0, 0]),
            untyped.average(x, axis=(0, 2), weights=w[:, 0], keepdims=True),
            untyped.average(x, axis=(2, 0), weights=w[:, 0].T),
            untyped.average(x, axis=np.uint8(0), weights=w),
        ),
        x,
        w,
    )
    with pytest.raises(ShapeError, match=r"weights are f32\[4\], axis is 0: need the shape of f32\[2,3,4\]"):
        graphc.compile(lambda x, w: untyped.average(x, axis=0, weights=w[0, 0]), device="numpy")(x, w)
    with pytest.raises(ShapeError, match="axis is None"):
        graphc.compile(lambda x, w: untyped.average(x, weights=w[0, 0]), device="numpy")(x, w)


def test_the_period_of_integers_is_any_integer() -> None:
    assert_same(lambda x: untyped.unwrap(x, period=np.int64(10)), np.array([1, 8, 15, 3, 0, 25], np.int32))


ANGLES = np.array([-2, 2, 0, -0.0], np.float32)
SIZES = np.array([1e20, 1e-25, 3, -1e30], np.float32)
COMPLEX: dict[str, Callable[[Any], Any]] = {
    "real times complex": lambda v: v * (1 + 0j),
    "complex times real": lambda v: (1 + 0j) * v,
    "pair times real": lambda v: (v + 1j * v) * v,
    "quotient": lambda v: (v + 1j * v) / (v + 2j * v),
    "quotient across": lambda v: (v - 1j * v) / (v * 0.5 + 2j * v),
    "reciprocal": lambda v: 1 / (v + 2j * v),
    "by a number": lambda v: v / (3 + 4j),
    "by an imaginary number": lambda v: (v + 1j) / 2j,
    "by a real array": lambda v: (v + 1j) / v,
    "by a real number": lambda v: (v + 1j) / 4,
    "by zero": lambda v: (v + 1j) / (v * 0 + 0j * v),
    "a number by an array": lambda v: (1 + 2j) / (v * 1j + v),
    "by an array of numbers": lambda v: (v + 1j * v) / np.array([1 + 1j, 2j, 3, -1 - 2j]),
}


@pytest.mark.parametrize("way", ["numpy", "wgpu passes"])
def test_complex_numbers_have_the_signs_and_the_range_of_numpys(way: str) -> None:
    def parts(v: Any) -> Any:
        made = [fn(v) for fn in COMPLEX.values()]
        return [(np.real(z), np.imag(z), np.angle(z)) for z in made]

    for v in (ANGLES, SIZES):
        with np.errstate(all="ignore"):
            wanted = graphc.tree.leaves(parts(v))
        for k, (found, want) in enumerate(zip(results(parts, way, v), wanted, strict=True)):
            name = list(COMPLEX)[k // 3]
            np.testing.assert_allclose(found, want, rtol=1e-5, err_msg=name)
            assert (np.signbit(found) == np.signbit(want))[~np.isnan(want)].all(), name


def test_the_gradient_of_a_quotient_of_complex_numbers_is_finite() -> None:
    x = np.array([2, -3, 10], np.float32)
    found = results(graphc.grad(lambda x: np.sum(np.real((x + 1j) / (x * 2 - 1j * x)))), "numpy", x)[0]
    # Re((x + i) / (2 x - i x)) = (2 x - 1) / (5 x)
    np.testing.assert_allclose(found, 1 / (5 * x.astype(np.float64) ** 2), rtol=1e-5)
