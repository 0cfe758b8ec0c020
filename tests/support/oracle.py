"""An implementation of microGPT of its own: float64, one name at a time, gradients worked out by hand."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import numpy as np

from graphc.models import data

Array = Any
WIDTH, HEADS, CONTEXT, EPS, STD = 16, 4, 16, 1e-5, 0.08
STEPS = 1000
DOCUMENTS = 32_033
"""Names that Karpathy's microgpt shuffles: those of `data.DOWNLOADS["names"]`."""
FIRST = Path(__file__).parents[1] / "golden" / "microgpt_names.txt"
"""The first 1000 after the shuffle, one for each step: all that its 1000 steps see."""
REPORTED = {1: 3.3660, 10: 3.2229, 100: 3.3669, 1000: 2.6497}


def corpus_file(name: str) -> Path:
    """The file of a data set of `data.DOWNLOADS`: where GRAPHC_<NAME> says, in shared/data nearby, or downloaded."""
    wanted = data.DOWNLOADS[name]
    if given := os.environ.get(f"GRAPHC_{name.upper()}"):
        return Path(given)
    places = [folder / "shared" / "data" / wanted.file for folder in Path(__file__).resolve().parents]
    return next((place for place in places if place.exists()), None) or data.fetch(wanted)


def karpathy_setup(names: list[str] | None = None) -> tuple[list[str], dict[str, Array]]:
    """Shuffled documents and first weights, (out, in), drawn row by row from one generator with seed 42.

    Without names, the documents are Karpathy's first 1000; the generator is where the shuffle of all has left it.
    """
    generator = random.Random(42)
    if names is None:
        generator.shuffle(list(range(DOCUMENTS)))
        documents = FIRST.read_text(encoding="ascii").split()
    else:
        documents = list(names)
        generator.shuffle(documents)

    def matrix(rows: int, columns: int) -> Array:
        return np.array([[generator.gauss(0, STD) for _ in range(columns)] for _ in range(rows)])

    size = len(set("".join(documents))) + 1
    shapes = {"wte": (size, WIDTH), "wpe": (CONTEXT, WIDTH), "lm_head": (size, WIDTH)}
    shapes |= dict.fromkeys(("wq", "wk", "wv", "wo"), (WIDTH, WIDTH))
    shapes |= {"fc1": (4 * WIDTH, WIDTH), "fc2": (WIDTH, 4 * WIDTH)}
    return documents, {name: matrix(*shape) for name, shape in shapes.items()}


def rms(x: Array) -> tuple[Array, Array]:
    scale = (np.mean(x * x, axis=1, keepdims=True) + EPS) ** -0.5
    return x * scale, scale


def rms_backward(g: Array, x: Array, scale: Array) -> Array:
    return scale * g - scale**3 * x * np.mean(g * x, axis=1, keepdims=True)


