"""The order of rows in NumPy: where only a few are wanted, they are picked before they are put in order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from graphc.families.host import Compute, by_reference
from graphc.ir.graph import Node
from graphc.ir.types import NDArray

FEW: Final = 4
"""All elements are put in order unless there are so many times more of them than are wanted."""


def order(node: Node) -> Compute:
    """The positions of the first elements in order, written into their memory."""
    length, count = node.inputs[0].type.shape[-1], node.attrs["count"]
    if not 0 < FEW * count <= length:
        return by_reference(node)
    descending = node.attrs["descending"]

    def run(arrays: Sequence[NDArray], out: NDArray) -> None:
        keys = _keys(arrays[0].reshape(-1, length), descending)
        last = np.partition(keys, count - 1, axis=-1)[:, count - 1 : count]
        chosen = keys <= last
        if np.count_nonzero(chosen) > len(keys) * count:  # of those that equal the last one, the first ones
            before, beside = keys < last, keys == last
            missing = count - np.count_nonzero(before, axis=-1, keepdims=True)
            chosen = before | (beside & (np.cumsum(beside, axis=-1) <= missing))
        places = np.flatnonzero(chosen)
        inner = np.argsort(keys.ravel()[places].reshape(-1, count), axis=-1, kind="stable")
        found = np.take_along_axis((places % length).reshape(-1, count), inner, -1)
        out[...] = found.reshape(out.shape)

    return run


def _keys(x: NDArray, descending: bool) -> NDArray:
    """Numbers in the order that is asked for, without NaN, which is above all others."""
    if x.dtype.kind == "f":
        if not np.isnan(x).any():
            return np.asarray(-x if descending else x)
        whole: Any = np.dtype(f"i{x.dtype.itemsize}")
        greatest = np.iinfo(whole).max
        bits = np.ascontiguousarray(x).view(whole)
        keys = np.where(bits < 0, -(bits & greatest), bits)
        keys = np.where(np.isnan(x), greatest, keys)
    else:
        keys = x.astype(np.int32) if x.dtype == np.bool_ else x
    return np.asarray(~keys if descending else keys)
