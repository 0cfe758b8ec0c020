"""The functions of kernels/arith.wgsl, on two drivers of different makers."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.support import arith_exact
from tests.support.adapters import DRIVERS, run_on


@pytest.mark.parametrize("driver", DRIVERS)
def test_remainders_and_integer_powers_equal_numpy(driver: str) -> None:
    report = json.loads(run_on(driver, "tests.support.arith_exact"))
    assert DRIVERS[driver] in report["adapter"]
    assert len(report["wrong"]) == 10
    assert {name: found for name, found in report["wrong"].items() if found[0]} == {}


def test_the_comparison_sees_wrong_results() -> None:
    want = np.array([0.0, 1.0, np.nan, 1.0], np.float32)
    got = np.array([-0.0, np.nan, 1.0, 1.0000001], np.float32)
    assert not arith_exact.same(got, want).any()
    assert arith_exact.near(got, want).tolist() == [True, False, False, True]
