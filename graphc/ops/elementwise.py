"""Pointwise ops: each output element depends on one element of each operand, with NumPy broadcasting.

Operands of one op have one dtype (casts are nodes of their own, put in by tracing). vjp rules are plain NumPy over
traced arrays; autodiff sums their results over broadcast axes.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from graphc.errors import DTypeError
from graphc.op import Case, Op, Pointwise
from graphc.types import NDArray, TensorType, broadcast_shapes

NUMERIC: Final = ("float", "int", "uint")


def same_dtype(types: tuple[TensorType, ...], kinds: tuple[str, ...]) -> None:
    """Raise DTypeError unless all types share one element type of one of `kinds`."""
    if any(t.dtype != types[0].dtype for t in types):
        raise DTypeError(f"operands need one element type, got {' and '.join(t.dtype.name for t in types)}")
    if types[0].dtype.kind not in kinds:
        raise DTypeError(f"needs {' or '.join(kinds)} operands, got {types[0].dtype.name}")


def infer_arithmetic(*types: TensorType) -> TensorType:
    """Broadcast shape, the operands' element type."""
    same_dtype(types, NUMERIC)
    return TensorType(broadcast_shapes(*(t.shape for t in types)), types[0].dtype)


def sample(*shape: int, low: float = -2.0, high: float = 2.0, seed: int = 0) -> NDArray:
    """A float32 array for cases."""
    return np.random.default_rng(seed).uniform(low, high, shape).astype(np.float32)


add: Final = Op(
    "add",
    infer=infer_arithmetic,
    reference=np.add,
    vjp=lambda g, out, a, b: (g, g),
    lowering=Pointwise(lambda w, node, a, b: f"({a} + {b})"),
    traits=frozenset({"pointwise", "commutative"}),
    cases=lambda: (Case((sample(3, 5), sample(5, seed=1))),),
    doc="a + b",
)
