"""Optimizers that look at a matrix as a whole: its rows and columns, its singular values."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc import tree
from graphc.errors import ArgumentError
from graphc.optim.descent import adamw
from graphc.optim.shared import (
    Array,
    Optimizer,
    Rate,
    Tree,
    like,
    number_of,
    rate_at,
    require,
    require_count,
    require_flag,
    require_floats,
    require_functions,
    require_update,
    shrunk,
    wide,
    zero_step,
    zeros,
    zeros_of,
)
from graphc.optim.transforms import global_norm
from graphc.tracing.settings import is_flag

ADJUSTED: dict[str, Callable[[int, int], float]] = {
    "original": lambda rows, columns: math.sqrt(max(1.0, rows / columns)),
    "match_rms_adamw": lambda rows, columns: 0.2 * math.sqrt(max(rows, columns)),
}
"""What the rate of `muon` is multiplied with for a matrix, by names of torch.optim.Muon."""


def muon(
    rate: Rate = 1e-3,
    momentum: float = 0.95,
    nesterov: bool = True,
    weight_decay: float = 0.1,
    steps: int = 5,
    coefficients: Sequence[float] = (3.4445, -4.775, 2.0315),
    eps: float = 1e-7,
    adjust: str = "original",
    matrices: Callable[[Tree], Tree] | None = None,
    other: Optimizer | None = None,
) -> Optimizer:
    """Momentum whose step is made nearly orthogonal: all singular values near 1, by `steps` of Newton and Schulz.

        v = momentum v + (1 - momentum) g;  d = (1 - momentum) g + momentum v with `nesterov`, else v
        x = d / |d|, then `steps` times x = a x + (b y + c y y) x with y = x x^T and a, b, c the coefficients
        p = p * (1 - rate * weight_decay) - rate * factor * x

    adjust: the factor is max(1, rows / columns) ** 0.5 ("original"), or 0.2 * max(rows, columns) ** 0.5
    ("match_rms_adamw", for rates of AdamW). matrices(params) gives a tree of bools, True for what moves in this way:
    all of two axes, unless it is given. Embeddings and the head are better left out; an array of more axes is a stack
    of matrices. `other` moves the rest, unless it is given adamw(rate, weight_decay=weight_decay).
    Source: Jordan, "Muon: an optimizer for hidden layers", 2024, as torch.optim.Muon has it, in float32.
    """
    require("muon", rate=rate, weight_decay=weight_decay, eps=eps)
    require_flag("muon", nesterov=nesterov)
    require_functions("muon", matrices=matrices)
    if other is not None and not isinstance(other, Optimizer):
        raise ArgumentError(f"muon: other is {other!r}: need an optimizer, or None")
    require_count("muon", steps=steps)
    share = number_of(momentum)
    if share is None or not 0 <= share < 1:
        raise ArgumentError(f"muon: momentum is {momentum!r}: need a number of at least 0 and below 1")
    known = isinstance(coefficients, Sequence | np.ndarray) and len(coefficients) == 3
    if not known or any(number_of(c) is None for c in coefficients):
        raise ArgumentError(f"muon: coefficients are {coefficients!r}: need three numbers")
    if not isinstance(adjust, str) or adjust not in ADJUSTED:
        raise ArgumentError(f"muon: adjust is {adjust!r}: need {' or '.join(map(repr, ADJUSTED))}")
    rest = adamw(rate, weight_decay=weight_decay) if other is None else other

    def chosen(params: Tree) -> list[bool]:
        leaves = tree.leaves(params)
        flags = [p.ndim == 2 for p in leaves] if matrices is None else tree.leaves(matrices(params))
        bools = len(flags) == len(leaves) and all(map(is_flag, flags))
        if not bools or any(on and p.ndim < 2 for on, p in zip(flags, leaves, strict=True)):
            raise ArgumentError(
                "muon: matrices has to give a bool for each parameter, True for arrays of two axes or more"
            )
        return list(map(bool, flags))

    def init(params: Tree) -> Tree:
        require_floats("muon", params)
        flags = chosen(params)
        first = zeros("muon", _part(params, flags, True))
        return {"step": zero_step(), "velocity": first, "other": rest.init(_part(params, flags, False))}

    def update(grads: Tree, state: Tree, params: Tree) -> tuple[Tree, Tree]:
        require_update("muon", grads, state, params, "step", "velocity", "other")
        flags = chosen(params)
        mine, theirs = _part(params, flags, True), _part(params, flags, False)
        now = rate_at(rate, state["step"])
        own = _part(grads, flags, True)
        velocity = tree.map(lambda v, g: momentum * v + (1 - momentum) * wide(g), state["velocity"], own)
        ahead = tree.map(lambda v, g: (1 - momentum) * wide(g) + momentum * v, velocity, own) if nesterov else velocity

        def moved(old: Array, p: Array, x: Array) -> Array:
            return like(old, p - now(p) * ADJUSTED[adjust](*p.shape[-2:]) * x)

        leaves, treedef = tree.flatten(ahead)
        directions = tree.unflatten(treedef, orthogonal(leaves, steps, coefficients, eps))
        new = tree.map(moved, mine, shrunk("muon", mine, now, weight_decay, None), directions)
        made, after = rest.update(_part(grads, flags, False), state["other"], theirs)
        state = {"step": state["step"] + 1, "velocity": velocity, "other": after}
        return _joined(params, flags, new, made), state

    return Optimizer(init, update)


def orthogonal(matrices: Sequence[Array], steps: int, coefficients: Sequence[float], eps: float) -> list[Array]:
    """Matrices [..., R, C] with singular values near 1, by an iteration of products.

    Those of one shape, or of one shape and its transpose, are a stack of matrices in each product.
    """
    flat = [np.swapaxes(x, -1, -2) if x.shape[-2] > x.shape[-1] else x for x in matrices]  # the smaller side is squared
    alike: dict[Any, list[int]] = {}
    for i, x in enumerate(flat):
        alike.setdefault((x.shape, x.dtype), []).append(i)
    made: list[Array] = [None] * len(flat)
    for places in alike.values():
        if len(places) == 1:
            made[places[0]] = _iterated(flat[places[0]], steps, coefficients, eps)
            continue
        stack = _iterated(np.stack([flat[i] for i in places]), steps, coefficients, eps)
        for k, i in enumerate(places):
            made[i] = stack[k]
    return [y if y.shape == x.shape else np.swapaxes(y, -1, -2) for x, y in zip(matrices, made, strict=True)]


def _iterated(x: Array, steps: int, coefficients: Sequence[float], eps: float) -> Array:
    a, b, c = (float(k) for k in coefficients)
    x = x / np.maximum(np.sqrt(np.sum(x * x, axis=(-2, -1), keepdims=True)), eps)
    for _ in range(steps):
        square = x @ np.swapaxes(x, -1, -2)
        x = a * x + (b * square + c * (square @ square)) @ x
    return x


def _part(values: Tree, flags: list[bool], on: bool) -> Tree:
    """The tree with those leaves alone whose flag is `on`, and None elsewhere."""
    leaves, treedef = tree.flatten(values)
    return tree.unflatten(treedef, [x if flag == on else None for x, flag in zip(leaves, flags, strict=True)])


def _joined(params: Tree, flags: list[bool], true: Tree, false: Tree) -> Tree:
    """The tree of which these are the parts."""
    parts = {True: iter(tree.leaves(true)), False: iter(tree.leaves(false))}
    return tree.unflatten(tree.structure(params), [next(parts[flag]) for flag in flags])


def adafactor(
    rate: Rate = 0.01,
    beta2_decay: float = -0.8,
    eps: tuple[float | None, float] = (None, 1e-3),
    d: float = 1.0,
    weight_decay: float = 0.0,
    mask: Callable[[Tree], Tree] | None = None,
) -> Optimizer:
    """Adam without its first moment, whose second moments of a matrix are kept as means of rows and columns alone.

        r, c = moments of g * g along rows and columns, moved towards those of this step by t ** beta2_decay
        u = g / sqrt(r c / mean(r)), for arrays of one axis g / sqrt(v);  u = u / max(1, rms(u) / d)
        p = p * (1 - rate * weight_decay) - max(eps[1], rms(p)) * min(rate, 1 / sqrt(t)) * u

    t is 1 in the first step. eps[0] keeps moments from zero, the rounding of the element type unless it is given.
    Arrays of more than two axes are stacks of matrices. mask: as in `adamw`. Moments take little memory.
    Source: arXiv:1804.04235, as torch.optim.Adafactor has it.
    """
    require("adafactor", rate=rate, weight_decay=weight_decay)
    require_functions("adafactor", mask=mask)
    decay = number_of(beta2_decay)
    if decay is None or not -math.inf < decay <= 0:
        raise ArgumentError(f"adafactor: beta2_decay is {beta2_decay!r}: need a number of at most 0")
    least = number_of(d)
    if least is None or not 1 <= least < math.inf:
        raise ArgumentError(f"adafactor: d is {d!r}: need a number of at least 1")
    if not isinstance(eps, tuple | list) or len(eps) != 2:
        raise ArgumentError(f"adafactor: eps is {eps!r}: need a pair, of which the first may be None")
    require("adafactor", **{"eps[0]": 0.0 if eps[0] is None else eps[0], "eps[1]": eps[1]})

    def init(params: Tree) -> Tree:
        require_floats("adafactor", params)
        return {"step": zero_step(), "moments": tree.map(_first_moments, params)}

    def update(grads: Tree, state: Tree, params: Tree) -> tuple[Tree, Tree]:
        require_update("adafactor", grads, state, params, "step", "moments")
        count = state["step"] + 1
        now = rate_at(rate, state["step"])
        leaves, treedef = tree.flatten(params)
        moments = _below(state["moments"], tree.leaves(tree.map(lambda p: p.ndim, params)))
        made = [
            _factored(wide(p), wide(g), old, count, decay, eps[0], least)
            for p, g, old in zip(leaves, tree.leaves(tree.map(lambda p, g: g, params, grads)), moments, strict=True)
        ]

        def moved(old: Array, p: Array, u: Array) -> Array:
            kind = p.dtype
            slow = 1 / np.sqrt(count.astype(kind))
            size = np.maximum(eps[1], global_norm(wide(old)) / math.sqrt(max(old.size, 1)))
            return like(old, p - (size * np.minimum(now(p), slow)).astype(kind) * u)

        kept = shrunk("adafactor", params, now, weight_decay, mask)
        new = tree.map(moved, params, kept, tree.unflatten(treedef, [u for u, _ in made]))
        return new, {"step": count, "moments": tree.unflatten(treedef, [m for _, m in made])}

    return Optimizer(init, update)


def _first_moments(p: Array) -> Tree:
    if p.ndim < 2:
        return {"v": zeros_of(p, p.shape)}
    return {"row": zeros_of(p, p.shape[:-1]), "column": zeros_of(p, (*p.shape[:-2], p.shape[-1]))}


def _below(moments: Tree, ranks: list[int]) -> list[Tree]:
    """The moments of each parameter, in the order of the parameters."""
    given = iter(tree.leaves(moments))
    return [{"v": next(given)} if rank < 2 else {"column": next(given), "row": next(given)} for rank in ranks]


def _factored(
    p: Array, g: Array, old: Tree, count: Array, decay: float, eps: float | None, least: float
) -> tuple[Array, Tree]:
    """The step of one parameter before its rate, and its moments."""
    floor = float(np.finfo(p.dtype).eps) if eps is None else eps
    share = count.astype(p.dtype) ** decay
    square = g * g
    if p.ndim < 2:
        new = {"v": old["v"] + share * (square - old["v"])}
        estimate = new["v"]
    else:
        row = old["row"] + share * (np.mean(square, axis=-1) - old["row"])
        column = old["column"] + share * (np.mean(square, axis=-2) - old["column"])
        new = {"row": row, "column": column}
        whole = np.maximum(np.mean(row, axis=-1, keepdims=True), floor)
        estimate = (row / whole)[..., None] * column[..., None, :]
    u = g / np.sqrt(np.maximum(estimate, floor * floor))
    size = global_norm(u) / math.sqrt(max(u.size, 1))
    return u / np.maximum(1.0, size / least).astype(u.dtype), new
