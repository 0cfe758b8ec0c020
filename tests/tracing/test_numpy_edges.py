"""Numbers at the edges of ranges, beside NumPy's: near 0, infinite, missing, of one row, at places that round."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from tests.support.tracing import assert_same

WAYS = {"numpy": ("numpy", ()), "wgpu": ("wgpu", ()), "wgpu passes": ("wgpu", graphc.passes.DEFAULT)}


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
