"""Products whose workgroups share what they load: how blocks of the operands come into workgroup memory and are read.

Terms lie one after the other there, and of each the rows of A (columns of B) as vectors of four, so that an invocation
reads a few whole vectors for each term, whatever way the operands lie in memory: four elements along M (N) are loaded
as they can be, as a vector or one by one. What follows is about the banks of workgroup memory:

- Invocations of a workgroup fill it along the index that the operand can be read along: neighbours read neighbours.
- Where that is k, neighbours write different terms, whose vectors would lie in the same banks; so a vector's number is
  changed by its term (`_swizzle`), by a constant for those who read.
- Rows of an invocation are vectors as many apart as there are rows of invocations, so that neighbours read neighbours.

Indices that do not depend on the invocation are constants of arrays of arrays: where drivers are made to keep indices
inside, what is left of that does not depend on the term, and is done before the loop.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from graphc.codegen.emit import Emitter
from graphc.families.matmul.product import Product
from graphc.families.matmul.tile import Tile
from graphc.ir.index import LANES, Idx, Index, clamp, variable
from graphc.ir.op import Lanes

BAND: Final = 8
"""Rows of tiles in a band: workgroups that run at the same time lie in a square rather than in a long row."""

Read = Callable[[str, Index, int], str]
"""Of operand "a" or "b", the name of the vector at an index, in the type of the sums."""


def holes(emitter: Emitter, problem: Product, tile: Tile, batch: Idx, read: Read) -> dict[str, object]:
    """What the template needs beside what all products do."""
    size, kind = problem.shape, Lanes(1)(problem.acc)
    fills = [
        _Fill(emitter, problem, tile, batch, read, "a", tile.a_along == "k", tile.tile_rows, size.m),
        _Fill(emitter, problem, tile, batch, read, "b", tile.b_along == "k", tile.tile_columns, size.n),
    ]
    with emitter.scope() as places:
        for fill in fills:
            fill.places()
    with emitter.scope() as first:
        for fill in fills:
            fill.load("first_block", declare=True)
    with emitter.scope(), emitter.scope() as keep:
        for fill in fills:
            fill.keep()
    with emitter.scope(), emitter.scope() as following:
        for fill in fills:
            fill.load("next_block", declare=False)
    wide, high = tile.across(size)
    band = BAND if min(wide, high) >= BAND else 1
    return {
        "groups": tile.groups,
        "depth": tile.depth,
        "stages": tile.stages,
        "stage": "0u" if tile.stages == 1 else f"block / {tile.depth}u % {tile.stages}u",
        "a_vectors": tile.rows // LANES,
        "b_vectors": tile.columns,
        "blocks_wide": tile.lanes // 8,
        "block_row": tile.lanes * 4,
        "band": band,
        "tiles_band": wide * band,
        "k": size.k,
        "last_block": (size.k - 1) // tile.depth * tile.depth,
        "k_turns": tile.part_length(size) // tile.depth,
        "type": kind,
        "start": "\n".join(places),
        "first": "\n".join(first),
        "keep": "\n".join(keep),
        "next": "\n".join(following),
        "terms": [_places(tile, t) for t in range(tile.depth)],
        "a_vector": range(tile.rows // LANES),
        "row_letters": [(r, r // LANES, "xyzw"[r % LANES]) for r in range(tile.rows)],
        "once": tile.stages == 1,
    }


def _swizzle(term: int) -> int:
    """What the number of a vector is changed by (xor) where neighbours write different terms."""
    return term % 8 // 2


def _places(tile: Tile, t: int) -> tuple[int, str, str]:
    """Term t of a block, and where its vectors of A's rows and B's columns lie."""
    a_at = f"high ^ {_swizzle(t)}u" if tile.a_along == "k" and _swizzle(t) else "high"
    b_at = f"lane ^ {_swizzle(t)}u" if tile.b_along == "k" and _swizzle(t) else "lane"
    return t, a_at, b_at


class _Fill:
    """Brings an operand's block into workgroup memory, a few vectors an invocation.

    along_k: whether neighbours load neighbours along k, else along M (N). extent: the tile's rows (columns), of length
    in all; beyond them some other one is read, whose sums nobody stores. Terms beyond k count as zero.
    """

    def __init__(
        self,
        emitter: Emitter,
        problem: Product,
        tile: Tile,
        batch: Idx,
        read: Read,
        which: str,
        along_k: bool,
        extent: int,
        length: int,
    ) -> None:
        self.emitter, self.problem, self.tile, self.batch, self.read = emitter, problem, tile, batch, read
        self.which, self.along_k, self.length = which, along_k, length
        self.line = tile.depth if along_k else extent // LANES
        self.items = range(tile.depth * extent // LANES // tile.threads)
        self.each = tile.groups if which == "a" else tile.lanes
        self.first = "first_row" if which == "a" else "first_column"
        self.guard = length % extent != 0
        self.vector = Lanes(LANES)(problem.acc)

    def places(self) -> None:
        """Name the term (t_) and the vector (at_) of each item in the block, and the elements that it is (e_)."""
        threads, which = self.tile.threads, self.which
        for i in self.items:
            if threads % self.line == 0:
                within, number = f"local % {self.line}u", f"local / {self.line}u"
                number += f" + {i * threads // self.line}u" if i else ""
            else:
                item = f"(local + {i * threads}u)" if i else "local"
                within, number = f"{item} % {self.line}u", f"{item} / {self.line}u"
            t, at = (within, number) if self.along_k else (number, within)
            self.emitter.line(f"let t_{which}{i} = {t};")
            self.emitter.line(f"let at_{which}{i} = {at};")
            self.emitter.line(f"let e_{which}{i} = {self._elements(i)};")

    def _elements(self, i: int) -> str:
        """The first of an item's elements along M (N), which is within; each of them where some may lie beyond."""
        place = f"{self.first} + at_{self.which}{i} * {LANES}u"
        if not self.guard:
            return place
        if self.length % LANES == 0:
            return f"min({place}, {self.length - LANES}u)"
        return clamp(Idx(f"({place})", 1, LANES), self.length).text

    def load(self, block: str, declare: bool) -> None:
        """Load the items of the block that starts at a term."""
        size, which = self.problem.shape, self.which
        masked = size.k % self.tile.depth != 0
        whole = not self.guard or self.length % LANES == 0
        for i in self.items:
            term = f"{block} + t_{which}{i}"
            self.emitter.line(f"let k_{which}{i} = " + (f"min({term}, {size.k - 1}u);" if masked else f"{term};"))
            text = f"e_{which}{i}"
            e = Idx(text, 1, LANES, self.length) if whole else Idx(text, None, 1, self.length)
            k = variable(f"k_{which}{i}", size.k)
            index = self.problem.a(self.batch, e, k) if which == "a" else self.problem.b(self.batch, k, e)
            value = self.read(which, index, LANES)
            if masked:
                value = f"select({self.vector}(), {value}, {term} < {size.k}u)"
            self.emitter.line(f"{'var ' if declare else ''}next_{which}{i} = {value};")

    def keep(self) -> None:
        """Put the items that were loaded into workgroup memory."""
        which, array = self.which, "rows_of_a" if self.which == "a" else "columns_of_b"
        for i in self.items:
            t, at = f"t_{which}{i}", f"at_{which}{i}"
            slot = f"({at} % {self.each}u) ^ ({t} % 8u / 2u)" if self.along_k else f"{at} % {self.each}u"
            place = f"[stage][{t}][{at} / {self.each}u][{slot}]"
            self.emitter.line(f"{array}{place} = next_{which}{i};")
