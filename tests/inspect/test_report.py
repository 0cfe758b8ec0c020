"""The report's document: what it says is what the program is; and the page: nothing in it can be anything but text."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import graphc
from graphc.cli import cli, run
from graphc.executable import Executable
from graphc.inspect.profile import Profile
from graphc.report import describe, page
from graphc.report.compare import beside
from graphc.report.page import script_json
from graphc.report.runs import attention_document, run_document
from tests.support.reports import HOSTILE, arguments, compiled, hostile, write_run


@pytest.fixture(scope="module")
def program() -> Executable:
    return compiled()


@pytest.fixture(scope="module")
def profile(program: Executable) -> Profile:
    return program.profile(*arguments(), repeat=2)


@pytest.fixture(scope="module")
def document(program: Executable, profile: Profile) -> dict[str, Any]:
    return describe(program, profile)


def embedded(html: str) -> Any:
    """The document in a page."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def text(document: dict[str, Any], number: int) -> str:
    return str(document["texts"][number])


def test_time_and_bytes_are_shared_without_loss(
    document: dict[str, Any], program: Executable, profile: Profile
) -> None:
    seconds, moved, flops = (sum(share[k] for share in document["shares"]) for k in (1, 2, 3))
    assert seconds == pytest.approx(profile.busy, rel=1e-2)
    assert moved == pytest.approx(program.contract.bytes_moved, rel=1e-2, abs=64)
    assert flops == pytest.approx(program.contract.flops, rel=1e-2, abs=64)


def test_products_take_the_time_of_their_kernels(document: dict[str, Any]) -> None:
    flops: dict[str, float] = {}
    for row, _, _, count in document["shares"]:
        op = text(document, document["rows"][row][0])
        flops[op] = flops.get(op, 0) + count
    rows, width, layers = 96, 40, 3
    products = 3 * layers - 1  # forward, and the gradients of weights and values; x has none
    assert flops["matmul"] == pytest.approx(products * 2 * rows * width * width, rel=0.02)


def test_each_kernel_has_its_wgsl(document: dict[str, Any], program: Executable) -> None:
    for kernel, made in zip(program.plan.kernels, document["kernels"], strict=True):
        assert "\n".join(document["wgsl"][line] for line in made["wgsl"]) == kernel.wgsl
        assert text(document, made["name"]) == kernel.name


def test_every_dispatch_has_a_launch_and_every_launch_its_ops(document: dict[str, Any]) -> None:
    launched = {part[0] for dispatch in document["dispatches"] for part in dispatch["parts"]}
    assert launched <= set(range(len(document["launches"])))
    ops = [row for row, *_ in document["shares"]]
    assert len(ops) == len(set(ops)), "no op is launched twice"


def test_passes_tell_what_they_removed(document: dict[str, Any]) -> None:
    (merged,) = (s for s in document["stages"] if text(document, s["name"]) == "cse")
    gone = [text(document, document["rows"][row][0]) for row, _ in merged["changes"]["gone"]]
    assert "exp" in gone
    instead = {value for row, value in merged["changes"]["gone"] if text(document, document["rows"][row][0]) == "exp"}
    assert instead <= {v for row in merged["rows"] for v in document["rows"][row][2]}, "what is read instead is there"
    assert text(document, merged["about"]) == "cse: common subexpression elimination."


def test_stages_that_change_nothing_repeat_nothing(document: dict[str, Any], program: Executable) -> None:
    for (_, before), (name, after), stage in zip(
        program.stages, program.stages[1:], document["stages"][1:], strict=False
    ):
        assert ("rows" in stage) == (before.nodes != after.nodes or before.outputs != after.outputs), name


def test_fusion_tells_what_stands_between_kernels_and_what_it_costs(program: Executable) -> None:
    decided = {decision for decision in program.decisions().values() if decision.stops}
    assert decided
    for decision in decided:
        for stop in decision.stops:
            assert stop.why
            assert stop.nbytes >= min(value.type.nbytes for value in decision.outputs), "at least one is read again"


def test_a_tensor_between_two_kernels_costs_two_ways() -> None:
    def twice(x: Any, w: Any) -> Any:
        return (x @ w) @ w

    made = graphc.compile(twice).lower(np.ones((64, 64)), np.ones((64, 64)))
    (stop,) = (stop for decision in set(made.decisions().values()) for stop in decision.stops)
    assert (stop.op, stop.nbytes) == ("matmul", 3 * 64 * 64 * 4)  # written, read, and w read but once
    assert stop.why == "a kernel holds one matmul"


def test_what_differed_is_told(document: dict[str, Any]) -> None:
    (_, first), (_, second) = document["retraces"]
    assert first == []
    assert second == ["argument x is f32[96,40], was f32[8,40]"]


