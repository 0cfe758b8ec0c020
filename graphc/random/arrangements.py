"""Elements in another order and elements that are picked."""

from __future__ import annotations

import math
from typing import Any, SupportsIndex

import numpy as np

from graphc.errors import ArgumentError, DTypeError, ShapeError
from graphc.ir.types import Lengths, as_shape
from graphc.random.draws import bits, checked_key, gumbel, known_integer, randint, split, uniform
from graphc.random.parameters import is_known
from graphc.tracing.core import as_array, constant, is_tracer, located, owner

Array = Any


def permutation(key: Array, x: Array, axis: SupportsIndex = 0, independent: bool = False) -> Array:
    """`x` in random order along an axis, each order as likely as any other; of an integer, the integers below it.

    independent: each row along the axis in an order of its own. Raises ShapeError for an axis that there is not.
    Source: jax.random.permutation, numpy.random.Generator.permuted.
    """
    checked_key(key)
    x, place = _elements("permutation", x, axis)
    if not isinstance(independent, bool | np.bool):
        raise located(ArgumentError(f"permutation: independent is {independent!r}: needs True or False"))
    if not independent:
        return _taken(x, _order(key, (x.shape[place],)), place)
    lengths = (*x.shape[:place], *x.shape[place + 1 :], x.shape[place])
    order = np.moveaxis(_order(key, lengths), -1, place)
    return np.take_along_axis(_beside(x, order), order, axis=place)


def shuffle(key: Array, x: Array, axis: SupportsIndex = 0) -> Array:
    """`permutation` of an array: what `numpy.random.Generator.shuffle` makes of it, as a result."""
    if not hasattr(x, "shape"):
        raise located(DTypeError(f"shuffle: {x!r} is no array: write permutation(key, n) for the integers below n"))
    return permutation(key, x, axis)


def choice(
    key: Array,
    a: Array,
    shape: Lengths = (),
    replace: bool = True,
    p: Array | None = None,
    axis: SupportsIndex = 0,
) -> Array:
    """Elements of `a` along an axis, or of the integers below `a`, picked with probabilities p (None: all alike).

    p: [n], floats that are not negative, of any sum; an element of probability 0 is never picked. The result has
    `shape` in the place of the axis. replace=False picks no element twice.

    Raises ArgumentError for probabilities that are none and for more elements than there are, ShapeError for an axis
    that there is not. Source: numpy.random.Generator.choice.
    """
    checked_key(key)
    x, place = _elements("choice", a, axis)
    lengths, n = as_shape(shape), x.shape[place]
    count = math.prod(lengths)
    if not isinstance(replace, bool | np.bool):
        raise located(ArgumentError(f"choice: replace is {replace!r}: needs True or False"))
    weights = None if p is None else _weights(p, n, 1 if replace else count)
    if (not n and count) or (not replace and count > n):
        raise located(ArgumentError(f"choice: {count} elements of {n}: needs fewer, or more to pick from"))
    if not count:
        ids: Array = np.zeros(lengths, np.int32)
    elif replace:
        ids = randint(key, lengths, 0, n) if weights is None else _by_weight(key, weights, lengths)
    else:
        order = _order(key, (n,)) if weights is None else np.argsort(-_scores(key, weights), kind="stable")
        ids = np.reshape(order[:count], lengths)
    return _taken(x, ids, place)


def _elements(name: str, a: Array, axis: SupportsIndex) -> tuple[Array, int]:
    """What is picked from, and its axis from the start."""
    if is_known(a) and np.ndim(as_array(a)) == 0:
        a = np.arange(_length(name, a), dtype=np.int32)
    elif is_known(a):
        a = as_array(a)
        if a.dtype.kind not in "biuf":
            raise located(DTypeError(f"{name}: the elements are {a.dtype}: needs numbers"))
    place = known_integer(axis, "axis")
    if not -len(a.shape) <= place < len(a.shape):
        raise located(ShapeError(f"{name}: axis {place} is out of range for shape {a.shape}"))
    return a, place % len(a.shape)


def _taken(x: Array, ids: Array, axis: int) -> Array:
    return np.take(_beside(x, ids), ids, axis=axis)


def _beside(x: Array, ids: Array) -> Array:
    """What is picked from, traced where the positions are: `np.take` asks the array alone."""
    return constant(owner((ids,)), x) if is_tracer(ids) else x


def _length(name: str, n: Any) -> int:
    number = known_integer(n, f"{name}: number of elements")
    if not 0 <= number <= 1 << 31:
        raise located(ArgumentError(f"{name}: {number} elements: needs a number of 31 bits that is not negative"))
    return number


def _order(key: Array, shape: tuple[int, ...]) -> Array:
    """The positions along the last axis in random order: sorted by random words, so often that ties do not tell."""
    rounds = max(1, math.ceil(3 * math.log2(max(shape[-1], 1)) / 32))
    order: Array = None
    for each in split(key, rounds) if rounds > 1 else [key]:
        turn = np.argsort(bits(each, shape), axis=-1, kind="stable")
        order = turn if order is None else np.take_along_axis(order, turn, axis=-1)
    return order.astype(np.int32)


def _weights(p: Array, n: int, least: int) -> Array:
    """Probabilities that are some, as floats. Raises ArgumentError where known ones are not."""
    p = as_array(p) if is_known(p) else p
    if p.dtype.kind not in "iuf":
        raise located(DTypeError(f"choice: p is {p.dtype}: needs probabilities"))
    if is_known(p) and not ((np.isfinite(p) & (p >= 0)).all() and (not p.size or np.count_nonzero(p) >= least)):
        raise located(ArgumentError(f"choice: p is {p!r}: needs {least} that are above 0, and none below"))
    if p.shape != (n,):
        raise located(ShapeError(f"choice: p has shape {p.shape}: needs a probability for each of {n} elements"))
    return p if p.dtype in (np.float32, np.float64) else p.astype(np.float32)


def _by_weight(key: Array, weights: Array, shape: tuple[int, ...]) -> Array:
    """Indices with probabilities that stand to each other as the weights do."""
    # Where a weight is 0 the sum stays what it was, whatever order it was added in: nothing lies between.
    sums = np.maximum.accumulate(np.where(weights > 0, np.cumsum(weights), 0).astype(weights.dtype))
    drawn = uniform(key, shape, dtype=weights.dtype) * sums[-1]
    return np.minimum(np.searchsorted(sums, drawn, side="right"), len(sums) - 1).astype(np.int32)


def _scores(key: Array, weights: Array) -> Array:
    """Numbers whose order is that of drawing one after another: Gumbel noise added to the logarithms."""
    some = weights > 0
    logs = np.log(np.where(some, weights, 1))
    return np.where(some, logs + gumbel(key, weights.shape, weights.dtype), -np.inf)
