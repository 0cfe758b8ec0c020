"""Tracing a function and running it by the reference, beside the same function run eagerly by NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc import tree
from graphc.ir.graph import evaluate
from graphc.ir.types import dtype_of, narrow
from graphc.tracing.trace import trace_program


def run_traced(fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """`fn` through its graph, verified and run by the reference of each op."""
    program = trace_program(fn, args, kwargs)
    program.graph.verify()
    arrays = [narrow(np.asarray(leaf)) for leaf in tree.leaves((args, kwargs))]
    return tree.unflatten(program.out_tree, evaluate(program.graph, arrays))


def assert_same(fn: Callable[..., Any], *args: Any, rtol: float = 2e-6, atol: float = 1e-6) -> None:
    """Traced and eager results are equal: structure, shapes, element types (narrowed) and values."""
    with np.errstate(all="ignore"):
        eager = fn(*args)
    got, want = tree.leaves(run_traced(fn, *args)), tree.leaves(eager)
    assert len(got) == len(want)
    for mine, theirs in zip(got, want, strict=True):
        theirs = np.asarray(theirs)
        assert mine.shape == theirs.shape
        assert mine.dtype == dtype_of(theirs.dtype).numpy
        np.testing.assert_allclose(np.asarray(mine, theirs.dtype), theirs, rtol=rtol, atol=atol)
