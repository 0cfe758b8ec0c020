"""What optimizers have in common: their form, the checks of their settings, element types."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc import tree
from graphc.errors import ArgumentError, DTypeError

Array = Any


Tree = Any


Schedule = Callable[[Array], Array]


Rate = float | Schedule


@dataclass(frozen=True)
class Transform:
    """A change of gradients: `update(grads, state, params)` returns (gradients, state)."""

    init: Callable[[Tree], Tree]
    update: Callable[[Tree, Tree, Tree], tuple[Tree, Tree]]


@dataclass(frozen=True)
class Optimizer(Transform):
    """A step: `update(grads, state, params)` returns (new parameters, state). `init(params)` is the first state."""


def require(name: str, **settings: Rate) -> None:
    """Raise ArgumentError for a number that is negative or not finite, and for a decay ("beta") of 1 or more.

    Schedules and traced numbers are not looked at.
    """
    for setting, value in settings.items():
        if not isinstance(value, bool | int | float | np.number):
            continue
        if not value >= 0 or (math.isinf(value) and setting != "limit"):
            raise ArgumentError(f"{name}: {setting} is {value}: need a number of at least 0")
        if setting.startswith("beta") and value >= 1:
            raise ArgumentError(f"{name}: {setting} is {value}: need a number below 1")


def require_state(name: str, state: Tree, *keys: str) -> None:
    """Raise ArgumentError unless `state` is one of this optimizer's."""
    if isinstance(state, dict) and set(state) == set(keys):
        return
    found = f"a dict of {', '.join(map(str, state)) or 'nothing'}" if isinstance(state, dict) else type(state).__name__
    raise ArgumentError(
        f"{name}: the state is {found}, need one of {', '.join(keys)}, as init(params) gives it: call "
        "update(grads, state, params)"
    )


def schedule_of(rate: Rate) -> Schedule:
    """The schedule that a rate is; a number is the same at all steps."""
    return rate if callable(rate) else lambda step: rate


def rate_at(rate: Rate, count: Array) -> Callable[[Array], Array]:
    """The rate at this step, in the element type in which the parameter that it is asked for is updated."""
    value = schedule_of(rate)(count)
    return lambda p: value.astype(wide(p).dtype) if hasattr(value, "astype") else value


def bias_of(beta: float, count: Array) -> Callable[[Array], Array]:
    """1 - beta^count, in the element type in which the parameter that it is asked for is updated."""
    if beta == 0:
        return lambda p: 1.0
    # In float32, 1 - 0.999^1 by subtraction would have lost half of its digits.
    value = -np.expm1(count * math.log(beta))
    return lambda p: value.astype(wide(p).dtype)


def wide(x: Array) -> Array:
    """x, in single precision where it is in half, which has neither the range nor the digits for moments and rates."""
    return x.astype(np.float32) if x.dtype == np.float16 else x


def like(p: Array, new: Array) -> Array:
    """`new` in half precision where p is."""
    return new.astype(np.float16) if p.dtype == np.float16 else new


def zero_step() -> Array:
    return np.zeros((), dtype=np.int32)


def zeros(params: Tree) -> Tree:
    """Zeros for each parameter; in single precision where it is in half. Raises DTypeError for what is no float."""
    for leaf in tree.leaves(params):
        if np.dtype(leaf.dtype).kind != "f":
            raise DTypeError(f"an optimizer moves floats, and a parameter is {leaf.dtype}{list(leaf.shape)}")
    return tree.map(lambda p: np.zeros(p.shape, np.float32 if p.dtype == np.float16 else p.dtype), params)
