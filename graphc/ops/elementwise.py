"""Pointwise arithmetic: each output element depends on one element of each operand, with NumPy broadcasting.

Operands of one op have one dtype (casts are nodes of their own, put in by tracing). vjp rules are plain NumPy over
traced arrays; autodiff sums their results over broadcast axes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from graphc.errors import DTypeError
from graphc.ir.op import Case, NotDifferentiable, Op, Pointwise, Reference, VjpRule, Width
from graphc.ir.types import DType, NDArray, TensorType, broadcast_shapes, f32, f64
from graphc.ops.samples import EDGES, INTEGER_EDGES, binary_cases, integer_cases, integers, pairs, sample, unary_cases

FLOAT: Final = ("float",)
NUMERIC: Final = ("float", "int", "uint")
POINTWISE: Final = frozenset({"pointwise"})
COMMUTATIVE: Final = frozenset({"pointwise", "commutative"})
TRANSCENDENTAL: Final = frozenset({"pointwise", "transcendental"})
STEP: Final = NotDifferentiable("a step function: its gradient is zero wherever it has one")


def same_dtype(types: tuple[TensorType, ...], kinds: tuple[str, ...]) -> None:
    """Raise DTypeError unless all types share one element type of one of `kinds`."""
    if any(t.dtype != types[0].dtype for t in types):
        raise DTypeError(f"operands need one element type, got {' and '.join(t.dtype.name for t in types)}")
    if types[0].dtype.kind not in kinds:
        raise DTypeError(f"needs {' or '.join(kinds)} operands, got {types[0].dtype.name}")


def infer_arithmetic(*types: TensorType) -> TensorType:
    """Broadcast shape, the operands' element type."""
    same_dtype(types, NUMERIC)
    return TensorType(broadcast_shapes(*(t.shape for t in types)), types[0].dtype)


def infer_float(*types: TensorType) -> TensorType:
    """Broadcast shape, the operands' element type, which is a float type."""
    same_dtype(types, FLOAT)
    return TensorType(broadcast_shapes(*(t.shape for t in types)), types[0].dtype)


def infer_ordered(*types: TensorType) -> TensorType:
    """Broadcast shape, the operands' element type, which may be bool."""
    same_dtype(types, (*NUMERIC, "bool"))
    return TensorType(broadcast_shapes(*(t.shape for t in types)), types[0].dtype)


def library(name: str) -> Callable[..., str]:
    """WGSL that calls a float function of the library; f16 goes through f32."""

    def wgsl(w: Width, node: Any, *args: str) -> str:
        return call_library(w, node.inputs[0].type.dtype, name, *args)

    return wgsl


def call_library(w: Width, dtype: DType, name: str, *args: str) -> str:
    """WGSL text of `name(*args)` for a float dtype; f64 has functions of its own, named with a 64."""
    if dtype in (f32, f64):
        return f"{w.fn(name if dtype == f32 else name + '64')}({', '.join(args)})"
    return f"{w(dtype)}({w.fn(name)}({', '.join(f'{w(f32)}({a})' for a in args)}))"


def call_test(w: Width, dtype: DType, name: str, x: str) -> str:
    """WGSL text of a library function from a float dtype to bool."""
    if dtype in (f32, f64):
        return call_library(w, dtype, name, x)
    return f"{w.fn(name)}({w(f32)}({x}))"


def unary(
    name: str,
    reference: Reference,
    vjp: VjpRule | NotDifferentiable,
    wgsl: Callable[..., str],
    doc: str,
    infer: Callable[..., TensorType] = infer_float,
    cases: Callable[[], tuple[Case, ...]] = unary_cases,
    traits: frozenset[str] = POINTWISE,
) -> Op:
    """The record of a function of one operand."""
    return Op(name, infer, reference, vjp, Pointwise(wgsl), traits, cases, doc)


