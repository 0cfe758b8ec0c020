"""Attention as one node: which NumPy code is recognised, which is left alone, and what becomes of the node."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc
from graphc import nn
from graphc.errors import GraphError
from graphc.ir.graph import evaluate
from graphc.lower import lower
from graphc.passes import DEFAULT, attention, dce, inline, megakernel, pipeline
from graphc.passes.attention import raise_attention
from graphc.plan.plan import Target

T, D = 7, 4
SEEN = np.tril(np.ones((T, T), bool))
ADDED = np.triu(np.full((T, T), -np.inf, np.float32), 1)


def turned(x: Any) -> Any:
    return np.swapaxes(x, -1, -2)


def softmax(s: Any) -> Any:
    e = np.exp(s - s.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def by_log(s: Any) -> Any:
    top = np.max(s, axis=-1, keepdims=True)
    return np.exp(s - (top + np.log(np.sum(np.exp(s - top), axis=-1, keepdims=True))))


def by_log_shifted(s: Any) -> Any:
    s = s - graphc.stop_gradient(np.max(s, axis=-1, keepdims=True))
    return np.exp(s - np.log(np.sum(np.exp(s), axis=-1, keepdims=True)))


def by_reshape(s: Any) -> Any:
    e = np.exp(s - s.max(-1)[..., None])
    return e / np.sum(e, axis=-1)[..., None]


FOUND = {
    "nn, causal": (lambda q, k, v: nn.attention(q, k, v, causal=True), 0.5, True),
    "nn": (lambda q, k, v: nn.attention(q, k, v, scale=2.0), 2.0, False),
    "no scale": (lambda q, k, v: softmax(q @ turned(k)) @ v, 1.0, False),
    "divided": (lambda q, k, v: softmax(q @ turned(k) / np.sqrt(D)) @ v, 0.5, False),
    "scaled query": (lambda q, k, v: softmax((q * 0.3) @ turned(k)) @ v, 0.3, False),
    "scaled key": (lambda q, k, v: softmax(q @ turned(k / 4)) @ v, 0.25, False),
    "scaled twice": (lambda q, k, v: softmax((q * 0.5) @ turned(k) * 0.5) @ v, 0.25, False),
    "masked first": (lambda q, k, v: softmax(np.where(SEEN, q @ turned(k), -1e9) * 0.5) @ v, 0.5, True),
    "where": (lambda q, k, v: softmax(np.where(SEEN, 0.5 * (q @ turned(k)), -np.inf)) @ v, 0.5, True),
    "where not": (lambda q, k, v: softmax(np.where(~SEEN, -1e30, q @ turned(k))) @ v, 1.0, True),
    "added": (lambda q, k, v: softmax(q @ turned(k) * 0.5 + ADDED) @ v, 0.5, True),
    "positions": (
        lambda q, k, v: softmax(np.where(np.arange(T)[:, None] >= np.arange(T), q @ turned(k), -1e9)) @ v,
        1.0,
        True,
    ),
    "no mask": (lambda q, k, v: softmax(np.where(np.ones((T, T), bool), q @ turned(k), -1e9)) @ v, 1.0, False),
    "exp(x - lse)": (lambda q, k, v: by_log(q @ turned(k)) @ v, 1.0, False),
    "log softmax": (lambda q, k, v: by_log_shifted(q @ turned(k)) @ v, 1.0, False),
    "nn log softmax": (lambda q, k, v: np.exp(nn.log_softmax(q @ turned(k))) @ v, 1.0, False),
    "sums without the axis": (lambda q, k, v: by_reshape(q @ turned(k)) @ v, 1.0, False),
    "einsum": (
        lambda q, k, v: np.einsum("bts,bsd->btd", softmax(np.einsum("btd,bsd->bts", q, k)), v),
        1.0,
        False,
    ),
}

LEFT = {
    "weights are a result": lambda q, k, v: (lambda w: (w @ v, w))(softmax(q @ turned(k))),
    "weights are used": lambda q, k, v: (lambda w: w @ v + np.sum(w))(softmax(q @ turned(k))),
    "scores are used": lambda q, k, v: (lambda s: softmax(s) @ v + np.sum(s))(q @ turned(k)),
    "another axis": lambda q, k, v: nn.softmax(q @ turned(k), axis=-2) @ v,
    "a mask that is weak": lambda q, k, v: softmax(np.where(SEEN, q @ turned(k), -10.0)) @ v,
    "a mask of another form": lambda q, k, v: softmax(np.where(SEEN[::-1], q @ turned(k), -1e9)) @ v,
    "a mask that is an argument": lambda q, k, v: nn.attention(q, k, v, mask=k[0, :, 0] > 0),
    "a scale that is no number": lambda q, k, v: softmax(q @ turned(k) * v[0, 0, 0]) @ v,
    "a negative scale": lambda q, k, v: softmax(q @ turned(k) * -1.0) @ v,
    "unstable": lambda q, k, v: (lambda e: e / e.sum(-1, keepdims=True) @ v)(np.exp(q @ turned(k))),
    "other sums": lambda q, k, v: (lambda e: e / np.sum(e + 1, axis=-1, keepdims=True) @ v)(np.exp(q @ turned(k))),
    "shared values": lambda q, k, v: softmax(q @ turned(k)) @ v[0],
}


def operands(*batch: Any, t: Any = T, s: Any = T, d: Any = D, seed: Any = 0) -> Any:
    rng = np.random.default_rng(seed)
    return [rng.standard_normal((*batch, n, d)).astype(np.float32) for n in (t, s, s)]


@pytest.mark.parametrize("name", FOUND)
def test_found(name: Any) -> None:
    fn, scale, causal = FOUND[name]
    arrays = operands(2)
    graph = graphc.trace(fn, *arrays)
    raised = raise_attention(graph)
    raised.verify()
    (node,) = (n for n in raised.nodes if n.op.name == "attention")
    assert node.attrs == {"causal": causal, "scale": pytest.approx(scale)}
    assert not any(n.op.name in ("exp", "where", "max") for n in raised.nodes)
    expected = evaluate(graph, arrays)[0]
    np.testing.assert_allclose(evaluate(raised, arrays)[0], expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(evaluate(inline(raised), arrays)[0], expected, rtol=1e-5, atol=1e-6)
    assert inline(raised).count("attention") == 0


@pytest.mark.parametrize("name", LEFT)
def test_left_alone(name: Any) -> None:
    graph = graphc.trace(LEFT[name], *operands(T))
    assert raise_attention(graph) is graph


def test_dropout_of_weights_goes_inside() -> None:
    def fn(key: Any, q: Any, k: Any, v: Any) -> Any:
        return nn.dropout(key, softmax(np.where(SEEN, q @ turned(k), -1e9)), 0.25) @ v

    arrays = [np.array([3, 7], np.uint32), *operands(2)]
    graph = graphc.trace(fn, *arrays)
    raised = raise_attention(graph)
    (node,) = (n for n in raised.nodes if n.op.name == "attention")
    assert len(raised.nodes) == 1
    assert node.attrs == {"causal": True, "scale": 1.0, "keep": 0.75, "boost": pytest.approx(4 / 3)}
    expected = evaluate(graph, arrays)[0]
    np.testing.assert_allclose(evaluate(raised, arrays)[0], expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(evaluate(inline(raised), arrays)[0], expected, rtol=1e-5, atol=1e-6)

    def another(key: Any, q: Any, k: Any, v: Any) -> Any:
        weights = softmax(q @ turned(k))
        return np.where(graphc.random.uniform(key, weights.shape) < weights, weights, 0) @ v

    graph = graphc.trace(another, *arrays)
    assert raise_attention(graph) is graph


def test_scores_that_depend_on_each_other_are_two_attentions() -> None:
    def fn(q: Any, k: Any, v: Any) -> Any:
        first = nn.attention(q, k, v, causal=True)
        return nn.attention(first, k, v)

    assert raise_attention(graphc.trace(fn, *operands(2))).count("attention") == 2


def test_other_types_and_long_heads_are_left_alone() -> None:
    halves = [x.astype(np.float16) for x in operands(2)]
    assert raise_attention(graphc.trace(nn.attention, *halves)).count("attention") == 0
    assert raise_attention(graphc.trace(nn.attention, *operands(2, d=129))).count("attention") == 0
    assert raise_attention(graphc.trace(nn.attention, *operands(2, d=128))).count("attention") == 1


def test_causal_queries_are_the_last_of_the_keys() -> None:
    def fn(q: Any, k: Any, v: Any) -> Any:
        return nn.attention(q, k, v, causal=True)

    arrays = operands(2, t=3, s=8)
    graph = graphc.trace(fn, *arrays)
    raised = raise_attention(graph)
    assert raised.count("attention") == 1
    np.testing.assert_allclose(evaluate(raised, arrays)[0], evaluate(graph, arrays)[0], rtol=1e-5, atol=1e-6)
    assert raise_attention(graphc.trace(fn, *operands(2, t=8, s=3))).count("attention") == 0


def test_the_lines_of_all_it_replaces_are_kept() -> None:
    def fn(q: Any, k: Any, v: Any) -> Any:
        scores = q @ turned(k)
        weights = softmax(scores)
        return weights @ v

    node = next(n for n in raise_attention(graphc.trace(fn, *operands(2))).nodes if n.op.name == "attention")
    texts = [line.text for line in node.source.lines]
    assert any("q @ turned(k)" in text for text in texts)
    assert any("e.sum(-1, keepdims=True)" in text for text in texts)
    assert "weights @ v" in texts[-1]


def loss(q: Any, k: Any, v: Any) -> Any:
    return np.sum(nn.attention(q, k, v, causal=True) ** 2)


def test_its_gradient_is_one_node_too() -> None:
    graph = graphc.trace(graphc.grad(loss, argnums=(0, 1, 2)), *operands(2))
    assert graph.count("attention") == graph.count("attention_backward") == 1
    assert not any(v.type.shape[-2:] == (T, T) for n in graph.nodes for v in n.outputs)


def test_within_checkpoint_it_is_found() -> None:
    def fn(q: Any, k: Any, v: Any) -> Any:
        return np.sum(graphc.checkpoint(lambda *x: nn.attention(*x, causal=True))(q, k, v))

    graph = dce(attention(graphc.trace(graphc.grad(fn), *operands(2))))
    assert graph.count("attention_backward") == 1
    forward = attention(graphc.trace(fn, *operands(2)))
    assert forward.count("attention") == 1


def test_unfused_programs_and_those_without_the_pass_have_plain_operations() -> None:
    arrays = operands(2)
    traced = graphc.trace(graphc.grad(loss), *arrays)
    without = tuple(p for p in DEFAULT if p is not attention)
    for passes in (pipeline.LEGALIZE, without):
        graph = pipeline.run(traced, passes)
        assert not any("attention" in n.op.name or n.attrs.get("family") == "attention" for n in graph.nodes)
        np.testing.assert_allclose(evaluate(graph, arrays)[0], evaluate(traced, arrays)[0], rtol=1e-4, atol=1e-5)


NONE = Target("narrow", subgroup=4, software=True, features=frozenset({"subgroup"}))
"""An adapter that has no kernels of attention."""


def test_a_target_without_its_kernels_gets_plain_operations_in_fused_kernels() -> None:
    both = graphc.value_and_grad(loss)
    passes = [p for p in DEFAULT if p is not megakernel]
    program = graphc.compile(both, device="numpy", target=NONE, passes=passes).lower(*operands(2))
    assert dict(program.stages)["attention"].count("attention") == 1
    assert {kernel.family for kernel in program.plan.kernels} < {"matmul", "row", "map", "column", "horizontal"}
    assert len(program.plan.dispatches) < 13
    np.testing.assert_allclose(program(*operands(2))[0], both(*operands(2))[0], rtol=1e-5)


def test_a_program_is_composed_again_for_a_target_without_its_kernels() -> None:
    program = graphc.compile(graphc.grad(loss), device="numpy").lower(*operands(2))
    assert program.graph_for(Target()) is program.graph
    with pytest.raises(GraphError, match="narrow cannot run kernels of the family attention"):
        lower(program.graph, NONE)
    assert lower(program.graph_for(NONE), NONE).dispatches


def test_heads_are_read_and_written_in_place() -> None:
    def block(x: Any, w: Any, out: Any) -> Any:
        b, t, c = x.shape
        q, k, v = (h.reshape(b, t, 2, c // 2).transpose(0, 2, 1, 3) for h in np.split(x @ w, 3, axis=-1))
        y = nn.attention(q, k, v, causal=True)
        return y.transpose(0, 2, 1, 3).reshape(b, t, c) @ out

    graph = graphc.trace(block, *(np.zeros(s, np.float32) for s in ((2, 7, 16), (16, 48), (16, 16))))
    fused = pipeline.run(graph, DEFAULT)
    assert [n.attrs["family"] for n in fused.nodes if n.op.name == "fused"] == ["matmul", "attention", "matmul"][-2:]
    assert sum(n.op.name not in ("reshape",) for n in fused.nodes) == 3


def test_explain_says_what_became_of_it() -> None:
    compiled = graphc.compile(lambda q, k, v: nn.attention(q, k, v, causal=True), device="numpy")
    text = compiled.lower(*operands(2)).explain()
    assert "scores and weights stay in registers" in text
