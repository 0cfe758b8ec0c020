"""graphc: NumPy in, GPU program out."""

from __future__ import annotations

from pathlib import Path as _Path

_root = _Path(__file__).resolve().parent.parent
if (_root / "pyproject.toml").is_file() and (_root / "passes").is_dir():
    # A source checkout: graphc.passes, graphc.kernels and graphc.models are folders beside this one.
    __path__.append(str(_root))

from graphc.errors import (
    CheckpointError,
    DataError,
    DeviceError,
    DeviceLostError,
    DTypeError,
    GraphcError,
    GraphError,
    IndexRangeError,
    MemoryLimitError,
    MiscompileError,
    NonFiniteError,
    OutOfMemoryError,
    ShapeError,
    TraceError,
)
from graphc.ir import Graph
from graphc.runtime import Array, Device, asarray, device, devices
from graphc.types import enable_x64

__all__ = [
    "Array",
    "CheckpointError",
    "DTypeError",
    "DataError",
    "Device",
    "DeviceError",
    "DeviceLostError",
    "Graph",
    "GraphError",
    "GraphcError",
    "IndexRangeError",
    "MemoryLimitError",
    "MiscompileError",
    "NonFiniteError",
    "OutOfMemoryError",
    "ShapeError",
    "TraceError",
    "asarray",
    "device",
    "devices",
    "enable_x64",
]