def test_names_of_arguments_and_results_are_paths(document: dict[str, Any]) -> None:
    names = [text(document, argument[0]) for argument in document["arguments"]]
    assert names == [f"params[{n}].{key}" for n in range(3) for key in "bw"] + ["x"]
    assert text(document, document["results"][0][0]) == "result[0]"
    assert text(document, document["results"][2][0]) == "result[1][0].w"


def test_source_lines_are_there_with_their_neighbours(document: dict[str, Any]) -> None:
    (file,) = document["files"]
    assert file["name"] == "reports.py"
    shown = dict(file["lines"])
    for _, number in document["lines"]:
        assert shown[number].strip()
    assert "return np.tanh(h @ w + b)" in {line.strip() for line in shown.values()}


def test_a_report_without_times(tmp_path: Path, program: Executable) -> None:
    program.report(tmp_path / "page.html", profile=False)
    found = embedded((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert found["profile"] is None
    assert "seconds" not in found["dispatches"][0]


def test_a_report_measures_by_itself(tmp_path: Path, program: Executable) -> None:
    program.report(tmp_path / "page.html")
    found = embedded((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert found["profile"]["stamped"]
    assert sum(d["seconds"] for d in found["dispatches"]) == pytest.approx(found["profile"]["busy"], rel=1e-2)


def test_loops_count_each_step() -> None:
    def steps(x: Any, w: Any) -> Any:
        return graphc.scan(lambda carry, _: (np.tanh(carry @ w), carry.sum()), x, np.arange(7))

    given = np.ones((8, 8)), np.full((8, 8), 0.1)
    made = graphc.compile(steps).lower(*given)
    found = describe(made, made.profile(*given, repeat=1))
    assert {d["times"] for d in found["dispatches"]} >= {3}  # of two steps each; the seventh one follows
    assert sum(share[3] for share in found["shares"]) == pytest.approx(made.contract.flops, rel=0.05)


def test_a_program_for_numpy_is_reported_too(tmp_path: Path) -> None:
    made = graphc.compile(lambda x: np.tanh(x) @ x, device="numpy").lower(np.ones((4, 4)))
    made.report(tmp_path / "page.html")
    assert embedded((tmp_path / "page.html").read_text(encoding="utf-8"))["profile"] is None


def test_the_page_loads_nothing_and_is_closed_to_all_scripts_but_its_own(document: dict[str, Any]) -> None:
    html = page(document)
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)
    assert policy is not None
    assert "default-src &#39;none&#39;" in policy[1]
    assert "unsafe" not in policy[1]
    shell = html.replace("http://www.w3.org/2000/svg", "")  # the name of a namespace
    assert not re.search(r"https?://", shell)
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|\bfetch\b", shell
    )


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_names_cannot_leave_the_data(name: str) -> None:
    html = page({"name": "x", "texts": [name, {name: name}]})
    assert embedded(html)["texts"] == [name, {name: name}]
    assert html.lower().count("<script") == 2
    assert "<" not in script_json([name])


def test_hostile_names_are_shown_without_what_is_no_text() -> None:
    found = describe(hostile(HOSTILE), None)
    names = [text(found, argument[0]) for argument in found["arguments"]]
    assert all(name.isprintable() and len(name) <= 240 for name in (*found["texts"], found["name"]))
    assert any("<img src=x onerror" in name for name in names)
    html = page(found)
    html.encode("utf-8")
    assert html.lower().count("<script") == 2


def test_a_run_is_read_up_to_where_it_was_killed(tmp_path: Path) -> None:
    found = run_document(write_run(tmp_path / "run"))
    assert found["steps"] == 30
    assert found["losses"][-1] == [30, 0.1]
    assert [step for step, _ in found["measured"]] == [10, 20, 30]
    assert found["taps"][-1][1]["tap1"]["gradient"]["std"] == 0.2


def test_what_layers_did_and_what_was_written_meanwhile(tmp_path: Path) -> None:
    found = run_document(write_run(tmp_path / "run"))
    assert [step for step, _ in found["update_ratios"]] == [10, 20, 30]
    assert found["update_ratios"][-1][1]["layers[2]"] == pytest.approx(1e-4)
    assert found["written"][-1] == [30, ["tap after 30", "an↵other"]]


def test_maps_of_attention_are_bytes() -> None:
    maps = np.tri(3) / np.arange(1, 4)[:, None] * np.ones((2, 4, 1, 1))
    found = attention_document("a\u202eb", maps)
    assert (found["layers"], found["heads"], found["length"], found["text"][1]) == (2, 4, 3, "�")
    levels = np.frombuffer(base64.b64decode(found["maps"]), np.uint8).reshape(2, 4, 3, 3)
    np.testing.assert_array_equal(levels[1, 3], [[255, 0, 0], [128, 128, 0], [85, 85, 85]])


def test_the_command_shows_where_a_run_looks(tmp_path: Path) -> None:
    folder, out = tmp_path / "run", tmp_path / "page.html"
    small = ["--steps", "6", "--set", "width=8", "--set", "heads=2", "--evaluate-every", "3", "--batch-size", "2"]
    assert run(["train", "microgpt", *small, "--out", str(folder), "--device", "numpy"]) == 0
    shown = ["report", str(folder), "--no-profile", "--out", str(out)]
    assert run([*shown, "--prompt", "anna"]) == 0
    found = embedded(out.read_text(encoding="utf-8"))["run"]
    assert [step for step, _ in found["written"]] == [3, 6]
    assert [step for step, _ in found["update_ratios"]] == [3, 6]
    assert set(found["update_ratios"][-1][1]) == {"layers[0]", "lm_head", "wpe", "wte"}
    looked = found["attention"]
    levels = np.frombuffer(base64.b64decode(looked["maps"]), np.uint8).reshape(1, 2, 4, 4)
    assert (looked["text"], looked["heads"]) == (list("anna"), 2)
    np.testing.assert_allclose(levels.sum(-1, dtype=int), 255, atol=3)
    assert np.array_equal(levels, np.tril(levels))
    assert run([*shown, "--prompt", "Ω"]) == 1
    assert run(["report", "microgpt", "--no-profile", "--prompt", "a", "--out", str(out)]) == 2


def test_long_runs_are_thinned_and_numbers_that_are_none_left_out(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run")
    lines = [json.dumps({"step": n, "loss": 1.0, "gradient_norm": float("nan")}) for n in range(1, 5001)]
    (folder / "metrics.jsonl").write_text("\n".join([*lines, json.dumps({"step": 5001, "loss": float("inf")})]) + "\n")
    found = run_document(folder)
    assert len(found["losses"]) <= 1500
    assert found["losses"][-1] == [5000, 1.0]
    assert found["measured"] == []


def test_the_command_writes_a_page(tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    done = CliRunner().invoke(cli, ["report", "bigram", "--no-profile", "--out", str(out)])
    assert (done.exit_code, done.stdout) == (0, f"{out}\n")
    assert embedded(out.read_text(encoding="utf-8"))["name"] == "step"


def test_a_program_for_a_gpu_that_is_not_there(tmp_path: Path) -> None:
    made = graphc.compile(lambda x: np.tanh(x) @ x, device="numpy", target="discrete").lower(np.ones((64, 64)))
    made.report(tmp_path / "page.html")
    assert embedded((tmp_path / "page.html").read_text(encoding="utf-8"))["device"] == str(made.wanted)


def test_the_command_writes_the_page_of_a_run(tmp_path: Path) -> None:
    folder, out = tmp_path / "run", tmp_path / "page.html"
    small = ["--steps", "6", "--set", "hidden=8", "--evaluate-every", "0"]
    assert run(["train", "mlp", *small, "--out", str(folder)]) == 0
    assert run(["report", str(folder), "--no-profile", "--out", str(out)]) == 0
    found = embedded(out.read_text(encoding="utf-8"))["run"]
    assert (found["steps"], found["samples"]) == (6, [])


def test_the_command_compares_two(tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    assert run(["report", "bigram", "mlp", "--no-profile", "--out", str(out)]) == 0
    found = embedded(out.read_text(encoding="utf-8"))
    assert found["beside"]["contract"]["parameters"] > found["contract"]["parameters"]
    assert {line[0].split(":")[0] for line in found["beside"]["lines"]} >= {"mlp.py"}


def test_a_summary_says_what_the_document_says(document: dict[str, Any], profile: Profile) -> None:
    made = beside(document)
    assert sum(line[2] for line in made["lines"]) == pytest.approx(profile.busy, rel=1e-2)
    assert sum(kernel[3] for kernel in made["kernels"]) == pytest.approx(profile.busy, rel=1e-2)
    assert sum(kernel[5] for kernel in made["kernels"]) == document["contract"]["flops"]


@pytest.mark.parametrize(
    "given",
    [["nothing", "--out", "x.html"], ["bigram"], ["nothing"], ["bigram", "mlp", "gpt", "--out", "x.html"]],
    ids=["unknown", "nowhere", "neither", "three"],
)
def test_wrong_use_of_the_command(given: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["report", *given]) == 2
    assert list(tmp_path.iterdir()) == []
