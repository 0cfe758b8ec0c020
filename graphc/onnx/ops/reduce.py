"""Importers of reductions, of running sums, and of the order of elements."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.onnx.registry import Array, Call, importer
from graphc.ordering import top_k

Reduction = Callable[[Array, tuple[int, ...], Any], Array]
"""What reduces axes; the last argument is keepdims, which some versions of NumPy's types want as a literal."""


def axes_of(c: Call, x: Array, given: Array, otherwise: tuple[int, ...] | None = None) -> tuple[int, ...]:
    """Axes of x, counted from the start. given: an attribute, an input, or None for `otherwise` (all)."""
    if given is None:
        return tuple(range(x.ndim)) if otherwise is None else otherwise
    axes = c.ints(given, "axes")
    for axis in axes:
        if not -x.ndim <= axis < x.ndim:
            c.refuse(f"axis {axis} is out of range for {x.ndim} axes")
    return tuple(axis % x.ndim for axis in axes)


def reduction(name: str, function: Reduction) -> None:
    """Enter a reduction: its axes are an attribute or an input, and none of them means all, or nothing."""

    @importer(name)
    def reduce(
        c: Call,
        x: Array,
        given: Array = None,
        *,
        axes: Any = None,
        keepdims: int = 1,
        noop_with_empty_axes: int = 0,
    ) -> Array:
        given = axes if given is None else given
        empty = given is None or not np.prod(np.shape(given))
        chosen = axes_of(c, x, None if empty else given, () if noop_with_empty_axes and empty else None)
        return function(x, chosen, bool(keepdims))


def _extreme(function: Callable[..., Array], greatest: bool) -> Reduction:
    def reduce(x: Array, axes: tuple[int, ...], keepdims: bool) -> Array:
        if any(x.shape[axis] == 0 for axis in axes):  # NumPy has no greatest of none
            info = None if x.dtype.kind in "fb" else np.iinfo(x.dtype)
            if x.dtype.kind == "b":
                value: Any = not greatest
            elif info is None:
                value = -np.inf if greatest else np.inf
            else:
                value = info.min if greatest else info.max
            shape = [1 if k in axes else n for k, n in enumerate(x.shape) if keepdims or k not in axes]
            return np.full(shape, value, x.dtype)
        return function(x, axis=axes, keepdims=keepdims)

    return reduce


def _log_sum_exp(x: Array, axes: tuple[int, ...], keepdims: bool) -> Array:
    top = _extreme(np.max, True)(x, axes, True)
    top = np.where(np.isfinite(top), top, x.dtype.type(0))
    found = np.log(np.sum(np.exp(x - top), axis=axes, keepdims=True)) + top
    return found if keepdims else np.squeeze(found, axis=axes)


reduction("ReduceSum", lambda x, axes, keep: np.sum(x, axis=axes, keepdims=keep))
reduction("ReduceMean", lambda x, axes, keep: np.mean(x, axis=axes, keepdims=keep))
reduction("ReduceProd", lambda x, axes, keep: np.prod(x, axis=axes, keepdims=keep))
reduction("ReduceMax", _extreme(np.max, True))
reduction("ReduceMin", _extreme(np.min, False))
reduction("ReduceL1", lambda x, axes, keep: np.sum(np.abs(x), axis=axes, keepdims=keep))
reduction("ReduceL2", lambda x, axes, keep: np.sqrt(np.sum(x * x, axis=axes, keepdims=keep)))
reduction("ReduceSumSquare", lambda x, axes, keep: np.sum(x * x, axis=axes, keepdims=keep))
reduction("ReduceLogSum", lambda x, axes, keep: np.log(np.sum(x, axis=axes, keepdims=keep)))
reduction("ReduceLogSumExp", _log_sum_exp)


def _position(name: str, function: Callable[..., Array]) -> None:
    @importer(name)
    def find(c: Call, x: Array, *, axis: int = 0, keepdims: int = 1, select_last_index: int = 0) -> Array:
        if not select_last_index:
            return function(x, axis=axis, keepdims=bool(keepdims)).astype(np.int64)
        found = function(np.flip(x, axis), axis=axis, keepdims=bool(keepdims))
        return (x.shape[axis] - 1 - found).astype(np.int64)


_position("ArgMax", np.argmax)
_position("ArgMin", np.argmin)


def _running(name: str, function: Callable[..., Array], neutral: int) -> None:
    @importer(name)
    def run(c: Call, x: Array, axis: Array, *, exclusive: int = 0, reverse: int = 0) -> Array:
        (along,) = axes_of(c, x, axis)
        x = np.flip(x, along) if reverse else x
        made = function(x, axis=along)
        if exclusive:
            first = np.full([1 if k == along else n for k, n in enumerate(x.shape)], neutral, x.dtype)
            made = np.concatenate([first, made], axis=along)[(slice(None),) * along + (slice(0, x.shape[along]),)]
        return np.flip(made, along) if reverse else made


_running("CumSum", np.cumsum, 0)
_running("CumProd", np.cumprod, 1)


@importer("TopK")
def find_top(
    c: Call, x: Array, k: Array = None, *, axis: int = -1, largest: int = 1, sorted: int = 1, **old: Any
) -> tuple[Array, Array]:
    """The k greatest, or least, along an axis, in order, and where they stand; of equal ones the first come first."""
    (count,) = c.ints(old["k"] if k is None else k, "k")
    (along,) = axes_of(c, x, [axis])
    if not 0 <= count <= x.shape[along]:
        c.refuse(f"k is {count}, and axis {along} has {x.shape[along]} elements")
    x = np.moveaxis(x, along, -1)
    if largest:
        values, ids = top_k(x, count)
    else:
        ids = np.argsort(x, axis=-1, kind="stable")[..., :count]
        values = np.take_along_axis(x, ids, axis=-1)
    return np.moveaxis(values, -1, along), np.moveaxis(ids, -1, along).astype(np.int64)


@importer("Hardmax", since=13)
def hardmax(c: Call, x: Array, *, axis: int = -1) -> Array:
    """1 at the first greatest element along an axis, else 0."""
    best = np.argmax(x, axis=axis, keepdims=True)
    line = np.reshape(np.arange(x.shape[axis]), [-1 if k == axis % x.ndim else 1 for k in range(x.ndim)])
    return (best == line).astype(x.dtype)
