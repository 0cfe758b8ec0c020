"""What is no array: as an argument, which is named with the line of the call; as an operand; as a setting."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.errors import ArgumentError, DTypeError, GraphcError, TraceError

LEAVES: dict[str, Any] = {
    "str": "a",
    "object": object(),
    "objects": np.array([None, 1], object),
    "masked": np.ma.masked_array([1.0, 2.0], [True, False]),
    "matrix": np.matrix([[1.0]]),
    "complex": np.array([1j]),
    "dates": np.array(["2020-01-01"], "datetime64[D]"),
    "strings": np.array(["a"]),
    "structured": np.zeros(2, [("x", "f4")]),
}
"""What no program takes."""


@pytest.mark.parametrize("what", LEAVES)
def test_an_argument_that_is_no_array_is_named_with_the_line(what: str) -> None:
    compiled = graphc.compile(lambda params, x: params["w"][0] + x, device="numpy")
    for call in (compiled, compiled.lower):
        with pytest.raises(GraphcError, match=r'^argument params\["w"\]\[1\]') as caught:
            call({"w": (np.ones(2), LEAVES[what])}, 1.0)
        assert "test_wrong_leaves.py" in str(caught.value)
        with pytest.raises(GraphcError, match=r"^argument x"):
            call({"w": (np.ones(2), 2.0)}, x=LEAVES[what])


RAGGED: Any = [[1.0], [1.0, 2.0]]


@pytest.mark.parametrize(
    "fn",
    [
        lambda x: x + RAGGED,
        lambda x: np.maximum(RAGGED, x),
        lambda x: np.dot(x, RAGGED),
        lambda x: np.where(x > 0, x, RAGGED),
        lambda x: x[RAGGED],
        lambda x: np.take(x, RAGGED),
        lambda x: graphc.at(x)[0].set(RAGGED),
    ],
)
def test_lists_of_several_lengths_are_refused_in_a_sentence(fn: Any) -> None:
    with pytest.raises(GraphcError) as caught:
        graphc.trace(fn, np.ones(2, np.float32))
    assert "test_wrong_leaves.py" in str(caught.value)


@pytest.mark.parametrize("check", ["yes", [], None, 1, np.ones(3)])
def test_check_is_true_or_false(check: Any) -> None:
    with pytest.raises(ArgumentError, match="check"):
        graphc.compile(np.tanh, check=check)


@pytest.mark.parametrize("dtype", [np.int32, np.float16, bool, np.float32, np.uint32])
@pytest.mark.parametrize("casting", ["no", "equiv", "safe", "same_kind", "unsafe", "easy"])
@pytest.mark.parametrize("x", [np.ones(2, np.float32), np.ones(2, np.int32), np.ones(2, bool)], ids=["f", "i", "b"])
def test_astype_keeps_to_numpys_rules(x: Any, dtype: Any, casting: Any) -> None:
    try:
        want = x.astype(dtype, casting=casting)
    except (TypeError, ValueError):
        with pytest.raises((DTypeError, ArgumentError), match="astype"):
            graphc.trace(lambda x: x.astype(dtype, casting=casting), x)
    else:
        found = graphc.compile(lambda x: x.astype(dtype, casting=casting), device="numpy")(x)
        assert found.dtype == want.dtype
    with pytest.raises(ArgumentError, match="order"):
        graphc.trace(lambda x: x.astype(dtype, order="Q"), x)
    for order in "CFAKcfak":
        assert graphc.trace(lambda x, order=order: x.astype(dtype, order=order), x).outputs


def test_what_is_no_number_in_an_expression_is_named() -> None:
    with pytest.raises(TraceError, match="a str is no array or number"):
        graphc.trace(lambda x: x + "a", np.ones(2))


@pytest.mark.parametrize(
    "leaf", ["a", object(), np.ma.masked_array([1.0] * 3, [True] * 3)], ids=["str", "object", "masked"]
)
def test_tangents_and_cotangents_that_are_no_arrays_are_named(leaf: Any) -> None:
    x = np.ones(3, np.float32)
    _, pull = graphc.vjp(lambda x: {"y": x * 2}, x)
    _, push = graphc.linearize(lambda x: x * 2, x)
    calls: dict[str, Any] = {
        r"^vjp: the cotangent\[": lambda: pull({"y": leaf}),
        "^linearize: the tangent": lambda: push(leaf),
    }
    for name, call in calls.items():
        with pytest.raises(GraphcError, match=name) as caught:
            call()
        assert "test_wrong_leaves.py" in str(caught.value)


COPIES: Any = [copy.copy, copy.deepcopy, pickle.dumps]


@pytest.mark.parametrize("copied", COPIES)
def test_an_executable_says_how_it_is_kept(copied: Any) -> None:
    executable = graphc.compile(lambda x: x + 1, device="numpy").lower(np.ones(3))
    with pytest.raises(TypeError, match=r"graphc\.load_program"):
        copied(executable)


@pytest.mark.parametrize("option", ["donate", "static"])
def test_bytes_name_no_argument(option: str) -> None:
    options: dict[str, Any] = {option: b"x"}
    with pytest.raises(ArgumentError, match="names no argument"):
        graphc.compile(lambda x: x, **options)
