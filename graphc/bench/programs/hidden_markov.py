"""A hidden Markov model: the likeliest path of states (Viterbi), and the likelihood of what was seen."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

import graphc
from graphc.bench.programs.record import Example

SYMBOLS: Final = 6

ADDED: Final[np.ufunc] = np.logaddexp
"""Of logarithms, that of the sum of the numbers."""


def normalized(p: Any) -> tuple[Any, Any, Any]:
    """Log probabilities of the first state [S], of moves [S, S] and of symbols [S, 6]."""
    first, move, emit = (x - ADDED.reduce(x, axis=-1, keepdims=True) for x in (p["first"], p["move"], p["emit"]))
    return first, move, emit


def run(p: Any, seen: Any) -> tuple[Any, Any]:
    """The likeliest states [T] for the symbols seen [T], and their log probability."""
    first, move, emit = normalized(p)

    def forward(best: Any, symbol: Any) -> tuple[Any, Any]:
        paths = best[:, None] + move
        return np.max(paths, axis=0) + emit[:, symbol], np.argmax(paths, axis=0)

    best, back = graphc.scan(forward, first + emit[:, seen[0]], seen[1:])
    last = np.argmax(best)
    start, states = graphc.scan(lambda state, came: (came[state], state), last, back, reverse=True)
    return np.append(start, states), np.max(best)


def run_numpy(p: Any, seen: Any) -> tuple[Any, Any]:
    """The same with loops of Python."""
    first, move, emit = normalized(p)
    best, back = first + emit[:, seen[0]], []
    for symbol in seen[1:]:
        paths = best[:, None] + move
        back.append(np.argmax(paths, axis=0))
        best = np.max(paths, axis=0) + emit[:, symbol]
    states = [np.argmax(best)]
    for came in reversed(back):
        states.append(came[states[-1]])
    return np.array(states[::-1]), np.max(best)


def loss(p: Any, seen: Any) -> Any:
    """Negative log-likelihood of what was seen, in nats a symbol."""
    first, move, emit = normalized(p)

    def forward(alpha: Any, symbol: Any) -> tuple[Any, None]:
        return ADDED.reduce(alpha[:, None] + move, axis=0) + emit[:, symbol], None

    alpha, _ = graphc.scan(forward, first + emit[:, seen[0]], seen[1:])
    return -ADDED.reduce(alpha) / len(seen)


def loss_numpy(p: Any, seen: Any) -> Any:
    """The same with a loop of Python."""
    first, move, emit = normalized(p)
    alpha = first + emit[:, seen[0]]
    for symbol in seen[1:]:
        alpha = ADDED.reduce(alpha[:, None] + move, axis=0) + emit[:, symbol]
    return -ADDED.reduce(alpha) / len(seen)


def make(small: bool) -> tuple[Any, ...]:
    """A chain that mostly stays, whose states prefer symbols of their own."""
    states, length = (3, 12) if small else (16, 500)
    rng = np.random.default_rng(15)
    p = {
        "first": rng.normal(size=states),
        "move": 3 * np.eye(states) + 0.3 * rng.normal(size=(states, states)),
        "emit": 3 * np.eye(states, SYMBOLS) + 0.3 * rng.normal(size=(states, SYMBOLS)),
    }
    seen = np.repeat(rng.integers(0, min(states, SYMBOLS), -(-length // 4)), 4)[:length]
    return {name: x.astype(np.float32) for name, x in p.items()}, seen.astype(np.int32)


def holds(arguments: tuple[Any, ...], results: Any) -> bool:
    """Most states are those that prefer what was seen."""
    return float(np.mean(np.asarray(results[0]) == arguments[1])) > 0.8


PROGRAM: Final = Example(
    "hidden-markov", "Viterbi forwards and back by graphc.scan", make, run, loss, holds, run_numpy, loss_numpy
)
