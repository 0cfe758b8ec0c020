"""What one pass changed, as text and as a drawing."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from click.testing import CliRunner

import graphc
from graphc.cli import cli, run
from graphc.inspect.viz import dot
from graphc.inspect.viz.diff import changes, diff_dot, diff_text
from graphc.inspect.viz.draw import svg_of
from graphc.ir.graph import Graph, Source, SourceLine
from graphc.passes.canonicalize.cse import cse
from graphc.passes.fusion.fuse import fuse
from graphc.passes.memory.order import order
from tests.inspect.test_viz import HOSTILE, SVG, parsed, texts
from tests.support.fusing import Maker


def twice() -> Graph:
    def function(x: Any) -> Any:
        return np.exp(x) + np.sin(np.exp(x))

    return graphc.trace(function, np.ones((4, 4)))


def test_what_went_and_what_is_read_instead() -> None:
    before = twice()
    after = cse(before)
    found = changes(before, after)
    first, second = (node for node in before.nodes if node.op.name == "exp")
    assert found.gone == (second,)
    assert found.instead[second.out] is first.out
    assert (found.came, found.others, found.kernels, found.moved) == ((), (), (), 0)
    (line,) = diff_text(before, after).splitlines()
    assert line.startswith("- %2: f32[4,4] = exp(%x)  (now read: %1)  # test_viz_diff.py:")


def test_nothing_changed() -> None:
    graph = cse(twice())
    assert not changes(graph, graph)
    assert diff_text(graph, graph) == "nothing changed"
    assert "nothing changed" in texts(svg_of(diff_dot(graph, graph)))


def test_fusion_makes_kernels_and_loses_no_op() -> None:
    before = cse(twice())
    after = fuse(before)
    found = changes(before, after)
    assert (found.gone, found.came) == ((), ())
    assert [kernel.attrs["family"] for kernel in found.kernels] == ["map"]
    assert "= map kernel: exp, sin, add" in diff_text(before, after)


def test_every_op_of_a_model_is_accounted_for() -> None:
    def loss(w: Any, x: Any) -> Any:
        return graphc.nn.cross_entropy(np.tanh(x @ w) @ w, np.zeros(8, np.int32))

    made = graphc.compile(graphc.value_and_grad(loss)).lower(np.ones((16, 16)), np.ones((8, 16)))
    for (_, before), (name, after) in zip(made.stages, made.stages[1:], strict=False):
        found = changes(before, after)
        assert bool(found) == (before.nodes != after.nodes), name
        made_by = {value for node in found.came for value in node.outputs}
        assert made_by.isdisjoint({value for node in found.gone for value in node.outputs}), name


def test_an_order_alone_moves() -> None:
    b = Maker()
    x = b.tensor(8)
    first, second = b.op("exp", x), b.op("sin", x)
    graph = b.build([first, second])
    other = Graph(graph.inputs, graph.constants, graph.nodes[::-1], graph.outputs)
    assert changes(graph, other).moved == 2
    assert diff_text(graph, other) == "2 ops stand elsewhere in the order"
    assert order(graph).outputs == graph.outputs


def test_the_drawing_has_what_changed_and_its_neighbours() -> None:
    before = twice()
    shown = texts(svg_of(diff_dot(before, cse(before), "what cse changed")))
    assert "what cse changed" in shown
    assert {"%2 exp", "%1 exp", "%3 sin"} <= set(shown)
    assert shown.count("%3 sin") == 1, "what stayed is one box"


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names_are_text(name: str) -> None:
    b = Maker()
    x = b.tensor(3, 3, hint=name)
    with b.at(Source((SourceLine(name, 1, name, name),), name)):
        graph = b.build([b.op("add", b.op("exp", x), b.op("exp", x))])
    svg = svg_of(diff_dot(graph, cse(graph), name))
    root = parsed(svg)
    assert not list(root.iter(f"{SVG}script"))
    assert dot.clean(name).replace(" ", "") in {text.replace("\u00a0", "").replace(" ", "") for text in texts(svg)}
    assert not [key for node in root.iter() for key in node.attrib if key.endswith("href")]


def test_the_command(tmp_path: Path) -> None:
    shown = CliRunner().invoke(cli, ["graph", "bigram", "--diff", "fuse"])
    assert shown.exit_code == 0
    assert "kernel: " in shown.output
    assert run(["graph", "bigram", "--diff", "cse", "--out", str(tmp_path / "cse.svg")]) == 0
    assert ElementTree.parse(tmp_path / "cse.svg").getroot().tag == f"{SVG}svg"
    assert run(["graph", "bigram", "--diff", "cse", "--out", str(tmp_path / "cse.txt")]) == 0
    assert (tmp_path / "cse.txt").read_text(encoding="utf-8").strip()


@pytest.mark.parametrize(
    "given", [["--diff", "nothing"], ["--diff", "cse", "--stage", "fused"], ["--diff", "cse", "--out", "x.json"]]
)
def test_wrong_use(given: list[str]) -> None:
    assert run(["graph", "bigram", *given]) == 2
