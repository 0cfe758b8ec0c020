"""Stencils: what rolls, slices, pads and joins move is right to the bit, and neighbours share what they load."""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import pytest

import graphc
from graphc import nn, spec

Function = Callable[..., Any]
windows: Final = np.lib.stride_tricks.sliding_window_view


def rolled(x: Any) -> Any:
    """Neighbours on all sides, around the edges."""
    return x + np.roll(x, 1, 0) + np.roll(x, -1, 0) + np.roll(x, 1, 1) + np.roll(x, -1, 1)


def padded(x: Any) -> Any:
    """Neighbours on all sides, zeros beyond the edges."""
    p = np.pad(x, 1)
    return x + p[2:, 1:-1] + p[:-2, 1:-1] + p[1:-1, 2:] + p[1:-1, :-2]


def inner(x: Any) -> Any:
    """Neighbours on all sides of those that have them."""
    return np.pad(x[2:, 1:-1] + x[:-2, 1:-1] + x[1:-1, 2:] + x[1:-1, :-2], 1)


def nine(x: Any) -> Any:
    """The windows of 3x3 elements, each a slice."""
    h, w = x.shape
    return np.stack([x[i : h - 2 + i, j : w - 2 + j] for i in range(3) for j in range(3)])


def moves(rng: random.Random, depth: int) -> Function:
    """A random movement of a matrix which leaves its shape as it is, and of which moves the same in NumPy."""
    if depth == 0:
        return lambda x: x
    first, second = moves(rng, depth - 1), moves(rng, rng.randrange(depth))
    axis, by, kind = rng.randrange(2), rng.choice([1, 2, 3, 4, 5, 8, -1, -2, -3, -4, -7]), rng.randrange(6)

    def shift(x: Any) -> Any:
        """Elements moved along an axis, -1 where there are none."""
        k = min(abs(by), x.shape[axis])
        width = [(0, 0), (0, 0)]
        width[axis] = (k, 0) if by > 0 else (0, k)
        kept = slice(0, x.shape[axis]) if by > 0 else slice(k, x.shape[axis] + k)
        wide = np.pad(x, width, constant_values=1)
        return wide[kept] if axis == 0 else wide[:, kept]

    def halo(x: Any) -> Any:
        """The other way's first and last elements about those within."""
        y, n = second(x), x.shape[axis]
        k = min(abs(by), n // 2)
        parts = [np.split(v, [k, n - k], axis) for v in (y, x)]
        return np.concatenate([parts[0][0], parts[1][1], parts[0][2]], axis)

    def turned(x: Any) -> Any:
        """A join of parts in another order, one of them backwards."""
        n = x.shape[axis]
        k = abs(by) % (n + 1)
        a, b = np.split(x, [k], axis)
        return np.concatenate([np.flip(b, axis), a], axis)

    def spread(x: Any) -> Any:
        """Every second element of a join of the matrix with itself."""
        both = np.concatenate([x, second(x)], axis)
        return both[::2] if axis == 0 else both[:, ::2]

    def sums(x: Any) -> Any:
        return x + second(x) if x.dtype != np.bool_ else x ^ second(x)

    chosen: Function = [lambda x: np.roll(x, by, axis), shift, halo, turned, spread, sums][kind]
    return lambda x: chosen(first(x))


SHAPES: Final = [(5, 8), (7, 12), (3, 5), (4, 4), (9, 1), (1, 9), (6, 7), (2, 40)]
DTYPES: Final = ["float32", "float16", "int32", "bool"]


@pytest.mark.parametrize("seed", range(6))
def test_movements_are_those_of_numpy(seed: int) -> None:
    """Random ones in a program, of sums that are exact in half precision, so to the bit."""
    rng = random.Random(seed)
    found = [moves(rng, rng.randint(1, 3)) for _ in range(4)]
    shape, dtype = SHAPES[seed % len(SHAPES)], DTYPES[seed % len(DTYPES)]
    x = np.random.default_rng(seed).integers(0, 2 if dtype == "bool" else 9, shape).astype(dtype)

    def program(x: Any) -> list[Any]:
        return [move(x) for move in found] + [np.sum(move(x), axis=n) for n, move in enumerate(found[:2])]

    if dtype == "float16" and "shader-f16" not in graphc.device("wgpu").target.features:
        dtype, x = "float32", x.astype("float32")
    for want, got in zip(program(x), graphc.compile(program, device="wgpu")(x), strict=True):
        np.testing.assert_array_equal(np.asarray(got), want)


@pytest.mark.parametrize("fn", [rolled, padded, inner, nine])
def test_stencils_are_those_of_numpy(fn: Function) -> None:
    shapes = [(4, 4), (5, 8), (8, 5), (3, 3), (64, 60), (33, 31)]
    arrays = [np.random.default_rng(k).integers(0, 9, s).astype("f") for k, s in enumerate(shapes)]
    found = graphc.compile(lambda *xs: [fn(x) for x in xs], device="wgpu")(*arrays)
    for x, got in zip(arrays, found, strict=True):
        np.testing.assert_array_equal(np.asarray(got), fn(x))


@pytest.mark.parametrize("fn", [rolled, padded, inner])
def test_a_stencil_of_what_is_given_away_reads_it_before_it_is_written(fn: Function) -> None:
    """Another invocation reads an element than the one that writes its place: no result takes over the bytes."""
    x = np.random.default_rng(0).integers(0, 9, (64, 64)).astype("f")
    again = graphc.compile(lambda x: fn(fn(x)), device="wgpu", donate=(0,))
    np.testing.assert_array_equal(np.asarray(again(graphc.asarray(x, "wgpu"))), fn(fn(x)))


KERNEL: Final = np.arange(12, dtype="f").reshape(3, 4) - 5
WINDOWS: Final[dict[str, Function]] = {
    "all": lambda x: windows(x, (3, 4)),
    "along one axis, twice": lambda x: windows(x, (2, 3), (1, 1)),
    "as wide as the axis, and of nothing": lambda x: windows(windows(x, x.shape[1], axis=1), 0, axis=0),
    "convolution": lambda x: np.sum(windows(x, (3, 4)) * KERNEL, axis=(2, 3)),
    "product": lambda x: np.einsum("ijkl,kl->ij", windows(x, (3, 4)), KERNEL),
    "greatest": lambda x: np.max(windows(x, (3, 3)), axis=(-2, -1)),
}


@pytest.mark.parametrize("what", WINDOWS)
def test_windows_are_those_of_numpy(what: str) -> None:
    x = np.random.default_rng(0).permutation(63).reshape(7, 9).astype("f")
    compiled = graphc.compile(WINDOWS[what], device="wgpu")
    np.testing.assert_array_equal(np.asarray(compiled(x)), WINDOWS[what](x))
    assert len(compiled.lower(x).plan.dispatches) == 1, "windows are views, whatever reads them"

    def loss(x: Any) -> Any:
        return np.sum(np.sin(0.1 * WINDOWS[what](x)))

    slopes = graphc.compile(graphc.grad(loss), device="wgpu")(x)
    basis = np.eye(63).reshape(63, 7, 9) * 1e-4
    wanted = [(loss(x + step) - loss(x - step)) / 2e-4 for step in basis]
    np.testing.assert_allclose(np.asarray(slopes).ravel(), wanted, atol=1e-4)


@pytest.mark.parametrize(("width", "axis"), [(10, 1), (-1, 0), ((2, 2), 0), (2, None)])
def test_windows_that_do_not_fit_are_refused(width: Any, axis: Any) -> None:
    with pytest.raises(ValueError):
        windows(np.zeros((7, 9)), width, axis)
    with pytest.raises(graphc.ShapeError):
        graphc.trace(lambda x: windows(x, width, axis), spec((7, 9)))


LOADS: Final = {
    # A row above, one below, the elements themselves as vectors; one element on either side, and, around the edges,
    # one of the other side each.
    rolled: 7,
    padded: 5,
    inner: 5,
    # One element of the image for each of the result, whichever of nine slices it is of: four at a time.
    nine: 4,
}


@pytest.mark.parametrize("fn", LOADS)
def test_neighbours_share_what_they_load(fn: Function) -> None:
    width = 64 if fn is not nine else 66
    (kernel,) = graphc.compile(fn, device="numpy", target="software").lower(spec((64, width))).plan.kernels
    assert len(re.findall(r"\bx0\[", kernel.wgsl)) == LOADS[fn]


def test_a_row_that_is_no_whole_number_of_vectors_is_loaded_by_element() -> None:
    """Nothing is assumed of rows that begin in the middle of a vector."""
    for width, by in itertools.product((5, 6, 7), (-1, 1, 4)):
        x = np.arange(3 * width, dtype="f").reshape(3, width)
        got = graphc.compile(lambda x, by=by: np.roll(x, by, 1) - x, device="wgpu")(x)
        np.testing.assert_array_equal(np.asarray(got), np.roll(x, by, 1) - x)


def test_a_known_place_that_does_not_count_stays_inside() -> None:
    """WGSL refuses an index that is a constant and lies outside, also where what it loads is not used."""

    def program(x: Any) -> Any:
        def step(c: Any, row: Any) -> tuple[Any, Any]:
            c = c * 0.5 + row
            return c, c[..., :1]

        rows, _ = graphc.scan(step, np.zeros(17, np.float32), x, reverse=True)
        first, _ = np.split(rows, [8], axis=0)
        y, zero = np.sinh(first), first - first
        return nn.huber_loss(y, zero[::-1], np.arange(8) > 0, reduction="sum") + np.roll(y, 2)

    x = np.random.default_rng(4).integers(-2, 3, (12, 17)).astype(np.float32)
    want = np.asarray(graphc.compile(program, device="numpy", passes=())(x))
    np.testing.assert_allclose(graphc.compile(program, device="wgpu")(x), want, rtol=1e-5)
