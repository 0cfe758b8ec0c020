"""The peers of the benchmarks: they run graphc's own programs, one that does not is found out, none is needed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import cli, nn
from graphc.bench import CASES, run_cases
from graphc.bench.peers import Peer, PeerProgram, Peers, find, process, programs
from graphc.bench.peers.process import PeerError
from graphc.models import MODELS

FAKE = """
import json, sys
def answer(**what): print(json.dumps(what), flush=True)
if sys.argv[1] == "tinygrad":
    answer(error="FileNotFoundError: no Dawn")
    sys.exit()
answer(version="fake 1.0")
runs = 0
for line in sys.stdin:
    request = json.loads(line)
    if "prepare" in request:
        import numpy
        found = numpy.load(request["arrays"])
        answer(first=float((found["a"] @ found["b"])[0, 0]), seconds=0.001)
    elif request["run"] == 13:
        sys.exit(3)
    else:
        answer(done=request["run"])
"""


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Peers:
    """An environment with a peer that answers at once, and one that cannot run."""
    script = tmp_path / "child.py"
    script.write_text(FAKE)
    monkeypatch.setattr(process, "SCRIPT", script)
    return find(sys.executable)


def product(first: float) -> PeerProgram:
    return PeerProgram({"kind": "matmul"}, {"a": np.full((2, 2), first, np.float32), "b": np.eye(2, dtype=np.float32)})


def test_peers_say_what_they_are_or_why_not(fake: Peers) -> None:
    assert fake.versions == {"torch": "fake 1.0"}
    assert fake.missing == {"tinygrad": "FileNotFoundError: no Dawn"}
    assert fake.advice == ""


def test_a_peer_runs_only_what_computes_the_same(fake: Peers) -> None:
    peer = Peer(fake.python, "torch", product(2.0), steps=4, first=2.0)
    assert peer.seconds == 0.004
    peer()
    peer.wait()
    assert not peer.failure
    peer.close()
    with pytest.raises(PeerError, match=r"something else: 2 where graphc has 2\.1"):
        Peer(fake.python, "torch", product(2.0), steps=1, first=2.1)


def test_a_peer_that_ends_while_it_is_measured_has_failed(fake: Peers) -> None:
    peer = Peer(fake.python, "torch", product(2.0), steps=13, first=2.0)
    peer()
    peer.wait()
    assert peer.failure == "its process ended with status 3"
    peer()
    peer.wait()
    peer.close()


def test_an_interpreter_without_peers_is_told_what_to_install() -> None:
    found = find("/nonexistent/python")
    assert not found.versions
    assert "pip install torch tinygrad dawn-python" in found.advice
    assert "\n" not in found.advice


def test_a_report_holds_the_peers_and_why_others_are_absent(fake: Peers) -> None:
    case = next(case for case in CASES if case.name == "matmul-1024")
    report = run_cases([case], graphc.device("wgpu"), repeat=1, small=True, peers=fake)
    (result,) = report.results
    assert result.samples["torch"].seconds > 0
    assert set(result.metrics) >= {"times_torch", "of_torch", "numpy_of_torch"}
    assert result.metrics["of_torch"] == result.samples["fused"].seconds / result.samples["torch"].seconds
    assert result.absent == {"tinygrad": "FileNotFoundError: no Dawn"}
    data = report.to_data()
    assert data["peers"] == {"torch": "fake 1.0"}
    assert data["cases"][0]["absent"] == result.absent


def test_the_command_measures_without_peers_where_there_are_none(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["bench", "softmax", "--small", "--repeat", "1", "--json", "-", "--peers-python", "/nonexistent/python"]
    assert cli.run(command) == 0
    printed = capsys.readouterr()
    assert "pip install torch tinygrad" in printed.err
    assert json.loads(printed.out)["peers"] == {}


class _Tensor(np.ndarray):
    """An ndarray with the methods of both peers that NumPy's lacks."""

    def relu(self) -> Any:
        return np.maximum(self, 0)

    def transpose(self, *axes: Any) -> Any:
        return np.swapaxes(self, *axes)


class _Functions:
    @staticmethod
    def embedding(table: Any, tokens: Any) -> Any:
        return table[np.asarray(tokens)]

    layer_norm = staticmethod(nn.layer_norm)

    @staticmethod
    def rms_norm(x: Any, eps: float) -> Any:
        return nn.rms_norm(x, eps=eps)

    @staticmethod
    def attention(q: Any, k: Any, v: Any) -> Any:
        return nn.attention(*(np.asarray(a) for a in (q, k, v)), causal=True).view(_Tensor)

    @staticmethod
    def cross_entropy(logits: Any, labels: Any) -> Any:
        return nn.cross_entropy(np.asarray(logits), np.asarray(labels))


@pytest.mark.parametrize("name", ["gpt", "transformer", "microgpt", "microgpt-64"])
def test_what_peers_run_is_the_model(name: str) -> None:
    work = next(case for case in CASES if case.name == name).make(True)
    assert work.peer is not None
    what, arrays = work.peer.what, {n: a.view(_Tensor) for n, a in work.peer.arrays.items()}
    params = {n.removeprefix("params/"): a for n, a in arrays.items() if n.startswith("params/")}
    got = programs.loss(_Functions, what["model"], what["config"], params, arrays["x"][0], arrays["y"][0])
    model = MODELS[what["model"]]
    want = model.loss(
        work.arguments[0], work.peer.arrays["x"][0], work.peer.arrays["y"][0], model.Config(**what["config"])
    )
    np.testing.assert_allclose(got, want, rtol=1e-5)