def binary(
    name: str,
    reference: Reference,
    vjp: VjpRule | NotDifferentiable,
    wgsl: Callable[..., str],
    doc: str,
    infer: Callable[..., TensorType] = infer_arithmetic,
    traits: frozenset[str] = POINTWISE,
    cases: Callable[[], tuple[Case, ...]] = binary_cases,
) -> Op:
    """The record of a function of two operands."""
    return Op(name, infer, reference, vjp, Pointwise(wgsl), traits, cases, doc)


def _dtype(node: Any) -> DType:
    dtype: DType = node.inputs[0].type.dtype
    return dtype


add: Final = binary(
    "add",
    np.add,
    lambda g, out, a, b: (g, g),
    lambda w, node, a, b: f"({a} + {b})",
    "a + b",
    traits=COMMUTATIVE,
)

sub: Final = binary(
    "sub",
    np.subtract,
    lambda g, out, a, b: (g, -g),
    lambda w, node, a, b: f"({a} - {b})",
    "a - b",
)

mul: Final = binary(
    "mul",
    np.multiply,
    lambda g, out, a, b: (g * b, g * a),
    lambda w, node, a, b: f"({a} * {b})",
    "a * b",
    traits=COMMUTATIVE,
)


def _wgsl_div(w: Width, node: Any, a: str, b: str) -> str:
    return f"({a} / {b})" if w.divides or _dtype(node) != f32 else f"{w.fn('gc_div')}({a}, {b})"


div: Final = binary(
    "div",
    np.true_divide,
    lambda g, out, a, b: (g / b, -(g * out) / b),
    _wgsl_div,
    "a / b for floats",
    infer=infer_float,
    cases=lambda: (
        *binary_cases(0.3, 2.0, integer=False, edges=False),
        Case((EDGES, np.full_like(EDGES, 3.0)), grad=False),
    ),
)


def _quotient(w: Width, dtype: DType, a: str, b: str) -> str:
    """WGSL text of a / b for signed integers, rounded towards zero. It divides what is not negative.

    WGSL defines `/` and `%` for every sign, but some drivers reach the GPU by languages that do not: `%` of a negative
    number is undefined in GLSL (section 5.9).
    """
    unsigned = w(dtype).replace(dtype.wgsl, f"u{dtype.itemsize * 8}")
    magnitude = f"{w(dtype)}({unsigned}(abs({a})) / {unsigned}(abs({b})))"
    return f"select({magnitude}, -{magnitude}, ({a} ^ {b}) < {w(dtype)}(0))"


def _wgsl_floordiv(w: Width, node: Any, a: str, b: str) -> str:
    dtype = _dtype(node)
    if dtype.kind == "float":
        return call_library(w, dtype, "gc_floordiv", a, b)
    zero, one = f"{w(dtype)}(0)", f"{w(dtype)}(1)"
    if dtype.kind == "uint":
        return f"select({a} / {b}, {zero}, {b} == {zero})"
    # One less than the quotient where there is a remainder and the signs differ.
    quotient = _quotient(w, dtype, a, b)
    lower = f"select({zero}, {one}, ({quotient} * {b} != {a}) & (({a} ^ {b}) < {zero}))"
    return f"select({quotient} - {lower}, {zero}, {b} == {zero})"


def _wgsl_mod(w: Width, node: Any, a: str, b: str) -> str:
    dtype = _dtype(node)
    if dtype.kind == "float":
        return call_library(w, dtype, "gc_mod", a, b)
    zero = f"{w(dtype)}(0)"
    if dtype.kind == "uint":
        return f"select({a} % {b}, {zero}, {b} == {zero})"
    rest = f"({a} - {_quotient(w, dtype, a, b)} * {b})"
    moved = f"select({zero}, {b}, ({rest} != {zero}) & (({rest} ^ {b}) < {zero}))"
    return f"select({rest} + {moved}, {zero}, {b} == {zero})"


