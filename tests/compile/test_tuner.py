"""The tuner: wrong candidates lose, time is bounded, what was found is kept, and tuned programs compute the same."""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
import pytest

import graphc
from graphc import cli, tuner
from graphc.errors import DeviceError
from graphc.families.matmul import tile as matmul_tile
from graphc.families.matmul.tile import Shape, candidates, choose, problem_name
from graphc.ir.graph import Builder
from graphc.ir.types import TensorType, f32
from graphc.kernels import template
from graphc.lower import lower
from graphc.models import MODELS
from graphc.models.train import training_step
from graphc.ops import by_name
from graphc.plan.plan import Target
from graphc.runtime.wgpu import launching, queue
from graphc.tuner import Cache, Tuner, agrees, problems
from tests.support.run_graph import variants
from tests.support.systems import CASES

SOFTWARE = Target("software", subgroup=8, software=True, features=frozenset({"subgroup"}))


def product(m: Any = 96, k: Any = 192, n: Any = 160) -> Any:
    builder = Builder()
    a, b = builder.input(TensorType((m, k), f32)), builder.input(TensorType((k, n), f32))
    return builder.build([builder.apply(by_name("matmul"), a, b)])


@pytest.fixture
def cache(tmp_path: Path) -> Any:
    return Cache(tmp_path / "folder" / "tuned.json")


def problem(device: Any) -> Any:
    (found,) = problems(product(), device.target)
    return found


def ticking(step: Any) -> Any:
    """A clock that advances by `step` each time it is read."""
    return map(float, itertools.count(0, step)).__next__


