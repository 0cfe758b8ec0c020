"""x[key] gives what NumPy gives, with known and with traced indices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc
from tests.support.operands import T, X, floats
from tests.support.tracing import assert_same, run_traced

Q = floats(4, 5, 6)
s_ = np.s_
MASK = np.arange(20).reshape(4, 5) % 3 == 0

KEYS = [
    s_[0], s_[-1], s_[1, 2], s_[1, 2, 3], s_[-1, -2, -3], s_[np.int64(2)], s_[:], s_[...], s_[()], s_[None],
    s_[..., None], s_[:, None], s_[None, ..., None], s_[1:3], s_[:2], s_[2:], s_[-2:], s_[:-1], s_[::2], s_[1::2],
    s_[::3],
    s_[::-1], s_[3:0:-1], s_[3:0:-2], s_[-1::-3], s_[:, ::-1, 1:], s_[0:0], s_[5:9], s_[9:5], s_[3:1], s_[-99:99],
    s_[1, :, 2], s_[..., 0], s_[0, ...], s_[1:3, ..., ::2], s_[:, 1, None, ::-1], s_[2:0:-1, ..., None, 3],
    s_[[0, 2]], s_[[0, -1, 0]], s_[:, [1, 3]], s_[..., [0, 5]], s_[[[0, 1], [2, 3]]], s_[np.array([1, 2])],
    s_[[0, 1], [2, 3]], s_[[0, 1], [2, 3], [4, 5]], s_[[0, 1], 2], s_[1, [2, 3]], s_[:, [1, 2], [3, 4]],
    s_[[1, 2], :, [3, 4]], s_[[0, 1], :, 2], s_[0, :, [1, 2]], s_[[[0], [1]], [2, 3]], s_[[0, 1], None, [2, 3]],
    s_[None, [0, 1]], s_[:, [0, 1], ..., [2, 3]],
    s_[:, 1, ..., [2, 3]], s_[[0, 1], ..., None], s_[::2, [0, 1]], s_[1:, [0, 1], ::-1], s_[[], :], s_[np.array(2)],
    s_[MASK], s_[:, MASK[0]], s_[..., np.arange(6) > 2], s_[MASK, 1], s_[MASK[:, 0], ..., 2], s_[None, MASK[:, 1], [0]],
    s_[:, np.array([[0, 1], [2, 3]]), 1:3], s_[-1, [0, -1], [-1, 0]], s_[None, 1, [0, 2], :],
]  # fmt: skip


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_known_keys(key: Any) -> None:
    assert_same(lambda q: q[key], Q)


TRACED: list[tuple[Any, tuple[Any, ...]]] = [
    (lambda q, i: q[i], (np.array([2, 0, -1], np.int32),)),
    (lambda q, i: q[i], (np.int32(2),)),
    (lambda q, i: q[i], (3,)),
    (lambda q, i: q[i], (np.array([[0, 1], [-2, 3]], np.int64),)),
    (lambda q, i: q[:, i], (np.array([4, 0], np.uint32),)),
    (lambda q, i: q[..., i], (np.array([5, -6], np.int32),)),
    (lambda q, i: q[i, 2], (np.array([0, 1], np.int32),)),
    (lambda q, i: q[1, i], (np.array([0, 1], np.int32),)),
    (lambda q, i: q[i, :, 1], (np.array([0, 1], np.int32),)),
    (lambda q, i: q[i, ::-1], (np.array([0, 1], np.int32),)),
    (lambda q, i: q[i, [1, 2]], (np.array([0, 1], np.int32),)),
    (lambda q, i: q[i, np.arange(2)[:, None]], (np.array([0, -1, 2], np.int32),)),
    (lambda q, i: q[None, i], (np.array([0, 1], np.int32),)),
    (lambda q, i, j: q[i, j], (np.array([0, 1], np.int32), np.array([-1, 4], np.int32))),
    (lambda q, i, j: q[i, :, j], (np.array([0, 1], np.int32), np.array([2, 5], np.uint32))),
    (lambda q, i, j: q[:, i, j], (np.array([0, 1], np.int32), np.array([2, 5], np.int32))),
    (lambda q, i, j: q[i, j, j], (np.int32(1), np.int32(2))),
    (lambda q, i: q[np.arange(3), i], (np.array([0, 4, -5], np.int32),)),
    (lambda q, i: q[[i, i + 1]], (np.int32(1),)),
]


@pytest.mark.parametrize("case", range(len(TRACED)))
def test_traced_indices(case: int) -> None:
    fn, indices = TRACED[case]
    assert_same(fn, Q, *indices)


@pytest.mark.parametrize("dtype", [np.int32, np.uint32])
def test_traced_indices_out_of_range_read_nan(dtype: Any) -> None:
    """Q has 4 and 5 elements along its first axes."""
    ids = np.array([4, -9, 3], np.int32).astype(dtype)
    both = np.full((3, *Q.shape[2:]), np.nan)
    both[2] = Q[3, 3]
    one = np.full((3, *Q.shape[1:]), np.nan)
    one[2] = Q[3]
    np.testing.assert_array_equal(run_traced(lambda q, i: q[i], Q, ids), one)
    np.testing.assert_array_equal(run_traced(lambda q, i: q[i, i], Q, ids), both)
    np.testing.assert_array_equal(run_traced(lambda q, i: q[3, i], Q, ids)[:2], [Q[3, 4], both[0]])
    clipped = run_traced(lambda q, i: np.take(q, i, axis=0, mode="clip"), Q, ids)
    np.testing.assert_array_equal(clipped, np.take(Q, ids, axis=0, mode="clip"))


def test_indices_that_are_known_need_no_care() -> None:
    graph = graphc.trace(lambda q: (q[[0, 2]], q[[0], [1]], np.take(q, [1], axis=1), np.repeat(q, [1, 0, 2, 1], 0)), Q)
    assert all(node.attrs["clamp"] for node in graph.nodes if node.op.name == "take")


OUTSIDE = [
    4,
    -5,
    (0, 5),
    (0, 0, 6),
    [0, 4],
    (slice(None), [1, -6]),
    ([0, 1], [0, 5]),
    (0, 0, 0, 0),
    (..., ...),
    MASK[1:],
    (0, MASK),
]


@pytest.mark.parametrize("key", OUTSIDE, ids=str)
def test_known_index_out_of_range(key: Any) -> None:
    with pytest.raises(graphc.IndexRangeError, match=r"test_trace_indexing\.py:\d+"):
        graphc.trace(lambda q: q[key], Q)
    with pytest.raises(IndexError):
        Q[key]


def test_iteration_and_unpacking() -> None:
    assert_same(lambda t: [row * k for k, row in enumerate(t)], T)
    assert_same(lambda x: (lambda a, *rest: (a, rest))(*x), X)
    assert_same(lambda x: len(x) * x[len(x) - 1], X)


def test_a_view_costs_one_node() -> None:
    def ops(key: Any) -> list[str]:
        return [node.op.name for node in graphc.trace(lambda q: q[key], Q).nodes]

    assert ops(s_[...]) == []
    assert ops(s_[1:3, ::2]) == ["slice"]
    assert ops(s_[1]) == ["slice", "reshape"]
    assert ops(s_[::-1]) == ["flip"]
    assert ops(s_[None]) == ["reshape"]
    assert ops(s_[[0, 2]]) == ["slice"]
    assert ops(s_[[3, 2, 1, 0]]) == ["flip"]
    assert ops(s_[np.ix_(range(4), range(5))]) == []
    assert ops(s_[[0, 3, 2]]) == ["take"]
    assert ops(s_[[1, 1]]) == ["take"]


COUNTED: dict[str, tuple[Any, tuple[int, ...], tuple[int, ...]]] = {
    "labels": (lambda q, i: q[np.arange(4), i], (4,), (5,)),
    "labels as a list": (lambda q, i: q[list(range(4)), i], (4,), (5,)),
    "labels in rows from the end": (lambda q, i: q[np.arange(4)[::-1], i], (4,), (5,)),
    "labels in some rows": (lambda q, i: q[np.arange(1, 4, 2), i], (2,), (5,)),
    "rows of columns": (lambda q, i: q[i, np.arange(5)], (5,), (4,)),
    "labels of positions": (lambda q, i: q[np.arange(4)[:, None], np.arange(5), i], (4, 5), (6,)),
    "the same, transposed": (lambda q, i: q[np.arange(4), np.arange(5)[:, None], i], (5, 4), (6,)),
    "the same from np.indices": (lambda q, i: q[(*np.indices((4, 5)), i)], (4, 5), (6,)),
    "parted by a slice": (lambda q, i: q[np.arange(4), :, i], (4,), (6,)),
    "the last axes": (lambda q, i: q[:, np.arange(5), i], (5,), (6,)),
    "the outer axes": (lambda q, i: q[i, :, np.arange(6)], (6,), (4,)),
    "after None": (lambda q, i: q[None, np.arange(4), i], (4,), (5,)),
    "two that pick": (lambda q, i: q[np.arange(4), i, i], (4,), (5,)),
    "two that pick, parted": (lambda q, i: q[i, np.arange(5), i], (5,), (4,)),
    "a part": (lambda q, i: q[1:][np.arange(3), i], (3,), (5,)),
    "one row": (lambda q, i: q[:1][np.arange(1), i], (1,), (5,)),
}
"""Keys with an array that counts and one that picks: the function, the latter's shape, the length it points into."""


