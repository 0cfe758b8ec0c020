"""The ways in which people write masks of attention: each hides what it should, in one kernel or in many."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import nn
from graphc.errors import DeviceError

Array = Any
Masked = Callable[[Array, Array, Array], Array]

B, H, T, D = 2, 2, 12, 8
TRI = np.tril(np.ones((T, T), bool))
PAD = np.arange(T) < np.array([5, 9])[:, None, None, None]
"""Which keys of each sequence count: bool[B, 1, 1, T]."""
ALIBI = -0.5 * np.abs(np.arange(T)[:, None] - np.arange(T)).astype(np.float32)
NEAR = TRI & (np.arange(T)[:, None] - np.arange(T) < 3)
SOME = np.random.default_rng(4).random((B, H, T, T)) < 0.6
ONE = TRI.astype(np.float32)


def normal(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


QKV = normal(B, H, T, D, seed=0), normal(B, H, T, D, seed=1), normal(B, H, T, D, seed=2)


def scores(q: Array, k: Array) -> Array:
    return (q @ np.swapaxes(k, -1, -2)) * np.float32(1 / math.sqrt(D))


def softmax(x: Array) -> Array:
    e = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return e / np.sum(e, axis=-1, keepdims=True)


def masked(how: Callable[[Array], Array]) -> Masked:
    """Attention whose scores go through `how`."""
    return lambda q, k, v: softmax(how(scores(q, k))) @ v


def with_mask(q: Array, k: Array, v: Array, m: Array) -> Array:
    return nn.attention(q, k, v, mask=m)


def minus(seen: Array, number: float = -np.inf) -> Array:
    """An additive mask."""
    return np.where(seen, 0, number).astype(np.float32)


ONE_KERNEL: dict[str, Masked] = {
    "where, -inf": masked(lambda s: np.where(TRI, s, -np.inf)),
    "where not, -inf": masked(lambda s: np.where(~TRI, -np.inf, s)),
    "where, -1e9": masked(lambda s: np.where(TRI, s, -1e9)),
    "where, a mask made in the trace": masked(lambda s: np.where(np.tril(np.ones_like(s, dtype=bool)), s, -1e9)),
    "plus 0 and -inf": masked(lambda s: s + minus(TRI)),
    "plus triu of -inf": masked(lambda s: s + np.triu(np.full((T, T), -np.inf, np.float32), 1)),
    "plus (1 - mask) * -1e9": masked(lambda s: s + (1 - ONE) * np.float32(-1e9)),
    "plus ~mask * -1e9": masked(lambda s: s + ~TRI * np.float32(-1e9)),
    "plus nothing": masked(lambda s: s + np.zeros((T, T), np.float32)),
    "where everything": masked(lambda s: np.where(np.ones((T, T), bool), s, -1e9)),
    "scaled after the mask": lambda q, k, v: (
        softmax(np.where(TRI, q @ np.swapaxes(k, -1, -2), -np.inf) / np.float32(math.sqrt(D))) @ v
    ),
    "nn, causal": lambda q, k, v: nn.attention(q, k, v, causal=True),
    "nn, bool": lambda q, k, v: nn.attention(q, k, v, mask=TRI),
    "nn, integers": lambda q, k, v: nn.attention(q, k, v, mask=TRI.astype(np.int32)),
    "nn, 0 and -inf": lambda q, k, v: nn.attention(q, k, v, mask=minus(TRI)),
    "nn, 0 and -1e38": lambda q, k, v: nn.attention(q, k, v, mask=np.float64(-3e38) * ~TRI),
}
PLAIN: dict[str, Masked] = {
    "where, 0": masked(lambda s: np.where(TRI, s, 0.0)),
    "where, -5": masked(lambda s: np.where(TRI, s, -5.0)),
    "where, -1e4": masked(lambda s: np.where(TRI, s, -1e4)),
    "less mask * 1e9": masked(lambda s: s - ~TRI * np.float32(1e9)),
    "plus (1 - mask) * -1e4": masked(lambda s: s + (1 - ONE) * np.float32(-1e4)),
    "plus bool": masked(lambda s: s + TRI),
    "plus 0 and 1": masked(lambda s: s + ONE),
    "plus a constant": masked(lambda s: s + np.float32(-50.0)),
    "times 0 and 1": masked(lambda s: s * ONE),
    "tril of scores": masked(np.tril),
    "tril of scores, then where": masked(lambda s: np.where(np.tril(s) == 0, -np.inf, np.tril(s))),
    "weights times 0 and 1": lambda q, k, v: (softmax(scores(q, k)) * ONE) @ v,
    "a diagonal further": masked(lambda s: np.where(np.tril(np.ones((T, T), bool), 1), s, -np.inf)),
    "a diagonal less, one row hidden": masked(lambda s: np.where(np.tril(np.ones((T, T), bool), -1), s, -1e9)),
    "a diagonal less, one row of -inf": masked(lambda s: np.where(np.tril(np.ones((T, T), bool), -1), s, -np.inf)),
    "triu": masked(lambda s: np.where(np.triu(np.ones((T, T), bool)), s, -1e9)),
    "bool and causal": masked(lambda s: np.where(TRI & PAD, s, -1e9)),
    "padding": masked(lambda s: np.where(PAD, s, -np.inf)),
    "padding, added": masked(lambda s: s + minus(PAD)),
    "causal, then padding": masked(lambda s: np.where(PAD, np.where(TRI, s, -1e9), -1e9)),
    "at random": masked(lambda s: np.where(SOME, s, -1e9)),
    "alibi": masked(lambda s: s + ALIBI),
    "alibi, causal": masked(lambda s: np.where(TRI, s + ALIBI, -np.inf)),
    "causal, alibi": masked(lambda s: np.where(TRI, s, -np.inf) + ALIBI),
    "a window": masked(lambda s: np.where(NEAR, s, -1e9)),
    "where nothing": masked(lambda s: np.where(np.zeros((T, T), bool), s, -1e9)),
    "nn, padding": lambda q, k, v: nn.attention(q, k, v, mask=PAD),
    "nn, padding and causal": lambda q, k, v: nn.attention(q, k, v, mask=PAD, causal=True),
    "nn, padding added and causal": lambda q, k, v: nn.attention(q, k, v, mask=minus(PAD), causal=True),
    "nn, alibi": lambda q, k, v: nn.attention(q, k, v, mask=ALIBI),
    "nn, alibi with -inf": lambda q, k, v: nn.attention(q, k, v, mask=np.where(TRI, ALIBI, -np.inf)),
    "nn, -1e4": lambda q, k, v: nn.attention(q, k, v, mask=minus(TRI, -1e4)),
}
WAYS: dict[str, dict[str, Any]] = {"fused": {}, "unfused": {"passes": ()}, "numpy": {"device": "numpy"}}


@pytest.mark.parametrize("name", [*ONE_KERNEL, *PLAIN])
def test_every_way_to_write_a_mask(name: str) -> None:
    function = {**ONE_KERNEL, **PLAIN}[name]
    weights = normal(B, H, T, D, seed=9)
    with np.errstate(all="ignore"):
        want = function(*(x.astype(np.float64) for x in QKV))
        for options in WAYS.values():
            found = np.asarray(graphc.compile(function, **options)(*QKV))
            np.testing.assert_allclose(found, want, rtol=2e-5, atol=2e-5)
        gradient = graphc.grad(lambda q, k, v: np.sum(function(q, k, v) * weights), argnums=(0, 1, 2))
        wanted = graphc.compile(gradient, device="numpy", passes=())(*QKV)
        for found, expected in zip(graphc.compile(gradient)(*QKV), wanted, strict=True):
            np.testing.assert_allclose(np.asarray(found), np.asarray(expected), rtol=1e-4, atol=1e-4)
    for target in ("software", "discrete"):
        nodes = graphc.compile(function, device="numpy", target=target).lower(*QKV).graph.nodes
        assert any(node.attrs.get("family") == "attention" for node in nodes) == (name in ONE_KERNEL)


def test_an_added_mask_hides_what_its_bool_twin_hides() -> None:
    compiled = graphc.compile(with_mask)
    for seen in (TRI, PAD, SOME, NEAR):
        by_bool = np.asarray(compiled(*QKV, seen))
        for number in (-np.inf, -1e9, -3e38):
            added = compiled(*QKV, minus(seen, number))
            rows = np.broadcast_to(seen, (B, H, T, T)).any(-1)
            np.testing.assert_allclose(np.asarray(added)[rows], by_bool[rows], rtol=1e-5, atol=1e-6)
    assert np.isfinite(compiled(*QKV, minus(~TRI | TRI))).all()
    hidden = compiled(*QKV, np.full((T, T), -np.inf, np.float32))
    np.testing.assert_allclose(hidden, np.broadcast_to(QKV[2].mean(-2, keepdims=True), QKV[2].shape), rtol=1e-5)


def test_a_bias_learns() -> None:
    gradient = graphc.grad(lambda m, q, k, v: np.sum(nn.attention(q, k, v, mask=m) ** 2))
    mask = np.where(TRI, ALIBI, -np.inf)
    found = np.asarray(graphc.compile(gradient)(mask, *QKV))
    assert (found[~TRI] == 0).all()
    wanted = np.asarray(
        graphc.grad(lambda m, q, k, v: np.sum(masked(lambda s: np.where(TRI, s + m, -1e30))(q, k, v) ** 2))(ALIBI, *QKV)
    )
    np.testing.assert_allclose(found[TRI], wanted[TRI], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kind", ["bool", "-inf", "known"])
def test_hidden_keys_and_values_may_be_anything(kind: str, bad: float, way: str) -> None:
    q, k, v = QKV
    hidden = np.broadcast_to(~PAD, (B, H, 1, T))[..., 0, :, None]
    worse = [np.where(hidden, np.float32(bad), x) for x in (k, v)]
    mask = minus(PAD) if kind == "-inf" else PAD
    weights = normal(B, H, T, D, seed=9)

    def attend(q: Array, k: Array, v: Array, m: Array) -> Array:
        return nn.attention(q, k, v, mask=PAD if kind == "known" else m)

    gradient = graphc.value_and_grad(lambda q, k, v, m: np.sum(attend(q, k, v, m) * weights), argnums=(0, 1, 2))
    with np.errstate(all="ignore"):
        value, (dq, dk, dv) = graphc.compile(gradient, **WAYS[way])(q, *worse, mask)
        clean, wanted = graphc.compile(gradient, **WAYS[way])(q, k, v, mask)
    np.testing.assert_allclose(float(value), float(clean), rtol=1e-5)
    for found, expected in zip((dq, dk, dv), wanted, strict=True):
        np.testing.assert_allclose(np.asarray(found), np.asarray(expected), rtol=1e-4, atol=1e-5)
    assert (np.asarray(dk)[np.broadcast_to(hidden, k.shape)] == 0).all()


def test_masks_in_half_precision() -> None:
    device: Any = graphc.device("wgpu")
    q, k, v = (x.astype(np.float16) for x in QKV)
    want = nn.attention(*(x.astype(np.float64) for x in QKV), mask=TRI)
    for options in WAYS.values():
        for mask in (TRI, minus(TRI), minus(TRI, -1e4), minus(TRI, -1e9), minus(TRI, -65504.0).astype(np.float16)):
            compiled = graphc.compile(with_mask, **options)
            if "device" not in options and "shader-f16" not in device.target.features:
                with pytest.raises(DeviceError, match="no shader-f16"):
                    compiled(q, k, v, mask)
                continue
            found = compiled(q, k, v, mask)
            np.testing.assert_allclose(np.asarray(found).astype(np.float64), want, rtol=5e-3, atol=5e-3)