def test_a_candidate_that_computes_something_else_is_rejected(
    device: Any, cache: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    found = problem(device)
    wrong, right = found.candidates[:2]

    def broken(graph: Any, target: Any, *more: Any) -> Any:
        plan = lower(graph, target, *more)
        if target.choices[found.name] != wrong:
            return plan
        kernels = [
            replace(k, wgsl=re.sub(r" \+= ([a-z][\w.]*) \* ", r" += 1.001 * \1 * ", k.wgsl)) for k in plan.kernels
        ]
        assert kernels[0].wgsl != plan.kernels[0].wgsl
        return replace(plan, kernels=tuple(kernels))

    monkeypatch.setattr("graphc.tuner.lower", broken)
    bounded = replace(found, candidates=(wrong, right))
    finding = Tuner(device, cache).best(bounded, float("inf"))
    assert finding
    assert (finding.choice, finding.tried, finding.rejected) == (right, 2, 1)
    assert "rejected" in caplog.text
    assert Tuner(device, cache).best(replace(found, candidates=(wrong,)), float("inf")) is None


def test_a_candidate_that_does_not_compile_loses(device: Any, cache: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    found = problem(device)

    def broken(graph: Any, target: Any, *more: Any) -> Any:
        plan = lower(graph, target, *more)
        if target.choices[found.name] != found.candidates[0]:
            return plan
        return replace(plan, kernels=tuple(replace(k, wgsl="fn main( {") for k in plan.kernels))

    monkeypatch.setattr("graphc.tuner.lower", broken)
    few = replace(found, candidates=found.candidates[:2])
    finding = Tuner(device, cache).best(few, float("inf"))
    assert finding
    assert finding.choice == found.candidates[1]


def test_time_is_bounded(device: Any, cache: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[Any] = []
    said: list[str] = []

    def measure(self: Tuner, trial: Any, least: float) -> float:
        measured.append(trial)
        return 1.0

    monkeypatch.setattr(Tuner, "measure", measure)
    short = Tuner(device, cache, clock=ticking(1.0), seconds=9.5, note=said.append)
    short.target(product(), measure=True)
    assert 0 < len(measured) < len(problem(device).candidates)
    assert "1 of 1" in said[0]
    measured.clear()
    out = Tuner(device, cache, clock=ticking(100.0), seconds=3.5, note=said.append)
    assert set(out.target(product(m=512), measure=True).choices) == {problem(device).name}
    assert measured == []
    assert "time is up, 1 of 1" in said[-1]


def test_hopeless_candidates_run_once(device: Any, cache: Any) -> None:
    found = problem(device)
    runs = []
    clock = ticking(1.0)

    def counted() -> Any:
        runs.append(1)
        return clock()

    arrays = tuner.operands(found.graph)
    wanted = graphc.reference.run(found.graph, arrays)
    uploaded = [device.upload(a) for a in arrays]
    slow = Tuner(device, cache, clock=counted)
    trial = slow._trial(found, found.candidates[0], uploaded, wanted)
    assert trial
    runs.clear()
    assert slow.measure(trial, least=0.01) == 1.0
    assert len(runs) == 2
    assert slow.measure(trial, least=1.0) == 1.0
    assert len(runs) == 2 + 2 * tuner.RUNS


def test_what_was_found_is_kept_and_used(device: Any, cache: Any) -> None:
    graph = product()
    name = problem(device).name
    first = Tuner(device, cache).target(graph, measure=True)
    assert first.choices[name] in problem(device).candidates
    assert Tuner(device, cache).target(graph, measure=False) == first
    assert Tuner(device, cache, clock=lambda: 1 / 0).target(graph, measure=False) == first
    entries = json.loads(cache.path.read_text())
    assert list(entries) == [Tuner(device, cache).key]
    assert device.adapter.name in next(iter(entries))


def test_a_damaged_or_unwritable_cache_is_as_good_as_none(
    device: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "tuned.json"
    for text in ("", "{", "[]", '{"d": 3}', '{"d": {"p": "x", "q": [1, "2"]}}'):
        path.write_text(text)
        assert Cache(path).read("d") == {}
    Cache(path).write("d", {"p": (1, 2)})
    Cache(path).write("e", {"q": (3,)})
    Cache(path).write("d", {"r": (4,)})
    assert Cache(path).read("d") == {"p": (1, 2), "r": (4,)}
    Cache(path / "under a file").write("d", {"p": (1, 2)})
    assert "cannot be written" in caplog.text


@pytest.mark.parametrize("mode", tuner.MODES)
def test_programs_compute_the_same_in_every_mode(
    device: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: Any
) -> None:
    monkeypatch.setenv("GRAPHC_TUNE", mode)
    monkeypatch.setenv("GRAPHC_TUNE_CACHE", str(tmp_path / "tuned.json"))
    monkeypatch.setattr(tuner, "LEAST_WORK", 1 << 19)
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal((70, 70)).astype(np.float32) for _ in range(2))
    compiled = graphc.compile(lambda a, b: np.maximum(a @ b + a, 0) @ b.T, device=device)
    want = np.maximum(a.astype(float) @ b + a, 0) @ b.T.astype(float)
    np.testing.assert_allclose(np.asarray(compiled(a, b)), want, rtol=1e-4, atol=1e-3)
    assert (tmp_path / "tuned.json").exists() == (mode == "full")


def test_the_cache_lies_where_it_is_said_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHC_TUNE_CACHE", str(tmp_path / "here.json"))
    assert Cache().path == tmp_path / "here.json"
    monkeypatch.delenv("GRAPHC_TUNE_CACHE")
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: tmp_path / name)
    assert Cache().path == tmp_path / "graphc" / "tuned.json"


def test_the_key_names_the_device_and_everything_that_writes_kernels(
    device: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = Tuner(device).key
    for part in (device.adapter.name, device.adapter.backend, device.adapter.driver):
        assert part in key
    before = tuner.kernels_version()
    tuner.kernels_version.cache_clear()
    monkeypatch.setattr(tuner, "template", lambda name: "changed" if name == "row" else template(name))
    assert tuner.kernels_version() != before
    tuner.kernels_version.cache_clear()


def test_a_mode_can_be_forced_for_a_while(device: Any, cache: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHC_TUNE", "full")
    monkeypatch.setenv("GRAPHC_TUNE_CACHE", str(cache.path))
    said: list[str] = []
    with tuner.tuning("off"):
        assert tuner.tuned(product(), device) == device.target
    with tuner.tuning("full", note=said.append) as found:
        target = tuner.tuned(product(), device)
    assert {f.name: f.choice for f in found} == target.choices
    assert any(str(f) in said[-1] for f in found)
    assert tuner.mode() == "full"
    with tuner.tuning("cached") as again:
        assert tuner.tuned(product(), device) == target
    assert again == []


def test_an_unknown_mode_is_an_error(device: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHC_TUNE", "fast")
    with pytest.raises(DeviceError, match="off, cached or full"):
        tuner.tuned(product(), device)


@pytest.mark.parametrize("empty", ["", " "])
def test_an_environment_variable_that_is_empty_says_nothing(empty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, found, default in (
        ("GRAPHC_TUNE", tuner.mode, "cached"),
        ("GRAPHC_START", launching.start_mode, "quick"),
        ("GRAPHC_CHECKS", queue.checks_wanted, "all"),
    ):
        monkeypatch.setenv(name, empty)
        assert found() == default


def test_a_choice_that_does_not_fit_the_target_is_ignored() -> None:
    shape = Shape(1, 96, 192, 160)
    name = problem_name(shape, "k", "n", False)
    rule = choose(shape, "k", "n", SOFTWARE)
    for bad in (
        (4, 1, 8, 1, 1, 0, 0, 1, 1),
        (64, 64, 1, 1, 0, 0, 0, 1, 1),
        (8, 1, 8),
        (8, 1, 16, 2, 1, 1, 0, 1, 1),
        (0, 1, 1, 1, 0, 0, 0, 1, 1),
        (8, 1, 8, 1, 1, 0, 0, 2, 1),
    ):
        assert choose(shape, "k", "n", replace(SOFTWARE, choices={name: bad})) == rule
    chosen = choose(shape, "k", "n", replace(SOFTWARE, choices={name: (8, 1, 8, 1, 1, 0, 0, 1, 1)}))
    assert (chosen.rows, chosen.columns) == (8, 1)


def test_every_candidate_is_a_choice_that_is_taken(device: Any) -> None:
    for target, textured in itertools.product(variants(device).values(), (False, True)):
        for a_along, b_along in itertools.product("km", "nk"):
            shape = Shape(2, 200, 64, 96)
            name = problem_name(shape, a_along, b_along, textured)
            for tile in candidates(shape, a_along, b_along, target, textured):
                chosen = choose(shape, a_along, b_along, replace(target, choices={name: tile.choice}), textured)
                assert replace(chosen, splits=1) == tile


def test_flags_may_differ_where_a_sum_falls_on_an_edge_and_numbers_in_their_last_bits() -> None:
    numbers = np.array([1.0, 100.0, np.inf], np.float32)
    assert agrees(numbers * np.float32(1 + 1e-6), numbers)
    assert not agrees(numbers * np.float32(1 + 1e-3), numbers)
    assert not agrees(np.array([1.0, 100.0, np.nan], np.float32)[:2], numbers)
    assert not agrees(numbers[::-1], numbers)
    flags = np.zeros(2000, bool)
    assert agrees(flags, flags)
    assert not agrees(~flags, flags)


def test_shapes_of_a_class_share_what_was_found() -> None:
    names = {problem_name(Shape(1, m, 384, 1536), "k", "n", True) for m in (900, 1000, 1024)}
    assert len(names) == 1
    assert matmul_tile.problem_name(Shape(1, 1025, 384, 1536), "k", "n", True) not in names


@pytest.mark.slow
@pytest.mark.parametrize("name", ["microgpt", "gpt", "mlp", "batchnorm-1"])
def test_training_steps_are_the_reference_s_in_every_mode(
    device: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: Any
) -> None:
    """One of each kind of model; docs/architecture.md says how the whole suite runs under each mode."""
    monkeypatch.setenv("GRAPHC_TUNE_CACHE", str(tmp_path / "tuned.json"))
    monkeypatch.setattr(tuner, "LEAST_WORK", 1 << 14)  # these sizes are small
    case = CASES[name]
    optimizer = graphc.optim.adamw(0.01)
    step = training_step(MODELS[case.model], case.config, optimizer)
    params = case.params()
    arguments = (params, optimizer.init(params), *case.batch())
    losses = {}
    for mode in ("off", "full", "cached"):
        monkeypatch.setenv("GRAPHC_TUNE", mode)
        compiled = graphc.compile(step, device=device, check=True)
        losses[mode] = float(compiled(*arguments)[2])
        chosen = tuner.tuned(compiled.lower(*arguments).graph, device).choices
        assert bool(chosen) == (mode != "off")
    assert losses["cached"] == losses["full"] == pytest.approx(losses["off"], rel=1e-4)


def test_the_command_tunes_a_model_and_keeps_what_it_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GRAPHC_TUNE_CACHE", str(tmp_path / "tuned.json"))
    monkeypatch.setattr(tuner, "LEAST_WORK", 1)
    command = ["tune", "bigram", "--batch-size", "8"]
    assert cli.run([*command, "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert {finding["name"] for finding in data["found"]} == set(
        next(iter(json.loads(Path(data["cache"]).read_text()).values()))
    )
    assert all(finding["gain"] >= 1 and finding["tried"] for finding in data["found"])
    assert cli.run(command) == 0
    assert f"0 kernels measured now, 0 better than by rule; kept in {tmp_path}" in capsys.readouterr().out
    assert cli.run(["tune", "mlp", "--device", "numpy"]) == 1
    assert "tune needs a WebGPU adapter" in capsys.readouterr().err


def test_a_cache_that_cannot_be_written_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "tuned.json", tmp_path):
        caplog.clear()
        for _ in range(2):
            Cache(path).check()
            Cache(path).write("d", {"p": (1, 2)})
        (record,) = caplog.records
        assert record.getMessage().startswith(f"tuner: {path} cannot be written (")
    caplog.clear()
    Cache(tmp_path / "new" / "tuned.json").check()
    assert not caplog.records
    assert not list((tmp_path / "new").iterdir())


def test_measuring_says_that_nothing_can_be_kept(device: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    nothing_to_measure = Builder()
    x = nothing_to_measure.input(TensorType((3,), f32))
    graph = nothing_to_measure.build([nothing_to_measure.apply(by_name("tanh"), x)])
    unwritable = Cache(tmp_path / "file" / "tuned.json")
    Tuner(device, unwritable).target(graph, measure=False)
    assert not caplog.records
    Tuner(device, unwritable).target(graph, measure=True)
    assert "cannot be written" in caplog.text
