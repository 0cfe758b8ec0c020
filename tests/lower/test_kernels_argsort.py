"""The kernels of argsort: the first elements of rows of any length, as each class of adapters finds them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from graphc.codegen.rules import RULES, Rules
from graphc.families.argsort.kernel import LONGEST, steps
from graphc.ops import by_name
from tests.support.run_graph import graph_of, run

ARGSORT = by_name("argsort")
ROWS = {
    (1, 1): (1,),
    (3, 31): (1, 16, 31),
    (2, 33): (1, 17, 33),
    (3, 257): (1, 4, 16, 17, 32, 33, 64, 65, 100, 257),
    (70, 129): (1, 5, 64, 129),
    (1, 5000): (1, 10, 64, 65, 1000, 5000),
    (5, 4099): (3, 64, 70, 4099),
}


def of(rows: int, length: int, dtype: str) -> np.ndarray[Any, Any]:
    """Few different keys, so that many are equal; NaN and both zeros where there are such."""
    rng = np.random.default_rng(length)
    x = rng.integers(0, 40, (rows, length)).astype(dtype)
    if x.dtype.kind == "f":
        x -= 20
        x[(x == 0) & (rng.random(x.shape) < 0.5)] = -0.0
        x[rng.random(x.shape) < 0.05] = np.nan
    return x


def expected(x: np.ndarray[Any, Any], descending: bool) -> np.ndarray[Any, Any]:
    key = np.where(np.isnan(x), np.inf, x).astype(np.float64)
    return np.argsort(-key if descending else key, axis=1, kind="stable")


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("software", [True, False])
@pytest.mark.parametrize(("shape", "counts"), ROWS.items())
def test_first_of_rows(
    shape: tuple[int, int], counts: tuple[int, ...], software: bool, descending: bool, device: Any
) -> None:
    target = replace(device.target, software=software)
    for count in counts:
        for dtype in ("float32", "int32") if count in (1, shape[1]) else ("float32",):
            x = of(*shape, dtype)
            (order,), _ = run(device, graph_of(ARGSORT, [x], count=count, descending=descending), [x], target)
            np.testing.assert_array_equal(order, expected(x, descending)[:, :count], f"{count} {dtype}")


@pytest.mark.parametrize("rules", RULES.values(), ids=RULES)
def test_steps_end_in_one_run(rules: Rules) -> None:
    """Each step reads what the one before it left, and rows of any length end in one run, of turns that are allowed."""
    for length in (1, 2, 31, 32, 33, 64, 65, 1000, 4096, 4097, 99_999, 10_000_000):
        for most in sorted({1, 2, 16, 17, 64, 65, 1000, length} & set(range(length + 1))):
            for rows in (1, 3, 64, 5000):
                found = steps(length, most, rows, rules)
                width = length
                for step in found:
                    assert step.width == width, (length, most, rows, step)
                    assert step.kind == "merge" or step.run <= LONGEST
                    width = step.left
                assert found[-1].run >= found[-1].width
                assert width == most
                assert len(found) <= 26


def test_few_of_long_rows_are_merged_by_nobody() -> None:
    """A software adapter picks them out of what was picked before, until one invocation has a row."""
    for most in (1, 10, 64):
        assert {s.kind for s in steps(1_000_000, most, 1, RULES["software"])} == {"select"}
    assert len(steps(1000, 10, 64, RULES["software"])) == 1
