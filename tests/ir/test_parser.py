"""A printed graph is read back as the graph that it was."""

from __future__ import annotations

import numpy as np
import pytest

import graphc
from graphc.errors import GraphError
from graphc.ir.graph import Graph, evaluate, format_attr, value_names
from graphc.ir.parser import parse_attr, parse_graph, parse_type
from graphc.models import MODELS
from graphc.ops import by_name
from tests.support.systems import CASES


def constants(graph: Graph) -> dict[str, np.ndarray]:
    """The arrays of a graph's constants by printed name."""
    names = value_names(graph)
    return {names[value].removeprefix("%"): array for value, array in graph.constants.items()}


def again(graph: Graph) -> Graph:
    return parse_graph(str(graph), by_name, constants(graph))


@pytest.mark.parametrize("name", CASES)
def test_the_graphs_of_models_come_back(name: str) -> None:
    case = CASES[name]
    module = MODELS[case.model]
    x, y = case.batch()
    step = graphc.value_and_grad(lambda p, x, y: module.loss(p, x, y, case.config))
    params = case.params()
    graph = graphc.trace(step, params, x, y)
    read = again(graph)
    assert str(read) == str(graph)
    arguments = [np.asarray(leaf) for leaf in (*graphc.tree.leaves(params), x, y)]
    for got, want in zip(evaluate(read, arguments), evaluate(graph, arguments), strict=True):
        np.testing.assert_array_equal(got, want)
    lowered = graphc.compile(step, device="numpy").lower(params, x, y)
    for stage, after in lowered.stages:
        assert str(parse_graph(str(after), by_name, constants(after))) == str(after), stage


def test_bodies_attributes_constants_and_lines_come_back() -> None:
    text = """\
graph(%x: f32[2,3], %ids: i32[4])
  %2: f32[] = constant nan
  %3: bool[2] = constant [True, False]
  %y: f32[2,3] = mul(%x, %2)  # model.py:3, model.py:7
  %5: f32[4,3] = take(%y, %ids, axis=0, clamp=True)
  %6: f32[4,3] = fused(%5, body=<2 ops>, family=map)
    graph(%0: f32[4,3])
      %1: f32[] = constant 1e-05
      %2: f32[4,3] = add(%0, %1)
      %3: f32[4,3] = tanh(%2)  # one.py:12 (backward)
      return %3
  %7: f16[4,3] = cast(%6, dtype=f16)  # (update)
  return %7, %3
"""
    assert str(parse_graph(text, by_name)) == text.rstrip()


@pytest.mark.parametrize("word", ["f32", "None", "nan", "two words", "a,b", "it's", "back\\slash", "plain", "x:y"])
def test_strings_are_told_from_other_attributes(word: str) -> None:
    for value in (word, (word, 1), ((word,), None, -2.5, True)):
        assert parse_attr(format_attr(value), "") == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "begins with"),
        ("graph()\n  %1: f32[] = nonsense()\n  return %1", "no op 'nonsense'"),
        ("graph(%x: f32[2])\n  %1: f32[2] = neg(%y)\n  return %1", "%y is not defined"),
        ("graph(%x: f32[2])\n  %1: f32[3] = neg(%x)\n  return %1", "should be"),
        ("graph(%x: f32[2])\n  %1: f32[2] = neg(%x)", "ends with"),
        ("graph(%x: f32[2])\n  %x: f32[2] = neg(%x)\n  return %x", "defined twice"),
        ("graph(%x: f32[2])\n  what is this\n  return %x", "is no node"),
        ("graph()\n  %1: f32[99] = constant <396 bytes>\n  return %1", "constants['1']"),
        ("graph(%x: f99[2])\n  return %x", "no tensor type"),
        ("graph(%x: f32[2])\n  return %x\n  return %x", "after the end"),
    ],
)
def test_what_is_no_graph_is_refused_with_its_line(text: str, message: str) -> None:
    with pytest.raises(GraphError, match=message.replace("[", r"\[")):
        parse_graph(text, by_name)


def test_types() -> None:
    for shown in ("f32[]", "bool[2,3]", "i32[0]", "f16[1,1,7]"):
        assert str(parse_type(shown)) == shown
