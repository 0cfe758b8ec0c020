"""What users get wrong on the command line ends in one sentence: status 2 for bad usage, 1 for a run that fails."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import cli
from graphc.cli import progress
from graphc.models import data
from graphc.models.rundir import RunDirectory
from graphc.models.train import RunConfig, Silent
from graphc.models.train import train as train_model

ON_HOST = ["--device", "numpy"]
SMALL_GPT = [word for pair in ("width=8", "heads=2", "layers=1", "context=8") for word in ("--set", pair)]

FILES: dict[str, bytes] = {
    "names.txt": b"emma\nolivia\nava\nisabella\nsophia\n" * 3,
    "prose.txt": b"To be or not to be. " * 40,
    "empty.txt": b"",
    "blank.txt": b" \n \n",
    "a.txt": b"a",
    "same.txt": b"a\na\na\n",
    "binary.txt": b"\xff\xfe\x00\x01",
    "zero.txt": b"emma\0ava\n",
    "latin.txt": "é à\n".encode("latin-1") * 5,
    "emoji.txt": "😀é\n".encode() * 30,
    "dos.txt": b"emma\r\nava\r\n" * 5,
}


class Result:
    """Exit status and output of a command."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.out, self.err = status, out, err

    @property
    def last(self) -> str:
        return (self.err.strip().splitlines() or [""])[-1]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a command in a directory with all kinds of files."""
    monkeypatch.chdir(tmp_path)
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder").mkdir()

    def run(*words: object) -> Result:
        capsys.readouterr()
        status = cli.run([str(word) for word in words])
        result = Result(status, *capsys.readouterr())
        assert "Traceback" not in result.err
        assert status in (0, 1, 2)
        if status:
            assert result.last.startswith("graphc: error: " if status == 1 else "Error: ")
        return result

    return run


def train(command: Callable[..., Result], *more: object, model: str = "microgpt", steps: int = 2) -> Result:
    return command("train", model, "--data", "names.txt", "--steps", steps, "--out", "run", *more, *ON_HOST)


@pytest.mark.parametrize(
    ("file", "status", "text"),
    [
        ("empty.txt", 1, "holds no text"),
        ("blank.txt", 1, "holds no text"),
        ("binary.txt", 1, "not a text file: byte 0 is not UTF-8"),
        ("zero.txt", 1, "not a text file: it holds a zero byte"),
        ("latin.txt", 1, "not a text file"),
        ("folder", 1, "folder: cannot be read"),
        ("nowhere.txt", 1, "nowhere.txt: no such file, and no data set of that name"),
        ("", 1, "cannot be read"),
        ("a.txt", 0, ""),
        ("same.txt", 0, ""),
        ("emoji.txt", 0, ""),
        ("dos.txt", 0, ""),
    ],
)
def test_data_of_every_kind(command: Any, file: str, status: int, text: str) -> None:
    result = command("train", "bigram", "--data", file, "--steps", 2, "--out", "run", *ON_HOST)
    assert (result.status, text in result.last) == (status, True)
    assert Path("run").exists() == (status == 0)
    if not status:
        assert command("sample", "run", "--count", 2, *ON_HOST).status == 0


def test_data_that_never_end_are_refused(command: Any) -> None:
    os.mkfifo("pipe")
    for file in ("/dev/zero", "pipe"):
        result = command("train", "bigram", "--data", file, "--steps", 2, "--out", "run", *ON_HOST)
        assert (result.status, result.last.endswith(f"{file}: cannot be read: it is no regular file")) == (1, True)


def test_the_built_in_names_are_no_module_of_the_users(
    command: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("names.py").write_text("raise SystemExit('mine')")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "names", raising=False)
    assert len(data.load().documents) == 5163
    monkeypatch.setattr(metadata, "distribution", lambda name: metadata.Distribution.from_name("is-not-there"))
    result = command("train", "bigram", "--steps", 1, "--out", "other", *ON_HOST)
    assert (result.status, "give a file with --data" in result.last) == (1, True)


HUGE = str(10**11), str(10**22)
"""More than any memory, and more than any address says."""


@pytest.mark.parametrize("size", HUGE)
def test_sizes_that_no_memory_holds(command: Any, trained: Any, size: str) -> None:
    trained("run", "mlp")
    for words in (
        ["train", "mlp", "--data", "names.txt", "--out", "big", "--set", f"hidden={size}"],
        ["train", "mlp", "--data", "names.txt", "--out", "big", "--batch-size", size[:15]],
        ["lr-find", "mlp", "--data", "names.txt", "--set", f"hidden={size}"],
        ["graph", "mlp", "--set", f"hidden={size}"],
        ["sample", "run", "--count", size, "--length", "1"],
    ):
        result = command(*words, *ON_HOST)
        said = re.search(r"not enough memory: |Maximum allowed|random numbers of shape .* needs at most", result.last)
        assert (result.status, bool(said)) == (1, True), (words, result.err)
    assert not Path("big").exists()


@pytest.mark.parametrize("model", ["mlp", "microgpt"])
def test_memory_that_ends_is_a_sentence(command: Any, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def ends(source: str | None) -> None:
        raise MemoryError

    monkeypatch.setattr(data, "load", ends)
    result = train(command, model=model)
    assert (result.status, result.last) == (1, "graphc: error: there is not enough memory: smaller sizes need less")


@pytest.mark.parametrize("model", ["mlp", "batchnorm_mlp", "microgpt"])
def test_the_least_data_there_can_be(command: Any, model: str) -> None:
    assert command("train", model, "--data", "a.txt", "--steps", 2, "--out", "run", *ON_HOST).status == 0
    assert command("sample", "run", "--count", 2, *ON_HOST).status == 0


def test_prose_that_is_too_short(command: Any) -> None:
    result = command("train", "gpt", "--data", "a.txt", "--steps", 2, "--out", "run", *SMALL_GPT, *ON_HOST)
    assert (result.status, "need more than context" in result.last) == (1, True)
    assert not Path("run").exists()


@pytest.mark.parametrize(
    "words",
    [
        "--lr nan", "--lr inf", "--lr -1", "--lr 0", "--lr much", "--steps 0", "--steps -3", "--steps 1e3",
        "--batch-size 0", "--batch-size -2", "--batch-size many", "--batch-size 2.5", "--clip nan", "--clip -1",
        "--warmup -1", "--evaluate-every -1", "--checkpoint-every 0", "--seed x", "--seed 1.5", "--optimizer magic",
        "--decay slowly", "--set width=-3", "--set width=0", "--set width=1.5", "--set heads=0", "--set context=0",
        "--set vocab_size=0", "--set vocab_size=3", "--set eps=nan", "--set eps=-1", "--set std=inf", "--set width",
        "--set depth=3", "--set =3", "--nonsense",
    ],
)  # fmt: skip
def test_settings_that_make_no_sense(command: Any, words: str) -> None:
    result = command("train", "microgpt", "--data", "names.txt", "--out", "run", *words.split(), *ON_HOST)
    assert (result.status, result.out) == (2, "")
    assert "Usage: graphc" in result.err
    assert not Path("run").exists()


@pytest.mark.parametrize(
    ("model", "setting"),
    [
        ("gpt", "dropout=1"), ("gpt", "dropout=nan"), ("gpt", "dropout=-0.1"), ("gpt", "std=-1"), ("gpt", "scale=0"),
        ("gpt", "scale=nan"), ("batchnorm_mlp", "momentum=nan"), ("batchnorm_mlp", "momentum=5"),
        ("batchnorm_mlp", "last=nan"), ("batchnorm_mlp", "depth=0"), ("mlp", "window=-1"), ("bigram", "context=0"),
        ("bigram", "gather=perhaps"),
    ],
)  # fmt: skip
def test_settings_of_models_that_make_no_sense(command: Any, model: str, setting: str) -> None:
    for words in (("train", model, "--steps", 2, "--out", "run"), ("graph", model), ("lr-find", model, "--steps", 3)):
        result = command(*words, "--set", setting, *ON_HOST)
        assert (result.status, setting.partition("=")[0] in result.last) == (2, True)
    assert not Path("run").exists()


@pytest.mark.parametrize("words", ["--low nan", "--high inf", "--low 1 --high 0", "--steps 1"])
def test_sweeps_that_make_no_sense(command: Any, words: str) -> None:
    assert command("lr-find", "bigram", *words.split(), *ON_HOST).status == 2


@pytest.mark.parametrize("seed", [2**64, -(2**63) - 1, 10**30])
def test_seeds_that_no_key_holds(command: Any, seed: int) -> None:
    for words in (("train", "bigram", "--out", "run"), ("sample", "run"), ("lr-find", "bigram")):
        result = command(*words, "--seed", seed, *ON_HOST)
        assert (result.status, "--seed" in result.last) == (2, True)


@pytest.mark.parametrize("seed", [-5, 2**31, 2**32 + 1, 2**63, 2**64 - 1])
def test_seeds_of_any_size(command: Any, seed: int) -> None:
    assert train(command, "--seed", seed, model="bigram").status == 0
    first = command("sample", "run", "--seed", seed, "--count", 3, *ON_HOST)
    assert first.status == 0
    assert command("sample", "run", "--seed", seed, "--count", 3, *ON_HOST).out == first.out


@pytest.mark.parametrize("device", ["cuda", "wgpu:9", "wgpu:x", "", "WGPU"])
def test_devices_that_are_not_there(command: Any, device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    result = command("train", "bigram", "--steps", 2, "--out", "run", "--device", device)
    assert (result.status, "numpy" in result.last) == (1, True)
    assert not Path("run").exists()
    if device:
        monkeypatch.setenv("GRAPHC_DEVICE", device)
        result = command("train", "bigram", "--steps", 2, "--out", "run")
        assert (result.status, "GRAPHC_DEVICE" in result.last) == (1, True)


@pytest.mark.parametrize("out", ["names.txt", "names.txt/run", "/dev/null/run", "/proc/run"])
def test_places_that_cannot_be_written(command: Any, out: str) -> None:
    result = command("train", "bigram", "--steps", 2, "--out", out, *ON_HOST)
    assert (result.status, "cannot be written" in result.last) == (1, True)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of two models on the same names."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "names.txt").write_bytes(FILES["names.txt"])
    for model in ("microgpt", "mlp"):
        words = ["train", model, "--data", str(folder / "names.txt"), "--steps", "2", "--out", str(folder / model)]
        assert cli.run([*words, *ON_HOST]) == 0
    return folder


@pytest.fixture
def trained(runs: Path) -> Any:
    """Puts a copy of a run where it is wanted."""

    def put(out: str, model: str = "microgpt") -> None:
        shutil.copytree(runs / model, out)

    return put


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ("--temperature nan", 2), ("--temperature inf", 2), ("--temperature -inf", 2), ("--temperature -1", 2),
        ("--temperature hot", 2), ("--temperature 0", 0), ("--temperature 1e-40", 0), ("--temperature 1e30", 0),
        ("--top-k 0", 2), ("--top-k -1", 2), ("--top-k 1000", 0), ("--count 0", 2), ("--length 0", 2),
        ("--length 1000000", 0), ("--prompt emz", 1), ("--prompt EMMA", 1), ("--prompt emmaemmaemmaemma", 1),
        ("--prompt emmaemmaemmaemm", 0), ("--seed x", 2), ("--device cuda", 1),
    ],
)  # fmt: skip
def test_sampling(command: Any, trained: Any, words: str, status: int) -> None:
    trained("run")
    result = command("sample", "run", "--count", 2, *words.split(), *([] if "--device" in words else ON_HOST))
    assert result.status == status


NEWEST = "run/step-00000002.safetensors"


def write(name: str, change: Any) -> None:
    path = Path("run", name)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))


def other_weights() -> None:
    params, state, step = RunDirectory(Path("other")).load_newest()
    graphc.save(NEWEST, {"params": params, "state": state}, {"step": step})


def folder_for_a_file(name: str | Path) -> None:
    Path(name).unlink()
    Path(name).mkdir()


DAMAGES: dict[str, tuple[Any, str]] = {
    "weights of another model": (other_weights, "holds another model: "),
    "another size": (lambda: write("config.json", {"config": {"vocab_size": 12, "width": 32}}), ""),
    "an unknown model": (lambda: write("config.json", {"model": "gpt5"}), "gpt5"),
    "no model": (lambda: write("config.json", {"model": None}), "not the config of a run"),
    "an unknown setting": (lambda: write("config.json", {"config": {"depth": 3}}), ""),
    "a config of text": (lambda: write("config.json", {"config": "small", "settings": "small"}), ""),
    "characters that the model has not": (lambda: write("config.json", {"vocabulary": "abc" * 9}), ""),
    "no JSON": (lambda: Path("run/config.json").write_text("{"), "config.json: not JSON"),
    "a list": (lambda: Path("run/config.json").write_text("[1]"), "need a JSON object"),
    "bytes": (lambda: Path("run/config.json").write_bytes(b"\xff\xff"), "config.json: not JSON"),
    "no config": (lambda: Path("run/config.json").unlink(), "holds no run"),
    "no checkpoint": (lambda: Path(NEWEST).unlink(), "no checkpoint"),
    "a cut checkpoint": (lambda: os.truncate(NEWEST, 100), "damaged"),
    "an empty checkpoint": (lambda: os.truncate(NEWEST, 0), "damaged"),
    "another file": (lambda: graphc.save(NEWEST, {"w": np.ones(3)}), "not a checkpoint of a run"),
    "no step": (lambda: graphc.save(NEWEST, {"params": {}, "state": {}}), "not a checkpoint"),
    "a folder": (lambda: folder_for_a_file(NEWEST), ""),
}  # fmt: skip
RESUMED_ALL_THE_SAME = {"no checkpoint"}
"""Without a checkpoint a run begins again, with config and vocabulary made anew."""


@pytest.mark.parametrize("damage", DAMAGES)
def test_runs_that_are_not_what_they_were(command: Any, trained: Any, damage: str) -> None:
    trained("run")
    trained("other", "mlp")
    spoil, text = DAMAGES[damage]
    spoil()
    sampled = command("sample", "run", "--count", 2, *ON_HOST)
    assert (sampled.status, text in sampled.last) == (1, True), sampled.err
    resumed = command("train", "--resume", "run", "--steps", 3, *ON_HOST)
    assert resumed.status == (0 if damage in RESUMED_ALL_THE_SAME else 1), resumed.err


@pytest.mark.parametrize(("field", "value"), [("hidden", 7), ("embed", 3), ("window", 4), ("std", 9.0), ("more", 1)])
def test_a_config_that_was_changed_is_not_gone_on_with(command: Any, trained: Any, field: str, value: Any) -> None:
    trained("run", "mlp")
    config = json.loads(Path("run/config.json").read_text())["config"]
    assert command("train", "--resume", "run", "--steps", 3, *ON_HOST).status == 0
    write("config.json", {"config": {**config, field: value}})
    result = command("train", "--resume", "run", "--steps", 4, *ON_HOST)
    assert (result.status, f"config.{field} is {value}" in result.last) == (1, True), result.err


METRICS: dict[str, tuple[Any, str]] = {
    "bytes": (lambda path: path.write_bytes(b'{"step": 1, "loss": 2.0}\n\xff\xfe\n'), "byte 25 is not UTF-8"),
    "no JSON": (lambda path: path.write_text("step 1\n"), "metrics.jsonl: not JSON"),
    "a list": (lambda path: path.write_text("[1]\n"), "need a JSON object"),
    "none": (lambda path: path.unlink(), "metrics.jsonl: No such file"),
    "a folder": (lambda path: folder_for_a_file(path), "metrics.jsonl: Is a directory"),
}


@pytest.mark.parametrize("damage", METRICS)
def test_a_report_of_metrics_that_cannot_be_read(command: Any, trained: Any, damage: str) -> None:
    trained("run", "mlp")
    spoil, text = METRICS[damage]
    spoil(Path("run/metrics.jsonl"))
    result = command("report", "run", "--no-profile", "--out", "page.html", *ON_HOST)
    assert (result.status, text in result.last) == (1, True), result.err
    assert not Path("page.html").exists()


def test_resuming_what_is_of_another_model(command: Any, trained: Any) -> None:
    trained("run")
    assert command("train", "mlp", "--resume", "run", *ON_HOST).status == 2
    assert command("train", "--resume", "nowhere", *ON_HOST).status == 1
    assert command("train", "--resume", "names.txt", *ON_HOST).status == 1


@pytest.mark.parametrize("extra", [["--set", "heads=3"], ["--device", "cuda"], ["--data", "nowhere.txt"]])
def test_a_refused_run_leaves_nothing_behind(command: Any, extra: list[str]) -> None:
    words = ["train", "microgpt", "--steps", "2", "--out", "deep/down/run"]
    data = [] if "--data" in extra else ["--data", "names.txt"]
    assert command(*words, *data, *extra, *([] if "--device" in extra else ON_HOST)).status == 1
    assert not Path("deep").exists()
    assert command(*words, "--data", "names.txt", *ON_HOST).status == 0


class Stops(Silent):
    """A reporter that raises where it is told to."""

    def __init__(self, where: str, error: type[BaseException]) -> None:
        self.where, self.error = where, error

    def _raise(self, where: str) -> None:
        if where == self.where:
            raise self.error("on purpose")

    def note(self, text: str) -> None:
        self._raise("contract")

    def begin(self, done: int, total: int, tokens: int) -> None:
        self._raise("begin")

    def loss(self, step: int, value: float) -> None:
        self._raise("loss")


RUN = RunConfig(
    model="bigram", data="names.txt", steps=2, batch_size=0, optimizer="sgd", rate=0.1, decay="constant", seed=0
)


@pytest.mark.parametrize("error", [KeyboardInterrupt, graphc.OutOfMemoryError, RuntimeError])
@pytest.mark.parametrize("where", ["contract", "begin", "loss"])
def test_a_run_that_stops_as_it_begins_can_begin_again(command: Any, where: str, error: type[BaseException]) -> None:
    corpus = data.load("names.txt")

    def stopped() -> None:
        directory = RunDirectory(Path("run"))
        with pytest.raises(error):
            train_model(RUN, corpus, directory, device="numpy", reporter=Stops(where, error))
        assert Path("run").exists() == (where == "loss")  # what was recorded may be looked at

    stopped()
    assert train(command, model="bigram").status == 0
    shutil.rmtree("run")
    stopped()
    if where == "loss":
        resumed = command("train", "--resume", "run", "--steps", 2, *ON_HOST)
        assert (resumed.status, "it begins again" in resumed.err) == (0, True)
        lines = [json.loads(line) for line in Path("run/metrics.jsonl").read_text().splitlines()]
        assert [line["step"] for line in lines] == [1, 2]


def test_settings_from_python_are_checked_too() -> None:
    good: dict[str, Any] = {
        "model": "bigram",
        "data": None,
        "steps": 1,
        "batch_size": 0,
        "optimizer": "sgd",
        "rate": 0.1,
    }
    RunConfig(**good, decay="constant", seed=0)
    for bad in ({"rate": float("nan")}, {"steps": 0}, {"batch_size": -1}, {"clip": float("nan")}, {"clip": -1.0}):
        with pytest.raises(graphc.DataError):
            RunConfig(**{**good, **bad}, decay="constant", seed=0)


BURSTS = {
    "one submit": [(2.0, 20)],
    "two at once, after a compilation": [(2.0, 19), (2.0001, 1)],
    "a run of many": [(2.0 + 0.1 * n, 60) for n in range(100)],
    "an interruption": [(2.0, 60), (2.1, 60), (9.0, 60), (9.00001, 60)],
    "single steps": [(1.0 + 0.01 * n, 1) for n in range(500)],
}


@pytest.mark.parametrize("name", BURSTS)
def test_the_pace_is_no_faster_than_the_clock(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(progress, "_now", lambda: now[0])
    pace, step = progress._Pace(0, 10), 0
    for at, count in BURSTS[name]:
        now[0] = at
        for _ in range(count):
            step += 1
            text = pace.at(step)
    said = float(text.split()[0])
    (start, first), (end, _) = BURSTS[name][0], BURSTS[name][-1]
    real = (step - first) / (end - start) if end - start >= progress.SETTLED else step / end
    assert said == pytest.approx(real, rel=0.05)
    assert text.endswith(f"{said * 10:,.0f} tokens/s")
