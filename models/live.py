"""A training run in a notebook: one picture that is drawn anew while it goes, instead of lines that scroll away."""

from __future__ import annotations

import time
from html import escape
from typing import Any, Final

import numpy as np

from graphc.errors import DataError

INTERVAL: Final = 0.5
"""Seconds between two drawings, at least."""

POINTS: Final = 400
"""Points of a curve; of a longer run, each is the mean of several losses."""

NOTES: Final = 5
"""Lines below the picture: the last ones that were told."""

WIDTH, HEIGHT, LEFT, LOW = 640, 200, 60, 22


class LivePlot:
    """Shows the losses of a run where a notebook cell runs, as a reporter of `graphc.models.train.train`.

    The picture replaces itself at most twice a second and once at the end, so that the notebook holds one picture
    however long the run was. Raises DataError without IPython.
    """

    def __init__(self) -> None:
        try:
            from IPython.display import HTML, display
        except ImportError as error:
            raise DataError("a live plot is shown in a notebook: pip install ipython") from error
        self._html: Any = HTML
        self._display: Any = display
        self._handle: Any = None
        self._losses: list[float] = []
        self._notes: list[str] = []
        self._first, self._total, self._tokens = 1, 0, 0
        self._began = self._drawn = 0.0

    def begin(self, done: int, total: int, tokens: int) -> None:
        """The loop starts: an empty picture is shown."""
        self._first, self._total, self._tokens = done + 1, total, tokens
        self._began = time.monotonic()
        self._handle = self._display(self._html(self.html()), display_id=True)

    def loss(self, step: int, value: float) -> None:
        """Draw the loss of a step, if it is time."""
        self._losses.append(value)
        self._draw(INTERVAL)

    def note(self, text: str) -> None:
        """A line below the picture."""
        self._notes = [*self._notes, text][-NOTES:]
        self._draw(INTERVAL)

    def end(self) -> None:
        """Draw what is there."""
        self._draw(0.0)

    def _draw(self, interval: float) -> None:
        now = time.monotonic()
        if self._handle is not None and now - self._drawn >= interval:
            self._drawn = now
            self._handle.update(self._html(self.html()))

    def html(self) -> str:
        """The picture as it is now."""
        done = self._first - 1 + len(self._losses)
        seconds = max(time.monotonic() - self._began, 1e-9)
        pace = len(self._losses) / seconds
        last = f", loss {np.mean(self._losses[-20:]):.4f}" if self._losses else ""
        head = f"step {done:,} of {self._total:,}{last}, {pace:,.1f} steps/s, {pace * self._tokens:,.0f} tokens/s"
        share = done / self._total if self._total else 0.0
        bar = (
            f'<svg width="{WIDTH}" height="6" role="progressbar" aria-valuenow="{100 * share:.0f}">'
            f'<rect width="{WIDTH}" height="6" fill="#8884"/>'
            f'<rect width="{WIDTH * share:.1f}" height="6" fill="#4a7ebb"/></svg>'
        )
        notes = "".join(f"<div>{escape(note)}</div>" for note in self._notes)
        return f"<div>{escape(head)}</div>{bar}<div>{_curve(self._losses, self._first)}</div>{notes}"


def _curve(losses: list[float], first: int) -> str:
    """Losses over the steps, and their running mean, as an SVG."""
    if len(losses) < 2:
        return ""
    each = -(-len(losses) // POINTS)
    means = [float(np.mean(losses[n : n + each])) for n in range(0, len(losses), each)]
    low, high = min(means), max(means)
    span = (high - low) or 1.0

    def at(number: int, value: float) -> str:
        x = LEFT + number / max(len(means) - 1, 1) * (WIDTH - LEFT - 8)
        return f"{x:.1f},{8 + (high - value) / span * (HEIGHT - LOW - 8):.1f}"

    smooth, mean = [], means[0]
    for value in means:
        mean += 0.1 * (value - mean)
        smooth.append(mean)
    ticks = "".join(
        f'<text x="4" y="{12 + (high - v) / span * (HEIGHT - LOW - 8):.1f}" font-size="11" fill="currentColor">'
        f"{v:.3g}</text>"
        for v in (low, high)
    )
    ends = (
        f'<text x="{LEFT}" y="{HEIGHT - 4}" font-size="11" fill="currentColor">{first}</text>'
        f'<text x="{WIDTH - 8}" y="{HEIGHT - 4}" font-size="11" text-anchor="end" fill="currentColor">'
        f"{first + len(losses) - 1}</text>"
    )
    lines = "".join(
        f'<polyline fill="none" stroke="{colour}" stroke-width="{width}" '
        f'points="{" ".join(at(n, v) for n, v in enumerate(values))}"/>'
        for values, colour, width in ((means, "#8888", 1), (smooth, "#4a7ebb", 2))
    )
    label = f"losses from {losses[0]:.3g} to {losses[-1]:.3g}"
    head = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" role="img" aria-label="{label}">'
    return f"{head}{ticks}{ends}{lines}</svg>"
