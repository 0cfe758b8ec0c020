"""What becomes of an op when it is applied to many examples at once: the rules that several ops share.

A rule gets a `Batch`, the operands (those that are mapped have the examples along their first axis) and the attributes,
and gives the outputs with the examples along their first axis. It is plain NumPy over traced arrays, as gradients are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from graphc.ir.graph import Graph
from graphc.ir.op import BatchRule, Op, apply


class Batch(Protocol):
    """What a batching rule knows: one op is applied to `size` examples, whose operands lie along a first axis.

    mapped: which operands have that axis; the others are the same for all examples.
    """

    @property
    def op(self) -> Op: ...

    @property
    def size(self) -> int: ...

    @property
    def mapped(self) -> tuple[bool, ...]: ...

    def graph(self, body: Graph, mapped: Sequence[bool], every: Sequence[bool]) -> tuple[Graph, tuple[bool, ...]]:
        """A body for all examples, its inputs mapped so; and which outputs are, those in `every` in any case."""

    def summed(self, body: Graph, chosen: Sequence[bool]) -> Graph:
        """A body whose chosen outputs, all mapped, are summed over the examples."""


def rule_of(op: Op) -> BatchRule | None:
    """The batching rule of an op: its own, or that of its lowering; None where each example is computed on its own."""
    if op.batch is not None:
        return op.batch
    if op.elementwise:
        return broadcast
    return along("axes") if op.reduces else None


def level(batch: Batch, *inputs: Any) -> list[Any]:
    """The operands, where they broadcast: those that are mapped get axes of length 1 behind that of the examples."""
    ranks = [x.ndim - mapped for x, mapped in zip(inputs, batch.mapped, strict=True)]
    most = max(ranks)
    return [
        np.reshape(x, (batch.size, *(1,) * (most - rank), *x.shape[1:])) if mapped and rank < most else x
        for x, rank, mapped in zip(inputs, ranks, batch.mapped, strict=True)
    ]


def spread(batch: Batch, x: Any, position: int) -> Any:
    """Operand `position` with the axis of the examples, repeated where all of them share it."""
    return x if batch.mapped[position] else np.broadcast_to(x, (batch.size, *x.shape))


def every(batch: Batch, *inputs: Any) -> list[Any]:
    """All operands with the axis of the examples."""
    return [spread(batch, x, i) for i, x in enumerate(inputs)]


def broadcast(batch: Batch, *inputs: Any, **attrs: Any) -> Any:
    """The rule of an op that computes each element from those at the same place."""
    return apply(batch.op, *level(batch, *inputs), **attrs)


def as_before(batch: Batch, *inputs: Any, **attrs: Any) -> Any:
    """The rule of an op that works along last axes only, and of one that leaves its operand as it is."""
    return apply(batch.op, *every(batch, *inputs), **attrs)


def along(*names: str) -> Callable[..., Any]:
    """The rule of an op whose attributes `names` are axes, or an axis: they lie one further on."""

    def rule(batch: Batch, *inputs: Any, **attrs: Any) -> Any:
        moved = {name: _further(attrs[name]) if name in names else attrs[name] for name in attrs}
        return apply(batch.op, *every(batch, *inputs), **moved)

    return rule


def _further(axes: int | tuple[int, ...]) -> int | tuple[int, ...]:
    return axes + 1 if isinstance(axes, int) else tuple(axis + 1 for axis in axes)


def before(**first: Callable[[int], int]) -> Callable[..., Any]:
    """The rule of an op with attributes that hold a number for each axis; `first` gives that of the examples."""

    def rule(batch: Batch, *inputs: Any, **attrs: Any) -> Any:
        longer = {name: (first[name](batch.size), *attrs[name]) if name in first else attrs[name] for name in attrs}
        return apply(batch.op, *every(batch, *inputs), **longer)

    return rule
