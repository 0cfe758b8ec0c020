"""Sorting by comparing every pair, factors from their definition, random bits with Python integers: for ops."""

from __future__ import annotations

import numpy as np


def row_order(x: np.ndarray, *, count: int, descending: bool) -> np.ndarray:
    """Places by comparing every pair of elements."""
    a, b = x[..., :, None], x[..., None, :]
    nan = np.isnan(x.astype(float))
    after = (a > b) | (nan[..., :, None] & ~nan[..., None, :])  # a goes after b
    before = np.swapaxes(after, -1, -2)
    earlier = np.arange(x.shape[-1])[:, None] > np.arange(x.shape[-1])
    places = np.sum((before if descending else after) | (~after & ~before & earlier), axis=-1)
    made = np.zeros(x.shape, np.int32)
    np.put_along_axis(made, places, np.broadcast_to(np.arange(x.shape[-1], dtype=np.int32), x.shape), -1)
    return made[..., :count]


def threefry(key: int, counter: int, rotations: tuple[int, ...] = (13, 15, 26, 6, 17, 29, 16, 24)) -> int:
    """Word 0 of Threefry-2x32-20 with Python integers."""
    mask = 0xFFFFFFFF
    k = [key & mask, key >> 32, (key & mask) ^ (key >> 32) ^ 0x1BD11BDA]
    x0, x1 = ((counter & mask) + k[0]) & mask, ((counter >> 32) + k[1]) & mask
    for r in range(20):
        x0 = (x0 + x1) & mask
        turn = rotations[r % 8]
        x1 = ((x1 << turn | x1 >> (32 - turn)) & mask) ^ x0
        if r % 4 == 3:
            s = r // 4 + 1
            x0, x1 = (x0 + k[s % 3]) & mask, (x1 + k[(s + 1) % 3] + s) & mask
    return x0


def cholesky(a: np.ndarray) -> np.ndarray:
    """Row by row, from the definition."""
    made = np.zeros(a.shape, np.float64)
    for j in range(a.shape[-1]):
        for i in range(j, a.shape[-1]):
            rest = a[..., i, j] - (made[..., i, :j] * made[..., j, :j]).sum(-1)
            made[..., i, j] = np.sqrt(rest) if i == j else rest / made[..., j, j]
    return made


def triangular_solve(a: np.ndarray, b: np.ndarray, *, lower: bool, unit: bool, transposed: bool) -> np.ndarray:
    """By the solver of whole matrices."""
    wide = a.astype(np.float64)
    if unit:
        wide = wide - np.eye(a.shape[-1]) * wide + np.eye(a.shape[-1])
    wide = np.tril(wide) if lower else np.triu(wide)
    return np.linalg.solve(wide.swapaxes(-1, -2) if transposed else wide, b.astype(np.float64))
