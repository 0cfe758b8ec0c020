"""Convolutions over three axes, transposed convolutions and pools: against direct loops, and what they are made of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc
from graphc import nn
from graphc.errors import ArgumentError, DTypeError, ShapeError

HALVES: Any = 2.0
SPACES = {1: (9,), 2: (7, 6), 3: (5, 4, 6)}


def numbers(seed: int, *shape: int) -> Any:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def windows(x: Any, size: int, stride: int, padding: int, fill: float) -> Any:
    """[N, C, *space, *window] in float64."""
    axes = x.ndim - 2
    whole = np.pad(x.astype(np.float64), [(0, 0), (0, 0), *[(padding, padding)] * axes], constant_values=fill)
    seen = np.lib.stride_tricks.sliding_window_view(whole, (size,) * axes, tuple(range(2, 2 + axes)))
    return seen[(slice(None), slice(None), *[slice(None, None, stride)] * axes)]


def direct(x: Any, w: Any, stride: int, padding: int, dilation: int, groups: int) -> Any:
    """A convolution by sums over each window, in float64."""
    axes, kernel = x.ndim - 2, w.shape[2:]
    reach = (kernel[0] - 1) * dilation + 1
    seen = windows(x, reach, stride, padding, 0)[(..., *[slice(None, None, dilation)] * axes)]
    parts = np.split(seen, groups, axis=1)
    last = tuple(range(-axes, 0))
    made = []
    for part, weight in zip(parts, np.split(w.astype(np.float64), groups), strict=True):
        flat = part[:, None] * weight[(slice(None), slice(None), *[None] * axes)][None]
        made.append(flat.sum(axis=(2, *last)))
    return np.concatenate(made, axis=1)


@pytest.mark.parametrize("settings", [(1, 0, 1, 1), (2, 1, 1, 2), (1, 1, 2, 1), (3, 2, 1, 1)], ids=str)
def test_three_axes(settings: tuple[int, int, int, int], device: Any) -> None:
    stride, padding, dilation, groups = settings
    x, w = numbers(0, 2, 4, 5, 6, 5), numbers(1, 6, 4 // groups, 2, 2, 2)

    def run(x: Any, w: Any) -> Any:
        return nn.conv(x, w, stride=stride, padding=padding, dilation=dilation, groups=groups)

    want = direct(x, w, *settings)
    for where in ("numpy", device):
        np.testing.assert_allclose(np.asarray(graphc.compile(run, device=where)(x, w)), want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize("settings", [(1, 0, 0, 1, 1), (2, 1, 1, 1, 2), (3, 0, 2, 2, 1), (2, 2, 0, 1, 1)], ids=str)
def test_a_transposed_convolution_is_the_gradient_of_one(axes: int, settings: tuple[int, ...]) -> None:
    stride, padding, more, dilation, groups = settings
    w = numbers(1, 4, 6 // groups, *(3,) * axes)
    y = numbers(2, 2, 4, *SPACES[axes])
    made = nn.conv_transpose(
        y, w, stride=stride, padding=padding, output_padding=more, dilation=dilation, groups=groups
    )
    assert made.shape[2:] == tuple((n - 1) * stride + 2 * dilation + 1 - 2 * padding + more for n in SPACES[axes])

    def weighed(x: Any) -> Any:
        # w as conv has it: [O, C / groups], of which O is the transposed one's C
        moved = nn.conv(x, w, stride=stride, padding=padding, dilation=dilation, groups=groups)
        return np.sum(moved * y)

    slope = graphc.compile(graphc.grad(weighed), device="numpy")(np.zeros_like(made))
    np.testing.assert_allclose(np.asarray(slope), made, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize(("size", "stride", "padding"), [(2, 2, 0), (3, 2, 1), (3, 1, 0), (2, 3, 1), (1, 1, 0)])
def test_pools(axes: int, size: int, stride: int, padding: int, device: Any) -> None:
    x = numbers(3, 2, 3, *SPACES[axes])
    last = tuple(range(-axes, 0))
    greatest = windows(x, size, stride, padding, -np.inf).max(axis=last)
    mean = windows(x, size, stride, padding, 0).mean(axis=last)
    both = graphc.compile(
        lambda x: (nn.max_pool(x, size, stride, padding), nn.avg_pool(x, size, stride, padding)), device=device
    )
    for got, want in zip((*both(x), nn.max_pool(x, size, stride, padding)), (greatest, mean, greatest), strict=True):
        np.testing.assert_allclose(np.asarray(got), want, rtol=1e-5, atol=1e-6)


def test_a_pool_is_one_kernel(device: Any) -> None:
    program = graphc.compile(lambda x: nn.max_pool(x, 2), device=device).lower(graphc.spec((4, 8, 16, 16)))
    assert [d.kernel for d in program.plan.dispatches] == [0]


def test_the_gradient_of_a_greatest_goes_to_the_first() -> None:
    x = np.array([[[[1, 3, 3], [3, 2, 3], [np.nan, 0, 0]]]], np.float32)
    slope = graphc.grad(lambda x: np.sum(nn.max_pool(x[:, :, :2], 2, 1)))(x)
    np.testing.assert_array_equal(np.asarray(slope)[0, 0], [[0, 2, 0], [0, 0, 0], [0, 0, 0]])
    assert np.isnan(np.asarray(nn.max_pool(x, 3))).all()
    np.testing.assert_array_equal(nn.max_pool(np.array([[[5, -7, 2]]], np.int32), 2, 1, 1), [[[5, 5, 2, 2]]])


def test_half_precision_is_summed_in_single_and_settings_may_be_of_numpy() -> None:
    x = np.full((1, 1, 4), 40_000, np.float16)
    np.testing.assert_array_equal(nn.avg_pool(x, 4), np.full((1, 1, 1), 40_000, np.float16))
    window: Any = np.int64(2)
    stride: Any = np.array([1])
    assert nn.max_pool(x, window, stride).shape == (1, 1, 3)


@pytest.mark.parametrize(
    ("error", "run"),
    [
        (DTypeError, lambda x: nn.avg_pool(x.astype(np.int32), 2)),
        (DTypeError, lambda x: nn.max_pool(x > 0, 2)),
        (ArgumentError, lambda x: nn.max_pool(x, HALVES)),
        (ShapeError, lambda x: nn.max_pool(x, 9)),
        (ShapeError, lambda x: nn.avg_pool(x[0, 0, 0], 2)),
        (ShapeError, lambda x: nn.conv(x, np.ones((1, 3, 9, 9, 9), np.float32))),
        (ShapeError, lambda x: nn.conv_transpose(x, np.ones((2, 3, 2, 2, 2), np.float32))),
        (ShapeError, lambda x: nn.conv(x[None], np.ones((1, 3, 1, 1, 1, 1), np.float32))),
        (ArgumentError, lambda x: nn.max_pool(x, 2, 2, 2)),
        (ArgumentError, lambda x: nn.max_pool(x, (2, 2))),
        (ArgumentError, lambda x: nn.max_pool(x, 2, padding="some")),
        (ArgumentError, lambda x: nn.conv_transpose(x, np.ones((3, 3, 2, 2, 2), np.float32), output_padding=1)),
    ],
)
def test_what_makes_no_sense_is_refused(error: type[Exception], run: Any) -> None:
    with pytest.raises(error):
        run(np.ones((1, 3, 4, 4, 4), np.float32))
