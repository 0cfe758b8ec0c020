"""Pointwise functions of float operands: exponentials, logarithms, roots, trigonometry.

References compute in the operand's dtype. On a GPU the functions come from kernels/math.wgsl, because the built-in
ones of drivers are not accurate enough.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any, Final

import numpy as np

from graphc.ir.op import Case
from graphc.ir.types import NDArray
from graphc.ops.elementwise import TRANSCENDENTAL, binary, infer_float, library, unary
from graphc.ops.samples import binary_cases, sample, unary_cases

_function = partial(unary, traits=TRANSCENDENTAL)

exp: Final = _function(
    "exp",
    np.exp,
    lambda g, out, x: (g * out,),
    library("gc_exp"),
    "e ** x",
    cases=lambda: (*unary_cases(), Case((sample(67, low=-80, high=80),), grad=False)),
)

expm1: Final = _function(
    "expm1",
    np.expm1,
    lambda g, out, x: (g * (out + 1),),
    library("gc_expm1"),
    "e ** x - 1, accurate near zero",
    cases=lambda: (*unary_cases(), Case((sample(67, low=-1e-4, high=1e-4),), atol=1e-12, grad=False)),
)

log: Final = _function(
    "log",
    np.log,
    lambda g, out, x: (g / x,),
    library("gc_log"),
    "the natural logarithm; NaN below zero",
    cases=lambda: (
        *unary_cases(0.3, 3.0),
        Case((sample(67, low=0.99, high=1.01),), atol=1e-9),
        Case((sample(67, low=1, high=1e30),), grad=False),
    ),
)

log1p: Final = _function(
    "log1p",
    np.log1p,
    lambda g, out, x: (g / (x + 1),),
    library("gc_log1p"),
    "log(1 + x), accurate near zero",
    cases=lambda: (*unary_cases(-0.6, 3.0), Case((sample(67, low=-1e-4, high=1e-4),), atol=1e-12)),
)

sqrt: Final = _function(
    "sqrt",
    np.sqrt,
    lambda g, out, x: (g * 0.5 / out,),
    lambda w, node, x: f"sqrt({x})",
    "the square root; NaN below zero",
    cases=lambda: unary_cases(0.3, 9.0),
)


def _rsqrt(x: NDArray) -> NDArray:
    return np.asarray(1 / np.sqrt(x), dtype=x.dtype)


rsqrt: Final = _function(
    "rsqrt",
    _rsqrt,
    lambda g, out, x: (g * -0.5 * (out * out * out),),
    lambda w, node, x: f"inverseSqrt({x})",
    "1 / sqrt(x)",
    cases=lambda: unary_cases(0.3, 9.0, edges=False),
)

tanh: Final = _function(
    "tanh",
    np.tanh,
    lambda g, out, x: (g * (1 - out * out),),
    library("gc_tanh"),
    "the hyperbolic tangent",
    cases=lambda: (*unary_cases(), Case((sample(67, low=-1e-3, high=1e-3),), atol=1e-10)),
)


def _sigmoid(x: NDArray) -> NDArray:
    decay = np.exp(-np.abs(x))  # never above 1, so nothing overflows
    return np.asarray(np.where(x >= 0, 1, decay) / (1 + decay), dtype=x.dtype)


sigmoid: Final = _function(
    "sigmoid",
    _sigmoid,
    lambda g, out, x: (g * (out * (1 - out)),),
    library("gc_sigmoid"),
    "1 / (1 + e ** -x)",
)

sin: Final = _function(
    "sin",
    np.sin,
    lambda g, out, x: (g * np.cos(x),),
    library("gc_sin"),
    "the sine of x radians",
    cases=lambda: (*unary_cases(), Case((sample(257, low=-9e3, high=9e3),), grad=False)),
)

cos: Final = _function(
    "cos",
    np.cos,
    lambda g, out, x: (g * -np.sin(x),),
    library("gc_cos"),
    "the cosine of x radians",
    cases=lambda: (*unary_cases(), Case((sample(257, low=-9e3, high=9e3),), grad=False)),
)

arctan: Final = _function(
    "arctan",
    np.arctan,
    lambda g, out, x: (g / (x * x + 1),),
    library("gc_atan"),
    "the inverse of the tangent, in radians",
    cases=lambda: (*unary_cases(), Case((sample(257, low=-1e3, high=1e3),), grad=False)),
)

arctan2: Final = binary(
    "arctan2",
    np.arctan2,
    lambda g, out, y, x: (g * x / (x * x + y * y), -g * y / (x * x + y * y)),
    library("gc_atan2"),
    "the angle of the point (x, y) in radians, from -pi to pi",
    infer=infer_float,
    traits=TRANSCENDENTAL,
    cases=lambda: binary_cases(integer=False),
)

copysign: Final = binary(
    "copysign",
    np.copysign,
    lambda g, out, a, b: (g * np.sign(a) * np.copysign(np.ones_like(b), b), None),
    library("gc_copysign"),
    "the size of a with the sign of b, also where that is a zero",
    infer=infer_float,
    cases=lambda: binary_cases(integer=False),
)


log2: Final = _function(
    "log2",
    np.log2,
    lambda g, out, x: (g / (x * math.log(2)),),
    library("gc_log2"),
    "the logarithm to base 2, exact for powers of 2",
    cases=lambda: (*unary_cases(0.3, 3.0), Case((_powers(2, -126, 127),), rtol=0, atol=0, grad=False)),
)


def _log10(x: NDArray) -> NDArray:
    """np.log10, computed in float64: NumPy's own in float32 is not exact for powers of 10."""
    return np.log10(x.astype(np.float64)).astype(x.dtype)


