"""The benchmarks' models as both peers can run them: written once over the few functions in which the peers differ.

Parameters are those of `models/gpt.py` and `models/microgpt.py` by the same names, joined by slashes: "blocks/0/wq".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

Tensor = Any
Params = Mapping[str, Tensor]


class Functions(Protocol):
    """What a peer calls by a name of its own. All tensors are f32; tokens and labels are i32."""

    def embedding(self, table: Tensor, tokens: Tensor) -> Tensor:
        """Rows of the table: [N, C], [B, T] -> [B, T, C]."""

    def layer_norm(self, x: Tensor, gain: Tensor, bias: Tensor, eps: float) -> Tensor:
        """Layer norm over the last axis."""

    def rms_norm(self, x: Tensor, eps: float) -> Tensor:
        """Root-mean-square norm over the last axis, without a gain."""

    def attention(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Causal attention with the scale 1 / sqrt(d): [B, H, T, d] each -> the same."""

    def cross_entropy(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Mean cross-entropy in nats: [N, C], [N] -> []."""


def loss(f: Functions, model: str, config: Mapping[str, Any], p: Params, x: Tensor, y: Tensor) -> Tensor:
    """The training loss of "gpt" (dropout is 0 in the benchmarks) or "microgpt" on tokens [B, T]."""
    logits = {"gpt": _gpt, "microgpt": _microgpt}[model](f, config, p, x)
    return f.cross_entropy(logits.reshape(-1, logits.shape[-1]), y.reshape(-1))


def _gpt(f: Functions, config: Mapping[str, Any], p: Params, tokens: Tensor) -> Tensor:
    x = f.embedding(p["wte"], tokens) + p["wpe"]
    for layer in range(config["layers"]):
        b = {name: p[f"blocks/{layer}/{name}"] for name in _BLOCK}
        h = f.layer_norm(x, b["gain1"], b["bias1"], config["eps"])
        x = x + _attend(f, h, b, config["heads"]) @ b["wo"] + b["bo"]
        h = f.layer_norm(x, b["gain2"], b["bias2"], config["eps"])
        x = x + ((h @ b["w1"] + b["b1"]).relu() @ b["w2"] + b["b2"])
    return f.layer_norm(x, p["gain"], p["bias"], config["eps"]) @ p["head"] + p["head_bias"]


_BLOCK = ("gain1", "bias1", "wq", "wk", "wv", "wo", "bo", "gain2", "bias2", "w1", "b1", "w2", "b2")


def _microgpt(f: Functions, config: Mapping[str, Any], p: Params, tokens: Tensor) -> Tensor:
    x = f.rms_norm(f.embedding(p["wte"], tokens) + p["wpe"], config["eps"])
    for layer in range(config["layers"]):
        w = {name: p[f"layers/{layer}/{name}"] for name in ("wq", "wk", "wv", "wo", "fc1", "fc2")}
        x = x + _attend(f, f.rms_norm(x, config["eps"]), w, config["heads"]) @ w["wo"]
        x = x + (f.rms_norm(x, config["eps"]) @ w["fc1"]).relu() @ w["fc2"]
    return x @ p["lm_head"]


def _attend(f: Functions, x: Tensor, w: Params, heads: int) -> Tensor:
    batch, count, width = x.shape
    q, k, v = (
        (x @ w[name]).reshape(batch, count, heads, width // heads).transpose(1, 2) for name in ("wq", "wk", "wv")
    )
    return f.attention(q, k, v).transpose(1, 2).reshape(batch, count, width)
