"""Random programs in every way to run them: compiled fused, unfused, for other targets, and NumPy in several widths.

300 of them are the same every time, some on a second driver; hypothesis looks for new ones. `python -m
tests.fuzz` runs as many as there is time for.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from tests.fuzz import worker
from tests.fuzz.judge import judge, script
from tests.fuzz.program import RandomProgram
from tests.fuzz.strategy import programs
from tests.support.adapters import run_on

PARTS, PER_PART = 9, 20
"""Programs that are the same every time."""


def hold(name: str) -> None:
    """Fail with a small program where something is wrong with the program of this name."""
    found = worker.result(name)["findings"]
    if found:
        small = worker.shrunk(name, found[0][0])
        pytest.fail(f"program {name}: {found[0][0]}\n{found[0][1]}\n\n{small['script']}")


@pytest.mark.parametrize("part", range(PARTS))
def test_programs(part: int) -> None:
    for number in range(part * PER_PART, (part + 1) * PER_PART):
        hold(f"quick-3/{number}")


def test_programs_on_swiftshader(tmp_path: Path) -> None:
    count = str(300 - PARTS * PER_PART)
    out = str(tmp_path)
    run_on("swiftshader", "tests.fuzz", "--driver", "own", "--seed", "second-3", "--count", count, "--out", out)


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(program=programs(half=False, most=3))
def test_programs_of_hypothesis(program: RandomProgram) -> None:
    found = judge(program).findings
    assert not found, script(program, found[0], "of hypothesis")


@pytest.mark.slow
@pytest.mark.parametrize("driver", ["lavapipe", "swiftshader"])
def test_many_programs(driver: str, tmp_path: Path) -> None:
    run_on(driver, "tests.fuzz", "--driver", "own", "--seed", "slow", "--count", "1000", "--out", str(tmp_path))
