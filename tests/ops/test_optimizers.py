"""Optimizers that look at whole arrays, and those around others: against formulas in float64."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import optim, tree
from graphc.errors import ArgumentError, DTypeError, ShapeError
from tests.support.updates import GRADS, PARAMS, expect, run, run_traced

Array = Any


@pytest.mark.parametrize("decay", [0.0, 0.5])
def test_lion(decay: float) -> None:
    def rule(p: Array, gradients: list[Array]) -> Array:
        m = np.zeros_like(p)
        for g in gradients:
            p = p * (1 - 0.01 * decay) - 0.01 * np.sign(0.9 * m + 0.1 * g)
            m = 0.95 * m + 0.05 * g
        return p

    expect(optim.lion(0.01, 0.9, 0.95, weight_decay=decay), rule)


@pytest.mark.parametrize("nesterov", [False, True])
def test_lars(nesterov: bool) -> None:
    def rule(p: Array, gradients: list[Array]) -> Array:
        v = np.zeros_like(p)
        for g in gradients:
            d = g + 0.1 * p if p.ndim > 1 else g
            ratio = 0.2 * math.sqrt((p * p).sum()) / math.sqrt((d * d).sum()) if p.ndim > 1 else 1.0
            v = 0.8 * v + 0.1 * ratio * d
            p = p - (0.1 * ratio * d + 0.8 * v if nesterov else v)
        return p

    matrices = lambda params: tree.map(lambda p: p.ndim > 1, params)  # noqa: E731  # a mask, as a user writes it
    optimizer = optim.lars(0.1, 0.8, weight_decay=0.1, trust=0.2, nesterov=nesterov, mask=matrices)
    expect(optimizer, rule, rtol=1e-10)
    zero = {"w": np.zeros((2, 2))}
    params, _ = run(optim.lars(0.1), zero, [tree.map(np.ones_like, zero)])
    np.testing.assert_allclose(params["w"], -0.1)


@pytest.mark.parametrize(("decay", "clip"), [(0.0, 1.0), (0.3, 2.5)])
def test_adafactor(decay: float, clip: float) -> None:
    def rule(p: Array, gradients: list[Array]) -> Array:
        rows = columns = whole = 0.0
        for t, g in enumerate(gradients, 1):
            share = t**-0.8
            if p.ndim > 1:
                rows = (1 - share) * rows + share * (g * g).mean(1)
                columns = (1 - share) * columns + share * (g * g).mean(0)
                moment = np.outer(rows, columns) / np.mean(rows)
            else:
                moment = whole = (1 - share) * whole + share * g * g
            u = g / np.sqrt(moment)
            u = u / max(1, math.sqrt((u * u).mean()) / clip)
            size = max(1e-3, math.sqrt((p * p).mean()))
            p = p * (1 - 0.5 * decay) - size * min(0.5, t**-0.5) * u
        return p

    expect(optim.adafactor(0.5, d=clip, weight_decay=decay), rule, rtol=1e-10)
    state = optim.adafactor().init({"w": np.zeros((3, 5, 7)), "b": np.zeros(2)})
    shapes = tree.map(np.shape, state["moments"]["w"]), state["moments"]["b"]["v"].shape
    assert shapes == ({"row": (3, 5), "column": (3, 7)}, (2,))


def polar(x: Array, steps: int) -> Array:
    """By singular values: x = u s v, s moves along the polynomial."""
    u, s, v = np.linalg.svd(x, full_matrices=False)
    s = s / math.sqrt((s * s).sum())
    for _ in range(steps):
        s = 3.4445 * s - 4.775 * s**3 + 2.0315 * s**5
    return u * s @ v


@pytest.mark.parametrize("nesterov", [False, True])
def test_muon(nesterov: bool) -> None:
    def rule(p: Array, gradients: list[Array]) -> Array:
        m = v = 0.0
        for t, g in enumerate(gradients, 1):
            p = p * (1 - 0.1 * 0.2)
            if p.ndim == 2:
                v = 0.9 * v + (1 - 0.9) * g
                p = p - 0.1 * math.sqrt(max(1, 3 / 4)) * polar(0.1 * g + 0.9 * v if nesterov else v, 5)
            else:
                m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
                p = p - 0.1 * m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        return p

    expect(optim.muon(0.1, 0.9, nesterov, weight_decay=0.2), rule, rtol=1e-8)


def test_muon_of_several_shapes() -> None:
    rng = np.random.default_rng(3)
    shapes = {"tall": (5, 2), "wide": (2, 5), "square": (3, 3), "stack": (2, 4, 3), "head": (2, 5), "bias": (3,)}
    params = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    grads = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    mine = {name: name not in ("head", "bias") for name in shapes}
    optimizer = optim.muon(
        1.0,
        nesterov=False,
        weight_decay=0,
        adjust="match_rms_adamw",
        matrices=lambda params: mine,
        other=optim.sgd(0.5),
    )
    state = optimizer.init(params)
    assert state["velocity"]["head"] is None
    made, state = optimizer.update(grads, state, params)
    for name, shape in shapes.items():
        if not mine[name]:
            np.testing.assert_allclose(made[name], params[name] - 0.5 * grads[name])
            continue
        factor = 0.2 * math.sqrt(max(shape[-2:]))
        each = np.stack([polar(g, 5) for g in grads[name].reshape(-1, *shape[-2:])]).reshape(shape)
        np.testing.assert_allclose(made[name], params[name] - factor * each, rtol=1e-8, atol=1e-10)
    assert int(optim.steps_done(state)) == 1
    with pytest.raises(ArgumentError, match="True for arrays of two axes or more"):
        optim.muon(matrices=lambda params: tree.map(lambda p: True, params)).init(params)


def test_matrices_of_one_shape_are_one_stack() -> None:
    params = {str(i): np.ones((6, 4) if i % 2 else (4, 6), np.float32) for i in range(6)}
    optimizer = optim.muon(steps=2)
    plan = graphc.compile(optimizer.update, device="numpy").lower(params, optimizer.init(params), params).plan
    products = [d for d in plan.dispatches if plan.kernels[d.kernel].family == "matmul"]
    assert len(products) == 6, "three a step, for all matrices at once"


@pytest.mark.parametrize("warmup", [False, True])
def test_average_of_weights(warmup: bool) -> None:
    optimizer = optim.chain(optim.clip_by_global_norm(1e3), optim.ema(optim.sgd(0.1), 0.6, warmup))
    first: Array = PARAMS["w"]
    want = p = first
    for t, g in enumerate(GRADS, 1):
        p = p - 0.1 * g["w"]
        keep = min(0.6, (1 + t) / (10 + t)) if warmup else 0.6
        want = keep * want + (1 - keep) * p
    params, state = run(optimizer)
    np.testing.assert_allclose(params["w"], p)
    np.testing.assert_allclose(optim.average(state)["w"], want, rtol=1e-12)
    assert int(optim.steps_done(state)) == len(GRADS)
    around = optim.accumulate(optim.lookahead(optim.ema(optim.sgd(0.1), 0.6)), 2)
    assert optim.average(run(around)[1])["w"].shape == (3, 4)
    with pytest.raises(ArgumentError, match=r"keeps no average: wrap it in optim\.ema"):
        optim.average(optim.adam(0.1).init(PARAMS))


def test_average_of_half_precision_is_single() -> None:
    params = {"w": np.ones(3, np.float16)}
    optimizer = optim.ema(optim.sgd(1e-3), 0.999)
    made, state = optimizer.update(tree.map(np.ones_like, params), optimizer.init(params), params)
    assert made["w"].dtype == np.float16
    assert optim.average(state)["w"].dtype == np.float32
    assert 0 < 1 - optim.average(state)["w"][0] < 2e-6


def test_lookahead() -> None:
    def rule(p: Array, gradients: list[Array]) -> Array:
        slow = p
        for t, g in enumerate(gradients, 1):
            p = p - 0.1 * g
            if t % 2 == 0:
                p = slow = slow + 0.4 * (p - slow)
        return p

    expect(optim.lookahead(optim.sgd(0.1), every=2, rate=0.4), rule)


def test_accumulation_is_the_step_of_the_mean() -> None:
    def rule(p: Array, gradients: list[Array]) -> Array:
        v = 0.0
        for g in (sum(gradients[:2]) / 2, sum(gradients[2:4]) / 2):  # the fifth waits
            v = 0.9 * v + g
            p = p - 0.1 * v
        return p

    optimizer = optim.accumulate(optim.momentum(0.1), 2)
    expect(optimizer, rule)
    _, state = run(optimizer)
    assert (int(state["step"]), int(state["inner"]["step"])) == (5, 2)
    np.testing.assert_allclose(state["mean"]["w"], GRADS[4]["w"] / 2)


def loss(params: Any, x: Any, y: Any) -> Any:
    return np.mean((np.tanh(x @ params["w"]) + params["b"] - y) ** 2)


@pytest.mark.parametrize("device", ["numpy", pytest.param("wgpu", marks=pytest.mark.slow)])
def test_a_loop_over_parts_of_the_batch_is_the_whole(device: str) -> None:
    rng = np.random.default_rng(1)
    params = {"w": rng.normal(size=(3, 2)).astype(np.float32), "b": np.zeros(2, np.float32)}
    x, y = rng.normal(size=(6, 3)).astype(np.float32), rng.normal(size=(6, 2)).astype(np.float32)
    both = graphc.value_and_grad(loss)
    parts = optim.accumulated(both, 3)
    got = graphc.compile(parts, device=device)(params, x, y)
    for a, b in zip(tree.leaves(got), tree.leaves(both(params, x, y)), strict=True):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(optim.accumulated(loss, 2)(params, x, y), loss(params, x, y), rtol=1e-5)
    if device == "numpy":
        with pytest.raises(ShapeError, match=r"shape \(6, 3\): its first axis is to be cut in 4"):
            graphc.compile(optim.accumulated(both, 4), device=device)(params, x, y)
        with pytest.raises(ArgumentError, match="no float, which has no mean"):
            graphc.compile(optim.accumulated(lambda p, x: x > 0, 2), device=device)(params, x)


ALL = {
    "lion": optim.lion(0.01),
    "adafactor": optim.adafactor(0.1),
    "average": optim.ema(optim.accumulate(optim.lookahead(optim.sgd(0.1), 2), 2), warmup=True),
    "lars": optim.lars(optim.one_cycle(0.1, 10), weight_decay=0.1),
    "muon": optim.muon(optim.polynomial(0.1, 10, 2.0), steps=2),
}


@pytest.mark.parametrize(
    "names", [["lion", "adafactor", "average"], pytest.param(["lars", "muon"], marks=pytest.mark.slow)]
)
def test_optimizers_on_a_device_whose_states_are_donated(names: list[str]) -> None:
    params = tree.map(lambda a: a.astype(np.float32), PARAMS)
    grads = [tree.map(lambda a: a.astype(np.float32), g) for g in GRADS[:2]]

    def update(grads: Any, states: Any, params: Any) -> Any:
        made = {name: ALL[name].update(grads, states[name], params[name]) for name in names}
        return {n: p for n, (p, _) in made.items()}, {n: s for n, (_, s) in made.items()}

    compiled = graphc.compile(update, device="wgpu", donate=(1, 2))
    now = dict.fromkeys(names, params), {name: ALL[name].init(params) for name in names}
    for g in grads:
        now = compiled(g, now[1], now[0])
    for name in names:
        want = run_traced(ALL[name], params, grads)
        for a, b in zip(tree.leaves(now[0][name]), tree.leaves(want), strict=True):
            np.testing.assert_allclose(np.asarray(a), b, rtol=1e-5, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("name", ALL)
def test_states_are_told_from_others_and_parameters_are_floats(name: str) -> None:
    with pytest.raises(ArgumentError, match="call update"):
        ALL[name].update(GRADS[0], optim.adam(0.1).init(PARAMS), PARAMS)
    with pytest.raises(DTypeError, match="a parameter is int64"):
        ALL[name].init({"n": np.arange(3), "m": np.ones((2, 2), np.int64)})
