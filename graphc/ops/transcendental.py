"""Pointwise functions of float operands: exponentials, logarithms, roots, trigonometry.

References compute in the operand's dtype. On a GPU the functions come from kernels/math.wgsl, because the built-in
ones of drivers are not accurate enough.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Final

import numpy as np

from graphc.op import Case
from graphc.ops.elementwise import TRANSCENDENTAL, binary, infer_float, library, unary
from graphc.ops.samples import binary_cases, sample, unary_cases
from graphc.types import NDArray

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
