"""Axes of 10^5 to 10^7 elements: everything that goes through an axis, along each of them, beside NumPy in float64.

A driver that ends loops after 65,535 turns does so without a word, so only results show it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.plan.plan import MOST_TURNS

CLOSE = 3e-6
"""Of the largest number of a result: what sums of 10^7 float32 numbers stay within."""


@dataclass(frozen=True)
class Along:
    """A function f(x, axis). exact: its result is an integer or one of the elements. grad: whether it has a gradient.

    data: the elements, from a generator and a shape.
    """

    fn: Callable[[Any, int], Any]
    exact: bool = False
    grad: bool = True
    data: Callable[[np.random.Generator, tuple[int, ...]], Any] = lambda rng, shape: rng.uniform(0, 1, shape)
    close: float = CLOSE


def _factors(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    """Numbers whose product is exact in any order, however many they are: signs, and a few twos."""
    x = rng.choice([-1.0, 1.0], shape)
    x.reshape(-1)[rng.integers(0, x.size, 60)] *= 2
    return x


def _softmax(x: Any, axis: int) -> Any:
    e = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return e / np.sum(e, axis=axis, keepdims=True)


def _normed(x: Any, axis: int) -> Any:
    centred = x - np.mean(x, axis=axis, keepdims=True)
    return centred / np.sqrt(np.mean(centred * centred, axis=axis, keepdims=True) + np.float32(1e-5))


def _bits(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    """Zeros but for one element near the end."""
    x = np.zeros(shape)
    x.reshape(-1)[-3] = 1
    return x


FUNCTIONS: dict[str, Along] = {
    "sum": Along(lambda x, axis: np.sum(x, axis=axis)),
    "mean": Along(lambda x, axis: np.mean(x, axis=axis)),
    "var": Along(lambda x, axis: np.var(x, axis=axis)),
    "std": Along(lambda x, axis: np.std(x, axis=axis)),
    "prod": Along(lambda x, axis: np.prod(x, axis=axis), data=_factors, exact=True),
    "max": Along(lambda x, axis: np.max(x, axis=axis), exact=True),
    "min": Along(lambda x, axis: np.min(x, axis=axis), exact=True),
    "ptp": Along(lambda x, axis: np.ptp(x, axis=axis)),
    "argmax": Along(lambda x, axis: np.argmax(x, axis=axis), exact=True, grad=False),
    "argmin": Along(lambda x, axis: np.argmin(x, axis=axis), exact=True, grad=False),
    "any": Along(lambda x, axis: np.any(x, axis=axis), exact=True, grad=False, data=_bits),
    "all": Along(lambda x, axis: np.all(1 - x, axis=axis), exact=True, grad=False, data=_bits),
    "count_nonzero": Along(lambda x, axis: np.count_nonzero(x > 0.5, axis=axis), exact=True, grad=False),
    "cumsum": Along(lambda x, axis: np.cumsum(x, axis=axis)),
    "diff of a running sum": Along(lambda x, axis: np.diff(np.cumsum(x, axis=axis), axis=axis), grad=False, close=1),
    "norm": Along(lambda x, axis: np.sqrt(np.sum(x * x, axis=axis))),
    "softmax": Along(_softmax, data=lambda rng, shape: rng.normal(size=shape), close=1e-5),
    "layer norm": Along(_normed, close=1e-5),
    "logsumexp": Along(lambda x, axis: np.log(np.sum(np.exp(x), axis=axis))),
}

SHAPES: list[tuple[tuple[int, ...], int]] = [((70_001,), 0), ((2, 70_001), 1), ((70_001, 2), 0), ((3, 70_001, 5), 1)]
LONG: list[tuple[tuple[int, ...], int]] = [
    ((1_000_003,), 0),
    ((3, 1_000_003), 1),
    ((1_000_003, 3), 0),
    ((2, 500_009, 3), 1),
    ((10_000_000,), 0),
]


def largest(compiled: Any, *args: Any) -> int:
    return max(int(kernel.turns) for kernel in compiled.lower(*args).plan.kernels)


def check(name: str, shape: tuple[int, ...], axis: int, device: Any) -> None:
    case = FUNCTIONS[name]
    rng = np.random.default_rng(0)
    x = case.data(rng, shape).astype(np.float32)
    compiled = graphc.compile(lambda x: case.fn(x, axis), device=device)
    got, want = np.asarray(compiled(x)), np.asarray(case.fn(x.astype(float), axis))
    assert got.shape == want.shape
    assert largest(compiled, x) <= MOST_TURNS
    if case.exact:
        np.testing.assert_array_equal(got, want)
    else:
        assert np.abs(got - want).max() <= case.close * np.abs(want).max()


@pytest.mark.parametrize(("shape", "axis"), SHAPES, ids=str)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_more_elements_than_a_loop_turns(name: str, shape: tuple[int, ...], axis: int, device: Any) -> None:
    check(name, shape, axis, device)


@pytest.mark.slow
@pytest.mark.parametrize(("shape", "axis"), LONG, ids=str)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_millions_of_elements(name: str, shape: tuple[int, ...], axis: int, device: Any) -> None:
    check(name, shape, axis, device)


def check_gradient(name: str, shape: tuple[int, ...], axis: int, device: Any) -> None:
    """Against central differences of the float64 function along a random direction, and along single elements."""
    case = FUNCTIONS[name]
    rng = np.random.default_rng(1)
    x = case.data(rng, shape).astype(np.float32)
    weights = rng.normal(size=np.shape(case.fn(x, axis))).astype(np.float32)
    compiled = graphc.compile(graphc.grad(lambda x, w: np.sum(case.fn(x, axis) * w)), device=device)
    got = np.asarray(compiled(x, weights), float)
    assert got.shape == shape
    assert largest(compiled, x, weights) <= MOST_TURNS

    def loss(x: Any) -> float:
        return float(np.sum(case.fn(x, axis) * weights))

    way = rng.choice([-1.0, 1.0], shape) / np.sqrt(x.size)
    step = 3e-3
    slope = (loss(x + step * way) - loss(x - step * way)) / (2 * step)
    assert abs(np.sum(got * way) - slope) <= 1e-4 * max(abs(slope), np.sqrt(np.sum(got * got) / x.size))


SMOOTH = [name for name, case in FUNCTIONS.items() if case.grad and name not in ("max", "min", "ptp")]


@pytest.mark.parametrize(("shape", "axis"), [((70_001,), 0), ((3, 70_001, 2), 1)], ids=str)
@pytest.mark.parametrize("name", SMOOTH)
def test_gradients_along_long_axes(name: str, shape: tuple[int, ...], axis: int, device: Any) -> None:
    check_gradient(name, shape, axis, device)


@pytest.mark.slow
@pytest.mark.parametrize(("shape", "axis"), [((1_000_003,), 0), ((1_000_003, 3), 0), ((3, 1_000_003), 1)], ids=str)
@pytest.mark.parametrize("name", SMOOTH)
def test_gradients_along_axes_of_millions(name: str, shape: tuple[int, ...], axis: int, device: Any) -> None:
    check_gradient(name, shape, axis, device)


@pytest.mark.parametrize("name", ["max", "min"])
def test_gradients_of_extremes(name: str, device: Any) -> None:
    x = np.random.default_rng(0).uniform(0, 1, (2, 70_001)).astype(np.float32)
    reduce = getattr(np, name)
    got = np.asarray(graphc.compile(graphc.grad(lambda x: np.sum(reduce(x, axis=1))), device=device)(x))
    np.testing.assert_array_equal(got, x == reduce(x, axis=1, keepdims=True))


@pytest.mark.parametrize("name", ["argmax", "argmin"])
@pytest.mark.parametrize(("shape", "axis"), SHAPES, ids=str)
def test_the_first_extreme_is_found_among_equal_ones_infinities_and_nan(
    name: str, shape: tuple[int, ...], axis: int, device: Any
) -> None:
    find = getattr(np, name)
    compiled = graphc.compile(lambda x: find(x, axis=axis), device=device)
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 3, shape).astype(np.float32)
    spoilt = coarse.copy()
    at = tuple(slice(None) if k != axis else [shape[axis] - 9, shape[axis] - 5] for k in range(len(shape)))
    spoilt[at] = np.nan
    infinite = np.full(shape, -np.inf if name == "argmax" else np.inf, np.float32)
    for x in (coarse, spoilt, infinite, np.zeros(shape, np.float32)):
        np.testing.assert_array_equal(np.asarray(compiled(x)), find(x, axis=axis))


@pytest.mark.parametrize("dtype", [np.int32, np.uint32])
@pytest.mark.parametrize(("shape", "axis"), SHAPES[:3], ids=str)
def test_integers(shape: tuple[int, ...], axis: int, dtype: Any, device: Any) -> None:
    info = np.iinfo(dtype)
    x = np.random.default_rng(0).integers(info.min, info.max, shape, dtype, endpoint=True)

    def fn(x: Any) -> Any:
        extremes = [f(x, axis=axis) for f in (np.max, np.min, np.argmax, np.argmin)]
        return [*extremes, np.sum(x, axis=axis, dtype=dtype), np.cumsum(x, axis=axis, dtype=dtype)]

    with np.errstate(over="ignore"):
        for got, want in zip(graphc.compile(fn, device=device)(x), fn(x), strict=True):
            np.testing.assert_array_equal(np.asarray(got), want)


# Products, gathers, and gradients of gathers


PRODUCTS: dict[str, tuple[Callable[..., Any], tuple[tuple[int, ...], ...]]] = {
    "a vector and a vector": (lambda a, b: a @ b, ((70_001,), (70_001,))),
    "a matrix and a vector": (lambda a, b: a @ b, ((3, 70_001), (70_001,))),
    "two matrices": (lambda a, b: a @ b, ((5, 70_001), (70_001, 7))),
    "the gradient of a weight": (lambda a, b: a.T @ b, ((70_001, 6), (70_001, 8))),
    "batches": (lambda a, b: a @ b, ((2, 3, 70_001), (2, 70_001, 4))),
    "many rows": (lambda a, b: a @ b, ((70_001, 3), (3, 4))),
    "einsum": (lambda a, b: np.einsum("bkm,bkn->bmn", a, b), ((2, 70_001, 3), (2, 70_001, 5))),
    "many results": (lambda a, b: a @ b, ((300, 13_000), (13_000, 400))),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_products_over_long_axes(name: str, device: Any) -> None:
    fn, shapes = PRODUCTS[name]
    rng = np.random.default_rng(0)
    a, b = (rng.uniform(0, 1, shape).astype(np.float32) for shape in shapes)
    compiled = graphc.compile(fn, device=device)
    got, want = np.asarray(compiled(a, b)), fn(a.astype(float), b.astype(float))
    # Where the results are many, a kernel adds up to 8192 terms one after another.
    assert np.abs(got - want).max() <= (1e-5 if name == "many results" else CLOSE) * np.abs(want).max()
    assert largest(compiled, a, b) <= MOST_TURNS


@pytest.mark.slow
@pytest.mark.parametrize(
    "shapes", [((10_000_000,), (10_000_000,)), ((4, 1_000_003), (1_000_003, 4)), ((2, 3, 500_000), (2, 500_000, 4))]
)
def test_products_over_axes_of_millions(shapes: tuple[tuple[int, ...], ...], device: Any) -> None:
    rng = np.random.default_rng(0)
    a, b = (rng.uniform(0, 1, shape).astype(np.float32) for shape in shapes)
    got = np.asarray(graphc.compile(lambda a, b: a @ b, device=device)(a, b))
    want = a.astype(float) @ b.astype(float)
    assert np.abs(got - want).max() <= CLOSE * np.abs(want).max()


@pytest.mark.parametrize("rows", [70_001, pytest.param(1_000_003, marks=pytest.mark.slow)])
@pytest.mark.parametrize("slots", [1, 27, 5000, 400_000])
def test_gathers_and_their_gradients(rows: int, slots: int, device: Any) -> None:
    rng = np.random.default_rng(0)
    table = rng.normal(size=(slots, 3)).astype(np.float32)
    ids = rng.integers(-slots, slots, rows).astype(np.int32)
    weights = rng.uniform(0, 1, (rows, 3)).astype(np.float32)
    np.testing.assert_array_equal(np.asarray(graphc.compile(lambda t, i: t[i], device=device)(table, ids)), table[ids])
    compiled = graphc.compile(graphc.grad(lambda t, i, w: np.sum(t[i] * w)), device=device)
    got, want = np.asarray(compiled(table, ids, weights)), np.zeros(table.shape)
    np.add.at(want, ids, weights.astype(float))
    assert np.abs(got - want).max() <= CLOSE * np.max(want)
    assert largest(compiled, table, ids, weights) <= MOST_TURNS


@pytest.mark.parametrize("axis", [0, 1])
def test_take_along_a_long_axis_and_its_gradient(axis: int, device: Any) -> None:
    rng = np.random.default_rng(0)
    shape, picked = ((70_001, 3), (5, 3)) if axis == 0 else ((3, 70_001), (3, 5))
    x = rng.normal(size=shape).astype(np.float32)
    ids = rng.integers(0, 70_001, picked).astype(np.int32)
    pick = graphc.compile(lambda x, i: np.take_along_axis(x, i, axis=axis), device=device)
    np.testing.assert_array_equal(np.asarray(pick(x, ids)), np.take_along_axis(x, ids, axis=axis))
    gradient = graphc.grad(lambda x, i: np.sum(np.take_along_axis(x, i, axis=axis)))
    places = np.arange(x.size).reshape(shape)
    want = np.bincount(np.take_along_axis(places, ids, axis=axis).ravel(), minlength=x.size).reshape(shape)
    np.testing.assert_array_equal(np.asarray(graphc.compile(gradient, device=device)(x, ids)), want)


@pytest.mark.parametrize("rows", [70_000, pytest.param(228_146, marks=pytest.mark.slow)])
def test_labels_picked_with_two_index_arrays(rows: int, device: Any) -> None:
    """The loss of a bigram as a beginner writes it, with its gradient: an embedding, softmax, and picked labels."""

    def loss(w: Any, x: Any, y: Any) -> Any:
        z = w[x]
        z = z - np.max(z, axis=1, keepdims=True)
        return -np.mean((z - np.log(np.sum(np.exp(z), axis=1, keepdims=True)))[np.arange(x.shape[0]), y])

    rng = np.random.default_rng(0)
    w = rng.normal(size=(27, 27)).astype(np.float32)
    x, y = rng.integers(0, 27, size=(2, rows)).astype(np.int32)
    p = np.exp(w.astype(float)[x])
    p /= p.sum(1, keepdims=True)
    p[np.arange(rows), y] -= 1
    want = np.zeros((27, 27))
    np.add.at(want, x, p / rows)
    got = np.asarray(graphc.compile(graphc.grad(loss), device=device)(w, x, y))
    assert np.abs(got - want).max() <= CLOSE * np.abs(want).max()
