"""Updates at an index, and sums over segments, of traced values, Arrays and ndarrays alike.

NumPy code writes into arrays: `x[ids] = y`, `np.add.at(x, ids, y)`. A graph has no memory to write into, so these give
a new array instead; a program writes it into the memory of the old one where nobody reads that later.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, SupportsIndex

import numpy as np

from graphc.eager import run_now
from graphc.errors import DTypeError, IndexRangeError, ShapeError
from graphc.ir.types import NDArray
from graphc.ops import by_name
from graphc.runtime import Array
from graphc.tracing.core import is_tracer, located
from graphc.tracing.trace import apply
from graphc.tracing.updates import UFUNCS, At, updated


def at(x: Any) -> At:
    """Updates of `x`: `graphc.at(x)[key].set(y)`, and `add`, `multiply`, `min` and `max`.

    They give a new array and leave `x` as it is. The key is what an index may be: ints, slices, None, Ellipsis, integer
    arrays, masks (a traced mask with one value for all that it picks). `y` broadcasts to the shape of x[key]. An
    element that is named several times takes in all values, in an order that is always the same;
    "set" writes the last one.
    A traced value and an Array also have it as `x.at[key]`.

    Raises ShapeError and DTypeError for values that do not fit, IndexRangeError for an index out of range. Source:
    jax.numpy.ndarray.at.
    """
    return At(x, _update)


def _update(x: Any, key: Any, y: Any, how: str) -> Any:
    if any(is_tracer(leaf) for leaf in (x, y, *_leaves(key))):
        return updated(x, key, y, how)
    if any(isinstance(leaf, Array) for leaf in (x, y, *_leaves(key))):
        return _on_device(x, key, y, how)
    return _of_ndarray(np.asarray(x), key, y, how)


def _leaves(key: Any) -> list[Any]:
    items = key if isinstance(key, tuple) else (key,)
    return [leaf for item in items for leaf in (item if isinstance(item, list) else (item,))]


def _on_device(x: Any, key: Any, y: Any, how: str) -> Any:
    """By a small program, kept for the next time, on the device of the Array."""
    items = list(key) if isinstance(key, tuple) else [key]
    places = [i for i, item in enumerate(items) if isinstance(item, Array | np.ndarray)]
    # A mask picks so many elements as it holds, so it has to be known where the values are several.
    masks = [i for i in places if items[i].dtype.kind == "b" and np.ndim(y)]
    for i in masks:
        items[i] = np.asarray(items[i])
    places = [i for i in places if i not in masks]

    def program(x: Any, y: Any, *arrays: Any) -> Any:
        found = list(items)
        for i, array in zip(places, arrays, strict=True):
            found[i] = array
        return updated(x, tuple(found) if isinstance(key, tuple) else found[0], y, how)

    return run_now(program, (x, y, *(items[i] for i in places)), _device_of((x, y, *items)))


def _device_of(values: Any) -> Any:
    return next(value.device for value in values if isinstance(value, Array))


def _of_ndarray(x: NDArray, key: Any, y: Any, how: str) -> NDArray:
    made = x.copy()
    try:
        if how == "set":
            made[key] = y
        else:
            UFUNCS[how].at(made, key, y)
    except IndexError as error:
        raise located(IndexRangeError(f"at[...].{how}: {error}")) from None
    except ValueError as error:
        raise located(ShapeError(f"at[...].{how}: {error}")) from None
    except TypeError as error:
        raise located(DTypeError(f"at[...].{how}: {error}")) from None
    return made


def segment_sum(data: Any, ids: Any, num_segments: SupportsIndex) -> Any:
    """Sums of the rows of `data` by segment: [num_segments, ...], where row r is added at ids[r]; 0 where no row is.

    ids: integers in any order, of the first axes of `data`. Float sums are the same at each run. Raises ShapeError and
    DTypeError for arguments that do not fit, IndexRangeError for an id of no segment. Source: jax.ops.segment_sum.
    """
    return _by_segment("segment_sum", data, ids, num_segments, lambda x, ids, n: _sums(x, ids, n))


def segment_mean(data: Any, ids: Any, num_segments: SupportsIndex) -> Any:
    """Means of the rows of `data` by segment, as `segment_sum`; 0 where there is no row."""

    def means(x: Any, ids: Any, n: int) -> Any:
        ones = np.ones_like(ids).astype(np.int32)
        count = np.maximum(_sums(ones, ids, n), 1)
        count = np.reshape(count, (n, *(1,) * (np.ndim(x) - np.ndim(ids))))
        return _sums(x, ids, n) / count.astype(x.dtype if x.dtype.kind == "f" else np.float32)

    return _by_segment("segment_mean", data, ids, num_segments, means)


def segment_max(data: Any, ids: Any, num_segments: SupportsIndex) -> Any:
    """Greatest elements of the rows of `data` by segment, as `segment_sum`; -inf or the least integer for none.

    Equal elements share a gradient.
    """

    def greatest(x: Any, ids: Any, n: int) -> Any:
        least = -np.inf if x.dtype.kind == "f" else int(np.iinfo(x.dtype).min)
        start = np.full_like(x, least, shape=(n, *x.shape[np.ndim(ids) :]))
        return at(start)[_checked(ids, n)].max(x)

    return _by_segment("segment_max", data, ids, num_segments, greatest)


def put_along_axis(x: Any, ids: Any, values: Any, axis: int = -1) -> Any:
    """`x` with `values` at the places `ids` along an axis: what np.put_along_axis does in place.

    ids: integers with as many axes as x; they and the values broadcast against x along the other axes. Raises
    ShapeError for others, IndexRangeError for one out of range.
    """
    shape, places = np.shape(x), np.shape(ids)
    if len(shape) != len(places) or not -len(shape) <= axis < len(shape):
        raise located(
            ShapeError(f"put_along_axis: x is {list(shape)}, ids {list(places)}, axis {axis}: need as many axes")
        )
    along = axis % len(shape)
    key = tuple(
        ids if k == along else np.reshape(np.arange(n), tuple(n if j == k else 1 for j in range(len(shape))))
        for k, n in enumerate(shape)
    )
    return at(x)[key].set(values)


def _by_segment(
    name: str, data: Any, ids: Any, num_segments: SupportsIndex, rule: Callable[[Any, Any, int], Any]
) -> Any:
    """A function of data, ids and the number of segments: traced, or at once on plain arrays and Arrays."""
    try:
        n = operator.index(num_segments)
    except TypeError:
        raise located(ShapeError(f"{name}: num_segments is {num_segments!r}: needs an integer that is known")) from None
    if n < 0:
        raise located(ShapeError(f"{name}: num_segments is {n}: it must not be negative"))
    x, places = (a if is_tracer(a) or isinstance(a, Array) else np.asarray(a) for a in (data, ids))
    if x.shape[: places.ndim] != places.shape:
        raise located(ShapeError(f"{name}: ids are {list(places.shape)}, data {list(x.shape)}: needs its first axes"))
    if places.dtype.kind not in "iu":
        raise located(DTypeError(f"{name}: ids are {places.dtype.name}: write ids.astype(np.int32)"))
    if x.dtype.kind == "b":
        raise located(DTypeError(f"{name}: data is bool: write data.astype(np.int32)"))
    if any(is_tracer(a) for a in (x, places)):
        return rule(x, places, n)
    if any(isinstance(a, Array) for a in (x, places)):
        return run_now(lambda x, places: rule(x, places, n), (x, places), _device_of((x, places)))
    if places.size and not (places.min() >= 0 and places.max() < n):
        raise located(IndexRangeError(f"{name}: ids lie in [{places.min()}, {places.max()}]: needs [0, {n - 1}]"))
    return rule(x, places, n)


def _sums(x: Any, ids: Any, n: int) -> Any:
    return apply(by_name("scatter_add"), _checked(ids, n), x, axis=0, size=n)


def _checked(ids: Any, n: int) -> Any:
    """The ids of segments; traced ones are looked at when the program runs. None counts from the end."""
    if not is_tracer(ids) or not ids.size:
        return ids
    return apply(by_name("checked"), ids, low=0, high=n - 1, what="segment")
