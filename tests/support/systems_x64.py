"""Run in a process of its own, with float64 on: prints the relative errors of gradients as JSON."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

import graphc
from graphc import random, tree
from graphc.models import MODELS, batchnorm_mlp
from tests.support.systems import CASES, Case

Array = Any


def dot(a: Any, b: Any) -> float:
    return float(sum(np.sum(p * q) for p, q in zip(tree.leaves(a), tree.leaves(b), strict=True)))


def largest_gap(got: Any, want: Any) -> float:
    """The largest difference, for each array as a part of its largest entry."""
    gaps = [
        float(np.max(np.abs(np.asarray(g) - w)) / max(np.max(np.abs(w)), 1e-300))
        for g, w in zip(tree.leaves(got), tree.leaves(want), strict=True)
        if np.any(w)
    ]
    return max(gaps)


def finite_differences(case: Case) -> float:
    """The largest relative error over three random directions."""
    model, params, batch = MODELS[case.model], case.params(np.float64), case.batch()
    config = case.config

    def loss(params: Any, x: Array, y: Array) -> Array:
        return model.loss(params, x, y, config)

    value = graphc.compile(loss, device="numpy")
    _, grads = graphc.compile(graphc.value_and_grad(loss), device="numpy")(params, *batch)
    grads = tree.map(np.asarray, grads)
    generator, errors, h = np.random.default_rng(0), [], 1e-6
    for _ in range(3):
        way = tree.map(lambda p: generator.normal(size=p.shape), params)
        ahead, behind = (
            float(value(tree.map(lambda p, w, s=sign: p + s * h * w, params, way), *batch)) for sign in (1, -1)
        )
        want = dot(grads, way)
        errors.append(abs((ahead - behind) / (2 * h) - want) / max(abs(want), 1e-3))
    return max(errors)


def by_oracle(case: Case) -> float:
    model, params, batch = MODELS[case.model], case.params(np.float64), case.batch()
    config = case.config
    found = graphc.compile(graphc.value_and_grad(lambda p, x, y: model.loss(p, x, y, config)), device="numpy")(
        params, *batch
    )
    assert case.oracle is not None
    return largest_gap(found, case.oracle(params, *batch))


def by_hand(depth: int, **settings: Any) -> float:
    """The generated gradient against the one that batchnorm_mlp writes out."""
    config = batchnorm_mlp.Config(hidden=100, depth=depth, **settings)
    generator = np.random.default_rng(1)
    params = tree.map(
        lambda p: p.astype(np.float64) + 0.1 * (p.ndim == 1) * generator.normal(size=p.shape),
        batchnorm_mlp.init(random.key(2), config),
    )
    x, y = generator.integers(0, 27, (32, 3)).astype(np.int32), generator.integers(0, 27, 32).astype(np.int32)
    generated, written = (
        graphc.compile(graphc.value_and_grad(lambda p, x, y, f=f: f(p, x, y, config)), device="numpy")(params, x, y)
        for f in (batchnorm_mlp.loss, batchnorm_mlp.loss_by_hand)
    )
    return largest_gap(generated, tree.map(np.asarray, written))


def main() -> None:
    graphc.enable_x64()
    result = {
        "differences": {name: finite_differences(case) for name, case in CASES.items()},
        "oracle": {name: by_oracle(case) for name, case in CASES.items() if case.oracle is not None},
        "by hand": {
            "1": by_hand(1),
            "5": by_hand(5),
            "5 and the output": by_hand(5, normalise_output=True),
            "71": by_hand(71),
        },
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
