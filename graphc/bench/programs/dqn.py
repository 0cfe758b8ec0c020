"""Deep Q-learning: steps on remembered transitions, towards what a slower copy of the network thinks."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

import graphc
from graphc import nn, optim
from graphc.bench.programs.record import Example, normal, weights

DISCOUNT: Final = 0.97
RATE: Final = 0.05
"""How fast the copy follows."""


def values(p: Any, state: Any) -> Any:
    """What each action is worth: [N, S] -> [N, A]."""
    return nn.relu(nn.relu(state @ p["w1"] + p["b1"]) @ p["w2"] + p["b2"]) @ p["w3"] + p["b3"]


def mean_loss(p: Any, slow: Any, batch: Any) -> Any:
    """Huber loss of the values of actions that were taken; the next action is chosen by p, and judged by the copy."""
    n = len(batch["action"])
    best = np.argmax(values(p, batch["next"]), axis=1)
    future = values(slow, batch["next"])[np.arange(n), best]
    goal = graphc.stop_gradient(batch["reward"] + DISCOUNT * np.where(batch["done"], 0, future))
    chosen = np.take_along_axis(values(p, batch["state"]), batch["action"][:, None], axis=1)[:, 0]
    gap = np.abs(chosen - goal)
    return np.mean(np.where(gap < 1, gap**2 / 2, gap - 0.5))


def run(p: Any, slow: Any, batches: Any) -> tuple[Any, Any, Any]:
    """A step on each batch: the network, its copy, and the losses."""
    optimizer = optim.adam(3e-3)

    def step(carry: Any, batch: Any) -> tuple[Any, Any]:
        p, slow, state = carry
        value, grads = graphc.value_and_grad(mean_loss)(p, slow, batch)
        p, state = optimizer.update(grads, state, p)
        slow = graphc.tree.map(lambda s, w: s + RATE * (w - s), slow, p)
        return (p, slow, state), value

    (p, slow, _), losses = graphc.scan(step, (p, slow, optimizer.init(p)), batches)
    return p, slow, losses


def loss(p: Any, slow: Any, batches: Any) -> Any:
    """Of the first batch."""
    return mean_loss(p, slow, graphc.tree.map(lambda x: x[0], batches))


def make(small: bool) -> tuple[Any, ...]:
    """Transitions of nobody's game."""
    steps, n, states, actions, width = (3, 8, 4, 3, 8) if small else (4, 256, 16, 6, 128)
    rng = np.random.default_rng(5)
    batches = {
        "state": normal(rng, steps, n, states),
        "action": rng.integers(0, actions, (steps, n)).astype(np.int32),
        "reward": normal(rng, steps, n),
        "next": normal(rng, steps, n, states),
        "done": rng.random((steps, n)) < 0.1,
    }
    shapes = {
        "w1": (states, width), "b1": (width,), "w2": (width, width), "b2": (width,), "w3": (width, actions),
        "b3": (actions,),
    }  # fmt: skip
    p = weights(rng, shapes)
    return p, p, batches


def holds(arguments: tuple[Any, ...], results: Any) -> bool:
    """The copy lies between where it began and the network."""
    start, (p, slow, losses) = arguments[0], results
    gap = [np.abs(np.asarray(a["w2"]) - np.asarray(b["w2"])).max() for a, b in ((start, slow), (start, p))]
    return bool(0 < gap[0] < gap[1] and np.isfinite(np.asarray(losses)).all())


PROGRAM: Final = Example("dqn", "double Q-learning from replayed transitions: steps of Adam", make, run, loss, holds)
