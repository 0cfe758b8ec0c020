"""What can go wrong with an ONNX file."""

from __future__ import annotations

from graphc.errors import GraphcError


class OnnxError(GraphcError, ValueError):
    """An ONNX file is damaged, hostile, or says what makes no sense."""


class UnsupportedError(OnnxError, NotImplementedError):
    """A model needs what is not imported, or a graph what is not exported; the message names operators and nodes."""
