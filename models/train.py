"""The training loop of every model: one compiled step, losses read late, the run kept in a directory."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import MISSING, asdict, dataclass, field, fields
from types import FrameType
from typing import Any, Final, Protocol

import numpy as np

import graphc
import graphc.optim
import graphc.random
import graphc.tree
from graphc.errors import DataError, NonFiniteError
from graphc.models import MODELS, Model, fit
from graphc.models.data import Corpus, Vocabulary
from graphc.models.rundir import RunDirectory
from graphc.models.steps import many, steps_of_submit
from graphc.models.watched import Evaluation, Sampler, update_ratios

OPTIMIZERS: Final[dict[str, Callable[..., graphc.optim.Optimizer]]] = {
    "sgd": graphc.optim.sgd,
    "momentum": graphc.optim.momentum,
    "adam": graphc.optim.adam,
    "adamw": graphc.optim.adamw,
    "lion": graphc.optim.lion,
    "lars": graphc.optim.lars,
    "adafactor": graphc.optim.adafactor,
    "muon": graphc.optim.muon,
}
DECAYS: Final = ("constant", "linear", "cosine", "step")
WATCHED: Final = ("learning_rate", "gradient_norm", "update_ratio")
"""What is measured of a step, beside losses."""

MAX_PENDING: Final = 8
MAX_SUBMITS: Final = 2
"""Submits that may be under way before the loop waits for the losses of the oldest: of one step, or of many."""


@dataclass(frozen=True)
class RunConfig:
    """Everything that decides what a run computes, its data's content aside.

    batch_size: examples a step, 0 for all there are. rate: learning rate, reached after `warmup` steps, falling by
    `decay`. clip: largest norm of all gradients, 0 for none. settings: fields of the model's Config.
    evaluate_every: steps between two evaluations, 0 for none.
    """

    model: str
    data: str | None
    steps: int
    batch_size: int
    optimizer: str
    rate: float
    decay: str
    seed: int
    settings: Mapping[str, Any] = field(default_factory=dict)
    warmup: int = 0
    clip: float = 0.0
    evaluate_every: int = 500

    def __post_init__(self) -> None:
        for name, least in (("steps", 1), ("batch_size", 0), ("warmup", 0), ("clip", 0), ("evaluate_every", 0)):
            if not least <= getattr(self, name) < math.inf:
                raise DataError(f"{name} is {getattr(self, name)}: need at least {least}")
        if not 0 < self.rate < math.inf:
            raise DataError(f"the learning rate is {self.rate}: need a positive number")

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> RunConfig:
        """The run of a config.json; raises DataError for one that graphc did not write."""
        try:
            optional = {f.name for f in fields(cls) if f.default is not MISSING}
            run = cls(**{f.name: raw[f.name] for f in fields(cls) if f.name in raw or f.name not in optional})
            known = run.model in MODELS and run.optimizer in OPTIMIZERS and run.decay in DECAYS
        except (KeyError, TypeError) as error:
            raise DataError(f"not the config of a run: {error}") from error
        if not known:
            raise DataError(f"unknown model {run.model!r}, optimizer {run.optimizer!r} or decay {run.decay!r}")
        return run

    def schedule(self) -> graphc.optim.Schedule:
        """The learning rate of each step: warmup, then the decay over the steps that are left."""
        left = max(self.steps - self.warmup, 1)
        after = {
            "constant": graphc.optim.constant(self.rate),
            "linear": graphc.optim.linear(self.rate, 0.0, left),
            "cosine": graphc.optim.cosine(self.rate, left),
            "step": graphc.optim.step(self.rate, every=-(-left // 2)),
        }[self.decay]
        return graphc.optim.warmup(after, self.warmup)

    def make_optimizer(self, rate: graphc.optim.Rate | None = None) -> graphc.optim.Optimizer:
        """The optimizer with the run's schedule, or another rate, behind clipping where there is some."""
        defaults = MODELS[self.model].DEFAULTS
        options = defaults.options if self.optimizer == defaults.optimizer else {}
        optimizer = OPTIMIZERS[self.optimizer](self.schedule() if rate is None else rate, **options)
        if self.clip:
            return graphc.optim.chain(graphc.optim.clip_by_global_norm(self.clip), optimizer)
        return optimizer


