"""Saved programs: what comes back is what was saved, and what was changed is refused in one line."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import graphc
from graphc import nn, optim
from graphc.errors import DeviceError, DTypeError, IndexRangeError, ProgramError, ShapeError
from graphc.program import folder
from graphc.program.folder import load

ROOT = Path(__file__).resolve().parents[2]


ABSENT = {"networkx", "graphviz", "graphviz_pure", "safetensors", "platformdirs", "click", "rich", "jinja2", "pooch"}


class Pair(NamedTuple):
    first: Any
    second: Any


@dataclass
class State:
    count: Any
    scale: Any


def same(got: Any, want: Any) -> None:
    for a, b in zip(graphc.tree.leaves(got), graphc.tree.leaves(want), strict=True):
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))


def loss(params: Any, x: Any, y: Any) -> Any:
    h = np.tanh(nn.embedding(params["table"], x) @ params["w"] + params["b"])
    return nn.cross_entropy(h, y)


def model() -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(0)
    params = {
        "w": rng.normal(size=(8, 5)).astype(np.float32),
        "table": rng.normal(size=(11, 8)).astype(np.float32),
        "b": np.zeros(5, np.float32),
    }
    return params, rng.integers(0, 11, 32).astype(np.int32), rng.integers(0, 5, 32).astype(np.int32)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training step with donation, constants and index arguments."""
    optimizer = optim.adam(0.01)

    def step(params: Any, state: Any, x: Any, y: Any) -> Any:
        value, grads = graphc.value_and_grad(loss)(params, x, y)
        params, state = optimizer.update(grads, state, params)
        return params, state, value * np.linspace(1, 2, 40, dtype=np.float32)

    params, x, y = model()
    path = tmp_path_factory.mktemp("programs") / "step"
    compiled = graphc.compile(step, device="wgpu", donate=("params", "state"))
    compiled.lower(params, optimizer.init(params), x, y).save(path)
    return path


def test_a_training_step_goes_on_as_the_compiled_one(saved: Path) -> None:
    optimizer = optim.adam(0.01)
    params, x, y = model()
    state = optimizer.init(params)
    loaded = graphc.load_program(saved, "wgpu")
    values: list[Any] = []
    for _ in range(3):
        given = graphc.tree.map(graphc.asarray, params) if not values else params
        params, state, value = loaded(given, state, x, y)
        values.append(np.asarray(value))
    with pytest.raises(DeviceError, match="donated"):
        np.asarray(given["w"])
    params, state = model()[0], optimizer.init(model()[0])
    for value in values:
        expected, grads = graphc.value_and_grad(loss)(params, x, y)
        np.testing.assert_allclose(value, np.asarray(expected) * np.linspace(1, 2, 40), rtol=1e-5)
        params, state = optimizer.update(grads, state, params)


def test_trees_of_every_kind(tmp_path: Path) -> None:
    def fn(a: Any, b: Any, *, c: Any) -> Any:
        return {"z": a.first + b[0], 3: (c.count, [a.second * c.scale], None), "a": Pair(b[1], b[1])}

    args = (
        (Pair(np.float32(1), np.ones((2, 3), np.float32)), (np.float32(2), np.arange(3))),
        {"c": State(np.int32(7), np.float32(3))},
    )
    compiled = graphc.compile(fn, device="wgpu")
    compiled.lower(*args[0], **args[1]).save(tmp_path / "p")
    got = graphc.load_program(tmp_path / "p", "wgpu")(*args[0], **args[1])
    assert list(got) == list(compiled(*args[0], **args[1]))
    same(got, compiled(*args[0], **args[1]))
    assert got["a"]._fields == ("first", "second")
    with pytest.raises(ShapeError, match=r"b: need a tuple of 2|need a tuple of 2"):
        graphc.load_program(tmp_path / "p", "wgpu")(args[0][0], (np.float32(2),), **args[1])


