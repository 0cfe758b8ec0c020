"""Graphs made by hand, so that passes are tested apart from tracing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.ir.graph import Builder, Graph, Node, Value, evaluate
from graphc.ir.types import DType, TensorType, f32
from graphc.ops import by_name

SPECIAL = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1.5, -2.25, 1e-40, 3e38, 1.0, -1.0, 0.1], np.float32)
"""Float values on which an inexact rewriting shows: signed zeros, infinities, NaN, a subnormal, huge ones."""


class Hand:
    """A Builder with ops by name: `h.add(x, y)`, `h.sum(x, axes=(0,))`; numbers become scalars of the other's dtype."""

    def __init__(self) -> None:
        self.builder = Builder()

    def input(self, *shape: int, dtype: DType = f32, hint: str = "") -> Value:
        return self.builder.input(TensorType(shape, dtype), hint)

    def const(self, array: Any) -> Value:
        return self.builder.constant(array)

    def op(self, name: str, *operands: Any, **attrs: Any) -> Value:
        dtype = next((v.type.dtype for v in operands if isinstance(v, Value)), f32)
        if name in REDUCTIONS:
            attrs = {"keepdims": False, **attrs}
        values = [v if isinstance(v, Value) else self.const(np.asarray(v, dtype.numpy)) for v in operands]
        return self.builder.apply(by_name(name), *values, **attrs)

    def __getattr__(self, name: str) -> Callable[..., Value]:
        return lambda *operands, **attrs: self.op(name.rstrip("_"), *operands, **attrs)

    def graph(self, *outputs: Value) -> Graph:
        graph = self.builder.build(outputs)
        graph.verify()
        return graph


REDUCTIONS = frozenset({"sum", "mean", "prod", "max", "min", "argmax", "argmin"})


def ops(graph: Graph) -> list[str]:
    """Names of the ops of a graph, in order."""
    return [node.op.name for node in graph.nodes]


def operand_of(graph: Graph, node: Node) -> int:
    """Which node makes the first operand of `node`; -1 for an input or constant."""
    return next((i for i, n in enumerate(graph.nodes) if node.inputs[0] in n.outputs), -1)


def special(type: TensorType, seed: int = 0) -> np.ndarray:
    """Values of a type with many special ones among them."""
    rng = np.random.default_rng(seed)
    if type.dtype.kind == "float":
        with np.errstate(over="ignore", under="ignore"):
            return rng.choice(SPECIAL, type.shape).astype(type.dtype.numpy)
    if type.dtype.kind == "bool":
        return rng.random(type.shape) < 0.5
    info = np.iinfo(type.dtype.numpy)
    return rng.choice([0, 1, 2, 3, 7, info.min, info.max], type.shape).astype(type.dtype.numpy)


def assert_same(before: Graph, after: Graph, ulps: int = 0) -> None:
    """Both graphs give the same bits (NaNs are equal to each other) on special values, or differ by few ulps."""
    after.verify()
    assert [v.type for v in before.inputs] == [v.type for v in after.inputs]
    for seed in range(4):
        arrays = [special(v.type, seed + 10 * i) for i, v in enumerate(before.inputs)]
        for old, new in zip(evaluate(before, arrays), evaluate(after, arrays), strict=True):
            assert old.dtype == new.dtype
            assert old.shape == new.shape
            if old.dtype.kind != "f":
                np.testing.assert_array_equal(new, old)
            elif ulps:
                np.testing.assert_allclose(new, old, rtol=ulps * np.finfo(old.dtype).eps, atol=1e-44)
            else:
                np.testing.assert_array_equal(np.isnan(new), np.isnan(old))
                known = ~np.isnan(old)
                np.testing.assert_array_equal(new[known].view(f"u{old.itemsize}"), old[known].view(f"u{old.itemsize}"))
