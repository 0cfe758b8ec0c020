"""What one does to pictures: blur, edges, sharpening, the median of neighbours, and levels by histogram."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from graphc.bench.programs.record import Example

TAPS: Final = np.array([1, 4, 6, 4, 1], np.float32) / 16


def blur(x: Any) -> Any:
    """Five taps along each axis, edges repeated. x: [H, W]."""
    height, width = x.shape
    padded = np.pad(x, 2, mode="edge")
    rows = sum(tap * padded[k : k + height] for k, tap in enumerate(TAPS))
    return sum(tap * rows[:, k : k + width] for k, tap in enumerate(TAPS))


def edges(x: Any) -> Any:
    """The length of Sobel's gradient; the picture goes on at the other side."""
    across = np.roll(x, -1, 1) - np.roll(x, 1, 1)
    down = np.roll(x, -1, 0) - np.roll(x, 1, 0)
    across = np.roll(across, 1, 0) + 2 * across + np.roll(across, -1, 0)
    down = np.roll(down, 1, 1) + 2 * down + np.roll(down, -1, 1)
    return np.sqrt(across**2 + down**2 + 1e-6)


def median(x: Any) -> Any:
    """Of the 3 x 3 neighbours."""
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(x, 1, mode="reflect"), (3, 3))
    return np.median(windows.reshape(*x.shape, 9), axis=-1)


def equalized(x: Any) -> Any:
    """Grey levels such that each of 32 is as frequent as the others."""
    level = np.clip((x * 32).astype(np.int32), 0, 31)
    share = np.cumsum(np.bincount(level.reshape(-1), minlength=32)) / x.size
    return share[level]


def run(x: Any) -> tuple[Any, Any, Any, Any, Any]:
    """Blurred, edges, sharpened, median, equalised."""
    soft = blur(x)
    return soft, edges(x), np.clip(x + 1.5 * (x - soft), 0, 1), median(x), equalized(x)


def loss(x: Any) -> Any:
    """How rough a picture is: what denoising by gradients makes small."""
    return np.mean(edges(x)) + np.mean((x - blur(x)) ** 2) + np.mean(np.abs(x - median(x)))


def make(small: bool) -> tuple[Any, ...]:
    """Rings, with noise."""
    size = 16 if small else 512
    rng = np.random.default_rng(11)
    away = np.hypot(*np.meshgrid(np.linspace(-1, 1, size), np.linspace(-1, 1, size)))
    return ((0.5 + 0.4 * np.sin(12 * away) + 0.05 * rng.normal(size=(size, size))).clip(0, 1).astype(np.float32),)


def holds(arguments: tuple[Any, ...], results: Any) -> bool:
    """A blurred picture is smoother."""
    return float(np.std(np.diff(np.asarray(results[0])))) < float(np.std(np.diff(arguments[0])))


PROGRAM: Final = Example(
    "image-filters", "blur, Sobel, sharpening, median and histogram of 512x512", make, run, loss, holds, run
)
