"""Each operator in place on a traced value leaves what NumPy's leaves: values, shape, element type, refusals."""

from __future__ import annotations

import operator
import warnings
from typing import Any

import numpy as np
import pytest

import graphc
from tests.support.tracing import run_traced

OPERATORS = ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "lshift", "rshift", "and", "or", "xor"]
LEFT = {
    "float32": np.array([[1.5, -2.0], [3.0, 4.0]], np.float32),
    "float16": np.array([[1.5, -2.0], [3.0, 4.0]], np.float16),
    "int32": np.array([[5, 2], [3, 7]], np.int32),
    "bool": np.array([[True, False], [True, True]]),
}
RIGHT: dict[str, Any] = {
    "float32": np.array([[2, 1], [1, 3]], np.float32),
    "int32": np.array([[2, 1], [1, 3]], np.int32),
    "bool": np.array([[True, True], [False, True]]),
    "row": np.array([2, 1], np.float32),
    "wider": np.ones((3, 2, 2), np.float32),
    "number": 2,
    "real number": 0.5,
}


@pytest.mark.parametrize("op", OPERATORS)
@pytest.mark.parametrize("right", RIGHT)
@pytest.mark.parametrize("left", LEFT)
def test_every_operator_leaves_what_numpys_leaves(left: str, right: str, op: str) -> None:
    function, other = getattr(operator, f"i{op}"), RIGHT[right]

    def program(x: Any) -> Any:
        h = x[::-1].copy()
        name = h
        name = function(name, other)
        return h, name

    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        want = outcome(program, LEFT[left])
        if want is None:
            with pytest.raises((graphc.ShapeError, graphc.DTypeError)):
                graphc.trace(program, LEFT[left])
        else:
            for mine, theirs in zip(run_traced(program, LEFT[left]), want, strict=True):
                assert (mine.dtype, mine.shape) == (theirs.dtype, theirs.shape)
                np.testing.assert_allclose(mine, theirs, rtol=1e-3 if left == "float16" else 1e-6)


def outcome(program: Any, x: Any) -> Any:
    """NumPy's results; None where NumPy refuses."""
    try:
        return program(x)
    except (TypeError, ValueError):
        return None
