"""Convolution written out, for comparison."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.ir.types import NDArray


def convolution(
    x: NDArray, w: NDArray, *, strides: Any, padding: Any, dilation: Any, spread: Any, groups: int
) -> NDArray:
    """Each product added where it belongs."""
    (batch, _, *space), (outs, ins, *taps) = x.shape, w.shape
    sizes = [
        ((n - 1) * e + sum(p) - d * (k - 1)) // s + 1
        for n, e, p, d, k, s in zip(space, spread, padding, dilation, taps, strides, strict=True)
    ]
    y = np.zeros((batch, outs, *sizes), x.dtype)
    for o, c, i, j, a, b in np.ndindex(outs, ins, *sizes, *taps):
        at = i * strides[0] + a * dilation[0] - padding[0][0], j * strides[1] + b * dilation[1] - padding[1][0]
        u, v = at[0] // spread[0], at[1] // spread[1]
        if at[0] % spread[0] == at[1] % spread[1] == 0 and 0 <= u < space[0] and 0 <= v < space[1]:
            y[:, o, i, j] += x[:, o // (outs // groups) * ins + c, u, v] * w[o, c, a, b]
    return y
