"""Importers of operators that pick and place elements by index."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.onnx.ops.reduce import axes_of
from graphc.onnx.registry import Array, Call, importer, traced_like
from graphc.updates import at


def _line(n: int, axis: int, ndim: int) -> Array:
    """0 up to n along one of so many axes."""
    return np.reshape(np.arange(n, dtype=np.int32), [-1 if k == axis else 1 for k in range(ndim)])


@importer("Gather")
def gather(c: Call, x: Array, ids: Array, *, axis: int = 0) -> Array:
    """Slices of x at these places of an axis."""
    (along,) = axes_of(c, x, [axis])
    c.sized([*x.shape[:along], *ids.shape, *x.shape[along + 1 :]])
    x, _ = traced_like(x, ids)
    return x[(*(slice(None),) * along, ids)]


@importer("GatherElements")
def gather_elements(c: Call, x: Array, ids: Array, *, axis: int = 0) -> Array:
    """For each place of ids the element of x there, with another coordinate along an axis."""
    (along,) = axes_of(c, x, [axis])
    x, ids = traced_like(x, ids)
    # The other axes of ids may be shorter than those of x.
    x = x[tuple(slice(None) if k == along else slice(0, n) for k, n in enumerate(ids.shape))]
    return np.take_along_axis(x, ids, axis=along)


@importer("GatherND")
def gather_nd(c: Call, x: Array, ids: Array, *, batch_dims: int = 0) -> Array:
    """x[ids[..., 0], ids[..., 1], ...], within batches."""
    x, ids = traced_like(x, ids)
    return x[_key(ids, batch_dims)]


def _key(ids: Array, batch: int = 0) -> tuple[Array, ...]:
    """The last axis of ids as a key, behind the places of the batch."""
    ndim = ids.ndim - 1
    batches = tuple(_line(ids.shape[k], k, ndim) for k in range(batch))
    return (*batches, *(ids[..., k] for k in range(ids.shape[-1])))


def _updated(c: Call, x: Array, key: Any, updates: Array, how: str) -> Array:
    place = at(x)[key]
    ways = {"none": place.set, "add": place.add, "mul": place.multiply, "max": place.max, "min": place.min}
    if how not in ways:
        c.refuse(f"reduction {how!r}")
    return ways[how](updates)


@importer("ScatterND")
def scatter_nd(c: Call, x: Array, ids: Array, updates: Array, *, reduction: str = "none") -> Array:
    """x with updates at x[ids[..., 0], ids[..., 1], ...]."""
    x, ids, updates = traced_like(x, ids, updates)
    return _updated(c, x, _key(ids), updates, reduction)


@importer("ScatterElements", "Scatter")
def scatter_elements(c: Call, x: Array, ids: Array, updates: Array, *, axis: int = 0, reduction: str = "none") -> Array:
    """x with updates where ids say, along an axis."""
    (along,) = axes_of(c, x, [axis])
    x, ids, updates = traced_like(x, ids, updates)
    key = tuple(ids if k == along else _line(n, k, ids.ndim) for k, n in enumerate(ids.shape))
    return _updated(c, x, key, updates, reduction)


@importer("OneHot")
def one_hot(c: Call, ids: Array, depth: Array, values: Array, *, axis: int = -1) -> Array:
    """values[1] at each id and values[0] elsewhere, along a new axis; negative ids count from the end."""
    (n,) = c.ints(depth, "depth")
    c.sized([*ids.shape, n])
    at_axis = axis % (ids.ndim + 1)
    ids = np.expand_dims(ids if ids.dtype.kind == "i" else ids.astype(np.int64), at_axis)
    line = np.reshape(np.arange(n), [-1 if k == at_axis else 1 for k in range(ids.ndim)])
    return np.where((ids == line) | (ids + n == line), values[1], values[0])


@importer("Compress")
def compress(c: Call, x: Array, condition: Array, *, axis: int | None = None) -> Array:
    """The slices where a condition, which has to be known, holds."""
    kept = np.flatnonzero(c.known(condition, "condition"))
    if axis is None:
        return np.reshape(x, -1)[kept]
    (along,) = axes_of(c, x, [axis])
    return x[(*(slice(None),) * along, kept)]


@importer("NonZero")
def non_zero(c: Call, x: Array) -> Array:
    """Where x, which has to be known, is not 0."""
    return np.asarray(np.nonzero(c.known(x, "tensor")), np.int64)


@importer("Unique")
def unique(c: Call, x: Array, *, axis: int | None = None, sorted: int = 1) -> tuple[Array, ...]:
    """The different elements of a tensor that has to be known."""
    found = np.unique(c.known(x, "tensor"), return_index=True, return_inverse=True, return_counts=True, axis=axis)
    values, first, back, counts = found
    back = np.ravel(back)
    if not sorted:
        order = np.argsort(first)
        values, first, counts = np.take(values, order, axis=axis or 0), first[order], counts[order]
        back = np.argsort(order)[back]
    return values, first.astype(np.int64), back.astype(np.int64), counts.astype(np.int64)


@importer("ReverseSequence")
def reverse_sequence(c: Call, x: Array, lengths: Array, *, batch_axis: int = 1, time_axis: int = 0) -> Array:
    """The first so many elements of each sequence in reverse order."""
    x, lengths = traced_like(x, lengths)
    time = _line(x.shape[time_axis], time_axis, x.ndim)
    length = np.reshape(lengths, [-1 if k == batch_axis else 1 for k in range(x.ndim)])
    ids = np.where(time < length, length - 1 - time, time)
    return np.take_along_axis(
        x,
        np.broadcast_to(ids, [1 if k not in (batch_axis, time_axis) else n for k, n in enumerate(x.shape)]),
        axis=time_axis,
    )


@importer("TensorScatter")
def tensor_scatter(
    c: Call, cache: Array, update: Array, where: Array = None, *, axis: int = -2, mode: str = "linear"
) -> Array:
    """A cache with new entries along an axis, from a place on that each row of the batch has."""
    (along,) = axes_of(c, cache, [axis])
    rows, n = cache.shape[0], cache.shape[along]
    start = np.zeros(rows, np.int32) if where is None else where
    cache, update, start = traced_like(cache, update, start)
    place = start[:, None] + np.arange(update.shape[along], dtype=np.int32)
    place = place % n if mode == "circular" else place
    cache, update = np.moveaxis(cache, along, 1), np.moveaxis(update, along, 1)
    made = at(cache)[_line(rows, 0, 2), place].set(update)
    return np.moveaxis(made, 1, along)
