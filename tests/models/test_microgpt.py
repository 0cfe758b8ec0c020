"""microGPT: its shapes, its loss and gradients against float64 worked out by hand, and sampling with the cache."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc
from graphc import random, tree
from graphc.autodiff.reverse import differentiate
from graphc.cli.subject import program
from graphc.errors import DataError
from graphc.ir.graph import evaluate
from graphc.models import MODELS, data, microgpt
from graphc.models.sampling import draw
from graphc.tracing.trace import trace
from tests.support.oracle import karpathy_setup, loss_and_gradients, ours

Array = Any
CONFIG = microgpt.Config()
CORPUS = data.Corpus("test", "emma\nolivia\navaaaaaaaaaaaaaaaaaaaaaaaa\nx")


def double(params: Any) -> Any:
    return tree.map(lambda a: a.astype(np.float64), params)


def test_the_default_has_4192_parameters() -> None:
    params = microgpt.init(random.key(0), CONFIG)
    assert sum(p.size for p in tree.leaves(params)) == 4192
    flat = np.concatenate([p.ravel() for p in tree.leaves(params)])
    assert abs(flat.std() - 0.08) < 0.003
    assert len(np.unique(flat)) > 4000


def test_shapes_are_those_that_the_documentation_names() -> None:
    config = microgpt.Config(vocab_size=11, context=5, width=8, heads=2, layers=3)
    params = microgpt.init(random.key(0), config)
    assert tree.map(lambda p: p.shape, params) == microgpt.shapes(config)
    assert len(params["layers"]) == 3
    logits = microgpt.apply(params, np.zeros((2, 4), np.int32), config)
    assert logits.shape == (2, 4, 11)
    assert logits.dtype == np.float32


def test_a_config_of_sizes_that_do_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="multiple of heads"):
        microgpt.Config(width=10, heads=4)
    with pytest.raises(ValueError, match="context is 0"):
        microgpt.Config(context=0)


def test_loss_and_gradients_are_those_worked_out_by_hand() -> None:
    _, weights = karpathy_setup(names=["emma", "olivia"])
    end = weights["wte"].shape[0] - 1
    tokens = [end, *np.random.default_rng(0).integers(0, end, 9).tolist(), end]
    config = microgpt.Config(vocab_size=end + 1)
    want, gradients = loss_and_gradients(weights, tokens)
    x, y = np.full((1, 16), end, np.int32), np.full((1, 16), -1, np.int32)
    x[0, :10], y[0, :10] = tokens[:-1], tokens[1:]
    params = ours(weights)
    assert abs(float(microgpt.loss(ours(weights, np.float64), x, y, config)) - want) < 1e-12
    graph = trace(lambda p: microgpt.loss(p, x, y, config), params)
    found = evaluate(differentiate(graph, range(len(graph.inputs))), tree.leaves(params))
    assert abs(float(found[0]) - want) < 1e-6
    for got, expected in zip(found[1:], tree.leaves(ours(gradients)), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-7)


def test_the_loss_of_a_batch_is_the_mean_over_all_positions() -> None:
    config, _ = microgpt.configure(CORPUS)
    params = double(microgpt.init(random.key(0), config))
    x, y = microgpt.batches(CORPUS, config, 4, 0)(0)
    counts = (y >= 0).sum(axis=1)
    assert sorted(counts.tolist()) == [2, 5, 7, 16]
    single = [float(microgpt.loss(params, x[i : i + 1], y[i : i + 1], config)) for i in range(4)]
    np.testing.assert_allclose(microgpt.loss(params, x, y, config), np.average(single, weights=counts), rtol=1e-12)


def test_what_stands_in_the_padding_does_not_matter() -> None:
    config, _ = microgpt.configure(CORPUS)
    params = microgpt.init(random.key(0), config)
    x, y = microgpt.batches(CORPUS, config, 4, 0)(0)
    other = np.where(y < 0, (x + 1) % config.vocab_size, x)
    assert (other != x).any()
    assert microgpt.loss(params, x, y, config) == microgpt.loss(params, other, y, config)


def test_the_cache_gives_the_logits_of_the_whole_text() -> None:
    config = microgpt.Config(layers=2, context=7)
    params = double(microgpt.init(random.key(1), config))
    tokens = np.random.default_rng(0).integers(0, 27, (3, 7)).astype(np.int32)
    whole = microgpt.apply(params, tokens, config)
    cache = microgpt.empty_cache(3, config)
    for position in range(7):
        logits, cache = microgpt.decode(params, tokens[:, position], np.int32(position), cache, config)
        np.testing.assert_allclose(logits, whole[:, position], rtol=1e-6, atol=1e-9)


def test_a_training_step_is_at_most_60_dispatches() -> None:
    step, arguments, donated = program("microgpt", "training", None, ())
    executable = graphc.compile(step, donate=donated).lower(*arguments)
    assert len(executable.plan.dispatches) <= 60
    unfused = graphc.compile(step, donate=donated, passes=()).lower(*arguments)
    assert len(unfused.plan.dispatches) > 200


def sample(**options: Any) -> list[list[int]]:
    params = microgpt.init(random.key(1), CONFIG)
    return microgpt.sample(params, random.key(2), CONFIG, device="numpy", **options)


def test_samples() -> None:
    samples = sample(count=12)
    assert len(samples) == 12
    assert len({tuple(s) for s in samples}) > 6
    assert all(1 <= len(s) <= 16 and 26 not in s[:-1] for s in samples)
    assert all(s[-1] == 26 or len(s) == 16 for s in samples)
    assert sample(count=12) == samples
    assert all(s[:2] == [4, 12] for s in sample(count=5, prompt=(4, 12)))


def test_every_device_draws_the_same_samples() -> None:
    params = microgpt.init(random.key(1), CONFIG)
    on_default = microgpt.sample(params, random.key(2), CONFIG, count=3)
    assert on_default == sample(count=3)


def test_temperature_zero_takes_the_likeliest_token() -> None:
    (first, *rest) = sample(count=3, temperature=0.0, prompt=(3,))
    assert rest == [first, first]
    params = microgpt.init(random.key(1), CONFIG)
    tokens = [26, *first]
    logits = microgpt.apply(params, np.array([tokens[:-1]], np.int32), CONFIG)[0]
    assert np.argmax(logits, axis=-1)[1:].tolist() == tokens[2:]
    assert sample(count=3, top_k=1, temperature=1.0, prompt=(3,)) == [first] * 3


def test_draw_follows_temperature_and_top_k() -> None:
    logits = np.broadcast_to(np.log(np.array([0.1, 0.2, 0.3, 0.4], np.float32)), (20_000, 4))

    def shares(temperature: float, top_k: int | None) -> Array:
        drawn = draw(random.key(0), logits, np.float32(temperature), top_k)
        return np.bincount(drawn, minlength=4) / len(drawn)

    np.testing.assert_allclose(shares(1.0, None), [0.1, 0.2, 0.3, 0.4], atol=0.02)
    np.testing.assert_allclose(shares(0.5, None), np.array([1, 4, 9, 16]) / 30, atol=0.02)
    np.testing.assert_allclose(shares(1.0, 2), [0, 0, 3 / 7, 4 / 7], atol=0.02)
    np.testing.assert_allclose(shares(1.0, 9), [0.1, 0.2, 0.3, 0.4], atol=0.02)


def test_bad_sampling_options_are_named() -> None:
    with pytest.raises(DataError, match="16 tokens: need fewer than the context, 16"):
        sample(prompt=(1,) * 16)
    with pytest.raises(DataError, match="temperature -1"):
        sample(temperature=-1)


def test_every_model_offers_what_the_command_line_asks_for() -> None:
    for name, model in MODELS.items():
        settings = {"context": 3, "width": 12} if name == "gpt" else {}
        config, vocabulary = model.configure(CORPUS, **settings)
        params = model.init(random.key(0), config)
        x, y = model.batches(CORPUS, config, 3, 0)(0)
        loss = float(model.loss(params, x, y, config))
        assert abs(loss - np.log(len(vocabulary))) < 0.5
        assert model.DEFAULTS.steps > 0
