"""Everyday NumPy traces: results as NumPy's on both devices, fused and not, and gradients as differences say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc
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
