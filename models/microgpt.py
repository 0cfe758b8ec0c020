"""microGPT: the smallest GPT that still invents names, in the shape of Andrej Karpathy's microgpt.

One character a token, one document (a name) between two end tokens, 4,192 parameters for the 26 letters. Layer norm is
RMS norm without a gain, there are no biases, and the activation is ReLU.

Parameters, each (in, out) where it multiplies from the right:

    wte      [vocab_size, width]      token embedding
    wpe      [context, width]         position embedding
    lm_head  [width, vocab_size]
    layers   a list of {wq, wk, wv, wo: [width, width], fc1: [width, 4 width], fc2: [4 width, width]}
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

import graphc
import graphc.nn
import graphc.random
from graphc.models import documents
from graphc.models.data import Corpus, Vocabulary
from graphc.models.documents import DocumentBatches
from graphc.models.sampling import generate
from graphc.models.settings import Defaults, make_config, require, require_between

Array = Any
Params = dict[str, Any]
Cache = list[dict[str, Array]]

DEFAULTS: Final = Defaults(
    steps=1000, batch_size=1, optimizer="adam", rate=0.01, decay="linear", options={"beta1": 0.85, "beta2": 0.99}
)


@dataclass(frozen=True)
class Config:
    """Sizes of the model. vocab_size: characters and the end token. std: of the first weights."""

    vocab_size: int = 27
    context: int = 16
    width: int = 16
    heads: int = 4
    layers: int = 1
    eps: float = 1e-5
    std: float = 0.08

    def __post_init__(self) -> None:
        require(self, "vocab_size", "context", "width", "heads", "layers")
        require_between(self, 0, math.inf, "eps", "std")
        if self.width % self.heads:
            raise ValueError(f"width {self.width} must be a multiple of heads {self.heads}")


def configure(corpus: Corpus, **settings: Any) -> tuple[Config, Vocabulary]:
    """The config and vocabulary for a corpus of documents."""
    vocabulary = Vocabulary.of(corpus.documents)
    return make_config(Config, len(vocabulary), settings), vocabulary


def shapes(config: Config) -> Params:
    """The shape of each parameter, in the order in which `init` draws them."""
    width, wide = config.width, 4 * config.width
    square = (width, width)
    layer = {"wq": square, "wk": square, "wv": square, "wo": square, "fc1": (width, wide), "fc2": (wide, width)}
    return {
        "wte": (config.vocab_size, width),
        "wpe": (config.context, width),
        "lm_head": (width, config.vocab_size),
        "layers": [dict(layer) for _ in range(config.layers)],
    }


def init(key: Array, config: Config) -> Params:
    """Parameters drawn from N(0, std), each with a key of its own."""
    drawn = 0

    def draw(shape: Any) -> Any:
        nonlocal drawn
        if isinstance(shape, dict):
            return {name: draw(item) for name, item in shape.items()}
        if isinstance(shape, list):
            return [draw(item) for item in shape]
        drawn += 1
        return graphc.random.normal(graphc.random.fold_in(key, drawn), shape, std=config.std)

    params: Params = draw(shapes(config))
    return params


def apply(params: Params, tokens: Array, config: Config, looked: list[Array] | None = None) -> Array:
    """Logits for the next token at each position. tokens: i32 [..., T], T <= context -> [..., T, vocab_size].

    looked: a list that is given the attention weights of each layer, [..., heads, T, T]: how much each position looks
    at each one before it.
    """
    count = tokens.shape[-1]
    x = graphc.nn.embedding(params["wte"], tokens) + params["wpe"][:count]
    x = graphc.nn.rms_norm(x, eps=config.eps)
    for layer in params["layers"]:
        h = graphc.nn.rms_norm(x, eps=config.eps)
        q, k, v = (_split_heads(h @ layer[name], config.heads) for name in ("wq", "wk", "wv"))
        if looked is not None:
            scores = np.where(np.tri(count, dtype=np.bool_), q @ np.swapaxes(k, -1, -2) * q.shape[-1] ** -0.5, -1e30)
            looked.append(graphc.nn.softmax(scores))
        x = x + _merge_heads(graphc.nn.attention(q, k, v, causal=True)) @ layer["wo"]
        x = x + _mlp(graphc.nn.rms_norm(x, eps=config.eps), layer)
    return x @ params["lm_head"]


def loss(params: Params, x: Array, y: Array, config: Config) -> Array:
    """Mean cross-entropy, in nats, of the next tokens y after x: i32 [B, T] each; where y is negative is padding."""
    return graphc.nn.cross_entropy(apply(params, x, config), np.maximum(y, 0), mask=y >= 0)


def empty_cache(count: int, config: Config) -> Cache:
    """Keys and values of no position yet, for `count` documents at once: [count, heads, context, width / heads]."""
    shape = (count, config.heads, config.context, config.width // config.heads)
    return [{"k": np.zeros(shape, np.float32), "v": np.zeros(shape, np.float32)} for _ in range(config.layers)]


def decode(params: Params, tokens: Array, position: Array, cache: Cache, config: Config) -> tuple[Array, Cache]:
    """Logits [B, vocab_size] after the tokens [B] at `position`, and the cache with their keys and values in it.

    All shapes are fixed, so that one program serves every position: the cache is rewritten with np.where, and later
    positions are masked out.
    """
    places = np.arange(config.context, dtype=np.int32)
    here = (places == position)[:, None]
    x = graphc.nn.embedding(params["wte"], tokens) + np.take(params["wpe"], position, axis=0)
    x = graphc.nn.rms_norm(x, eps=config.eps)[:, None, :]
    new: Cache = []
    for layer, old in zip(params["layers"], cache, strict=True):
        h = graphc.nn.rms_norm(x, eps=config.eps)
        q, k, v = (_split_heads(h @ layer[name], config.heads) for name in ("wq", "wk", "wv"))
        kept = {"k": np.where(here, k, old["k"]), "v": np.where(here, v, old["v"])}
        new.append(kept)
        seen = graphc.nn.attention(q, kept["k"], kept["v"], mask=places <= position)
        x = x + _merge_heads(seen) @ layer["wo"]
        x = x + _mlp(graphc.nn.rms_norm(x, eps=config.eps), layer)
    return x[:, 0, :] @ params["lm_head"], new


def sample(
    params: Params,
    key: Array,
    config: Config,
    *,
    count: int = 20,
    prompt: tuple[int, ...] = (),
    temperature: float = 0.5,
    top_k: int | None = None,
    length: int | None = None,
    device: Any = None,
) -> list[list[int]]:
    """`count` documents as lists of tokens, each ending at its first end token or where the context is full.

    Every document begins with `prompt`. Lower temperatures keep closer to what is likely, 0 always takes the
    likeliest; top_k draws among the k likeliest tokens only; length:
    longest sample, at most the context. Raises DataError for a prompt that fills the context.
    """
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


def batches(corpus: Corpus, config: Config, batch_size: int, seed: int) -> DocumentBatches:
    """The training batches: step -> (x, y), each i32 [batch_size, context], -1 in y where there is padding."""
    train = documents.split(corpus.documents, seed)["train"]
    return DocumentBatches(train, Vocabulary.of(corpus.documents), config.context, batch_size)


def evaluation(corpus: Corpus, config: Config, batch_size: int, seed: int) -> dict[str, list[tuple[Array, Array]]]:
    """Documents that are not trained on (dev), and as many that are."""
    return documents.evaluation(corpus.documents, Vocabulary.of(corpus.documents), config.context, seed)


def _split_heads(x: Array, heads: int) -> Array:
    """[..., T, heads * d] -> [..., heads, T, d]."""
    *lead, count, width = x.shape
    return np.swapaxes(np.reshape(x, (*lead, count, heads, width // heads)), -3, -2)


def _merge_heads(x: Array) -> Array:
    """[..., heads, T, d] -> [..., T, heads * d]."""
    *lead, heads, count, depth = x.shape
    return np.reshape(np.swapaxes(x, -3, -2), (*lead, count, heads * depth))


def _mlp(x: Array, layer: Params) -> Array:
    return graphc.nn.relu(x @ layer["fc1"]) @ layer["fc2"]
