"""What is looked at: a compiled program, as those see it who check, measure and describe one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from graphc.inspect.occupancy import KernelReport
from graphc.ir.graph import Graph, Node
from graphc.ir.types import TensorType
from graphc.passes.fusion.explain import Decision
from graphc.passes.pipeline import GraphPass
from graphc.plan.contract import Contract
from graphc.plan.plan import Plan, Target
from graphc.plan.report import MemoryReport
from graphc.runtime import Device, Runner


@dataclass(frozen=True, slots=True)
class Argument:
    """One leaf of the arguments. name: as the user would write it. python: whether it was a Python scalar."""

    name: str
    type: TensorType
    python: bool = False


class Subject(Protocol):
    """A compiled program: `graphc.Executable` is one, and says what each of these is."""

    name: str
    device: Device
    stages: list[tuple[str, Graph]]
    arguments: tuple[Argument, ...]
    donated: frozenset[int]
    passes: tuple[GraphPass, ...]
    wanted: Target | None

    @property
    def graph(self) -> Graph: ...

    @property
    def target(self) -> Target: ...

    @property
    def plan(self) -> Plan: ...

    @property
    def memory(self) -> MemoryReport: ...

    @property
    def kernels(self) -> KernelReport: ...

    @property
    def contract(self) -> Contract: ...

    @property
    def lacks(self) -> str: ...

    def decisions(self) -> dict[Node, Decision]: ...

    def prepared(self) -> Runner: ...
