"""A multi-layer perceptron over the last few characters. Source: Bengio et al., 2003; Karpathy's makemore.

Parameters:

    embedding  [vocab_size, features]
    w1, b1     [window * features, hidden], [hidden]
    w2, b2     [hidden, vocab_size], [vocab_size]
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

import graphc
import graphc.nn
import graphc.random
from graphc.models import plots, windows
from graphc.models.data import Corpus, Vocabulary
from graphc.models.sampling import generate
from graphc.models.settings import Defaults, make_config, require
from graphc.models.windows import SPLIT_SEED, WindowBatches, split

Array = Any
Params = dict[str, Any]

DEFAULTS: Final = Defaults(steps=200_000, batch_size=32, optimizer="sgd", rate=0.1, decay="step", evaluate_every=10_000)


@dataclass(frozen=True)
class Config:
    """Sizes. vocab_size: characters and the end token. window: characters seen. context: longest sample."""

    vocab_size: int = 27
    window: int = 3
    features: int = 2
    hidden: int = 100
    context: int = 32

    def __post_init__(self) -> None:
        require(self, "vocab_size", "window", "features", "hidden", "context")


def configure(corpus: Corpus, **settings: Any) -> tuple[Config, Vocabulary]:
    """The config and vocabulary for a corpus of documents."""
    vocabulary = Vocabulary.of(corpus.documents)
    return make_config(Config, len(vocabulary), settings), vocabulary


def init(key: Array, config: Config) -> Params:
    """Weights that keep the variance (5/3 is the gain of tanh), and a last layer that begins near no opinion."""
    keys = graphc.random.split(key, 3)
    wide = config.window * config.features
    normal = graphc.random.normal
    return {
        "embedding": normal(keys[0], (config.vocab_size, config.features)),
        "w1": normal(keys[1], (wide, config.hidden), std=5 / 3 / wide**0.5),
        "b1": np.zeros(config.hidden, np.float32),
        "w2": normal(keys[2], (config.hidden, config.vocab_size), std=0.01),
        "b2": np.zeros(config.vocab_size, np.float32),
    }


def apply(params: Params, x: Array, config: Config) -> Array:
    """Logits for the next token. x: i32 [..., window], the tokens before -> [..., vocab_size]."""
    seen = graphc.nn.embedding(params["embedding"], x)
    flat = np.reshape(seen, (*x.shape[:-1], config.window * config.features))
    hidden = np.tanh(graphc.nn.linear(flat, params["w1"], params["b1"]))
    return graphc.nn.linear(hidden, params["w2"], params["b2"])


def loss(params: Params, x: Array, y: Array, config: Config) -> Array:
    """Mean cross-entropy, in nats, of the tokens y [B] that follow the windows x [B, window]."""
    return graphc.nn.cross_entropy(apply(params, x, config), y)


def batches(corpus: Corpus, config: Config, batch_size: int, seed: int) -> WindowBatches:
    """The training batches: step -> (x, y), i32 [batch_size, window] and [batch_size], of train; 0 takes all."""
    documents = split(corpus.documents, SPLIT_SEED)["train"] or corpus.documents
    return WindowBatches(documents, Vocabulary.of(corpus.documents), config.window, batch_size, seed)


def evaluation(corpus: Corpus, config: Config, batch_size: int, seed: int) -> dict[str, list[tuple[Array, Array]]]:
    """All examples of the dev names in one batch, and as many of the train names."""
    return windows.evaluation(corpus.documents, Vocabulary.of(corpus.documents), config.window, SPLIT_SEED)


def draw(params: Params, config: Config, vocabulary: Vocabulary, directory: Path) -> list[Path]:
    """embedding.svg: the characters where the model has put them, if that is in a plane."""
    if config.features != 2:
        return []
    return [plots.scatter(params["embedding"], vocabulary, directory / "embedding.svg")]


decode: Final = windows.decoder(apply)


def empty_cache(count: int, config: Config) -> Array:
    """What is kept of the past of `count` documents: the window before their first tokens."""
    return windows.before(count, config.window, config.vocab_size - 1)


def sample(
    params: Params,
    key: Array,
    config: Config,
    *,
    count: int = 20,
    prompt: tuple[int, ...] = (),
    temperature: float = 1.0,
    top_k: int | None = None,
    length: int | None = None,
    device: Any = None,
) -> list[list[int]]:
    """`count` documents as lists of tokens; see graphc.models.microgpt.sample."""
    return generate(
        decode,
        params,
        empty_cache(count, config),
        key,
        config,
        count=count,
        prompt=prompt,
        temperature=temperature,
        top_k=top_k,
        length=length,
        device=device,
    )
