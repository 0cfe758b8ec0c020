"""What is no argument of a function of graphc.optim is refused by an error of graphc that names the function."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import optim
from graphc.errors import ArgumentError, DTypeError, GraphcError

loose: Any = optim
"""The module as programs see it that are not checked."""

SGD = optim.sgd(0.1)
PARAMS: dict[str, Any] = {"w": np.ones((2, 3), np.float32), "b": np.zeros(3, np.float32)}
NEEDED: dict[str, dict[str, Any]] = {
    "accumulate": {"optimizer": SGD, "every": 2},
    "accumulated": {"function": np.sum, "parts": 2},
    "ema": {"optimizer": SGD},
    "lookahead": {"optimizer": SGD},
    "clip_by_global_norm": {"limit": 1.0},
    "constant": {"value": 0.1},
    "cosine": {"value": 0.1, "steps": 5},
    "linear": {"start": 0.1, "end": 0.2, "steps": 5},
    "one_cycle": {"value": 0.1, "steps": 5},
    "polynomial": {"value": 0.1, "steps": 5},
    "step": {"value": 0.1, "every": 5},
    "warmup": {"rate": 0.1, "steps": 5},
    **{key: {"rate": 0.1} for key in ("sgd", "momentum", "adam", "adamw", "lion", "lars", "adafactor", "muon")},
}
WRONG: dict[str, Any] = {
    "text": "a",
    "an object": object(),
    "no elements": [],
    "texts": ["a", "b", "c"],
    "truth": True,
    "a truth of NumPy": np.True_,
    "not a number": np.nan,
    "infinity": 1e999,
    "beyond floats": 10**400,
    "negative": -3,
    "complex": 1j,
    "three": 3,
    "of two arguments": lambda a, b: a,
    "of none": lambda: 0.1,
}
FLAGS, COUNTS = ("nesterov", "warmup"), ("steps", "every", "parts", "power", "factor", "div_factor", "final_div_factor")
FUNCTIONS = ("mask", "matrices", "function")
ANY_NUMBER = ("rate", "eps", "weight_decay", "trust", "value", "start", "end", "limit", "d")


def meant(function: str, what: str) -> tuple[str, ...]:
    """What means something as this argument."""
    if what in FLAGS and function != "lookahead":
        return ("truth", "a truth of NumPy")
    if what in FUNCTIONS:
        return ("of two arguments", "of none")  # it is called with parameters, which is seen there
    if what == "beta2_decay":
        return ("negative",)
    if what in ("every", "parts", "steps") and function in ("lookahead", "accumulate", "accumulated", "muon"):
        return ("three", "beyond floats")  # a count, of any size
    if what == "limit":
        return ("three", "infinity", "beyond floats")
    if what in COUNTS or (what in ANY_NUMBER and (function, what) not in (("lookahead", "rate"), ("adafactor", "eps"))):
        return ("three",)
    return ()


@pytest.mark.parametrize("function", NEEDED)
def test_each_setting_that_makes_no_sense_is_refused(function: str) -> None:
    make = getattr(optim, function)
    for what in inspect.signature(make).parameters:
        for name, wrong in WRONG.items():
            if name in meant(function, what):
                continue
            with pytest.raises(GraphcError) as caught:  # noqa: PT012
                make(**{**NEEDED[function], what: wrong})
                pytest.fail(f"{function}: {what} is {name}, and taken")
            assert re.match(r"\w+: ", str(caught.value)), (what, name)


OPTIMIZERS: dict[str, Callable[[Any], Any]] = {
    "sgd": optim.sgd,
    "momentum": optim.momentum,
    "adam": optim.adam,
    "lion": optim.lion,
    "lars": optim.lars,
    "adafactor": optim.adafactor,
    "muon": optim.muon,
    "ema": lambda rate: optim.ema(optim.sgd(rate)),
    "lookahead": lambda rate: optim.lookahead(optim.sgd(rate)),
    "accumulate": lambda rate: optim.accumulate(optim.sgd(rate), 1),
    "chain": lambda rate: optim.chain(optim.clip_by_global_norm(1.0), optim.sgd(rate)),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_schedule_gives_a_number(name: str) -> None:
    for wrong in ("a", None, [0.1], np.ones(2), True, 1j):
        for rate in (lambda step: wrong, optim.warmup(lambda step: wrong, 3)):  # noqa: B023
            optimizer = OPTIMIZERS[name](rate)
            state = optimizer.init(PARAMS)
            with pytest.raises(ArgumentError, match="the schedule of a rate gives"):
                optimizer.update(PARAMS, state, PARAMS)
    for right in (lambda step: 0.1, lambda step: np.float32(0.1), lambda step: np.array(0.1)):
        optimizer = OPTIMIZERS[name](right)
        optimizer.update(PARAMS, optimizer.init(PARAMS), PARAMS)

    def of_my_own(step: Any) -> Any:
        raise TypeError("of my own")

    optimizer = OPTIMIZERS[name](of_my_own)
    with pytest.raises(TypeError, match="of my own"):
        optimizer.update(PARAMS, optimizer.init(PARAMS), PARAMS)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_parameters_are_arrays_of_floats(name: str) -> None:
    optimizer = OPTIMIZERS[name](0.1)
    state, whole = optimizer.init(PARAMS), {key: p.astype(np.int32) for key, p in PARAMS.items()}
    for wrong in ("a", 3.0, [1.0], {"w": object()}):
        with pytest.raises(ArgumentError, match="needs an array"):
            optimizer.init(wrong)
    with pytest.raises(DTypeError, match="a parameter is int32"):
        optimizer.init(whole)
    with pytest.raises(DTypeError, match="a parameter is int32"):
        optimizer.update(PARAMS, state, whole)
    with pytest.raises(DTypeError, match=r"(?s)a parameter is int32.*\n  at  test_optim_arguments\.py"):
        graphc.trace(lambda p: optimizer.init({"w": p})["step"] + p[0, 0], whole["w"])


@pytest.mark.parametrize("name", ["adamw", "lion", "lars", "adafactor", "muon"])
def test_a_mask_gives_bools(name: str) -> None:
    key = "matrices" if name == "muon" else "mask"
    for wrong in ("a", {"w": True}, {"w": 1, "b": "no"}, {"w": 2.0, "b": 0.0}, None):
        optimizer = getattr(optim, name)(0.1, weight_decay=0.1, **{key: lambda params: wrong})  # noqa: B023
        with pytest.raises(ArgumentError, match=f"{name}: .*has to give a bool for each parameter"):
            optimizer.update(PARAMS, optimizer.init(PARAMS), PARAMS)


def test_norms_and_chains_are_of_what_they_need() -> None:
    for wrong in ("a", 3.0, [object()]):
        with pytest.raises(ArgumentError, match="global_norm: a gradient is a"):
            optim.global_norm(wrong)
        with pytest.raises(ArgumentError, match="global_norm: a gradient is a"):
            optim.clip_by_global_norm(1.0).update(wrong, {}, {})
        with pytest.raises(ArgumentError, match=r"chain: .* is no optimizer and no change"):
            loose.chain(wrong, SGD)
