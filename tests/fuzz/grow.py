"""Growing a random program: each statement is run on real data while it is drawn, so that NumPy runs every program,
shapes and element types are known, and numbers stay of moderate size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

import graphc
from tests.fuzz.program import Statement, namespace, quietly
from tests.fuzz.source import Source

Shape = tuple[int, ...]

SIZES: Final = (2, 3, 4, 1, 5, 6, 7, 8, 9, 12, 16, 17, 33)
MOST: Final = 600
"""Elements of a tensor, except in programs of long axes."""

NARROW: Final = {"float64": np.float32, "int64": np.int32, "uint64": np.uint32}
REFUSALS: Final = (ValueError, TypeError, IndexError, ArithmeticError, AttributeError, MemoryError)
"""What NumPy raises for what it does not compute."""
LIMITS: Final = {"float32": 1e4, "float16": 64.0}
"""Beyond this size floats are scaled down, unless the program is a wild one."""

WHOLE: Final = 1 << 20
"""Beyond this size an int32 is brought back, so that NumPy's int64 and the device's int32 are the same numbers."""


class Rejected(Exception):
    """A statement that cannot be made here."""


@dataclass
class Slot:
    """One array of the pool. value: what it is on the program's data, in the element type that a device has it in."""

    name: str
    value: Any

    @property
    def shape(self) -> Shape:
        """Lengths of its axes."""
        return tuple(np.shape(self.value))

    @property
    def rank(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(np.size(self.value))

    @property
    def dtype(self) -> str:
        """Name of the element type; "python" for a Python number."""
        return "python" if isinstance(self.value, int | float) else str(self.value.dtype)

    @property
    def floating(self) -> bool:
        """Whether it is an array of floats."""
        return self.dtype.startswith("float")

    @property
    def whole(self) -> bool:
        """Whether it is an array of integers."""
        return "int" in self.dtype

    @property
    def boolean(self) -> bool:
        """Whether it is an array of truth values."""
        return self.dtype == "bool"

    @property
    def alias(self) -> str:
        """The name of its element type in a program: f32, i32."""
        return {"float32": "f32", "float16": "f16", "int32": "i32", "uint32": "u32", "bool": "bool"}[self.dtype]

    def __str__(self) -> str:
        return self.name


Kind = Callable[["Grower"], None]
KINDS: Final[dict[str, tuple[Kind, int]]] = {}
"""Every kind of statement, with how often it is drawn."""


def kind(name: str, weight: int = 2) -> Callable[[Kind], Kind]:
    """Enter a kind of statement."""

    def enter(function: Kind) -> Kind:
        KINDS[name] = function, weight
        return function

    return enter


class Grower:
    """A program under way. half: f16 is allowed. wild: NaN, infinity and numbers of any size are. long: axes are long.
    off: what no statement may hold."""

    def __init__(self, source: Source, half: bool, wild: bool, long: bool, off: tuple[str, ...] = ()) -> None:
        self.source = source
        self.half = half
        self.wild = wild
        self.long = long
        self.off = off
        self.slots: list[Slot] = []
        self.statements: list[Statement] = []
        self.kind = ""
        self.space = namespace()

    # -- choosing

    def choose(self, accept: Callable[[Slot], bool] = lambda slot: True) -> Slot:
        """A slot, late ones more often, so that programs grow deep as well as wide; raises Rejected where none fits."""
        fitting = [s for s in reversed(self.slots) if s.dtype != "python" and accept(s)]
        if not fitting:
            raise Rejected
        return self.source.pick([*fitting[:3], *fitting])

    def floats(self, accept: Callable[[Slot], bool] = lambda slot: True) -> Slot:
        """A slot of floats."""
        return self.choose(lambda s: s.floating and accept(s))

    def partner(self, slot: Slot, accept: Callable[[Slot], bool] = lambda slot: True) -> Slot:
        """A slot that broadcasts with another."""
        return self.choose(lambda s: broadcasts(s.shape, slot.shape, self.most) and accept(s))

    def like(self, slot: Slot) -> Slot:
        """A slot of the same shape and element type, which may be the same one."""
        return self.choose(lambda s: s.shape == slot.shape and s.dtype == slot.dtype)

    def axis(self, slot: Slot) -> int:
        """One axis, counted from either end; raises Rejected where there is none."""
        if not slot.rank:
            raise Rejected
        axes: list[int] = [*range(-1, -slot.rank - 1, -1), *range(slot.rank)]
        return self.source.pick(axes)

    def axes(self, slot: Slot) -> Any:
        """None, one axis, or a tuple of some."""
        which = self.source.below(3)
        if which == 0 or not slot.rank:
            return None
        if which == 1 or slot.rank == 1:
            return self.axis(slot)
        chosen = [i for i in range(slot.rank) if self.source.below(2)]
        return tuple(chosen) or (0,)

    def number(self) -> str:
        """A number as it stands in a program."""
        return self.source.pick(("1.0", "0.5", "2.0", "-1.0", "0.25", "3", "-0.75", "1.5", "0.1", "-3.0"))

    @property
    def most(self) -> int:
        """Most elements of a tensor."""
        return 300_000 if self.long else MOST

    # -- statements

    def value(self, text: str, prelude: str = "") -> Any:
        """What an expression is on the data; raises Rejected where NumPy refuses it."""
        names = {slot.name: slot.value for slot in self.slots}
        space = {**self.space, **names}
        try:
            with quietly():
                exec(prelude, space)
                return eval(text, space)
        except (*REFUSALS, graphc.GraphcError) as error:
            raise Rejected from error

    def add(self, text: str, count: int = 1, prelude: str = "") -> None:
        """Append a statement of `count` results; raises Rejected where it cannot be one."""
        if any(part in text or part in prelude for part in self.off):
            raise Rejected
        made = self.value(text, prelude)
        parts = [made] if count == 1 else list(made)
        if len(parts) != count:
            raise Rejected
        values = [self._narrow(part) for part in parts]
        if count == 1 and not self.wild and values[0].dtype.name in LIMITS:
            scale = _scale(values[0])
            if scale != 1:
                text = f"({text}) * {scale}"
                values = [self._narrow(self.value(text, prelude))]
        self._check(values)
        names = [f"v{self._next() + k}" for k in range(count)]
        self.statements.append(Statement(self.kind, tuple(names), text, prelude))
        self.slots += [Slot(name, value) for name, value in zip(names, values, strict=True)]

    def _next(self) -> int:
        return sum(len(s.outs) for s in self.statements)

    def _narrow(self, made: Any) -> Any:
        if np.size(made) > self.most:  # before it is copied
            raise Rejected
        array = np.asarray(made)
        if array.dtype.kind not in "fiub" or (array.dtype.itemsize < 2 and array.dtype.kind != "b"):
            raise Rejected
        with np.errstate(all="ignore"):
            narrow = array.astype(NARROW.get(array.dtype.name, array.dtype))
        if array.dtype.kind in "iu" and not np.array_equal(narrow, array):
            raise Rejected
        if narrow.dtype == np.int32 and narrow.size and int(np.abs(narrow.astype(np.int64)).max()) > WHOLE:
            raise Rejected
        if narrow.dtype == np.float16 and not self.half:
            raise Rejected
        if narrow.dtype.name not in ("float32", "float16", "int32", "uint32", "bool"):
            raise Rejected
        return narrow

    def _check(self, values: list[Any]) -> None:
        for value in values:
            if value.size > self.most or value.ndim > 5:
                raise Rejected
            if not self.wild and value.dtype.kind == "f" and not np.isfinite(value).all():
                raise Rejected
            if not self.wild and value.dtype.name in LIMITS and _scale(value) != 1:
                raise Rejected


def _scale(value: Any) -> float:
    """The power of 1/16 that brings the numbers of an array to moderate size."""
    finite = np.abs(value[np.isfinite(value)].astype(np.float64))
    largest, scale = float(finite.max(initial=0)), 1.0
    while largest * scale > LIMITS[value.dtype.name] and scale > 1e-12:
        scale /= 16
    return scale


def broadcasts(a: Shape, b: Shape, most: int) -> bool:
    """Whether two shapes broadcast, to no more than `most` elements."""
    try:
        return bool(np.prod(np.broadcast_shapes(a, b)) <= most)
    except ValueError:
        return False
