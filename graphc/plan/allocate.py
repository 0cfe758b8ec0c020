"""memory: places for tensors in few large buffers (arenas), by lifetime.

Tensors that are never live at once may share bytes. Finding the least peak is NP-hard (dynamic storage allocation), so
several greedy strategies are tried and the best result is kept; none can beat the lower bound, the most bytes that are
live at once. Source of the greedy placements: Pisarchyk and Lee, "Efficient memory management for deep neural net
inference", 2020. What is found is proved by `check`, which shares no code with the search.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from graphc.errors import GraphError, OutOfMemoryError
from graphc.ir.types import NDArray


@dataclass(frozen=True, slots=True)
class Lifetime:
    """A tensor that needs a place: `nbytes` bytes from dispatch `start` (which writes it) to `end` (its last reader).

    Both ends belong to it, so the output of a dispatch never shares bytes with the dispatch's inputs.
    """

    name: str
    nbytes: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Assignment:
    """Where each tensor of a sequence of lifetimes lies.

    arenas, offsets: arena number and byte offset of each tensor. arena_bytes: size of each arena. peak: their sum.
    lower_bound: most bytes live at once. naive: bytes without any reuse. strategy: name of the one that won. All in
    bytes, each tensor rounded up to the alignment.
    """

    arenas: tuple[int, ...]
    offsets: tuple[int, ...]
    arena_bytes: tuple[int, ...]
    lower_bound: int
    naive: int
    strategy: str

    @property
    def peak(self) -> int:
        """Bytes of all arenas."""
        return sum(self.arena_bytes)


Order = Callable[["_Problem"], NDArray]
"""The order in which a strategy places the tensors: positions, first to be placed first."""


@dataclass(frozen=True, slots=True)
class Strategy:
    """Places the tensors one after the other, each in a gap that its lifetime leaves free.

    order: which tensor comes first. best_fit: take the smallest gap that is large enough, else the lowest.
    """

    name: str
    order: Order
    best_fit: bool = False


@dataclass(frozen=True, slots=True)
class _Problem:
    """Lifetimes as arrays; sizes are rounded up to the alignment."""

    sizes: NDArray
    starts: NDArray
    ends: NDArray

    @property
    def spans(self) -> NDArray:
        return self.ends - self.starts + 1


STRATEGIES: Final = (
    Strategy("largest first", lambda p: np.lexsort((p.starts, -p.spans, -p.sizes))),
    Strategy("largest first, best fit", lambda p: np.lexsort((p.starts, -p.spans, -p.sizes)), best_fit=True),
    Strategy("longest first", lambda p: np.lexsort((p.starts, -p.sizes, -p.spans))),
    Strategy("largest area first", lambda p: np.lexsort((p.starts, -p.sizes * p.spans))),
    Strategy("earliest first", lambda p: np.lexsort((-p.spans, p.starts))),
    Strategy("earliest first, best fit", lambda p: np.lexsort((-p.sizes, p.starts)), best_fit=True),
    Strategy("latest end first", lambda p: np.lexsort((-p.sizes, -p.ends))),
)

MAX_TURNS: Final = 200
MAX_MOVES: Final = 20_000
"""Most attempts to improve an assignment, and most placements of single tensors in all of them."""


def assign(
    tensors: Sequence[Lifetime],
    alignment: int,
    max_buffer_bytes: int | None = None,
    strategies: Sequence[Strategy] = STRATEGIES,
) -> Assignment:
    """Places for `tensors`, at offsets that are multiples of `alignment` bytes: the best that a strategy finds.

    Arenas hold at most `max_buffer_bytes`; a further one is opened where the tensors do not fit. The same lifetimes
    always give the same places. Raises OutOfMemoryError for a tensor larger than an arena may be.
    """
    limit = max_buffer_bytes if max_buffer_bytes is not None else 1 << 62
    sizes = np.array([_round_up(t.nbytes, alignment) for t in tensors], dtype=np.int64)
    for tensor, size in zip(tensors, sizes, strict=True):
        if size > limit:
            raise OutOfMemoryError(f"tensor {tensor.name} needs {size} bytes, and a buffer may have {limit}")
    starts = np.array([t.start for t in tensors], dtype=np.int64)
    ends = np.array([t.end for t in tensors], dtype=np.int64)
    problem = _Problem(sizes, starts, ends)
    bound, naive = lower_bound(tensors, alignment), int(sizes.sum())
    best: Assignment | None = None
    winner: tuple[list[int], bool] = [], False
    for strategy in strategies:
        order = strategy.order(problem).tolist()
        found = Assignment(*_place(problem, order, strategy.best_fit, limit), bound, naive, strategy.name)
        if best is None or found.peak < best.peak:
            best, winner = found, (order, strategy.best_fit)
        if best.peak == bound:
            return best
    assert best is not None
    return _improve(problem, best, *winner, limit)


def _improve(problem: _Problem, best: Assignment, order: list[int], best_fit: bool, limit: int) -> Assignment:
    """A better assignment than `best`, which placing in this order gave: what lies on top of an arena goes first.

    Now and then a few tensors are moved as well, by a generator of fixed seed, so that the walk leaves a circle.
    """
    rng = np.random.default_rng(0)
    found = best
    for turn in range(min(MAX_TURNS, MAX_MOVES // max(1, len(order)))):
        top = {
            i
            for i, (arena, offset) in enumerate(zip(found.arenas, found.offsets, strict=True))
            if offset + problem.sizes[i] == found.arena_bytes[arena]
        }
        if turn % 4 == 3:
            top.update(rng.choice(len(order), size=min(3, len(order)), replace=False).tolist())
        order = [i for i in order if i in top] + [i for i in order if i not in top]
        placed = _place(problem, order, best_fit, limit)
        found = Assignment(*placed, best.lower_bound, best.naive, f"{best.strategy.partition(',')[0]}, improved")
        if found.peak < best.peak:
            best = found
        if best.peak == best.lower_bound:
            break
    return best


def lower_bound(tensors: Sequence[Lifetime], alignment: int) -> int:
    """The most bytes that are live at once; no assignment has a lower peak."""
    if not tensors:
        return 0
    first = min(t.start for t in tensors)
    change = np.zeros(max(t.end for t in tensors) - first + 2, dtype=np.int64)
    for t in tensors:
        size = _round_up(t.nbytes, alignment)
        change[t.start - first] += size
        change[t.end - first + 1] -= size
    return int(np.max(np.cumsum(change)))


def _round_up(nbytes: int, alignment: int) -> int:
    return -(-nbytes // alignment) * alignment


class _Arena:
    """The tensors placed so far in one arena, in order of their offsets."""

    def __init__(self, capacity: int) -> None:
        self.count = 0
        self.columns = np.empty((4, capacity), dtype=np.int64)
        self.used = 0

    def find(self, size: int, start: int, end: int, best_fit: bool) -> int:
        """An offset where `size` bytes are free from `start` to `end`: in a gap, or behind all that is live then."""
        offsets, tops, starts, ends = self.columns[:, : self.count]
        conflict = (starts <= end) & (ends >= start)
        lows = offsets[conflict]
        if not len(lows):
            return 0
        floor = np.empty(len(lows) + 1, dtype=np.int64)
        floor[0] = 0
        np.maximum.accumulate(tops[conflict], out=floor[1:])
        gaps = lows - floor[:-1]
        fitting = np.flatnonzero(gaps >= size)
        if not len(fitting):
            return int(floor[-1])
        chosen = fitting[np.argmin(gaps[fitting])] if best_fit else fitting[0]
        return int(floor[chosen])

    def put(self, offset: int, size: int, start: int, end: int) -> None:
        """Record a tensor at `offset`."""
        n = self.count
        at = int(np.searchsorted(self.columns[0, :n], offset, side="right"))
        self.columns[:, at + 1 : n + 1] = self.columns[:, at:n].copy()
        self.columns[:, at] = (offset, offset + size, start, end)
        self.count += 1
        self.used = max(self.used, offset + size)


def _place(
    problem: _Problem, order: Sequence[int], best_fit: bool, limit: int
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Arena and offset of each tensor, and the size of each arena, when tensors are placed in this order."""
    count = len(problem.sizes)
    arenas: list[_Arena] = []
    where, offsets = [0] * count, [0] * count
    for position in order:
        size = int(problem.sizes[position])
        if size == 0:
            continue
        start, end = int(problem.starts[position]), int(problem.ends[position])
        for number in range(len(arenas) + 1):
            if number == len(arenas):
                arenas.append(_Arena(count))
            offset = arenas[number].find(size, start, end, best_fit)
            if offset + size <= limit:
                arenas[number].put(offset, size, start, end)
                where[position], offsets[position] = number, offset
                break
    return tuple(where), tuple(offsets), tuple(arena.used for arena in arenas)


