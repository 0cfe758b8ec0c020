"""What a training run left, as a part of the document: losses, what was measured now and then, and taps."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from graphc.errors import DataError
from graphc.inspect.viz.dot import clean

POINTS: Final = 1500
"""Losses that are drawn; of a longer run, each is the mean of several."""

DRAWN: Final = ("loss", "learning_rate", "gradient_norm", "update_ratio", "tapped_value", "tapped_gradient")
"""Drawings of a run that the page has of its own."""

PICTURE: Final = 400_000
"""Bytes up to which a drawing is taken along."""

BESIDE: Final = ("step", "loss", "seconds")
RATIOS: Final = 200
WRITTEN: Final = 12
SAMPLES: Final = 10
SAMPLE: Final = 600
"""Steps whose ratios and whose samples are kept; samples of a step, and characters of each."""

TAPS: Final = 8
"""Steps whose taps are kept, the last among them."""


def run_document(path: Path) -> dict[str, Any]:
    """The run of a directory, from its config.json and metrics.jsonl. Raises DataError naming the file.

    update_ratios: [step, {layer: number}] pairs. written: [step, [text, ...]] pairs, what the model wrote meanwhile.
    losses: [step, mean loss up to it] pairs. measured: [step, {name: number}] pairs. taps: [step, {name: {kind:
    statistics}}] pairs. pictures: [name, base64 of an SVG] pairs.
    """
    config = _json(path / "config.json", _text(path / "config.json"))
    text = _text(path / "metrics.jsonl")
    whole = text[: text.rfind("\n") + 1].splitlines()  # a run that was killed may have left half a line
    lines = [_json(path / "metrics.jsonl", line) for line in whole]
    known = [line for line in lines if isinstance(line.get("step"), int) and _number(line.get("loss")) is not None]
    measured = [[line["step"], _measured(line)] for line in known]
    taps = [[line["step"], _taps(line["taps"])] for line in known if isinstance(line.get("taps"), Mapping)]
    return {
        "name": clean(path.name, 120),
        "config": [[clean(str(name), 60), clean(json.dumps(value), 200)] for name, value in config.items()],
        "steps": len(known),
        "seconds": known[-1]["seconds"] if known and _number(known[-1].get("seconds")) is not None else None,
        "losses": _thinned([(line["step"], float(line["loss"])) for line in known]),
        "measured": [one for one in measured if one[1]],
        "taps": _evenly(taps, TAPS),
        "update_ratios": _evenly([[step, _ratios(found)] for step, found in _kept(known, "update_ratios")], RATIOS),
        "written": _evenly([[step, _texts(found)] for step, found in _kept(known, "samples")], WRITTEN),
        "pictures": _pictures(path),
    }


def _kept(lines: list[dict[str, Any]], name: str) -> list[tuple[int, Any]]:
    """The step and what is there under a name, of the lines that have it."""
    return [(line["step"], line[name]) for line in lines if name in line]


def _evenly(items: list[list[Any]], most: int) -> list[list[Any]]:
    """At most so many, evenly, the last among them."""
    every = max(1, -(-len(items) // most))
    return items[::-1][::every][::-1]


def _ratios(found: Any) -> dict[str, float]:
    """The finite numbers of a mapping, by cleaned names."""
    if not isinstance(found, Mapping):
        return {}
    made = {clean(str(name), 80): _number(value) for name, value in found.items()}
    return {name: float(f"{value:.4g}") for name, value in made.items() if value is not None}


def _texts(found: Any) -> list[str]:
    return [sample_text(str(text)) for text in found[:SAMPLES]] if isinstance(found, list) else []


def sample_text(text: str) -> str:
    """A sample as it is shown: the ends of its lines as arrows."""
    return clean(text.replace("\n", "↵"), SAMPLE)


def attention_document(text: str, maps: Any) -> dict[str, Any]:
    """Attention weights of a text, for the page. maps: [layers, heads, T, T], from 0 to 1, T the length of the text.

    Each is a byte there; a row is a character that looks, a column one that is looked at.
    """
    layers, heads, length, _ = np.shape(maps)
    levels = np.rint(np.asarray(maps, np.float64) * 255).astype(np.uint8)
    return {
        "text": [clean(character, 4) for character in text],
        "layers": layers,
        "heads": heads,
        "length": length,
        "maps": base64.b64encode(levels.tobytes()).decode(),
    }


def _pictures(path: Path) -> list[list[str]]:
    """[name, base64] of the drawings that the model has made of itself, such as its embedding; small ones alone."""
    found = [p for p in sorted(path.glob("*.svg")) if p.stem not in DRAWN and p.stat().st_size <= PICTURE]
    return [[clean(p.stem.replace("_", " "), 60), base64.b64encode(p.read_bytes()).decode()] for p in found]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not a text file: byte {error.start} is not UTF-8") from error


def _json(path: Path, text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise DataError(f"{path}: not JSON: {error}") from error
    if not isinstance(found, dict):
        raise DataError(f"{path}: need a JSON object")
    return found


def _number(value: Any) -> float | None:
    """A finite number, or None for anything else."""
    good = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if good else None


def _measured(line: Mapping[str, Any]) -> dict[str, float]:
    """What else a line holds: rates, norms, losses of parts of the data."""
    found = {clean(name, 60): _number(value) for name, value in line.items() if name not in BESIDE}
    return {name: value for name, value in found.items() if value is not None}


def _thinned(losses: list[tuple[int, float]]) -> list[list[float]]:
    """At most POINTS of them."""
    each = max(1, -(-len(losses) // POINTS))
    parts = [losses[start : start + each] for start in range(0, len(losses), each)]
    return [[part[-1][0], float(f"{sum(loss for _, loss in part) / len(part):.5g}")] for part in parts]


def _taps(found: Mapping[str, Any]) -> dict[str, dict[str, dict[str, Any]]]:
    """Numbers, and lists of numbers, of each tap's values and gradients."""
    made: dict[str, dict[str, dict[str, Any]]] = {}
    for name, kinds in found.items():
        for kind, statistics in kinds.items() if isinstance(kinds, Mapping) else ():
            kept: dict[str, Any] = {}
            for key, value in statistics.items() if isinstance(statistics, Mapping) else ():
                if _number(value) is not None:
                    kept[clean(str(key), 40)] = float(f"{value:.4g}")
                elif isinstance(value, list) and all(_number(v) is not None for v in value):
                    kept[clean(str(key), 40)] = [float(f"{v:.4g}") for v in value]
            made.setdefault(clean(str(name), 80), {})[clean(str(kind), 40)] = kept
    return made
