"""`graphc graph`, `profile`, `bench` and `report` of one's own function, and of runs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest

import graphc
from graphc import cli
from graphc.cli.arguments import Example, parse

ON_HOST = ("--device", "numpy")
FILE = """
import numpy as np
import graphc
from beside import SIZE

value = SIZE


class Holder:
    @staticmethod
    def twice(x):
        return x + x


def loss(params, x, y):
    return graphc.nn.cross_entropy(np.tanh(x @ params["w"] + params["b"]), y)


def scaled(x, n=2):
    return x * n


@graphc.compile(static="n")
def repeated(x, n):
    return np.tile(x, n)


def summed(*xs, scale=1.0):
    return sum(xs) * scale


def broken(x):
    return x + missing


def branching(x):
    return x if x[0] > 0 else -x


def drawing(x):
    return x + np.random.normal(size=3)
"""
LOSS = ("mine.py:loss", "--arg", "{w: f32[6,4], b: f32[4]}", "--arg", "f32[5,6]", "--arg", "i32[5]<4")


class Result:
    """Exit status and output of a command."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.out, self.err = status, out, err


Command = Callable[..., Result]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a command in a directory that holds mine.py, and beside.py, which it imports."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "beside", raising=False)
    Path("mine.py").write_text(FILE)
    Path("beside.py").write_text("SIZE = 3\n")
    Path("zero.py").write_bytes(b"x = 0\0\n")
    Path("bytes.py").write_bytes(b"x = '\xff'\n")
    Path("folder.py").mkdir()
    Path("typo.py").write_text("def f(x:\n    return x\n")
    Path("ends.py").write_text("import sys\nsys.exit(2)\n")
    Path("fails.py").write_text("import numpy as np\nnp.ones(3) @ np.ones(4)\n")

    def run(*words: object) -> Result:
        capsys.readouterr()
        status = cli.run([str(word) for word in words])
        result = Result(status, *capsys.readouterr())
        assert "Traceback" not in result.err
        return result

    return run


@pytest.mark.parametrize(
    ("words", "inputs"),
    [
        (LOSS, "%b: f32[4], %w: f32[6,4], %x: f32[5,6], %y: i32[5]"),
        (("mine.py:scaled", "--arg", "f32[3]"), "%x: f32[3]"),
        (("mine.py:scaled", "--arg", "n=3", "--arg", "x=float32[3]"), "%x: f32[3]"),
        (("mine.py:repeated", "--arg", "f32[3]", "--arg", "2"), "%x: f32[3]"),
        (("mine.py:summed", "--arg", "f32[3]", "--arg", "f32", "--arg", "scale=2"), "%xs_0: f32[3], %xs_1: f32[]"),
        (("mine.py:Holder.twice", "--arg", "uint8[2]"), "%x: i32[2]"),
    ],
)
def test_a_graph_of_ones_own_function(command: Command, words: tuple[str, ...], inputs: str) -> None:
    result = command("graph", *words, "--stage", "traced", *ON_HOST)
    assert result.status == 0, result.err
    assert result.out.startswith(f"graph({inputs})\n")
    assert "# mine.py:" in result.out


def test_its_gradient(command: Command) -> None:
    with_grad = json.loads(command("graph", *LOSS, "--grad", "--json", "--stage", "traced").out)
    assert [len(with_grad[key]) for key in ("inputs", "outputs")] == [4, 3]
    assert "backward" in {node["phase"] for node in with_grad["nodes"]}


@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        ("none.py:f", 2, "none.py: no such file"),
        ("mine.py", 2, "mine.py: which function? it has loss, scaled, repeated, summed, broken, branching"),
        ("mine.py:nope", 2, "mine.py has no function nope: it has loss, scaled"),
        ("mine.py:value", 2, "mine.py:value is no function, but a int"),
        ("mine.py:loss --arg f32[3]", 2, "missing a required argument: 'x': it takes params, x, y"),
        ("mine.py:scaled --arg f32[3] --arg 1 --arg 2", 2, "too many positional arguments: it takes x, n=2"),
        ("mine.py:scaled --arg f32[3] --arg k=2", 2, "unexpected keyword argument 'k'"),
        ("mine.py:scaled --arg x=f32[3] --arg 2", 2, "stands after one with a name: x="),
        ("mine.py:scaled --arg f33[3]", 2, "'f33' is no element type"),
        ("mine.py:scaled --arg f32[3] --what forward", 2, "--what goes with models and runs"),
        ("mine.py:scaled --arg f32[3] --batch-size 3", 2, "--batch-size are for models"),
        ("bigram --arg f32[3]", 2, "--arg and --grad go with FILE.py:FUNCTION"),
        ("bigram --grad", 2, "--arg and --grad go with FILE.py:FUNCTION"),
        ("nonsense", 2, "neither a model (batchnorm_mlp, bigram"),
        ("mine.py:broken --arg f32[3]", 1, "raised NameError: name 'missing' is not defined, at mine.py:33"),
        ("mine.py:branching --arg f32[3]", 1, "np.where"),
        ("mine.py:drawing --arg f32[3]", 1, "write graphc.random.normal(key, shape)"),
        ("typo.py:f", 1, "typo.py:1: "),
        ("ends.py:f", 1, "it ends the process when it is imported"),
        ("fails.py:f", 1, "fails.py cannot be imported: ValueError"),
        ("zero.py:f", 1, "null bytes"),
        ("bytes.py:f", 1, "bytes.py:1: "),
        ("folder.py:f", 2, "folder.py: a folder"),
        ("folder.py", 2, "folder.py: a folder"),
    ],
)
def test_mistakes(command: Command, words: str, status: int, text: str) -> None:
    result = command("graph", *words.split(), *ON_HOST)
    assert (result.status, result.out) == (status, "")
    assert text in result.err


