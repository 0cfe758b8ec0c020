"""What the README shows is what happens."""

from __future__ import annotations

import contextlib
import io
import linecache
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXTENDING = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")


def blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """The names that the example defines, after it has run as mlp.py, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
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
    for target in re.findall(r"\]\(((?!https?:)[^)#]+)", README):
        assert (ROOT / target).exists(), target


def test_the_pass_of_the_documentation_does_what_it_says() -> None:
    (code,) = (block for block in blocks("python", EXTENDING) if "forget_ones" in block)
    found: dict[str, Any] = {}
    exec(code, found)
    x = np.arange(3, dtype=np.float32)
    np.testing.assert_array_equal(found["compiled"](x), x + x)
    before = graphc.trace(lambda x: x * 1.0 + x, x)
    after = found["forget_ones"](before)
    assert (before.count("mul"), after.count("mul")) == (1, 0)


def test_the_family_is_all_that_is_shown() -> None:
    """The walk through a kernel family: its record is in the file, its files are there, its program is one kernel."""
    record = (ROOT / "graphc" / "families" / "conv" / "__init__.py").read_text(encoding="utf-8")
    (shown,) = (block for block in blocks("text", EXTENDING) if "FAMILY" in block)
    assert shown in record
    rows = EXTENDING.partition("## A kernel family")[2].partition("```")[0]
    files = re.findall(r"`([\w/]+/[\w/.]+\.(?:py|wgsl))`", rows)
    assert len(files) >= 5
    for file in files:
        assert (ROOT / file).is_file() or (ROOT / "graphc" / file).is_file(), file
    (code,) = (block for block in blocks("python", EXTENDING) if "nn.conv" in block)
    found: dict[str, Any] = {}
    exec(code, found)
    assert found["families"] == ["conv"]


@pytest.mark.parametrize("page", ["architecture.md", "extending.md"])
def test_files_that_the_documentation_names_are_there(page: str) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    for name in re.findall(r"`((?:graphc|passes|kernels|models|tests)/[\w./]+)`", text):
        assert (ROOT / name).exists(), name
