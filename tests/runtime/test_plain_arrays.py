"""Arrays that mean more than their elements are refused wherever they could enter, and never lose their meaning."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc

X = np.arange(6, dtype=np.float32).reshape(2, 3)


class Metres(np.ndarray):
    """As arrays with units do it: arithmetic of its own."""

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        return NotImplemented


class Tagged(np.ndarray):
    """A subclass that computes as ndarray does."""


class Sparse:
    """As scipy's sparse matrices look."""

    shape, dtype = property(lambda self: (2, 3)), property(lambda self: np.dtype(np.float32))

    def toarray(self) -> Any:
        return X


KINDS: dict[str, tuple[Any, str]] = {
    "masked": (np.ma.array(X, mask=X > 2), "mask would be lost: write x.filled"),
    "masked, nothing hidden": (np.ma.array(X), "mask would be lost"),
    "masked integers": (np.ma.array([0, 1], mask=[True, False]), "mask would be lost"),
    "matrix": (X.view(np.matrix), "write np.asarray"),
    "units": (X.view(Metres), "own arithmetic would be lost"),
    "sparse": (Sparse(), "write x.toarray"),
}

WAYS: dict[str, Callable[[Any], Any]] = {
    "argument": lambda a: graphc.compile(lambda x: x * 2, device="numpy")(a),
    "argument in a tree": lambda a: graphc.compile(lambda x: x["a"][0] * 2, device="numpy")({"a": [a]}),
    "argument of trace": lambda a: graphc.trace(lambda x: x * 2, a),
    "argument of lower": lambda a: graphc.compile(lambda x: x * 2, device="numpy").lower(a),
    "argument of a gradient": lambda a: graphc.grad(lambda x: np.sum(x * x))(a),
    "another argument of a gradient": lambda a: graphc.grad(lambda w, x: np.sum(w * x))(np.float32(1), a),
    "constant on the right": lambda a: graphc.trace(lambda x: x * a, X),
    "constant on the left": lambda a: graphc.trace(lambda x: a * x, X),
    "constant of a function": lambda a: graphc.trace(lambda x: np.where(x > 0, a, x), X),
    "constant of outer": lambda a: graphc.trace(lambda x: np.add.outer(x, a), X),
    "part of a list": lambda a: graphc.trace(lambda x: np.concatenate([x, a]), X),
    "index": lambda a: graphc.trace(lambda x: x[a], X),
    "ids of take": lambda a: graphc.trace(lambda x: np.take(x, a), X),
    "result": lambda a: graphc.trace(lambda x: (x, a), X),
    "asarray": lambda a: graphc.asarray(a, "numpy"),
    "slices of a scan": lambda a: graphc.trace(lambda x: graphc.scan(lambda c, y: (c + y, y), x[0], a), X),
    "saved": lambda a: graphc.save("/nowhere/file", {"a": a}),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", KINDS)
def test_what_would_lose_its_meaning_is_refused(kind: str, way: str) -> None:
    value, text = KINDS[kind]
    with pytest.raises(graphc.GraphcError) as caught:
        WAYS[way](value)
    # An operator of the left operand's own, or an ndarray method, may come first; it must not compute without a word.
    own = (kind, way) in {(k, "constant on the left") for k in ("masked", "masked, nothing hidden", "masked integers")}
    assert text in str(caught.value) or (own or kind == "sparse"), str(caught.value)


@pytest.mark.parametrize("way", ["argument", "argument of trace", "constant on the right", "asarray", "saved"])
def test_the_masked_scalar_is_refused(way: str) -> None:
    with pytest.raises(graphc.GraphcError, match="mask would be lost"):
        WAYS[way](np.ma.masked)


def test_a_call_after_a_plain_one_is_refused_too() -> None:
    double = graphc.compile(lambda x: x * 2, device="numpy")
    double(X)
    executable = double.lower(X)
    for call in (double, executable):
        with pytest.raises(graphc.DTypeError, match="mask would be lost"):
            call(np.ma.array(X, mask=X > 2))


def test_subclasses_that_compute_as_ndarray_does_are_taken(tmp_path: Path) -> None:
    mapped = np.memmap(tmp_path / "x", np.float32, "w+", shape=(2, 3))
    mapped[:] = X
    for value in (X.view(Tagged), mapped):
        made = graphc.compile(lambda x, value=value: x * 2 + value, device="numpy")(value)
        np.testing.assert_array_equal(np.asarray(made), X * 3)
        np.testing.assert_array_equal(np.asarray(graphc.asarray(value, "numpy")), X)
