"""The batching rule of each op: over its own cases, for each choice of operands that differ among the examples."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest

from graphc.autodiff.batch import batched
from graphc.ir.graph import Builder, Graph, evaluate
from graphc.ir.op import Case, Op
from graphc.ir.types import TensorType, dtype_of
from graphc.ops import OPS
from graphc.ops.batching import rule_of

SIZE = 3
MADE_LATER = {"fused", "put", "enter", "again"}
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


@pytest.mark.parametrize("name", PLAIN)
def test_of_no_example(name: str) -> None:
    op = PLAIN[name]
    case = op.cases()[0]
    arrays = [np.asarray(a) for a in case.inputs]
    graph = of_one(op, arrays, case.attrs)
    mapped, _ = batched(graph, 0, [True] * len(arrays))
    found = evaluate(mapped, [np.zeros((0, *a.shape), a.dtype) for a in arrays])
    assert [x.shape for x in found] == [(0, *v.type.shape) for v in graph.outputs]
