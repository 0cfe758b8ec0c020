"""Optimizers that move each element by itself."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from graphc import tree
from graphc.optim.shared import (
    Array,
    Optimizer,
    Rate,
    Tree,
    bias_of,
    chosen_by,
    like,
    rate_at,
    require,
    require_flag,
    require_floats,
    require_functions,
    require_update,
    shrunk,
    wide,
    zero_step,
    zeros,
)
from graphc.optim.transforms import global_norm


def sgd(rate: Rate) -> Optimizer:
    """p - rate * g. Like all optimizers, raises ArgumentError for settings that make no sense."""
    require("sgd", rate=rate)

    def update(grads: Tree, state: Tree, params: Tree) -> tuple[Tree, Tree]:
        require_update("sgd", grads, state, params, "step")
        now = rate_at(rate, state["step"])
        new = tree.map(lambda p, g: like(p, wide(p) - now(p) * wide(g)), params, grads)
        return new, {"step": state["step"] + 1}

    def init(params: Tree) -> Tree:
        require_floats("sgd", params)
        return {"step": zero_step()}

    return Optimizer(init, update)


def momentum(rate: Rate, beta: float = 0.9, nesterov: bool = False) -> Optimizer:
    """v = beta v + g; p - rate * v, or with `nesterov` p - rate * (g + beta v). Source: torch.optim.SGD."""
    require("momentum", rate=rate, beta=beta)
    require_flag("momentum", nesterov=nesterov)

    def update(grads: Tree, state: Tree, params: Tree) -> tuple[Tree, Tree]:
        require_update("momentum", grads, state, params, "step", "velocity")
        now = rate_at(rate, state["step"])
        velocity = tree.map(lambda v, g: beta * v + wide(g), state["velocity"], grads)
        direction = tree.map(lambda v, g: wide(g) + beta * v, velocity, grads) if nesterov else velocity
        new = tree.map(lambda p, d: like(p, wide(p) - now(p) * d), params, direction)
        return new, {"step": state["step"] + 1, "velocity": velocity}

    return Optimizer(lambda params: {"step": zero_step(), "velocity": zeros("momentum", params)}, update)


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
    require("adamw", rate=rate, beta1=beta1, beta2=beta2, eps=eps, weight_decay=weight_decay)
    require_functions("adamw", mask=mask)

    def init(params: Tree) -> Tree:
        return {"step": zero_step(), "m": zeros("adamw", params), "v": zeros("adamw", params)}

    def update(grads: Tree, state: Tree, params: Tree) -> tuple[Tree, Tree]:
        require_update("adamw", grads, state, params, "step", "m", "v")
        count = state["step"] + 1
        now, bias1, bias2 = rate_at(rate, state["step"]), bias_of(beta1, count), bias_of(beta2, count)
        m = tree.map(lambda m, g: beta1 * m + (1 - beta1) * wide(g), state["m"], grads)
        v = tree.map(lambda v, g: beta2 * v + (1 - beta2) * (wide(g) * wide(g)), state["v"], grads)
        kept = shrunk("adamw", params, now, weight_decay, mask)
        new = tree.map(
            lambda old, p, m, v: like(old, p - now(p) / bias1(p) * m / (np.sqrt(v / bias2(p)) + eps)),
            params,
            kept,
            m,
            v,
        )
        return new, {"step": count, "m": m, "v": v}

    return Optimizer(init, update)


def lion(
    rate: Rate,
    beta1: float = 0.9,
    beta2: float = 0.99,
    weight_decay: float = 1e-3,
    mask: Callable[[Tree], Tree] | None = None,
) -> Optimizer:
    """p - rate * sign(beta1 m + (1 - beta1) g), after p has shrunk as in `adamw`; then m = beta2 m + (1 - beta2) g.

    Every element moves by the rate, so that it is to be about a tenth of Adam's, and the decay ten times as great.
    Source: arXiv:2302.06675, defaults of optax.
    """
    require("lion", rate=rate, beta1=beta1, beta2=beta2, weight_decay=weight_decay)
    require_functions("lion", mask=mask)

    def update(grads: Tree, state: Tree, params: Tree) -> tuple[Tree, Tree]:
        require_update("lion", grads, state, params, "step", "m")
        now = rate_at(rate, state["step"])
        kept = shrunk("lion", params, now, weight_decay, mask)
        new = tree.map(
            lambda old, p, m, g: like(old, p - now(p) * np.sign(beta1 * m + (1 - beta1) * wide(g))),
            params,
            kept,
            state["m"],
            grads,
        )
        m = tree.map(lambda m, g: beta2 * m + (1 - beta2) * wide(g), state["m"], grads)
        return new, {"step": state["step"] + 1, "m": m}

    return Optimizer(lambda params: {"step": zero_step(), "m": zeros("lion", params)}, update)


def lars(
    rate: Rate,
    beta: float = 0.9,
    weight_decay: float = 0.0,
    trust: float = 0.001,
    eps: float = 0.0,
    nesterov: bool = False,
    mask: Callable[[Tree], Tree] | None = None,
) -> Optimizer:
    """Momentum whose rate is another for each array: with d = g + weight_decay * p,

        v = beta v + rate * trust * |p| / (|d| + eps) * d
        p = p - v, or with `nesterov` p less what the next v would be of the same gradient

    The factor is 1 where p or d is zero. mask(params) gives a tree of bools, True for the arrays that shrink and have a
    rate of their own (all, unless it is given); biases and gains of norms mostly have none.
    Source: arXiv:1708.03888, as optax has it.
    """
    require("lars", rate=rate, beta=beta, weight_decay=weight_decay, trust=trust, eps=eps)
    require_flag("lars", nesterov=nesterov)
    require_functions("lars", mask=mask)

    def update(grads: Tree, state: Tree, params: Tree) -> tuple[Tree, Tree]:
        require_update("lars", grads, state, params, "step", "velocity")
        now = rate_at(rate, state["step"])

        def direction(p: Array, g: Array, on: bool) -> Array:
            p, d = wide(p), wide(g)
            if not on:
                return now(p) * d
            d = d + weight_decay * p if weight_decay else d
            length, other = global_norm(p), global_norm(d)
            some = (length > 0) & (other > 0)
            ratio = np.where(some, trust * length / (np.where(some, other, 1.0) + eps), 1.0)
            return (now(p) * ratio).astype(p.dtype) * d

        step = tree.map(direction, params, grads, chosen_by("lars", mask, params))
        velocity = tree.map(lambda v, d: beta * v + d, state["velocity"], step)
        moved = tree.map(lambda v, d: d + beta * v, velocity, step) if nesterov else velocity
        new = tree.map(lambda p, v: like(p, wide(p) - v), params, moved)
        return new, {"step": state["step"] + 1, "velocity": velocity}

    return Optimizer(lambda params: {"step": zero_step(), "velocity": zeros("lars", params)}, update)
