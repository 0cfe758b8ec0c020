"""PyTorch on CUDA in a process of its own, as the report sees it."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import Any, Final

import numpy as np

from graphc.bench.peers import PeerProgram
from graphc.bench.peers.process import PeerError, Process

NAME: Final = "cuda"
CLOSE: Final = 1e-2
"""Most that PyTorch's first number may differ from graphc's, absolutely or as a part of it."""


class Rival:
    """The process, with one program at a time. version: what it says that it is. Raises PeerError where it has none."""

    def __init__(self, python: str) -> None:
        self._process = Process(python, NAME)
        self.version = self._process.version

    def prepare(self, program: PeerProgram) -> tuple[float, float]:
        """Make a program ready: the first number of its last result, and the seconds of a run, without TF32."""
        self._process.ask(configure={"tf32": False})
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "arrays.npz"
            np.savez(path, allow_pickle=False, **dict(program.arrays))
            answer = self._process.ask(prepare=program.what, arrays=str(path))
        return float(answer["first"]), float(answer["seconds"])

    def seconds(self, times: int, tf32: bool) -> float:
        """Of one run, of so many in a row that are waited for once."""
        self._process.ask(configure={"tf32": tf32})
        answer: Any = self._process.ask(run=times)
        return float(answer["seconds"]) / times

    def close(self) -> None:
        """End it."""
        self._process.close()


def find_rival(python: str) -> tuple[Rival | None, str]:
    """The process, and what it says that it is; else None and why there is none."""
    try:
        rival = Rival(python)
    except PeerError as error:
        return None, str(error)
    return rival, rival.version


def agrees(ours: float, theirs: float) -> bool:
    """Whether both may have computed the same."""
    return math.isclose(ours, theirs, rel_tol=CLOSE, abs_tol=CLOSE)
