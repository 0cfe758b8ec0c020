"""Optimizers that move each element by itself."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from graphc import tree
from graphc.optim.shared import (
    Optimizer,
    Rate,
    Tree,
    bias_of,
    like,
    rate_at,
    require,
    require_state,
    wide,
    zero_step,
    zeros,
)


def sgd(rate: Rate) -> Optimizer:
    """p - rate * g. Like all optimizers, raises ArgumentError for settings that make no sense."""
    require("sgd", rate=rate)

    def update(grads: Tree, state: Tree, params: Tree) -> tuple[Tree, Tree]:
        require_state("sgd", state, "step")
        now = rate_at(rate, state["step"])
        new = tree.map(lambda p, g: like(p, wide(p) - now(p) * wide(g)), params, grads)
        return new, {"step": state["step"] + 1}

    return Optimizer(lambda params: {"step": zero_step()}, update)


def momentum(rate: Rate, beta: float = 0.9, nesterov: bool = False) -> Optimizer:
    """v = beta v + g; p - rate * v, or with `nesterov` p - rate * (g + beta v). Source: torch.optim.SGD."""
    require("momentum", rate=rate, beta=beta)

    def update(grads: Tree, state: Tree, params: Tree) -> tuple[Tree, Tree]:
        require_state("momentum", state, "step", "velocity")
        now = rate_at(rate, state["step"])
        velocity = tree.map(lambda v, g: beta * v + wide(g), state["velocity"], grads)
        direction = tree.map(lambda v, g: wide(g) + beta * v, velocity, grads) if nesterov else velocity
        new = tree.map(lambda p, d: like(p, wide(p) - now(p) * d), params, direction)
        return new, {"step": state["step"] + 1, "velocity": velocity}

    return Optimizer(lambda params: {"step": zero_step(), "velocity": zeros(params)}, update)


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

    def init(params: Tree) -> Tree:
        return {"step": zero_step(), "m": zeros(params), "v": zeros(params)}

    def update(grads: Tree, state: Tree, params: Tree) -> tuple[Tree, Tree]:
        require_state("adamw", state, "step", "m", "v")
        count = state["step"] + 1
        now, bias1, bias2 = rate_at(rate, state["step"]), bias_of(beta1, count), bias_of(beta2, count)
        m = tree.map(lambda m, g: beta1 * m + (1 - beta1) * wide(g), state["m"], grads)
        v = tree.map(lambda v, g: beta2 * v + (1 - beta2) * (wide(g) * wide(g)), state["v"], grads)
        kept = tree.map(wide, params)
        if weight_decay:
            decays = mask(params) if mask else tree.map(lambda p: True, params)
            kept = tree.map(lambda p, on: p * (1 - weight_decay * now(p)) if on else p, kept, decays)
        new = tree.map(
            lambda old, p, m, v: like(old, p - now(p) / bias1(p) * m / (np.sqrt(v / bias2(p)) + eps)),
            params,
            kept,
            m,
            v,
        )
        return new, {"step": count, "m": m, "v": v}

    return Optimizer(init, update)
