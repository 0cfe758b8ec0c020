"""Drawings: what they hold, that nothing in a name can change them, and what happens without a layout program."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

import graphc
from graphc.inspect.viz import dot
from graphc.inspect.viz.convert import kind_of, to_networkx
from graphc.inspect.viz.draw import COLOURS, to_dot, to_svg
from graphc.inspect.viz.scene import make_scene
from graphc.ir.graph import BACKWARD, UPDATE, Graph, Source, SourceLine
from graphc.ir.types import i32
from graphc.passes.fusion.fuse import fuse
from tests.support.fusing import Maker

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = [
    '"] ; evil [label="x',
    "<script>alert(1)</script>",
    "<b>bold</b>",
    "&lt;entity&gt; &#x41;",
    "\\N \\G \\l tail\\",
    "a\x00b\x07\nnew\rline\u2028\u202eright",
    "\ud800 lone",
    "{a|b} <port>",
    "javascript:alert(1)",
    "x" * 5000,
]


def parsed(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)


def texts(svg: str) -> list[str]:
    return ["".join(node.itertext()) for node in parsed(svg).iter(f"{SVG}text")]


def network() -> Graph:
    b = Maker()
    x, w = b.tensor(8, 4, hint="x"), b.tensor(4, 6, hint="w")
    with b.at(Source((SourceLine("model.py", 7),))):
        h = b.op("maximum", b.op("matmul", x, w), 0.0)
    with b.at(Source((SourceLine("model.py", 9),), BACKWARD)):
        p = b.softmax(h)
        bits = b.op("random_bits", b.input(b.constant(np.zeros(2, np.uint32)).type, "key"), shape=(6,))
    with b.at(Source((SourceLine("train.py", 3),), UPDATE)):
        s = b.op("add", b.reduce("sum", p, 0), b.op("cast", bits, dtype=x.type.dtype))
        u = b.op("cumsum", s, axis=1, reverse=False)
    return b.build([b.op("transpose", u, perm=(1, 0)), p])


def test_networkx_holds_nodes_and_values() -> None:
    graph = network()
    made = to_networkx(graph)
    assert made.nodes["%x"] == {
        "kind": "input",
        "op": "input",
        "type": "f32[8,4]",
        "text": "%x: f32[8,4]",
        "source": "",
        "phase": "",
        "ops": (),
        "output": False,
    }
    matmul = next(key for key, attrs in made.nodes(data=True) if attrs["op"] == "matmul")
    assert made.nodes[matmul]["source"] == "model.py:7"
    assert made.edges["%x", matmul, 0] == {"value": "%x", "shape": (8, 4), "dtype": "f32", "operand": 0}
    assert made.edges["%w", matmul, 0]["operand"] == 1
    assert sum(attrs["output"] for _, attrs in made.nodes(data=True)) == 2
    assert len(made) == len(graph.inputs) + len(graph.constants) + len(graph.nodes)
    assert graph.to_networkx().number_of_edges() == sum(len(node.inputs) for node in graph.nodes)


def test_networkx_of_a_tensor_read_twice_has_two_edges() -> None:
    b = Maker()
    x = b.tensor(3, hint="x")
    graph = b.build([b.op("mul", x, x)])
    assert to_networkx(graph).number_of_edges("%x", "%1") == 2


def test_kinds() -> None:
    b = Maker()
    x = b.tensor(4, 4)
    values = {
        "matmul": b.op("matmul", x, x),
        "row": b.reduce("sum", x, 1),
        "column": b.reduce("sum", x, 0),
        "map": b.op("exp", x),
        "view": b.op("transpose", x, perm=(1, 0)),
        "custom": b.op("cumsum", x, axis=0, reverse=False),
        "random": b.op("random_bits", b.input(b.constant(np.zeros(2, np.uint32)).type), shape=(4,)),
    }
    producers = b.build([]).producers()
    assert {kind: kind_of(producers[value]) for kind, value in values.items()} == {kind: kind for kind in values}
    assert set(values) < set(COLOURS)
    node = fuse(Graph(tuple(b.inputs), {}, tuple(b.nodes), (b.softmax(x),))).nodes
    assert all(kind_of(n) in COLOURS for n in node)


def test_svg_shows_ops_types_lines_and_kernels() -> None:
    svg = to_svg(fuse(network()), title="a network")
    shown = texts(svg)
    for text in ("a network", "matmul kernel", "model.py:7", "train.py:3", "f32[8,4]", "x", "backward", "update"):
        assert text in shown
    assert any("maximum" in text for text in shown)
    assert "row kernel" in shown
    for kind in ("matmul", "row", "input", "output"):
        assert COLOURS[kind] in svg


def test_svg_of_an_unfused_graph_has_no_frames() -> None:
    dot_source = to_dot(network())
    assert "subgraph" not in dot_source
    assert 'label="model.py' not in dot_source
    assert to_dot(fuse(network())).count("subgraph") == len([n for n in fuse(network()).nodes if n.op.name == "fused"])


def test_kernels_list_their_ops_when_there_are_many() -> None:
    graph = fuse(network())
    drawn, listed = to_dot(graph, ops=True), to_dot(graph, ops=False)
    assert "max, sub, exp, sum, div" in listed
    assert "max, sub, exp" not in drawn
    assert drawn.count("->") > listed.count("->")


@pytest.mark.parametrize("ops", [True, False])
@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names_are_text(name: str, ops: bool) -> None:
    b = Maker()
    x = b.tensor(3, 3, hint=name)
    with b.at(Source((SourceLine(name, 1, name, name),), name)):
        y = b.op("exp", b.op("mul", x, 2.0))
        z = b.op("matmul", y, x)
    for graph in (b.build([z]), fuse(b.build([z]))):
        svg = to_svg(graph, title=name, ops=ops)
        root = parsed(svg)
        shown = dot.clean(name).replace(" ", "")
        assert shown in {text.replace("\u00a0", "").replace(" ", "") for text in texts(svg)}
        assert not list(root.iter(f"{SVG}script"))
        assert "evil" not in {text.strip() for text in texts(svg)}
        hrefs = [v for node in root.iter() for key, v in node.attrib.items() if key.endswith("href")]
        assert hrefs == []


def test_clean_replaces_what_cannot_be_shown() -> None:
    assert dot.clean("a\x00\n\u202e\ud800b") == "a\ufffd\ufffd\ufffd\ufffdb"
    assert dot.clean("naïve 数") == "naïve 数"
    assert len(dot.clean("x" * 1000, 20)) == 20


def layered(layers: int) -> Graph:
    b = Maker()
    x = b.tensor(4, 4, hint="x")
    for _ in range(layers):
        w = b.tensor(4, 4, hint="w")
        with b.at(Source((SourceLine("model.py", 5),))):
            x = b.op("tanh", b.op("matmul", x, w))
    with b.at(Source((SourceLine("model.py", 8),))):
        return b.build([b.softmax(x)])


def test_layers_are_folded() -> None:
    graph = fuse(layered(40))
    folded, flat = to_svg(graph, fold=True), to_svg(graph, fold=False)
    assert "matmul kernel × 40" in texts(folded)
    assert len(folded) < len(flat) / 8
    assert "row kernel" in texts(folded)
    assert len(to_dot(layered(2))) < len(to_dot(layered(40), fold=False))


def test_big_graphs_are_folded_unasked() -> None:
    assert texts(to_svg(layered(200))).count("matmul") == 2  # the box and the legend
    assert "× 200" in texts(to_svg(layered(200)))


def test_layers_that_read_different_rows_are_folded() -> None:
    b = Maker()
    x, rows = b.tensor(8), b.tensor(60, 8, hint="rows")
    for row in range(50):
        with b.at(Source((SourceLine("model.py", 3),))):
            part = b.op("slice", rows, start=(row, 0), stop=(row + 1, 8), step=(1, 1))
            x = b.op("mul", x, b.op("reshape", part, shape=(8,)))
    graph = fuse(b.build([x, *(b.op("tanh", x) for _ in range(1))]))
    assert texts(to_svg(b.build([x]), legend=False)).count("× 50") == 3
    assert "× " not in "".join(texts(to_svg(graph, fold=False)))


def test_inputs_of_one_type_are_one_box_where_layers_are_folded() -> None:
    b = Maker()
    x, gain, bias = (b.tensor(8, hint=name) for name in ("x", "gain", "bias"))
    with b.at(Source((SourceLine("model.py", 3),))):
        graph = fuse(b.build([b.op("add", b.op("mul", b.op("sin", x), gain), bias)]))
    assert "x, gain, bias" in texts(to_svg(graph, fold=True))
    assert {"x", "gain", "bias"} <= set(texts(to_svg(graph)))


def test_arguments_and_results_carry_their_paths_through_all_passes() -> None:
    def function(params: Any, x: Any) -> Any:
        for layer in params["layers"]:
            x = np.tanh(x @ layer["w"])
        return {"last": x, "of all": [x.sum(), x.max()]}

    given = {"layers": [{"w": np.ones((4, 4))}, {"w": np.ones((4, 4))}]}, np.ones((3, 4))
    for name, graph in graphc.compile(function).lower(*given).stages:
        shown = set(texts(to_svg(graph, fold=False)))
        expected = {"params.layers[0].w", "params.layers[1].w", "x", "result.last", "result['of all'][0]"}
        assert expected <= shown, name


def test_large_tensors_have_wide_arrows() -> None:
    b = Maker()
    small, large = b.tensor(8, hint="small"), b.tensor(1024, 1024, hint="large")
    lines = to_dot(b.build([b.op("exp", small), b.op("exp", large)])).splitlines()
    widths = {
        n: {m[1] for line in lines if n in line and (m := re.search(r'penwidth="?([\d.]+)', line))}
        for n in ("f32[8]", "f32[1024,1024]")
    }
    assert widths == {"f32[8]": {"1.0"}, "f32[1024,1024]": {"4.0"}}


def test_drawings_are_dark_where_the_system_is_and_have_a_name() -> None:
    root = parsed(to_svg(network()))
    assert (root.get("role"), root.get("aria-label")) == ("img", "A drawing of a program")
    (style,) = root.iter(f"{SVG}style")
    assert "prefers-color-scheme: dark" in (style.text or "")
    assert "#a_graph0 polygon" in (style.text or "")
    ground = root.find(f".//*[@id='a_graph0']//{SVG}polygon")
    assert ground is not None
    assert ground.get("fill") == "white"


def test_a_drawing_is_the_same_each_time() -> None:
    assert to_dot(fuse(network())) == to_dot(fuse(network()))


def test_ops_of_different_lines_are_not_folded() -> None:
    b = Maker()
    x = b.tensor(4)
    for line in range(3):
        with b.at(Source((SourceLine("model.py", line),))):
            x = b.op("sin", x)
    assert texts(to_svg(b.build([x]), fold=True, legend=False)).count("sin") == 3


def test_path_is_written(tmp_path: Path) -> None:
    path = tmp_path / "graph.svg"
    svg = network().to_svg(path)
    assert path.read_text(encoding="utf-8") == svg
    assert svg.startswith("<svg")
    assert network()._repr_svg_() == to_svg(network())


def test_without_a_layout_program_the_source_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(dot, "find_dot", lambda: None)
    with caplog.at_level(logging.WARNING, "graphc"):
        svg = network().to_svg(tmp_path / "graph.svg")
    assert not (tmp_path / "graph.svg").exists()
    assert (tmp_path / "graph.dot").read_text(encoding="utf-8") == to_dot(network())
    assert "pip install graphviz-pure" in texts(svg)[0]
    assert "graph.dot" in caplog.text


def test_a_layout_program_that_fails_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    program = tmp_path / "dot"
    program.write_text("#!/bin/sh\necho broken >&2\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setattr(dot, "find_dot", lambda: str(program))
    with caplog.at_level(logging.WARNING, "graphc"):
        assert dot.render("digraph { a }") is None
    assert "broken" in caplog.text


def test_the_program_of_graphviz_pure_is_found() -> None:
    found = dot.find_dot()
    assert found is not None
    assert Path(found).is_absolute()
    assert "graphviz-pure" in Path(found).name


def rnn(u: Any, x: Any) -> Any:
    """The carry, what a step hands on as it came, a constant, and a loop in a loop."""

    def one(carry: Any, x: Any) -> Any:
        h, first = carry
        h = np.tanh(h @ u + x) * np.float32(0.5)
        h = graphc.scan(lambda c, _: (c + h, None), h, length=2)[0]
        return (h, first), (h, x, np.float32(1))

    (h, first), (ys, xs, ones) = graphc.scan(one, (np.zeros((4, 8), np.float32), x[0]), x)
    return np.sum(h) + np.sum(ys * xs) + np.sum(first) + np.sum(ones)


LOOPS = {
    "scan": rnn,
    "gradient of a scan": graphc.grad(rnn, (0, 1)),
    "results of a scan": lambda u, x: graphc.scan(lambda c, x: (c, (x, u)), u, x),
    "scan of a checkpoint": graphc.grad(lambda u, x: graphc.checkpoint(rnn)(u, x)),
}


@pytest.mark.parametrize("ops", [True, False, None])
@pytest.mark.parametrize("fold", [True, False])
@pytest.mark.parametrize("loop", LOOPS)
def test_every_box_that_an_arrow_meets_is_declared(loop: str, fold: bool, ops: bool | None) -> None:
    lowered = graphc.compile(LOOPS[loop], device="numpy").lower(
        np.ones((8, 8), np.float32), np.ones((5, 4, 8), np.float32)
    )
    for name, graph in lowered.stages:
        scene = make_scene(graph, ops is not False, fold)
        boxes = [box.id for box in scene.boxes]
        assert len(set(boxes)) == len(boxes)
        assert {end for arrow in scene.arrows.values() for end in (arrow.start, arrow.end)} <= set(boxes), name
        assert {box.frame for box in scene.boxes} - {None} <= {frame.id for frame in scene.frames}
        text = to_dot(graph, ops=ops, fold=fold)
        declared = set(re.findall(r'^\s*"?([nvr]\d+(?:_c?\d+)?)"? \[', text, re.M))
        assert declared, "the pattern finds what is declared"
        assert set(re.findall(r"\b[nvr]\d+(?:_c?\d+)?\b(?= ->)", text)) <= declared, name


def test_png() -> None:
    picture = dot.render(to_dot(network()), "png")
    assert picture is not None
    assert picture.startswith(b"\x89PNG")


def test_graphs_without_nodes() -> None:
    b = Maker()
    x = b.tensor(2, dtype=i32)
    assert "output" in texts(to_svg(b.build([x])))
    parsed(to_svg(Maker().build([])))
