"""`graphc sample`: text from a trained run."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

import graphc
from graphc.cli.settings import DEVICE, SEED, Finite
from graphc.errors import CheckpointError
from graphc.models import MODELS
from graphc.models.data import Vocabulary
from graphc.models.rundir import RunDirectory


@dataclass(frozen=True)
class Saved:
    """A trained model as its newest checkpoint holds it."""

    name: str
    params: Any
    config: Any
    vocabulary: Vocabulary
    step: int


def load_run(path: Path) -> Saved:
    """The model of a run directory. Raises DataError or CheckpointError naming the file."""
    directory = RunDirectory(path)
    raw = directory.read_config()
    params, _, step = directory.load_newest()
    try:
        model = MODELS[raw["model"]]
        config = model.Config(**raw["config"])
        vocabulary = Vocabulary(str(raw["vocabulary"]))
    except KeyError as error:
        raise CheckpointError(f"{path / 'config.json'}: not the config of a run: it has no {error}") from error
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"{path / 'config.json'}: not the config of a run: {error}") from error
    if config.vocab_size < len(vocabulary.characters):
        text = f"{len(vocabulary.characters)} characters, and the model has {config.vocab_size} tokens"
        raise CheckpointError(f"{path / 'config.json'}: not the config of a run: the vocabulary has {text}")
    directory.check({"params": params}, {"params": model.init(graphc.random.key(0), config)})
    return Saved(raw["model"], params, config, vocabulary, step)


@click.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--prompt", default="", metavar="TEXT", help="How each sample begins.")
@click.option("--temperature", type=Finite(0), default=0.5, show_default=True, help="0: the likeliest.")
@click.option("--top-k", type=click.IntRange(1), help="Draw among the K likeliest tokens only.")
@click.option("--count", type=click.IntRange(1), help="Samples.  [default: 20; 1 of gpt]")
@click.option("--length", type=click.IntRange(1), metavar="N", help="Longest sample, in tokens.")
@click.option("--seed", type=SEED, default=0, show_default=True)
@DEVICE
@click.option("--json", "as_json", is_flag=True, help="Print the samples as a JSON list.")
def sample(
    directory: Path,
    prompt: str,
    temperature: float,
    top_k: int | None,
    count: int | None,
    length: int | None,
    seed: int,
    device: str | None,
    as_json: bool,
) -> None:
    """Print samples of the model trained in DIR, one a line."""
    saved = load_run(directory)
    model = MODELS[saved.name]
    samples = model.sample(
        saved.params,
        graphc.random.key(seed),
        saved.config,
        count=count or model.DEFAULTS.samples,
        prompt=tuple(saved.vocabulary.encode(prompt)),
        temperature=temperature,
        top_k=top_k,
        length=length,
        device=graphc.device(device),
    )
    texts = [saved.vocabulary.decode(tokens) for tokens in samples]
    click.echo(json.dumps(texts) if as_json else "\n".join(texts))