@pytest.mark.parametrize("name", COUNTED)
def test_an_array_that_counts_gathers_and_scatters_nothing(name: str) -> None:
    fn, shape, length = COUNTED[name]
    ids = np.random.default_rng(0).integers(-length[0], length[0], shape).astype(np.int32)
    assert_same(fn, Q, ids)
    weights = np.arange(fn(Q, ids).size, dtype=np.float32).reshape(fn(Q, ids).shape)
    gradient = graphc.grad(lambda q, i: np.sum(fn(q, i) * weights))
    assert not {node.op.name for node in graphc.trace(gradient, Q, ids).nodes} & {"take", "scatter_add"}
    want = np.zeros(Q.size)
    np.add.at(want, fn(np.arange(Q.size).reshape(Q.shape), ids).ravel(), weights.ravel())
    np.testing.assert_array_equal(run_traced(gradient, Q, ids), want.reshape(Q.shape))


def test_many_picked_from_each_row_are_scattered_in_the_gradient() -> None:
    ids = np.array([[0, 4, 4], [1, 1, 1], [-1, 2, 3], [0, -5, 0]], np.int32)
    assert_same(lambda q, i: q[np.arange(4)[:, None], i], Q, ids)
    got = run_traced(graphc.grad(lambda q, i: np.sum(q[np.arange(4)[:, None], i])), Q, ids)
    want = np.zeros(Q.shape)
    np.add.at(want, (np.arange(4)[:, None], ids), 1)
    np.testing.assert_array_equal(got, want)


