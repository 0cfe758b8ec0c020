"""`graphc lr-find`: a learning-rate sweep, its plot and a suggestion."""

from __future__ import annotations

import json
from pathlib import Path

import click

import graphc
from graphc.cli.progress import reporter
from graphc.cli.settings import BATCH_SIZE, DATA, DEVICE, OPTIMIZER, SEED, SET, Finite
from graphc.cli.train import new_run
from graphc.errors import DataError
from graphc.models import MODELS, data, plots
from graphc.models.lr_find import sweep
from graphc.models.settings import SettingError


@click.command("lr-find")
@click.argument("model", type=click.Choice(sorted(MODELS)))
@DATA
@click.option("--steps", type=click.IntRange(2), default=1000, show_default=True, help="Rates that are tried.")
@click.option("--low", type=Finite(), default=-3.0, show_default=True, help="Exponent of the first rate, to base 10.")
@click.option("--high", type=Finite(), default=0.0, show_default=True, help="Exponent of the last rate.")
@BATCH_SIZE
@OPTIMIZER
@click.option("--seed", type=SEED, default=0, show_default=True)
@SET
@DEVICE
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE.svg", help="The plot.  [default: MODEL-lr.svg]")
@click.option("--json", "as_json", is_flag=True, help="Print rates, losses and the suggestion as JSON.")
def lr_find(
    model: str,
    source: str | None,
    steps: int,
    low: float,
    high: float,
    batch_size: int | None,
    optimizer: str | None,
    seed: int,
    settings: tuple[str, ...],
    device: str | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Suggest a learning rate for MODEL.

    Trains for a while with a growing rate and plots the losses over it.
    """
    if high <= low:
        raise click.UsageError(f"--high {high:g} must be above --low {low:g}")
    run = new_run(model, source, steps, batch_size=batch_size, optimizer=optimizer, seed=seed, settings=settings)
    show = reporter()
    try:
        found = sweep(run, data.load(source), low, high, device=graphc.device(device), reporter=show)
    except SettingError as error:
        raise click.UsageError(f"{model}: {error}") from error
    except (TypeError, ValueError) as error:
        raise DataError(f"{model}: {error}") from error
    if plots.available():
        path = out or Path(f"{model}-lr.svg")
        path.parent.mkdir(parents=True, exist_ok=True)
        show.note(f"drawn: {plots.lr_curve(found.rates, found.losses, found.suggestion, path)}")
    else:
        show.note(plots.MISSING)
    if as_json:
        click.echo(
            json.dumps({"rates": found.rates.tolist(), "losses": found.losses.tolist(), "suggestion": found.suggestion})
        )
    else:
        click.echo(f"{found.suggestion:.3g}")
