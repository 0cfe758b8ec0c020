"""Pointwise comparison, bits and logic, selection, element types.

A bool is WGSL's bool in a register. `and`, `or`, `xor` and `not` are logical on bool and bitwise on integers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from graphc.errors import DTypeError
from graphc.ir.op import Case, NotDifferentiable, Op, Pointwise, Width
from graphc.ir.types import DType, NDArray, TensorType, bool_, broadcast_shapes, f32, f64, i32, i64, u32
from graphc.ops.elementwise import COMMUTATIVE, NUMERIC, POINTWISE, binary, call_test, same_dtype, unary
from graphc.ops.samples import EDGES, INTEGER_EDGES, binary_cases, booleans, integers, pairs, sample

DISCRETE: Final = NotDifferentiable("its result is not a float")
BITS: Final = ("int", "uint", "bool")


def infer_comparison(*types: TensorType) -> TensorType:
    """Broadcast shape, bool."""
    same_dtype(types, (*NUMERIC, "bool"))
    return TensorType(broadcast_shapes(*(t.shape for t in types)), bool_)


def infer_bits(*types: TensorType) -> TensorType:
    """Broadcast shape, the operands' element type, which is bool or an integer type."""
    same_dtype(types, BITS)
    return TensorType(broadcast_shapes(*(t.shape for t in types)), types[0].dtype)


def infer_shift(*types: TensorType) -> TensorType:
    """Broadcast shape, the operands' element type, which is an integer type."""
    same_dtype(types, ("int", "uint"))
    return TensorType(broadcast_shapes(*(t.shape for t in types)), types[0].dtype)


def infer_test(x: TensorType) -> TensorType:
    """The shape of a float operand, bool."""
    same_dtype((x,), ("float",))
    return x.with_dtype(bool_)


def infer_where(condition: TensorType, x: TensorType, y: TensorType) -> TensorType:
    """Broadcast shape, the element type of x and y."""
    if condition.dtype != bool_:
        raise DTypeError(f"needs a bool condition, got {condition.dtype.name}")
    same_dtype((x, y), (*NUMERIC, "bool"))
    return TensorType(broadcast_shapes(condition.shape, x.shape, y.shape), x.dtype)


def infer_cast(x: TensorType, *, dtype: DType) -> TensorType:
    """The same shape, `dtype`."""
    return x.with_dtype(dtype)


def _comparison(name: str, reference: Callable[..., NDArray], symbol: str, doc: str, commutative: bool = False) -> Op:
    def wgsl(w: Width, node: Any, a: str, b: str) -> str:
        # WGSL orders numbers only.
        if node.inputs[0].type.dtype.kind == "bool" and not commutative:
            a, b = f"{w(u32)}({a})", f"{w(u32)}({b})"
        # Lavapipe finds that a NaN in a vector is not unequal to anything.
        return f"!({a} == {b})" if symbol == "!=" else f"({a} {symbol} {b})"

    def cases() -> tuple[Case, ...]:
        bits = np.array([False, True])
        return (*binary_cases(), Case((integers(9, seed=1), integers(9, seed=2))), Case(pairs(bits)))

    traits = COMMUTATIVE if commutative else POINTWISE
    return Op(name, infer_comparison, reference, DISCRETE, Pointwise(wgsl), traits, cases, doc)


eq: Final = _comparison("eq", np.equal, "==", "a == b", commutative=True)
ne: Final = _comparison("ne", np.not_equal, "!=", "a != b", commutative=True)
lt: Final = _comparison("lt", np.less, "<", "a < b")
le: Final = _comparison("le", np.less_equal, "<=", "a <= b")
gt: Final = _comparison("gt", np.greater, ">", "a > b")
ge: Final = _comparison("ge", np.greater_equal, ">=", "a >= b")


def _bit_cases() -> tuple[Case, ...]:
    return (
        Case(pairs(INTEGER_EDGES)),
        Case(pairs(INTEGER_EDGES.astype(np.uint32))),
        Case((booleans(3, 5), booleans(5, seed=1))),
        Case((booleans(), booleans(3, seed=1))),
        Case((booleans(0, 2), booleans(2, seed=1))),
        Case((integers(130), integers(130, seed=1))),
    )


