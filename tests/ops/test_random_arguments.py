"""What is no argument of a function of graphc.random is refused, at once and in a trace, by an error of graphc."""

from __future__ import annotations

import inspect
import itertools
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import random
from graphc.errors import ArgumentError, DTypeError, GraphcError, OutOfMemoryError, ShapeError

KEY = random.key(5)
LOGITS = np.zeros((3, 4), np.float32)
loose: Any = random
"""The module as programs see it that are not checked."""

GIVEN: dict[str, tuple[Any, ...]] = {
    "key": (3,),
    "split": (KEY, 2),
    "fold_in": (KEY, 3),
    "bits": (KEY, (2,)),
    "uniform": (KEY, (2,), 0.5, 2.0, np.float32),
    "normal": (KEY, (2,), 1.0, 2.0, np.float32),
    "randint": (KEY, (2,), 0, 3),
    "bernoulli": (KEY, 0.5, (2,)),
    "gumbel": (KEY, (2,), np.float32),
    "categorical": (KEY, LOGITS, -1),
    "permutation": (KEY, LOGITS, 0, False),
    "shuffle": (KEY, LOGITS, 0),
    "choice": (KEY, LOGITS, (2,), False, np.ones(3) / 3, 0),
    "exponential": (KEY, 2.0, (2,)),
    "gamma": (KEY, 2.0, (2,)),
    "beta": (KEY, 2.0, 0.5, (2,)),
    "poisson": (KEY, 2.0, (2,)),
    "truncated_normal": (KEY, -1.0, 2.0, (2,)),
    "multivariate_normal": (KEY, np.zeros(2), np.eye(2), (2,)),
}
WRONG: dict[str, Any] = {
    "text": "zz",
    "nothing": None,
    "an object": object(),
    "no elements": [],
    "texts": ["a"],
    "truth": True,
    "not a number": np.nan,
    "complex": 1j,
    "long": (10**12,),
    "longer": (2**31, 2**31),
    "a half": 1.5,
    "a function": len,
}
MEANT: dict[str, tuple[str, ...]] = {
    "dtype": ("nothing",),  # NumPy's own default
    "p": ("truth", "no elements"),
    "shape": ("no elements", "truth"),  # an index, as in NumPy's shapes
    "low": ("a half",),
    "high": ("a half",),
    "mean": ("a half", "not a number"),
    "std": ("a half",),
}
"""By argument, what means something."""
NUMBERS: Any = ("no elements", "long", "longer", "a half")
"""Numbers and lists of them, which say what is drawn from."""
MEANT_BY: dict[tuple[str, str], tuple[str, ...]] = {
    ("key", "seed"): ("truth",),
    ("fold_in", "data"): ("truth",),
    ("permutation", "x"): ("no elements", "long", "longer"),
    ("permutation", "independent"): ("truth",),
    ("choice", "replace"): ("truth",),
    ("choice", "p"): ("nothing",),
    **dict.fromkeys(
        (("exponential", "scale"), ("gamma", "a"), ("beta", "a"), ("beta", "b"), ("poisson", "lam")), NUMBERS
    ),
    **dict.fromkeys((("truncated_normal", "lower"), ("truncated_normal", "upper")), NUMBERS),
    ("multivariate_normal", "mean"): ("longer",),
    **{
        (name, "shape"): ("nothing", "no elements")
        for name in ("bernoulli", "exponential", "gamma", "beta", "poisson", "truncated_normal", "multivariate_normal")
    },
}
"""By function and argument."""


@pytest.mark.parametrize("name", GIVEN)
def test_each_argument_that_makes_no_sense_is_refused(name: str) -> None:
    function, given = getattr(random, name), GIVEN[name]
    names = list(inspect.signature(function).parameters)
    assert len(names) == len(given)
    for place, wrong in itertools.product(range(len(given)), WRONG):
        what = names[place]
        meant = () if name == "randint" and what != "shape" else MEANT.get(what, ())
        if wrong in meant + MEANT_BY.get((name, what), ()):
            continue
        args = [WRONG[wrong] if k == place else x for k, x in enumerate(given)]
        for traced in (False, True):
            with pytest.raises(GraphcError):  # noqa: PT012
                graphc.trace(lambda x, a=args: (function(*a), x)[1], LOGITS) if traced else function(*args)
                pytest.fail(f"{name}: {what}={wrong} is taken")


