"""The programs of the report, each with what PyTorch runs beside it, and the figures that they are held to."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

import graphc
from graphc import nn
from graphc.bench.cases import Adam, Goal, Workload, attend, microgpt_training, normal, training
from graphc.bench.peers import PeerProgram
from graphc.ir.types import NDArray
from graphc.models import gpt


@dataclass(frozen=True, slots=True)
class Row:
    """A program that is measured. make(small): it, with tiny sizes where `small`.

    flops, nbytes: operations (a multiply-add counts as two) and bytes of one step, as the mathematics has them,
    whatever the kernels do: given for PyTorch too. tf32: PyTorch runs it once more with TF32 on. needs: features.
    """

    name: str
    what: str
    make: Callable[[bool], Workload]
    flops: float = 0.0
    nbytes: float = 0.0
    goals: Sequence[Goal] = ()
    tf32: bool = False
    needs: Sequence[str] = field(default_factory=tuple)


def _beside(work: Workload, kind: str, arrays: Mapping[str, NDArray]) -> Workload:
    """The workload with a program of PyTorch's."""
    return replace(work, peer=PeerProgram({"kind": kind}, arrays))


def _matmul(m: int, k: int, n: int, dtype: Any = np.float32) -> Callable[[bool], Workload]:
    def make(small: bool) -> Workload:
        a, b = (normal(16, 32), normal(32, 64)) if small else (normal(m, k), normal(k, n))
        a, b = a.astype(dtype), b.astype(dtype)
        return _beside(Workload(np.matmul, (a, b)), "matmul", {"a": a, "b": b})

    return make


def _linear_gelu(small: bool) -> Workload:
    def layer(x: Any, w: Any, b: Any) -> Any:
        return nn.gelu(nn.linear(x, w, b))

    m, k, n = (16, 32, 64) if small else (4096, 384, 1536)
    x, w, b = normal(m, k), normal(k, n) * np.float32(0.05), normal(n)
    return _beside(Workload(layer, (x, w, b)), "linear_gelu", {"x": x, "w": w, "b": b})


def _rows(fn: Callable[..., Any], kind: str, rows: int, width: int) -> Callable[[bool], Workload]:
    def make(small: bool) -> Workload:
        x = normal(8, 32) if small else normal(rows, width)
        return _beside(Workload(fn, (x,)), kind, {"x": x})

    return make


def _layer_norm(rows: int, width: int) -> Callable[[bool], Workload]:
    def make(small: bool) -> Workload:
        m, n = (8, 32) if small else (rows, width)
        x, gain, bias = normal(m, n), normal(n), normal(n)
        return _beside(Workload(nn.layer_norm, (x, gain, bias)), "layer_norm", {"x": x, "gain": gain, "bias": bias})

    return make


def _cross_entropy(rows: int, width: int) -> Callable[[bool], Workload]:
    def make(small: bool) -> Workload:
        m, n = (8, 32) if small else (rows, width)
        x, labels = normal(m, n), (np.arange(m, dtype=np.int32) * 7) % n

        def both(x: Any, labels: Any) -> Any:
            value, gradient = graphc.value_and_grad(nn.cross_entropy)(x, labels)
            return gradient, value

        return _beside(Workload(both, (x, labels)), "cross_entropy", {"x": x, "labels": labels})

    return make


def _heads(small: bool) -> dict[str, NDArray]:
    shape = (1, 2, 16, 8) if small else (64, 6, 256, 64)
    rng = np.random.default_rng(7)
    return {name: rng.standard_normal(shape, np.float32) * np.float32(0.5) for name in "qkvt"}


def _attention(small: bool) -> Workload:
    heads = _heads(small)
    del heads["t"]
    return _beside(Workload(attend, tuple(heads.values())), "attention", heads)


def _attention_gradient(small: bool) -> Workload:
    def weighed(q: Any, k: Any, v: Any, t: Any) -> Any:
        return np.sum(attend(q, k, v) * t)

    def both(*heads: Any) -> Any:
        value, gradients = graphc.value_and_grad(weighed, argnums=(0, 1, 2))(*heads)
        return *gradients, value

    heads = _heads(small)
    return _beside(Workload(both, tuple(heads.values())), "attention_gradient", heads)


