"""np.array and np.asarray of traced values, while a function is traced.

NumPy asks nobody before it makes an array of a list, and an array has no place for what has no numbers yet. So as long
as a trace runs, these names in NumPy's module stand for functions that look for traced values first, and do as NumPy's
where there are none; afterwards they are NumPy's own again. What a module has taken from NumPy by
`from numpy import array` stays as it was, and refuses traced values with a message.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final

import numpy as np

from graphc.errors import GraphcError
from graphc.tracing.aliases import fresh
from graphc.tracing.core import current, is_tracer, located
from graphc.tracing.promote import as_type
from graphc.tracing.reductions import traced
from graphc.tracing.shaping import reshape, stack
from graphc.tracing.tracer import Tracer

NAMES: Final = ("array", "asarray", "asanyarray", "ascontiguousarray")
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


_LOOKING: Final[dict[str, Any]] = {name: _looking(name) for name in NAMES}


class arrays_of_traced:
    """Context in which np.array and its kin take traced values; on any number of threads at a time."""

    def __enter__(self) -> None:
        with _lock:
            _running[0] += 1
            if _running[0] == 1:
                for name in NAMES:
                    if getattr(np, name) is _own[name]:
                        setattr(np, name, _LOOKING[name])

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        with _lock:
            _running[0] -= 1
            if _running[0] == 0:
                for name in NAMES:
                    if getattr(np, name) is _LOOKING[name]:
                        setattr(np, name, _own[name])
