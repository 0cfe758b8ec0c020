"""What a selftest found: a table for a terminal, data for programs, and a script that reproduces the first failure."""

from __future__ import annotations

import datetime
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from graphc.runtime import Device
from graphc.selftest.runner import Outcome

FAILURE: Final = "graphc-selftest-failure.py"
"""The file that reproduces the first failure, in the current folder."""


@dataclass(frozen=True, slots=True)
class Report:
    """All outcomes, and what they were found on. seconds: of the whole run."""

    device: str
    features: Sequence[str]
    outcomes: Sequence[Outcome]
    seconds: float

    @staticmethod
    def of(device: Device, outcomes: Sequence[Outcome], seconds: float) -> Report:
        """The report of a run on a device."""
        adapter = getattr(device, "adapter", None)
        return Report(f"{device.name}: {adapter}", sorted(device.features), outcomes, seconds)

    def count(self, state: str) -> int:
        """How many cases have this state."""
        return sum(outcome.state == state for outcome in self.outcomes)

    @property
    def failed(self) -> list[Outcome]:
        """The outcomes of cases that failed."""
        return [outcome for outcome in self.outcomes if outcome.state == "failed"]

    def to_data(self) -> dict[str, Any]:
        """As plain data for JSON."""
        return {
            "device": self.device,
            "features": list(self.features),
            "platform": platform.platform(),
            "date": datetime.date.today().isoformat(),
            "seconds": self.seconds,
            "passed": self.count("passed"),
            "failed": self.count("failed"),
            "not run": self.count("not run"),
            "cases": [asdict(outcome) for outcome in self.outcomes],
        }


def script(report: Report, outcome: Outcome, device: str | None) -> str:
    """A Python program that runs a case again, with all that is known of its failure."""
    about = (
        f"graphc selftest: {outcome.name} failed.\n\n{outcome.detail}\n\n{report.device}\n"
        f"features: {', '.join(report.features) or 'none'}\n{platform.platform()}\n\n{outcome.text}\n"
    )
    quoted = about.replace("\\", "\\\\").replace('"', '\\"')
    return (
        f'"""{quoted}"""\n\nfrom graphc.selftest import reproduce\n\nreproduce({outcome.name!r}, device={device!r})\n'
    )


def write_failure(report: Report, device: str | None, folder: Path) -> Path | None:
    """Write the script of the first failure; None where nothing failed."""
    if not report.failed:
        return None
    path = folder / FAILURE
    path.write_text(script(report, report.failed[0], device), encoding="utf-8")
    return path


def show(report: Report, console: Console) -> None:
    """Print a row a case, and how many passed."""
    table = Table(box=None, pad_edge=False)
    table.add_column("case")
    table.add_column("")
    for name in ("kernels", "ms", "GFLOP/s", "GB/s"):
        table.add_column(name, justify="right")
    table.add_column("")
    for outcome in report.outcomes:
        table.add_row(outcome.name, outcome.state, *_speed(outcome), outcome.detail)
    console.print(report.device, highlight=False, markup=False)
    console.print(table, highlight=False, markup=False)
    counts = ", ".join(f"{report.count(state)} {state}" for state in ("passed", "failed", "not run"))
    console.print(f"{counts}, in {report.seconds:.0f} s", highlight=False)


def _speed(outcome: Outcome) -> list[str]:
    kernels = str(outcome.kernels) if outcome.kernels else ""
    if not outcome.seconds:
        return [kernels, "", "", ""]
    rates = [f"{amount / outcome.seconds / 1e9:.2f}" for amount in (outcome.flops, outcome.nbytes)]
    return [kernels, f"{outcome.seconds * 1e3:.3f}", *rates]
