"""Optimizers around optimizers: means of weights, of gradients, steps back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc import tree
from graphc.errors import ArgumentError, ShapeError
from graphc.optim.shared import (
    Array,
    Optimizer,
    Tree,
    like,
    number_of,
    require,
    require_count,
    require_flag,
    require_update,
    wide,
    zero_step,
    zeros,
)
from graphc.scan import scan
from graphc.tracing.trace import Tracer, trace_program


def ema(optimizer: Optimizer, decay: float = 0.999, warmup: bool = False) -> Optimizer:
    """`optimizer`, with an exponential moving average of the weights that it makes; `average(state)` reads it.

    After each step, average = decay * average + (1 - decay) * p. It begins with the first weights, and is in single
    precision where they are in half. warmup: the decay of step t is at most (1 + t) / (10 + t), t = 1 in the first, so
    that the first weights are soon forgotten.
    """
    _require_optimizer("ema", optimizer)
    require("ema", decay=decay)
    require_flag("ema", warmup=warmup)

    def init(params: Tree) -> Tree:
        return {"step": zero_step(), "inner": optimizer.init(params), "average": _copies("ema", params)}

    def update(grads: Tree, state: Tree, params: Tree) -> tuple[Tree, Tree]:
        require_update("ema", grads, state, params, "step", "inner", "average")
        new, inner = optimizer.update(grads, state["inner"], params)
        count = state["step"] + 1
        keep: Array = np.minimum(decay, (1.0 + count) / (10.0 + count)) if warmup else decay

        def moved(a: Array, p: Array) -> Array:
            less = (1 - keep).astype(a.dtype) if warmup else 1 - keep
            return a + less * (wide(p) - a)

        average = tree.map(moved, state["average"], new)
        return new, {"step": count, "inner": inner, "average": average}

    return Optimizer(init, update)


def average(state: Tree) -> Tree:
    """The averaged weights in the state of `ema`, which may be within wrappers and chains. Raises ArgumentError."""
    while True:
        if isinstance(state, dict) and "average" in state:
            return state["average"]
        if isinstance(state, dict) and "inner" in state:
            state = state["inner"]
        elif isinstance(state, tuple | list) and state:
            state = state[-1]
        else:
            raise ArgumentError("average: the state is of an optimizer that keeps no average: wrap it in optim.ema")


def lookahead(optimizer: Optimizer, every: int = 6, rate: float = 0.5) -> Optimizer:
    """`optimizer`, which every so many steps goes back: slow weights move towards its own by `rate`, and replace them.

    Source: arXiv:1907.08610; optax has it with the same numbers.
    """
    _require_optimizer("lookahead", optimizer)
    require_count("lookahead", every=every)
    share = number_of(rate)
    if share is None or not 0 < share <= 1:
        raise ArgumentError(f"lookahead: rate is {rate!r}: need a number above 0 and at most 1")

    def init(params: Tree) -> Tree:
        return {"step": zero_step(), "inner": optimizer.init(params), "slow": _copies("lookahead", params)}

    def update(grads: Tree, state: Tree, params: Tree) -> tuple[Tree, Tree]:
        require_update("lookahead", grads, state, params, "step", "inner", "slow")
        fast, inner = optimizer.update(grads, state["inner"], params)
        count = state["step"] + 1
        back = count % every == 0
        slow = tree.map(lambda s, p: np.where(back, s + rate * (wide(p) - s), s), state["slow"], fast)
        new = tree.map(lambda s, p: np.where(back, like(p, s), p), slow, fast)
        return new, {"step": count, "inner": inner, "slow": slow}

    return Optimizer(init, update)


def accumulate(optimizer: Optimizer, every: int) -> Optimizer:
    """`optimizer`, which makes a step once every so many updates, with the mean of their gradients.

    Between, weights and its state stay as they are; a schedule counts its steps. In a compiled update its step is
    computed each time and taken or not; `accumulated` is the loop that computes it once. Source: optax.MultiSteps.
    """
    _require_optimizer("accumulate", optimizer)
    require_count("accumulate", every=every)

    def init(params: Tree) -> Tree:
        return {"step": zero_step(), "inner": optimizer.init(params), "mean": zeros("accumulate", params)}

    def update(grads: Tree, state: Tree, params: Tree) -> tuple[Tree, Tree]:
        require_update("accumulate", grads, state, params, "step", "inner", "mean")
        count = state["step"] + 1
        mean = tree.map(lambda a, g: a + wide(g) * (1 / every), state["mean"], grads)
        last = count % every == 0
        if not isinstance(last, Tracer) and not bool(last):
            return params, {"step": count, "inner": state["inner"], "mean": mean}
        made, after = optimizer.update(tree.map(like, grads, mean), state["inner"], params)
        taken = (made, after, tree.map(np.zeros_like, mean))
        if isinstance(last, Tracer):
            taken = tree.map(lambda a, b: np.where(last, a, b), taken, (params, state["inner"], mean))
        new, inner, mean = taken
        return new, {"step": count, "inner": inner, "mean": mean}

    return Optimizer(init, update)


def accumulated(function: Callable[..., Any], parts: int) -> Callable[..., Any]:
    """`function(params, *batch)`, such as a value_and_grad, as the mean of what it gives for `parts` of the batch.

    The arrays of the batch are cut along their first axis, which `parts` has to divide; what it does stands once in
    the program, in a loop (`graphc.scan`), so that there is memory for one part alone. Of a loss that is a mean over a
    batch, this is the loss and gradient of the whole. What the function gives are trees of floats. Raises ShapeError.
    """
    if not callable(function):
        raise ArgumentError(f"accumulated: function is {function!r}: need a function")
    require_count("accumulated", parts=parts)

    def mean(params: Tree, *batch: Tree) -> Tree:
        cut = tree.map(lambda x: _cut(x, parts), batch)
        first = tree.map(lambda x: x[0], cut)
        program = trace_program(function, (params, *first), {})
        types = [value.type for value in program.graph.outputs]
        if any(type.dtype.numpy.kind != "f" for type in types):
            raise ArgumentError("accumulated: the function gives what is no float, which has no mean")
        start = [wide(np.zeros(type.shape, type.dtype.numpy)) for type in types]

        def step(total: list[Array], part: Tree) -> tuple[list[Array], None]:
            made = tree.leaves(function(params, *part))
            return [a + wide(x) * (1 / parts) for a, x in zip(total, made, strict=True)], None

        total, _ = scan(step, start, cut)
        made = [x.astype(type.dtype.numpy) for x, type in zip(total, types, strict=True)]
        return tree.unflatten(program.out_tree, made)

    return mean


def _cut(x: Array, parts: int) -> Array:
    """[parts, B / parts, ...]."""
    shape = np.shape(x)
    if not shape or shape[0] % parts:
        raise ShapeError(
            f"accumulated: an array of the batch has shape {shape}: its first axis is to be cut in {parts}"
        )
    return np.reshape(x, (parts, shape[0] // parts, *shape[1:]))


def _copies(name: str, params: Tree) -> Tree:
    """The parameters as arrays of their own, in single precision where they are in half."""
    start = zeros(name, params)
    return tree.map(lambda z, p: z + wide(p), start, params)


def _require_optimizer(name: str, optimizer: Any) -> None:
    if not isinstance(optimizer, Optimizer):
        raise ArgumentError(f"{name}: {optimizer!r} is no optimizer")
