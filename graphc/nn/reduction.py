"""What losses have in common: their operands, what is left out, and how they become one number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.convolution import array_like
from graphc.errors import ArgumentError, ShapeError
from graphc.nn.shared import Array, half_again
from graphc.tracing.operands import operand

REDUCTIONS = ("mean", "sum", "none")


def check_reduction(name: str, reduction: Any, known: tuple[str, ...] = REDUCTIONS) -> None:
    """Raise ArgumentError for a reduction that there is not."""
    if not isinstance(reduction, str) or reduction not in known:
        names = [repr(one) for one in known]
        raise ArgumentError(f"{name}: reduction is {reduction!r}: need {', '.join(names[:-1])} or {names[-1]}")


def counted(name: str, mask: Array | None, shape: tuple[int, ...]) -> tuple[Array | None, Array | None]:
    """What each loss counts (None: 1), and where that is not 0. Raises ShapeError for a mask of another shape,
    ArgumentError for weights below 0 where they are known."""
    if mask is None:
        return None, None
    weights = array_like(mask)
    if weights.shape != shape:
        try:
            fits = np.broadcast_shapes(weights.shape, shape) == shape
        except ValueError:
            fits = False
        if not fits:
            raise ShapeError(f"{name}: the mask has shape {weights.shape}, and the losses {shape}")
        weights = np.broadcast_to(weights, shape)
    if isinstance(weights, np.ndarray | np.generic) and weights.size and weights.min() < 0:
        raise ArgumentError(f"{name}: the mask holds {weights.min()}: needs bools, or weights of 0 or more")
    return weights, weights if weights.dtype.kind == "b" else weights != 0


def reduced(losses: Array, reduction: str, weights: Array | None, kept: Array | None, dtype: Any) -> Array:
    """The mean of losses over what is kept, weighted; their sum; or each of them: in the element type `dtype`.

    What is not kept is 0, whatever it was.
    """
    if weights is None or kept is None:
        if reduction == "none":
            return losses
        return np.mean(losses) if reduction == "mean" else np.sum(losses)
    # How many there are may be more than float16 holds.
    wide = np.float32 if dtype == np.float16 else dtype
    losses = np.where(kept, losses.astype(wide), 0)
    if weights.dtype.kind != "b":
        losses = losses * weights.astype(wide)
    if reduction == "mean":
        losses = np.sum(losses) / np.sum(weights.astype(wide))
    elif reduction == "sum":
        losses = np.sum(losses)
    return losses.astype(dtype)


def operands(name: str, *arrays: Array) -> list[Array]:
    """The operands of a loss: floats of one shape, all in the element type of the first.

    Numbers stand for arrays of the same. Raises DTypeError where the first has no floats, ShapeError where shapes
    differ: (N, 1) beside (N,) would give the losses of all pairs.
    """
    found = [array_like(array) for array in arrays]
    first = operand(name, "the first operand", found[0])
    if any(array.shape not in (first.shape, ()) for array in found):
        shapes = " and ".join(str(array.shape) for array in found)
        raise ShapeError(f"{name}: the operands have shapes {shapes}: need the same, or numbers")
    return [array if array.dtype == first.dtype else array.astype(first.dtype) for array in found]


def elementwise(
    name: str, loss: Callable[..., Array], arrays: list[Array], mask: Array | None, reduction: str, axes: int = 0
) -> Array:
    """The losses that `loss` makes of operands, reduced. axes: how many axes one loss is made of, the last ones.

    What the operands hold where the mask leaves a loss out does not matter, be it NaN; half precision is computed in
    single.
    """
    check_reduction(name, reduction)
    dtype, shape = arrays[0].dtype, arrays[0].shape[: arrays[0].ndim - axes]
    weights, kept = counted(name, mask, shape)
    given = [array.astype(np.float32) if dtype == np.float16 else array for array in arrays]
    if kept is not None:
        rows = np.expand_dims(kept, -1) if axes else kept
        given = [np.where(rows if array.ndim > len(shape) else kept, array, 0) for array in given]
    made = reduced(loss(*given), reduction, weights, kept, given[0].dtype)
    return half_again(made, arrays[0])
