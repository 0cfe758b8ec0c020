"""einops on Arrays and traced values.

einops knows arrays by backends, one a framework, which it finds among the subclasses of one class. So ours is made as
soon as einops is there; nothing imports it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

_made: Final[list[type]] = []


def introduce() -> None:
    """Make Arrays and traced values known to einops, where that is imported."""
    if not _made and "einops._backends" in sys.modules:
        _made.append(_backend(sys.modules["einops._backends"].AbstractBackend))


def _backend(base: Any) -> type:
    class Backend(base):  # type: ignore[misc]  # a class of einops, which may not be there
        framework_name = "graphc"

        def is_appropriate_type(self, tensor: Any) -> bool:
            return hasattr(type(tensor), "__array_namespace__") and type(tensor).__module__.startswith("graphc.")

        def from_numpy(self, x: Any) -> Any:
            return x

        def to_numpy(self, x: Any) -> Any:
            return np.asarray(x)

        def arange(self, start: int, stop: int) -> Any:
            return np.arange(start, stop)

        def stack_on_zeroth_dimension(self, tensors: list[Any]) -> Any:
            return np.stack(tensors)

        def add_axis(self, x: Any, new_position: int) -> Any:
            return np.expand_dims(x, new_position)

        def tile(self, x: Any, repeats: Sequence[int]) -> Any:
            return np.tile(x, repeats)

        def concat(self, tensors: list[Any], axis: int) -> Any:
            return np.concatenate(tensors, axis=axis)

        def is_float_type(self, x: Any) -> bool:
            return bool(x.dtype.kind == "f")

        def einsum(self, pattern: str, *x: Any) -> Any:
            return np.einsum(pattern, *x)

    return Backend
