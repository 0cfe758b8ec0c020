"""Random numbers of NumPy's and Python's in a traced function are refused, with the line that draws them."""

from __future__ import annotations

import functools
import random
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.random import normal

import graphc
from graphc.cli.subject import program
from graphc.tracing.chance import Watch

# ruff: noqa: B008, NPY002  # functions as users write them

X = np.ones(3, np.float32)
rng = np.random.default_rng(0)
legacy = np.random.RandomState(0)
own = random.Random(0)
bits = np.random.PCG64(0)
by_name = {"noise": np.random.default_rng(1)}


def noise() -> Any:
    return rng.normal(size=3)


class Layer:
    """A model with a generator of its own."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(1)

    def mask(self) -> Any:
        return self.rng.random(3) > 0.5

    def __call__(self, x: Any) -> Any:
        return np.where(self.mask(), x, 0)


def enclosed() -> Callable[[Any], Any]:
    inner = np.random.default_rng(2)
    return lambda x: x + inner.normal(size=3)


def of_a_layer(x: Any, layer: Any = Layer()) -> Any:
    return layer(x)


def by_default(x: Any, r: Any = rng) -> Any:
    return x + r.normal(size=3)


def of_before(x: Any, drawn: Any = rng.normal(size=3)) -> Any:
    return x + drawn


DRAWS: dict[str, Callable[[Any], Any]] = {
    "np.random.normal": lambda x: x + np.random.normal(size=3),
    "np.random.rand": lambda x: x * np.random.rand(),
    "np.random.permutation": lambda x: x[np.random.permutation(3)],
    "np.random.choice": lambda x: x + np.random.choice(3),
    "an imported function": lambda x: x + normal(size=3),
    "a generator": lambda x: x + rng.normal(size=3),
    "a RandomState": lambda x: x * legacy.uniform(),
    "a BitGenerator": lambda x: x * float(bits.random_raw()),
    "a generator in a dict": lambda x: x + by_name["noise"].normal(size=3),
    "a generator made of bits": lambda x: x + np.random.Generator(bits).normal(size=3),
    "Python's random": lambda x: x * random.random(),
    "Python's gauss": lambda x: x * random.gauss(0, 1),
    "Python's Random": lambda x: x * own.random(),
    "a function that it calls": lambda x: x + noise(),
    "a list of them": lambda x: x + [noise][0](),
    "an object": Layer(),
    "a method": Layer().__call__,
    "an object that it calls": of_a_layer,
    "an enclosing function": enclosed(),
    "a default argument": by_default,
    "a partial function": functools.partial(lambda r, x: x + r.normal(size=3), rng),
    "another name": lambda x: (lambda r: x + r.normal(size=3))(rng),
    "what decides": lambda x: x * 2 if np.random.rand() < 2 else x,
    "a generator without a seed": lambda x: x + np.random.default_rng().normal(size=3),
    "a RandomState without a seed": lambda x: x + np.random.RandomState().normal(size=3),
    "a Random without a seed": lambda x: x * random.Random().random(),
    "inside a gradient": graphc.grad(lambda x: np.sum(x * rng.normal(size=3))),
    "inside a loop": lambda x: graphc.scan(lambda c, _: (c + rng.normal(), None), x, None, 3)[0],
    "inside a checkpoint": graphc.checkpoint(lambda x: x * rng.normal(size=3)),
    "inside a compiled function": graphc.compile(lambda x: x * rng.normal(size=3)),
}

FINE: dict[str, Callable[[Any], Any]] = {
    "a generator of a seed": lambda x: x + np.random.default_rng(0).normal(size=3).astype(np.float32),
    "a Random of a seed": lambda x: x * random.Random(0).random(),
    "a generator that is not used": lambda x: x if x.shape else rng.normal(),
    "keys": lambda x: x + graphc.random.normal(graphc.random.key(0), (3,)),
    "functions of the same names": lambda x: np.power(x, 2) + np.exp(np.random.default_rng(1).integers(1)),
    "numbers from before": of_before,
}


@pytest.mark.parametrize("name", DRAWS)
def test_drawing_is_refused(name: str) -> None:
    fn = DRAWS[name]
    for trace in (functools.partial(graphc.trace, fn), graphc.compile(fn, device="numpy").lower):
        with pytest.raises(graphc.TraceError, match=r"would be the same at every call: .* graphc\.random") as caught:
            trace(X)
        found = re.search(r"at  test_trace_chance\.py:(\d+): (.*)", str(caught.value))
        assert found, str(caught.value)
        line = Path(__file__).read_text().splitlines()[int(found[1]) - 1]
        assert re.search(r"normal|rand|uniform|gauss|permutation|choice|raw|Random", line)


@pytest.mark.parametrize("name", FINE)
def test_what_is_the_same_each_time_is_fine(name: str) -> None:
    fn = FINE[name]
    np.testing.assert_allclose(np.asarray(graphc.compile(fn, device="numpy")(X)), np.asarray(fn(X)), rtol=1e-5)


def test_a_generator_goes_on_where_it_was() -> None:
    """Nothing but the refused call has drawn."""
    mine = np.random.default_rng(5)
    with pytest.raises(graphc.TraceError):
        graphc.trace(lambda x: x + mine.normal(size=3), X)
    other = np.random.default_rng(5)
    other.normal(size=3)
    np.testing.assert_array_equal(mine.normal(size=4), other.normal(size=4))


def test_other_threads_may_draw_meanwhile() -> None:
    shared = np.random.default_rng(0)

    def reads(x: Any) -> Any:
        assert shared is not None  # it is there, and nothing of it is drawn here
        started.wait(10)
        time.sleep(0.02)
        return x * 2

    def draws() -> None:
        while not stop.is_set():
            shared.normal()
            started.set()

    started, stop = threading.Event(), threading.Event()
    thread = threading.Thread(target=draws)
    thread.start()
    try:
        graphc.trace(reads, X)
    finally:
        stop.set()
        thread.join()


def test_models_are_watched_in_no_time() -> None:
    fn, _, _ = program("microgpt", "training", 1, ())
    reached = Watch(fn)._reached
    assert len(reached.seen) < 500
    assert not reached.generators
