"""Fusion of random graphs: sound, within limits, and the same numbers bit for bit."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from graphc.ir.graph import BACKWARD, FORWARD, Graph, Source, Value
from graphc.ir.types import f32, i32
from graphc.passes.fusion.fuse import Fuse, decisions, fuse
from tests.support.fusing import Maker, assert_sound

UNARY = ("exp", "sin", "neg", "abs", "sigmoid", "stop_gradient")
BINARY = ("add", "sub", "mul", "maximum")
SIZES = (1, 2, 3, 4)


class Random:
    """Draws one node after another; every value of the graph may be read again."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.b = Maker()
        self.values: list[Value] = [self.b.tensor(*self.shape()) for _ in range(draw(st.integers(1, 3)))]

    def shape(self) -> tuple[int, ...]:
        return tuple(self.draw(st.lists(st.sampled_from(SIZES), min_size=0, max_size=3)))

    def pick(self) -> Value:
        return self.draw(st.sampled_from(self.values))

    def step(self) -> None:
        kinds = (self.unary, self.binary, self.view, self.reduce, self.matmul, self.gather, self.join, self.mask)
        phase = self.draw(st.sampled_from((FORWARD, FORWARD, BACKWARD)))
        with self.b.at(Source(phase=phase)):
            value = self.draw(st.sampled_from(kinds))()
        if value.type.size <= 4096:
            self.values.append(value)

    def unary(self) -> Value:
        return self.b.op(self.draw(st.sampled_from(UNARY)), self.pick())

    def binary(self) -> Value:
        x, y = self.pick(), self.pick()
        name = self.draw(st.sampled_from(BINARY))
        try:
            np.broadcast_shapes(x.type.shape, y.type.shape)
        except ValueError:
            return self.b.op(name, x, 0.5)
        return self.b.op(name, x, y)

    def view(self) -> Value:
        x = self.pick()
        rank = x.type.ndim
        which = self.draw(st.sampled_from(("transpose", "reshape", "broadcast_to", "slice", "flip", "pad", "cumsum")))
        if which == "transpose":
            return self.b.op("transpose", x, perm=tuple(self.draw(st.permutations(range(rank)))))
        if which == "broadcast_to":
            return self.b.op("broadcast_to", x, shape=(self.draw(st.sampled_from(SIZES)), *x.type.shape))
        if which == "slice" and rank:
            start = tuple(self.draw(st.integers(0, n - 1)) for n in x.type.shape)
            return self.b.op("slice", x, start=start, stop=x.type.shape, step=(self.draw(st.integers(1, 2)),) * rank)
        if which == "pad" and rank:
            ones, zeros = (1,) * rank, (0,) * rank
            return self.b.op("pad", x, low=ones, high=zeros, interior=zeros, value=0.5)
        if which == "cumsum" and rank:
            return self.b.op("cumsum", x, axis=0, reverse=False)
        if which == "flip":
            return self.b.op("flip", x, axes=tuple(range(rank)))
        return self.b.op("reshape", x, shape=self.draw(st.sampled_from(((x.type.size,), (1, x.type.size, 1)))))

    def reduce(self) -> Value:
        x = self.pick()
        if not x.type.ndim:
            return self.unary()
        axes = self.draw(st.sets(st.integers(0, x.type.ndim - 1), min_size=1))
        name = self.draw(st.sampled_from(("sum", "max", "mean")))
        return self.b.reduce(name, x, *sorted(axes), keepdims=self.draw(st.booleans()))

    def matmul(self) -> Value:
        x = self.pick()
        if x.type.ndim < 2:
            return self.unary()
        batch = x.type.shape[:-2]
        return self.b.op("matmul", x, self.b.op("transpose", x, perm=(*range(len(batch)), len(batch) + 1, len(batch))))

    def gather(self) -> Value:
        x = self.pick()
        if not x.type.ndim:
            return self.unary()
        last = x.type.ndim - 1
        ids = self.b.tensor(*x.type.shape[:-1], 1, dtype=i32)
        return self.b.op("take_along_axis", x, ids, axis=last)

    def join(self) -> Value:
        x = self.pick()
        return self.b.op("concatenate", x, x, axis=0) if x.type.ndim else self.unary()

    def mask(self) -> Value:
        x = self.pick()
        if not x.type.ndim:
            return self.unary()
        i = self.b.op("iota", shape=x.type.shape, axis=0, dtype=i32)
        j = self.b.op("iota", shape=x.type.shape, axis=x.type.ndim - 1, dtype=i32)
        return self.b.op("where", self.b.op("ge", i, j), x, self.b.constant(np.float32(0.25)))


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    random = Random(draw)
    for _ in range(draw(st.integers(1, 40))):
        random.step()
    outputs = draw(st.lists(st.sampled_from(random.values), min_size=1, max_size=4))
    return random.b.build([*outputs, random.values[-1]])


@settings(max_examples=150, deadline=None)
@given(graphs(), st.sampled_from((4, 8)), st.sampled_from((6, 96)))
def test_random_graphs(graph: Graph, max_buffers: int, max_nodes: int) -> None:
    options = Fuse(max_buffers=max_buffers, max_nodes=max_nodes)
    after = options(graph)
    assert_sound(graph, after, max_buffers)
    assert set(decisions(graph, options)) == set(graph.nodes)


@settings(max_examples=30, deadline=None)
@given(graphs())
def test_kernels_never_hold_more_work_than_the_ops(graph: Graph) -> None:
    """Without fusion every float op is computed once an element; matmuls and reductions still are."""
    after = fuse(graph)
    for name in ("matmul", "sum", "max", "mean", "exp", "sin", "sigmoid"):
        held = sum(n.attrs["body"].count(name) for n in after.nodes if n.op.name == "fused") + after.count(name)
        assert held <= graph.count(name)
    assert all(v.type.dtype == f32 or v.type.size for node in after.nodes for v in node.outputs)
