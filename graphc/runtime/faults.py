"""What the range checks of a call found: known when the call is done, and told to whoever reads one of its results."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence

from graphc.errors import GraphcError, IndexRangeError
from graphc.ir.types import NDArray
from graphc.plan.plan import RangeCheck


class Faults:
    """The faults of one call, and of the calls whose results it was given. Safe for threads.

    checks: those of the program. words: waits for the call, and gives the word of each check. done: whether the call is
    over; never blocks. before: the faults of its arguments.
    """

    __slots__ = ("_before", "_checks", "_done", "_error", "_lock", "_words")

    def __init__(
        self,
        checks: Sequence[RangeCheck],
        words: Callable[[], NDArray],
        done: Callable[[], bool],
        before: Iterable[Faults] = (),
    ) -> None:
        self._checks = checks
        self._words: Callable[[], NDArray] | None = words
        self._done = done
        self._before = tuple(before)
        self._error = ""
        self._lock = threading.Lock()

    def settle(self) -> None:
        """Wait for the call; raises IndexRangeError where it, or one before it, met an index out of range."""
        self._learn()
        if self._error:
            raise IndexRangeError(self._error)

    def clean(self) -> bool:
        """Whether it is known by now that nothing was out of range; never blocks for long.

        What is over of the calls before this one is settled, so that calls of which each takes the result of the last
        one never wait for more than are under way, however many there are.
        """
        try:
            for faults in self._unknown():
                if faults._done():
                    faults._learn()
        except GraphcError:
            return False
        return self._words is None and not self._error

    @property
    def found(self) -> bool:
        """Whether a fault is known already."""
        return bool(self._error)

    def _unknown(self) -> list[Faults]:
        """Of this call and all those before it, the ones that are not known yet: each behind those before it.

        A loop, not a recursion: there may be thousands.
        """
        found: list[Faults] = []
        seen: set[Faults] = set()
        left: list[tuple[Faults, bool]] = [(self, False)]
        while left:
            faults, passed = left.pop()
            if passed:
                found.append(faults)
            elif faults._words is not None and faults not in seen:
                seen.add(faults)
                left += [(faults, True), *((earlier, False) for earlier in reversed(faults._before))]
        return found

    def _learn(self) -> None:
        for faults in self._unknown():
            faults._read()

    def _read(self) -> None:
        """Wait for the call, those before it being known; the first fault that was met is that of all later ones."""
        with self._lock:
            if self._words is None:
                return
            error = next((earlier._error for earlier in self._before if earlier._error), "")
            if not error:
                words = self._words()
                error = next((c.message(int(w)) for c, w in zip(self._checks, words, strict=False) if w), "")
            self._error, self._words, self._before = error, None, ()
