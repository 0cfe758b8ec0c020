"""Learning-rate schedules: functions from the number of updates made so far to a number."""

from __future__ import annotations

import math

import numpy as np

from graphc.optim.shared import Array, Rate, Schedule, schedule_of


def constant(value: float) -> Schedule:
    """The same value always."""
    return lambda step: value


def linear(start: float, end: float, steps: int) -> Schedule:
    """From `start` at step 0 straight to `end` at `steps`, then level."""
    return lambda step: start + (end - start) * _progress(step, steps)


def step(value: float, every: int, factor: float = 0.1) -> Schedule:
    """`value`, multiplied by `factor` once every `every` steps."""
    return lambda step: value * factor ** (step // every)


def cosine(value: float, steps: int, end: float = 0.0) -> Schedule:
    """From `value` at step 0 down half a cosine wave to `end` at `steps`, then level. Source: arXiv:1608.03983."""
    return lambda step: end + (value - end) * (0.5 + 0.5 * np.cos(math.pi * _progress(step, steps)))


def _progress(step: Array, steps: int) -> Array:
    """How far `step` is on the way to `steps`, from 0 to 1; of no steps all are done."""
    return np.minimum(step / steps, 1.0) if steps > 0 else np.minimum(step * 0 + 1.0, 1.0)


def warmup(rate: Rate, steps: int) -> Schedule:
    """From 0 at step 0 straight up to `rate` at `steps`; from there on `rate`, a schedule counting from that step."""

    def schedule(step: Array) -> Array:
        after = rate(np.maximum(step - steps, 0)) if callable(rate) else rate
        return after * np.minimum(step / steps, 1.0)

    return schedule if steps > 0 else schedule_of(rate)
