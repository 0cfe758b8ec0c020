"""Differentiation of graphs: against finite differences in float64, and on the shapes of graph that are hard."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from graphc import reference
from graphc.autodiff.reverse import differentiate, pullback
from graphc.errors import DTypeError, GraphError, ShapeError
from graphc.ir.graph import Builder, Graph, Source, SourceLine
from graphc.ir.types import TensorType, f16, f32, i32
from graphc.ops import by_name
from graphc.ops.structured import Checkpoint, call
from graphc.passes import DEFAULT, cse, fuse, run
from graphc.tracing.trace import spec, trace
from tests.support.handmade import Hand, ops

rng = np.random.default_rng(0)


def normal(*shape: int) -> np.ndarray:
    return rng.normal(size=shape).astype(np.float32)


def finite_differences(fn: Callable[..., Any], arrays: list[np.ndarray], i: int, eps: float = 1e-5) -> np.ndarray:
    """Central differences of a scalar function in float64, element by element."""
    wide = [a.astype(np.float64) if a.dtype.kind == "f" else a for a in arrays]
    found = np.zeros(wide[i].shape)
    for at in np.ndindex(*wide[i].shape):
        ends = []
        for sign in (1, -1):
            moved = [a.copy() for a in wide]
            moved[i][at] += sign * eps
            ends.append(float(fn(*moved)))
        found[at] = (ends[0] - ends[1]) / (2 * eps)
    return found


def softmax(x: Any) -> Any:
    e = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return e / np.sum(e, axis=-1, keepdims=True)


def attention(q: Any, k: Any, v: Any) -> Any:
    scores = q @ np.swapaxes(k, -1, -2) / np.sqrt(3.0)
    scores = np.where(np.tril(np.ones((4, 4), bool)), scores, -1e9)
    return np.sum((softmax(scores) @ v) ** 2)


def layer_norm(x: Any, gain: Any, bias: Any) -> Any:
    mean = np.mean(x, axis=-1, keepdims=True)
    var = np.mean((x - mean) ** 2, axis=-1, keepdims=True)
    return np.sum(np.sin((x - mean) / np.sqrt(var + 1e-5) * gain + bias))


def network(w1: Any, b1: Any, w2: Any, x: Any) -> Any:
    return np.mean(np.tanh(np.maximum(x @ w1 + b1, 0) @ w2) ** 2)


def fan_out(x: Any) -> Any:
    y = np.exp(x * 0.3)
    return np.sum(y * y + y / (1 + y) - np.log(y) * x)


def shapes(x: Any) -> Any:
    y = np.concatenate([x[:, ::2], np.flip(x, 0)[:, :1], np.pad(x, ((0, 0), (1, 0)))], axis=1)
    return np.sum(np.transpose(y).reshape(-1) ** 3)


def broadcasting(a: Any, b: Any, c: Any) -> Any:
    return np.sum(np.cos(a * b + c) * np.arange(4.0))


def gathers(table: Any, ids: Any) -> Any:
    return np.sum(np.take(table, ids, axis=0) ** 2 * 0.5) + np.sum(np.take_along_axis(table, ids[:, None] % 3, axis=1))


COMPOSITES: dict[str, tuple[Callable[..., Any], list[np.ndarray]]] = {
    "attention": (attention, [normal(2, 4, 3), normal(2, 4, 3), normal(2, 4, 3)]),
    "layer norm": (layer_norm, [normal(5, 6), normal(6), normal(6)]),
    "network": (network, [normal(3, 5), normal(5), normal(5, 2), normal(4, 3)]),
    "fan out": (fan_out, [normal(7)]),
    "shapes": (shapes, [normal(3, 4)]),
    "broadcasting": (broadcasting, [normal(3, 1, 4), normal(2, 1), normal()]),
    "gathers": (gathers, [normal(5, 3), np.array([0, 2, 2, 4, 0], np.int32)]),
    "reductions": (lambda x: np.sum(np.prod(x, axis=0)) + np.max(x) * np.min(x[1]), [normal(3, 4)]),
    "cumsum": (lambda x: np.sum(np.cumsum(x, axis=1) ** 2), [normal(3, 4)]),
    "powers": (lambda x, y: np.sum(np.abs(x + 3) ** y + np.sqrt(x * x + 1)), [normal(4), normal(4)]),
    "branches": (lambda x: np.sum(np.where(x > 0, x * x, np.exp(x))), [normal(9)]),
}


@pytest.mark.parametrize("name", COMPOSITES)
def test_composites_agree_with_finite_differences(name: str) -> None:
    fn, arrays = COMPOSITES[name]
    wrt = [i for i, a in enumerate(arrays) if a.dtype.kind == "f"]
    graph = differentiate(trace(fn, *arrays), wrt)
    graph.verify()
    value, *gradients = reference.run(graph, arrays)
    np.testing.assert_allclose(
        value, fn(*(a.astype(np.float64) if a.dtype.kind == "f" else a for a in arrays)), rtol=1e-4
    )
    for i, gradient in zip(wrt, gradients, strict=True):
        expected = finite_differences(fn, arrays, i)
        np.testing.assert_allclose(gradient, expected, rtol=2e-3, atol=2e-3 * max(1.0, np.abs(expected).max()))
    fused = reference.run(run(graph, DEFAULT), arrays)
    for plain, after in zip((value, *gradients), fused, strict=True):
        np.testing.assert_allclose(after, plain, rtol=1e-4, atol=1e-5 * max(1.0, np.abs(plain).max()))


@pytest.mark.parametrize("name", ["fan out", "network", "attention", "broadcasting", "powers"])
def test_gradient_of_gradient(name: str) -> None:
    """d/dx of the squared norm of the gradient, from a graph that is differentiated twice."""
    fn, arrays = COMPOSITES[name]
    first = differentiate(trace(fn, *arrays), [0])
    builder = Builder()
    inputs = [builder.input(v.type) for v in first.inputs]
    _, gradient = builder.inline(first, inputs)
    squares = builder.apply(by_name("mul"), gradient, gradient)
    axes = tuple(range(gradient.type.ndim))
    norm = builder.apply(by_name("sum"), squares, axes=axes, keepdims=False)
    second = differentiate(builder.build([norm]), [0])
    second.verify()
    _, hessian = reference.run(second, arrays)

    def norm_of_gradient(*wide: np.ndarray) -> float:
        return float(np.sum(finite_differences(fn, list(wide), 0, 1e-4) ** 2))

    expected = finite_differences(norm_of_gradient, arrays, 0, 1e-4)
    np.testing.assert_allclose(hessian, expected, rtol=5e-3, atol=5e-3 * max(1.0, np.abs(expected).max()))


def test_an_input_that_does_not_matter_has_a_zero_gradient() -> None:
    graph = differentiate(trace(lambda x, y: np.sum(x), normal(3), normal(2, 2)), [0, 1])
    _, dx, dy = reference.run(graph, [normal(3), normal(2, 2)])
    np.testing.assert_array_equal(dx, np.ones(3))
    np.testing.assert_array_equal(dy, np.zeros((2, 2)))


def test_the_loss_may_be_an_input() -> None:
    h = Hand()
    x, y = h.input(), h.input()
    graph = differentiate(h.graph(x, y), [0, 1])
    assert [float(a) for a in reference.run(graph, [np.float32(5), np.float32(7)])] == [5, 7, 1, 0]


def test_only_the_first_output_is_differentiated() -> None:
    graph = differentiate(trace(lambda x: (np.sum(x), np.exp(x)), normal(3)), [0])
    assert len(graph.outputs) == 3
    assert ops(graph).count("exp") == 1
    np.testing.assert_array_equal(reference.run(graph, [normal(3)])[2], np.ones(3))


def test_only_what_is_needed_is_computed() -> None:
    """No gradient for the data: the weight gradient of a linear layer needs one product, not two."""
    graph = trace(lambda w, x: np.sum(x @ w), normal(3, 2), normal(4, 3))
    assert differentiate(graph, [0]).count("matmul") == 2
    assert differentiate(graph, [0, 1]).count("matmul") == 3
    side = trace(lambda w, x: np.sum(x * w) + np.sum(np.tanh(np.exp(x))), normal(3), normal(3))
    before, after = len(side.nodes), len(differentiate(side, [0]).nodes)
    assert after - before <= 4


def test_stop_gradient_cuts() -> None:
    h = Hand()
    x = h.input(3)
    graph = differentiate(h.graph(h.sum(h.mul(x, h.stop_gradient(h.exp(x))), axes=(0,))), [0])
    array = normal(3)
    np.testing.assert_allclose(reference.run(graph, [array])[1], np.exp(array), rtol=1e-6)


def test_ops_without_gradient_give_none() -> None:
    array = normal(6)
    graph = differentiate(trace(lambda x: np.sum(np.floor(x) * x + np.argmax(x) + (x > 0)), array), [0])
    np.testing.assert_array_equal(reference.run(graph, [array])[1], np.floor(array))


def test_gradients_take_the_element_type_of_their_input() -> None:
    h = Hand()
    x = h.input(3, dtype=f16)
    wide = h.cast(x, dtype=f32)
    graph = differentiate(h.graph(h.sum(h.mul(wide, wide), axes=(0,))), [0])
    assert graph.outputs[1].type == TensorType((3,), f16)
    np.testing.assert_array_equal(reference.run(graph, [np.array([1, 2, 3], np.float16)])[1], [2, 4, 6])


def test_backward_nodes_carry_the_forward_line() -> None:
    builder = Builder()
    x = builder.input(TensorType((3,), f32))
    with builder.at(Source((SourceLine("model.py", 7),), scope="layer")):
        y = builder.apply(by_name("tanh"), x)
    with builder.at(Source((SourceLine("model.py", 8),))):
        loss = builder.apply(by_name("sum"), y, axes=(0,), keepdims=False)
    graph = differentiate(builder.build([loss]), [0])
    backward = [node for node in graph.nodes if node.source.phase == "backward"]
    assert [str(node.source) for node in graph.nodes if node.source.phase == "forward"] == ["model.py:7", "model.py:8"]
    assert {str(node.source) for node in backward} == {"model.py:7", "model.py:8"}
    assert {node.source.scope for node in backward if str(node.source) == "model.py:7"} == {"layer"}


@pytest.mark.parametrize("length", [2500])
def test_deep_graph_without_recursion(length: int) -> None:
    h = Hand()
    x = value = h.input(2)
    for i in range(length):
        value = h.tanh(value) if i % 2 else h.mul(value, x)
    graph = differentiate(h.graph(h.sum(value, axes=(0,))), [0])
    graph.verify()
    assert np.isfinite(reference.run(graph, [np.full(2, 0.9, np.float32)])[1]).all()


def test_wide_graph_accumulates_every_branch() -> None:
    h = Hand()
    x = h.input(2)
    total = h.mul(x, 1)
    for i in range(2, 501):
        total = h.add(total, h.mul(x, i))
    graph = differentiate(h.graph(h.sum(total, axes=(0,))), [0])
    np.testing.assert_allclose(reference.run(graph, [normal(2)])[1], np.full(2, 500 * 501 / 2), rtol=1e-6)
    many = Hand()
    inputs = [many.input(2) for _ in range(500)]
    total = inputs[0]
    for value in inputs[1:]:
        total = many.add(total, value)
    graph = differentiate(many.graph(many.sum(total, axes=(0,))), range(500))
    assert len(graph.outputs) == 501


def test_the_same_operand_twice() -> None:
    h = Hand()
    x = h.input()
    graph = differentiate(h.graph(h.mul(x, x)), [0])
    assert float(reference.run(graph, [np.float32(3)])[1]) == 6


def checkpointed(x: Any, w: Any) -> Graph:
    """sum(body(x, w)) with the body in a `call` that is checkpointed."""
    inner = Hand()
    a, b = inner.input(4, 3), inner.input(3, 3)
    body = inner.graph(inner.tanh(inner.matmul(inner.tanh(inner.matmul(a, b)), b)), inner.exp(a))
    h = Hand()
    given = h.input(4, 3), h.input(3, 3)
    y, z = h.builder.add(call, *given, body=body, name="block", rule=Checkpoint())
    return h.graph(h.sum(h.mul(y, z), axes=(0, 1)))


def test_checkpoint_computes_again_and_gives_the_same() -> None:
    arrays = [normal(4, 3), normal(3, 3)]
    graph = checkpointed(*arrays)
    plain = replace(
        graph, nodes=tuple(replace(n, attrs={**n.attrs, "rule": None}) if n.op is call else n for n in graph.nodes)
    )
    kept, again = (run(differentiate(g, [0, 1]), DEFAULT[: DEFAULT.index(fuse)]) for g in (plain, graph))
    assert again.count("tanh") > kept.count("tanh")
    for a, b in zip(reference.run(kept, arrays), reference.run(again, arrays), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_the_recomputed_part_of_a_checkpoint_survives_cse() -> None:
    graph = differentiate(checkpointed(None, None), [1])
    assert cse(run(graph, DEFAULT[:1])).count("tanh") == 4


def test_call_without_a_rule_is_differentiated_through() -> None:
    inner = Hand()
    a = inner.input(3)
    body = inner.graph(inner.mul(a, a))
    h = Hand()
    (y,) = h.builder.add(call, h.input(3), body=body, name="square", rule=None)
    graph = differentiate(h.graph(h.sum(y, axes=(0,))), [0])
    array = normal(3)
    np.testing.assert_allclose(reference.run(graph, [array])[1], 2 * array)


def test_pullback_is_the_vector_jacobian_product() -> None:
    h = Hand()
    x, w = h.input(4, 3), h.input(3, 2)
    graph = pullback(h.graph(h.matmul(x, w), h.exp(x)), [0, 1])
    arrays = [normal(4, 3), normal(3, 2), normal(4, 2), normal(4, 3)]
    dx, dw = reference.run(graph, arrays)
    np.testing.assert_allclose(dx, arrays[2] @ arrays[1].T + arrays[3] * np.exp(arrays[0]), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(dw, arrays[0].T @ arrays[2], rtol=1e-5, atol=1e-6)


def test_zero_size_and_zero_dimensional_inputs() -> None:
    graph = differentiate(trace(lambda x, y: np.sum(x * 2) + y * y, normal(0, 3), np.float32(3)), [0, 1])
    _, dx, dy = reference.run(graph, [normal(0, 3), np.float32(3)])
    assert dx.shape == (0, 3)
    assert float(dy) == 6


def test_a_loss_that_is_no_float_scalar_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"needs a function that returns a scalar, got f32\[3\]"):
        differentiate(trace(np.exp, spec((3,))), [0])
    with pytest.raises(DTypeError, match=r"needs a function that returns a float, got i32"):
        differentiate(trace(np.sum, spec((3,), "int32")), [])
    with pytest.raises(DTypeError, match="is not of a float type"):
        differentiate(trace(lambda x, n: np.sum(x), spec((3,)), spec((3,), i32.numpy)), [1])
    with pytest.raises(ShapeError, match="returns nothing"):
        differentiate(Hand().graph(), [])


def test_a_fused_graph_is_refused() -> None:
    h = Hand()
    x = h.input(8, 4)
    graph = fuse(h.graph(h.sum(h.exp(h.mul(x, 2)), axes=(0, 1))))
    assert graph.count("fused")
    with pytest.raises(GraphError, match="already fused"):
        differentiate(graph, [0])
