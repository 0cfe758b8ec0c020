"""Optimizers and learning-rate schedules as pure functions of trees of arrays.

    optimizer = adam(linear(0.01, 0.0, 1000))
    state = optimizer.init(params)
    params, state = optimizer.update(grads, state, params)

`update` returns the new parameters, not a difference. A learning rate is a number, or a schedule: a function from the
number of updates made so far (0 in the first, possibly traced) to a number. Everything runs at once on ndarrays and
traces, so that an update compiles into the training step.
"""

from __future__ import annotations

from graphc.optim.descent import adam, adamw, lars, lion, momentum, sgd
from graphc.optim.matrices import adafactor, muon
from graphc.optim.schedules import constant, cosine, linear, one_cycle, polynomial, step, warmup
from graphc.optim.shared import Optimizer, Rate, Schedule, Transform
from graphc.optim.transforms import chain, clip_by_global_norm, global_norm, steps_done
from graphc.optim.wrappers import accumulate, accumulated, average, ema, lookahead

__all__ = [
    "Optimizer",
    "Rate",
    "Schedule",
    "Transform",
    "accumulate",
    "accumulated",
    "adafactor",
    "adam",
    "adamw",
    "average",
    "chain",
    "clip_by_global_norm",
    "constant",
    "cosine",
    "ema",
    "global_norm",
    "lars",
    "linear",
    "lion",
    "lookahead",
    "momentum",
    "muon",
    "one_cycle",
    "polynomial",
    "sgd",
    "step",
    "steps_done",
    "warmup",
]
