"""Functions of the standard that NumPy has under another name, with other arguments, or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.errors import ShapeError
from graphc.ir.types import dtype_of
from graphc.runtime import Array, Device
from graphc.tracing.core import located


def astype(x: Any, dtype: Any, /, *, copy: bool = True, device: Device | str | None = None) -> Any:
    """`x` in another element type; what is not there already is narrowed to 32 bits."""
    found = x.astype(dtype, copy=copy)
    return found if device is None or not isinstance(found, Array) else found.to_device(device)


def _type(x: Any) -> Any:
    return getattr(x, "dtype", x)


def can_cast(from_: Any, to: Any, /) -> bool:
    """Whether an element type goes into another one without loss."""
    return np.can_cast(_type(from_), to)


def result_type(*arrays_and_dtypes: Any) -> np.dtype[Any]:
    """The element type that an operation on these gives, narrowed."""
    return dtype_of(np.result_type(*map(_type, arrays_and_dtypes))).numpy


def finfo(type: Any, /) -> Any:
    """Limits of a float type, or of that of an array."""
    return np.finfo(_type(type))


def iinfo(type: Any, /) -> Any:
    """Limits of an integer type, or of that of an array."""
    return np.iinfo(_type(type))


def clip(x: Any, /, min: Any = None, max: Any = None) -> Any:
    """Elements below `min` are `min`, above `max` are `max`; the element type stays that of `x`."""
    if min is None and max is None:
        return x.copy()
    return np.clip(x, min, max)


def expand_dims(x: Any, /, *, axis: int = 0) -> Any:
    """A further axis of length 1."""
    return np.expand_dims(x, axis)


def reshape(x: Any, /, shape: Sequence[int], *, copy: bool | None = None) -> Any:
    """The elements in another shape."""
    found = np.reshape(x, shape)
    return found.copy() if copy else found


def repeat(x: Any, repeats: Any, /, *, axis: int | None = None) -> Any:
    """Each element several times."""
    return np.repeat(x, repeats, axis)


def unstack(x: Any, /, *, axis: int = 0) -> tuple[Any, ...]:
    """The parts along an axis."""
    moved = np.moveaxis(x, axis, 0)
    return tuple(moved[k] for k in range(moved.shape[0]))


def take(x: Any, indices: Any, /, *, axis: int | None = None) -> Any:
    """The elements at indices along an axis, which may be left out for a vector."""
    if axis is None and x.ndim != 1:
        raise located(ShapeError(f"take: x is {list(x.shape)}: needs an axis"))
    return np.take(x, indices, axis=axis)


def take_along_axis(x: Any, indices: Any, /, *, axis: int = -1) -> Any:
    """For each place the element at an index of its own along an axis."""
    return np.take_along_axis(x, indices, axis=axis)


def sort(x: Any, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Any:
    """The elements in order along an axis."""
    found = np.sort(x, axis=axis, kind="stable" if stable else None)
    return np.flip(found, axis) if descending else found


def argsort(x: Any, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Any:
    """Where the elements of `sort` stand; equal ones in the order in which they stand."""
    if not descending:
        return np.argsort(x, axis=axis, kind="stable" if stable else None)
    # Of equal elements the first is the last from the other end.
    found = np.argsort(np.flip(x, axis), axis=axis, kind="stable" if stable else None)
    return x.shape[axis] - 1 - np.flip(found, axis)


def cumulative_sum(x: Any, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False) -> Any:
    """Running sums along an axis, with a 0 before them where asked for."""
    return _running(np.cumsum, 0, x, axis, dtype, include_initial)


def cumulative_prod(x: Any, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False) -> Any:
    """Running products along an axis, with a 1 before them where asked for."""
    return _running(np.cumprod, 1, x, axis, dtype, include_initial)


def _running(function: Any, first: int, x: Any, axis: int | None, dtype: Any, include_initial: bool) -> Any:
    if axis is None:
        if x.ndim != 1:
            raise located(ShapeError(f"{function.__name__}: x is {list(x.shape)}: needs an axis"))
        axis = 0
    found = function(x, axis=axis, dtype=dtype)
    if not include_initial:
        return found
    edge = [*found.shape]
    edge[axis] = 1
    return np.concatenate([np.full(edge, first, found.dtype), found], axis=axis)


def diff(x: Any, /, *, axis: int = -1, n: int = 1, prepend: Any = None, append: Any = None) -> Any:
    """Differences of neighbours along an axis, n times."""
    around = {k: v for k, v in (("prepend", prepend), ("append", append)) if v is not None}
    return np.diff(x, n, axis, **around)


def count_nonzero(x: Any, /, *, axis: Any = None, keepdims: bool = False) -> Any:
    """How many elements are not zero."""
    return np.count_nonzero(x, axis=axis, keepdims=keepdims)


def meshgrid(*arrays: Any, indexing: str = "xy") -> tuple[Any, ...]:
    """The coordinates of a grid."""
    return tuple(np.meshgrid(*arrays, indexing=indexing))  # type: ignore[call-overload]  # "xy" or "ij"


def broadcast_arrays(*arrays: Any) -> tuple[Any, ...]:
    """The arrays in the shape that they have in common."""
    return tuple(np.broadcast_arrays(*arrays))


def vecdot(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    """Products of vectors along an axis, the same of both."""
    return np.vecdot(np.moveaxis(x1, axis, -1), np.moveaxis(x2, axis, -1))


def tensordot(x1: Any, x2: Any, /, *, axes: Any = 2) -> Any:
    """Sums of products over axes."""
    return np.tensordot(x1, x2, axes)


def unique_values(x: Any, /) -> Any:
    """The different elements, in order; each NaN is one of its own."""
    return np.unique(x, equal_nan=False)
