"""Pytrees: nested dicts, lists, tuples, named tuples and dataclasses whose leaves are arrays or numbers.

None is an empty tree. Anything with a shape and a dtype is a leaf, whatever its class. The leaves of a dict are taken
in the sorted order of its keys (an OrderedDict keeps its own), so that two dicts with equal keys have one structure. A
dict that is put together again has its keys in the order in which they stood.
"""

from __future__ import annotations

import dataclasses
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from graphc.errors import ArgumentError

Path = tuple[Any, ...]
"""Keys, positions and field names that lead from the root to a leaf."""


@dataclasses.dataclass(frozen=True, slots=True)
class TreeDef:
    """The structure of a tree, without its leaves; hashable, equal where structures are equal.

    kind: "leaf", "none", "dict", "list", "tuple", "namedtuple" or "dataclass". node: the class that is rebuilt.
    keys: what leads to each child. extra: the factory of a defaultdict. order: the keys of a dict as they stood in it,
    empty where that is the order of `keys`; dicts that differ in it alone are equal in structure.
    """

    kind: str
    node: type | None = None
    keys: tuple[Any, ...] = ()
    children: tuple[TreeDef, ...] = ()
    extra: Any = None
    order: tuple[Any, ...] = dataclasses.field(default=(), compare=False, repr=False)

    @property
    def arrangement(self) -> tuple[Any, ...]:
        """The order of keys in every dict of the tree, hashable; empty where all are sorted."""
        if not self.children:
            return ()
        below = [child.arrangement for child in self.children]
        return (self.order, *below) if self.order or any(below) else ()

    @property
    def num_leaves(self) -> int:
        """How many leaves a tree of this structure has."""
        return 1 if self.kind == "leaf" else sum(child.num_leaves for child in self.children)

    def unflatten(self, leaves: Iterable[Any]) -> Any:
        """The tree with these leaves; raises ArgumentError for a wrong number of them."""
        return unflatten(self, leaves)

    def __str__(self) -> str:
        if self.kind == "leaf":
            return "*"
        if self.kind == "none":
            return "None"
        if self.kind == "dict":
            return "{" + ", ".join(f"{k!r}: {c}" for k, c in zip(self.keys, self.children, strict=True)) + "}"
        inner = ", ".join(str(child) for child in self.children)
        if self.kind == "list":
            return f"[{inner}]"
        if self.kind == "tuple":
            return f"({inner},)" if len(self.children) == 1 else f"({inner})"
        assert self.node is not None
        pairs = ", ".join(f"{k}={c}" for k, c in zip(self.keys, self.children, strict=True))
        return f"{self.node.__name__}({pairs})"


LEAF: Final = TreeDef("leaf")
_leaf_classes: Final[set[type]] = set()
"""Classes whose instances were found to be leaves: calls with many arguments flatten them again and again."""

NONE: Final = TreeDef("none")


def is_leaf(tree: Any) -> bool:
    """Whether `tree` is a leaf: no container that this module knows, or something with a shape and a dtype."""
    return _open(tree) is None


def flatten(tree: Any) -> tuple[list[Any], TreeDef]:
    """The leaves of a tree, in order, and its structure; raises ArgumentError for a tree that holds itself."""
    found: list[Any] = []
    try:
        return found, _flatten(tree, found)
    except RecursionError:
        raise ArgumentError(f"a tree, a {type(tree).__name__}, holds itself, or is nested too deeply") from None


def leaves(tree: Any) -> list[Any]:
    """The leaves of a tree, in order."""
    return flatten(tree)[0]


def structure(tree: Any) -> TreeDef:
    """The structure of a tree."""
    return flatten(tree)[1]


def children(tree: Any, treedef: TreeDef) -> list[Any] | None:
    """The children of a tree whose root is as in `treedef`; None where it differs."""
    _require_structure("children", treedef)
    opened = _open(tree)
    if opened is None or (opened[0].kind, opened[0].node, opened[0].keys) != (treedef.kind, treedef.node, treedef.keys):
        return None
    return opened[1]


def unflatten(treedef: TreeDef, leaves: Iterable[Any]) -> Any:
    """The tree of this structure with these leaves; raises ArgumentError for a wrong number of them."""
    _require_structure("unflatten", treedef)
    if not isinstance(leaves, Iterable):
        raise ArgumentError(f"tree.unflatten: leaves is {leaves!r}: need a list of them")
    given = list(leaves)
    if len(given) != treedef.num_leaves:
        raise ArgumentError(f"the structure {treedef} has {treedef.num_leaves} leaves, got {len(given)}")
    return _unflatten(treedef, iter(given))


