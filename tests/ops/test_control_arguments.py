"""What loops are not made for is refused by an error of graphc: too many steps, flags, carries of another shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import control
from graphc.errors import ArgumentError, DTypeError, GraphcError, ShapeError, TraceError

X = np.arange(6, dtype=np.float32).reshape(2, 3)
loose: Any = graphc
"""The module as programs see it that are not checked."""


def summed(low: Any, high: Any, **options: Any) -> Callable[[Any], Any]:
    return lambda x: graphc.fori_loop(low, high, lambda i, s: s + i, x, **options)


def scanned(**options: Any) -> Callable[[Any], Any]:
    return lambda x: loose.scan(lambda c, _: (c, None), x, **options)[0]


def repeated(**options: Any) -> Callable[[Any], Any]:
    return lambda x: loose.while_loop(lambda s: s[0, 0] < 3, lambda s: s + 1, x, **options)


REFUSED: dict[str, tuple[type[GraphcError], str, Callable[[Any], Any]]] = {
    "an end too far": (DTypeError, "fori_loop: upper is 1099511627776, which does not fit int32", summed(0, 2**40)),
    "a begin too far": (DTypeError, "fori_loop: lower is -2147483649, which does not fit", summed(-(2**31) - 1, 3)),
    "too many turns": (ArgumentError, "number of turns 4294967295 does not fit", summed(-(2**31), 2**31 - 1)),
    "the turns of no bound": (ArgumentError, "number of turns 2147483646 does not fit", summed(0, 2**31 - 2)),
    "max_steps": (ArgumentError, "fori_loop: max_steps 10+ does not fit", summed(0, 3, max_steps=10**30)),
    "max_steps below 0": (TraceError, "fori_loop: max_steps -1 is no number", summed(0, 3, max_steps=-1)),
    "length": (ArgumentError, "scan: length 10+ does not fit", scanned(length=10**30)),
    "the length of no bound": (ArgumentError, "scan: length 2147483646 does not fit", scanned(length=2**31 - 2)),
    "while max_steps": (ArgumentError, "while_loop: max_steps 10+ does not fit", repeated(max_steps=10**30)),
    "while max_steps of truth": (TraceError, "while_loop: max_steps True is no number", repeated(max_steps=True)),
    "reverse": (TraceError, "scan: reverse is 'no': needs True or False", scanned(length=3, reverse="no")),
    "reverse of nothing": (TraceError, "scan: reverse is None", scanned(length=3, reverse=None)),
    "a carry of another shape": (
        ShapeError,
        r"scan: carry has shape \(2, 3\), and after a step \(3,\)",
        lambda x: graphc.scan(lambda c, _: (c[0], c), x, length=2),
    ),
    "a carry deep within": (
        ShapeError,
        r'scan: carry\["a"\]\[1\] has shape \(3,\), and after a step \(4,\)',
        lambda x: graphc.scan(lambda c, r: ({"a": (r, np.append(r, 1))}, None), {"a": (x[0], x[0])}, x),
    ),
}


@pytest.mark.parametrize("traced", [False, True])
@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused(name: str, traced: bool) -> None:
    kind, text, call = REFUSED[name]
    with pytest.raises(kind, match=text) as caught:
        graphc.trace(call, X) if traced else call(X)
    assert "\n  at  test_control_arguments.py" in str(caught.value)


def test_a_known_bound_beside_one_that_is_traced_fits_too() -> None:
    with pytest.raises(DTypeError, match="upper is 2147483648, which does not fit int32"):
        graphc.trace(lambda n, x: summed(n, 2**31)(x), np.int32(0), X)


def test_loops_over_arrays_keep_the_shapes_of_their_state() -> None:
    with pytest.raises(ShapeError, match=r"fori_loop: init has shape \(2, 3\), and after a step \(3,\)"):
        graphc.fori_loop(0, 2, lambda i, s: s[0], X)
    with pytest.raises(TraceError, match="fori_loop: the state is"):
        graphc.fori_loop(0, 2, lambda i, s: (s, i), X)
    with pytest.raises(ShapeError, match=r"while_loop: init\[1\] has shape \(2, 3\), and after a step \(3,\)"):
        graphc.while_loop(lambda s: s[0] < 3, lambda s: (s[0] + 1, s[1][0]), (0, X))

    def growing(c: Any, _: Any) -> Any:
        return c + 1, X[: int(c)]

    with pytest.raises(ShapeError, match=r"scan: y has shape \(0, 3\) after one step, and \(1, 3\) after another"):
        graphc.scan(growing, 0, length=2)


def test_long_loops_make_their_counters_as_they_go(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = graphc.trace(summed(0, 3 * 10**8), X)
    assert all(array.size < 100 for array in graph.constants.values())
    graphc.compile(summed(0, 3 * 10**8), device="numpy").lower(X)
    graphc.compile(scanned(length=3 * 10**8), device="numpy").lower(X)
    monkeypatch.setattr(control, "_LISTED", 4)
    for low, high in ((-3, 4), (-9, -4)):
        for unroll in (1, 3, True):

            def fn(x: Any, low: int = low, high: int = high, unroll: Any = unroll) -> Any:
                return graphc.fori_loop(low, high, lambda i, s: s * 2 + i * x, x, unroll=unroll)

            found = graphc.compile(fn, device="numpy")(X)
            np.testing.assert_allclose(found, fn(X), rtol=1e-6)


def test_a_long_loop_has_a_gradient_and_is_mapped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "_LISTED", 4)

    def fn(x: Any) -> Any:
        return graphc.fori_loop(0, 6, lambda i, s: s + np.where(i == 5, x * x, 0.0), x)

    for device in ("numpy", "wgpu"):
        value, slope = graphc.compile(graphc.vmap(graphc.value_and_grad(fn)), device=device)(X[0])
        np.testing.assert_allclose(value, X[0] + X[0] ** 2, rtol=1e-6)
        np.testing.assert_allclose(slope, 1 + 2 * X[0], rtol=1e-6)


def test_reverse_is_any_truth() -> None:
    for reverse in (1, True, np.True_):
        _, found = loose.scan(lambda c, x: (c + x, c), X[0] * 0, X, reverse=reverse)
        np.testing.assert_array_equal(found, [X[1], X[0] * 0])
        graph = graphc.trace(lambda x, r=reverse: loose.scan(lambda c, y: (c + y, c), x[0], x, reverse=r), X)
        assert [node.attrs["reverse"] for node in graph.nodes if node.op.name == "scan"] == [True]