def _bits(name: str, reference: Callable[..., NDArray], symbol: str, on_bool: str, doc: str) -> Op:
    def wgsl(w: Width, node: Any, a: str, b: str) -> str:
        return f"({a} {on_bool if node.inputs[0].type.dtype == bool_ else symbol} {b})"

    return binary(name, reference, DISCRETE, wgsl, doc, infer_bits, COMMUTATIVE, _bit_cases)


and_: Final = _bits("and", np.bitwise_and, "&", "&", "a & b: logical on bool, bitwise on integers")
or_: Final = _bits("or", np.bitwise_or, "|", "|", "a | b: logical on bool, bitwise on integers")
xor: Final = _bits("xor", np.bitwise_xor, "^", "!=", "a ^ b: logical on bool, bitwise on integers")

not_: Final = unary(
    "not",
    np.invert,
    DISCRETE,
    lambda w, node, x: f"(!{x})" if node.inputs[0].type.dtype == bool_ else f"(~{x})",
    "~x: logical on bool, bitwise on integers",
    infer_bits,
    lambda: (
        Case((booleans(3, 5),)),
        Case((booleans(),)),
        Case((booleans(0, 2),)),
        Case((INTEGER_EDGES,)),
        Case((INTEGER_EDGES.astype(np.uint32),)),
    ),
)


def _shift_cases() -> tuple[Case, ...]:
    counts = np.array([0, 1, 5, 31, 32, 33, 64, -1], np.int32)
    return (
        Case((INTEGER_EDGES[:, None], counts)),
        Case((INTEGER_EDGES.astype(np.uint32)[:, None], counts.astype(np.uint32))),
        Case((integers(0, 3), integers(3, low=0))),
        Case((integers(), integers(low=0))),
        Case((integers(67), integers(67, low=0, seed=1))),
    )


def _wgsl_shift(symbol: str) -> Callable[..., str]:
    def wgsl(w: Width, node: Any, a: str, b: str) -> str:
        # WGSL takes the count modulo the number of bits; NumPy shifts everything out, also for a negative count.
        dtype = node.inputs[0].type.dtype
        bits = dtype.itemsize * 8
        zero = f"{w(dtype)}(0)"
        count = f"{w(u32)}({b})"
        rest = f"select({zero}, ~{zero}, {a} < {zero})" if symbol == ">>" and dtype.kind == "int" else zero
        return f"select({rest}, {a} {symbol} ({count} & {w(u32)}({bits - 1}u)), {count} < {w(u32)}({bits}u))"

    return wgsl


shift_left: Final = binary(
    "shift_left",
    np.left_shift,
    DISCRETE,
    _wgsl_shift("<<"),
    "a << b; 0 where b is not below the number of bits",
    infer_shift,
    cases=_shift_cases,
)

shift_right: Final = binary(
    "shift_right",
    np.right_shift,
    DISCRETE,
    _wgsl_shift(">>"),
    "a >> b with the sign of a; 0 or -1 where b is not below the number of bits",
    infer_shift,
    cases=_shift_cases,
)


def _where_cases() -> tuple[Case, ...]:
    nan = np.full((5,), np.nan, np.float32)
    return (
        Case((booleans(3, 5), sample(3, 5), sample(3, 5, seed=1))),
        Case((booleans(5), sample(3, 5), sample(3, 1, seed=1))),
        Case((booleans(2, 1, 3), sample(4, 1), sample(seed=1))),
        Case((booleans(), sample(), sample(seed=1))),
        Case((booleans(0, 3), sample(3), sample(3, seed=1))),
        Case((booleans(5), nan, sample(5, seed=1)), grad=False),
        Case((booleans(67), integers(67), integers(67, seed=1))),
        Case((booleans(7), booleans(7, seed=1), booleans(7, seed=2))),
    )


