"""`graphc profile`: where the time of a model's training step or of a function goes, kernel by kernel."""

from __future__ import annotations

import json
from pathlib import Path

import click

import graphc
from graphc.cli.settings import ARG, DEVICE, GRAD, SET, WHAT
from graphc.cli.subject import SUBJECT, Wanted, find
from graphc.inspect.profile import Profile


@click.command()
@click.argument("subject", metavar=SUBJECT)
@ARG
@GRAD
@WHAT
@click.option("--batch-size", type=click.IntRange(1), help="Examples a step.")
@SET
@click.option("--repeat", type=click.IntRange(1), default=5, show_default=True, help="Calls to take the median of.")
@DEVICE
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help=".html: a waterfall; .json: a trace for Chrome and Perfetto; .pftrace: one in Perfetto's own format.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures of the whole program as JSON.")
def profile(
    subject: str,
    given: tuple[str, ...],
    grad: bool,
    what: str | None,
    batch_size: int | None,
    settings: tuple[str, ...],
    repeat: int,
    device: str | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Time each kernel of a model, run or function.

    Prints them, the longest first; --out writes each dispatch to FILE.
    """
    if out is not None and out.suffix not in (".html", ".json", ".pftrace"):
        raise click.UsageError(f"--out {out}: need a name that ends in .html, .json or .pftrace")
    looked = find(subject, Wanted(what, batch_size, settings, given, grad))
    found = looked.lower(graphc.device(device)).profile(*looked.filled(), repeat=repeat)
    click.echo(json.dumps(_summary(found)) if as_json else found.table())
    if out is not None:
        writers = {".html": found.to_html, ".json": found.to_chrome_trace, ".pftrace": found.to_perfetto}
        click.echo(str(writers[out.suffix](out)), err=True)


def _summary(profile: Profile) -> dict[str, object]:
    return {
        "device": profile.device,
        "method": profile.method,
        "repeat": profile.repeat,
        "dispatches": len(profile.timings),
        "total_seconds": profile.total,
        "submit_seconds": profile.submit,
        "kernel_seconds": profile.busy,
        "span_seconds": profile.span,
    }
