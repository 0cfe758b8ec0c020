"""`graphc profile`: where the time of a model's training step goes, kernel by kernel."""

from __future__ import annotations

import json
from pathlib import Path

import click

import graphc
from graphc.cli.graph import program
from graphc.cli.settings import DEVICE, SET, WHAT
from graphc.inspect.profile import Profile
from graphc.models import MODELS


@click.command()
@click.argument("model", type=click.Choice(sorted(MODELS)))
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
    model: str,
    what: str,
    batch_size: int | None,
    settings: tuple[str, ...],
    repeat: int,
    device: str | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Time each kernel of MODEL.

    Prints them, the longest first; --out writes each dispatch to FILE.
    """
    if out is not None and out.suffix not in (".html", ".json", ".pftrace"):
        raise click.UsageError(f"--out {out}: need a name that ends in .html, .json or .pftrace")
    fn, arguments, donate = program(model, what, batch_size, settings)
    executable = graphc.compile(fn, device=graphc.device(device), donate=donate).lower(*arguments)
    found = executable.profile(*arguments, repeat=repeat)
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