def loss_and_gradients(w: dict[str, Array], tokens: list[int]) -> tuple[float, dict[str, Array]]:
    """Mean loss over the positions of one name, and its gradient for each weight."""
    n, depth = min(CONTEXT, len(tokens) - 1), WIDTH // HEADS
    ids, targets = np.array(tokens[:n]), np.array(tokens[1 : n + 1])
    later = np.triu(np.ones((n, n), bool), 1)
    # Forward.
    e = w["wte"][ids] + w["wpe"][:n]
    x0, s0 = rms(e)
    x1, s1 = rms(x0)
    q, k, v = x1 @ w["wq"].T, x1 @ w["wk"].T, x1 @ w["wv"].T
    heads = [slice(h * depth, (h + 1) * depth) for h in range(HEADS)]
    weights = []
    joined = np.empty((n, WIDTH))
    for h in heads:
        a = q[:, h] @ k[:, h].T / depth**0.5
        a[later] = -np.inf
        a = np.exp(a - a.max(axis=1, keepdims=True))
        a /= a.sum(axis=1, keepdims=True)
        weights.append(a)
        joined[:, h] = a @ v[:, h]
    x2 = x0 + joined @ w["wo"].T
    x3, s3 = rms(x2)
    hidden = x3 @ w["fc1"].T
    active = np.maximum(hidden, 0)
    x4 = x2 + active @ w["fc2"].T
    logits = x4 @ w["lm_head"].T
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    loss = -np.mean(np.log(p[np.arange(n), targets]))
    # Backward, line by line from the end.
    g: dict[str, Array] = {}
    dlogits = p.copy()
    dlogits[np.arange(n), targets] -= 1
    dlogits /= n
    g["lm_head"] = dlogits.T @ x4
    dx4 = dlogits @ w["lm_head"]
    g["fc2"] = dx4.T @ active
    dhidden = (dx4 @ w["fc2"]) * (hidden > 0)
    g["fc1"] = dhidden.T @ x3
    dx2 = dx4 + rms_backward(dhidden @ w["fc1"], x2, s3)
    g["wo"] = dx2.T @ joined
    djoined = dx2 @ w["wo"]
    dq, dk, dv = np.empty_like(q), np.empty_like(k), np.empty_like(v)
    for h, a in zip(heads, weights, strict=True):
        dv[:, h] = a.T @ djoined[:, h]
        da = djoined[:, h] @ v[:, h].T
        ds = a * (da - np.sum(da * a, axis=1, keepdims=True)) / depth**0.5
        dq[:, h] = ds @ k[:, h]
        dk[:, h] = ds.T @ q[:, h]
    g["wq"], g["wk"], g["wv"] = dq.T @ x1, dk.T @ x1, dv.T @ x1
    dx1 = dq @ w["wq"] + dk @ w["wk"] + dv @ w["wv"]
    de = rms_backward(dx2 + rms_backward(dx1, x0, s1), e, s0)
    g["wte"], g["wpe"] = np.zeros_like(w["wte"]), np.zeros_like(w["wpe"])
    np.add.at(g["wte"], ids, de)
    g["wpe"][:n] = de
    return float(loss), g


def reference_losses(steps: int = STEPS) -> list[float]:
    """The loss of each step, as Karpathy's microgpt computes it."""
    documents, w = karpathy_setup()
    letters = sorted(set("".join(documents)))
    end = len(letters)
    m = {name: np.zeros_like(value) for name, value in w.items()}
    v = {name: np.zeros_like(value) for name, value in w.items()}
    losses = []
    for step in range(steps):
        document = documents[step % len(documents)]
        loss, g = loss_and_gradients(w, [end, *(letters.index(c) for c in document), end])
        losses.append(loss)
        rate = 0.01 * (1 - step / STEPS)
        for name in w:
            m[name] = 0.85 * m[name] + 0.15 * g[name]
            v[name] = 0.99 * v[name] + 0.01 * g[name] ** 2
            unbiased = v[name] / (1 - 0.99 ** (step + 1))
            w[name] = w[name] - rate * m[name] / (1 - 0.85 ** (step + 1)) / (np.sqrt(unbiased) + 1e-8)
    return losses


def ours(weights: dict[str, Array], dtype: Any = np.float32) -> dict[str, Any]:
    """The same weights (or their gradients) as graphc's microGPT holds them: (in, out)."""
    w = {name: value.astype(dtype) for name, value in weights.items()}
    layer = {name: w[name].T.copy() for name in ("wq", "wk", "wv", "wo", "fc1", "fc2")}
    return {"wte": w["wte"], "wpe": w["wpe"], "lm_head": w["lm_head"].T.copy(), "layers": [layer]}


def theirs(params: dict[str, Any]) -> dict[str, Array]:
    """The inverse of `ours`."""
    (layer,) = params["layers"]
    turned = {name: np.asarray(w).T for name, w in {**layer, "lm_head": params["lm_head"]}.items()}
    return {"wte": params["wte"], "wpe": params["wpe"], **turned}
