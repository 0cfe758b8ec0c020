"""compile(target=...): plans for adapters of other classes, which need not be there, and what is said of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import cli, nn, targets, tuner
from graphc.codegen.rules import adapter_class
from graphc.errors import ArgumentError, DeviceError, MemoryLimitError
from graphc.lower import lower
from graphc.plan.limits import check_limits
from graphc.plan.plan import Plan, Target
from graphc.runtime.registry import adapters
from graphc.runtime.wgpu.device import WgpuDevice
from graphc.targets import TYPICAL, target_of
from graphc.tuner import Cache, Tuner
from tests.support.planning import over_baseline

X = np.random.default_rng(0).standard_normal((96, 200)).astype(np.float32)
W = np.random.default_rng(1).standard_normal((200, 40)).astype(np.float32)


def layer(x: Any, w: Any) -> Any:
    return nn.softmax(np.tanh(x @ w))


def tanh(x: Any) -> Any:
    return np.tanh(x)


def other(**changes: Any) -> WgpuDevice:
    """The adapter as if it had other limits or features."""
    made = WgpuDevice("wgpu:0", adapters()[0])
    made.__dict__["target"] = replace(made.target, **changes)
    return made


def test_names_of_targets() -> None:
    numpy = graphc.device("numpy")
    assert target_of(None, numpy) == numpy.target
    assert target_of("discrete", numpy) == TYPICAL["discrete"]
    found = target_of(" Discrete, no-f16,subgroup=64", numpy)
    assert (found.name, found.subgroup, found.features) == ("discrete,no-f16,subgroup=64", 64, frozenset({"subgroup"}))
    assert target_of("integrated,no-subgroup", numpy).subgroup == 0
    bare = target_of("baseline,f16", numpy)
    assert replace(bare, name="baseline", features=frozenset()) == Target()
    assert target_of("baseline,subgroup", numpy).subgroup == TYPICAL["integrated"].subgroup
    assert target_of("software", numpy).software
    own = Target("my own", max_workgroups=7)
    assert target_of(own, numpy) is own


@pytest.mark.parametrize("name", ["gpu", "", "discrete,f15", "discrete,subgroup=7", "discrete,f16=2", "no-f16"])
def test_what_is_no_target(name: str) -> None:
    with pytest.raises(ArgumentError, match=r"is none of discrete|is none of subgroup, f16"):
        graphc.compile(layer, target=name)


def test_a_target_is_a_name_or_a_target() -> None:
    wanted: Any = 3
    with pytest.raises(ArgumentError, match="need a name such as 'discrete'"):
        graphc.compile(layer, target=wanted)


def test_plans_for_adapters_that_are_not_there() -> None:
    """On the device numpy nothing of this machine counts."""
    plans: dict[str, Plan] = {}
    for name in ("discrete", "discrete,no-subgroup", "integrated", "software", "baseline"):
        compiled = graphc.compile(layer, device="numpy", target=name)
        executable = compiled.lower(X, W)
        plans[name] = plan = executable.plan
        assert not over_baseline(plan)
        assert plan.target == str(executable.target) == executable.contract.target
        for text in (str(plan), str(executable), str(executable.contract), str(executable.kernels)):
            assert f"for {name}" in text
        assert Plan.from_json(plan.to_json()).target == plan.target
        np.testing.assert_allclose(compiled(X, W), layer(X, W), rtol=1e-5)  # what runs is the reference
    assert "subgroups of 32" in plans["discrete"].target
    assert "no subgroups" in plans["discrete,no-subgroup"].target
    assert plans["software"].kernels[0] != plans["discrete"].kernels[0]
    assert any("subgroup" in k.needs for k in plans["discrete"].kernels)
    assert not any("subgroup" in k.needs for k in plans["baseline"].kernels)


def test_a_device_runs_what_is_planned_for_another_class(device: Any) -> None:
    own = graphc.compile(layer, device=device).lower(X, W)
    for name in ("discrete", "discrete,no-subgroup", "integrated", "baseline"):
        if name == adapter_class(device.target):
            continue
        compiled = graphc.compile(layer, device=device, target=name, check=True)
        executable = compiled.lower(X, W)
        np.testing.assert_allclose(compiled(X, W), layer(X, W), rtol=1e-5)
        assert f"compiled for {name}" in str(executable)
        assert executable.target.software is False
        if name in ("discrete", "integrated"):
            assert executable.target.subgroup == device.target.subgroup
            assert executable.target.features == device.target.features
    assert "compiled for" not in str(own)
    assert own.plan.target == str(device.target)


def test_the_class_of_the_device_is_the_device(device: Any) -> None:
    kind = adapter_class(device.target)
    assert target_of(kind, device) is device.target
    assert graphc.compile(layer, device=device, target=kind).lower(X, W).wanted is None


def test_what_the_device_lacks_is_said_when_it_is_run() -> None:
    device = other(subgroup=0, features=frozenset())
    wide = graphc.compile(layer, device=device, target="discrete,subgroup=64")
    assert any("subgroup" in k.needs for k in wide.lower(X, W).plan.kernels)
    with pytest.raises(DeviceError, match=r"layer was compiled for .*subgroups of 64.* cannot run.* feature subgroup"):
        wide(X, W)
    narrow = graphc.compile(layer, device=other(subgroup=8, features={"subgroup"}), target="discrete,subgroup=64")
    with pytest.raises(DeviceError, match="subgroups of 64 lanes, and there they have 8"):
        narrow(X, W)
    half = graphc.compile(tanh, device=device, target="discrete,f16")
    executable = half.lower(graphc.spec((8,), "float16"))
    assert executable.plan.kernels[0].needs == ("shader-f16",)
    with pytest.raises(DeviceError, match="it needs the feature shader-f16"):
        half(X[0, :8].astype(np.float16))
    few = graphc.compile(tanh, device=other(max_workgroups=3), target=Target("a large one"))
    assert few.lower(np.zeros(100_000)).plan
    with pytest.raises(DeviceError, match=r"maxComputeWorkgroupsPerDimension \d+, and there it is 3"):
        few(np.zeros(100_000))


def test_what_the_target_lacks_is_said_when_it_is_planned() -> None:
    half = graphc.compile(tanh, device="numpy", target="discrete,no-f16")
    with pytest.raises(DeviceError, match="discrete,no-f16 lacks shader-f16"):
        half.lower(graphc.spec((8,), "float16"))
    assert graphc.compile(tanh, device="numpy", target="discrete").lower(graphc.spec((8,), "float16"))


def test_what_was_tuned_on_a_device_does_not_count_for_another_class(
    device: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(tuner.CACHE_ENVIRONMENT, str(tmp_path / "tuned.json"))
    monkeypatch.setenv(tuner.ENVIRONMENT, "cached")
    x, w = graphc.spec((512, 512)), graphc.spec((512, 512))
    traced = graphc.trace(layer, x, w)
    other = "integrated" if adapter_class(device.target) == "discrete" else "discrete"
    by_rule = graphc.compile(layer, device=device, target=other).lower(x, w)
    for problem in tuner.problems(by_rule.graph, by_rule.target):
        for choice in problem.candidates[1:2]:
            Cache().write(Tuner(device).key, {problem.name: choice})
    assert tuner.tuned(by_rule.graph, device).choices
    again = graphc.compile(layer, device=device, target=other).lower(x, w)
    assert not again.target.choices
    assert again.plan == by_rule.plan
    assert len(traced.nodes) > 1


def test_memory_limits_hold_for_a_target() -> None:
    def deep(x: Any, w: Any) -> Any:
        for _ in range(6):
            x = np.tanh(x @ w)
        return np.sum(x)

    slope, arguments = graphc.grad(deep, argnums=1), (graphc.spec((4096, 16)), graphc.spec((16, 16)))
    free = graphc.compile(slope, device="numpy", target="discrete").lower(*arguments)
    most = int(0.8 * free.memory.peak_bytes)
    tight = graphc.compile(slope, device="numpy", target="discrete", memory_limit=most).lower(*arguments)
    assert tight.memory.peak_bytes <= most
    assert "for discrete" in str(tight.plan)
    with pytest.raises(MemoryLimitError):
        graphc.compile(slope, device="numpy", target="discrete", memory_limit=1000).lower(*arguments)


def test_a_program_for_another_adapter_is_saved_without_one(tmp_path: Path, device: Any) -> None:
    graphc.compile(layer, device="numpy", target="baseline").lower(X, W).save(tmp_path / "any")
    found = graphc.load_program(tmp_path / "any", device)(X, W)
    np.testing.assert_allclose(found, layer(X, W), rtol=1e-5)
    graphc.compile(layer, device="numpy", target="discrete,subgroup=128").lower(X, W).save(tmp_path / "wide")
    with pytest.raises(graphc.ProgramError, match=r"it needs (subgroups of 128 lanes|the feature subgroup)"):
        graphc.load_program(tmp_path / "wide", device)


@pytest.mark.parametrize(
    ("limit", "what"),
    [
        ({"max_storage_buffers": 2}, "3 storage buffers, and discrete allows 2"),
        ({"max_binding_bytes": 1 << 10}, r"\d+ bytes in one binding"),
        ({"max_invocations": 8}, r"\d+ invocations in a workgroup"),
        ({"max_shared_bytes": 100}, r"\d+ bytes of workgroup memory"),
        ({"max_workgroups": 1}, r"\d+ workgroups in one dimension"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_plan_that_breaks_a_limit_is_refused(limit: dict[str, Any], what: str) -> None:
    x, w = graphc.spec((256, 512)), graphc.spec((512, 256))
    executable = graphc.compile(layer, device="numpy", target="discrete").lower(x, w)
    check_limits(executable.plan, executable.target)
    with pytest.raises(DeviceError, match=what):
        check_limits(executable.plan, replace(executable.target, **limit))


def test_lowering_looks_at_the_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = graphc.compile(layer, device="numpy").lower(X, W).graph
    monkeypatch.setattr("graphc.lower.assemble.check_limits", lambda plan, target: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        lower(graph, Target())


def test_the_command_plans_for_a_target(
    device: Any, capsys: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRAPHC_DEVICE", "numpy")  # a GPU of this machine would be the class that is named
    assert cli.run(["graph", "mlp", "--target", "discrete", "--batch-size", "32"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("plan: ")
    assert "for discrete, subgroups of 32, f16" in out.splitlines()[0]
    for word in ("resident", "bound by", "peak ", "dispatches, "):
        assert word in out
    command = ["graph", "mlp", "--batch-size", "32", "--target", "discrete,no-subgroup"]
    assert cli.run([*command, "--json"]) == 0
    plan = Plan.from_json(capsys.readouterr().out)
    assert not over_baseline(plan)
    assert not any("subgroup" in k.needs for k in plan.kernels)
    assert cli.run([*command, "--stage", "fused"]) == 0
    assert capsys.readouterr().out.startswith("graph(")
    assert cli.run([*command, "--out", str(tmp_path / "plan.json")]) == 0
    assert json.loads((tmp_path / "plan.json").read_text("utf-8"))["target"].startswith("discrete,no-subgroup")
    assert cli.run(["graph", "mlp", "--target", "gpu"]) == 2
    assert "'gpu' is none of discrete, integrated, software, baseline" in capsys.readouterr().err
    assert cli.run(["graph", "bigram", "--target", "discrete", "--device", "wgpu"]) == 0
    typical = device.target if adapter_class(device.target) == "discrete" else targets.TYPICAL["discrete"]
    assert typical.name in capsys.readouterr().out
