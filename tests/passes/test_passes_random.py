"""The exact passes change no bit of any result: random graphs on special values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphc.ir.graph import Graph, Value
from graphc.ir.types import DType, bool_, f32, i32
from graphc.passes import GraphPass, cse, dce, fold, order, run, simplify
from tests.support.handmade import Hand, assert_same

NUMBERS = (0.0, -0.0, 1.0, -1.0, 2.0, -0.5, 3.0, np.inf, np.nan)
WHOLE = (0, 1, -1, 2, 3, 1 << 30)


class Drawn:
    """A graph that grows by random ops on values with the shapes at hand."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.h = Hand()
        self.values = [self.h.input(3, 4), self.h.input(4), self.h.input(3, 1), self.h.input(3, 4, dtype=i32)]
        self.values += [self.h.input(3, 4, dtype=bool_), self.h.input()]

    def pick(self, *kinds: str) -> Value:
        return self.draw(st.sampled_from([v for v in self.values if v.type.dtype.kind in kinds]))

    def number(self, dtype: DType) -> Value:
        if dtype.kind == "bool":
            return self.h.const(np.bool_(self.draw(st.booleans())))
        number = self.draw(st.sampled_from(NUMBERS if dtype.kind == "float" else WHOLE))
        shape = self.draw(st.sampled_from([(), (1,), (4,), (3, 4)]))
        return self.h.const(np.full(shape, number, dtype.numpy))

    def partner(self, x: Value) -> Value:
        """A value that broadcasts with x, often a constant."""
        fitting = [v for v in self.values if v.type.dtype == x.type.dtype and broadcasts(v, x)]
        other = self.number(x.type.dtype) if self.draw(st.booleans()) else self.draw(st.sampled_from(fitting))
        return other if broadcasts(other, x) else x

    def step(self) -> None:
        kind = self.draw(st.sampled_from(["binary", "unary", "logic", "move", "move", "reduce", "where", "cast"]))
        self.values.append(getattr(self, kind)())

    def binary(self) -> Value:
        x = self.pick("float", "int")
        names = ["add", "sub", "mul", "maximum", "minimum"] + (["div"] if x.type.dtype.kind == "float" else [])
        operands = [x, self.partner(x)]
        if self.draw(st.booleans()):
            operands.reverse()
        return self.h.op(self.draw(st.sampled_from(names)), *operands)

    def unary(self) -> Value:
        return self.h.op(self.draw(st.sampled_from(["neg", "abs", "stop_gradient"])), self.pick("float", "int"))

    def logic(self) -> Value:
        if self.draw(st.booleans()):
            return self.h.op(self.draw(st.sampled_from(["lt", "eq", "ge"])), *self.pair("float", "int"))
        if self.draw(st.booleans()):
            return self.h.not_(self.pick("bool"))
        return self.h.op(self.draw(st.sampled_from(["and", "or"])), *self.pair("bool"))

    def pair(self, *kinds: str) -> list[Value]:
        x = self.pick(*kinds)
        return [x, self.partner(x)]

    def where(self) -> Value:
        x, y = self.pair("float", "int")
        condition = self.pick("bool") if self.draw(st.booleans()) else self.number(bool_)
        fits = broadcasts(condition, x) and broadcasts(condition, y)
        return self.h.where(condition if fits else self.h.const(np.True_), x, y)

    def cast(self) -> Value:
        x = self.pick("int", "bool")
        return self.h.cast(x, dtype=self.draw(st.sampled_from([i32, f32, bool_])))

    def reduce(self) -> Value:
        x = self.pick("float", "int")
        axes = tuple(i for i, n in enumerate(x.type.shape) if n > 1 and self.draw(st.booleans()))
        names = ["max", "min"] + (["sum", "prod"] if x.type.dtype.kind == "int" else [])
        return self.h.op(self.draw(st.sampled_from(names)), x, axes=axes, keepdims=self.draw(st.booleans()))

    def move(self) -> Value:
        x = self.pick("float", "int", "bool")
        shape, rank = x.type.shape, x.type.ndim
        name = self.draw(st.sampled_from(["reshape", "transpose", "broadcast_to", "slice", "flip", "pad", "iota"]))
        attrs: dict[str, Any]
        if name == "reshape":
            attrs = {"shape": self.draw(st.sampled_from([shape, (1, *shape), (x.type.size,), shape[::-1]]))}
        elif name == "transpose":
            attrs = {"perm": tuple(self.draw(st.permutations(range(rank))))}
        elif name == "broadcast_to":
            attrs = {"shape": self.draw(st.sampled_from([shape, (2, *shape), (1, *shape)]))}
        elif name == "slice":
            start = tuple(self.draw(st.integers(0, n - 1)) for n in shape)
            step = tuple(self.draw(st.integers(1, 2)) for _ in shape)
            attrs = {"start": start, "stop": shape, "step": step}
        elif name == "flip":
            attrs = {"axes": tuple(i for i in range(rank) if self.draw(st.booleans()))}
        elif name == "pad":
            low = tuple(self.draw(st.integers(0, 1)) for _ in shape)
            attrs = {"low": low, "high": (0,) * rank, "interior": (0,) * rank, "value": 0.0}
        else:
            return self.h.iota(
                shape=(3, 4), axis=self.draw(st.integers(0, 1)), dtype=self.draw(st.sampled_from([i32, f32]))
            )
        return x if x.type.size > 200 else self.h.op(name, x, **attrs)


def broadcasts(a: Value, b: Value) -> bool:
    try:
        np.broadcast_shapes(a.type.shape, b.type.shape)
    except ValueError:
        return False
    return True


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    drawn = Drawn(draw)
    for _ in range(draw(st.integers(1, 25))):
        drawn.step()
    made = drawn.values[6:]
    return drawn.h.graph(*made[-3:], *draw(st.lists(st.sampled_from(made), max_size=2)))


@settings(deadline=None, max_examples=150)
@given(graphs())
def test_all_exact_passes_in_turn(graph: Graph) -> None:
    assert_same(graph, run(graph, (fold, simplify, cse, dce, order)))


@pytest.mark.slow
@pytest.mark.parametrize("graph_pass", [fold, simplify, cse, dce, order])
@settings(deadline=None, max_examples=1500)
@given(graph=graphs())
def test_each_exact_pass(graph_pass: GraphPass, graph: Graph) -> None:
    after = run(graph, (graph_pass,))
    assert_same(graph, after)
    assert len(run(after, (graph_pass,)).nodes) == len(after.nodes)
