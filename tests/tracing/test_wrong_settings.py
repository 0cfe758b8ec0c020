"""Whatever NumPy refuses as an argument of a function is refused in a trace, in graphc's words and with the line."""

from __future__ import annotations

import inspect
import itertools
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import reference
from graphc.tracing.core import is_tracer
from graphc.tracing.methods import ABOVE
from tests.support.numpy_calls import CALLS, refusal

RNG = np.random.default_rng(0)
WRONG: tuple[Any, ...] = (9, -9, 1.5, "hello", None, [], (0, 0), (0, 1), object())
"""What stands in the place of each argument that is not traced, one after the other."""

LENIENT = {
    # NumPy wants a tuple, or an ndarray, where a list says the same.
    ("axis", "[]"),
    ("partition", "kth", "[]"),
    ("take_along_axis", "indices", "[]"),
    # A list of powers means what an array of them does.
    ("polyfit", "deg", "(0, 0)"),
    ("polyfit", "deg", "(0, 1)"),
    # How NumPy goes about a contraction has no part in its result.
    ("einsum", "optimize", "[]"),
    ("einsum", "optimize", "(0, 0)"),
    ("einsum", "optimize", "(0, 1)"),
}
"""Calls that mean something here, though NumPy refuses them: (function, parameter, value), or of any function."""

WIDE: Any = np.ones((1, 1), np.float32)

Given = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]


def recorded() -> list[Given]:
    """One call of each NumPy function of the page of them, with its traced operands."""
    calls: dict[Any, Given] = {}
    inside, call_function = [False], ABOVE["call_function"]

    def record(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        outer, inside[0] = inside[0], True
        if not outer:
            calls.setdefault(function, (function, args, kwargs))
        try:
            return call_function(function, args, kwargs)
        finally:
            inside[0] = outer

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ABOVE, "call_function", record)
        for call in CALLS:
            if not refusal(call):
                graphc.trace(call.function, *call.arguments)
    return list(calls.values())


def plain(x: Any) -> Any:
    """Numbers in the place of traced values."""
    if is_tracer(x):
        made = RNG.uniform(0.2, 0.8, x.shape)
        return made > 0.5 if x.dtype.kind == "b" else (made if x.dtype.kind == "f" else made * 4).astype(x.dtype)
    return type(x)(map(plain, x)) if isinstance(x, list | tuple) else x


def changed() -> Iterator[tuple[str, str, Callable[..., Any], list[Any]]]:
    """(function, parameter, call, what it was changed to and arrays): each call with one argument changed, or added."""
    for function, args, kwargs in GIVEN:
        arrays = [plain(x) for x in args if is_tracer(x)]
        if not arrays:
            continue
        parameters = list(inspect.signature(function).parameters.values())
        more = [p.name for p in parameters[len(args) :] if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
        places = [k for k, x in enumerate(args) if not has_traced(x)]
        keywords = [name for name in more if name not in ("out", "dtype", "like", "subok", "casting")]
        sites: list[int | str] = [*places, *keywords]
        for at, wrong in itertools.product(sites, WRONG):
            name = parameters[at].name if isinstance(at, int) and at < len(parameters) else str(at)
            yield function.__name__, name, one_changed(function, args, kwargs, at, wrong), [repr(wrong), *arrays]


def one_changed(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], at: int | str, wrong: Any) -> Any:
    """The call as a function of its arrays."""
    slots, fixed = [is_tracer(x) for x in args], [None if is_tracer(x) else plain(x) for x in args]

    def call(*xs: Any) -> Any:
        found = iter(xs)
        values = [next(found) if slot else x for slot, x in zip(slots, fixed, strict=True)]
        named = {key: plain(value) for key, value in kwargs.items()}
        if isinstance(at, int):
            values[at] = wrong
        else:
            named[at] = wrong
        return function(*values, **named)

    return call


def has_traced(x: Any) -> bool:
    return is_tracer(x) or (isinstance(x, list | tuple) and any(map(has_traced, x)))


GIVEN = recorded()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_what_numpy_refuses_is_refused() -> None:
    refused = 0
    for function, parameter, call, (text, *arrays) in changed():
        where = f"{function}: {parameter}={text}"
        try:
            with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
                call(*arrays)
        except np.linalg.LinAlgError:  # of the numbers, not of the settings
            continue
        except Exception:
            if {(parameter, text), (function, parameter, text)} & LENIENT:
                continue
            error = raised(call, arrays)
            assert error is not None, f"{where} is taken"
            assert isinstance(error, graphc.GraphcError), where
            assert "\n  at  test_wrong_settings.py" in str(error), where
            refused += 1
        else:
            error = raised(call, arrays)
            assert error is None or isinstance(error, graphc.GraphcError), where
    assert refused > 1500


def raised(call: Callable[..., Any], arrays: list[Any]) -> Exception | None:
    """What tracing raises."""
    try:
        graphc.trace(call, *arrays)
    except Exception as error:
        return error
    return None


MEANT: dict[str, Callable[..., Any]] = {
    "resize of nothing": lambda x: np.resize(x[:0], (2, 3)),
    "trapezoid of spread steps": lambda x: np.trapezoid(x[0], dx=WIDE),
    "geomspace to another sign": lambda x: np.geomspace(np.abs(x[0, 0]) + 1, -9.0, 4),
    "geomspace of rows": lambda x: np.geomspace(np.abs(x[0]) + 1, np.float32(9), 5, axis=-1),
    "geomspace without its end": lambda x: np.geomspace(np.abs(x[0]) + 1, np.abs(x[1]) + 2, 3, endpoint=False),
    "polyfit of any cut": lambda x: np.polyfit(np.arange(5.0), x[0], 1, rcond=7.0),
    "lstsq of any cut": lambda x: np.linalg.lstsq(x[:, :2], x[:, 2], rcond=1.5)[0],
    "cond of zeros": lambda x: np.linalg.cond(x[:2, :2] * 0),
    "cond of zeros by sums": lambda x: np.linalg.cond(np.stack([x[:2, :2] * 0, x[:2, :2]]), 1)[0],
    "cond of NaN by sums": lambda x: np.linalg.cond(x[:2, :2] * np.nan, 1),
    "roll by one along two": lambda x: np.roll(x, (1,), (0, 1)),
    "rot90 the other way round": lambda x: np.rot90(x, 3, (-1, 0)),
}


