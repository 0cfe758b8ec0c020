"""The process of a peer: `python child.py torch|tinygrad|cuda`, in an environment that need not know graphc.

It answers lines of JSON on stdin with lines of JSON on stdout. The first line, unasked, is {"version": ...}, or
{"error": reason} where the peer cannot be used. {"prepare": program, "arrays": path of an .npz file} makes a program
ready and runs it until it is warm: {"first": first element of the first result, "seconds": of the last run}.
{"run": n} runs it n times and waits: {"done": n, "seconds": in all}. {"configure": {...}} sets what the peer lets be
set. Everything else that the peer prints goes to stderr.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

WARM: int = 2
"""Runs after the first one: a JIT that traces needs them before it replays."""


def main() -> None:
    """Serve one program after another until stdin ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    def answer(**what: Any) -> None:
        answers.write(json.dumps(what) + "\n")

    try:
        # Not as parts of graphc, which this environment may not have.
        peer = importlib.import_module(f"with_{sys.argv[1]}")
        loss = importlib.import_module("programs").loss
        answer(version=peer.version())
    except Exception as error:
        answer(error=_reason(error))
        return
    program: Callable[[int], Callable[[], float]] | None = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if "prepare" in request:
                program = peer.prepare(request["prepare"], _arrays(request["arrays"]), loss)
                answer(**_warmed(program))
            elif "configure" in request:
                peer.configure(**request["configure"])
                answer(configured=True)
            elif program is not None:
                begin = time.perf_counter()
                program(request["run"])
                answer(done=request["run"], seconds=time.perf_counter() - begin)
        except Exception as error:
            answer(error=_reason(error))


def _warmed(program: Callable[[int], Callable[[], float]]) -> dict[str, float]:
    first = program(1)()
    program(WARM - 1)
    begin = time.perf_counter()
    program(1)
    return {"first": first, "seconds": time.perf_counter() - begin}


def _arrays(path: str) -> Mapping[str, Any]:
    import numpy

    with numpy.load(path) as found:
        return dict(found)


def _reason(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0][:200] if lines else 'no message'}"


if __name__ == "__main__":
    main()
