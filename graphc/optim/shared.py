"""What optimizers have in common: their form, the checks of their settings, element types."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc import tree
from graphc.errors import ArgumentError, DTypeError, ShapeError
from graphc.tracing.core import located
from graphc.tracing.settings import is_flag, is_number

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
    """A number that is known, as a float; None for what is no number, and for True and False."""
    try:
        return float(value) if is_number(value) and not _elsewhere(value) else None
    except OverflowError:
        return math.inf


def require(name: str, **settings: Any) -> None:
    """Raise ArgumentError for what is no number, negative or not finite, and for a decay ("beta") of 1 or more.

    Schedules, for the rate, and scalars that are traced or on a device are not looked at.
    """
    for setting, value in settings.items():
        number = number_of(value)
        if number is None:
            if _elsewhere(value):
                continue
            if setting == "rate" and callable(value):
                _require_schedule(name, value)
                continue
            need = "a number or a schedule" if setting == "rate" else "a number"
            raise ArgumentError(f"{name}: {setting} is {value!r}: need {need}")
        if not number >= 0 or (math.isinf(number) and setting != "limit"):
            raise ArgumentError(f"{name}: {setting} is {value}: need a number of at least 0")
        if setting.startswith(("beta", "decay")) and number >= 1:
            raise ArgumentError(f"{name}: {setting} is {value}: need a number below 1")


def _elsewhere(value: Any) -> bool:
    """Whether it is a scalar that is traced or on a device."""
    return not isinstance(value, np.ndarray | np.generic) and getattr(value, "shape", None) == ()


def _require_schedule(name: str, schedule: Callable[..., Any]) -> None:
    """Raise ArgumentError for a function that does not take the number of updates alone."""
    try:
        takes = inspect.signature(schedule)
    except (TypeError, ValueError):  # of some functions written in C nobody knows
        return
    try:
        takes.bind(0)
    except TypeError:
        text = f"{name}: rate is a function of {takes}: a schedule takes one argument, the number of updates"
        raise ArgumentError(text) from None


def require_flag(name: str, **settings: Any) -> None:
    """Raise ArgumentError for what is neither True nor False."""
    for setting, value in settings.items():
        if not is_flag(value):
            raise ArgumentError(f"{name}: {setting} is {value!r}: need True or False")


def require_functions(name: str, **settings: Any) -> None:
    """Raise ArgumentError for what is neither None nor a function."""
    for setting, value in settings.items():
        if value is not None and not callable(value):
            raise ArgumentError(f"{name}: {setting} is {value!r}: need a function, or None")


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
    """Raise ArgumentError unless gradients are those of the parameters, ShapeError for one of another shape,
    DTypeError for a parameter that is no float."""
    leaves, treedef = tree.flatten(params)
    found, other = tree.flatten(grads)
    if other != treedef:
        text = f"{name}: the gradients are {other}, and the parameters {treedef}: call update(grads, state, params)"
        raise located(ArgumentError(text))
    for p, g, path in zip(leaves, found, tree.paths(treedef), strict=True):
        _require_float(f"{name}: the parameter{tree.format_path(path)}", p)
        require_array(f"{name}: the gradient{tree.format_path(path)}", g)
        if tuple(g.shape) != tuple(p.shape):
            where = f"{name}: the gradient{tree.format_path(path)} has shape {tuple(g.shape)}"
            raise located(ShapeError(f"{where}, and its parameter {tuple(p.shape)}"))


def require_array(what: str, x: Any) -> None:
    """Raise ArgumentError for what is no array."""
    if not hasattr(x, "shape") or not hasattr(x, "dtype"):
        raise located(ArgumentError(f"{what} is a {type(x).__name__}: needs an array"))


def _require_float(what: str, p: Any) -> None:
    require_array(what, p)
    if np.dtype(p.dtype).kind != "f":
        text = f"{what}: an optimizer moves floats, and a parameter is {p.dtype}{list(p.shape)}"
        raise located(DTypeError(text))


def require_floats(name: str, params: Tree) -> None:
    """Raise ArgumentError for a parameter that is no array, DTypeError for one that is no float."""
    leaves, treedef = tree.flatten(params)
    for p, path in zip(leaves, tree.paths(treedef), strict=True):
        _require_float(f"{name}: the parameter{tree.format_path(path)}", p)


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
    value = number_at(rate, count)
    return lambda p: value.astype(wide(p).dtype) if hasattr(value, "astype") else value


def number_at(rate: Rate, count: Array) -> Array:
    """The rate at this step; raises ArgumentError where a schedule gives no number."""
    if not callable(rate):
        return rate
    value = rate(count)
    if number_of(value) is None and not _elsewhere(value):
        raise located(ArgumentError(f"the schedule of a rate gives {value!r}: need a number"))
    return value


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


def chosen_by(name: str, mask: Callable[[Tree], Tree] | None, params: Tree) -> Tree:
    """The bools that a mask gives for the parameters: all True without one. Raises ArgumentError for others."""
    if mask is None:
        return tree.map(lambda p: True, params)
    flags, treedef = tree.flatten(mask(params))
    if treedef != tree.structure(params) or not all(map(is_flag, flags)):
        raise located(ArgumentError(f"{name}: the mask has to give a bool for each parameter, and gives {treedef}"))
    return tree.unflatten(treedef, flags)


def shrunk(
    name: str,
    params: Tree,
    now: Callable[[Array], Array],
    decay: float,
    mask: Callable[[Tree], Tree] | None,
) -> Tree:
    """p * (1 - decay * rate), where the mask says so, in the element type in which parameters are updated."""
    kept = tree.map(wide, params)
    if not decay:
        return kept
    decays = chosen_by(name, mask, params)
    return tree.map(lambda p, on: p * (1 - decay * now(p)) if on else p, kept, decays)


def zero_step() -> Array:
    return np.zeros((), dtype=np.int32)


def zeros(name: str, params: Tree) -> Tree:
    """Zeros for each parameter, see `zeros_of`; raises what `require_floats` raises."""
    require_floats(name, params)
    return tree.map(lambda p: zeros_of(p, p.shape), params)


def zeros_of(p: Array, shape: tuple[int, ...]) -> Array:
    """Zeros for a parameter; in single precision where it is in half."""
    return np.zeros(shape, np.float32 if p.dtype == np.float16 else p.dtype)
