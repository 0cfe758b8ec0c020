"""`graphc export` and `graphc serve`, as a user types them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import safetensors

import graphc
from graphc.cli import run as graphc_command
from tests.support.adapters import ROOT

PAGE = {"index.html", "page.js", "page.css", "data.js", "runtime.js", "format.js", "model.svg.gz"}


def served(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "graphc", "serve", "--no-open", *arguments]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)


def test_a_run_becomes_a_page_that_is_served(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run, site, weights = (str(tmp_path / name) for name in ("run", "site", "w.safetensors"))
    assert graphc_command(["train", "bigram", "--steps", "2", "--out", run, "--device", "numpy"]) == 0
    assert graphc_command(["export", run, "--to", "web", "--out", site]) == 0
    assert graphc_command(["export", run, "--to", "web", "--out", site]) == 0  # again, over the one that is there
    assert graphc_command(["export", run, "--to", "safetensors", "--out", weights]) == 0
    assert graphc.load(weights)["params"]["w"].shape == (27, 27)
    with safetensors.safe_open(weights, "np") as file:
        assert list(file.keys()) == ["params.w"]
    assert {p.name for p in (tmp_path / "site").iterdir()} > PAGE
    capfd.readouterr()
    with served(site, "--port", "0") as server:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        assert url.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(url + "page.js") as reply:
            assert reply.headers["Content-Type"] == "text/javascript"
            assert reply.headers["Cache-Control"] == "no-cache"
        server.send_signal(signal.SIGINT)
        _, said = server.communicate(timeout=600)
        assert server.returncode == 0
        assert "Traceback" not in said


def test_a_run_becomes_an_onnx_model(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    onnx = pytest.importorskip("onnx")
    run, out = str(tmp_path / "run"), tmp_path / "m.onnx"
    assert graphc_command(["train", "mlp", "--steps", "2", "--out", run, "--device", "numpy"]) == 0
    capfd.readouterr()
    assert graphc_command(["export", run, "--to", "onnx", "--out", str(out)]) == 0
    assert capfd.readouterr().out.strip() == str(out)
    model = onnx.load(out)
    assert [v.name for v in model.graph.input] == ["tokens"]
    assert "params.embedding" in {t.name for t in model.graph.initializer}
    assert graphc.onnx.load(out)(np.zeros((1, 3), np.int32)).shape == (1, 27)
    assert graphc_command(["export", run, "--to", "onnx", "--out", str(tmp_path / "no" / "m.onnx")]) == 1
    assert "m.onnx cannot be written: No such file or directory" in capfd.readouterr().err


def test_what_cannot_be_exported_or_served_is_said_in_a_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "page").mkdir()
    (tmp_path / "page" / "index.html").write_text("a page")
    (tmp_path / "file").write_text("no folder")
    place = str(tmp_path / "page")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        for arguments, message in (
            (["serve", place, "--port", port, "--no-open"], f"port {port} cannot be used: Address already in use"),
            (["serve", str(tmp_path / "nothing"), "--no-open"], "holds no page: write one with graphc export"),
            (["serve", str(tmp_path / "file"), "--no-open"], "holds no page: write one with graphc export"),
            (["export", str(tmp_path), "--to", "web", "--out", str(tmp_path / "x")], "holds no run"),
        ):
            assert graphc_command(arguments) == 1
            said = capfd.readouterr().err
            assert message in said
            assert len(said.strip().splitlines()) == 1
    assert graphc_command(["serve", place, "--port", "70000"]) == 2
