"""`graphc export` and `graphc serve`: a trained run for other programs, and a page in the browser."""

from __future__ import annotations

import contextlib
import functools
import http.server
import os
import threading
import webbrowser
from pathlib import Path
from typing import Any

import click

import graphc
from graphc.cli.sample import Saved, load_run
from graphc.errors import DataError
from graphc.models import MODELS, page
from graphc.models.rundir import RunDirectory
from graphc.models.train import RunConfig

KINDS = ("web", "onnx", "safetensors")


@click.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--to",
    "kind",
    type=click.Choice(KINDS),
    required=True,
    help="A page that runs the model, the model for other runtimes, or its weights.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, metavar="PATH", help="A folder (web), or a file."
)
def export(directory: Path, kind: str, out: Path) -> None:
    """Write the model of DIR as a page, an ONNX file, or weights.

    A page is a folder for any static server: it samples, and goes on training. The ONNX model takes tokens, as many as
    the context of the model, and gives the logits of the next; it holds the weights. Weights alone are one safetensors
    file, whose tensors are called by their paths, as in params.w1; a page takes it.
    """
    saved = load_run(directory)
    if kind == "safetensors":
        graphc.save(out, {"params": saved.params}, {"model": saved.name, "step": saved.step})
        click.echo(out)
        return
    if kind == "onnx":
        _export_onnx(saved, out)
        click.echo(out)
        return
    run = RunDirectory(directory)
    params, state, step = run.load_newest()
    page.write(
        page.Trained(RunConfig.from_json(run.read_config()), params, state, saved.config, saved.vocabulary, step), out
    )
    click.echo(out)
    click.echo(f"look at it with: graphc serve {out}", err=True)


def _export_onnx(saved: Saved, out: Path) -> None:
    """The forward pass for one sequence of tokens; raises DataError where onnx or the folder is missing."""
    try:
        from graphc.onnx import export as write
    except ImportError as error:
        raise DataError(str(error)) from error
    config = saved.config
    length = getattr(config, "window", None) or config.context

    def forward(params: Any, tokens: Any) -> Any:
        return MODELS[saved.name].apply(params, tokens, config)

    graph = graphc.trace(forward, saved.params, graphc.spec((1, length), "int32"))
    write(graph, out, values={"params": saved.params}, name=saved.name)


@click.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0: any that is free.")
@click.option("--open/--no-open", "opens", default=True, help="Whether to open it in the browser.")
def serve(directory: Path, port: int, opens: bool) -> None:
    """Serve an exported page on this machine, until Ctrl-C."""
    if not (directory / "index.html").is_file():
        raise DataError(f"{directory} holds no page: write one with graphc export RUN --to web --out {directory}")
    handler = functools.partial(_Handler, directory=str(directory))
    try:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError as error:
        raise DataError(f"port {port} cannot be used: {error.strerror}; another one is chosen by --port 0") from error
    with server:
        url = f"http://127.0.0.1:{server.server_address[1]}/"
        click.echo(url)
        click.echo("Ctrl-C stops it", err=True)
        if opens:
            threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()


class _Handler(http.server.SimpleHTTPRequestHandler):
    def guess_type(self, path: str | os.PathLike[str]) -> str:
        """The type of a file: browsers run modules of one type alone, which not every machine knows them by."""
        return "text/javascript" if os.fspath(path).endswith(".js") else super().guess_type(path)

    def end_headers(self) -> None:
        """Have the browser ask each time: a page that is exported again has other files of the same names."""
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the page says what goes wrong."""
