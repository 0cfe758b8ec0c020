"""The losses of Karpathy's microgpt, step by step, on every device."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from typing import Any

import numpy as np

import graphc
from graphc.models import microgpt
from graphc.models.train import RunConfig, training_step
from tests.support.oracle import REPORTED, STEPS, karpathy_setup, ours, reference_losses

# In a process of its own: x64 is for a whole process.
NUMPY_X64 = """
import json, graphc
graphc.enable_x64()
import numpy as np
from tests.models.test_microgpt_exact import train_as_karpathy
print(json.dumps(train_as_karpathy("numpy", np.float64)))
"""


@functools.cache
def expected() -> list[float]:
    return reference_losses()


def train_as_karpathy(device: str | None, dtype: Any) -> list[float]:
    """The losses of all steps, by graphc: his documents, his first weights, compiled and donated."""
    documents, weights = karpathy_setup()
    corpus = graphc.models.data.Corpus("names", "\n".join(documents))
    config, vocabulary = microgpt.configure(corpus)
    run = RunConfig("microgpt", None, STEPS, 1, "adam", 0.01, "linear", 42)
    optimizer = run.make_optimizer()
    params = ours(weights, dtype)
    state = optimizer.init(params)
    batches = graphc.models.documents.DocumentBatches(documents, vocabulary, config.context, 1)
    step = graphc.compile(training_step(microgpt, config, optimizer), device=device, donate=("params", "state"))
    losses = []
    for number in range(STEPS):
        params, state, loss = step(params, state, *batches(number))
        losses.append(loss)
    return [float(loss) for loss in losses]


def test_the_independent_implementation_gives_the_reported_losses() -> None:
    for step, value in REPORTED.items():
        assert abs(expected()[step - 1] - value) < 5e-5


def test_numpy_with_x64() -> None:
    done = subprocess.run([sys.executable, "-c", NUMPY_X64], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(json.loads(done.stdout), expected(), rtol=0, atol=1e-6)


def test_the_default_device() -> None:
    losses = train_as_karpathy(None, np.float32)
    for step, value in REPORTED.items():
        assert abs(losses[step - 1] - value) < 1e-3
    np.testing.assert_allclose(losses, expected(), rtol=0, atol=1e-4)