REFUSED: dict[str, tuple[type[GraphcError], str, Any]] = {
    "logits of text": (DTypeError, "categorical: the logits are a str", lambda: loose.categorical(KEY, "a")),
    "one logit": (DTypeError, "categorical: the logits are a float", lambda: loose.categorical(KEY, 1.0)),
    "an axis too far": (ShapeError, "axis 4 is out of range", lambda: random.categorical(KEY, LOGITS, axis=4)),
    "no logits": (ShapeError, "nothing to draw from", lambda: random.categorical(KEY, LOGITS[:0], axis=0)),
    "p of another shape": (ShapeError, "cannot be broadcast", lambda: random.bernoulli(KEY, np.ones(3) / 2, (2,))),
    "std of text": (ArgumentError, "normal: std is 'a'", lambda: loose.normal(KEY, (2,), std="a")),
    "a type that there is not": (DTypeError, "not 'zz'", lambda: random.normal(KEY, (2,), dtype="zz")),
    "ends turned round": (ArgumentError, r"uniform: \[3.0, 1.0\)", lambda: random.uniform(KEY, low=3, high=1)),
    "an end that is NaN": (ArgumentError, r"uniform: \[nan, 1.0\)", lambda: random.uniform(KEY, low=np.nan)),
    "an end too far": (ArgumentError, "of float16", lambda: random.uniform(KEY, high=1e6, dtype=np.float16)),
    "keys of truth": (DTypeError, "the number of keys of random numbers is a bool", lambda: random.split(KEY, True)),
    "gamma of nothing": (ArgumentError, "gamma: a is .*needs numbers above 0", lambda: random.gamma(KEY, 0.0)),
    "a mean that is negative": (ArgumentError, "poisson: lam is .*at least 0", lambda: random.poisson(KEY, [1, -1])),
    "a mean that is too large": (ArgumentError, "at most 2", lambda: random.poisson(KEY, 2.0**31)),
    "bounds turned round": (ArgumentError, "lies above", lambda: random.truncated_normal(KEY, 2.0, 1.0)),
    "a parameter of another shape": (ShapeError, "cannot be broadcast", lambda: random.gamma(KEY, np.ones(3), (2,))),
    "a covariance of another shape": (
        ShapeError, "n, n", lambda: random.multivariate_normal(KEY, np.zeros(2), np.eye(3)),
    ),
    "a covariance that is none": (
        ArgumentError, "positive definite", lambda: random.multivariate_normal(KEY, np.zeros(2), -np.eye(2)),
    ),
    "more than there are": (ArgumentError, "4 elements of 3", lambda: random.choice(KEY, 3, (4,), replace=False)),
    "probabilities of too few": (
        ArgumentError, "needs 2 that are above 0", lambda: random.choice(KEY, 3, (2,), replace=False, p=[0, 1, 0]),
    ),
    "probabilities of others": (ShapeError, "for each of 3", lambda: random.choice(KEY, 3, p=[0.5, 0.5])),
    "nothing to pick from": (ArgumentError, "choice: 1 elements of 0", lambda: random.choice(KEY, 0)),
    "an axis that there is not": (ShapeError, "axis 2", lambda: random.permutation(KEY, LOGITS, axis=2)),
    "shuffle of a number": (DTypeError, "write permutation", lambda: random.shuffle(KEY, 3)),
    "no keys": (ArgumentError, "split: n is 0", lambda: random.split(KEY, 0)),
    "data of several": (ShapeError, "fold_in: the data has shape", lambda: random.fold_in(KEY, np.arange(3))),
    "too many": (ShapeError, "at most 2", lambda: random.uniform(KEY, (10**12,))),
    "beyond all": (ShapeError, "at most 2", lambda: random.normal(KEY, (2**31, 2**31))),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_it_says_what_it_needs(name: str) -> None:
    kind, text, call = REFUSED[name]
    with pytest.raises(kind, match=text):
        call()


def test_where_memory_ends_the_error_is_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(*args: Any, **attrs: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(random.draws, "apply", none_left)
    with pytest.raises(OutOfMemoryError, match=r"random numbers of shape \(7,\): no memory"):
        random.uniform(KEY, (7,))


def test_numbers_of_any_kind_are_taken() -> None:
    for seed in (True, np.True_, 1, np.uint8(1)):
        np.testing.assert_array_equal(random.key(1), loose.key(seed))
        np.testing.assert_array_equal(random.fold_in(KEY, 1), loose.fold_in(KEY, seed))
    want = random.normal(KEY, (3,), 1.0, 2.0)
    for one, two in ((np.float64(1), np.array(2)), (1, 2), (np.int64(1), np.float32(2))):
        found = loose.normal(KEY, (3,), one, two)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, want)
    assert np.all(random.uniform(KEY, (3,), 2.0, 2.0) == 2)
    assert random.bernoulli(KEY, np.ones((3, 1)) / 2, (2, 3, 4)).shape == (2, 3, 4)
    assert random.categorical(KEY, np.arange(4)).shape == ()
