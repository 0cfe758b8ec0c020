"""x.at[key].set(y) and its kin against what NumPy does in place; sums over segments."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc

RNG = np.random.default_rng(3)
X = RNG.normal(size=(4, 6, 3)).astype(np.float32)
IDS = np.array([1, -1, 1], np.int32)
COLUMNS = np.array([0, 5, 0], np.int32)
LAST = np.array([0, 2, 0], np.int32)
UFUNCS = {"add": np.add, "multiply": np.multiply, "min": np.minimum, "max": np.maximum}

KEYS: dict[str, Any] = {
    "int": 2,
    "negative": -1,
    "slice": slice(1, 3),
    "steps": (slice(None), slice(None, None, 2)),
    "backwards": (slice(None, None, -1), slice(4, 1, -2)),
    "ellipsis": (..., 0),
    "all": ...,
    "newaxis": (None, 1),
    "element": (1, 2, 0),
    "nothing": slice(2, 2),
    "ids": IDS,
    "ids of axis 1": (slice(None), IDS),
    "pairs": (IDS, COLUMNS),
    "apart": (IDS, slice(None), LAST),
    "mixed": (slice(1, 3), IDS, 0),
    "mask": X > 0.3,
    "mask of rows": np.array([True, False, True, True]),
    "mask of axis 1": (slice(None), np.array([True, False, True, True, False, False])),
}


def changed(x: Any, key: Any, y: Any, how: str) -> Any:
    made = x.copy()
    if how == "set":
        made[key] = y
    else:
        UFUNCS[how].at(made, key, y)
    return made


def every(key: Any) -> list[tuple[str, Any]]:
    shape = X[key].shape
    some = RNG.normal(size=shape).astype(np.float32)
    return [(how, y) for how in ("set", *UFUNCS) for y in (some, np.float32(2))]


@pytest.mark.parametrize("name", KEYS)
def test_updates_are_numpys(name: str) -> None:
    key = KEYS[name]
    ways = every(key)
    program = graphc.compile(
        lambda x, ys: [getattr(x.at[key], how)(y) for (how, _), y in zip(ways, ys, strict=True)], device="numpy"
    )
    for (how, y), got in zip(ways, program(X, [y for _, y in ways]), strict=True):
        want = changed(X, key, y, how)
        np.testing.assert_allclose(np.asarray(got), want, rtol=1e-6, atol=1e-6, err_msg=how)
        np.testing.assert_array_equal(getattr(graphc.at(X)[key], how)(y), want)


TRACED = ("ids", "ids of axis 1", "pairs", "apart", "mixed")


def with_arrays(key: Any, arrays: Any) -> Any:
    """The key with its arrays replaced, in order."""
    given = iter(arrays)
    items = [next(given) if isinstance(k, np.ndarray) else k for k in (key if isinstance(key, tuple) else (key,))]
    return tuple(items) if isinstance(key, tuple) else items[0]


def test_kernels_update_at_traced_indices(device: Any) -> None:
    given = {
        name: [k for k in (KEYS[name] if isinstance(KEYS[name], tuple) else (KEYS[name],)) if isinstance(k, np.ndarray)]
        for name in TRACED
    }
    ways = {name: every(KEYS[name])[::2] for name in TRACED}

    def program(x: Any, arrays: Any, ys: Any) -> Any:
        return {
            name: [
                getattr(x.at[with_arrays(KEYS[name], arrays[name])], how)(y)
                for (how, _), y in zip(ways[name], ys[name], strict=True)
            ]
            for name in TRACED
        }

    ys = {name: [y for _, y in found] for name, found in ways.items()}
    got = graphc.compile(program, device=device)(X, given, ys)
    for name in TRACED:
        for (how, y), one in zip(ways[name], got[name], strict=True):
            want = changed(X, KEYS[name], y, how)
            np.testing.assert_allclose(np.asarray(one), want, rtol=1e-6, atol=1e-6, err_msg=f"{name} {how}")


def test_kernels_update_at_known_places(device: Any) -> None:
    names = [name for name in KEYS if name not in TRACED]

    def program(x: Any, ys: Any) -> Any:
        return [x.at[KEYS[name]].set(y).at[KEYS[name]].add(1) for name, y in zip(names, ys, strict=True)]

    ys = [RNG.normal(size=X[KEYS[name]].shape).astype(np.float32) for name in names]
    for name, y, got in zip(names, ys, graphc.compile(program, device=device)(X, ys), strict=True):
        want = changed(changed(X, KEYS[name], y, "set"), KEYS[name], 1, "add")
        np.testing.assert_allclose(np.asarray(got), want, rtol=1e-6, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("how", ["set", *UFUNCS])
@pytest.mark.parametrize("name", ["steps", "pairs", "ids of axis 1", "mixed"])
def test_gradients_of_updates(name: str, how: str) -> None:
    key = KEYS[name]
    y = RNG.normal(size=X[key].shape).astype(np.float32)
    weight = RNG.normal(size=X.shape).astype(np.float32)

    def total(x: Any, y: Any) -> Any:
        return np.sum(getattr(graphc.at(x)[key], how)(y) * weight)

    found = graphc.compile(graphc.grad(total, argnums=(0, 1)), device="numpy")(X, y)
    for k, (g, way) in enumerate(zip(found, (np.sin(X), np.cos(y)), strict=True)):
        args = [X.astype(float), y.astype(float)]
        ends = []
        for step in (1e-6, -1e-6):
            moved = [a + step * way if i == k else a for i, a in enumerate(args)]
            ends.append(total(*moved))
        want = (ends[0] - ends[1]) / 2e-6
        assert float(np.sum(np.asarray(g) * way)) == pytest.approx(want, rel=1e-3, abs=1e-3)


def test_equal_extremes_share_the_gradient() -> None:
    y = np.array([2, 5, 5, 1], np.float32)

    def total(y: Any) -> Any:
        return np.sum(graphc.segment_max(y, np.array([0, 1, 1, 1], np.int32), 3)[:2])

    np.testing.assert_array_equal(np.asarray(graphc.grad(total)(y)), [1, 0.5, 0.5, 0])


@pytest.mark.parametrize("how", ["set", "add", "max"])
def test_what_is_known_is_updated_at_a_traced_index_or_with_traced_values(how: str) -> None:
    values, known = np.ones((3, 6, 3), np.float32), X.astype(np.float64)
    want = getattr(graphc.at(X)[IDS], how)(values)
    calls: list[Any] = [
        lambda y, i: getattr(graphc.at(known)[IDS], how)(y),
        lambda y, i: getattr(graphc.at(known)[i], how)(values),
        lambda y, i: getattr(graphc.at(X.tolist())[i], how)(y),
    ]
    for call in calls:
        got = np.asarray(graphc.compile(call, device="numpy")(values, IDS))
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, want, rtol=1e-6)
    placed = graphc.compile(lambda y: graphc.at(X)[1:3, 0].set(y), device="numpy")(values[:2, 0])
    np.testing.assert_array_equal(np.asarray(placed)[1:3, 0], 1)


def test_a_traced_mask_takes_one_value() -> None:
    got = graphc.compile(lambda x: (x.at[x > 0].set(0), x.at[x > 0].multiply(2)), device="numpy")(X)
    np.testing.assert_array_equal(np.asarray(got[0]), np.minimum(X, 0))
    np.testing.assert_array_equal(np.asarray(got[1]), np.where(X > 0, X * 2, X))
    with pytest.raises(graphc.ShapeError, match=r"how many the mask picks is not known.*np\.where\(mask"):
        graphc.trace(lambda x, y: x.at[x > 0].set(y), X, np.ones(3))


def test_arrays_are_updated_on_their_device() -> None:
    x = graphc.asarray(X, "numpy")
    for key in (IDS, X > 0.3, (slice(1, 3), graphc.asarray(IDS, "numpy"))):
        host = (
            tuple(np.asarray(k) if isinstance(k, graphc.Array) else k for k in key) if isinstance(key, tuple) else key
        )
        got = x.at[key].add(1.5)
        assert isinstance(got, graphc.Array)
        assert got.device is x.device
        np.testing.assert_allclose(np.asarray(got), changed(X, host, 1.5, "add"), rtol=1e-6)
    np.testing.assert_array_equal(np.asarray(x), X)


def test_integers_and_truth() -> None:
    ids = np.array([3, 0, 3, 3], np.int32)
    i, b = np.arange(5, dtype=np.int32), np.array([True, False, False, True, False])
    values, truth = np.array([7, -2, 5, 3], np.int32), np.array([False, True, False, True])
    for how in UFUNCS:
        got = graphc.compile(lambda i, b, how=how: (getattr(i.at[ids], how)(values), getattr(b.at[ids], how)(truth)),
                             device="numpy")(i, b)  # fmt: skip
        for one, before, y in zip(got, (i, b), (values, truth), strict=True):
            assert np.asarray(one).dtype == before.dtype
            np.testing.assert_array_equal(np.asarray(one), changed(before, ids, y, how))


SEGMENTS = {"segment_sum": np.add, "segment_max": np.maximum}


@pytest.mark.parametrize("rest", [(), (3,)])
def test_segments(rest: Any, device: Any) -> None:
    ids = RNG.integers(0, 9, size=500).astype(np.int32)
    ids[ids == 4] = 5
    data = RNG.normal(size=(500, *rest)).astype(np.float32)
    functions = (graphc.segment_sum, graphc.segment_mean, graphc.segment_max)
    total, top = np.zeros((9, *rest)), np.full((9, *rest), -np.inf)
    np.add.at(total, ids, data)
    np.maximum.at(top, ids, data)
    count = np.maximum(np.bincount(ids, minlength=9), 1).reshape(9, *(1,) * len(rest))
    got = graphc.compile(lambda x, ids: [f(x, ids, 9) for f in functions], device=device)(data, ids)
    for f, one, want in zip(functions, got, (total, total / count, top), strict=True):
        for found in (one, f(data, ids, 9), f(graphc.asarray(data, "numpy"), ids, 9)):
            np.testing.assert_allclose(np.asarray(found), want, rtol=1e-5, atol=1e-5)


def test_what_does_not_fit_is_said() -> None:
    def error(kind: Any, fn: Any, *args: Any) -> str:
        with pytest.raises(kind) as caught:
            graphc.trace(fn, *args)
        return str(caught.value)

    said = error(graphc.ShapeError, lambda x: x.at[1].set(np.ones(4)), X)
    assert "at[...].set: the values are f32[4], and the index picks [6, 3]" in said
    assert "test_updates.py" in said
    said = error(graphc.DTypeError, lambda i: i.at[0].add(1.5), IDS)
    assert "the values are float64, x is i32[3]: write .astype(np.int32) on the values" in said
    assert "index 7 is out of range" in error(graphc.IndexRangeError, lambda x: x.at[7].set(0), X)
    assert "index 7 is out of range" in error(graphc.IndexRangeError, lambda x: x.at[[7, 1]].set(0), X)
    with pytest.raises(graphc.IndexRangeError, match="ids lie in"):
        graphc.segment_sum(np.ones(3), IDS, 3)
    with pytest.raises(graphc.IndexRangeError):
        np.asarray(graphc.compile(lambda x, i: graphc.segment_sum(x, i, 2), device="numpy")(np.ones(3), IDS))
    said = error(graphc.TraceError, lambda x: np.add.at(x, IDS, 1.0), X)
    assert "graphc.at(x)[ids].add(y)" in said


IN_LOOPS: dict[str, Any] = {
    # how a step changes a cache of [40, 12], with its number and its row of [12]
    "a row": lambda c, i, row: graphc.at(c)[i].set(row),
    "from the end": lambda c, i, row: graphc.at(c)[-1 - i].set(row * 2),
    "rows, the last of equal ones counts": lambda c, i, row: graphc.at(c)[np.stack([i, i + 1, i])].set(
        np.stack([row, row * 2, row * 3])
    ),
    "a column": lambda c, i, row: graphc.at(c)[:, i].set(np.concatenate([row, row, row, row[:4]])),
}


@pytest.mark.parametrize("name", IN_LOOPS)
def test_a_loop_writes_the_rows_that_change_alone(name: str) -> None:
    change = IN_LOOPS[name]
    cache, rows = (
        np.arange(480, dtype=np.float32).reshape(40, 12),
        np.linspace(-1, 1, 60, dtype=np.float32).reshape(5, 12),
    )

    def loop(cache: Any, rows: Any) -> Any:
        def step(carry: Any, row: Any) -> Any:
            c, i = carry
            c = change(c, i, row)
            return (c, i + 1), c[i + 2, :3]

        (last, _), ys = graphc.scan(step, (cache, np.int32(0)), rows)
        return last, ys

    compiled = graphc.compile(loop, device="wgpu")
    wanted = [np.asarray(x) for x in graphc.compile(loop, device="numpy")(cache, rows)]
    for got, known in zip(compiled(cache, rows), wanted, strict=True):
        np.testing.assert_array_equal(np.asarray(got), known)
    plan = compiled.lower(cache, rows).plan
    inside = [d for d in plan.apart().dispatches if d.label.startswith("index_update")]
    written = {plan.kernels[d.kernel].wgsl for d in plan.dispatches if d in inside or set(d.members) & set(inside)}
    assert inside
    assert all("written" in text for text in written)
    assert all(d.workgroups == (1, 1, 1) for d in inside)
