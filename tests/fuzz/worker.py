"""What happens in the process that runs programs."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import graphc
from graphc.targets import target_of
from tests.fuzz.draw import draw
from tests.fuzz.judge import Finding, judge, script
from tests.fuzz.program import RandomProgram
from tests.fuzz.shrink import shrink
from tests.fuzz.source import Source, seeded


@lru_cache(maxsize=8)
def half(target: str = "") -> bool:
    """Whether the adapter has f16, and what is compiled for too."""
    return "shader-f16" in target_of(target or None, graphc.device("wgpu")).features


def drawn(name: str, target: str = "") -> tuple[RandomProgram, Source]:
    """The program called SEED/NUMBER, and the choices that made it; a seed that ends in -N stands for programs of at
    most N statements."""
    source = seeded(name)
    return draw(source, half(target), _most(name)), source


def _most(name: str) -> int:
    limit = name.split("/")[0].rpartition("-")[2]
    return int(limit) if limit.isdecimal() and "-" in name else 16


def result(name: str, target: str = "") -> dict[str, Any]:
    """What came of one program."""
    program, _ = drawn(name, target)
    seen = judge(program, target=target)
    findings = [(f.symptom, f.detail) for f in seen.findings]
    return {"findings": findings, "elements": seen.elements, "decided": seen.decided}


def shrunk(name: str, symptom: str, tries: int = 150, seconds: float = 1e9, target: str = "") -> dict[str, Any]:
    """A small program with the same symptom, as a script; no further tries after `seconds`."""
    end = time.monotonic() + seconds
    program, source = drawn(name, target)
    way = symptom.split(":")[0].removeprefix("plan of ")

    def finding(candidate: RandomProgram) -> Finding | None:
        return next((f for f in judge(candidate, only=way, target=target).findings if f.symptom == symptom), None)

    if way.startswith(("crash", "hang")):  # to try it here would end this process as well
        ended = Finding(symptom, "the process", "it ends this process, or hangs")
        return {"kinds": list(program.kinds()), "script": script(program, ended, name, target), "detail": symptom}
    if finding(program) is None:
        return {"kinds": list(program.kinds()), "script": "", "detail": "it does not fail alone"}

    def fails(candidate: RandomProgram) -> bool:
        return time.monotonic() < end and finding(candidate) is not None

    small = shrink(source, _again(name, target), fails, tries)
    told = finding(small)
    assert told is not None
    return {"kinds": list(small.kinds()), "script": script(small, told, name, target), "detail": told.detail}


def _again(name: str, target: str) -> Callable[[Source], RandomProgram]:
    """Draws a program from other choices, within the limits of this one."""
    return lambda source: draw(source, half(target), _most(name))


def show(name: str, target: str = "") -> int:
    """Print a program and what is wrong with it."""
    program, _ = drawn(name, target)
    print(program)
    seen = judge(program, target=target)
    print(f"# {seen.decided} of {seen.elements} results decided")
    for finding in seen.findings:
        print(f"\n# {finding}".replace("\n", "\n# "))
    return 1 if seen.findings else 0
