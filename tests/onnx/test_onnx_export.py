"""Export: each op, models and training steps as ONNX, which onnxruntime runs with equal results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

import graphc  # noqa: E402
from graphc import tree  # noqa: E402
from graphc.errors import ArgumentError  # noqa: E402
from graphc.ir.graph import Builder, evaluate  # noqa: E402
from graphc.ir.op import Case  # noqa: E402
from graphc.ir.types import type_of  # noqa: E402
from graphc.models import MODELS, microgpt  # noqa: E402
from graphc.onnx import UnsupportedError, export, load  # noqa: E402
from graphc.onnx.writing import EXPORTERS, OPSET  # noqa: E402
from graphc.ops import OPS  # noqa: E402
from graphc.ops.indexing import axis_length  # noqa: E402
from tests.support.systems import CASES  # noqa: E402

NOT_EXPORTED = {
    "fused": "a pass makes it",
    "call": "its body takes its place",
    "dynamic_update_slice": "it is made while lowering",
    "loop_init": "it is made while lowering",
    "loop_yield": "it is made while lowering",
    **dict.fromkeys(("cholesky", "eigh", "lu", "qr", "svd", "triangular_solve"), "ONNX has no operator for it"),
}
"""Ops that no traced graph holds by then, or that have no operators."""


def session(model: Any) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def by_onnxruntime(model: Any, *arrays: Any) -> list[Any]:
    running = session(model)
    names = [x.name for x in running.get_inputs()]
    return list(running.run(None, dict(zip(names, arrays, strict=True))))


def told_apart(name: str, case: Case, node: Any) -> bool:
    """Whether ONNX says what comes out, and runtimes agree."""
    arrays = [np.asarray(x) for x in case.inputs]
    if name in ("max", "min", "argmax", "argmin") and any(x.dtype.kind == "f" and np.isnan(x).any() for x in arrays):
        return False  # where there is a NaN
    if name == "conv" and arrays[0].dtype.kind != "f":
        return False  # products of integers
    if node.op.indices is not None and name.startswith("take") and arrays[1].size:
        ids: Any = arrays[1].astype(np.int64)
        n = axis_length(node)
        return bool(ids.max() < n and ids.min() >= -n)  # indices out of range
    return True


def test_every_op_has_an_exporter_or_a_reason() -> None:
    assert not set(OPS) - set(NOT_EXPORTED) - set(EXPORTERS)
    assert set(EXPORTERS) <= set(OPS)


@pytest.mark.parametrize("name", sorted(set(EXPORTERS) - {"scan", "barrier"}))
def test_ops_agree_with_onnxruntime(name: str) -> None:
    for case in OPS[name].cases():
        builder = Builder()
        inputs = [builder.input(type_of(np.asarray(x))) for x in case.inputs]
        arrays = [np.asarray(x).astype(v.type.dtype.numpy) for x, v in zip(case.inputs, inputs, strict=True)]
        graph = builder.build(builder.add(OPS[name], *inputs, **case.attrs))
        if not told_apart(name, case, graph.nodes[0]):
            continue
        found = by_onnxruntime(export(graph), *arrays)
        for x, want in zip(found, evaluate(graph, arrays), strict=True):
            assert (x.dtype, x.shape) == (want.dtype, want.shape)
            np.testing.assert_allclose(x, want, rtol=max(5 * case.rtol, 1e-5), atol=max(case.atol, 1e-6))


def both_ways(graph: graphc.Graph, arrays: list[Any], tmp_path: Path) -> Any:
    """Exported, run by onnxruntime, imported again: all three agree with the reference to 1e-4."""
    expected = evaluate(graph, arrays)
    proto = export(graph, tmp_path / "model.onnx")
    assert [v.name for v in proto.graph.input] == list(graph.called.inputs)
    assert [v.name for v in proto.graph.output] == list(graph.called.outputs)
    again = load(tmp_path / "model.onnx")
    compiled = graphc.compile(again, device="numpy")(*arrays)
    found = (by_onnxruntime(proto, *arrays), tree.leaves(compiled))
    for results in found:
        for x, want in zip(results, expected, strict=True):
            np.testing.assert_allclose(np.asarray(x), want, rtol=1e-4, atol=1e-4 * max(1.0, float(np.abs(want).max())))
    return proto


@pytest.mark.parametrize("name", sorted(MODELS))
def test_models_go_out_and_come_in_again(name: str, tmp_path: Path) -> None:
    case = next(c for c in CASES.values() if c.model == name)
    params, (x, _) = case.params(), case.batch()

    def forward(params: Any, x: Any) -> Any:
        return MODELS[name].apply(params, x, case.config)

    graph = graphc.trace(forward, params, x)
    proto = both_ways(graph, [*tree.leaves(params), x], tmp_path)
    assert {entry.domain: entry.version for entry in proto.opset_import} == {"": OPSET}
    kept = export(graph, values={"params": params})
    assert [v.name for v in kept.graph.input] == ["x"]
    assert {v.name for v in proto.graph.input} - {"x"} <= {t.name for t in kept.graph.initializer}
    np.testing.assert_allclose(by_onnxruntime(kept, x)[0], forward(params, x), rtol=1e-4, atol=1e-4)


def test_a_training_step_is_one_model(tmp_path: Path) -> None:
    config = microgpt.Config(layers=1)
    case = CASES["microgpt"]
    params, (x, y) = microgpt.init(graphc.random.key(0), config), case.batch()
    optimizer = graphc.optim.adam(0.01)

    def step(params: Any, state: Any, x: Any, y: Any) -> Any:
        value, grads = graphc.value_and_grad(microgpt.loss)(params, x, y, config)
        params, state = optimizer.update(grads, state, params)
        return value, params, state

    state = optimizer.init(params)
    graph = graphc.trace(step, params, state, x, y)
    arrays = [np.asarray(leaf) for leaf in tree.leaves((params, state, x, y))]
    proto = both_ways(
        graph, [a.astype(v.type.dtype.numpy) for a, v in zip(arrays, graph.inputs, strict=True)], tmp_path
    )
    assert "params.layers[0].wq" in {v.name for v in proto.graph.input}
    assert {n.domain for n in proto.graph.node} == {""}


def test_loops_and_dropout_go_out(tmp_path: Path) -> None:
    def fn(key: Any, w: Any, xs: Any) -> Any:
        def step(h: Any, x: Any) -> Any:
            h = np.tanh(h @ w + x)
            return h, h.sum()

        last, sums = graphc.scan(step, np.zeros(4, np.float32), xs, reverse=True)
        return graphc.nn.dropout(key, last, 0.5), sums

    rng = np.random.default_rng(0)
    arrays = [graphc.random.key(3), *(rng.normal(size=s).astype(np.float32) for s in ((4, 4), (5, 4)))]
    graph = graphc.trace(fn, *arrays)
    expected = evaluate(graph, arrays)
    proto = export(graphc.compile(fn, device="numpy").lower(*arrays))
    for x, want in zip(by_onnxruntime(proto, *arrays), expected, strict=True):
        np.testing.assert_allclose(x, want, rtol=1e-5, atol=1e-6)


def test_what_cannot_be_exported_is_said() -> None:
    x = np.ones((2, 3), np.float32)
    graph = graphc.trace(lambda x: x + 1, x)
    with pytest.raises(ArgumentError, match="there is no input 'y'"):
        export(graph, values={"y": x})
    with pytest.raises(ArgumentError, match=r"x is f32\[2,3\], and its value \[3\]"):
        export(graph, values={"x": x[0]})
    ints = np.ones((1, 1, 3, 3), np.int32)
    with pytest.raises(UnsupportedError, match="export of conv: of integers"):
        export(graphc.trace(lambda x: graphc.nn.conv(x, ints), ints))
