"""Options that several commands share."""

from __future__ import annotations

import math
from typing import Any, Final

import click

import graphc
from graphc.errors import ArgumentError, DeviceError
from graphc.models import MODELS
from graphc.models.settings import parse_settings
from graphc.models.train import OPTIMIZERS


class Finite(click.FloatRange):
    """A number of a range that is neither infinite nor NaN."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> Any:
        """The number; fails for others."""
        found = super().convert(value, param, context)
        return found if math.isfinite(found) else self.fail(f"{value} is not a finite number.", param, context)


SEED: Final = click.IntRange(-(1 << 63), (1 << 64) - 1)
"""Seeds: what 64 bits hold."""


def kernel_device(name: str | None, command: str) -> graphc.runtime.Device:
    """The device of this name, or the default one; raises DeviceError where it runs no kernels."""
    chosen = graphc.device(name)
    if not chosen.needs_plan:
        raise DeviceError(f"device {chosen.name} runs no kernels: {command} needs a WebGPU adapter")
    return chosen


def _examples(context: click.Context, param: click.Parameter, value: str | None) -> int | None:
    """A number of examples, or all of them, which counts as 0."""
    if value is None:
        return None
    if value != "all" and not (value.isascii() and value.isdecimal() and len(value) < 20 and int(value) > 0):
        raise click.BadParameter(f"{value!r} is neither a number above 0 nor all.", context, param)
    return 0 if value == "all" else int(value)


DATA: Final = click.option(
    "--data",
    "source",
    metavar="FILE|NAME",
    help="A text file, or names or shakespeare, which are downloaded once.  [default: first names that come along]",
)
DEVICE: Final = click.option("--device", help="wgpu, wgpu:1 or numpy: `graphc devices` lists them, the default first.")


def _target(context: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if value is not None:
        try:
            graphc.targets.check(value)
        except ArgumentError as error:
            raise click.BadParameter(str(error), context, param) from error
    return value


TARGET: Final = click.option(
    "--target",
    metavar="CLASS[,...]",
    callback=_target,
    help="Plan for another kind of adapter: discrete, integrated, software or baseline; words behind it change it: "
    "discrete,no-subgroup or discrete,subgroup=16,no-f16.",
)
BATCH_SIZE: Final = click.option(
    "--batch-size",
    metavar="N|all",
    callback=_examples,
    help="Examples a step; all: every one there is, where the data are names.",
)
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
    help="Of a model or run: the logits alone, or a whole step: loss, gradient and update.  [default: training]",
)
ARG: Final = click.option(
    "--arg",
    "given",
    multiple=True,
    metavar="TYPE",
    help='Of FILE.py:FUNCTION, once an argument: "f32[32,64]", "i32[8]<10" (integers below 10), '
    '"{w: f32[3], b: f32[]}", or 0.5, which is compiled in; "x=f32[3]" by name.',
)
GRAD: Final = click.option(
    "--grad", is_flag=True, help="Of FILE.py:FUNCTION: its value with the gradient by its first argument."
)


def settings_of(model: str, pairs: tuple[str, ...]) -> dict[str, Any]:
    """The settings that --set gives for a model; raises UsageError for a name or value that its config has not."""
    try:
        return parse_settings(MODELS[model].Config, pairs)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
