"""Arrays compared bit by bit."""

from __future__ import annotations

from typing import Any

import numpy as np


def bits(array: Any) -> bytes:
    """The bits of an array, all NaN alike: no standard says which of them an operation gives."""
    alike = np.array(array)
    if alike.dtype.kind == "f":
        alike[np.isnan(alike)] = np.nan
    return alike.tobytes()
