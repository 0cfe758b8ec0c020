"""The perceptron with batch normalisation: running statistics, evaluation, depth, and the first parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphc import optim, random, tree
from graphc.models import batchnorm_mlp, bigram, data, mlp
from graphc.models.data import Vocabulary
from graphc.models.train import training_step
from graphc.models.windows import SPLIT_SEED, evaluation, split, windows
from tests.support.systems import CASES

Array = Any
CASE = CASES["batchnorm-5"]
NAMES = tuple("".join(chr(97 + (i * j) % 26) for j in range(1, 4 + i % 5)) for i in range(1, 101))


def test_running_statistics_move_towards_those_of_the_batch() -> None:
    config = batchnorm_mlp.Config(hidden=8, features=4, momentum=0.25)
    params = batchnorm_mlp.init(random.key(0), config)
    x, y = CASE.batch()
    optimizer = optim.sgd(0.0)
    step = training_step(batchnorm_mlp, config, optimizer)
    new, _, _ = step(params, optimizer.init(params), x, y)
    z = params["embedding"][x].reshape(len(x), -1) @ params["layers"][0]["w"]
    (found,) = new["statistics"]
    np.testing.assert_allclose(found["mean"], 0.25 * z.mean(0), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found["var"], 0.75 + 0.25 * z.var(0), rtol=1e-4)
    np.testing.assert_array_equal(new["layers"][0]["w"], params["layers"][0]["w"])


def test_evaluation_with_the_statistics_of_a_batch_is_training_on_it() -> None:
    params, (x, y) = tree.map(lambda p: p.astype(np.float64), CASE.params()), CASE.batch()
    exact = batchnorm_mlp.Config(depth=5, normalise_output=True, momentum=1.0)
    trained, seen = batchnorm_mlp.training_loss(params, random.key(0), x, y, exact)
    assert batchnorm_mlp.evaluation_loss(params, x, y, exact) != trained
    evaluated = batchnorm_mlp.evaluation_loss({**params, **seen}, x, y, exact)
    np.testing.assert_allclose(evaluated, trained, rtol=1e-12)
    np.testing.assert_allclose(batchnorm_mlp.loss(params, x, y, exact), trained, rtol=1e-12)


def test_the_first_loss_is_near_that_of_no_opinion() -> None:
    x, y = CASE.batch()
    for depth, normalise_output in ((1, False), (5, False), (5, True)):
        config = batchnorm_mlp.Config(depth=depth, normalise_output=normalise_output)
        params = batchnorm_mlp.init(random.key(0), config)
        assert abs(float(batchnorm_mlp.loss(params, x, y, config)) - np.log(27)) < 0.05
        assert len(params["layers"]) == depth
        assert len(params["statistics"]) == depth + normalise_output


@pytest.mark.parametrize("hidden", [100, 200])
def test_weights_begin_with_the_gain_of_tanh(hidden: int) -> None:
    config = mlp.Config(features=10, hidden=hidden)
    params = mlp.init(random.key(0), config)
    assert abs(params["w1"].std() * 30**0.5 - 5 / 3) < 0.05
    deep = batchnorm_mlp.init(random.key(0), batchnorm_mlp.Config(hidden=hidden, depth=3))
    assert abs(deep["layers"][2]["w"].std() * hidden**0.5 - 5 / 3) < 0.05
    assert abs(deep["w_out"].std() * hidden**0.5 - 0.1) < 0.01


def test_names_are_split_in_three() -> None:
    parts = split(NAMES, SPLIT_SEED)
    assert [len(part) for part in parts.values()] == [80, 10, 10]
    assert sorted(name for part in parts.values() for name in part) == sorted(NAMES)
    assert parts["train"] != list(NAMES[:80])
    vocabulary = Vocabulary.of(NAMES)
    found = evaluation(NAMES, vocabulary, 3, SPLIT_SEED)
    np.testing.assert_array_equal(found["dev"][0][0], windows(parts["dev"], vocabulary, 3)[0])
    assert found["train"][0][0].shape == found["dev"][0][0].shape
    corpus = data.Corpus("test", "\n".join(NAMES))
    config, _ = mlp.configure(corpus)
    everything = mlp.batches(corpus, config, 0, 0)(0)
    np.testing.assert_array_equal(everything[0], windows(parts["train"], vocabulary, 3)[0])


def test_one_hot_and_gather_agree() -> None:
    params, (x, _) = CASES["bigram"].params(), CASES["bigram"].batch()
    one_hot, gather = (bigram.apply(params, x[:, 0], bigram.Config(gather=g)) for g in (False, True))
    np.testing.assert_array_equal(one_hot, gather)
    assert abs(params["w"]).max() < 1
    assert params["w"].min() < -0.9
