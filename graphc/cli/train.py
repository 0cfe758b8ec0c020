"""`graphc train` and `graphc demo`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import click
import numpy as np

import graphc
from graphc.cli.progress import reporter
from graphc.cli.settings import BATCH_SIZE, DATA, DEVICE, OPTIMIZER, SEED, SET, Finite, settings_of
from graphc.errors import DataError
from graphc.models import MODELS, data, plots
from graphc.models.rundir import RunDirectory, unused_directory
from graphc.models.settings import SettingError
from graphc.models.train import DECAYS, RunConfig, Trained, training_step
from graphc.models.train import train as train_model

DEMO_NAMES: Final = 20
DEMO_SEED: Final = 42


@click.command()
@click.argument("model", type=click.Choice(sorted(MODELS)), required=False)
@DATA
@click.option("--steps", type=click.IntRange(1), help="Steps in total.")
@BATCH_SIZE
@click.option("--lr", type=Finite(0, min_open=True), help="Learning rate at the start.")
@click.option("--decay", type=click.Choice(DECAYS), help="How the learning rate falls over the steps.")
@click.option("--warmup", type=click.IntRange(0), help="Steps in which the learning rate rises from 0.")
@click.option("--clip", type=Finite(0), help="Largest norm of all gradients together; 0: any.")
@click.option("--evaluate-every", type=click.IntRange(0), metavar="N", help="Steps between evaluations; 0: none.")
@OPTIMIZER
@click.option("--seed", type=SEED, help="Of the first parameters and the order of the data.  [default: 0]")
@SET
@DEVICE
@click.option("--out", type=click.Path(path_type=Path), help="Directory of the run.  [default: runs/MODEL-N]")
@click.option("--resume", type=click.Path(path_type=Path), metavar="DIR", help="Go on with the run in DIR.")
@click.option("--checkpoint-every", type=click.IntRange(1), default=500, show_default=True, metavar="N")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def train(
    model: str | None,
    source: str | None,
    steps: int | None,
    out: Path | None,
    resume: Path | None,
    device: str | None,
    checkpoint_every: int,
    as_json: bool,
    **options: Any,
) -> None:
    """Train MODEL and write the run to a directory.

    What is not given is as the model likes it. The run holds config.json, metrics.jsonl, checkpoints and plots. With
    --resume, everything but --steps and --device is taken from the run.
    """
    if resume is not None:
        if out or source or any(value not in (None, ()) for value in options.values()):
            raise click.UsageError("--resume takes its settings from the run: only --steps and --device may be given")
        directory = RunDirectory(resume, checkpoint_every)
        run = RunConfig.from_json(directory.read_config())
        if model not in (None, run.model):
            raise click.UsageError(f"{resume} holds a run of {run.model}, not of {model}")
        run = replace(run, steps=steps or run.steps)
    else:
        if model is None:
            raise click.UsageError("Missing argument 'MODEL'.")
        run = new_run(model, source, steps, **options)
        directory = RunDirectory(out or unused_directory(model), checkpoint_every)
        if directory.exists:
            raise DataError(f"{directory.path} already holds a run: go on with --resume, or choose another --out")
    chosen = graphc.device(device)
    trained = _train(run, directory, resume is not None, chosen)
    _draw_plots(run, trained, directory.path)
    result = {
        "directory": str(directory.path),
        "model": run.model,
        "steps": trained.steps,
        "loss": trained.losses[-1] if trained.losses else None,
        "interrupted": trained.interrupted,
    }
    click.echo(json.dumps(result) if as_json else f"{directory.path}")
    if trained.interrupted:
        raise click.ClickException(
            f"interrupted after {trained.steps} of {run.steps} steps; go on with: "
            f"graphc train {run.model} --resume {directory.path}"
        )


@click.command()
@click.option("--out", type=click.Path(path_type=Path), default=Path("demo"), show_default=True, help="Directory.")
@click.option("--steps", type=click.IntRange(1), default=1000, show_default=True)
@click.option("--data", "source", metavar="FILE|NAME", help="Names to learn from, one a line.")
@DEVICE
def demo(out: Path, steps: int, source: str | None, device: str | None) -> None:
    """Train microGPT on names, invent some, draw the program."""
    run = replace(new_run("microgpt", source, steps), seed=DEMO_SEED, evaluate_every=0)
    directory = RunDirectory(out, every=steps)
    if directory.exists and directory.read_config().get("model") != run.model:
        raise DataError(f"{out} holds another run: choose another --out")
    chosen = graphc.device(device)
    show = reporter()
    show.note(f"microGPT: {run.steps} steps on {source or 'the built-in names'}, on {chosen.name}")
    trained = _train(run, directory, False, chosen)
    if trained.interrupted:
        raise click.ClickException(f"interrupted after {trained.steps} of {run.steps} steps")
    model = MODELS[run.model]
    key = graphc.random.key(DEMO_SEED)
    invented = model.sample(trained.params, key, trained.config, count=DEMO_NAMES, device=chosen)
    for tokens in invented:
        click.echo(trained.vocabulary.decode(tokens))
    picture = out / "microgpt.svg"
    draw_training(run, trained, chosen, picture)
    if picture.exists():  # where no Graphviz is, drawing has said so and left its source
        show.note(f"the training step, drawn by graphc: {picture}")
    show.note(f"more names: graphc sample {out}")


def _draw_plots(run: RunConfig, trained: Trained, path: Path) -> None:
    """Draw the curves of a run and what the model learned into its directory, or say in one line what it takes."""
    show = reporter()
    if not plots.available():
        show.note(plots.MISSING)
        return
    params = graphc.tree.map(np.asarray, trained.params)
    drawn = plots.draw_run(path, MODELS[run.model], params, trained.config, trained.vocabulary)
    show.note(f"drawn: {', '.join(str(file) for file in drawn)}")


def draw_training(run: RunConfig, trained: Trained, device: Any, path: Path) -> None:
    """Write the drawing of the fused training step of a run."""
    model = MODELS[run.model]
    optimizer = run.make_optimizer()
    x, y = model.batches(data.load(run.data), trained.config, run.batch_size, run.seed)(0)
    state = optimizer.init(trained.params)
    step = graphc.compile(training_step(model, trained.config, optimizer), device=device, donate=("params", "state"))
    step.lower(trained.params, state, x, y).stages[-1][1].to_svg(path)


def new_run(
    model: str,
    source: str | None,
    steps: int | None,
    batch_size: int | None = None,
    lr: float | None = None,
    decay: str | None = None,
    optimizer: str | None = None,
    seed: int | None = None,
    settings: tuple[str, ...] = (),
    warmup: int | None = None,
    clip: float | None = None,
    evaluate_every: int | None = None,
) -> RunConfig:
    """A run of a model with its defaults for what is not given."""
    given: dict[str, Any] = {
        "steps": steps,
        "batch_size": batch_size,
        "optimizer": optimizer,
        "rate": lr,
        "decay": decay,
        "warmup": warmup,
        "clip": clip,
        "evaluate_every": evaluate_every,
    }
    defaults = MODELS[model].DEFAULTS
    chosen: dict[str, Any] = {
        name: getattr(defaults, name) if value is None else value for name, value in given.items()
    }
    return RunConfig(model=model, data=source, seed=seed or 0, settings=settings_of(model, settings), **chosen)


def _train(run: RunConfig, directory: RunDirectory, resume: bool, device: Any) -> Trained:
    """Train with progress shown. Raises UsageError for settings without sense, DataError for sizes that do not fit."""
    corpus = data.load(run.data)
    try:
        MODELS[run.model].configure(corpus, **run.settings)
    except SettingError as error:
        raise click.UsageError(f"{run.model}: {error}") from error
    except (TypeError, ValueError) as error:
        raise DataError(f"{run.model}: {error}") from error
    return train_model(run, corpus, directory, resume=resume, device=device, reporter=reporter())
