"""Values: the tensors of a graph; and where in the user's code a thing came from."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, replace

from graphc.ir.types import TensorType

FORWARD, BACKWARD, UPDATE = "forward", "backward", "update"


@dataclass(frozen=True, slots=True, order=True)
class SourceLine:
    """One line of the user's code."""

    file: str
    line: int
    text: str = ""
    function: str = ""

    def __str__(self) -> str:
        return f"{self.file.replace(chr(92), '/').rsplit('/', 1)[-1]}:{self.line}"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a node came from: its lines (a fused node has several) and the phase of the program it belongs to."""

    lines: tuple[SourceLine, ...] = ()
    phase: str = FORWARD
    scope: str = ""

    def merged(self, others: Iterable[Source]) -> Source:
        """The union of the lines, in order of first appearance."""
        lines = dict.fromkeys(self.lines)
        for other in others:
            lines.update(dict.fromkeys(other.lines))
        return replace(self, lines=tuple(lines))

    @property
    def at(self) -> str:
        """The last line of a message: where in the user's code, and what stands there. Empty where that is unknown."""
        if not self.lines:
            return ""
        line = self.lines[0]
        return f"\n  at  {line}" + (f": {line.text}" if line.text else "")

    def __str__(self) -> str:
        return ", ".join(dict.fromkeys(str(line) for line in self.lines))  # a line may hold several expressions


NOWHERE = Source()
_ids = itertools.count()


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """A tensor in a graph. id: unique in this process. hint: the name it had in the user's code, for printing."""

    id: int
    type: TensorType
    hint: str = ""

    def __repr__(self) -> str:
        return f"%{self.hint or self.id}:{self.type}"


def new_value(type: TensorType, hint: str = "") -> Value:
    """A fresh Value."""
    return Value(next(_ids), type, hint)
