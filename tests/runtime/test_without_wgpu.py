"""Without the package wgpu, programs run on the device "numpy", which is said in one line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WITHOUT = """
import sys
sys.modules["wgpu"] = None
import numpy as np, graphc
from graphc import cli
"""
OTHER = """
import sys, types
import graphc, numpy as np
import wgpu.backends.wgpu_native._ffi as binding
class Library:
    def __getattr__(self, name):
        raise AttributeError(f"wgpu_native has no {name}")
binding.lib = Library()
from graphc import cli
"""


def python(code: str, tmp_path: Path, device: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "GRAPHC_DEVICE": device},
        check=False,
    )


COMPUTE = """
x = np.arange(3, dtype=np.float32)
print(np.asarray(graphc.compile(lambda x: x * 2)(x)), float(graphc.grad(lambda x: x * x)(3.0)), graphc.devices())
print(graphc.asarray(x).device, graphc.compile(lambda x: x + 1).lower(x).profile(x).table() != "")
"""


def test_programs_run_and_it_is_said_once(tmp_path: Path) -> None:
    done = python(WITHOUT + COMPUTE, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "[0. 2. 4.] 6.0 [Device('numpy')]"
    (line,) = done.stderr.splitlines()
    assert "the package wgpu cannot be imported" in line
    assert "pip install 'wgpu" in line


@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        (["devices"], 0, ""),
        (["train", "bigram", "--steps", "2", "--out", "run"], 0, "the package wgpu cannot be imported"),
        (["train", "bigram", "--steps", "2", "--device", "wgpu"], 1, "there is no device 'wgpu'"),
        (["graph", "bigram", "--stage", "planned"], 0, ""),
        (["profile", "bigram", "--device", "wgpu:1"], 1, "there is no device 'wgpu:1'"),
        (["bench", "--small"], 1, "bench needs a WebGPU adapter"),
        (["doctor"], 1, "missing: WebGPU adapter"),
    ],
    ids=lambda v: " ".join(v[:2]) if isinstance(v, list) else None,
)
def test_commands_end_with_a_sentence(tmp_path: Path, words: list[str], status: int, text: str) -> None:
    done = python(f"{WITHOUT}sys.exit(cli.run({words!r}))", tmp_path)
    assert done.returncode == status, done.stderr
    assert text in done.stderr
    assert "Traceback" not in done.stderr
    assert "pip install 'wgpu" in done.stderr + done.stdout or words == ["devices"]


def test_a_binding_of_another_version_is_named(tmp_path: Path) -> None:
    done = python(f"{OTHER}sys.exit(cli.run(['train', 'bigram', '--steps', '2']))", tmp_path)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "the package wgpu is not the one that graphc needs" in done.stderr
