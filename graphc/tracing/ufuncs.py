"""NumPy's ufuncs as nodes.

Operands are brought to the element types of NumPy's own loop for them; a table then says which nodes a ufunc becomes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from graphc.errors import ArgumentError, DTypeError, TraceError
from graphc.ir.types import DType, bool_, dtype_of, f16, f32, i32, u32, x64_enabled
from graphc.tracing import advice
from graphc.tracing.core import constant, emit, is_tracer, is_weak, owner
from graphc.tracing.promote import cast, converted, kind_of, loop_dtypes, mixes_signs, requested
from graphc.tracing.tracer import Tracer

Rule = Callable[..., Any]


def apply_ufunc(ufunc: np.ufunc, operands: tuple[Any, ...]) -> Any:
    """An elementwise ufunc of the table."""
    rule = RULES.get(ufunc) or OF_SCIPY.get(ufunc.__name__)
    if rule is None:
        hint = advice.UFUNCS.get(ufunc.__name__, "compose it from functions that can be")
        raise TraceError(f"np.{ufunc.__name__} cannot be traced: {hint}")
    if ufunc in COMPARED:
        known = _compared_integers(ufunc, operands)
        if known is not None:
            return known
    dtypes = loop_dtypes(ufunc, operands)
    trace = owner(operands)
    made = rule(*(converted(trace, x, d) for x, d in zip(operands, dtypes, strict=False)))
    if all(is_weak(x) for x in operands) and isinstance(made, Tracer) and made.dtype.kind != "b":
        return Tracer(made.state, made.value, weak=True)
    return made


def without_keywords(ufunc: np.ufunc, operands: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
    """The operands, cast where dtype= asks for it; raises TraceError for a keyword that cannot be traced."""
    for key, value in kwargs.items():
        if key == "out" and any(x is not None for x in (value if isinstance(value, tuple) else (value,))):
            raise TraceError("out= changes an array, which a graph cannot: assign the result, y = np.f(x) or x = x + y")
        if key == "where" and value is not True:
            raise TraceError(
                "where= leaves elements undefined: compute all, and write `np.where(mask, result, otherwise)`"
            )
        if key not in ("out", "where", "dtype", "casting", "order", "subok", "axis", "axes", "keepdims"):
            raise TraceError(f"{key}= cannot be traced")
        if key in ("axis", "axes", "keepdims"):
            raise TraceError(f"{key}= of a generalised ufunc cannot be traced: move the axes with np.moveaxis first")
    order = kwargs.get("order", "K")
    if order not in tuple("KCFAkcfa"):
        raise ArgumentError(f"order is {order!r}: it must be 'C', 'F', 'A' or 'K'")
    dtype = kwargs.get("dtype")
    if dtype is None and "casting" not in kwargs:
        return operands
    computed = _computed_in(ufunc, operands, dtype, kwargs.get("casting", "same_kind"))
    if dtype is None:
        return operands
    trace = owner(operands)
    return tuple(converted(trace, x, wanted) for x, wanted in zip(operands, computed, strict=True))


def _computed_in(ufunc: np.ufunc, operands: tuple[Any, ...], dtype: Any, casting: Any) -> list[DType]:
    """The element types to which NumPy casts operands, for results of `dtype`; raises DTypeError where it does not."""
    wanted = None if dtype is None else requested(dtype, bool_).numpy
    given = [type(x) if type(x) in (int, float) else getattr(x, "dtype", np.asarray(x).dtype) for x in operands]
    try:
        found = ufunc.resolve_dtypes(
            (*given, *[None] * ufunc.nout),
            signature=(*[None] * ufunc.nin, *[wanted] * ufunc.nout),
            casting=casting,
        )
    except (TypeError, ValueError) as error:
        raise DTypeError(str(error)) from None
    return [dtype_of(one) for one in found[: ufunc.nin]]


def node(name: str) -> Rule:
    """A rule of one node."""

    def rule(*operands: Tracer) -> Tracer:
        return emit(name, *operands)

    return rule


def scalar(like: Tracer, value: float) -> Tracer:
    """A constant of the element type of `like`."""
    return constant(like.state, value, like.value.type.dtype)


def truth(x: Tracer) -> Tracer:
    """x != 0 as bool."""
    return x if x.value.type.dtype == bool_ else emit("ne", x, scalar(x, 0))


def _on_bool(name: str, logical: str) -> Rule:
    def rule(a: Tracer, b: Tracer) -> Tracer:
        return emit(logical if a.value.type.dtype == bool_ else name, a, b)

    return rule


def _logical(name: str) -> Rule:
    def rule(*operands: Tracer) -> Tracer:
        return emit(name, *(truth(x) for x in operands))

    return rule


def _unless_integer(name: str) -> Rule:
    """floor, ceil, rint and trunc leave integers as they are."""

    def rule(x: Tracer) -> Tracer:
        return emit(name, x) if x.value.type.dtype.kind == "float" else x

    return rule


def _absolute(x: Tracer) -> Tracer:
    return x if x.value.type.dtype.kind in ("bool", "uint") else emit("abs", x)


def _reciprocal(x: Tracer) -> Tracer:
    if x.value.type.dtype.kind == "float":
        return emit("div", scalar(x, 1), x)
    one = emit("eq", _absolute(x), scalar(x, 1))  # of the others the reciprocal is 0, rounded towards it
    return emit("where", one, x, scalar(x, 0))


def _times(factor: float) -> Rule:
    def rule(x: Tracer) -> Tracer:
        return emit("mul", x, scalar(x, factor))

    return rule


def _isnan(x: Tracer) -> Tracer:
    return emit("isnan", x) if x.value.type.dtype.kind == "float" else emit("ne", x, x)


def _isfinite(x: Tracer) -> Tracer:
    return emit("isfinite", x) if x.value.type.dtype.kind == "float" else emit("eq", x, x)


def _isinf(x: Tracer) -> Tracer:
    if x.value.type.dtype.kind != "float":
        return emit("ne", x, x)
    return emit("not", emit("or", emit("isfinite", x), emit("isnan", x)))


def _power(x: Tracer, y: Tracer) -> Tracer:
    """x ** y; small constant powers become multiplications, 0.5 a square root."""
    power = _one_power(x, y)
    found = None if power is None else _constant_power(x, power)
    if found is not None:
        return found
    held = y.state.builder.constants.get(y.value)
    if y.value.type.dtype.kind == "int" and held is not None and held.size and int(held.min()) < 0:
        raise DTypeError("integers to negative integer powers are not integers: make the base a float")
    return emit("pow", x, y)


def _float_power(x: Tracer, y: Tracer) -> Tracer:
    """x ** y, which for a half is no square root in NumPy: of -inf it is inf, and of -0 it is 0."""
    return emit("sqrt", _of_power(x)) if _one_power(x, y) == 0.5 else _power(x, y)


def _one_power(x: Tracer, y: Tracer) -> float | None:
    """The exponent of x ** y where it is known, one for all, and gives the result no axes that x has not."""
    held = y.state.builder.constants.get(y.value)
    return held.item() if held is not None and held.size == 1 and held.ndim <= x.ndim else None


def _of_power(x: Tracer) -> Tracer:
    """`x` with 0 for -0 and inf for -inf: of these a power to a half is not the root, but that of the others.

    -0 becomes 0 by a sum, in which the gradient is that of x itself.
    """
    square = emit("stop_gradient", emit("mul", x, x))
    zero = emit("where", emit("eq", x, scalar(x, 0)), emit("add", x, square), x)
    return emit("where", emit("eq", x, scalar(x, -math.inf)), scalar(x, math.inf), zero)


def _constant_power(x: Tracer, power: float) -> Tracer | None:
    floats = x.value.type.dtype.kind == "float"
    if power == 1:
        return x
    if power in (2, 3, 4):
        square = emit("mul", x, x)
        return square if power == 2 else emit("mul", square, x if power == 3 else square)
    if floats and power == 0.5:
        return emit("sqrt", x)
    if floats and power == -0.5:
        root = emit("abs", emit("rsqrt", x))  # of -0 it is inf, which 1 / sqrt(-0) is not
        return emit("where", emit("eq", x, scalar(x, -math.inf)), scalar(x, 0), root)
    if floats and power == -1:
        return emit("div", scalar(x, 1), x)
    if floats and power == -2:
        return emit("div", scalar(x, 1), emit("mul", x, x))
    return None


def _apart(a: Tracer, b: Tracer) -> tuple[Tracer, Tracer]:
    """The greater of two, and how far the other one is below it.

    By a choice rather than max and abs, so that where both are equal all derivatives are those of one smooth function.
    Equal infinities have no difference; it is taken as 0.
    """
    first = emit("ge", a, b)
    greater, other = emit("where", first, a, b), emit("where", first, b, a)
    infinite = emit("and", emit("eq", a, b), emit("eq", emit("abs", a), scalar(a, math.inf)))
    return greater, emit("where", infinite, scalar(a, 0), emit("sub", other, greater))


def _logaddexp(a: Tracer, b: Tracer) -> Tracer:
    greater, apart = _apart(a, b)
    return emit("add", greater, emit("log1p", emit("exp", apart)))


def _logaddexp2(a: Tracer, b: Tracer) -> Tracer:
    greater, apart = _apart(a, b)
    smaller = emit("log1p", emit("pow", scalar(a, 2), apart))
    return emit("add", greater, emit("mul", smaller, scalar(a, 1 / math.log(2))))


def _signbit(x: Tracer) -> Tracer:
    zero = scalar(x, 0)
    return emit("lt", emit("copysign", scalar(x, 1), x) if x.value.type.dtype.kind == "float" else x, zero)


def _nan_ignoring(name: str) -> Rule:
    def rule(a: Tracer, b: Tracer) -> Tracer:
        if a.value.type.dtype.kind != "float":
            return RULES[np.maximum if name == "maximum" else np.minimum](a, b)  # type: ignore[no-any-return]  # table of Any
        b = emit("where", emit("isnan", b), a, b)
        return emit(name, emit("where", emit("isnan", a), b, a), b)

    return rule


COMPARED: Final[dict[Any, tuple[str, Any]]] = {
    np.equal: ("eq", np.equal),
    np.not_equal: ("ne", np.not_equal),
    np.less: ("lt", np.greater),
    np.less_equal: ("le", np.greater_equal),
    np.greater: ("gt", np.less),
    np.greater_equal: ("ge", np.less_equal),
}
"""The op of each comparison, and the comparison with its operands the other way round."""


def _compared_integers(ufunc: np.ufunc, operands: tuple[Any, ...]) -> Tracer | None:
    """A comparison of integers that have no 32-bit type in common, by their values as in NumPy; else None."""
    a, b = operands
    if is_weak(a) or (mixes_signs(map(kind_of, operands)) and kind_of(a) != np.uint32):
        ufunc, a, b = COMPARED[ufunc][1], b, a
    name, trace = COMPARED[ufunc][0], owner(operands)
    if type(b) is int and is_tracer(a) and not a.weak and a.dtype.kind in "iu":
        info = np.iinfo(a.dtype)
        if info.min <= b <= info.max:
            return None
        return emit("eq" if (name == "ne") | (name in ("lt", "le") if b > 0 else name in ("gt", "ge")) else "ne", a, a)
    if x64_enabled() or not mixes_signs(map(kind_of, (a, b))):
        return None
    left, right = converted(trace, a, u32), converted(trace, b, i32)
    negative = emit("lt", right, scalar(right, 0))  # then it is below every number without a sign
    found = emit(name, left, cast(right, u32))
    if name in ("ne", "gt", "ge"):
        return emit("or", negative, found)
    return emit("and", emit("not", negative), found)


def _heaviside(x: Tracer, at_zero: Tracer) -> Tracer:
    step = cast(emit("gt", x, scalar(x, 0)), x.value.type.dtype)
    made = emit("where", emit("eq", x, scalar(x, 0)), at_zero, step)
    return emit("where", emit("isnan", x), x, made)


def _divmod(a: Tracer, b: Tracer) -> tuple[Tracer, Tracer]:
    return emit("floordiv", a, b), emit("mod", a, b)


def _modf(x: Tracer) -> tuple[Tracer, Tracer]:
    whole = emit("trunc", x)
    infinite = _isinf(x)
    part = emit("sub", x, emit("where", infinite, scalar(x, 0), whole))
    return emit("where", infinite, emit("copysign", scalar(x, 0), x), part), whole


def _exp2(x: Tracer) -> Tracer:
    return emit("pow", scalar(x, 2), x)


def _ldexp(x: Tracer, n: Tracer) -> Tracer:
    """x * 2 ** n in three steps, none of which leaves the range, nor rounds what a later one rounds again."""
    dtype = x.value.type.dtype
    if dtype == f16:
        return cast(_ldexp(cast(x, f32), n), f16)
    info = np.finfo(dtype.numpy)
    most, least = int(info.maxexp) - 1, int(info.minexp)
    down = least + int(info.nmant) + 1  # what is below the smallest normal number after it is 0 after the next one
    for _ in range(2):
        above, below = emit("gt", n, scalar(n, most)), emit("lt", n, scalar(n, least))
        taken = emit("where", above, scalar(n, most), emit("where", below, scalar(n, down), scalar(n, 0)))
        factor = emit("where", below, scalar(x, 2.0**down), scalar(x, 1))
        x = emit("mul", x, emit("where", above, scalar(x, 2.0**most), factor))
        n = emit("sub", n, taken)
    n = emit("minimum", emit("maximum", n, scalar(n, least)), scalar(n, most))
    return emit("mul", x, emit("pow", scalar(x, 2), cast(n, dtype)))


def _gcd(a: Tracer, b: Tracer) -> Tracer:
    """Euclid's algorithm, with as many turns as the largest numbers of 32 bits take."""
    a, b = _absolute(a), _absolute(b)
    for _ in range(_TURNS if a.value.type.dtype.numpy.itemsize == 4 else 2 * _TURNS):
        none = emit("eq", b, scalar(b, 0))
        rest = emit("mod", a, emit("where", none, scalar(b, 1), b))
        a, b = emit("where", none, a, b), emit("where", none, b, rest)
    return _absolute(a)  # of the lowest number there is no absolute value to begin with


