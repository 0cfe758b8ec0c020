"""Distributions against NumPy's generators, orders and picks against counting, on both devices and by vmap."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import pytest

import graphc
from graphc import random
from graphc.errors import TraceError
from graphc.ir.types import NDArray

KEY: Final = random.key(3)
MANY: Final = 100_000


def distance(a: Any, b: Any) -> float:
    """The largest difference of two empirical distributions (Kolmogorov and Smirnov)."""
    a, b = (np.sort(np.asarray(v, np.float32).ravel()) for v in (a, b))
    both = np.concatenate([a, b])
    parts = (np.searchsorted(v, both, "right") / v.size for v in (a, b))
    return float(np.abs(np.subtract(*parts)).max())


def both(name: str, *given: float) -> tuple[Callable[[Any], Any], Callable[[np.random.Generator], Any]]:
    """A distribution drawn by graphc and by NumPy."""
    return lambda key: getattr(random, name)(key, *given, (MANY,)), lambda g: getattr(g, name)(*given, size=MANY)


DRAWN: Final = {
    f"{name} {given}": both(name, *given)
    for name, several in {
        "gamma": ((0.05,), (0.3,), (0.99,), (1.0,), (1.5,), (5.0,), (50.0,), (1e4,), (1e6,)),
        "beta": ((0.1, 0.2), (1.0, 1.0), (2.0, 5.0), (50.0, 0.5)),
        "poisson": ((0.0,), (0.1,), (1.0,), (9.9,), (10.0,), (12.0,), (30.0,), (1e3,), (1e6,)),
        "exponential": ((3.0,),),
    }.items()
    for given in several
}


@pytest.mark.parametrize("name", DRAWN)
def test_distributions_are_numpys(name: str) -> None:
    ours, numpys = DRAWN[name]
    found = ours(KEY)
    # 1.95: one in a thousand seeds would be further off. The seeds are fixed.
    assert distance(found, numpys(np.random.default_rng(1))) < 1.95 * np.sqrt(2 / MANY)
    assert np.isfinite(found).all()


@pytest.mark.parametrize(
    "bounds",
    [(-2, 2), (-1, 5), (0, 1), (1, 2), (3, 8), (-9, -3), (4.9, np.inf), (5.5, 6), (8, np.inf), (30, 40),
     (-np.inf, np.inf), (-np.inf, -20)],
    ids=str,
)  # fmt: skip
def test_truncated_normals(bounds: tuple[float, float]) -> None:
    low, high = bounds
    found = np.sort(np.asarray(random.truncated_normal(KEY, low, high, (MANY,)), np.float64))
    assert low <= found[0]
    assert found[-1] <= high
    # The distribution by sums of the density, from where nothing is left to where nothing is left.
    start, end = max(low, min(high, 0) - 12), min(high, max(low, 0) + 12)
    x = np.linspace(start, end, 400_001)
    nearest = min(abs(start), abs(end)) if start * end > 0 else 0.0
    density = np.exp((nearest**2 - x**2) / 2)
    below = np.concatenate([[0.0], np.cumsum(density[1:] + density[:-1])])
    wanted = np.interp(found, x, below / below[-1])
    assert np.abs(wanted - (np.arange(MANY) + 0.5) / MANY).max() < 1.95 / np.sqrt(MANY)


def test_one_place_between_bounds() -> None:
    assert set(np.asarray(random.truncated_normal(KEY, [2.0, -7.0], [2.0, -7.0], (9, 2))).reshape(-1)) == {2.0, -7.0}


def test_normal_vectors_have_their_covariance() -> None:
    cov = np.array([[2.0, 0.5], [0.5, 1.0]])
    found = random.multivariate_normal(KEY, [1.0, 2.0], cov, (MANY,))
    np.testing.assert_allclose(found.mean(0), [1, 2], atol=0.02)
    np.testing.assert_allclose(np.cov(found.T), cov, atol=0.03)


def test_each_order_is_as_likely() -> None:
    counts = Counter(tuple(np.asarray(random.permutation(key, 4)).tolist()) for key in random.split(KEY, 4800))
    assert set(counts) == set(itertools.permutations(range(4)))
    assert sum((n - 200) ** 2 / 200 for n in counts.values()) < 49.7  # chi-squared of 23 degrees, 1 in 1,000


@pytest.mark.parametrize("n", [0, 1, 2, 1000, 5000])
def test_a_permutation_holds_each_once(n: int) -> None:
    np.testing.assert_array_equal(np.sort(random.permutation(KEY, n)), np.arange(n))


def test_rows_move_together_or_each_by_itself() -> None:
    x = np.arange(4000).reshape(4, 1000)
    together = np.asarray(random.permutation(KEY, x, axis=1))
    np.testing.assert_array_equal(together, x[:, together[0]])
    apart = np.asarray(random.permutation(KEY, x, axis=1, independent=True))
    np.testing.assert_array_equal(np.sort(apart, axis=1), x)
    assert len({tuple(row % 1000) for row in apart}) == 4
    np.testing.assert_array_equal(random.shuffle(KEY, x), random.permutation(KEY, x))


def test_choices_have_their_probabilities() -> None:
    counts = np.bincount(random.choice(KEY, 5, (MANY,), p=[0, 1, 0, 0.5, 0.5]), minlength=5)
    assert counts[0] == counts[2] == 0
    np.testing.assert_allclose(counts[[1, 3, 4]] / MANY, [0.5, 0.25, 0.25], atol=0.008)
    counts = np.bincount(random.choice(KEY, 7, (MANY,)), minlength=7)
    np.testing.assert_allclose(counts / MANY, 1 / 7, atol=0.006)


def test_what_has_no_probability_is_not_picked_of_many() -> None:
    weights = np.where(np.arange(50_000) % 3 == 0, 0.0, np.random.default_rng(2).random(50_000)).astype(np.float32)
    found = graphc.compile(lambda k, w: random.choice(k, 50_000, (MANY,), p=w), device="numpy")(KEY, weights)
    assert (weights[np.asarray(found)] > 0).all()


def test_choices_without_replacement() -> None:
    pick: Any = graphc.compile(
        graphc.vmap(lambda k: random.choice(k, 4, (2,), replace=False, p=[0.1, 0.2, 0, 0.7])), device="numpy"
    )
    found = np.asarray(pick(random.split(KEY, 20_000)))
    assert (found[:, 0] != found[:, 1]).all()
    assert not (found == 2).any()
    # The first by its probability, the second by what is left.
    p = {0: 0.1, 1: 0.2, 3: 0.7}
    for (a, b), n in Counter(map(tuple, found.tolist())).items():
        assert abs(n / 20_000 - p[a] * p[b] / (1 - p[a])) < 0.01


SHAPED: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "exponential": random.exponential,
    "gamma": lambda k, a: random.gamma(k, a, (7, 5)),
    "beta": lambda k, a: random.beta(k, a, a + 1, (3, 5)),
    "poisson": lambda k, a: random.poisson(k, a * 8, (6, 5)),
    "truncated_normal": lambda k, a: random.truncated_normal(k, -a, a * 4, (4, 5)),
    "tails": lambda k, a: random.truncated_normal(k, a * 4, a * 4 + 3),
    "multivariate_normal": lambda k, a: random.multivariate_normal(k, a, np.eye(5, dtype=np.float32) * 2 + 1, (3,)),
    "permutation": random.permutation,
    "permutation of rows": lambda k, a: random.permutation(k, np.outer(a, a), 1, independent=True),
    "choice": lambda k, a: random.choice(k, a, (3, 4), p=np.array([0.1, 0.2, 0.3, 0, 0.4])),
    "choice by weights": lambda k, a: random.choice(k, 5, (3, 4), p=a),
    "choice without replacement": lambda k, a: random.choice(k, a, (2, 2), replace=False),
    "choice of rows": lambda k, a: random.choice(k, np.outer(a, a), (2,), replace=False, p=a, axis=1),
}
"""Functions of a key and an array of five numbers."""
FIVE: Final[NDArray] = np.array([0.5, 1, 1.5, 2, 3], np.float32)


@pytest.mark.parametrize("device", ["numpy", "wgpu"])
@pytest.mark.parametrize("name", SHAPED)
def test_compiled_and_by_vmap_it_is_what_it_is_at_once(name: str, device: str) -> None:
    draw, keys = SHAPED[name], random.split(KEY, 3)
    wanted = np.stack([draw(key, FIVE) for key in keys])
    found = np.asarray(graphc.compile(draw, device=device)(keys[1], FIVE))
    assert (found.shape, found.dtype) == (wanted.shape[1:], wanted.dtype)
    np.testing.assert_allclose(found, wanted[1], rtol=2e-6, atol=2e-6)
    mapped: Any = graphc.vmap(draw, in_axes=(0, None))
    np.testing.assert_allclose(graphc.compile(mapped, device=device)(keys, FIVE), wanted, rtol=2e-6, atol=2e-6)


def test_gradients_go_through_what_has_them() -> None:
    def total(a: Any) -> Any:
        vectors = random.multivariate_normal(KEY, a, np.diag(a), (3,))
        bounded = random.truncated_normal(KEY, -a, a + 1)
        return np.sum(random.exponential(KEY, a)) + np.sum(vectors**2) + np.sum(bounded**2)

    found = np.asarray(graphc.compile(graphc.grad(total))(FIVE))
    for k in range(5):
        step = 0.01 * np.eye(5)[k]
        wide = FIVE.astype(np.float64)
        np.testing.assert_allclose(found[k], (total(wide + step) - total(wide - step)) / 0.02, rtol=0.02, atol=0.02)


@pytest.mark.parametrize(
    "draw", [random.gamma, lambda k, a: random.beta(k, a, 2.0), lambda k, a: random.beta(k, 2.0, a)]
)
def test_what_has_no_gradient_says_so(draw: Any) -> None:
    with pytest.raises(TraceError, match=r"no gradient with regard to [ab]: write graphc\.stop_gradient"):
        graphc.compile(graphc.grad(lambda a: np.sum(draw(KEY, a))))(FIVE)
    free = graphc.compile(graphc.grad(lambda a: np.sum(a * draw(KEY, graphc.stop_gradient(a)))), device="numpy")
    np.testing.assert_allclose(free(FIVE), draw(KEY, FIVE), rtol=1e-5)
