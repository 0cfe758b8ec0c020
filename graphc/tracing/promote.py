"""Element types of results: NumPy's own rules, narrowed to 32 bits unless x64 is on."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import numpy as np

from graphc.errors import DTypeError, TraceError
from graphc.ir.types import DType, bool_, dtype_of, f32, i32, small_integer, x64_enabled
from graphc.tracing.core import Trace, adopted, as_array, constant, emit, is_tracer
from graphc.tracing.tracer import Tracer

Kind = Any
"""How NumPy's promotion sees an operand: a np.dtype, or the type int or float for a Python number."""


def kind_of(x: Any) -> Kind:
    """The promotion kind of an operand."""
    if is_tracer(x):
        if x.weak:
            return float if x.value.type.dtype.kind == "float" else int
        return x.value.type.dtype.numpy
    if type(x) is int or type(x) is float:
        return type(x)
    if isinstance(x, np.ndarray | np.generic):
        return x.dtype
    return as_array(x).dtype


@lru_cache(maxsize=4096)
def _loop(ufunc: np.ufunc, kinds: tuple[Kind, ...], x64: bool) -> tuple[DType, ...]:
    if all(k is int or k is float for k in kinds):
        kinds = tuple(np.dtype(k) for k in kinds)
    resolved = ufunc.resolve_dtypes((*kinds, *[None] * ufunc.nout))
    if np.dtype(np.int64) in resolved:
        refuse_mixed_signs(kinds, x64, f"NumPy computes {ufunc.__name__}")
    floats = any(k == np.float16 for k in kinds if isinstance(k, np.dtype))
    # A half-precision loop for bool operands is a detail of NumPy's loop table: no device need have f16 for it.
    return tuple(f32 if d == np.float16 and not floats else dtype_of(d) for d in resolved)


def loop_dtypes(ufunc: np.ufunc, operands: tuple[Any, ...]) -> tuple[DType, ...]:
    """Element types of operands and outputs for `ufunc`; raises DTypeError where NumPy has no loop for them."""
    kinds = tuple(kind_of(x) for x in operands)
    try:
        return _loop(ufunc, kinds, x64_enabled())
    except TypeError as error:
        if isinstance(error, DTypeError):
            raise
        names = " and ".join(k.__name__ if isinstance(k, type) else k.name for k in kinds)
        raise DTypeError(f"NumPy has no {ufunc.__name__} for {names}") from None


def mixes_signs(kinds: Iterable[Kind]) -> bool:
    """Whether uint32 meets a signed integer among these, and nothing that is a float: NumPy takes both to int64."""
    dtypes = [k for k in kinds if isinstance(k, np.dtype)]
    signed = any(d.kind == "i" for d in dtypes)
    return signed and np.dtype(np.uint32) in dtypes and not any(d.kind == "f" for d in dtypes)


def refuse_mixed_signs(kinds: Iterable[Kind], x64: bool, what: str) -> None:
    """Raise DTypeError where uint32 meets a signed integer, unless there is int64."""
    if not x64 and mixes_signs(kinds):
        raise DTypeError(
            f"{what} of uint32 and a signed integer in int64, which there is none of: make them alike, with "
            ".astype(np.int32) or .astype(np.uint32)"
        )


def common_dtype(operands: tuple[Any, ...]) -> DType:
    """The element type that these operands have in common (np.result_type, narrowed)."""
    kinds = [kind_of(x) for x in operands]
    if all(k is int or k is float for k in kinds):
        return dtype_of(float if float in kinds else int)
    refuse_mixed_signs(kinds, x64_enabled(), "NumPy holds the elements")
    # np.result_type takes a Python number itself for the weak rule.
    return dtype_of(np.result_type(*(k(0) if isinstance(k, type) else k for k in kinds)))


def cast(x: Tracer, dtype: DType) -> Tracer:
    """`x` in `dtype`: itself where it has it already; a scalar constant is converted here, without a node."""
    have = x.value.type.dtype
    if have == dtype:
        return x.as_strong() if x.weak else x
    held = x.state.builder.constants.get(x.value)
    if held is not None and held.ndim == 0:
        return constant(x.state, held.astype(dtype.numpy), dtype)
    return emit("cast", x, dtype=dtype).as_strong()


def converted(trace: Trace, x: Any, dtype: DType) -> Tracer:
    """Any operand as a tracer of `dtype`."""
    return cast(adopted(trace, x), dtype) if is_tracer(x) else constant(trace, x, dtype)


def inexact(dtype: DType) -> DType:
    """The float type that mean, var and the like give for `dtype`: its own, or float64 narrowed."""
    return dtype if dtype.kind == "float" else dtype_of(np.float64)


def accumulator(dtype: DType) -> DType:
    """The type that sum and prod give for `dtype`: small integers and bool become the default integer."""
    if dtype == bool_:
        return dtype_of(np.int64)
    if dtype.kind in ("int", "uint"):
        return dtype_of(np.uint64 if dtype.kind == "uint" else np.int64)
    return dtype


def requested(dtype: Any, default: DType) -> DType:
    """The element type that a dtype= argument asks to compute in, `default` for None.

    Raises TraceError for integers of 8 and 16 bits: what is computed in 32 bits does not wrap around as they do.
    """
    small = None if dtype is None else small_integer(dtype)
    if small is not None:
        raise TraceError(f"dtype={small}: there are integers of 32 bits only: write .astype(np.{small}) on the result")
    return default if dtype is None else dtype_of(dtype)


def as_type(x: Tracer, dtype: Any) -> Tracer:
    """As ndarray.astype. An integer of 8 or 16 bits is held in 32, with the value that NumPy's would have."""
    small = small_integer(dtype)
    if small is None or x.value.type.dtype == bool_:
        return cast(x, dtype_of(dtype))
    whole = cast(x, i32)
    if small.kind == "u":
        return emit("and", whole, constant(x.state, int(np.iinfo(small).max), i32))
    top = constant(x.state, 32 - 8 * small.itemsize, i32)  # the sign bit goes to the top, and comes back
    return emit("shift_right", emit("shift_left", whole, top), top)
