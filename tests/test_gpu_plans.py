"""Programs compiled for GPUs, which run here too: op cases, models and random programs, with right results.

Their plans keep WebGPU's default limits, and no invocation's loop is long (`tests.planning.over_baseline`).
"""

from __future__ import annotations

from pathlib import Path

import pytest

import graphc
from tests import on_target
from tests.adapters import run_on
from tests.fuzz import worker
from tests.on_target import SMALL, TARGETS
from tests.planning import model_step, over_baseline, transformer

BOTH = ("discrete", "discrete,no-subgroup")
PROGRAMS = 10
"""Random programs of each target in the quick suite."""


@pytest.mark.parametrize("target", BOTH)
@pytest.mark.parametrize("name", on_target.some())
def test_an_op_of_each_kind(name: str, target: str) -> None:
    assert not list(on_target.wrong_op(name, target))


@pytest.mark.parametrize("name", SMALL)
def test_small_models(name: str) -> None:
    assert not list(on_target.wrong_model(name, "discrete", SMALL))


@pytest.mark.parametrize("target", BOTH)
def test_random_programs(target: str) -> None:
    for number in range(PROGRAMS):
        found = worker.result(f"gpu-3/{number}", target)["findings"]
        if found:
            small = worker.shrunk(f"gpu-3/{number}", found[0][0], target=target)
            pytest.fail(f"program {number}: {found[0][0]}\n{found[0][1]}\n\n{small['script']}")


@pytest.mark.parametrize("target", BOTH)
@pytest.mark.parametrize("size", [(384, 6, 6, 256, 64), (768, 12, 1, 1024, 4), (60, 3, 2, 17, 5)], ids=str)
def test_plans_of_transformers_keep_the_limits(target: str, size: tuple[int, int, int, int, int]) -> None:
    step, arguments = transformer(*size)
    executable = graphc.compile(step, device="numpy", target=target, donate=(0, 1)).lower(*arguments)
    assert not over_baseline(executable.plan)
    assert all(k.resident >= 1 and k.registers < 512 for k in executable.kernels.kernels)


@pytest.mark.parametrize("target", BOTH)
@pytest.mark.parametrize("name", sorted(SMALL.keys() - {"gpt"}))
def test_plans_of_models_keep_the_limits(name: str, target: str) -> None:
    step, arguments = model_step(name, 64)
    executable = graphc.compile(step, device="numpy", target=target, donate=(0, 1)).lower(*arguments)
    assert not over_baseline(executable.plan)


@pytest.mark.slow
@pytest.mark.parametrize("driver", ["lavapipe", "swiftshader"])
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("what", on_target.CHECKS)
def test_all_of_it(what: str, target: str, driver: str) -> None:
    run_on(driver, "tests.on_target", what, "--target", target)


@pytest.mark.slow
@pytest.mark.parametrize("driver", ["lavapipe", "swiftshader"])
@pytest.mark.parametrize("target", TARGETS)
def test_many_random_programs(target: str, driver: str, tmp_path: Path) -> None:
    seed = f"gpu-{driver}"
    run_on(driver, "tests.fuzz", "--target", target, "--seed", seed, "--count", "200", "--out", str(tmp_path))