@pytest.mark.parametrize("name", MEANT)
def test_settings_at_the_edge_mean_what_numpy_means(name: str) -> None:
    x = RNG.normal(size=(4, 5)).astype(np.float32)
    with np.errstate(all="ignore"):
        want = MEANT[name](x)
    (found,) = reference.run(graphc.trace(MEANT[name], x), [x])
    np.testing.assert_allclose(found, want, rtol=2e-5)


@pytest.mark.parametrize("mode", ["reflect", "symmetric"])
def test_rows_that_go_on_beyond_their_ends(mode: Any) -> None:
    for n in (1, 2, 3, 5):
        for width in ((1, 1), (0, 4), (7, 3)):
            for x in (RNG.normal(size=n), RNG.integers(0, 9, (2, n)).astype(np.int32)):
                around = width if x.ndim == 1 else ((1, 0), width)

                def padded(x: Any, around: Any = around) -> Any:
                    return np.pad(x, around, mode=mode, reflect_type="odd")

                graph = graphc.trace(padded, x)
                (found,) = reference.run(graph, [x.astype(graph.inputs[0].type.dtype.numpy)])
                np.testing.assert_allclose(found, padded(x), rtol=1e-5, atol=1e-6)


def test_an_error_of_a_function_of_ones_own_is_left_alone() -> None:
    def row(x: Any) -> Any:
        raise ValueError("of my own")

    with pytest.raises(ValueError, match=r"^of my own$"):
        graphc.trace(lambda x: np.apply_along_axis(row, 0, x), np.ones((2, 3), np.float32))


X, K = RNG.uniform(0.2, 0.8, (3, 4)).astype(np.float32), RNG.integers(-4, 5, (1, 3)).astype(np.int32)


def _product(name: str, other: Any, x: Any) -> Any:
    return getattr(np, name)(x, other)


REFUSED_OF_UFUNCS: dict[str, Callable[[Any], Any]] = {
    "floats in integers": lambda x: np.add(x, 2, dtype=np.int32),
    "cosines in integers": lambda x: np.cos(x, dtype=np.int32),
    "truth in floats": lambda x: np.isfinite(x, dtype=np.float32),
    "a rule that there is not": lambda x: np.add(x, 1, casting=ANYTHING),
    "a rule that does not allow it": lambda x: np.float_power(x, 2, casting="no"),
    "an order": lambda x: np.add(x, 1, order=ANYTHING),
    "flags": lambda x: np.add.reduce(x, keepdims=ANYTHING),
    "two axes of a running sum": lambda x: np.add.accumulate(x, axis=BOTH),
    "no axis of a running sum": lambda x: np.add.accumulate(x, axis=NONE),
}
for _name in ("vecdot", "matvec", "vecmat"):
    for _other in (2.0, np.ones(1), np.ones((1, 3)), np.ones(3)):
        if hasattr(np, _name):  # NumPy 2.2
            REFUSED_OF_UFUNCS[f"{_name} of {np.shape(_other)}"] = partial(_product, _name, _other)
ANYTHING: Any = "anything"
BOTH: Any = (0, 1)
NONE: Any = None


@pytest.mark.parametrize("name", REFUSED_OF_UFUNCS)
def test_what_numpy_refuses_of_ufuncs_is_refused(name: str) -> None:
    call = REFUSED_OF_UFUNCS[name]
    with pytest.raises((TypeError, ValueError)):
        call(X)
    error = raised(call, [X])
    assert isinstance(error, graphc.GraphcError)
    assert "\n  at  test_wrong_settings.py" in str(error)


ANY_NUMPY: Any = np  # NumPy 2.5 states what its ufuncs take more narrowly than they do
MEANT_OF_UFUNCS: dict[str, Callable[[Any, Any], Any]] = {
    "the greatest in integers": lambda x, k: ANY_NUMPY.maximum.reduce(x * 9, dtype=np.int32),
    "the least in integers": lambda x, k: ANY_NUMPY.minimum.reduce(x * 9, axis=1, dtype=np.int32),
    "equal as bool": lambda x, k: np.equal(x, x + (k[0, 0] > 9), dtype=bool),
    "less as bool": lambda x, k: np.less(x, 0.5, dtype=bool),
    "integers in floats": lambda x, k: np.multiply(k, 2, dtype=np.float32),
    "divisors of one": lambda x, k: ANY_NUMPY.gcd.reduce(k, axis=0),
    "divisors of none": lambda x, k: ANY_NUMPY.gcd.reduce(k, axis=()),
    "lengths of one": lambda x, k: ANY_NUMPY.hypot.reduce(k * np.float32(1.5), axis=0),
}


@pytest.mark.parametrize("name", MEANT_OF_UFUNCS)
def test_settings_of_ufuncs_mean_what_numpy_means(name: str) -> None:
    want = MEANT_OF_UFUNCS[name](X, K)
    (found,) = reference.run(graphc.trace(MEANT_OF_UFUNCS[name], X, K), [X, K])
    assert found.dtype.kind == want.dtype.kind
    np.testing.assert_allclose(found, want, rtol=1e-6)
