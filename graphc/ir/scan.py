"""Scan: the record of a loop, and the parts of what its node and its body take and give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from graphc.ir.graph import Graph, Node

T = TypeVar("T")


class Operands(NamedTuple, Generic[T]):
    """What a loop takes, in this order; the body takes one slice of each of `xs`."""

    constants: Sequence[T]
    carries: Sequence[T]
    xs: Sequence[T]


class Results(NamedTuple, Generic[T]):
    """What a loop gives, in this order; the body gives one row of each of `ys`."""

    carries: Sequence[T]
    ys: Sequence[T]


@dataclass(frozen=True, slots=True)
class Scan:
    """The attributes of a node of the op `scan`: see there. alive: -1 where every step is made."""

    body: Graph
    length: int
    consts: int
    carries: int
    reverse: bool
    alive: int = -1

    @classmethod
    def of(cls, node: Node) -> Scan:
        """The record of a node whose op is `scan`."""
        return cls(**node.attrs)

    @property
    def attrs(self) -> dict[str, Any]:
        """The attributes of its node."""
        attrs = {name: getattr(self, name) for name in ("body", "length", "consts", "carries", "reverse")}
        return attrs if self.alive < 0 else {**attrs, "alive": self.alive}

    @property
    def counted(self) -> bool:
        """Whether it takes no slices and stacks no results: its body does both, with a counter."""
        return not self.operands(self.body.inputs).xs and not self.results(self.body.outputs).ys

    def operands(self, values: Sequence[T]) -> Operands[T]:
        """The operands of its node, the inputs of its body, or anything that there is one of for each of them."""
        first = self.consts + self.carries
        return Operands(values[: self.consts], values[self.consts : first], values[first:])

    def results(self, values: Sequence[T]) -> Results[T]:
        """The same for the outputs of its node and of its body."""
        return Results(values[: self.carries], values[self.carries :])
