"""The training loop of every model: one compiled step, losses read late, the run kept in a directory."""

from __future__ import annotations

import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from types import FrameType
from typing import Any, Final, Protocol

import numpy as np

import graphc
import graphc.optim
import graphc.random
from graphc.errors import DataError, NonFiniteError
from graphc.models import MODELS, Model
from graphc.models.data import Corpus, Vocabulary
from graphc.models.rundir import RunDirectory

OPTIMIZERS: Final[dict[str, Callable[..., graphc.optim.Optimizer]]] = {
    "sgd": graphc.optim.sgd,
    "momentum": graphc.optim.momentum,
    "adam": graphc.optim.adam,
    "adamw": graphc.optim.adamw,
}
DECAYS: Final = ("constant", "linear", "cosine")
MAX_PENDING: Final = 8
"""Steps that may be under way before the loop waits for the loss of the oldest."""


@dataclass(frozen=True)
class RunConfig:
    """Everything that decides what a run computes, its data's content aside. settings: fields of the model's Config."""

    model: str
    data: str | None
    steps: int
    batch_size: int
    optimizer: str
    rate: float
    decay: str
    seed: int
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size"):
            if getattr(self, name) < 1:
                raise DataError(f"{name} is {getattr(self, name)}: need at least 1")

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> RunConfig:
        """The run of a config.json; raises DataError for one that graphc did not write."""
        try:
            run = cls(**{name: raw[name] for name in cls.__dataclass_fields__})
            known = run.model in MODELS and run.optimizer in OPTIMIZERS and run.decay in DECAYS
        except (KeyError, TypeError) as error:
            raise DataError(f"not the config of a run: {error}") from error
        if not known:
            raise DataError(f"unknown model {run.model!r}, optimizer {run.optimizer!r} or decay {run.decay!r}")
        return run

    def make_optimizer(self) -> graphc.optim.Optimizer:
        """The optimizer with its learning rate's schedule over all steps."""
        defaults = MODELS[self.model].DEFAULTS
        options = defaults.options if self.optimizer == defaults.optimizer else {}
        rate: graphc.optim.Rate = self.rate
        if self.decay == "linear":
            rate = graphc.optim.linear(self.rate, 0.0, self.steps)
        elif self.decay == "cosine":
            rate = graphc.optim.cosine(self.rate, self.steps)
        return OPTIMIZERS[self.optimizer](rate, **options)


class Reporter(Protocol):
    """Who is told how a run goes."""

    def begin(self, done: int, total: int) -> None:
        """The loop starts after `done` of `total` steps."""

    def loss(self, step: int, value: float) -> None:
        """The loss of a step (1 is the first)."""

    def note(self, text: str) -> None:
        """Something worth one line."""

    def end(self) -> None:
        """The loop is over."""


class Silent:
    """A reporter that keeps everything to itself."""

    def begin(self, done: int, total: int) -> None:
        """Nothing."""

    def loss(self, step: int, value: float) -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Nothing."""

    def end(self) -> None:
        """Nothing."""


@dataclass
class Trained:
    """What a run left: parameters, the losses of the steps it made, and whether it was interrupted before the end."""

    params: Any
    config: Any
    vocabulary: Vocabulary
    steps: int
    losses: list[float]
    interrupted: bool = False


def training_step(model: Model, config: Any, optimizer: graphc.optim.Optimizer) -> Callable[..., Any]:
    """The function (params, state, x, y) -> (params, state, loss) of one step, ready to trace or compile."""

    def loss(params: Any, x: Any, y: Any) -> Any:
        return model.loss(params, x, y, config)

    def step(params: Any, state: Any, x: Any, y: Any) -> tuple[Any, Any, Any]:
        value, grads = graphc.value_and_grad(loss)(params, x, y)
        params, state = optimizer.update(grads, state, params)
        return params, state, value

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

    The first Ctrl-C ends the loop after the step under way and saves; a second one stops at once. Raises
    NonFiniteError when a loss is NaN or infinite: the last checkpoint is from before.
    """
    model = MODELS[run.model]
    config, vocabulary = model.configure(corpus, **run.settings)
    batch = model.batches(corpus, config, run.batch_size, run.seed)
    optimizer = run.make_optimizer()
    if resume and directory is not None:
        params, state, done = directory.load_newest()
    else:
        params = model.init(graphc.random.key(run.seed), config)
        state, done = optimizer.init(params), 0
    if directory is not None:
        directory.begin({**asdict(run), "config": asdict(config), "vocabulary": vocabulary.characters}, done)
    step = graphc.compile(training_step(model, config, optimizer), device=device, donate=("params", "state"))
    loop = _Loop(run.steps, directory, reporter or Silent())
    params, state, done = loop.run(step, batch, params, state, done)
    return Trained(params, config, vocabulary, done, loop.losses, loop.interrupted)


class _Loop:
    """The loop itself: submits steps, and reads each loss once it is there or too many are under way."""

    def __init__(self, steps: int, directory: RunDirectory | None, reporter: Reporter) -> None:
        self.steps = steps
        self.directory = directory
        self.reporter = reporter
        self.losses: list[float] = []
        self.interrupted = False
        self._pending: deque[tuple[int, Any]] = deque()
        self._started = time.perf_counter()

    def run(
        self, step: Callable[..., Any], batch: Callable[[int], tuple[Any, Any]], params: Any, state: Any, done: int
    ) -> tuple[Any, Any, int]:
        """Make the steps from `done` on; returns params, state and how many steps are done."""
        saved = done
        self.reporter.begin(done, self.steps)
        try:
            with _interrupts() as interrupted:
                while done < self.steps and not interrupted():
                    params, state, loss = step(params, state, *batch(done))
                    done += 1
                    self._pending.append((done, loss))
                    self._read(keep=MAX_PENDING)
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

    def _read(self, keep: int) -> None:
        """Record the losses that are there, and wait for the oldest while more than `keep` are not."""
        while self._pending and (len(self._pending) > keep or self._pending[0][1].is_ready()):
            number, array = self._pending.popleft()
            value = float(array)
            if not np.isfinite(value):
                raise NonFiniteError(f"the loss is {value} at step {number}: a lower learning rate may help")
            self.losses.append(value)
            if self.directory is not None:
                self.directory.record(number, value, time.perf_counter() - self._started)
            self.reporter.loss(number, value)

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
