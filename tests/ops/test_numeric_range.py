"""Sizes at the ends of the range: norms whose squares overflow, half precision, points without a gradient."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import nn, optim, random
from graphc.errors import DeviceError
from graphc.ops import by_name
from tests.support.run_graph import graph_of, run, variants

Array = Any

WAYS: dict[str, dict[str, Any]] = {
    "fused": {"device": "wgpu"},
    "unfused": {"device": "wgpu", "passes": ()},
    "numpy": {"device": "numpy"},
}


def run_in(way: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """What a function gives in one of the ways in which it can run, as ndarrays.

    An adapter without half precision has to say so; NumPy then computes instead.
    """
    with np.errstate(all="ignore"):
        compiled = function if way == "at once" else graphc.compile(function, **WAYS[way])
        try:
            result = compiled(*arguments)
        except DeviceError as error:
            device: Any = graphc.device("wgpu")
            if "shader-f16" in device.target.features or "no shader-f16" not in str(error):
                raise
            result = graphc.compile(function, device="numpy")(*arguments)
        return graphc.tree.map(np.asarray, result)


@pytest.fixture(params=[*WAYS, "at once"])
def way(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Runs a function on arrays in one of the ways."""
    return partial(run_in, request.param)


ROWS = np.array([[1.0, 2.0, 3.0, 6.0], [-4.0, 0.5, 2.0, 1.0]])
CENTRED = ROWS - ROWS.mean(-1, keepdims=True)
UNIT = {
    nn.layer_norm: CENTRED / ROWS.std(-1, keepdims=True),
    nn.rms_norm: ROWS / np.sqrt((ROWS**2).mean(-1, keepdims=True)),
}
NORMS = pytest.mark.parametrize("norm", UNIT, ids=lambda norm: norm.__name__)


@NORMS
@pytest.mark.parametrize("scale", [1e3, 1e10, 1e18, 1e20, 1e30, 1e36])
def test_norms_of_large_numbers(way: Callable[..., Any], norm: Any, scale: float) -> None:
    np.testing.assert_allclose(way(norm, (ROWS * scale).astype(np.float32)), UNIT[norm], rtol=1e-5, atol=1e-6)


@NORMS
@pytest.mark.parametrize("scale", [1.0, 1e12, 1e25, 1e33])
def test_gradients_of_norms_of_large_numbers(way: Callable[..., Any], norm: Any, scale: float) -> None:
    weights = np.array([[0.3, -1.0, 2.0, 0.5], [1.0, 0.25, -0.5, 2.0]], np.float32)
    gradient = graphc.grad(lambda x: np.sum(norm(x) * weights))
    # The gradient of a norm does not change along the row, and falls as one over its size.
    unit = np.asarray(gradient(ROWS.astype(np.float32) * np.float32(1000)), np.float64) * 1000
    found = way(gradient, (ROWS * scale).astype(np.float32)).astype(np.float64) * scale
    np.testing.assert_allclose(found, unit, rtol=2e-4, atol=2e-4)


@NORMS
def test_norms_of_small_numbers_and_of_none(way: Callable[..., Any], norm: Any) -> None:
    tiny = way(norm, np.full((2, 4), 1e-30, np.float32))
    assert np.abs(tiny).max() < 1e-20
    assert (way(norm, np.zeros((2, 4), np.float32)) == 0).all()
    infinite = way(norm, np.array([[np.inf, 1.0], [np.nan, 1.0], [1.0, 1.0]], np.float32))
    assert np.isnan(infinite[:2]).any(axis=1).all()
    assert np.isfinite(infinite[2]).all()


@NORMS
def test_norms_in_half_precision(way: Callable[..., Any], norm: Any) -> None:
    rows = ROWS * 5000
    found = way(norm, rows.astype(np.float16))
    assert found.dtype == np.float16
    np.testing.assert_allclose(found, UNIT[norm], rtol=3e-3, atol=3e-3)
    gradient = way(graphc.grad(lambda x: np.sum(norm(x) * x.astype(np.float32))), rows.astype(np.float16))
    assert np.isfinite(gradient).all()


@NORMS
def test_gradient_of_the_gradient_of_a_norm(norm: Any) -> None:
    x = ROWS.astype(np.float32)

    def once(x: Array) -> Array:
        return np.sum(graphc.grad(lambda x: np.sum(norm(x) ** 3))(x) ** 2)

    found = np.asarray(graphc.compile(graphc.grad(once))(x))
    step = 1e-2
    for at in ((0, 1), (1, 2)):
        shift = np.zeros_like(x)
        shift[at] = step
        numeric = (float(once(x + shift)) - float(once(x - shift))) / (2 * step)
        assert abs(found[at] - numeric) < 2e-2 * max(1.0, abs(numeric))


HALF = np.array([300, -300, 400, 0, 250, 1, 2, 3], np.float16)


