"""How long a program's first result takes with an empty cache of compiled kernels: `graphc bench cold`.

Each measurement is a process of its own, with a cache of its own: `python -m graphc.bench.cold NAME` measures one.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from rich.console import Console
from rich.table import Table

import graphc
from graphc import nn, optim
from graphc.bench.cases import CASES, Goal, Workload
from graphc.errors import DeviceError
from graphc.models import MODELS
from graphc.models.train import OPTIMIZERS, training_step

GROUP: Final = "cold"
MOST_ROUNDS: Final = 3
MOST_SECONDS: Final = 600.0
"""A process that takes longer is given up."""

CALLS: Final = 5
CACHES: Final = ("MESA_SHADER_CACHE_DIR", "__GL_SHADER_DISK_CACHE_PATH")
"""Variables that say where Mesa's and NVIDIA's drivers keep compiled kernels."""

WAYS: Final = ("empty cache", "own kernels", "filled cache")
"""As graphc starts; with the program's own kernels at once (GRAPHC_START=full); and again after the first way."""


@dataclass(frozen=True, slots=True)
class ColdCase:
    """A program. make(small) gives it, with tiny sizes where `small`."""

    name: str
    what: str
    make: Callable[[bool], Workload]
    goal: Goal


@dataclass(frozen=True, slots=True)
class First:
    """One process's figures. seconds: from the call to the first result on the host, the adapter being open.

    compiling: how much of it was spent in waiting for the driver. ops: nodes of the traced graph. kernels: of the plan.
    later: seconds of a call when all is compiled.
    """

    seconds: float
    compiling: float
    ops: int
    kernels: int
    later: float


def _model(name: str, batch: int) -> Callable[[bool], Workload]:
    """A training step of a model as it is trained by default, on random tokens."""

    def make(small: bool) -> Workload:
        model, count = MODELS[name], 2 if small else batch
        config, defaults = model.Config(), model.DEFAULTS
        sequences = name == "microgpt"  # each token has the next one for a target, not each window
        width = config.context if sequences else getattr(config, "window", 1)
        tokens = np.random.default_rng(0).integers(0, config.vocab_size, (count, width + 1)).astype(np.int32)
        x = np.ascontiguousarray(tokens[:, :-1])
        y = np.ascontiguousarray(tokens[:, 1:] if sequences else tokens[:, -1])
        params = model.init(graphc.random.key(0), config)
        optimizer: optim.Optimizer = OPTIMIZERS[defaults.optimizer](defaults.rate, **dict(defaults.options))
        step = training_step(model, config, optimizer)
        return Workload(step, (params, optimizer.init(params), x, y), carried=2, items=count)

    return make


def _normal(*shape: int, scale: float = 1.0) -> Any:
    return (np.random.default_rng(len(shape)).standard_normal(shape) * scale).astype(np.float32)


def _recurrence(small: bool) -> Workload:
    steps = 3 if small else 40

    def loss(p: Any, x: Any) -> Any:
        h = np.zeros((8, 32), np.float32)
        for t in range(steps):
            h = np.tanh(x[t] @ p["wx"] + h @ p["wh"] + p["b"])
        return np.mean(h * h)

    p = {"wx": _normal(16, 32, scale=0.1), "wh": _normal(32, 32, scale=0.1), "b": _normal(32)}
    return Workload(graphc.value_and_grad(loss), (p, _normal(steps, 8, 16)))


def _products(small: bool) -> Workload:
    count = 5 if small else 700

    def chained(a: Any, x: Any) -> Any:
        for _ in range(count):
            x = x @ a
        return x

    return Workload(chained, (np.linalg.qr(_normal(16, 16))[0], _normal(16, 16)))


def _blocks(ops: int) -> Callable[[bool], Workload]:
    """Residual blocks of about eleven ops: product, normalisation, activation."""

    def make(small: bool) -> Workload:
        count = (33 if small else ops) // 11

        def run(weights: Any, x: Any) -> Any:
            for number in range(count):
                h = x @ weights[number % len(weights)]
                h = h - np.mean(h, axis=-1, keepdims=True)
                h = h / np.sqrt(np.mean(h * h, axis=-1, keepdims=True) + np.float32(1e-5))
                x = x + np.maximum(h, np.float32(0.1) * h)
            return np.sum(x * x)

        return Workload(run, ([_normal(32, 32, scale=0.1 + 0.01 * n) for n in range(8)], _normal(16, 32)))

    return make


def _tower(layers: int) -> Callable[[bool], Workload]:
    """The gradient of a residual network."""

    def make(small: bool) -> Workload:
        def loss(layers: Any, x: Any) -> Any:
            for w, b in layers:
                x = x + nn.gelu(nn.linear(x, w, b))
            return np.mean(x**2)

        made = [(_normal(32, 32, scale=0.05), _normal(32)) for _ in range(2 if small else layers)]
        return Workload(graphc.value_and_grad(loss), (made, _normal(16, 32)))

    return make


def _bench(name: str) -> Callable[[bool], Workload]:
    return next(case.make for case in CASES if case.name == name)


SOON: Final = Goal("seconds", 3.0, at_least=False)
LARGE: Final = Goal("seconds", 8.0, at_least=False)

