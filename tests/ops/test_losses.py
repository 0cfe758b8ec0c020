"""Losses against formulas of one element or row at a time, in float64, and their gradients against differences."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import nn, tree
from graphc.errors import ArgumentError, DTypeError, IndexRangeError, ShapeError
from tests.support.layers import check, normal

Array = Any
Loss = Callable[..., Any]

X, Y = normal(3, 4, scale=1.5), normal(3, 4, seed=1)
SIDES = np.where(normal(3, 4, seed=2) > 0, 1.0, -1.0)
PROBABLE = 1 / (1 + np.exp(-Y))
COUNTS = np.floor(np.abs(normal(3, 4, seed=3, scale=3)))
VAR = np.abs(normal(3, 4, seed=4)) + 0.1


def cosine(a: Array, b: Array) -> float:
    return float(a @ b / math.sqrt(a @ a) / math.sqrt(b @ b))


def huber(d: float, delta: float) -> float:
    return d * d / 2 if abs(d) <= delta else delta * (abs(d) - delta / 2)


def stirling(n: float) -> float:
    return n * math.log(n) - n + math.log(2 * math.pi * n) / 2 if n > 1 else 0.0


def gauss(x: float, t: float, v: float) -> float:
    return -math.log(math.exp(-((x - t) ** 2) / (2 * v)) / math.sqrt(2 * math.pi * v))


def binary(p: float, t: float) -> float:
    return -t * math.log(p) - (1 - t) * math.log(1 - p)


def apart(a: Array, b: Array, p: float) -> float:
    return float(np.linalg.norm(a - b + 1e-6, p))


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


ELEMENTS: dict[str, tuple[Loss, Callable[..., float], tuple[Array, ...]]] = {
    "mse": (nn.mse_loss, lambda x, t: (x - t) ** 2, (X, Y)),
    "l1": (nn.l1_loss, lambda x, t: abs(x - t), (X, Y)),
    "huber": (partial(nn.huber_loss, delta=0.7), lambda x, t: huber(x - t, 0.7), (X, Y)),
    "smooth l1": (partial(nn.smooth_l1_loss, beta=0.7), lambda x, t: huber(x - t, 0.7) / 0.7, (X, Y)),
    "smooth l1 of 0": (partial(nn.smooth_l1_loss, beta=0), lambda x, t: abs(x - t), (X, Y)),
    "soft margin": (nn.soft_margin_loss, lambda x, t: math.log1p(math.exp(-t * x)), (X, SIDES)),
    "hinge": (nn.hinge_embedding_loss, lambda x, t: x if t > 0 else max(0, 1 - x), (X, SIDES)),
    "ranking": (
        partial(nn.margin_ranking_loss, margin=0.3),
        lambda a, b, t: max(0, 0.3 - t * (a - b)),
        (X, Y, SIDES),
    ),
    "gaussian": (partial(nn.gaussian_nll_loss, full=True), gauss, (X, Y, VAR)),
    "poisson": (nn.poisson_nll_loss, lambda x, t: math.exp(x) - t * x, (X, COUNTS)),
    "poisson of rates": (
        partial(nn.poisson_nll_loss, log_input=False, full=True),
        lambda x, t: x - t * math.log(x + 1e-8) + stirling(t),
        (VAR, COUNTS + 0.25),  # 1 is where Stirling's approximation begins
    ),
    "binary": (nn.binary_cross_entropy, binary, (1 / (1 + np.exp(-X)), PROBABLE)),
    "binary of logits": (
        nn.binary_cross_entropy_with_logits,
        lambda x, t: binary(sigmoid(x), t),
        (X, PROBABLE),
    ),
    "binary of logits, weighted": (
        partial(nn.binary_cross_entropy_with_logits, pos_weight=2.5),
        lambda x, t: -2.5 * t * math.log(sigmoid(x)) - (1 - t) * math.log(sigmoid(-x)),
        (X, PROBABLE),
    ),
    "divergence": (nn.kl_div, lambda x, t: t * (math.log(t) - x), (X, PROBABLE)),
    "divergence of logarithms": (
        partial(nn.kl_div, log_target=True),
        lambda x, t: math.exp(t) * (t - x),
        (X, Y),
    ),
}
ROWS: dict[str, tuple[Loss, Callable[..., float], tuple[Array, ...]]] = {
    "cosine": (
        partial(nn.cosine_embedding_loss, margin=0.1),
        lambda a, b, t: 1 - cosine(a, b) if t > 0 else max(0, cosine(a, b) - 0.1),
        (X, Y, SIDES[:, 0]),
    ),
    "triplet": (
        nn.triplet_margin_loss,
        lambda a, b, c: max(0, apart(a, b, 2) - apart(a, c, 2) + 1),
        (X, Y, VAR),
    ),
    "triplet, swapped": (
        partial(nn.triplet_margin_loss, p=3, margin=2.0, swap=True),
        lambda a, b, c: max(0, apart(a, b, 3) - min(apart(a, c, 3), apart(b, c, 3)) + 2),
        (X, Y, VAR),
    ),
}
LOSSES = ELEMENTS | ROWS


def each_of(name: str) -> Array:
    """The losses by the formula."""
    _, formula, given = LOSSES[name]
    if name in ELEMENTS:
        return np.array([formula(*map(float, one)) for one in zip(*(x.ravel() for x in given), strict=True)]).reshape(
            X.shape
        )
    return np.array([formula(*one) for one in zip(*given, strict=True)])


@pytest.mark.parametrize("name", LOSSES)
def test_losses_and_their_gradients(name: str) -> None:
    loss, _, given = LOSSES[name]
    want = each_of(name)
    signs = given[-1] is SIDES or name == "cosine"  # not numbers that move
    check(
        (lambda *a: loss(*a, given[-1], reduction="none")) if signs else partial(loss, reduction="none"),
        want,
        *(given[:-1] if signs else given),
        rtol=2e-5,
        atol=2e-5,
    )
    np.testing.assert_allclose(loss(*given), want.mean(), rtol=1e-9)
    np.testing.assert_allclose(loss(*given, reduction="sum"), want.sum(), rtol=1e-9)
    weights = np.resize([2.0, 0.0, 0.5], want.shape)
    weighted = loss(*given, weights)
    np.testing.assert_allclose(weighted, (want * weights).sum() / weights.sum(), rtol=1e-9)


def test_losses_on_a_device_leave_out_what_is_masked() -> None:
    given = tree.map(lambda x: x.astype(np.float32), {name: LOSSES[name][2] for name in LOSSES})
    mask = {name: np.resize([True, False, True, True, True], each_of(name).shape) for name in LOSSES}

    def hidden(name: str) -> tuple[Array, ...]:
        """The operands with NaN where the mask is False."""
        shown = [mask[name][..., None] if x.ndim > mask[name].ndim else mask[name] for x in given[name]]
        return tuple(np.where(s, x, np.nan).astype(np.float32) for s, x in zip(shown, given[name], strict=True))

    def total(first: dict[str, Array], rest: dict[str, Any]) -> Any:
        values = {name: LOSSES[name][0](first[name], *rest[name], mask[name], reduction="sum") for name in first}
        return sum(values.values()), values

    bad = {name: hidden(name) for name in LOSSES}
    first, rest = {name: bad[name][0] for name in bad}, {name: bad[name][1:] for name in bad}
    results: dict[str, Array] = {}
    for way in ("numpy", "wgpu"):
        step = graphc.compile(graphc.value_and_grad(total, has_aux=True), device=way)
        (_, values), slopes = step(first, rest)
        for name, value in values.items():
            np.testing.assert_allclose(float(value), each_of(name)[mask[name]].sum(), rtol=2e-5, err_msg=name)
            shown = mask[name][..., None] if name in ROWS else mask[name]
            slope = np.asarray(slopes[name])
            np.testing.assert_array_equal(np.where(shown, 0, slope), 0, err_msg=name)
            results.setdefault(name, slope)
            np.testing.assert_allclose(slope, results[name], rtol=1e-4, atol=1e-5, err_msg=f"{name} {way}")


def test_losses_are_mapped_and_have_derivatives_forward() -> None:
    given = {name: tuple(x.astype(np.float32) for x in LOSSES[name][2]) for name in LOSSES}
    first, rest = {name: x[0] for name, x in given.items()}, {name: x[1:] for name, x in given.items()}
    along = tree.map(lambda x: np.cos(np.arange(x.size, dtype=np.float32)).reshape(x.shape), first)

    def each(first: dict[str, Array], rest: dict[str, Any]) -> dict[str, Any]:
        return {name: LOSSES[name][0](first[name], *rest[name], reduction="none") for name in first}

    def total(first: dict[str, Array]) -> Any:
        return sum(np.sum(x) for x in each(first, rest).values())

    def program(first: dict[str, Array], along: dict[str, Array]) -> Any:
        return graphc.vmap(each)(first, rest), graphc.jvp(total, (first,), (along,))[1], graphc.grad(total)(first)

    mapped, forward, slopes = graphc.compile(program, device="numpy")(first, along)
    for name, losses in mapped.items():
        np.testing.assert_allclose(np.asarray(losses), each_of(name), rtol=2e-5, atol=2e-6, err_msg=name)
    want = sum(float(np.sum(np.asarray(slopes[name]) * along[name])) for name in slopes)
    assert math.isclose(float(forward), want, rel_tol=1e-4)


LOGITS = normal(2, 3, 5)
LABELS = np.array([[1, 4, 0], [2, 2, 3]], np.int32)
LOGS = LOGITS - np.log(np.exp(LOGITS).sum(-1, keepdims=True))
CLASSES = np.array([0.5, 2.0, 1.0, 0.0, 3.0])


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_cross_entropy_of_weighted_classes(reduction: str, smoothing: float) -> None:
    kept = (LABELS != 2).astype(float)
    losses = np.zeros(LABELS.shape)
    for at in np.ndindex(LABELS.shape):
        target = np.full(5, smoothing / 5)
        target[LABELS[at]] += 1 - smoothing
        losses[at] = -(target * CLASSES * LOGS[at]).sum() * kept[at]
    counts = CLASSES[LABELS] * kept
    want = {"none": losses, "sum": losses.sum(), "mean": losses.sum() / counts.sum()}[reduction]

    def loss(x: Any, y: Any, w: Any) -> Any:
        return nn.cross_entropy(x, y, reduction=reduction, label_smoothing=smoothing, ignore_index=2, weight=w)

    check(loss, want, LOGITS, LABELS, CLASSES)
    if not smoothing:
        check(
            lambda x, y, w: nn.nll_loss(x, y, reduction=reduction, ignore_index=2, weight=w),
            want,
            LOGS,
            LABELS,
            CLASSES,
        )


def test_cross_entropy_of_probabilities() -> None:
    target = np.exp(normal(2, 3, 5, seed=8))
    target /= target.sum(-1, keepdims=True)
    smooth = 0.8 * target + 0.2 / 5
    mask = np.array([[1, 0, 1], [1, 1, 0]], bool)
    check(nn.cross_entropy, -(target * LOGS).sum(-1).mean(), LOGITS, target)
    check(
        lambda x, t, w: nn.cross_entropy(x, t, mask, label_smoothing=0.2, weight=w),
        -(smooth * CLASSES * LOGS).sum(-1)[mask].mean(),
        LOGITS,
        target,
        CLASSES,
    )
    hard = np.eye(5)[LABELS]
    np.testing.assert_allclose(nn.cross_entropy(LOGITS, hard), nn.cross_entropy(LOGITS, LABELS))
    with pytest.raises(ArgumentError, match="leave out probabilities by mask="):
        nn.cross_entropy(LOGITS, hard, ignore_index=0)


def test_nll_loss_is_what_cross_entropy_is_of_a_log_softmax() -> None:
    mask = np.array([[1, 0, 1], [0.5, 1, 0]])
    check(lambda x, y: nn.nll_loss(x, y, mask), nn.cross_entropy(LOGITS, LABELS, mask), LOGS, LABELS)
    with pytest.raises(IndexRangeError, match="nll_loss: label 5 is out of range"):
        nn.nll_loss(LOGS, LABELS + 1)
    with pytest.raises(ShapeError, match="nll_loss: logs have shape"):
        nn.nll_loss(LOGS, LABELS[0])
    with pytest.raises(ShapeError, match=r"weight has shape \(4,\), and there are 5 classes"):
        nn.nll_loss(LOGS, LABELS, weight=CLASSES[:4])


def test_divergence_of_what_is_never_and_a_mean_over_examples() -> None:
    target = np.array([[0.0, 1.0], [0.5, 0.5]])
    want = 0.0 - LOGS[0, 0, 1] + 0.5 * (2 * math.log(0.5) - LOGS[0, 1, 0] - LOGS[0, 1, 1])
    logs = LOGS[0, :2, :2]
    check(lambda x: nn.kl_div(x, target, reduction="batchmean"), want / 2, logs)


def test_losses_at_the_ends_of_the_range() -> None:
    x, t = np.array([0.0, 1.0, 0.0, 1.0], np.float32), np.array([0.0, 1.0, 1.0, 0.0], np.float32)
    loss = graphc.compile(
        graphc.value_and_grad(lambda x: nn.binary_cross_entropy(x, t, reduction="sum")), device="numpy"
    )
    value, slope = loss(x)
    assert float(value) == 200
    assert np.asarray(slope)[:2].tolist() == [0, 0]
    assert (np.sign(slope)[2:] == [-1, 1]).all()
    far = np.array([200.0, -200.0, 0.0], np.float32)
    assert nn.binary_cross_entropy_with_logits(far, 0.0, reduction="none").tolist()[:2] == [200, 0]
    grad = graphc.grad(lambda x: nn.binary_cross_entropy_with_logits(x, 0.0, reduction="sum"))
    np.testing.assert_allclose(np.asarray(grad(far)), [1, 0, 0.5])
    zero = graphc.grad(lambda x: np.sum(nn.cosine_similarity(x, np.ones((2, 3), np.float32))))
    assert np.isfinite(zero(np.zeros((2, 3), np.float32))).all()
    low = graphc.grad(lambda v: nn.gaussian_nll_loss(np.ones(1, np.float32), 0.0, v))
    np.testing.assert_allclose(low(np.zeros(1, np.float32)), 0.5 * (1e6 - 1e12), rtol=1e-5)
    half = np.full(3, 300, np.float16)
    assert nn.mse_loss(half, np.float16(100)).dtype == np.float16
    assert nn.mse_loss(half, np.float16(100)) == 40000


def test_cosine_similarity_along_an_axis() -> None:
    want = np.array([cosine(X[:, i], Y[:, i]) for i in range(4)])
    check(lambda a, b: nn.cosine_similarity(a, b, axis=0), want, X, Y)
    np.testing.assert_allclose(nn.cosine_similarity(X[:, None], Y)[2, 1], cosine(X[2], Y[1]))


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda: nn.mse_loss(X, X[:, :1]), ShapeError, r"mse_loss: the operands have shapes \(3, 4\) and \(3, 1\)"),
        (lambda: nn.l1_loss(LABELS, LABELS), DTypeError, "l1_loss: the first operand is int32: needs floats"),
        (
            lambda: nn.mse_loss(X, Y, X[:2]),
            ShapeError,
            r"mse_loss: the mask has shape \(2, 4\), and the losses \(3, 4\)",
        ),
        (lambda: nn.mse_loss(X, Y, X[None]), ShapeError, "the mask has shape"),
        (
            lambda: nn.huber_loss(X, Y, reduction="max"),
            ArgumentError,
            "reduction is 'max': need 'mean', 'sum' or 'none'",
        ),
        (lambda: nn.kl_div(X, Y, reduction="all"), ArgumentError, "'sum', 'none' or 'batchmean'"),
        (lambda: nn.huber_loss(X, Y, delta=0), ArgumentError, "huber_loss: delta is 0: need a number above 0"),
        (lambda: nn.smooth_l1_loss(X, Y, beta=-1), ArgumentError, "smooth_l1_loss: beta is -1"),
        (lambda: nn.cosine_embedding_loss(X, Y, Y), ShapeError, r"need \[..., D\] and \[...\]"),
        (lambda: nn.triplet_margin_loss(X, Y, X, p=0.5), ArgumentError, "p is 0.5: need a number of at least 1"),
        (lambda: nn.cross_entropy(LOGITS, LABELS, X), ShapeError, "cross_entropy: the mask has shape"),
    ],
)
def test_what_makes_no_loss_is_refused(call: Callable[[], Any], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        call()


def test_targets_may_be_integers_and_numbers() -> None:
    labels = (SIDES > 0).astype(np.int32)
    np.testing.assert_allclose(
        nn.binary_cross_entropy_with_logits(X, labels),
        nn.binary_cross_entropy_with_logits(X, labels.astype(float)),
    )
    assert nn.mse_loss(X.astype(np.float32), labels).dtype == np.float32
    np.testing.assert_allclose(nn.mse_loss(X, 1.0), np.mean((X - 1) ** 2))
