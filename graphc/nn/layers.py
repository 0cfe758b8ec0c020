"""Layers without a form of their own: products, tables, dropout."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.convolution import array_like
from graphc.errors import ArgumentError, ShapeError
from graphc.ir.types import as_shape
from graphc.nn.shared import Array, check_integer, in_range
from graphc.ops import by_name
from graphc.random import bernoulli
from graphc.tracing.operands import takes
from graphc.tracing.trace import Tracer, apply


@takes()
def one_hot(ids: Array, n: int, dtype: Any = np.float32) -> Array:
    """[..., n] with 1 at each id and 0 elsewhere; an id outside of [0, n) gives a row of zeros, as in JAX."""
    ids = array_like(ids)
    check_integer("one_hot: ids", ids)
    (count,) = as_shape(n, "one_hot: n")
    return (ids[..., None] == np.arange(count, dtype=np.int32)).astype(dtype)


@takes()
def linear(x: Array, weight: Array, bias: Array | None = None) -> Array:
    """x @ weight + bias. x: [..., I], weight: [I, O], bias: [O] -> [..., O]. Raises ShapeError."""
    x, weight, bias = array_like(x), array_like(weight), None if bias is None else array_like(bias)
    if weight.ndim != 2 or x.ndim < 1 or x.shape[-1] != weight.shape[0]:
        raise ShapeError(f"linear: x has shape {x.shape} and weight {weight.shape}: need [..., I] and [I, O]")
    y = x @ weight
    if bias is None:
        return y
    if bias.shape != weight.shape[1:]:
        raise ShapeError(f"linear: weight has shape {weight.shape} and bias {bias.shape}: need [I, O] and [O]")
    return y + bias


@takes()
def embedding(table: Array, ids: Array) -> Array:
    """Rows of a table. table: [V, D], ids: integers [...] in [0, V) -> [..., D]. Negative ids are out of range.

    Raises DTypeError, ShapeError for a table that is a number, and IndexRangeError for an id out of range: at once
    where it is known, else when a result is read.
    """
    table, ids = array_like(table), array_like(ids)
    if not np.ndim(table):
        raise ShapeError("embedding: the table is a number: need rows, [V, ...]")
    check_integer("embedding: ids", ids)
    ids = in_range("embedding:id", ids, table.shape[0])
    if isinstance(ids, Tracer):
        return apply(by_name("take"), table, ids, axis=0)  # np.take would not see that ids are traced
    return np.take(table, ids, axis=0)


@takes()
def dropout(key: Array, x: Array, rate: float) -> Array:
    """x with each element set to 0 with probability `rate`, the others scaled by 1 / (1 - rate).

    key: u32[2], see graphc.random. rate: in [0, 1), else ArgumentError.
    """
    if not 0 <= rate < 1:
        raise ArgumentError(f"dropout: rate is {rate}: need 0 <= rate < 1")
    x = array_like(x)
    if rate == 0:
        return x
    return np.where(bernoulli(key, 1 - rate, x.shape), x * (1 / (1 - rate)), 0)
