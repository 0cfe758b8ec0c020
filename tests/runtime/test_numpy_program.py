"""The fast executor of the device "numpy" gives what the reference gives: ops, blocks of fused bodies, programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import graphc
from graphc import nn, optim, reference
from graphc.ir.graph import Builder, Graph
from graphc.ir.types import type_of
from graphc.models import microgpt
from graphc.ops import OPS
from graphc.passes import pipeline
from graphc.runtime.forks import Threads
from graphc.runtime.numpy import blocks as numpy_blocks
from graphc.runtime.numpy.program import NumpyProgram
from graphc.tracing.trace import trace
from tests.support.programs import RandomProgram, programs


def same(got: np.ndarray, want: np.ndarray, tolerance: float = 2e-6) -> None:
    assert got.shape == want.shape
    assert got.dtype == want.dtype
    if got.dtype.kind != "f":
        assert np.array_equal(got, want)
        return
    finite = np.isfinite(want)
    scale = max(1.0, float(np.max(np.abs(want[finite]), initial=0)))
    assert np.allclose(got, want, rtol=0, atol=tolerance * scale, equal_nan=True)


def check(graph: Graph, *arrays: np.ndarray) -> None:
    try:
        want = reference.run(graph, arrays)
    except IndexError:
        with pytest.raises(IndexError):
            NumpyProgram(graph, None)(arrays)
        return
    with Threads("test", 2) as pool:
        for threads in (None, pool):
            program = NumpyProgram(graph, threads)
            for _ in range(2):  # the second call finds the memory that the first has used
                kept = [a.copy() for a in arrays]
                got = program(arrays)
                for a, b in zip(got, want, strict=True):
                    same(a, b)
                assert all(
                    np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in zip(arrays, kept, strict=True)
                )


@pytest.mark.parametrize("op", [op for op in OPS.values() if op.cases()], ids=lambda op: op.name)
def test_ops(op: Any) -> None:
    for case in op.cases():
        arrays = [np.asarray(a) for a in case.inputs]
        builder = Builder()
        values = [builder.input(type_of(a), "") for a in arrays]
        made = builder.apply(op, *values, **case.attrs)
        check(builder.build(made if isinstance(made, tuple) else (made,)), *arrays)


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(len(shape)).standard_normal(shape, np.float32)


def fused(fn: Callable[..., Any], *arrays: Any) -> Graph:
    return pipeline.stages(trace(fn, *arrays), pipeline.DEFAULT)[-1][1]


def loops(graph: Graph) -> int:
    return sum(step.kind == "loop" for step in NumpyProgram(graph, None)._steps)


ROWS, WIDE = (2, 3, 40, 64), (300, 96)
BODIES: dict[str, tuple[Callable[..., Any], tuple[np.ndarray, ...]]] = {
    "chain": (lambda x, y: np.tanh(x * y + 1) / (1 + x * x), (normal(*WIDE), normal(*WIDE))),
    "broadcast": (lambda x, b, c: (x + b) * c, (normal(*WIDE), normal(96), normal(300, 1))),
    "softmax": (nn.softmax, (normal(*ROWS),)),
    "masked": (lambda x: nn.softmax(np.where(nn.causal_mask(40, 64), x * 0.5, -1e30)), (normal(*ROWS),)),
    "layer norm": (nn.layer_norm, (normal(*WIDE), normal(96), normal(96))),
    "kept": (lambda x: (np.exp(x), np.sum(np.exp(x), axis=-1), np.max(x, axis=-1)), (normal(*WIDE),)),
    "rows and columns": (lambda x: (np.sum(x * x, axis=0), np.mean(x, axis=-1)), (normal(*WIDE),)),
    "columns": (lambda x, y: np.sum(np.exp(x) * y, axis=0) * 2, (normal(*WIDE), normal(*WIDE))),
    "columns of a stack": (lambda x: np.sum(np.sqrt(np.abs(x)), axis=(0, 1), keepdims=True), (normal(20, 30, 64),)),
    "two axes": (lambda x: x - np.mean(x, axis=(1, 2), keepdims=True), (normal(30, 20, 40),)),
    "turned": (lambda x, y: np.exp(x.T) * y, (normal(*WIDE), normal(96, 300))),
    "cross-entropy": (
        graphc.value_and_grad(nn.cross_entropy),
        (normal(*WIDE), np.arange(300, dtype=np.int32) % 96),
    ),
}


@pytest.mark.parametrize("name", BODIES)
def test_bodies_in_blocks(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numpy_blocks, "ELEMENTS", 1000)
    monkeypatch.setattr(numpy_blocks, "WORTH", 4000)
    fn, arrays = BODIES[name]
    graph = fused(fn, *arrays)
    assert loops(graph) > 0
    check(graph, *arrays)


def test_square_spaces_are_not_taken_for_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """A vector of row sums and a vector of column weights look alike where S is square."""
    monkeypatch.setattr(numpy_blocks, "ELEMENTS", 500)
    monkeypatch.setattr(numpy_blocks, "WORTH", 1000)
    x, w = normal(64, 64), normal(64)
    check(fused(lambda x, w: (np.sum(x, axis=-1) * w, x * w), x, w), x, w)
    check(fused(lambda x, w: (x - np.max(x, axis=-1)[:, None]) * w, x, w), x, w)


def test_a_bad_index_is_an_error() -> None:
    labels = np.full(4, 9, np.int32)
    with pytest.raises(IndexError):
        graphc.compile(lambda x, y: np.take_along_axis(x, y[:, None], axis=-1) + 1, device="numpy")(
            normal(4, 8), labels * np.int32(1)
        )


@pytest.mark.parametrize("length", [0, 1, 7])
@pytest.mark.parametrize("passes", [pipeline.DEFAULT, ()])
def test_loops(length: int, passes: Any) -> None:
    def running(x: Any, xs: Any) -> Any:
        def one(carry: tuple[Any, Any], row: Any) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
            total, count = carry
            new = np.tanh(total @ total.T + row)
            return (new, count + 1), (np.sum(new), row * 2)

        (last, count), (sums, doubled) = graphc.scan(one, (x, np.int32(0)), xs)
        return last + 1, count, sums, doubled

    x, xs = normal(4, 4), np.random.default_rng(1).standard_normal((length, 4, 4), np.float32)
    check(pipeline.stages(trace(running, x, xs), passes)[-1][1], x, xs)
    gradient = graphc.grad(lambda x, xs: np.sum(running(x, xs)[0]))
    check(pipeline.stages(trace(gradient, x, xs), passes)[-1][1], x, xs)


def test_a_training_step_and_its_donated_memory() -> None:
    config = microgpt.Config()
    params = microgpt.init(graphc.random.key(0), config)
    optimizer = optim.adam(0.01)

    def step(params: Any, state: Any, x: Any, y: Any) -> Any:
        loss, grads = graphc.value_and_grad(lambda p: microgpt.loss(p, x, y, config))(params)
        return *optimizer.update(grads, state, params), loss

    x = (np.arange(64, dtype=np.int32).reshape(4, 16) * 7) % 27
    plain = graphc.compile(step, device="numpy")
    donating = graphc.compile(step, device="numpy", donate=(0, 1))
    one = two = (params, optimizer.init(params))
    for _ in range(4):
        *one, first = plain(*one, x, x)
        *two, second = donating(*two, x, x)
        assert float(first) == float(second)
    for a, b in zip(graphc.tree.leaves(one), graphc.tree.leaves(two), strict=True):
        assert np.array_equal(np.asarray(a), np.asarray(b))


def test_results_are_the_callers() -> None:
    """An output is no view of an input, of a constant, of another output, or of what a later call writes."""
    x = normal(5, 5)
    fn = graphc.compile(lambda x: (x, x.T, x + 1, (x + 1).T, np.ones(3, np.float32)), device="numpy")
    first = fn(x)
    before = [np.asarray(a) for a in first]
    fn(x * 3)
    assert all(np.array_equal(np.asarray(a), b) for a, b in zip(first, before, strict=True))
    owners = [a._content for a in first]
    assert not any(np.may_share_memory(a, b) for i, a in enumerate(owners) for b in owners[:i])


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(program=programs(max_steps=20), seed=st.integers(0, 5))
def test_random_programs(program: RandomProgram, seed: int) -> None:
    inputs = program.arrays(seed)
    both = graphc.value_and_grad(program.loss, argnums=tuple(range(len(inputs))))
    graph = fused(both, *inputs)
    want = reference.run(graph, [np.asarray(x) for x in inputs])
    for got, expected in zip(NumpyProgram(graph, None)([np.asarray(x) for x in inputs]), want, strict=True):
        same(got, expected, 1e-4)