_TURNS: Final = 46


def _lcm(a: Tracer, b: Tracer) -> Tracer:
    common = _gcd(a, b)
    none = emit("eq", common, scalar(common, 0))
    parts = emit("floordiv", _absolute(a), emit("where", none, scalar(common, 1), common))
    return emit("mul", parts, _absolute(b))


def _itself(x: Tracer) -> Tracer:
    return x


def _square(x: Tracer) -> Tracer:
    return emit("mul", x, x)


RULES: Final[dict[Any, Rule]] = {
    np.add: _on_bool("add", "or"),
    np.multiply: _on_bool("mul", "and"),
    np.subtract: node("sub"),
    np.true_divide: node("div"),
    np.floor_divide: node("floordiv"),
    np.remainder: node("mod"),
    np.fmod: node("fmod"),
    np.divmod: _divmod,
    np.modf: _modf,
    np.power: _power,
    np.float_power: _float_power,
    np.negative: node("neg"),
    np.positive: _itself,
    np.conjugate: _itself,
    np.absolute: _absolute,
    np.fabs: node("abs"),
    np.sign: node("sign"),
    np.signbit: _signbit,
    np.square: _square,
    np.reciprocal: _reciprocal,
    np.sqrt: node("sqrt"),
    np.cbrt: node("cbrt"),
    np.hypot: node("hypot"),
    np.exp: node("exp"),
    np.exp2: _exp2,
    np.expm1: node("expm1"),
    np.log: node("log"),
    np.log2: node("log2"),
    np.log10: node("log10"),
    np.log1p: node("log1p"),
    np.logaddexp: _logaddexp,
    np.logaddexp2: _logaddexp2,
    np.sin: node("sin"),
    np.cos: node("cos"),
    np.tan: node("tan"),
    np.sinh: node("sinh"),
    np.cosh: node("cosh"),
    np.tanh: node("tanh"),
    np.arcsin: node("arcsin"),
    np.arccos: node("arccos"),
    np.arctan: node("arctan"),
    np.arctan2: node("arctan2"),
    np.copysign: node("copysign"),
    np.arcsinh: node("arcsinh"),
    np.arccosh: node("arccosh"),
    np.arctanh: node("arctanh"),
    np.deg2rad: _times(math.pi / 180),
    np.radians: _times(math.pi / 180),
    np.rad2deg: _times(180 / math.pi),
    np.degrees: _times(180 / math.pi),
    np.floor: _unless_integer("floor"),
    np.ceil: _unless_integer("ceil"),
    np.rint: _unless_integer("round"),
    np.trunc: _unless_integer("trunc"),
    np.maximum: _on_bool("maximum", "or"),
    np.minimum: _on_bool("minimum", "and"),
    np.fmax: _nan_ignoring("maximum"),
    np.fmin: _nan_ignoring("minimum"),
    np.heaviside: _heaviside,
    np.ldexp: _ldexp,
    np.gcd: _gcd,
    np.lcm: _lcm,
    np.equal: node("eq"),
    np.not_equal: node("ne"),
    np.less: node("lt"),
    np.less_equal: node("le"),
    np.greater: node("gt"),
    np.greater_equal: node("ge"),
    np.logical_and: _logical("and"),
    np.logical_or: _logical("or"),
    np.logical_xor: _logical("xor"),
    np.logical_not: _logical("not"),
    np.bitwise_and: node("and"),
    np.bitwise_or: node("or"),
    np.bitwise_xor: node("xor"),
    np.invert: node("not"),
    np.left_shift: node("shift_left"),
    np.right_shift: node("shift_right"),
    np.isnan: _isnan,
    np.isfinite: _isfinite,
    np.isinf: _isinf,
}
"""The nodes of each elementwise ufunc; operands come in the element types of NumPy's loop."""


OF_SCIPY: Final[dict[str, Rule]] = {"erf": node("erf"), "expit": node("sigmoid")}
"""Ufuncs of scipy.special, by name: it is not imported here."""
