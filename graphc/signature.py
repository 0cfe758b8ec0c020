"""Signatures of calls: what a program is specialised to, and which arguments are static or donated."""

from __future__ import annotations

import dataclasses
import inspect
import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from graphc import tree
from graphc.errors import ArgumentError, TraceError
from graphc.ir.types import ALL_DTYPES, check_plain, dtype_of, holds_numbers
from graphc.runtime import Array, Device

Names = int | np.integer[Any] | str | Sequence[int | np.integer[Any] | str]
"""Arguments of a function: a position or a name, or several."""

LeafKey = tuple[tuple[int, ...], str]

_PYTHON: Final = {bool: "Python bool", int: "Python int", float: "Python float"}
_EXACT: Final = {d.numpy: d.name for d in ALL_DTYPES if d.numpy.itemsize <= 4}


def is_python_scalar(leaf: Any) -> bool:
    """Whether a leaf is a Python bool, int or float, whose value is no part of the signature."""
    return type(leaf) in _PYTHON


def leaf_key(leaf: Any, what: str = "an argument") -> LeafKey:
    """Shape and element type of a leaf; a Python scalar by its Python type. Raises TraceError for other objects."""
    if isinstance(leaf, Array):
        return leaf.type.shape, leaf.type.dtype.name
    if type(leaf) in _PYTHON:
        return (), _PYTHON[type(leaf)]
    dtype = getattr(leaf, "dtype", None)
    if dtype is None or not hasattr(leaf, "shape"):
        if holds_numbers(leaf):
            raise TraceError(f"{what} holds a {type(leaf).__name__}, which is no array: write np.asarray(x)")
        raise TraceError(
            f"{what} holds a {type(leaf).__name__}, which is no array or number; "
            "name the argument in static= to compile for its value"
        )
    if type(leaf) is not np.ndarray:
        check_plain(leaf, what)
    return tuple(leaf.shape), _EXACT.get(dtype) or dtype_of(dtype).name


@dataclass(frozen=True, slots=True)
class Static:
    """A static argument of one call. key: its position where it was given by position, else its name.

    kind: what tells equal values apart that do not trace alike (see `_kind`).
    """

    key: int | str
    name: str
    kind: Hashable
    value: Hashable


@dataclass(frozen=True, slots=True, repr=False)
class Signature:
    """What a program is specialised to: structure of the arguments, type of each leaf, static values, device.

    arrangement: the order of keys in the dicts among the arguments, on which the values of `d.values()` depend.
    """

    in_tree: tree.TreeDef
    leaves: tuple[LeafKey, ...]
    static: tuple[Static, ...]
    device: Device
    arrangement: tuple[Any, ...] = ()

    def __repr__(self) -> str:
        return f"Signature({self})"

    def __str__(self) -> str:
        return ", ".join([_text(leaf) for leaf in self.leaves] + [f"{s.name}={s.value!r}" for s in self.static])


def _kind(value: Any) -> Hashable:
    """The type of a static value and of what it holds, and signs of zeros: it tells 1 from 1.0, and 0.0 from -0.0."""
    kind = type(value)
    if isinstance(value, float | np.floating):
        return kind, math.copysign(1.0, value) if value == 0 else 1.0
    if isinstance(value, complex | np.complexfloating):
        return kind, _kind(value.real), _kind(value.imag)
    if isinstance(value, tuple):
        return kind, *map(_kind, value)
    if isinstance(value, frozenset):
        return kind, frozenset((_kind(item), item) for item in value)
    if isinstance(value, slice):
        return kind, _kind(value.start), _kind(value.stop), _kind(value.step)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return kind, *(_kind(getattr(value, field.name)) for field in dataclasses.fields(value) if field.compare)
    return (kind,)


def _text(leaf: LeafKey) -> str:
    shape, dtype = leaf
    return dtype if dtype.startswith("Python") else f"{dtype}[{','.join(map(str, shape))}]"


