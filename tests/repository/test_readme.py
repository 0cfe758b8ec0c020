"""What the README shows is what happens."""

from __future__ import annotations

import contextlib
import io
import linecache
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.ir.graph import evaluate
from graphc.passes import DEFAULT
from graphc.passes.pipeline import LEGALIZE
from graphc.tracing.trace import apply
from tests.support.bits import bits

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


@pytest.fixture(scope="module")
def walked() -> dict[str, Any]:
    """What the walk through an op makes."""
    (code,) = (block for block in blocks("python", EXTENDING) if "erfc" in block)
    found: dict[str, Any] = {}
    exec(code, found)
    return found


@pytest.mark.parametrize("passes", [(), DEFAULT], ids=["unfused", "fused"])
def test_the_op_of_the_documentation_is_an_op(walked: dict[str, Any], passes: Any) -> None:
    """Its own cases, on a device and differentiated; NaN, infinity and numbers whose result is 0 or 2."""
    op, device = walked["erfc"], graphc.device("wgpu")
    for case in op.cases():
        (x,) = (np.asarray(a) for a in case.inputs)
        want = np.vectorize(math.erfc, otypes=[np.float64])(x.astype(np.float64))
        found = graphc.compile(lambda x: apply(op, x), device=device, passes=passes)(x.astype(np.float32))
        np.testing.assert_allclose(found, want, case.rtol, case.atol)
    edges = np.array([np.nan, np.inf, -np.inf, 0, -0.0, 30, -30, 1e30], np.float32)
    found = graphc.compile(lambda x: apply(op, x), device=device, passes=passes)(edges)
    np.testing.assert_allclose(found, [np.nan, 0, 2, 1, 1, 0, 2, 0], 1e-6)


def test_the_op_of_the_documentation_has_a_gradient(walked: dict[str, Any]) -> None:
    want = [-2 / math.sqrt(math.pi) * math.exp(-x * x) for x in (0.5, 4)]
    np.testing.assert_allclose(walked["tail"], want, 1e-5)
    rows = graphc.vmap(lambda x: apply(walked["erfc"], x))(np.array([[0.5], [1.0]], np.float32))
    np.testing.assert_allclose(np.asarray(rows)[:, 0], [math.erfc(0.5), math.erfc(1)], 1e-6)


def test_the_pass_of_the_documentation_does_what_it_says() -> None:
    (code,) = (block for block in blocks("python", EXTENDING) if "reassociate" in block)
    found: dict[str, Any] = {}
    exec(code, found)
    x = np.array([0, -5, 2**31 - 2], np.int32)
    np.testing.assert_array_equal(found["compiled"](x), np.array([7, 2, -(2**31) + 5], np.int32))

    def adds(fn: Any, *arguments: Any) -> int:
        graph = graphc.trace(fn, *arguments)
        after = graphc.passes.run(graph, (found["reassociate"], *LEGALIZE))
        for given in (np.arange(3), np.array([5, -7, 2**31 - 1])):
            arrays = [given.astype(graph.inputs[0].type.dtype.numpy), *map(np.asarray, arguments[1:])]
            assert [bits(a) for a in evaluate(after, arrays)] == [bits(a) for a in evaluate(graph, arrays)]
        return after.count("add")

    def more(x: Any) -> Any:
        return np.array([1, 2, 3], x.dtype) + (2 + (x + np.array([1, 2, 3], x.dtype)))

    assert (adds(lambda x: (x + 3) + 4, x), adds(more, x)) == (1, 1)
    assert adds(lambda x: (x + 1e8) + -1e8, x.astype(np.float32)) == 2
    assert adds(lambda x, y: ((x + 3) + y) + 4, x, x) == 3


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
