"""The Python array API standard, 2024.12, for Arrays, traced values and ndarrays alike.

`x.__array_namespace__()` of an Array and of a traced value is this module. Most functions are NumPy's own, which know
how to be traced and how to run on Arrays; docs/array_api.md lists what there is. Element types are narrowed to 32 bits
unless x64 is on, integers of 8 and 16 bits are held in 32, and there are no complex numbers.
"""

from __future__ import annotations

import builtins
from typing import Any, Final

import numpy as np

from graphc.array_api import fft, linalg
from graphc.array_api.creation import (
    arange,
    asarray,
    empty,
    empty_like,
    eye,
    from_dlpack,
    full,
    full_like,
    linspace,
    ones,
    ones_like,
    zeros,
    zeros_like,
)
from graphc.array_api.functions import (
    argsort,
    astype,
    broadcast_arrays,
    can_cast,
    clip,
    count_nonzero,
    cumulative_prod,
    cumulative_sum,
    diff,
    expand_dims,
    finfo,
    iinfo,
    meshgrid,
    repeat,
    reshape,
    result_type,
    sort,
    take,
    take_along_axis,
    tensordot,
    unique_values,
    unstack,
    vecdot,
)
from graphc.array_api.info import Info as __array_namespace_info__

__array_api_version__: Final = "2024.12"

VERSIONS: Final = ("2021.12", "2022.12", "2023.12", "2024.12")
"""Versions of the standard that the namespace answers to."""

bool = np.dtype("bool")
int8, int16, int32, int64 = map(np.dtype, ("int8", "int16", "int32", "int64"))
uint8, uint16, uint32, uint64 = map(np.dtype, ("uint8", "uint16", "uint32", "uint64"))
float32, float64 = map(np.dtype, ("float32", "float64"))
complex64, complex128 = map(np.dtype, ("complex64", "complex128"))  # no array has them, so that code can ask

e, inf, nan, newaxis, pi = np.e, np.inf, np.nan, None, np.pi

NUMPYS: Final = """
    abs acos acosh add all any argmax argmin asin asinh atan atan2 atanh bitwise_and bitwise_invert bitwise_left_shift
    bitwise_or bitwise_right_shift bitwise_xor broadcast_to ceil concat conj copysign cos cosh divide equal exp expm1
    flip floor floor_divide greater greater_equal hypot imag isdtype isfinite isinf isnan less less_equal log log10
    log1p log2 logaddexp logical_and logical_not logical_or logical_xor matmul matrix_transpose max maximum mean min
    minimum moveaxis multiply negative nextafter nonzero not_equal permute_dims positive pow prod real reciprocal
    remainder roll round searchsorted sign signbit sin sinh sqrt square squeeze stack std subtract sum tan tanh tile
    tril triu trunc unique_all unique_counts unique_inverse var where
"""
"""Functions that NumPy has as the standard wants them."""

_NUMPYS: Final = frozenset(NUMPYS.split())

__all__ = [
    "__array_api_version__",
    "__array_namespace_info__",
    "arange",
    "argsort",
    "asarray",
    "astype",
    "bool",
    "broadcast_arrays",
    "can_cast",
    "clip",
    "complex64",
    "complex128",
    "count_nonzero",
    "cumulative_prod",
    "cumulative_sum",
    "diff",
    "e",
    "empty",
    "empty_like",
    "expand_dims",
    "eye",
    "fft",
    "finfo",
    "float32",
    "float64",
    "from_dlpack",
    "full",
    "full_like",
    "iinfo",
    "inf",
    "int8",
    "int16",
    "int32",
    "int64",
    "linalg",
    "linspace",
    "meshgrid",
    "nan",
    "newaxis",
    "ones",
    "ones_like",
    "pi",
    "repeat",
    "reshape",
    "result_type",
    "sort",
    "take",
    "take_along_axis",
    "tensordot",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "unique_values", "unstack",
    "vecdot",
    "zeros",
    "zeros_like",
]  # fmt: skip
"""What is defined here; the rest of the standard has complex numbers."""


def namespace(api_version: str | None) -> Any:
    """This module, for a version of the standard; raises ValueError for one that it does not answer to."""
    import graphc.array_api

    if api_version is not None and api_version not in VERSIONS:
        raise ValueError(f"the array API standard {api_version} is not here: there are {', '.join(VERSIONS)}")
    return graphc.array_api


def __getattr__(name: str) -> Any:
    if name in _NUMPYS:
        return getattr(np, name)
    raise AttributeError(f"the namespace has no {name}: docs/array_api.md lists what there is")


def __dir__() -> list[str]:
    return builtins.sorted((*_NUMPYS, *__all__))
