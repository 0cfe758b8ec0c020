"""The long runs: what docs/results.md says is reached, is reached. Minutes each, so they are marked slow."""

from __future__ import annotations

import random

import pytest

from graphc.models import data
from graphc.models.train import RunConfig, train
from tests.support.oracle import DOCUMENTS, STEPS, corpus_file, karpathy_setup

pytestmark = pytest.mark.slow


def test_the_names_that_are_shipped_are_the_first_after_the_shuffle() -> None:
    documents = list(data.load(str(corpus_file("names"))).documents)
    assert len(documents) == DOCUMENTS
    random.Random(42).shuffle(documents)
    assert karpathy_setup()[0] == documents[:STEPS]


@pytest.mark.parametrize("gather", [True, False])
def test_bigram(gather: bool) -> None:
    run = RunConfig("bigram", None, 260, 0, "sgd", 10.0, "constant", 1, {"gather": gather}, evaluate_every=0)
    losses = train(run, data.load(str(corpus_file("names")))).losses
    assert 2.4540 < losses[-1] < 2.5
    assert 195 < next(step for step, loss in enumerate(losses, 1) if loss < 2.5) <= 260


@pytest.mark.parametrize(("depth", "least", "most"), [(1, 2.25, 2.31), (5, 2.15, 2.29)])
def test_batchnorm_mlp(depth: int, least: float, most: float) -> None:
    settings = {"depth": depth, "normalise_output": depth > 1}
    run = RunConfig("batchnorm_mlp", None, 10_000, 32, "sgd", 1.0, "step", 1, settings, evaluate_every=9000)
    assert least < train(run, data.load(str(corpus_file("names")))).evaluated[9000]["dev"] < most


def test_mlp() -> None:
    run = RunConfig("mlp", None, 200_000, 32, "sgd", 0.1, "step", 1, evaluate_every=50_000)
    assert 2.15 < train(run, data.load(str(corpus_file("names")))).evaluated[200_000]["dev"] < 2.24


def test_gpt() -> None:
    sizes = {"width": 64, "heads": 4, "layers": 4, "context": 32, "dropout": 0.0}
    run = RunConfig("gpt", None, 5000, 16, "adamw", 1e-3, "cosine", 1, sizes, warmup=100, clip=1.0)
    trained = train(run, data.load(str(corpus_file("shakespeare"))))
    assert 1.6 < trained.evaluated[5000]["dev"] <= 1.85