def test_what_calls_a_command_is_no_line_of_the_users(command: Command) -> None:
    Path("text.py").write_text("def f(x):\n    return 'text'\n")
    result = command("graph", "text.py:f", "--arg", "f32[3]", *ON_HOST)
    assert result.status == 1
    assert result.err.endswith("result: a str is no array or number that a graph can hold\n")


@pytest.mark.parametrize(
    "text",
    ["", "f32[3", "f32[a]", "f32[-1]", "f32[3]<2", "i32[3]<", "{w f32[3]}", "{w: f32[3]", "[f32 f32]", "f32[3] 4", "%",
     "i32[3]<0", "i32[3]<99999999999", "uint8[3]<99999999999", "f32[99999999999999999999]",
     "f32[9999999999,9999999999]", "i32[" + "9" * 5000 + "]", "f32[\uff19]"],
)  # fmt: skip
def test_texts_that_are_no_arguments(text: str) -> None:
    with pytest.raises(click.UsageError, match="write f32"):
        parse(text)


def test_texts_of_arguments() -> None:
    found = parse("{a: [f32[2,3], -1.5e1], b: (i32[4]<7, true, none), c: bool}")
    assert parse("i32[3]<2147483648").below == 2**31
    arrays = graphc.tree.map(lambda x: x.filled(np.random.default_rng(0)) if isinstance(x, Example) else x, found)
    assert arrays["a"][0].shape == (2, 3)
    assert arrays["a"][1] == -15
    assert (arrays["b"][0].dtype, arrays["b"][1:]) == (np.dtype("int32"), (True, None))
    assert set(arrays["b"][0].tolist()) <= set(range(7))
    assert arrays["c"].dtype == bool


def test_profile_and_report_of_ones_own_function(command: Command) -> None:
    profile = command("profile", *LOSS, "--grad", "--repeat", 1, "--json", *ON_HOST)
    assert profile.status == 0, profile.err
    assert json.loads(profile.out)["total_seconds"] > 0
    assert command("report", *LOSS, "--out", "loss.html", "--repeat", 1, *ON_HOST).out == "loss.html\n"
    assert "mine.py" in Path("loss.html").read_text()
    refused = command("report", *LOSS, "--prompt", "a", "--out", "loss.html", *ON_HOST)
    assert (refused.status, "--prompt is for runs" in refused.err) == (2, True)


def test_graph_and_profile_of_a_run(command: Command) -> None:
    assert command("train", "bigram", "--steps", 2, "--out", "run", *ON_HOST).status == 0
    of_run = command("graph", "run", "--what", "forward", "--stage", "traced", *ON_HOST)
    assert of_run.out == command("graph", "bigram", "--what", "forward", "--stage", "traced", *ON_HOST).out
    profile = command("profile", "run", "--repeat", 1, *ON_HOST)
    assert profile.status == 0, profile.err
    refused = command("graph", "run", "--set", "context=3", *ON_HOST)
    assert (refused.status, "a run has its own" in refused.err) == (2, True)


def test_bench_of_ones_own_function(command: Command) -> None:
    result = command("bench", "mine.py:scaled", "--arg", "f32[64,64]", "--small", "--repeat", 1, "--json", "-")
    assert result.status == 0, result.err
    (case,) = json.loads(result.out)["cases"]
    assert (case["name"], set(case["samples"])) == ("mine.py:scaled", {"fused", "unfused", "numpy", "limit"})
    assert command("bench", "softmax", "--arg", "f32[3]").status == 2
    assert command("bench", "none.py:f").status == 2
