"""Pytrees: flatten and unflatten are inverse, structures compare, paths lead to leaves."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pytest

import graphc
from graphc import tree
from graphc.errors import ArgumentError
from graphc.tracing.trace import spec


class Pair(NamedTuple):
    left: Any
    right: Any


@dataclass(frozen=True)
class State:
    count: Any
    moments: Any = field(default_factory=dict)

    def __post_init__(self) -> None:
        if isinstance(self.count, str):
            raise ValueError("leaves are put back without asking the class")


TREES: list[tuple[Any, list[Any]]] = [
    (1, [1]),
    (None, []),
    ([], []),
    ((), []),
    ({}, []),
    ([1, 2], [1, 2]),
    ((1,), [1]),
    ({"b": 1, "a": 2}, [2, 1]),
    ({"layers": [{"w": 1, "b": 2}, {"w": 3, "b": None}]}, [2, 1, 3]),
    (Pair(1, [2, None]), [1, 2]),
    (State(1, {"m": 2, "v": 3}), [1, 2, 3]),
    (OrderedDict([("b", 1), ("a", 2)]), [1, 2]),
    (defaultdict(int, {"b": 1, "a": 2}), [2, 1]),
    ({2: "x", 10: "y"}, ["x", "y"]),
    ({"a": 1, 3: 2}, [2, 1]),
    ((None, (None, 4)), [4]),
]


@pytest.mark.parametrize("case", range(len(TREES)))
def test_flatten_and_unflatten(case: int) -> None:
    value, leaves = TREES[case]
    found, treedef = tree.flatten(value)
    assert found == leaves == tree.leaves(value)
    back = tree.unflatten(treedef, found)
    assert back == value
    assert type(back) is type(value)
    assert treedef.num_leaves == len(leaves) == len(tree.paths(treedef))
    assert treedef == tree.structure(value)
    assert hash(treedef) == hash(tree.structure(value))
    assert treedef.unflatten(found) == value


def test_structures_differ() -> None:
    values = [value for value, _ in TREES]
    for i, a in enumerate(values):
        for b in values[i + 1 :]:
            assert tree.structure(a) != tree.structure(b)
    assert tree.structure([1, 2]) == tree.structure([3, "x"])


def test_arrays_and_specs_are_leaves() -> None:
    x = np.ones((2, 3))
    found, _ = tree.flatten([x, spec((2,)), np.float32(1)])
    assert found[0] is x
    assert len(found) == 3
    assert tree.is_leaf(x)
    assert not tree.is_leaf([x])
    assert not tree.is_leaf(None)


def test_map() -> None:
    assert tree.map(lambda a: a * 2, {"w": 1, "b": [2, None]}) == {"w": 2, "b": [4, None]}
    assert tree.map(lambda a, b, c: a + b - c, (1, [2]), (10, [20]), (5, [6])) == (6, [16])
    assert tree.map(str, None) is None
    with pytest.raises(ArgumentError, match=r"structures differ: \{'a': \*\} and \{'b': \*\}"):
        tree.map(max, {"a": 1}, {"b": 1})


def test_a_wrong_number_of_leaves() -> None:
    with pytest.raises(ArgumentError, match=r"has 2 leaves, got 3"):
        tree.unflatten(tree.structure([1, 2]), [1, 2, 3])


def test_paths() -> None:
    value = {"layers": [{"w": 1}, {"w": 2}], "state": State(3, (4,)), "pair": Pair(5, 6)}
    found = {
        tree.format_path(p): leaf for p, leaf in zip(tree.paths(tree.structure(value)), tree.leaves(value), strict=True)
    }
    assert found == {
        '["layers"][0]["w"]': 1,
        '["layers"][1]["w"]': 2,
        '["pair"].left': 5,
        '["pair"].right': 6,
        '["state"].count': 3,
        '["state"].moments[0]': 4,
    }


def test_leaves_are_put_back_without_the_constructor() -> None:
    assert tree.map(lambda leaf: "text", State(1)).count == "text"


def test_structures_print() -> None:
    assert (
        str(tree.structure({"a": [1, (2,)], "b": None, "c": Pair(1, 2)}))
        == "{'a': [*, (*,)], 'b': None, 'c': Pair(left=*, right=*)}"
    )


LOOSE: Any = tree
"""The module as programs see it that are not checked."""

WRONG: dict[str, Callable[[], Any]] = {
    "map: fn is 3": lambda: LOOSE.map(3, [1]),
    "unflatten: treedef is 3": lambda: LOOSE.unflatten(3, [1]),
    "unflatten: leaves is 3": lambda: LOOSE.unflatten(tree.structure([1]), 3),
    "paths: treedef is 3": lambda: LOOSE.paths(3),
    "children: treedef is 3": lambda: LOOSE.children([1], 3),
    "dotted_path: path is 3": lambda: LOOSE.dotted_path(3),
    "format_path: path is 'w'": lambda: LOOSE.format_path("w"),
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_no_argument_is_refused(text: str) -> None:
    with pytest.raises(ArgumentError, match=f"tree.{text}: need"):
        WRONG[text]()


def test_what_holds_itself_is_no_tree_and_no_array() -> None:
    of_lists: list[Any] = []
    of_lists.append(of_lists)
    of_dicts: dict[str, Any] = {"a": 1}
    of_dicts["b"] = (of_dicts,)
    for ring in (of_lists, of_dicts, State(of_dicts)):
        for call in (
            lambda ring: tree.leaves(ring),
            lambda ring: tree.map(str, ring),
            lambda ring: tree.map(max, 1, ring),
            lambda ring: graphc.compile(lambda v: v, device="numpy")(ring),
            lambda ring: graphc.trace(lambda v: (v, ring), np.ones(2)),
            lambda ring: graphc.grad(lambda v: v)(ring),
            lambda ring: graphc.scan(lambda c, x: (c, x), ring, length=1),
        ):
            with pytest.raises(ArgumentError, match="holds itself"):
                call(ring)
    with pytest.raises(ArgumentError, match="holds itself"):
        graphc.asarray(of_lists, device="numpy")
    with pytest.raises(ArgumentError, match="holds itself"):
        graphc.trace(lambda v: v + of_lists, np.ones(2, np.float32))
