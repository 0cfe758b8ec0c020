"""`graphc bench`: fused against unfused, NumPy and the limit of the adapter, in one run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console

from graphc.cli import subject
from graphc.cli.settings import ARG, GRAD, WHAT, kernel_device
from graphc.ir.graph import Graph
from graphc.ir.value import BACKWARD
from graphc.tuner import SECONDS

PLAIN_WIDTH: Final = 120
"""Columns of the table where stdout is no terminal."""


@click.command()
@click.argument("names", nargs=-1, metavar="[kernels|models|programs|cold|NAME|RUN|FILE.py:FUNCTION]...")
@ARG
@GRAD
@WHAT
@click.option(
    "--json", "target", type=click.Path(path_type=Path, allow_dash=True), metavar="FILE", help="- for stdout."
)
@click.option("--repeat", type=click.IntRange(1), default=7, show_default=True, help="Turns of each variant.")
@click.option("--small", is_flag=True, help="Tiny sizes: to see that everything runs, not how fast.")
@click.option("--device", help="wgpu or wgpu:1.")
@click.option("--tune", is_flag=True, help="Measure kernels and keep the best; compare with the rules' choices.")
@click.option(
    "--tune-seconds", type=click.FloatRange(1), default=SECONDS, show_default=True, help="At most, for each program."
)
@click.option("--peers", is_flag=True, help="PyTorch and tinygrad take turns too, where they are installed.")
@click.option("--peers-python", metavar="PATH", help="The Python interpreter that has them (implies --peers).")
@click.option(
    "--gpu-report",
    "gpu_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Measure this GPU in minutes and write FILE (.md or .json), beside PyTorch on CUDA where there is one.",
)
def bench(
    names: tuple[str, ...],
    given: tuple[str, ...],
    grad: bool,
    what: str | None,
    target: Path | None,
    repeat: int,
    small: bool,
    device: str | None,
    tune: bool,
    tune_seconds: float,
    peers: bool,
    peers_python: str | None,
    gpu_file: Path | None,
) -> None:
    """Measure programs fused, unfused and in NumPy.

    All take turns, and what the adapter can do at most stands beside them.

    Without names the groups `kernels` and `models` run. `programs` is a group of programs of many kinds, and `cold` one
    of first results with an empty cache of compiled kernels, in processes of their own. The directory of a run stands
    for its step, and FILE.py:FUNCTION for a function of yours, with arguments by --arg. With --tune, what is found is
    used by every later program with such kernels on this adapter, unless GRAPHC_TUNE=off.

    With --gpu-report, other programs are measured, at sizes for GPUs; names are those of its rows then (docs/gpu.md).
    """
    chosen = kernel_device(device, "bench")
    if gpu_file is not None:
        _gpu_report(chosen, gpu_file, names, small, peers_python)
        return
    from graphc.bench import CASES, COLD_CASES, GROUP, USUAL, find, run_cases, run_cold, show

    known = (
        {case.name for case in CASES} | {case.group for case in CASES} | {case.name for case in COLD_CASES} | {GROUP}
    )
    own = [name for name in names if name not in known and (".py" in name or Path(name).is_dir())]
    unknown = [name for name in names if name not in known and name not in own]
    if unknown:
        raise click.UsageError(f"no benchmark {', '.join(unknown)}: there are {', '.join(sorted(known))}")
    if (given or grad or what) and not own:
        raise click.UsageError("--arg, --grad and --what go with a run or FILE.py:FUNCTION")
    wanted = names or USUAL
    cases = [case for case in CASES if case.name in wanted or case.group in wanted]
    cases += [_own_case(subject.find(name, subject.Wanted(what, given=given, grad=grad))) for name in own]
    cold = [case for case in COLD_CASES if case.name in names or GROUP in names]

    def note(line: str) -> None:
        click.echo(line, err=True)

    found = find(peers_python) if peers or peers_python else None
    if found is not None and found.advice:
        note(found.advice)
    limit = tune_seconds if tune else 0.0
    report = run_cases(cases, chosen, repeat=repeat, small=small, peers=found, tune=limit, note=note)
    report.cold.extend(run_cold(cold, device, rounds=repeat, small=small, note=note))
    text = json.dumps(report.to_data(), indent=1)
    if target is not None and str(target) == "-":
        click.echo(text)
        return
    if target is not None:
        target.write_text(text + "\n", encoding="utf-8")
    console = Console()
    show(report, console if console.is_terminal else Console(width=PLAIN_WIDTH))


def _own_case(found: subject.Subject) -> Any:
    """A run's step or a function of the user's as a benchmark; NumPy runs a function that takes no gradient."""
    from graphc.bench.cases import Case, Workload

    eager = None if found.saved or _takes_gradient(found.trace()) else found.fn
    work = Workload(found.fn, found.filled(), eager, carried=len(found.donate))
    return Case(found.name, "own", found.name, lambda small: work)


def _takes_gradient(graph: Graph) -> bool:
    bodies = (value for node in graph.nodes for value in node.attrs.values() if isinstance(value, Graph))
    return any(node.source.phase == BACKWARD for node in graph.nodes) or any(map(_takes_gradient, bodies))


def _gpu_report(device: Any, path: Path, names: tuple[str, ...], small: bool, python: str | None) -> None:
    """Write the report of a GPU; raises ClickException where a part of it failed."""
    from graphc.bench.gpu import gpu_report
    from graphc.bench.gpu.rows import ROWS

    if path.suffix not in (".md", ".json"):
        raise click.UsageError(f"--gpu-report writes .md or .json, not {path.name}")
    known = {row.name for row in ROWS}
    if unknown := [name for name in names if name not in known]:
        raise click.UsageError(f"no row {', '.join(unknown)}: there are {', '.join(sorted(known))}")

    def note(line: str) -> None:
        click.echo(line, err=True)

    report = gpu_report(device, path, names=names, small=small, python=python, note=note)
    for program, goal, value, met in report.goals:
        mark = {True: "reached", False: "missed", None: "unknown"}[met]
        click.echo(f"{mark:8s} {program}: {goal}, {'not measured' if value is None else f'is {value:.4g}'}")
    click.echo(f"{path}: {len(report.rows)} programs in {report.seconds:.0f} s")
    if report.errors:
        raise click.ClickException(f"failed: {', '.join(report.errors)}")
