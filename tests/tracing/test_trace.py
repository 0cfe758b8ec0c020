"""Tracing: arguments to inputs, closures to constants, results to outputs, and where each node came from."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.ir.graph import Builder, evaluate
from graphc.ir.types import TensorType, f32
from graphc.ops import by_name
from graphc.tracing.trace import apply, trace_program, wrap
from tests.support.operands import K, X
from tests.support.tracing import assert_same, run_traced


def ops(graph: graphc.Graph) -> list[str]:
    return [node.op.name for node in graph.nodes]


def mlp(params: Any, x: Any) -> Any:
    h = np.tanh(x @ params["w1"] + params["b1"])
    return h @ params["w2"] + params["b2"]


def test_the_example_of_the_contract() -> None:
    shapes = {"w1": (64, 128), "b1": (128,), "w2": (128, 10), "b2": (10,)}
    graph = graphc.trace(mlp, {k: graphc.spec(s) for k, s in shapes.items()}, graphc.spec((32, 64)))
    graph.verify()
    line = inspect.getsourcelines(mlp)[1]
    first, second = f"test_trace.py:{line + 1}", f"test_trace.py:{line + 2}"
    assert str(graph).splitlines() == [
        "graph(%b1: f32[128], %b2: f32[10], %w1: f32[64,128], %w2: f32[128,10], %x: f32[32,64])",
        f"  %5: f32[32,128] = matmul(%x, %w1)  # {first}",
        f"  %6: f32[32,128] = add(%5, %b1)  # {first}",
        f"  %7: f32[32,128] = tanh(%6)  # {first}",
        f"  %8: f32[32,10] = matmul(%7, %w2)  # {second}",
        f"  %9: f32[32,10] = add(%8, %b2)  # {second}",
        "  return %9",
    ]


def test_source_lines_hold_the_expression() -> None:
    node = graphc.trace(lambda a, b: np.exp(a) * b, X, X).nodes[1]
    (line,) = node.source.lines
    assert line.text == "np.exp(a) * b"
    assert line.file == __file__


def test_functions_of_graphc_are_charged_to_the_line_that_calls_them() -> None:
    def model(x: Any) -> Any:
        return graphc.nn.softmax(
            x,
            axis=0,
        )

    graph = graphc.trace(model, X)
    number = inspect.getsourcelines(model)[1] + 1
    assert {str(node.source) for node in graph.nodes} == {f"test_trace.py:{number}"}
    assert {node.source.scope for node in graph.nodes} == {"nn.softmax"}


def test_a_multi_line_expression_and_code_without_a_file() -> None:
    graph = graphc.trace(lambda x: (x +
                                    1), X)  # fmt: skip
    assert graph.nodes[0].source.lines[0].text == "graph = graphc.trace(lambda x: (x +"
    nowhere = eval("lambda x: x + 1")
    assert str(graphc.trace(nowhere, X).nodes[0].source) == "<string>:1"


def test_keyword_arguments_nested_functions_and_trees() -> None:
    @dataclass
    class Batch:
        x: Any
        scale: Any

    def step(batch: Batch, *rest: Any, bias: Any, flags: Any = None) -> Any:
        def inner(y: Any) -> Any:
            return y * batch.scale

        return {"y": inner(batch.x) + bias, "rest": list(rest), "batch": batch, "none": flags}

    program = trace_program(step, (Batch(X, 2.0), X, (X, None)), {"bias": X[0]})
    assert [v.hint for v in program.graph.inputs] == ["x", "scale", "arg1", "arg2_0", "bias"]
    results = evaluate(program.graph, [X, np.array(2, np.float32), X, X, X[0]])
    result = program.out_tree.unflatten(results)
    assert isinstance(result["batch"], Batch)
    assert result["rest"][1] == (result["rest"][1][0], None)
    np.testing.assert_array_equal(result["y"], X * np.float32(2) + X[0])


def test_constants_in_results() -> None:
    result = run_traced(lambda x: (x, 3, 2.5, True, np.arange(3), None), X)
    assert [np.asarray(r).dtype.name for r in result[1:5]] == ["int32", "float32", "bool", "int32"]
    np.testing.assert_array_equal(result[4], [0, 1, 2])
    assert result[5] is None


def test_an_input_may_be_the_result_and_go_unused() -> None:
    graph = graphc.trace(lambda x, y: x, X, X)
    assert graph.outputs == graph.inputs[:1]
    assert len(graph.inputs) == 2
    assert graphc.trace(lambda x: np.float32(1), X).nodes == ()


def test_closures_are_read_when_traced() -> None:
    table = np.arange(12.0).reshape(3, 4)
    graph = graphc.trace(lambda x: x + table + table, X)
    (constant,) = graph.constants.values()
    assert constant.dtype == np.float32
    table[:] = -1
    np.testing.assert_array_equal(constant, np.arange(12.0).reshape(3, 4))


def test_a_closure_that_changes_while_traced_is_read_each_time() -> None:
    buffer = np.zeros(4, np.float32)

    def fn(x: Any) -> Any:
        y = x + buffer
        buffer[:] = 1
        return y * buffer

    got = run_traced(fn, X)
    np.testing.assert_array_equal(got, X)


def test_unused_nodes_and_constants_are_left_out() -> None:
    def fn(x: Any) -> Any:
        np.exp(x) + np.ones(4)
        return x**2

    graph = graphc.trace(fn, X)
    assert ops(graph) == ["mul"]
    assert not graph.constants


def test_inputs_are_narrowed() -> None:
    graph = graphc.trace(
        lambda *a: a, np.ones(2), np.ones(2, int), np.ones(2, np.uint8), np.ones(2, np.int16), True, 1, 1.0
    )
    names = [str(v.type) for v in graph.inputs]
    assert names == ["f32[2]", "i32[2]", "i32[2]", "i32[2]", "bool[]", "i32[]", "f32[]"]
    assert str(graphc.trace(lambda x: x, np.ones(2, np.float16)).inputs[0].type) == "f16[2]"


def test_traced_values_look_like_arrays() -> None:
    seen: list[Any] = []

    def look(x: Any) -> Any:
        seen.extend((x.shape, x.dtype, x.ndim, x.size, len(x), x.nbytes, x.itemsize, repr(x), f"{x}"))
        return x

    graphc.trace(look, X)
    assert seen == [(3, 4), np.dtype(np.float32), 2, 12, 3, 48, 4, "Tracer(f32[3,4])", "Tracer(f32[3,4])"]
    assert all(type(n) is int for n in seen[0])


def test_python_scalars_are_arguments_that_do_not_promote() -> None:
    half = np.ones(3, np.float16)
    result = run_traced(lambda h, lr, n: (h * lr, h * n, h * (lr * n), h + lr**n, n / 2, n * n, lr < n), half, 0.5, 2)
    assert [r.dtype.name for r in result] == ["float16"] * 4 + ["float32", "int32", "bool"]
    assert run_traced(lambda b, n: b**n, 0.5, 3) == np.float32(0.125)
    assert run_traced(lambda k, lr: k * lr, K, 0.5).dtype == np.float32
    assert run_traced(lambda n: X * 0 + n, 3).dtype == np.float32
    assert str(graphc.trace(lambda x, lr: x * lr, X, 0.1)).count("cast") == 0


def test_accurate_powers_of_python_scalars() -> None:
    got = run_traced(lambda beta, t: beta**t, 0.999, 1000)
    np.testing.assert_allclose(got, np.float32(0.999) ** np.float64(1000), rtol=1e-6)


def test_specs() -> None:
    assert graphc.spec(3) == graphc.spec((3,), np.float32)
    assert graphc.spec([2, 3], "float64").dtype == np.float32
    assert repr(graphc.spec((2,), int)) == "spec((2,), 'int32')"
    assert hash(graphc.spec((2,))) == hash(graphc.spec((2,)))
    with pytest.raises(graphc.ShapeError):
        graphc.spec((2, -1))
    with pytest.raises(graphc.DTypeError):
        graphc.spec((2,), complex)


def test_arrays_of_graphc_are_arguments_and_constants() -> None:
    array = graphc.asarray(X, device="numpy")
    assert str(graphc.trace(lambda x: x + array, array).inputs[0].type) == "f32[3,4]"
    np.testing.assert_array_equal(run_traced(lambda x: x + array, X), X + X)


def test_apply_outside_and_inside_a_trace() -> None:
    erf = by_name("erf")
    eager = apply(erf, X)
    assert isinstance(eager, np.ndarray)
    np.testing.assert_array_equal(run_traced(lambda x: apply(erf, x), X), eager)
    assert ops(graphc.trace(lambda x: apply(by_name("maximum"), x, 0), X)) == ["maximum"]


def test_wrap_adds_nodes_to_a_builder() -> None:
    builder = Builder()
    x = wrap(builder, builder.input(TensorType((3,), f32), "x"))
    y = np.sum(x * 2.0 + wrap(builder, x.value))
    graph = builder.build([y.value])
    graph.verify()
    assert ops(graph) == ["mul", "add", "sum"]
    assert graph.nodes[0].source == builder.source


def test_a_trace_within_a_trace_is_its_own() -> None:
    inner: list[graphc.Graph] = []

    def outer(x: Any) -> Any:
        inner.append(graphc.trace(lambda y: y * 3, graphc.spec((2,))))
        return x + 1

    assert ops(graphc.trace(outer, X)) == ["add"]
    assert ops(inner[0]) == ["mul"]
    with pytest.raises(graphc.TraceError, match="still running"):
        graphc.trace(lambda x: graphc.trace(lambda y: y * x, graphc.spec((3, 4))) and x, X)


def test_scalar_constants_are_shared() -> None:
    graph = graphc.trace(lambda x: (x + 1) * 2 + (x - 1) / 2, X)
    assert len(graph.constants) == 2


def test_what_lines_of_numpy_become() -> None:
    expected: list[tuple[Any, list[str]]] = [
        (lambda x: x**2, ["mul"]),
        (lambda x: np.square(x), ["mul"]),
        (lambda x: x**0.5, ["sqrt"]),
        (lambda x: x**-0.5, ["rsqrt", "abs", "eq", "where"]),  # 0 for -inf, inf for -0
        (lambda x: 1 / np.sqrt(x), ["sqrt", "div"]),
        (lambda x: np.mean(x, -1), ["mean"]),
        (lambda x: np.var(x, -1), ["mean", "sub", "mul", "mean"]),
        (lambda x: np.clip(x, 0, 1), ["maximum", "minimum"]),
        (lambda x: np.where(x > 0, x, 0), ["gt", "where"]),
        (lambda x: x.T @ x, ["transpose", "matmul"]),
        (lambda x: x.reshape(3, 4), []),
        (lambda x: x.astype(np.float32), []),
        (lambda x: np.einsum("ij,kj->ik", x, x), ["transpose", "matmul"]),
        (lambda x: np.einsum("ij->j", x), ["sum"]),
        (lambda x: x[0], ["slice", "reshape"]),
    ]
    for fn, nodes in expected:
        assert ops(graphc.trace(fn, X)) == nodes


def test_deep_and_wide_functions() -> None:
    def deep(x: Any) -> Any:
        for _ in range(3000):
            x = np.tanh(x)
        return x

    assert len(graphc.trace(deep, X).nodes) == 3000
    wide = [X] * 500
    graph = graphc.trace(lambda xs: sum(xs), wide)
    assert len(graph.inputs) == 500
    assert_same(lambda xs: sum(xs), [X, X, X])


def test_exceptions_of_the_user_pass_through() -> None:
    def fn(x: Any) -> Any:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        graphc.trace(fn, X)
