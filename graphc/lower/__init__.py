"""Lowering: from a graph to a plan."""

from __future__ import annotations

from graphc.lower.assemble import lower

__all__ = ["lower"]
