"""Everyday NumPy, as functions of arrays that NumPy runs as they stand: what a trace of each must give."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def ufunc(function: Any) -> Any:
    """A ufunc whose `reduce` takes what it takes: the types of some versions of NumPy know less."""
    return function


RNG = np.random.default_rng(7)
X = RNG.normal(size=(4, 5)).astype(np.float32)
Y = RNG.normal(size=(4, 5)).astype(np.float32)
V = RNG.normal(size=7).astype(np.float32)
LONG = RNG.normal(size=45).astype(np.float32)
N = X.copy()
N[0, 1] = N[2, 3] = N[2, 4] = np.nan
N[3] = np.nan
INTS = RNG.integers(-4, 5, size=(4, 5)).astype(np.int32)
IDS = np.array([0, 3, 1, 3, 3, 0, 5], np.int32)
B = X > 0.2
ROW = np.array([True, False, True, True, False])
ODD = np.array([0.0, np.nan, np.inf, -np.inf, -0.0, 3.0, -2.0, np.nan], np.float32)
GROWING = np.array([-1.0, -0.5, 0.0, 0.25, 1.0], np.float32)
MANY = np.linspace(-2, 2, 23).astype(np.float32)

Function = Callable[..., Any]

SMOOTH: dict[str, tuple[Function, tuple[Any, ...]]] = {
    # Sums and extrema with where= and initial=.
    "sum where": (lambda x: np.sum(x, axis=1, where=B), (X,)),
    "sum where traced": (lambda x: np.sum(x, where=x > 0, initial=2.5), (X,)),
    "prod where": (lambda x: np.prod(x, axis=0, where=B, initial=1.5, keepdims=True), (X,)),
    "mean where": (lambda x: np.mean(x, axis=1, where=ROW), (X,)),
    "var where": (lambda x: np.var(x, axis=-1, where=ROW, ddof=1), (X,)),
    "std where": (lambda x: x.std(axis=1, where=ROW, keepdims=True), (X,)),
    "max where": (lambda x: np.max(x, axis=1, where=ROW, initial=-9), (X,)),
    "min initial": (lambda x: np.min(x, initial=-0.25), (X,)),
    "max of nothing": (lambda x: x[:0].max(axis=0, initial=1.5) * x[0], (X,)),
    "add.reduce where": (lambda x: ufunc(np.add).reduce(x, axis=(0, 1), where=B, initial=1), (X,)),
    "nanmean": (lambda x: np.nanmean(np.where(B, x, np.nan), axis=1), (X,)),
    "nanvar": (lambda x: np.nanvar(np.where(ROW, x, np.nan), axis=1, ddof=1), (X,)),
    "nanstd": (lambda x: np.nanstd(np.where(ROW, x, np.nan), axis=0 if x.ndim > 2 else None), (X,)),
    "nansum": (lambda x: np.nansum(np.where(B, x, np.nan), axis=-1, initial=3), (X,)),
    "nanprod": (lambda x: np.nanprod(np.where(B, x, np.nan), axis=0), (X,)),
    "nanmax": (lambda x: np.nanmax(np.where(ROW, x, np.nan), axis=1, keepdims=True), (X,)),
    "nanmin": (lambda x: np.nanmin(np.where(ROW, x, np.nan), axis=1, initial=-0.5), (X,)),
    "nancumsum": (lambda x: np.nancumsum(np.where(B, x, np.nan), axis=1), (X,)),
    "nancumprod": (lambda x: np.nancumprod(np.where(B, x, np.nan), axis=0), (X,)),
    # Running functions.
    "cumprod": (lambda x: (np.cumprod(x, axis=1), np.cumprod(x), x.cumprod(0)), (X,)),
    "cumprod of a zero": (lambda x: np.cumprod(x * np.array([1, 1, 0, 1, 1, 1, 1], np.float32)), (V,)),
    "maximum.accumulate": (lambda x: np.maximum.accumulate(x, axis=1), (X,)),
    "minimum.accumulate": (lambda x: np.minimum.accumulate(x), (LONG,)),
    "logaddexp.accumulate": (lambda x: np.logaddexp.accumulate(x, axis=-1), (X,)),
    "cumprod long": (lambda x: np.cumprod(np.exp(np.tile(x, (2, 16)) / 40), axis=1), (X,)),
    "logaddexp.accumulate long": (lambda x: np.logaddexp.accumulate(np.tile(x, (23, 1))), (X,)),
    "logaddexp.reduce": (lambda x: np.logaddexp.reduce(x, axis=1, keepdims=True), (X,)),
    "hypot.reduce": (lambda x: ufunc(np.hypot).reduce(x, axis=0), (X,)),
    "multiply.accumulate": (lambda x: np.multiply.accumulate(x, axis=1), (X,)),
    # Order.
    "sort": (lambda x: (np.sort(x), np.sort(x, axis=0), np.sort(x, axis=None)), (X,)),
    "sort long": (lambda x: np.sort(x), (LONG,)),
    "partition": (lambda x: np.sort(np.partition(x, 2, axis=0)[:3], axis=0), (X,)),
    "median": (lambda x: (np.median(x), np.median(x, axis=0), np.median(x, axis=(0, 1), keepdims=True)), (X,)),
    "percentile": (lambda x: np.percentile(x, [5, 30, 100], axis=1), (X,)),
    "quantile": (lambda x: np.quantile(x, 0.37, axis=0, keepdims=True), (X,)),
    "quantile lower": (lambda x: np.quantile(x, 0.4, axis=1, method="lower"), (X,)),
    "quantile higher": (lambda x: np.quantile(x, [0.4, 0.7], method="higher"), (X,)),
    "quantile midpoint": (lambda x: np.quantile(x, 0.4, axis=1, method="midpoint"), (X,)),
    "nanmedian": (lambda x: np.nanmedian(np.where(ROW, x, np.nan), axis=1), (X,)),
    "nanpercentile": (lambda x: np.nanpercentile(np.where(B, x, np.nan), [20, 60]), (X,)),
    # Differences and samples.
    "diff": (lambda x: (np.diff(x, 2), np.diff(x, axis=0, prepend=0, append=x[:1])), (X,)),
    "ediff1d": (lambda x: np.ediff1d(x, to_begin=[1, 2], to_end=3), (X,)),
    "gradient": (lambda x: np.gradient(x), (X,)),
    "gradient spaced": (lambda x: np.gradient(x, GROWING, axis=1, edge_order=2), (X,)),
    "gradient second order": (lambda x: np.gradient(x, 0.5, axis=0, edge_order=2), (X,)),
    "trapezoid": (lambda x: (np.trapezoid(x), np.trapezoid(x, GROWING), np.trapezoid(x, dx=0.5, axis=0)), (X,)),
    "interp": (lambda x: np.interp(x, GROWING, GROWING**2), (X * 0.9,)),
    "interp of values": (lambda f: np.interp(V, GROWING, f, left=-1, right=2), (GROWING * 3,)),
    "interp periodic": (lambda x: np.interp(x, GROWING, GROWING**2, period=2.5), (V * 3,)),
    "interp many": (lambda x: np.interp(x, MANY, np.sin(MANY)), (V,)),
    "unwrap": (lambda x: np.unwrap(x * 4, axis=1), (X,)),
    "cov": (lambda x: (np.cov(x), np.cov(x, rowvar=False, bias=True), np.cov(x[0], x[1])), (X,)),
    "cov weights": (lambda x: np.cov(x, aweights=GROWING + 2, fweights=np.array([1, 2, 1, 3, 1])), (X,)),
    "corrcoef": (lambda x: np.corrcoef(x)[:2, 1:], (X,)),
    "polyval": (lambda x: np.polyval([1, 2, 3.0], x), (X,)),
    "polyval of coefficients": (lambda p: np.polyval(p, X), (V[:3],)),
    "vander": (lambda x: (np.vander(x, 3), np.vander(x[:3], increasing=True)), (V,)),
    "sinc": (lambda x: np.sinc(x * np.array([1, 0, 1, 1, 1, 1, 1], np.float32)), (V,)),
    "cross": (lambda x: np.cross(x[:, :3], x[:, 1:4]), (X,)),
    # Parts.
    "block": (lambda x: np.block([[x, x * 2], [np.zeros((1, 5)), x[:1]]]), (X,)),
    "piecewise": (lambda x: np.piecewise(x, [x < -0.1, x >= 0.3], [lambda t: t**2, 2.0, lambda t: -t]), (X,)),
    "select": (lambda x: np.select([x > 1, x > 0], [x, x * 2], 0), (X,)),
    "choose": (lambda x: np.choose(np.abs(INTS) % 3, [x, x * 2, 7.0]), (X,)),
    "compress": (lambda x: (np.compress([True, False, True], x, axis=0), np.compress(ROW, x, axis=1)), (X,)),
    "extract": (lambda x: np.extract(B, x), (X,)),
    "delete": (lambda x: (np.delete(x, 2), np.delete(x, [0, -1], axis=1), np.delete(x, slice(1, 3), 0)), (X,)),
    "insert": (lambda x: (np.insert(x, 2, 1.0), np.insert(x, [0, 3], x[:2], axis=0)), (X,)),
    "insert several": (lambda x: (np.insert(x, [1, 1, 4], [7.0, 8, 9], axis=1), np.insert(x[0], 1, [5.0, 6])), (X,)),
    "linspace": (lambda x: (np.linspace(x[0], x[1], 5), np.linspace(0, x[2], 4, endpoint=False)), (V,)),
    "linspace of rows": (lambda x: np.linspace(x[0], x[1], 3, axis=1), (X,)),
    "geomspace": (lambda x: np.geomspace(x[0] ** 2 + 1, 9.0, 4), (V,)),
    "logspace": (lambda x: np.logspace(x[0], 1.0, 4, base=2.0), (V,)),
    "kron": (lambda x: np.kron(x[:2, :2], x), (X,)),
    "apply_along_axis": (lambda x: np.apply_along_axis(lambda r: r * r.sum(), 1, x), (X,)),
    "apply_over_axes": (lambda x: np.apply_over_axes(np.sum, x, [0, 1]), (X,)),
    "matvec": (lambda x: (np.matvec(x, x[0]), np.vecmat(x[:, 0], x)), (X,)),
    "ldexp": (lambda x: np.ldexp(x, INTS), (X,)),
    "windows": (
        lambda x: (
            np.lib.stride_tricks.sliding_window_view(x, (2, 3)),
            np.lib.stride_tricks.sliding_window_view(x, 4, axis=0) * 1.5,
            np.lib.stride_tricks.sliding_window_view(x, (2, 1, 2), (-1, 0, 1)).sum(-1),
            np.median(np.lib.stride_tricks.sliding_window_view(x, (3, 5)), axis=(-1, -2)),
        ),
        (X,),
    ),
    "convolve": (
        lambda x: [np.convolve(x, w, mode) for w in (V[:3], V[:4], LONG) for mode in ("full", "same", "valid")],
        (V,),
    ),
    "convolve long": (lambda x: (np.convolve(x, MANY), np.correlate(x, MANY, "same")), (LONG,)),
    "correlate": (
        lambda x: [np.correlate(x, w, mode) for w in (V[:3], V[:4], LONG[:12]) for mode in ("full", "same", "valid")],
        (V,),
    ),
    "pad statistics": (
        lambda x: [np.pad(x, ((1, 2), (0, 3)), mode=m) for m in ("maximum", "minimum", "mean", "median")],
        (X,),
    ),
    "pad stat_length": (lambda x: np.pad(x, 2, mode="mean", stat_length=((1, 2), (3, 9))), (X,)),
    "pad ramp": (lambda x: np.pad(x, ((1, 2), (0, 3)), mode="linear_ramp", end_values=((0, 1), (2, -1))), (X,)),
    "rot90": (lambda x: np.rot90(x, 3), (X,)),
    "meshgrid": (lambda x: np.meshgrid(x, x[:3]), (V,)),
    "histogram of weights": (lambda w: np.histogram(V, bins=4, range=(-2, 2), weights=w)[0], (V,)),
    "bincount of weights": (lambda w: np.bincount(IDS, weights=w, minlength=7), (V,)),
}
"""Those that have a gradient wherever they are looked at; their argument is a float array."""

EXACT: dict[str, tuple[Function, tuple[Any, ...]]] = {
    "argsort": (lambda x, i: (np.argsort(x, axis=0), np.argsort(i, kind="stable"), x.argsort()), (X, INTS)),
    "argsort odd": (lambda x: (np.argsort(x, kind="stable"), np.sort(x)), (ODD,)),
    "sort integers": (lambda i, b: (np.sort(i, axis=0), np.sort(b)), (INTS, B)),
    "argpartition": (lambda x: np.argpartition(x, 1, axis=0)[1], (X,)),
    "lexsort": (lambda i, x: np.lexsort((x, i), axis=0), (INTS, X)),
    "searchsorted": (lambda x: (np.searchsorted(GROWING, x), np.searchsorted(MANY, x, side="right")), (X,)),
    "searchsorted odd": (lambda x: [np.searchsorted(np.sort(ODD), x, side) for side in ("left", "right")], (ODD,)),
    "searchsorted traced": (lambda a, x: np.searchsorted(a, x), (MANY, X)),
    "searchsorted ties": (lambda i: [np.searchsorted([0, 1, 1, 2], i, side) for side in ("left", "right")], (INTS,)),
    "searchsorted sorter": (lambda x: np.searchsorted(V, x, sorter=np.argsort(V)), (X,)),
    "digitize": (lambda x: (np.digitize(x, GROWING), np.digitize(x, GROWING[::-1], right=True)), (X,)),
    "digitize traced": (lambda x, e: (np.digitize(x, e), np.digitize(x, e[::-1])), (X, GROWING)),
    "bincount": (lambda i: np.bincount(i, minlength=8), (IDS,)),
    "histogram": (lambda x: (np.histogram(x, bins=4, range=(-2, 2))[0], np.histogram(x, GROWING)[0]), (X,)),
    "histogram of integers": (lambda i: np.histogram(i, bins=[-4, -1, 0, 3, 4])[0], (INTS,)),
    "cumprod of integers": (lambda i: np.cumprod(i, axis=1), (INTS,)),
    "maximum.accumulate odd": (lambda x, i: (np.maximum.accumulate(x), np.minimum.accumulate(i, axis=1)), (ODD, INTS)),
    "maximum.accumulate long": (lambda x: np.maximum.accumulate(np.abs(np.arange(600) - 311) * x[0]), (V,)),
    "bitwise": (lambda i: (ufunc(np.bitwise_or).reduce(i, axis=1), np.bitwise_xor.accumulate(i, axis=0)), (INTS,)),
    "logical": (
        lambda b: (ufunc(np.logical_xor).reduce(b, axis=1), ufunc(np.logical_and).reduce(b, axis=0, where=b)),
        (B,),
    ),
    "fmax": (lambda x: (ufunc(np.fmax).reduce(x, axis=1), np.fmin.accumulate(x, axis=1)), (N,)),
    "any where": (lambda b: (np.any(b, axis=1, where=ROW), np.all(b, axis=0, where=B)), (B,)),
    "sum of bool": (lambda b: (np.sum(b, where=ROW), np.sum(b, axis=0, initial=5)), (B,)),
    "max of integers": (lambda i: (np.max(i, axis=1, where=ROW, initial=-3), np.max(i, initial=9)), (INTS,)),
    "nan": (
        lambda x: (
            np.nanmean(x[:3], axis=1), np.nanmax(x[:3], axis=1), np.nanmin(x[:3]), np.nansum(x, axis=1),
            np.nanargmax(x[:3], axis=1), np.nanargmin(x[:3]), np.nanmedian(x[:3], axis=1), np.nanvar(x[:3], axis=1),
            np.median(x, axis=1), np.max(x, axis=0), np.nanquantile(x[:3], 0.3, axis=0), np.nanprod(x, axis=0),
        ),
        (N,),
    ),
    "nan of integers": (lambda i: (np.nanmax(i), np.nansum(i, axis=0), np.nancumsum(i), np.nanmean(i)), (INTS,)),
    "mean of integers": (lambda i: (np.mean(i, axis=1, where=ROW), np.median(i, axis=0), np.quantile(i, 0.3)), (INTS,)),
    "diff of bool": (lambda b: np.diff(b, axis=0), (B,)),
    "isin": (lambda i, x: (np.isin(i, [1, 3]), np.isin(x, x[0], invert=True), np.isin(i, [])), (INTS, X)),
    "angle": (lambda x: (np.angle(x), np.angle(x, deg=True)), (X,)),
    "gcd": (lambda i: (np.gcd(i, 6), np.lcm(i, 4), ufunc(np.gcd).reduce(i, axis=1)), (INTS,)),
    "choose modes": (lambda i: (np.choose(i, [1, 2, 3], mode="wrap"), np.choose(i, [i, 2], mode="clip")), (INTS,)),
    "empty": (
        lambda x: (np.sort(x[:0], axis=1), np.cumprod(x[:, :0], axis=1), np.diff(x[:, :1]), np.sum(x[:0], where=B[:0])),
        (X,),
    ),
    "one": (lambda x: (np.sort(x), np.median(x), np.cumprod(x), np.fmax.accumulate(x), np.quantile(x, 0.4)), (V[:1],)),
    "scalar": (lambda x: (np.median(x), np.sum(x, where=True), np.cumprod(x), np.searchsorted(V[:0], x)), (V[0],)),
    "moving window": (lambda x, k: (x[k : k + 3], x[k + 1 : 3 + k], x[k - 1 : k][0]), (V, np.int32(2))),
    "moving columns": (lambda x, k: x[1:, k : k + 2] + x[:3, k + 1 : k + 3], (X, np.int32(1))),
    "round": (lambda x: np.stack([round(x[0]), round(x[1])]), (V * 10,)),
}  # fmt: skip
"""Those whose results are compared alone."""
