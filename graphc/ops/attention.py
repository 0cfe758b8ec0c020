"""Attention and its gradient as ops that a few kernels compute without a T x S tensor in memory.

Nobody writes these ops: `passes.attention` finds the plain NumPy code that they stand for. Without that pass, and on
software adapters without subgroups, `attend` and `attend_backward` take their place again.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from graphc.errors import ShapeError
from graphc.ir.op import Attend, Case, Op, Traced, apply
from graphc.ir.types import NDArray, TensorType, u32
from graphc.ops.batching import Batch, every
from graphc.ops.elementwise import FLOAT, same_dtype
from graphc.ops.random import random_bits
from graphc.ops.samples import sample

MAX_HEAD: Final = 128
"""Longest query, key or value that the kernels hold in registers."""


def infer_attention(
    q: TensorType,
    k: TensorType,
    v: TensorType,
    key: TensorType | None = None,
    *,
    causal: bool,
    scale: float,
    keep: float = 1.0,
    boost: float = 1.0,
    kernel: bool = False,
) -> tuple[TensorType, TensorType]:
    """Types of (out, lse): q [..., T, D], k [..., S, D], v [..., S, E] -> [..., T, E], [..., T].

    key: u32[2], for dropout: each weight is kept with probability `keep`, times `boost`, as nn.dropout does it.

    Raises ShapeError where these do not fit, where S is 0, and where S < T and causal: a query would see no key.
    Source: arXiv:2205.14135.
    """
    same_dtype((q, k, v), FLOAT)
    if min(q.ndim, k.ndim, v.ndim) < 2 or not q.shape[:-2] == k.shape[:-2] == v.shape[:-2]:
        raise ShapeError(f"q is {q}, k is {k}, v is {v}: need equal leading axes")
    if q.shape[-1] != k.shape[-1] or k.shape[-2] != v.shape[-2]:
        raise ShapeError(f"q is {q}, k is {k}, v is {v}: need [..., T, D], [..., S, D], [..., S, E]")
    if key is not None and key != TensorType((2,), u32):
        raise ShapeError(f"a key is u32[2], got {key}")
    if k.shape[-2] < (q.shape[-2] if causal else 1):
        raise ShapeError(f"q is {q}, k is {k}: some query sees no key")
    return q.with_shape((*q.shape[:-1], v.shape[-1])), q.with_shape(q.shape[:-1])


def infer_attention_backward(
    q: TensorType,
    k: TensorType,
    v: TensorType,
    dout: TensorType,
    lse: TensorType,
    delta: TensorType,
    key: TensorType | None = None,
    *,
    causal: bool,
    scale: float,
    keep: float = 1.0,
    boost: float = 1.0,
    kernel: bool = False,
) -> tuple[TensorType, TensorType, TensorType]:
    """Types of the gradients of q, k and v. dout: [..., T, E]; lse, delta: [..., T]. Raises ShapeError."""
    same_dtype((q, k, v, dout, lse, delta), FLOAT)
    out, row = infer_attention(q, k, v, key, causal=causal, scale=scale)
    if dout != out or lse != row or delta != row:
        raise ShapeError(f"dout is {dout}, lse is {lse}, delta is {delta}: need {out}, {row}, {row}")
    return q, k, v


def attend(
    q: Traced,
    k: Traced,
    v: Traced,
    key: Traced | None = None,
    *,
    causal: bool,
    scale: float,
    keep: float = 1.0,
    boost: float = 1.0,
) -> tuple[Traced, Traced]:
    """(softmax(scale q k^T) v, log of the sum of exponentials of each row of scores), in plain NumPy.

    causal: query t sees key s where s <= t + S - T. A weight of zero is multiplied with its value all the same.
    """
    scores = _hide(_scores(q, k, scale), causal, _hidden(q))
    top = np.max(scores, axis=-1, keepdims=True)
    exponentials = np.exp(scores - top)
    total = np.sum(exponentials, axis=-1, keepdims=True)
    weights = exponentials / total
    if key is not None:
        weights = weights * _factors(key, weights, keep, boost)
    return weights @ v, (top + np.log(total))[..., 0]


def attend_backward(
    q: Traced,
    k: Traced,
    v: Traced,
    dout: Traced,
    lse: Traced,
    delta: Traced,
    key: Traced | None = None,
    *,
    causal: bool,
    scale: float,
    keep: float = 1.0,
    boost: float = 1.0,
) -> tuple[Traced, Traced, Traced]:
    """The gradients of q, k and v for the gradient `dout` of the result, in plain NumPy.

    lse: of the forward pass. delta: sum(dout * out) over the last axis, less the gradient of lse.
    """
    weights, dweights = _weights(q, k, lse, causal, scale), dout @ _turned(v)
    kept = weights
    if key is not None:
        factors = _factors(key, weights, keep, boost)
        kept, dweights = weights * factors, dweights * factors
    dscores = weights * (dweights - delta[..., None]) * scale
    return dscores @ k, _turned(dscores) @ q, _turned(kept) @ dout


def _factors(key: Traced, weights: Traced, keep: float, boost: float) -> Traced:
    """What dropout multiplies each weight with: `boost` or 0, from the same bits as `graphc.nn.dropout`.

    Several keys are those of examples, which lie along the first axis of the weights; so they do for a key u32[1, 2],
    which all share.
    """
    shape = weights.shape[key.ndim - 1 :]
    if hasattr(key, "apply"):
        bits = apply(random_bits, key, shape=shape)
    else:
        bits = random_bits.reference(key, shape=shape)
    kept = (bits >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-24) < np.float32(keep)
    return np.where(kept, boost, 0.0).astype(weights.dtype)


def _weights(q: Traced, k: Traced, lse: Traced, causal: bool, scale: float) -> Traced:
    """The softmax, from the log-sum-exp that is known; exactly 0 where a key is hidden."""
    return np.exp(_hide(_scores(q, k, scale) - lse[..., None], causal, _hidden(q)))


def _scores(q: Traced, k: Traced, scale: float) -> Traced:
    return (q @ _turned(k)) * scale


def _hide(scores: Traced, causal: bool, hidden: float) -> Traced:
    if not causal:
        return scores
    queries, keys = scores.shape[-2:]
    return np.where(np.tril(np.ones_like(scores, dtype=np.bool_), k=keys - queries), scores, hidden)


def _hidden(q: Traced) -> float:
    """Far below every score, yet finite: WGSL has no literal for infinity."""
    return -0.5 * float(np.finfo(q.dtype).max)


def _turned(x: Traced) -> Traced:
    return np.swapaxes(x, -1, -2)


def _attention(
    q: NDArray, k: NDArray, v: NDArray, *key: NDArray, kernel: bool = False, **attrs: Any
) -> tuple[NDArray, ...]:
    found = attend(*map(_wide, (q, k, v)), *key, **attrs)
    return tuple(np.asarray(x, q.dtype) for x in found)


def _attention_backward(*arrays: NDArray, kernel: bool = False, **attrs: Any) -> tuple[NDArray, ...]:
    found = attend_backward(*map(_wide, arrays), **attrs)
    return tuple(np.asarray(x, arrays[0].dtype) for x in found)


def _wide(x: NDArray) -> NDArray:
    return x.astype(np.float32) if x.dtype == np.float16 else x


def _attention_vjp(g: Any, out: Any, q: Any, k: Any, v: Any, *key: Any, **attrs: Any) -> tuple[Any, ...]:
    (dout, dlse), (result, lse) = g, out
    delta = np.sum(dout * result, axis=-1) - dlse
    dq, dk, dv = apply(attention_backward, q, k, v, dout, lse, delta, *key, **attrs)
    return (dq, dk, dv, *(None for _ in key))


def _attention_backward_vjp(
    g: Any,
    out: Any,
    *inputs: Any,
    causal: bool,
    scale: float,
    keep: float = 1.0,
    boost: float = 1.0,
    kernel: bool = False,
) -> tuple[Any, ...]:
    (gdq, gdk, gdv), (q, k, v, dout, lse, delta, *key) = g, inputs
    weights = _weights(q, k, lse, causal, scale)
    factors = _factors(key[0], weights, keep, boost) if key else 1.0
    centred = (dout @ _turned(v)) * factors - delta[..., None]
    dscores = weights * centred * scale
    # to_dscores, to_centred, to_scores: the gradients of what attend_backward computes on its way.
    to_dscores = (gdq @ _turned(k) + q @ _turned(gdk)) * scale
    to_centred = to_dscores * weights
    to_products = to_centred * factors
    to_scores = (to_dscores * centred + (dout @ _turned(gdv)) * factors) * weights
    return (
        dscores @ gdk + (to_scores @ k) * scale,
        _turned(dscores) @ gdq + (_turned(to_scores) @ q) * scale,
        _turned(to_products) @ dout,
        (weights * factors) @ gdv + to_products @ v,
        -np.sum(to_scores, axis=-1),
        -np.sum(to_centred, axis=-1),
        *(None for _ in key),
    )


def _batched(plain: Any) -> Any:
    """The rule of attention and its gradient: the examples are a further leading axis.

    Dropout takes its bits by the place within an example, which the kernels do not know of; then it is computed by
    plain operations.
    """

    def rule(batch: Batch, *inputs: Any, kernel: bool = False, **attrs: Any) -> Any:
        keys = 3 if plain is attend else 6
        operands = every(batch, *inputs[:keys])
        if len(inputs) == keys:
            return apply(batch.op, *operands, **attrs)
        key = inputs[keys] if batch.mapped[keys] else inputs[keys][None]
        return plain(*operands, key, **attrs)

    return rule


_SHAPES: Final[tuple[tuple[tuple[int, ...], int, int, int, int, bool], ...]] = (
    ((2, 3), 5, 5, 4, 4, True),
    ((2,), 7, 9, 8, 6, True),
    ((), 1, 1, 4, 4, True),
    ((), 3, 11, 5, 3, False),
    ((1, 2), 37, 37, 16, 16, True),
    ((2, 0), 4, 4, 8, 8, False),
)
"""Leading axes, T, S, D, E, causal."""


def _operands(batch: tuple[int, ...], t: int, s: int, d: int, e: int) -> tuple[NDArray, NDArray, NDArray]:
    return sample(*batch, t, d), sample(*batch, s, d, seed=1), sample(*batch, s, e, seed=2)


_DROPOUT: Final = {"causal": True, "scale": 0.5, "keep": 0.75, "boost": 4 / 3}


def _key() -> NDArray:
    return np.array([0x9E3779B9, 42], np.uint32)


def _attention_cases() -> tuple[Case, ...]:
    found = [
        Case(_operands(batch, t, s, d, e), {"causal": causal, "scale": 1 / math.sqrt(d)}, rtol=1e-5, atol=1e-5)
        for batch, t, s, d, e, causal in _SHAPES
    ]
    dropped = (*_operands((2,), 7, 9, 4, 4), _key())
    return (*found, Case(dropped, _DROPOUT, rtol=1e-5, atol=1e-5))


def _attention_backward_cases() -> tuple[Case, ...]:
    forward = [(case.inputs, case.attrs) for case in _attention_cases()]
    found = []
    for (q, k, v, *key), attrs in forward:
        out, lse = _attention(q, k, v, *key, **attrs)
        dout = sample(*out.shape, seed=3)
        delta = np.sum(dout * out, axis=-1)
        found.append(Case((q, k, v, dout, lse, delta, *key), attrs, rtol=1e-5, atol=2e-5))
    return tuple(found)


attention: Final = Op(
    "attention",
    infer_attention,
    _attention,
    _attention_vjp,
    Attend(),
    frozenset({"structured"}),
    _attention_cases,
    "(softmax(scale * q @ k^T) @ v, log-sum-exp of the scores); attrs: causal, scale, kernel (it stays one node); "
    "with a key: keep and boost, the dropout of weights",
    batch=_batched(attend),
)

attention_backward: Final = Op(
    "attention_backward",
    infer_attention_backward,
    _attention_backward,
    _attention_backward_vjp,
    Attend(),
    frozenset({"structured"}),
    _attention_backward_cases,
    "(dq, dk, dv) of attention from q, k, v, dout, lse, and delta = sum(dout * out) - dlse; attrs as in attention",
    batch=_batched(attend_backward),
)
