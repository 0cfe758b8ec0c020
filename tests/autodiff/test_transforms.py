"""Gradients and their kin: against finite differences in float64 and formulas, nested, in trees, and refused."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import checkpoint, custom_vjp, grad, stop_gradient, tree, value_and_grad
from graphc.ir.graph import BACKWARD
from tests.support.operands import K, M, P, X
from tests.support.tracing import run_traced


@pytest.fixture(autouse=True)
def _numpy_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHC_DEVICE", "numpy")


def differences(fn: Any, x: Any, eps: float = 1e-4) -> Any:
    """The gradient of a plain NumPy function by central differences in float64."""
    x = np.asarray(x, np.float64)
    found = np.zeros_like(x)
    for at in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[at] = eps
        found[at] = (fn(x + step) - fn(x - step)) / (2 * eps)
    return found


def loss(params: Any, x: Any) -> Any:
    h = np.tanh(x @ params["w"] + params["b"])
    return np.mean(h**2) + np.sum(np.abs(params["b"])) * 0.1


PARAMS = {"w": M, "b": np.linspace(-1, 1, 5).astype(np.float32)}


def test_grad_of_a_tree() -> None:
    value, found = run_traced(value_and_grad(loss), PARAMS, X)
    np.testing.assert_allclose(value, loss(PARAMS, X), rtol=1e-6)
    assert set(found) == {"w", "b"}
    for name in PARAMS:
        wanted = differences(lambda p, name=name: loss({**PARAMS, name: p}, X.astype(float)), PARAMS[name])
        np.testing.assert_allclose(found[name], wanted, rtol=1e-4, atol=1e-6)


def test_argnums() -> None:
    def fn(a: Any, b: Any, c: Any) -> Any:
        return np.sum(a * b * c)

    assert grad(fn)(2.0, 3.0, 4.0) == 12
    assert grad(fn, argnums=2)(2.0, 3.0, 4.0) == 6
    assert grad(fn, argnums=-2)(2.0, 3.0, 4.0) == 8
    assert grad(fn, argnums=(2, 0))(2.0, 3.0, 4.0) == (6, 12)
    assert grad(fn, argnums=(1,))(2.0, 3.0, 4.0) == (8,)
    assert grad(fn, argnums=(0, 2, 0, -3))(2.0, 3.0, 4.0) == (12, 6, 12, 12)
    assert graphc.compile(grad(fn, argnums=(1, 1)))(2.0, 3.0, 4.0) == (8, 8)
    with pytest.raises(graphc.TraceError, match="argnums 3, but 3 positional"):
        grad(fn, argnums=3)(2.0, 3.0, 4.0)


def test_has_aux() -> None:
    def fn(x: Any) -> Any:
        y = x * x
        return np.sum(y), {"y": y, "n": 3}

    (value, aux), found = run_traced(value_and_grad(fn, has_aux=True), P)
    np.testing.assert_allclose(value, np.sum(P * P), rtol=1e-6)
    np.testing.assert_allclose(aux["y"], P * P)
    assert aux["n"] == 3
    np.testing.assert_allclose(found, 2 * P)
    found, aux = run_traced(grad(fn, has_aux=True), P)
    np.testing.assert_allclose(found, 2 * P)
    np.testing.assert_allclose(aux["y"], P * P)
    with pytest.raises(graphc.TraceError, match=r"needs a pair \(value, aux\)"):
        grad(lambda x: np.sum(x), has_aux=True)(P)


def test_gradients_outside_a_trace_run_at_once_and_read_closures_each_time() -> None:
    batch = [X]

    def fn(w: Any) -> Any:
        return np.sum(w * batch[0])

    both = value_and_grad(fn)
    value, found = both(P)
    assert isinstance(found, graphc.Array)
    np.testing.assert_allclose(float(value), np.sum(P * X), rtol=1e-5)
    np.testing.assert_allclose(np.asarray(found), X)
    batch[0] = P
    np.testing.assert_allclose(np.asarray(both(P)[1]), P)


def test_what_is_no_array_reaches_the_function_as_it_is() -> None:
    @dataclass(frozen=True)
    class Config:
        layers: int
        mode: str

    def fn(w: Any, config: Config, reduce: Any, scale: float = 1.0) -> Any:
        assert config.mode == "deep"
        for _ in range(config.layers):
            w = w * w
        return reduce(w) * scale

    config = Config(2, "deep")
    np.testing.assert_allclose(np.asarray(grad(fn)(P, config, np.sum, scale=2.0)), 8 * P**3, rtol=1e-5)
    traced = run_traced(lambda w: grad(fn)(w, config, np.sum), P)
    np.testing.assert_allclose(traced, 4 * P**3, rtol=1e-5)
    step = graphc.compile(value_and_grad(fn), static=("config", "reduce"), device="numpy")
    np.testing.assert_allclose(np.asarray(step(P, config, np.sum)[1]), 4 * P**3, rtol=1e-5)


def test_python_scalars_beside_the_argument_may_be_traced_or_not() -> None:
    assert grad(lambda x, n: np.sum(x**n))(np.float32(2), 3) == 12
    assert grad(lambda x, n: sum(x for _ in range(n)))(np.float32(2), 3) == 3


def test_gradient_of_gradient() -> None:
    def cube(x: Any) -> Any:
        return x**3

    assert grad(grad(cube))(2.0) == 12
    assert grad(grad(grad(cube)))(2.0) == 6
    wanted = differences(lambda x: np.sum(np.cos(x) * x), X, 1e-3)
    twice = run_traced(grad(lambda x: np.sum(grad(lambda y: np.sum(np.sin(y) * x))(x))), X)
    np.testing.assert_allclose(twice, wanted, rtol=1e-3, atol=1e-4)


def test_an_inner_gradient_sees_outer_values() -> None:
    def outer(w: Any, x: Any) -> Any:
        scale = w * 2

        def inner(y: Any) -> Any:
            return np.sum(np.exp(y * scale) + w)

        return np.sum(grad(inner)(x) * x)

    def plain(w: Any) -> Any:
        return np.sum(2 * w * np.exp(X.astype(float) * 2 * w) * X)

    np.testing.assert_allclose(run_traced(outer, 0.3, X), plain(0.3), rtol=1e-5)
    np.testing.assert_allclose(run_traced(grad(outer), 0.3, X), differences(plain, 0.3), rtol=1e-4)


def test_an_argument_that_does_not_matter_has_zero_gradient() -> None:
    found = run_traced(grad(lambda p: np.sum(p["a"])), {"a": X, "b": P})
    np.testing.assert_array_equal(found["b"], np.zeros_like(P))


def test_hessian_vector_product_by_composition() -> None:
    def fn(x: Any) -> Any:
        return np.sum(np.exp(x) * x[::-1])

    def product(x: Any, v: Any) -> Any:
        return grad(lambda y: np.vdot(grad(fn)(y), v))(x)

    wanted = differences(lambda x: np.sum(np.exp(x) * x[::-1] * 1.0), X)
    np.testing.assert_allclose(run_traced(grad(fn), X), wanted, rtol=1e-3, atol=1e-4)
    v = np.ones_like(X)

    def first(x: Any) -> Any:
        return np.exp(x) * x[::-1] + np.exp(x[::-1])

    h = 1e-4
    expected = (first(X.astype(float) + h * v) - first(X.astype(float) - h * v)) / (2 * h)
    np.testing.assert_allclose(run_traced(product, X, v), expected, rtol=1e-3, atol=1e-4)


def test_backward_nodes_carry_the_forward_line() -> None:
    def fn(x: Any) -> Any:
        return np.sum(np.tanh(x))

    graph = graphc.trace(grad(fn), X)
    line = f"test_transforms.py:{inspect.getsourcelines(fn)[1] + 1}"
    back = [node for node in graph.nodes if node.source.phase == BACKWARD]
    assert back
    assert {str(node.source) for node in back} == {line}


def refusals() -> list[tuple[type[Exception], str, Any, Any]]:
    return [
        (graphc.ShapeError, r"returns f32\[3,4\]: needs a float scalar", lambda x: x * 2, X),
        (graphc.ShapeError, r"returns f32\[1\]", lambda x: np.sum(x)[None], X),
        (graphc.DTypeError, r"returns i32\[\]", lambda x: np.argmax(x), X),
        (graphc.DTypeError, r"returns bool\[\]", lambda x: np.all(x > 0), X),
        (graphc.DTypeError, r"argument 0 is i32\[3,4\]", lambda x: np.sum(x), K),
        (graphc.DTypeError, r"argument 0\[\"n\"\] is i32\[\]", lambda x: x["w"], {"w": 1.0, "n": 2}),
        (graphc.TraceError, r"returns \(\*, \*\): needs one float scalar; .*has_aux=True", lambda x: (np.sum(x), x), X),
        (graphc.TraceError, r"argument 0\[1\] is a str", lambda x: x[0], [1.0, "a"]),
    ]


@pytest.mark.parametrize("case", range(len(refusals())))
def test_refused_gradients_name_type_and_line(case: int) -> None:
    error, text, fn, argument = refusals()[case]
    with pytest.raises(error, match=text) as caught:
        grad(fn)(argument)
    assert isinstance(caught.value, graphc.GraphcError)
    assert "\n  at  test_transforms.py:" in str(caught.value)


def test_stop_gradient() -> None:
    found = run_traced(grad(lambda x: np.sum(x * stop_gradient(x))), X)
    np.testing.assert_allclose(found, X)
    both = stop_gradient({"a": X, "b": [P, 2.0]})
    assert both["a"] is X
    zero = run_traced(grad(lambda x: np.sum(tree.leaves(stop_gradient({"a": x}))[0])), X)
    np.testing.assert_array_equal(zero, np.zeros_like(X))


def clipped() -> Any:
    """x, whose gradient is clipped to [-1, 1]."""
    return custom_vjp(lambda x: x, lambda x: (x, None), lambda _, g: (np.clip(g, -1, 1),))


def test_custom_vjp() -> None:
    fn = clipped()
    assert fn(X) is X
    found = run_traced(grad(lambda x: np.sum(fn(x) * P * 3 - fn(x) * 4)), X)
    np.testing.assert_allclose(found, np.clip(P * 3, -1, 1) - 1, rtol=1e-5, atol=1e-6)
    graph = graphc.trace(fn, X)
    assert graph.count("call") == 1


def test_custom_vjp_with_trees_residuals_and_several_results() -> None:
    seen: list[Any] = []

    def fn(p: Any, x: Any, mode: str) -> Any:
        return {"y": x * p["w"], "n": np.argmax(x)}

    def fwd(p: Any, x: Any, mode: str) -> Any:
        seen.append(mode)
        return fn(p, x, mode), {"x": x, "w": p["w"], "mode": mode, "none": None, "k": 2}

    def bwd(saved: Any, g: Any) -> Any:
        assert saved["mode"] == "train"
        assert saved["k"] == 2
        return {"w": g["y"] * saved["x"] * 10, "unused": None}, g["y"] * saved["w"] * 100, None

    special = custom_vjp(fn, fwd, bwd)
    params = {"w": P, "unused": X}

    def total(p: Any, x: Any) -> Any:
        return np.sum(special(p, x, mode="train")["y"])

    found_p, found_x = run_traced(grad(total, argnums=(0, 1)), params, X)
    np.testing.assert_allclose(found_p["w"], X * 10)
    np.testing.assert_array_equal(found_p["unused"], np.zeros_like(X))
    np.testing.assert_allclose(found_x, P * 100)
    assert seen == ["train"]


def test_custom_vjp_that_calls_itself_and_second_order() -> None:
    exp = custom_vjp(lambda x: np.exp(x), lambda x: (np.exp(x), x), lambda x, g: (g * exp(x),))
    assert abs(float(grad(exp)(0.5)) - np.exp(0.5)) < 1e-6
    assert abs(float(grad(grad(exp))(0.5)) - np.exp(0.5)) < 1e-6
    assert abs(float(grad(grad(grad(exp)))(0.5)) - np.exp(0.5)) < 1e-6


def test_custom_vjp_closing_over_traced_values() -> None:
    def fn(w: Any, x: Any) -> Any:
        scale = w * 2
        times = custom_vjp(lambda y: y * scale, lambda y: (y * scale, y), lambda y, g: (g * scale * 10 + 0 * y,))
        return np.sum(times(x) ** 2)

    found = run_traced(lambda w, x: grad(fn, argnums=1)(w, x), 0.5, X)
    np.testing.assert_allclose(found, 2 * X * 10, rtol=1e-5)


@pytest.mark.parametrize(
    ("fwd", "bwd", "text"),
    [
        (lambda x: x, lambda r, g: (g,), "fwd has to return a pair"),
        (lambda x: (x[0], None), lambda r, g: (g,), "the result of fwd differs"),
        (lambda x: (x, None), lambda r, g: g, "bwd returns a Tracer"),
        (lambda x: (x, None), lambda r, g: (g, g), "bwd returns 2 gradients"),
        (lambda x: (x, None), lambda r, g: ({"a": g},), "bwd returns .* for argument 0"),
        (lambda x: (x, None), lambda r, g: (g[0],), r"gradient of shape \(4,\)"),
    ],
)
def test_wrong_custom_rules(fwd: Any, bwd: Any, text: str) -> None:
    fn = custom_vjp(lambda x: x, fwd, bwd)
    with pytest.raises(graphc.GraphcError, match=text):
        graphc.trace(grad(lambda x: np.sum(fn(x))), X)


def test_checkpoint() -> None:
    def block(p: Any, x: Any, depth: int = 2) -> Any:
        for _ in range(depth):
            x = np.tanh(x * p["w"]) + x
        return x

    def plain(p: Any, x: Any) -> Any:
        return np.sum(block(p, block(p, x), depth=1))

    def saving(p: Any, x: Any) -> Any:
        light = checkpoint(block)
        return np.sum(light(p, light(p, x), depth=1))

    np.testing.assert_array_equal(checkpoint(block)({"w": P}, X), block({"w": P}, X))
    for mine, theirs in zip(
        tree.leaves(run_traced(value_and_grad(saving), {"w": P}, X)),
        tree.leaves(run_traced(value_and_grad(plain), {"w": P}, X)),
        strict=True,
    ):
        np.testing.assert_allclose(mine, theirs, rtol=1e-6)
    graph = graphc.trace(grad(saving), {"w": P}, X)
    assert graph.count("barrier") > 0
    assert sum(node.op.name == "tanh" and node.source.phase == BACKWARD for node in graph.nodes) == 3
    np.testing.assert_allclose(
        run_traced(grad(lambda p: np.sum(grad(saving, argnums=1)(p, X))), {"w": P})["w"],
        run_traced(grad(lambda p: np.sum(grad(plain, argnums=1)(p, X))), {"w": P})["w"],
        rtol=1e-4,
        atol=1e-5,
    )


def test_transforms_keep_name_and_doc() -> None:
    for made in (grad(loss), value_and_grad(loss), checkpoint(loss), custom_vjp(loss, loss, loss)):
        assert made.__name__ == "loss"


def test_a_compiled_function_inside_a_trace_becomes_part_of_it() -> None:
    def outer(w: Any) -> Any:
        inner = graphc.compile(lambda x: np.sum(x * w), device="numpy")
        return inner(X) + inner(w)

    assert graphc.trace(outer, P).count("mul") == 2
    np.testing.assert_allclose(run_traced(outer, P), np.sum(X * P) + np.sum(P * P), rtol=1e-5)
    np.testing.assert_allclose(run_traced(grad(outer), P), X + 2 * P, rtol=1e-5)
