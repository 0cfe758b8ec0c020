"""Programs compiled for GPUs, which run here too: op cases, models and random programs, with right results.

Their plans keep WebGPU's default limits, and no invocation's loop is long (`tests.support.planning.over_baseline`).
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import graphc
from graphc import executable
from tests import on_target
from tests.cli.test_selftest import broken
from tests.fuzz import worker
from tests.on_target import SMALL, TARGETS
from tests.support.adapters import run_on
from tests.support.planning import model_step, over_baseline, transformer

BOTH = ("discrete", "discrete,no-subgroup")
PROGRAMS = 10
"""Random programs of each target in the quick suite."""

X = graphc.spec((256, 256))


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


def test_what_is_wrong_would_be_found(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert on_target.main(["ops", "--only", "tanh"]) == 0
    with monkeypatch.context() as patch:
        patch.setattr(on_target, "lower", broken("map"))
        assert on_target.main(["ops", "--only", "tanh"]) == 1
    assert "tanh alone, case 0: " in capsys.readouterr().out
    with monkeypatch.context() as patch:
        patch.setattr(executable, "lower", broken("matmul"))
        assert any("mlp: losses: " in text for text in on_target.wrong_model("mlp", "discrete", SMALL))


def test_plans_beyond_the_limits_would_be_found() -> None:
    def layer(x: Any, w: Any) -> Any:
        return graphc.nn.softmax(x @ w)

    plan = graphc.compile(layer, device="numpy", target="discrete").lower(X, X).plan
    assert over_baseline(plan) == []
    (dispatch, *_), (kernel, *_) = plan.dispatches, plan.kernels
    bound = (replace(dispatch.bindings[0], nbytes=1 << 30), *dispatch.bindings * 3)
    wrong = replace(dispatch, workgroups=(1, 65536, 1), bindings=bound)
    text = "var<workgroup> a: array<vec4<f32>, 1025>;\n" + re.sub(r"_size\(\d+", "_size(257", kernel.wgsl)
    kernels = (replace(kernel, wgsl=text, turns=16385), *plan.kernels[1:])
    found = " ".join(over_baseline(replace(plan, dispatches=(wrong,), kernels=kernels)))
    for what in ("storage buffers", "bytes bound", "invocations", "bytes of workgroup memory", "workgroups", "turns"):
        assert what in found


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