@dataclass(frozen=True, slots=True)
class Retrace:
    """One time that a function was compiled. signature: of its arguments, as text. why: all that tells it from the
    nearest one before, in sentences; empty the first time."""

    signature: str
    why: tuple[str, ...] = ()


def retrace(new: Signature, earlier: Sequence[Signature], names: Sequence[str]) -> Retrace:
    """The record of compiling for `new` after the earlier ones. names: of the leaves of its arguments."""
    nearest = min((_differences(new, old, names) for old in earlier), key=len, default=[])
    return Retrace(str(new), tuple(dict.fromkeys(nearest)))


def difference(made: Retrace) -> str:
    """What tells a signature from the nearest of the earlier ones, in a line for the log."""
    first, *others = made.why
    return f"{first} (and {len(others)} more)" if others else first


def _differences(new: Signature, old: Signature, names: Sequence[str]) -> list[str]:
    """All differences, the one to tell first."""
    found: list[str] = []
    if new.device is not old.device:
        found.append(f"device {new.device.name} instead of {old.device.name}")
    known = {static.name: static for static in old.static}
    for static in new.static:
        before = known.get(static.name)
        if before != static:
            earlier_value = repr(before.value) if before else "its default"
            found.append(f"static argument {static.name} is {static.value!r}, was {earlier_value}")
    if new.in_tree != old.in_tree:
        found += [f"the arguments are {new.in_tree}, were {old.in_tree}"] * max(1, len(new.leaves))
    else:
        for leaf, now, was in zip(names, new.leaves, old.leaves, strict=True):
            if now != was:
                found.append(f"argument {leaf} is {_text(now)}, was {_text(was)}")
    if new.arrangement != old.arrangement:
        found.append("the keys of a dict stand in another order")
    return found or ["nothing differs"]


