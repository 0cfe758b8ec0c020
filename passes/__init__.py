"""Passes: each maps a Graph to a Graph that computes the same, and lives in a file of its name."""

from __future__ import annotations

from graphc.passes.attention import attention
from graphc.passes.canonicalize.cse import cse
from graphc.passes.canonicalize.dce import dce
from graphc.passes.canonicalize.empty import empty
from graphc.passes.canonicalize.fold import fold
from graphc.passes.canonicalize.inline import inline
from graphc.passes.canonicalize.simplify import simplify
from graphc.passes.fusion.fuse import fuse
from graphc.passes.marks.megakernel import megakernel
from graphc.passes.marks.textures import textures
from graphc.passes.memory.alternate import alternate
from graphc.passes.memory.order import order
from graphc.passes.memory.residuals import residuals
from graphc.passes.pipeline import DEFAULT, GraphPass, run
from graphc.passes.split import split

__all__ = [
    "DEFAULT",
    "GraphPass",
    "alternate",
    "attention",
    "cse",
    "dce",
    "empty",
    "fold",
    "fuse",
    "inline",
    "megakernel",
    "order",
    "residuals",
    "run",
    "simplify",
    "split",
    "textures",
]
