"""Example arguments for one's own function, from texts such as "f32[32,64]"."""

from __future__ import annotations

import math
import re
from typing import Any, Final

import click
import numpy as np

import graphc
from graphc.errors import GraphcError
from graphc.ir.types import ALL_DTYPES, NDArray, Shape

FORM: Final = "write f32[32,64], i32[8]<10 for integers below 10, 0.5 for a number, or {w: f32[3], b: f32[]} for a dict"
TYPES: Final = {
    **{dtype.name: dtype.numpy.name for dtype in ALL_DTYPES},
    **{dtype.numpy.name: dtype.numpy.name for dtype in ALL_DTYPES},
    **{name: name for name in ("uint8", "int8", "int16")},
}
"""Element types by graphc's names and by NumPy's."""

MOST_BYTES: Final = 2**63 - 1
"""What an array can have at most."""

DIGITS: Final = 100
"""Of a length, far more than any has."""

WORDS: Final = {"true": True, "false": False, "none": None}
_TOKEN: Final = re.compile(r"\s*([A-Za-z_]\w*|[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[\[\](){}:,<]|\S)")
_PAIRS: Final = {"{": "}", "(": ")", "[": "]"}


class Example(graphc.Spec):
    """An array known by shape and element type, of which numbers can be made. below: what integers are below, or 0."""

    __slots__ = ("below",)

    def __init__(self, shape: Shape, dtype: np.dtype[Any], below: int = 0) -> None:
        super().__init__(shape, dtype)
        self.below = below

    def filled(self, rng: np.random.Generator) -> NDArray:
        """Normal floats, truth by chance, and integers that are 0 or at random in [0, below)."""
        if self.dtype.kind == "f":
            return np.asarray(rng.standard_normal(self.shape), self.dtype)
        if self.dtype.kind == "b":
            return np.asarray(rng.random(self.shape) < 0.5)
        return np.asarray(rng.integers(0, self.below or 1, self.shape), self.dtype)


def parse(text: str) -> Any:
    """The tree that a text stands for, with an Example for each array. Raises UsageError that says what is wrong."""
    try:
        return _Reader(text).read()
    except (ValueError, GraphcError) as error:
        raise click.UsageError(f"--arg {text!r}: {error}: {FORM}") from error


class _Reader:
    def __init__(self, text: str) -> None:
        self._rest = _TOKEN.findall(text)

    def read(self) -> Any:
        found = self._value()
        if self._rest:
            raise ValueError(f"{''.join(self._rest)!r} stands after its end")
        return found

    def _next(self) -> str:
        if not self._rest:
            raise ValueError("it ends too soon")
        return str(self._rest.pop(0))

    def _taken(self, token: str) -> bool:
        """Whether a token comes next, which then is read."""
        if self._rest[:1] != [token]:
            return False
        self._rest.pop(0)
        return True

    def _value(self) -> Any:
        token = self._next()
        if token == "{":
            return dict(self._several("}", self._item))
        if token in _PAIRS:
            found = self._several(_PAIRS[token], self._value)
            return tuple(found) if token == "(" else found
        if token.lower() in WORDS:
            return WORDS[token.lower()]
        if token[0].isalpha() or token[0] == "_":
            return self._array(token)
        try:
            return int(token)
        except ValueError:
            pass
        try:
            return float(token)
        except ValueError:
            raise ValueError(f"{token!r} is no type and no number") from None

    def _several(self, end: str, read: Any) -> list[Any]:
        found = []
        while not self._taken(end):
            found.append(read())
            if not self._taken(",") and self._rest[:1] != [end]:
                raise ValueError(
                    f"need , or {end}, and there is {self._next()!r}" if self._rest else f"{end} is missing"
                )
        return found

    def _item(self) -> tuple[str, Any]:
        key = self._next()
        if not self._taken(":"):
            raise ValueError(f"need : after {key!r}")
        return key, self._value()

    def _array(self, name: str) -> Example:
        if name not in TYPES:
            raise ValueError(f"{name!r} is no element type ({', '.join(dtype.name for dtype in ALL_DTYPES)})")
        shape = [self._length(n) for n in self._several("]", self._next)] if self._taken("[") else []
        if math.prod(n or 1 for n in shape) * np.dtype(TYPES[name]).itemsize > MOST_BYTES:
            raise ValueError(f"{name}{shape} is larger than any memory")
        known = graphc.spec(tuple(shape), TYPES[name])
        if not self._taken("<"):
            return Example(known.shape, known.dtype)
        below = self._length(self._next())
        if known.dtype.kind not in "iu":
            raise ValueError(f"{name} has no < that says what integers are below")
        if below == 0:
            raise ValueError("no integer from 0 on is below 0")
        if below > np.iinfo(known.dtype).max + 1:
            raise ValueError(f"{known.dtype} holds integers below {np.iinfo(known.dtype).max + 1}, not {below}")
        return Example(known.shape, known.dtype, below)

    @staticmethod
    def _length(token: str) -> int:
        if not (token.isascii() and token.isdecimal()) or len(token) > DIGITS:
            raise ValueError(f"{token!r:.60} is no length")
        return int(token)
