"""Convolutions against sums written out in plain NumPy: the op, `nn.conv`, their gradients and their kernels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np
import pytest

import graphc
from graphc import nn, spec
from graphc.errors import ArgumentError, ShapeError
from graphc.families.conv.kernel import parts_of
from graphc.families.conv.shape import shape_of
from graphc.ir.types import NDArray
from graphc.lower import lower
from graphc.lower.family import searches
from graphc.ops import by_name
from graphc.ops.conv import conv
from graphc.passes import pipeline
from graphc.passes.marks import textures
from graphc.plan.plan import Target
from graphc.tracing.trace import apply

SOFTWARE: Final = Target("software", subgroup=8, software=True, features=frozenset({"subgroup"}))


def oracle(
    x: NDArray, w: NDArray, stride: tuple[int, ...], pad: tuple[int, ...], dilation: tuple[int, ...], groups: int
) -> NDArray:
    """The convolution in float64: each element of the kernel taken with what it meets, one after another."""
    (batch, channels), (outs, _), space, taps = x.shape[:2], w.shape[:2], x.shape[2:], w.shape[2:]
    sizes = [
        (n + 2 * p - d * (k - 1) - 1) // s + 1 for n, p, d, k, s in zip(space, pad, dilation, taps, stride, strict=True)
    ]
    wide = np.pad(x.astype(np.float64), [(0, 0), (0, 0), *((p, p) for p in pad)])
    y = np.zeros((batch, outs, *sizes))
    for o in range(outs):
        group = o // (outs // groups)
        for c in range(channels // groups):
            for tap in np.ndindex(*taps):
                steps = zip(tap, dilation, stride, sizes, strict=True)
                seen = tuple(slice(t * d, t * d + s * (n - 1) + 1, s) for t, d, s, n in steps)
                y[:, o] += (
                    w[(o, c, *tap)].astype(np.float64) * wide[(slice(None), group * (channels // groups) + c, *seen)]
                )
    return y


def random(*shape: int, seed: int = 0) -> NDArray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


CASES: Final[list[tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]]] = [
    ((2, 3, 8, 7), (5, 3, 3, 3), {}),
    ((2, 3, 8, 7), (5, 3, 3, 3), {"padding": 1, "stride": 2}),
    ((1, 4, 9, 10), (8, 2, 2, 3), {"groups": 2, "dilation": (1, 2), "padding": (2, 0)}),
    ((2, 6, 5, 5), (6, 1, 3, 3), {"groups": 6, "padding": 1}),
    ((3, 2, 16), (4, 2, 5), {"padding": 2, "stride": 3}),
    ((1, 9, 4, 4), (16, 9, 1, 1), {}),
    # The kernel meets nothing but padding.
    ((2, 1, 2), (3, 1, 2), {"stride": 2, "padding": 1, "dilation": 3}),
    ((1, 2, 2, 3), (4, 1, 2, 2), {"stride": (2, 1), "padding": (1, 0), "dilation": (3, 1), "groups": 2}),
    ((2, 2, 2, 3, 4), (2, 1, 2, 2, 3), {"stride": (2, 1, 2), "padding": (1, 1, 0), "dilation": (3, 1, 1), "groups": 2}),
]


def expected(x: NDArray, w: NDArray, settings: Mapping[str, Any]) -> NDArray:
    axes = x.ndim - 2

    def each(name: str, otherwise: int) -> tuple[int, ...]:
        given = settings.get(name, otherwise)
        return given if isinstance(given, tuple) else (given,) * axes

    return oracle(x, w, each("stride", 1), each("padding", 0), each("dilation", 1), settings.get("groups", 1))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_values(case: Any, device: Any) -> None:
    x, w, settings = random(*case[0]), random(*case[1], seed=1), case[2]
    wanted = expected(x, w, settings)
    np.testing.assert_allclose(nn.conv(x, w, **settings), wanted, rtol=1e-4, atol=1e-4)
    for where in ("numpy", device):
        got = graphc.compile(lambda x, w: nn.conv(x, w, **settings), device=where)(x, w)
        np.testing.assert_allclose(np.asarray(got), wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_gradients(case: Any, device: Any) -> None:
    """A convolution is linear in each operand: its gradient along a direction is its value there."""
    x, w, settings = random(*case[0]), random(*case[1], seed=1), case[2]
    g = random(*expected(x, w, settings).shape, seed=2)
    both = graphc.grad(lambda x, w: np.sum(nn.conv(x, w, **settings) * g), argnums=(0, 1))
    for grads in (graphc.compile(both, device=where)(x, w) for where in ("numpy", device)):
        for seed in range(3):
            dx, dw = random(*x.shape, seed=seed + 5), random(*w.shape, seed=seed + 9)
            for grad, direction, moved in ((grads[0], dx, (dx, w)), (grads[1], dw, (x, dw))):
                along = float(np.sum(np.asarray(grad, np.float64) * direction))
                wanted = float(np.sum(expected(*moved, settings) * g))
                assert along == pytest.approx(wanted, rel=1e-4, abs=1e-3)


LARGE: Final[list[tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]]] = [
    ((2, 16, 9, 7), (20, 16, 3, 3), {"padding": 1}),
    ((1, 9, 11, 12), (24, 3, 3, 2), {"groups": 3, "stride": (2, 1), "dilation": (1, 2), "padding": (1, 0)}),
    ((3, 5, 40), (17, 5, 4), {"padding": 2, "stride": 3}),
]


@pytest.mark.parametrize("case", LARGE, ids=str)
def test_as_products_of_what_was_packed(case: Any, device: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Large ones, and their gradients; here all count as large."""
    monkeypatch.setattr(textures, "WORK", 1)
    x, w, settings = random(*case[0]), random(*case[1], seed=1), case[2]
    g = random(*expected(x, w, settings).shape, seed=2)

    def loss(x: Any, w: Any) -> Any:
        y = nn.conv(x, w, **settings)
        return np.sum(y * g), y

    step = graphc.value_and_grad(loss, argnums=(0, 1), has_aux=True)
    (_, y), grads = graphc.compile(step, device=device)(x, w)
    np.testing.assert_allclose(np.asarray(y), expected(x, w, settings), rtol=1e-4, atol=1e-4)
    for ours, theirs in zip(grads, graphc.compile(step, device="numpy")(x, w)[1], strict=True):
        np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), rtol=1e-4, atol=1e-3)
    plan = graphc.compile(step, device="numpy", target="software").lower(x, w).plan
    assert sum(len(dispatch.copies) for dispatch in plan.dispatches) == 6