def test_indices_out_of_range_are_told_by_a_saved_program(tmp_path: Path) -> None:
    def fn(t: Any, i: Any, n: Any) -> Any:
        return graphc.scan(lambda c, k: (c + np.sum(t[k]), t[k]), np.float32(0), n.astype(np.int32)), t[i + 1]

    t, i, n = (
        np.arange(12, dtype=np.float32).reshape(4, 3),
        np.array([-1, 2], np.int32),
        np.array([3, -4, 0], np.float32),
    )
    compiled = graphc.compile(fn, device="wgpu")
    compiled.lower(t, i, n).save(tmp_path / "p")
    loaded = graphc.load_program(tmp_path / "p", "wgpu")
    same(loaded(t, i, n), compiled(t, i, n))
    for given, bad in (((t, i, n + 1), 4), ((t, i + 1, n), 4), ((t, i - 5, n), -5)):
        (total, _), _ = loaded(*given)
        with pytest.raises(IndexRangeError, match=rf"index {bad} is out of range for an axis of 4\n  at  test_program"):
            float(total)
    same(loaded(t, i, n), compiled(t, i, n))


def test_loops_scalars_and_element_types(tmp_path: Path) -> None:
    def fn(x: Any, flag: Any, n: float) -> Any:
        c, ys = graphc.scan(lambda c, a: (np.tanh(c + a) * n, np.sum(c)), np.zeros(5, np.float32), x)
        return c, ys, x > 0, np.where(flag, c, 0), (x * 3).astype(np.int32)

    args = np.random.default_rng(0).normal(size=(20, 5)).astype(np.float32), np.array([True, False] * 2 + [True]), 0.5
    compiled = graphc.compile(fn, device="wgpu")
    compiled.lower(*args).save(tmp_path / "p")
    same(graphc.load_program(tmp_path / "p", "wgpu")(*args), compiled(*args))


def test_arguments_that_do_not_fit_are_named(saved: Path) -> None:
    loaded, (params, x, y) = graphc.load_program(saved, "wgpu"), model()
    state = optim.adam(0.01).init(params)
    with pytest.raises(ShapeError, match=r"argument \[0\]\[2\]|i32\[32\]"):
        loaded(params, state, x[:3], y)
    with pytest.raises(DTypeError, match="i32"):
        loaded(params, state, x.astype(np.float32), y)
    with pytest.raises(IndexRangeError, match="index 11 is out of range"):
        loaded(params, state, np.full_like(x, 11), y)
    with pytest.raises(ShapeError, match="keys"):
        loaded({"w": params["w"]}, state, x, y)


def test_it_runs_with_numpy_and_wgpu_alone(saved: Path) -> None:
    text = f"""
import sys, importlib.abc
class Block(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.split(".")[0] in {ABSENT!r}:
            raise ImportError(name + " is not here")
sys.meta_path.insert(0, Block())
import numpy as np, graphc
program = graphc.load_program({str(saved)!r}, "wgpu")
function = program.functions["step"].function
leaves = [np.zeros(a.shape, a.dtype.replace("f32", "float32").replace("i32", "int32")) for a in function.arguments]
it = iter(leaves)
from graphc.program.run import _build
args, kwargs = _build(function.in_tree, it)
print(float(np.asarray(program(*args, **kwargs)[2])[0]))
"""
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    assert abs(float(done.stdout) - np.log(5)) < 1e-5


def test_the_device_numpy_is_refused(saved: Path) -> None:
    with pytest.raises(ProgramError, match="WebGPU adapter"):
        graphc.load_program(saved, "numpy")


