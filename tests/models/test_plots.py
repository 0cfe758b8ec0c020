"""The pictures of a run, the learning-rate sweep, and training that repeats itself to the byte."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphc import cli, taps, tree
from graphc.errors import DataError
from graphc.models import MODELS, data, plots
from graphc.models.lr_find import suggest, sweep
from graphc.models.train import RunConfig

NAMES = "\n".join(["emma", "olivia", "ava", "isabella", "sophia", "mia", "amelia", "x", "noah", "liam"] * 2)
FAST = ["--device", "numpy"]


@pytest.fixture
def names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A small file of names, and an empty directory to work in."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "names.txt").write_text(NAMES)
    return "names.txt"


def train(model: str, names: str, *more: str) -> int:
    return cli.run(["train", model, "--data", names, "--steps", "6", "--evaluate-every", "2", *FAST, *more])


def test_a_run_of_the_bigram_leaves_its_pictures(names: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert train("bigram", names, "--out", "run") == 0
    found = {path.name: path.read_text() for path in Path("run").glob("*.svg")}
    assert found.keys() == {
        "loss.svg",
        "learning_rate.svg",
        "gradient_norm.svg",
        "update_ratio.svg",
        "heatmap.svg",
    }
    for pair in ("em", ".e", "a."):
        assert f">{pair}<" in found["heatmap.svg"]
    assert "loss (nats)" in found["loss.svg"]
    assert "drawn: run/loss.svg" in capsys.readouterr().err
    assert train("bigram", names, "--out", "again") == 0
    for name, text in found.items():
        assert (Path("again") / name).read_text() == text


def test_an_embedding_in_the_plane_is_drawn_with_its_letters(names: str) -> None:
    assert train("mlp", names, "--out", "flat") == 0
    drawn = (Path("flat") / "embedding.svg").read_text()
    assert all(f">{letter}<" in drawn for letter in set(NAMES.replace("\n", "")) | {"."})
    assert train("mlp", names, "--out", "deep", "--set", "features=3") == 0
    assert not (Path("deep") / "embedding.svg").exists()
    lines = [json.loads(line) for line in (Path("flat") / "metrics.jsonl").read_text().splitlines()]
    watched = {"learning_rate", "gradient_norm", "update_ratio", "train", "dev"}
    assert [watched <= line.keys() for line in lines] == [False, True] * 3
    assert [line["learning_rate"] for line in lines if watched <= line.keys()] == pytest.approx([0.1, 0.01, 0.01])


def test_what_a_model_taps_is_drawn(names: str) -> None:
    assert train("batchnorm_mlp", names, "--out", "run", "--set", "depth=2", "--set", "hidden=8") == 0
    for kind in ("value", "gradient"):
        drawn = (Path("run") / f"tapped_{kind}.svg").read_text()
        assert "at step 6" in drawn
        assert ">tanh0: std " in drawn
        assert ">tanh1: std " in drawn


def test_taps_of_the_steps_of_a_scan_are_curves(tmp_path: Path) -> None:
    x = np.linspace(-1, 1, 60, dtype=np.float32).reshape(2, 30)
    found = tree.map(np.ndarray.tolist, taps.statistics(np.stack([x[0], np.zeros(30, np.float32)]), steps=1))
    drawn = plots.histograms({"h": found}, "two steps", tmp_path / "taps.svg").read_text()
    assert ">h[0]: std 0.29, 3% above 0.97<" in drawn
    assert ">h[1]: std 0, 0% above 0.97<" in drawn


def test_without_matplotlib_one_line_says_so(
    names: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plots, "available", lambda: False)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert train("bigram", names, "--out", "run") == 0
    assert capsys.readouterr().err.count("pip install 'graphc[plot]'") == 1
    assert not list(Path("run").glob("*.svg"))
    assert cli.run(["lr-find", "mlp", "--data", names, "--steps", "5", *FAST]) == 0
    assert "pip install" in capsys.readouterr().err


def test_lr_find(names: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["lr-find", "mlp", "--data", names, "--steps", "40", "--out", "lr.svg", "--json", *FAST]) == 0
    found = json.loads(capsys.readouterr().out)
    np.testing.assert_allclose(found["rates"], np.logspace(-3, 0, 40))
    assert len(found["losses"]) == 40
    assert 1e-3 < found["suggestion"] < 1
    assert "suggestion" in Path("lr.svg").read_text()
    assert cli.run(["lr-find", "mlp", "--data", names, "--low", "0", "--high", "-1", *FAST]) == 2


def test_the_sweep_uses_its_rates() -> None:
    run = RunConfig("bigram", None, 30, 0, "sgd", 99.0, "linear", 0)
    slow, fast = (sweep(run, data.Corpus("test", NAMES), low, 1.5, device="numpy").losses[:2] for low in (-1.0, 0.0))
    # At the top of the valley, a rate ten times as large falls about ten times as much.
    assert slow[0] == fast[0]
    assert 8 < np.diff(fast)[0] / np.diff(slow)[0] < 12
    with pytest.raises(DataError, match="begin lower"):
        sweep(run, data.Corpus("test", NAMES), 39.0, 40.0, device="numpy")


def test_the_suggestion_lies_before_the_lowest_loss() -> None:
    rates = np.logspace(-3, 0, 301)
    valley = (np.log10(rates) + 0.5) ** 2
    assert suggest(rates, valley) == pytest.approx(0.1, rel=0.02)


@pytest.mark.parametrize("device", ["wgpu", "numpy"])
@pytest.mark.parametrize("model", sorted(MODELS))
def test_the_same_seed_on_one_device_gives_the_same_bytes(names: str, model: str, device: str) -> None:
    tiny = ["context=4", "width=8", "heads=2", "layers=1"]
    small: dict[str, Any] = {"gpt": tiny, "microgpt": tiny, "bigram": []}
    settings = [part for pair in small.get(model, ["hidden=8"]) for part in ("--set", pair)]
    command = ["train", model, "--data", names, "--steps", "8", "--evaluate-every", "3", "--batch-size", "8"]
    for out in ("one", "two"):
        assert cli.run([*command, "--seed", "5", "--device", device, "--out", out, *settings]) == 0
    one, two = (next(Path(out).glob("*.safetensors")).read_bytes() for out in ("one", "two"))
    assert one == two
    without_time = [
        [{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in text.splitlines()]
        for text in ((Path(out) / "metrics.jsonl").read_text() for out in ("one", "two"))
    ]
    assert without_time[0] == without_time[1]
