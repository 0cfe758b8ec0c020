"""The folder of a program: its files, their checksums, and reading them with nothing but NumPy."""

from __future__ import annotations

import gzip
import hashlib
import json
import math
import os
import shutil
import tempfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from graphc.errors import ProgramError, path_of
from graphc.ir.types import NDArray
from graphc.program.document import from_json, kernels_of, to_json
from graphc.program.model import Program

FORMAT: Final = "graphc program"
VERSION: Final = 1
MANIFEST: Final = "manifest.json"
DOCUMENT: Final = "program.json"
KERNELS: Final = "kernels.wgsl"
PACKED: Final = "kernels.gzip"
"""What stands in the place of KERNELS in a packed program; servers know no such ending, so none of them unpacks it."""

ARRAYS: Final = "arrays.safetensors"
FILES: Final = (DOCUMENT, KERNELS, ARRAYS)

_HEAD: Final = "//// kernel "
"""How the line before a kernel begins, in the file that holds them all; its number follows, and its name."""

_STORED: Final = {
    "F32": np.float32,
    "F16": np.float16,
    "F64": np.float64,
    "I32": np.int32,
    "I64": np.int64,
    "U32": np.uint32,
    "BOOL": np.bool_,
}
"""Element types of safetensors that a program may hold."""


def save(program: Program, path: str | os.PathLike[str], packed: bool = False) -> None:
    """Write a program as the folder `path`, all or nothing; a program that lies there is replaced.

    packed: kernels are compressed, to a sixth of their text, because servers of files do not compress. Raises
    ProgramError for a place that holds something else or cannot be written.
    """
    folder = path_of("save", path)
    if folder.exists() and not _replaceable(folder):
        raise ProgramError(f"{folder} is there already and is no program: choose another place, or remove it")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    except OSError as error:
        raise ProgramError(f"{folder} cannot be written: {error}") from error
    try:
        write_files(program, new, packed)
        new.chmod(0o755)
        if folder.exists():
            shutil.rmtree(folder)
        new.rename(folder)
    except OSError as error:
        raise ProgramError(f"{folder} cannot be written: {error}") from error
    finally:
        shutil.rmtree(new, ignore_errors=True)


def write_files(program: Program, folder: Path, packed: bool = False) -> None:
    """Write the files of a program into a folder that is there; packed: see `save`."""
    texts = [f"{_HEAD}{n}: {kernel.name}\n{kernel.wgsl.rstrip()}\n" for n, kernel in enumerate(kernels_of(program))]
    document = json.dumps(to_json(program), separators=(",", ":"), allow_nan=False)
    wgsl = "".join(texts).encode()
    contents = {
        DOCUMENT: document.encode(),
        **({PACKED: gzip.compress(wgsl, mtime=0)} if packed else {KERNELS: wgsl}),
        ARRAYS: _stored(program.arrays),
    }
    files = {}
    for name, data in contents.items():
        (folder / name).write_bytes(data)
        files[name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    manifest = {"format": FORMAT, "version": VERSION, "files": files}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1), "utf-8")


def load(path: str | os.PathLike[str]) -> Program:
    """The program that `save` wrote into the folder `path`.

    Raises ProgramError, in one line, for a folder that is none, for another version, and for every file that is
    missing, cut short, changed, or at odds with the others.
    """
    folder = path_of("load_program", path)
    contents = _verified(folder)
    try:
        raw = json.loads(contents[DOCUMENT])
        wgsl = _kernels((contents[KERNELS] if KERNELS in contents else gzip.decompress(contents[PACKED])).decode())
    except (ValueError, RecursionError, OSError, EOFError, zlib.error) as error:
        raise ProgramError(f"{folder}: it cannot be read: {error}") from error
    try:
        return from_json(raw, wgsl, _arrays(contents[ARRAYS]))
    except ProgramError as error:
        raise ProgramError(f"{folder}: {error}") from None


