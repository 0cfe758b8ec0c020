"""Exporters of ops that map elements, and of reductions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from graphc.ir.graph import Node
from graphc.onnx.writing import Writer, exporter

PLAIN: Final = {
    "add": "Add",
    "sub": "Sub",
    "mul": "Mul",
    "neg": "Neg",
    "abs": "Abs",
    "sign": "Sign",
    "floor": "Floor",
    "ceil": "Ceil",
    "round": "Round",
    "exp": "Exp",
    "log": "Log",
    "sqrt": "Sqrt",
    "tanh": "Tanh",
    "sigmoid": "Sigmoid",
    "sin": "Sin",
    "cos": "Cos",
    "tan": "Tan",
    "sinh": "Sinh",
    "cosh": "Cosh",
    "arctan": "Atan",
    "arcsin": "Asin",
    "arccos": "Acos",
    "arcsinh": "Asinh",
    "arccosh": "Acosh",
    "arctanh": "Atanh",
    "erf": "Erf",
    "div": "Div",
    "maximum": "Max",
    "minimum": "Min",
    "matmul": "MatMul",
    "eq": "Equal",
    "lt": "Less",
    "le": "LessOrEqual",
    "gt": "Greater",
    "ge": "GreaterOrEqual",
    "isnan": "IsNaN",
}
"""Ops that one operator computes. Unsigned integers are computed in 64 bits, which few runtimes lack operators for."""

LOGICAL: Final = {"and": ("And", "BitwiseAnd"), "or": ("Or", "BitwiseOr"), "xor": ("Xor", "BitwiseXor")}


ORDERED: Final = {"maximum": "Or", "minimum": "And"}
"""What the greater and the lesser of bools are."""


def _plain(w: Writer, node: Node, *names: str) -> str:
    if node.inputs[0].type.dtype.kind == "bool" and node.op.name != "eq":
        if node.op.name in ORDERED:
            return str(w.add(ORDERED[node.op.name], *names))
        names = tuple(w.cast(n, np.int32) for n in names)
    return widened(w, node, names, lambda *n: w.add(PLAIN[node.op.name], *n))


for _name in PLAIN:
    exporter(_name)(_plain)


def widened(w: Writer, node: Node, names: Sequence[str], compute: Callable[..., str], kinds: str = "uint") -> str:
    """An operator on integers of these kinds by way of int64; the result has the low bits of what comes out."""
    if all(v.type.dtype.kind not in kinds.split() for v in node.inputs):
        return compute(*names)
    made = compute(*(w.cast(n, np.int64) for n in names))
    return made if node.out.type.dtype.kind == "bool" else w.cast(_low(w, made), np.uint32, node.out.type.dtype.numpy)


def _low(w: Writer, name: str) -> str:
    """The low 32 bits of an int64."""
    return str(w.add("BitwiseAnd", name, w.constant(np.asarray(0xFFFFFFFF, np.int64))))


@exporter("and", "or", "xor")
def logical(w: Writer, node: Node, *names: str) -> str:
    """On bool, or on the bits of integers."""
    return str(w.add(LOGICAL[node.op.name][node.out.type.dtype.kind != "bool"], *names))


@exporter("not")
def negation(w: Writer, node: Node, x: str) -> str:
    """On bool, or on the bits of integers."""
    return str(w.add("Not" if node.out.type.dtype.kind == "bool" else "BitwiseNot", x))


@exporter("ne")
def unequal(w: Writer, node: Node, a: str, b: str) -> str:
    """Not equal."""
    return str(w.add("Not", w.add("Equal", a, b)))


@exporter("stop_gradient", "checked", "barrier")
def itself(w: Writer, node: Node, x: str) -> str:
    """What autodiff or faults know of; a runtime looks at indices by itself."""
    return x


@exporter("isfinite")
def finite(w: Writer, node: Node, x: str) -> str:
    """Neither NaN nor infinite."""
    return str(w.add("Not", w.add("Or", w.add("IsNaN", x), w.add("IsInf", x))))


@exporter("trunc")
def truncate(w: Writer, node: Node, x: str) -> str:
    """The size rounded down, with the sign."""
    return str(w.add("Mul", w.add("Sign", x), w.add("Floor", w.add("Abs", x))))


@exporter("rsqrt")
def rsqrt(w: Writer, node: Node, x: str) -> str:
    """One over the root."""
    return str(w.add("Reciprocal", w.add("Sqrt", x)))


@exporter("expm1")
def expm1(w: Writer, node: Node, x: str) -> str:
    """tanh(x / 2) (e ** x + 1), which loses no digits near zero."""
    half = w.add("Tanh", w.add("Mul", x, w.like(node.out, 0.5)))
    return str(w.add("Mul", half, w.add("Add", w.add("Exp", x), w.like(node.out, 1))))


@exporter("log1p")
def log1p(w: Writer, node: Node, x: str) -> str:
    """log(u) x / (u - 1) for u = 1 + x, whose rounding cancels; x where u is 1, and u where it is infinite."""
    one = w.like(node.out, 1)
    u = w.add("Add", x, one)
    apart = w.add("Sub", u, one)
    same = w.add("Equal", u, one)
    made = w.add("Mul", w.add("Log", u), w.add("Div", x, w.add("Where", same, one, apart)))
    made = w.add("Where", same, x, made)
    return str(w.add("Where", w.add("IsInf", u, detect_negative=0), u, made))


@exporter("log2", "log10")
def log_base(w: Writer, node: Node, x: str) -> str:
    """The natural logarithm over that of the base."""
    factor = 1 / math.log(2 if node.op.name == "log2" else 10)
    return str(w.add("Mul", w.add("Log", x), w.like(node.out, factor)))


@exporter("cbrt")
def cube_root(w: Writer, node: Node, x: str) -> str:
    """Of the size, with the sign."""
    return str(w.add("Mul", w.add("Sign", x), w.add("Pow", w.add("Abs", x), w.like(node.out, 1 / 3))))


@exporter("hypot")
def hypot(w: Writer, node: Node, a: str, b: str) -> str:
    """The greater size times a root of at most 2."""
    a, b = w.add("Abs", a), w.add("Abs", b)
    most, least = w.add("Max", a, b), w.add("Min", a, b)
    zero, one = w.like(node.out, 0), w.like(node.out, 1)
    part = w.add("Div", least, w.add("Where", w.add("Equal", most, zero), one, most))
    made = w.add("Mul", most, w.add("Sqrt", w.add("Add", w.add("Mul", part, part), one)))
    endless = w.add("Or", w.add("IsInf", a), w.add("IsInf", b))
    return str(w.add("Where", endless, w.like(node.out, math.inf), made))


def _negative(w: Writer, node: Node, x: str) -> str:
    """Whether a number is below zero, or the zero that is: one over it is."""
    zero = w.like(node.out, 0)
    tells = w.add("Where", w.add("Equal", x, zero), w.add("Reciprocal", x), x)
    return str(w.add("Less", tells, zero))


@exporter("copysign")
def copysign(w: Writer, node: Node, a: str, b: str) -> str:
    """The size of a, with the sign of b."""
    size = w.add("Abs", a)
    return str(w.add("Where", _negative(w, node, b), w.add("Neg", size), size))


@exporter("arctan2")
def arctan2(w: Writer, node: Node, y: str, x: str) -> str:
    """The arctangent of the lesser size over the greater, turned to where the point lies."""
    zero, one, half = w.like(node.out, 0), w.like(node.out, 1), w.like(node.out, math.pi / 2)
    a, b = w.add("Abs", y), w.add("Abs", x)
    steep = w.add("Greater", a, b)
    most, least = w.add("Max", a, b), w.add("Min", a, b)
    ratio = w.add("Div", least, w.add("Where", w.add("Equal", most, zero), one, most))
    ratio = w.add("Where", w.add("And", w.add("IsInf", a), w.add("IsInf", b)), one, ratio)
    angle = w.add("Atan", ratio)
    angle = w.add("Where", steep, w.add("Sub", half, angle), angle)
    angle = w.add("Where", _negative(w, node, x), w.add("Sub", w.like(node.out, math.pi), angle), angle)
    return str(w.add("Where", _negative(w, node, y), w.add("Neg", angle), angle))


@exporter("floordiv", "mod", "fmod")
def division(w: Writer, node: Node, a: str, b: str) -> str:
    """NumPy's division with a remainder; integers divided by zero give 0."""
    compute = _float_division if node.out.type.dtype.kind == "float" else _integer_division
    return widened(w, node, (a, b), lambda a, b: compute(w, node, a, b), "int uint")


