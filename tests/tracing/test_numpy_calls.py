"""The page of NumPy's functions: what it says traces does, with NumPy's results, from kernels too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
from tests.support.numpy_calls import CALLS, Call, page, refusal
from tests.tracing.test_everyday import compare

PAGE = Path(__file__).resolve().parents[2] / "docs" / "numpy.md"
TRACED = [call for call in CALLS if not refusal(call)]


def numpys(call: Call) -> Any:
    """What NumPy gives, or this project's function where it is one."""
    with np.errstate(all="ignore"):
        return call.function(*call.arguments)


def test_how_many_trace() -> None:
    assert len({call.text for call in CALLS}) == len(CALLS)
    assert (len(TRACED), len(CALLS)) == (292, 309)


def test_the_page_is_as_generated(rewrite_golden: bool) -> None:
    if rewrite_golden:
        PAGE.write_text(page(), "utf-8")
    assert PAGE.read_text("utf-8") == page()


@pytest.mark.parametrize("passes", [(), graphc.passes.DEFAULT], ids=["unfused", "fused"])
def test_results_are_numpys(passes: Any) -> None:
    for call in TRACED:
        compare(graphc.compile(call.function, device="numpy", passes=passes)(*call.arguments), numpys(call), call.text)


@pytest.mark.parametrize("part", range(6))
def test_kernels_give_the_same(part: int, device: Any) -> None:
    """Many calls in one program."""
    calls = TRACED[part::6]

    def program(arguments: list[Any]) -> list[Any]:
        return [call.function(*given) for call, given in zip(calls, arguments, strict=True)]

    found = graphc.compile(program, device=device)([call.arguments for call in calls])
    for call, got in zip(calls, found, strict=True):
        compare(got, numpys(call), call.text)
