"""Attention and its gradient as ops that a few kernels compute without a T x S tensor in memory.

Nobody writes these ops: `passes.attention` finds the plain NumPy code that they stand for. Without that pass, and on
devices without subgroups, `attend` and `attend_backward` take their place again.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from graphc.errors import ShapeError
from graphc.op import Attend, Case, Op, Traced, apply
from graphc.ops.elementwise import FLOAT, same_dtype
from graphc.ops.samples import sample
from graphc.types import NDArray, TensorType

MAX_HEAD: Final = 128
"""Longest query, key or value that the kernels hold in registers."""


def infer_attention(
    q: TensorType, k: TensorType, v: TensorType, *, causal: bool, scale: float, kernel: bool = False
) -> tuple[TensorType, TensorType]:
    """Types of (out, lse): q [..., T, D], k [..., S, D], v [..., S, E] -> [..., T, E], [..., T].

    Raises ShapeError where these do not fit, where S is 0, and where S < T and causal: a query would see no key.
    Source: arXiv:2205.14135.
    """
    same_dtype((q, k, v), FLOAT)
    if min(q.ndim, k.ndim, v.ndim) < 2 or not q.shape[:-2] == k.shape[:-2] == v.shape[:-2]:
        raise ShapeError(f"q is {q}, k is {k}, v is {v}: need equal leading axes")
    if q.shape[-1] != k.shape[-1] or k.shape[-2] != v.shape[-2]:
        raise ShapeError(f"q is {q}, k is {k}, v is {v}: need [..., T, D], [..., S, D], [..., S, E]")
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
    *,
    causal: bool,
    scale: float,
    kernel: bool = False,
) -> tuple[TensorType, TensorType, TensorType]:
    """Types of the gradients of q, k and v. dout: [..., T, E]; lse, delta: [..., T]. Raises ShapeError."""
    same_dtype((q, k, v, dout, lse, delta), FLOAT)
    out, row = infer_attention(q, k, v, causal=causal, scale=scale)
    if dout != out or lse != row or delta != row:
        raise ShapeError(f"dout is {dout}, lse is {lse}, delta is {delta}: need {out}, {row}, {row}")
    return q, k, v


def attend(q: Traced, k: Traced, v: Traced, *, causal: bool, scale: float) -> tuple[Traced, Traced]:
    """(softmax(scale q k^T) v, log of the sum of exponentials of each row of scores), in plain NumPy.

    causal: query t sees key s where s <= t + S - T. A weight of zero is multiplied with its value all the same.
    """
    scores = _hide(_scores(q, k, scale), causal, _hidden(q))
    top = np.max(scores, axis=-1, keepdims=True)
    weights = np.exp(scores - top)
    total = np.sum(weights, axis=-1, keepdims=True)
    return (weights / total) @ v, (top + np.log(total))[..., 0]


def attend_backward(
    q: Traced, k: Traced, v: Traced, dout: Traced, lse: Traced, delta: Traced, *, causal: bool, scale: float
) -> tuple[Traced, Traced, Traced]:
    """The gradients of q, k and v for the gradient `dout` of the result, in plain NumPy.

    lse: of the forward pass. delta: sum(dout * out) over the last axis, less the gradient of lse.
    """
    weights = _weights(q, k, lse, causal, scale)
    dscores = weights * (dout @ _turned(v) - delta[..., None]) * scale
    return dscores @ k, _turned(dscores) @ q, _turned(weights) @ dout


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
    q: NDArray, k: NDArray, v: NDArray, *, causal: bool, scale: float, kernel: bool = False
) -> tuple[NDArray, ...]:
    found = attend(*map(_wide, (q, k, v)), causal=causal, scale=scale)
    return tuple(np.asarray(x, q.dtype) for x in found)


def _attention_backward(*arrays: NDArray, causal: bool, scale: float, kernel: bool = False) -> tuple[NDArray, ...]:
    found = attend_backward(*map(_wide, arrays), causal=causal, scale=scale)
    return tuple(np.asarray(x, arrays[0].dtype) for x in found)


def _wide(x: NDArray) -> NDArray:
    return x.astype(np.float32) if x.dtype == np.float16 else x


def _attention_vjp(g: Any, out: Any, q: Any, k: Any, v: Any, **attrs: Any) -> tuple[Any, Any, Any]:
    (dout, dlse), (result, lse) = g, out
    delta = np.sum(dout * result, axis=-1) - dlse
    dq, dk, dv = apply(attention_backward, q, k, v, dout, lse, delta, **attrs)
    return dq, dk, dv


def _attention_backward_vjp(
    g: Any, out: Any, *inputs: Any, causal: bool, scale: float, kernel: bool = False
) -> tuple[Any, ...]:
    (gdq, gdk, gdv), (q, k, v, dout, lse, delta) = g, inputs
    weights = _weights(q, k, lse, causal, scale)
    centred = dout @ _turned(v) - delta[..., None]
    dscores = weights * centred * scale
    # to_dscores, to_weights, to_scores: the gradients of what attend_backward computes on its way.
    to_dscores = (gdq @ _turned(k) + q @ _turned(gdk)) * scale
    to_centred = to_dscores * weights
    to_scores = (to_dscores * centred + dout @ _turned(gdv)) * weights
    return (
        dscores @ gdk + (to_scores @ k) * scale,
        _turned(dscores) @ gdq + (_turned(to_scores) @ q) * scale,
        _turned(to_centred) @ dout,
        weights @ gdv + to_centred @ v,
        -np.sum(to_scores, axis=-1),
        -np.sum(to_centred, axis=-1),
    )


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


def _attention_cases() -> tuple[Case, ...]:
    return tuple(
        Case(_operands(batch, t, s, d, e), {"causal": causal, "scale": 1 / math.sqrt(d)}, rtol=1e-5, atol=1e-5)
        for batch, t, s, d, e, causal in _SHAPES
    )


def _attention_backward_cases() -> tuple[Case, ...]:
    found = []
    for batch, t, s, d, e, causal in _SHAPES:
        attrs = {"causal": causal, "scale": 1 / math.sqrt(d)}
        q, k, v = _operands(batch, t, s, d, e)
        dout = sample(*batch, t, e, seed=3)
        out, lse = _attention(q, k, v, causal=causal, scale=attrs["scale"])
        delta = np.sum(dout * out, axis=-1)
        found.append(Case((q, k, v, dout, lse, delta), attrs, rtol=1e-5, atol=2e-5))
    return tuple(found)


attention: Final = Op(
    "attention",
    infer_attention,
    _attention,
    _attention_vjp,
    Attend(),
    frozenset({"structured"}),
    _attention_cases,
    "(softmax(scale * q @ k^T) @ v, log-sum-exp of the scores); attrs: causal, scale, kernel (it stays one node)",
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
)
