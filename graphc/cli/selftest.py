"""`graphc selftest`: every kernel family against the reference, on this adapter."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Final

import click
from rich.console import Console

import graphc
from graphc.selftest.runner import SECONDS, Outcome

PLAIN_WIDTH: Final = 160
"""Columns of the table where stdout is no terminal."""


@click.command()
@click.option("--device", help="wgpu or wgpu:1.")
@click.option(
    "--json", "target", type=click.Path(path_type=Path, allow_dash=True), metavar="FILE", help="- for stdout."
)
@click.option("--only", default="", metavar="TEXT", help="Cases whose names contain it, as 'matmul'.")
@click.option(
    "--seconds", type=click.FloatRange(1), default=SECONDS, show_default=True, help="After which no other case begins."
)
def selftest(device: str | None, target: Path | None, only: str, seconds: float) -> None:
    """Is what this adapter computes right?

    Compiles programs of every kernel family at sizes where kernels have their edges, compares results with the NumPy
    reference, runs each again to the same bytes, and shows how fast it was. Elementary functions are held to float64.
    Where a case fails, the status is 1 and a script that reproduces the first failure is written to this folder.
    """
    from graphc.selftest.report import Report, show, write_failure
    from graphc.selftest.runner import run

    chosen = graphc.device(device)
    begin = time.monotonic()

    def note(outcome: Outcome) -> None:
        if outcome.state == "failed":
            click.echo(f"FAILED   {outcome.name}: {outcome.detail}", err=True)

    outcomes = run(chosen, only=only, seconds=seconds, note=note)
    if not outcomes:
        raise click.UsageError(f"no case has {only!r} in its name")
    report = Report.of(chosen, outcomes, time.monotonic() - begin)
    text = json.dumps(report.to_data(), indent=1)
    if target is not None and str(target) == "-":
        click.echo(text)
    else:
        if target is not None:
            target.write_text(text + "\n", encoding="utf-8")
        console = Console()
        show(report, console if console.is_terminal else Console(width=PLAIN_WIDTH))
    path = write_failure(report, device, Path.cwd())
    if path is not None:
        raise click.ClickException(f"{len(report.failed)} cases failed; python {path.name} reproduces the first")
