"""A transformer with rotary embeddings, root-mean-square norms and gated units, over characters."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from graphc import nn, optim
from graphc.bench.programs.record import Example, learns, train, weights

HEADS: Final = 2
VOCABULARY: Final = 32


def rotated(x: Any) -> Any:
    """Pairs of elements turned by their position: [N, H, T, D] -> the same."""
    length, width = x.shape[-2:]
    speed = 10000.0 ** (-np.arange(0, width, 2) / width)
    angle = (np.arange(length)[:, None] * speed).astype(np.float32)
    a, b = x[..., 0::2], x[..., 1::2]
    turned = a * np.cos(angle) - b * np.sin(angle), a * np.sin(angle) + b * np.cos(angle)
    return np.stack(turned, axis=-1).reshape(x.shape)


def block(p: Any, x: Any) -> Any:
    """Attention, then a gated layer: [N, T, C] -> the same."""
    n, length, width = x.shape
    q, k, v = np.split(nn.rms_norm(x, p["norm1"]) @ p["qkv"], 3, axis=-1)
    q, k, v = (np.swapaxes(a.reshape(n, length, HEADS, width // HEADS), 1, 2) for a in (q, k, v))
    found = nn.attention(rotated(q), rotated(k), v, causal=True)
    x = x + np.swapaxes(found, 1, 2).reshape(n, length, width) @ p["out"]
    gate, value = np.split(nn.rms_norm(x, p["norm2"]) @ p["up"], 2, axis=-1)
    return x + (nn.silu(gate) * value) @ p["down"]


def mean_loss(p: Any, tokens: Any) -> Any:
    """Cross-entropy of each next token. tokens: [N, T + 1]."""
    x = nn.embedding(p["table"], tokens[:, :-1])
    for layer in p["blocks"]:
        x = block(layer, x)
    return nn.cross_entropy(nn.rms_norm(x) @ p["table"].T, tokens[:, 1:])


def run(p: Any, tokens: Any) -> tuple[Any, Any]:
    """A step of AdamW on each batch."""
    return train(mean_loss, optim.adamw(3e-3), p, (tokens,))


def loss(p: Any, tokens: Any) -> Any:
    """Of the first batch."""
    return mean_loss(p, tokens[0])


def make(small: bool) -> tuple[Any, ...]:
    """Sequences that count in steps of their own."""
    steps, n, length, width, layers = (3, 3, 6, 8, 1) if small else (4, 8, 64, 64, 2)
    rng = np.random.default_rng(12)
    first, by = (rng.integers(1, VOCABULARY, (steps, n, 1)) for _ in range(2))
    tokens = (first + by * np.arange(length + 1)) % VOCABULARY
    shapes = {"qkv": (width, 3 * width), "out": (width, width), "up": (width, 8 * width), "down": (4 * width, width)}
    blocks = []
    for _ in range(layers):
        ones = {name: np.ones(width, np.float32) for name in ("norm1", "norm2")}
        blocks.append({**weights(rng, shapes), **ones})
    table = weights(rng, {"table": (VOCABULARY, width)})["table"]
    return {"table": table, "blocks": blocks}, tokens.astype(np.int32)


PROGRAM: Final = Example(
    "rotary-transformer", "rotary embeddings, attention, gated units: steps of AdamW", make, run, loss, learns(loss)
)
