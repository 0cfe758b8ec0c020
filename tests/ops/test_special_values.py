"""Arithmetic with zeros, infinities, NaN, tiny and huge numbers gives NumPy's results, whatever a driver simplifies."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import kernels
from tests.support import special_values
from tests.support.adapters import DRIVERS, run_on

X = np.ones(8, np.float32)


@pytest.mark.parametrize("driver", DRIVERS)
def test_common_functions_of_two_operands_and_chains(driver: str) -> None:
    report = json.loads(run_on(driver, "tests.support.special_values", "--few", "float32", "int32"))
    assert report["compared"] > 20_000
    assert report["wrong"] == []


@pytest.mark.parametrize("driver", ["lavapipe", "swiftshader"])
def test_sums_of_products_that_share_a_factor(driver: str) -> None:
    report = json.loads(run_on(driver, "tests.support.special_sums"))
    assert report["compared"] > 20_000
    assert report["wrong"] == []


@pytest.mark.slow
@pytest.mark.parametrize("driver", DRIVERS)
def test_all_functions_of_two_operands(driver: str) -> None:
    report = json.loads(run_on(driver, "tests.support.special_values"))
    assert report["compared"] > 200_000
    assert report["wrong"] == []


def test_the_measure_sees_wrong_results() -> None:
    want = np.array([np.nan, 1.0, np.inf, 0.0, -0.0, 1.0, 1e-40, 3.0], np.float32)
    got = np.array([0.0, np.nan, 3e38, -0.0, 0.0, 1.0 + 1e-5, 0.0, 3.0], np.float32)
    assert special_values.agree(got, want, "add").tolist() == [*[False] * 6, True, True]
    assert special_values.agree(got, want, "maximum(x, y)").tolist() == [*[False] * 3, True, True, False, True, True]


def test_what_is_hidden_costs_one_operation() -> None:
    text = kernels.math_source([("gc_hold", 4)], "y0")
    assert "arrayLength(&y0)" in text
    assert text.count("fn ") == 2
    plain = graphc.compile(lambda x, y: np.tanh(x) * y + 2.0).lower(X, X).plan.kernels[0].wgsl
    assert "gc_hold" not in plain
    assert graphc.compile(lambda x: x - x).lower(X).plan.kernels[0].wgsl.count("gc_hold_v4(") == 2


def test_truths_of_four_lanes_are_hidden_as_single_ones_are() -> None:
    def wgsl(fn: Any) -> Any:
        return graphc.compile(fn).lower(X, X).plan.kernels[0].wgsl

    assert "gc_hold_v4(vec4<f32>(" in wgsl(lambda x, y: x * (y > 0))
    assert "gc_hold_bool_v4(" in wgsl(lambda x, y: ~(x < y))
    assert "gc_hold" not in wgsl(lambda x, y: ~(x == y))


def test_sums_hide_what_their_elements_share_and_no_more() -> None:
    def holds(fn: Any, x: Any = X) -> int:
        return sum(k.wgsl.count("= gc_hold") for k in graphc.compile(fn).lower(x).plan.kernels)

    rows = np.ones((8, 16), np.float32)
    assert holds(lambda x: np.sum(x * x[:, :1], axis=1), rows) > 0
    assert holds(lambda x: np.sum(np.exp(x), axis=1), rows) == holds(lambda x: np.sum(x, axis=1), rows) == 0