def test_indexing_a_plain_array_by_traced_ids_names_the_ways_out() -> None:
    with pytest.raises(graphc.TraceError, match="embedding"):
        graphc.trace(lambda i: Q[i], np.int32(1))
    with pytest.raises(graphc.TraceError, match="embedding"):
        graphc.trace(lambda i: np.take(Q, i, axis=0), np.array([1]))
    got = run_traced(lambda i: graphc.nn.embedding(Q[0], i), np.array([1, 3]))
    np.testing.assert_array_equal(got, Q[0][[1, 3]])


def test_a_moving_window_lies_in_its_axis() -> None:
    program = graphc.compile(lambda x, k: x[k : k + 3], device="numpy")
    x = np.arange(8, dtype=np.float32)
    np.testing.assert_array_equal(np.asarray(program(x, 5)), x[5:])
    for k in (6, -2):
        with pytest.raises(graphc.IndexRangeError):
            np.asarray(program(x, k))
    with pytest.raises(graphc.IndexRangeError, match="a slice of 9 elements of axis 0"):
        graphc.trace(lambda x, k: x[k : k + 9], x, 0)


def test_a_moving_window_is_a_view() -> None:
    def changed(x: Any, k: Any) -> Any:
        h = x * 1
        part = h[k : k + 2]
        part += 1
        return h

    with pytest.raises(graphc.TraceError, match=r"changed|in place"):
        graphc.trace(changed, np.arange(8, dtype=np.float32), 1)


