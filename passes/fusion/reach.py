"""Reachability between groups of nodes, kept up to date as groups are joined: bit sets in Python integers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def bits(mask: int) -> Iterator[int]:
    """The positions of the set bits, lowest first."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


class Reach:
    """Which group reaches which. A group is known by its members' bits: it is reached if any of them is.

    producers: for each node, in topological order, the nodes that it reads.
    """

    def __init__(self, producers: Sequence[Sequence[int]]) -> None:
        count = len(producers)
        self.mask = [1 << i for i in range(count)]
        self.up = [0] * count
        self.down = [0] * count
        self.head = list(range(count))
        consumers: list[list[int]] = [[] for _ in range(count)]
        for node, sources in enumerate(producers):
            for source in sources:
                self.up[node] |= self.up[source] | 1 << source
                consumers[source].append(node)
        for node in reversed(range(count)):
            for target in consumers[node]:
                self.down[node] |= self.down[target] | 1 << target

    def reaches(self, a: int, b: int) -> bool:
        """Whether a path leads from group a to group b."""
        return bool(self.down[a] & self.mask[b])

    def join(self, a: int, b: int) -> None:
        """Make one group, known as `a`, of groups a and b, which no path through a third group connects."""
        mask = self.mask[a] | self.mask[b]
        gained_down = self.down[b] & ~self.down[a], self.down[a] & ~self.down[b]
        gained_up = self.up[b] & ~self.up[a], self.up[a] & ~self.up[b]
        self._spread(self.down, gained_up[1] & ~mask, gained_down[0] & ~mask)
        self._spread(self.down, gained_up[0] & ~mask, gained_down[1] & ~mask)
        self._spread(self.up, gained_down[1] & ~mask, gained_up[0] & ~mask)
        self._spread(self.up, gained_down[0] & ~mask, gained_up[1] & ~mask)
        self.down[a] = (self.down[a] | self.down[b]) & ~mask
        self.up[a] = (self.up[a] | self.up[b]) & ~mask
        self.mask[a] = mask
        for member in bits(self.mask[b]):
            self.head[member] = a

    def link(self, a: int, b: int) -> None:
        """Let group a reach group b, which does not reach it."""
        if self.reaches(a, b):
            return
        below = (self.down[b] | self.mask[b]) & ~self.down[a]
        above = (self.up[a] | self.mask[a]) & ~self.up[b]
        self._spread(self.down, above, below)
        self._spread(self.up, below, above)

    def _spread(self, sets: list[int], to: int, gained: int) -> None:
        if not gained:
            return
        for head in {self.head[member] for member in bits(to)}:
            sets[head] |= gained
