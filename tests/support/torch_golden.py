"""Samples of PyTorch's operators as a text file: a line for each, with its arguments, results and gradients."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np

from tests.support.torch_samples import LIMIT, Sample

PATH: Final = Path(__file__).resolve().parent.parent / "golden" / "torch_samples.jsonl"

DIGITS: Final = 7
"""Of results and gradients, in parts of the largest entry; arguments have all those of float32."""

_TAG: Final = "~"
"""The key of what is no plain data."""

_RARE: Final = {"nan": np.nan, "inf": np.inf, "-inf": -np.inf}


def written(samples: Iterable[Sample], version: str) -> str:
    """The text of a file. version: of the PyTorch that made them."""
    head = {
        "made by": "python -m tests.torch_samples, which draws the arguments by torch.testing's list of operators",
        "torch": version,
        "line": "name, args, kwargs, results, gradients of each float argument, limit where it is not 1e-5",
    }
    lines = [json.dumps(head)]
    for sample in samples:
        made = sample.gradients
        gradients = None if made is None else [None if g is None else _packed(g) for g in made]
        line = [sample.name, _outside(sample.args), _outside(sample.kwargs), [*map(_packed, sample.results)], gradients]
        lines.append(json.dumps(line if sample.limit == LIMIT else [*line, sample.limit], separators=(",", ":")))
    return "\n".join(lines) + "\n"


def read() -> list[Sample]:
    """The samples of the file."""
    found = []
    for text in PATH.read_text("utf-8").splitlines()[1:]:
        name, args, kwargs, results, gradients, *limit = json.loads(text)
        made = gradients and [None if g is None else _unpacked(g, np.float64) for g in gradients]
        results = [_unpacked(y, np.float64) for y in results]
        found.append(Sample(name, _inside(args), _inside(kwargs), results, made, *limit))
    return found


def _numbers(x: np.ndarray) -> list[Any]:
    """The elements as the shortest decimal numbers; what JSON lacks as text."""
    if x.dtype.kind != "f":
        return [int(v) for v in x.ravel()]
    if x.dtype == np.float64:
        there = np.abs(x[np.isfinite(x)])
        size = np.floor(np.log10(there.max())) if there.size and there.max() > 0 else 0
        x = np.round(x, int(DIGITS - size))
    texts = [np.format_float_positional(v, trim="-") if 1e-4 <= abs(v) < 1e7 else repr(float(v)) for v in x.ravel()]
    return [text if text in _RARE else 0 if float(text) == 0 else json.loads(text) for text in texts]


def _packed(x: np.ndarray) -> dict[str, Any]:
    """An array: its type and shape, and its elements."""
    return {_TAG: x.dtype.char + ",".join(map(str, x.shape)), "v": _numbers(x)}


def _unpacked(value: dict[str, Any], wide: Any = None) -> np.ndarray:
    kind, shape = value[_TAG][0], [int(n) for n in value[_TAG][1:].split(",") if n]
    dtype = wide if kind in "fd" and wide is not None else np.dtype(kind)
    return np.asarray([_RARE.get(v, v) if isinstance(v, str) else v for v in value["v"]], dtype).reshape(shape)


def _outside(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return _packed(value)
    if isinstance(value, list | tuple):
        return [_outside(part) for part in value]
    if isinstance(value, dict):
        return {key: _outside(part) for key, part in value.items()}
    if isinstance(value, slice):
        return {_TAG: "slice", "v": [value.start, value.stop, value.step]}
    if value is Ellipsis:
        return {_TAG: "..."}
    return {_TAG: "float", "v": str(value)} if isinstance(value, float) and not np.isfinite(value) else value


def _inside(value: Any) -> Any:
    if isinstance(value, list):
        return [_inside(part) for part in value]
    if not isinstance(value, dict):
        return value
    tag = value.get(_TAG)
    if tag is None:
        return {key: _inside(part) for key, part in value.items()}
    if tag == "slice":
        return slice(*value["v"])
    if tag == "...":
        return Ellipsis
    return float(value["v"]) if tag == "float" else _unpacked(value)