def _float_division(w: Writer, node: Node, a: str, b: str) -> str:
    name, zero = node.op.name, w.like(node.out, 0)
    rest = w.add("Mod", a, b, fmod=1)
    if name == "fmod":
        return str(rest)
    apart = w.add("Xor", w.add("Less", rest, zero), w.add("Less", b, zero))
    crosses = w.add("And", w.add("Not", w.add("Equal", rest, zero)), apart)
    if name == "mod":
        return str(w.add("Where", crosses, w.add("Add", rest, b), rest))
    whole = w.add("Round", w.add("Div", w.add("Sub", a, rest), b))
    whole = w.add("Where", crosses, w.add("Sub", whole, w.like(node.out, 1)), whole)
    return str(w.add("Where", w.add("Equal", b, zero), w.add("Div", a, b), whole))


def _integer_division(w: Writer, node: Node, a: str, b: str) -> str:
    """In int64."""
    zero, one = (w.constant(np.asarray(n, np.int64)) for n in (0, 1))
    none = w.add("Equal", b, zero)
    over = w.add("Where", none, one, b)
    rest = w.add("Mod", a, over, fmod=int(node.op.name == "fmod"))
    made = rest if node.op.name != "floordiv" else w.add("Div", w.add("Sub", a, rest), over)
    return str(w.add("Where", none, zero, made))


