"""Passes: each maps a Graph to a Graph that computes the same, and lives in a file of its name."""

from __future__ import annotations

from graphc.passes.attention import attention
from graphc.passes.chain import chain
from graphc.passes.cse import cse
from graphc.passes.dce import dce
from graphc.passes.empty import empty
from graphc.passes.fold import fold
from graphc.passes.fuse import fuse
from graphc.passes.inline import inline
from graphc.passes.keep import keep
from graphc.passes.order import order
from graphc.passes.pipeline import DEFAULT, GraphPass, run
from graphc.passes.simplify import simplify
from graphc.passes.split import split
from graphc.passes.stage import stage

__all__ = [
    "DEFAULT",
    "GraphPass",
    "attention",
    "chain",
    "cse",
    "dce",
    "empty",
    "fold",
    "fuse",
    "inline",
    "keep",
    "order",
    "run",
    "simplify",
    "split",
    "stage",
]