ALIKE: dict[str, Any] = {
    "column of equals": [[1], [1], [1]],
    "row of equals": [[2, 2]],
    "one": [[[3]]],
    "counting column": [[0], [1], [2]],
    "equal rows that count": [[0, 1, 2], [0, 1, 2]],
    "equal columns that count down": [[3, 3], [2, 2], [1, 1]],
    "deep": [[[0, 1]], [[0, 1]], [[0, 1]]],
    "counting and not": [[0, 1], [1, 0]],
}
"""Index arrays of several axes, alike along some of them."""


@pytest.mark.parametrize("device", ["numpy", "wgpu"])
def test_arrays_that_are_alike_along_an_axis_keep_it(device: str) -> None:
    x = np.round(8 * floats(4, 5))  # sums of these are exact
    ways: list[Any] = [
        lambda x, i: x[i],
        lambda x, i: x[:, i],
        lambda x, i: x[i, i],
        lambda x, i: x[i, i[:1]],
        lambda x, i: x[i[..., :1], i],
        lambda x, i: x[i, None],
        lambda x, i: x[-1, i],
        lambda x, i: x[None][:, i, i],
        lambda x, i: x[None][..., i, 1:3],
        lambda x, i: x[i, ::-2],
    ]

    def read(x: Any) -> Any:
        return [way(x, np.array(ids)) for ids in ALIKE.values() for way in ways]

    def changed(x: Any) -> Any:
        at, made = graphc.at(x), []
        for ids in map(np.array, ALIKE.values()):
            made += [at[ids].add(2.0), at[:, ids].add(2.0), at[ids, ids].add(np.arange(ids.size).reshape(ids.shape))]
            made += [at[ids].set(7.0), at[ids, ids].set(7.0)]
        return made

    def expected(x: Any) -> Any:
        made = []
        for ids in map(np.array, ALIKE.values()):
            keys: tuple[Any, ...] = (ids, (slice(None), ids), (ids, ids))
            copies = [x.copy() for _ in range(5)]
            added: tuple[Any, ...] = (2.0, 2.0, np.arange(ids.size).reshape(ids.shape))
            for copy, key, more in zip(copies, keys, added, strict=False):
                np.add.at(copy, key, more)
            copies[3][ids] = 7.0
            copies[4][ids, ids] = 7.0
            made += copies
        return made

    for found, wanted in zip(graphc.compile(read, device=device)(x), read(x), strict=True):
        np.testing.assert_array_equal(np.asarray(found), wanted)
    for found, wanted in zip(graphc.compile(changed, device=device)(x), expected(x), strict=True):
        np.testing.assert_array_equal(np.asarray(found), wanted)

    # What was read so often gets the gradient so often.
    def total(x: Any) -> Any:
        return sum(np.sum(part) for part in read(x))

    times = np.zeros_like(x)
    places = np.arange(x.size).reshape(x.shape)
    for part in read(places):
        np.add.at(times.reshape(-1), part.reshape(-1), 1.0)
    np.testing.assert_array_equal(np.asarray(graphc.compile(graphc.grad(total), device=device)(x)), times)