def check(
    tensors: Sequence[Lifetime], assignment: Assignment, alignment: int, max_buffer_bytes: int | None = None
) -> None:
    """Prove that an assignment is right, by a walk over time that keeps the live tensors of each arena sorted.

    Raises GraphError naming both tensors where two that are live at once share a byte, and naming the tensor where
    one is misaligned, lies outside its arena, or in an arena that is too large.
    """
    for number, nbytes in enumerate(assignment.arena_bytes):
        if max_buffer_bytes is not None and nbytes > max_buffer_bytes:
            raise GraphError(f"arena {number} has {nbytes} bytes, and a buffer may have {max_buffer_bytes}")
    events: list[tuple[int, int, int]] = []
    for position, tensor in enumerate(tensors):
        if tensor.nbytes == 0:
            continue
        offset, arena = assignment.offsets[position], assignment.arenas[position]
        if tensor.start > tensor.end:
            raise GraphError(f"tensor {tensor.name} ends at {tensor.end} before it starts at {tensor.start}")
        if offset % alignment:
            raise GraphError(f"tensor {tensor.name} lies at {offset}, which is no multiple of {alignment}")
        if offset < 0 or offset + tensor.nbytes > assignment.arena_bytes[arena]:
            raise GraphError(
                f"tensor {tensor.name} ({tensor.nbytes} bytes at {offset}) lies outside arena {arena} of "
                f"{assignment.arena_bytes[arena]} bytes"
            )
        events.append((tensor.start, 1, position))
        events.append((tensor.end + 1, 0, position))
    live: list[list[tuple[int, int, int]]] = [[] for _ in assignment.arena_bytes]
    for time, begins, position in sorted(events):
        tensor, offset = tensors[position], assignment.offsets[position]
        row, entry = live[assignment.arenas[position]], (offset, offset + tensor.nbytes, position)
        at = bisect.bisect_left(row, entry)
        if not begins:
            del row[at]
            continue
        for low, high, other in row[max(at - 1, 0) : at + 1]:
            if low < entry[1] and offset < high:
                raise GraphError(
                    f"tensors {tensors[other].name} and {tensor.name} are both live at dispatch {time} and share bytes "
                    f"{max(low, offset)} to {min(high, entry[1])} of arena {assignment.arenas[position]}"
                )
        row.insert(at, entry)
