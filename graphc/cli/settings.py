"""`--set KEY=VALUE`, which several commands share."""

from __future__ import annotations

from typing import Any

import click

from graphc.models import MODELS
from graphc.models.settings import parse_settings


def settings_of(model: str, pairs: tuple[str, ...]) -> dict[str, Any]:
    """The settings that --set gives for a model; raises UsageError for a name or value that its config has not."""
    try:
        return parse_settings(MODELS[model].Config, pairs)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
