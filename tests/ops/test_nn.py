"""Building blocks: against formulas in float64, traced against eager, gradients against finite differences."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import nn, random
from graphc.autodiff.reverse import differentiate
from graphc.errors import ArgumentError, DTypeError, IndexRangeError, ShapeError
from graphc.ir.graph import evaluate
from graphc.tracing.trace import trace
from tests.support.layers import check, check_gradients, normal, traced

Array = Any


def softmax64(x: Array, axis: int = -1) -> Array:
    e = np.exp(x)
    return e / e.sum(axis=axis, keepdims=True)


X = normal(4, 5)
PHI = np.vectorize(lambda t: 0.5 * (1 + math.erf(t / math.sqrt(2))))


@pytest.mark.parametrize(
    ("fn", "want"),
    [
        (nn.relu, (np.abs(X) + X) / 2),
        (nn.sigmoid, 1 / (1 + np.exp(-X))),
        (nn.silu, X / (1 + np.exp(-X))),
        (nn.gelu, X * PHI(X)),
        (nn.softmax, softmax64(X)),
        (nn.log_softmax, np.log(softmax64(X))),
        (nn.softplus, np.log(1 + np.exp(X))),
    ],
    ids=["relu", "sigmoid", "silu", "gelu", "softmax", "log_softmax", "softplus"],
)
def test_activations(fn: Callable[[Array], Array], want: Array) -> None:
    check(fn, want, X)


def test_gated_units() -> None:
    gate, up = normal(4, 3), normal(4, 3, seed=1)
    check(nn.swiglu, gate / (1 + np.exp(-gate)) * up, gate, up)
    check(nn.geglu, gate * PHI(gate) * up, gate, up)
    check(nn.swiglu, gate / (1 + np.exp(-gate)) * up, np.concatenate([gate, up], -1))
    check(lambda x: nn.geglu(x, axis=0), gate * PHI(gate) * up, np.concatenate([gate, up], 0))
    with pytest.raises(ShapeError, match=r"swiglu: gate has shape \(4, 5\): axis -1 has to be one of an even length"):
        nn.swiglu(X)
    with pytest.raises(ShapeError, match=r"geglu: gate has shape \(4, 3\) and up \(3,\): need the same"):
        nn.geglu(gate, up[0])


def test_gelu_approximation_is_close() -> None:
    np.testing.assert_allclose(nn.gelu(X, approximate=True), nn.gelu(X), atol=1e-3)
    assert not np.allclose(nn.gelu(X, approximate=True), nn.gelu(X), atol=1e-6)
    check_gradients(lambda x: nn.gelu(x, approximate=True), X)


def test_relu_keeps_nan_and_has_gradient_zero_at_zero() -> None:
    x = np.array([np.nan, -1.0, 0.0, 2.0, -np.inf, np.inf], np.float32)
    want = np.array([np.nan, 0, 0, 2, 0, np.inf], np.float32)
    np.testing.assert_array_equal(nn.relu(x), want)
    (value, grad) = evaluate(differentiate(trace(lambda x: np.sum(nn.relu(x)), x[1:4]), [0]), [x[1:4]])
    assert (float(value), grad.tolist()) == (2, [0, 0, 1])


def test_functions_take_lists_and_numbers() -> None:
    assert nn.relu([-1.0, 2.0]).tolist() == [0, 2]
    assert float(nn.sigmoid(0.0)) == 0.5


@pytest.mark.parametrize("axis", [0, 1, -1, -2])
def test_softmax_over_any_axis(axis: int) -> None:
    check(lambda x: nn.softmax(x, axis), softmax64(X, axis), X)
    check(lambda x: nn.log_softmax(x, axis), np.log(softmax64(X, axis)), X)


@pytest.mark.parametrize("shape", [(3, 0), (0, 3), (0, 0)])
def test_softmax_of_no_elements(shape: tuple[int, ...]) -> None:
    x = np.zeros(shape, np.float32)
    for function in (nn.softmax, nn.log_softmax):
        assert function(x).shape == shape
        program = graphc.compile(graphc.grad(lambda x, function=function: np.sum(function(x))), device="numpy")
        assert np.asarray(program(x)).shape == shape


def test_softmax_of_large_numbers() -> None:
    x = np.array([[1000.0, 0.0], [-1000.0, -1001.0]])
    np.testing.assert_allclose(nn.softmax(x), [[1, 0], softmax64(np.array([1.0, 0.0]))])
    np.testing.assert_allclose(nn.log_softmax(x)[0], [0, -1000])
    assert np.isnan(nn.softmax(np.array([1.0, np.nan]))).all()


LABELS = np.array([[1, 4, 0], [2, 2, 3]], np.int32)
LOGITS = normal(2, 3, 5)
NLL = -np.log(softmax64(LOGITS))[np.arange(2)[:, None], np.arange(3), LABELS]


def test_cross_entropy() -> None:
    check(nn.cross_entropy, NLL.mean(), LOGITS, LABELS)
    mask = np.array([[1, 0, 1], [0, 1, 1]], bool)
    check(lambda x, y: nn.cross_entropy(x, y, mask=mask), NLL[mask].mean(), LOGITS, LABELS)
    check(nn.cross_entropy, NLL[0, 0], LOGITS[0, 0], LABELS[0, 0])


def test_cross_entropy_names_what_does_not_fit() -> None:
    with pytest.raises(ShapeError, match=r"logits have shape \(2, 3, 5\) and labels \(2,\)"):
        nn.cross_entropy(LOGITS, LABELS[:, 0])
    with pytest.raises(DTypeError, match="labels must be integers, got float64"):
        nn.cross_entropy(LOGITS, LABELS.astype(float))
    for wrong in (-1, 5):
        with pytest.raises(IndexRangeError, match=f"label {wrong} is out of range: need 0 <= label < 5"):
            nn.cross_entropy(LOGITS, np.where(LABELS == 4, wrong, LABELS))
    with pytest.raises(ShapeError, match="labels"):
        trace(nn.cross_entropy, LOGITS, LABELS[:, 0])


def target_of(labels: np.ndarray, classes: int, smoothing: float) -> np.ndarray:
    """The distribution that a label stands for; of a label that is none, no matter what."""
    one = np.eye(classes)[np.clip(labels, 0, classes - 1)]
    return np.asarray(one * (1 - smoothing) + smoothing / classes)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_cross_entropy_reductions_ignored_labels_and_smoothing(reduction: str, smoothing: float) -> None:
    logs = np.log(softmax64(LOGITS))
    for ignored, mask in ((None, None), (-100, None), (2, None), (-1, np.array([[1, 0, 1], [1, 1, 0]], bool))):
        labels = LABELS if ignored is None or ignored == 2 else np.where(LABELS == 4, ignored, LABELS)
        kept = np.ones(labels.shape) if mask is None else mask.astype(float)
        kept = kept * (labels != ignored) if ignored is not None else kept
        losses = -(target_of(labels, 5, smoothing) * logs).sum(-1) * kept
        want = {"none": losses, "sum": losses.sum(), "mean": losses.sum() / kept.sum()}[reduction]

        def loss(x: Any, y: Any, ignored: Any = ignored, mask: Any = mask) -> Any:
            options = {"reduction": reduction, "ignore_index": ignored, "label_smoothing": smoothing}
            return nn.cross_entropy(x, y, mask, **options)

        check(loss, want, LOGITS, labels)


@pytest.mark.parametrize("nothing", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_what_is_left_out_may_hold_anything_and_has_no_gradient(reduction: str, nothing: float) -> None:
    logits, labels = LOGITS.reshape(6, 5).astype(np.float32), LABELS.reshape(6)
    kept = np.array([1, 0, 1, 1, 0, 1], bool)
    bad, marked = np.where(kept[:, None], logits, nothing).astype(np.float32), np.where(kept, labels, -7)

    def total(x: Any, y: Any, **options: Any) -> Any:
        return np.sum(nn.cross_entropy(x, y, reduction=reduction, label_smoothing=0.2, **options))

    ways: list[tuple[Any, tuple[Any, ...]]] = [
        (lambda x, y: total(x, y, ignore_index=-7), (bad, marked)),
        (lambda x, y: total(x, y, mask=y >= 0), (bad, marked)),
        (lambda x, y, m: total(x, y, mask=m), (bad, marked, kept.astype(np.float32))),
    ]
    value, grad = graphc.compile(graphc.value_and_grad(total), device="numpy")(logits[kept], labels[kept])
    for fn, arguments in ways:
        for options in ({"device": "numpy"}, {"device": "wgpu"}, {"device": "wgpu", "passes": ()}):
            got, slope = graphc.compile(graphc.value_and_grad(fn), **options)(*arguments)
            np.testing.assert_allclose(float(got), float(value), rtol=1e-5)
            np.testing.assert_allclose(np.asarray(slope)[kept], grad, rtol=1e-4, atol=1e-6)
            np.testing.assert_array_equal(np.asarray(slope)[~kept], 0)


def test_a_mean_over_nothing_is_nan_as_in_torch() -> None:
    none = np.full(LABELS.shape, -100, np.int32)
    loss = graphc.compile(lambda x, y: nn.cross_entropy(x, y, ignore_index=-100), device="numpy")
    assert np.isnan(float(loss(LOGITS.astype(np.float32), none)))
    assert nn.cross_entropy(LOGITS, none, ignore_index=-100, reduction="sum") == 0


def test_cross_entropy_names_options_that_there_are_not() -> None:
    with pytest.raises(ValueError, match="reduction is 'max': need 'mean', 'sum' or 'none'"):
        nn.cross_entropy(LOGITS, LABELS, reduction="max")
    with pytest.raises(ValueError, match=r"label_smoothing is 1\.5: need 0 <= label_smoothing <= 1"):
        nn.cross_entropy(LOGITS, LABELS, label_smoothing=1.5)
    with pytest.raises(IndexRangeError, match="label -1 is out of range: need 0 <= label < 5"):
        nn.cross_entropy(LOGITS, np.where(LABELS == 4, -1, LABELS), ignore_index=-100)


def test_one_hot() -> None:
    assert nn.one_hot(np.array([[1], [3]]), 3).tolist() == [[[0, 1, 0]], [[0, 0, 0]]]
    assert nn.one_hot(np.array([0]), 2, np.int32).dtype == np.int32
    (got,) = traced(lambda i: nn.one_hot(i, 3), np.array([2, 0], np.int32))
    assert got.tolist() == [[0, 0, 1], [1, 0, 0]]


def test_linear() -> None:
    x, w, b = normal(2, 3, 4), normal(4, 5, seed=1), normal(5, seed=2)
    check(nn.linear, np.einsum("abi,io->abo", x, w), x, w)
    check(nn.linear, np.einsum("abi,io->abo", x, w) + b, x, w, b)
    with pytest.raises(ShapeError, match=r"x has shape \(2, 3, 4\) and weight \(5, 4\)"):
        nn.linear(x, w.T)
    with pytest.raises(ShapeError, match="bias"):
        nn.linear(x, w, b[:1])


def test_embedding() -> None:
    table, ids = normal(7, 3), np.array([[0, 6], [2, 2]], np.int32)
    check(nn.embedding, table[ids], table, ids)
    with pytest.raises(IndexRangeError, match="embedding: id 7 is out of range: need 0 <= id < 7"):
        nn.embedding(table, np.array([7]))
    with pytest.raises(DTypeError, match="integers"):
        nn.embedding(table, np.array([1.0]))


def test_norms() -> None:
    x, gain, bias = normal(2, 3, 6, scale=3), normal(6, seed=1), normal(6, seed=2)
    mean, var = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    check(nn.layer_norm, (x - mean) / np.sqrt(var + 1e-5) * gain + bias, x, gain, bias)
    check(lambda x: nn.layer_norm(x, eps=0.1), (x - mean) / np.sqrt(var + 0.1), x)
    root = np.sqrt((x * x).mean(-1, keepdims=True) + 1e-5)
    check(nn.rms_norm, x / root * gain, x, gain)
    check(nn.rms_norm, x / root, x)


def test_layer_norm_of_numbers_far_from_zero() -> None:
    x = normal(3, 64) + 1e3
    (got,) = traced(nn.layer_norm, x)
    rounded = x.astype(np.float32).astype(np.float64)
    want = (rounded - rounded.mean(-1, keepdims=True)) / np.sqrt(rounded.var(-1, keepdims=True) + 1e-5)
    np.testing.assert_allclose(got, want, atol=2e-4)


def test_batch_norm() -> None:
    x, gain, bias = normal(2, 3, 4, scale=2), normal(4, seed=1), normal(4, seed=2)
    mean, var = normal(4, seed=3), normal(4, seed=4) ** 2
    rows = x.reshape(6, 4)
    y, (new_mean, new_var) = nn.batch_norm(x, gain, bias, mean, var, train=True)
    want = (x - rows.mean(0)) / np.sqrt(rows.var(0) + 1e-5) * gain + bias
    np.testing.assert_allclose(y, want, rtol=1e-10)
    np.testing.assert_allclose(new_mean, 0.9 * mean + 0.1 * rows.mean(0), rtol=1e-12)
    np.testing.assert_allclose(new_var, 0.9 * var + 0.1 * rows.var(0, ddof=1), rtol=1e-12)
    check(lambda x, g, b: nn.batch_norm(x, g, b, np.zeros(4), np.ones(4), train=True)[0], want, x, gain, bias)
    y, same = nn.batch_norm(x, gain, bias, mean, var, train=False)
    np.testing.assert_allclose(y, (x - mean) / np.sqrt(var + 1e-5) * gain + bias, rtol=1e-10)
    assert same[0] is mean
    assert same[1] is var
    with pytest.raises(ShapeError, match="two rows"):
        nn.batch_norm(x[:1, 0], gain, bias, mean, var, train=True)


def test_norms_of_channels() -> None:
    x, gain, bias = normal(2, 4, 3, 2, scale=3), normal(4, seed=1), normal(4, seed=2)
    for groups in (1, 2, 4):
        want = np.empty_like(x)
        for n, c in np.ndindex(2, 4):
            size = 4 // groups
            group = x[n, c // size * size : (c // size + 1) * size]
            want[n, c] = (x[n, c] - group.mean()) / np.sqrt(group.var() + 1e-5) * gain[c] + bias[c]
        check(lambda x, g, b, groups=groups: nn.group_norm(x, groups, g, b), want, x, gain, bias)
    check(nn.instance_norm, want, x, gain, bias)
    plain = nn.group_norm(x[:, :, 0, 0], 2)
    np.testing.assert_allclose(np.abs(plain), 1, rtol=1e-3)
    with pytest.raises(ArgumentError, match="group_norm: groups is 3: need a number that divides 4 channels"):
        nn.group_norm(x, 3)
    with pytest.raises(ShapeError, match=r"group_norm: gain has shape \(2,\): need \(4,\), a number for each channel"):
        nn.group_norm(x, 2, gain[:2])
    with pytest.raises(ShapeError, match=r"instance_norm: .* two elements of space"):
        nn.instance_norm(x[:, :, :1, :1])


def test_norms_of_channels_are_mapped_and_have_gradients_of_examples() -> None:
    x = normal(3, 2, 4, 5).astype(np.float32)
    weights = np.sin(np.arange(4 * 5, dtype=np.float32)).reshape(4, 5)

    def example(x: Array) -> Array:
        return np.sum(nn.group_norm(x, 2) * weights) + np.sum(nn.swiglu(nn.instance_norm(x), axis=1) ** 3)

    got = graphc.compile(graphc.vmap(graphc.grad(example)), device="numpy")(x)
    for one, slope in zip(x, np.asarray(got), strict=True):
        want = graphc.compile(graphc.grad(example), device="numpy")(one)
        np.testing.assert_allclose(slope, want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("train", [False, True])
def test_batch_norm_of_channels_that_are_not_last(train: bool) -> None:
    x, gain, bias, mean, var = normal(2, 3, 4, 2), *(np.exp(normal(3, seed=i)) for i in range(4))
    y, stats = nn.batch_norm(x, gain, bias, mean, var, train=train, axis=1)
    want, moved = nn.batch_norm(np.moveaxis(x, 1, -1), gain, bias, mean, var, train=train)
    np.testing.assert_allclose(y, np.moveaxis(want, -1, 1), rtol=1e-10)
    np.testing.assert_allclose(stats, moved, rtol=1e-10)
    check(lambda x, g, b: nn.batch_norm(x, g, b, mean, var, train=train, axis=1)[0], y, x, gain, bias, rtol=1e-5)
    with pytest.raises(ShapeError, match="there is no axis 4"):
        nn.batch_norm(x, gain, bias, mean, var, train=train, axis=4)


def attention64(q: Array, k: Array, v: Array, seen: Array, scale: float) -> Array:
    """One query at a time, over the keys it may see only."""
    out = np.zeros((*q.shape[:-1], v.shape[-1]))
    for index in np.ndindex(q.shape[:-1]):
        *lead, row = index
        keys = np.flatnonzero(seen[row])
        weights = softmax64(scale * (k[*lead][keys] @ q[index]))
        out[index] = weights @ v[*lead][keys]
    return out


@pytest.mark.parametrize(("queries", "keys"), [(4, 4), (1, 5), (3, 5), (1, 1)])
@pytest.mark.parametrize("causal", [False, True])
def test_attention(queries: int, keys: int, causal: bool) -> None:
    q, k, v = normal(2, queries, 3), normal(2, keys, 3, seed=1), normal(2, keys, 4, seed=2)
    seen = np.ones((queries, keys), bool)
    if causal:
        seen = np.arange(keys)[None] <= np.arange(queries)[:, None] + keys - queries
        assert (nn.causal_mask(queries, keys) == seen).all()
    want = attention64(q, k, v, seen, 3**-0.5)
    check(lambda q, k, v: nn.attention(q, k, v, causal=causal), want, q, k, v)


def test_attention_with_a_mask_and_a_scale() -> None:
    q, k, v = normal(2, 3, 4), normal(2, 3, 4, seed=1), normal(2, 3, 4, seed=2)
    seen = np.array([[1, 0, 1], [0, 1, 0], [1, 1, 0]], bool)
    check(lambda q, k, v: nn.attention(q, k, v, scale=0.3, mask=seen), attention64(q, k, v, seen, 0.3), q, k, v)
    nothing = nn.attention(q, k, v, mask=np.zeros((3, 3), bool))
    np.testing.assert_allclose(nothing, np.broadcast_to(v.mean(-2, keepdims=True), v.shape))
    with pytest.raises(ShapeError, match="attention: q has shape"):
        nn.attention(q, k[..., :2], v)


def test_functions_take_arrays_of_a_device() -> None:
    x, labels = X.astype(np.float32), np.array([1, 2, 3, 0], np.int32)
    calls: list[Callable[[Any, Any], Any]] = [
        lambda x, y: nn.cross_entropy(nn.gelu(x), y),
        lambda x, y: nn.attention(x, nn.layer_norm(x), nn.softmax(x), causal=True),
        lambda x, y: nn.linear(nn.rms_norm(x), np.transpose(x)),
        lambda x, y: nn.embedding(x, y),
        lambda x, y: nn.one_hot(y, 5),
        lambda x, y: random.categorical(random.key(0), x),
    ]
    for call in calls:
        got = call(graphc.asarray(x, device="numpy"), graphc.asarray(labels, device="numpy"))
        np.testing.assert_allclose(got, call(x, labels), rtol=1e-6)


def test_dropout() -> None:
    key, x = random.key(1), np.full((100, 100), 2.0, np.float32)
    y = nn.dropout(key, x, 0.25)
    assert set(np.unique(y)) == {np.float32(0), np.float32(2 / 0.75)}
    assert abs((y == 0).mean() - 0.25) < 0.02
    assert nn.dropout(key, x, 0) is x
    (same,) = traced(lambda k, x: nn.dropout(k, x, 0.25), key, x)
    np.testing.assert_array_equal(same, y)
    with pytest.raises(ValueError, match="rate is 1"):
        nn.dropout(key, x, 1)


@pytest.mark.parametrize(
    "draw",
    [
        lambda k: random.bits(k, (3, 5)),
        lambda k: random.split(k, 3),
        lambda k: random.fold_in(k, 7),
        lambda k: random.uniform(k, (7,), -1, 1),
        lambda k: random.normal(k, (7,)),
        lambda k: random.randint(k, (50,), -5, 100_000),
        lambda k: random.bernoulli(k, 0.5, (20,)),
        lambda k: random.categorical(k, normal(6, 4).astype(np.float32)),
    ],
    ids=["bits", "split", "fold_in", "uniform", "normal", "randint", "bernoulli", "categorical"],
)
def test_random_numbers_are_the_same_traced(draw: Callable[[Array], Array]) -> None:
    key = random.key(5)
    got, want = traced(draw, key)[0], draw(key)
    assert got.dtype == want.dtype
    if want.dtype == np.float32:
        np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-6)
    else:
        np.testing.assert_array_equal(got, want)


def test_fold_in_of_a_traced_step() -> None:
    key = random.key(5)
    (got,) = traced(lambda k, n: random.fold_in(k, n), key, np.array(9, np.int32))
    assert got.tolist() == random.fold_in(key, 9).tolist()
