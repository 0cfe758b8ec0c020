"""Graphs by hand for lowering tests, and running them on the device for several targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from graphc import reference
from graphc.ir.graph import Builder, Graph, Value, evaluate
from graphc.ir.types import DType, TensorType, f32, type_of
from graphc.lower import lower
from graphc.ops import OPS
from graphc.ops.structured import fused
from graphc.plan.plan import Plan, Target


class Body(Builder):
    """A Builder with short names: `b("add", x, y)`; Python numbers become float32 constants."""

    def tensor(self, *shape: int, dtype: DType = f32) -> Value:
        """A new input."""
        return self.input(TensorType(shape, dtype))

    def __call__(self, name: str, *inputs: Value | float, **attrs: Any) -> Value:
        values = [v if isinstance(v, Value) else self.constant(np.float32(v)) for v in inputs]
        return self.apply(OPS[name], *values, **attrs)


def one_op(name: str, arrays: Sequence[Any], attrs: Mapping[str, Any]) -> Graph:
    """A graph of a single op."""
    b = Builder()
    return b.build(b.add(OPS[name], *(b.input(type_of(np.asarray(a))) for a in arrays), **attrs))


def as_kernel(body: Graph, family: str) -> Graph:
    """A graph of one fused node."""
    b = Builder()
    return b.build(b.add(fused, *(b.input(v.type) for v in body.inputs), body=body, family=family, why=()))


def targets(device: Any) -> dict[str, Target]:
    """The device's own target; without subgroups; as a GPU is laid out; and with at most 7 workgroups a dimension."""
    own = device.target
    return {
        "own": own,
        "no subgroups": replace(own, subgroup=0),
        "gpu": replace(own, subgroup=0, software=False),
        "small grid": replace(own, max_workgroups=100),
    }


def random_arrays(graph: Graph, seed: int = 0) -> list[Any]:
    """Inputs for a graph: normal floats, small non-negative integers, random bits."""
    rng = np.random.default_rng(seed)
    found: list[Any] = []
    for value in graph.inputs:
        kind, shape = value.type.dtype, value.type.shape
        if kind.kind == "float":
            found.append(rng.standard_normal(shape).astype(kind.numpy))
        elif kind.kind == "bool":
            found.append(rng.random(shape) < 0.5)
        else:
            found.append(rng.integers(0, 5, shape).astype(kind.numpy))
    return found


def execute(
    device: Any, graph: Graph, plan: Plan, arrays: Sequence[Any], donate: frozenset[int] = frozenset()
) -> list[Any]:
    """The outputs of a plan on the device."""
    runner = device.prepare(graph, plan, donate)
    return [np.asarray(a) for a in runner(list(arrays))]


def check(
    device: Any,
    graph: Graph,
    target: Target,
    arrays: Sequence[Any] | None = None,
    rtol: float = 1e-5,
    atol: float = 1e-5,
    donate: frozenset[int] = frozenset(),
) -> Plan:
    """Lower, run on the device and, dispatch by dispatch, in poisoned memory; compare both with the reference."""
    arrays = random_arrays(graph) if arrays is None else arrays
    expected = evaluate(graph, arrays)
    plan = lower(graph, target, donate)
    replayed = reference.run_plan(plan, graph, arrays)
    for got, want in zip(replayed, expected, strict=True):
        np.testing.assert_array_equal(got, want)
    for got, want in zip(execute(device, graph, plan, arrays, donate), expected, strict=True):
        assert got.shape == want.shape
        assert got.dtype == want.dtype
        np.testing.assert_allclose(got, want, rtol, atol)
    return plan
