"""What messages tell to write gives the numbers of the call that they refuse: every piece of advice is run."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.tracing import advice

SOURCES = Path(advice.__file__).parent
X = np.array([[0.5, 2.0, 1.25], [3.5, 0.75, 1.0]], np.float32)
V = np.array([0.5, 1.0, 2.0, 3.5], np.float32)
MASK = X > 0.9
NAN = np.where(X > 3, np.nan, X).astype(np.float32)
EDGES = np.array([0.5, 1.0, 2.0, 3.0], np.float32)
IDS = np.array([2, 0], np.int32)
NEW = np.array([[9, 8, 7], [6, 5, 4]], np.float32)

Call = Callable[..., Any]
"""The refused call, as a function of the names that the advice uses; it may change a copy in place, and return that."""


def changed(call: Callable[[Any], Any]) -> Callable[..., Any]:
    """The array that a call has changed in place."""

    def result(x: Any) -> Any:
        x = x.copy()
        call(x)
        return x

    return result


def given(**names: Any) -> dict[str, Any]:
    return names


CASES: dict[str, tuple[dict[str, Any], Call]] = {
    # Functions.
    "np.copyto": (
        given(x=X, new=NEW, mask=MASK),
        lambda x, new, mask: changed(lambda x: np.copyto(x, new, where=mask))(x),
    ),
    "np.put": (
        given(x=X, new=NEW[0], ids=np.array([4, 0, 2], np.int32)),
        lambda x, new, ids: changed(lambda x: np.put(x, ids, new))(x),
    ),
    "np.put_along_axis": (
        given(x=X, ids=IDS[:, None], new=NEW[:, :1], axis=1),
        lambda x, ids, new, axis: changed(lambda x: np.put_along_axis(x, ids, new, axis))(x),
    ),
    "np.linalg.eigvals": (given(x=np.eye(3, dtype=np.float32) * [1, 2, 3]), lambda x: np.linalg.eigvals(x)),
    "np.unique": (given(x=np.array([3, 1, 3, 2], np.int32), n=3), lambda x, n: np.unique(x)),
    "np.bincount": (given(ids=IDS, n=3), lambda ids, n: np.bincount(ids)),
    "np.putmask": (given(x=X, new=NEW, mask=MASK), lambda x, new, mask: changed(lambda x: np.putmask(x, mask, new))(x)),
    "np.fill_diagonal": (given(x=X, value=7.0), lambda x, value: changed(lambda x: np.fill_diagonal(x, value))(x)),
    # Methods.
    ".fill": (given(x=X, value=3.5), lambda x, value: changed(lambda x: x.fill(value))(x)),
    ".put": (
        given(x=X, new=NEW[0], ids=np.array([4, 0, 2], np.int32)),
        lambda x, new, ids: changed(lambda x: x.put(ids, new))(x),
    ),
    ".sort": (given(x=X), lambda x: changed(lambda x: x.sort())(x)),
    ".resize": (given(x=X, shape=(3, 2)), lambda x, shape: changed(lambda x: x.resize(shape, refcheck=False))(x)),
    ".flat": (given(x=X), lambda x: np.array(list(x.flat))),
    # Numbers of Python's.
    "float": (given(x=V[1]), lambda x: float(x)),
    "int": (given(x=V[3]), lambda x: int(x)),
    "if": (given(condition=V[1] > 0, a=V, b=-V), lambda condition, a, b: a if condition else b),
    "an array of NumPy's": (given(array=np.arange(12.0).reshape(4, 3), ids=IDS[0]), lambda array, ids: array[ids]),
    "a slice": (given(x=V, start=np.int32(1), length=2), lambda x, start, length: x[start : start * 1 + length]),
    # Keywords.
    "np.add where": (
        given(mask=MASK, otherwise=NEW, result=X + 1, x=X),
        lambda mask, otherwise, result, x: np.add(
            x, 1, where=mask, **({"out": otherwise.copy()} if isinstance(x, np.ndarray) else {})
        ),
    ),
}  # fmt: skip
for ufunc in advice.AT:
    CASES[f"np.{ufunc}.at"] = (
        given(x=V, ids=np.array([2, 0, 2], np.int32), y=NEW[0]),
        lambda x, ids, y, ufunc=ufunc: changed(lambda x: getattr(np, ufunc).at(x, ids, y))(x),
    )

EVALUATED: set[str] = set()


def traceable(names: dict[str, Any]) -> dict[str, Any]:
    """What of the names is traced: the arrays, and NumPy's numbers; a plain `array` stays what it is."""
    return {k: v for k, v in names.items() if isinstance(v, np.ndarray | np.generic) and k != "array"}


