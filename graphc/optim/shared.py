"""What optimizers have in common: their form, the checks of their settings, element types."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc import tree
from graphc.errors import ArgumentError, DTypeError, ShapeError
from graphc.tracing.core import located

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


def number_of(value: Any) -> float | None:
    """A number that is known, as a float; None for what is no number."""
    if isinstance(value, bool | int | float | np.number):
        return float(value)
    known = isinstance(value, np.ndarray) and value.shape == () and value.dtype.kind in "biuf"
    return float(value) if known else None


def require(name: str, **settings: Any) -> None:
    """Raise ArgumentError for what is no number, negative or not finite, and for a decay ("beta") of 1 or more.

    Schedules, for the rate, and scalars that are traced or on a device are not looked at.
    """
    for setting, value in settings.items():
        number = number_of(value)
        if number is None:
            elsewhere = not isinstance(value, np.ndarray) and getattr(value, "shape", None) == ()
            if elsewhere or (setting == "rate" and callable(value)):
                continue
            need = "a number or a schedule" if setting == "rate" else "a number"
            raise ArgumentError(f"{name}: {setting} is {value!r}: need {need}")
        if not number >= 0 or (math.isinf(number) and setting != "limit"):
            raise ArgumentError(f"{name}: {setting} is {value}: need a number of at least 0")
        if setting.startswith(("beta", "decay")) and number >= 1:
            raise ArgumentError(f"{name}: {setting} is {value}: need a number below 1")


def require_count(name: str, **settings: Any) -> None:
    """Raise ArgumentError for what is no integer of at least 1."""
    for setting, value in settings.items():
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
            raise ArgumentError(f"{name}: {setting} is {value!r}: need an integer of at least 1")


def require_update(name: str, grads: Tree, state: Tree, params: Tree, *keys: str) -> None:
    """Raise ArgumentError unless `state` is one of this optimizer's; and what `require_gradients` raises."""
    _require_state(name, state, *keys)
    require_gradients(name, grads, params)


def require_gradients(name: str, grads: Tree, params: Tree) -> None:
    """Raise ArgumentError unless gradients are those of the parameters, ShapeError for one of another shape."""
    leaves, treedef = tree.flatten(params)
    found, other = tree.flatten(grads)
    if other != treedef:
        text = f"{name}: the gradients are {other}, and the parameters {treedef}: call update(grads, state, params)"
        raise located(ArgumentError(text))
    for p, g, path in zip(leaves, found, tree.paths(treedef), strict=True):
        for what, x in (("parameter", p), ("gradient", g)):
            if not hasattr(x, "shape") or not hasattr(x, "dtype"):
                text = f"{name}: the {what}{tree.format_path(path)} is a {type(x).__name__}: needs an array"
                raise located(ArgumentError(text))
        if tuple(g.shape) != tuple(p.shape):
            where = f"{name}: the gradient{tree.format_path(path)} has shape {tuple(g.shape)}"
            raise located(ShapeError(f"{where}, and its parameter {tuple(p.shape)}"))


def _require_state(name: str, state: Tree, *keys: str) -> None:
    """Raise ArgumentError unless `state` is one of this optimizer's."""
    if isinstance(state, dict) and set(state) == set(keys):
        return
    found = f"a dict of {', '.join(map(str, state)) or 'nothing'}" if isinstance(state, dict) else type(state).__name__
    raise located(
        ArgumentError(
            f"{name}: the state is {found}, need one of {', '.join(keys)}, as init(params) gives it: call "
            "update(grads, state, params)"
        )
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


def shrunk(params: Tree, now: Callable[[Array], Array], decay: float, mask: Callable[[Tree], Tree] | None) -> Tree:
    """p * (1 - decay * rate), where the mask says so, in the element type in which parameters are updated."""
    kept = tree.map(wide, params)
    if not decay:
        return kept
    decays = mask(params) if mask else tree.map(lambda p: True, params)
    return tree.map(lambda p, on: p * (1 - decay * now(p)) if on else p, kept, decays)


def zero_step() -> Array:
    return np.zeros((), dtype=np.int32)


def zeros(params: Tree) -> Tree:
    """Zeros for each parameter, see `zeros_of`."""
    return tree.map(lambda p: zeros_of(p, p.shape), params)


def zeros_of(p: Array, shape: tuple[int, ...]) -> Array:
    """Zeros for a parameter; in single precision where it is in half. Raises DTypeError for what is no float."""
    if np.dtype(p.dtype).kind != "f":
        raise DTypeError(f"an optimizer moves floats, and a parameter is {p.dtype}{list(p.shape)}")
    return np.zeros(shape, np.float32 if p.dtype == np.float16 else p.dtype)