class Reporter(Protocol):
    """Who is told how a run goes."""

    def begin(self, done: int, total: int, tokens: int) -> None:
        """The loop starts after `done` of `total` steps, of `tokens` targets each (padding counts)."""

    def loss(self, step: int, value: float) -> None:
        """The loss of a step (1 is the first)."""

    def note(self, text: str) -> None:
        """Something worth one line."""

    def end(self) -> None:
        """The loop is over."""


class Silent:
    """A reporter that keeps everything to itself."""

    def begin(self, done: int, total: int, tokens: int) -> None:
        """Nothing."""

    def loss(self, step: int, value: float) -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Nothing."""

    def end(self) -> None:
        """Nothing."""


@dataclass
class Trained:
    """What a run left: parameters, the losses of the steps it made, and whether it was interrupted before the end.

    evaluated: what was measured now and then, by step: learning_rate, gradient_norm, update_ratio, and the mean loss
    of each part of the data that the model evaluates. taps: at the same steps, see graphc.with_taps. update_ratios: at
    the same steps, the norm of the change of each layer's parameters over their norm, by the layer's path. samples:
    what the model wrote at the same steps, where the run is kept in a directory.
    """

    params: Any
    config: Any
    vocabulary: Vocabulary
    steps: int
    losses: list[float]
    interrupted: bool = False
    evaluated: dict[int, dict[str, float]] = field(default_factory=dict)
    taps: dict[int, dict[str, Any]] = field(default_factory=dict)
    update_ratios: dict[int, dict[str, float]] = field(default_factory=dict)
    samples: dict[int, list[str]] = field(default_factory=dict)


def training_step(
    model: Model, config: Any, optimizer: graphc.optim.Optimizer, seed: int = 0, watch: bool = False
) -> Callable[..., Any]:
    """The function (params, state, x, y) -> (params, state, loss) of one step, ready to trace or compile.

    Random numbers of the model (dropout) come from `seed` and the number of the step. With `watch`, the third result
    is a dict of scalars instead: loss, gradient_norm (of all gradients together, before any clipping) and
    update_ratio (the norm of the change of all parameters over the norm of the parameters); update_ratios, a dict with
    that of each layer (see `watched.layers_of`); and, where the model has some, taps (see graphc.with_taps).
    """
    training_loss = getattr(model, "training_loss", None)

    def loss(params: Any, key: Any, x: Any, y: Any) -> tuple[Any, dict[str, Any]]:
        if training_loss is None:
            return model.loss(params, x, y, config), {}
        value, statistics = training_loss(params, key, x, y, config)
        return value, statistics

    def step(params: Any, state: Any, x: Any, y: Any) -> tuple[Any, Any, Any]:
        key = graphc.random.fold_in(graphc.random.key(seed), graphc.optim.steps_done(state))
        taps: dict[str, Any] = {}
        if watch:
            (value, statistics), grads, taps = graphc.with_taps(loss, has_aux=True)(params, key, x, y)
        else:
            (value, statistics), grads = graphc.value_and_grad(loss, has_aux=True)(params, key, x, y)
        new, state = optimizer.update(grads, state, params)
        # What a model observes, such as running means, is not the optimizer's: it replaces what the optimizer made.
        new = {**new, **statistics} if statistics else new
        if not watch:
            return new, state, value
        change = graphc.tree.map(lambda a, b: a - b, new, params)
        norm = graphc.optim.global_norm
        seen = {"loss": value, "gradient_norm": norm(grads), "update_ratio": norm(change) / norm(params)}
        seen["update_ratios"] = update_ratios(params, change)
        return new, state, {**seen, "taps": taps} if taps else seen

    return step


def train(
    run: RunConfig,
    corpus: Corpus,
    directory: RunDirectory | None = None,
    *,
    resume: bool = False,
    device: Any = None,
    reporter: Reporter | None = None,
) -> Trained:
    """Train until `run.steps` steps are done, from the directory's last checkpoint with `resume`.

    Many steps are submitted at once (see `steps_of_submit`); what they compute does not depend on how many. The first
    Ctrl-C ends the loop after the submit under way and saves; a second one stops at once. A run that is refused, or
    stopped before its first step, leaves nothing behind; one without a checkpoint begins again with `resume`. Raises
    NonFiniteError when a loss is NaN or infinite: the last checkpoint is from before. Raises OutOfMemoryError, before
    anything is allocated, where the device cannot hold the step; CheckpointError for the config or the parameters of
    another model.
    """
    reporter = reporter or Silent()
    model = MODELS[run.model]
    config, vocabulary = model.configure(corpus, **run.settings)
    batches = model.batches(corpus, config, run.batch_size, run.seed)
    optimizer = run.make_optimizer()
    params = model.init(graphc.random.key(run.seed), config)
    state, done = optimizer.init(params), 0
    if resume and directory is not None:
        if directory.checkpoints():
            wanted = {"params": params, "state": state}
            params, state, done = directory.load_newest()
            directory.check_config({"config": asdict(config), "vocabulary": vocabulary.characters})
            directory.check({"params": params, "state": state}, wanted)
        else:
            reporter.note(f"{directory.path} ended before its first checkpoint: it begins again")
        if done >= run.steps:
            reporter.note(f"{done} steps are done already, of {run.steps}: give more --steps to go on")
    described = {**asdict(run), "config": asdict(config), "vocabulary": vocabulary.characters}
    with nullcontext() if directory is None else directory.begun(described, done):
        single = training_step(model, config, optimizer, run.seed)
        step = graphc.compile(single, device=device, donate=("params", "state"))
        reporter.note(str(fit.agree(step, params, state, *batches(done), device)))

        def submitted(function: Callable[..., Any]) -> Callable[..., Any]:
            steps = many(function, batches.draw)
            return graphc.compile(steps, device=device, donate=("params", "state"), static=("count",))

        programs = Programs(
            plain=submitted(single),
            watched=submitted(training_step(model, config, optimizer, run.seed, watch=True)),
            data=graphc.tree.map(lambda array: graphc.asarray(array, device), batches.data),
            size=steps_of_submit(step.lower(params, state, *batches(done)), _interval(run, directory)),
            tokens=int(np.size(batches(done)[1])),
        )
        sampler = None if directory is None else Sampler(model, config, vocabulary, device)
        loop = _Loop(
            run, directory, reporter, Evaluation(model, corpus, config, run.batch_size, run.seed, device), sampler
        )
        params, state, done = loop.run(programs, params, state, done)
    return Trained(
        params,
        config,
        vocabulary,
        done,
        loop.losses,
        loop.interrupted,
        loop.evaluated,
        loop.taps,
        loop.update_ratios,
        loop.samples,
    )


def _interval(run: RunConfig, directory: RunDirectory | None) -> int:
    """The steps between two that are watched, or two checkpoints, or all."""
    every = run.evaluate_every - 1 if run.evaluate_every > 1 else run.steps
    return max(1, min(every, run.steps, directory.every if directory is not None else run.steps))


@dataclass(frozen=True)
class Programs:
    """What a run submits. plain, watched: see `steps.many`; data: on the device; size: steps of a submit.

    tokens: targets of a step, padding included.
    """

    plain: Callable[..., Any]
    watched: Callable[..., Any]
    data: Any
    size: int
    tokens: int


class _Loop:
    """The loop itself: submits steps, and reads their losses once they are there or too many are under way."""

    def __init__(
        self,
        run: RunConfig,
        directory: RunDirectory | None,
        reporter: Reporter,
        evaluation: Evaluation,
        sampler: Sampler | None,
    ) -> None:
        self.steps = run.steps
        self.directory = directory
        self.reporter = reporter
        self.losses: list[float] = []
        self.evaluated: dict[int, dict[str, float]] = {}
        self.taps: dict[int, dict[str, Any]] = {}
        self.update_ratios: dict[int, dict[str, float]] = {}
        self.samples: dict[int, list[str]] = {}
        self.interrupted = False
        self._every = run.evaluate_every
        self._schedule = run.schedule()
        self._evaluation = evaluation
        self._sampler = sampler
        self._pending: deque[tuple[int, dict[str, Any]]] = deque()
        self._started = time.perf_counter()

    def run(
        self,
        programs: Programs,
        params: Any,
        state: Any,
        done: int,
    ) -> tuple[Any, Any, int]:
        """Make the steps from `done` on, some of them watched, and the model evaluated after those.

        Returns params, state and how many steps are done.
        """
        saved = done
        self.reporter.begin(done, self.steps, programs.tokens)
        try:
            with _interrupts() as interrupted:
                while done < self.steps and not interrupted():
                    due = self._every > 0 and (done + 1) % self._every == 0
                    count = programs.size if not due and done + programs.size <= self._next_stop(done) else 1
                    program = programs.watched if due else programs.plain
                    params, state, seen = program(params, state, programs.data, np.int32(done), count)
                    seen = seen if due else {"loss": seen}
                    done += count
                    if due or (self._every and done == self.steps):
                        seen = {**seen, **self._evaluation(params)}
                        if self._sampler is not None:
                            self.samples[done] = self._sampler(params)
                    self._pending.append((done, seen))
                    self._read(keep=MAX_PENDING if programs.size == 1 else MAX_SUBMITS)
                    if self.directory is not None and self.directory.is_due(done):
                        self._save(params, state, done)
                        saved = done
                self.interrupted = done < self.steps
                self._read(keep=0)
            if done > saved or (done == 0 and self.interrupted):
                self._save(params, state, done)
        finally:
            self.reporter.end()
            if self.directory is not None:
                self.directory.close()
        return params, state, done

    def _next_stop(self, done: int) -> int:
        """The step before the next one that is watched, the next that is saved, or the last."""
        stops = [self.steps]
        if self._every:
            stops.append((done + 1) // self._every * self._every + self._every - 1)
        if self.directory is not None:
            stops.append((done // self.directory.every + 1) * self.directory.every)
        return min(stops)

    def _read(self, keep: int) -> None:
        """Record the losses that are there, and wait for the oldest while more than `keep` submits are not."""
        while self._pending and (len(self._pending) > keep or self._pending[0][1]["loss"].is_ready()):
            last, seen = self._pending.popleft()
            # A list holds scalars to average; the rest is one number for each step of the submit.
            losses = np.asarray(seen["loss"]).tolist()
            values = {
                name: float(np.mean([float(v) for v in value]) if isinstance(value, list) else np.asarray(value)[-1])
                for name, value in seen.items()
                if name not in ("loss", "taps", "update_ratios")
            }
            if "update_ratios" in seen:
                ratios = {name: float(np.asarray(value)[-1]) for name, value in seen["update_ratios"].items()}
                self.update_ratios[last] = ratios
            if "taps" in seen:
                self.taps[last] = graphc.tree.map(lambda array: np.asarray(array)[-1].tolist(), seen["taps"])
            for number, loss in enumerate(losses, last - len(losses) + 1):
                self._record(number, loss, values if number == last else {})

    def _record(self, number: int, loss: float, values: dict[str, float]) -> None:
        """The loss of one step, and what else was measured after it."""
        if not np.isfinite(loss):
            raise NonFiniteError(f"the loss is {loss} at step {number}: a lower learning rate may help")
        self.losses.append(loss)
        if values:
            values = {"learning_rate": float(self._schedule(np.int32(number - 1))), **values}
            self.evaluated[number] = values
            self._tell(number, values)
        if self.directory is not None:
            kept: dict[str, dict[int, Any]] = {
                "taps": self.taps,
                "update_ratios": self.update_ratios,
                "samples": self.samples,
            }
            more = {name: found[number] for name, found in kept.items() if number in found}
            self.directory.record(number, loss, time.perf_counter() - self._started, {**values, **more})
        self.reporter.loss(number, loss)

    def _tell(self, number: int, values: dict[str, float]) -> None:
        """A line with the losses of the parts that were evaluated, where there are any."""
        parts = [name for name in values if name not in WATCHED]
        if parts:
            self.reporter.note(f"step {number}: " + ", ".join(f"{name} {values[name]:.4f}" for name in parts))

    def _save(self, params: Any, state: Any, done: int) -> None:
        if self.directory is None:
            return
        self._read(keep=0)
        path = self.directory.save(params, state, done)
        self.reporter.note(f"saved {path}")


@contextmanager
def _interrupts() -> Iterator[Callable[[], bool]]:
    """Gives a function that says whether Ctrl-C was pressed; a second Ctrl-C raises KeyboardInterrupt.

    An exception in the middle of a step would leave donated parameters that are neither old nor new.
    """
    hits = 0

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal hits
        hits += 1
        if hits > 1:
            raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    before = signal.signal(signal.SIGINT, handle)
    try:
        yield lambda: hits > 0
    finally:
        signal.signal(signal.SIGINT, before)
