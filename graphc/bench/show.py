"""A benchmark report as a table for a terminal."""

from __future__ import annotations

from typing import Final

from rich.console import Console
from rich.table import Table

from graphc.bench.cold import show_cold
from graphc.bench.harness import CaseResult, Report, Sample

LEGEND: Final = (
    "unfused: one kernel an op as it stands, operands in buffers (attention: every other fusion)",
    "unfused, textures: the same, large products read textures that their operands are copied to",
    "us/dispatch: of recording a call; us/command: the same, with copies to textures and compute passes counted",
)


def show(report: Report, console: Console) -> None:
    """Print what was measured, one block a case, and which goals were met."""
    machine = report.machine
    console.print(report.device, highlight=False)
    console.print(f"{machine['cores']} cores, {machine['platform']}, {machine['date']}", highlight=False)
    console.print(f"NumPy {machine['numpy']}: {'; '.join(machine['blas']) or 'unknown BLAS'}", highlight=False)
    if report.results:
        console.print(_table(report), highlight=False)
        for line in LEGEND:
            console.print(line, highlight=False)
    if report.cold:
        show_cold(report.cold, console)
    for name, version in report.peers.items():
        console.print(f"{name}: {version}", highlight=False)
    for result in report.results:
        for name, reason in result.absent.items():
            console.print(f"{name} does not run {result.name}: {reason}", highlight=False, markup=False)
    for result in report.results:
        if (gain := result.metrics.get("tuned_gain")) is not None:
            better = [f for f in result.found if f.choice != f.rule]
            count = f"{len(result.found)} kernels measured now, {len(better)} better than by rule"
            console.print(f"tuned {result.name}: {gain:.2f}x ({count})", highlight=False)
            for finding in better:
                console.print(f"  {finding}", highlight=False, markup=False)
    for result in report.results:
        for goal, value, met in result.judged():
            mark = {True: "reached", False: "missed", None: "unknown"}[met]
            found = "not measured: --peers" if value is None else f"is {value:.4g}"
            console.print(f"{mark:8s} {result.name}: {goal}, {found}", highlight=False)


def _table(report: Report) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("benchmark")
    for name in (
        "ms",
        "x fused",
        "GFLOP/s",
        "peak",
        "GB/s",
        "copy",
        "dispatches",
        "MB moved",
        "host us",
        "us/dispatch",
        "us/command",
    ):
        table.add_column(name, justify="right")
    for result in report.results:
        table.add_row(f"[bold]{result.name}[/bold]", end_section=False)
        for name, sample in result.samples.items():
            table.add_row(*_row(name, sample, result))
    return table


def _row(name: str, sample: Sample, result: CaseResult) -> list[str]:
    base = result.samples["fused"].seconds
    row = [f"  {name}", f"{sample.seconds * 1e3:.3f}", f"{sample.seconds / base:.2f}"]
    if not sample.dispatches:
        return row
    row += [
        f"{sample.gflops:.1f}",
        f"{sample.gflops / result.peaks['multiply_add']:.0%}",
        f"{sample.gbytes:.1f}",
        f"{sample.gbytes / result.peaks['copy']:.0%}",
        f"{sample.dispatches:.4g}",
        f"{sample.bytes / 1e6:.1f}",
    ]
    host = [f"{sample.host_us:.0f}", f"{sample.encode_us:.2f}", f"{sample.command_us:.2f}"]
    return [*row, *host] if sample.host_us else row
