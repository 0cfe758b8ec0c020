"""How an attention kernel is shared among workgroups: its sizes, its tile, and the rule that chooses it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from graphc.codegen.kernel import size_class
from graphc.codegen.rules import rules_of
from graphc.ir.index import LANES
from graphc.plan.plan import Target

Kind = Literal["forward", "queries", "keys"]
"""Attention itself; the gradient of the queries; the gradients of keys and values."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of attention: queries [batch, queries, head], keys [batch, keys, head], values [batch, keys, width]."""

    batch: int
    queries: int
    keys: int
    head: int
    width: int
    causal: bool

    @property
    def pairs(self) -> int:
        """Scores that count."""
        hidden = self.queries * (self.queries - 1) // 2 if self.causal else 0
        return self.batch * (self.queries * self.keys - hidden)

    def work(self, kind: Kind) -> int:
        """Floating-point operations of a kernel; a multiply-add counts two."""
        heads, widths = {"forward": (1, 1), "queries": (2, 1), "keys": (2, 2)}[kind]
        return 2 * self.pairs * (heads * self.head + widths * self.width)


@dataclass(frozen=True, slots=True)
class Tile:
    """How one workgroup works. rows: most that it owns. texels: whether operands come from textures."""

    rows: int
    texels: bool

    @property
    def choice(self) -> tuple[int, ...]:
        """What a tuner writes down of it."""
        return self.rows, int(self.texels)


@dataclass(frozen=True, slots=True)
class Blocks:
    """How a workgroup works that brings what it reads into workgroup memory: `groups` bands of `lanes` invocations.

    rows, columns: those of whose scores each invocation holds, both multiples of four. depth: vectors of each row and
    column in workgroup memory at a time. unrolled: of how many of them the multiply-adds are written out in a loop's
    turn. groups and lanes are multiples of the banks of workgroup memory, 8 vectors; depth is more than lanes / 4.
    """

    groups: int
    lanes: int
    rows: int
    columns: int
    depth: int
    unrolled: int = 1

    @property
    def size(self) -> int:
        """Invocations of a workgroup."""
        return self.groups * self.lanes

    @property
    def tile_rows(self) -> int:
        """Rows of a workgroup."""
        return self.groups * self.rows

    @property
    def tile_columns(self) -> int:
        """Columns that it visits at a time."""
        return self.lanes * self.columns

    @property
    def shared_bytes(self) -> int:
        """Workgroup memory."""
        return 4 * LANES * self.depth * (self.tile_rows + self.tile_columns)

    @property
    def choice(self) -> tuple[int, ...]:
        """What a tuner writes down of it."""
        return self.groups, self.lanes, self.rows, self.columns, self.depth, self.unrolled


ROWS: Final[Mapping[Kind, tuple[int, ...]]] = {"forward": (32, 16, 8), "queries": (32, 16, 8), "keys": (16, 8)}
"""Rows of one subgroup on a software adapter, best first: more of them mean fewer loads for each product, and those are
what costs, though not all rows have registers. Twice the rows take a driver twice as long to compile, up to 1.2 s."""

TEXTURED: Final[Mapping[Kind, tuple[int, ...]]] = {"forward": (16, 32, 8), "queries": (16, 32, 8), "keys": (16, 8)}
"""The same with operands read from textures: twice the rows save 2% to 6% more."""


BLOCKS: Final[Mapping[Kind, tuple[Blocks, ...]]] = {
    "forward": (
        Blocks(8, 16, 8, 4, 8, unrolled=8),
        Blocks(16, 16, 4, 4, 8, unrolled=4),
        Blocks(8, 8, 8, 8, 8, unrolled=4),
        Blocks(8, 8, 8, 8, 4, unrolled=4),
        Blocks(16, 8, 8, 8, 4, unrolled=4),
        Blocks(16, 16, 4, 4, 8, unrolled=8),
        Blocks(16, 8, 4, 8, 8, unrolled=4),
        Blocks(8, 16, 4, 4, 8, unrolled=4),
        Blocks(8, 8, 4, 4, 4),
        Blocks(8, 8, 4, 4, 8),
    ),
    "queries": (
        Blocks(8, 16, 8, 4, 8, unrolled=8),
        Blocks(16, 16, 4, 4, 8, unrolled=4),
        Blocks(8, 8, 8, 8, 8, unrolled=4),
        Blocks(16, 16, 4, 4, 8, unrolled=8),
        Blocks(16, 8, 4, 8, 8, unrolled=4),
        Blocks(8, 16, 4, 4, 8, unrolled=4),
        Blocks(8, 8, 4, 4, 4),
        Blocks(8, 8, 4, 4, 8),
    ),
    "keys": (
        Blocks(8, 16, 8, 4, 8, unrolled=8),
        Blocks(16, 16, 4, 4, 8, unrolled=4),
        Blocks(16, 16, 4, 4, 8, unrolled=8),
        Blocks(16, 8, 4, 8, 8, unrolled=4),
        Blocks(8, 16, 4, 4, 8, unrolled=4),
        Blocks(8, 8, 4, 4, 4),
        Blocks(8, 8, 4, 4, 8),
    ),
}
"""Blocks of rows and columns, best first for many rows.

A vector of workgroup memory takes a warp of a GPU about as long as sixteen of its multiply-adds: with eight rows and
four columns an invocation reads twelve for 128 multiply-adds, with eight columns sixteen for 256, with four and four
eight for 64, but then twice the invocations have registers. On an H200, forward and gradient of 384 heads of 256 rows
of 64 took 0.81 ms with the first of these and 0.77 with the second, 96 heads of 1,024 rows 2.33 and 2.38. Some planes
are written out, because drivers do not unroll loops whose turns wgpu-native counts: 5% less than with a loop of each.
"""

