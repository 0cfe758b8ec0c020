"""The extension fft, as far as it has no complex numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.array_api.creation import made
from graphc.runtime import Device

__all__ = ["fftfreq", "fftshift", "ifftshift", "rfftfreq"]


def fftfreq(n: int, /, *, d: float = 1.0, dtype: Any = None, device: Device | str | None = None) -> Any:
    """The frequencies of a transform of n samples, d apart."""
    return made(np.fft.fftfreq(n, d), dtype, device)


def rfftfreq(n: int, /, *, d: float = 1.0, dtype: Any = None, device: Device | str | None = None) -> Any:
    """The frequencies of a transform of n real samples, d apart."""
    return made(np.fft.rfftfreq(n, d), dtype, device)


def fftshift(x: Any, /, *, axes: Any = None) -> Any:
    """The frequency 0 in the middle."""
    along = _axes(x, axes)
    return np.roll(x, tuple(x.shape[a] // 2 for a in along), along)


def ifftshift(x: Any, /, *, axes: Any = None) -> Any:
    """What `fftshift` moved, back."""
    along = _axes(x, axes)
    return np.roll(x, tuple(-(x.shape[a] // 2) for a in along), along)


def _axes(x: Any, axes: Any) -> tuple[int, ...]:
    return tuple(range(x.ndim)) if axes is None else tuple(axes) if np.ndim(axes) else (axes,)
