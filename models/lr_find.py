"""The learning-rate sweep: one short training in which the rate grows from step to step, and what it suggests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

import graphc
import graphc.random
from graphc.errors import DataError
from graphc.models import MODELS
from graphc.models.data import Corpus
from graphc.models.plots import smooth
from graphc.models.train import Reporter, RunConfig, Silent, training_step

Array = Any


@dataclass(frozen=True)
class Sweep:
    """rates, losses, smoothed: [N] each, up to the first loss that is not finite. suggestion: a rate to train with."""

    rates: Array
    losses: Array
    smoothed: Array
    suggestion: float


def sweep(
    run: RunConfig,
    corpus: Corpus,
    low: float = -3.0,
    high: float = 0.0,
    *,
    device: Any = None,
    reporter: Reporter | None = None,
) -> Sweep:
    """Train for `run.steps` steps; step i has the rate 10^e, e going evenly from `low` to `high`.

    Everything else (model, batches, optimizer, clipping) is as in `run`; its own rate and schedule are not used.
    Raises DataError when the first losses are not finite already.
    """
    model, steps = MODELS[run.model], run.steps
    exponents = np.linspace(low, high, steps)
    config, _ = model.configure(corpus, **run.settings)
    batch = model.batches(corpus, config, run.batch_size, run.seed)
    growing = (high - low) / max(steps - 1, 1)
    optimizer = run.make_optimizer(lambda step: 10.0 ** (low + growing * step))
    params = model.init(graphc.random.key(run.seed), config)
    state = optimizer.init(params)
    step = graphc.compile(training_step(model, config, optimizer, run.seed), device=device, donate=("params", "state"))
    reporter = reporter or Silent()
    reporter.begin(0, steps, int(np.size(batch(0)[1])))
    losses: list[float] = []
    try:
        for number in range(steps):
            params, state, loss = step(params, state, *batch(number))
            value = float(loss)
            if not np.isfinite(value):
                break
            losses.append(value)
            reporter.loss(number + 1, value)
    finally:
        reporter.end()
    if len(losses) < 2:
        raise DataError(f"the loss is not finite at a learning rate of {10**low:g} already: begin lower")
    rates = 10.0 ** exponents[: len(losses)]
    smoothed = smooth(np.array(losses))
    return Sweep(rates, np.array(losses), smoothed, suggest(rates, smoothed))


def suggest(rates: Array, smoothed: Array) -> float:
    """Half of a power of ten below the rate where the smoothed loss is lowest.

    Up to the lowest point the losses still fall, so that the best rate for a whole training lies before it; the mean is
    late by about 20 steps, which is on the same side.
    """
    return float(rates[int(np.argmin(smoothed))] / np.sqrt(10.0))
