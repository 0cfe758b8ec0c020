"""Exporters: each op of graphc as standard ONNX operators; importing a module enters them in the table."""

from __future__ import annotations

from graphc.onnx.exporters import arithmetic, random, structure

__all__ = ["arithmetic", "random", "structure"]
