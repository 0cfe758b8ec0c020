"""WGSL literals that are exactly a given number."""

from __future__ import annotations

import math

import numpy as np

from graphc.ir.types import DType, f32, f64


def literal_text(value: float | int | bool, dtype: DType) -> str | None:
    """A WGSL literal that is exactly `value` in `dtype`, or None where only a bitcast at run time will do.

    That is so for NaN and infinity, and, because compilers differ, for subnormal numbers, -0.0 and numbers at the edge
    of the range.
    """
    if dtype.kind == "bool":
        return "true" if value else "false"
    if dtype.kind in ("int", "uint"):
        whole = int(np.asarray(value).astype(dtype.storage))
        suffix = {"i32": "i", "u32": "u", "i64": "li"}[dtype.wgsl]
        return f"{dtype.wgsl}({whole})" if whole == -(2**31) else f"{whole}{suffix}"
    rounded = dtype.storage.type(value)
    edge = float(np.finfo(dtype.storage).max) / 2
    tiny = float(np.finfo(dtype.storage).tiny)
    number = float(rounded)
    if not math.isfinite(number) or abs(number) > edge or (number != 0 and abs(number) < tiny):
        return None
    if number == 0:
        return None if math.copysign(1.0, number) < 0 else "0.0" + _SUFFIX[dtype.wgsl]
    text = np.format_float_scientific(rounded, unique=True, trim="0")
    short = np.format_float_positional(rounded, unique=True, trim="0")
    return (short if len(short) <= len(text) + 4 else text) + _SUFFIX[dtype.wgsl]


def literal_bits(value: float, dtype: DType) -> str:
    """WGSL of a float given by its bits, which a literal could not give: the result of a function, not a constant."""
    if dtype == f64:
        high, low = divmod(np.asarray(value, np.float64).view(np.uint64).item(), 1 << 32)
        return f"gc_from_words64({high:#x}u, {low:#x}u)"
    bits = np.asarray(value, dtype.storage).astype(np.float32).view(np.uint32).item()
    text = f"gc_from_bits({bits:#x}u)"
    return text if dtype == f32 else f"{dtype.wgsl}({text})"


_SUFFIX = {"f32": "f", "f16": "h", "f64": "lf"}
