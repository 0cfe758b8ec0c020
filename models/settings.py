"""What models share in their configs: checks of sizes, defaults of training, and settings from the command line."""

from __future__ import annotations

import dataclasses
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


def require(config: Any, *names: str) -> None:
    """Raise ValueError naming the field of a config that should be a positive integer and is not."""
    for name in names:
        value = getattr(config, name)
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} is {value!r}: need a positive integer")


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
