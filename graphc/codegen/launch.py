"""Kernels whose template is one invocation an item: the holes that they all have, filled in one place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from graphc.codegen.kernel import Bindings, BuildContext, KernelSource, Touches, grid
from graphc.ir.graph import Graph
from graphc.ir.op import Lanes
from graphc.ir.types import DType, f32
from graphc.kernels import render
from graphc.kernels.code import Code

THREADS = 64
"""Invocations of a workgroup."""


@dataclass(frozen=True, slots=True)
class Launch:
    """Renders templates with the holes size, columns and items."""

    body: Graph
    context: BuildContext
    family: str

    def kernel(
        self,
        name: str,
        template: str,
        bindings: Bindings,
        items: int,
        holes: Mapping[str, object],
        *,
        flops: int = 0,
        inplace: tuple[tuple[str, str], ...] = (),
        touches: Touches = (),
        clears: tuple[str, ...] = (),
        threads: int = THREADS,
    ) -> KernelSource:
        """The kernel `name` from a template, with one invocation for each of `items`."""
        size = min(threads, self.context.target.max_invocations)
        workgroups = grid(-(-items // size), self.context.target)
        text = render(template, size=size, columns=workgroups[0], items=items, **holes)
        return KernelSource(
            name, self.family, Code.of(text), bindings.operands(), workgroups, flops, (), inplace, touches, clears
        )


def sum_type(dtype: DType) -> DType:
    """The element type in which numbers of `dtype` are added."""
    return f32 if dtype.name == "f16" else dtype


def rounded(text: str, dtype: DType, width: int = 1) -> str:
    """A sum as an element of `dtype`."""
    return text if sum_type(dtype) == dtype else f"{Lanes(width)(dtype)}({text})"
