"""At: a value of a document that is read with care, and where it stands, for messages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from graphc.errors import ProgramError

T = TypeVar("T")

MOST: Final = 2**53 - 1
"""The largest whole number that JavaScript reads as it is written."""


@dataclass(frozen=True, slots=True)
class At:
    """A value of the document, and where it stands, for messages."""

    value: Any
    where: str

    def wrong(self, needed: str) -> ProgramError:
        shown = repr(self.value)
        return ProgramError(f"{self.where} is {shown if len(shown) < 60 else shown[:57] + '...'}: it must be {needed}")

    def object(self, *keys: str) -> dict[str, At]:
        """The values of an object that has exactly these keys."""
        if not isinstance(self.value, dict) or set(self.value) != set(keys):
            raise self.wrong(f"an object with {', '.join(keys)}")
        return {key: At(self.value[key], f"{self.where}.{key}") for key in keys}

    def entries(self) -> dict[str, At]:
        """The values of an object with any keys."""
        if not isinstance(self.value, dict):
            raise self.wrong("an object")
        return {key: At(item, f"{self.where}.{key}") for key, item in self.value.items()}

    def list(self, count: int | None = None) -> Sequence[At]:
        """The items of a list, of this length if one is given."""
        if not isinstance(self.value, list) or (count is not None and len(self.value) != count):
            raise self.wrong("a list" if count is None else f"a list of {count}")
        return [At(item, f"{self.where}[{n}]") for n, item in enumerate(self.value)]

    def each(self, read: Callable[[At], T]) -> tuple[T, ...]:
        """The items of a list, each read."""
        return tuple(read(item) for item in self.list())

    def text(self) -> str:
        if not isinstance(self.value, str):
            raise self.wrong("a text")
        return self.value

    def flag(self) -> bool:
        if not isinstance(self.value, bool):
            raise self.wrong("true or false")
        return self.value

    def whole(self, low: int = 0, high: int = MOST) -> int:
        """A whole number in [low, high]."""
        if type(self.value) is not int or not low <= self.value <= high:
            raise self.wrong(f"a whole number from {low} to {high}")
        return self.value

    def index(self, count: int) -> int:
        """A position in a list of `count`."""
        if not count:
            raise self.wrong("absent, for it points into an empty list")
        return self.whole(0, count - 1)

    def one_of(self, allowed: Mapping[str, T]) -> T:
        if not isinstance(self.value, str) or self.value not in allowed:
            raise self.wrong(f"one of {', '.join(sorted(allowed))}")
        return allowed[self.value]
