"""What NumPy has no function of a fixed shape for: the greatest elements, the different elements."""

from __future__ import annotations

import operator
from typing import Any, SupportsIndex

import numpy as np

from graphc.eager import run_now
from graphc.errors import ShapeError
from graphc.ops import by_name
from graphc.runtime import Array
from graphc.tracing.core import is_tracer, located
from graphc.tracing.trace import apply
from graphc.updates import at


def top_k(x: Any, k: SupportsIndex, axis: SupportsIndex = -1) -> tuple[Any, Any]:
    """The k greatest elements along an axis, the greatest first, and their positions (int32).

    Of equal elements the one that stands first comes first; NaN counts as the greatest. The gradient goes back to where
    the elements stood. Raises ShapeError where there are not so many elements, or no such axis. Source: jax.lax.top_k.
    """
    count, along = _known(k, "top_k: k"), _known(axis, "top_k: axis")
    if isinstance(x, Array):
        values, ids = run_now(lambda x: _top(x, count, along), (x,), x.device)
        return values, ids
    return _top(x if is_tracer(x) else np.asarray(x), count, along)


def _top(x: Any, count: int, axis: int) -> tuple[Any, Any]:
    if not -x.ndim <= axis < x.ndim:
        raise located(ShapeError(f"top_k: axis is {axis}, x {list(x.shape)}: there is no such axis"))
    if not 0 <= count <= x.shape[axis]:
        which = "the last axis" if axis % x.ndim == x.ndim - 1 else f"axis {axis}"
        raise located(ShapeError(f"top_k: k is {count}, x {list(x.shape)}: needs as many elements along {which}"))
    rows = np.moveaxis(x, axis, -1)
    ids = apply(by_name("argsort"), rows, count=count, descending=True)
    return np.moveaxis(np.take_along_axis(rows, ids, axis=-1), -1, axis), np.moveaxis(ids, -1, axis)


def unique(
    x: Any,
    size: SupportsIndex,
    fill_value: Any = None,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
) -> Any:
    """The different elements of `x` in order, as np.unique, `size` of them: a shape that does not depend on values.

    Where there are fewer, `fill_value` follows, by default the greatest element; where there are more, the greatest are
    left out. With the flags also, in this order: the place of the first of each (of `x` made one axis; 0 for what is
    filled up), for each element of `x` its place in the result, and how many times each is there. NaNs are one element.
    Raises ShapeError for a negative size, and for an `x` of no elements where `fill_value` is not given. Source:
    jax.numpy.unique.
    """
    count = _known(size, "unique: size")
    if count < 0:
        raise located(ShapeError(f"unique: size is {count}: it must not be negative"))
    flags = (return_index, return_inverse, return_counts)
    if is_tracer(x):
        return _unique(x, count, fill_value, flags)
    return run_now(lambda x: _unique(x, count, fill_value, flags), (x,), x.device if isinstance(x, Array) else None)


def _unique(x: Any, size: int, fill_value: Any, flags: tuple[bool, bool, bool]) -> Any:
    flat = np.reshape(x, -1 if x.size else 0)
    n = flat.shape[0]
    if not n and fill_value is None:
        raise located(ShapeError("unique: x has no elements: give fill_value="))
    order = np.argsort(flat)
    line = np.take(flat, order)
    known = (line[1:] == line[:-1]) | ((line[1:] != line[1:]) & (line[:-1] != line[:-1]))
    first = np.concatenate([np.ones_like(line[:1], dtype=bool), ~known]) if n else line != line
    place = np.cumsum(first) - 1
    held = np.minimum(place, size)  # one slot more, for what is left out
    fill = line[n - 1] if fill_value is None else np.full_like(line, fill_value, shape=())
    made = np.broadcast_to(fill, (size + 1,))
    results = [at(made)[held].set(line)[:size] if n else made[:size]]
    if flags[0]:
        begins = np.where(first, held, size)
        results.append(at(np.zeros_like(order, shape=(size + 1,)))[begins].set(order)[:size])
    if flags[1]:
        back = at(np.zeros_like(order))[order].set(np.minimum(place, max(size - 1, 0)))
        results.append(np.reshape(back, x.shape))
    if flags[2]:
        results.append(at(np.zeros_like(order, shape=(size + 1,)))[held].add(1)[:size])
    return tuple(results) if len(results) > 1 else results[0]


def _known(value: SupportsIndex, what: str) -> int:
    try:
        return operator.index(value)
    except TypeError:
        raise located(ShapeError(f"{what} is {value!r}: needs an integer that is known")) from None
