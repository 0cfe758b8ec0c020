"""How the device "numpy" computes one op into memory that is there already: what the families share of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from graphc.ir.graph import Node
from graphc.ir.types import NDArray

Compute = Callable[[Sequence[NDArray], NDArray], None]
"""Writes the value of a node with one output into an array of its type; it is given the operands."""

BLOCK: Final = 256
"""Rows that are added one after another: longer sums are made of partial sums, as the reference's are."""


def by_reference(node: Node) -> Compute:
    """What the op's reference gives, copied."""

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


def reduction(node: Node) -> Compute | None:
    """A reduction: sums of floats by blocks of rows, extremes by their ufunc."""
    special = _REDUCTIONS.get(node.op.name)
    return special(node) if special is not None else None


def _sum(node: Node) -> Compute:
    axes, x = node.attrs["axes"], node.inputs[0].type
    count = math.prod(x.shape[a] for a in axes)
    scale = x.dtype.numpy.type(1 / max(count, 1)) if node.op.name == "mean" else None
    leading = bool(axes) and axes == tuple(range(len(axes))) and len(axes) < x.ndim
    trailing = axes == tuple(range(x.ndim - len(axes), x.ndim))
    if x.dtype.kind != "float" or not (leading or trailing) or not count:
        return by_reference(node)

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


def _extremum(node: Node) -> Compute:
    ufunc = np.maximum if node.op.name == "max" else np.minimum
    axes, keepdims = node.attrs["axes"], node.attrs["keepdims"]

    def run(arrays: Sequence[NDArray], out: NDArray) -> None:
        ufunc.reduce(arrays[0], axis=axes, keepdims=keepdims, out=out)

    return run


_REDUCTIONS: Final[dict[str, Callable[[Node], Compute]]] = {
    "sum": _sum,
    "mean": _sum,
    "max": _extremum,
    "min": _extremum,
}
