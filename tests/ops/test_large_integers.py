"""Integers above 2^24, which float32 rounds, stay what they are wherever NumPy keeps integers."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import pytest

import graphc
from graphc.ir.types import NDArray

EDGES: Final = (16777217, 16777219, 33554433, 1000000007, 20000005, 99999999, 25, 15, 5, 35)


def numbers(dtype: Any) -> NDArray:
    range_ = np.iinfo(dtype)
    drawn = np.random.default_rng(0).integers(range_.min // 4, range_.max // 4, 15, dtype=dtype)
    return np.concatenate([drawn, np.array(EDGES, dtype)])


CALLS: Final[dict[str, Callable[[Any], Any]]] = {
    **{f"round {-d}": functools.partial(np.round, decimals=-d) for d in range(1, 12)},
    **{name: getattr(np, name) for name in ("floor", "ceil", "trunc", "abs", "sign", "negative", "square", "ptp")},
    **{name: getattr(np, name) for name in ("sort", "argsort", "cumsum", "cumprod", "prod", "max", "diff", "nanmax")},
    **{
        f"quantile {method}": functools.partial(np.quantile, q=[0.1, 0.33, 0.5, 0.77], method=method)
        for method in ("lower", "higher", "nearest")
    },
    "percentile along an axis": lambda x: np.percentile(x.reshape(5, 5), 30, axis=1, method="higher", keepdims=True),
    "clip": lambda x: np.clip(x, 16777217, 1000000006),
    "where": lambda x: np.where(x > 16777218, x, 16777217),
    "select": lambda x: np.select([x > 16777218, x < 100], [x, x - 1], 16777217),
    "piecewise": lambda x: np.piecewise(x, [x > 16777218, x < 100], [lambda v: v, lambda v: v - 1, 16777217]),
    "searchsorted": lambda x: np.searchsorted(np.sort(x), x),
    "isclose": lambda x: np.isclose(x, x + 1, rtol=0, atol=0.5),
    "isclose, far apart": lambda x: np.isclose(x, x[::-1], rtol=0, atol=1e6),
    "isclose, in part": lambda x: np.isclose(x, x + 100, rtol=1e-6, atol=0),
    "pad maximum": lambda x: np.pad(x[:3], 3, mode="maximum"),
    "pad mean": lambda x: np.pad(x.reshape(5, 5), 2, mode="mean", stat_length=3),
    "pad median": lambda x: np.pad(x[:4], 3, mode="median"),
    "pad median, odd": lambda x: np.pad(x[:3], 3, mode="median"),
    "pad constant": lambda x: np.pad(x, 2, constant_values=16777217),
    "linspace": lambda x: np.linspace(0, x[-5], 6, dtype=x.dtype),
    "linspace down": lambda x: np.linspace(x[15], 3, 7, dtype=x.dtype, endpoint=False),
    "outer": lambda x: np.outer(x, x),
    "dot": lambda x: np.dot(x, x),
    "partition": lambda x: np.partition(x, 5)[5],
    "divmod": lambda x: np.stack(np.divmod(x, 7)),
}


@pytest.mark.parametrize("device", ["numpy", "wgpu"])
@pytest.mark.parametrize("dtype", [np.int32, np.uint32])
def test_integers_stay_exact(dtype: Any, device: str) -> None:
    x = numbers(dtype)
    found = graphc.compile(lambda x: {name: call(x) for name, call in CALLS.items()}, device=device)(x)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # products that overflow
        for name, call in CALLS.items():
            wanted, got = np.asarray(call(x)), np.asarray(found[name])
            assert got.dtype.kind == wanted.dtype.kind, name
            np.testing.assert_array_equal(got, wanted.astype(got.dtype), err_msg=name)
