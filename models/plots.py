"""Pictures of a run, drawn with matplotlib (the extra `plot`) as SVG."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from graphc.models.data import Vocabulary

Array = Any
MISSING: Final = "no plots: matplotlib is not installed; mend it with: pip install 'graphc[plot]'"
END: Final = "."
"""How the token between documents is written in pictures."""
SMOOTHING: Final = 0.95
"""Weight of the past in a smoothed loss; a single batch says little."""
POINTS: Final = 2000
"""Points of a curve; a longer one is thinned, and its file stays small."""


def available() -> bool:
    """Whether matplotlib is installed."""
    return importlib.util.find_spec("matplotlib") is not None


def draw_run(directory: Path, model: Any, params: Any, config: Any, vocabulary: Vocabulary) -> list[Path]:
    """Draw the curves of a run's metrics.jsonl, and the model's own pictures; returns the files."""
    lines = [json.loads(line) for line in (directory / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    drawn = [loss_curves(lines, directory / "loss.svg")] if lines else []
    for name, title in (
        ("learning_rate", "learning rate"),
        ("gradient_norm", "norm of all gradients"),
        ("update_ratio", "norm of the update / norm of the parameters"),
    ):
        points = [(line["step"], line[name]) for line in lines if name in line]
        if points:
            path = directory / f"{name}.svg"
            drawn.append(curve(points, title, path, log=name == "update_ratio"))
    for line in [line for line in lines if "taps" in line][-1:]:
        for kind, title in (("value", "tapped values"), ("gradient", "gradients of tapped values")):
            reports = {name: report[kind] for name, report in line["taps"].items()}
            path = directory / f"tapped_{kind}.svg"
            drawn.append(histograms(reports, f"{title} at step {line['step']}", path))
    own: Callable[..., list[Path]] | None = getattr(model, "draw", None)
    return drawn + (own(params, config, vocabulary, directory) if own else [])


def loss_curves(lines: Sequence[Mapping[str, float]], path: Path) -> Path:
    """The loss of each batch, its exponential mean, and the evaluated parts (train, dev), over the steps."""
    steps, losses = np.array([line["step"] for line in lines]), np.array([line["loss"] for line in lines])
    kept = _thinned(len(steps))
    with _figure(path) as axes:
        axes.plot(steps[kept], losses[kept], color="0.8", linewidth=0.6, label="batch")
        axes.plot(steps[kept], smooth(losses)[kept], color="C0", linewidth=1.2, label="batch, smoothed")
        for color, part in (("C2", "train"), ("C3", "dev")):
            points = [(line["step"], line[part]) for line in lines if part in line]
            if points:
                axes.plot(*zip(*points, strict=True), ".-", color=color, label=part)
        axes.set(xlabel="step", ylabel="loss (nats)", yscale="log")
        axes.legend(frameon=False)
    return path


def smooth(losses: Array) -> Array:
    """An exponential mean of losses [N], without the lean towards 0 at its beginning."""
    mean, weight, found = 0.0, 0.0, []
    for loss in losses:
        mean, weight = SMOOTHING * mean + (1 - SMOOTHING) * loss, SMOOTHING * weight + (1 - SMOOTHING)
        found.append(mean / weight)
    return np.array(found)


def curve(points: Sequence[tuple[float, float]], title: str, path: Path, log: bool = False) -> Path:
    """One quantity over the steps."""
    with _figure(path) as axes:
        axes.plot(*zip(*points, strict=True), ".-", linewidth=1)
        axes.set(xlabel="step", title=title)
        if log:
            axes.set_yscale("log")
    return path


def histograms(reports: Mapping[str, Mapping[str, Any]], title: str, path: Path) -> Path:
    """How the values of each tap are spread, as densities. reports: see `graphc.taps.statistics`, by name.

    Of a tap within a scan each step has its curve, such as "tanh[2]".
    """
    with _figure(path) as axes:
        for name, report in reports.items():
            for place in np.ndindex(np.shape(report["mean"])):
                found = {key: np.asarray(value)[place] for key, value in report.items()}
                steps = "".join(f"[{i}]" for i in place)
                text = f"{name}{steps}: std {found['std']:.2g}, {100 * found['saturation']:.0f}% above 0.97"
                counts, width = found["histogram"], (found["high"] - found["low"]) / found["histogram"].size
                if width == 0:  # one value, over and over
                    axes.axvline(found["low"], linewidth=1, linestyle=":", label=text)
                    continue
                middles = found["low"] + width * (np.arange(counts.size) + 0.5)
                axes.plot(middles, counts / (counts.sum() * width), linewidth=1, label=text)
        axes.set(title=title, ylabel="density", yscale="log")
        axes.legend(frameon=False, fontsize=8)
    return path


def lr_curve(rates: Array, losses: Array, suggestion: float, path: Path) -> Path:
    """The losses [N] of a learning-rate sweep over the rates [N], and the suggestion."""
    kept = _thinned(len(rates))
    with _figure(path) as axes:
        axes.plot(rates[kept], losses[kept], color="0.8", linewidth=0.6, label="batch")
        axes.plot(rates[kept], smooth(losses)[kept], linewidth=1.2, label="smoothed")
        axes.axvline(suggestion, color="C3", linewidth=1, label=f"suggestion {suggestion:.2g}")
        axes.set(xlabel="learning rate", ylabel="loss (nats)", xscale="log")
        axes.legend(frameon=False)
    return path


def heatmap(table: Array, vocabulary: Vocabulary, path: Path) -> Path:
    """A table [V, V] of positive numbers as colours, with the pair of characters (row, column) in each cell."""
    names = [*vocabulary.characters, END]
    shown = table / table.sum(axis=1, keepdims=True)
    with _figure(path, size=(10, 10)) as axes:
        axes.imshow(shown, cmap="Blues")
        for row, first in enumerate(names):
            for column, second in enumerate(names):
                color = "white" if shown[row, column] > 0.6 * shown.max() else "0.3"
                axes.text(column, row, first + second, ha="center", va="center", fontsize=6, color=color)
        axes.axis("off")
    return path


def scatter(points: Array, vocabulary: Vocabulary, path: Path) -> Path:
    """Points [V, 2] as the characters they stand for."""
    with _figure(path, size=(6, 6)) as axes:
        axes.scatter(points[:, 0], points[:, 1], s=180, color="C0", alpha=0.35)
        for (x, y), name in zip(points, [*vocabulary.characters, END], strict=True):
            axes.text(x, y, name, ha="center", va="center", fontsize=9)
        axes.grid(color="0.9")
    return path


class _figure:
    """A figure with one pair of axes, written when the block ends; drawn without a display and without global state."""

    def __init__(self, path: Path, size: tuple[float, float] = (6.4, 4.0)) -> None:
        from matplotlib.figure import Figure

        self._path = path
        self._figure = Figure(figsize=size, layout="constrained")

    def __enter__(self) -> Any:
        return self._figure.add_subplot()

    def __exit__(self, kind: Any, *rest: Any) -> None:
        if kind is None:
            import matplotlib

            # Text stays text: small files that can be searched; the same content gives the same bytes.
            style: Any = {"svg.fonttype": "none", "svg.hashsalt": "graphc", "font.sans-serif": ["DejaVu Sans"]}
            with matplotlib.rc_context(style):
                self._figure.savefig(self._path, metadata={"Date": None})


def _thinned(count: int) -> Array:
    """Which of `count` points are drawn: evenly many, the last among them."""
    return np.unique(np.linspace(0, count - 1, min(count, POINTS)).astype(int))
