"""Passes: each maps a Graph to a Graph that computes the same, and lives in a file of its name."""

from __future__ import annotations

from graphc.passes.cse import cse
from graphc.passes.dce import dce
from graphc.passes.inline import inline
from graphc.passes.pipeline import DEFAULT, GraphPass, run

__all__ = ["DEFAULT", "GraphPass", "cse", "dce", "inline", "run"]
