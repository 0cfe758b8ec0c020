"""The record of a program, and what several of them share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

import graphc
from graphc.ir.types import NDArray


@dataclass(frozen=True, slots=True)
class Example:
    """A program as somebody writes it who knows NumPy, with what it is compared with.

    make(small): its arguments, ndarrays in trees, tiny ones where `small`. run: what is compiled. run_numpy: the same
    in NumPy alone, for arrays of any float type; None where `run` trains, and NumPy has no gradients. loss: a float
    scalar of the same arguments, whose gradient with respect to the argument `of` is what the program is about.
    loss_numpy: the same in NumPy alone; None where `loss` itself is, called on ndarrays. holds(arguments, results):
    whether results of `run` are what the program is for. torch: whether PyTorch's own way to write it stands in
    `graphc/bench/peers/torch_programs.py`; it draws other random numbers, so programs of such have none.
    """

    name: str
    what: str
    make: Callable[[bool], tuple[Any, ...]]
    run: Callable[..., Any]
    loss: Callable[..., Any]
    holds: Callable[[tuple[Any, ...], Any], bool]
    run_numpy: Callable[..., Any] | None = None
    loss_numpy: Callable[..., Any] | None = None
    of: int = 0
    torch: bool = True


def train(loss: Callable[..., Any], optimizer: graphc.optim.Optimizer, params: Any, batches: Any) -> tuple[Any, Any]:
    """Parameters after a step on each batch, and the loss of each step. batches: a tree of arrays, [steps, ...]."""

    def step(carry: tuple[Any, Any], batch: Any) -> tuple[tuple[Any, Any], Any]:
        params, state = carry
        value, grads = graphc.value_and_grad(loss)(params, *batch)
        params, state = optimizer.update(grads, state, params)
        return (params, state), value

    (params, _), losses = graphc.scan(step, (params, optimizer.init(params)), batches)
    return params, losses


def learns(loss: Callable[..., Any]) -> Callable[[tuple[Any, ...], Any], bool]:
    """Whether parameters that come first, of arguments and of results, have become better by a loss in NumPy alone."""

    def holds(arguments: tuple[Any, ...], results: Any) -> bool:
        params = graphc.tree.map(np.asarray, results[0])
        return bool(loss(params, *arguments[1:]) < loss(*arguments))

    return holds


def weights(rng: np.random.Generator, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, NDArray]:
    """Normal weights by name, scaled by the square root of what is summed; vectors are zero."""
    return {
        name: rng.normal(0, np.prod(shape[:-1]) ** -0.5, shape).astype(np.float32)
        if len(shape) > 1
        else np.zeros(shape, np.float32)
        for name, shape in shapes.items()
    }


def normal(rng: np.random.Generator, *shape: int) -> NDArray:
    """Standard normal numbers."""
    return rng.standard_normal(shape, np.float32)
