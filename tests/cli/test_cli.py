"""The command line: what it prints where, what it leaves on the disk, and how it fails."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import graphc
from graphc import cli
from graphc.cli import progress, speed
from graphc.models import MODELS
from graphc.models.rundir import RunDirectory

FAST = ["--device", "numpy"]


@pytest.fixture
def names(tmp_path: Path) -> str:
    """A small file of names."""
    path = tmp_path / "names.txt"
    path.write_text("emma\nolivia\nava\nisabella\nsophia\n")
    return str(path)


class Result:
    """Exit status and output of a command."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.out, self.err = status, out, err


Command = Callable[..., Result]


@pytest.fixture
def graphc_(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a command in an empty directory."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    def run(*arguments: object) -> Result:
        capsys.readouterr()
        status = cli.run([str(a) for a in arguments])
        return Result(status, *capsys.readouterr())

    return run


def train(run: Command, names: str, *more: object) -> Result:
    return run("train", "microgpt", "--data", names, "--steps", 6, "--decay", "constant", *FAST, *more)


def metrics(directory: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]


def test_help_says_all_in_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--help"]) == 0
    text = capsys.readouterr().out
    listed = text[text.index("Commands:") :].splitlines()[1:]
    assert [line.split()[0] for line in listed][:3] == ["demo", "train", "sample"]
    assert not [line for line in listed if line.endswith("...")]


def test_train_writes_a_run(graphc_: Any, names: str) -> None:
    result = train(graphc_, names, "--seed", 3, "--batch-size", 2, "--json")
    assert result.status == 0, result.err
    summary = json.loads(result.out)
    directory = Path(summary["directory"])
    assert directory == Path("runs/microgpt-1")
    lines = metrics(directory)
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert summary["loss"] == lines[-1]["loss"]
    assert "step 6/6" in result.err
    config = json.loads((directory / "config.json").read_text())
    assert (config["seed"], config["batch_size"]) == (3, 2)
    assert config["config"]["vocab_size"] == len(config["vocabulary"]) + 1
    assert [p.name for p in directory.glob("*.safetensors")] == ["step-00000006.safetensors"]
    assert graphc.load_metadata(directory / "step-00000006.safetensors")["step"] == 6
    assert train(graphc_, names).out == "runs/microgpt-2\n"


def test_a_resumed_run_is_the_run_that_never_stopped(graphc_: Any, names: str) -> None:
    assert train(graphc_, names, "--out", "whole").status == 0
    assert train(graphc_, names, "--out", "parts", "--steps", 3).status == 0
    resumed = graphc_("train", "--resume", "parts", "--steps", 6, *FAST)
    assert resumed.status == 0, resumed.err
    whole, parts = RunDirectory(Path("whole")), RunDirectory(Path("parts"))
    losses = [[line["loss"] for line in metrics(d.path)] for d in (whole, parts)]
    assert losses[0] == losses[1]
    assert whole.checkpoints()[-1].read_bytes() == parts.checkpoints()[-1].read_bytes()


def test_resume_drops_metrics_that_no_checkpoint_holds(graphc_: Any, names: str) -> None:
    train(graphc_, names, "--out", "run", "--checkpoint-every", 4)
    (Path("run") / "step-00000006.safetensors").unlink()
    with (Path("run") / "metrics.jsonl").open("a") as file:
        file.write('{"step": 7, "lo')
    before = metrics_text = (Path("run") / "metrics.jsonl").read_text()
    assert graphc_("train", "microgpt", "--resume", "run", *FAST).status == 0
    after = metrics(Path("run"))
    assert [line["step"] for line in after] == [1, 2, 3, 4, 5, 6]
    assert [line["loss"] for line in after] == [json.loads(line)["loss"] for line in before.splitlines()[:6]]
    assert metrics_text.splitlines()[:4] == (Path("run") / "metrics.jsonl").read_text().splitlines()[:4]


def test_two_checkpoints_stay(graphc_: Any, names: str) -> None:
    train(graphc_, names, "--out", "run", "--checkpoint-every", 1)
    assert [p.name for p in RunDirectory(Path("run")).checkpoints()] == [
        "step-00000005.safetensors",
        "step-00000006.safetensors",
    ]


def test_sample(graphc_: Any, names: str) -> None:
    train(graphc_, names, "--out", "run")
    first = graphc_("sample", "run", "--count", 4, "--prompt", "so", *FAST)
    assert first.status == 0, first.err
    assert len(first.out.splitlines()) == 4
    assert all(line.startswith("so") for line in first.out.splitlines())
    again = graphc_("sample", "run", "--count", 4, "--prompt", "so", "--json", *FAST)
    assert json.loads(again.out) == first.out.splitlines()
    other = graphc_("sample", "run", "--count", 4, "--prompt", "so", "--seed", 1, "--temperature", 2, *FAST)
    assert other.out != first.out
    unknown = graphc_("sample", "run", "--prompt", "X", *FAST)
    assert (unknown.status, unknown.out) == (1, "")
    assert unknown.err.startswith("graphc: error: 'X' is not a character")


def test_demo(graphc_: Any) -> None:
    result = graphc_("demo", "--steps", 5, *FAST)
    assert result.status == 0, result.err
    assert len(result.out.splitlines()) == 20
    assert "demo/microgpt.svg" in result.err.replace(os.sep, "/")
    assert Path("demo/microgpt.svg").read_text().lstrip().startswith("<")
    assert "</svg>" in Path("demo/microgpt.svg").read_text()
    assert graphc_("demo", "--steps", 5, *FAST).out == result.out


@pytest.mark.parametrize("what", ["forward", "training"])
def test_graph_prints_the_program(graphc_: Any, what: str) -> None:
    traced = graphc_("graph", "microgpt", "--what", what, "--stage", "traced", *FAST)
    assert traced.status == 0, traced.err
    assert re.search(r"= matmul\(.*# microgpt\.py:\d+", traced.out)
    as_json = json.loads(graphc_("graph", "microgpt", "--what", what, "--stage", "traced", "--json", *FAST).out)
    lines = [line for line in traced.out.splitlines() if line.startswith("  %") and " = constant " not in line]
    assert len(as_json["nodes"]) == len(lines)
    assert all(node["source"] for node in as_json["nodes"])


def test_graph_as_a_line_a_kernel(graphc_: Any) -> None:
    text = graphc_("graph", "mlp", "--text", "--profile").out
    lines = text.splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[0].startswith("arguments: params.b1 f32[100]")
    assert {"forward", "backward", "update"} <= set(lines)
    assert any("matmul kernel → f32[32,100]" in line and "%" in line for line in lines)
    assert any("← #1, params.w1, params.b1  # mlp.py:" in line for line in lines)
    assert any(line.startswith("result[0].w1 f32[6,100] ← #") for line in lines)
    small = ["--set", "layers=3", "--set", "width=24", "--set", "heads=2", "--what", "forward"]
    folded = graphc_("graph", "gpt", *small, "--stage", "traced", "--text").out
    assert "params.blocks[*].wq f32[24,24] × 3" in folded
    assert "matmul × 9 → f32[64,256,24]" in folded


@pytest.mark.parametrize(
    "more", [("--json",), ("--diff", "fuse"), ("--stage", "planned"), ("--out", "x.svg")], ids=" ".join
)
def test_text_goes_alone(graphc_: Any, more: tuple[str, ...]) -> None:
    assert graphc_("graph", "bigram", "--text", *more).status == 2


def test_graph_writes_files(graphc_: Any) -> None:
    for suffix, start in [(".svg", "<"), (".dot", "digraph"), (".json", "{"), (".txt", "graph(")]:
        result = graphc_("graph", "microgpt", "--what", "forward", "--out", f"g{suffix}", *FAST)
        assert result.status == 0, result.err
        assert result.out == f"g{suffix}\n"
        assert Path(f"g{suffix}").read_text().lstrip().startswith(start)
    assert graphc_("graph", "microgpt", "--out", "g.png").status == 2
    assert graphc_("graph", "microgpt", "--stage", "all").status == 2


def test_graph_shows_the_plan_and_every_stage(graphc_: Any) -> None:
    command = ("graph", "bigram", *FAST)
    assert graphc_(*command, "--stage", "planned").out.startswith("plan: ")
    plan = json.loads(graphc_(*command, "--stage", "planned", "--json").out)
    assert plan["kernels"][0]["wgsl"]
    result = graphc_(*command, "--stage", "all", "--out", "stages")
    assert result.status == 0, result.err
    assert all(Path(line).is_file() for line in result.out.splitlines())
    assert Path("stages/00-traced.txt").is_file()
    assert json.loads(Path("stages/plan.json").read_text()) == plan


def test_devices_and_doctor(graphc_: Any) -> None:
    listed = json.loads(graphc_("devices", "--json").out)
    assert listed[-1]["name"] == "numpy"
    text = graphc_("devices").out
    assert all(device["name"] in text and device["description"] in text for device in listed)
    doctor = graphc_("doctor", "--json")
    findings = json.loads(doctor.out)
    assert doctor.status == (0 if all(f["ok"] or not f["needed"] for f in findings) else 1)
    assert all(f["ok"] or f["mend"] for f in findings)
    (measured,) = (f["detail"] for f in findings if f["what"] == "speed")
    if listed[0]["software"] and listed[0]["name"] != "numpy":
        assert re.search(
            r"small programs: .* ms as it is, .* ms GRAPHC_DEVICE=numpy.*; (leave it|use \w+=\w+); ", measured
        )


def test_advice_is_the_fastest_setting_and_stays_where_it_gains_little() -> None:
    found = {
        "as it is": {"small": 1e-3, "large": 9e-2},
        "GRAPHC_DEVICE=numpy": {"small": 5e-4, "large": 8e-2},
        "LP_NUM_THREADS=1": {"small": 7e-4, "large": 2e-1},
    }
    small, large = speed.advice(found, "as it is").split("; large programs: ")
    assert small == (
        "small programs: 1.00 ms as it is, 0.50 ms GRAPHC_DEVICE=numpy, 0.70 ms LP_NUM_THREADS=1; "
        "use GRAPHC_DEVICE=numpy"
    )
    assert large.endswith("; leave it")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["train", "microgpt", "--data", "nothing.txt"], "nothing.txt: no such file"),
        (["train", "microgpt", "--device", "cuda"], "cuda"),
        (["train", "microgpt", "--set", "heads=3"], "width 16 must be a multiple of heads 3"),
        (["train", "--resume", "nowhere"], "nowhere holds no run"),
        (["sample", "nowhere"], "nowhere holds no run"),
        (["train", "microgpt", "--out", "/dev/null/run"], "cannot be written"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value[:4]),
)
def test_what_goes_wrong_is_one_line(graphc_: Any, arguments: list[str], reason: str) -> None:
    result = graphc_(*arguments, *([] if "--device" in arguments else FAST))
    assert result.status == 1
    assert result.out == ""
    last = result.err.splitlines()[-1]
    assert last.startswith("graphc: error: ")
    assert reason in last
    assert "Traceback" not in result.err


