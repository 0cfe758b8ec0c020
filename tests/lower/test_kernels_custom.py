"""cumsum, scatter_add and index_update beyond their ops' cases: long inputs, large tables, every kind of index."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from graphc.families.scatter_add import kernel as scatter
from graphc.ops import by_name
from tests.support.run_graph import graph_of, run, variants

CUMSUM, SCATTER, UPDATE = (by_name(n) for n in ("cumsum", "scatter_add", "index_update"))


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(
    ("shape", "axis"),
    [((1,), 0), ((513,), 0), ((70_001,), 0), ((3, 1000, 5), 1), ((2, 3, 7), 2), ((600, 64), 0), ((3, 2, 2000), 2)],
)
def test_cumsum(device: Any, shape: Any, axis: Any, reverse: Any) -> None:
    x = rng().uniform(0, 1, shape).astype(np.float32)
    target = replace(device.target, max_workgroups=6, max_binding_bytes=1 << 17)
    (got,), _ = run(device, graph_of(CUMSUM, [x], axis=axis, reverse=reverse), [x], target)
    wide = np.flip(x, axis) if reverse else x
    want = np.cumsum(wide.astype(float), axis=axis)
    want = np.flip(want, axis) if reverse else want
    assert np.abs(got - want).max() <= 3e-6 * want.max()


def test_cumsum_of_integers_wraps(device: Any) -> None:
    x = rng().integers(-(2**31), 2**31, (5, 700)).astype(np.int32)
    (got,), _ = run(device, graph_of(CUMSUM, [x], axis=1, reverse=False), [x])
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(got, np.cumsum(x, axis=1, dtype=np.int32))


def want_scatter(ids: np.ndarray, updates: np.ndarray, size: int) -> np.ndarray:
    """Rows of updates [R, ...] added at ids [R], in float64; those out of range are left out."""
    inside = (ids >= -size) & (ids < size)
    out = np.zeros((size, *updates.shape[1:]))
    np.add.at(out, ids[inside].astype(np.int64), updates[inside].astype(float))
    return out


@pytest.mark.parametrize("dtype", [np.int32, np.uint32])
@pytest.mark.parametrize("alone", [0, 1 << 20], ids=["clear apart", "clear in place"])
@pytest.mark.parametrize(("rows", "size", "inner"), [(1, 1, 1), (50, 7, 4), (700, 40, 3), (2000, 5, 8), (3, 900, 16)])
def test_scatter_add(
    device: Any, monkeypatch: pytest.MonkeyPatch, rows: Any, size: Any, inner: Any, alone: Any, dtype: Any
) -> None:
    monkeypatch.setattr(scatter, "CLEAR_ALONE", alone)
    low = -2 * size if dtype is np.int32 else 0
    ids = rng().integers(low, 2 * size, rows).astype(dtype)
    ids[:2] = (0, np.iinfo(dtype).max)[: len(ids)]
    ids[-1] = np.iinfo(dtype).min
    updates = rng(1).standard_normal((rows, inner)).astype(np.float32)
    graph = graph_of(SCATTER, [ids, updates], axis=0, size=size)
    for target in variants(device).values():
        (got,), _ = run(device, graph, [ids, updates], target)
        want = want_scatter(ids, updates, size)
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=3e-6 * np.abs(want).max())


def test_scatter_add_on_a_middle_axis(device: Any) -> None:
    ids = rng().integers(-6, 6, (40, 30)).astype(np.int32)
    updates = rng(1).standard_normal((3, 40, 30, 2, 2)).astype(np.float32)
    graph = graph_of(SCATTER, [ids, updates], axis=1, size=6)
    (got,), _ = run(device, graph, [ids, updates])
    want = want_scatter(ids.ravel(), updates.reshape(3, 1200, 2, 2).swapaxes(0, 1), 6).swapaxes(0, 1)
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


def test_scatter_add_keeps_its_accuracy_over_many_rows_and_repeats_to_the_bit(device: Any) -> None:
    rows = 228_146
    ids = rng().integers(0, 27, rows).astype(np.int32)
    updates = rng(1).uniform(0, 1, (rows, 4)).astype(np.float32)
    graph = graph_of(SCATTER, [ids, updates], axis=0, size=27)
    (first,), _ = run(device, graph, [ids, updates])
    (second,), _ = run(device, graph, [ids, updates])
    want = want_scatter(ids, updates, 27)
    assert np.abs(first - want).max() <= 3e-6 * want.max()
    np.testing.assert_array_equal(first, second)


def test_scatter_add_of_integers(device: Any) -> None:
    ids = rng().integers(0, 9, 800).astype(np.int32)
    updates = rng(1).integers(-(2**31), 2**31, (800, 3)).astype(np.int32)
    (got,), _ = run(device, graph_of(SCATTER, [ids, updates], axis=0, size=9), [ids, updates])
    want = np.zeros((9, 3), np.int32)
    with np.errstate(over="ignore"):
        np.add.at(want, ids, updates)
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("dtype", [np.int32, np.uint32])
@pytest.mark.parametrize("rows", [0, 1, 8, 9, 1300])
@pytest.mark.parametrize(("shape", "axis"), [((11, 4), 0), ((2, 7, 3), 1), ((5,), 0), ((3, 6), 1)])
def test_index_update_last_write_wins(device: Any, rows: Any, shape: Any, axis: Any, dtype: Any) -> None:
    size = shape[axis]
    ids = rng().integers(-2 * size if dtype is np.int32 else 0, 2 * size, rows).astype(dtype)
    x = rng(1).standard_normal(shape).astype(np.float32)
    values = rng(2).standard_normal((*shape[:axis], rows, *shape[axis + 1 :])).astype(np.float32)
    (got,), _ = run(device, graph_of(UPDATE, [x, ids, values], axis=axis), [x, ids, values])
    want = x.copy()
    for r, place in enumerate(ids.tolist()):
        if -size <= place < size:
            want[(slice(None),) * axis + (place,)] = values[(slice(None),) * axis + (r,)]
    np.testing.assert_array_equal(got, want)


def test_index_update_of_bool_and_of_itself(device: Any) -> None:
    x, values = rng().random((6, 3)) < 0.5, rng(1).random((2, 3)) < 0.5
    ids = np.array([4, -6], np.int32)
    (got,), _ = run(device, graph_of(UPDATE, [x, ids, values], axis=0), [x, ids, values])
    want = x.copy()
    want[[4, 0]] = values
    np.testing.assert_array_equal(got, want)


def test_large_tables_are_bound_in_windows(device: Any) -> None:
    target = replace(device.target, max_binding_bytes=4096, max_workgroups=5)
    ids = rng().integers(0, 150, 90).astype(np.int32)
    updates = rng(1).standard_normal((90, 12)).astype(np.float32)
    (got,), plan = run(device, graph_of(SCATTER, [ids, updates], axis=0, size=150), [ids, updates], target)
    assert len(plan.dispatches[0].bindings) == 1 + 2 + 2
    np.testing.assert_allclose(got, want_scatter(ids, updates, 150), rtol=1e-5, atol=1e-5)
    x = rng(2).standard_normal((150, 12)).astype(np.float32)
    (got,), _ = run(device, graph_of(UPDATE, [x, ids, updates], axis=0), [x, ids, updates], target)
    want = x.copy()
    for r, place in enumerate(ids):
        want[place] = updates[r]
    np.testing.assert_array_equal(got, want)