def _scatter(small: bool) -> Workload:
    rows, slots = (300, 1000) if small else (228_146, 6_000_000)
    rng = np.random.default_rng(3)
    ids = rng.integers(0, slots, rows).astype(np.int32)
    updates = rng.uniform(0, 1, rows).astype(np.float32)

    def scatter(table: Any, ids: Any, updates: Any) -> Any:
        return graphc.grad(lambda x: np.sum(x[ids] * updates))(table)

    table = np.zeros(slots, np.float32)
    return _beside(Workload(scatter, (table, ids, updates)), "scatter", {"ids": ids, "updates": updates, "x": table})


def _gpt(small: bool) -> Workload:
    config = gpt.Config(vocab_size=65, dropout=0.0)
    if small:
        config = gpt.Config(vocab_size=8, context=8, width=16, heads=2, layers=1, dropout=0.0)
    return training(gpt, config, 2 if small else 64, Adam(3e-4, weight_decay=0.01))


def _product(name: str, m: int, k: int, n: int, goals: Sequence[Goal] = ()) -> Row:
    nbytes = 4.0 * (m * k + k * n + m * n)
    return Row(name, f"matmul {m}x{k} @ {k}x{n}", _matmul(m, k, n), 2.0 * m * k * n, nbytes, goals, tf32=True)


SHARE: Final = (Goal("of_copy", 0.8),)
"""Rows that move memory reach this part of the measured rate of a copy."""

HALF: Final = (Goal("times_torch", 0.5),)

_ATTENTION: Final = 2.0 * 2 * 64 * 6 * math.comb(256 + 1, 2) * 64
"""Of the scores and the sums that are not masked."""

_STEP: Final = 3.0 * 2 * 64 * 256 * (6 * 12 * 384**2 + 384 * 65) + 3.5 * 6 * _ATTENTION
"""Of the products and the attention of a GPT's step, forward and backward."""

ROWS: Final[tuple[Row, ...]] = (
    _product("matmul-1024", 1024, 1024, 1024),
    _product("matmul-2048", 2048, 2048, 2048),
    _product("matmul-4096", 4096, 4096, 4096, (Goal("tflops", 35), Goal("times_torch", 0.7))),
    Row(
        "matmul-4096-f16",
        "the same of 16-bit floats",
        _matmul(4096, 4096, 4096, np.float16),
        2.0 * 4096**3,
        6.0 * 4096**2,
        needs=("shader-f16",),
    ),
    _product("product", 4096, 384, 1536),
    Row(
        "product-epilogue",
        "the same with bias and gelu",
        _linear_gelu,
        2.0 * 4096 * 384 * 1536,
        4.0 * (4096 * 384 + 384 * 1536 + 4096 * 1536),
        tf32=True,
    ),
    Row("map", "gelu of 128 MiB", _rows(nn.gelu, "gelu", 8192, 4096), 0, 8.0 * 8192 * 4096, SHARE),
    Row("softmax", "softmax 8192x4096", _rows(nn.softmax, "softmax", 8192, 4096), 0, 8.0 * 8192 * 4096, SHARE),
    Row("softmax-256", "softmax 98304x256", _rows(nn.softmax, "softmax", 98304, 256), 0, 8.0 * 98304 * 256, SHARE),
    Row("layer-norm", "layer norm 65536x384", _layer_norm(65536, 384), 0, 8.0 * 65536 * 384, SHARE),
    Row("layer-norm-gpt", "layer norm 16384x384", _layer_norm(16384, 384), 0, 8.0 * 16384 * 384),
    Row(
        "cross-entropy",
        "cross-entropy forward and backward 16384x1024",
        _cross_entropy(16384, 1024),
        0,
        8.0 * 16384 * 1024,
    ),
    Row("attention", "causal attention (64,6,256,64)", _attention, _ATTENTION, 16.0 * 64 * 6 * 256 * 64, HALF),
    Row(
        "attention-gradient",
        "the same forward and backward",
        _attention_gradient,
        3.5 * _ATTENTION,
        28.0 * 64 * 6 * 256 * 64,
        HALF,
    ),
    Row("scatter", "228,146 rows added into 6,000,000 slots", _scatter, 0, 4.0 * (6e6 + 2 * 228_146)),
    Row(
        "gpt",
        "GPT training step, 384 wide, 6 heads, 6 layers, context 256, batch 64",
        _gpt,
        _STEP,
        0,
        (Goal("milliseconds", 45, at_least=False), Goal("times_torch", 0.5), Goal("recipe_s", 300, at_least=False)),
        tf32=True,
    ),
    Row("microgpt", "microGPT training, one name a step", microgpt_training(1), goals=(Goal("per_second", 3000),)),
)
