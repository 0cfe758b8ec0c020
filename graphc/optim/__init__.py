"""Optimizers and learning-rate schedules as pure functions of trees of arrays.

    optimizer = adam(linear(0.01, 0.0, 1000))
    state = optimizer.init(params)
    params, state = optimizer.update(grads, state, params)

`update` returns the new parameters, not a difference. A learning rate is a number, or a schedule: a function from the
number of updates made so far (0 in the first, possibly traced) to a number. Everything runs at once on ndarrays and
traces, so that an update compiles into the training step.
"""

from __future__ import annotations

from graphc.optim.descent import adam, adamw, momentum, sgd
from graphc.optim.schedules import constant, cosine, linear, step, warmup
from graphc.optim.shared import Optimizer, Rate, Schedule, Transform
from graphc.optim.transforms import chain, clip_by_global_norm, global_norm, steps_done

__all__ = [
    "Optimizer",
    "Rate",
    "Schedule",
    "Transform",
    "adam",
    "adamw",
    "chain",
    "clip_by_global_norm",
    "constant",
    "cosine",
    "global_norm",
    "linear",
    "momentum",
    "sgd",
    "step",
    "steps_done",
    "warmup",
]
