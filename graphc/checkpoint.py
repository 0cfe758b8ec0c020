"""Checkpoints: a tree of arrays in one safetensors file, written atomically and verified when it is read.

The tensors keep readable names ("params.layers.0.wq"), so that other tools can open the file. Its header also holds
the shape of the tree, the caller's metadata, and a SHA-256 of everything, which `load` checks.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
from pathlib import Path
from typing import Any, Final

import numpy as np

from graphc.errors import CheckpointError, DTypeError, path_of
from graphc.ir.types import NDArray, check_plain

TREE: Final = "graphc.tree"
METADATA: Final = "graphc.metadata"
CHECKSUM: Final = "graphc.sha256"
HEADER_KEYS: Final = (TREE, METADATA, CHECKSUM)
SAVED_KINDS: Final = "biuf"
PathLike = str | os.PathLike[str]


def save(path: PathLike, tree: Any, metadata: dict[str, Any] | None = None) -> None:
    """Write a tree of dicts, lists, tuples, None, numbers, strings and arrays to `path`.

    The file appears whole or not at all: it is written beside `path`, flushed to the disk, then renamed over it, so
    a crash leaves the old file. metadata: anything JSON can hold. Raises CheckpointError for what cannot be saved
    and for a place that cannot be written. Source: the safetensors format, 0.4.
    """
    where = path_of("save", path)
    if metadata is not None and not isinstance(metadata, dict):
        raise CheckpointError(f"{path}: metadata is {metadata!r}: need a dict of what JSON can hold")
    tensors: dict[str, NDArray] = {}
    structure = json.dumps(_describe(tree, (), tensors, path))
    try:
        extra = json.dumps(metadata or {})
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: metadata must be what JSON can hold: {error}") from error
    header = {TREE: structure, METADATA: extra, CHECKSUM: _checksum(tensors, structure, extra)}
    import safetensors.numpy  # a saved program, which needs no checkpoint, runs without it

    _write_atomically(where, _in_order(safetensors.numpy.save(tensors, metadata=header)))


def load(path: PathLike) -> Any:
    """The tree that `save` wrote, with NumPy arrays as leaves.

    A safetensors file of another program gives a flat dict of its arrays. Raises CheckpointError naming the file
    when it is missing, truncated or damaged.
    """
    tensors, header = _read("load", path)
    if not header:
        return tensors
    return _rebuild(json.loads(header[TREE]), tensors)


def load_metadata(path: PathLike) -> dict[str, Any]:
    """The metadata given to `save`; empty for a file of another program. Verifies and raises as `load` does."""
    _, header = _read("load_metadata", path)
    found: dict[str, Any] = json.loads(header[METADATA]) if header else {}
    return found


def _in_order(data: bytes) -> bytes:
    """The bytes of a safetensors file with its metadata sorted, so that the same content gives the same bytes."""
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:end])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    # Offsets count from the end of the header; the format asks that tensors begin at a multiple of 8.
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data[end:]


def _describe(tree: Any, keys: tuple[str, ...], tensors: dict[str, NDArray], path: PathLike) -> Any:
    """The shape of `tree` as JSON data; its arrays are put into `tensors`."""
    where = ".".join(keys) or "the tree"
    if tree is None or (isinstance(tree, str | bool | int | float) and not isinstance(tree, np.generic)):
        return {"value": tree}
    if type(tree) in (list, tuple):
        items = [_describe(item, (*keys, str(i)), tensors, path) for i, item in enumerate(tree)]
        return {"list" if isinstance(tree, list) else "tuple": items}
    if isinstance(tree, dict):
        if not all(isinstance(key, str) for key in tree):
            raise CheckpointError(f"{path}: {where} has keys that are not strings")
        return {"dict": [[key, _describe(item, (*keys, key), tensors, path)] for key, item in tree.items()]}
    if not hasattr(tree, "__array__") and not hasattr(tree, "toarray"):
        raise CheckpointError(
            f"{path}: {where} is a {type(tree).__name__}; a checkpoint holds dict, list, tuple, None, numbers, "
            "strings and arrays"
        )
    try:
        check_plain(tree, where)
    except DTypeError as error:
        raise CheckpointError(f"{path}: {error}") from None
    array = np.asarray(tree)
    if array.dtype.kind not in SAVED_KINDS or array.dtype.itemsize > 8:
        raise CheckpointError(f"{path}: {where} has element type {array.dtype}, which safetensors cannot hold")
    name = _unused(".".join(keys) or "value", tensors)
    tensors[name] = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("=")).reshape(array.shape)
    return {"tensor": name}


def _unused(name: str, tensors: dict[str, NDArray]) -> str:
    """`name`, or `name` with a number where keys with dots made two paths read alike."""
    candidate, number = name, 1
    while candidate in tensors or candidate == "__metadata__":
        candidate, number = f"{name}#{number}", number + 1
    return candidate


def _rebuild(node: dict[str, Any], tensors: dict[str, NDArray]) -> Any:
    ((kind, content),) = node.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "dict":
        return {key: _rebuild(item, tensors) for key, item in content}
    if kind in ("list", "tuple"):
        items = [_rebuild(item, tensors) for item in content]
        return items if kind == "list" else tuple(items)
    return content


def _checksum(tensors: dict[str, NDArray], structure: str, extra: str) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        array = tensors[name]
        digest.update(f"{name}\0{array.dtype.str}\0{array.shape}\0".encode("utf-8", "surrogatepass"))
        digest.update(np.ascontiguousarray(array).data.cast("B") if array.size else b"")
    digest.update(f"{structure}\0{extra}".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _write_atomically(path: Path, data: bytes) -> None:
    # Not tempfile: its files are readable by their owner only, and a checkpoint should have the usual mode.
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with open(part, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
        _sync_directory(path.parent)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def _sync_directory(directory: Path) -> None:
    """Make a rename durable. Systems that cannot open a directory (Windows) need no such step."""
    with contextlib.suppress(OSError):
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _read(function: str, path: PathLike) -> tuple[dict[str, NDArray], dict[str, str]]:
    """Tensors and header of a file, verified; the header of another program's file is empty."""
    import safetensors.numpy

    try:
        data = path_of(function, path).read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror or error}") from error
    try:
        tensors = safetensors.numpy.load(data)
        header: dict[str, str] = _header(data).get("__metadata__") or {}
    except (safetensors.SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path}: damaged or not a safetensors file: {error}") from error
    present = [key for key in HEADER_KEYS if key in header]
    if not present:
        return tensors, {}
    if len(present) < len(HEADER_KEYS):
        raise CheckpointError(f"{path}: damaged: its header lacks {', '.join(set(HEADER_KEYS) - set(present))}")
    if _checksum(tensors, header[TREE], header[METADATA]) != header[CHECKSUM]:
        raise CheckpointError(f"{path}: damaged: its checksum does not match its content")
    return tensors, header


def _header(data: bytes) -> dict[str, Any]:
    """The JSON header of a safetensors file, which `safetensors.numpy.load` does not give."""
    length = int.from_bytes(data[:8], "little")
    header: dict[str, Any] = json.loads(data[8 : 8 + length])
    return header
