"""Two programs timed on the default device: `main` prints {"small": seconds, "large": seconds}.

`graphc doctor` starts it with other settings of the environment, since a driver reads its own when it is loaded.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

import graphc
from graphc import optim
from graphc.models import mlp
from graphc.models.train import training_step

SECONDS: Final = 0.3
"""How long each program is repeated."""
TIMEOUT: Final = 120.0


@dataclass(frozen=True)
class Setting:
    """A way to run programs: variables of the environment that are set beside the user's. what: in words."""

    what: str
    environment: Mapping[str, str]


def small() -> Callable[[], Any]:
    """A training step of a small network, most of which is launches."""
    config = mlp.Config()
    optimizer = optim.adam(1e-3)
    params = mlp.init(graphc.random.key(0), config)
    x, y = np.zeros((32, config.window), np.int32), np.zeros(32, np.int32)
    step = graphc.compile(training_step(mlp, config, optimizer), donate=("params", "state"))
    kept = [params, optimizer.init(params)]

    def run() -> Any:
        kept[0], kept[1], loss = step(kept[0], kept[1], x, y)
        return loss

    return run


def large() -> Callable[[], Any]:
    """A product of 0.5 GFLOP and a softmax, most of which is arithmetic."""
    generator = np.random.default_rng(0)
    x, w = (graphc.asarray(generator.standard_normal((s, 512), np.float32)) for s in (512, 1024))
    program = graphc.compile(lambda x, w: graphc.nn.softmax(x @ w.T))
    return lambda: program(x, w)


PROGRAMS: Final = {"small": small, "large": large}


def seconds_a_call(program: Callable[[], Any]) -> float:
    """The median time of a call that is waited for; the first ones, which compile, do not count."""
    for _ in range(3):
        np.asarray(program())
    taken: list[float] = []
    while sum(taken) < SECONDS or len(taken) < 5:
        begin = time.perf_counter()
        np.asarray(program())
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken)


def measure(setting: Setting) -> dict[str, float]:
    """Seconds a call of each program with this setting, in a process of its own. Raises RuntimeError where it fails."""
    command = [sys.executable, "-c", "from graphc.cli.speed import main; main()"]
    environment = {**os.environ, **setting.environment}
    here = Path(graphc.__file__).resolve().parents[1]  # so that this graphc is found and no other
    try:
        done = subprocess.run(
            command, env=environment, cwd=here, capture_output=True, text=True, timeout=TIMEOUT, check=True
        )
    except (subprocess.SubprocessError, OSError) as error:
        raise RuntimeError(f"{setting.what} could not be measured ({type(error).__name__})") from error
    found: dict[str, float] = json.loads(done.stdout)
    return found


def advice(found: Mapping[str, Mapping[str, float]], current: str) -> str:
    """What to set, from the times of each setting. current: the one that is used now; it stays where it is close."""
    lines = []
    for name in PROGRAMS:
        best = min(found, key=lambda what: found[what][name])
        if found[best][name] > 0.8 * found[current][name]:
            best = current
        times = ", ".join(f"{1e3 * seconds[name]:.2f} ms {what}" for what, seconds in found.items())
        lines.append(f"{name} programs: {times}; {'leave it' if best == current else f'use {best}'}")
    return "; ".join(lines)


def main() -> None:
    """Print the seconds a call of each program, as JSON."""
    print(json.dumps({name: seconds_a_call(make()) for name, make in PROGRAMS.items()}))
