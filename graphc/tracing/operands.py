"""What a function that is made of NumPy calls takes: arrays of numbers, and settings of the kind that is written.

NumPy takes more: sigmoid of integers ends in zeros, any text is a true flag. The rules go by the annotations of the
parameters, so that each function has them, and the same at once as in a trace.
"""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable
from functools import partial, wraps
from typing import Any, Final, ParamSpec, TypeVar

import numpy as np

from graphc.errors import ArgumentError, DTypeError, GraphcError, ShapeError
from graphc.tracing.core import is_tracer
from graphc.tracing.settings import is_flag, kind_of, known

P = ParamSpec("P")
R = TypeVar("R")

FLOATS: Final = "f"
NUMBERS: Final = "fiu"
ANY: Final = "fiub"


def takes(*, floats: str = "", numbers: str = "") -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A decorator: arguments are looked at before the function runs, by what its parameters are annotated with.

    floats, numbers: names of the arrays that must be of floats, and of numbers that are no bool. An Array holds numbers
    or bools, a bool is True or False, a float is a number (traced too), and what is called axis is an integer. None is
    taken where it is written. Raises DTypeError for arrays, ArgumentError for settings.
    """

    def decorated(function: Callable[P, R]) -> Callable[P, R]:
        name = function.__name__
        rules: dict[str, tuple[bool, Callable[[Any], Any]]] = {}
        places: list[tuple[str, bool, Callable[[Any], Any]] | None] = []
        for key, parameter in inspect.signature(function).parameters.items():
            kinds = FLOATS if key in floats.split() else NUMBERS if key in numbers.split() else ANY
            written = str(parameter.annotation)
            rule = _rule(name, key, written.removesuffix(" | None"), kinds)
            if rule is not None:
                rules[key] = (written.endswith(" | None"), rule)
            if parameter.kind is not parameter.KEYWORD_ONLY:
                places.append(None if rule is None else (key, *rules[key]))

        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            for value, place in zip(args, places, strict=False):
                if place is not None and not (value is None and place[1]):
                    place[2](value)
            for key, value in kwargs.items():
                optional, rule = rules.get(key, (True, None))
                if rule is not None and not (value is None and optional):
                    rule(value)
            return function(*args, **kwargs)

        return call

    return decorated


def _rule(name: str, key: str, written: str, kinds: str) -> Callable[[Any], Any] | None:
    if written == "Array":
        return partial(operand, name, key, kinds=kinds)
    if written == "bool":
        return partial(flag, name, key)
    if written == "float":
        return partial(number, name, key)
    return partial(integer, name, key) if key == "axis" else None


def operand(name: str, what: str, value: Any, kinds: str = FLOATS) -> Any:
    """An operand as an array; raises DTypeError where it is not of these kinds: `FLOATS`, `NUMBERS` or `ANY`."""
    x = _array(value)
    kind = kind_of(x)
    if kind in kinds:
        return x
    if kind in ANY:
        raise DTypeError(f"{name}: {what} is {x.dtype}: needs floats, as x.astype(np.float32) has them")
    raise DTypeError(f"{name}: {what} is {_shown(value)}: needs an array of numbers")


def flag(name: str, what: str, value: Any) -> None:
    """Raise ArgumentError for what is neither True nor False, TraceError where it is traced."""
    known(value, f"{name}: {what}")
    if not is_flag(value):
        raise ArgumentError(f"{name}: {what} is {_shown(value)}: needs True or False")


def number(name: str, what: str, value: Any) -> None:
    """Raise ArgumentError for what is no number; it may be traced."""
    x = _array(value)
    if kind_of(x) not in NUMBERS or x.ndim:
        raise ArgumentError(f"{name}: {what} is {_shown(value)}: needs a number")


def integer(name: str, what: str, value: Any) -> None:
    """Raise ArgumentError for what is no integer, TraceError where it is traced."""
    known(value, f"{name}: {what}")
    try:
        operator.index(value)
    except TypeError:
        raise ArgumentError(f"{name}: {what} is {_shown(value)}: needs an integer") from None


def at_least(name: str, what: str, value: Any, least: float = 0.0, most: float = np.inf) -> None:
    """Raise ArgumentError for a number outside of [least, most], or that is not finite; one that is traced passes."""
    number(name, what, value)
    if not is_tracer(value) and not (least <= value <= most and np.isfinite(float(value))):
        to = f"of {least:g} or more" if np.isinf(most) else f"from {least:g} to {most:g}"
        raise ArgumentError(f"{name}: {what} is {_shown(value)}: needs a number {to}")


def check_axis(name: str, x: Any, axis: Any) -> None:
    """Raise ShapeError for an axis that x does not have, ArgumentError for what is no integer."""
    integer(name, "axis", axis)
    if not -x.ndim <= axis < x.ndim:
        raise ShapeError(f"{name}: x has shape {x.shape}: there is no axis {axis}")


def check_fits(name: str, what: str, given: Any, shape: tuple[int, ...], needed: str) -> None:
    """Raise ShapeError for an array that does not broadcast with a shape."""
    try:
        np.broadcast_shapes(given.shape, shape)
    except ValueError:
        raise ShapeError(f"{name}: {what} has shape {given.shape}, which does not fit {shape}: need {needed}") from None


def _array(value: Any) -> Any:
    """The value where it is an array, else one of it; None where NumPy makes none."""
    if hasattr(value, "shape"):
        return value
    try:
        return np.asarray(value)
    except GraphcError:
        raise
    except (TypeError, ValueError):
        return None


def _shown(value: Any) -> str:
    if getattr(value, "shape", ()):
        return f"an array of {value.dtype}, shape {tuple(value.shape)}"
    text = " ".join((str(value) if isinstance(value, np.ndarray | np.generic) else repr(value)).split())
    return text if len(text) <= 40 else f"{text[:37]}..."
