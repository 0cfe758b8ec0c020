"""Importers of ONNX operators, by what they do; importing a module enters them in the table."""

from __future__ import annotations

from graphc.onnx.ops import attention, control, elementwise, indexing, losses, movement, neural, normal, reduce, resize

__all__ = [
    "attention",
    "control",
    "elementwise",
    "indexing",
    "losses",
    "movement",
    "neural",
    "normal",
    "reduce",
    "resize",
]
