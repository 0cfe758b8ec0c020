"""Options of compile and of what stands beside it: the decorator, sizes, positions, and integers of any kind."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.limit import parse_bytes

X = np.arange(6, dtype=np.float32).reshape(2, 3)


def test_a_decorator_with_and_without_options() -> None:
    @graphc.compile
    def double(x: Any) -> Any:
        return x * 2

    @graphc.compile(static="n", device="numpy", donate=0, passes=(), check=True, memory_limit="1MiB")
    def power(x: Any, n: int) -> Any:
        """x to the n."""
        return x**n

    @graphc.compile()
    def same(x: Any) -> Any:
        return x

    assert isinstance(double, graphc.Compiled)
    assert isinstance(power, graphc.Compiled)
    np.testing.assert_array_equal(power(X, 3), X**3)
    np.testing.assert_array_equal(np.asarray(same(X)), X)
    assert (power.__name__, power.__doc__) == ("power", "x to the n.")
    assert power.lower(X, 2).device is graphc.device("numpy")
    assert power.lower(X, 2).static == {"n": 2}

    class Model:
        @graphc.compile(static="self", device="numpy")
        def apply(self, x: Any) -> Any:
            return x + 1

    np.testing.assert_array_equal(Model().apply(X), X + 1)


NONSENSE: dict[str, dict[str, Any]] = {
    "no function": {"fn": 3},
    "an Array": {"fn": X},
    "memory_limit=0": {"memory_limit": 0},
    "memory_limit=-1": {"memory_limit": -1},
    "memory_limit=1.5": {"memory_limit": 1.5},
    "memory_limit=0MiB": {"memory_limit": "0MiB"},
    "memory_limit=nan": {"memory_limit": "nanGB"},
    "memory_limit=inf": {"memory_limit": "infGB"},
    "memory_limit=True": {"memory_limit": True},
    "memory_limit=[]": {"memory_limit": []},
    "passes of text": {"passes": ("fuse",)},
    "one pass": {"passes": graphc.passes.DEFAULT[0]},
    "no passes": {"passes": None},
    "donate=1.5": {"donate": 1.5},
    "donate=None": {"donate": None},
    "static=True": {"fn": lambda x, y: x, "static": True},
}


@pytest.mark.parametrize("name", NONSENSE)
def test_options_that_make_no_sense_are_refused_at_once(name: str) -> None:
    with pytest.raises(graphc.ArgumentError):
        graphc.compile(**{"fn": lambda x: x, **NONSENSE[name]})


INTEGERS: list[Callable[[int], Any]] = [
    *(int, np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64, np.array),
    *(lambda n: np.array(n, np.uint8), lambda n: graphc.asarray(np.int32(n), "numpy")),
]
KEY = graphc.random.key(7)

TAKERS: dict[str, Callable[[Any], Any]] = {
    "key": lambda n: graphc.random.key(n),
    "fold_in": lambda n: graphc.random.fold_in(KEY, n),
    "split": lambda n: graphc.random.split(KEY, n),
    "bits": lambda n: graphc.random.bits(KEY, n),
    "shape": lambda n: graphc.random.uniform(KEY, (2, n)),
    "randint": lambda n: graphc.random.randint(KEY, (4,), n, n + n),
    "categorical": lambda n: graphc.random.categorical(KEY, X, axis=n - 2),
    "spec": lambda n: graphc.spec((n, 2)),
    "spec of one axis": lambda n: graphc.spec(n),
    "one_hot": lambda n: graphc.nn.one_hot(np.array([0, 1]), n),
    "scan": lambda n: graphc.scan(lambda c, _: (c * 2, c), np.float32(1), length=n),
    "argnums": lambda n: graphc.grad(lambda *xs: np.sum(xs[3] * xs[3] * xs[2]), argnums=n)(X, X, X, X),
    "memory_limit": lambda n: repr(graphc.compile(np.tanh, memory_limit=n)),
}  # fmt: skip


@pytest.mark.parametrize("taker", TAKERS)
def test_integers_of_any_kind_are_taken(taker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHC_DEVICE", "numpy")
    want = TAKERS[taker](3)
    for kind in INTEGERS:
        found = TAKERS[taker](kind(3))
        if isinstance(want, str | graphc.Spec):
            assert found == want
        else:
            for one, other in zip(graphc.tree.leaves(found), graphc.tree.leaves(want), strict=True):
                np.testing.assert_array_equal(np.asarray(one), np.asarray(other))


@pytest.mark.parametrize("kind", [int, np.int64, np.int32, np.int8, np.int16])
def test_negative_and_large_seeds(kind: Any) -> None:
    np.testing.assert_array_equal(graphc.random.key(kind(-1)), [2**32 - 1, 2**32 - 1])
    np.testing.assert_array_equal(graphc.random.key(np.uint64(2**63 + 5)), [2**31, 5])
    np.testing.assert_array_equal(graphc.random.key(2**40), [256, 0])
    np.testing.assert_array_equal(graphc.random.randint(KEY, (3,), kind(-4), kind(-3)), [-4, -4, -4])


@pytest.mark.parametrize("seed", [3.0, np.float32(3), "3", None, np.array([1, 2]), [3]])
def test_seeds_that_are_no_integers(seed: Any) -> None:
    with pytest.raises(graphc.DTypeError, match="needs an integer"):
        graphc.random.key(seed)
    with pytest.raises((graphc.DTypeError, graphc.ShapeError)):
        graphc.random.randint(KEY, (2,), 0, seed)


def test_a_traced_seed_is_told_what_to_write() -> None:
    with pytest.raises(graphc.TraceError, match=r"write graphc\.random\.fold_in\(key, seed\)"):
        graphc.trace(lambda n: graphc.random.key(n), np.int32(3))


STEPS: dict[str, tuple[Callable[[Any, Any], Any], str]] = {
    "no pair": (lambda c, x: c + x, "has to return a pair"),
    "nothing": (lambda c, x: None, "has to return a pair .* returns a NoneType"),
    "three": (lambda c, x: (c, x, x), "has to return a pair .* a tuple of 3"),
    "a list": (lambda c, x: [c, x], "has to return a pair .* returns a list"),
    "another carry": (lambda c, x: ((c, c), x), r"the carry is \*, and step makes it \(\*, \*\)"),
}


@pytest.mark.parametrize("traced", [False, True])
@pytest.mark.parametrize("name", STEPS)
def test_a_step_that_returns_something_else(name: str, traced: bool) -> None:
    step, text = STEPS[name]

    def run(c: Any, xs: Any) -> Any:
        return graphc.scan(step, c, xs)

    with pytest.raises(graphc.TraceError, match=text) as caught:
        (graphc.compile(run, device="numpy") if traced else run)(np.float32(0), X[0])
    assert "at  test_compile_options.py" in str(caught.value)


def test_ys_that_change_their_structure() -> None:
    counts = iter(range(9))
    with pytest.raises(graphc.TraceError, match=r"y is \(\), and|y is \* after one step"):
        graphc.scan(lambda c, x: (c, x if next(counts) < 1 else (x, x)), np.float32(0), X[0])


@pytest.mark.parametrize("device", ["wgpu", "numpy"])
def test_what_was_donated_is_called_by_its_name(device: str) -> None:
    def update(p: Any, g: Any, *, rate: Any) -> Any:
        return graphc.tree.map(lambda a, b: a - rate * b, p, g)

    step = graphc.compile(update, donate=("p", "rate"), device=device)
    p = {"layers": [{k: graphc.asarray(np.ones(3, np.float32), device) for k in "ba"}]}
    rate = graphc.asarray(np.float32(0.5), device)
    step(p, graphc.tree.map(np.asarray, p), rate=rate)
    for leaf, name in (
        (p["layers"][0]["b"], 'p["layers"][0]["b"]'),
        (p["layers"][0]["a"], 'p["layers"][0]["a"]'),
        (rate, "rate"),
    ):
        assert f"was donated to a compiled function ({name})" in repr(leaf)
        with pytest.raises(graphc.DeviceError, match="was donated"):
            np.asarray(leaf)


@graphc.compile(device="numpy")
def doubled(x: Any) -> Any:
    return x * 2


def test_compiled_functions_are_copied_and_pickled_as_functions_are() -> None:
    holder: dict[str, Any] = copy.deepcopy({"step": doubled, "state": [X]})
    assert holder["step"] is doubled
    assert holder["state"][0] is not X
    assert copy.copy(doubled) is doubled
    assert pickle.loads(pickle.dumps(doubled)) is doubled
    nameless = graphc.compile(lambda x: x, device="numpy")
    with pytest.raises((pickle.PicklingError, AttributeError), match="pickle"):
        pickle.dumps(nameless)


@pytest.mark.parametrize(
    ("limit", "found"),
    [
        (7, 7), (7.0, 7), (None, None), ("7", 7), ("1e6", 10**6), ("512MiB", 512 << 20), (" 1.5 gb ", 15 * 10**8),
        ("1.1KiB", 1126), ("2.0", 2),
    ],
)  # fmt: skip
def test_sizes_of_limits(limit: Any, found: int | None) -> None:
    assert parse_bytes(limit) == found


@pytest.mark.parametrize(
    "limit",
    [
        0, -1, 1.5, True, "1.5", "1.5b", "0.5B", "\uff19MiB", "1_000", "5 12", "1e", "", "MiB", "-1MB", "nan", "inf",
        "1e999", "0", "1kk", [7], np.inf, "\u0661",
    ],
)  # fmt: skip
def test_what_is_no_size_of_a_limit(limit: Any) -> None:
    with pytest.raises(graphc.ArgumentError, match="is no size"):
        parse_bytes(limit)


@dataclass(frozen=True)
class Setting:
    value: Any


@pytest.mark.parametrize("name", ["numpy", "wgpu"])
@pytest.mark.parametrize(
    "wrap",
    [lambda k: k, lambda k: (k,), lambda k: ((k, 2),), lambda k: frozenset((k,)), Setting, lambda k: Setting((k,))],
    ids=["alone", "tuple", "nested", "set", "dataclass", "dataclass of a tuple"],
)
def test_static_values_that_are_equal_are_told_apart(name: str, wrap: Any) -> None:
    def number(k: Any) -> Any:
        while not isinstance(k, int | float):
            k = k.value if isinstance(k, Setting) else next(iter(k))
        return k

    f = graphc.compile(lambda x, k: x * number(k), device=name, static="k")
    large = np.array([2**30], np.int32)
    for k in (4, 4.0, 1, True, 1.0, 4):
        assert f(large, wrap(k)).dtype == (np.float32 if isinstance(k, float) else np.int32)
    assert float(f(large, wrap(4.0))[0]) == 2.0**32
    signs = graphc.compile(lambda x, k: np.copysign(x, number(k)), device=name, static="k")
    assert [float(signs(np.float32(3), wrap(k))) for k in (0.0, -0.0, 0.0)] == [3, -3, 3]
    assert len(signs.signatures) == 2
