"""What is kept for as long as something else is alive, and forgotten by code of C.

Those of `weakref` forget by code of Python's, which runs wherever an object goes. Ctrl-C that is pressed there is
printed and lost, since nothing can be raised from there.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Alive(Generic[T]):
    """A set of objects, without those that are gone."""

    def __init__(self) -> None:
        self._kept: set[weakref.ref[T]] = set()

    def add(self, item: T) -> None:
        """Keep it in mind."""
        self._kept.add(weakref.ref(item, self._kept.discard))

    def __iter__(self) -> Iterator[T]:
        return iter([item for known in list(self._kept) if (item := known()) is not None])


class Attached:
    """What belongs to objects, by these: the part of WeakKeyDictionary that the binding uses."""

    def __init__(self, items: Iterable[tuple[Any, Any]] = ()) -> None:
        self._kept: dict[weakref.ref[Any], Any] = {}
        for item, value in items:
            self[item] = value

    def __setitem__(self, item: Any, value: Any) -> None:
        self._kept[weakref.ref(item, self._kept.pop)] = value

    def get(self, item: Any, default: Any = None) -> Any:
        """What belongs to `item`."""
        return self._kept.get(weakref.ref(item), default)

    def __len__(self) -> int:
        return len(self._kept)
