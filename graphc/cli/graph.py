"""`graphc graph`: the program of a model, a run or a function, at any stage, as text, drawing or JSON."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import click

import graphc
from graphc.cli.settings import ARG, DEVICE, GRAD, SET, TARGET, WHAT
from graphc.cli.subject import SUBJECT, Wanted, find
from graphc.inspect.times import of_nodes
from graphc.ir.graph import Graph, Node, format_attr, value_names
from graphc.ir.text import COLUMNS

FORMATS: Final = (".svg", ".dot", ".json", ".txt")


@click.command()
@click.argument("subject", metavar=SUBJECT)
@ARG
@GRAD
@WHAT
@click.option(
    "--stage",
    type=click.Choice(["traced", "fused", "planned", "all"]),
    help="As traced, as kernels, as the plan of buffers and dispatches, or after every pass.  [default: fused; with "
    "--target, planned]",
)
@click.option("--diff", "passed", metavar="PASS", help="What one pass changed: ops that went, came, or are others.")
@click.option("--batch-size", type=click.IntRange(1), help="Examples a step.")
@SET
@DEVICE
@TARGET
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="FILE", help=".svg, .dot, .json or .txt; a directory for all."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
@click.option("--text", "as_text", is_flag=True, help="A line a kernel, of the width of the terminal; layers folded.")
@click.option("--profile", "timed", is_flag=True, help="Run it, and write beside each kernel what it took.")
def graph(
    subject: str,
    given: tuple[str, ...],
    grad: bool,
    what: str | None,
    stage: str | None,
    passed: str | None,
    batch_size: int | None,
    settings: tuple[str, ...],
    device: str | None,
    target: str | None,
    out: Path | None,
    as_json: bool,
    as_text: bool,
    timed: bool,
) -> None:
    """Show the program of a model, run or function, or draw it.

    Without --out it is printed. With --stage all, every pass's result is drawn into a directory. With --target, the
    program is planned for an adapter of that kind, which need not be there; with --device too, for one with that
    device's limits and features.
    """
    if passed and (stage or as_json or (out is not None and out.suffix not in (".svg", ".dot", ".txt"))):
        raise click.UsageError("--diff goes without --stage and --json, and writes .svg, .dot or .txt")
    stage = stage or ("planned" if target else "fused")
    if as_text and (as_json or passed or out or stage not in ("traced", "fused")):
        raise click.UsageError(
            "--text prints the graph as traced or as kernels, and goes without --json, --diff, --out and --target"
        )
    if timed and (target or passed or as_json or stage != "fused" or (out is None and not as_text)):
        raise click.UsageError("--profile goes with --text, and with --out FILE.svg or .dot, of the stage fused")
    if stage == "all" and out is None:
        raise click.UsageError("--stage all needs --out DIRECTORY")
    if stage != "all" and out is not None and out.suffix not in FORMATS:
        raise click.UsageError(f"--out {out}: need a name that ends in {', '.join(FORMATS)}")
    found = find(subject, Wanted(what, batch_size, settings, given, grad))
    if stage == "traced":
        traced = found.trace()
        _show_text(traced) if as_text else _show(traced, out, as_json)
        return
    where = graphc.device("numpy" if target and not device else device)
    executable = found.lower(where, target)
    if passed:
        _show_diff(executable.stages, passed, out)
    elif stage == "fused":
        profile = executable.profile(*found.filled()) if timed else None
        times = of_nodes(executable.graph, executable.plan, profile) if profile else None
        if as_text:
            _show_text(executable.graph, times)
        else:
            _show(executable.graph, out, as_json, times)
    elif stage == "planned":
        _show_plan(executable, out, as_json)
    elif out is not None:
        _write_all(executable, out)


def graph_data(graph: Graph) -> dict[str, Any]:
    """A graph as data for JSON; the body of a fused node is a graph again."""
    names = value_names(graph)

    def attr(value: Any) -> Any:
        if isinstance(value, Graph):
            return graph_data(value)
        return value if isinstance(value, bool | int | float | str | type(None)) else format_attr(value)

    return {
        "inputs": [{"name": names[v], "type": str(v.type)} for v in graph.inputs],
        "constants": [{"name": names[v], "type": str(v.type)} for v in graph.constants],
        "nodes": [
            {
                "op": node.op.name,
                "inputs": [names[v] for v in node.inputs],
                "outputs": [{"name": names[v], "type": str(v.type)} for v in node.outputs],
                "attrs": {key: attr(value) for key, value in node.attrs.items()},
                "source": [str(line) for line in node.source.lines],
                "phase": node.source.phase,
            }
            for node in graph.nodes
        ],
        "outputs": [names[v] for v in graph.outputs],
    }


def _show_diff(stages: list[tuple[str, Graph]], passed: str, out: Path | None) -> None:
    """What the first pass of that name changed."""
    from graphc.inspect.viz.diff import diff_dot, diff_text
    from graphc.inspect.viz.draw import svg_of

    names = [name for name, _ in stages]
    if passed not in names[1:]:
        raise click.UsageError(f"--diff {passed}: the passes are {', '.join(dict.fromkeys(names[1:]))}")
    at = names.index(passed, 1)
    before, after = stages[at - 1][1], stages[at][1]
    if out is None or out.suffix == ".txt":
        text = diff_text(before, after)
        click.echo(text) if out is None else out.write_text(f"{text}\n", encoding="utf-8")
    else:
        source = diff_dot(before, after, f"what {passed} changed")
        svg_of(source, out) if out.suffix == ".svg" else out.write_text(source, encoding="utf-8")
    if out is not None:
        click.echo(str(out))


def _show_text(graph: Graph, times: Mapping[Node, float] | None = None) -> None:
    """In lines as wide as the terminal, or as tables where there is none."""
    from graphc.inspect.viz.text import graph_text

    columns = shutil.get_terminal_size((COLUMNS, 24)).columns if sys.stdout.isatty() else COLUMNS
    click.echo(graph_text(graph, columns=columns, times=times))


def _show(graph: Graph, out: Path | None, as_json: bool, times: Mapping[Node, float] | None = None) -> None:
    if out is None:
        click.echo(json.dumps(graph_data(graph)) if as_json else str(graph))
        return
    _write(graph, out, times)
    click.echo(str(out))


def _write(graph: Graph, path: Path, times: Mapping[Node, float] | None = None) -> None:
    if path.suffix == ".svg":
        graph.to_svg(path, times=times)
    elif path.suffix == ".dot":
        path.write_text(graph.to_dot(times=times), encoding="utf-8")
    elif path.suffix == ".json":
        path.write_text(json.dumps(graph_data(graph), indent=1), encoding="utf-8")
    else:
        path.write_text(f"{graph}\n", encoding="utf-8")


def _show_plan(executable: Any, out: Path | None, as_json: bool) -> None:
    plan, text = executable.plan, _plan_text(executable)
    if out is None:
        click.echo(plan.to_json() if as_json else text)
        return
    if out.suffix in (".svg", ".dot"):
        # A plan has no edges of its own: its drawing is that of the graph that was lowered, in dispatch order.
        _write(executable.stages[-1][1], out)
    else:
        out.write_text(plan.to_json() if out.suffix == ".json" else f"{text}\n", encoding="utf-8")
    click.echo(str(out))


def _plan_text(executable: graphc.Executable) -> str:
    """The plan, how its kernels fill the target, its memory and what a call takes."""
    memory = replace(executable.memory, lifetimes=())  # the plan says where each tensor lies
    return "\n\n".join(map(str, (executable.plan, executable.kernels, memory, executable.contract)))


def _write_all(executable: Any, directory: Path) -> None:
    """Each stage as text and drawing, numbered in order, and the plan."""
    directory.mkdir(parents=True, exist_ok=True)
    for number, (name, graph) in enumerate(executable.stages):
        stem = f"{number:02d}-{name}"
        for suffix in (".txt", ".svg", ".json"):
            _write(graph, directory / f"{stem}{suffix}")
        click.echo(str(directory / f"{stem}.svg"))
    (directory / "plan.txt").write_text(f"{_plan_text(executable)}\n", encoding="utf-8")
    (directory / "plan.json").write_text(executable.plan.to_json(), encoding="utf-8")
    click.echo(str(directory / "plan.txt"))