where: Final = Op(
    "where",
    infer_where,
    lambda condition, x, y: np.where(condition, x, y),
    lambda g, out, condition, x, y: (None, np.where(condition, g, 0), np.where(condition, 0, g)),
    Pointwise(lambda w, node, condition, x, y: f"select({y}, {x}, {condition})"),
    POINTWISE,
    _where_cases,
    "x where the condition holds, else y",
)


def _cast(x: NDArray, *, dtype: DType) -> NDArray:
    """x.astype, but floats outside an integer type give its nearest end and NaN gives 0 (NumPy leaves it open)."""
    if x.dtype.kind != "f" or dtype.kind not in ("int", "uint"):
        return x.astype(dtype.numpy)
    info = np.iinfo(dtype.numpy)
    low, high = x.dtype.type(info.min), x.dtype.type(info.max)
    # `high` may be rounded up to a power of two that does not fit, and so may be at most what is below it.
    inside = (x > low) & (x < high)
    whole = np.where(inside, x, 0).astype(dtype.numpy)
    return np.select([x >= high, x <= low], [dtype.numpy.type(info.max), dtype.numpy.type(info.min)], whole)


def _wgsl_cast(w: Width, node: Any, x: str) -> str:
    source, dtype = node.inputs[0].type.dtype, node.attrs["dtype"]
    if source == dtype:
        return x
    if dtype == bool_:
        return f"!({x} == {w(source)}(0))"  # true for NaN
    if source == u32 and dtype == i64:
        return f"({w(dtype)}({x}) & {w(dtype)}(0xffffffff))"  # naga extends the sign
    if source.kind != "float" or dtype.kind == "float":
        return f"{w(dtype)}({x})"
    wide = source if source == f64 else f32
    number = x if source == wide else f"{w(wide)}({x})"
    info = np.iinfo(dtype.numpy)
    low, top, above = float(info.min), info.max, float(info.max // 2 + 1) * 2
    below = float(np.nextafter(wide.numpy.type(above), wide.numpy.type(0)))  # the greatest number of it that fits
    inside = f"{w(dtype)}(clamp({number}, {w(wide)}({low:.1f}), {w(wide)}({min(below, top):.1f})))"
    clamped = f"select({inside}, {w(dtype)}({top}), {number} >= {w(wide)}({above:.1f}))"
    return f"select({clamped}, {w(dtype)}(0), {call_test(w, wide, 'gc_isnan', number)})"


def _cast_cases() -> tuple[Case, ...]:
    numbers = np.append(EDGES, np.array([2.0**31, -(2.0**31), 3e9, 2.0**32, 1e20, -1e20, 0.99], np.float32))
    inputs: tuple[NDArray, ...] = (
        numbers,
        INTEGER_EDGES,
        INTEGER_EDGES.astype(np.uint32),
        np.array([False, True]),
        sample(),
        sample(0, 3),
        sample(3, 5),
    )
    return tuple(
        Case((x,), {"dtype": d}, grad=bool(np.isfinite(x).all()) and d == f32) for x in inputs for d in TARGETS
    )


TARGETS: Final = (f32, i32, u32, bool_)

cast: Final = Op(
    "cast",
    infer_cast,
    _cast,
    lambda g, out, x, *, dtype: (g.astype(x.dtype),),
    Pointwise(_wgsl_cast),
    POINTWISE,
    _cast_cases,
    "x with another element type; a float too big for an integer type gives its nearest end, NaN gives 0",
)


def _wgsl_test(name: str) -> Callable[..., str]:
    def wgsl(w: Width, node: Any, x: str) -> str:
        return call_test(w, node.inputs[0].type.dtype, name, x)

    return wgsl


isnan: Final = unary("isnan", np.isnan, DISCRETE, _wgsl_test("gc_isnan"), "whether x is NaN", infer_test)

isfinite: Final = unary(
    "isfinite", np.isfinite, DISCRETE, _wgsl_test("gc_isfinite"), "whether x is neither NaN nor infinite", infer_test
)
