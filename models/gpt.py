"""GPT on prose, one character a token: a decoder of pre-norm blocks. Source: Radford et al., 2019; Karpathy's nanoGPT.

With 65 characters the sizes of `Config` make 10,788,929 parameters, each (in, out) where it multiplies from the right:

    wte           [vocab_size, width]   token embedding
    wpe           [context, width]      position embedding
    blocks        a list of
        gain1, bias1                    [width], layer norm before attention
        wq, wk, wv                      [width, width], without biases; head h owns columns h * width / heads and on
        wo, bo                          [width, width], [width], after the heads are put together
        gain2, bias2                    [width], layer norm before the MLP
        w1, b1                          [width, 4 width], [4 width]
        w2, b2                          [4 width, width], [width]
    gain, bias    [width]               layer norm before the head
    head          [width, vocab_size]
    head_bias     [vocab_size]

Weights of others (`load`) have biases bq, bk, bv [width] of queries, keys and values too, no head_bias, and mostly no
head: then it is tied, wte transposed.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

import graphc
import graphc.nn
import graphc.random
from graphc.models import prose, weights
from graphc.models.data import Corpus, Vocabulary
from graphc.models.settings import Defaults, make_config, require, require_between

Array = Any
Params = dict[str, Any]
Cache = list[dict[str, Array]]
Drop = Callable[[Array], Array]

DEFAULTS: Final = Defaults(
    steps=5000, batch_size=64, optimizer="adamw", rate=3e-4, decay="cosine", warmup=100, clip=1.0, samples=1
)


ACTIVATIONS: Final[dict[str, Callable[[Array], Array]]] = {
    "relu": graphc.nn.relu,
    "gelu": graphc.nn.gelu,
    "gelu_tanh": partial(graphc.nn.gelu, approximate=True),
}
"""What a unit of the MLP does, by its name in the config."""


@dataclass(frozen=True)
class Config:
    """Sizes of the model.

    scale: of the scores before softmax, None for 1 / sqrt(width / heads); some courses fix it at 16 ** -0.5. dropout:
    the share of attention weights, and of the results of embedding, attention and MLP, that training sets to 0. std: of
    the first weights. activation: "relu", "gelu" or "gelu_tanh", its approximation by tanh. begin: the token that
    stands before each text that is sampled, None for none.
    """

    vocab_size: int = 65
    context: int = 256
    width: int = 384
    heads: int = 6
    layers: int = 6
    scale: float | None = None
    dropout: float = 0.2
    eps: float = 1e-5
    std: float = 0.02
    activation: str = "relu"
    begin: int | None = 0

    def __post_init__(self) -> None:
        require(self, "vocab_size", "context", "width", "heads", "layers")
        require_between(self, 0, 1, "dropout")
        require_between(self, 0, math.inf, "eps", "std")
        require_between(self, 0, math.inf, "scale", open_low=True)
        if self.width % self.heads:
            raise ValueError(f"width {self.width} must be a multiple of heads {self.heads}")
        if self.begin is not None and not 0 <= self.begin < self.vocab_size:
            raise ValueError(f"begin is {self.begin}: need one of {self.vocab_size} tokens, or None")
        if self.activation not in ACTIVATIONS:
            raise ValueError(f"activation is {self.activation!r}: there are {', '.join(ACTIVATIONS)}")


def configure(corpus: Corpus, **settings: Any) -> tuple[Config, Vocabulary]:
    """The config and vocabulary for a corpus of prose: all its characters, line breaks too, and no end token."""
    vocabulary = Vocabulary.of([corpus.text])
    return make_config(Config, len(vocabulary.characters), settings), vocabulary


def init(key: Array, config: Config) -> Params:
    """Weights and embeddings from N(0, std), biases 0, gains 1."""
    width, wide, keys = config.width, 4 * config.width, graphc.random.split(key, config.layers + 1)

    def normal(key: Array, *shape: int) -> Array:
        return graphc.random.normal(key, shape, std=config.std)

    def zeros(size: int) -> Array:
        return np.zeros(size, np.float32)

    def ones(size: int) -> Array:
        return np.ones(size, np.float32)

    def block(key: Array) -> Params:
        k = graphc.random.split(key, 6)
        return {
            "gain1": ones(width),
            "bias1": zeros(width),
            "wq": normal(k[0], width, width),
            "wk": normal(k[1], width, width),
            "wv": normal(k[2], width, width),
            "wo": normal(k[3], width, width),
            "bo": zeros(width),
            "gain2": ones(width),
            "bias2": zeros(width),
            "w1": normal(k[4], width, wide),
            "b1": zeros(wide),
            "w2": normal(k[5], wide, width),
            "b2": zeros(width),
        }

    k = graphc.random.split(keys[-1], 3)
    return {
        "wte": normal(k[0], config.vocab_size, width),
        "wpe": normal(k[1], config.context, width),
        "blocks": [block(keys[i]) for i in range(config.layers)],
        "gain": ones(width),
        "bias": zeros(width),
        "head": normal(k[2], width, config.vocab_size),
        "head_bias": zeros(config.vocab_size),
    }


def load(path: str | os.PathLike[str], heads: int | None = None) -> tuple[Params, Config]:
    """Params and config of a GPT-2 that transformers or nanoGPT saved: a safetensors file, or a folder that holds it.

    A config.json beside the file, as `save_pretrained` writes it, gives the number of heads, the activation and eps;
    without one, say `heads`, and the activation is that of the program that saved the file. The config has no dropout,
    and no token that texts begin with: `sample` needs a prompt.
    Raises DataError where the tensors are not those of a GPT-2, CheckpointError for a file that is damaged.
    """
    params, fields = weights.gpt2(*weights.read(Path(path)), heads)
    return params, Config(**fields)


def apply(
    params: Params, tokens: Array, config: Config, key: Array | None = None, looked: list[Array] | None = None
) -> Array:
    """Logits for the next token at each position. tokens: i32 [..., T], T <= context -> [..., T, vocab_size].

    key: u32[2], the random numbers of dropout in training; without one nothing is dropped. looked: a list that is given
    the attention weights of each layer, [..., heads, T, T]: how much each position looks at each one before it.
    """
    if key is not None and config.dropout:
        keys = graphc.random.split(key, 3 * config.layers + 1)
        drop: list[Drop] = [_Dropout(keys[i], config.dropout) for i in range(3 * config.layers + 1)]
    else:
        drop = [_keep] * (3 * config.layers + 1)
    x = graphc.nn.embedding(params["wte"], tokens) + params["wpe"][: tokens.shape[-1]]
    x = drop[-1](x)
    for i, block in enumerate(params["blocks"]):
        h = graphc.nn.layer_norm(x, block["gain1"], block["bias1"], config.eps)
        q, k, v = _projected(h, block, config)
        if looked is not None:
            looked.append(graphc.nn.softmax(_scores(q, k, config.scale)))
        seen = _merge_heads(_attention(q, k, v, config.scale, drop[3 * i]))
        x = x + drop[3 * i + 1](graphc.nn.linear(seen, block["wo"], block["bo"]))
        x = x + drop[3 * i + 2](_mlp(x, block, config))
    return _head(x, params, config)


def loss(params: Params, x: Array, y: Array, config: Config) -> Array:
    """Mean cross-entropy, in nats, of the next tokens y after x: i32 [B, T] each. Nothing is dropped."""
    return graphc.nn.cross_entropy(apply(params, x, config), y)


def training_loss(params: Params, key: Array, x: Array, y: Array, config: Config) -> tuple[Array, Params]:
    """The loss with dropout drawn from `key`; no parameter is observed, so that there is none to replace."""
    return graphc.nn.cross_entropy(apply(params, x, config, key), y), {}


def batches(corpus: Corpus, config: Config, batch_size: int, seed: int) -> prose.ProseBatches:
    """The training batches: step -> (x, y), i32 [batch_size, context], cut at random from the first 90% of the text."""
    tokens = prose.tokens_of(corpus.text, "train", config.context)
    return prose.ProseBatches(tokens, config.context, batch_size, seed)


def evaluation(corpus: Corpus, config: Config, batch_size: int, seed: int) -> dict[str, list[tuple[Array, Array]]]:
    """Batches spread evenly over the first 90% of the text (train) and over its last 10% (dev)."""
    return {
        part: prose.spread(prose.tokens_of(corpus.text, part, config.context), config.context, batch_size)
        for part in ("train", "dev")
    }


def empty_cache(count: int, config: Config) -> Cache:
    """Keys and values of no position yet, for `count` texts at once: [count, heads, context, width / heads]."""
    shape = (count, config.heads, config.context, config.width // config.heads)
    return [{"k": np.zeros(shape, np.float32), "v": np.zeros(shape, np.float32)} for _ in range(config.layers)]


def decode(params: Params, tokens: Array, position: Array, cache: Cache, config: Config) -> tuple[Array, Cache]:
    """Logits [B, vocab_size] after the tokens [B] at `position`, and the cache with their keys and values in it.

    All shapes are fixed, so that one program serves every position.
    """
    places = np.arange(config.context, dtype=np.int32)
    here = (places == position)[:, None]
    x = graphc.nn.embedding(params["wte"], tokens) + np.take(params["wpe"], position, axis=0)
    x = x[:, None, :]
    new: Cache = []
    for block, old in zip(params["blocks"], cache, strict=True):
        h = graphc.nn.layer_norm(x, block["gain1"], block["bias1"], config.eps)
        q, k, v = _projected(h, block, config)
        kept = {"k": np.where(here, k, old["k"]), "v": np.where(here, v, old["v"])}
        new.append(kept)
        seen = graphc.nn.attention(q, kept["k"], kept["v"], scale=config.scale, mask=places <= position)
        x = x + graphc.nn.linear(_merge_heads(seen), block["wo"], block["bo"])
        x = x + _mlp(x, block, config)
    return _head(x, params, config)[:, 0, :], new


def sample(
    params: Params,
    key: Array,
    config: Config,
    *,
    count: int = 1,
    prompt: tuple[int, ...] = (),
    temperature: float = 1.0,
    top_k: int | None = None,
    length: int | None = None,
    device: Any = None,
) -> list[list[int]]:
    """`count` texts of `length` tokens (500 if it is not given), each beginning with `prompt`, as lists of tokens.

    A text may be longer than the context: see graphc.models.prose.write. Lower temperatures keep closer to what is
    likely, 0 always takes the likeliest; top_k draws among the k likeliest tokens only. Raises DataError.
    """
    return prose.write(
        decode,
        params,
        empty_cache(count, config),
        key,
        config,
        count=count,
        prompt=prompt,
        temperature=temperature,
        top_k=top_k,
        length=500 if length is None else length,
        device=device,
        begin=config.begin,
    )


@dataclass(frozen=True)
class _Dropout:
    """Dropout with a key of its own."""

    key: Array
    rate: float

    def __call__(self, x: Array) -> Array:
        return graphc.nn.dropout(self.key, x, self.rate)


def _keep(x: Array) -> Array:
    return x


def _attention(q: Array, k: Array, v: Array, scale: float | None, drop: Drop) -> Array:
    """Causal attention whose weights pass through `drop`: [B, heads, T, d] each -> the same."""
    if drop is _keep:
        return graphc.nn.attention(q, k, v, causal=True, scale=scale)
    return drop(graphc.nn.softmax(_scores(q, k, scale))) @ v


def _scores(q: Array, k: Array, scale: float | None) -> Array:
    """How well each position's query fits the keys up to it, before softmax: [B, heads, T, T]."""
    scores = q @ np.swapaxes(k, -1, -2) * (q.shape[-1] ** -0.5 if scale is None else scale)
    seen = np.tril(np.ones_like(scores, dtype=np.bool_))
    return np.where(seen, scores, -1e30)


