"""GPT on prose: its size, its cache, writing beyond the context, dropout, and batches of text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import cli, random, tree
from graphc.errors import DataError
from graphc.models import data, gpt, prose
from tests.support.systems import CASES

Array = Any
CASE = CASES["gpt"]
CONFIG = CASE.config
TEXT = "To be, or not to be.\nThat is the question:\n" * 20


def double(params: Any) -> Any:
    return tree.map(lambda p: p.astype(np.float64), params)


def test_the_full_size_has_10788929_parameters() -> None:
    params = gpt.init(random.key(0), gpt.Config())
    assert sum(p.size for p in tree.leaves(params)) == 10_788_929
    tokens = np.random.default_rng(0).integers(0, 65, (2, 17)).astype(np.int32)
    assert 4.1 < float(gpt.loss(params, tokens[:, :-1], tokens[:, 1:], gpt.Config())) < 4.8


def test_configs_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="multiple of heads"):
        gpt.Config(width=10, heads=4)
    with pytest.raises(ValueError, match=r"dropout is 1\.0"):
        gpt.Config(dropout=1.0)


def test_the_scale_is_that_of_the_head_unless_it_is_fixed() -> None:
    params, (x, y) = double(CASE.params()), CASE.batch()
    losses = [
        float(gpt.loss(params, x, y, gpt.Config(vocab_size=11, context=8, width=16, heads=2, layers=2, scale=scale)))
        for scale in (None, 8**-0.5, 16**-0.5)
    ]
    assert losses[0] == losses[1] != losses[2]


def test_the_cache_gives_the_logits_of_the_whole_text() -> None:
    params, (x, _) = double(CASE.params()), CASE.batch()
    whole = gpt.apply(params, x, CONFIG)
    cache = double(gpt.empty_cache(len(x), CONFIG))
    for position in range(CONFIG.context):
        logits, cache = gpt.decode(params, x[:, position], np.int32(position), cache, CONFIG)
        np.testing.assert_allclose(logits, whole[:, position], rtol=1e-9, atol=1e-12)


def greedy(params: Any, prompt: list[int], length: int) -> list[int]:
    """The likeliest text, with no cache: whenever the window is longer than the context, half of that stays."""
    text, first = [0], 0
    while len(text) <= length:
        if len(text) - first > CONFIG.context:
            first = len(text) - CONFIG.context // 2
        logits = gpt.apply(params, np.array([text[first:]], np.int32), CONFIG)[0, -1]
        text.append(prompt[len(text) - 1] if len(text) <= len(prompt) else int(np.argmax(logits)))
    return text[1:]


@pytest.mark.parametrize("prompt", [(), (3, 4), tuple(range(10)) * 2])
def test_writing_beyond_the_context(prompt: tuple[int, ...]) -> None:
    params = CASE.params()
    written = gpt.sample(
        params, random.key(0), CONFIG, count=2, prompt=prompt, temperature=0.0, length=30, device="numpy"
    )
    assert written == [greedy(params, list(prompt), 30)] * 2


def test_samples_follow_key_temperature_and_top_k() -> None:
    params = CASE.params()

    def sample(seed: int = 0, **options: Any) -> list[list[int]]:
        return gpt.sample(params, random.key(seed), CONFIG, length=25, device="numpy", **options)

    first = sample(count=3)
    assert [len(text) for text in first] == [25, 25, 25]
    assert first == sample(count=3) != sample(1, count=3)
    assert len({tuple(text) for text in first}) == 3
    assert sample(top_k=1) == sample(temperature=0.0)
    assert len(set(sample(count=8, top_k=2, prompt=(5,))[0])) > 1
    following = {text[1] for text in sample(count=200, top_k=2, prompt=(5,))}
    assert len(following) == 2
    with pytest.raises(DataError, match="need a length of more, not 25"):
        sample(prompt=(1,) * 25)


def test_every_device_writes_the_same() -> None:
    params = CASE.params()
    written = [
        gpt.sample(params, random.key(1), CONFIG, length=20, prompt=(1, 2), device=device) for device in (None, "numpy")
    ]
    assert written[0] == written[1]


def test_dropout_is_drawn_in_training_only() -> None:
    config = gpt.Config(vocab_size=11, context=8, width=16, heads=2, layers=2, dropout=0.5)
    params, (x, y) = CASE.params(), CASE.batch()
    losses = [float(gpt.training_loss(params, random.key(seed), x, y, config)[0]) for seed in (0, 0, 1)]
    assert losses[0] == losses[1] != losses[2]
    plain = float(gpt.loss(params, x, y, config))
    assert plain == float(gpt.loss(params, x, y, CONFIG)) != losses[0]
    assert float(gpt.training_loss(params, random.key(0), x, y, CONFIG)[0]) == plain
    compiled = graphc.compile(lambda p, x, y: gpt.training_loss(p, random.key(0), x, y, config)[0])(params, x, y)
    assert abs(float(compiled) - losses[0]) < 1e-5


def test_batches_are_cut_from_the_train_part() -> None:
    corpus = data.Corpus("test", TEXT)
    config, vocabulary = gpt.configure(corpus, context=8, width=12)
    assert config.vocab_size == len(set(TEXT))
    tokens = vocabulary.encode(TEXT)
    first = tokens[: int(0.9 * len(tokens))]
    there = {tuple(first[i : i + 9]) for i in range(len(first) - 8)}
    batches = gpt.batches(corpus, config, 64, 3)
    x, y = batches(5)
    assert x.shape == y.shape == (64, 8)
    assert x.dtype == y.dtype == np.int32
    assert {(*a, b[-1]) for a, b in zip(x.tolist(), y.tolist(), strict=True)} <= there
    np.testing.assert_array_equal(x[:, 1:], y[:, :-1])
    np.testing.assert_array_equal(batches(5)[0], x)
    assert (batches(6)[0] != x).any()


def test_evaluation_spreads_over_both_parts() -> None:
    corpus = data.Corpus("test", "".join(chr(33 + i % 90) for i in range(20_000)))
    config, _ = gpt.configure(corpus, context=8, width=12)
    parts = gpt.evaluation(corpus, config, 4, 0)
    assert {part: len(batches) for part, batches in parts.items()} == {"train": 20, "dev": 20}
    tokens = prose.tokens_of(corpus.text, "dev", 8)
    assert len(tokens) == 2000
    np.testing.assert_array_equal(parts["dev"][0][0][0], tokens[:8])
    np.testing.assert_array_equal(parts["dev"][-1][1][-1], tokens[-8:])
    with pytest.raises(DataError, match="dev part of the text has 2 characters: need more than context, 8"):
        gpt.evaluation(data.Corpus("short", "abcdefghij" * 2), config, 1, 0)


def test_the_command_line_writes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text.txt").write_text(TEXT)
    run, fast = str(tmp_path / "run"), ["--device", "numpy"]
    sizes = [part for pair in ("context=8", "width=12", "heads=2", "layers=1") for part in ("--set", pair)]
    train = ["train", "gpt", "--data", str(tmp_path / "text.txt"), "--steps", "3", "--batch-size", "4", "--out", run]
    assert cli.run([*train, *sizes, *fast]) == 0
    capsys.readouterr()
    sample = ["sample", run, "--prompt", "To be", "--length", "40", *fast]
    assert cli.run([*sample, "--json"]) == 0
    (text,) = json.loads(capsys.readouterr().out)
    assert len(text) == 40
    assert text.startswith("To be")
    assert cli.run([*sample, "--count", "2", "--top-k", "3", "--temperature", "0.5", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 2
