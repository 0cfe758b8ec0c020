"""The gradient program of each op on the GPU, fused and not, against the reference in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphc.autodiff.reverse import differentiate
from graphc.ir import types
from graphc.ir.graph import Builder, Graph, Value, evaluate
from graphc.ir.op import Case, Op
from graphc.ir.types import f32, f64, type_of
from graphc.lower import lower
from graphc.ops import OPS, by_name
from graphc.passes import pipeline

CASES = {
    name: [c for c in op.cases() if c.grad and any(np.asarray(a).dtype.kind == "f" for a in c.inputs)]
    for name, op in OPS.items()
    if callable(op.vjp) and "structured" not in op.traits
}
FEW = 3
"""Cases of each op in the quick suite; the drivers take long to compile the kernels of them all."""


def gradients(op: Op, cases: list[Case], dtype: Any) -> tuple[Graph, list[np.ndarray]]:
    """One program: the gradients of the weighted sum of the op's results on all cases, and its inputs."""
    rng = np.random.default_rng(5)
    builder, arrays, wrt = Builder(), [], []

    def given(array: Any) -> Value:
        array = np.asarray(array)
        arrays.append(array.astype(dtype.numpy) if array.dtype.kind == "f" else array)
        return builder.input(type_of(arrays[-1]))

    loss = builder.constant(np.zeros((), dtype.numpy))
    for case in cases:
        inputs = [given(a) for a in case.inputs]
        wrt += [builder.inputs.index(v) for v in inputs if v.type.dtype.kind == "float"]
        attrs = {k: dtype if v == f32 else v for k, v in case.attrs.items()}
        out = builder.apply(op, *inputs, **attrs)
        product = builder.apply(by_name("mul"), out, given(rng.standard_normal(out.type.shape).astype(np.float32)))
        axes = tuple(range(product.type.ndim))
        loss = builder.apply(by_name("add"), loss, builder.apply(by_name("sum"), product, axes=axes, keepdims=False))
    return differentiate(builder.build([loss]), wrt), arrays


@pytest.mark.parametrize("few", [True, pytest.param(False, marks=pytest.mark.slow)], ids=["few", "all"])
@pytest.mark.parametrize("fuse", [False, True], ids=["unfused", "fused"])
@pytest.mark.parametrize("name", CASES)
def test_gradients_on_the_gpu(name: str, fuse: bool, few: bool, device: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    cases = CASES[name][:FEW] if few else CASES[name]
    graph, arrays = gradients(by_name(name), cases, f32)
    graph = pipeline.run(graph, pipeline.DEFAULT if fuse else pipeline.LEGALIZE)
    plan = lower(graph, device.target, frozenset())
    found = [array.numpy() for array in device.prepare(graph, plan, frozenset())(arrays)]
    monkeypatch.setattr(types._Precision, "x64", True)
    expected = evaluate(*gradients(by_name(name), cases, f64))
    assert len(found) == len(expected) > 1
    for result, exact in zip(found, expected, strict=True):
        assert result.dtype == np.float32
        scale = max(1.0, float(np.abs(exact).max(initial=0)))
        np.testing.assert_allclose(result, exact, rtol=2e-5, atol=2e-5 * scale)