def _wgsl_fmod(w: Width, node: Any, a: str, b: str) -> str:
    dtype = _dtype(node)
    if dtype.kind == "float":
        return call_library(w, dtype, "gc_fmod", a, b)
    zero = f"{w(dtype)}(0)"
    rest = f"{a} % {b}" if dtype.kind == "uint" else f"{a} - {_quotient(w, dtype, a, b)} * {b}"
    return f"select({rest}, {zero}, {b} == {zero})"


def _remainder_cases() -> tuple[Case, ...]:
    away = sample(4, 3, low=0.4, high=0.9), np.float32(1.0)  # no multiple within reach of a finite difference
    values = np.append(EDGES, np.array([1e9, -3.7e12, 0.1, 5.0], np.float32))
    return (
        Case(away),
        Case((sample(7, low=2.1, high=2.9), sample(7, low=0.95, high=1.04, seed=1))),
        Case((sample(0, 3), sample(3, seed=1))),
        Case((sample(65, low=-50, high=50), sample(65, seed=1)), grad=False, rtol=1e-5),
        Case(pairs(values), grad=False),
        *integer_cases(),
    )


floordiv: Final = binary(
    "floordiv",
    np.floor_divide,
    STEP,
    _wgsl_floordiv,
    "a // b as in NumPy: rounded down; an integer divided by zero gives 0",
    cases=_remainder_cases,
)

mod: Final = binary(
    "mod",
    np.remainder,
    lambda g, out, a, b: (g, -g * np.floor_divide(a, b)),
    _wgsl_mod,
    "a % b as in NumPy: the sign of b; an integer modulo zero gives 0",
    cases=_remainder_cases,
)

fmod: Final = binary(
    "fmod",
    np.fmod,
    lambda g, out, a, b: (g, -g * np.rint((a - out) / b)),
    _wgsl_fmod,
    "the remainder of a / b with the sign of a; an integer modulo zero gives 0",
    cases=_remainder_cases,
)


def _power(a: NDArray, b: NDArray) -> NDArray:
    """np.power, and 1 / a**-b rounded towards zero where integer b is negative (NumPy raises there)."""
    if a.dtype.kind != "i":
        return np.asarray(np.power(a, b))
    a, b = np.broadcast_arrays(a, b)
    odd = np.where(b & 1, a, a.dtype.type(1))
    inverse = np.where(np.abs(a) == 1, odd, a.dtype.type(0))
    return np.where(b < 0, inverse, np.power(a, np.maximum(b, 0)))


def _pow_vjp(g: Any, out: Any, a: Any, b: Any) -> tuple[Any, Any]:
    # b * a**(b - 1) is 0 * inf at a = 0, b = 0; log(a) * a**b is -inf * 0 at a = 0.
    base = np.where(b == 0, 0, b * a ** np.where(b == 0, 1, b - 1))
    log = np.log(np.where(a == 0, 1, a))
    return g * base, g * out * log


def _wgsl_pow(w: Width, node: Any, a: str, b: str) -> str:
    dtype = _dtype(node)
    if dtype.kind == "float":
        return call_library(w, dtype, "gc_pow", a, b)
    name = "gc_upow" if dtype.kind == "uint" else "gc_ipow64" if dtype.itemsize == 8 else "gc_ipow"
    return f"{w.fn(name)}({a}, {b})"


pow_: Final = binary(
    "pow",
    _power,
    _pow_vjp,
    _wgsl_pow,
    "a ** b; integers wrap, and a negative integer power of an integer is rounded towards zero",
    traits=TRANSCENDENTAL,
    cases=lambda: (
        *binary_cases(0.3, 2.0, rtol=3e-6, integer=False, edges=False),
        Case((sample(33, low=0, high=20), np.float32(2.0)), rtol=3e-6),
        Case((np.float32(0.999), np.arange(0, 4000, 7, dtype=np.float32)), rtol=3e-6, grad=False),
        Case(pairs(EDGES), rtol=3e-6, grad=False),
        Case(pairs(INTEGER_EDGES)),
        Case(pairs(INTEGER_EDGES.astype(np.uint32))),
    ),
)


