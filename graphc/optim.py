"""Optimizers and learning-rate schedules as pure functions of trees of arrays.

    optimizer = adam(linear(0.01, 0.0, 1000))
    state = optimizer.init(params)
    params, state = optimizer.update(grads, state, params)

`update` returns the new parameters, not a difference. A learning rate is a number, or a schedule: a function from the
number of updates made so far (0 in the first, possibly traced) to a number. Everything runs at once on ndarrays and
traces, so that an update compiles into the training step.
"""

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


def _require(name: str, **settings: Rate) -> None:
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


def _require_state(name: str, state: Tree, *keys: str) -> None:
    """Raise ArgumentError unless `state` is one of this optimizer's."""
    if isinstance(state, dict) and set(state) == set(keys):
        return
    found = f"a dict of {', '.join(map(str, state)) or 'nothing'}" if isinstance(state, dict) else type(state).__name__
    raise ArgumentError(
        f"{name}: the state is {found}, need one of {', '.join(keys)}, as init(params) gives it: call "
        "update(grads, state, params)"
    )


def sgd(rate: Rate) -> Optimizer:
    """p - rate * g. Like all optimizers, raises ArgumentError for settings that make no sense."""
    _require("sgd", rate=rate)

    def update(grads: Tree, state: Tree, params: Tree) -> tuple[Tree, Tree]:
        _require_state("sgd", state, "step")
        now = _at(rate, state["step"])
        new = tree.map(lambda p, g: _like(p, _wide(p) - now(p) * _wide(g)), params, grads)
        return new, {"step": state["step"] + 1}

    return Optimizer(lambda params: {"step": _zero_step()}, update)


def momentum(rate: Rate, beta: float = 0.9, nesterov: bool = False) -> Optimizer:
    """v = beta v + g; p - rate * v, or with `nesterov` p - rate * (g + beta v). Source: torch.optim.SGD."""
    _require("momentum", rate=rate, beta=beta)

    def update(grads: Tree, state: Tree, params: Tree) -> tuple[Tree, Tree]:
        _require_state("momentum", state, "step", "velocity")
        now = _at(rate, state["step"])
        velocity = tree.map(lambda v, g: beta * v + _wide(g), state["velocity"], grads)
        direction = tree.map(lambda v, g: _wide(g) + beta * v, velocity, grads) if nesterov else velocity
        new = tree.map(lambda p, d: _like(p, _wide(p) - now(p) * d), params, direction)
        return new, {"step": state["step"] + 1, "velocity": velocity}

    return Optimizer(lambda params: {"step": _zero_step(), "velocity": _zeros(params)}, update)


def adam(rate: Rate, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8) -> Optimizer:
    """p - rate * m' / (sqrt(v') + eps), where m' and v' are the bias-corrected moments. Source: arXiv:1412.6980."""
    return adamw(rate, beta1, beta2, eps, weight_decay=0.0)


def adamw(
    rate: Rate,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.01,
    mask: Callable[[Tree], Tree] | None = None,
) -> Optimizer:
    """Adam that first shrinks each parameter by rate * weight_decay * p.

    mask(params) gives a tree of bools, True for the parameters that shrink (all, unless it is given).
    Source: arXiv:1711.05101.
    """
    _require("adamw", rate=rate, beta1=beta1, beta2=beta2, eps=eps, weight_decay=weight_decay)

    def init(params: Tree) -> Tree:
        return {"step": _zero_step(), "m": _zeros(params), "v": _zeros(params)}

    def update(grads: Tree, state: Tree, params: Tree) -> tuple[Tree, Tree]:
        _require_state("adamw", state, "step", "m", "v")
        count = state["step"] + 1
        now, bias1, bias2 = _at(rate, state["step"]), _bias(beta1, count), _bias(beta2, count)
        m = tree.map(lambda m, g: beta1 * m + (1 - beta1) * _wide(g), state["m"], grads)
        v = tree.map(lambda v, g: beta2 * v + (1 - beta2) * (_wide(g) * _wide(g)), state["v"], grads)
        kept = tree.map(_wide, params)
        if weight_decay:
            decays = mask(params) if mask else tree.map(lambda p: True, params)
            kept = tree.map(lambda p, on: p * (1 - weight_decay * now(p)) if on else p, kept, decays)
        new = tree.map(
            lambda old, p, m, v: _like(old, p - now(p) / bias1(p) * m / (np.sqrt(v / bias2(p)) + eps)),
            params,
            kept,
            m,
            v,
        )
        return new, {"step": count, "m": m, "v": v}

    return Optimizer(init, update)


def clip_by_global_norm(limit: float) -> Transform:
    """Scale all gradients by one factor, so that the root of the sum of all their squares is at most `limit`.

    Gradients whose squares overflow are scaled like any others. One that is infinite becomes NaN and the others 0; one
    that is NaN makes all of them NaN. Raises ArgumentError for a limit that is negative or no number.
    """
    _require("clip_by_global_norm", limit=limit)

    def update(grads: Tree, state: Tree, params: Tree) -> tuple[Tree, Tree]:
        norm = global_norm(grads)
        within = norm <= limit
        factor = np.where(within, 1.0, limit / np.where(within, 1.0, norm))
        return tree.map(lambda g: _like(g, _wide(g) * factor.astype(_wide(g).dtype)), grads), state

    return Transform(lambda params: {}, update)