COLD_CASES: Final[tuple[ColdCase, ...]] = (
    *(
        ColdCase(f"cold-{name}", f"{name}: a training step, batch {batch}", _model(name, batch), SOON)
        for name, batch in (("bigram", 3200), ("mlp", 32), ("batchnorm_mlp", 32), ("microgpt", 1))
    ),
    ColdCase("cold-gpt", "gpt 384/6/6/256: a training step, batch 4", _bench("gpt"), SOON),
    ColdCase("cold-transformer", "transformer 64/4/2/32: a training step, batch 8", _bench("transformer"), SOON),
    ColdCase("cold-recurrence", "a recurrence of 40 steps written out, and its gradient", _recurrence, SOON),
    ColdCase("cold-products", "700 products 16x16 in a row", _products, SOON),
    ColdCase("cold-blocks", "residual blocks of 2,000 ops", _blocks(2_000), SOON),
    ColdCase("cold-tower", "40 layers and their gradient", _tower(40), SOON),
    ColdCase("cold-blocks-10000", "residual blocks of 10,000 ops", _blocks(10_000), LARGE),
)


@dataclass(frozen=True, slots=True)
class ColdResult:
    """A case with the figures of each way to start: of the round whose first result came after the median time.

    goal: what the first way is held to; None for tiny sizes.
    """

    name: str
    what: str
    ways: Mapping[str, First]
    goal: Goal | None

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached."""
        return None if self.goal is None else self.goal.met(self.ways[WAYS[0]].seconds)

    def to_data(self) -> dict[str, Any]:
        """As plain data for JSON."""
        goals = [{"goal": str(self.goal), "value": self.ways[WAYS[0]].seconds, "met": self.met}] if self.goal else []
        ways = {name: asdict(way) for name, way in self.ways.items()}
        return {"name": self.name, "what": self.what, "ways": ways, "goals": goals}


def measure(name: str, small: bool = False, device: str | None = None) -> First:
    """Measure one program in this process, with the cache as it is; the program is compiled in full afterwards."""
    work = next(case.make for case in COLD_CASES if case.name == name)(small)
    chosen = graphc.device(device)
    np.asarray(chosen.upload(np.zeros(1, np.float32)))  # the adapter is open
    call = graphc.compile(work.fn, device=chosen, donate=tuple(range(work.carried)))
    begin = time.perf_counter()
    results = call(*work.arguments)
    graphc.tree.map(np.asarray, results)
    seconds = time.perf_counter() - begin
    executable = call.lower(*work.arguments)
    runner = executable.prepared()
    compiled = runner.compiled
    if compiled is None:
        raise DeviceError(f"device {chosen.name} compiles no kernels")
    runner.settle()
    arguments, times = work.arguments, []
    for _ in range(CALLS):
        if work.carried:
            arguments = (*results[: work.carried], *arguments[work.carried :])
        begin = time.perf_counter()
        results = call(*arguments)
        graphc.tree.leaves(results)[-1].block_until_ready()
        times.append(time.perf_counter() - begin)
    ops = len(executable.stages[0][1].nodes)
    return First(seconds, compiled.seconds, ops, len(executable.plan.kernels), statistics.median(times))


def run_cold(
    cases: Iterable[ColdCase],
    device: str | None = None,
    *,
    rounds: int = 1,
    small: bool = False,
    note: Callable[[str], None] = lambda line: None,
) -> list[ColdResult]:
    """Measure cases, each way in processes of its own.

    device: as `graphc.device` takes it. rounds: how often, at most 3 times. Raises DeviceError where a process fails.
    """
    results = []
    for case in cases:
        note(f"{case.name}: {case.what}")
        found: dict[str, list[First]] = {way: [] for way in WAYS}
        for _ in range(min(rounds, MOST_ROUNDS)):
            with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
                found[WAYS[0]].append(_process(case.name, device, small, Path(one), "quick"))
                found[WAYS[1]].append(_process(case.name, device, small, Path(other), "full"))
                found[WAYS[2]].append(_process(case.name, device, small, Path(one), "quick"))
        medians = {
            way: sorted(rounds_of, key=lambda first: first.seconds)[len(rounds_of) // 2]
            for way, rounds_of in found.items()
        }
        results.append(ColdResult(case.name, case.what, medians, None if small else case.goal))
    return results


def _process(name: str, device: str | None, small: bool, cache: Path, start: str) -> First:
    settings = dict.fromkeys(CACHES, str(cache)) | {"GRAPHC_TUNE": "off", "GRAPHC_START": start}
    env = {k: v for k, v in os.environ.items() if k != "MESA_SHADER_CACHE_DISABLE"} | settings
    command = [sys.executable, "-m", "graphc.bench.cold", name, json.dumps({"small": small, "device": device})]
    try:
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=MOST_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise DeviceError(f"{name}: no result after {MOST_SECONDS:.0f} s") from error
    if done.returncode:
        raise DeviceError(f"{name}: the process that measures it failed: {done.stderr.strip().splitlines()[-1:]}")
    return First(**json.loads(done.stdout.splitlines()[-1]))


def show_cold(results: Iterable[ColdResult], console: Console) -> None:
    """Print a row a program, and which goals were met."""
    table = Table(box=None, pad_edge=False)
    table.add_column("first result")
    for column in ("ops", "kernels", *(f"{way}, s" for way in WAYS), "compiling, s", "a call later, ms"):
        table.add_column(column, justify="right")
    for result in (rows := list(results)):
        first = result.ways[WAYS[0]]
        seconds = [f"{result.ways[way].seconds:.2f}" for way in WAYS]
        later = f"{first.later * 1e3:.2f}"
        table.add_row(result.name, str(first.ops), str(first.kernels), *seconds, f"{first.compiling:.2f}", later)
    console.print(table, highlight=False)
    for result in rows:
        if result.goal is not None:
            mark, first = "reached" if result.met else "missed", result.ways[WAYS[0]]
            console.print(f"{mark:8s} {result.name}: {result.goal}, is {first.seconds:.3g}", highlight=False)


if __name__ == "__main__":
    print(json.dumps(asdict(measure(sys.argv[1], **json.loads(sys.argv[2])))))
