"""Where a random program's choices come from: a seed, a list of earlier choices, or hypothesis.

Everything that is drawn is a number below a bound, and lower numbers stand for simpler choices. So a program is a list
of numbers, and a shorter list of lower numbers is a simpler program: `shrink` works on such lists, as hypothesis does.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


class Source:
    """Gives choices, and remembers them. spans: (first, last + 1) of the choices that belong to one part."""

    def __init__(self, below: Callable[[int], int]) -> None:
        self._below = below
        self.choices: list[int] = []
        self.spans: list[tuple[int, int]] = []

    def below(self, bound: int) -> int:
        """A number in [0, bound); lower is simpler."""
        if bound <= 1:
            return 0
        chosen = self._below(bound)
        self.choices.append(chosen)
        return chosen

    def pick(self, options: Sequence[T]) -> T:
        """One of several, the first being the simplest."""
        return options[self.below(len(options))]

    def weighted(self, options: Sequence[tuple[T, int]]) -> T:
        """One of (option, weight) pairs."""
        at = self.below(sum(weight for _, weight in options))
        for option, weight in options:
            at -= weight
            if at < 0:
                return option
        raise AssertionError("a choice beyond all weights")

    def chance(self, percent: int) -> bool:
        """True in so many of a hundred; False is simpler."""
        return self.below(100) >= 100 - percent

    @contextmanager
    def span(self) -> Iterator[None]:
        """The choices made inside belong together, and may be left out together."""
        first = len(self.choices)
        yield
        self.spans.append((first, len(self.choices)))


def seeded(seed: str) -> Source:
    """Choices of a generator with this seed, the same on every machine."""
    return Source(random.Random(seed).randrange)


def replayed(choices: Sequence[int]) -> Source:
    """The given choices, brought below each bound; after the last one, zeros."""
    left = iter(choices)
    return Source(lambda bound: min(next(left, 0), bound - 1))