log10: Final = _function(
    "log10",
    _log10,
    lambda g, out, x: (g / (x * math.log(10)),),
    library("gc_log10"),
    "the logarithm to base 10, exact for powers of 10",
    cases=lambda: (*unary_cases(0.3, 3.0), Case((_powers(10, -37, 38),), rtol=0, atol=0, grad=False)),
)

cbrt: Final = _function(
    "cbrt",
    np.cbrt,
    lambda g, out, x: (g / (3 * out * out),),
    library("gc_cbrt"),
    "the cube root, of negative numbers too",
    cases=lambda: (*unary_cases(0.3, 9.0), Case((-sample(67, low=0.1, high=1e3),)), Case((_wide(),), grad=False)),
)

sinh: Final = _function(
    "sinh",
    np.sinh,
    lambda g, out, x: (g * np.cosh(x),),
    library("gc_sinh"),
    "the hyperbolic sine, finite wherever it is",
    cases=lambda: (*unary_cases(), Case((sample(67, low=-89.4, high=89.4),), grad=False)),
)

cosh: Final = _function(
    "cosh",
    np.cosh,
    lambda g, out, x: (g * np.sinh(x),),
    library("gc_cosh"),
    "the hyperbolic cosine, finite wherever it is",
    cases=lambda: (*unary_cases(), Case((sample(67, low=-89.4, high=89.4),), grad=False)),
)

tan: Final = _function(
    "tan",
    np.tan,
    lambda g, out, x: (g * (1 + out * out),),
    library("gc_tan"),
    "the tangent of x radians",
    cases=lambda: (*unary_cases(-1.4, 1.4), Case((sample(257, low=-9e3, high=9e3),), rtol=2e-6, grad=False)),
)

arcsin: Final = _function(
    "arcsin",
    np.arcsin,
    lambda g, out, x: (g / np.sqrt((1 - x) * (1 + x)),),
    library("gc_asin"),
    "the inverse of the sine, in radians; NaN outside of [-1, 1]",
    cases=lambda: unary_cases(-0.9, 0.9),
)

arccos: Final = _function(
    "arccos",
    np.arccos,
    lambda g, out, x: (-g / np.sqrt((1 - x) * (1 + x)),),
    library("gc_acos"),
    "the inverse of the cosine, in radians; NaN outside of [-1, 1]",
    cases=lambda: unary_cases(-0.9, 0.9),
)

arcsinh: Final = _function(
    "arcsinh",
    np.arcsinh,
    lambda g, out, x: (g / np.hypot(x, np.ones_like(x)),),
    library("gc_asinh"),
    "the inverse of the hyperbolic sine",
    cases=lambda: (*unary_cases(), Case((_wide(),), grad=False), Case((sample(67, low=-1e-3, high=1e-3),), atol=1e-10)),
)

