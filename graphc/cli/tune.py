"""`graphc tune`: measure the kernels of a model on this adapter, and keep the best of each."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, Final

import click

import graphc
from graphc.cli.settings import DEVICE, SET, WHAT, kernel_device
from graphc.cli.subject import program
from graphc.models import MODELS
from graphc.tuner import Finding, cache_path, tuning

SECONDS: Final = 60.0


@click.command()
@click.argument("model", type=click.Choice(sorted(MODELS)))
@WHAT
@click.option("--batch-size", type=click.IntRange(1), help="Examples a step.")
@SET
@click.option("--seconds", type=click.FloatRange(1), default=SECONDS, show_default=True, help="At most.")
@DEVICE
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
def tune(
    model: str,
    what: str,
    batch_size: int | None,
    settings: tuple[str, ...],
    seconds: float,
    device: str | None,
    as_json: bool,
) -> None:
    """Measure kernels on this adapter, and keep the best.

    The kernels of MODEL's program are tried in many ways, the costliest first. What is found is kept for this adapter
    and driver, and used by every later program with such kernels. A way whose results differ from the reference is
    rejected. GRAPHC_TUNE=off goes by the rules again.
    """
    chosen = kernel_device(device, "tune")
    fn, arguments, donate = program(model, what, batch_size, settings)
    with tuning("full", seconds, lambda line: click.echo(line, err=True)) as found:
        graphc.compile(fn, device=chosen, donate=donate).lower(*arguments)
    path = cache_path()
    if as_json:
        click.echo(
            json.dumps({"device": chosen.name, "cache": str(path), "found": [_data(f) for f in found]}, indent=1)
        )
        return
    for finding in found:
        click.echo(str(finding))
    better = sum(finding.choice != finding.rule for finding in found)
    click.echo(f"{len(found)} kernels measured now, {better} better than by rule; kept in {path}")


def _data(finding: Finding) -> dict[str, Any]:
    return {**asdict(finding), "gain": finding.gain}
