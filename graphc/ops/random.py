"""Random bits: a pure function of a key and of the element's position, the same on every device."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from graphc.errors import DTypeError, ShapeError
from graphc.ir.index import Index, constant
from graphc.ir.op import Case, Emitter, Indexed, Lanes, NotDifferentiable, Op, Term, apply
from graphc.ir.types import NDArray, Shape, TensorType, bool_, u32

ROTATIONS: Final = ((13, 15, 26, 6), (17, 29, 16, 24))
PARITY: Final = 0x1BD11BDA


def threefry2x32(key: NDArray, high: NDArray, low: NDArray) -> tuple[NDArray, NDArray]:
    """The two words that Threefry-2x32 with 20 rounds makes of keys uint32[..., 2] and counters (high, low).

    Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", 2011.
    """
    words = np.asarray(key, np.uint32)
    schedule = [words[..., :1], words[..., 1:]]
    schedule.append(schedule[0] ^ schedule[1] ^ np.uint32(PARITY))
    x0 = np.asarray(high, np.uint32) + schedule[0]
    x1 = np.asarray(low, np.uint32) + schedule[1]
    for group in range(5):
        for rotation in ROTATIONS[group % 2]:
            x0 = x0 + x1
            x1 = ((x1 << np.uint32(rotation)) | (x1 >> np.uint32(32 - rotation))) ^ x0
        x0 = x0 + schedule[(group + 1) % 3]
        x1 = x1 + (schedule[(group + 2) % 3] + np.uint32(group + 1))
    return x0, x1


def _infer_random_bits(key: TensorType, *, shape: Shape) -> TensorType:
    if key.dtype != u32:
        raise DTypeError(f"a key is u32[2], got {key}")
    if key.shape[-1:] != (2,):
        raise ShapeError(f"a key is u32[2], keys are u32[..., 2], got {key}")
    if min(shape, default=0) < 0 or math.prod(shape) > 1 << 32:
        raise ShapeError(f"{list(shape)} is no shape of at most 2**32 elements")
    return TensorType((*key.shape[:-1], *shape), u32)


def _random_bits(key: NDArray, *, shape: Shape) -> NDArray:
    counter = np.arange(math.prod(shape), dtype=np.uint32)
    return threefry2x32(key, counter, np.zeros_like(counter))[0].reshape((*key.shape[:-1], *shape))


def _emit_random_bits(em: Emitter, node: Any, index: Index) -> Term:
    key = node.inputs[0]
    keys = len(key.type.shape) - 1
    words = [em.read(key, Index(key.type.shape, [*index.dims[:keys], constant(k)])) for k in range(2)]
    counter = em.value_of(Index(node.attrs["shape"], index.dims[keys:]).flat, u32)
    w = Lanes(max(counter.width, *(word.width for word in words)))
    rest = f"{w(u32)}(0u), {w(bool_)}(false)"
    if all(word.width == 1 for word in words):  # one key for all lanes
        return em.call(
            lambda at: f"{w.fn('gc_threefry')}({words[0].text}, {words[1].text}, {at}, {rest})", (counter,), u32
        )
    return em.call(lambda a, b, at: f"{w.fn('gc_threefry_each')}({a}, {b}, {at}, {rest})", (*words, counter), u32)


def _cases() -> tuple[Case, ...]:
    key = np.array([0x9E3779B9, 42], np.uint32)
    keys = np.arange(18, dtype=np.uint32).reshape(3, 3, 2) * np.uint32(0x9E3779B9)
    found = [Case((key,), {"shape": shape}) for shape in ((7,), (3, 5), (), (0, 3), (16, 16))]
    return (*found, *(Case((keys,), {"shape": shape}) for shape in ((5, 3), (), (0,), (8,))))


random_bits: Final[Op] = Op(
    "random_bits",
    _infer_random_bits,
    _random_bits,
    NotDifferentiable("random bits are integers"),
    Indexed(_emit_random_bits),
    frozenset({"indexed", "random"}),
    _cases,
    "32 random bits for each element: word 0 of Threefry-2x32 at counter (flat position, 0); of several keys, for each",
    batch=lambda batch, key, *, shape: apply(random_bits, key, shape=shape),
)
