"""Products on the device "numpy": BLAS, with the batch as rows where B has none of its own; outer ones by einsum."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from graphc.families.host import Compute, by_reference
from graphc.ir.graph import Node
from graphc.ir.types import NDArray


def product(node: Node) -> Compute:
    """The product, written into its memory."""
    b = node.inputs[1].type

    def run(arrays: Sequence[NDArray], out: NDArray) -> None:
        left, right = arrays
        if b.shape[-2] == 1:  # BLAS takes four times as long for sums of one term
            np.einsum("...i,...k->...ik", left[..., 0], right[..., 0, :], out=out)
            return
        if right.ndim == 2 and left.ndim > 2 and left.flags.c_contiguous and out.flags.c_contiguous:
            # One product over all rows, not one a batch.
            rows = math.prod(left.shape[:-1])
            left, out = left.reshape(rows, left.shape[-1]), out.reshape(rows, out.shape[-1])
        np.matmul(left, right, out=out)

    return run if b.dtype.kind == "float" else by_reference(node)
