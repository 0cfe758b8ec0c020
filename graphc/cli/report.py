"""`graphc report`: everything about a model's step, a run or a function, in one HTML page."""

from __future__ import annotations

import inspect
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
import numpy as np

import graphc
from graphc.cli.sample import Saved
from graphc.cli.settings import ARG, DEVICE, GRAD, SET, TARGET, WHAT
from graphc.cli.subject import SUBJECT, Subject, Wanted, find
from graphc.executable import Executable
from graphc.models import MODELS

if TYPE_CHECKING:
    from graphc.bench.peaks import Peak

FEW: Final = 3
"""Calls of which a peak is the best."""

ATTENDED: Final = 48
"""Characters of a text whose attention is shown."""


@click.command()
@click.argument("subjects", metavar=f"{SUBJECT} [OTHER]", nargs=-1, required=True)
@ARG
@GRAD
@WHAT
@click.option("--batch-size", type=click.IntRange(1), help="Examples a step.")
@SET
@click.option("--repeat", type=click.IntRange(1), default=5, show_default=True, help="Calls to take the median of.")
@click.option("--prompt", metavar="TEXT", help="Of a run with attention: the text whose maps are shown.")
@click.option("--no-profile", is_flag=True, help="Run nothing: the page has no times.")
@DEVICE
@TARGET
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", required=True, help="The page.")
def report(
    subjects: tuple[str, ...],
    given: tuple[str, ...],
    grad: bool,
    what: str | None,
    batch_size: int | None,
    settings: tuple[str, ...],
    repeat: int,
    prompt: str | None,
    no_profile: bool,
    device: str | None,
    target: str | None,
    out: Path,
) -> None:
    """Write all that is known of a model, run or function as a page.

    It is one HTML file that loads nothing: source lines, ops, passes, kernels, memory and times of the step, linked to
    each other. With a second one, the page compares the two. With --target, the program is planned for an
    adapter of that kind, which need not be there, and is not run.
    """
    from graphc.report import describe, page
    from graphc.report.compare import beside

    if len(subjects) > 2:
        raise click.UsageError(f"{len(subjects)} were given: a report has one, or compares two")
    chosen = graphc.device("numpy" if target and not device else device)

    def described(subject: str) -> dict[str, Any]:
        measured = not (no_profile or target)
        found = find(subject, Wanted(what, batch_size, settings, given, grad))
        more = _beside(found, chosen if measured else None, prompt)
        executable = found.lower(chosen, target)
        profile = executable.profile(*found.filled(), repeat=repeat) if measured else None
        return {**describe(executable, profile, _peaks(executable) if measured else None), **more}

    first, *others = map(described, subjects)
    more = {"beside": beside(others[0])} if others else {}
    out.write_text(page({**first, **more}), encoding="utf-8")
    click.echo(str(out))


def _beside(found: Subject, device: graphc.Device | None, prompt: str | None) -> dict[str, Any]:
    """What the page shows beside the program. device: where a run's samples are drawn; None for none. prompt: whose
    attention is shown."""
    saved, directory = found.saved, found.directory
    if saved is None or directory is None:
        if prompt is not None:
            raise click.UsageError("--prompt is for runs: a model that was not trained looks nowhere")
        return {}
    from graphc.report.runs import run_document, sample_text

    samples = _samples(saved, device) if device else []
    maps = _attention(saved, max(samples, key=len, default="") if prompt is None else prompt, prompt is not None)
    shown = [sample_text(text) for text in samples]
    return {"run": {**run_document(directory), "samples": shown, "attention": maps}}


def _attention(saved: Saved, text: str, asked: bool) -> dict[str, Any] | None:
    """Where the newest checkpoint of a run looks, on a text; None for a model without attention."""
    from graphc.report.runs import attention_document

    apply = MODELS[saved.name].apply
    if "looked" not in inspect.signature(apply).parameters:
        if asked:
            raise click.UsageError(f"--prompt: {saved.name} has no attention")
        return None
    text = text[: min(saved.config.context, ATTENDED)]
    if not text:
        return None
    looked: list[Any] = []
    tokens = np.array([saved.vocabulary.encode(text)], np.int32)
    apply(graphc.tree.map(np.asarray, saved.params), tokens, saved.config, looked=looked)
    return attention_document(text, np.stack([weights[0] for weights in looked]))


def _samples(saved: Saved, device: graphc.runtime.Device) -> list[str]:
    """What the newest checkpoint of a run writes."""
    from graphc.report.runs import SAMPLES

    model = MODELS[saved.name]
    count = min(SAMPLES, model.DEFAULTS.samples)
    found = model.sample(saved.params, graphc.random.key(0), saved.config, count=count, device=device)
    return [saved.vocabulary.decode(tokens) for tokens in found]


def _peaks(executable: Executable) -> tuple[float, float] | None:
    """FLOP/s and bytes/s that the device was measured to reach, with small kernels that do nothing else."""
    device = executable.device
    if not device.needs_plan:
        return None
    from graphc.bench import peaks  # they need wgpu, which may be missing

    return _rate(peaks.multiply_add(device)), _rate(peaks.kernel_copy(device))


def _rate(peak: Peak) -> float:
    """What it does in a second, the best of a few calls after a first one."""
    peak()
    found = []
    for _ in range(FEW):
        begin = time.perf_counter()
        peak()
        found.append(time.perf_counter() - begin)
    return peak.work / min(found)
