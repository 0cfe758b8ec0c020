"""Training steps a second in Python: `python -m tests.support.web_speed MODEL STEPS` (small models); a line a block."""

from __future__ import annotations

import sys
import time
from collections import deque
from typing import Any

import numpy as np

import graphc
from graphc.models.train import training_step
from tests.web.test_web_pages import CASES

READ_EVERY = 8
"""Steps under way."""


def steps_a_second(name: str, count: int) -> list[float]:
    """Of five blocks of steps, as the page does them: a call a step, losses read once eight are under way."""
    case = CASES[name]
    trained = case.trained()
    batch = case.batches(trained)
    optimizer = trained.run.make_optimizer(lambda step: np.float32(case.rate))
    function = training_step(trained.model, trained.config, optimizer, trained.run.seed)
    step = graphc.compile(function, donate=("params", "state"))
    params, state = trained.params, trained.state
    pending: deque[Any] = deque()
    speeds = []
    for block in range(6):  # the first one compiles
        begun = time.perf_counter()
        for number in range(block * count, (block + 1) * count):
            params, state, loss = step(params, state, *batch(number))
            pending.append(loss)
            if len(pending) >= READ_EVERY:
                float(pending.popleft())
        while pending:
            float(pending.popleft())
        if block:
            speeds.append(count / (time.perf_counter() - begun))
    return speeds


if __name__ == "__main__":
    for speed in steps_a_second(sys.argv[1], int(sys.argv[2])):
        print(speed)
