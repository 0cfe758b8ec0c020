"""What the README shows is what happens."""

from __future__ import annotations

import contextlib
import io
import linecache
import re
from pathlib import Path
from typing import Any

import pytest

import graphc

README = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The names that the example defines, after it has run as mlp.py."""
    (code,) = (block for block in blocks("python") if "def mlp" in block)
    assert len([line for line in code.splitlines() if line.strip()]) == 15
    monkeypatch.setitem(linecache.cache, "mlp.py", (len(code), None, code.splitlines(keepends=True), "mlp.py"))
    found: dict[str, Any] = {}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "mlp.py", "exec"), found)
    return {**found, "printed": printed.getvalue()}


def test_the_example_prints_the_graph_that_is_shown(example: dict[str, Any]) -> None:
    (shown,) = (block for block in blocks("text") if block.startswith("graph("))
    assert str(graphc.trace(*(example[name] for name in ("loss", "params", "x", "y")))) + "\n" == shown
    assert example["printed"].startswith(shown)
    loss, shape = example["printed"][len(shown) :].split(" ", 1)
    logits = example["mlp"](example["params"], example["x"])
    assert abs(float(loss) - graphc.nn.cross_entropy(logits, example["y"])) < 1e-4
    assert shape == "(64, 32)\n"


def test_the_parts_that_it_names_are_there(example: dict[str, Any]) -> None:
    (inside,) = (block for block in blocks("python") if "program" in block)
    found = dict(example)
    exec(inside, found)
    assert found["program"].stages[0][0] == "traced"


def test_the_error_is_the_one_that_is_shown(example: dict[str, Any]) -> None:
    (shown,) = (block for block in blocks("text") if "Error: " in block)
    with pytest.raises(graphc.ShapeError) as error:
        graphc.trace(example["loss"], example["params"], example["x"][:, :32], example["y"])
    assert f"ShapeError: {error.value}\n" == shown


def test_files_that_it_points_to_are_there() -> None:
    root = Path(__file__).resolve().parents[1]
    for target in re.findall(r"\]\(((?!https?:)[^)#]+)", README):
        assert (root / target).exists(), target
