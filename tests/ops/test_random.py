"""Random numbers: known bits, the right distributions, and keys that do not meet."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import nn, random
from graphc.errors import DTypeError, ShapeError, TraceError

Array = Any
KEY = random.key(2024)


def threefry2x32(key: tuple[int, int], counter: tuple[int, int]) -> tuple[int, int]:
    """Twenty rounds of the published algorithm, in Python integers."""
    mask = 0xFFFFFFFF
    keys = (key[0], key[1], key[0] ^ key[1] ^ 0x1BD11BDA)
    a, b = (counter[0] + keys[0]) & mask, (counter[1] + keys[1]) & mask
    for block in range(5):
        for turn in ((13, 15, 26, 6), (17, 29, 16, 24))[block % 2]:
            a = (a + b) & mask
            b = ((b << turn | b >> (32 - turn)) & mask) ^ a
        a, b = (a + keys[(block + 1) % 3]) & mask, (b + keys[(block + 2) % 3] + block + 1) & mask
    return a, b


def test_the_reference_here_gives_the_published_bits() -> None:
    # Known answers of the Random123 distribution, threefry2x32 with 20 rounds.
    assert threefry2x32((0, 0), (0, 0)) == (0x6B200159, 0x99BA4EFE)
    ones = (0xFFFFFFFF, 0xFFFFFFFF)
    assert threefry2x32(ones, ones) == (0x1CB996FC, 0xBB002BE7)


def test_key_holds_64_bits_of_the_seed() -> None:
    assert random.key((7 << 32) + 9).tolist() == [7, 9]
    assert random.key(-1).tolist() == [0xFFFFFFFF, 0xFFFFFFFF]
    assert random.key(2**64 - 1).tolist() == random.key(-1).tolist()
    assert random.key(-(2**63)).tolist() == [1 << 31, 0]


@pytest.mark.parametrize("beyond", [1, 5, 10**30])
def test_no_two_seeds_have_one_key_by_being_cut(beyond: int) -> None:
    key = random.key(0)
    for wrong in (2**64 - 1 + beyond, -(2**63) - beyond):
        with pytest.raises(graphc.ArgumentError, match="64 bits"):
            random.key(wrong)
    for wrong in (2**32 - 1 + beyond, -(2**31) - beyond):
        with pytest.raises(graphc.ArgumentError, match="32 bits"):
            random.fold_in(key, wrong)


def test_bits_are_words_of_threefry() -> None:
    key = random.key((3 << 32) + 4)
    got = random.bits(key, (5,)).tolist()
    assert got == [threefry2x32((3, 4), (number, 0))[0] for number in range(5)]
    assert random.bits(key, (2, 3)).ravel().tolist() == random.bits(key, 6).tolist()
    assert random.bits(key).shape == ()


def test_keys_do_not_meet() -> None:
    words: list[int] = []
    for seed in range(20):
        key = random.key(seed)
        words += random.bits(key, 8).tolist()
        words += random.split(key, 4).ravel().tolist()
        for data in range(20):
            words += random.fold_in(key, data).tolist()
    assert len(set(words)) == len(words)


def test_fold_in_takes_any_integer() -> None:
    want = random.fold_in(KEY, 3).tolist()
    assert random.fold_in(KEY, np.int32(3)).tolist() == want
    assert random.fold_in(KEY, np.array(3, np.int32)).tolist() == want
    assert random.fold_in(KEY, -1).tolist() == random.fold_in(KEY, np.int32(-1)).tolist()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_uniform(dtype: Any) -> None:
    x = random.uniform(KEY, (200_000,), dtype=dtype)
    assert x.dtype == dtype
    assert 0 <= x.min() < x.max() < 1
    counts = np.bincount((x.astype(float) * 10).astype(int), minlength=10)
    assert np.all(np.abs(counts - 20_000) < 6 * math.sqrt(20_000))


def test_uniform_stays_below_its_end() -> None:
    x = random.uniform(KEY, (100_000,), 1e6, 1e6 + 0.25)
    assert x.min() >= 1e6
    assert x.max() < 1e6 + 0.25
    assert random.uniform(KEY, (), -2, -1).shape == ()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_normal(dtype: Any) -> None:
    x = random.normal(KEY, (400_000,), 3.0, 2.0, dtype=dtype)
    assert x.dtype == dtype
    z = (x.astype(float) - 3) / 2
    assert abs(z.mean()) < 0.01
    assert abs(z.std() - 1) < 0.01
    for bound in (0.5, 1, 2, 3):
        inside = math.erf(bound / math.sqrt(2))
        assert abs(np.mean(np.abs(z) < bound) - inside) < 5 * math.sqrt(inside * (1 - inside) / z.size)
    halves = z.reshape(2, -1)
    assert abs(np.mean(halves[0] * halves[1])) < 0.02


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-3, 4), (0, 27), (5, 5 + 65_537), (0, 3_000_000_000 - 2**31)])
def test_randint_is_uniform(low: int, high: int) -> None:
    x = random.randint(KEY, (100_000,), low, high)
    assert x.dtype == np.int32
    assert low <= x.min()
    assert x.max() < high
    bins = high - low if high - low < 30 else 10
    where = (x.astype(np.int64) - low) * bins // (high - low)
    counts = np.bincount(where, minlength=bins)
    assert np.all(np.abs(counts - 100_000 / bins) < 6 * math.sqrt(100_000 / bins) + bins)


def test_randint_is_the_product_of_64_bits_and_the_span() -> None:
    span = 2_999_999_999
    words = random.bits(KEY, (2, 1000)).astype(object)
    want = ((words[0] << 32) + words[1]) * span >> 64
    got = random.randint(KEY, (1000,), -(2**31), span - 2**31)
    assert (got.astype(object) + 2**31).tolist() == want.tolist()
    assert random.randint(KEY, (), 0, 2**31).shape == ()


@pytest.mark.parametrize(("low", "high"), [(3, 3), (4, 3), (-(2**31), 2**31), (0, 2**31 + 1)])
def test_randint_refuses_what_it_cannot_draw(low: int, high: int) -> None:
    with pytest.raises(ValueError, match="empty"):
        random.randint(KEY, (), low, high)


def test_bernoulli() -> None:
    assert abs(random.bernoulli(KEY, 0.3, (100_000,)).mean() - 0.3) < 0.01
    assert random.bernoulli(KEY, 0.0, (1000,)).sum() == 0
    assert random.bernoulli(KEY, 1.0, (1000,)).sum() == 1000
    assert random.bernoulli(KEY, np.array([[0.0, 1.0]])).tolist() == [[False, True]]


def test_categorical() -> None:
    p = np.array([0.1, 0.0, 0.6, 0.3])
    with np.errstate(divide="ignore"):
        logits = np.broadcast_to(np.log(p).astype(np.float32), (100_000, 4))
    drawn = random.categorical(KEY, logits)
    assert drawn.dtype == np.int32
    np.testing.assert_allclose(np.bincount(drawn, minlength=4) / 100_000, p, atol=0.01)
    assert random.categorical(KEY, np.zeros((5, 3, 2), np.float32), axis=1).shape == (5, 2)


def test_gumbel_is_finite_and_has_its_mean() -> None:
    x = random.gumbel(KEY, (400_000,))
    assert np.all(np.isfinite(x))
    assert abs(x.mean() - 0.5772) < 0.01


def test_what_is_no_key_is_refused() -> None:
    with pytest.raises(DTypeError, match=r"graphc\.random\.key"):
        random.normal(np.array([1, 2]), (3,))
    with pytest.raises(ShapeError, match="one row"):
        random.normal(random.split(KEY), (3,))
    with pytest.raises(DTypeError, match="float32"):
        random.uniform(KEY, (3,), dtype=np.int32)


NEGATIVE = {
    "uniform": lambda key: random.uniform(key, (-1,)),
    "normal": lambda key: random.normal(key, (2, -3)),
    "randint": lambda key: random.randint(key, -2, 0, 3),
    "bernoulli": lambda key: random.bernoulli(key, 0.5, (-2,)),
    "gumbel": lambda key: random.gumbel(key, (3, -1)),
    "bits": lambda key: random.bits(key, -1),
    "split": lambda key: random.split(key, -2),
    "one_hot": lambda key: nn.one_hot(key.astype(np.int32), -1),
}


@pytest.mark.parametrize("name", NEGATIVE)
def test_a_negative_length_is_refused_at_once_and_traced(name: str) -> None:
    with pytest.raises(ShapeError, match="negative length"):
        NEGATIVE[name](KEY)
    with pytest.raises(ShapeError, match="negative length"):
        graphc.trace(NEGATIVE[name], KEY)


@pytest.mark.parametrize("shape", [(-1, 2), (-5, -1, 2), (2, -1)])
def test_nothing_is_broadcast_to_a_negative_length(shape: tuple[int, ...]) -> None:
    for fn in (lambda x: np.broadcast_to(x, shape), lambda x: np.full_like(x, x[0], shape=shape)):
        with pytest.raises((ShapeError, TraceError)):
            graphc.trace(fn, np.ones(2, np.float32))
