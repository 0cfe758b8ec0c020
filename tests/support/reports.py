"""Programs and runs for the tests of reports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

import graphc
from graphc.executable import Executable

HOSTILE = [
    "<script>window.evil=1</script>",
    "</script><script>window.evil=1</script>",
    "<!--<script>",
    "<img src=x onerror=window.evil=1>",
    "javascript:window.evil=1",
    "\"'`quotes&amp;%s%d${window.evil=1}",
    "a\x00b\x07c\nnew\u2028line\u202eright\u200f",
    "\ud800 lone",
    "constructor",
    "__proto__",
    "n" * 10_000,
]
"""Names that do harm to pages that trust them."""


def layer(h: Any, w: Any, b: Any) -> Any:
    return np.tanh(h @ w + b)


def loss(params: Any, x: Any) -> Any:
    h = x
    for p in params:
        h = layer(h, p["w"], p["b"])
    return np.mean(np.exp(h) * 2.0 + np.exp(h) * h)


def arguments(rows: int = 96, width: int = 40, layers: int = 3) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    params = [{"w": rng.normal(size=(width, width)) / 8, "b": np.zeros(width)} for _ in range(layers)]
    return params, rng.normal(size=(rows, width))


def compiled() -> Executable:
    """A step with gradients, compiled for the second time because `x` has another shape."""
    step = graphc.compile(graphc.value_and_grad(loss))
    params, x = arguments()
    step.lower(params, x[:8])
    return step.lower(params, x)


def hostile(names: list[str]) -> Executable:
    """A program whose arguments, function and results have these names."""

    def function(params: Any) -> Any:
        total = sum((np.tanh(params[name]) for name in names), np.float32(0))
        return {name: total * params[name] for name in names}

    function.__name__ = names[0]
    return graphc.compile(function).lower({name: np.ones((4, 3)) for name in names})


def write_run(folder: Path, name: str = "tap", steps: int = 30) -> Path:
    """A run directory with losses, measurements and taps, of which `name`1 has the largest gradient."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model": "mlp", "data": name, "steps": steps}))
    lines = []
    for step in range(1, steps + 1):
        line: dict[str, Any] = {"step": step, "loss": 3.0 / step, "seconds": step / 10}
        if step % 10 == 0:
            line["gradient_norm"] = 1.0 / step
            line["update_ratios"] = {f"layers[{k}]": 1e-3 * (k + 1) / step for k in range(3)}
            line["samples"] = [f"{name} after {step}", "an\nother"]
            line["taps"] = {
                f"{name}{k}": {"value": _spread(1.0), "gradient": _spread(0.1 * (2 - abs(k - 1)))} for k in range(3)
            }
        lines.append(json.dumps(line) + "\n")
    (folder / "metrics.jsonl").write_text("".join(lines) + '{"step": 31, "lo')
    return folder


def _spread(std: float) -> dict[str, Any]:
    counts = [*range(16), *range(16, 0, -1)]
    return {"mean": 0.0, "std": std, "saturation": 0.25, "low": -2 * std, "high": 2 * std, "histogram": counts}
