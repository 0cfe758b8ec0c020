"""A lowering: what is known of a program while it is lowered, the dispatches to be, and the tensors that they touch."""

from __future__ import annotations

from dataclasses import dataclass, field

from graphc.codegen.kernel import Faults, KernelSource
from graphc.ir.graph import Graph, Value
from graphc.plan.plan import Loop, Target


@dataclass(slots=True)
class Step:
    """One dispatch to be: the position of its node (-1: a copy of an output) and its kernel.

    merged: input operands that lie in the bytes of an output operand (input name -> output name).
    """

    position: int
    source: KernelSource
    merged: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Lowering:
    """What lowering knows of a graph before tensors are placed.

    storage: the tensor in whose bytes each other value lies. outputs: the tensor of each output slot. shown: the value
    of each output slot, which may be a reshape of that tensor. names: printed names, also of scratch and copies. taken:
    (input, output) slots where an output takes over a donated input that is passed through. loops: by steps. flags: for
    each loop, what says whether it goes on, if it may end by itself. graph: flat, see graphc.analysis.loops. words:
    tensors that megakernels reach by words (see graphc.lower.megakernel). gathered: variables of loops that lie in an
    arena, whatever becomes of them afterwards (see graphc.lower.loop_carried). faults: where range checks report.
    """

    graph: Graph
    target: Target
    donate: frozenset[int]
    storage: dict[Value, Value] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    outputs: list[Value] = field(default_factory=list)
    shown: list[Value] = field(default_factory=list)
    names: dict[Value, str] = field(default_factory=dict)
    taken: list[tuple[int, int]] = field(default_factory=list)
    loops: list[Loop] = field(default_factory=list)
    flags: list[Value | None] = field(default_factory=list)
    words: frozenset[Value] = frozenset()
    gathered: set[Value] = field(default_factory=set)
    faults: Faults = field(default_factory=lambda: Faults(()))

    def storage_of(self, value: Value) -> Value:
        """The tensor in whose bytes `value` lies."""
        return self.storage.get(value, value)