def test_transposed_as_a_product(device: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """With zeros between the elements of x; a tile at a time, whichever a tuner would choose."""
    monkeypatch.setattr(textures, "WORK", 1)
    x, w = random(2, 6, 7, 5), random(6, 18, 3, 2, seed=1)

    def layer(x: Any, w: Any) -> Any:
        return np.tanh(nn.conv_transpose(x, w, stride=(2, 3), padding=1))

    np.testing.assert_allclose(np.asarray(graphc.compile(layer, device=device)(x, w)), layer(x, w), atol=1e-4)
    graph = pipeline.run(graphc.trace(layer, x, w), pipeline.DEFAULT)
    (node,) = [node for node in graph.nodes if any(inner.op is conv for inner in node.attrs["body"].nodes)]
    ((_, search),) = searches(node, graph.constants, SOFTWARE)
    names = {lower(graph, replace(SOFTWARE, choices={search.name: c})).kernels[2].wgsl for c in search.candidates}
    assert search.name.startswith("matmul kk")
    assert len(names) > 3


def test_few_channels_are_not_packed() -> None:
    """Where tiles would be mostly empty; and no product is made where textures are read no faster."""
    deep = graphc.trace(lambda x, w: nn.conv(x, w, groups=64, padding=1), spec((8, 64, 64, 64)), spec((64, 1, 3, 3)))
    wide = graphc.trace(lambda x, w: nn.conv(x, w, padding=1), spec((8, 64, 64, 64)), spec((64, 64, 3, 3)))
    for graph, target, kernels in ((deep, SOFTWARE, 1), (wide, SOFTWARE, 3), (wide, Target(), 1)):
        assert len(lower(pipeline.run(graph, pipeline.DEFAULT), target).kernels) == kernels


def test_padding_in_words() -> None:
    x, w = random(1, 2, 9, 10), random(3, 2, 3, 4, seed=1)
    assert nn.conv(x, w, padding="same").shape == (1, 3, 9, 10)
    assert nn.conv(x, w, padding="same", stride=(2, 3)).shape == (1, 3, 5, 4)
    np.testing.assert_array_equal(nn.conv(x, w, padding="valid"), nn.conv(x, w))
    odd = nn.conv(x, w[..., :3], padding="same")
    np.testing.assert_allclose(odd, expected(x, w[..., :3], {"padding": 1}), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("x", "w", "settings", "error", "text"),
    [
        ((2, 3), (4, 3), {}, ShapeError, "one to three spatial axes"),
        ((2, 3, 5, 5), (4, 3, 3), {}, ShapeError, "one to three spatial axes"),
        ((2, 3, 5, 5), (4, 2, 3, 3), {}, ShapeError, "x.shape[1] == w.shape[1] * groups"),
        ((2, 4, 5, 5), (3, 2, 3, 3), {"groups": 2}, ShapeError, "a multiple of groups"),
        ((2, 3, 5, 5), (4, 3, 6, 3), {}, ShapeError, "reaches over 6 places of 5 along axis 0"),
        (
            (1, 1, 2, 1, 3),
            (1, 1, 2, 4, 1),
            {"stride": (2, 1, 1), "padding": (1, 0, 0), "dilation": (3, 1, 1)},
            ShapeError,
            "reaches over 4 places of 1",
        ),
        ((1, 1, 4), (1, 1, 2), {"dilation": 5}, ShapeError, "x has shape (1, 1, 4), w (1, 1, 2): the kernel reaches"),
        ((1, 2, 4), (1, 1, 2), {}, ShapeError, "x has shape (1, 2, 4), w (1, 1, 2) and groups is 1: need"),
        ((1, 1, 4, 4, 4), (1, 1, 2, 2, 2), {"dilation": (1, 1, 4)}, ShapeError, "places of 4 along axis 2"),
        ((2, 3, 5, 5), (4, 3, 3, 3), {"padding": "full"}, ArgumentError, "'full'"),
        ((2, 3, 5, 5), (4, 3, 3, 3), {"stride": 0}, ArgumentError, "conv: stride 0"),
        ((2, 3, 5, 5), (4, 3, 3, 3), {"dilation": (1, 2, 3)}, ArgumentError, "or 2 of them"),
    ],
)
def test_what_does_not_fit(x: Any, w: Any, settings: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error) as found:
        nn.conv(np.zeros(x, np.float32), np.zeros(w, np.float32), **settings)
    assert text in str(found.value)


def test_padding_of_a_transposed_convolution_that_leaves_nothing() -> None:
    x, w = np.zeros((1, 1, 4), np.float32), np.zeros((1, 1, 2), np.float32)
    with pytest.raises(
        ShapeError, match=r"x has shape \(1, 1, 4\), .* padding is 3: that leaves -1 places along axis 0"
    ):
        nn.conv_transpose(x, w, padding=3)


def test_bias_and_activation_are_written_from_registers(device: Any) -> None:
    x, w, b = random(2, 3, 8, 8), random(6, 3, 3, 3, seed=1), random(6, 1, 1, seed=2)

    def layer(x: Any, w: Any, b: Any) -> Any:
        return nn.relu(nn.conv(x, w, padding=1) + b)

    compiled = graphc.compile(layer, device=device)
    np.testing.assert_allclose(np.asarray(compiled(x, w, b)), layer(x, w, b), rtol=1e-4, atol=1e-4)
    program = compiled.lower(x, w, b)
    assert [kernel.family for kernel in program.plan.kernels] == ["conv"]
    assert "written from the convolution's registers" in program.explain()


def test_gradients_are_convolutions() -> None:
    step = graphc.grad(lambda x, w: np.sum(nn.conv(x, w, padding=1) ** 2), argnums=(0, 1))
    graph = pipeline.run(graphc.trace(step, spec((2, 3, 8, 8)), spec((4, 3, 3, 3))), pipeline.DEFAULT)
    plan = lower(graph, Target())
    assert [kernel.family for kernel in plan.kernels] == [*["conv"] * 3, "map"]  # one is given transposed


@pytest.mark.parametrize("taps", [(70, 90), (1, 9000)])
def test_long_sums_are_shared_out(device: Any, taps: tuple[int, int]) -> None:
    """As those of a kernel's gradient are, which has a kernel as large as the result."""
    x, w = random(2, 3, taps[0] + 1, taps[1] + 2), random(2, 3, *taps, seed=1)
    fn = graphc.compile(lambda x, w: np.tanh(nn.conv(x, w) * 0.01), device=device)
    wanted = np.tanh(expected(x, w, {}) * 0.01)
    np.testing.assert_allclose(np.asarray(fn(x, w)), wanted, rtol=1e-3, atol=1e-4)
    graph = graphc.trace(lambda x, w: nn.conv(x, w), x, w)
    (node,) = [node for node in graph.nodes if node.op is conv]
    parts = parts_of(shape_of(node), 2, SOFTWARE)
    assert parts > 1
    plan = lower(pipeline.run(graph, pipeline.DEFAULT), SOFTWARE)
    assert len(plan.dispatches) == 2


def test_half_precision_is_summed_in_single(device: Any) -> None:
    x, w = random(1, 64, 5, 5), random(3, 64, 3, 3, seed=1)
    half = np.asarray(x, np.float16), np.asarray(w, np.float16)
    wanted = expected(*half, {})
    got = graphc.compile(lambda x, w: nn.conv(x, w), device="numpy")(*half)
    assert np.asarray(got).dtype == np.float16
    np.testing.assert_allclose(np.asarray(got, np.float64), wanted, rtol=2e-3, atol=2e-2)
    if "shader-f16" in device.features:
        on_device = graphc.compile(lambda x, w: nn.conv(x, w), device=device)(*half)
        np.testing.assert_allclose(np.asarray(on_device, np.float64), wanted, rtol=2e-3, atol=2e-2)


def test_second_gradients(device: Any) -> None:
    x, w = random(1, 2, 4, 4), random(2, 2, 3, 3, seed=1)

    def norm(x: Any, w: Any) -> Any:
        return np.sum(graphc.grad(lambda x: np.sum(np.tanh(nn.conv(x, w))))(x) ** 2)

    both = graphc.grad(norm, argnums=(0, 1))
    on_host, on_device = (graphc.compile(both, device=where)(x, w) for where in ("numpy", device))
    for a, b in zip(on_host, on_device, strict=True):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-3, atol=1e-4)


def test_the_op_at_once() -> None:
    x, w = random(1, 1, 3, 3), random(1, 1, 2, 2, seed=1)
    settings = {"strides": (1, 1), "padding": ((0, 0), (0, 0)), "dilation": (1, 1), "spread": (1, 1), "groups": 1}
    assert by_name("conv") is conv
    np.testing.assert_allclose(apply(conv, x, w, **settings), expected(x, w, {}), rtol=1e-5, atol=1e-5)
