"""What NumPy refuses as the setting of a function, refused here too: one rule for each kind of setting, by its name."""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, Final

import numpy as np

from graphc import tree
from graphc.errors import ArgumentError, GraphcError, IndexRangeError, ShapeError, TraceError
from graphc.tracing.core import is_tracer
from graphc.tracing.source import raised_at

NO: Final[Any] = np._NoValue
"""What stands for an argument that was not given."""

Check = Callable[[Any, str], None]


def check(name: str, handler: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Raise TraceError or ArgumentError for a setting of the NumPy function `name` that NumPy would not take."""
    checks, places = _checks(name, handler)
    for place, what, one in places:
        if place < len(args):
            one(args[place], what)
    if kwargs:
        for key, value in kwargs.items():
            named = checks.get(key)
            if named is not None:
                named(value, key)


def refused(
    error: Exception, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], full_name: str
) -> GraphcError | None:
    """The error of ours for one that came out of Python or NumPy; None where a function of the user's raised it.

    Where NumPy itself refuses arrays like these, its reason is given.
    """
    if raised_at(error).lines:
        return None
    if isinstance(error.__cause__, GraphcError):
        return error.__cause__
    reason = _numpys_reason(func, args, kwargs)
    text = f"{full_name}({_shown(args, kwargs)}): "
    if reason is None:
        return TraceError(f"{text}cannot be traced with these arguments: {error or type(error).__name__}")
    kind: type[GraphcError] = TraceError
    if isinstance(reason, np.exceptions.AxisError):
        kind = ShapeError
    elif isinstance(reason, IndexError):
        kind = IndexRangeError
    elif isinstance(reason, ValueError | ArithmeticError):
        kind = ArgumentError
    return kind(text + str(reason))


_MOST: Final = 1 << 20
"""Elements of arrays up to which NumPy is asked what it thinks of a call."""


def _numpys_reason(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Exception | None:
    """Why NumPy refuses a call with arrays of these shapes; None where it does not, or is not asked."""
    traced = [x for x in tree.leaves((args, kwargs)) if is_tracer(x)]
    if sum(x.size for x in traced) > _MOST:
        return None
    alike = tree.map(lambda x: np.ones(x.shape, x.dtype) if is_tracer(x) else x, (args, kwargs))
    try:
        with np.errstate(all="ignore"):
            func(*alike[0], **alike[1])
    except Exception as reason:  # whatever NumPy says of it
        return reason
    return None


def _shown(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    def one(x: Any) -> str:
        if is_tracer(x):
            return str(x.value.type)
        text = repr(x)
        return text if len(text) <= 40 else f"{text[:37]}..."

    return ", ".join([*map(one, args), *(f"{key}={one(value)}" for key, value in kwargs.items())])


def known(value: Any, what: str) -> None:
    """Raise TraceError for a traced setting."""
    if is_tracer(value):
        raise TraceError(f"{what} is traced, but has to be known: mark the argument static")


def whole(value: Any, what: str) -> None:
    """Raise TraceError for what is no integer."""
    known(value, what)
    try:
        operator.index(value)
    except TypeError:
        raise TraceError(f"{what} is {value!r}: needs an integer") from None


def _or_none(one: Check, value: Any, what: str) -> None:
    if value is not None:
        one(value, what)


def is_flag(value: Any) -> bool:
    """Whether a value is True or False, Python's or NumPy's. NumPy itself takes more for one: see `true_or_false`."""
    return isinstance(value, bool | np.bool)


def is_number(value: Any) -> bool:
    """Whether a value is one number, Python's or an array's, and no bool; it may be traced, or on a device."""
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return plain or (getattr(value, "shape", None) == () and kind_of(value) in "iuf")


def kind_of(value: Any) -> str:
    """The kind of an array's elements, by NumPy's letter; "?" for what has none."""
    return str(getattr(getattr(value, "dtype", None), "kind", "?"))


def _number(value: Any, what: str) -> None:
    if is_tracer(value):
        if value.ndim:
            raise TraceError(f"{what} is {value.value.type}: needs a number")
    elif np.ndim(value) or np.asarray(value).dtype.kind not in "biuf":
        raise TraceError(f"{what} is {value!r}: needs a number")


def _known_number(value: Any, what: str) -> None:
    known(value, what)
    _number(value, what)


def true_or_false(value: Any, what: str) -> None:
    """Raise TraceError for what is neither True nor False, nor an integer, of which NumPy takes the truth."""
    known(value, what)
    if not isinstance(value, bool | int | np.bool | np.integer):
        raise TraceError(f"{what} is {value!r}: needs True or False")


def _mask(value: Any, what: str) -> None:
    """A where= argument: bool, and integers, of which NumPy takes the truth."""
    if not is_tracer(value) and np.asarray(value).dtype.kind not in "biu":
        raise TraceError(f"{what} is {value!r}: needs True or an array of bool")


def _counted_mask(value: Any, what: str) -> None:
    """The where= of a mean, which NumPy adds up: of what is no bool it would count more than one for an element."""
    kind = value.dtype.kind if is_tracer(value) else np.asarray(value).dtype.kind
    if kind != "b":
        raise TraceError(f"{what} needs True or an array of bool: write where=mask != 0")


def _one_of(allowed: tuple[Any, ...], value: Any, what: str) -> None:
    known(value, what)
    # Not by == alone: 0 is False, and an array is equal to each.
    if not any(type(value) is type(one) and value == one for one in allowed):
        raise ArgumentError(f"{what} is {value!r}: it must be {' or '.join(map(repr, allowed))}")


def _order(value: Any, what: str) -> None:
    _one_of(tuple("CFAKcfak"), value, what)


def _copied(value: Any, what: str) -> None:
    known(value, what)
    if isinstance(value, str):
        raise ArgumentError(f"{what} is {value!r}: it must be True, False or None")


def _given(value: Any, what: str) -> None:
    """What NumPy takes no None for."""
    if value is None:
        raise TraceError(f"{what} is None: leave it out")


def _axes(value: Any, what: str) -> None:
    known(value, what)
    for one in value if isinstance(value, tuple | list) else np.ravel(value):
        whole(one, what)


def _path(value: Any, what: str) -> None:
    if not isinstance(value, bool | str | list | tuple):
        raise TraceError(f"{what} is {value!r}: needs True, False, or how to contract")


_CLIPPED: Final = partial(_one_of, ("raise", "wrap", "clip"))
_SORT: Final = partial(_one_of, ("quicksort", "mergesort", "heapsort", "stable"))
_NUMBERS: Final = ("sum", "prod", "max", "min", "amax", "amin", "nansum", "nanprod", "nanmax", "nanmin")
_MEANS: Final = ("mean", "var", "std", "nanmean", "nanvar", "nanstd")

_ANYWHERE: Final[dict[str, Check]] = {
    "axis1": whole,
    "axis2": whole,
    "bias": true_or_false,
    "copy": _copied,
    "correction": _known_number,
    "ddof": _known_number,
    "decimals": whole,
    "deg": _axes,
    "device": partial(_one_of, ("cpu",)),
    "ind": whole,
    "indexing": partial(_one_of, ("xy", "ij")),
    "k": whole,
    "keepdims": true_or_false,
    "left": _number,
    "right": _number,
    "N": whole,
    "n": whole,
    "num": whole,
    "offset": whole,
    "optimize": _path,
    "order": _order,
    "side": partial(_one_of, ("left", "right")),
    "where": _mask,
}
"""By the name of the parameter, whatever the function. None is taken where it is the parameter's default."""

_OF_ONE: Final[dict[tuple[str, str], Check | None]] = {
    **{(name, "initial"): _number for name in _NUMBERS},
    **{(name, "where"): _counted_mask for name in _MEANS},
    **{(name, "kind"): _SORT for name in ("sort", "argsort")},
    **{(name, "kind"): partial(_one_of, ("introselect",)) for name in ("partition", "argpartition")},
    **{(name, "order"): None for name in ("sort", "argsort", "partition", "argpartition")},
    **{(name, "mode"): _CLIPPED for name in ("take", "choose")},
    ("isin", "kind"): partial(_one_of, ("sort", "table")),
    ("angle", "deg"): None,
    ("apply_over_axes", "axes"): _axes,
    ("diff", "append"): _given,
    ("diff", "prepend"): _given,
    ("digitize", "right"): None,
    ("rollaxis", "axis"): whole,
    ("rollaxis", "start"): whole,
    ("where", "x"): None,
}
"""Of one function, by its name and the parameter's; None: no rule."""


@lru_cache(maxsize=1024)
def _checks(name: str, handler: Callable[..., Any]) -> tuple[dict[str, Check], list[tuple[int, str, Check]]]:
    """The rules of a function's parameters: by name, and (place, name, rule) of those that go by place."""
    found: dict[str, Check] = {}
    places: list[tuple[int, str, Check]] = []
    for place, (key, parameter) in enumerate(inspect.signature(handler).parameters.items()):
        one = _OF_ONE.get((name, key), _ANYWHERE.get(key))
        if one is None:
            continue
        rule: Check = partial(_unless, parameter.default, one)
        found[key] = rule
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            places.append((place, key, rule))
    return found, places


def _unless(default: Any, one: Check, value: Any, what: str) -> None:
    """The rule for what is not the parameter's default."""
    if value is not NO and value is not default:
        one(value, what)
