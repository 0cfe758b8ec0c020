"""Optimizers against rules for one parameter: at once in float64 and float32, and traced."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc import optim, tree
from graphc.ir.graph import evaluate
from graphc.tracing.trace import trace

Array = Any
RNG = np.random.default_rng(0)
PARAMS = {"w": RNG.normal(size=(3, 4)), "layers": [{"b": RNG.normal(size=4)}, None]}
GRADS = [tree.map(lambda p: RNG.normal(size=p.shape), PARAMS) for _ in range(5)]


def run(optimizer: optim.Optimizer, params: Any = PARAMS, grads: Any = GRADS) -> tuple[Any, Any]:
    state = optimizer.init(params)
    for g in grads:
        params, state = optimizer.update(g, state, params)
    return params, state


def expect(optimizer: optim.Optimizer, rule: Callable[[Array, list[Array]], Array], rtol: float = 1e-12) -> None:
    """Every parameter is what `rule(first value, its gradients)` says; float32, eager and traced, is close to it."""
    params, state = run(optimizer)
    per_leaf = list(zip(*(tree.leaves(g) for g in GRADS), strict=True))
    want = [rule(p, list(g)) for p, g in zip(tree.leaves(PARAMS), per_leaf, strict=True)]
    for got, value in zip(tree.leaves(params), want, strict=True):
        np.testing.assert_allclose(got, value, rtol=rtol, atol=1e-14)
    single = tree.map(lambda a: a.astype(np.float32), PARAMS)
    single_grads = [tree.map(lambda a: a.astype(np.float32), g) for g in GRADS]
    eager, eager_state = run(optimizer, single, single_grads)
    assert [a.dtype for a in tree.leaves(eager_state)] == [a.dtype for a in tree.leaves(optimizer.init(single))]
    traced = run_traced(optimizer, single, single_grads)
    for a, b, value in zip(tree.leaves(eager), tree.leaves(traced), want, strict=True):
        assert a.dtype == b.dtype == np.float32
        np.testing.assert_allclose(a, value, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(b, value, rtol=1e-5, atol=1e-6)
    assert tree.structure(state) == tree.structure(optimizer.init(PARAMS))


def run_traced(optimizer: optim.Optimizer, params: Any, grads: Any) -> Any:
    state = optimizer.init(params)
    graph = trace(optimizer.update, grads[0], state, params)
    definition = tree.structure((params, state))
    for g in grads:
        params, state = tree.unflatten(definition, evaluate(graph, tree.leaves((g, state, params))))
    return params
