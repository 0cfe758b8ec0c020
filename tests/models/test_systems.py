"""The gradients and losses of the five systems: against finite differences, by hand, and in float64."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import optim, random, tree
from graphc.models import MODELS, batchnorm_mlp, bigram, microgpt
from graphc.models.train import training_step
from tests.support import model_oracles
from tests.support.oracle import karpathy_setup, loss_and_gradients, ours, theirs
from tests.support.systems import CASES, Case
from tests.support.systems_x64 import largest_gap

Array = Any
WITH_ORACLE = [name for name, case in CASES.items() if case.oracle is not None]


@functools.cache
def in_float64() -> dict[str, dict[str, float]]:
    """Relative errors measured in a process of its own: float64 is for a whole process."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.systems_x64"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, dict[str, float]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("name", sorted(CASES))
def test_gradients_are_finite_differences_in_float64(name: str) -> None:
    assert in_float64()["differences"][name] < 1e-7


@pytest.mark.parametrize("name", WITH_ORACLE)
def test_gradients_are_those_of_an_independent_implementation_in_float64(name: str) -> None:
    assert in_float64()["oracle"][name] < 1e-12


@pytest.mark.parametrize(("depth", "allowed"), [("1", 1e-11), ("5", 1e-11), ("5 and the output", 1e-11), ("71", 1e-9)])
def test_the_backward_by_hand_is_the_generated_one_in_float64(depth: str, allowed: float) -> None:
    assert in_float64()["by hand"][depth] < allowed


def compiled(case: Case, device: str | None = None) -> Any:
    model, config = MODELS[case.model], case.config
    loss = graphc.value_and_grad(lambda params, x, y: model.loss(params, x, y, config))
    return graphc.compile(loss, device=device)


def allowed(run: Any, oracle: Any, params: Any) -> float:
    """What float32 may miss of the gradients: twice what NumPy misses on this machine, at worst of some runs, or 1e-6.

    How sums are split differs from one processor to the next, and one run may be right by luck: so the parameters are
    moved by a rounding error, at random, for each. run: params -> (loss, gradients) in float32; oracle: in float64.
    """
    generator = np.random.default_rng(11)
    gaps = [1e-6]
    for _ in range(4):
        moved = tree.map(lambda p: (p * (1 + 1e-7 * generator.normal(size=np.shape(p)))).astype(np.float32), params)
        gaps.append(2 * largest_gap(run(moved)[1], oracle(double(moved))[1]))
    return max(gaps)


def double(params: Any) -> Any:
    return tree.map(lambda p: np.asarray(p).astype(np.float64), params)


@pytest.mark.parametrize("name", WITH_ORACLE)
def test_loss_and_gradients_in_float32_are_those_in_float64(name: str) -> None:
    case = CASES[name]
    params, batch = case.params(), case.batch()
    assert case.oracle is not None
    oracle = functools.partial(lambda oracle, params: oracle(params, *batch), case.oracle)
    loss, grads = compiled(case)(params, *batch)
    want_loss, want = oracle(double(params))
    assert abs(float(loss) - want_loss) <= 3e-6 * want_loss
    assert tree.map(np.shape, want) == tree.map(lambda g: g.shape, grads)
    reference = compiled(case, "numpy")
    bound = allowed(lambda params: reference(params, *batch), oracle, params)
    assert bound < 2e-5
    assert largest_gap(grads, want) <= bound


@pytest.mark.parametrize("name", [name for name in WITH_ORACLE if name != "mlp-wide"])
def test_the_losses_of_200_steps_are_those_in_float64(name: str) -> None:
    case = CASES[name]
    assert case.oracle is not None
    rate = {"bigram": 10.0, "gpt": 0.03}.get(case.model, 0.1)
    optimizer = optim.sgd(rate)
    params = MODELS[case.model].init(random.key(5), case.config)
    exact, state = double(params), optimizer.init(params)
    step = graphc.compile(training_step(MODELS[case.model], case.config, optimizer), donate=("params", "state"))
    losses, want = [], []
    for number in range(200):
        x, y = case.batch(number)
        params, state, loss = step(params, state, x, y)
        losses.append(loss)
        value, grads = case.oracle(exact, x, y)
        exact = tree.map(lambda p, g: p - rate * g, exact, grads)
        want.append(value)
    np.testing.assert_allclose([float(loss) for loss in losses], want, rtol=0, atol=1e-5)
    assert np.mean(want[-20:]) < np.mean(want[:20]) - 1e-3


def test_71_layers_in_float32() -> None:
    config = batchnorm_mlp.Config(hidden=100, depth=71)
    case = Case("batchnorm_mlp", config, model_oracles.batchnorm_mlp, (32, 3), (32,))
    params, batch = batchnorm_mlp.init(random.key(0), config), case.batch()
    loss, grads = compiled(case)(params, *batch)
    want_loss, want = model_oracles.batchnorm_mlp(double(params), *batch)
    assert abs(float(loss) - want_loss) <= 1e-3 * want_loss
    assert largest_gap(grads, want) <= 1e-2


@pytest.mark.parametrize("name", ["batchnorm-1", "batchnorm-5"])
def test_the_backward_by_hand_is_the_generated_one_in_float32(name: str) -> None:
    case = CASES[name]
    params, batch = case.params(), case.batch()
    by_hand = graphc.value_and_grad(lambda params, x, y: batchnorm_mlp.loss_by_hand(params, x, y, case.config))
    assert (
        largest_gap(compiled(case)(params, *batch), tree.map(np.asarray, graphc.compile(by_hand)(params, *batch)))
        < 1e-4
    )


@pytest.mark.parametrize("gather", [True, False])
def test_the_gradient_over_all_pairs_of_the_names(gather: bool) -> None:
    config = bigram.Config(gather=gather)
    generator = np.random.default_rng(0)
    x = (27 * generator.random((228_146, 1)) ** 2).astype(np.int32)
    y = (27 * generator.random(228_146) ** 1.5).astype(np.int32)
    params = bigram.init(random.key(0), config)
    step = graphc.compile(graphc.value_and_grad(lambda params, x, y: bigram.loss(params, x, y, config)))
    assert largest_gap(step(params, x, y), model_oracles.bigram(double(params), x, y)) <= 3e-6


def test_microgpt_in_float32_is_the_independent_implementation() -> None:
    _, weights = karpathy_setup(names=["abcdefghijklmnopqrstuvwxyz"])
    tokens = [26, *np.random.default_rng(1).integers(0, 26, 12).tolist(), 26]
    weights = {name: w.astype(np.float32).astype(np.float64) for name, w in weights.items()}
    want_loss, want = loss_and_gradients(weights, tokens)
    x, y = np.full((1, 16), 26, np.int32), np.full((1, 16), -1, np.int32)
    x[0, :13], y[0, :13] = tokens[:-1], tokens[1:]
    config = microgpt.Config()
    step = graphc.value_and_grad(lambda params, x, y: microgpt.loss(params, x, y, config))
    loss, grads = graphc.compile(step)(ours(weights), x, y)
    assert abs(float(loss) - want_loss) <= 3e-6 * want_loss

    reference = graphc.compile(step, device="numpy")

    def oracle(params: Any) -> Any:
        loss, gradients = loss_and_gradients(theirs(params), tokens)
        return loss, ours(gradients, np.float64)

    bound = allowed(lambda params: reference(params, x, y), oracle, ours(weights))
    assert bound < 2e-5
    assert largest_gap(grads, ours(want, np.float64)) <= bound
