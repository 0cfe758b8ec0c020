"""What each class of adapters wants of a kernel: the defaults where no tuner has measured anything.

All that depends on the class of an adapter stands here, as numbers with reasons; the families ask `rules_of(target)`.
The numbers for software adapters were measured on lavapipe. Those for GPUs follow from how GPUs are built, and were
held to an NVIDIA H200 for products, attention and rows; `GRAPHC_TUNE=full` measures all of them on another one. Limits
and features go before all of them: no workgroup is larger than the target allows, and subgroups are used only where it
has them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from graphc.plan.plan import Target

AdapterClass = Literal["software", "integrated", "discrete"]


@dataclass(frozen=True, slots=True)
class Rules:
    """The defaults of one class of adapters.

    resident: workgroups that keep it busy; a long sum is split until there are as many. neighbours: whether the items
    that one invocation of a map kernel takes lie side by side, or as far apart as the workgroup is wide. row_lanes:
    most invocations that share a row without subgroups; 0: as many as a workgroup may have. row_threads: invocations of
    a workgroup whose subgroups have a row each, where there are many rows. columns: invocations that a column kernel
    should have; its terms are shared out until there are as many. texels: whether large operands of products are read
    faster from textures, into which they are copied, than from buffers. fewer_rows: the divisor of the rows of an
    attention kernel's workgroup that is a subgroup. blocks: queries and keys from which on attention
    goes through workgroup memory in blocks; 0: never. scatter: invocations that are enough to add thousands of rows
    each into a large table, before which the rows are put in order otherwise. cores: multiprocessors that share the
    tiles of a product. sums: most sums that one invocation of a product holds in registers. parts: elements that the
    parts of all sums of a product may take together. kept: most elements that one invocation keeps in order in
    registers. pickers: invocations that are enough to pick the first few elements of rows, however long their blocks
    are; 0: the more, the better. merged: elements of a merged run that one invocation makes.
    """

    resident: int
    neighbours: bool
    row_lanes: int
    row_threads: int
    columns: int
    texels: bool
    fewer_rows: int
    blocks: int
    scatter: int
    cores: int
    sums: int
    parts: int
    kept: int
    pickers: int
    merged: int


RULES: Final[dict[AdapterClass, Rules]] = {
    # A workgroup is a task of one thread: a few are enough, and each costs 0.13 us, so none is made to share a sum.
    # Neighbouring items share cache lines, and a barrier suspends every invocation: no more lanes than a vector has.
    # Loads from storage buffers go lane by lane, those of texels four elements at once, and registers that are not
    # there cost less than loads: sorting 2,048 rows of 32 takes 2 ms in registers, and 16 by counting in memory.
    "software": Rules(
        resident=4,
        neighbours=True,
        row_lanes=8,
        row_threads=0,
        columns=0,
        texels=True,
        fewer_rows=1,
        blocks=0,
        scatter=16,
        cores=4,
        sums=128,
        parts=1 << 20,
        kept=64,
        pickers=64,
        merged=32,
    ),
    # Some 8 to 32 cores, each with a few workgroups; loads are coalesced over a workgroup, so neighbours lie in
    # different invocations. Memory is the processor's and slow: few invocations keep it busy. Registers are few, too:
    # with 32 sums an invocation, their threads still take turns.
    "integrated": Rules(
        resident=64,
        neighbours=False,
        row_lanes=0,
        row_threads=64,
        columns=1 << 14,
        texels=False,
        fewer_rows=2,
        blocks=32,
        scatter=512,
        cores=16,
        sums=32,
        parts=1 << 20,
        kept=16,
        pickers=0,
        merged=4,
    ),
    # Some 20 to 140 cores that hide the latency of memory by the number of invocations. A core holds 16 to 32
    # workgroups whatever their size: of a subgroup each, they would fill half of it. A product's invocation holds 64
    # sums: for each element that it reads from workgroup memory it does four multiply-adds, and 384 of them fit the
    # registers of a core. Parts of sums are written and read at 10 times the speed of those of other classes.
    "discrete": Rules(
        resident=128,
        neighbours=False,
        row_lanes=0,
        row_threads=128,
        columns=1 << 16,
        texels=False,
        fewer_rows=2,
        blocks=32,
        scatter=2048,
        cores=132,
        sums=64,
        parts=1 << 22,
        kept=16,
        pickers=0,
        merged=4,
    ),
}


def adapter_class(target: Target) -> AdapterClass:
    """The class of a target; an adapter that does not say what it is, is treated as a discrete GPU."""
    return "software" if target.software else "integrated" if target.integrated else "discrete"


def rules_of(target: Target) -> Rules:
    """The defaults for a target."""
    return RULES[adapter_class(target)]


def prefers_texels(target: Target) -> bool:
    """Whether large operands are read faster from textures, into which they are copied, than from buffers.

    So it is on a software adapter with subgroups of 8 lanes or more (lavapipe: 90 GFLOPS for 50). With 4 lanes
    (SwiftShader) texels are read more slowly than buffers.
    """
    return rules_of(target).texels and target.subgroup >= 8
