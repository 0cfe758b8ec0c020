"""Ctrl-C again and again, at random moments of a user's loop; prints what became of each.

Run as `python -m tests.support.interrupted`. Arguments: what the loop does, the device, and how often. After each, the
next call has to give the right numbers.
"""

from __future__ import annotations

import collections
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import graphc

LATEST = 0.02
"""Seconds after which Ctrl-C is pressed at the latest."""
PATIENCE = 20.0
"""Seconds after which one that nobody has seen counts as lost."""

X = np.linspace(-1, 1, 300 * 400, dtype=np.float32).reshape(300, 400)


def function(a: Any) -> Any:
    return np.tanh(a) * np.sum(a @ a.T, axis=1)[:, None]


def loops(device: str) -> dict[str, Callable[[], Any]]:
    compiled = graphc.compile(function, device=device)
    small = graphc.compile(lambda a: a + 1, device=device)
    x = graphc.asarray(X, device)
    pairs = graphc.asarray(np.ones((2, 2), np.float32), device)
    grad = graphc.compile(graphc.grad(lambda a: np.sum(function(a))), device=device)
    return {
        "read": lambda: np.asarray(compiled(X)),
        "read what is small": lambda: float(np.asarray(small(pairs))[0, 0]),
        "wait": lambda: compiled(x).block_until_ready(),
        "ask": lambda: compiled(x).is_ready(),
        "submit": lambda: compiled(x),
        "upload": lambda: graphc.asarray(X, device),
        "compile": lambda: np.asarray(graphc.compile(lambda a: a @ a + 1, device=device)(pairs)),
        "differentiate": lambda: np.asarray(grad(x)),
    }


def main(what: str, device: str, count: int) -> None:
    loop = loops(device)[what]
    check = graphc.compile(function, device=device)
    want = np.asarray(check(X))
    loop()
    chance = random.Random(0)
    seen: collections.Counter[str] = collections.Counter()
    for _ in range(count):
        pressed = threading.Timer(chance.random() * LATEST, os.kill, (os.getpid(), signal.SIGINT))
        began = time.monotonic()
        try:
            pressed.start()
            while time.monotonic() - began < PATIENCE:
                loop()
            seen["lost"] += 1
        except KeyboardInterrupt:
            seen["interrupted"] += 1
        pressed.join()
        if not np.array_equal(np.asarray(check(X)), want):
            seen["wrong afterwards"] += 1
    print(dict(seen))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
