"""The batching rule of each op: over its own cases, for each choice of operands that differ among the examples."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.autodiff.batch import batched
from graphc.ir.graph import Builder, Graph, evaluate
from graphc.ir.op import Case, Op
from graphc.ir.types import TensorType, dtype_of, type_of
from graphc.lower import lower
from graphc.ops import OPS
from graphc.ops.batching import rule_of
from graphc.passes import pipeline
from tests.support.numpy_calls import CALLS, refusal

SIZE = 3
MADE_LATER = {"fused", "dynamic_update_slice", "loop_init", "loop_yield"}
"""Ops that passes and lowering make, when nothing is mapped any more."""
NO_OPERANDS = {"iota"}

PLAIN = {name: op for name, op in OPS.items() if op.cases() and name not in NO_OPERANDS}


def test_every_op_has_a_batching_rule() -> None:
    without = {name for name, op in OPS.items() if rule_of(op) is None}
    assert without == MADE_LATER | NO_OPERANDS, "an op without a rule runs in a loop over the examples"


def of_one(op: Op, arrays: list[np.ndarray], attrs: Any) -> Graph:
    builder = Builder()
    inputs = [builder.input(TensorType(a.shape, dtype_of(a.dtype))) for a in arrays]
    return builder.build(builder.add(op, *inputs, **attrs))


def examples(array: np.ndarray, seed: int) -> np.ndarray:
    """The array, and others with its elements in another order; integers stay in their range so."""
    rng = np.random.default_rng(seed)
    return np.stack([array, *(rng.permutation(array.reshape(-1)).reshape(array.shape) for _ in range(SIZE - 1))])


def choices(case: Case) -> Iterator[tuple[bool, ...]]:
    return (flags for flags in product((False, True), repeat=len(case.inputs)) if any(flags))


@pytest.mark.parametrize("name", PLAIN)
def test_batched_equals_stacked(name: str) -> None:
    op = PLAIN[name]
    for case in op.cases():
        arrays = [np.asarray(a) for a in case.inputs]
        if sum(a.size for a in arrays) > 2000:  # what is long is long for the kernels' sake
            continue
        graph = of_one(op, arrays, case.attrs)
        for flags in choices(case):
            given = [examples(a, i) if flag else a for i, (a, flag) in enumerate(zip(arrays, flags, strict=True))]
            mapped, made = batched(graph, SIZE, flags)
            mapped.verify()
            assert all(made)
            found = evaluate(mapped, given)
            single = [
                evaluate(graph, [x[n] if flag else x for x, flag in zip(given, flags, strict=True)])
                for n in range(SIZE)
            ]
            for k, result in enumerate(found):
                want = np.stack([row[k] for row in single])
                assert result.dtype == want.dtype
                np.testing.assert_allclose(
                    result, want, rtol=max(case.rtol, 2e-6), atol=case.atol, err_msg=f"{case.attrs} {flags}"
                )


@pytest.mark.parametrize("part", range(4))
def test_calls_of_numpy_are_mapped(part: int) -> None:
    """All calls that trace, over all of their arguments and over every second one."""
    for call in [call for call in CALLS if not refusal(call)][part::4]:
        graph = graphc.trace(call.function, *call.arguments)
        arrays = [np.asarray(x, v.type.dtype.numpy) for x, v in zip(call.arguments, graph.inputs, strict=True)]
        given = [examples(a, i) for i, a in enumerate(arrays)]
        with np.errstate(all="ignore"):
            for flags in {tuple((i + start) % 2 == 0 or not start for i in range(len(arrays))) for start in (0, 1)}:
                mapped, made = batched(graph, SIZE, flags)
                found = evaluate(mapped, [x if flag else x[0] for x, flag in zip(given, flags, strict=True)])
                for n in range(SIZE):
                    want = evaluate(graph, [x[n] if flag else x[0] for x, flag in zip(given, flags, strict=True)])
                    for a, b, is_mapped in zip(found, want, made, strict=True):
                        np.testing.assert_allclose(a[n] if is_mapped else a, b, rtol=1e-5, atol=1e-5, err_msg=call.text)


def sampled(op: Op) -> Iterator[tuple[Case, tuple[bool, ...]]]:
    """Two small cases of an op: one with all operands mapped, one with the last alone."""
    small = [
        case
        for case in op.cases()
        if 0 < sum(np.asarray(x).size for x in case.inputs) < 200 and all(np.isfinite(x).all() for x in case.inputs)
    ]
    yield small[0], (True,) * len(small[0].inputs)
    yield small[-1], (*(False for _ in small[-1].inputs[1:]), True)


def scaled(array: np.ndarray, seed: int) -> np.ndarray:
    """Examples that are as well conditioned as the array: of floats the array with other scales."""
    if array.dtype.kind != "f":
        return examples(array, seed)
    return np.stack([array * np.float32(1 - n / 8) for n in range(SIZE)])


@pytest.mark.parametrize("part", range(4))
def test_on_the_device(part: int, device: Any) -> None:
    """A sample of the cases above, as one program."""
    builder = Builder()
    arrays: list[np.ndarray] = []
    outputs, tolerances = [], []
    for op in list(PLAIN.values())[part::4]:
        for case, flags in sampled(op):
            inputs = [np.asarray(a) for a in case.inputs]
            given = [scaled(a, i) if flag else a for i, (a, flag) in enumerate(zip(inputs, flags, strict=True))]
            mapped, _ = batched(of_one(op, inputs, case.attrs), SIZE, flags)
            made = builder.inline(mapped, [builder.input(type_of(a)) for a in given])
            arrays += given
            outputs += made
            tolerances += [(op.name, case)] * len(made)
    graph = builder.build(outputs)
    plan = lower(pipeline.run(graph, pipeline.informed(pipeline.DEFAULT, device.target)), device.target, frozenset())
    found = device.prepare(graph, plan, frozenset())(arrays)
    for result, want, (name, case) in zip(found, evaluate(graph, arrays), tolerances, strict=True):
        np.testing.assert_allclose(result, want, rtol=max(case.rtol, 2e-6), atol=case.atol, err_msg=name)


@pytest.mark.parametrize("name", PLAIN)
def test_of_no_example(name: str) -> None:
    op = PLAIN[name]
    case = op.cases()[0]
    arrays = [np.asarray(a) for a in case.inputs]
    graph = of_one(op, arrays, case.attrs)
    mapped, _ = batched(graph, 0, [True] * len(arrays))
    found = evaluate(mapped, [np.zeros((0, *a.shape), a.dtype) for a in arrays])
    assert [x.shape for x in found] == [(0, *v.type.shape) for v in graph.outputs]