_LARGER, _SMALLER = 2.0**24, 2.0**-64
"""Squares are summed up twice: of numbers times the first, and, for where that overflows, times the second. Powers of
two make no error, and what is lost below the smallest square is nothing beside the rest."""


def global_norm(grads: Tree) -> Array:
    """The root of the sum of the squares of all elements of a tree, from 1e-25 up to the largest float32.

    Half precision is summed in single. The gradient at zero is 0.
    """
    leaves = [_wide(g) for g in tree.leaves(grads)]
    if not leaves:
        return np.float32(0)

    def total(scale: float) -> Array:
        squares = [np.sum((g * scale) * (g * scale)) for g in leaves]
        return sum(squares[1:], start=squares[0])

    with np.errstate(over="ignore"):
        near = total(_LARGER)
        if near.dtype != np.float32:
            return _root(near) * (1 / _LARGER)
        far = total(_SMALLER)
        fits = np.isfinite(near)
        return _root(np.where(fits, near, far)) * np.where(fits, np.float32(1 / _LARGER), np.float32(1 / _SMALLER))


def _root(x: Array) -> Array:
    """The square root, whose gradient at 0 is 0."""
    zero = x == 0
    return np.where(zero, 0.0, np.sqrt(np.where(zero, 1.0, x)))


def steps_done(state: Tree) -> Array:
    """How many updates the state of an optimizer, or of a chain, has seen: i32."""
    return steps_done(state[-1]) if isinstance(state, tuple | list) else state["step"]


def chain(*parts: Transform) -> Optimizer:
    """The gradients pass through each part in turn; the last part, an optimizer, makes the step.

    chain(clip_by_global_norm(1.0), adam(1e-3)). Raises ValueError unless the last part, and it alone, is an Optimizer.
    """
    if not parts or [isinstance(part, Optimizer) for part in parts] != [False] * (len(parts) - 1) + [True]:
        raise ValueError("chain: the last part must be an optimizer, and no other part may be one")

    def update(grads: Tree, state: Tree, params: Tree) -> tuple[Tree, Tree]:
        states = []
        for part, part_state in zip(parts, state, strict=True):
            grads, new_state = part.update(grads, part_state, params)
            states.append(new_state)
        return grads, tuple(states)

    return Optimizer(lambda params: tuple(part.init(params) for part in parts), update)


def constant(value: float) -> Schedule:
    """The same value always."""
    return lambda step: value


def linear(start: float, end: float, steps: int) -> Schedule:
    """From `start` at step 0 straight to `end` at `steps`, then level."""
    return lambda step: start + (end - start) * _progress(step, steps)


def step(value: float, every: int, factor: float = 0.1) -> Schedule:
    """`value`, multiplied by `factor` once every `every` steps."""
    return lambda step: value * factor ** (step // every)


def cosine(value: float, steps: int, end: float = 0.0) -> Schedule:
    """From `value` at step 0 down half a cosine wave to `end` at `steps`, then level. Source: arXiv:1608.03983."""
    return lambda step: end + (value - end) * (0.5 + 0.5 * np.cos(math.pi * _progress(step, steps)))


def _progress(step: Array, steps: int) -> Array:
    """How far `step` is on the way to `steps`, from 0 to 1; of no steps all are done."""
    return np.minimum(step / steps, 1.0) if steps > 0 else np.minimum(step * 0 + 1.0, 1.0)


def warmup(rate: Rate, steps: int) -> Schedule:
    """From 0 at step 0 straight up to `rate` at `steps`; from there on `rate`, a schedule counting from that step."""

    def schedule(step: Array) -> Array:
        after = rate(np.maximum(step - steps, 0)) if callable(rate) else rate
        return after * np.minimum(step / steps, 1.0)

    return schedule if steps > 0 else _schedule(rate)


def _schedule(rate: Rate) -> Schedule:
    return rate if callable(rate) else constant(rate)


def _at(rate: Rate, count: Array) -> Callable[[Array], Array]:
    """The rate at this step, in the element type in which the parameter that it is asked for is updated."""
    value = _schedule(rate)(count)
    return lambda p: value.astype(_wide(p).dtype) if hasattr(value, "astype") else value


def _bias(beta: float, count: Array) -> Callable[[Array], Array]:
    """1 - beta^count, in the element type in which the parameter that it is asked for is updated."""
    if beta == 0:
        return lambda p: 1.0
    # In float32, 1 - 0.999^1 by subtraction would have lost half of its digits.
    value = -np.expm1(count * math.log(beta))
    return lambda p: value.astype(_wide(p).dtype)


def _wide(x: Array) -> Array:
    """x, in single precision where it is in half, which has neither the range nor the digits for moments and rates."""
    return x.astype(np.float32) if x.dtype == np.float16 else x


def _like(p: Array, new: Array) -> Array:
    """`new` in half precision where p is."""
    return new.astype(np.float16) if p.dtype == np.float16 else new


def _zero_step() -> Array:
    return np.zeros((), dtype=np.int32)


def _zeros(params: Tree) -> Tree:
    """Zeros for each parameter; in single precision where it is in half. Raises DTypeError for what is no float."""
    for leaf in tree.leaves(params):
        if np.dtype(leaf.dtype).kind != "f":
            raise DTypeError(f"an optimizer moves floats, and a parameter is {leaf.dtype}{list(leaf.shape)}")
    return tree.map(lambda p: np.zeros(p.shape, np.float32 if p.dtype == np.float16 else p.dtype), params)
