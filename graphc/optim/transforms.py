"""Changes of gradients before a step, and the step of several parts."""

from __future__ import annotations

import numpy as np

from graphc import tree
from graphc.errors import ArgumentError
from graphc.optim.shared import Array, Optimizer, Transform, Tree, like, require, require_array, require_gradients, wide
from graphc.tracing.core import located


def clip_by_global_norm(limit: float) -> Transform:
    """Scale all gradients by one factor, so that the root of the sum of all their squares is at most `limit`.

    Gradients whose squares overflow are scaled like any others. One that is infinite becomes NaN and the others 0; one
    that is NaN makes all of them NaN. Raises ArgumentError for a limit that is negative or no number.
    """
    require("clip_by_global_norm", limit=limit)

    def update(grads: Tree, state: Tree, params: Tree) -> tuple[Tree, Tree]:
        norm = global_norm(grads)
        within = norm <= limit
        factor = np.where(within, 1.0, limit / np.where(within, 1.0, norm))
        return tree.map(lambda g: like(g, wide(g) * factor.astype(wide(g).dtype)), grads), state

    return Transform(lambda params: {}, update)


_LARGER, _SMALLER = 2.0**24, 2.0**-64
"""Squares are summed up twice: of numbers times the first, and, for where that overflows, times the second. Powers of
two make no error, and what is lost below the smallest square is nothing beside the rest."""


def global_norm(grads: Tree) -> Array:
    """The root of the sum of the squares of all elements of a tree, from 1e-25 up to the largest float32.

    Half precision is summed in single. The gradient at zero is 0.
    """
    found = tree.leaves(grads)
    for g in found:
        require_array("global_norm: a gradient", g)
    leaves = [wide(g) for g in found]
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
    while isinstance(state, tuple | list) and state:
        state = state[-1]
    if not isinstance(state, dict) or "step" not in state:
        raise located(ArgumentError(f"steps_done: {type(state).__name__} is no state of an optimizer"))
    return state["step"]


def chain(*parts: Transform) -> Optimizer:
    """The gradients pass through each part in turn; the last part, an optimizer, makes the step.

    chain(clip_by_global_norm(1.0), adam(1e-3)). Raises ValueError unless the last part, and it alone, is an Optimizer.
    """
    for part in parts:
        if not isinstance(part, Transform):
            raise ArgumentError(f"chain: {part!r} is no optimizer and no change of gradients")
    if not parts or [isinstance(part, Optimizer) for part in parts] != [False] * (len(parts) - 1) + [True]:
        raise ArgumentError("chain: the last part must be an optimizer, and no other part may be one")

    def update(grads: Tree, state: Tree, params: Tree) -> tuple[Tree, Tree]:
        states = []
        if not isinstance(state, tuple | list) or len(state) != len(parts):
            found = f"{len(state)} of them" if isinstance(state, tuple | list) else f"a {type(state).__name__}"
            text = f"chain: the state is {found}: need a tuple of {len(parts)}, as init(params) gives it"
            raise located(ArgumentError(text))
        require_gradients("chain", grads, params)
        for part, part_state in zip(parts, state, strict=True):
            grads, new_state = part.update(grads, part_state, params)
            states.append(new_state)
        return grads, tuple(states)

    return Optimizer(lambda params: tuple(part.init(params) for part in parts), update)
