"""Gradient rules: against finite differences in float64, first and second order, and at points of their own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphc.autodiff.reverse import differentiate
from graphc.ir import types
from graphc.ir.graph import Builder, Graph, Value, evaluate
from graphc.ir.op import Case, Op
from graphc.ir.types import TensorType, type_of
from graphc.ops import OPS, by_name

STEP = 1e-5

ROUGH = frozenset({"abs", "maximum", "minimum", "max", "min", "mod", "fmod"})
"""Ops whose second derivative is zero or jumps, and finds nothing to difference."""


@pytest.fixture(autouse=True)
def double_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """Constants of float64, as after enable_x64, for one test."""
    monkeypatch.setattr(types._Precision, "x64", True)


def doubles(case: Case) -> list[np.ndarray]:
    """The inputs of a case, floats in float64."""
    arrays = [np.asarray(a) for a in case.inputs]
    return [a.astype(np.float64) if a.dtype.kind == "f" else a for a in arrays]


def is_float(value: Value) -> bool:
    return value.type.dtype.kind == "float"


def weighted(builder: Builder, values: list[Value], weights: list[Value]) -> Value:
    """The scalar sum of values * weights."""
    total = builder.constant(np.zeros((), np.float64))
    for value, weight in zip(values, weights, strict=True):
        product = builder.apply(by_name("mul"), value, weight)
        axes = tuple(range(product.type.ndim))
        total = builder.apply(by_name("add"), total, builder.apply(by_name("sum"), product, axes=axes, keepdims=False))
    return total


def scalar_graph(op: Op, case: Case) -> tuple[Graph, list[np.ndarray], list[int]]:
    """loss = sum(op(inputs) * weights), its inputs, and the positions of those that are differentiated."""
    rng = np.random.default_rng(7)
    arrays, builder = doubles(case), Builder()
    inputs = [builder.input(type_of(a)) for a in arrays]
    out = builder.apply(op, *inputs, **_double_attrs(case))
    loss = weighted(builder, [out], [builder.input(out.type)])
    wrt = [n for n, v in enumerate(inputs) if is_float(v)]
    return builder.build([loss]), [*arrays, rng.standard_normal(out.type.shape)], wrt


def _double_attrs(case: Case) -> dict[str, Any]:
    return {k: types.f64 if v == types.f32 else v for k, v in case.attrs.items()}


def check(graph: Graph, arrays: list[np.ndarray], wrt: list[int], tolerance: float) -> None:
    """Compare the gradients of outputs[0] with central differences along random directions."""
    results = evaluate(differentiate(graph, wrt), arrays)
    gradients = results[len(graph.outputs) :]
    rng = np.random.default_rng(11)
    for _ in range(2):
        directions = {n: rng.standard_normal(arrays[n].shape) for n in wrt}
        ends = []
        for sign in (STEP, -STEP):
            moved = [a + sign * directions[n] if n in directions else a for n, a in enumerate(arrays)]
            ends.append(float(evaluate(graph, moved)[0]))
        numeric = (ends[0] - ends[1]) / (2 * STEP)
        exact = sum(float(np.sum(g * directions[n])) for g, n in zip(gradients, wrt, strict=True))
        assert np.isfinite(exact)
        assert abs(exact - numeric) <= tolerance * max(1.0, abs(numeric), abs(float(results[0])))


def gradient_graph(graph: Graph, arrays: list[np.ndarray], wrt: list[int]) -> tuple[Graph, list[np.ndarray]]:
    """The scalar sum(gradient * weights) as a function of the inputs, for second derivatives."""
    rng = np.random.default_rng(13)
    first, builder = differentiate(graph, wrt), Builder()
    inputs = [builder.input(v.type) for v in first.inputs]
    found = builder.inline(first, inputs)[len(graph.outputs) :]
    loss = weighted(builder, found, [builder.input(v.type) for v in found])
    return builder.build([loss]), [*arrays, *(rng.standard_normal(v.type.shape) for v in found)]


CASES = {
    f"{name}-{n}": (op, case)
    for name, op in OPS.items()
    if callable(op.vjp)
    for n, case in enumerate(op.cases())
    if case.grad and any(np.asarray(a).dtype.kind == "f" for a in case.inputs)
}
SMOOTH = {name: (op, case) for name, (op, case) in CASES.items() if op.name not in ROUGH}


@pytest.mark.parametrize(("op", "case"), CASES.values(), ids=CASES)
def test_gradient_equals_finite_differences(op: Op, case: Case) -> None:
    check(*scalar_graph(op, case), tolerance=1e-7)


@pytest.mark.parametrize(("op", "case"), SMOOTH.values(), ids=SMOOTH)
def test_gradient_of_gradient_equals_finite_differences(op: Op, case: Case) -> None:
    graph, arrays, wrt = scalar_graph(op, case)
    second, more = gradient_graph(graph, arrays, wrt)
    check(second, more, [*wrt, len(arrays) - 1], tolerance=1e-6)


def gradient(name: str, *arrays: Any, wrt: int = 0, **attrs: Any) -> np.ndarray:
    """The gradient of sum(op(arrays)) with respect to one of them."""
    builder = Builder()
    given = [np.asarray(a) for a in arrays]
    out = builder.apply(by_name(name), *(builder.input(type_of(a)) for a in given), **attrs)
    ones = builder.constant(np.ones((), out.type.dtype.numpy))
    loss = weighted(builder, [out], [ones])
    return evaluate(differentiate(builder.build([loss]), [wrt]), given)[1]


def test_equal_operands_share_the_gradient_of_maximum() -> None:
    x, y = np.array([1.0, 2.0, 3.0]), np.array([2.0, 2.0, 2.0])
    np.testing.assert_array_equal(gradient("maximum", x, y), [0, 0.5, 1])
    np.testing.assert_array_equal(gradient("minimum", x, y), [1, 0.5, 0])
    np.testing.assert_array_equal(gradient("maximum", x, y, wrt=1), [1, 0.5, 0])


@pytest.mark.parametrize("name", ["max", "min"])
def test_equal_extremes_share_the_gradient(name: str) -> None:
    x = np.array([[3.0, 1.0, 3.0, 1.0], [5.0, 5.0, 5.0, 5.0]])
    half = [0.5, 0, 0.5, 0] if name == "max" else [0, 0.5, 0, 0.5]
    np.testing.assert_array_equal(gradient(name, x, axes=(1,), keepdims=False), [half, [0.25] * 4])


def test_power_has_finite_gradients_at_zero() -> None:
    base, power = np.array([0.0, 0.0, 0.0]), np.array([0.0, 1.0, 2.0])
    np.testing.assert_array_equal(gradient("pow", base, power), [0, 1, 0])
    np.testing.assert_array_equal(gradient("pow", base, power, wrt=1), [0, 0, 0])


def test_power_of_a_negative_base_has_a_gradient() -> None:
    np.testing.assert_allclose(gradient("pow", np.array([-2.0]), np.array([3.0])), [12.0])


@pytest.mark.parametrize(("zeros", "expected"), [(0, [12, 8, 6]), (1, [0, 0, 6]), (2, [0, 0, 0])])
def test_product_has_the_right_gradient_at_zeros(zeros: int, expected: list[float]) -> None:
    x = np.array([2.0, 3.0, 4.0])
    x[3 - zeros :] = 0
    np.testing.assert_allclose(gradient("prod", x, axes=(0,), keepdims=False), expected)


def test_where_keeps_a_nan_out_of_the_other_branch() -> None:
    condition = np.array([True, False])
    nan = np.array([np.nan, np.nan])
    np.testing.assert_array_equal(gradient("where", condition, nan, np.ones(2), wrt=1), [1, 0])


def test_gradient_of_index_update_goes_to_the_last_writer() -> None:
    x, ids, values = np.zeros(4), np.array([1, 3, 1], np.int32), np.ones(3)
    np.testing.assert_array_equal(gradient("index_update", x, ids, values, axis=0), [1, 0, 1, 0])
    np.testing.assert_array_equal(gradient("index_update", x, ids, values, wrt=2, axis=0), [0, 1, 1])


def test_gradient_of_take_adds_up_and_leaves_out_what_is_out_of_range() -> None:
    ids = np.array([0, 0, -1, 7, -4], np.int32)
    np.testing.assert_array_equal(gradient("take", np.zeros(3), ids, axis=0), [2, 0, 1])
    columns = np.array([[3], [-4], [-3], [2]], np.int32)
    want = [[0, 0, 0], [0, 0, 0], [1, 0, 0], [0, 0, 1]]
    np.testing.assert_array_equal(gradient("take_along_axis", np.zeros((4, 3)), columns, axis=1), want)


def test_gradient_of_what_is_written_out_of_range_is_zero() -> None:
    ids, values = np.array([5, 3, -5, 3], np.int32), np.ones(4)
    np.testing.assert_array_equal(gradient("scatter_add", ids, values, wrt=1, axis=0, size=4), [0, 1, 0, 1])
    np.testing.assert_array_equal(gradient("index_update", np.zeros(4), ids, values, wrt=2, axis=0), [0, 0, 0, 1])


def test_gradient_of_a_shared_matrix_is_one_product() -> None:
    builder = Builder()
    a, b = builder.input(TensorType((4, 3, 5), types.f64)), builder.input(TensorType((5, 2), types.f64))
    loss = weighted(builder, [builder.apply(by_name("matmul"), a, b)], [builder.constant(np.ones(()))])
    graph = differentiate(builder.build([loss]), [1])
    products = [node for node in graph.nodes if node.op.name == "matmul"]
    assert products[-1].inputs[0].type.shape == (5, 12)
    assert products[-1].out.type.shape == (5, 2)


def test_no_rule_embeds_an_array() -> None:
    """A rule that makes an array with NumPy would put it into the program as a constant that grows with the input."""
    for name, (op, case) in CASES.items():
        graph, _, wrt = scalar_graph(op, case)
        big = [array.shape for array in differentiate(graph, wrt).constants.values() if array.size > 1]
        assert not big, f"{name}: {big}"