def _verified(folder: Path) -> dict[str, bytes]:
    """The contents of the files, each as long and with the checksum that the manifest says."""
    if not folder.is_dir():
        raise ProgramError(f"{folder} is no program: it must be a folder that holds {MANIFEST}")
    text = _read(folder / MANIFEST)
    try:
        manifest = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ProgramError(f"{folder / MANIFEST} cannot be read: {error}") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise ProgramError(f"{folder / MANIFEST}: this is no manifest of a {FORMAT}")
    if manifest.get("version") != VERSION:
        raise ProgramError(f"{folder}: it has version {manifest.get('version')!r}, and this graphc reads {VERSION}")
    files = manifest.get("files")
    listed = set(files) if isinstance(files, dict) else set()
    packed = {PACKED if name == KERNELS else name for name in FILES}
    if (
        set(manifest) != {"format", "version", "files"}
        or not isinstance(files, dict)
        or listed not in (set(FILES), packed)
    ):
        raise ProgramError(f"{folder / MANIFEST}: it must name {', '.join(FILES)} (or {PACKED}), and nothing else")
    contents = {}
    for name in files:
        data, entry = _read(folder / name), files[name]
        if not isinstance(entry, dict) or set(entry) != {"bytes", "sha256"}:
            raise ProgramError(f"{folder / MANIFEST}: {name} needs bytes and sha256")
        if entry["bytes"] != len(data):
            raise ProgramError(f"{folder / name} has {len(data)} bytes, where the manifest says {entry['bytes']!r}")
        if entry["sha256"] != hashlib.sha256(data).hexdigest():
            raise ProgramError(f"{folder / name} was changed: its checksum is not that of the manifest")
        contents[name] = data
    return contents


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ProgramError(f"{path} cannot be read: {error.strerror or error}") from error


def _kernels(text: str) -> list[str]:
    """The texts of the kernels; raises ValueError where they are not numbered from 0."""
    parts = ("\n" + text).split("\n" + _HEAD)
    found = []
    for number, part in enumerate(parts[1:]):
        head, _, wgsl = part.partition("\n")
        if not head.startswith(f"{number}: "):
            raise ValueError(f"{KERNELS}: kernel {number} is missing")
        found.append(wgsl + "\n" if number < len(parts) - 2 else wgsl)
    if parts[0].strip():
        raise ValueError(f"{KERNELS} begins with something else than a kernel")
    return found


def _replaceable(folder: Path) -> bool:
    """Whether a folder may be replaced: it is empty, or a program."""
    return folder.is_dir() and ((folder / MANIFEST).is_file() or not any(folder.iterdir()))


def _stored(arrays: Mapping[str, NDArray]) -> bytes:
    """Arrays in the format of safetensors."""
    from safetensors.numpy import save as serialize  # reading needs NumPy alone

    return bytes(serialize({name: np.array(array, order="C") for name, array in arrays.items()}))


def _arrays(data: bytes) -> dict[str, NDArray]:
    """The arrays of a safetensors file; raises ProgramError unless they fill it without gaps.

    Source: the safetensors format, 0.4: 8 bytes for the length of the header, the header as JSON, the data.
    """
    try:
        length = int.from_bytes(data[:8], "little")
        if len(data) < 8 or length > len(data) - 8:
            raise ValueError("its header is cut short")
        header = json.loads(data[8 : 8 + length])
        header.pop("__metadata__", None)
        return _tensors(header, data[8 + length :])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ProgramError(f"{ARRAYS} cannot be read: {error}") from error


def _tensors(header: Mapping[str, Any], data: bytes) -> dict[str, NDArray]:
    found, end = {}, 0
    for name, entry in sorted(header.items(), key=lambda item: tuple(item[1]["data_offsets"])):
        dtype, shape = np.dtype(_STORED[entry["dtype"]]), tuple(int(n) for n in entry["shape"])
        first, last = entry["data_offsets"]
        if (
            first != end
            or last - first != math.prod(shape) * dtype.itemsize
            or last > len(data)
            or min(shape, default=0) < 0
        ):
            raise ValueError(f"the place of {name!r} does not fit its shape")
        found[name] = np.frombuffer(data, dtype, math.prod(shape), first).reshape(shape)
        end = last
    if end != len(data):
        raise ValueError("there are bytes that belong to no array")
    return found
