"""Options that several commands share."""

from __future__ import annotations

from typing import Any, Final

import click

from graphc.models import MODELS
from graphc.models.settings import parse_settings
from graphc.models.train import OPTIMIZERS

DATA: Final = click.option(
    "--data",
    "source",
    metavar="FILE|NAME",
    help="A text file, or names or shakespeare, which are downloaded once.  [default: first names that come along]",
)
DEVICE: Final = click.option("--device", help="wgpu, wgpu:1 or numpy: `graphc devices` lists them, the default first.")
OPTIMIZER: Final = click.option("--optimizer", type=click.Choice(sorted(OPTIMIZERS)), help="How gradients are used.")
SET: Final = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="A field of the model's Config, such as hidden=200. May be given again; an unknown one lists all.",
)
WHAT: Final = click.option(
    "--what",
    type=click.Choice(["forward", "training"]),
    default="training",
    show_default=True,
    help="The logits alone, or a whole step: loss, gradient and update.",
)


def settings_of(model: str, pairs: tuple[str, ...]) -> dict[str, Any]:
    """The settings that --set gives for a model; raises UsageError for a name or value that its config has not."""
    try:
        return parse_settings(MODELS[model].Config, pairs)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
