"""Each op's kernels: every case on the GPU against the reference, alone and among other ops, fused and not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from graphc.ir import Builder, Graph, Value, evaluate
from graphc.lower import lower
from graphc.op import Case, Op
from graphc.ops import OPS, by_name
from graphc.passes import pipeline
from graphc.types import type_of

PLAIN = {name: op for name, op in OPS.items() if "structured" not in op.traits}


def alone(op: Op, cases: tuple[Case, ...]) -> tuple[Graph, list[Any]]:
    """One graph with the op once for each case."""
    builder, arrays, outputs = Builder(), [], []
    for case in cases:
        inputs = [builder.input(type_of(np.asarray(a))) for a in case.inputs]
        arrays += [np.asarray(a) for a in case.inputs]
        outputs.append(builder.apply(op, *inputs, **case.attrs))
    return builder.build(outputs), arrays


def unchanged(builder: Builder, value: Value, units: dict[str, Value]) -> Value:
    """The value after an op that leaves it as it is, which no pass can know: the unit is an input."""
    name = {"float": "mul", "int": "mul", "uint": "mul", "bool": "xor"}[value.type.dtype.kind]
    return builder.apply(by_name(name), value, units[value.type.dtype.name])


def surrounded(op: Op, cases: tuple[Case, ...]) -> tuple[Graph, list[Any]]:
    """The same with a pointwise op before and after, to be computed in the middle of a kernel."""
    builder, outputs = Builder(), []
    ones = {"f32": np.float32(1), "i32": np.int32(1), "u32": np.uint32(1), "bool": np.bool_(False)}
    arrays = [np.asarray(one) for one in ones.values()]
    units = {name: builder.input(type_of(np.asarray(one))) for name, one in ones.items()}
    for case in cases:
        inputs = [builder.input(type_of(np.asarray(a))) for a in case.inputs]
        arrays += [np.asarray(a) for a in case.inputs]
        value = builder.apply(op, *(unchanged(builder, v, units) for v in inputs), **case.attrs)
        outputs.append(unchanged(builder, value, units))
    return builder.build(outputs), arrays


def check(graph: Graph, arrays: list[Any], cases: tuple[Case, ...], device: Any) -> None:
    """Run a graph on the device and compare each output with the reference, within the tolerance of its case."""
    plan = lower(graph, device.target, frozenset())
    found = [array.numpy() for array in device.prepare(graph, plan, frozenset())(arrays)]
    wrong = []
    for number, (case, result, expected) in enumerate(zip(cases, found, evaluate(graph, arrays), strict=True)):
        assert result.shape == expected.shape
        assert result.dtype == expected.dtype
        try:
            np.testing.assert_allclose(result, expected, rtol=case.rtol, atol=case.atol)
        except AssertionError as error:
            wrong.append(f"case {number}, attrs {dict(case.attrs)}: {error}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("op", PLAIN.values(), ids=lambda op: op.name)
def test_op_alone(op: Op, device: Any) -> None:
    cases = op.cases()
    graph, arrays = alone(op, cases)
    check(pipeline.run(graph, pipeline.LEGALIZE), arrays, cases, device)


@pytest.mark.parametrize("fuse", [False, True], ids=["unfused", "fused"])
@pytest.mark.parametrize("op", PLAIN.values(), ids=lambda op: op.name)
def test_op_among_others(op: Op, fuse: bool, device: Any) -> None:
    cases = op.cases()
    graph, arrays = surrounded(op, cases)
    check(pipeline.run(graph, pipeline.DEFAULT if fuse else pipeline.LEGALIZE), arrays, cases, device)


def halved(case: Case) -> Case:
    """The case in float16, with its tolerance."""
    arrays = [np.asarray(a) for a in case.inputs]
    with np.errstate(over="ignore"):
        inputs = tuple(a.astype(np.float16) if a.dtype == np.float32 else a for a in arrays)
    return replace(case, inputs=inputs, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("op", PLAIN.values(), ids=lambda op: op.name)
def test_op_in_half_precision(op: Op, device: Any) -> None:
    if "shader-f16" not in device.target.features:
        return
    cases = tuple(halved(c) for c in op.cases() if any(np.asarray(a).dtype == np.float32 for a in c.inputs))
    graph, arrays = alone(op, cases)
    check(pipeline.run(graph, pipeline.DEFAULT), arrays, cases, device)
