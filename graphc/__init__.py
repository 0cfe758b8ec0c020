"""graphc: NumPy in, GPU program out."""

from __future__ import annotations

from importlib import import_module as _import_module
from pathlib import Path as _Path
from typing import Any as _Any

_root = _Path(__file__).resolve().parent.parent
if (_root / "pyproject.toml").is_file() and (_root / "passes").is_dir():
    # A source checkout: graphc.passes, graphc.kernels and graphc.models are folders beside this one.
    __path__.append(str(_root))

from graphc import startup as _startup

_startup.guard()  # before what takes long to import

from graphc import array_api, nn, optim, passes, random, targets, tree, web
from graphc import immediate as _immediate
from graphc.array_api.creation import from_dlpack
from graphc.checkpoint import load, load_metadata, save
from graphc.compile import Compiled, compile
from graphc.control import cond, fori_loop, switch, while_loop
from graphc.derivatives import hessian, jacfwd, jacrev, jvp, linearize, vjp
from graphc.errors import (
    ArgumentError,
    CheckpointError,
    DataError,
    DeviceError,
    DeviceLostError,
    DTypeError,
    GraphcError,
    GraphError,
    ImmutableError,
    IndexRangeError,
    MemoryLimitError,
    MiscompileError,
    NonFiniteError,
    OutOfMemoryError,
    ProgramError,
    ShapeError,
    TraceError,
    TraceWarning,
)
from graphc.executable import Executable
from graphc.inspect.pictures import Drawn as _Drawn
from graphc.ir.graph import Graph
from graphc.ir.graph import draw_with as _draw_with
from graphc.ir.types import enable_x64
from graphc.ordering import top_k, unique
from graphc.plan.contract import Contract
from graphc.program import load_program
from graphc.runtime import Array, Device, asarray, device, devices
from graphc.runtime import methods as _of_arrays
from graphc.scan import scan
from graphc.solving import solve_triangular
from graphc.taps import tap
from graphc.tracing import methods as _of_traced
from graphc.tracing.trace import Spec, spec, trace
from graphc.transforms import checkpoint, custom_vjp, grad, stop_gradient, value_and_grad, with_taps
from graphc.updates import at, put_along_axis, segment_max, segment_mean, segment_sum
from graphc.vmap import vmap

__all__ = [
    "ArgumentError",
    "Array",
    "CheckpointError",
    "Compiled",
    "Contract",
    "DTypeError",
    "DataError",
    "Device",
    "DeviceError",
    "DeviceLostError",
    "Executable",
    "Graph",
    "GraphError",
    "GraphcError",
    "ImmutableError",
    "IndexRangeError",
    "MemoryLimitError",
    "MiscompileError",
    "NonFiniteError",
    "OutOfMemoryError",
    "ProgramError",
    "ShapeError",
    "Spec",
    "TraceError",
    "TraceWarning",
    "array_api",
    "asarray",
    "at",
    "checkpoint",
    "compile",
    "cond",
    "custom_vjp",
    "device",
    "devices",
    "enable_x64",
    "fori_loop",
    "from_dlpack",
    "grad",
    "hessian",
    "jacfwd",
    "jacrev",
    "jvp",
    "linearize",
    "load",
    "load_metadata",
    "load_program",
    "nn",
    "optim",
    "passes",
    "put_along_axis",
    "random",
    "save",
    "scan",
    "segment_max",
    "segment_mean",
    "segment_sum",
    "solve_triangular",
    "spec",
    "stop_gradient",
    "switch",
    "tap",
    "targets",
    "top_k",
    "trace",
    "tree",
    "unique",
    "value_and_grad",
    "vjp",
    "vmap",
    "web",
    "while_loop",
    "with_taps",
]

_draw_with(_Drawn())
_of_traced.ABOVE.update(namespace=array_api.namespace)
_of_arrays.ABOVE.update(
    apply_op=_immediate.apply_op,
    at=at,
    call_function=_immediate.call_function,
    call_method=_immediate.call_method,
    call_ufunc=_immediate.call_ufunc,
    getitem=_immediate.getitem,
    in_place=_immediate.in_place,
    namespace=array_api.namespace,
)


def __getattr__(name: str) -> _Any:
    # Models are written on this very face, ONNX is a package of others, and no program needs them to start: imported
    # when they are asked for.
    if name in ("models", "onnx"):
        return _import_module(f"graphc.{name}")
    raise AttributeError(f"module 'graphc' has no attribute {name!r}")