def test_an_unknown_default_device_is_named(graphc_: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHC_DEVICE", "abacus")
    result = graphc_("train", "bigram", "--steps", 1)
    assert result.status == 1
    assert "graphc: error: GRAPHC_DEVICE: unknown device 'abacus'" in result.err


def test_doctor_knows_whose_fault_the_default_device_is(graphc_: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHC_DEVICE", "abacus")
    result = graphc_("doctor")
    assert result.status == 1
    assert "unset GRAPHC_DEVICE" in result.out


def test_version(graphc_: Any) -> None:
    result = graphc_("--version")
    assert (result.status, result.err) == (0, "")
    assert result.out.startswith("graphc ")


def test_a_run_that_is_done_says_so(graphc_: Any, names: str) -> None:
    train(graphc_, names, "--out", "run")
    again = graphc_("train", "--resume", "run", "--steps", 4, *FAST)
    assert again.status == 0
    assert "6 steps are done already, of 4" in again.err


def test_all_names_are_a_batch(graphc_: Any, names: str) -> None:
    assert train(graphc_, names, "--out", "all", "--batch-size", "all").status == 0
    assert train(graphc_, names, "--out", "five", "--batch-size", 5).status == 0
    assert [m["loss"] for m in metrics(Path("all"))] == [m["loss"] for m in metrics(Path("five"))]


def test_debug_shows_the_traceback(graphc_: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHC_DEBUG", "1")
    with pytest.raises(graphc.DataError, match="nowhere"):
        graphc_("sample", "nowhere")


def test_a_reader_that_leaves_early_is_no_traceback(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "wb") as closed:
        done = subprocess.run(
            [sys.executable, "-m", "graphc", "graph", "microgpt", "--stage", "traced", *FAST],
            cwd=tmp_path,
            stdout=closed,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(root)},
            check=False,
        )
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.parametrize(
    "arguments",
    [
        ["nothing"],
        ["train"],
        ["train", "gpt5"],
        ["train", "microgpt", "--steps", "0"],
        ["train", "microgpt", "--optimizer", "magic"],
        ["train", "microgpt", "--set", "width"],
        ["train", "microgpt", "--set", "depth=3"],
        ["graph", "microgpt", "--set", "width=wide"],
        ["sample"],
        ["train", "--resume", "run", "--lr", "1"],
    ],
    ids=" ".join,
)
def test_bad_usage(graphc_: Any, arguments: list[str]) -> None:
    result = graphc_(*arguments)
    assert (result.status, result.out) == (2, "")
    assert "Usage: graphc" in result.err


def test_a_run_is_not_overwritten(graphc_: Any, names: str) -> None:
    train(graphc_, names, "--out", "run")
    before = {p: p.read_bytes() for p in Path("run").iterdir()}
    again = train(graphc_, names, "--out", "run")
    assert again.status == 1
    assert "already holds a run" in again.err
    assert {p: p.read_bytes() for p in Path("run").iterdir()} == before


def test_a_damaged_checkpoint_is_named(graphc_: Any, names: str) -> None:
    train(graphc_, names, "--out", "run")
    path = Path("run/step-00000006.safetensors")
    path.write_bytes(path.read_bytes()[:-3])
    for command in (["sample", "run"], ["train", "--resume", "run", "--steps", "9"]):
        result = graphc_(*command, *FAST)
        assert result.status == 1
        assert "step-00000006.safetensors: damaged" in result.err


def test_a_loss_that_is_not_finite_ends_the_run(graphc_: Any, names: str) -> None:
    result = train(graphc_, names, "--out", "run", "--optimizer", "sgd", "--lr", "1e30")
    assert result.status == 1
    assert re.search(r"graphc: error: the loss is (nan|inf) at step \d: a lower learning rate may help", result.err)
    assert len(metrics(Path("run"))) >= 1


def test_ctrl_c_saves_and_says_how_to_go_on(names: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "graphc", "train", "microgpt", "--data", names, "--steps", "1000000", *FAST]
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen(
        [*command, "--out", "run"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(root)},
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("step 1/"):
                break
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=600)
    assert process.returncode == 1
    assert out == "run\n"
    found = re.search(r"interrupted after (\d+) of 1000000 steps; go on with: graphc train microgpt --resume run", err)
    assert found, err
    assert [line["step"] for line in metrics(tmp_path / "run")] == list(range(1, int(found[1]) + 1))
    assert RunDirectory(tmp_path / "run").load_newest()[2] == int(found[1])


def test_the_live_bar_shows_steps_loss_and_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(screen, "isatty", lambda: True)
    bar = progress.reporter()
    assert isinstance(bar, progress.LiveBar)
    clock = iter([5.0, 10.0, 12.0])
    monkeypatch.setattr(progress, "_now", lambda: next(clock))
    monkeypatch.setenv("COLUMNS", "120")
    bar.begin(2, 4, 500)
    bar.loss(3, 2.0)
    bar.note("a [line]")
    bar.loss(4, 1.0)
    bar.end()
    assert "4/4" in screen.getvalue()
    assert "loss 1.49" in screen.getvalue()
    assert "0.5 steps/s  250 tokens/s" in screen.getvalue()
    assert "a [line]" in screen.getvalue()


def test_help_names_every_command(graphc_: Any) -> None:
    result = graphc_("--help")
    assert result.status == 0
    for command in ("demo", "train", "sample", "graph", "devices", "doctor"):
        assert f"\n  {command} " in result.out
        assert graphc_(command, "--help").status == 0
    assert "microgpt" in MODELS
