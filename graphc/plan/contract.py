"""Contract: what a compiled program will take, known before anything is allocated or run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from graphc.ir.text import wrapped
from graphc.ir.types import TensorType
from graphc.plan.plan import Plan
from graphc.plan.report import MemoryReport

CALL_SECONDS: Final = 300e-6
DISPATCH_SECONDS: Final = 1.3e-6
"""What a call costs the host whatever it holds, and each dispatch in it. Rough: a training step of 16 dispatches took
0.36 ms of processor time (arguments, encoding, submit, reading the loss) on a shared two-core machine."""


@dataclass(frozen=True, slots=True)
class Contract:
    """What one program takes. Times in seconds, sizes in bytes.

    parameters, parameter_bytes: elements and bytes of the argument `params`, or of the first one where none is called
    so. peak_bytes: what lives beside arguments and results at most. total_bytes: device memory in all: the peak,
    textures, arguments, constants, and results that take over no argument. dispatches, flops and bytes_moved are those
    of a whole call, a loop's body counted once for each of its steps; a multiply-add counts as two, and what dispatches
    read and write is moved. encode_seconds: what the host is expected to spend on each call, whatever the GPU needs.
    target: what the plan was made for, in words.
    """

    parameters: int
    parameter_bytes: int
    peak_bytes: int
    total_bytes: int
    dispatches: int
    flops: int
    bytes_moved: int
    encode_seconds: float
    target: str = ""

    def __str__(self) -> str:
        planned = f"; planned for {self.target}" if self.target else ""
        return wrapped(
            f"{self.parameters:,} parameters ({_short(self.parameter_bytes)}B); "
            f"device memory {_short(self.total_bytes)}B, {_short(self.peak_bytes)}B of it temporary; "
            f"a call: {self.dispatches:,} dispatches, {_short(self.flops)}FLOP, {_short(self.bytes_moved)}B moved, "
            f"about {self.encode_seconds * 1e3:.2f} ms to encode{planned}"
        )


def contract(plan: Plan, memory: MemoryReport, arguments: Sequence[tuple[str, TensorType]]) -> Contract:
    """The contract of a plan. arguments: name and type of each leaf, in order."""
    roots = [re.split(r"[\[.]", name, maxsplit=1)[0] for name, _ in arguments]
    wanted = "params" if "params" in roots else next(iter(roots), "")
    parameters = [kind for root, (_, kind) in zip(roots, arguments, strict=True) if root == wanted]
    counted = list(zip(plan.dispatches, plan.executions(), strict=True))
    dispatches = sum(times for _, times in counted)
    return Contract(
        parameters=sum(kind.size for kind in parameters),
        parameter_bytes=sum(kind.nbytes for kind in parameters),
        peak_bytes=memory.peak_bytes,
        total_bytes=sum(
            (memory.peak_bytes, memory.texture_bytes, memory.input_bytes, memory.constant_bytes, memory.output_bytes)
        ),
        dispatches=dispatches,
        flops=sum(d.flops * times for d, times in counted),
        bytes_moved=sum((d.bytes_read + d.bytes_written) * times for d, times in counted),
        encode_seconds=CALL_SECONDS + DISPATCH_SECONDS * dispatches,
        target=plan.target,
    )


def _short(count: int) -> str:
    """A count with three digits and a decimal prefix: "12.3 k"."""
    for prefix, size in (("T", 10**12), ("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if count >= size:
            return f"{count / size:.3g} {prefix}"
    return f"{count} "
