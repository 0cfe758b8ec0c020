"""Checkpoints: what comes back is what was saved, or an error that names the file."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors
import safetensors.numpy

import graphc
from graphc.checkpoint import load, load_metadata, save
from graphc.errors import CheckpointError

TREE: dict[str, Any] = {
    "params": {"w": np.arange(6, dtype=np.float32).reshape(2, 3), "layers": [{"b": np.zeros((0, 4))}, None]},
    "step": np.array(7, dtype=np.int32),
    "mixed": (1, 2.5, "text", True, [np.array([True, False]), np.array([1.5], dtype=np.float16)]),
    "empty": {},
}


def assert_same(got: Any, want: Any) -> None:
    assert type(got) is type(want)
    if isinstance(want, dict):
        assert list(got) == list(want)
        for key in want:
            assert_same(got[key], want[key])
    elif isinstance(want, list | tuple):
        assert len(got) == len(want)
        for a, b in zip(got, want, strict=True):
            assert_same(a, b)
    elif isinstance(want, np.ndarray):
        assert got.dtype == want.dtype
        assert got.shape == want.shape
        np.testing.assert_array_equal(got, want)
    else:
        assert got == want


def test_tree_and_metadata_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save(path, TREE, {"step": 7, "names": ["a", "b"]})
    assert_same(load(path), TREE)
    assert load_metadata(path) == {"step": 7, "names": ["a", "b"]}


@pytest.mark.parametrize("tree", [None, 3, np.float32(2.0), np.arange(3), [], ((),), {"": np.ones(2)}])
def test_any_tree_is_a_root(tmp_path: Path, tree: Any) -> None:
    save(tmp_path / "a", tree)
    assert_same(load(tmp_path / "a"), np.asarray(tree) if isinstance(tree, np.generic) else tree)


def test_layouts_and_byte_orders_are_kept_by_value(tmp_path: Path) -> None:
    x = np.arange(12, dtype=">f4").reshape(3, 4).T
    save(tmp_path / "a", [x, x[::2, ::-1]])
    a, b = load(tmp_path / "a")
    np.testing.assert_array_equal(a, x)
    np.testing.assert_array_equal(b, x[::2, ::-1])


def test_loaded_arrays_may_be_changed(tmp_path: Path) -> None:
    save(tmp_path / "a", {"w": np.ones(3)})
    loaded = load(tmp_path / "a")["w"]
    loaded += 1
    assert loaded.tolist() == [2, 2, 2]


def test_paths_that_read_alike_stay_apart(tmp_path: Path) -> None:
    tree = {"a": {"b": np.array(1)}, "a.b": np.array(2), "__metadata__": np.array(3)}
    save(tmp_path / "a", tree)
    assert_same(load(tmp_path / "a"), tree)


def test_other_programs_read_ours_and_we_read_theirs(tmp_path: Path) -> None:
    save(tmp_path / "ours", {"params": {"w": np.ones(3, np.float32)}})
    assert list(safetensors.numpy.load_file(tmp_path / "ours")) == ["params.w"]
    safetensors.numpy.save_file({"x": np.ones(2)}, tmp_path / "theirs")
    assert_same(load(tmp_path / "theirs"), {"x": np.ones(2)})
    assert load_metadata(tmp_path / "theirs") == {}


def test_every_flipped_bit_and_every_truncation_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save(path, {"w": np.arange(3, dtype=np.float32), "n": (1, None)}, {"step": 1})
    data = path.read_bytes()
    damaged = [bytes([*data[:i], data[i] ^ (1 << bit), *data[i + 1 :]]) for i in range(len(data)) for bit in range(8)]
    damaged += [data[:length] for length in range(len(data))] + [data + b"\0"]
    for content in damaged:
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=r"a\.safetensors: "):
            load(path)
        with pytest.raises(CheckpointError, match=r"a\.safetensors: "):
            load_metadata(path)


@pytest.mark.parametrize(
    ("tree", "part"),
    [
        ({"x": object()}, "x is a object"),
        ({"a": [np.array(["text"])]}, r"a\.0 has element type <U4"),
        ({"z": np.ones(2, complex)}, "element type complex128"),
        ({3: np.ones(2)}, "keys that are not strings"),
    ],
)
def test_what_cannot_be_saved_is_named_and_nothing_is_written(tmp_path: Path, tree: Any, part: str) -> None:
    with pytest.raises(CheckpointError, match=part):
        save(tmp_path / "a", tree)
    assert list(tmp_path.iterdir()) == []


def test_metadata_must_be_json(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="JSON"):
        save(tmp_path / "a", {}, {"x": object()})


@pytest.mark.parametrize("metadata", [3, 0, "", [], [1], ("a", 1)])
def test_metadata_is_a_dict(tmp_path: Path, metadata: Any) -> None:
    with pytest.raises(CheckpointError, match="need a dict of what JSON can hold"):
        save(tmp_path / "a", {}, metadata)


def test_a_failed_write_leaves_the_old_file_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    save(path, {"w": np.ones(3)})

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(CheckpointError, match="a: cannot be written: No space left"):
        save(path, {"w": np.zeros(3)})
    assert load(path)["w"].tolist() == [1, 1, 1]
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_a_checkpoint_has_the_mode_of_an_ordinary_file(tmp_path: Path) -> None:
    save(tmp_path / "a", None)
    (tmp_path / "b").write_bytes(b"")
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == stat.S_IMODE((tmp_path / "b").stat().st_mode)


def test_missing_files_and_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="nothing: cannot be read"):
        load(tmp_path / "nothing")
    with pytest.raises(CheckpointError, match="cannot be written"):
        save(tmp_path / "no" / "folder", {})
    with pytest.raises(CheckpointError, match="cannot be read"):
        load(tmp_path)


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    found = set()
    for _ in range(8):
        save(path, TREE, {"step": 7})
        found.add(path.read_bytes())
    assert len(found) == 1


@pytest.mark.parametrize("path", [3, None, b"x.safetensors", ["x"]], ids=repr)
def test_what_is_no_path_is_said(path: Any) -> None:
    calls: dict[str, Callable[[], Any]] = {
        "save": lambda: graphc.save(path, {"w": np.ones(3)}),
        "load": lambda: graphc.load(path),
        "load_program": lambda: graphc.load_program(path),
    }
    for name, call in calls.items():
        with pytest.raises(graphc.ArgumentError, match=f"{name}: .* is no path: need a text or an os.PathLike"):
            call()


@pytest.mark.parametrize("path", ["", "\0", "a\0b", "\ud800"], ids=repr)
def test_texts_that_no_file_is_called_are_said(path: str) -> None:
    calls: dict[str, Callable[[], Any]] = {
        "save": lambda: graphc.save(path, {"w": np.ones(3)}),
        "load": lambda: graphc.load(path),
        "load_metadata": lambda: graphc.load_metadata(path),
        "load_program": lambda: graphc.load_program(path),
    }
    for name, call in calls.items():
        with pytest.raises(graphc.ArgumentError, match=f"^{name}: "):
            call()


def test_a_folder_without_a_program_is_said_once(tmp_path: Path) -> None:
    with pytest.raises(graphc.ProgramError) as caught:
        graphc.load_program(tmp_path)
    assert str(caught.value).count("cannot be read") == 1
