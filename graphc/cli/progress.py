"""How a run is shown while it goes: a live bar on a terminal, plain lines elsewhere; always on stderr."""

from __future__ import annotations

import sys
import time
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from graphc.models.train import Reporter

SMOOTHING: Final = 0.98
"""Weight of the past in the loss that is shown; single steps are noisy."""
INTERVAL: Final = 5.0
"""Seconds between two plain lines."""
SETTLED: Final = 1.0
BURST: Final = 0.01
_now: Final = time.monotonic


def reporter() -> Reporter:
    """The right one for this stderr."""
    return LiveBar() if sys.stderr.isatty() else PlainLines()


class _Average:
    """A running mean that leans on the last values: exact at first, smoothed later."""

    def __init__(self) -> None:
        self.value = 0.0
        self._weight = 0.0

    def add(self, value: float) -> None:
        self._weight = SMOOTHING * self._weight + 1
        self.value += (value - self.value) / self._weight


class _Pace:
    """Steps and tokens a second: since the first losses came, because what was before them includes the compilation.

    Losses come in bursts, those of one submit at once, so that little time says nothing: until SETTLED seconds have
    passed since the first burst, it is the pace since the beginning, with all that this includes.
    """

    def __init__(self, done: int, tokens: int) -> None:
        self._done = done
        self._tokens = tokens
        self._began = _now()
        self._first = 0.0
        self._mark = (done, 0.0)

    def at(self, step: int) -> str:
        """The pace as text, after a step."""
        now = _now()
        self._first = self._first or now
        if now - self._first < BURST:
            self._mark = step, now
        origin, since = self._mark if now - self._mark[1] >= SETTLED else (self._done, self._began)
        steps = (step - origin) / max(now - since, 1e-9)
        return f"{steps:.1f} steps/s  {steps * self._tokens:,.0f} tokens/s"


class LiveBar:
    """A bar with steps, loss, steps and tokens a second, and time left."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]}"),
            TextColumn("{task.fields[pace]}"),
            TimeRemainingColumn(compact=True),
            console=self._console,
        )
        self._task: TaskID | None = None
        self._average = _Average()
        self._pace = _Pace(0, 0)

    def begin(self, done: int, total: int, tokens: int) -> None:
        """Show the bar."""
        self._pace = _Pace(done, tokens)
        self._task = self._progress.add_task("training", total=total, completed=done, loss="...", pace="")
        self._progress.start()

    def loss(self, step: int, value: float) -> None:
        """Move the bar on."""
        self._average.add(value)
        if self._task is not None:
            shown = f"{self._average.value:.4f}"
            self._progress.update(self._task, completed=step, loss=shown, pace=self._pace.at(step))

    def note(self, text: str) -> None:
        """A line above the bar."""
        self._console.print(text, highlight=False, markup=False)

    def end(self) -> None:
        """Leave the bar as it stands."""
        self._progress.stop()


class PlainLines:
    """A line now and then: after the first step, every few seconds, and after the last."""

    def __init__(self) -> None:
        self._total = 0
        self._first = 0
        self._said = 0.0
        self._average = _Average()
        self._pace = _Pace(0, 0)

    def begin(self, done: int, total: int, tokens: int) -> None:
        """The first step is still to come."""
        self._first, self._total = done + 1, total
        self._pace = _Pace(done, tokens)

    def loss(self, step: int, value: float) -> None:
        """A line, if one is due."""
        self._average.add(value)
        pace = self._pace.at(step)
        now = time.monotonic()
        if step in (self._first, self._total) or now - self._said >= INTERVAL:
            self._said = now
            self.note(f"step {step}/{self._total}  loss {self._average.value:.4f}  {pace}".rstrip())

    def note(self, text: str) -> None:
        """One line."""
        print(text, file=sys.stderr, flush=True)

    def end(self) -> None:
        """Nothing is left to do."""
