"""Index arithmetic of the code generator.

An `Idx` is one WGSL index expression together with what is known of it: a constant, an upper bound, a divisor, and how
it changes from one vector lane to the next. An `Index` is the position of an element in a tensor, held as coordinates,
as a flat offset, or both. Views (reshape, transpose, slice, broadcast) are maps from Index to Index, so they cost
nothing where the arithmetic cancels, and a load is a vec4 load wherever the lanes turn out to be consecutive.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from graphc.ir.types import Shape, strides_of

LANES = 4
"""Elements that one invocation of a vectorised kernel handles side by side."""


@dataclass(frozen=True, slots=True)
class Idx:
    """A u32 index in WGSL.

    text: expression of lane 0 (a scalar u32) where `lane` is a number, of all four (a vec4<u32>) where it is None.
    lane: what is added from one lane to the next (0: the same in all lanes), or None where it follows no such rule.
    align: the value of lane 0 is a multiple of this. bound: every lane is below this, where it is the place of an
    element at all. const: its value, if known. origin: the index of which this is a constant number more, or less; None
    where that is the index itself. Indices of one origin are known to be so and so far from each other. axis: the
    offset, the stride, the length and the size of the tensor where this is the coordinate of an offset along an axis.
    mirror: the index that this is subtracted from a number, and the number; lanes count down then.
    """

    text: str
    lane: int | None = 0
    align: int = 1
    bound: int = 1 << 32
    const: int | None = None
    origin: Idx | None = None
    shift: int = 0
    axis: tuple[Idx, int, int, int] | None = None
    mirror: tuple[Idx, int] | None = None

    @property
    def base(self) -> Idx:
        """The index without the constant that is added to it."""
        return self if self.origin is None else self.origin

    @property
    def uniform(self) -> bool:
        """Whether the lanes are equal."""
        return self.lane == 0

    @property
    def vector(self) -> str:
        """The expression of all lanes, a vec4<u32>."""
        if self.lane is None:
            return self.text
        if self.lane == 0:
            return f"vec4<u32>({self.text})"
        # A lane below zero counts down: u32 addition wraps around.
        steps = ", ".join(f"{(k * self.lane) & 0xFFFFFFFF}u" for k in range(LANES))
        if self.const == 0:
            return f"vec4<u32>({steps})"
        return f"({self.text} + vec4<u32>({steps}))"


def constant(value: int) -> Idx:
    """The index `value`."""
    return Idx(f"{value}u", 0, value if value else 1 << 31, value + 1, value)


def variable(name: str, bound: int, align: int = 1, lane: int = 0) -> Idx:
    """The index held by a WGSL variable, below `bound` in every lane."""
    if bound == 1:
        return constant(0)
    return Idx(name, lane, align, bound)


def _paren(text: str) -> str:
    return text if text.replace("_", "").isalnum() or (text.startswith("(") and _closed(text)) else f"({text})"


def _closed(text: str) -> bool:
    depth = 0
    for position, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if depth == 0 and position < len(text) - 1:
            return False
    return True


def moved(a: Idx, by: int, bound: int) -> Idx:
    """a + by modulo 2**32, for an `a` that is no constant; by may be negative."""
    base, shift = a.base, a.shift + by
    if shift == 0:
        return replace(base, bound=min(base.bound, bound))
    text = f"({base.text} + {shift}u)" if shift > 0 else f"({base.text} - {-shift}u)"
    align = 1 if a.lane is None else math.gcd(base.align, shift)
    return Idx(text, a.lane, align, bound, None, base, shift)


def add(a: Idx, b: Idx) -> Idx:
    """a + b."""
    if a.const == 0:
        return b
    if b.const == 0:
        return a
    bound = min(a.bound + b.bound - 1, 1 << 32)
    if a.const is not None and b.const is not None:
        return constant(a.const + b.const)
    if a.const is not None or b.const is not None:
        number = b.const if a.const is None else a.const
        assert number is not None
        return moved(b if a.const is not None else a, number, bound)
    if a.origin is not None or b.origin is not None:
        return moved(add(a.base, b.base), a.shift + b.shift, bound)
    if a.lane is None or b.lane is None:
        left = a.text if a.lane is None or a.lane == 0 else a.vector
        right = b.text if b.lane is None or b.lane == 0 else b.vector
        return Idx(f"({left} + {right})", None, 1, bound)
    return Idx(f"({a.text} + {b.text})", a.lane + b.lane, math.gcd(a.align, b.align), bound)


def subtract(a: Idx, c: int) -> Idx:
    """a - c for a constant c; where c is more than a, the result wraps around, and must be clamped."""
    if c == 0:
        return a
    if a.const is not None:
        return constant(max(a.const - c, 0))
    return moved(a, -c, 1 << 32)


def multiply(a: Idx, c: int) -> Idx:
    """a * c for a constant c."""
    if c == 1:
        return a
    if c == 0 or a.const == 0:
        return constant(0)
    if a.const is not None:
        return constant(a.const * c)
    if a.origin is not None:
        return moved(multiply(a.origin, c), a.shift * c, min((a.bound - 1) * c + 1, 1 << 32))
    lane = None if a.lane is None else a.lane * c
    align = 1 if a.lane is None else a.align * c
    return Idx(f"({a.text} * {c}u)", lane, align, min((a.bound - 1) * c + 1, 1 << 32))


def divide(a: Idx, c: int) -> Idx:
    """a / c rounded down, for a constant c."""
    if c == 1:
        return a
    if a.bound <= c:
        return constant(0)
    if a.const is not None:
        return constant(a.const // c)
    bound = (a.bound - 1) // c + 1
    if a.lane == 0 or _stays_within(a, c):
        return Idx(f"({a.text} / {c}u)", 0, max(1, a.align // c) if a.align % c == 0 else 1, bound)
    if a.lane is not None and a.lane % c == 0 and a.align % c == 0:
        if a.origin is not None:  # the lane that wraps around is divided by itself
            whole = divide(a.origin, c)
            return constant(max(a.shift // c, 0)) if whole.const is not None else moved(whole, a.shift // c, bound)
        return Idx(f"({a.text} / {c}u)", a.lane // c, a.align // c, bound)
    return Idx(f"({a.vector} / {c}u)", None, 1, bound)


def modulo(a: Idx, c: int) -> Idx:
    """a % c for a constant c."""
    if c == 1:
        return constant(0)
    if a.bound <= c:
        return a
    if a.const is not None:
        return constant(a.const % c)
    if a.lane is not None and a.lane % c == 0 and a.align % c == 0:
        return constant(0)
    align = math.gcd(a.align, c)
    if a.lane == 0 or _stays_within(a, c):
        return Idx(f"({a.text} % {c}u)", a.lane, align, c)
    return Idx(f"({a.vector} % {c}u)", None, 1, c)


def _stays_within(a: Idx, c: int) -> bool:
    """Whether all lanes of `a` share one block of `c`: lane 0 starts at a multiple that leaves room for the others."""
    if a.lane is None or a.lane < 0:
        return False
    room = math.gcd(a.align, c)
    return a.lane * (LANES - 1) < room


def divided_by(text: str) -> list[int]:
    """The constants that an index expression divides by, as `divide` and `modulo` write it."""
    parts = [part for sign in ("/ ", "% ") for part in text.split(sign)[1:]]
    return [int(digits) for part in parts if (digits := part.partition("u")[0]).isdigit()]


def clamp(a: Idx, limit: int) -> Idx:
    """min(a, limit - 1): an index that may lie outside, brought inside (0 where there is no inside)."""
    limit = max(limit, 1)
    if a.const is not None:
        return constant(min(a.const, limit - 1))
    if a.lane == 0:
        return Idx(f"min({a.text}, {limit - 1}u)", 0, 1, limit)
    return Idx(f"min({a.vector}, vec4<u32>({limit - 1}u))", None, 1, limit)


def reverse(a: Idx, n: int) -> Idx:
    """n - 1 - a."""
    if a.const is not None:
        return constant(n - 1 - a.const)
    if not a.lane:
        return Idx(f"({n - 1}u - {a.text})", a.lane, 1, n)
    base = a.base
    if base.mirror is not None:
        before, last = base.mirror
        return moved(before, n - 1 - last - a.shift, n)
    if a.lane < 0:  # lane 0 could lie before the first element where a later one does not
        return Idx(f"({n - 1}u - {a.vector})", None, 1, n)
    counted = Idx(f"({n - 1}u - {base.text})", -a.lane, 1, n, mirror=(base, n - 1))
    return moved(counted, -a.shift, n)


class Index:
    """The position of an element in a tensor of `shape`: coordinates and flat offset, each made when asked for."""

    __slots__ = ("_before", "_counts", "_dims", "_flat", "_matrix", "shape")

    def __init__(self, shape: Shape, dims: Sequence[Idx] | None = None, flat: Idx | None = None) -> None:
        self.shape = shape
        self._dims: tuple[Idx, ...] | None = None if dims is None else tuple(dims)
        self._flat = flat
        self._matrix: tuple[Idx, Idx] | None = None
        self._counts: str | None = None
        self._before: Index | None = None  # what this was reshaped from, where its coordinates are known

    @property
    def dims(self) -> tuple[Idx, ...]:
        """One coordinate an axis."""
        if self._dims is None and self._before is not None:
            self._dims = _regrouped(self._before.dims, self._before.shape, self.shape)
        if self._dims is None:
            assert self._flat is not None
            out, size = [], math.prod(self.shape)
            for axis, (n, stride) in enumerate(zip(self.shape, strides_of(self.shape), strict=True)):
                outer = divide(self._flat, stride)
                place = outer if axis == 0 and outer.bound <= n else modulo(outer, n)
                out.append(place if place.const is not None else replace(place, axis=(self._flat, stride, n, size)))
            self._dims = tuple(out)
        return self._dims

    @property
    def flat(self) -> Idx:
        """The offset in a dense row-major tensor."""
        if self._flat is None:
            assert self._dims is not None
            total = self._rejoined(self._dims)
            if total is not None:
                self._flat = total
                return total
            total = constant(0)
            for idx, stride in zip(self._dims, strides_of(self.shape), strict=True):
                total = add(total, multiply(idx, stride))
            self._flat = total
        return self._flat

    def _rejoined(self, dims: Sequence[Idx]) -> Idx | None:
        """The offset, where the coordinates are those of one offset, each of them moved by a constant or not at all.

        The outermost may also go around, (offset / stride) % n: together they are a remainder of the offset then.
        """
        inner = next((d for d in reversed(dims) if d.const is None), None)
        if inner is None or inner.base.axis is None:
            return None
        first, _, _, size = inner.base.axis
        distance, whole = 0, 1
        for idx, n, stride in reversed(list(zip(dims, self.shape, strides_of(self.shape), strict=True))):
            if idx.const is not None and (idx.const == 0 and n == 1):
                continue
            axis = idx.base.axis
            if axis is None or whole != stride:
                return None
            if (*axis[:2], axis[3]) != (first, stride, size):
                around = whole * n == math.prod(self.shape) and not distance and _around(idx, first, stride) == n
                return modulo(first, whole * n) if around else None
            whole *= axis[2]
            distance += idx.shift * stride
        if whole != size:
            return None if distance else modulo(first, whole)
        return moved(first, distance, max(math.prod(self.shape), 1)) if distance else first

    @property
    def matrix(self) -> tuple[Idx, Idx]:
        """(row, column) in the matrix that the tensor is with all axes but the last one taken as rows."""
        if self._matrix is not None:
            return self._matrix
        if (self._dims is not None or self._before is not None) and self.shape:
            return Index(self.shape[:-1], self.dims[:-1]).flat, self.dims[-1]
        width = self.shape[-1] if self.shape else 1
        return divide(self.flat, width), modulo(self.flat, width)

    @property
    def limits(self) -> list[tuple[Idx, int]]:
        """What it takes for the position to lie in the tensor, where it may be one past the end of a row or of all:
        that each of these indices is below the number beside it."""
        found = [] if self._dims is None else list(zip(self._dims, self.shape, strict=True))
        if self._flat is not None:
            found.append((self._flat, math.prod(self.shape)))
        return found + (self._before.limits if self._before is not None else [])

    @property
    def uniform(self) -> bool:
        """Whether every lane means the same element."""
        if self._flat is not None:
            return self._flat.uniform
        return all(d.uniform for d in self.dims)

    @property
    def key(self) -> tuple[str, int | None]:
        """Equal keys mean equal positions in tensors of one shape (the converse need not hold).

        And they mean that the same lanes count: (row, column + 63) and (row + 1, column - 1) lie at one offset of a
        tensor 64 wide, but a lane that has left its row in one of them may have not in the other.
        """
        return self.flat.text + self.counts, self.flat.lane

    @property
    def counts(self) -> str:
        """What tells which lanes count: the coordinates, where one of them was moved."""
        if self._counts is None:
            if self._dims is not None and any(d.shift for d in self._dims):
                self._counts = " at " + ", ".join(d.text for d in self._dims)
            else:
                self._counts = "" if self._before is None else self._before.counts
        return self._counts

    @property
    def claims(self) -> tuple[int, ...]:
        """What else tells which lanes count: what is known of the coordinates beyond the shape.

        By it conditions are left out. So what is computed at a position of which it is known is not what is computed
        at the same one of which it is not; what lies in memory is.
        """
        found = () if self._before is None else self._before.claims
        if self._dims is not None:
            found += tuple(claim for d, n in zip(self._dims, self.shape, strict=True) for claim in _claims(d, n))
        if self._flat is not None:
            found += _claims(self._flat, math.prod(self.shape))
        return found if any(found) else ()

    def map(self, change: Callable[[Idx], Idx]) -> Index:
        """The same position with each expression it holds replaced by an equal one."""
        dims = None if self._dims is None else [change(d) for d in self._dims]
        same = Index(self.shape, dims, None if self._flat is None else change(self._flat))
        same._counts = self.counts
        return same

    def reshaped(self, shape: Shape) -> Index:
        """The position of the same element in a tensor reshaped to `shape`."""
        if shape == self.shape:
            return self
        squeezed = [n for n in self.shape if n != 1]
        if self._dims is not None and squeezed == [n for n in shape if n != 1]:
            kept = iter([d for d, n in zip(self._dims, self.shape, strict=True) if n != 1])
            return Index(shape, [constant(0) if n == 1 else next(kept) for n in shape], self._flat)
        reshaped = Index(shape, flat=self.flat)
        if (self._dims is not None or self._before is not None) and 0 not in shape:
            reshaped._before = self
        if shape and self.shape and shape[-1] == self.shape[-1]:
            reshaped._matrix = self.matrix
        return reshaped

    def broadcast_from(self, shape: Shape) -> Index:
        """The position in an operand of `shape` that NumPy broadcasting reads for this element."""
        if shape == self.shape:
            return self
        if math.prod(shape) == 1:
            return Index(shape, [constant(0)] * len(shape))
        if math.prod(shape) == math.prod(self.shape):  # only axes of length 1 are added
            return self.reshaped(shape)
        tail = self.dims[len(self.dims) - len(shape) :]
        return Index(shape, [constant(0) if n == 1 else d for d, n in zip(tail, shape, strict=True)])

    def __repr__(self) -> str:
        return f"Index({self.shape}, {[d.text for d in self.dims]})"


def _around(idx: Idx, first: Idx, stride: int) -> int:
    """The n for which an index is (first / stride) % n, where it is made of that coordinate; else 0."""
    if idx.shift or idx.base.axis is None:
        return 0
    coordinate, step, n, _ = idx.base.axis
    if step != 1 or coordinate.shift or coordinate.base.axis is None:
        return 0
    offset, apart, length, size = coordinate.base.axis
    whole = length % n == 0 or length * apart == size
    return n if (offset, apart) == (first, stride) and whole else 0


def _claims(idx: Idx, n: int) -> tuple[int, ...]:
    """What is known of an index beyond that it lies below n, 0 for nothing, and of those that it is made of: moved
    back, or put together again, it is one of them."""
    own = idx.bound if idx.bound < n else 0
    if idx.const is not None:
        own = -1 - idx.const if n > 1 else 0
    behind = (idx.origin, idx.axis and idx.axis[0], idx.mirror and idx.mirror[0])
    return own, *(known for other in behind if other is not None for known in _claims(other, 1 << 32))


def _regrouped(dims: Sequence[Idx], old: Shape, new: Shape) -> tuple[Idx, ...]:
    """Coordinates in shape `new` of the element at `dims` in shape `old`.

    Each smallest group of axes that holds as many elements in both shapes is converted by itself: of (4, 256, 384) as
    (1024, 6, 64), the last axis is divided by 64 and nothing else.
    """
    found: list[Idx] = []
    i = j = 0
    while i < len(old) or j < len(new):
        first, begin = i, j
        i, j = min(i + 1, len(old)), min(j + 1, len(new))
        while (a := math.prod(old[first:i])) != (b := math.prod(new[begin:j])):
            i, j = (i + 1, j) if a < b else (i, j + 1)
        same = i - first == j - begin == 1
        group = Index(new[begin:j], flat=Index(old[first:i], dims[first:i]).flat)
        found += [dims[first]] if same else group.dims
    return tuple(found)
