"""Learning-rate schedules: functions from the number of updates made so far to a number."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.errors import ArgumentError
from graphc.optim.shared import Array, Rate, Schedule, number_at, number_of, require, schedule_of


def constant(value: float) -> Schedule:
    """The same value always. Like all schedules, raises ArgumentError for settings that make no sense."""
    _require("constant", value=value)
    return _schedule("constant", lambda step: value)


def linear(start: float, end: float, steps: float) -> Schedule:
    """From `start` at step 0 straight to `end` at `steps`, then level; of no steps all are done."""
    _require("linear", start=start, end=end)
    require("linear", steps=steps)
    return _schedule("linear", lambda step: start + (end - start) * _progress(step, steps))


def step(value: float, every: float, factor: float = 0.1) -> Schedule:
    """`value`, multiplied by `factor` once every `every` steps."""
    _require("step", value=value)
    require("step", factor=factor)
    _require_steps("step", every=every)
    return _schedule("step", lambda step: value * factor ** (step // every))


def cosine(value: float, steps: float, end: float = 0.0) -> Schedule:
    """From `value` at step 0 down half a cosine wave to `end` at `steps`, then level. Source: arXiv:1608.03983."""
    _require("cosine", value=value, end=end)
    _require_steps("cosine", steps=steps)
    return _schedule("cosine", lambda step: _wave(value, end, _progress(step, steps)))


def polynomial(value: float, steps: float, power: float = 1.0, end: float = 0.0) -> Schedule:
    """end + (value - end) * (1 - step / steps) ** power, then level. Source: torch PolynomialLR, optax."""
    _require("polynomial", value=value, end=end)
    _require_steps("polynomial", steps=steps)
    require("polynomial", power=power)
    if power == 0:
        raise ArgumentError("polynomial: power is 0: need a number above 0")
    return _schedule("polynomial", lambda step: end + (value - end) * (1 - _progress(step, steps)) ** power)


def one_cycle(
    value: float,
    steps: float,
    pct_start: float = 0.3,
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
    anneal: str = "cosine",
) -> Schedule:
    """One rise and fall: from value / div_factor up to `value` at pct_start * steps, down to the first rate over
    final_div_factor at `steps`, then level.

    anneal: "cosine", half a wave each way, or "linear". Source: arXiv:1708.07120, as torch OneCycleLR and optax.
    """
    _require("one_cycle", value=value)
    _require_steps("one_cycle", steps=steps, div_factor=div_factor, final_div_factor=final_div_factor)
    if not isinstance(anneal, str) or anneal not in ("cosine", "linear"):
        raise ArgumentError(f"one_cycle: anneal is {anneal!r}: need 'cosine' or 'linear'")
    share = number_of(pct_start)
    if share is None or not 0 <= share < 1:
        raise ArgumentError(f"one_cycle: pct_start is {pct_start!r}: need a number of at least 0 and below 1")
    first = value / div_factor
    peak, last = pct_start * steps, first / final_div_factor
    between = _wave if anneal == "cosine" else _line

    def schedule(step: Array) -> Array:
        down = between(value, last, _progress(np.maximum(step - peak, 0), steps - peak))
        return down if not peak else np.where(step < peak, between(first, value, _progress(step, peak)), down)

    return _schedule("one_cycle", schedule)


def warmup(rate: Rate, steps: float) -> Schedule:
    """From 0 at step 0 straight up to `rate` at `steps`; from there on `rate`, a schedule counting from that step."""
    require("warmup", rate=rate, steps=steps)

    def schedule(step: Array) -> Array:
        after = number_at(rate, np.maximum(step - steps, 0))
        return after * np.minimum(step / steps, 1.0)

    return _schedule("warmup", schedule) if steps > 0 else schedule_of(rate)


def _wave(start: float, end: float, progress: Array) -> Array:
    return end + (start - end) * (0.5 + 0.5 * np.cos(math.pi * progress))


def _line(start: float, end: float, progress: Array) -> Array:
    return start + (end - start) * progress


def _progress(step: Array, steps: float) -> Array:
    """How far `step` is on the way to `steps`, from 0 to 1; of no steps all are done."""
    return np.minimum(step / steps, 1.0) if steps > 0 else np.minimum(step * 0 + 1.0, 1.0)


def _schedule(name: str, function: Callable[[Array], Array]) -> Schedule:
    """The schedule; it takes a list of steps, for a plot, and refuses what is no number of steps."""

    def schedule(step: Array) -> Array:
        known: Any = np.asarray(step) if isinstance(step, list | tuple | str) or step is None else step
        if isinstance(known, np.ndarray | np.generic | int | float):
            found = np.asarray(known)
            if found.dtype.kind not in "iuf" or not (found >= 0).all():
                raise ArgumentError(f"{name}: the step is {step!r}: need a number of updates, 0 or more")
        return function(known)

    return schedule


def _require(name: str, **values: Any) -> None:
    """Raise ArgumentError for a rate that is no number, negative or not finite; no schedule stands here."""
    for setting, value in values.items():
        if callable(value):
            raise ArgumentError(f"{name}: {setting} is a function: need a number of at least 0")
    require(name, **values)


def _require_steps(name: str, **values: Any) -> None:
    """Raise ArgumentError for what is not above 0."""
    require(name, **values)
    for setting, value in values.items():
        if number_of(value) == 0:
            raise ArgumentError(f"{name}: {setting} is {value}: need a number above 0")