def rewritten(source: Path, target: Path, name: str, data: bytes) -> Path:
    """A copy of a program in which one file is other, with a manifest that agrees."""
    target.mkdir()
    for path in source.iterdir():
        (target / path.name).write_bytes(path.read_bytes())
    (target / name).write_bytes(data)
    manifest = json.loads((target / folder.MANIFEST).read_text())
    manifest["files"][name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    (target / folder.MANIFEST).write_text(json.dumps(manifest))
    return target


@pytest.mark.parametrize("name", [*folder.FILES, folder.MANIFEST])
def test_files_that_are_missing_cut_or_changed_are_refused(saved: Path, tmp_path: Path, name: str) -> None:
    data = (saved / name).read_bytes()
    flipped = bytes([data[len(data) // 2] ^ 1])
    for number, changed in enumerate(
        (
            None,
            b"",
            data[:-1],
            data[: len(data) // 2],
            data + b" x",
            data[: len(data) // 2] + flipped + data[len(data) // 2 + 1 :],
        )
    ):
        copy = tmp_path / str(number)
        copy.mkdir()
        for path in saved.iterdir():
            if path.name != name:
                (copy / path.name).write_bytes(path.read_bytes())
            elif changed is not None:
                (copy / name).write_bytes(changed)
        with pytest.raises(ProgramError) as error:
            load(copy)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}', "does not fit"),
        (b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}', "does not fit"),
        (b'{"a":{"dtype":"F32","shape":[-1,-1],"data_offsets":[0,4]}}', "does not fit"),
        (b'{"a":{"dtype":"F99","shape":[1],"data_offsets":[0,4]}}', "cannot be read"),
        (b'{"a":{"dtype":"F32","shape":[1]}}', "cannot be read"),
        (b"[]", "cannot be read"),
        (b"{", "cannot be read"),
        (b"{}", "belong to no array"),
    ],
)
def test_arrays_are_read_with_care(header: bytes, message: str) -> None:
    with pytest.raises(ProgramError, match=message):
        folder._arrays(len(header).to_bytes(8, "little") + header + b"\0\0\0\0")


def test_other_versions_and_other_adapters_are_named(saved: Path, tmp_path: Path) -> None:
    manifest = json.loads((saved / folder.MANIFEST).read_text())
    copy = rewritten(saved, tmp_path / "version", folder.DOCUMENT, (saved / folder.DOCUMENT).read_bytes())
    (copy / folder.MANIFEST).write_text(json.dumps({**manifest, "version": 99}))
    with pytest.raises(ProgramError, match="has version 99, and this graphc reads 1"):
        load(copy)
    raw = json.loads((saved / folder.DOCUMENT).read_text())
    raw["functions"]["step"]["requires"]["limits"]["maxBufferSize"] = 2**50
    other = rewritten(saved, tmp_path / "limits", folder.DOCUMENT, json.dumps(raw).encode())
    with pytest.raises(ProgramError, match="needs maxBufferSize 1125899906842624"):
        graphc.load_program(other, "wgpu")


def test_places(saved: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    executable = graphc.compile(lambda x: x + 1, device="wgpu").lower(np.ones(3, np.float32))
    with pytest.raises(ProgramError, match="is there already"):
        executable.save(tmp_path / "full")
    executable.save(tmp_path / "new" / "deep")
    executable.save(tmp_path / "new" / "deep")
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == ["deep"]
    with pytest.raises(ProgramError, match="is no program"):
        load(tmp_path / "nothing")


def test_slots_of_buffers_that_are_not_their_own_are_refused(saved: Path, tmp_path: Path) -> None:
    document = json.loads((saved / folder.DOCUMENT).read_text())
    ((name, function),) = document["functions"].items()
    load(rewritten(saved, tmp_path / "same", folder.DOCUMENT, json.dumps(document).encode()))
    wrong = []
    for number, (_, kind, _, slot) in enumerate(function["buffers"]):
        peers = [n for n, b in enumerate(function["buffers"]) if b[1] == kind and n != number]
        if kind in ("input", "output", "constant"):
            wrong += [{number: function["buffers"][peer][3]} for peer in peers[:2]]
            wrong += [{number: function["buffers"][peer][3], peer: slot} for peer in peers[:1]]
    assert len(wrong) > 9
    for k, changed in enumerate(wrong):
        buffers = [[*b[:3], changed.get(n, b[3])] for n, b in enumerate(function["buffers"])]
        text = json.dumps({**document, "functions": {name: {**function, "buffers": buffers}}})
        with pytest.raises(ProgramError, match=r"functions\.step\.buffers"):
            load(rewritten(saved, tmp_path / str(k), folder.DOCUMENT, text.encode()))