arccosh: Final = _function(
    "arccosh",
    np.arccosh,
    lambda g, out, x: (g / (np.sqrt(x - 1) * np.sqrt(x + 1)),),
    library("gc_acosh"),
    "the inverse of the hyperbolic cosine, at or above 0; NaN below 1",
    cases=lambda: (*unary_cases(1.2, 9.0), Case((np.abs(_wide()) + 1,), grad=False)),
)

arctanh: Final = _function(
    "arctanh",
    np.arctanh,
    lambda g, out, x: (g / ((1 - x) * (1 + x)),),
    library("gc_atanh"),
    "the inverse of the hyperbolic tangent; NaN outside of [-1, 1]",
    cases=lambda: (*unary_cases(-0.9, 0.9), Case((sample(67, low=-1e-3, high=1e-3),), atol=1e-10)),
)


def _hypot_vjp(g: Any, out: Any, a: Any, b: Any) -> tuple[Any, Any]:
    # The gradient at the origin is 0, as in PyTorch.
    length = np.where(out == 0, 1, out)
    return g * (a / length), g * (b / length)


hypot: Final = binary(
    "hypot",
    np.hypot,
    _hypot_vjp,
    library("gc_hypot"),
    "the square root of a * a + b * b without overflow; infinite where a or b is",
    infer=infer_float,
    traits=TRANSCENDENTAL,
    cases=lambda: (*binary_cases(integer=False), Case((_wide(), _wide()[::-1].copy()), grad=False)),
)


def _powers(base: float, low: int, high: int) -> NDArray:
    """base ** n, rounded once, for n from low to high."""
    return np.array([float(base) ** n for n in range(low, high + 1)], np.float32)


def _wide() -> NDArray:
    """Numbers of both signs and all sizes."""
    sizes = np.exp(np.random.default_rng(5).uniform(-60, 60, 67))
    return (sizes * np.where(np.arange(67) % 2, 1, -1)).astype(np.float32)


# Coefficients of rational approximations: erf(x) / x in x**2 below 0.46875, exp(x**2) * erfc(x) in x above it.
# Source: W. J. Cody, "Rational Chebyshev approximations for the error function", Math. Comp. 23, 1969.
_INNER: Final = (
    (1.85777706184603153e-1, 3.16112374387056560, 1.13864154151050156e2, 3.77485237685302021e2, 3.20937758913846947e3),
    (1.0, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3, 2.84423683343917062e3),
)
_OUTER: Final = (
    (
        *(2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594, 6.61191906371416295e1),
        *(2.98635138197400131e2, 8.81952221241769090e2, 1.71204761263407058e3, 2.05107837782607147e3),
        1.23033935479799725e3,
    ),
    (
        *(1.0, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2, 1.62138957456669019e3),
        *(3.29079923573345963e3, 4.36261909014324716e3, 3.43936767414372164e3, 1.23033935480374942e3),
    ),
)


def _erf(x: NDArray) -> NDArray:
    """The error function, within 3e-16 in float64; narrower types are computed in float64 and rounded once."""
    wide = np.asarray(x, np.float64)
    size = np.abs(wide)
    inside = size < 0.46875
    square = np.where(inside, size * size, 0.0)
    inner = wide * np.polyval(_INNER[0], square) / np.polyval(_INNER[1], square)
    far = np.where(size > 0.46875, np.minimum(size, 6.0), 0.46875)  # erf(6) rounds to 1
    head = np.floor(far * 16) / 16  # exp(-far**2) in two factors: the square of `head` is exact
    decay = np.exp(-head * head) * np.exp((head - far) * (head + far))
    outer = np.copysign(1 - decay * np.polyval(_OUTER[0], far) / np.polyval(_OUTER[1], far), wide)
    result = np.where(np.isnan(wide), wide, np.where(inside, inner, outer))
    return np.asarray(result, dtype=np.asarray(x).dtype)


erf: Final = _function(
    "erf",
    _erf,
    lambda g, out, x: (g * (2 / math.sqrt(math.pi)) * np.exp(-(x * x)),),
    library("gc_erf"),
    "the error function, 2 / sqrt(pi) * integral of exp(-t**2) from 0 to x",
    cases=lambda: (*unary_cases(), Case((sample(67, low=-1e-3, high=1e-3),), atol=1e-10)),
)
