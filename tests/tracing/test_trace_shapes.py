"""Every function that moves or chooses elements gives what NumPy gives: values, shapes and element types."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.support.operands import K, T, X, Y
from tests.support.tracing import assert_same

SHAPES: dict[str, Any] = {
    "reshape": lambda t: (np.reshape(t, (4, 6)), t.reshape(2, -1), t.reshape((6, 4)), t.reshape(-1), np.reshape(t, 24)),
    "reshape F": lambda t: (np.reshape(t, (4, 6), order="F"), t.reshape(8, -1, order="F"), t.ravel("F")),
    "transpose": lambda t: (
        t.T,
        np.transpose(t),
        np.transpose(t, (1, 0, 2)),
        t.transpose(2, 0, 1),
        t.transpose((0, -1, 1)),
    ),
    "permute": lambda t: (np.permute_dims(t, (1, 2, 0)), np.matrix_transpose(t), t.mT, t.transpose()),
    "swapaxes": lambda t: (np.swapaxes(t, 0, 2), t.swapaxes(-1, -2)),
    "moveaxis": lambda t: (
        np.moveaxis(t, 0, -1),
        np.moveaxis(t, (0, 1), (2, 0)),
        np.rollaxis(t, 2),
        np.rollaxis(t, 0, 3),
    ),
    "broadcast_to": lambda t: (np.broadcast_to(t, (5, 2, 3, 4)), np.broadcast_to(t[:1], (2, 3, 4))),
    "broadcast_arrays": lambda t: np.broadcast_arrays(t, t[0], t[0, 0]),
    "expand_dims": lambda t: (np.expand_dims(t, 0), np.expand_dims(t, (0, -1)), t[:, None], t[..., None]),
    "squeeze": lambda t: (np.squeeze(t[:1]), t[:, :1].squeeze(1), np.squeeze(t[:1, :, :1], axis=(0, 2))),
    "ravel": lambda t: (np.ravel(t), t.flatten(), t.ravel(), np.ravel(t[:0])),
    "atleast": lambda t: (np.atleast_1d(t[0, 0, 0]), np.atleast_2d(t[0, 0]), np.atleast_3d(t[0], t[0, 0], t[0, 0, 0])),
    "concatenate": lambda t: (
        np.concatenate([t, t]),
        np.concatenate((t, t[:, :1]), axis=1),
        np.concatenate([t, t], None),
    ),
    "concatenate arrays": lambda t: (
        np.concatenate([t, np.ones((2, 3, 1), np.float32), np.zeros((2, 3, 2), np.int32)], -1),
    ),
    "stack": lambda t: (
        np.stack([t, t]),
        np.stack([t, t], axis=-1),
        np.stack([t[0, 0, 0], 1.0, 2.0]),
        np.stack((t, T), 1),
    ),
    "vstack": lambda t: (np.vstack([t[0], t[1]]), np.vstack([t[0, 0], t[0, 1]]), np.hstack([t[0], t[1]])),
    "hstack": lambda t: (np.hstack([t[0, 0], t[0, 1]]), np.dstack([t[0], t[1]]), np.column_stack([t[0, 0], t[0, 1]])),
    "split": lambda t: (np.split(t, 2), np.split(t, [1, 3], axis=2), np.split(t, 3, 1), np.split(t, [5], -1)),
    "array_split": lambda t: (np.array_split(t, 3, axis=2), np.array_split(t, [1, -1], 2), np.array_split(t, 3)),
    "hsplit": lambda t: (np.hsplit(t, 3), np.vsplit(t, 2), np.dsplit(t, 2), np.hsplit(t[0, 0], 2)),
    "unpacking": lambda t: (lambda a, b: (a * 2, b))(*t),
    "flip": lambda t: (np.flip(t), np.flip(t, 1), np.flip(t, (0, 2)), np.fliplr(t), np.flipud(t)),
    "roll": lambda t: (
        np.roll(t, 2),
        np.roll(t, 1, 0),
        np.roll(t, (1, -2), axis=(1, 2)),
        np.roll(t, -1, (0, 1)),
        np.roll(t, 9, 2),
    ),
    "rot90": lambda t: (np.rot90(t), np.rot90(t, 2), np.rot90(t, 3), np.rot90(t, 1, (1, 2)), np.rot90(t, 4)),
    "repeat": lambda t: (np.repeat(t, 3), np.repeat(t, 2, axis=1), np.repeat(t, [1, 0, 2], axis=1), t.repeat(2, 0)),
    "tile": lambda t: (
        np.tile(t, 2),
        np.tile(t, (2, 1, 3)),
        np.tile(t, (2, 1, 1, 1)),
        np.tile(t[0, 0], (3, 1)),
        np.tile(t, 0),
    ),
    "resize": lambda t: (np.resize(t, (5, 7)), np.resize(t, (2, 3))),
    "pad": lambda t: (np.pad(t, 1), np.pad(t, ((0, 0), (1, 2), (0, 3))), np.pad(t, (1, 2), constant_values=2.5)),
    "pad values": lambda t: (
        np.pad(t[0], ((1, 2), (2, 1)), constant_values=((1, 2), (3, 4))),
        np.pad(t, 0),
        np.pad(t[0, 0], (1, 0), constant_values=-np.inf),
        np.copysign(1, np.pad(t[0, 0], 1, constant_values=(0.0, -0.0))),
    ),
    "pad modes": lambda t: tuple(
        np.pad(t, ((1, 1), (2, 0), (0, 3)), mode=m) for m in ("edge", "reflect", "symmetric", "wrap")
    ),
    "triangles": lambda t: (np.tril(t), np.triu(t), np.tril(t[0], -1), np.triu(t[0], 1), np.tril(t[0, 0])),
    "diag": lambda t: (
        np.diag(t[0]),
        np.diag(t[0], 1),
        np.diag(t[0], -2),
        np.diag(t[0, 0]),
        np.diag(t[0, 0], 2),
        np.diag(t[0, 0], -1),
    ),
    "diagonal": lambda t: (
        np.diagonal(t),
        np.diagonal(t, 1, 1, 2),
        t.diagonal(0, 0, 2),
        np.diagflat(t[0]),
        np.diag(t[0], 9),
    ),
    "trace": lambda t: (np.trace(t), np.trace(t, 1, 1, 2), t.trace(), np.linalg.trace(t), np.linalg.diagonal(t)),
    "meshgrid": lambda t: (np.meshgrid(t[0, 0], t[0, 1]), np.meshgrid(t[0, 0], t[0, :, 0], indexing="ij", sparse=True)),
    "like": lambda t: (
        np.zeros_like(t),
        np.ones_like(t),
        np.full_like(t, 3),
        np.full_like(t, 1.5, dtype=np.int32),
        np.zeros_like(t, shape=(2, 2)),
    ),
    "astype of small integers": lambda t: [(200 * t).astype(d) for d in ("uint8", np.int8, np.uint16, np.int16)],
    "astype of integers": lambda t: [(np.rint(t) * 99999).astype(int).astype(d) for d in (np.uint8, "i1", np.int16)],
    "astype of bools": lambda t: ((t > 0).astype(np.uint8), np.full_like(t > 0, 7, dtype=np.uint8)),
    "astype": lambda t: (t.astype(np.int32), t.astype("float16"), t.astype(bool), t.astype(float)),
    "append": lambda t: (np.append(t, t), np.append(t, [1.0]), np.append(t, t[:, :1], axis=1)),
    "index functions": lambda t: (t[0][np.tril_indices_from(t[0])], t[0][np.triu_indices_from(t[0], 1)]),
    "unstack": lambda t: np.unstack(t, axis=1),
    "questions": lambda t: (
        np.shape(t)[0] * t,
        np.ndim(t) * t,
        np.size(t) * t,
        len(t) * t,
        t.ndim * t,
        t.size * t,
        np.size(t, 1) * t,
    ),
    "copies": lambda t: (np.copy(t), t.copy(), np.real(t), t.real, t.conj(), np.imag(t)),
}


@pytest.mark.parametrize("name", SHAPES)
def test_shapes(name: str) -> None:
    assert_same(SHAPES[name], T)


SELECTIONS: dict[str, Any] = {
    "where": lambda x, i: (np.where(x > 0, x, 0), np.where(x > 0, 1, 0), np.where(i, x, i), np.where(x > 0, 1.5, i)),
    "select": lambda x, i: np.select([x > 1, x > 0], [x, x * 2], default=-1),
    "clip": lambda x, i: (
        np.clip(x, -1, 1),
        x.clip(0),
        np.clip(x, None, 0.5),
        np.clip(i, 0, 3),
        np.clip(x, min=0),
        x.clip(max=0),
    ),
    "clip arrays": lambda x, i: (np.clip(x, Y - 1, Y + 1), np.clip(x, x - 1, None), np.clip(i, 0.5, 2.5)),
    "take": lambda x, i: (
        np.take(x, 2),
        np.take(x, [0, 2], axis=0),
        np.take(x, np.array([[0, -1]]), 1),
        x.take(1, axis=1),
    ),
    "take traced": lambda x, i: (
        np.take(x, np.abs(i) % 3, axis=0),
        np.take(x, np.abs(i)),
        np.take_along_axis(X, np.abs(i) % 3, 0),
    ),
    "take modes": lambda x, i: (np.take(x, i, axis=1, mode="wrap"), np.take(x, i, axis=0, mode="clip")),
    "take_along_axis": lambda x, i: (
        np.take_along_axis(x, np.argmax(x, 1, keepdims=True), 1),
        np.take_along_axis(x, i % 3, axis=0),
        np.take_along_axis(x, np.array([[1], [0], [-1]]), -1),
    ),
    "round": lambda x, i: (
        np.round(x),
        np.around(x, 1),
        x.round(),
        np.round(i),
        round(0.5) * x,
        np.fix(x),
        np.round(x * 100, -1),
    ),
    "nan_to_num": lambda x, i: (
        np.nan_to_num(x / np.where(x > 0, np.float32(0), x)),
        np.nan_to_num(np.log(x), nan=2.0),
    ),
    "close": lambda x, i: (
        np.isclose(x, x + 1e-9),
        np.isclose(x, Y),
        np.allclose(x, x),
        np.allclose(x, Y),
        np.isclose(np.log(x), np.log(x), equal_nan=True),
    ),
    "array_equal": lambda x, i: (np.array_equal(x, x), np.array_equal(x, Y)),
    "diff": lambda x, i: (np.diff(x), np.diff(x, 2, axis=0), np.diff(i), np.diff(x > 0)),
    "maximum": lambda x, i: (np.maximum(x, 0), np.minimum(x, i), np.maximum(i, 2.5)),
}


@pytest.mark.parametrize("name", SELECTIONS)
def test_selections(name: str) -> None:
    assert_same(SELECTIONS[name], X, K)
