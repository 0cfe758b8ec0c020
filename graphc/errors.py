"""Every error that graphc raises.

Each derives from GraphcError and from the builtin that a caller would catch. A message names the operation, the
types, what was needed, and the user's own source line.
"""

from __future__ import annotations

import os
from pathlib import Path


class GraphcError(Exception):
    """Base of all errors of graphc."""


class TraceError(GraphcError, TypeError):
    """A function does something that a static graph cannot hold; the message says what to write instead."""


class TraceWarning(UserWarning):
    """A function does what a graph takes another way than NumPy would; the message says which, and what to write."""


class ShapeError(GraphcError, ValueError):
    """Shapes do not fit an operation."""


class DTypeError(GraphcError, TypeError):
    """An element type does not fit an operation, or a value does not fit an element type."""


class ArgumentError(GraphcError, ValueError):
    """An option names an argument that the function does not have, or in a way that makes no sense."""


class ImmutableError(GraphcError, TypeError):
    """An Array would be changed in place; the message says what to write instead."""


class IndexRangeError(GraphcError, IndexError):
    """An index lies outside its axis: known when it is traced or a program is called, or when a result is read."""


class GraphError(GraphcError, ValueError):
    """A graph or plan breaks an invariant: an error in a pass, or in a graph built by hand."""


class DeviceError(GraphcError, RuntimeError):
    """A device is missing, closed, unknown, or refuses a program."""


class DeviceLostError(DeviceError):
    """The device was lost while it was in use."""


class OutOfMemoryError(DeviceError, MemoryError):
    """The device has no memory left, or none of its buffers holds a tensor."""


class MemoryLimitError(GraphcError, MemoryError):
    """A plan cannot hold the memory limit that was asked for."""


class MiscompileError(GraphcError, AssertionError):
    """A compiled program disagrees with the NumPy reference."""


class CheckpointError(GraphcError, ValueError):
    """A checkpoint cannot be read or written."""


class ProgramError(GraphcError, ValueError):
    """A saved program is damaged, of another version, or made for an adapter with other limits."""


class DataError(GraphcError, ValueError):
    """Training data is missing, empty or unreadable."""


class NonFiniteError(GraphcError, ArithmeticError):
    """A loss or gradient became NaN or infinite."""


def path_of(function: str, path: object) -> Path:
    """A path that was given to a function; raises ArgumentError for what is none."""
    if not isinstance(path, str | os.PathLike):
        raise ArgumentError(f"{function}: {path!r} is no path: need a text or an os.PathLike")
    text = os.fspath(path)
    if not isinstance(text, str):
        text = os.fsdecode(text)
    if not text:
        raise ArgumentError(f"{function}: the path {path!r} is empty: need the name of a file or folder")
    try:
        if b"\0" in os.fsencode(text):
            raise ArgumentError(f"{function}: {path!r} is no path: no name of a file holds a zero character")
    except UnicodeEncodeError:
        raise ArgumentError(f"{function}: {path!r} is no path: this system cannot write its characters") from None
    return Path(text)
