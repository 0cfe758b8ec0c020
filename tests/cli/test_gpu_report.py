"""The report of a GPU: it is whole at any time, PyTorch takes turns where there is one, a row that fails is named."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from wgpu.backends.wgpu_native._api import libf

import graphc
from graphc import cli
from graphc.bench.cases import Workload
from graphc.bench.gpu import gpu_report, report, rows
from graphc.bench.peers import process
from graphc.errors import DeviceError
from graphc.plan.plan import Kernel
from graphc.runtime.wgpu.device import WgpuDevice
from graphc.runtime.wgpu.queue import CHECKS, ENVIRONMENT

FAKE = """
import json, sys
def answer(**what): print(json.dumps(what), flush=True)
if sys.argv[1] != "cuda":
    answer(error="not asked for")
    sys.exit()
answer(version="fake on CUDA")
slow = 1
for line in sys.stdin:
    request = json.loads(line)
    if "prepare" in request:
        import numpy
        found = numpy.load(request["arrays"])
        if request["prepare"]["kind"] != "matmul":
            answer(error="no such program")
            continue
        answer(first=float((found["a"] @ found["b"])[0, 0]), seconds=0.001)
    elif "configure" in request:
        slow = 1 if request["configure"]["tf32"] else 2
        answer(configured=True)
    else:
        answer(done=request["run"], seconds=request["run"] * slow * 0.001)
"""


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "child.py"
    script.write_text(FAKE)
    monkeypatch.setattr(process, "SCRIPT", script)


def device() -> WgpuDevice:
    found = graphc.device("wgpu")
    assert isinstance(found, WgpuDevice)
    return found


def test_a_report_has_the_adapter_its_peaks_and_the_programs(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    assert cli.run(["bench", "--gpu-report", str(path), "--small", "product", "softmax"]) == 0
    found = json.loads(path.read_text())
    assert found["adapter"]["name"] == device().adapter.name
    assert found["adapter"]["subgroup"] == device().target.subgroup
    assert {"multiply_add_f32", "kernel_copy_1", "buffer_copy"} <= set(found["peaks"])
    assert min(found["peaks"].values()) > 0
    assert {"dependent_us", "independent_us", "dependent_record_us", "empty_submit_us"} <= set(found["launches"])
    assert set(found["rows"]) == {"product", "softmax"}
    assert all(row["seconds"] > 0 and row["dispatches"] == 1 for row in found["rows"].values())
    assert found["errors"] == {}


def test_pytorch_takes_turns_with_tf32_off_and_on(tmp_path: Path, fake: None) -> None:
    path = tmp_path / "report.md"
    found = gpu_report(device(), path, names=["product", "softmax"], small=True, python=sys.executable)
    row = found.rows["product"]
    assert found.torch == "fake on CUDA"
    assert (row["torch_seconds"], row["torch_tf32_seconds"]) == (0.002, 0.001)
    assert row["metrics"]["times_torch"] == 0.002 / row["seconds"]
    assert found.rows["softmax"]["torch_absent"] == "no such program"
    text = path.read_text()
    assert "PyTorch, TF32" in text
    assert "softmax: PyTorch: no such program" in text


def test_a_row_that_fails_is_named_and_the_others_are_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "report.md"

    def no_workload(small: bool) -> Workload:
        raise ZeroDivisionError("of no use")

    broken = replace(rows.ROWS[0], name="broken", make=no_workload)
    monkeypatch.setattr(report, "ROWS", (broken, *rows.ROWS))
    monkeypatch.setattr(rows, "ROWS", (broken, *rows.ROWS))
    assert cli.run(["bench", "--gpu-report", str(path), "--small", "broken", "product"]) == 1
    assert "failed: broken" in capsys.readouterr().err
    text = path.read_text()
    assert "- broken: ZeroDivisionError" in text
    assert "| product: matmul" in text


def test_a_report_is_written_as_it_grows(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    sizes: list[int] = []

    def note(line: str) -> None:
        sizes.append(len(json.loads(path.read_text())["peaks"]) if path.exists() else -1)

    found = gpu_report(device(), path, names=["product"], small=True, seconds=0.0, note=note)
    assert found.skipped
    assert json.loads(path.read_text())["skipped"] == found.skipped
    gpu_report(device(), path, names=["product"], small=True, note=note)
    assert sizes == sorted(sizes)
    assert sizes[-1] >= 5


@pytest.mark.parametrize(
    ("arguments", "match"), [(["r.txt"], r"\.md or \.json, not r\.txt"), (["r.md", "matmul-9"], "no row matmul-9")]
)
def test_what_is_not_known_is_refused(
    arguments: list[str],
    match: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.run(["bench", "--gpu-report", *arguments]) == 2
    assert re.search(match, capsys.readouterr().err)
    assert not list(tmp_path.iterdir())


def test_every_row_runs(tmp_path: Path) -> None:
    names = [row.name for row in rows.ROWS if row.name != "attention-gradient"]
    found = gpu_report(device(), tmp_path / "report.md", names=names, small=True)
    assert found.errors == {}
    lacking = {row.name for row in rows.ROWS if not set(row.needs) <= device().features}
    assert set(found.rows) == set(names) - lacking
    assert set(found.checks) == {*report.CHECKED} - {"attention-gradient"}


@pytest.mark.parametrize("checks", CHECKS[1:])
def test_kernels_with_fewer_checks_compute_the_same(checks: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT, checks)
    free = WgpuDevice("free", device().adapter)
    assert (free.checks, free.twin().checks, device().checks) == (checks, checks, "all")
    x, w = (np.random.default_rng(n).standard_normal(shape, np.float32) for n, shape in enumerate([(33, 70), (70, 9)]))

    def program(x: Any, w: Any) -> Any:
        return np.sum(np.exp(x @ w), axis=0)

    got, want = (np.asarray(graphc.compile(program, device=d)(x, w)) for d in (free, device()))
    np.testing.assert_array_equal(got, want)


def test_wgpu_native_is_told_which_checks_to_add(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    make = libf.wgpuDeviceCreateShaderModuleTrusted

    def watched(device: Any, descriptor: Any, checks: int) -> Any:
        asked.append(checks)
        return make(device, descriptor, checks)

    monkeypatch.setattr(libf, "wgpuDeviceCreateShaderModuleTrusted", watched)
    good = Kernel("good", "@compute @workgroup_size(1) fn main() {}", (), "map")
    for checks in CHECKS:
        opened = WgpuDevice("free", device().adapter, checks)
        _ = opened.handle
        opened.pipelines.get([good])
    assert asked == [1, 0]
    bad = Kernel("bad", "@compute @workgroup_size(1) fn main() { let x: u32 = 1.5; }", (), "map")
    with pytest.raises(DeviceError, match=r"compiling kernel bad.*expected to be `u32`"):
        opened.pipelines.get([bad])


def test_a_wrong_choice_of_checks_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT, "some")
    with pytest.raises(DeviceError, match="GRAPHC_CHECKS is 'some': write all, indices or none"):
        WgpuDevice("free", device().adapter)
