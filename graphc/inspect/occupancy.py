"""How kernels fill a GPU: a model of one multiprocessor, for plans that no GPU has run.

A GPU hides the latency of its memory by invocations that wait beside those that compute, so a kernel of which few
workgroups are resident at a time is slow wherever it waits. How many are resident follows from what a workgroup takes
of a multiprocessor: invocations, registers and workgroup memory. The numbers of a class are those of a small adapter of
it, so that others hold as many workgroups or more; registers are an estimate (`graphc.kernels.sizes`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from graphc.codegen.rules import AdapterClass, adapter_class
from graphc.ir.text import wrapped
from graphc.kernels.sizes import registers, workgroup
from graphc.plan.plan import Plan, Target


@dataclass(frozen=True, slots=True)
class Multiprocessor:
    """What one holds at a time: invocations, 32-bit registers, bytes of workgroup memory, workgroups.

    most_registers: of one invocation; what it needs beyond them lies in memory.
    """

    invocations: int
    registers: int
    shared_bytes: int
    workgroups: int
    most_registers: int


MULTIPROCESSORS: Final[dict[AdapterClass, Multiprocessor]] = {
    # NVIDIA's GPUs for desktops since 2020. Source: CUDA C++ Programming Guide, "Technical Specifications per Compute
    # Capability", 8.6. An H100 (9.0) holds 2,048 invocations, 233,472 bytes and 32 workgroups with as many registers.
    "discrete": Multiprocessor(1536, 65_536, 102_400, 16, 255),
    # Half of that, about what a core of an integrated GPU has.
    "integrated": Multiprocessor(1024, 65_536, 65_536, 16, 128),
    # A core runs one workgroup at a time, and registers that it lacks are in its cache.
    "software": Multiprocessor(1024, 1 << 30, 1 << 30, 1, 1 << 20),
}


@dataclass(frozen=True, slots=True)
class KernelUse:
    """What a kernel takes, and how many of its workgroups a multiprocessor holds.

    launches: in a call, those of loops counted each time. workgroups: of all of these. invocations, shared_bytes: of a
    workgroup. registers: of an invocation, estimated. resident: workgroups on a multiprocessor at a time. occupancy:
    their invocations, as a part of those that it holds. bound: what allows no more, "spilling" where an invocation has
    not enough registers. bytes_moved, flops: of all launches.
    """

    name: str
    family: str
    launches: int
    workgroups: int
    invocations: int
    shared_bytes: int
    registers: int
    resident: int
    occupancy: float
    bound: str
    bytes_moved: int
    flops: int

    @property
    def intensity(self) -> float:
        """Operations for each byte that is moved."""
        return self.flops / self.bytes_moved if self.bytes_moved else 0.0


@dataclass(frozen=True, slots=True)
class KernelReport:
    """The kernels of a plan, those that move most first. target: what it was made for, in words."""

    target: str
    kernels: tuple[KernelUse, ...]

    def __str__(self) -> str:
        titles = f"{'calls':>6} {'groups':>8} {'size':>5} {'shared':>7} {'regs':>5} {'resident':>8} {'filled':>6}"
        lines = [f"kernels, for {self.target}", f"{titles}  {'bound by':<12} {'MB':>9} {'MFLOP':>10}  kernel"]
        for k in self.kernels:
            taken = f"{k.launches:>6} {k.workgroups:>8} {k.invocations:>5} {k.shared_bytes:>7} {k.registers:>5}"
            work = f"{k.bytes_moved / 1e6:>9.3f} {k.flops / 1e6:>10.3f}"
            lines.append(f"{taken} {k.resident:>8} {k.occupancy:>6.0%}  {k.bound:<12} {work}  {k.name}")
        return "\n".join(map(wrapped, lines))


def resident(invocations: int, shared_bytes: int, words: int, each: Multiprocessor) -> tuple[int, str]:
    """How many workgroups a multiprocessor holds at a time, one at least, and what allows no more of them.

    words: registers of an invocation.
    """
    limits = {
        "workgroups": each.workgroups,
        "invocations": each.invocations // invocations,
        "registers": each.registers // (invocations * min(words, each.most_registers)),
        "memory": each.shared_bytes // shared_bytes if shared_bytes else each.workgroups,
    }
    bound = min(limits, key=lambda name: limits[name])
    if words > each.most_registers:
        bound = "spilling"
    return max(1, min(limits.values())), bound


def kernel_report(plan: Plan, target: Target) -> KernelReport:
    """What each kernel of a plan takes of a target's multiprocessors."""
    each = MULTIPROCESSORS[adapter_class(target)]
    counted = list(zip(plan.dispatches, plan.executions(), strict=True))
    found = []
    for number, kernel in enumerate(plan.kernels):
        launches = [(d, times) for d, times in counted if d.kernel == number]
        group, words = workgroup(kernel.wgsl), registers(kernel.wgsl)
        count, bound = resident(group.invocations, group.shared_bytes, words, each)
        x_y_z = [d.workgroups[0] * d.workgroups[1] * d.workgroups[2] * times for d, times in launches]
        found.append(
            KernelUse(
                kernel.name,
                kernel.family,
                sum(times for _, times in launches),
                sum(x_y_z),
                group.invocations,
                group.shared_bytes,
                words,
                count,
                count * group.invocations / each.invocations,
                bound,
                sum((d.bytes_read + d.bytes_written) * times for d, times in launches),
                sum(d.flops * times for d, times in launches),
            )
        )
    return KernelReport(plan.target, tuple(sorted(found, key=lambda k: -k.bytes_moved)))
