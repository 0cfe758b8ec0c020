"""How the device "numpy" computes one op into memory that is there already: `compute(node)(arrays, out)`.

NumPy's own functions with `out=` where there are any, and what the op's reference gives, copied, where there are none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from graphc import reference
from graphc.ir import Graph, Node
from graphc.types import NDArray

Compute = Callable[[Sequence[NDArray], NDArray], None]

BLOCK: Final = 256
"""Rows that are added one after another: longer sums are made of partial sums, as the reference's are."""

_INPLACE: Final[dict[str, Any]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "neg": np.negative,
    "abs": np.absolute,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "exp": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "sqrt": np.sqrt,
    "tanh": np.tanh,
    "sin": np.sin,
    "cos": np.cos,
    "floor": np.floor,
    "ceil": np.ceil,
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
}
"""Ops that are a ufunc on whatever types they are given."""


def compute(graph: Graph, node: Node) -> Compute:
    """The function that writes the value of a node with one output into an array of its type."""
    ufunc = _INPLACE.get(node.op.name)
    narrow = any(v.type.dtype.name == "f16" for v in (*node.inputs, *node.outputs))
    if ufunc is not None and not narrow:
        return lambda arrays, out: ufunc(*arrays, out=out)
    special = None if narrow else _SPECIAL.get(node.op.name)
    return special(node) if special is not None else _by_reference(graph, node)


def _by_reference(graph: Graph, node: Node) -> Compute:
    def run(arrays: Sequence[NDArray], out: NDArray) -> None:
        np.copyto(out, reference.run_one(graph, node, arrays)[0])

    return run


def _where(node: Node) -> Compute:
    """Selection. On 32-bit elements by bits, which takes no branch for an element: several times as fast."""
    if node.outputs[0].type.dtype.numpy.itemsize != 4:
        return _by_plain_reference(node)

    def run(arrays: Sequence[NDArray], out: NDArray) -> None:
        condition, then, otherwise = arrays
        mask = np.negative(condition.astype(np.int32))
        kept = otherwise.view(np.int32)
        differing = np.bitwise_xor(kept, then.view(np.int32))
        np.bitwise_xor(np.bitwise_and(differing, mask), kept, out=out.view(np.int32))

    return run


def _rsqrt(node: Node) -> Compute:
    def run(arrays: Sequence[NDArray], out: NDArray) -> None:
        np.sqrt(arrays[0], out=out)
        np.divide(1, out, out=out)

    return run


def _copy(node: Node) -> Compute:
    return lambda arrays, out: np.copyto(out, arrays[0])


def _sum(node: Node) -> Compute:
    axes, x = node.attrs["axes"], node.inputs[0].type
    count = math.prod(x.shape[a] for a in axes)
    scale = x.dtype.numpy.type(1 / max(count, 1)) if node.op.name == "mean" else None
    leading = bool(axes) and axes == tuple(range(len(axes))) and len(axes) < x.ndim
    trailing = axes == tuple(range(x.ndim - len(axes), x.ndim))
    if x.dtype.kind != "float" or not (leading or trailing) or not count:
        return _by_plain_reference(node)

    def run(arrays: Sequence[NDArray], out: NDArray) -> None:
        array = arrays[0]
        flat = out.reshape(x.shape[len(axes) :] if leading else x.shape[: x.ndim - len(axes)])
        if leading:
            add_rows(array.reshape(count, *flat.shape), flat)
        else:
            np.add.reduce(array.reshape(*flat.shape, count), axis=-1, out=flat)
        if scale is not None:
            np.divide(flat, x.dtype.numpy.type(count), out=flat)

    return run


def _by_plain_reference(node: Node) -> Compute:
    def run(arrays: Sequence[NDArray], out: NDArray) -> None:
        np.copyto(out, node.op.reference(*arrays, **node.attrs))

    return run


def add_rows(rows: NDArray, out: NDArray) -> None:
    """The sum of `rows` over its first axis, by blocks of rows."""
    whole = len(rows) // BLOCK * BLOCK
    if whole < len(rows) or whole <= BLOCK:
        np.add.reduce(rows[whole:] if whole > BLOCK else rows, axis=0, out=out)
        if whole <= BLOCK:
            return
        out += rows[:whole].reshape(-1, BLOCK, *rows.shape[1:]).sum(axis=1).sum(axis=0)
        return
    np.add.reduce(rows.reshape(-1, BLOCK, *rows.shape[1:]).sum(axis=1), axis=0, out=out)


def _extremum(node: Node) -> Compute:
    ufunc = np.maximum if node.op.name == "max" else np.minimum
    axes, keepdims = node.attrs["axes"], node.attrs["keepdims"]

    def run(arrays: Sequence[NDArray], out: NDArray) -> None:
        ufunc.reduce(arrays[0], axis=axes, keepdims=keepdims, out=out)

    return run


def _matmul(node: Node) -> Compute:
    b = node.inputs[1].type

    def run(arrays: Sequence[NDArray], out: NDArray) -> None:
        left, right = arrays
        if right.ndim == 2 and left.ndim > 2 and left.flags.c_contiguous and out.flags.c_contiguous:
            # One product over all rows, not one a batch.
            left, out = left.reshape(-1, left.shape[-1]), out.reshape(-1, out.shape[-1])
        np.matmul(left, right, out=out)

    return run if b.dtype.kind == "float" else _by_plain_reference(node)


def _cast(node: Node) -> Compute:
    source, target = node.inputs[0].type.dtype, node.outputs[0].type.dtype
    if target.kind == "float" and source.kind in ("bool", "int", "uint", "float"):
        return lambda arrays, out: np.copyto(out, arrays[0], casting="unsafe")
    return _by_plain_reference(node)


_SPECIAL: Final[dict[str, Callable[[Node], Compute]]] = {
    "where": _where,
    "rsqrt": _rsqrt,
    "stop_gradient": _copy,
    "sum": _sum,
    "mean": _sum,
    "max": _extremum,
    "min": _extremum,
    "matmul": _matmul,
    "cast": _cast,
}
