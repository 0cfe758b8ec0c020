"""simplify: each rule does what it says, and changes no result, special values included."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from graphc.ir.graph import Builder, Graph, Source, SourceLine, Value
from graphc.ir.types import TensorType, bool_, f16, f32, f64, i32, u32
from graphc.ops import by_name
from graphc.passes.canonicalize.simplify import RULES, simplify
from tests.support.handmade import Hand, assert_same, ops

Make = Callable[[Hand], Value]


def x(h: Hand, *shape: int, dtype: Any = f32) -> Value:
    return h.input(*(shape or (3, 4)), dtype=dtype)


EXACT: dict[str, tuple[Make, list[str]]] = {
    "x * 1": (lambda h: h.mul(x(h), 1), []),
    "1 * x": (lambda h: h.mul(1, x(h)), []),
    "x * -1": (lambda h: h.mul(x(h), -1), ["neg"]),
    "scalar * ones": (lambda h: h.mul(h.input(), h.const(np.ones((1, 1), np.float32))), ["broadcast_to"]),
    "x + -0.0": (lambda h: h.add(x(h), -0.0), []),
    "x + 0.0 stays": (lambda h: h.add(x(h), 0.0), ["add"]),
    "i + 0": (lambda h: h.add(x(h, dtype=i32), 0), []),
    "x - 0": (lambda h: h.sub(x(h), 0.0), []),
    "x - -0.0 stays": (lambda h: h.sub(x(h), -0.0), ["sub"]),
    "-0.0 - x": (lambda h: h.sub(-0.0, x(h)), ["neg"]),
    "0.0 - x stays": (lambda h: h.sub(0.0, x(h)), ["sub"]),
    "x + -y": (lambda h: h.add(x(h), h.neg(x(h))), ["sub"]),
    "-x + y": (lambda h: h.add(h.neg(x(h)), x(h)), ["sub"]),
    "x - -y": (lambda h: h.sub(x(h), h.neg(x(h))), ["add"]),
    "-x * -y": (lambda h: h.mul(h.neg(x(h)), h.neg(x(h))), ["mul"]),
    "-x * 3": (lambda h: h.mul(h.neg(x(h)), 3), ["mul"]),
    "i * 0": (lambda h: h.mul(x(h, dtype=i32), 0), ["broadcast_to"]),
    "x * 0 stays": (lambda h: h.mul(x(h), 0), ["mul"]),
    "(i * 3) * 5": (lambda h: h.mul(h.mul(x(h, dtype=i32), 3), 5), ["mul"]),
    "(i * big) * big": (lambda h: h.mul(h.mul(x(h, dtype=i32), 1 << 20), 2047), ["mul"]),
    "(u * big) * big": (lambda h: h.mul(h.mul(x(h, dtype=u32), 1 << 31), 3), ["mul"]),
    "(x * 3) * 5 stays": (lambda h: h.mul(h.mul(x(h), 3), 5), ["mul", "mul"]),
    "x / 1": (lambda h: h.div(x(h), 1), []),
    "x / 8": (lambda h: h.div(x(h), 8), ["mul"]),
    "x / -0.5": (lambda h: h.div(x(h), -0.5), ["mul"]),
    "x / 3 stays": (lambda h: h.div(x(h), 3), ["div"]),
    "x / 2**127 stays": (lambda h: h.div(x(h), 2.0**127), ["div"]),
    "x / 2**-149 stays": (lambda h: h.div(x(h), 2.0**-149), ["div"]),
    "x / 0 stays": (lambda h: h.div(x(h), 0.0), ["div"]),
    "x / nan stays": (lambda h: h.div(x(h), np.nan), ["div"]),
    "x / inf stays": (lambda h: h.div(x(h), np.inf), ["div"]),
    "row / spread 4": (
        lambda h: h.div(h.input(4), h.broadcast_to(h.const(np.float32(4)), shape=(3, 4))),
        ["mul", "broadcast_to"],
    ),
    "x ** 1": (lambda h: h.pow(x(h), 1), []),
    "x ** 0": (lambda h: h.pow(x(h), 0), ["broadcast_to"]),
    "x ** 2": (lambda h: h.pow(x(h), 2), ["mul"]),
    "i ** 3": (lambda h: h.pow(x(h, dtype=i32), 3), ["mul", "mul"]),
    "x ** 0.5 stays": (lambda h: h.pow(x(h), 0.5), ["pow"]),
    "neg neg": (lambda h: h.neg(h.neg(x(h))), []),
    "not not": (lambda h: h.not_(h.not_(x(h, dtype=bool_))), []),
    "abs neg": (lambda h: h.abs(h.neg(x(h))), ["abs"]),
    "abs abs": (lambda h: h.abs(h.abs(x(h))), ["abs"]),
    "and true": (lambda h: h.and_(x(h, dtype=bool_), True), []),
    "and false": (lambda h: h.and_(x(h, dtype=bool_), False), ["broadcast_to"]),
    "or true": (lambda h: h.or_(x(h, dtype=bool_), True), ["broadcast_to"]),
    "or false": (lambda h: h.or_(False, x(h, dtype=bool_)), []),
    "bits and 1 stay": (lambda h: h.and_(x(h, dtype=i32), 1), ["and"]),
    "where true": (lambda h: h.where(h.const(np.True_), h.input(4), x(h)), ["broadcast_to"]),
    "where false": (lambda h: h.where(h.const(np.array([[False]])), h.input(4), x(h)), []),
    "where not": (lambda h: h.where(h.not_(x(h, dtype=bool_)), x(h), x(h)), ["where"]),
    "stop_gradient": (lambda h: h.stop_gradient(x(h)), []),
    "reshape to same": (lambda h: h.reshape(x(h), shape=(3, 4)), []),
    "reshape twice": (lambda h: h.reshape(h.reshape(x(h), shape=(2, 6)), shape=(12,)), ["reshape"]),
    "reshape back": (lambda h: h.reshape(h.reshape(x(h), shape=(2, 6)), shape=(3, 4)), []),
    "transpose by identity": (lambda h: h.transpose(x(h), perm=(0, 1)), []),
    "transpose twice": (
        lambda h: h.transpose(h.transpose(x(h, 2, 3, 4), perm=(1, 2, 0)), perm=(1, 0, 2)),
        ["transpose"],
    ),
    "transpose back": (lambda h: h.transpose(h.transpose(x(h, 2, 3, 4), perm=(1, 2, 0)), perm=(2, 0, 1)), []),
    "transpose of a row": (lambda h: h.transpose(x(h, 1, 4), perm=(1, 0)), ["reshape"]),
    "broadcast to same": (lambda h: h.broadcast_to(x(h), shape=(3, 4)), []),
    "broadcast twice": (
        lambda h: h.broadcast_to(h.broadcast_to(x(h, 4), shape=(3, 4)), shape=(2, 3, 4)),
        ["broadcast_to"],
    ),
    "broadcast of leading ones": (
        lambda h: h.broadcast_to(h.reshape(x(h, 4), shape=(1, 4)), shape=(3, 4)),
        ["broadcast_to"],
    ),
    "broadcast of trailing ones stays": (
        lambda h: h.broadcast_to(h.reshape(x(h, 3), shape=(3, 1)), shape=(3, 4)),
        ["reshape", "broadcast_to"],
    ),
    "reshape of a spread scalar": (
        lambda h: h.reshape(h.broadcast_to(h.input(), shape=(3, 4)), shape=(12,)),
        ["broadcast_to"],
    ),
    "add of a spread row": (lambda h: h.add(h.broadcast_to(x(h, 4), shape=(3, 4)), x(h)), ["add"]),
    "add of two spread rows": (
        lambda h: h.add(h.broadcast_to(x(h, 4), shape=(3, 4)), h.broadcast_to(x(h, 3, 1), shape=(3, 4))),
        ["add"],
    ),
    "add of one spread row twice": (
        lambda h: h.add(h.broadcast_to(x(h, 4), shape=(3, 4)), h.broadcast_to(x(h, 4), shape=(3, 4))),
        ["broadcast_to", "add"],
    ),
    "cast to same": (lambda h: h.cast(x(h), dtype=f32), []),
    "cast bool to int to float": (lambda h: h.cast(h.cast(x(h, dtype=bool_), dtype=i32), dtype=f32), ["cast"]),
    "cast float to int to float stays": (lambda h: h.cast(h.cast(x(h), dtype=i32), dtype=f32), ["cast", "cast"]),
    "cast f16 up and back": (lambda h: h.cast(h.cast(x(h, dtype=f16), dtype=f32), dtype=f16), []),
    "cast int to float to int stays": (lambda h: h.cast(h.cast(x(h, dtype=i32), dtype=f64), dtype=u32), ["cast"] * 2),
    "slice of everything": (lambda h: h.slice(x(h), start=(0, 0), stop=(3, 4), step=(1, 1)), []),
    "slice of slice": (
        lambda h: h.slice(h.slice(x(h, 20), start=(3,), stop=(19,), step=(3,)), start=(1,), stop=(6,), step=(2,)),
        ["slice"],
    ),
    "flip twice": (lambda h: h.flip(h.flip(x(h), axes=(1,)), axes=(1,)), []),
    "flip of one": (lambda h: h.flip(x(h, 1, 4), axes=(0,)), []),
    "pad by nothing": (lambda h: h.pad(x(h), low=(0, 0), high=(0, 0), interior=(0, 0), value=0.0), []),
    "concatenate of one": (lambda h: h.concatenate(x(h), axis=0), []),
    "max over ones": (lambda h: h.max(x(h, 3, 1, 4), axes=(1,)), ["reshape"]),
    "prod over no axes": (lambda h: h.prod(x(h), axes=()), []),
    "max of max": (lambda h: h.max(h.max(x(h, 2, 3, 4), axes=(1,)), axes=(1,)), ["max"]),
    "max of max kept": (lambda h: h.max(h.max(x(h, 2, 3, 4), axes=(1,), keepdims=True), axes=(2,)), ["max", "reshape"]),
    "sum of sum of ints": (lambda h: h.sum(h.sum(x(h, 2, 3, 4, dtype=i32), axes=(0,)), axes=(1,)), ["sum"]),
    "sum of sum stays": (lambda h: h.sum(h.sum(x(h, 2, 3, 4), axes=(0,)), axes=(1,)), ["sum", "sum"]),
}


@pytest.mark.parametrize("name", EXACT)
def test_rule(name: str) -> None:
    make, expected = EXACT[name]
    h = Hand()
    before = h.graph(make(h))
    after = simplify(before)
    assert ops(after) == expected
    assert_same(before, after)


ROUNDED: dict[str, tuple[Make, list[str]]] = {
    "x ** 3": (lambda h: h.pow(x(h), 3), ["mul", "mul"]),
    "x ** 4": (lambda h: h.pow(x(h), 4), ["mul", "mul"]),
    "1 / sqrt": (lambda h: h.div(1, h.sqrt(x(h))), ["rsqrt"]),
    "sigmoid": (lambda h: h.div(1, h.add(1, h.exp(h.neg(x(h))))), ["sigmoid"]),
    "sigmoid, other way": (lambda h: h.div(1, h.add(h.exp(h.neg(x(h))), 1)), ["sigmoid"]),
}


@pytest.mark.parametrize("name", ROUNDED)
def test_rule_that_rounds_otherwise(name: str) -> None:
    make, expected = ROUNDED[name]
    h = Hand()
    before = h.graph(make(h))
    after = simplify(before)
    assert ops(after) == expected
    assert_same(before, after, ulps=4)


def test_same_operand_twice() -> None:
    h = Hand()
    a, c = x(h), x(h, dtype=bool_)
    graph = h.graph(h.maximum(a, a), h.minimum(a, a), h.or_(c, c), h.where(c, a, a))
    after = simplify(graph)
    assert not after.nodes
    assert_same(graph, after)


def test_sum_over_ones_is_a_reshape() -> None:
    h = Hand()
    graph = h.graph(h.sum(x(h, 3, 1), axes=(1,)), h.mean(x(h, 1, 4), axes=(0,), keepdims=True))
    assert ops(simplify(graph)) == ["reshape"]


def test_near_misses_of_sigmoid_stay() -> None:
    h = Hand()
    a = x(h)
    graph = h.graph(
        h.div(1, h.add(1, h.exp(a))),
        h.div(2, h.add(1, h.exp(h.neg(a)))),
        h.div(1, h.add(2, h.exp(h.neg(a)))),
        h.div(1, h.sub(1, h.exp(h.neg(a)))),
    )
    assert graph.count("sigmoid") == simplify(graph).count("sigmoid") == 0


def test_a_max_that_is_read_otherwise_is_not_computed_again() -> None:
    h = Hand()
    rows = h.max(x(h), axes=(1,))
    graph = h.graph(rows, h.max(rows, axes=(0,)))
    assert simplify(graph) is graph


def test_a_rewritten_node_keeps_the_lines_of_both() -> None:
    builder = Builder()
    a = builder.input(TensorType((2, 3), f32))
    with builder.at(Source((SourceLine("m.py", 1),))):
        b = builder.apply(by_name("transpose"), a, perm=(1, 0))
    with builder.at(Source((SourceLine("m.py", 2),))):
        c = builder.apply(by_name("reshape"), builder.apply(by_name("reshape"), b, shape=(6,)), shape=(2, 3))
    d = builder.apply(by_name("transpose"), builder.apply(by_name("transpose"), c, perm=(1, 0)), perm=(1, 0))
    after = simplify(builder.build([d]))
    assert ops(after) == ["transpose", "reshape"]
    assert [str(node.source) for node in after.nodes] == ["m.py:1", "m.py:2"]


def test_gradient_shaped_chain_collapses() -> None:
    """What the backward of a mean of squares is made of becomes two multiplications."""
    h = Hand()
    a = x(h)
    g = h.broadcast_to(h.reshape(h.div(h.const(np.float32(1)), 16), shape=(1, 1)), shape=(3, 4))
    power = h.pow(a, h.const(np.float32(1)))
    after = simplify(h.graph(h.mul(g, h.mul(2, power))))
    assert ops(after)[-2:] == ["mul", "mul"]
    assert len(after.nodes) <= 5


def test_deep_graph_without_recursion() -> None:
    h = Hand()
    value = x(h)
    for _ in range(3000):
        value = h.neg(h.mul(value, 1))
    graph: Graph = simplify(h.graph(value))
    assert not graph.nodes


def test_every_rule_is_for_an_op_that_exists() -> None:
    for name in RULES:
        assert by_name(name).name == name