def _wgsl_extremum(which: str, bitwise: str) -> Callable[..., str]:
    def wgsl(w: Width, node: Any, a: str, b: str) -> str:
        dtype = _dtype(node)
        if dtype.kind == "bool":
            return f"({a} {bitwise} {b})"
        if dtype.kind == "float":
            return call_library(w, dtype, f"gc_{which}", a, b)
        return f"{which}({a}, {b})"

    return wgsl


def _tie_cases() -> tuple[Case, ...]:
    ties = np.array([1.0, 2.0, 3.0, 3.0, -1.0], np.float32)
    return (*binary_cases(), Case((ties, ties[::-1].copy()), grad=False), Case((ties > 1, ties > 2)))


maximum: Final = binary(
    "maximum",
    np.maximum,
    lambda g, out, a, b: (_share(g, a > b, a == b), _share(g, b > a, a == b)),
    _wgsl_extremum("max", "|"),
    "the greater of a and b; NaN where either is NaN; equal operands share the gradient",
    infer=infer_ordered,
    traits=COMMUTATIVE,
    cases=_tie_cases,
)

minimum: Final = binary(
    "minimum",
    np.minimum,
    lambda g, out, a, b: (_share(g, a < b, a == b), _share(g, b < a, a == b)),
    _wgsl_extremum("min", "&"),
    "the lesser of a and b; NaN where either is NaN; equal operands share the gradient",
    infer=infer_ordered,
    traits=COMMUTATIVE,
    cases=_tie_cases,
)


def _share(g: Any, wins: Any, ties: Any) -> Any:
    return np.where(wins, g, np.where(ties, g * 0.5, 0))


def _signed_cases() -> tuple[Case, ...]:
    return (*unary_cases(0.2, 2.0), Case((-sample(5, low=0.2),)), Case((INTEGER_EDGES,)))


neg: Final = unary(
    "neg",
    np.negative,
    lambda g, out, x: (-g,),
    # There is no unary minus on u32.
    lambda w, node, x: f"({w(_dtype(node))}(0) - {x})" if _dtype(node).kind == "uint" else f"(-{x})",
    "-x; unsigned integers wrap",
    infer=infer_arithmetic,
    cases=lambda: (*_signed_cases(), Case((integers(9, low=0).astype(np.uint32),))),
)

abs_: Final = unary(
    "abs",
    np.absolute,
    lambda g, out, x: (g * np.sign(x),),
    lambda w, node, x: f"abs({x})",
    "|x|",
    infer=infer_arithmetic,
    cases=lambda: (*_signed_cases(), Case((integers(9, low=0).astype(np.uint32),))),
)


def _wgsl_sign(w: Width, node: Any, x: str) -> str:
    dtype = _dtype(node)
    if dtype.kind == "uint":
        return f"min({x}, {w(dtype)}(1))"
    return call_library(w, dtype, "gc_sign", x) if dtype.kind == "float" else f"sign({x})"


sign: Final = unary(
    "sign",
    np.sign,
    STEP,
    _wgsl_sign,
    "-1, 0 or 1; NaN for NaN",
    infer=infer_arithmetic,
    cases=lambda: (*_signed_cases(), Case((integers(9, low=0).astype(np.uint32),))),
)


floor: Final = unary("floor", np.floor, STEP, library("gc_floor"), "x rounded down")
ceil: Final = unary("ceil", np.ceil, STEP, library("gc_ceil"), "x rounded up")
trunc: Final = unary("trunc", np.trunc, STEP, library("gc_trunc"), "x rounded towards zero")
round_: Final = unary("round", np.rint, STEP, library("gc_round"), "x rounded to the nearest integer, half to even")

stop_gradient: Final = unary(
    "stop_gradient",
    lambda x: x,
    NotDifferentiable("it stops gradients"),
    lambda w, node, x: x,
    "x, a constant to autodiff",
    infer=infer_ordered,
    cases=lambda: (*unary_cases(), Case((integers(5),)), Case((integers(5) > 0,))),
)
