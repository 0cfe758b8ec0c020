"""A call of a ufunc, or of one of its methods, on traced values: which rule makes its nodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from graphc.errors import GraphcError, ShapeError, TraceError
from graphc.tracing import advice, pairs, scans, settings
from graphc.tracing.aliases import fresh
from graphc.tracing.core import as_array, is_tracer, located
from graphc.tracing.products import matmul
from graphc.tracing.promote import as_type
from graphc.tracing.reductions import NO, all_, any_, extremum_of, no_out, prod, sum, traced
from graphc.tracing.ufuncs import Rule, apply_ufunc, without_keywords


def call_ufunc(ufunc: np.ufunc, method: str, operands: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A ufunc, or one of its methods, on operands of which at least one is traced.

    Raises TraceError for a ufunc or keyword that a graph has nothing for, DTypeError and ShapeError for operands.
    """
    name = ufunc.__name__
    try:
        if any(map(pairs.is_complex, operands)):
            return pairs.call_ufunc(ufunc, method, operands, kwargs)
        if method != "__call__":
            return ufunc_method(ufunc, method, operands, kwargs)
        if kwargs:
            if ufunc is np.vecdot and "axis" in kwargs:
                axis = kwargs["axis"]
                operands = tuple(np.moveaxis(x, axis, -1) for x in operands)
                kwargs = {key: value for key, value in kwargs.items() if key != "axis"}
            operands = without_keywords(ufunc, operands, kwargs)
        special = SPECIAL.get(ufunc)
        made = apply_ufunc(ufunc, operands) if special is None else special(*operands)
        # Some rules hand an operand on; in NumPy the result is another array.
        return fresh(made) if any(made is x for x in operands) else made
    except GraphcError as error:
        raise located(error, name) from None


def _of_ranks(a: Any, b: Any, first: int, second: int) -> None:
    """Raise ShapeError where an operand has fewer axes than these, or the last ones, which are summed over, differ."""
    shapes = np.shape(a), np.shape(b)
    if len(shapes[0]) < first or len(shapes[1]) < second:
        raise ShapeError(f"a has shape {shapes[0]}, b {shapes[1]}: need {first} axes of a and {second} of b, or more")
    if shapes[0][-1] != shapes[1][-second]:
        raise ShapeError(f"a has shape {shapes[0]}, b {shapes[1]}: need as many elements to sum over")


def _vecdot(a: Any, b: Any) -> Any:
    _of_ranks(a, b, 1, 1)
    return np.sum(a * b, axis=-1)


def _matvec(a: Any, b: Any) -> Any:
    _of_ranks(a, b, 2, 1)
    return matmul(a, np.expand_dims(b, -1))[..., 0]


def _vecmat(a: Any, b: Any) -> Any:
    _of_ranks(a, b, 1, 2)
    return matmul(np.expand_dims(a, -2), b)[..., 0, :]


SPECIAL: Final[dict[Any, Rule]] = {np.matmul: matmul, np.vecdot: _vecdot}
if hasattr(np, "matvec"):  # NumPy 2.2
    SPECIAL.update({np.matvec: _matvec, np.vecmat: _vecmat})
"""Generalised ufuncs."""


def _typed(a: Any, dtype: Any) -> Any:
    return a if dtype is None else as_type(traced(a), dtype)


_REDUCE: Final[dict[Any, Callable[..., Any]]] = {
    np.add: sum,
    np.multiply: prod,
    np.maximum: lambda a, axis, dtype, *rest, **more: extremum_of("max")(_typed(a, dtype), axis, *rest, **more),
    np.minimum: lambda a, axis, dtype, *rest, **more: extremum_of("min")(_typed(a, dtype), axis, *rest, **more),
    np.logical_and: lambda a, axis, dtype, out, keepdims, where, initial: all_(a, axis, out, keepdims, where=where),
    np.logical_or: lambda a, axis, dtype, out, keepdims, where, initial: any_(a, axis, out, keepdims, where=where),
}


def ufunc_method(ufunc: np.ufunc, method: str, operands: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """ufunc.reduce, ufunc.accumulate and ufunc.outer; raises TraceError for the rest."""
    name = f"np.{ufunc.__name__}.{method}"
    out = kwargs.get("out")
    no_out(out[0] if isinstance(out, tuple) else out)
    if method == "outer" and not set(kwargs) - {"out"}:
        a, b = (traced(x) if is_tracer(x) else as_array(x) for x in operands)
        return ufunc(a.reshape(a.shape + (1,) * b.ndim), b)
    if method == "at":
        raise TraceError(f"{name} changes an array, which a graph cannot: write {advice.at(ufunc.__name__)}")
    if method not in ("reduce", "accumulate"):
        raise TraceError(f"{name} cannot be traced: write it with np.sum, np.max, np.cumsum or np.where")
    scans.of_ufunc(ufunc, name)
    axis, dtype = kwargs.get("axis", 0), kwargs.get("dtype")
    if method == "accumulate":
        return scans.accumulate(ufunc, operands[0], axis, dtype)
    settings.true_or_false(kwargs.get("keepdims", False), "keepdims")
    keepdims, where, initial = kwargs.get("keepdims", False), kwargs.get("where", True), kwargs.get("initial", NO)
    whole = _REDUCE.get(ufunc)
    if whole is None or (initial is not NO and ufunc in (np.logical_and, np.logical_or)):
        return scans.reduced(ufunc, operands[0], axis, dtype, keepdims, initial, where)
    return whole(operands[0], axis, dtype, None, keepdims, where=where, initial=initial)