class Parameters:
    """The parameters of a function: which are static, which are donated, and what their leaves are called."""

    def __init__(self, fn: Callable[..., Any], static: Names, donate: Names) -> None:
        self._fn = fn
        try:
            parameters = list(inspect.signature(fn).parameters.values())
            self._kinds = {p.kind for p in parameters}
        except (TypeError, ValueError):  # it does not say: it may take anything
            parameters = []
            self._kinds = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}
        self._known = parameters
        positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        self._positional = [p.name for p in parameters if p.kind in positional]
        self._static = self._resolve(static, "static")
        self._donated = self._resolve(donate, "donate")
        for item in sorted(self._static & self._donated, key=str)[-1:]:
            raise ArgumentError(f"{self._name()}: {item!r} is both static and donated: a static value has no buffers")

    def _resolve(self, wanted: Names, what: str) -> frozenset[int | str]:
        """Positions and names, each parameter under both where it has both. Raises ArgumentError for unknown ones."""
        found: set[int | str] = set()
        try:
            if isinstance(wanted, bytes | bytearray):  # whose items are numbers
                raise TypeError
            items = (wanted,) if isinstance(wanted, int | str | np.integer) else tuple(wanted)
        except TypeError:
            raise ArgumentError(f"{what}: {wanted!r} names no argument: need a position, a name, or several") from None
        for item in (int(i) if isinstance(i, np.integer) else i for i in items):
            if isinstance(item, str) and self._takes(item):
                found.add(item)
                if item in self._positional:
                    found.add(self._positional.index(item))
            elif isinstance(item, int) and not isinstance(item, bool) and self._takes(position := self._position(item)):
                found.add(position)
                if position < len(self._positional):
                    found.add(self._positional[position])
            else:
                where = item if isinstance(item, str) else f"at position {item!r}"
                raise ArgumentError(f"{what}: {self._name()}({self._listed()}) has no parameter {where}")
        return frozenset(found)

    def _listed(self) -> str:
        """The parameters as they are written, without types and defaults: "x, *rest, mode"."""
        empty = inspect.Parameter.empty
        return ", ".join(str(p.replace(annotation=empty, default=empty)) for p in self._known)

    def _position(self, item: int) -> int:
        return item + len(self._positional) if item < 0 else item

    def _takes(self, item: int | str) -> bool:
        """Whether the function takes an argument of this name, or at this position."""
        if isinstance(item, str):
            return inspect.Parameter.VAR_KEYWORD in self._kinds or any(p.name == item for p in self._known)
        return item >= 0 and (inspect.Parameter.VAR_POSITIONAL in self._kinds or item < len(self._positional))

    def _name(self) -> str:
        return str(getattr(self._fn, "__name__", type(self._fn).__name__))

    def _name_at(self, position: int) -> str:
        return self._positional[position] if position < len(self._positional) else f"args[{position}]"

    def split(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, dict[str, Any]], tuple[Static, ...]]:
        """The dynamic (args, kwargs) and the static ones. Raises TraceError for a static value that is unhashable."""
        if not self._static:
            return (args, kwargs), ()
        static = [self._entry(p, self._name_at(p), v) for p, v in enumerate(args) if p in self._static]
        static += [self._entry(name, name, kwargs[name]) for name in sorted(kwargs) if name in self._static]
        dynamic = tuple(v for p, v in enumerate(args) if p not in self._static)
        return (dynamic, {name: v for name, v in kwargs.items() if name not in self._static}), tuple(static)

    @staticmethod
    def _entry(key: int | str, name: str, value: Any) -> Static:
        try:
            hash(value)
        except TypeError:
            raise TraceError(f"static argument {name} is a {type(value).__name__}, which is not hashable") from None
        return Static(key, name, _kind(value), value)

    def bind(self, static: tuple[Static, ...]) -> Callable[..., Any]:
        """The function of the dynamic arguments alone."""
        if not static:
            return self._fn
        by_position = {s.key: s.value for s in static if isinstance(s.key, int)}
        by_name = {s.key: s.value for s in static if isinstance(s.key, str)}

        def bound(*args: Any, **kwargs: Any) -> Any:
            rest = iter(args)
            count = len(args) + len(by_position)
            merged = [by_position[p] if p in by_position else next(rest) for p in range(count)]
            return self._fn(*merged, **kwargs, **by_name)

        bound.__name__ = self._name()
        kept = [p for i, p in enumerate(self._known) if i not in by_position and p.name not in by_name]
        bound.__signature__ = inspect.Signature(kept)  # type: ignore[attr-defined]  # functions take attributes
        return bound

    def leaf_names(self, dynamic: tuple[Any, dict[str, Any]]) -> list[str]:
        """What the user would call each leaf: "x", 'params["w1"]'."""
        args, kwargs = dynamic
        names: list[str] = []
        for position, value in zip(self._dynamic_positions(len(args)), args, strict=True):
            names += self._below(self._name_at(position), value)
        for name in sorted(kwargs):
            names += self._below(name, kwargs[name])
        return names

    def positional(self, dynamic: tuple[Any, dict[str, Any]]) -> tuple[str, ...]:
        """The names of the dynamic positional arguments of a call."""
        return tuple(map(self._name_at, self._dynamic_positions(len(dynamic[0]))))

    @staticmethod
    def _below(name: str, value: Any) -> list[str]:
        return [name + tree.format_path(path) for path in tree.paths(tree.structure(value))]

    def donated_leaves(self, dynamic: tuple[Any, dict[str, Any]]) -> frozenset[int]:
        """Positions of the donated leaves among all leaves."""
        args, kwargs = dynamic
        found: list[int] = []
        count = 0
        values = list(zip(self._dynamic_positions(len(args)), args, strict=True))
        for key, value in [*values, *((name, kwargs[name]) for name in sorted(kwargs))]:
            size = len(tree.leaves(value))
            if key in self._donated:
                found += range(count, count + size)
            count += size
        return frozenset(found)

    def _dynamic_positions(self, count: int) -> list[int]:
        """The original positions of the first `count` dynamic positional arguments."""
        found: list[int] = []
        position = 0
        while len(found) < count:
            if position not in self._static:
                found.append(position)
            position += 1
        return found
