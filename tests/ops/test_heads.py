"""Heads that share keys, positions in attention, and the cache: against formulas of one query at a time, in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc
from graphc import nn
from graphc.errors import ArgumentError, IndexRangeError, ShapeError
from tests.support.layers import check, normal

Array = Any

HEADS, SHARED, QUERIES, KEYS, DEPTH = 4, 2, 3, 4, 2
Q, K, V = normal(2, HEADS, QUERIES, DEPTH), normal(2, SHARED, KEYS, DEPTH, seed=1), normal(2, SHARED, KEYS, 3, seed=2)
SLOPES = np.array([0.5, 0.25, 0.125, 2.0])


def one_by_one(q: Array, k: Array, v: Array, seen: Array, slopes: Array | None = None) -> Array:
    """Each query of each head over the keys that it may see, seen: [H, T, S]; distances end at the last key."""
    out = np.zeros((*q.shape[:-1], v.shape[-1]))
    for n, h, t in np.ndindex(q.shape[:-1]):
        keys = np.flatnonzero(seen[h, t])
        shared = h * k.shape[1] // q.shape[1]
        scores = k[n, shared][keys] @ q[n, h, t] / np.sqrt(q.shape[-1])
        if slopes is not None:
            scores = scores - slopes[h] * abs(keys - (t + k.shape[2] - q.shape[2]))
        weights = np.exp(scores - scores.max())
        out[n, h, t] = weights / weights.sum() @ v[n, shared][keys]
    return out


def lower_seen(queries: int = QUERIES, keys: int = KEYS) -> Array:
    return np.broadcast_to(np.tri(queries, keys, keys - queries, dtype=bool), (HEADS, queries, keys))


@pytest.mark.parametrize("causal", [False, True])
def test_heads_that_share_keys(causal: bool) -> None:
    seen = lower_seen() if causal else np.ones((HEADS, QUERIES, KEYS), bool)
    check(lambda q, k, v: nn.attention(q, k, v, causal=causal), one_by_one(Q, K, V, seen), Q, K, V)
    one = one_by_one(Q, K[:, :1], V[:, :1], seen)
    check(lambda q, k, v: nn.attention(q, k, v, causal=causal), one, Q, K[:, :1], V[:, :1])
    sloped = one_by_one(Q, K, V, seen, SLOPES)
    check(lambda q, k, v, s: nn.attention(q, k, v, causal=causal, alibi_slopes=s), sloped, Q, K, V, SLOPES)


def test_heads_that_share_keys_with_a_mask_for_each() -> None:
    seen = normal(HEADS, QUERIES, KEYS, seed=5) > -0.5
    seen[..., 1] = True
    seen[:2, :, 3] = False  # for all heads of the first keys
    k, v = K.copy(), V.copy()
    k[:, 0, 3], v[:, 0, 3] = np.nan, np.inf
    want = one_by_one(Q, K, V, seen)
    np.testing.assert_allclose(nn.attention(Q, k, v, mask=seen), want, rtol=1e-10)
    check(lambda q, k, v: nn.attention(q, k, v, mask=seen), want, Q, K, V)
    flat = np.where(seen[0], 0.0, -np.inf)
    check(lambda q, k, v: nn.attention(q, k, v, mask=flat), one_by_one(Q, K, V, seen[[0] * HEADS]), Q, K, V)


def test_shared_heads_are_one_kernel_forward_that_reads_keys_in_place() -> None:
    single = [x.astype(np.float32) for x in (Q, K, V)]

    def families(fn: Any, *arguments: Any) -> list[str]:
        plan = graphc.compile(fn, device="numpy", target="discrete").lower(*arguments).plan
        return [plan.kernels[d.kernel].family for d in plan.dispatches]

    assert families(lambda q, k, v: nn.attention(q, k, v, causal=True), *single) == ["attention"]
    loss = graphc.grad(lambda q, k, v: np.sum(nn.attention(q, k, v, causal=True) ** 2), argnums=(0, 1, 2))
    assert families(loss, *single).count("attention") == 3
    slopes = SLOPES.astype(np.float32)
    found = families(lambda q, k, v: nn.attention(q, k, v, causal=True, alibi_slopes=slopes), *single)
    assert found == ["matmul", "row", "matmul"], "what falls with the distance is in the kernel of the scores"


@pytest.mark.slow
def test_attention_of_heads_on_a_device() -> None:
    single = [x.astype(np.float32) for x in (Q, K, V)]
    slopes = SLOPES.astype(np.float32)

    def loss(q: Any, k: Any, v: Any) -> Any:
        plain = nn.attention(q, k, v, causal=True)
        return np.sum(plain**2) + np.sum(nn.attention(q, k, v, causal=True, alibi_slopes=slopes) ** 3)

    want = graphc.compile(graphc.value_and_grad(loss, argnums=(0, 1, 2)), device="numpy")(*single)
    got = graphc.compile(graphc.value_and_grad(loss, argnums=(0, 1, 2)), device="wgpu")(*single)
    for a, b in zip(graphc.tree.leaves(got), graphc.tree.leaves(want), strict=True):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-4, atol=1e-5)


def test_heads_that_cannot_share_are_refused() -> None:
    with pytest.raises(ShapeError, match="a number that divides that of queries"):
        nn.attention(Q[:, :3], K, V)
    with pytest.raises(ShapeError, match="as many heads"):
        nn.attention(Q, K, V[:, :1])
    with pytest.raises(ShapeError, match=r"alibi_slopes has shape \(3,\)"):
        nn.attention(Q, K, V, alibi_slopes=SLOPES[:3])


def test_biases_that_grow_with_the_distance() -> None:
    np.testing.assert_allclose(nn.alibi_slopes(8), [2.0**-i for i in range(1, 9)])
    twelve = [2.0**-i for i in range(1, 9)] + [2.0 ** -(i + 0.5) for i in range(4)]
    np.testing.assert_allclose(nn.alibi_slopes(12), twelve, rtol=1e-6)
    bias = nn.alibi(8, 2, 3)
    np.testing.assert_allclose(bias[1], [[-0.25, 0, -0.25], [-0.5, -0.25, 0]])
    q, k = normal(1, 8, 2, 4), normal(1, 8, 3, 4, seed=1)
    np.testing.assert_allclose(
        nn.attention(q, k, k, mask=bias, causal=True),
        nn.attention(q, k, k, alibi_slopes=nn.alibi_slopes(8), causal=True),
        rtol=1e-6,
    )


def turned(x: Array, positions: Array, dims: int, interleaved: bool, base: float = 10000.0) -> Array:
    """Each pair as a complex number, times one of size 1."""
    out = x.copy()
    for *lead, t in np.ndindex(x.shape[:-1]):
        for i in range(dims // 2):
            a, b = (2 * i, 2 * i + 1) if interleaved else (i, i + dims // 2)
            place = np.broadcast_to(positions, x.shape[:-1])[(*lead, t)]
            pair = complex(x[(*lead, t, a)], x[(*lead, t, b)]) * np.exp(1j * place * base ** (-2 * i / dims))
            out[(*lead, t, a)], out[(*lead, t, b)] = pair.real, pair.imag
    return out


@pytest.mark.parametrize("interleaved", [False, True])
@pytest.mark.parametrize("dims", [6, 4])
def test_rotary_embedding(interleaved: bool, dims: int) -> None:
    x = normal(2, 3, 6)
    options: dict[str, Any] = {"dims": dims, "interleaved": interleaved}
    check(lambda x: nn.rotary_embedding(x, **options), turned(x, np.arange(3), **options), x)
    places = np.array([[5, 0, 2], [100, 7, 1]], np.int32)
    want = turned(x, places, base=100.0, **options)
    check(lambda x: nn.rotary_embedding(x, places, base=100.0, **options), want, x)
    # Traced, positions turn in the program.
    run = graphc.compile(lambda x, p: nn.rotary_embedding(x, p, base=100.0, **options), device="numpy")
    np.testing.assert_allclose(run(x.astype(np.float32), places), want, rtol=1e-4, atol=2e-5)


def test_rotary_embedding_keeps_lengths_and_knows_distances_alone() -> None:
    q, k = normal(1, 8), normal(1, 8, seed=1)
    products = [nn.rotary_embedding(q, p + 3) @ nn.rotary_embedding(k, p).T for p in (0, 5, 400)]
    np.testing.assert_allclose(products, np.broadcast_to(products[0], (3, 1, 1)), rtol=1e-9)
    half = nn.rotary_embedding(q.astype(np.float16), np.array([70]))
    assert half.dtype == np.float16
    np.testing.assert_allclose(half, nn.rotary_embedding(q, np.array([70])), atol=2e-3)


def test_rotary_embeddings_of_layers_share_a_table_and_are_one_kernel() -> None:
    x = normal(2, 5, 8).astype(np.float32)

    def twice(x: Any, y: Any) -> Any:
        return nn.rotary_embedding(x), nn.rotary_embedding(y)

    program = graphc.compile(twice, device="numpy").lower(x, x + 1)
    tables = [a for a in program.stages[-1][1].constants.values() if a.size > 1]
    assert [a.shape for a in tables] == [(5, 8), (5, 8)]
    assert len(graphc.compile(nn.rotary_embedding, device="numpy").lower(x).plan.dispatches) == 1
    both = graphc.compile(
        lambda x, p: (nn.rotary_embedding(x), nn.rotary_embedding(x, p, interleaved=True)), device="wgpu"
    )
    for got, want in zip(
        both(x, np.int32(4)), (nn.rotary_embedding(x), nn.rotary_embedding(x, 4, interleaved=True)), strict=True
    ):
        np.testing.assert_allclose(np.asarray(got), want, rtol=1e-4, atol=1e-5)


def test_what_cannot_turn_is_refused() -> None:
    x = normal(2, 3, 5)
    with pytest.raises(ArgumentError, match="5 elements turn: need an even number of the 5"):
        nn.rotary_embedding(x)
    with pytest.raises(ArgumentError, match="6 elements turn"):
        nn.rotary_embedding(x, dims=6)
    with pytest.raises(ArgumentError, match="base is -1"):
        nn.rotary_embedding(x, dims=2, base=-1)
    with pytest.raises(ShapeError, match=r"positions \(4,\)"):
        nn.rotary_embedding(x, np.arange(4), dims=2)


LONG = 6
ALL = normal(2, HEADS, LONG, DEPTH), normal(2, SHARED, LONG, DEPTH, seed=1), normal(2, SHARED, LONG, 3, seed=2)


def cached(*given: Any) -> Any:
    q, k, v, cache = given
    slopes = SLOPES.astype(q.dtype)
    return nn.cached_attention(q, k, v, cache, alibi_slopes=slopes)


@pytest.mark.parametrize("device", ["at once", "numpy", "wgpu"])
def test_attention_by_parts_is_causal_attention(device: str) -> None:
    want = one_by_one(*ALL, lower_seen(LONG, LONG), SLOPES)
    cache = nn.kv_cache(2, SHARED, LONG + 1, DEPTH, 3)
    run = cached if device == "at once" else graphc.compile(cached, device=device, donate=(3,))
    done = 0
    for count in (1, 1) if device == "wgpu" else (3, 1, 1, 1):
        given = [x[:, :, done : done + count].astype(np.float32) for x in ALL]
        got, cache = run(*given, cache)
        np.testing.assert_allclose(np.asarray(got), want[:, :, done : done + count], rtol=1e-4, atol=1e-5)
        done += count
        assert int(cache["length"]) == done
    np.testing.assert_allclose(np.asarray(cache["v"])[:, :, :done], ALL[2][:, :, :done].astype(np.float32))


def test_a_cache_in_half_precision_is_read_in_that_of_the_queries() -> None:
    given = [x[:, :, :3].astype(np.float32) for x in ALL]
    cache = nn.kv_cache((2,), SHARED, 5, DEPTH, 3, np.float16)
    q, k, v = (x[:, :, :3] for x in ALL)
    want = one_by_one(q, k, v, lower_seen(3, 3), SLOPES)
    for run in (cached, graphc.compile(cached, device="numpy")):
        got, kept = run(*given, cache)
        assert (got.dtype, kept["k"].dtype) == (np.float32, np.float16)
        np.testing.assert_allclose(np.asarray(got), want, atol=3e-3)
    half, _ = cached(*(x.astype(np.float16) for x in given), nn.kv_cache(2, SHARED, 5, DEPTH, 3))
    assert half.dtype == np.float16


def test_the_cache_is_written_in_place() -> None:
    given = [x[:, :, :1].astype(np.float32) for x in ALL]
    cache = nn.kv_cache(2, SHARED, 64, DEPTH, 3)

    def writes(fn: Any, *arguments: Any, donate: Any) -> list[bool]:
        plan = graphc.compile(fn, device="numpy", donate=donate).lower(*arguments).plan
        return [bool(d.taken) for d in plan.dispatches if plan.kernels[d.kernel].family == "index_update"]

    assert writes(cached, *given, cache, donate=(3,)) == [True, True]

    def generate(cache: Any, q: Any) -> Any:
        def step(cache: Any, q: Any) -> Any:
            out, cache = cached(q, q[:, :SHARED], np.concatenate([q, q], -1)[:, :SHARED, :, :3], cache)
            return cache, out

        return graphc.scan(step, cache, q)

    assert writes(generate, cache, np.stack([given[0]] * 4), donate=(0,)) == [True, True]
    arguments = cache, np.stack([given[0]] * 4)
    _, got = graphc.compile(generate, device="numpy")(*arguments)
    _, want = generate(*arguments)
    np.testing.assert_allclose(np.asarray(got), want, rtol=1e-5, atol=1e-6)


def test_a_cache_without_room_says_so() -> None:
    cache = nn.kv_cache(2, SHARED, 2, DEPTH, 3)
    given = [x[:, :, :2].astype(np.float32) for x in ALL]
    _, cache = cached(*given, cache)
    with pytest.raises(IndexRangeError):
        cached(*given, cache)
    with pytest.raises(IndexRangeError, match="length"):
        graphc.compile(cached, device="numpy")(*given, cache)
    with pytest.raises(ShapeError, match="cached_attention: v has shape"):
        cached(given[0], given[1], given[2][..., :2], cache)
    with pytest.raises(ShapeError, match="need as many positions"):
        cached(given[0][:, :, :1], *given[1:], cache)


def test_mapped_attention_of_heads_is_that_of_a_batch() -> None:
    single = [x.astype(np.float32) for x in (Q, K, V)]
    each = graphc.vmap(lambda q, k, v: nn.attention(nn.rotary_embedding(q), nn.rotary_embedding(k), v, causal=True))
    want = nn.attention(nn.rotary_embedding(single[0]), nn.rotary_embedding(single[1]), single[2], causal=True)
    np.testing.assert_allclose(graphc.compile(each, device="numpy")(*single), want, rtol=1e-4, atol=1e-5)
