"""What was measured of a program and of each of its dispatches."""

from __future__ import annotations

from dataclasses import dataclass

from graphc.plan.plan import Dispatch, Kernel


@dataclass(frozen=True, slots=True)
class Timing:
    """One dispatch, medians over the repeats. start: seconds after the first one began. seconds: how long it ran."""

    number: int
    dispatch: Dispatch
    kernel: Kernel
    start: float
    seconds: float

    @property
    def gflops(self) -> float:
        """Arithmetic rate in GFLOP/s; a multiply-add counts as two."""
        return self.dispatch.flops / self.seconds / 1e9 if self.seconds else 0.0

    @property
    def gbytes(self) -> float:
        """Memory rate in GB/s; each operand counts once."""
        moved = self.dispatch.bytes_read + self.dispatch.bytes_written
        return moved / self.seconds / 1e9 if self.seconds else 0.0


@dataclass(frozen=True, slots=True)
class Measured:
    """Times of a program; `Profile` says what each of them is."""

    name: str
    device: str
    method: str
    repeat: int
    total: float
    submit: float
    span: float
    timings: tuple[Timing, ...]

    @property
    def busy(self) -> float:
        """The sum of the dispatches' times."""
        return sum(t.seconds for t in self.timings)
