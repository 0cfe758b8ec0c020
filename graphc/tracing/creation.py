"""Functions that ask about a traced array, or make one like it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from graphc.ir.types import Shape, dtype_of
from graphc.tracing.core import is_tracer, owner
from graphc.tracing.promote import common_dtype, converted, kind_of
from graphc.tracing.reductions import traced
from graphc.tracing.shaping import broadcast_arrays, broadcast_to, ints, reshape
from graphc.tracing.tracer import Tracer


def full_like(
    a: Any,
    fill_value: Any,
    dtype: Any = None,
    order: str = "K",
    subok: bool = True,
    shape: Any = None,
    *,
    device: Any = None,
) -> Tracer:
    """np.full_like: no memory is filled before the graph runs."""
    trace = owner((a, fill_value))
    like = dtype_of(dtype if dtype is not None else a.dtype if is_tracer(a) else np.asarray(a).dtype)
    wanted = np.shape(a) if shape is None else ints(shape, "shape")
    return broadcast_to(converted(trace, fill_value, like), wanted)


def zeros_like(
    a: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None, *, device: Any = None
) -> Tracer:
    """np.zeros_like."""
    return full_like(a, 0, dtype, shape=shape)


def ones_like(
    a: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None, *, device: Any = None
) -> Tracer:
    """np.ones_like."""
    return full_like(a, 1, dtype, shape=shape)


def shape(a: Any) -> Shape:
    """np.shape."""
    return a.shape if is_tracer(a) else np.asarray(a).shape


def size(a: Any, axis: Any = None) -> int:
    """np.size."""
    x = traced(a)
    return x.size if axis is None else x.shape[axis]


def result_type(*arrays_and_dtypes: Any) -> np.dtype[Any]:
    """np.result_type, narrowed."""
    kinds = [np.empty(0, kind_of(x)) if is_tracer(x) and not x.weak else x for x in arrays_and_dtypes]
    weak = [kind_of(x)(0) if is_tracer(x) else x for x in kinds]
    return dtype_of(np.result_type(*weak)).numpy


def meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> tuple[Tracer, ...]:
    """np.meshgrid."""
    rank = len(xi)
    given = [traced(x) for x in xi]
    order = [1, 0, *range(2, rank)] if indexing == "xy" and rank > 1 else list(range(rank))
    shaped = [reshape(x, tuple(x.size if j == order[i] else 1 for j in range(rank))) for i, x in enumerate(given)]
    return tuple(shaped) if sparse else broadcast_arrays(*shaped)


def imag(val: Any) -> Tracer:
    """np.imag: zero, as there are no complex numbers."""
    return zeros_like(val)


def common_type(*arrays: Any) -> type[Any]:
    """np.common_type."""
    return common_dtype((*arrays, np.float16(0))).numpy.type


TABLE: Final[dict[Any, Callable[..., Any]]] = {
    np.full_like: full_like,
    np.zeros_like: zeros_like,
    np.empty_like: zeros_like,
    np.ones_like: ones_like,
    np.shape: shape,
    np.ndim: lambda a: len(shape(a)),
    np.size: size,
    np.result_type: result_type,
    np.common_type: common_type,
    np.meshgrid: meshgrid,
    np.tril_indices_from: lambda arr, k=0: np.tril_indices(arr.shape[-2], k, arr.shape[-1]),
    np.triu_indices_from: lambda arr, k=0: np.triu_indices(arr.shape[-2], k, arr.shape[-1]),
    np.diag_indices_from: lambda arr: np.diag_indices(arr.shape[0], arr.ndim),
    np.copy: lambda a, order="K", subok=False: traced(a),
    np.real: lambda val: traced(val),
    np.imag: imag,
    np.iscomplexobj: lambda x: False,
    np.isrealobj: lambda x: True,
}
