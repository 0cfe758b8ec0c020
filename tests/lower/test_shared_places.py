"""One value read at one place under conditions that differ: what a reader leaves out, because it knows where it reads,
must not be left out for another reader. Programs of nested windows, pads, joins and rolls, whose parts are used again.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc
from graphc.ir import index as ix
from graphc.ir.index import Idx, Index


def _window(random: np.random.Generator, x: Any) -> Any:
    axis = int(random.integers(x.ndim))
    n = x.shape[axis]
    start = int(random.integers(0, n))
    stop = int(random.integers(start + 1, n + 1))
    return x[(slice(None),) * axis + (slice(start, stop),)]


def _padded(random: np.random.Generator, x: Any, shape: tuple[int, ...]) -> Any:
    """The array inside of zeros of a shape."""
    widths = []
    for n, wanted in zip(x.shape, shape, strict=True):
        low = int(random.integers(0, wanted - n + 1))
        widths.append((low, wanted - n - low))
    return np.pad(x, widths)


def _step(random: np.random.Generator, x: Any, before: list[Any], shape: tuple[int, ...]) -> Any:
    axis = int(random.integers(len(shape)))
    kind = int(random.integers(8))
    if kind == 0:
        return np.roll(x, int(random.integers(1, 4)), axis)
    if kind == 1:
        return np.flip(x, axis) + x
    if kind == 2:
        n = int(random.integers(1, shape[axis] + 1))
        first = (slice(None),) * axis
        return np.concatenate((x[(*first, slice(n, None))], before[-1][(*first, slice(0, n))]), axis)
    if kind == 3:
        return np.where(before[0] > 0, x, x.reshape(-1)[::-1].reshape(shape))
    window = _window(random, x)
    if kind < 6:
        window = _window(random, window)
    if kind == 7:
        window = np.maximum(window, window[::-1])
    return _padded(random, window, shape) + before[int(random.integers(len(before)))]


def _program(seed: int) -> tuple[Any, tuple[int, ...]]:
    shape = tuple(int(n) for n in np.random.default_rng(seed).integers(1, 6, 1 + seed % 3))

    def program(x: Any) -> Any:
        random = np.random.default_rng(seed + 1)
        made = [x]
        for _ in range(6):
            made.append(_step(random, made[int(random.integers(len(made)))], made, shape))
        return made[-1], made[-2] + made[-3]

    return program, shape


@pytest.mark.parametrize("seed", [*range(16), 519])
def test_same_numbers(seed: int) -> None:
    """Of 519, two flips with a window between them: their lanes begin before the first element."""
    program, shape = _program(seed)
    x = np.random.default_rng(seed).integers(-9, 9, shape).astype(np.float32)
    for got, want in zip(graphc.compile(program)(x), program(x), strict=True):
        np.testing.assert_array_equal(np.asarray(got), want)


@pytest.mark.parametrize("ufunc", [np.maximum, np.minimum, np.multiply, np.logaddexp], ids=lambda f: f.__name__)
@pytest.mark.parametrize("shape", [(2, 3), (3, 5), (2, 4, 2), (7,), (3, 1)], ids=str)
def test_gradients_of_running_ufuncs(ufunc: Any, shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).permutation(np.arange(int(np.prod(shape)))).reshape(shape).astype(np.float32) / 4
    w = np.cos(np.arange(x.size, dtype=np.float32)).reshape(shape)

    def f(x: Any) -> Any:
        return np.sum(w * ufunc.accumulate(x, axis=-1))

    want = graphc.compile(graphc.grad(f), passes=(), device="numpy")(x)
    np.testing.assert_allclose(np.asarray(graphc.compile(graphc.grad(f))(x)), np.asarray(want), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("seed", range(12))
def test_strides_pads_and_flips(seed: int) -> None:
    """A stride's gradient puts zeros between elements; windows of it begin at any of them."""
    random = np.random.default_rng(seed)
    n, step, other, low, inner = (int(random.integers(a, b)) for a, b in ((3, 20), (1, 4), (1, 4), (0, 5), (0, 4)))
    start = int(random.integers(n))

    def f(x: Any) -> Any:
        y = np.pad(np.flip(np.pad(x[start::step], (low, 3))[::other]), (inner, 1))
        z = np.flip(y[inner // 2 :]) ** 2
        return np.sum(z * np.cos(np.arange(z.shape[0], dtype=np.float32)))

    def program(x: Any) -> Any:
        g = graphc.grad(f)(x)
        return g[::step] * 2, np.flip(np.pad(g[start::step] * 3, (low, 2)))[::other]

    x = np.arange(1, n + 1, dtype=np.float32)
    want = graphc.compile(program, passes=(), device="numpy")(x)
    for got, numbers in zip(graphc.compile(program)(x), want, strict=True):
        np.testing.assert_allclose(np.asarray(got), np.asarray(numbers), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("ufunc", [np.logaddexp, np.multiply, np.maximum, np.hypot])
@pytest.mark.parametrize("n", [2, 3, 5, 6])
def test_what_was_read_where_it_is_the_first_is_not_read_where_it_is_another(ufunc: Any, n: int, device: Any) -> None:
    """Pads and joins of places that are moved there and back, at an index that only the data say."""
    weights = np.cos(np.arange(n)).astype(np.float32)

    def program(x: Any, k: Any) -> Any:
        def loss(x: Any) -> Any:
            return np.sum(ufunc.accumulate(graphc.segment_sum(x, k, n) + 0.25) * weights)

        return graphc.value_and_grad(loss)(x)

    x = np.array([0.875], np.float32)
    fused = graphc.compile(program, device=device)
    plain = graphc.compile(program, device="numpy", passes=())
    for k in range(n):
        for got, want in zip(fused(x, np.array([k])), plain(x, np.array([k])), strict=True):
            np.testing.assert_allclose(np.asarray(got), np.asarray(want), rtol=1e-5, atol=1e-6)


def test_bounds_of_what_an_index_is_made_of_are_claims() -> None:
    """Moved back it is the index that it came from, and what is known of that one drops conditions."""
    shape = (3,)
    for bound in (1, 2):
        near, far = (Index(shape, [ix.moved(Idx("i", bound=n), -2, 3)]) for n in (bound, 3))
        assert near.key == far.key
        assert near.claims != far.claims
    mirrored = [Index(shape, [ix.reverse(Idx("i", 1, bound=n), 3)]) for n in (1, 3)]
    assert mirrored[0].claims != mirrored[1].claims
    joined = [Index((2, 3), Index((6,), flat=Idx("i", bound=n)).reshaped((2, 3)).dims) for n in (5, 6)]
    assert joined[0].claims != joined[1].claims