SHORT: Final = 32
"""Rows of the smallest block."""

NARROW: Final = 16
"""Elements of a row below which most lanes of a band have nothing to add."""

SMALLEST: Final = 4
"""Rows of a kernel that compiles in a fifth of the time."""


def smallest(tile: Tile) -> Tile:
    """A tile of as few rows as is worth while, its operands read as those of `tile` are."""
    return replace(tile, rows=min(SMALLEST, tile.rows))


def problem_name(kind: Kind, shape: Shape, textured: bool) -> str:
    """The tuner's name for attentions like this one: sizes are rounded up to powers of two."""
    text = size_class(shape.batch, shape.queries, shape.keys, shape.head, shape.width)
    return f"attention {kind} {text}" + (" causal" if shape.causal else "") + (" texels" if textured else "")


def candidates(kind: Kind, shape: Shape, target: Target, textured: bool) -> list[Tile | Blocks]:
    """The search space: what a tuner may try, most promising first; nothing where no kernel serves the target.

    textured: operands can be read from textures.
    """
    least, rows = rules_of(target).blocks, shape.keys if kind == "keys" else shape.queries
    blocks = [
        tile
        for tile in (BLOCKS[kind] if least else ())
        if tile.size <= target.max_invocations
        and tile.shared_bytes <= target.max_shared_bytes
        and tile.tile_rows <= max(SHORT, 2 * rows)
    ]
    blocks.sort(key=lambda tile: tile != _fitting(kind, shape, rows))
    if min(shape.queries, shape.keys) >= least and min(shape.head, shape.width) >= NARROW:
        return [*blocks, *_of_subgroups(kind, shape, target, textured)]
    return [*_of_subgroups(kind, shape, target, textured), *blocks]


def _fitting(kind: Kind, shape: Shape, rows: int) -> Blocks | None:
    """The block that suits a shape; None: the first one does."""
    longest = max(shape.head, shape.width)
    if rows <= 2 * SHORT:
        return Blocks(8, 8, 4, 4, 8)
    if longest <= 32:  # sixteen lanes would have less than a vector each
        return Blocks(16, 8, 4, 8, 8, unrolled=4)
    # Gradients of long rows take too many registers for more scores.
    square = rows <= 512 or (kind != "forward" and longest > 64)
    return Blocks(16, 16, 4, 4, 8, unrolled=4) if square else None


def _of_subgroups(kind: Kind, shape: Shape, target: Target, textured: bool) -> list[Tile]:
    """The tiles of kernels whose workgroup is a subgroup, of 8 to 64 lanes.

    A GPU has no registers to spare for half as many rows, nor has anything where an invocation holds more than two
    vectors of a row.
    """
    if not 8 <= target.subgroup <= 64:
        return []
    vectors = -(-max(shape.head, shape.width) // (LANES * target.subgroup))
    less = rules_of(target).fewer_rows * (1 if vectors <= 2 else 2)
    tables = ((True, TEXTURED), (False, ROWS)) if textured else ((False, ROWS),)
    return list(dict.fromkeys(Tile(rows // less, texels) for texels, table in tables for rows in table[kind]))


def choose(kind: Kind, shape: Shape, target: Target, textured: bool) -> Tile | Blocks:
    """The tile for a kernel: what a tuner chose, else the first candidate."""
    tiles = candidates(kind, shape, target, textured)
    chosen = target.choices.get(problem_name(kind, shape, textured))
    return next((tile for tile in tiles if tile.choice == chosen), tiles[0])