def refusal(call: Call, names: dict[str, Any]) -> str:
    """The message of the error that the call raises where its arrays are traced."""
    arrays = traceable(names)
    rest = {key: value for key, value in names.items() if key not in arrays}
    with pytest.raises(graphc.TraceError) as caught:
        graphc.trace(lambda **traced: call(**traced, **rest), **{k: np.asarray(v) for k, v in arrays.items()})
    return str(caught.value).split("\n", maxsplit=1)[0]


@pytest.mark.parametrize("case", CASES)
def test_the_advice_gives_what_the_refused_call_gives(case: str) -> None:
    names, call = CASES[case]
    pieces = re.findall(r"`([^`]+)`", refusal(call, names))
    assert pieces, "the message has code"
    want = np.real_if_close(call(**names))  # NumPy may give eigenvalues as complex numbers
    found: dict[str, Any] = {"np": np, "graphc": graphc, **names}
    *before, last = pieces
    for piece in before:
        exec(piece, found)
    for made in (eval(last, found), traced(before, last, names)):
        made = np.asarray(made)
        assert made.shape == want.shape
        np.testing.assert_allclose(made.astype(np.float64), want.astype(np.float64), rtol=1e-5)
    EVALUATED.update(pieces)


def traced(before: list[str], last: str, names: dict[str, Any]) -> Any:
    """What the advice gives in a compiled function, all arrays of which are traced."""
    arrays = traceable(names)

    def program(**given: Any) -> Any:
        scope: dict[str, Any] = {"np": np, "graphc": graphc, **names, **given}
        for piece in before:
            exec(piece, scope)
        return eval(last, scope)

    return graphc.compile(program, device="numpy")(**{k: np.asarray(v) for k, v in arrays.items()})


def test_no_piece_of_advice_is_left_out() -> None:
    """Each code between backquotes in what tracing says is run by a case above."""
    tables = (advice.FUNCTIONS, advice.UFUNCS, advice.METHODS)
    written = {piece for table in tables for text in table.values() for piece in re.findall(r"`([^`]+)`", text)}
    for path in SOURCES.glob("*.py"):
        if path.name != "advice.py":
            written |= {piece for text in said(path) for piece in re.findall(r"`([^`]+)`", text)}
    cases = {piece for case in CASES for piece in re.findall(r"`([^`]+)`", refusal(CASES[case][1], CASES[case][0]))}
    assert written - cases == set()
    assert len(written) > 12


def said(path: Path) -> list[str]:
    """The strings of a file that are no docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs
    ]


@pytest.mark.parametrize("table", ["FUNCTIONS", "METHODS", "UFUNCS"])
def test_what_has_advice_is_refused(table: str) -> None:
    """Advice for something that can be traced would be wrong."""
    for name in getattr(advice, table):
        if table == "METHODS":
            with pytest.raises(graphc.TraceError):
                graphc.trace(lambda x, name=name: getattr(x, name), X)
        else:
            from graphc.tracing.dispatch import SPECIAL
            from graphc.tracing.functions import TABLE
            from graphc.tracing.ufuncs import RULES

            known = {f.__name__ for f in (*TABLE, *RULES, *SPECIAL) if hasattr(f, "__name__")}
            assert name not in known


@pytest.mark.parametrize("weights", [None, NEW, NEW[0]])
@pytest.mark.parametrize("axis", [None, 1, -1])
def test_averages_return_their_weights(weights: Any, axis: Any) -> None:
    if weights is not None and weights.ndim == 1 and axis is None:
        axis = 1
    want = np.average(X, axis, weights, returned=True)
    found = graphc.compile(lambda x: np.average(x, axis, weights, returned=True), device="numpy")(X)
    for one, other in zip(found, want, strict=True):
        np.testing.assert_allclose(np.asarray(one), other, rtol=1e-6)
