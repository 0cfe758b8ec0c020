"""`rewrite`: the one loop in which passes put other nodes in the place of some."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest

from graphc.ir.graph import NOWHERE, Builder, Graph, Node, Source, SourceLine, Value, evaluate
from graphc.ir.rewriting import map_nodes, rewrite, rewrite_into
from graphc.ops import by_name
from tests.support.handmade import Hand

X = np.array([1.0, -2.5, 0.0], np.float32)


def chain() -> Graph:
    """exp(-x) + sin(-x)."""
    h = Hand()
    negative = h.neg(h.input(3))
    return h.graph(h.add(h.exp(negative), h.sin(negative)))


def test_a_graph_whose_nodes_all_stay_is_itself() -> None:
    graph = chain()
    assert rewrite(graph, lambda builder, node, env: None) is graph
    assert rewrite(graph, lambda builder, node, env: builder.copy(node, env)) is graph
    assert map_nodes(graph, lambda node: node) is graph


def test_what_takes_a_nodes_place_is_read_instead_of_it() -> None:
    graph = chain()

    def doubled(builder: Builder, node: Node, env: Mapping[Value, Value]) -> Sequence[Value] | None:
        if node.op.name != "neg":
            return None
        (x,) = node.inputs
        return [builder.apply(by_name("add"), x, x)]

    after = rewrite(graph, doubled)
    after.verify()
    assert [n.op.name for n in after.nodes] == ["add", "exp", "sin", "add"]
    np.testing.assert_allclose(evaluate(after, [X])[0], np.exp(2 * X) + np.sin(2 * X), rtol=1e-6)


def test_a_node_may_stay_with_other_operands() -> None:
    graph = chain()
    (x,) = graph.inputs

    def without_sign(builder: Builder, node: Node, env: Mapping[Value, Value]) -> Sequence[Value] | None:
        return builder.copy(replace(node, inputs=(x,)), env) if node.op.name == "exp" else None

    after = rewrite(graph, without_sign)
    after.verify()
    assert after.outputs == graph.outputs
    np.testing.assert_allclose(evaluate(after, [X])[0], np.exp(X) + np.sin(-X), rtol=1e-6)


def test_a_value_that_is_entered_is_read_from_then_on() -> None:
    graph = chain()

    def clipped(builder: Builder, node: Node, env: dict[Value, Value]) -> Sequence[Value] | None:
        if node.op.name != "sin":
            return None
        (value,) = node.inputs
        env[value] = builder.apply(by_name("abs"), env.get(value, value))
        return builder.copy(node, env)

    after = rewrite(graph, clipped)
    after.verify()
    assert [n.op.name for n in after.nodes] == ["neg", "exp", "abs", "sin", "add"]
    np.testing.assert_allclose(evaluate(after, [X])[0], np.exp(-X) + np.sin(np.abs(X)), rtol=1e-6)


def test_what_is_added_has_the_source_of_its_node() -> None:
    lines = (SourceLine("model.py", 7, "f"),)
    graph = map_nodes(chain(), lambda n: replace(n, source=Source(lines)) if n.op.name == "exp" else n)

    def exponential(builder: Builder, node: Node, env: Mapping[Value, Value]) -> Sequence[Value] | None:
        if node.op.name != "exp":
            return None
        return [builder.apply(by_name("abs"), builder.apply(by_name("exp"), *(env.get(v, v) for v in node.inputs)))]

    builder = Builder.of(graph)
    after = builder.build(rewrite_into(builder, graph, exponential, {}))
    assert {n.op.name: n.source.lines for n in after.nodes} == {
        "neg": (),
        "exp": lines,
        "abs": lines,
        "sin": (),
        "add": (),
    }
    assert builder.source == NOWHERE


def test_as_many_values_are_given_as_the_node_makes() -> None:
    with pytest.raises(ValueError, match="zip"):
        rewrite(chain(), lambda builder, node, env: [])
