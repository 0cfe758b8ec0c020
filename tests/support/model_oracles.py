"""The systems once more, in float64 NumPy with gradients worked out by hand: nothing here is graphc's.

Each function takes parameters as the model documents them and a batch, and returns (loss, gradients).
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any
Params = dict[str, Any]


def cross_entropy(logits: Array, y: Array) -> tuple[float, Array]:
    """Mean loss over all rows, and the gradient of the logits [..., V]."""
    e = np.exp(logits - logits.max(axis=-1, keepdims=True))
    p = e / e.sum(axis=-1, keepdims=True)
    flat, labels = p.reshape(-1, p.shape[-1]), y.reshape(-1)
    rows = np.arange(len(labels))
    loss = -np.mean(np.log(flat[rows, labels]))
    d = flat.copy()
    d[rows, labels] -= 1
    return float(loss), (d / len(labels)).reshape(p.shape)


def rows_added(shape: tuple[int, ...], ids: Array, d: Array) -> Array:
    """The gradient of a table whose rows `ids` were read."""
    table = np.zeros(shape)
    np.add.at(table, ids, d)
    return table


def bigram(params: Params, x: Array, y: Array) -> tuple[float, Params]:
    loss, d = cross_entropy(params["w"][x.reshape(-1)], y)
    return loss, {"w": rows_added(params["w"].shape, x.reshape(-1), d)}


def mlp(params: Params, x: Array, y: Array) -> tuple[float, Params]:
    e = params["embedding"][x]
    flat = e.reshape(len(x), -1)
    h = np.tanh(flat @ params["w1"] + params["b1"])
    loss, dlogits = cross_entropy(h @ params["w2"] + params["b2"], y)
    dz = (dlogits @ params["w2"].T) * (1 - h**2)
    return loss, {
        "embedding": rows_added(params["embedding"].shape, x, (dz @ params["w1"].T).reshape(e.shape)),
        "w1": flat.T @ dz,
        "b1": dz.sum(0),
        "w2": h.T @ dlogits,
        "b2": dlogits.sum(0),
    }


def normalised(z: Array, axis: int, eps: float) -> tuple[Array, Array]:
    scale = (z.var(axis=axis, keepdims=True) + eps) ** -0.5
    return (z - z.mean(axis=axis, keepdims=True)) * scale, scale


def normalised_backward(d: Array, n: Array, scale: Array, axis: int) -> Array:
    return scale * (d - d.mean(axis=axis, keepdims=True) - n * (d * n).mean(axis=axis, keepdims=True))


def batchnorm_mlp(params: Params, x: Array, y: Array, eps: float = 1e-5) -> tuple[float, Params]:
    e = params["embedding"][x]
    hs, kept = [e.reshape(len(x), -1)], []
    for layer in params["layers"]:
        kept.append(normalised(hs[-1] @ layer["w"], 0, eps))
        hs.append(np.tanh(kept[-1][0] * layer["gain"] + layer["bias"]))
    z = hs[-1] @ params["w_out"]
    g: Params = {"statistics": [{k: np.zeros_like(v) for k, v in s.items()} for s in params["statistics"]]}
    if "out" in params:
        n, scale = normalised(z, 0, eps)
        loss, d = cross_entropy(n * params["out"]["gain"] + params["out"]["bias"], y)
        g["out"] = {"gain": (d * n).sum(0), "bias": d.sum(0)}
        d = normalised_backward(d * params["out"]["gain"], n, scale, 0)
    else:
        loss, d = cross_entropy(z + params["b_out"], y)
        g["b_out"] = d.sum(0)
    g["w_out"] = hs[-1].T @ d
    dh, layers = d @ params["w_out"].T, []
    for i in reversed(range(len(kept))):
        layer, (n, scale) = params["layers"][i], kept[i]
        da = dh * (1 - hs[i + 1] ** 2)
        dz = normalised_backward(da * layer["gain"], n, scale, 0)
        layers.append({"w": hs[i].T @ dz, "gain": (da * n).sum(0), "bias": da.sum(0)})
        dh = dz @ layer["w"].T
    g["layers"] = layers[::-1]
    g["embedding"] = rows_added(params["embedding"].shape, x, dh.reshape(e.shape))
    return loss, g


def gpt(params: Params, x: Array, y: Array, heads: int, scale: float, eps: float = 1e-5) -> tuple[float, Params]:
    batch, count = x.shape
    width = params["wte"].shape[1]
    depth = width // heads

    def split(a: Array) -> Array:
        return a.reshape(batch, count, heads, depth).transpose(0, 2, 1, 3)

    def merge(a: Array) -> Array:
        return a.transpose(0, 2, 1, 3).reshape(batch, count, width)

    def weight(a: Array, d: Array) -> Array:
        return a.reshape(-1, a.shape[-1]).T @ d.reshape(-1, d.shape[-1])

    def total(d: Array) -> Array:
        return d.reshape(-1, d.shape[-1]).sum(0)

    later = np.triu(np.ones((count, count), bool), 1)
    h = params["wte"][x] + params["wpe"][:count]
    tape = []
    for b in params["blocks"]:
        n1, s1 = normalised(h, -1, eps)
        a1 = n1 * b["gain1"] + b["bias1"]
        q, k, v = (split(a1 @ b[name]) for name in ("wq", "wk", "wv"))
        scores = np.where(later, -np.inf, q @ k.swapaxes(2, 3) * scale)
        w = np.exp(scores - scores.max(-1, keepdims=True))
        w /= w.sum(-1, keepdims=True)
        joined = merge(w @ v)
        h = h + joined @ b["wo"] + b["bo"]
        n2, s2 = normalised(h, -1, eps)
        a2 = n2 * b["gain2"] + b["bias2"]
        u = np.maximum(a2 @ b["w1"] + b["b1"], 0)
        h = h + u @ b["w2"] + b["b2"]
        tape.append((n1, s1, a1, q, k, v, w, joined, n2, s2, a2, u))
    n, s = normalised(h, -1, eps)
    last = n * params["gain"] + params["bias"]
    loss, d = cross_entropy(last @ params["head"] + params["head_bias"], y)
    g: Params = {"head": weight(last, d), "head_bias": total(d)}
    d = d @ params["head"].T
    g |= {"gain": total(d * n), "bias": total(d)}
    dh = normalised_backward(d * params["gain"], n, s, -1)
    blocks = []
    for b, (n1, s1, a1, q, k, v, w, joined, n2, s2, a2, u) in reversed(list(zip(params["blocks"], tape, strict=True))):
        r = {"w2": weight(u, dh), "b2": total(dh)}
        du = (dh @ b["w2"].T) * (u > 0)
        r |= {"w1": weight(a2, du), "b1": total(du)}
        d = du @ b["w1"].T
        r |= {"gain2": total(d * n2), "bias2": total(d)}
        dh = dh + normalised_backward(d * b["gain2"], n2, s2, -1)
        r |= {"wo": weight(joined, dh), "bo": total(dh)}
        dj = split(dh @ b["wo"].T)
        dw = dj @ v.swapaxes(2, 3)
        ds = w * (dw - (dw * w).sum(-1, keepdims=True)) * scale
        parts = {"wq": merge(ds @ k), "wk": merge(ds.swapaxes(2, 3) @ q), "wv": merge(w.swapaxes(2, 3) @ dj)}
        r |= {name: weight(a1, part) for name, part in parts.items()}
        d = sum(part @ b[name].T for name, part in parts.items())
        r |= {"gain1": total(d * n1), "bias1": total(d)}
        dh = dh + normalised_backward(d * b["gain1"], n1, s1, -1)
        blocks.append(r)
    g["blocks"] = blocks[::-1]
    g["wte"] = rows_added(params["wte"].shape, x, dh)
    g["wpe"] = np.zeros_like(params["wpe"])
    g["wpe"][:count] = dh.sum(0)
    return loss, g
