"""The bigram model: the next character from the one before it, and nothing else. Source: Karpathy's makemore.

Parameters: w [vocab_size, vocab_size], uniform in (-1, 1) at first. Row i holds the logits of what follows token i, so
that exp(w) are counts up to a factor for each row. Training uses every pair of the data in every step.
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

DEFAULTS: Final = Defaults(steps=260, batch_size=0, optimizer="sgd", rate=10.0, evaluate_every=50)


@dataclass(frozen=True)
class Config:
    """Sizes. vocab_size: characters and the end token. context: longest sample.

    gather: pick rows of w by index; otherwise multiply one-hot vectors with w, which gives the same. held_out: train on
    80% of the documents and measure the loss on others too, as `mlp` does; otherwise train on all.
    """

    vocab_size: int = 27
    context: int = 32
    gather: bool = True
    held_out: bool = False

    def __post_init__(self) -> None:
        require(self, "vocab_size", "context")


def configure(corpus: Corpus, **settings: Any) -> tuple[Config, Vocabulary]:
    """The config and vocabulary for a corpus of documents."""
    vocabulary = Vocabulary.of(corpus.documents)
    return make_config(Config, len(vocabulary), settings), vocabulary


def init(key: Array, config: Config) -> Params:
    """Logits that favour some characters for no reason."""
    return {"w": graphc.random.uniform(key, (config.vocab_size, config.vocab_size), -1.0, 1.0)}


def apply(params: Params, x: Array, config: Config) -> Array:
    """Logits for the next token. x: i32 [...], the token before -> [..., vocab_size]."""
    if config.gather:
        return graphc.nn.embedding(params["w"], x)
    return graphc.nn.one_hot(x, config.vocab_size, params["w"].dtype) @ params["w"]


def loss(params: Params, x: Array, y: Array, config: Config) -> Array:
    """Mean cross-entropy, in nats, of the tokens y [B] that follow x [B, 1] or [B]."""
    return graphc.nn.cross_entropy(apply(params, np.reshape(x, y.shape), config), y)


def batches(corpus: Corpus, config: Config, batch_size: int, seed: int) -> WindowBatches:
    """The training batches: step -> (x, y), i32 [batch_size, 1] and [batch_size]; batch_size 0 takes all pairs."""
    documents = split(corpus.documents, SPLIT_SEED)["train"] if config.held_out else corpus.documents
    return WindowBatches(documents, Vocabulary.of(corpus.documents), 1, batch_size, seed)


def evaluation(corpus: Corpus, config: Config, batch_size: int, seed: int) -> dict[str, list[tuple[Array, Array]]]:
    """All pairs of the dev names in one batch, and as many of the train names, where some are held out."""
    if not config.held_out:
        return {}
    return windows.evaluation(corpus.documents, Vocabulary.of(corpus.documents), 1, SPLIT_SEED)


def draw(params: Params, config: Config, vocabulary: Vocabulary, directory: Path) -> list[Path]:
    """heatmap.svg: exp(w), each row as probabilities, with the pairs of characters in the cells."""
    return [plots.heatmap(np.exp(params["w"]), vocabulary, directory / "heatmap.svg")]


def empty_cache(count: int, config: Config) -> None:
    """What is kept of the past of `count` documents: nothing."""


def decode(params: Params, tokens: Array, position: Array, cache: Any, config: Config) -> tuple[Array, Any]:
    """Logits [B, vocab_size] after the tokens [B]; there is nothing to keep."""
    return apply(params, tokens, config), cache


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
        None,
        key,
        config,
        count=count,
        prompt=prompt,
        temperature=temperature,
        top_k=top_k,
        length=length,
        device=device,
    )
