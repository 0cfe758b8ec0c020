"""`graphc selftest`: it passes where kernels are right, and finds and names a family that is broken on purpose."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import cli, executable
from graphc.errors import DeviceError
from graphc.families.registry import NAMES
from graphc.lower import lower
from graphc.plan.plan import Plan
from graphc.selftest import Outcome, Report, reproduce, run, runner
from graphc.selftest import report as report_module
from graphc.selftest.cases import FUNCTIONS, cases, points, ulps
from graphc.selftest.runner import GOLDEN, training_losses
from tests.support.adapters import ROOT, environment

KERNELS = {name: "scatter" if name == "scatter_add" else name for name in NAMES}
"""How kernels of each family say what they are."""


@pytest.fixture
def adapter() -> Any:
    return graphc.device("wgpu")


def broken(family: str, short: bool = False) -> Any:
    """Lowering whose kernels of one family do nothing, or whose launches of it (`short`) lack the last workgroups."""

    def wrong(*arguments: Any, **options: Any) -> Plan:
        plan = lower(*arguments, **options)
        bad = {number for number, k in enumerate(plan.kernels) if k.family == family}  # of several, it is theirs
        if short:
            found = (replace(d, workgroups=_fewer(d.workgroups)) if d.kernel in bad else d for d in plan.dispatches)
            return replace(plan, dispatches=tuple(found))
        kernels = (replace(k, wgsl=_idle(k.wgsl)) if n in bad else k for n, k in enumerate(plan.kernels))
        return replace(plan, kernels=tuple(kernels))

    return wrong


def _fewer(workgroups: tuple[int, int, int]) -> tuple[int, int, int]:
    return workgroups[0] - 1, *workgroups[1:]


def _idle(wgsl: str) -> str:
    start = wgsl.index("{", wgsl.index("fn main("))
    return wgsl[: start + 1] + "\n  if (true) { return; }\n" + wgsl[start + 1 :]


@pytest.mark.parametrize("short", [False, True], ids=["idle", "short"])
@pytest.mark.parametrize("family", sorted(KERNELS.values()))
def test_a_broken_kernel_of_each_family_is_found_and_named(
    adapter: Any, monkeypatch: pytest.MonkeyPatch, family: str, short: bool
) -> None:
    names = [case.name for case in cases(False) if case.family == family and not case.nbytes][-2:]
    assert names
    right = [outcome for name in names for outcome in run(adapter, only=name)]
    assert {outcome.state for outcome in right} == {"passed"}
    if all("cannot run its kernels" in outcome.detail for outcome in right):
        pytest.skip(f"{adapter} cannot run kernels of the family {family}")
    monkeypatch.setattr(executable, "lower", broken(family, short))
    failed = [outcome for name in names for outcome in run(adapter, only=name) if outcome.state == "failed"]
    assert failed
    for outcome in failed:
        assert "must be" in outcome.detail or "other bytes" in outcome.detail
        assert f"({family})" in outcome.text
    with pytest.raises(AssertionError, match=r"must be|other bytes"):
        reproduce(failed[0].name, adapter.name)


def test_the_command_says_what_passed(tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.run(["selftest", "--only", "cumsum", "--json", "found.json"]) == 0
    out = capsys.readouterr().out
    assert "4 passed, 0 failed, 0 not run" in out
    data = json.loads(Path("found.json").read_text("utf-8"))
    assert data["passed"] == len(data["cases"]) == 4
    assert all(case["kernels"] and case["seconds"] > 0 for case in data["cases"])
    assert list(tmp_path.iterdir()) == [tmp_path / "found.json"]
    assert cli.run(["selftest", "--only", "nonsense"]) == 2
    assert cli.run(["selftest", "--device", "numpy"]) == 1


def test_a_failure_has_a_script_and_the_status_1(
    tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch, adapter: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(executable, "lower", broken("cumsum"))
        assert cli.run(["selftest", "--only", "cumsum: 7x70"]) == 1
    said = capsys.readouterr()
    assert "FAILED   cumsum: 7x70: result 0 is" in said.err
    assert f"python {report_module.FAILURE} reproduces the first" in said.err
    text = Path(report_module.FAILURE).read_text("utf-8")
    assert "cumsum" in (ast.get_docstring(ast.parse(text)) or "")
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, report_module.FAILURE], env=env, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr  # the kernels are right again


def test_the_doctor_runs_it_when_asked(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "cases", lambda half: [case for case in cases(half) if case.family == "cumsum"])
    monkeypatch.setattr(runner, "FUNCTIONS", {})
    assert cli.run(["doctor", "--full"]) == 0
    assert "every kernel family: 7 cases passed" in capsys.readouterr().out
    monkeypatch.setattr(executable, "lower", broken("cumsum"))
    assert cli.run(["doctor", "--full"]) == 1
    assert "cumsum: 7x70" in capsys.readouterr().out


def test_scripts_hold_any_text() -> None:
    report = Report("a device", (), (), 1.0)
    outcome = Outcome("odd \\ name", "failed", '"""\\', text='"""\n\\N{x}\n"')
    assert ast.parse(report_module.script(report, outcome, None))


def test_what_no_case_may_take(adapter: Any) -> None:
    (late,) = run(adapter, only="cumsum: 7x70", seconds=0)
    assert (late.state, late.detail) == ("not run", "0 s are over")
    with pytest.raises(DeviceError, match="runs no kernels"):
        run(graphc.device("numpy"))


@pytest.mark.parametrize("only", ["indices", "microgpt", "memory", "function: tanh", "map: zeros"])
def test_what_is_no_kernel_of_its_own_is_tried_too(adapter: Any, only: str) -> None:
    (outcome,) = run(adapter, only=only)
    assert outcome.state == "passed", outcome.detail


def test_the_golden_losses_are_numpys() -> None:
    np.testing.assert_allclose(training_losses(graphc.device("numpy")), GOLDEN, rtol=0, atol=2e-6)


def test_functions_are_held_to_the_last_place() -> None:
    one = np.float32(1.0)
    assert ulps(np.array([np.nextafter(one, np.float32(2))]), np.array([1.0])).tolist() == [1.0]
    for name, (fn, (low, high)) in FUNCTIONS.items():
        x = points(name)
        assert x.min() >= np.float32(low)
        assert x.max() <= np.float32(high)
        assert np.isfinite(fn(x.astype(np.float64))).all()


@pytest.mark.slow
@pytest.mark.parametrize("driver", ["lavapipe", "swiftshader"])
def test_all_of_it_passes_within_three_minutes(driver: str, tmp_path: Path) -> None:
    env = {**os.environ, **environment(driver), "PYTHONPATH": str(ROOT), "GRAPHC_START": "quick"}
    command = [sys.executable, "-m", "graphc", "selftest", "--json", "-"]
    done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=900)
    data = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert data["failed"] == 0
    left = [case for case in data["cases"] if case["state"] == "not run"]
    assert all("GiB" in case["detail"] for case in left), left