@exporter("pow")
def power(w: Writer, node: Node, x: str, y: str) -> str:
    """Integers by squares, keeping the low 32 bits; their negative powers are rounded towards zero."""
    if node.out.type.dtype.kind == "float":
        return str(w.add("Pow", x, y))

    def compute(x: str, y: str) -> str:
        zero, one = (w.constant(np.asarray(n, np.int64)) for n in (0, 1))
        made, square, left = one, x, w.add("Max", y, zero)
        for _ in range(32):
            odd = w.add("Equal", w.add("BitwiseAnd", left, one), one)
            made = w.add("Where", odd, _low(w, w.add("Mul", made, square)), made)
            square = _low(w, w.add("Mul", square, square))
            left = w.add("Div", left, w.constant(np.asarray(2, np.int64)))
        unit = w.add("Equal", w.add("Abs", x), one)
        turned = w.add("Where", w.add("Equal", w.add("BitwiseAnd", y, one), one), x, one)
        return str(w.add("Where", w.add("Less", y, zero), w.add("Where", unit, turned, zero), made))

    return widened(w, node, (x, y), compute, "int uint")


@exporter("where")
def where(w: Writer, node: Node, condition: str, x: str, y: str) -> str:
    """Of bool by And and Or, which all runtimes have."""
    if node.out.type.dtype.kind != "bool":
        return str(w.add("Where", condition, x, y))
    return str(w.add("Or", w.add("And", condition, x), w.add("And", w.add("Not", condition), y)))


@exporter("cast")
def cast(w: Writer, node: Node, x: str) -> str:
    """Floats that an integer type cannot hold go to its ends, NaN to 0."""
    have, want = node.inputs[0].type.dtype, node.out.type.dtype
    if have.kind == "float" and want.kind in ("int", "uint"):
        limits = np.iinfo(want.numpy)
        x = w.add("Where", w.add("IsNaN", x), w.like(node.inputs[0], 0), x)
        wide = w.cast(x, np.float64)
        low, high = w.constant(np.float64(limits.min)), w.constant(np.float64(limits.max))
        return w.cast(w.add("Min", w.add("Max", wide, low), high), np.int64, want.numpy)
    return w.cast(x, want.numpy)


@exporter("shift_left", "shift_right")
def shift(w: Writer, node: Node, a: str, b: str) -> str:
    """By way of unsigned integers of 64 bits; to the right the sign goes along as an offset."""
    signed = node.out.type.dtype.kind == "int"
    left = node.op.name == "shift_left"
    direction = "LEFT" if left else "RIGHT"
    most = w.constant(np.asarray(31 if signed and not left else 32, np.int64))
    by = _low(w, w.cast(b, np.int64))  # what is negative is a huge shift
    by = w.cast(w.add("Min", by, most), np.uint64)
    wide = w.cast(a, np.int64)
    offset = w.constant(np.asarray(2**31 if signed and not left else 0, np.int64))
    moved = w.cast(_low(w, wide) if left else w.add("Add", wide, offset), np.uint64)
    moved = w.cast(w.add("BitShift", moved, by, direction=direction), np.int64)
    if not left:
        back = w.add("BitShift", w.cast(offset, np.uint64), by, direction=direction)
        moved = w.add("Sub", moved, w.cast(back, np.int64))
    return w.cast(_low(w, moved), np.uint32, node.out.type.dtype.numpy)


REDUCED: Final = {
    "sum": "ReduceSum",
    "mean": "ReduceMean",
    "prod": "ReduceProd",
    "max": "ReduceMax",
    "min": "ReduceMin",
}


@exporter(*REDUCED)
def reduce(w: Writer, node: Node, x: str) -> str:
    """Over axes; any and all of bool as greatest and least of integers."""
    axes, keep = node.attrs["axes"], int(node.attrs["keepdims"])
    if not axes:
        return x
    kind = node.inputs[0].type.dtype.kind
    inner = {"bool": np.int32, "uint": np.int64}.get(kind)
    given = x if inner is None else w.cast(x, inner)
    made = w.add(REDUCED[node.op.name], given, w.ints(axes), keepdims=keep)
    return str(made) if inner is None else w.cast(made, node.out.type.dtype.numpy)


@exporter("argmax", "argmin")
def position(w: Writer, node: Node, x: str) -> str:
    """Along one axis."""
    (axis,), keep = node.attrs["axes"], int(node.attrs["keepdims"])
    kind = node.inputs[0].type.dtype.kind
    given = w.cast(x, np.int32 if kind == "bool" else np.int64) if kind in ("bool", "uint") else x
    made = w.add("ArgMax" if node.op.name == "argmax" else "ArgMin", given, axis=axis, keepdims=keep)
    return w.cast(made, node.out.type.dtype.numpy)
