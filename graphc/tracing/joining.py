"""np.array and np.asarray of traced values, functions of math and np.vectorize, while a function is traced.

NumPy asks nobody before it makes an array of a list, and an array has no place for what has no numbers yet. So as long
as a trace runs, these names in the modules of NumPy and math stand for functions that look for traced values first, and
do what they always do where there are none; afterwards they are what they were. What a module has taken from NumPy or
math by `from numpy import array` stays as it was, and refuses traced values with a message.
"""

from __future__ import annotations

import functools
import math
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final

import numpy as np

from graphc.errors import GraphcError, TraceError
from graphc.tracing.aliases import fresh
from graphc.tracing.core import current, is_tracer, located, of_several
from graphc.tracing.promote import as_type
from graphc.tracing.reductions import traced
from graphc.tracing.shaping import reshape, stack
from graphc.tracing.tracer import Tracer

NAMES: Final = ("array", "asarray", "asanyarray", "ascontiguousarray")
MATH: Final = {
    **{name: name for name in ("exp", "expm1", "log", "log2", "log10", "log1p", "sqrt", "cbrt", "fabs", "hypot")},
    **{name: name for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh", "degrees", "radians")},
    **{name: f"arc{name[1:]}" for name in ("asin", "acos", "atan", "asinh", "acosh", "atanh", "atan2")},
    "pow": "power",
}
"""Functions of math whose results are numbers, and those of NumPy that are them."""

_lock: Final = threading.Lock()
_own: Final[dict[str, Any]] = {name: getattr(np, name) for name in NAMES}
_running: list[int] = [0]


def holds_traced(value: Any) -> bool:
    """Whether a value is traced, or a list or tuple that holds one."""
    if isinstance(value, list | tuple):
        return any(map(holds_traced, value))
    return is_tracer(value)


def joined(value: Any) -> Tracer:
    """Nested lists of numbers, arrays and traced values as one of these."""
    if isinstance(value, list | tuple):
        return stack([joined(item) if isinstance(item, list | tuple) else item for item in value])
    return traced(value)


def _looking(name: str) -> Callable[..., Any]:
    own = _own[name]

    @functools.wraps(own)
    def look(*args: Any, **kwargs: Any) -> Any:
        value = args[0] if args else kwargs.get("object", kwargs.get("a"))
        if current() is None or not holds_traced(value):
            return own(*args, **kwargs)
        try:
            dtype = args[1] if len(args) > 1 else kwargs.get("dtype")
            least = kwargs.get("ndmin", 1 if name == "ascontiguousarray" else 0)
            copies = kwargs.get("copy", name == "array")
            copies = getattr(copies, "name", copies) in (True, "ALWAYS")  # a bool, None, or NumPy's own word for them
            if is_tracer(value) and dtype is None and value.ndim >= least and not copies:
                return value
            made = joined(value)
            made = made if dtype is None else as_type(made, dtype)
            return fresh(made if made.ndim >= least else reshape(made, (1,) * (least - made.ndim) + made.shape))
        except GraphcError as error:
            raise located(error, name) from None

    return look


def _of_math(name: str) -> Callable[..., Any]:
    """A function of math that is NumPy's for traced numbers."""
    own, traces = getattr(math, name), getattr(np, MATH[name])

    @functools.wraps(own)
    def look(*args: Any) -> Any:
        if current() is None or not any(is_tracer(x) and not x.shape for x in args) or len(args) > traces.nin:
            return own(*args)
        return traces(*args)

    return look


def _vectorized(self: np.vectorize, *args: Any, **kwargs: Any) -> Any:
    """np.vectorize of traced values: the function is called once, on whole arrays, which gives the same elements where
    it has no operation that joins several."""
    trace = current()
    if trace is None or not any(map(is_tracer, (*args, *kwargs.values()))):
        return _OWN_VECTORIZED(self, *args, **kwargs)
    try:
        if self.signature is not None or self.excluded:
            raise TraceError("with a signature or excluded arguments it cannot be traced: call the function on arrays")
        given = np.broadcast_arrays(*args, *kwargs.values())
        before = len(trace.builder.nodes)
        made = self.pyfunc(*given[: len(args)], **dict(zip(kwargs, given[len(args) :], strict=True)))
        if several := of_several(trace.builder.nodes[before:], [x.value for x in map(traced, given)]):
            raise TraceError(f"its function has {', '.join(several)}, which is more than one element's: call it")
        parts = made if isinstance(made, tuple) else (made,)
        results: list[Any] = [np.broadcast_to(traced(one), given[0].shape) for one in parts]
        return tuple(results) if isinstance(made, tuple) else results[0]
    except GraphcError as error:
        raise located(error, "vectorize") from None


_OWN_VECTORIZED: Final[Any] = np.vectorize.__call__

_PATCHES: Final[list[tuple[Any, str, Any, Any]]] = [
    *((np, name, _own[name], _looking(name)) for name in NAMES),
    *((math, name, getattr(math, name), _of_math(name)) for name in MATH),
    (np.vectorize, "__call__", _OWN_VECTORIZED, _vectorized),
]
"""Where a name is, the name, what it stands for, and for what while a trace runs."""


class arrays_of_traced:
    """Context in which np.array and its kin take traced values; on any number of threads at a time."""

    def __enter__(self) -> None:
        with _lock:
            _running[0] += 1
            if _running[0] == 1:
                _replace(lambda own, looking: (own, looking))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        with _lock:
            _running[0] -= 1
            if _running[0] == 0:
                _replace(lambda own, looking: (looking, own))


def _replace(direction: Callable[[Any, Any], tuple[Any, Any]]) -> None:
    """Let each name stand for the other thing, unless somebody else has changed it."""
    for place, name, own, looking in _PATCHES:
        old, new = direction(own, looking)
        if getattr(place, name) is old:
            setattr(place, name, new)