def map(fn: Callable[..., Any], tree: Any, *rest: Any) -> Any:
    """`fn` applied to each leaf of `tree` and the leaves of `rest` at the same place.

    Raises ArgumentError naming the structures where a tree of `rest` has another one.
    """
    if not callable(fn):
        raise ArgumentError(f"tree.map: fn is {fn!r}: need a function")
    first, treedef = flatten(tree)
    others = []
    for other in rest:
        found, other_def = flatten(other)
        if other_def != treedef:
            raise ArgumentError(f"tree.map: structures differ: {treedef} and {other_def}")
        others.append(found)
    return unflatten(treedef, [fn(*group) for group in zip(first, *others, strict=True)])


def paths(treedef: TreeDef) -> list[Path]:
    """The path of each leaf, in order."""
    _require_structure("paths", treedef)
    return list(_paths(treedef, ()))


def format_path(path: Path) -> str:
    """A path as it is written in code: ["layers"][0]["w"]."""
    _require_path("format_path", path)
    return "".join(f"[{key!r}]".replace("'", '"') if not isinstance(key, Field) else f".{key}" for key in path)


def dotted_path(path: Path) -> str:
    """A path as short as it can be told: .layers[0].w."""
    _require_path("dotted_path", path)
    return "".join(f".{k}" if isinstance(k, str) and k.isidentifier() else f"[{k!r}]" for k in path)


def _require_structure(function: str, treedef: Any) -> None:
    if not isinstance(treedef, TreeDef):
        raise ArgumentError(f"tree.{function}: treedef is {treedef!r}: need a structure, as tree.structure gives it")


def _require_path(function: str, path: Any) -> None:
    if not isinstance(path, tuple | list):
        raise ArgumentError(f"tree.{function}: path is {path!r}: need a tuple, as tree.paths gives it")


class Field(str):
    """The name of a field of a dataclass or named tuple, in a path."""

    __slots__ = ()


def _open(tree: Any) -> tuple[TreeDef, list[Any]] | None:
    """Structure (without children) and children of a container, None for a leaf."""
    if tree is None:
        return NONE, []
    cls = type(tree)
    if cls is list:
        return TreeDef("list", list, tuple(range(len(tree)))), tree
    if cls is tuple:
        return TreeDef("tuple", tuple, tuple(range(len(tree)))), list(tree)
    if isinstance(tree, dict):
        stood = tuple(tree)
        keys = stood if isinstance(tree, OrderedDict) else _sorted_keys(stood)
        node = cls if cls in (OrderedDict, defaultdict) else dict
        factory = tree.default_factory if isinstance(tree, defaultdict) else None
        return TreeDef("dict", node, keys, (), factory, () if keys == stood else stood), [tree[k] for k in keys]
    if isinstance(tree, tuple) and hasattr(cls, "_fields"):
        return TreeDef("namedtuple", cls, tuple(Field(name) for name in cls._fields)), list(tree)
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type) and not _is_array(tree):
        names = tuple(Field(field.name) for field in dataclasses.fields(tree))
        return TreeDef("dataclass", cls, names), [getattr(tree, name) for name in names]
    return None


def _is_array(value: Any) -> bool:
    return hasattr(value, "shape") and hasattr(value, "dtype")


def _sorted_keys(keys: tuple[Any, ...]) -> tuple[Any, ...]:
    try:
        return tuple(sorted(keys))
    except TypeError:
        return tuple(sorted(keys, key=lambda key: (type(key).__qualname__, str(key))))


def _flatten(tree: Any, found: list[Any]) -> TreeDef:
    if type(tree) in _leaf_classes:
        found.append(tree)
        return LEAF
    opened = _open(tree)
    if opened is None:
        if not dataclasses.is_dataclass(tree):
            _leaf_classes.add(type(tree))
        found.append(tree)
        return LEAF
    treedef, children = opened
    if not children:
        return treedef
    below = tuple(_flatten(child, found) for child in children)
    return TreeDef(treedef.kind, treedef.node, treedef.keys, below, treedef.extra, treedef.order)


def _unflatten(treedef: TreeDef, rest: Iterator[Any]) -> Any:
    if treedef.kind == "leaf":
        return next(rest)
    if treedef.kind == "none":
        return None
    children = [_unflatten(child, rest) for child in treedef.children]
    if treedef.kind == "list":
        return children
    if treedef.kind == "tuple":
        return tuple(children)
    assert treedef.node is not None
    pairs = dict(zip(treedef.keys, children, strict=True))
    if treedef.kind == "dict":
        if treedef.order:
            pairs = {key: pairs[key] for key in treedef.order}
        return defaultdict(treedef.extra, pairs) if treedef.node is defaultdict else treedef.node(pairs)
    if treedef.kind == "namedtuple":
        return treedef.node(*children)
    # Without __init__: its checks and conversions are meant for arrays, and the leaves may be anything.
    made: Any = object.__new__(treedef.node)
    for name, child in pairs.items():
        object.__setattr__(made, name, child)
    return made


def _paths(treedef: TreeDef, prefix: Path) -> Iterator[Path]:
    if treedef.kind == "leaf":
        yield prefix
    for key, child in zip(treedef.keys, treedef.children, strict=bool(treedef.children)):
        yield from _paths(child, (*prefix, key))
