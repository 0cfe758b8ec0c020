"""Making arrays: Arrays on a device outside of a trace, constants of the graph inside of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc import runtime
from graphc.errors import DeviceError, DTypeError, ShapeError
from graphc.ir.types import as_shape, check_plain, dtype_of
from graphc.runtime import Array, Device
from graphc.tracing.core import constant, current, is_tracer, located
from graphc.tracing.joining import holds_traced, joined

Shape = int | Sequence[int]


def made(value: Any, dtype: Any = None, device: Device | str | None = None) -> Any:
    """An ndarray as an Array, or as a constant of the graph that is being traced. dtype: None for its own, narrowed."""
    check_plain(value, "asarray: the value")
    array = np.asarray(value) if dtype is None else np.asarray(value).astype(dtype_of(dtype).numpy)
    trace = current()
    return runtime.asarray(array, device) if trace is None else constant(trace, array).as_strong()


def asarray(obj: Any, /, *, dtype: Any = None, device: Device | str | None = None, copy: bool | None = None) -> Any:
    """An array of numbers, nested lists, buffers or arrays. copy=False raises ValueError where elements are copied."""
    if isinstance(obj, list | tuple) and holds_traced(obj):
        obj = joined(obj)
    if is_tracer(obj) or isinstance(obj, Array):
        found = obj if device is None or is_tracer(obj) else runtime.asarray(obj, device)
        kept = dtype is None or dtype_of(dtype).numpy == found.dtype
        if copy is False and not (kept and found is obj):
            raise located(ShapeError("asarray: the result needs a copy, and copy=False forbids one"))
        found = found if kept else found.astype(dtype)
        return found.copy() if copy and found is obj else found
    if copy is False:
        raise located(
            ShapeError("asarray: what comes from the host is copied to the device, and copy=False forbids it")
        )
    return made(obj, dtype, device)


def from_dlpack(x: Any, /, *, device: Device | str | None = None, copy: bool | None = None) -> Any:
    """What another library holds in memory of the CPU, by DLPack, as an Array on `device`: its elements are copied.

    Raises DeviceError for what lies elsewhere, DTypeError for an element type that graphc has none for, and ShapeError
    (a ValueError) for copy=False. Source: the array API standard, 2024.12.
    """
    if isinstance(x, Array):
        return asarray(x, device=device, copy=copy)
    if not hasattr(x, "__dlpack__"):
        raise located(DTypeError(f"from_dlpack: a {type(x).__name__} has no __dlpack__"))
    check_plain(x, "from_dlpack: the value")
    kind = int(x.__dlpack_device__()[0])
    if kind != 1:
        raise located(DeviceError(f"from_dlpack: the array lies on a device (DLPack type {kind}): copy it to the CPU"))
    try:
        host = np.from_dlpack(x)
    except (BufferError, RuntimeError) as error:
        raise located(DTypeError(f"from_dlpack: {error}")) from None
    return asarray(host, device=device, copy=copy)


def arange(
    start: float,
    /,
    stop: float | None = None,
    step: float = 1,
    *,
    dtype: Any = None,
    device: Device | str | None = None,
) -> Any:
    """Numbers from `start` (0 where `stop` is None) to before `stop`, `step` apart."""
    first, last = (0, start) if stop is None else (start, stop)
    return made(np.arange(first, last, step), dtype, device)


def linspace(
    start: Any,
    stop: Any,
    /,
    num: int,
    *,
    dtype: Any = None,
    device: Device | str | None = None,
    endpoint: bool = True,
) -> Any:
    """`num` numbers from `start` to `stop` in equal steps; the last one is `stop` where `endpoint` is True."""
    return made(np.linspace(start, stop, num, endpoint=endpoint), dtype, device)


def eye(
    n_rows: int,
    n_cols: int | None = None,
    /,
    *,
    k: int = 0,
    dtype: Any = None,
    device: Device | str | None = None,
) -> Any:
    """Ones on the diagonal k of a matrix of zeros."""
    return made(np.eye(n_rows, n_cols, k), dtype, device)


def full(shape: Shape, fill_value: Any, *, dtype: Any = None, device: Device | str | None = None) -> Any:
    """An array of one value, whose Python type decides the element type where there is no dtype."""
    return made(np.full(as_shape(shape), fill_value), dtype, device)


def zeros(shape: Shape, *, dtype: Any = None, device: Device | str | None = None) -> Any:
    """An array of zeros."""
    return full(shape, 0.0, dtype=dtype, device=device)


def ones(shape: Shape, *, dtype: Any = None, device: Device | str | None = None) -> Any:
    """An array of ones."""
    return full(shape, 1.0, dtype=dtype, device=device)


def empty(shape: Shape, *, dtype: Any = None, device: Device | str | None = None) -> Any:
    """An array of zeros: no memory is handed out that was not written."""
    return zeros(shape, dtype=dtype, device=device)


def full_like(x: Any, /, fill_value: Any, *, dtype: Any = None, device: Device | str | None = None) -> Any:
    """An array of one value with the shape of `x`, and its element type where there is no dtype."""
    found = np.full_like(x, fill_value, dtype=None if dtype is None else dtype_of(dtype).numpy)
    return found if device is None or not isinstance(found, Array) else found.to_device(device)


def zeros_like(x: Any, /, *, dtype: Any = None, device: Device | str | None = None) -> Any:
    """Zeros with the shape of `x`."""
    return full_like(x, 0, dtype=dtype, device=device)


def ones_like(x: Any, /, *, dtype: Any = None, device: Device | str | None = None) -> Any:
    """Ones with the shape of `x`."""
    return full_like(x, 1, dtype=dtype, device=device)


def empty_like(x: Any, /, *, dtype: Any = None, device: Device | str | None = None) -> Any:
    """Zeros with the shape of `x`."""
    return zeros_like(x, dtype=dtype, device=device)
