"""Ctrl-C while the command line is being imported ends it in silence; a program that imports graphc is left alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import graphc
from graphc import cli, startup

ROOT = Path(__file__).resolve().parents[2]
PRESSES = """
import importlib.abc, os, signal, sys

class Presses(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == {name!r}:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.SIGINT)
        return None

sys.meta_path.insert(0, Presses())
"""
"""Presses Ctrl-C as a module is about to be imported; Python runs this before anything else."""


def pressed(folder: Path, name: str, *command: str) -> subprocess.CompletedProcess[str]:
    (folder / "sitecustomize.py").write_text(PRESSES.format(name=name))
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)]), "GRAPHC_DEVICE": "numpy"}
    done = subprocess.run([sys.executable, *command], env=env, cwd=folder, capture_output=True, text=True, timeout=600)
    assert done.stdout == ""
    return done


@pytest.mark.parametrize("name", ["numpy", "graphc.nn", "click", "graphc.models.data"])
def test_ctrl_c_while_the_command_is_imported(tmp_path: Path, name: str) -> None:
    done = pressed(tmp_path, name, "-m", "graphc", "demo")
    assert (done.returncode, done.stderr) == (startup.INTERRUPTED, "")


def test_ctrl_c_while_the_script_is_imported(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "graphc").write_text("from graphc.cli import main\n\nmain()\n")
    done = pressed(tmp_path, "graphc.plan", "bin/graphc", "demo")
    assert (done.returncode, done.stderr) == (startup.INTERRUPTED, "")


def test_ctrl_c_in_a_program_that_imports_graphc(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text("import graphc\n")
    assert "KeyboardInterrupt" in pressed(tmp_path, "graphc.plan", "program.py").stderr
    assert "KeyboardInterrupt" in pressed(tmp_path, "graphc.plan", "-c", "import graphc").stderr


def test_ctrl_c_before_there_is_something_to_keep(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(name: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(graphc, "device", interrupted)
    assert cli.run(["train", "bigram", "--out", "nowhere"]) == startup.INTERRUPTED
    assert capsys.readouterr().err == "graphc: error: interrupted\n"
    assert not Path("nowhere").exists()


def test_the_command_gets_ctrl_c_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["graphc"])
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        startup.guard()
        assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
        with pytest.raises(SystemExit):
            cli.main(["--help"])
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
