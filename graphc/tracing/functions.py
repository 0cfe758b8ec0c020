"""NumPy's functions (those that dispatch through __array_function__) as nodes: one table for all of them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, Final

import numpy as np

from graphc.errors import GraphcError, TraceError
from graphc.tracing import (
    advice,
    building,
    calculus,
    counting,
    creation,
    matrices,
    missing,
    pairs,
    products,
    reductions,
    scans,
    selection,
    settings,
    shaping,
    sorting,
)
from graphc.tracing.aliases import bare, fresh, view
from graphc.tracing.core import is_tracer, located

Handler = Callable[..., Any]

TABLE: Final[dict[Any, Handler]] = {
    **reductions.TABLE,
    **shaping.TABLE,
    **products.TABLE,
    **selection.TABLE,
    **creation.TABLE,
    **sorting.TABLE,
    **scans.TABLE,
    **missing.TABLE,
    **counting.TABLE,
    **calculus.TABLE,
    **building.TABLE,
    **matrices.TABLE,
    **pairs.TABLE,
}
"""The handler of each NumPy function; its parameters are those of the function, in order."""

_VIEWS: Final = """
    array_split atleast_1d atleast_2d atleast_3d broadcast_arrays broadcast_to diag diagonal dsplit expand_dims flip
    fliplr flipud hsplit matrix_transpose moveaxis permute_dims ravel real reshape rollaxis rot90 split squeeze swapaxes
    transpose unstack vsplit
"""
VIEWS: Final[frozenset[Any]] = frozenset(
    {getattr(np, name) for name in _VIEWS.split() if hasattr(np, name)}
    | {np.linalg.diagonal, np.linalg.matrix_transpose, np.lib.stride_tricks.sliding_window_view}
)
"""Functions that give views of their (first) argument, or of each; all others make new arrays."""

_EACH: Final[frozenset[Any]] = frozenset((np.atleast_1d, np.atleast_2d, np.atleast_3d, np.broadcast_arrays))

_RAW: Final = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError)
"""What Python and NumPy raise for arguments that mean nothing to them."""

_ITSELF: Final[frozenset[Any]] = frozenset((np.atleast_1d, np.atleast_2d, np.atleast_3d, np.real))


def call_function(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A NumPy function on arguments of which at least one is traced.

    Raises TraceError for a function or keyword that a graph has nothing for, ShapeError, DTypeError and
    IndexRangeError for arguments, each with the user's line.
    """
    name = func.__name__
    try:
        handler = TABLE.get(func)
        if handler is None:
            hint = advice.FUNCTIONS.get(
                name, "compose it from functions that can be, or call it outside the traced function"
            )
            raise TraceError(f"{_full_name(func)} cannot be traced: {hint}")
        if kwargs:
            kwargs = _checked(func, handler, kwargs)
        settings.check(name, handler, args, kwargs)
        return _viewing(func, handler, args, kwargs) if func in VIEWS else fresh(handler(*args, **kwargs))
    except GraphcError as error:
        raise located(error, name) from None
    except _RAW as error:
        made = settings.refused(error, func, args, kwargs, _full_name(func))
        if made is None:
            raise
        raise located(made) from error


def _viewing(func: Any, handler: Handler, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The results of a function of VIEWS, as views of what they are views of."""
    if func in _EACH:
        made = handler(*map(_bare, args), **kwargs)
        results = [
            _seen(r, x, partial(np.broadcast_to, shape=r.shape) if func is np.broadcast_arrays else func)
            for r, x in zip(made if isinstance(made, tuple) else (made,), args, strict=True)
        ]
        return tuple(results) if isinstance(made, tuple) else results[0]
    named = not args
    subject = next(iter(kwargs.values())) if named else args[0]
    rest = dict(list(kwargs.items())[1:]) if named else kwargs
    made = handler(_bare(subject), *args[1:], **rest)
    if func is np.diag and subject.ndim == 1:
        return fresh(made)
    if func in _ITSELF:
        return _seen(made, subject, func)

    def seen(ghost: Any) -> Any:
        return func(ghost, *args[1:], **rest)

    if isinstance(made, list | tuple):
        return type(made)([_seen(r, subject, partial(_nth, seen, i)) for i, r in enumerate(made)])
    return _seen(made, subject, seen)


def _nth(function: Callable[[Any], Any], i: int, ghost: Any) -> Any:
    return function(ghost)[i]


def _bare(x: Any) -> Any:
    return bare(x) if is_tracer(x) else x


def _seen(made: Any, of: Any, make: Callable[[Any], Any]) -> Any:
    if not is_tracer(of):
        return fresh(made)
    # Some give an array that needs no change back as it is.
    return of if make in _ITSELF and made.value is of.value else view(made, of, make)


def _full_name(func: Any) -> str:
    return f"{func.__module__}.{func.__name__}".replace("numpy", "np", 1)


@lru_cache(maxsize=1024)
def _parameters(handler: Handler) -> frozenset[str]:
    return frozenset(inspect.signature(handler).parameters)


def _checked(func: Any, handler: Handler, kwargs: dict[str, Any]) -> dict[str, Any]:
    """The keywords that the handler takes; the rest must be at their default."""
    known = _parameters(handler)
    kept = {}
    for key, value in kwargs.items():
        if key in known or "options" in known:
            kept[key] = value
        elif value is not None and value is not np._NoValue and not (key == "where" and value is True):
            raise TraceError(f"{key}= cannot be traced: {advice.of_keyword(func.__name__, key)}")
    return kept
