"""The command `graphc`. Progress goes to stderr, results to stdout; exit status 0 done, 1 failed, 2 bad usage,
130 interrupted before there was something to keep."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import metadata

import click

from graphc import startup
from graphc.cli import bench, export, graph, lr_find, profile, report, sample, selftest, system, train, tune
from graphc.errors import GraphcError

DEBUG = "GRAPHC_DEBUG"
TOO_LARGE = ("Maximum allowed size exceeded", "Maximum allowed dimension exceeded", "array is too big")
"""How NumPy begins to say that no address space holds an array, for which it raises a plain ValueError."""


def _version() -> str:
    """The installed version; a checkout that was never installed has none."""
    try:
        return metadata.version("graphc")
    except metadata.PackageNotFoundError:
        return "(a checkout)"


class _Interrupted(BaseException):
    """Ctrl-C while a command runs; click would print an empty line for a KeyboardInterrupt."""


class _InOrder(click.Group):
    """Lists its commands as they were added: what a newcomer needs first stands first."""

    def invoke(self, context: click.Context) -> object:
        """Run the command; raises _Interrupted at Ctrl-C."""
        try:
            return super().invoke(context)
        except KeyboardInterrupt as error:
            raise _Interrupted from error

    def list_commands(self, context: click.Context) -> list[str]:
        """Names of the commands."""
        return list(self.commands)


@click.group(cls=_InOrder, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(_version(), message="%(prog)s %(version)s")
def cli() -> None:
    """NumPy in, GPU program out. Start with `graphc demo`."""


for command in (
    train.demo,
    train.train,
    sample.sample,
    export.export,
    export.serve,
    lr_find.lr_find,
    graph.graph,
    profile.profile,
    report.report,
    bench.bench,
    selftest.selftest,
    tune.tune,
    system.devices,
    system.doctor,
):
    cli.add_command(command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit. With GRAPHC_DEBUG set, an error shows its traceback."""
    startup.release()
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status, with the reason for a failure in one line on stderr."""
    try:
        status = cli.main(args=arguments, prog_name="graphc", standalone_mode=False)
    except click.UsageError as error:
        error.show()
        return 2
    except click.ClickException as error:
        return _failed(error.format_message(), error)
    except (click.Abort, KeyboardInterrupt, _Interrupted):
        _failed("interrupted", None)
        return startup.INTERRUPTED
    except BrokenPipeError:
        # The reader (head, less) has gone; keep Python from writing to it once more while it shuts down.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except GraphcError as error:
        return _failed(str(error), error)
    except MemoryError as error:
        return _failed(f"there is not enough memory: {str(error) or 'smaller sizes need less'}", error)
    except OSError as error:
        return _failed(f"{error.filename}: {error.strerror}" if error.filename else str(error), error)
    except ValueError as error:
        if not str(error).startswith(TOO_LARGE):
            raise
        return _failed(f"there is not enough memory: {error}", error)
    return status if isinstance(status, int) else 0


def _failed(message: str, error: Exception | None) -> int:
    if error is not None and os.environ.get(DEBUG):
        raise error
    line = "; ".join(part.strip() for part in message.splitlines() if part.strip())
    click.echo(f"graphc: error: {line}", err=True)
    return 1
