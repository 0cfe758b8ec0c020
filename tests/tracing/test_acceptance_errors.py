"""What a user gets who calls graphc wrongly: errors of the promised classes, with the user's line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import nn

X = np.ones((4, 3), np.float32)


@pytest.mark.parametrize(
    ("fn", "error"),
    [
        (lambda x: nn.embedding(x, np.array([9])), graphc.IndexRangeError),
        (lambda x: nn.embedding(x, np.array([1.5])), graphc.DTypeError),
        (lambda x: nn.cross_entropy(x, np.array([0, 1, 2])), graphc.ShapeError),
        (lambda x: nn.linear(x, np.ones((4, 2))), graphc.ShapeError),
        (lambda x: nn.attention(x, x, np.ones((5, 3))), graphc.ShapeError),
    ],
    ids=["id", "float ids", "labels", "linear", "attention"],
)
def test_the_building_blocks_name_the_users_line(fn: Callable[[Any], Any], error: type[Exception]) -> None:
    for wrong in (fn, graphc.grad(lambda x: np.sum(fn(x)))):
        with pytest.raises(error, match=r"at  test_acceptance_errors.py:\d+: nn\."):
            graphc.trace(wrong, X)


def test_a_leaked_tracer_is_no_argument() -> None:
    kept: list[Any] = []

    def keeping(x: Any) -> Any:
        kept.append(x)
        return x * 2

    graphc.trace(keeping, X)
    for use in (graphc.compile(lambda x: x), graphc.grad(np.sum)):
        with pytest.raises(graphc.TraceError, match="used after its trace ended"):
            use(kept[0])


@pytest.mark.parametrize("device", ["numpy", "wgpu"])
def test_lists_of_unequal_lengths(device: str) -> None:
    with pytest.raises(graphc.ShapeError, match="inhomogeneous"):
        graphc.asarray([[1], [2, 3]], device)


@pytest.mark.parametrize("device", ["numpy", "wgpu"])
def test_a_tensor_that_no_device_can_hold(device: str) -> None:
    huge = graphc.compile(lambda x: np.broadcast_to(x, (1 << 22, 1 << 22)) + np.ones((1 << 22, 1)), device=device)
    with pytest.raises(MemoryError) as caught:
        huge(np.float32(1))
    assert isinstance(caught.value, graphc.GraphcError)
    assert float(graphc.compile(lambda x: x + 1, device=device)(1.0)) == 2.0


def test_explain_gives_each_reason_once() -> None:
    step = graphc.compile(lambda x, w: (np.tanh(x @ w) @ w.T) @ w @ w.T)
    for paragraph in step.lower(X, np.ones((3, 3), np.float32)).explain().split("\n\n"):
        reasons = [line for line in paragraph.splitlines() if line.startswith("  - ")]
        assert len(reasons) == len(set(reasons))


def test_an_array_stays_on_its_device_unless_another_is_named() -> None:
    on_numpy = graphc.asarray(X, "numpy")
    assert graphc.asarray(on_numpy) is on_numpy
    assert graphc.asarray(on_numpy, "wgpu").device is graphc.device("wgpu")
