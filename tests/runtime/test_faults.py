"""The faults of many calls, each of which takes the result of the one before: they are settled, and few wait."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.ir.types import NDArray
from graphc.plan.plan import RangeCheck
from graphc.runtime.faults import Faults
from graphc.runtime.wgpu import executor

CALLS = 5000
CHECK = RangeCheck("take", 0, 4, True, "")


class Calls:
    """Calls that are over in order, at most `late` of them under way; call number `bad` meets the index 9.

    read: the calls whose words were read.
    """

    def __init__(self, late: int, bad: int = -1) -> None:
        self.late, self.bad = late, bad
        self.made = 0
        self.read: list[int] = []

    def call(self, *before: Faults) -> Faults:
        """One more."""
        number = self.made
        self.made += 1

        def words() -> NDArray:
            self.read.append(number)
            return np.array([9 if number == self.bad else 0], np.uint32)

        return Faults([CHECK], words, lambda: number + self.late < self.made, before)

    def chain(self) -> Faults:
        """Faults of the last of many calls, each with the two before it as arguments."""
        last = before = self.call()
        for _ in range(CALLS - 1):
            last, before = self.call(last, before), last
        return last


def test_thousands_of_calls_before_one_are_settled() -> None:
    calls = Calls(late=CALLS)
    last = calls.chain()
    last.settle()
    assert calls.read == list(range(CALLS))
    assert last.clean()


def test_the_first_fault_is_that_of_all_calls_behind_it() -> None:
    calls = Calls(late=CALLS, bad=7)
    last = calls.chain()
    for _ in range(2):
        with pytest.raises(graphc.IndexRangeError, match=r"take: index 9 is out of range: need 0 <= index < 5"):
            last.settle()
    assert calls.read == list(range(8))
    assert last.found
    assert not last.clean()


def test_whether_thousands_of_calls_are_clean_is_known_when_they_are_over() -> None:
    calls = Calls(late=1)
    last = calls.chain()
    assert not last.clean(), "the last one is under way"
    assert calls.read == list(range(CALLS - 1))
    calls.call()
    assert last.clean()


@pytest.mark.parametrize("late", [1, 2])
def test_no_more_calls_wait_than_are_under_way(monkeypatch: pytest.MonkeyPatch, late: int) -> None:
    """A loop that reads nothing, on a device that is always behind."""
    made: list[Faults] = []

    def slow(checks: Sequence[RangeCheck], words: Any, done: Any, before: Iterable[Faults]) -> Faults:
        number = len(made)
        made.append(Faults(checks, words, lambda: number + late < len(made), before))
        return made[-1]

    monkeypatch.setattr(executor, "Faults", slow)
    table = np.arange(4, dtype=np.float32)
    step = graphc.compile(lambda x, t: x + t[np.sum(x).astype(np.int32)], device="wgpu")
    x = graphc.asarray(np.zeros(3, np.float32), device="wgpu")
    for _ in range(40):
        x = step(x, table)
        assert len(made[-1]._unknown()) <= late + 1
    assert len(made) == 40
    assert x.numpy().tolist() == [0, 0, 0]
