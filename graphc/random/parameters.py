"""What distributions are given: numbers or arrays of numbers, known or traced, and the shape of what is drawn."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.errors import ArgumentError, DTypeError, ShapeError
from graphc.ir.types import Lengths, Shape, as_shape
from graphc.tracing.core import as_array, is_tracer, located
from graphc.tracing.settings import is_number

Array = Any


def is_known(value: Any) -> bool:
    """Whether the elements of an array can be looked at: neither a traced one nor one on a device."""
    return not is_tracer(value) and not hasattr(value, "apply_op")


def parameter(value: Any, what: str, least: float = -np.inf, beyond: bool = False) -> Array:
    """A number or an array of numbers as floats, of 32 bits where it is no float64.

    Raises DTypeError for anything else, ArgumentError for known elements below `least` (at it too, if `beyond`) or NaN.
    """
    if is_known(value):
        if not is_number(value) and not isinstance(value, np.ndarray | np.generic | list | tuple):
            raise located(DTypeError(f"{what} is {value!r}: needs a number or an array of them"))
        value = as_array(value)
    if value.dtype.kind not in "iuf":
        raise located(DTypeError(f"{what} is {value.dtype}: needs a number or an array of them"))
    if is_known(value) and not ((value > least) if beyond else (value >= least)).all():
        need = "NaN is none" if least == -np.inf else f"needs numbers {'above' if beyond else 'of at least'} {least:g}"
        raise located(ArgumentError(f"{what} is {value!r}: {need}"))
    return value if value.dtype in (np.float32, np.float64) and value.shape else value.astype(wide(value))


def wide(value: Array) -> np.dtype[Any]:
    """The element type in which is drawn: float64 for arrays of it, float32 for all else."""
    return np.dtype(np.float64 if value.dtype == np.float64 and value.shape else np.float32)


def shape_of(name: str, shape: Lengths | None, *shapes: Shape) -> Shape:
    """The shape that is drawn: the one that is given, or that of the parameters together.

    Raises ShapeError where the shapes of the parameters cannot be broadcast to it.
    """
    lengths = None if shape is None else as_shape(shape)
    try:
        own = np.broadcast_shapes(*shapes)
        if lengths is None or np.broadcast_shapes(own, lengths) == lengths:
            return own if lengths is None else lengths
    except ValueError:
        pass
    given = " and ".join(map(str, shapes))
    raise located(ShapeError(f"{name}: parameters of shape {given} cannot be broadcast to shape {shape}"))
