"""The models of names: windows of text, losses against formulas, and sampling that agrees with `apply`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import random, tree
from graphc.models import MODELS, bigram, data, mlp
from graphc.models.data import Vocabulary
from graphc.models.rundir import RunDirectory
from graphc.models.train import RunConfig, train
from graphc.models.windows import WindowBatches, windows

CORPUS = data.Corpus("test", "emma\nolivia\nava\nx")
LONGER = data.Corpus("test", "\n".join(["emma", "olivia", "ava", "isabella", "sophia", "mia", "amelia", "x"] * 3))
SMALL = {"context": 4, "width": 8, "heads": 2, "layers": 1}
WORDS = CORPUS.documents
VOCABULARY = Vocabulary.of(WORDS)


@pytest.mark.parametrize("width", [1, 3])
def test_windows_are_what_stands_before_each_character(width: int) -> None:
    want = []
    for word in WORDS:
        tokens = [VOCABULARY.end] * width + VOCABULARY.encode(word) + [VOCABULARY.end]
        want += [(tokens[i : i + width], tokens[i + width]) for i in range(len(word) + 1)]
    x, y = windows(WORDS, VOCABULARY, width)
    assert x.tolist() == [w[0] for w in want]
    assert y.tolist() == [w[1] for w in want]
    assert x.dtype == y.dtype == np.int32


def test_batches_are_examples_and_depend_on_step_and_seed_only() -> None:
    x, y = windows(WORDS, VOCABULARY, 3)
    examples = {(*a, b) for a, b in zip(x.tolist(), y.tolist(), strict=True)}
    batches = WindowBatches(WORDS, VOCABULARY, 3, 50, seed=1)
    drawn = {(*a, b) for step in range(10) for a, b in zip(*(v.tolist() for v in batches(step)), strict=True)}
    assert drawn == examples
    again = WindowBatches(WORDS, VOCABULARY, 3, 50, seed=1)(7)
    np.testing.assert_array_equal(batches(7)[0], again[0])
    assert not np.array_equal(batches(7)[1], WindowBatches(WORDS, VOCABULARY, 3, 50, seed=2)(7)[1])


def test_a_trained_bigram_knows_the_counts() -> None:
    config, vocabulary = bigram.configure(CORPUS)
    x, y = windows(WORDS, vocabulary, 1)
    run = RunConfig("bigram", None, 400, 64, "adam", 0.1, "linear", 0)
    trained = train(run, CORPUS, device="numpy")
    counts = np.zeros((len(vocabulary), len(vocabulary)))
    np.add.at(counts, (x[:, 0], y), 1)
    p = counts / counts.sum(axis=1, keepdims=True)
    best = -np.mean(np.log(p[x[:, 0], y]))
    params = tree.map(np.asarray, trained.params)
    assert best <= float(bigram.loss(params, x, y, config)) < best + 0.05
    assert trained.losses[0] > 1.9
    assert (trained.steps, trained.interrupted, len(trained.losses)) == (400, False, 400)


def test_mlp_is_its_formula() -> None:
    config = mlp.Config(vocab_size=7, window=2, features=3, hidden=5)
    p = tree.map(lambda a: a.astype(np.float64), mlp.init(random.key(0), config))
    p["b1"], p["b2"] = np.arange(5.0), np.arange(7.0)
    x, y = np.array([[0, 1], [6, 2]], np.int32), np.array([3, 0], np.int32)
    want = []
    for row, label in zip(x, y, strict=True):
        hidden = np.tanh(np.concatenate([p["embedding"][t] for t in row]) @ p["w1"] + p["b1"])
        logits = hidden @ p["w2"] + p["b2"]
        want.append(np.log(np.exp(logits).sum()) - logits[label])
    assert abs(float(mlp.loss(p, x, y, config)) - np.mean(want)) < 1e-12


def test_models_are_there_when_graphc_is() -> None:
    code = "import graphc; print(*graphc.models.MODELS); graphc.nothing"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.split() == list(MODELS)
    assert "AttributeError: module 'graphc' has no attribute 'nothing'" in done.stderr


def greedy(model: Any, config: Any, params: Any, width: int) -> list[int]:
    tokens = [config.vocab_size - 1] * width
    for _ in range(config.context):
        window = np.array([tokens[-width:]], np.int32)
        logits = model.apply(params, window if model is mlp else window[:, 0], config)
        tokens.append(int(np.argmax(logits[0])))
        if tokens[-1] == config.vocab_size - 1:
            break
    return tokens[width:]


@pytest.mark.parametrize(("model", "width"), [(bigram, 1), (mlp, 3)], ids=["bigram", "mlp"])
def test_sampling_agrees_with_apply(model: Any, width: int) -> None:
    config = model.Config(context=10)
    params = model.init(random.key(3), config)
    drawn = model.sample(params, random.key(0), config, count=2, temperature=0.0, device="numpy")
    assert drawn == [greedy(model, config, params, width)] * 2
    several = model.sample(params, random.key(0), config, count=9, prompt=(5,), device="numpy")
    assert all(tokens[0] == 5 for tokens in several)
    assert len({tuple(tokens) for tokens in several}) > 3


@pytest.mark.parametrize("name", sorted(MODELS))
def test_every_model_trains_on_the_default_device(name: str, tmp_path: Path) -> None:
    defaults = MODELS[name].DEFAULTS
    rate = 0.3 if name == "gpt" else min(defaults.rate, 1.0)
    special: dict[str, dict[str, Any]] = {"gpt": SMALL, "bigram": {"held_out": True}}
    settings = special.get(name, {})
    optimizer = "sgd" if name == "gpt" else defaults.optimizer
    run = RunConfig(name, None, 30, 8, optimizer, rate, "constant", 0, settings, evaluate_every=10)
    trained = train(run, LONGER, RunDirectory(tmp_path))
    assert np.mean(trained.losses[-5:]) < np.mean(trained.losses[:5])
    assert list(trained.evaluated) == [10, 20, 30]
    again = train(run, LONGER, device=graphc.device("numpy"))
    np.testing.assert_allclose(trained.losses, again.losses, rtol=2e-3)
    for step, seen in trained.evaluated.items():
        assert seen.keys() == {"learning_rate", "gradient_norm", "update_ratio", "train", "dev"}
        for key, value in seen.items():
            np.testing.assert_allclose(value, again.evaluated[step][key], rtol=1e-2, err_msg=key)