def _mlp(x: Array, block: Params, config: Config) -> Array:
    h = graphc.nn.layer_norm(x, block["gain2"], block["bias2"], config.eps)
    h = ACTIVATIONS[config.activation](graphc.nn.linear(h, block["w1"], block["b1"]))
    return graphc.nn.linear(h, block["w2"], block["b2"])


def _head(x: Array, params: Params, config: Config) -> Array:
    x = graphc.nn.layer_norm(x, params["gain"], params["bias"], config.eps)
    if "head" not in params:
        return x @ np.swapaxes(params["wte"], 0, 1)
    return graphc.nn.linear(x, params["head"], params.get("head_bias"))


def _projected(h: Array, block: Params, config: Config) -> tuple[Array, ...]:
    """Queries, keys and values of each head: [B, heads, T, d]."""
    made = (graphc.nn.linear(h, block[f"w{part}"], block.get(f"b{part}")) for part in "qkv")
    return tuple(_split_heads(x, config.heads) for x in made)


def _split_heads(x: Array, heads: int) -> Array:
    """[..., T, heads * d] -> [..., heads, T, d]."""
    *lead, count, width = x.shape
    return np.swapaxes(np.reshape(x, (*lead, count, heads, width // heads)), -3, -2)


def _merge_heads(x: Array) -> Array:
    """[..., heads, T, d] -> [..., T, heads * d]."""
    *lead, heads, count, depth = x.shape
    return np.reshape(np.swapaxes(x, -3, -2), (*lead, count, heads * depth))
