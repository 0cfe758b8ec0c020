"""How a matrix product is shared among workgroups and invocations: tile sizes, and the rule that chooses them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from graphc.codegen.kernel import size_class
from graphc.codegen.rules import rules_of
from graphc.ir.index import LANES
from graphc.plan.plan import Target


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of a batched product: [batch, m, k] x [batch, k, n]."""

    batch: int
    m: int
    k: int
    n: int


@dataclass(frozen=True, slots=True)
class Tile:
    """How one workgroup works.

    lanes: invocations side by side along N. groups: such rows of invocations, below each other. rows, columns: sums
    that one invocation holds; a column is four elements wide where B is read along N, else one. spread: the lanes are
    one subgroup and share their rows: each loads some of A, and `subgroupBroadcast` hands it round. a_along, b_along:
    the index that the four elements of a vector load run along: "k", "m" or "n". splits: parts of each sum, computed
    by different workgroups. texels: both operands come from textures. depth: terms of the sums whose operands the
    workgroup brings into workgroup memory at a time; 0: every invocation loads what it needs. stages: blocks of that
    depth in workgroup memory: of two, one is filled while the other is read. team: invocations that share each sum,
    where sums are few: each adds some of the terms, and they meet in workgroup memory.
    """

    lanes: int
    groups: int
    rows: int
    columns: int
    spread: bool
    a_along: str
    b_along: str
    splits: int = 1
    texels: bool = False
    depth: int = 0
    stages: int = 1
    team: int = 1

    @property
    def choice(self) -> tuple[int, ...]:
        """What a tuner writes down of it."""
        flags = int(self.spread), int(self.texels)
        return self.lanes, self.groups, self.rows, self.columns, *flags, self.depth, self.stages, self.team

    @property
    def threads(self) -> int:
        """Invocations of the workgroup."""
        return self.lanes * self.groups * self.team

    @property
    def width(self) -> int:
        """Elements of a column of one invocation."""
        return 4 if self.b_along == "n" or self.depth else 1

    @property
    def shared_bytes(self) -> int:
        """Workgroup memory that it takes, for sums of 4 bytes."""
        if self.team > 1:
            return 4 * self.team * self.tile_rows * self.tile_columns
        return 4 * self.depth * self.stages * (self.tile_rows + self.tile_columns)

    @property
    def loads(self) -> int:
        """Loads of A that one invocation makes for each step."""
        shared = self.lanes if self.spread else 1
        return -(-self.rows // (shared * (4 if self.a_along == "m" else 1)))

    @property
    def tile_rows(self) -> int:
        """Rows of the workgroup's tile."""
        return self.groups * self.rows

    def row_offset(self, r: int) -> int:
        """Where row r of an invocation lies, after its row 0: with workgroup memory, four rows of each in turn."""
        return r // 4 * 4 * self.groups + r % 4 if self.depth else r

    @property
    def tile_columns(self) -> int:
        """Columns of the workgroup's tile."""
        return self.lanes * self.columns * self.width

    @property
    def resident(self) -> int:
        """Workgroups that a multiprocessor of a GPU holds at a time."""
        return max(1, HELD[self.rows * self.columns * self.width > 32] // self.threads)

    def across(self, shape: Shape) -> tuple[int, int]:
        """Tiles along N and along M."""
        return max(1, -(-shape.n // self.tile_columns)), max(1, -(-shape.m // self.tile_rows))

    def count(self, shape: Shape) -> int:
        """Tiles in all."""
        wide, high = self.across(shape)
        return wide * high * self.splits * shape.batch

    def part_length(self, shape: Shape) -> int:
        """Terms of one part of a sum, a multiple of 4 or of the depth."""
        step = self.depth or 4
        return max(step, -(-shape.k // (step * self.splits)) * step)


SPREAD: Final[Mapping[str, Mapping[tuple[int, int], float]]] = {
    "kn": {(24, 3): 51, (32, 2): 50, (24, 2): 48, (32, 1): 47, (16, 2): 42, (16, 1): 34, (8, 2): 28, (8, 1): 26},
    "mn": {(32, 2): 48, (24, 2): 46, (32, 1): 45, (16, 2): 36, (16, 1): 30},
    "kk": {(24, 8): 48, (32, 8): 47, (32, 4): 45, (16, 8): 41, (16, 4): 37, (16, 2): 28, (16, 1): 20},
    "mk": {(32, 8): 44, (32, 4): 40, (16, 4): 31, (32, 2): 31, (16, 1): 18},
}
"""(rows, columns) of one subgroup of 8 lanes a workgroup, with GFLOPS measured on a software adapter of two cores."""

TEXTURED: Final[Mapping[str, Mapping[tuple[int, int], float]]] = {
    "kn": {(24, 3): 90, (32, 2): 89, (20, 3): 87, (16, 3): 86, (24, 2): 83, (16, 2): 78, (16, 1): 72, (8, 2): 62},
    "mn": {(32, 2): 83, (64, 1): 80, (32, 1): 79, (24, 2): 77, (16, 2): 75, (16, 1): 72},
    "kk": {(32, 8): 79, (24, 8): 76, (32, 4): 71, (16, 8): 70, (16, 4): 67, (16, 1): 41},
    "mk": {(64, 4): 74, (32, 8): 69, (32, 4): 62, (32, 2): 58, (16, 4): 55, (16, 1): 38},
}
"""The same with both operands read from textures."""

MOST_OF_FOUR_LANES: Final = 32
"""Rows times columns of an invocation at most where subgroups have 4 lanes: such processors have fewer registers, and
SwiftShader needs minutes and gigabytes for the epilogue of more sums."""

DIRECT: Final[Mapping[str, Mapping[tuple[int, int], float]]] = {
    "kn": {(16, 4): 23, (8, 4): 22, (8, 2): 19, (8, 1): 13, (4, 1): 8},
    "mn": {(16, 4): 22, (8, 4): 21, (8, 2): 18, (4, 1): 11},
    "kk": {(8, 4): 13, (8, 2): 11, (4, 4): 10, (4, 1): 5},
    "mk": {(8, 4): 13, (8, 2): 11, (4, 4): 10, (4, 1): 5},
}
"""The same where every invocation loads its own rows of A."""


def choose(shape: Shape, a_along: str, b_along: str, target: Target, textured: bool = False) -> Tile:
    """The tile for a product whose operands are read along these indices.

    The tile of least estimated time is taken, work with its overhang over the tile's speed: on a software adapter,
    where it has subgroups, tiles of one subgroup a workgroup; on a GPU, tiles that a workgroup shares in workgroup
    memory, unless the sums or the results are small. Then the sum is split where the tiles alone keep too little of the
    device busy, or where it is so long that one f32 sum loses accuracy. textured: both operands can be read from
    textures. What a tuner chose goes before all that.
    """
    tile = _tuned(shape, a_along, b_along, target, textured)
    if tile is None and target.software:
        tile = _software(shape, a_along, b_along, target, textured)[0]
    if tile is None:
        tile = _on_gpu(shape, a_along, b_along, target)
    return replace(tile, splits=parted(shape, tile, target))


SMALLEST: Final[Mapping[str, tuple[int, int]]] = {"kn": (8, 1), "mn": (16, 1), "kk": (16, 1), "mk": (16, 1)}
"""(rows, columns) of an invocation that a software adapter compiles in a tenth of a second, at half the speed."""


def smallest(tile: Tile) -> Tile:
    """A tile of as few sums as is worth while, its operands read as those of `tile` are, its sums parted alike."""
    rows, columns = SMALLEST[tile.a_along + tile.b_along]
    return replace(tile, rows=min(rows, tile.rows), columns=min(columns, tile.columns))


def problem_name(shape: Shape, a_along: str, b_along: str, textured: bool) -> str:
    """The tuner's name for products like this one: sizes are rounded up to powers of two."""
    sizes = size_class(shape.batch, shape.m, shape.k, shape.n)
    return f"matmul {a_along}{b_along} {sizes}" + (" texels" if textured else "")


def candidates(shape: Shape, a_along: str, b_along: str, target: Target, textured: bool) -> list[Tile]:
    """The search space: tiles that a tuner may try, most promising first."""
    if target.software:
        tiles = _software(shape, a_along, b_along, target, textured)
        return [*tiles, *_software(shape, a_along, b_along, target, False)[:2]] if textured else tiles
    first = _on_gpu(shape, a_along, b_along, target)
    thin = _thin(shape, a_along, b_along, target)
    tiles = [*_shared(shape, a_along, b_along, target), *thin, *_direct(shape, a_along, b_along, target)]
    return [first, *(t for t in tiles if t != first)]


def can_share(tile: Tile, shape: Shape, target: Target) -> bool:
    """Whether a tile of some depth has workgroup memory enough, whole vectors to fill it with, and work for all.

    Rows and columns of invocations are powers of two, and whole blocks of 4 x 8, as `families/matmul/shared.py` puts
    them.
    """
    if tile.depth not in (8, 16, 32) or tile.stages not in (1, 2):
        return False
    threads = tile.threads
    fits = tile.shared_bytes <= target.max_shared_bytes and threads <= target.max_invocations
    blocks = (
        all(n.bit_count() == 1 for n in (tile.lanes, tile.groups))
        and tile.lanes >= 8
        and tile.groups >= 4
        and tile.rows % 4 == 0
    )
    vectors = [tile.depth * extent // 4 for extent in (tile.tile_rows, tile.tile_columns)]
    return fits and blocks and shape.k >= tile.depth and all(n % threads == 0 for n in vectors)


def can_meet(tile: Tile, target: Target) -> bool:
    """Whether a team can share the sums of a tile: one row of invocations, whose sums workgroup memory holds."""
    alone = (tile.groups, tile.stages, tile.depth, tile.spread, tile.texels) == (1, 1, 0, False, False)
    fits = tile.shared_bytes <= target.max_shared_bytes and tile.threads <= target.max_invocations
    return alone and fits and tile.rows <= tile.team and tile.team.bit_count() == 1


def _tuned(shape: Shape, a_along: str, b_along: str, target: Target, textured: bool) -> Tile | None:
    """The tile that a tuner chose, if there is one and the target can run it."""
    found = target.choices.get(problem_name(shape, a_along, b_along, textured))
    if found is None or len(found) != 9 or min(found[:4]) < 1:
        return None
    lanes, groups, rows, columns, spread, texels, depth, stages, team = found
    fits = lanes * groups <= target.max_invocations and (not spread or (groups == 1 and lanes == target.subgroup))
    if not fits or (texels and not textured) or (a_along == "m" and rows % 4):
        return None
    tile = Tile(lanes, groups, rows, columns, bool(spread), a_along, b_along, 1, bool(texels), depth, stages, team)
    if team != 1:
        return tile if can_meet(tile, target) else None
    return tile if (not depth and stages == 1) or can_share(tile, shape, target) else None


def _software(shape: Shape, a_along: str, b_along: str, target: Target, textured: bool) -> list[Tile]:
    """The measured tiles, that of least estimated time first."""
    spread = target.subgroup >= 4
    lanes = target.subgroup if spread else 8
    table = (TEXTURED if textured and spread else SPREAD if spread else DIRECT)[a_along + b_along]
    tiles = {
        Tile(lanes, 1, rows, columns, spread, a_along, b_along, texels=textured): speed
        for (rows, columns), speed in table.items()
    }
    if lanes < 8:
        tiles = {tile: speed for tile, speed in tiles.items() if tile.rows * tile.columns <= MOST_OF_FOUR_LANES}
    busy = rules_of(target).resident
    return sorted(tiles, key=lambda t: -(-t.count(shape) // busy) * t.tile_rows * t.tile_columns / tiles[t])


SHARED: Final[Mapping[tuple[int, int, int, int], float]] = {
    (16, 16, 8, 2): 44,
    (16, 8, 8, 2): 45,
    (8, 16, 8, 2): 42,
    (8, 8, 8, 2): 41,
    (16, 16, 8, 1): 38,
    (8, 8, 8, 1): 32,
    (8, 8, 4, 2): 32,
    (16, 16, 4, 2): 31,
    (8, 8, 4, 1): 26,
    (16, 16, 4, 1): 25,
}
"""(lanes, groups, rows, columns) of workgroups of a GPU that share what they load, with TFLOP/s of a product of 4096
rows, terms and columns on an NVIDIA H200. Blocks of 16 terms are a tenth faster than those of 8 in one stage or two."""

FULL: Final = 256
"""Invocations that keep a multiprocessor of a GPU busy; with fewer, it waits for its own results."""

HELD: Final[Mapping[bool, int]] = {True: 384, False: 512}
"""Invocations of whole workgroups that its registers hold at a time, with more than 32 sums each, or with fewer. It was
seen that three workgroups of 128 invocations with 64 sums fit, and one of 256."""

SHORT: Final = 64
"""Terms of a sum from which on its operands, or its shares, are brought into workgroup memory."""

FEW: Final = 1 << 15
"""Results at most, in a few rows, that leave a GPU idle unless several invocations share each: it waits for memory
alone. In many rows, a quarter of them."""

ROWS: Final = 16
"""A few rows."""

LIGHT: Final = 1 << 24
"""Multiply-adds at most of such a product: more of them keep it busy where sums are split among workgroups."""

LAUNCH: Final = 5.0
"""Microseconds of one launch more, which adds up parts."""

TRAFFIC: Final = 3e6
"""Bytes of parts that are written, or read, in a microsecond."""


def _shared(shape: Shape, a_along: str, b_along: str, target: Target) -> list[Tile]:
    """The tiles that workgroups of a GPU share, that of least estimated time first; with other depths after them."""
    rules = rules_of(target)

    def tiles(depth: int, stages: int) -> list[Tile]:
        found = [
            Tile(lanes, groups, rows, columns, False, a_along, b_along, depth=depth, stages=stages)
            for (lanes, groups, rows, columns) in SHARED
            if rows * columns * LANES <= rules.sums
        ]
        return [tile for tile in found if can_share(tile, shape, target) and not _mostly_outside(tile, shape)]

    def time(tile: Tile) -> float:
        speed = SHARED[tile.lanes, tile.groups, tile.rows, tile.columns]
        splits = parted(shape, tile, target)
        rounds, left = divmod(-(-tile.count(shape) * splits // rules.cores), tile.resident)
        turns = rounds * tile.resident + (max(left, FULL / tile.threads) if left else 0)
        work = 2 * tile.tile_rows * tile.tile_columns * shape.k / splits
        parts = 8 * splits * shape.batch * shape.m * shape.n
        return turns * work * rules.cores / (speed * 1e6) + (LAUNCH + parts / TRAFFIC if splits > 1 else 0)

    first: dict[tuple[int, ...], Tile] = {}
    for depth, stages in ((16, 1), (8, 1)):
        for tile in tiles(depth, stages):
            first.setdefault(tile.choice[:4], tile)
    best = sorted(first.values(), key=time)
    others = [tile for depth, stages in ((16, 1), (8, 1), (8, 2)) for tile in tiles(depth, stages)]
    return [*best, *(tile for tile in others if tile not in best)]


def _mostly_outside(tile: Tile, shape: Shape) -> bool:
    """Whether a tile of half its size would do."""
    rows, columns = max(shape.m, 32), max(shape.n, 32)
    return tile.tile_rows >= 2 * rows or tile.tile_columns >= 2 * columns


def _thin(shape: Shape, a_along: str, b_along: str, target: Target) -> list[Tile]:
    """Tiles whose sums are shared by teams, for products of few results."""
    columns, rows = 1 if b_along == "n" else 4, 4 if a_along == "m" else min(max(shape.m, 1), 4)
    teams = [team for team in (16, 8, 4) if team * 8 <= shape.k]
    tiles = [Tile(16, 1, rows, columns, False, a_along, b_along, team=team) for team in teams]
    return [tile for tile in tiles if can_meet(tile, target)]


def _direct(shape: Shape, a_along: str, b_along: str, target: Target) -> list[Tile]:
    """The tiles whose invocations load what they need."""
    sides = [side for side in (16, 8) if side * side <= target.max_invocations]
    columns = 1 if b_along == "n" else 4
    return [Tile(s, s, r, columns, False, a_along, b_along) for s in sides for r in (4, 8)]


def _on_gpu(shape: Shape, a_along: str, b_along: str, target: Target) -> Tile:
    """The tile by the rules for GPUs."""
    results = shape.batch * shape.m * shape.n
    if shape.k >= SHORT:
        light = results <= (FEW if shape.m <= ROWS else FEW // 4) and results * shape.k <= LIGHT
        few = shape.m <= 4 or light
        tiles = _thin(shape, a_along, b_along, target) if few else _shared(shape, a_along, b_along, target)
        if tiles:
            return tiles[0]
    columns = 1 if b_along == "n" else 4
    large = results >= 1 << 18 and target.max_invocations >= 256
    side, rows = (16, 4) if large else (8, 4 if a_along == "m" or results >= 1 << 14 else 1)
    return Tile(side, side, rows, columns, False, a_along, b_along)


def parted(shape: Shape, tile: Tile, target: Target) -> int:
    """Into how many parts the sums are cut."""
    rules, tiles = rules_of(target), max(tile.count(shape), 1)
    # Where a multiprocessor holds one workgroup, two rounds leave less of the last one empty.
    busy = rules.resident if target.software else rules.cores * max(tile.resident, 2)
    wanted = busy // tiles
    shortest = SHORTEST if tile.team == 1 else SHORTEST * TEAM_TERMS
    wanted = min(max(wanted, -(-shape.k // LONGEST)), shape.k // shortest)
    results = max(shape.batch * shape.m * shape.n, 1)
    return max(1, min(wanted, rules.parts // results))


LONGEST: Final = 8192
"""Terms that one f32 sum may have where it costs little to split it."""
SHORTEST: Final = 512
"""Terms below which a part of a sum is not worth a second step."""
TEAM_TERMS: Final = 4
"""How many times more they are where a team shares them."""
