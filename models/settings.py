"""What models share in their configs: checks of sizes, defaults of training, and settings from the command line."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Defaults:
    """How a model is trained unless the user says otherwise.

    batch_size: 0 takes all examples in each step. rate: the learning rate. decay: "constant", "linear" or "cosine"
    (over all steps down to 0), or "step" (to a tenth after half of them). options: more arguments of the optimizer,
    used when it is the one named here. warmup, clip, evaluate_every: see RunConfig. samples: how many samples
    `graphc sample` shows.
    """

    steps: int
    batch_size: int
    optimizer: str
    rate: float
    decay: str = "constant"
    options: Mapping[str, float] = field(default_factory=dict)
    warmup: int = 0
    clip: float = 0.0
    evaluate_every: int = 500
    samples: int = 20


class SettingError(ValueError):
    """A setting that no model could have, whatever the others are."""


def require(config: Any, *names: str) -> None:
    """Raise SettingError naming the field of a config that should be a positive integer and is not."""
    for name in names:
        value = getattr(config, name)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise SettingError(f"{name} is {value!r}: need a positive integer")


def require_between(
    config: Any, low: float, high: float, *names: str, open_low: bool = False, closed_high: bool = False
) -> None:
    """Raise SettingError naming the field of a config that should be a number from low up to, but not, high.

    open_low, closed_high: low is not one of them, high is. None stands for a default, and is fine.
    """
    for name in names:
        value = getattr(config, name)
        if value is None:
            continue
        if not (low < value < high or (value == low and not open_low) or (value == high and closed_high)):
            needed = f"{'above' if open_low else 'of at least'} {low:g}"
            if high < math.inf:
                needed += f" and {'at most' if closed_high else 'below'} {high:g}"
            raise SettingError(f"{name} is {value!r}: need a number {needed}")


def make_config(config: type[Any], characters: int, settings: Mapping[str, Any]) -> Any:
    """The config of a model for data of so many tokens. Raises SettingError for fewer than there are."""
    found = config(**{"vocab_size": characters, **settings})
    if found.vocab_size < characters:
        raise SettingError(f"vocab_size is {found.vocab_size}: the data need {characters} tokens")
    return found


def parse_settings(config: type[Any], pairs: tuple[str, ...]) -> dict[str, Any]:
    """Settings "name=value" as values of the types of a config's fields.

    Raises ValueError naming the fields there are, or the type that was needed.
    """
    kinds = typing.get_type_hints(config)
    fields = {f.name: kinds[f.name] for f in dataclasses.fields(config)}
    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or name not in fields:
            raise ValueError(f"--set {pair}: need name=value with a name of {', '.join(fields)}")
        found[name] = _parse(name, text, fields[name])
    return found


def _parse(name: str, text: str, kind: Any) -> Any:
    if isinstance(kind, types.UnionType):
        if text.lower() == "none":
            return None
        kind = next(option for option in kind.__args__ if option is not type(None))
    try:
        if kind is bool:
            return {"true": True, "1": True, "false": False, "0": False}[text.lower()]
        return kind(text)
    except (KeyError, ValueError) as error:
        raise ValueError(f"--set {name}={text}: need a value of type {kind.__name__}") from error
