"""What the functions of graphc.nn have in common."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.errors import DTypeError, IndexRangeError
from graphc.ops import by_name
from graphc.plan.plan import range_message
from graphc.tracing.trace import Tracer, apply

Array = Any
"""An ndarray or a traced array; each function takes either and gives the same kind back."""


def shifted(x: Array, axis: int) -> Array:
    """x less its maximum along `axis`. The result of either softmax does not depend on the shift, nor its gradient."""
    if not x.shape[axis]:  # there is no maximum, and nothing to shift
        return x
    return x - apply(by_name("stop_gradient"), np.max(x, axis=axis, keepdims=True))


def half_again(y: Array, like: Array) -> Array:
    """y in half precision where `like` is."""
    return y.astype(np.float16) if like.dtype == np.float16 else y


def check_integer(what: str, ids: Array) -> None:
    if ids.dtype.kind not in "iu":
        raise DTypeError(f"{what} must be integers, got {ids.dtype}")


def in_range(what: str, ids: Array, size: int) -> Array:
    """The ids, which must lie in [0, size): looked at now where they are known, else when the program runs."""
    if isinstance(ids, Tracer):
        return apply(by_name("checked"), ids, low=0, high=size - 1, what=what)
    ids = np.asarray(ids)
    if ids.size and (int(ids.min()) < 0 or int(ids.max()) >= size):
        low, high = int(ids.min()), int(ids.max())
        raise IndexRangeError(range_message(what, low if low < 0 else high, 0, size - 1))
    return ids
