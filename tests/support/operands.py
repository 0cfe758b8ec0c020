"""Operands for tests of tracing."""

from __future__ import annotations

from typing import Any

import numpy as np

rng = np.random.default_rng(0)


def floats(*shape: int, low: float = -2.0, high: float = 2.0) -> Any:
    return rng.uniform(low, high, shape).astype(np.float32)


def ints(*shape: int, low: int = -5, high: int = 6) -> Any:
    return rng.integers(low, high, shape).astype(np.int32)


X = floats(3, 4)
Y = floats(3, 4)
P = floats(3, 4, low=0.2, high=3.0)
K = ints(3, 4)
N = ints(3, 4, low=1, high=5)
B = rng.integers(0, 2, (3, 4)).astype(bool)
C = rng.integers(0, 2, (3, 4)).astype(bool)
V = floats(4)
T = floats(2, 3, 4)
H = X.astype(np.float16)
EDGE = np.array([0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, np.inf, -np.inf, np.nan], np.float32)
M = floats(4, 5)
BATCH = floats(2, 4, 5)
