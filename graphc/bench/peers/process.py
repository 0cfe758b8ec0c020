"""The processes in which peers run, as the harness sees them: variants of a case that take turns with graphc's own."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from graphc.errors import GraphcError
from graphc.ir.types import NDArray

NAMES: Final = ("torch", "tinygrad")
SCRIPT: Final = Path(__file__).with_name("child.py")
INSTALL: Final = (
    "pip install torch tinygrad dawn-python numpy, or name an environment that has them: --peers-python PATH"
)
PATIENCE: Final = 600.0
"""Seconds that a peer may take for one answer: tinygrad searches and compiles a GPT in 70 on two cores."""
AGREEMENT: Final = 1e-3
"""Most that a peer's first number may differ from graphc's, as a part of it: else it does not run the same program."""


class PeerError(GraphcError):
    """A peer cannot run a program; the message says why."""


@dataclass(frozen=True, slots=True)
class PeerProgram:
    """What a peer is to run. what: as data, see graphc/bench/peers/child.py. arrays: its arguments by name. runs: the
    peers that can."""

    what: Mapping[str, Any]
    arrays: Mapping[str, NDArray]
    runs: Sequence[str] = NAMES


@dataclass(frozen=True, slots=True)
class Peers:
    """The peers of one Python environment. versions: what each of them says that it is. missing: why others are not."""

    python: str
    versions: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    @property
    def advice(self) -> str:
        """One line for somebody who has none of them; empty where there is one."""
        if self.versions:
            return ""
        reasons = "; ".join(f"{name}: {reason}" for name, reason in self.missing.items())
        return f"no peer in {self.python} ({reasons}): {INSTALL}"


def find(python: str | None = None) -> Peers:
    """Which peers the environment of a Python interpreter has; None: this one. Raises PeerError for no interpreter."""
    found = Peers(python or sys.executable)
    for name in NAMES:
        try:
            with Process(found.python, name) as process:
                found.versions[name] = process.version
        except PeerError as error:
            found.missing[name] = str(error)
    return found


class Process:
    """A child that serves one peer. Raises PeerError where it says that it cannot, does not answer, or ends."""

    def __init__(self, python: str, name: str) -> None:
        log = None if os.environ.get("GRAPHC_DEBUG") else subprocess.DEVNULL
        try:
            self._child = subprocess.Popen(
                [python, str(SCRIPT), name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
            )
        except OSError as error:
            raise PeerError(f"{python} does not start: {error.strerror}") from error
        try:
            self.version = str(self._answer()["version"])
        except PeerError:
            self.close()
            raise

    def ask(self, **what: Any) -> Mapping[str, Any]:
        """Its answer to a request."""
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(json.dumps(what) + "\n")
            self._child.stdin.flush()
        except OSError:
            pass  # it has ended: the missing answer says so
        return self._answer()

    def _answer(self) -> Mapping[str, Any]:
        assert self._child.stdout is not None
        alarm = threading.Timer(PATIENCE, self._child.kill)
        alarm.start()
        line = self._child.stdout.readline()
        alarm.cancel()
        if not line:
            raise PeerError(f"its process ended with status {self._child.wait()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise PeerError(str(answer["error"]))
        return answer

    def close(self) -> None:
        """End it."""
        self._child.kill()
        self._child.wait()
        for stream in (self._child.stdin, self._child.stdout):
            if stream is not None:
                stream.close()

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class Peer:
    """One program in one peer, warm. Raises PeerError where it cannot run, or computes something else.

    steps: that one call makes. first: graphc's first number of the last result of the first step. seconds: of a call.
    failure: why it stopped to run since; empty while it runs.
    """

    def __init__(self, python: str, name: str, program: PeerProgram, steps: int, first: float) -> None:
        self._process = Process(python, name)
        self._steps, self._pending = steps, 0
        self.failure = ""
        try:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "arrays.npz"
                np.savez(path, allow_pickle=False, **dict(program.arrays))
                answer = self._process.ask(prepare=program.what, arrays=str(path))
            if not math.isclose(answer["first"], first, rel_tol=AGREEMENT):
                raise PeerError(f"computes something else: {answer['first']:.6g} where graphc has {first:.6g}")
        except PeerError:
            self.close()
            raise
        self.seconds = steps * float(answer["seconds"])

    def __call__(self) -> None:
        """Ask for one call more."""
        self._pending += self._steps

    def wait(self) -> None:
        """Run what was asked for, and wait for it."""
        count, self._pending = self._pending, 0
        if self.failure:
            return
        try:
            self._process.ask(run=count)
        except PeerError as error:
            self.failure = str(error)

    def close(self) -> None:
        """End its process."""
        self._process.close()
