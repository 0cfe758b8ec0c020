"""ONNX in and out: a model of others as a function that traces, and a traced graph as a file for others.

Needs the extra `onnx` (`pip install 'graphc[onnx]'`).
"""

from __future__ import annotations

try:
    import onnx as _onnx
except ImportError as error:
    raise ImportError("graphc.onnx needs the package onnx: pip install 'graphc[onnx]'") from error

from graphc.onnx.backend import Backend
from graphc.onnx.errors import OnnxError, UnsupportedError
from graphc.onnx.export import export
from graphc.onnx.model import Model, load

__all__ = ["Backend", "Model", "OnnxError", "UnsupportedError", "export", "load"]

newest: int = _onnx.defs.onnx_opset_version()
"""The newest opset that is known: that of the installed onnx."""
