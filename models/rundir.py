"""A run's directory: config.json, metrics.jsonl (one JSON object a step), and checkpoints of the last steps."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np

import graphc.tree
from graphc.checkpoint import load, load_metadata, save
from graphc.errors import CheckpointError, DataError

KEPT: Final = 2
"""Checkpoints that stay: the newest, and one more for the case that it was damaged."""


class RunDirectory:
    """Reads and writes one run. every: steps between two checkpoints (the last step always makes one)."""

    def __init__(self, path: Path, every: int = 500) -> None:
        self.path = path
        self.every = every
        self._metrics: BinaryIO | None = None
        self._config: dict[str, Any] = {}
        self._made: list[Path] = []
        self._recorded = False

    @property
    def exists(self) -> bool:
        """Whether there is a run in it that can go on. One that ended before its first checkpoint cannot."""
        return (self.path / "config.json").exists() and bool(self.checkpoints())

    def read_config(self) -> dict[str, Any]:
        """The content of config.json. Raises DataError naming the file."""
        path = self.path / "config.json"
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise DataError(f"{self.path} holds no run: {path} cannot be read: {error.strerror}") from error
        except ValueError as error:
            raise DataError(f"{path}: not JSON: {error}") from error
        if not isinstance(raw, dict):
            raise DataError(f"{path}: need a JSON object")
        return raw

    def begin(self, config: Mapping[str, Any], done: int) -> None:
        """Write config.json and open metrics.jsonl, without the lines after step `done`, for `record`."""
        self._config = dict(config)
        with self._writing():
            files = [self.path / name for name in ("config.json", "config.json.part", "metrics.jsonl")]
            self._made = [path for path in (*files, self.path, *self.path.parents) if not path.exists()]
            self.path.mkdir(parents=True, exist_ok=True)
            part = self.path / "config.json.part"
            part.write_text(json.dumps(self._config, indent=2) + "\n", encoding="utf-8")
            part.replace(self.path / "config.json")
            self._metrics = (self.path / "metrics.jsonl").open("ab+")
            self._metrics.truncate(_bytes_until(self._metrics, done))

    @contextmanager
    def begun(self, config: Mapping[str, Any], done: int) -> Iterator[None]:
        """`begin` for a while. Where that ends with an error and nothing was recorded, what it made is taken back."""
        try:
            self.begin(config, done)
            yield
        except BaseException:
            self.close()
            if not self._recorded and not self.checkpoints():
                for path in self._made:
                    with contextlib.suppress(OSError):  # others may have put something there
                        path.rmdir() if path.is_dir() else path.unlink()
            raise

    def record(self, step: int, loss: float, seconds: float, more: Mapping[str, Any] | None = None) -> None:
        """Add a line to metrics.jsonl: the loss of a step, in nats, the time since the loop began, and `more`."""
        assert self._metrics is not None
        self._recorded = True
        with self._writing():
            line = json.dumps({"step": step, "loss": loss, "seconds": round(seconds, 4), **(more or {})})
            self._metrics.write(f"{line}\n".encode())

    def is_due(self, step: int) -> bool:
        """Whether a checkpoint is due after this step."""
        return step % self.every == 0

    def save(self, params: Any, state: Any, step: int) -> Path:
        """Write the checkpoint of a step, and drop all but the last ones."""
        path = self.path / f"step-{step:08d}.safetensors"
        tree = {"params": params, "state": state}
        save(path, tree, {**self._config, "step": step})
        with self._writing():
            if self._metrics is not None:
                self._metrics.flush()
            for old in self.checkpoints()[:-KEPT]:
                old.unlink()
        return path

    def checkpoints(self) -> list[Path]:
        """The checkpoints there are, oldest first."""
        found = [p for p in self.path.glob("step-*.safetensors") if re.fullmatch(r"step-\d+\.safetensors", p.name)]
        return sorted(found, key=lambda p: int(p.stem.removeprefix("step-")))

    def load_newest(self) -> tuple[Any, Any, int]:
        """Parameters, optimizer state and number of steps of the newest checkpoint. Raises CheckpointError."""
        checkpoints = self.checkpoints()
        if not checkpoints:
            raise CheckpointError(f"{self.path} holds no checkpoint")
        newest = checkpoints[-1]
        tree, metadata = load(newest), load_metadata(newest)
        step = metadata.get("step")
        if not isinstance(tree, dict) or not {"params", "state"} <= tree.keys() or not isinstance(step, int):
            raise CheckpointError(f"{newest}: not a checkpoint of a run")
        return tree["params"], tree["state"], step

    def check(self, found: Any, wanted: Any) -> None:
        """Raise CheckpointError where a tree of the newest checkpoint is not shaped as the run's model needs it."""
        have, need = _shapes(found), _shapes(wanted)
        for path in {**need, **have}:
            if have.get(path) != need.get(path):
                what = f"{path} is {have.get(path, 'missing')}, and that of config.json needs {need.get(path, 'none')}"
                raise CheckpointError(f"{self.checkpoints()[-1]}: holds another model: {what}")

    def check_config(self, wanted: Mapping[str, Any]) -> None:
        """Raise CheckpointError where config.json says something else than the config that is made anew."""
        raw, need = self.read_config(), json.loads(json.dumps(dict(wanted)))
        where = self.path / "config.json"
        for name, value in need.items():
            have = raw.get(name)
            if type(have) is not type(value):
                raise CheckpointError(f"{where}: not the config of a run: {name} is {_shown(have)}")
            old, new = (x if isinstance(x, dict) else {"": x} for x in (have, value))
            for key in old:
                if key not in new or new[key] != old[key]:
                    field, made = f"{name}.{key}".rstrip("."), _shown(new[key]) if key in new else "absent"
                    raise CheckpointError(
                        f"{where}: {field} is {_shown(old[key])}, and the run's settings and data make it {made}"
                    )

    def close(self) -> None:
        """Close metrics.jsonl."""
        if self._metrics is not None:
            with self._writing():
                self._metrics.close()
            self._metrics = None

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise CheckpointError(f"{error.filename or self.path}: cannot be written: {error.strerror}") from error


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 60 else f"{text[:57]}..."


def _shapes(tree: Any) -> dict[str, str]:
    """The shape of each leaf of a tree, as text, by the path to it."""
    leaves, structure = graphc.tree.flatten(tree)
    paths = graphc.tree.paths(structure)
    return {graphc.tree.format_path(p).lstrip("."): str(list(np.shape(x))) for p, x in zip(paths, leaves, strict=True)}


def _bytes_until(metrics: BinaryIO, done: int) -> int:
    """Bytes of the leading lines up to step `done`; a run that was killed may have left half a line."""
    metrics.seek(0)
    length = 0
    for line in metrics:
        try:
            wanted = json.loads(line)["step"] <= done
        except (ValueError, KeyError, TypeError):
            wanted = False
        if not (wanted and line.endswith(b"\n")):
            break
        length += len(line)
    return length


def unused_directory(model: str, root: Path = Path("runs")) -> Path:
    """The first of runs/MODEL-1, runs/MODEL-2, ... that is not there."""
    number = 1
    while (root / f"{model}-{number}").exists():
        number += 1
    return root / f"{model}-{number}"
