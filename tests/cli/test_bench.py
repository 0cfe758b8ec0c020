"""The benchmarks: what they report of a program is what its plan says, and every one of them runs. Not how fast."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import graphc
from graphc import cli, tuner
from graphc.bench import CASES, COLD_CASES, USUAL, ColdResult, harness, run_cases, run_cold
from graphc.bench.cases import Case, Goal, Workload
from graphc.bench.cold import WAYS, First
from graphc.bench.harness import PEER_METRICS
from graphc.bench.peaks import BufferCopy, kernel_copy, multiply_add
from graphc.bench.peers import process
from graphc.bench.programs import PROGRAMS
from graphc.codegen.rules import prefers_texels
from graphc.errors import DeviceError

KERNELS = [case for case in CASES if case.group == "kernels"]


def of(name: str) -> Case:
    return next(case for case in CASES if case.name == name)


def test_names_are_unique_and_goals_are_about_metrics() -> None:
    assert len({case.name for case in CASES}) == len(CASES)
    (result,) = run_cases([of("softmax")], graphc.device("wgpu"), repeat=1, small=True).results
    assert {goal.metric for case in CASES for goal in case.goals} <= {*result.metrics, *PEER_METRICS}


def test_small_programs_compute_what_numpy_computes() -> None:
    for case in KERNELS:
        work = case.make(True)
        if work.eager is not None:
            got = np.asarray(graphc.compile(work.fn)(*work.arguments))
            assert np.allclose(got, work.eager(*work.arguments), atol=1e-4), case.name


def test_programs_of_many_kinds_are_a_group_of_their_own() -> None:
    (result,) = run_cases([of("heat")], graphc.device("wgpu"), repeat=1, small=True).results
    assert result.samples["numpy"].seconds > 0
    programs = {case.name for case in CASES if case.group == "programs"}
    assert programs == {program.name for program in PROGRAMS}
    assert "programs" not in USUAL
    written = (Path(process.SCRIPT).with_name("torch_programs.py")).read_text()
    for program in PROGRAMS:
        assert (f"def {program.name.replace('-', '_')}(" in written) == program.torch


def test_a_result_agrees_with_the_plan() -> None:
    case = of("layer-norm")
    (result,) = run_cases([case], graphc.device("wgpu"), repeat=2, small=True).results
    plan = graphc.compile(case.make(True).fn).lower(*case.make(True).arguments).plan
    fused, unfused = result.samples["fused"], result.samples["unfused"]
    assert fused.dispatches == len(plan.dispatches) == 1
    assert fused.bytes == sum(d.bytes_read + d.bytes_written for d in plan.dispatches)
    assert fused.flops == sum(d.flops for d in plan.dispatches)
    assert unfused.dispatches > 1
    assert unfused.bytes > fused.bytes
    assert result.metrics["bytes_of_unfused"] == fused.bytes / unfused.bytes
    assert result.metrics["times_unfused"] == unfused.seconds / fused.seconds
    assert min(s.seconds for s in result.samples.values()) > 0
    assert fused.command_us == fused.encode_us / 2 > 0  # a dispatch and its compute pass
    json.dumps(replace(result, goals=of("gpt").goals).to_data())


def test_large_products_are_measured_unfused_both_ways() -> None:
    a, b = (np.ones((256, 256), np.float32) for _ in range(2))
    case = Case("product", "kernels", "256x256 @ 256x256", lambda small: Workload(np.matmul, (a, b), np.matmul))
    device = graphc.device("wgpu")
    (result,) = run_cases([case], device, repeat=1).results
    assert ("unfused, textures" in result.samples) == prefers_texels(device.target)
    assert ("times_unfused_textures" in result.metrics) == prefers_texels(device.target)


def test_a_training_step_carries_its_parameters() -> None:
    def step(w: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return w + 1, np.sum(w * x)

    work = Workload(step, (np.zeros(4, np.float32), np.ones(4, np.float32)), carried=1)
    case = Case("count", "models", "adds one each time", lambda small: work)
    (result,) = run_cases([case], graphc.device("wgpu"), repeat=1).results
    assert result.samples["numpy"].seconds > 0
    assert np.array_equal(work.arguments[0], np.zeros(4))  # the caller's arrays are left alone


def test_a_loop_counts_each_of_its_steps() -> None:
    case = of("microgpt")
    (result,) = run_cases([case], graphc.device("wgpu"), repeat=1, small=True).results
    work = case.make(True)
    plan = graphc.compile(work.fn, device="wgpu", donate=(0, 1)).lower(*work.arguments).plan
    inside = len(range(plan.loops[0].first, plan.loops[0].last + 1))
    around = len(plan.dispatches) - inside
    assert work.steps > 1
    assert result.samples["fused"].dispatches == inside + around / work.steps
    assert result.metrics["per_second"] == pytest.approx(1 / result.samples["fused"].seconds)


def test_the_peaks_do_their_work() -> None:
    device = graphc.device("wgpu")
    BufferCopy(device, small=True)()
    for peak in (kernel_copy(device, small=True), multiply_add(device, small=True)):
        outputs = peak._runner([peak._x])
        found = np.asarray(outputs[0])
        assert np.isfinite(found).all()
        assert (found != 0).all()
        assert peak.work > 0


def test_goals_say_which_way_is_better() -> None:
    assert Goal("times_unfused", 2.0).met(2.0)
    assert not Goal("milliseconds", 20, at_least=False).met(20.1)
    assert str(Goal("milliseconds", 20, at_least=False)) == "milliseconds <= 20"


def test_the_command_writes_json_and_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bench.json"
    assert cli.run(["bench", "matmul-1024", "microgpt", "--small", "--repeat", "1", "--json", str(path)]) == 0
    out = capsys.readouterr().out
    assert "matmul-1024" in out
    assert "limit" in out
    data = json.loads(path.read_text())
    assert [case["name"] for case in data["cases"]] == ["matmul-1024", "microgpt"]
    assert set(data["cases"][0]["samples"]) == {"fused", "unfused", "numpy", "limit"}
    peaks = data["cases"][0]["peaks"]
    assert peaks["copy"] == max(peaks["buffer_copy"], peaks["kernel_copy"]) > 0
    assert "blas" in data["machine"]


def test_first_results_are_measured_in_processes_of_their_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    path = tmp_path / "bench.json"
    assert cli.run(["bench", "cold-mlp", "--small", "--repeat", "1", "--json", str(path)]) == 0
    assert "cold-mlp" in capsys.readouterr().out
    data = json.loads(path.read_text())
    assert data["cases"] == []
    (case,) = data["cold"]
    assert list(case["ways"]) == list(WAYS)
    for way in case["ways"].values():
        assert way["seconds"] > way["compiling"] > 0
        assert way["ops"] > way["kernels"] > 0
    assert case["goals"] == []
    reached = ColdResult("a", "b", {WAYS[0]: First(2.0, 1.0, 9, 3, 0.1)}, Goal("seconds", 3.0, at_least=False))
    assert reached.to_data()["goals"] == [{"goal": "seconds <= 3", "value": 2.0, "met": True}]


def test_a_program_whose_process_fails_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHC_DEVICE", "wgpu:77")
    with pytest.raises(DeviceError, match="cold-mlp: the process that measures it failed"):
        run_cold([case for case in COLD_CASES if case.name == "cold-mlp"], small=True)


def test_the_command_refuses_what_it_does_not_know(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["bench", "nonsense"]) == 2
    assert "softmax" in capsys.readouterr().err
    assert cli.run(["bench", "softmax", "--device", "numpy"]) == 1


def test_tuning_is_reported_beside_the_rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHC_TUNE_CACHE", str(tmp_path / "tuned.json"))
    monkeypatch.setattr(tuner, "LEAST_WORK", 1)
    said: list[str] = []
    device = graphc.device("wgpu")
    (result,) = run_cases([of("layer-norm")], device, repeat=1, small=True, tune=20.0, note=said.append).results
    assert result.metrics["tuned_gain"] == result.samples["fused"].seconds / result.samples["tuned"].seconds
    (finding,) = result.found
    assert finding.name.startswith("row ")
    assert finding.tried > 1
    assert any(line.startswith("tuner: 1 of 1") for line in said)
    assert result.to_data()["found"][0]["gain"] == finding.gain >= 1
    kept = json.loads((tmp_path / "tuned.json").read_text())
    assert list(next(iter(kept.values()))) == [finding.name]
    (again,) = run_cases([of("layer-norm")], device, repeat=1, small=True, tune=20.0).results
    assert again.found == []
    assert again.samples["tuned"].dispatches == 1


def test_the_command_tunes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("GRAPHC_TUNE_CACHE", str(tmp_path / "tuned.json"))
    assert cli.run(["bench", "softmax", "--small", "--repeat", "1", "--tune", "--tune-seconds", "1"]) == 0
    assert "tuned softmax:" in capsys.readouterr().out


def test_the_threads_of_blas_come_to_rest_before_the_next_variant(monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[str] = []

    class Variant:
        def __init__(self, name: str) -> None:
            self.name = name

        def __call__(self) -> None:
            events.append(self.name)

        def wait(self) -> None:
            pass

    monkeypatch.setattr("graphc.bench.harness.time.sleep", lambda seconds: events.append("rest") if seconds else None)
    monkeypatch.setattr(harness, "MOST_CALLS", 1)
    harness._take_turns({name: Variant(name) for name in ("fused", "numpy", "unfused")}, {}, 2)
    assert events[6:] == ["fused", "numpy", "rest", "unfused"] * 2
