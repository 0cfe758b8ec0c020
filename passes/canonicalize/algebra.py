"""Rules of `simplify` for arithmetic and logic. Each is exact for every input unless its docstring says otherwise."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from graphc.ir.graph import Node, Value
from graphc.passes.canonicalize.rules import Rewriter, Rule


def _is(number: Any, wanted: float) -> bool:
    """Whether a known number is exactly this one, with its sign of zero."""
    return number is not None and number == wanted and math.copysign(1, number) == math.copysign(1, wanted)


def _operand(rw: Rewriter, node: Node, wanted: float) -> Value | None:
    """The other operand of a commutative op, where one operand is `wanted` everywhere."""
    a, b = node.inputs
    if _is(rw.number(b), wanted):
        return a
    return b if _is(rw.number(a), wanted) else None


def _integer(node: Node) -> bool:
    return node.out.type.dtype.kind in ("int", "uint")


def stop_gradient(rw: Rewriter, node: Node) -> Value | None:
    """stop_gradient(x) -> x: differentiation is over."""
    return node.inputs[0]


def add_zero(rw: Rewriter, node: Node) -> Value | None:
    """x + 0 -> x for integers, x + -0.0 -> x for floats (-0.0 + 0.0 is 0.0)."""
    x = _operand(rw, node, 0 if _integer(node) else -0.0)
    return None if x is None else rw.broadcast(x, node.out.type)


def add_negative(rw: Rewriter, node: Node) -> Value | None:
    """x + -y -> x - y, and -x + y -> y - x."""
    a, b = node.inputs
    inner = rw.producer(b, "neg")
    if inner is not None:
        return rw.emit("sub", a, inner.inputs[0], also=inner)
    inner = rw.producer(a, "neg")
    return None if inner is None else rw.emit("sub", b, inner.inputs[0], also=inner)


def subtract_zero(rw: Rewriter, node: Node) -> Value | None:
    """x - 0 -> x, and -0.0 - x -> -x."""
    a, b = node.inputs
    if _is(rw.number(b), 0.0):
        return rw.broadcast(a, node.out.type)
    if node.out.type.dtype.kind == "float" and _is(rw.number(a), -0.0):
        return rw.broadcast(rw.emit("neg", b), node.out.type)
    return None


def subtract_negative(rw: Rewriter, node: Node) -> Value | None:
    """x - -y -> x + y."""
    inner = rw.producer(node.inputs[1], "neg")
    return None if inner is None else rw.emit("add", node.inputs[0], inner.inputs[0], also=inner)


def multiply_one(rw: Rewriter, node: Node) -> Value | None:
    """x * 1 -> x, and x * -1 -> -x where there is a sign."""
    x = _operand(rw, node, 1)
    if x is not None:
        return rw.broadcast(x, node.out.type)
    x = None if node.out.type.dtype.kind == "uint" else _operand(rw, node, -1)
    return None if x is None else rw.broadcast(rw.emit("neg", x), node.out.type)


def multiply_zero(rw: Rewriter, node: Node) -> Value | None:
    """x * 0 -> 0 for integers (for floats it is NaN where x is not finite)."""
    return rw.fill(0, node.out.type) if _integer(node) and _operand(rw, node, 0) is not None else None


def multiply_negatives(rw: Rewriter, node: Node) -> Value | None:
    """-x * -y -> x * y, and -x * c -> x * -c."""
    if node.out.type.dtype.kind == "uint":
        return None
    a, b = (rw.producer(v, "neg") for v in node.inputs)
    if a is not None and b is not None:
        return rw.emit("mul", a.inputs[0], b.inputs[0], also=a)
    for negated, other in ((a, node.inputs[1]), (b, node.inputs[0])):
        c = rw.number(other)
        if negated is not None and c is not None and not _integer(node):
            product = rw.emit("mul", negated.inputs[0], rw.scalar(-c, other.type), also=negated)
            return rw.broadcast(product, node.out.type)
    return None


def multiply_twice(rw: Rewriter, node: Node) -> Value | None:
    """(x * c) * d -> x * (c * d) for integers (for floats it rounds differently)."""
    for value, other in (node.inputs, node.inputs[::-1]):
        inner, d = rw.producer(value, "mul"), rw.number(other)
        if inner is None or d is None or not _integer(node):
            continue
        for x, factor in (inner.inputs, inner.inputs[::-1]):
            c = rw.number(factor)
            if c is not None:
                bits = 8 * factor.type.dtype.itemsize
                product = int(c) * int(d) % (1 << bits)
                if factor.type.dtype.kind == "int" and product >= 1 << (bits - 1):
                    product -= 1 << bits
                return rw.broadcast(rw.emit("mul", x, rw.scalar(product, factor.type), also=inner), node.out.type)
    return None


def divide_by_power_of_two(rw: Rewriter, node: Node) -> Value | None:
    """x / c -> x * (1 / c) where c is a power of two whose reciprocal is one too: then both round the same number."""
    c = rw.number(node.inputs[1])
    if c is None or abs(math.frexp(c)[0]) != 0.5:
        return None
    reciprocal, info = 1 / float(c), np.finfo(node.out.type.dtype.numpy)
    if not float(info.tiny) <= abs(reciprocal) <= float(info.max):
        return None
    product = rw.emit("mul", node.inputs[0], rw.scalar(reciprocal, node.inputs[1].type))
    return rw.broadcast(product, node.out.type)


def one_over_sqrt(rw: Rewriter, node: Node) -> Value | None:
    """1 / sqrt(x) -> rsqrt(x): rounded once instead of twice."""
    inner = rw.producer(node.inputs[1], "sqrt")
    if inner is None or not _is(rw.number(node.inputs[0]), 1):
        return None
    return rw.broadcast(rw.emit("rsqrt", inner.inputs[0], also=inner), node.out.type)


def logistic(rw: Rewriter, node: Node) -> Value | None:
    """1 / (1 + exp(-x)) -> sigmoid(x): the same function, more accurate."""
    total = rw.producer(node.inputs[1], "add")
    if total is None or not _is(rw.number(node.inputs[0]), 1):
        return None
    power = _operand(rw, total, 1)
    exponential = None if power is None else rw.producer(power, "exp")
    negated = None if exponential is None else rw.producer(exponential.inputs[0], "neg")
    if negated is None:
        return None
    return rw.broadcast(rw.emit("sigmoid", negated.inputs[0], also=total), node.out.type)


def small_power(rw: Rewriter, node: Node) -> Value | None:
    """x ** n for n in 0, 1, 2, 3, 4 -> products (a product rounds once more than a perfect power for n above 2)."""
    x, n = node.inputs[0], rw.number(node.inputs[1])
    if n is None or n not in (0, 1, 2, 3, 4):
        return None
    if n == 0:
        return rw.fill(1, node.out.type)
    found = x if n == 1 else rw.emit("mul", x, x)
    if n > 2:
        found = rw.emit("mul", found, x if n == 3 else found)
    return rw.broadcast(found, node.out.type)


def negate_twice(rw: Rewriter, node: Node) -> Value | None:
    """-(-x) -> x; not(not(x)) -> x."""
    inner = rw.producer(node.inputs[0], node.op.name)
    return None if inner is None else inner.inputs[0]


def even(rw: Rewriter, node: Node) -> Value | None:
    """abs(-x) and abs(abs(x)) -> abs(x)."""
    inner = rw.producer(node.inputs[0], "neg", "abs")
    return None if inner is None else rw.emit("abs", inner.inputs[0], also=inner)


def idempotent(rw: Rewriter, node: Node) -> Value | None:
    """maximum, minimum, and, or of x with itself -> x."""
    a, b = node.inputs
    return a if a is b else None


def and_or_constant(rw: Rewriter, node: Node) -> Value | None:
    """x and True, x or False -> x; x and False -> False; x or True -> True."""
    if node.out.type.dtype.kind != "bool":
        return None
    neutral = node.op.name == "and"
    for x, other in (node.inputs, node.inputs[::-1]):
        known = rw.number(other)
        if known is not None:
            return rw.broadcast(x, node.out.type) if bool(known) == neutral else rw.fill(not neutral, node.out.type)
    return None


def where_known(rw: Rewriter, node: Node) -> Value | None:
    """where(True, x, y) and where(c, x, x) -> x; where(False, x, y) -> y."""
    condition, x, y = node.inputs
    known = rw.number(condition)
    if known is None and x is not y:
        return None
    return rw.broadcast(x if known is None or known else y, node.out.type)


def where_not(rw: Rewriter, node: Node) -> Value | None:
    """where(not c, x, y) -> where(c, y, x)."""
    inner = rw.producer(node.inputs[0], "not")
    return None if inner is None else rw.emit("where", inner.inputs[0], node.inputs[2], node.inputs[1], also=inner)


RULES: Final[Mapping[str, tuple[Rule, ...]]] = {
    "stop_gradient": (stop_gradient,),
    "add": (add_zero, add_negative),
    "sub": (subtract_zero, subtract_negative),
    "mul": (multiply_one, multiply_zero, multiply_negatives, multiply_twice),
    "div": (one_over_sqrt, logistic, divide_by_power_of_two),
    "pow": (small_power,),
    "neg": (negate_twice,),
    "not": (negate_twice,),
    "abs": (even,),
    "maximum": (idempotent,),
    "minimum": (idempotent,),
    "and": (idempotent, and_or_constant),
    "or": (idempotent, and_or_constant),
    "where": (where_known, where_not),
}
