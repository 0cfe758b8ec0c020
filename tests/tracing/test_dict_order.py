"""Dicts keep the order of their keys: in a trace, in results, and from call to call."""

from __future__ import annotations

import random
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import graphc
from graphc import tree

NAMES = [f"p{i}" for i in range(13)]  # sorted, p10 stands before p2
MANY = {name: np.float32(i) for i, name in enumerate(NAMES)}
BACK = dict(reversed(MANY.items()))


def folded(values: Any) -> Any:
    """A number that depends on the order of the values."""
    total: Any = np.float32(0)
    for value in values:
        total = total * np.float32(0.5) + value
    return total


def raised(d: dict[str, Any]) -> dict[str, Any]:
    return {k: v + 1 for k, v in d.items()}


READERS: dict[str, Callable[[Any], Any]] = {
    "values": lambda d: folded(d.values()),
    "items": lambda d: folded(v for _, v in d.items()),
    "keys": lambda d: folded(d[k] for k in d),
    "list": lambda d: folded([*d.values()]),
    "first": lambda d: next(iter(d.values())) * 2,
    "popitem": lambda d: dict(d).popitem()[1] * 2,
    "as arguments": lambda d: (lambda **named: folded(named.values()))(**d),
    "a dict of results": raised,
    "tree.map": lambda d: tree.map(lambda v: v + 1, d),
    "tuple": lambda d: tuple(v + 1 for v in d.values()),
    "a gradient": lambda d: folded(graphc.grad(lambda p: sum(v * v * v for v in p.values()))(d).values()),
    "inside a gradient": lambda d: graphc.grad(lambda p: folded(v * v for v in p.values()))(d),
    "a checkpoint": lambda d: graphc.checkpoint(lambda p: folded(p.values()))(d),
    "a scan's carry": lambda d: graphc.scan(lambda c, _: (raised(c), folded(c.values())), d, None, 3),
}  # fmt: skip


def same(found: Any, wanted: Any) -> None:
    """Equal values, and dicts with their keys in one order."""
    assert type(found) is type(wanted) or not isinstance(wanted, dict | tuple)
    if isinstance(wanted, dict):
        assert list(found) == list(wanted)
        found, wanted = tuple(found.values()), tuple(wanted.values())
    if isinstance(wanted, tuple):
        assert len(found) == len(wanted)
        for one, other in zip(found, wanted, strict=True):
            same(one, other)
    else:
        np.testing.assert_allclose(np.asarray(found), np.asarray(wanted), rtol=1e-6)


@pytest.mark.parametrize("reader", READERS)
def test_a_compiled_function_sees_the_order_of_the_call(reader: str) -> None:
    fn = READERS[reader]
    compiled = graphc.compile(fn, device="numpy")
    for d in (MANY, BACK, MANY, {name: MANY[name] for name in sorted(NAMES)}):
        same(compiled(d), fn(d))


@pytest.mark.parametrize("reader", [r for r in READERS if "gradient" in r])
def test_gradients_at_once_see_it_too(reader: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHC_DEVICE", "numpy")
    for d in (MANY, BACK):
        same(READERS[reader](d), graphc.compile(READERS[reader], device="numpy")(d))


def test_keyword_arguments_keep_their_order() -> None:
    compiled = graphc.compile(lambda **named: folded(named.values()), device="numpy")
    for d in (MANY, BACK):
        same(compiled(**d), folded(d.values()))


def test_another_order_is_another_program_only_where_it_matters() -> None:
    total = graphc.compile(lambda d: d["p1"] + 2 * d["p2"], device="numpy")
    assert [float(total(d)) for d in (MANY, BACK, MANY)] == [5, 5, 5]
    assert len(total.signatures) == 1
    assert total.lower(BACK) is total.lower(MANY)
    ordered = graphc.compile(lambda d: folded(d.values()), device="numpy")
    ordered(MANY)
    ordered(BACK)
    assert len(ordered.signatures) == 2
    with pytest.raises(graphc.ShapeError, match="keys stand in another order"):
        ordered.lower(MANY)(BACK)


def test_special_dicts() -> None:
    for kind in (OrderedDict, lambda items: defaultdict(list, items)):
        d = kind([("b", np.float32(1)), ("a", np.float32(2))])
        made = graphc.compile(lambda d: (d, folded(d.values())), device="numpy")(d)
        assert type(made[0]) is type(d)
        assert list(made[0]) == ["b", "a"]
        assert float(made[1]) == float(folded(d.values()))


KEYS = st.sampled_from([*NAMES, 3, 20, ("t", 1)])
TREES = st.recursive(
    st.none() | st.floats(-9, 9, width=32),
    lambda inner: st.dictionaries(KEYS, inner, max_size=5) | st.lists(inner, max_size=3),
    max_leaves=12,
)  # fmt: skip


@given(TREES, st.randoms(use_true_random=False))
def test_a_tree_is_put_together_as_it_was(value: Any, chance: random.Random) -> None:
    leaves, treedef = tree.flatten(value)
    assert str(tree.unflatten(treedef, leaves)) == str(value)
    mixed = shuffled(value, chance)
    others, other = tree.flatten(mixed)
    assert (others, other, hash(other)) == (leaves, treedef, hash(treedef))
    assert str(tree.map(lambda a, b: a, value, mixed)) == str(value)
    assert (other.arrangement == treedef.arrangement) == (str(mixed) == str(value))
    hash(other.arrangement)


def shuffled(value: Any, chance: random.Random) -> Any:
    if isinstance(value, list):
        return [shuffled(v, chance) for v in value]
    if not isinstance(value, dict):
        return value
    keys = list(value)
    chance.shuffle(keys)
    return {k: shuffled(value[k], chance) for k in keys}
