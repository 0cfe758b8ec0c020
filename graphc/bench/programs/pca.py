"""Principal components by the singular values of centred data."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from graphc.bench.programs.record import Example, normal

KEPT: Final = 2


def run(x: Any) -> tuple[Any, Any, Any]:
    """x: [N, D] -> the first components [2, D], the share of variance of each, and x in their coordinates [N, 2]."""
    centred = x - x.mean(axis=0)
    _, s, vt = np.linalg.svd(centred, full_matrices=False)
    first = vt[:KEPT]
    largest = np.take_along_axis(first, np.argmax(np.abs(first), axis=1)[:, None], axis=1)
    first = first * np.sign(largest)
    return first, (s**2 / np.sum(s**2))[:KEPT], centred @ first.T


def loss(x: Any) -> Any:
    """The share of variance that the first components leave out."""
    return 1 - np.sum(run(x)[1])


def make(small: bool) -> tuple[Any, ...]:
    """Data near a plane."""
    n, width = (20, 5) if small else (2_000, 32)
    rng = np.random.default_rng(8)
    plane = normal(rng, n, KEPT) * np.array([5, 3], np.float32)
    return (plane @ np.linalg.qr(normal(rng, width, KEPT))[0].T + 0.3 * normal(rng, n, width),)


def holds(arguments: tuple[Any, ...], results: Any) -> bool:
    """Two components, at a right angle, hold nearly all."""
    first, shares, _ = map(np.asarray, results)
    return bool(shares.sum() > 0.85 and np.allclose(first @ first.T, np.eye(KEPT), atol=1e-4))


PROGRAM: Final = Example("pca", "components by singular values", make, run, loss, holds, run)