def test_deviations_and_lengths_in_half_precision() -> None:
    exact = HALF.astype(np.float64)
    functions: dict[str, Any] = {"std": np.std, "norm": np.linalg.norm, "vector_norm": np.linalg.vector_norm}
    for way in WAYS:
        run = {name: run_in(way, function, HALF) for name, function in functions.items()}
        assert all(value.dtype == np.float16 for value in run.values())
        np.testing.assert_allclose(run["std"], exact.std(), rtol=1e-3)
        np.testing.assert_allclose(run["norm"], np.linalg.norm(exact), rtol=1e-3)
        np.testing.assert_allclose(run["vector_norm"], np.linalg.norm(exact), rtol=1e-3)
        one = np.zeros(64, np.float16)
        one[0] = 300  # its square overflows, the variance does not
        variance = one.astype(np.float64).var()
        np.testing.assert_allclose(run_in(way, np.var, one), variance, rtol=1e-3)


@pytest.mark.parametrize(
    ("function", "x"),
    [
        (np.linalg.norm, np.zeros(3)),
        (lambda x: np.sum(np.linalg.norm(x, axis=1)), np.array([[0.0, 0.0], [3.0, 4.0]])),
        (np.std, np.ones(5)),
        (lambda x: np.std(x, ddof=1), np.full(4, -2.0)),
        (lambda x: np.hypot(x[0], x[1]), np.zeros(2)),
        (lambda x: optim.global_norm([x, 2 * x]), np.zeros(3)),
        (lambda x: np.max(x) - np.min(x), np.ones(4)),
    ],
    ids=["norm", "norm of a row", "std", "std of a sample", "hypot", "global norm", "range"],
)
def test_gradients_where_there_is_none_are_zero(way: Callable[..., Any], function: Any, x: Array) -> None:
    found = way(graphc.grad(function), x.astype(np.float32))
    assert np.isfinite(found).all()
    assert (found[x == 0] == 0).all()
    assert np.abs(found.sum()) < 2


def test_clipping_of_gradients_whose_squares_overflow(way: Callable[..., Any]) -> None:
    def clip(limit: float) -> Callable[..., Any]:
        return lambda *grads: optim.clip_by_global_norm(limit).update(list(grads), {}, None)[0]

    for scale in (1e-30, 1e-20, 1.0, 1e15, 1e20, 1e37):
        for dtype in (np.float32, np.float64):
            grads: list[Any] = [(np.array(g) * scale).astype(dtype) for g in ([3.0, 4.0], [[12.0]])]
            if scale >= 1e-20:
                (a, b) = way(clip(0.5 * scale), *grads)
                np.testing.assert_allclose(a, grads[0] / 26, rtol=1e-6)
                np.testing.assert_allclose(b, grads[1] / 26, rtol=1e-6)
            same = way(clip(1e3 * scale if scale < 1e30 else 1e38 * 3), *grads)
            assert all((x == y.astype(x.dtype)).all() for x, y in zip(same, grads, strict=True))
    (half,) = way(clip(1.0), np.full(4, 300, np.float16))
    assert half.dtype == np.float16
    np.testing.assert_allclose(half, 0.5, rtol=1e-3)
    assert (way(clip(0.0), np.zeros(3, np.float32))[0] == 0).all()
    assert (way(clip(0.0), np.ones(3, np.float32))[0] == 0).all()
    infinite = way(clip(1.0), np.array([np.inf, 1.0], np.float32))[0]
    assert np.isnan(infinite[0])
    assert infinite[1] == 0
    assert np.isnan(way(clip(1.0), np.array([np.nan, 1.0], np.float32))[0]).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("name", ["sgd", "momentum", "adam", "adamw"])
def test_updates_with_gradients_of_zero(way: Callable[..., Any], name: str, dtype: Any) -> None:
    optimizer = getattr(optim, name)(1e-3)
    p, g = np.ones(4, dtype), np.zeros(4, dtype)

    def update(g: Array, p: Array) -> Any:
        return optimizer.update(g, optimizer.init(p), p)

    new, state = way(update, g, p)
    assert new.dtype == dtype
    np.testing.assert_allclose(new, 1, rtol=1e-3)
    assert all(leaf.dtype in (np.float32, np.int32) for leaf in graphc.tree.leaves(state))


def test_adam_in_half_precision_moves_by_its_rate() -> None:
    optimizer = optim.adam(0.01)
    p, state = np.ones(4, np.float16), optimizer.init(np.ones(4, np.float16))
    grads = np.array([1e-4, -1e-4, 100.0, -3.0], np.float16)
    for _ in range(20):
        p, state = run_in("fused", optimizer.update, grads, state, p)
    np.testing.assert_allclose(np.asarray(p), 1 - 0.2 * np.sign(grads.astype(np.float32)), atol=6e-3)


