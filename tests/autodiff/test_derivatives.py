"""jvp, vjp, linearize, Jacobians and Hessians against each other and against finite differences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import nn, tree
from graphc.analysis.loops import trim
from graphc.autodiff.reverse import pushforward
from graphc.errors import DTypeError, ShapeError, TraceError
from graphc.ir.graph import Builder, Graph, evaluate
from graphc.ir.op import NotDifferentiable, Op
from graphc.ir.types import TensorType, dtype_of
from graphc.ops import OPS

on_host = partial(graphc.compile, device="numpy")


def array(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng((seed, *shape)).normal(size=shape).astype(np.float32)


def same(found: Any, want: Any, tolerance: float = 1e-5) -> None:
    assert tree.structure(found) == tree.structure(want)
    for a, b in zip(tree.leaves(found), tree.leaves(want), strict=True):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=tolerance, atol=tolerance)


DIFFERENTIABLE = {
    name: op
    for name, op in OPS.items()
    if not isinstance(op.vjp, NotDifferentiable)
    and any(np.asarray(x).dtype.kind == "f" for case in op.cases() for x in case.inputs)
}


def of_one(op: Op, arrays: list[np.ndarray], attrs: Any) -> Graph:
    builder = Builder()
    inputs = [builder.input(TensorType(a.shape, dtype_of(a.dtype))) for a in arrays]
    return builder.build(builder.add(op, *inputs, **attrs))


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_forward_mode_of_each_op_is_its_gradient_transposed(name: str) -> None:
    """u . (J t) == (u J) . t, and what was made for cotangents alone is gone."""
    op, checked = DIFFERENTIABLE[name], 0
    for case in op.cases():
        arrays = [np.asarray(x) for x in case.inputs]
        wrt = [i for i, x in enumerate(arrays) if x.dtype.kind == "f" and x.size]
        graph = of_one(op, arrays, case.attrs)
        if not case.grad or not wrt or sum(x.size for x in arrays) > 400 or graph.outputs[0].type.dtype.kind != "float":
            continue
        push = pushforward(graph, wrt)
        push.verify()
        tangents = [array(*arrays[i].shape, seed=i + 1) for i in wrt]
        found = evaluate(push, [*arrays, *tangents])
        pulled = graphc.autodiff.reverse.pullback(graph, wrt)
        floats = [v for v in graph.outputs if v.type.dtype.kind == "float"]
        cotangents = [array(*v.type.shape, seed=9 + i) for i, v in enumerate(floats)]
        gradients = evaluate(pulled, [*arrays, *cotangents])
        left = [float(np.vdot(u, t)) for u, t in zip(cotangents, found[len(graph.outputs) :], strict=True)]
        right = [float(np.vdot(g, t)) for g, t in zip(gradients, tangents, strict=True)]
        scale = 1 + sum(float(np.abs(g * t).sum()) for g, t in zip(gradients, tangents, strict=True))
        assert abs(sum(left) - sum(right)) < 2e-5 * scale, (case.attrs, left, right)
        checked += 1
    assert checked, "no case can be differentiated"


FUNCTIONS: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "tree": (
        lambda p, x: {"a": np.tanh(x @ p["w"]), "b": np.sum(x * p["s"])},
        ({"w": array(3, 4), "s": array(3)}, array(2, 3)),
    ),
    "softmax": (nn.softmax, (array(2, 5),)),
    "attention": (lambda q, k: nn.attention(q, k, k, causal=True), (array(4, 8), array(4, 8, seed=1))),
    "scan": (
        lambda w, x: graphc.scan(lambda c, r: (np.tanh(c @ w + r), np.sin(c)), np.zeros(3, np.float32), x),
        (array(3, 3), array(5, 3)),
    ),
    "indices": (
        lambda x: np.sort(x, axis=-1) * graphc.at(x)[0].add(x[1]),
        (np.linspace(-1, 2, 12, dtype=np.float32)[[3, 7, 1, 0, 9, 2, 11, 5, 4, 10, 8, 6]].reshape(3, 4),),
    ),
    "convolution": (lambda x, w: nn.relu(nn.conv(x, w, padding=1)), (array(1, 2, 4, 4), array(2, 2, 3, 3))),
    "checkpoint": (graphc.checkpoint(lambda x: np.exp(np.sin(x)) * x), (array(4),)),
    "layer norm": (lambda x, g: nn.layer_norm(x, g, 0.0 * g), (array(2, 6), array(6))),
}


def moved(primals: Any, tangents: Any, step: float) -> Any:
    return tree.map(lambda x, t: (x.astype(np.float64) + step * t).astype(np.float32), primals, tangents)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_derivatives_agree(name: str) -> None:
    fn, primals = FUNCTIONS[name]
    tangents = tree.map(lambda x: array(*x.shape, seed=5), primals)
    value, derivative = on_host(lambda p, t: graphc.jvp(fn, p, t))(primals, tangents)
    plain = on_host(fn)
    same(value, plain(*primals))
    high, low = (plain(*moved(primals, tangents, step)) for step in (1e-2, -1e-2))
    numeric = tree.map(lambda a, b: (np.asarray(a) - np.asarray(b)) / 2e-2, high, low)
    same(derivative, numeric, 2e-2)

    def linear(p: Any, t: Any) -> Any:
        value, push = graphc.linearize(fn, *p)
        return value, push(*t), push(*tree.map(lambda x: 2 * x, t))

    again, once, twice = on_host(linear)(primals, tangents)
    same((again, once), (value, derivative))
    same(twice, tree.map(lambda x: 2 * np.asarray(x), derivative))

    cotangent = tree.map(lambda x: array(*x.shape, seed=6), value)
    result, gradients = on_host(lambda p, u: (lambda made: (made[0], made[1](u)))(graphc.vjp(fn, *p)))(
        primals, cotangent
    )
    same(result, value)
    left = sum(float(np.vdot(u, d)) for u, d in zip(tree.leaves(cotangent), tree.leaves(derivative), strict=True))
    right = sum(float(np.vdot(g, t)) for g, t in zip(tree.leaves(gradients), tree.leaves(tangents), strict=True))
    assert left == pytest.approx(right, rel=1e-3, abs=1e-3)


def test_forward_mode_of_a_linear_function_reads_no_value() -> None:
    graph = graphc.trace(lambda x: np.cumsum(np.flip(x, 0) * 3.0) + np.sum(x), graphc.spec((4,)))
    push = pushforward(graph, [0])
    tangents = replace(push, outputs=push.outputs[1:])
    live = {v for node in graphc.ir.graph.prune(tangents).nodes for v in node.inputs}
    assert push.inputs[0] not in live


def test_forward_mode_of_a_loop_is_one_more_loop() -> None:
    graph = graphc.trace(FUNCTIONS["scan"][0], graphc.spec((3, 3)), graphc.spec((5, 3)))
    push = pushforward(graph, [0])
    assert [node.attrs["reverse"] for node in push.nodes if node.op.name == "scan"] == [False, False]


def test_a_loop_is_trimmed() -> None:
    def step(carry: Any, x: Any) -> Any:
        a, b, c = carry
        last, _ = graphc.scan(lambda s, y: ((s[0] + y, s[1] * y), s), (b, c), x["inner"])
        return (a + x["x"], last[0], c), (a * 2, b, x["unread"])

    def fn(w: Any, x: Any) -> Any:
        (a, b, _), (twice, _, _) = graphc.scan(step, (w, w, w), x)
        return a, b, twice

    xs = {"x": array(4), "unread": array(4, seed=1), "inner": array(4, 2)}
    graph = graphc.trace(fn, np.float32(2), xs)
    trimmed = trim(graph)
    trimmed.verify()
    arrays = [np.float32(2), *tree.leaves(xs)]
    for a, b in zip(evaluate(trimmed, arrays), evaluate(graph, arrays), strict=True):
        np.testing.assert_array_equal(a, b)
    (loop,) = (node for node in trimmed.nodes if node.op.name == "scan")
    (inner,) = (node for node in loop.attrs["body"].nodes if node.op.name == "scan")
    assert (loop.attrs["carries"], len(loop.inputs), len(loop.outputs)) == (2, 4, 3)
    assert (inner.attrs["carries"], len(inner.inputs), len(inner.outputs)) == (1, 2, 1)


@pytest.mark.parametrize("name", ["tree", "scan", "softmax"])
def test_jacobians_agree(name: str) -> None:
    fn, primals = FUNCTIONS[name]
    chosen = tuple(range(len(primals)))
    forward = on_host(graphc.jacfwd(fn, chosen))(*primals)
    same(on_host(graphc.jacrev(fn, chosen))(*primals), forward)
    value = on_host(fn)(*primals)
    for made, leaf in zip(
        tree.leaves(forward), [v for v in tree.leaves(value) for _ in tree.leaves(primals)], strict=True
    ):
        assert np.asarray(made).shape[: np.asarray(leaf).ndim] == np.asarray(leaf).shape


def test_jacobian_and_hessian_of_known_functions() -> None:
    a, x = array(4, 4), array(4)
    same(on_host(graphc.jacfwd(lambda x: a @ x))(x), a)
    same(on_host(graphc.jacrev(lambda x: np.sin(x)))(x), np.diag(np.cos(x)))
    quadratic = lambda x: x @ a @ x / 2 + np.sum(x**3)  # noqa: E731
    want = (a + a.T) / 2 + np.diag(6 * x)
    same(on_host(graphc.hessian(quadratic))(x), want, 1e-4)
    same(on_host(graphc.jacrev(graphc.grad(quadratic)))(x), want, 1e-4)
    both = on_host(graphc.hessian(lambda p: p["u"] * np.sum(p["v"] ** 2)))({"u": np.float32(2), "v": x})
    same(both, {"u": {"u": np.zeros(()), "v": 2 * x}, "v": {"u": 2 * x, "v": 4 * np.eye(4)}})


ADDED: np.ufunc = np.logaddexp

SMOOTH: dict[str, Callable[[Any], Any]] = {
    "logaddexp": lambda x: np.logaddexp(x, 0.0),
    "logaddexp of both": lambda x: np.logaddexp(2 * x, -x),
    "logaddexp2": lambda x: np.logaddexp2(0.0, x),
    "logaddexp.reduce": lambda x: ADDED.reduce(np.stack([x, 0 * x, 2 * x])),
    "sinc": np.sinc,
    "sigmoid": nn.sigmoid,
    "silu": nn.silu,
    "gelu": nn.gelu,
    "gelu by tanh": lambda x: nn.gelu(x, True),
    "hypot": lambda x: np.hypot(x, 0 * x + 1),
    "arctan2": lambda x: np.arctan2(x, 0 * x + 1),
    "power": lambda x: x**2 + x**3 + np.power(x + 1, 1.5),
    "prod": lambda x: np.prod(np.stack([x, x + 1, x])),
    "cumprod": lambda x: np.sum(np.cumprod(np.stack([x, x + 1, x]))),
    "var": lambda x: np.var(np.stack([x, 0 * x, -x])),
    "norm": lambda x: np.linalg.norm(np.stack([x, 0 * x + 1])),
    "softmax": lambda x: nn.softmax(np.stack([x, 0 * x, 2 * x]))[0],
    "log_softmax": lambda x: nn.log_softmax(np.stack([x, 0 * x, 2 * x]))[0],
    "cross_entropy": lambda x: nn.cross_entropy(np.stack([x, 0 * x, x])[None], np.array([0])),
}
"""Functions that are smooth where what they are made of is not: where two are equal, or one is 0."""


@pytest.mark.parametrize("name", SMOOTH)
def test_second_and_third_derivatives_where_arguments_are_equal(name: str) -> None:
    fn, h = SMOOTH[name], 1e-3
    below, before, here, after, above = (float(fn(np.float64(k * h))) for k in range(-2, 3))
    slopes = [(after - before) / (2 * h), (after - 2 * here + before) / h**2]
    slopes.append((above - 2 * after + 2 * before - below) / (2 * h**3))
    first = graphc.grad(fn)
    second = graphc.grad(first)
    found = on_host(lambda x: (first(x), second(x), graphc.grad(second)(x)))(np.float32(0))
    np.testing.assert_allclose([float(f) for f in found], slopes, rtol=2e-3, atol=2e-3)


def test_equal_infinities_have_a_sum_of_exponentials() -> None:
    x = np.array([np.inf, -np.inf, np.inf, 1.0], np.float32)
    y = np.array([np.inf, -np.inf, 1.0, np.inf], np.float32)
    with np.errstate(invalid="ignore"):
        value, pull = on_host(lambda x, y: (np.logaddexp(x, y), graphc.vjp(np.logaddexp, x, y)[1](np.ones(4))))(x, y)
    assert np.asarray(value).tolist() == np.logaddexp(x, y).tolist()
    left, right = (np.asarray(g) for g in pull)
    assert (left + right).tolist() == [1, 1, 1, 1]
    assert left[2:].tolist() == [1, 0]


def test_aux_and_integers() -> None:
    x = array(3)
    fn = lambda x: ({"y": x * x, "n": np.argmax(x)}, x + 1)  # noqa: E731
    value, derivative, aux = on_host(lambda x: graphc.jvp(fn, (x,), (x,), has_aux=True))(x)
    same((value, derivative, aux), ({"y": x * x, "n": np.argmax(x)}, {"y": 2 * x * x, "n": np.int32(0)}, x + 1))
    jacobian, aux = on_host(graphc.jacfwd(lambda x: (x * x, x + 1), has_aux=True))(x)
    same((jacobian, aux), (np.diag(2 * x), x + 1))
    value, pull, aux = graphc.vjp(lambda x: (x * x, x + 1), x, has_aux=True)
    same((value, pull(np.ones(3, np.float32)), aux), (x * x, (2 * x,), x + 1))


@pytest.mark.parametrize("device", ["numpy", None])
def test_at_once_on_arrays(device: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if device:
        monkeypatch.setenv("GRAPHC_DEVICE", device)
    x, w = array(3), array(3, 3)
    value, pull = graphc.vjp(lambda x, w: np.tanh(x @ w), x, w)
    slope = 1 - np.tanh(x @ w) ** 2
    same(value, np.tanh(x @ w))
    same(pull(x), (w @ (slope * x), np.outer(x, slope * x)))
    same(pull(2 * x), (w @ (slope * 2 * x), np.outer(x, slope * 2 * x)))
    value, push = graphc.linearize(lambda x: np.sin(x), x)
    same((value, push(w[0])), (np.sin(x), np.cos(x) * w[0]))
    same(graphc.jvp(lambda x: np.sin(x), (x,), (w[0],)), (np.sin(x), np.cos(x) * w[0]))
    same(graphc.jvp(lambda x: x**2, (3.0,), (1.0,)), (np.float32(9), np.float32(6)))
    same(graphc.hessian(lambda x: np.sum(x**3))(x), np.diag(6 * x))


def test_they_compose() -> None:
    x, w = array(4, 3), array(3)
    loss = lambda w, x: np.sum(np.sin(x * w))  # noqa: E731
    curvature = graphc.vmap(graphc.hessian(loss), (None, 0))
    want = np.stack([np.diag(-np.sin(row * w) * row**2) for row in x])
    same(on_host(curvature)(w, x), want)
    product = on_host(lambda w, x, t: graphc.jvp(lambda w: graphc.grad(loss)(w, x), (w,), (t,))[1])(w, x[0], x[1])
    same(product, want[0] @ x[1])
    nested = on_host(lambda w: graphc.grad(lambda w: np.sum(graphc.jvp(np.sin, (w,), (w,))[1]))(w))(w)
    same(nested, np.cos(w) - w * np.sin(w))
    pulled = on_host(lambda w, u: graphc.vmap(graphc.vjp(np.sin, w)[1])(u))(w, x)
    same(pulled, (np.cos(w) * x,))


NO_TUPLES: Any = (array(3), array(3))
MISTAKES: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "tuple": (lambda: graphc.jvp(np.sin, *NO_TUPLES), TraceError, "primals and tangents are tuples"),
    "tree": (
        lambda: graphc.jvp(np.sin, (array(3),), ([array(3)],)),
        TraceError,
        r"tangent is \(\[\*\],\), and stands for",
    ),
    "shape": (lambda: graphc.jvp(np.sin, (array(3),), (array(2),)), ShapeError, r"tangent\[0\] is f32\[2\]"),
    "integer": (lambda: graphc.jvp(np.sin, (np.arange(3),), (array(3),)), DTypeError, "jvp: argument 0 is i32"),
    "cotangent": (lambda: graphc.vjp(np.sin, array(3))[1](array(2)), ShapeError, r"cotangent is f32\[2\]"),
    "result": (lambda: graphc.jacfwd(lambda x: x > 0)(array(3)), DTypeError, r"jacfwd: result is bool\[3\]"),
    "argnums": (lambda: graphc.jacrev(np.sin, 1)(array(3)), TraceError, "jacrev: argnums 1"),
    "aux": (lambda: graphc.vjp(np.sin, array(3), has_aux=True), TraceError, "has_aux needs a pair"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_named(name: str) -> None:
    call, error, text = MISTAKES[name]
    with pytest.raises(error, match=text) as caught:
        call()
    assert "test_derivatives.py" in str(caught.value)
