"""Pointwise functions of one float operand: exponentials, logarithms, roots, trigonometry.

References compute in the operand's dtype. On a GPU the functions come from kernels/math.wgsl, because the built-in
ones of drivers are not accurate enough.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from graphc.op import Case
from graphc.ops.elementwise import library, unary
from graphc.ops.samples import sample, unary_cases
from graphc.types import NDArray

exp: Final = unary(
    "exp",
    np.exp,
    lambda g, out, x: (g * out,),
    library("gc_exp"),
    "e ** x",
    cases=lambda: (*unary_cases(), Case((sample(67, low=-80, high=80),), grad=False)),
)

expm1: Final = unary(
    "expm1",
    np.expm1,
    lambda g, out, x: (g * (out + 1),),
    library("gc_expm1"),
    "e ** x - 1, accurate near zero",
    cases=lambda: (*unary_cases(), Case((sample(67, low=-1e-4, high=1e-4),), atol=1e-12, grad=False)),
)

log: Final = unary(
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

log1p: Final = unary(
    "log1p",
    np.log1p,
    lambda g, out, x: (g / (x + 1),),
    library("gc_log1p"),
    "log(1 + x), accurate near zero",
    cases=lambda: (*unary_cases(-0.6, 3.0), Case((sample(67, low=-1e-4, high=1e-4),), atol=1e-12)),
)

sqrt: Final = unary(
    "sqrt",
    np.sqrt,
    lambda g, out, x: (g * 0.5 / out,),
    lambda w, node, x: f"sqrt({x})",
    "the square root; NaN below zero",
    cases=lambda: unary_cases(0.3, 9.0),
)


def _rsqrt(x: NDArray) -> NDArray:
    return np.asarray(1 / np.sqrt(x), dtype=x.dtype)


rsqrt: Final = unary(
    "rsqrt",
    _rsqrt,
    lambda g, out, x: (g * -0.5 * (out * out * out),),
    lambda w, node, x: f"inverseSqrt({x})",
    "1 / sqrt(x)",
    cases=lambda: unary_cases(0.3, 9.0, edges=False),
)

tanh: Final = unary(
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


sigmoid: Final = unary(
    "sigmoid",
    _sigmoid,
    lambda g, out, x: (g * (out * (1 - out)),),
    library("gc_sigmoid"),
    "1 / (1 + e ** -x)",
)

sin: Final = unary(
    "sin",
    np.sin,
    lambda g, out, x: (g * np.cos(x),),
    library("gc_sin"),
    "the sine of x radians",
    cases=lambda: (*unary_cases(), Case((sample(257, low=-9e3, high=9e3),), grad=False)),
)

cos: Final = unary(
    "cos",
    np.cos,
    lambda g, out, x: (g * -np.sin(x),),
    library("gc_cos"),
    "the cosine of x radians",
    cases=lambda: (*unary_cases(), Case((sample(257, low=-9e3, high=9e3),), grad=False)),
)
