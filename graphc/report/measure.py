"""A profile of a program whose arguments nobody has given."""

from __future__ import annotations

import numpy as np

from graphc.inspect.profile import Profile, measure
from graphc.inspect.subject import Subject
from graphc.ir.types import NDArray, TensorType

REPEAT = 3


def made_up(executable: Subject) -> Profile:
    """A profile on made-up arguments: zeros, which are indices in range, and small numbers for floats."""
    rng = np.random.default_rng(0)
    leaves = [_argument(argument.type, rng) for argument in executable.arguments]
    return measure(executable, leaves, REPEAT)


def _argument(kind: TensorType, rng: np.random.Generator) -> NDArray:
    if kind.dtype.numpy.kind != "f":
        return np.zeros(kind.shape, kind.dtype.numpy)
    # Positive, as second moments and rates are; far from what is denormal or overflows.
    return rng.uniform(0.01, 0.02, kind.shape).astype(kind.dtype.numpy)
