"""Whether a training step fits the device, said before anything is allocated on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import graphc
from graphc.errors import OutOfMemoryError


def agree(step: Any, params: Any, state: Any, x: Any, y: Any, device: Any = None) -> graphc.Contract:
    """What a compiled training step (params, state, x, y) takes; the first axis of x and y is the batch.

    Raises OutOfMemoryError where the device cannot hold it, naming the largest batch that it can.
    """
    capacity = graphc.device(device).capacity

    def contract(size: int) -> graphc.Contract:
        batch = (graphc.spec((size, *a.shape[1:]), a.dtype.name) for a in (np.asarray(x), np.asarray(y)))
        found: graphc.Contract = step.lower(params, state, *batch).contract
        if capacity is not None and found.total_bytes > capacity:
            raise OutOfMemoryError(f"it needs {found.total_bytes} bytes and the device has {capacity}")
        return found

    size = len(x)
    try:
        return contract(size)
    except OutOfMemoryError as error:
        best = largest(size, lambda smaller: _holds(contract, smaller))
        hint = f"--batch-size {best} would fit" if best else "not even a batch of one fits"
        raise OutOfMemoryError(f"a batch of {size} does not fit the device: {error}; {hint}") from error


def largest(above: int, fits: Callable[[int], bool]) -> int:
    """The largest number below `above` for which `fits` holds, where it holds for all smaller ones too; 0 for none."""
    low, high = 0, above
    probe = above // 2
    while probe and not fits(probe):
        high, probe = probe, probe // 2
    low = probe
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def _holds(contract: Callable[[int], Any], size: int) -> bool:
    try:
        contract(size)
    except OutOfMemoryError:
        return False
    return True