@pytest.mark.parametrize("schedule", [optim.linear(1.0, 0.25, 0)])
def test_schedules_of_no_steps_are_at_their_end(way: Callable[..., Any], schedule: Any) -> None:
    for step in (0, 5):
        assert way(lambda step: schedule(step) + 0 * step, np.int32(step)) == 0.25


def test_random_numbers_in_half_precision(way: Callable[..., Any]) -> None:
    key = random.key(3)
    gumbel = way(lambda key: random.gumbel(key, (4000,), np.float16), key)
    assert gumbel.dtype == np.float16
    assert np.isfinite(gumbel).all()
    assert abs(float(gumbel.astype(np.float64).mean()) - 0.5772) < 0.06
    normal = way(lambda key: random.normal(key, (4000,), dtype=np.float16), key)
    assert normal.dtype == np.float16
    assert 3.2 < np.abs(normal).max() < 6
    wide = way(lambda key: random.uniform(key, (1000,), -6e4, 6e4, np.float16), key)
    assert 5.9e4 < wide.max() < 6e4
    assert -6e4 <= wide.min() < -5.9e4
    assert abs(float(wide.astype(np.float64).mean())) < 4e3


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_categories_are_drawn_from_narrow_logits(way: Callable[..., Any], dtype: Any) -> None:
    key = random.key(0)
    logits = np.array([[0, 0, 10.0, 0], [0, -np.inf, 0, -np.inf]] * 200, dtype)
    drawn = way(random.categorical, key, logits)
    assert (drawn[0::2] == 2).mean() > 0.97
    assert np.isin(drawn[1::2], [0, 2]).all()
    assert 0.4 < (drawn[1::2] == 0).mean() < 0.6


def test_softmax_and_losses_at_the_ends_of_the_range(way: Callable[..., Any]) -> None:
    labels = np.array([0, 1, 2], np.int32)
    for dtype, top in ((np.float32, 3e38), (np.float16, 6e4)):
        logits = np.array([[top, -top, 0.0], [-np.inf, 0.0, 0.0], [-top, -top, -top]], dtype)
        np.testing.assert_allclose(way(nn.softmax, logits), [[1.0, 0.0, 0.0], [0.0, 0.5, 0.5], [1 / 3] * 3], rtol=1e-3)
        loss = way(lambda x: nn.cross_entropy(x, labels), logits)
        np.testing.assert_allclose(loss, (0 + np.log(2) + np.log(3)) / 3, rtol=2e-3)
        gradient = way(graphc.grad(lambda x: nn.cross_entropy(x, labels)), logits)
        np.testing.assert_allclose(gradient[:2], [[0.0, 0.0, 0.0], [0.0, -1 / 6, 1 / 6]], atol=1e-3)


def test_powers_at_their_corners(way: Callable[..., Any]) -> None:
    base = np.array([0.0, -0.0, -2.0, -2.0, -8.0, 1.0, np.inf, -np.inf, np.nan, 1e30, 1e-25, 0.0], np.float32)
    power = np.array([0.0, 0.0, 3.0, 0.5, 1 / 3, np.nan, -1.0, 3.0, 0.0, 2.0, 3.0, -1.0], np.float32)
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(way(np.power, base, power), base**power, rtol=3e-6)
        for n in (0, 1, 2, 3, -1, -2, 0.5):
            np.testing.assert_allclose(way(lambda x, n=n: x**n, base), base**n, rtol=3e-6, err_msg=str(n))
    gradient = way(graphc.grad(lambda x: np.sum(x**2.5 + x**0)), np.array([0.0, 2.0], np.float32))
    np.testing.assert_allclose(gradient, [0, 2.5 * 2**1.5], rtol=1e-5)


@pytest.mark.parametrize("variant", ["own", "no subgroups", "wide", "small grid"])
@pytest.mark.parametrize("name", ["div", "hypot", "arctan2"])
def test_divisors_beyond_the_range_of_reciprocals(device: Any, name: str, variant: str) -> None:
    """WGSL asks for a right quotient up to a divisor of 2^126 only, beyond which GPUs give 0."""
    powers = np.float32(2) ** np.arange(-126, 128, dtype=np.float32)
    values = np.concatenate([powers, -powers[::3], [0, np.inf, -np.inf, np.nan, 3.4e38, 1.7e38]]).astype(np.float32)
    arrays = [np.repeat(values, len(values)), np.tile(values, len(values))]
    target = variants(device)[variant]
    (got,), plan = run(device, graph_of(op := by_name(name), arrays), arrays, target)
    with np.errstate(all="ignore"):
        want = op.reference(*arrays)
    normal = ~((np.abs(want) < 2.0**-126) & (want != 0))  # what lies below may be 0
    np.testing.assert_allclose(got[normal], want[normal], rtol=1e-6)
    guarded = any("gc_div" in kernel.wgsl for kernel in plan.kernels)
    assert guarded == (name != "div" or not target.software)
