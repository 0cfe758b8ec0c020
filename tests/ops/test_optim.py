"""Optimizers against their formulas, written out once more in float64; schedules point by point."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from graphc import optim, tree
from graphc.errors import ArgumentError, DTypeError
from graphc.ir.graph import evaluate
from graphc.tracing.trace import trace
from tests.support.updates import GRADS, PARAMS, expect, run

Array = Any


def test_sgd() -> None:
    expect(optim.sgd(0.1), lambda p, g: p - 0.1 * sum(g))


@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum(nesterov: bool) -> None:
    def rule(p: Array, gradients: list[Array]) -> Array:
        v = 0.0
        for g in gradients:
            v = 0.8 * v + g
            p = p - 0.1 * (g + 0.8 * v if nesterov else v)
        return p

    expect(optim.momentum(0.1, 0.8, nesterov), rule)


def adam_rule(rate: Callable[[int], float], decay: float, p: Array, gradients: list[Array]) -> Array:
    m = v = 0.0
    for t, g in enumerate(gradients):
        m, v = 0.9 * m + 0.1 * g, 0.99 * v + 0.01 * g * g
        p = p * (1 - rate(t) * decay)
        p = p - rate(t) * (m / (1 - 0.9 ** (t + 1))) / (np.sqrt(v / (1 - 0.99 ** (t + 1))) + 1e-8)
    return p


def test_adam() -> None:
    expect(optim.adam(0.01, 0.9, 0.99), lambda p, g: adam_rule(lambda t: 0.01, 0.0, p, g), rtol=1e-10)


def test_adamw_with_a_schedule() -> None:
    rate = optim.linear(0.1, 0.0, 10)
    expect(
        optim.adamw(rate, 0.9, 0.99, weight_decay=0.5),
        lambda p, g: adam_rule(lambda t: 0.1 * (1 - t / 10), 0.5, p, g),
        rtol=1e-10,
    )


def test_adamw_shrinks_what_its_mask_says() -> None:
    optimizer = optim.adamw(0.1, 0.9, 0.99, weight_decay=0.5, mask=lambda p: tree.map(lambda a: a.ndim > 1, p))
    expect(optimizer, lambda p, g: adam_rule(lambda t: 0.1, 0.5 if p.ndim > 1 else 0.0, p, g), rtol=1e-10)


def test_adam_without_its_first_moment() -> None:
    params, _ = run(optim.adam(0.1, beta1=0.0), grads=GRADS[:1])
    want = PARAMS["w"] - 0.1 * np.sign(GRADS[0]["w"])
    np.testing.assert_allclose(params["w"], want, rtol=1e-6)


def test_the_first_adam_step_is_exact_in_float32() -> None:
    # The bias of beta2 = 0.999 after one step is 0.001; 1 - 0.999 in float32 is wrong in the fifth digit.
    params, _ = run(optim.adam(1.0), {"w": np.zeros(1, np.float32)}, [{"w": np.ones(1, np.float32)}])
    assert abs(float(params["w"][0]) + 1) < 2e-7


def test_clipping() -> None:
    norm = math.sqrt(sum(float((g * g).sum()) for g in tree.leaves(GRADS[0])))
    assert math.isclose(float(optim.global_norm(GRADS[0])), norm)
    for limit in (norm / 3, norm * 3):
        clip = optim.clip_by_global_norm(limit)
        clipped, _ = clip.update(GRADS[0], clip.init(PARAMS), PARAMS)
        np.testing.assert_allclose(clipped["w"], GRADS[0]["w"] * min(1, limit / norm), rtol=1e-12)
    zeros = tree.map(np.zeros_like, GRADS[0])
    assert clip.update(zeros, {}, PARAMS)[0]["w"].sum() == 0
    assert float(optim.global_norm({})) == 0


def test_chain() -> None:
    def rule(p: Array, gradients: list[Array]) -> Array:
        for g, whole in zip(gradients, GRADS, strict=True):
            norm = math.sqrt(sum(float((x * x).sum()) for x in tree.leaves(whole)))
            p = p - 0.1 * g * min(1, 0.5 / norm)
        return p

    expect(optim.chain(optim.clip_by_global_norm(0.5), optim.sgd(0.1)), rule)


def test_chain_needs_one_optimizer_at_its_end() -> None:
    for parts in [(), (optim.clip_by_global_norm(1.0),), (optim.sgd(0.1), optim.sgd(0.1))]:
        with pytest.raises(ValueError, match="last part must be an optimizer"):
            optim.chain(*parts)


@pytest.mark.parametrize(
    ("schedule", "points"),
    [
        (optim.constant(0.3), {0: 0.3, 99: 0.3}),
        (optim.linear(1.0, 0.2, 4), {0: 1.0, 1: 0.8, 4: 0.2, 9: 0.2}),
        (optim.step(1.0, 3, 0.5), {0: 1.0, 2: 1.0, 3: 0.5, 8: 0.25}),
        (optim.cosine(1.0, 4, 0.2), {0: 1.0, 1: 0.2 + 0.4 * (1 + math.sqrt(0.5)), 2: 0.6, 4: 0.2, 9: 0.2}),
        (optim.warmup(0.6, 3), {0: 0.0, 1: 0.2, 3: 0.6, 50: 0.6}),
        (optim.warmup(optim.linear(0.6, 0.0, 3), 3), {0: 0.0, 2: 0.4, 3: 0.6, 4: 0.4, 6: 0.0}),
        (optim.warmup(0.6, 0), {0: 0.6, 1: 0.6}),
        (optim.polynomial(1.0, 4, 2.0, 0.2), {0: 1.0, 1: 0.2 + 0.8 * 0.75**2, 4: 0.2, 9: 0.2}),
        (optim.polynomial(1.0, 5), {0: 1.0, 2: 0.6, 7: 0.0}),
        (optim.one_cycle(1.0, 20, 0.2, 10, 100), {0: 0.1, 2: 0.55, 4: 1.0, 12: 0.5005, 20: 0.001, 30: 0.001}),
        (optim.one_cycle(1.0, 20, 0.2, 10, 100, "linear"), {0: 0.1, 1: 0.325, 4: 1.0, 8: 0.75025, 20: 0.001}),
        (optim.one_cycle(0.5, 10, 0, 5, 1), {0: 0.5, 5: 0.3, 10: 0.1}),
        (optim.warmup(optim.polynomial(0.6, 3), 3), {0: 0.0, 2: 0.4, 3: 0.6, 4: 0.4, 6: 0.0}),
    ],
    ids=lambda value: value.__qualname__.split(".")[0] if callable(value) else "",
)
def test_schedules(schedule: optim.Schedule, points: dict[int, float]) -> None:
    for step, value in points.items():
        assert math.isclose(float(schedule(step)), value, abs_tol=1e-12)
        assert math.isclose(float(schedule(np.array(step, np.int32))), value, abs_tol=1e-12)
        now = np.array(step, np.int32)
        (traced,) = evaluate(trace(lambda n: schedule(n) + np.float32(0), now), [now])
        assert math.isclose(float(traced), value, rel_tol=1e-6, abs_tol=1e-7)


def test_schedules_take_lists_of_steps_and_refuse_what_is_none() -> None:
    schedule = optim.cosine(0.1, 4)
    np.testing.assert_allclose(schedule([0, 4]), [0.1, 0.0], atol=1e-12)
    np.testing.assert_allclose(optim.one_cycle(1.0, 10)((0, 3)), [0.04, 1.0])
    for wrong in (-1, "3", None, [1, -2], math.nan):
        with pytest.raises(ArgumentError, match=r"cosine: the step is .*: need a number of updates, 0 or more"):
            schedule(wrong)


def test_steps_are_counted_in_the_state() -> None:
    for optimizer in (optim.sgd(0.1), optim.momentum(0.1), optim.adam(0.1), optim.adamw(0.1)):
        _, state = run(optimizer)
        assert int(state["step"]) == len(GRADS)
        assert state["step"].dtype == np.int32


def test_nodes_of_an_update_know_it() -> None:
    optimizer = optim.adam(optim.linear(0.1, 0.0, 10))

    def step(params: Any, state: Any, x: Any) -> Any:
        return optimizer.update({"w": np.tanh(x) * params["w"]}, state, params)

    params = {"w": np.ones(3, np.float32)}
    graph = trace(step, params, optimizer.init(params), np.ones(3, np.float32))
    phases = {node.source.phase for node in graph.nodes if node.source.scope == "optim.update"}
    assert phases == {"update"}
    assert [node.op.name for node in graph.nodes if node.source.phase == "forward"] == ["tanh", "mul"]


loose: Any = optim
"""The module as programs see it that are not checked."""


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: loose.sgd(-1.0), "sgd: rate is -1.0: need a number of at least 0"),
        (lambda: loose.sgd(math.nan), "sgd: rate is nan: need"),
        (lambda: loose.adam(math.inf), "adamw: rate is inf: need"),
        (lambda: loose.adam(1e-3, beta2=1.0), "adamw: beta2 is 1.0: need a number below 1"),
        (lambda: loose.adamw(1e-3, weight_decay=-0.1), "adamw: weight_decay is -0.1: need"),
        (lambda: loose.momentum(1e-3, beta=1.5), "momentum: beta is 1.5: need a number below 1"),
        (lambda: loose.clip_by_global_norm(-1.0), "clip_by_global_norm: limit is -1.0: need"),
        (lambda: loose.sgd("0.1"), "sgd: rate is '0.1': need a number or a schedule"),
        (lambda: loose.adam([0.1]), "adamw: rate is [0.1]: need a number or a schedule"),
        (lambda: loose.momentum(0.1, beta=loose.constant(0.9)), "momentum: beta is <function"),
        (lambda: loose.constant(-0.1), "constant: value is -0.1: need a number of at least 0"),
        (lambda: loose.cosine(0.1, 0), "cosine: steps is 0: need a number above 0"),
        (lambda: loose.cosine(0.1, -5), "cosine: steps is -5: need a number of at least 0"),
        (lambda: loose.cosine(loose.constant(1.0), 5), "cosine: value is a function: need a number"),
        (lambda: loose.linear(0.1, math.nan, 5), "linear: end is nan: need"),
        (lambda: loose.linear(0.1, 0.0, -1), "linear: steps is -1: need"),
        (lambda: loose.step(0.1, [30, 60]), "step: every is [30, 60]: need a number"),
        (lambda: loose.step(0.1, 0), "step: every is 0: need a number above 0"),
        (lambda: loose.warmup(0.1, -1), "warmup: steps is -1: need a number of at least 0"),
        (lambda: loose.polynomial(0.1, 10, power=-1), "polynomial: power is -1: need a number of at least 0"),
        (lambda: loose.polynomial(0.1, 10, power=0), "polynomial: power is 0: need a number above 0"),
        (lambda: loose.one_cycle(0.1, 10, pct_start=1.0), "one_cycle: pct_start is 1.0: need a number of at least 0"),
        (lambda: loose.one_cycle(0.1, 10, div_factor=0), "one_cycle: div_factor is 0: need a number above 0"),
        (lambda: loose.one_cycle(0.1, 10, anneal="cos"), "one_cycle: anneal is 'cos': need 'cosine' or 'linear'"),
        (lambda: loose.lion(0.1, beta2=1), "lion: beta2 is 1: need a number below 1"),
        (lambda: loose.lars(0.1, trust=-1), "lars: trust is -1: need a number of at least 0"),
        (lambda: loose.adafactor(0.1, beta2_decay=0.8), "adafactor: beta2_decay is 0.8: need a number of at most 0"),
        (lambda: loose.adafactor(0.1, d=0.5), "adafactor: d is 0.5: need a number of at least 1"),
        (lambda: loose.adafactor(0.1, eps=1e-3), "adafactor: eps is 0.001: need a pair"),
        (lambda: loose.adafactor(0.1, eps=(-1, 0)), "adafactor: eps[0] is -1: need a number of at least 0"),
        (lambda: loose.muon(0.1, momentum=1.0), "muon: momentum is 1.0: need a number of at least 0 and below 1"),
        (lambda: loose.muon(0.1, steps=0), "muon: steps is 0: need an integer of at least 1"),
        (lambda: loose.muon(0.1, adjust="rms"), "muon: adjust is 'rms': need 'original' or 'match_rms_adamw'"),
        (lambda: loose.muon(0.1, coefficients=(1, 2)), "muon: coefficients are (1, 2): need three numbers"),
        (lambda: loose.ema(loose.sgd(0.1), decay=1.0), "ema: decay is 1.0: need a number below 1"),
        (lambda: loose.ema(0.99), "ema: 0.99 is no optimizer"),
        (lambda: loose.lookahead(loose.sgd(0.1), rate=0), "lookahead: rate is 0: need a number above 0 and at most 1"),
        (lambda: loose.lookahead(loose.sgd(0.1), every=1.5), "lookahead: every is 1.5: need an integer of at least 1"),
        (lambda: loose.accumulate(loose.sgd(0.1), 0), "accumulate: every is 0: need an integer of at least 1"),
        (lambda: loose.accumulated(np.sum, True), "accumulated: parts is True: need an integer"),
    ],
)
def test_settings_that_make_no_sense_are_refused(make: Callable[[], Any], said: str) -> None:
    with pytest.raises(ArgumentError, match=re.escape(said)):
        make()


@pytest.mark.parametrize("optimizer", [optim.sgd(0.1), optim.momentum(0.1), optim.adam(0.1)])
def test_arguments_in_another_order_are_told(optimizer: optim.Optimizer) -> None:
    state = optimizer.init(PARAMS)
    with pytest.raises(
        ArgumentError, match=r"a dict of w, layers, need one of step.*: call update\(grads, state, params\)"
    ):
        optimizer.update(GRADS[0], PARAMS, state)
    with pytest.raises(ArgumentError, match="the state is list"):
        optimizer.update(GRADS[0], [], PARAMS)


def test_parameters_are_floats() -> None:
    with pytest.raises(DTypeError, match=r"a parameter is int64\[3\]"):
        optim.adam(0.1).init({"n": np.arange(3)})
    assert optim.clip_by_global_norm(math.inf).update({"g": np.ones(2)}, {}, {})[0]["g"].tolist() == [1.0, 1.0]
