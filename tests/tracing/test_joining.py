"""np.array and np.asarray of traced values: as NumPy's of numbers, and NumPy's own again after a trace."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.tracing.joining import MATH, NAMES

TWO = {"pow", "atan2", "hypot"}


def of_math(name: str) -> Callable[[Any], Any]:
    """A function of math, of numbers for which it has results."""
    more = (2.5,) if name in TWO else ()
    return lambda v: getattr(math, name)(v[1] + (name == "acosh"), *more)


V = np.arange(7, dtype=np.float32) / 3
OWN = {name: getattr(np, name) for name in NAMES}

WAYS: dict[str, Callable[[Any], Any]] = {
    "list": lambda v: np.array([v[0], v[1] * 2, 3]),
    "nested": lambda v: np.array([[v[0], 1], [2, v[3]]], dtype=np.float32),
    "rows": lambda v: np.array((v, v + 1)),
    "itself": lambda v: np.asarray(v) * 2,
    "copied": lambda v: np.array(v, ndmin=2),
    "integers": lambda v: np.asarray([v[5], 2.0], dtype=int),
    "truth": lambda v: np.array([True, v[0] > 1]),
    "plain": lambda v: np.asarray([1, 2]) + v[:2],
    "operand": lambda v: v[:2] * [v[2], 2],
    "keyword": lambda v: np.array(object=[v[0], v[1]]),
    "contiguous": lambda v: np.ascontiguousarray(v[2]),
    "vectorized": lambda v: np.vectorize(lambda a, b: np.where(a > b, a, 2 * b))(v, 0.5),
    "vectorized by name": lambda v: np.vectorize(lambda a, b: a - b)(v, b=v[2]),
    "vectorized to two": lambda v: np.stack(np.vectorize(lambda a: (a, -a))(v)),
    **{f"math.{name}": of_math(name) for name in MATH},
}


@pytest.mark.parametrize("name", WAYS)
def test_arrays_of_traced_values(name: str) -> None:
    got, want = np.asarray(graphc.compile(WAYS[name], device="numpy")(V)), np.asarray(WAYS[name](V))
    assert (got.shape, got.dtype.kind) == (want.shape, want.dtype.kind)
    np.testing.assert_allclose(got, want, rtol=1e-6)


PIECES: dict[str, Callable[[Any], Any]] = {
    "of an element": lambda v: np.clip(v, 0, 1) ** 2 + np.sum(np.arange(3)),
    "of a table": lambda v: np.interp(v, np.arange(3.0) - 2, np.arange(3.0) ** 2),
}
MIXED: dict[str, Callable[[Any], Any]] = {
    "greatest": lambda v: v.max() + 0 * v,
    "mean": lambda v: v - v.mean(),
    "sums": np.cumsum,
    "turned": lambda v: v[::-1],
    "ordered": np.sort,
    "in the end": lambda v: (v * np.abs(v)) / np.linalg.norm(v),
}


@pytest.mark.parametrize("name", PIECES)
def test_pieces_are_numpys(name: str) -> None:
    def pieces(v: Any) -> Any:
        return np.piecewise(v, [v < 1, v > 1.5], [PIECES[name], lambda v: -v, 7])

    np.testing.assert_allclose(np.asarray(graphc.compile(pieces, device="numpy")(V)), pieces(V), rtol=1e-6)


@pytest.mark.parametrize("name", MIXED)
def test_functions_of_an_element_that_take_several_are_refused(name: str) -> None:
    def pieces(v: Any) -> Any:
        return np.piecewise(v, [v < 1], [MIXED[name], 0])

    with pytest.raises(graphc.TraceError, match=r"piecewise: .*more than one element's.*np\.where"):
        graphc.compile(pieces, device="numpy")(V)
    with pytest.raises(graphc.TraceError, match=r"vectorize: .*more than one element's"):
        graphc.compile(lambda v: np.vectorize(MIXED[name])(v), device="numpy")(V)


def test_gradients_pass() -> None:
    gradient = graphc.grad(lambda v: np.sum(np.array([v[0] ** 2, v[1], 3.0])))(V)
    np.testing.assert_allclose(np.asarray(gradient), [0, 1, 0, 0, 0, 0, 0], atol=1e-6)


def test_numpy_is_itself_again() -> None:
    seen = []

    def fails(v: Any) -> Any:
        seen.append(np.array is OWN["array"])
        graphc.trace(lambda w: w * 2, V)
        seen.append(np.array is OWN["array"])
        raise RuntimeError("the function's own")

    with pytest.raises(RuntimeError, match="own"):
        graphc.trace(fails, V)
    assert seen == [False, False]
    assert {name: getattr(np, name) for name in NAMES} == OWN


def test_threads_that_trace_nothing_see_no_change() -> None:
    made: list[Any] = []

    def other(v: Any) -> Any:
        thread = threading.Thread(target=lambda: made.append(np.array([1, 2])))
        thread.start()
        thread.join()
        return np.array([v[0], v[1]])

    graphc.trace(other, V)
    assert isinstance(made[0], np.ndarray)


def test_what_does_not_fit_is_said() -> None:
    with pytest.raises(graphc.ShapeError, match=r"array: all arrays need one shape, got f32\[7\] and f32\[\]"):
        graphc.trace(lambda v: np.array([v, v[0]]), V)
