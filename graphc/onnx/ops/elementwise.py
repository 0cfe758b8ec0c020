"""Importers of operators that map elements: arithmetic, comparison, logic, activations, casts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from graphc import nn
from graphc.onnx.registry import Array, Call, importer
from graphc.onnx.tensors import element_type
from graphc.ops import by_name
from graphc.tracing.trace import apply


def op(name: str) -> Callable[..., Array]:
    """An op that NumPy has no function for."""
    record = by_name(name)
    return lambda *arrays: apply(record, *arrays)


PLAIN: Final[dict[str, Callable[..., Array]]] = {
    "Abs": np.abs,
    "Acos": np.arccos,
    "Acosh": np.arccosh,
    "Add": np.add,
    "And": np.logical_and,
    "Asin": np.arcsin,
    "Asinh": np.arcsinh,
    "Atan": np.arctan,
    "Atanh": np.arctanh,
    "BitwiseAnd": np.bitwise_and,
    "BitwiseNot": np.invert,
    "BitwiseOr": np.bitwise_or,
    "BitwiseXor": np.bitwise_xor,
    "Ceil": np.ceil,
    "Cos": np.cos,
    "Cosh": np.cosh,
    "Equal": np.equal,
    "Erf": op("erf"),
    "Exp": np.exp,
    "Floor": np.floor,
    "Greater": np.greater,
    "GreaterOrEqual": np.greater_equal,
    "Identity": lambda x: x,
    "IsNaN": np.isnan,
    "Less": np.less,
    "LessOrEqual": np.less_equal,
    "Log": np.log,
    "Mul": np.multiply,
    "Neg": np.negative,
    "Not": np.logical_not,
    "Or": np.logical_or,
    "Reciprocal": np.reciprocal,
    "Relu": nn.relu,
    "Round": np.rint,
    "Sigmoid": nn.sigmoid,
    "Sign": np.sign,
    "Sin": np.sin,
    "Sinh": np.sinh,
    "Softplus": lambda x: np.logaddexp(x, x.dtype.type(0)),
    "Softsign": lambda x: x / (1 + np.abs(x)),
    "Sqrt": np.sqrt,
    "Sub": np.subtract,
    "Tan": np.tan,
    "Tanh": np.tanh,
    "Where": np.where,
    "Xor": np.logical_xor,
}
"""Operators without attributes that are a function of their inputs."""


def _enter(name: str, function: Callable[..., Array]) -> None:
    @importer(name)
    def plain(c: Call, *inputs: Array) -> Array:
        return function(*inputs)


for _name, _function in PLAIN.items():
    _enter(_name, _function)


@importer("Div")
def divide(c: Call, a: Array, b: Array) -> Array:
    """Floats; integers are rounded towards zero."""
    if a.dtype.kind == "f":
        return a / b
    if a.dtype.kind == "u":
        return a // b
    # In two steps, so that no integer goes through a float.
    return (a - np.fmod(a, b)) // b


@importer("Mod")
def modulo(c: Call, a: Array, b: Array, *, fmod: int = 0) -> Array:
    """The sign is that of b, or with fmod that of a."""
    return np.fmod(a, b) if fmod else np.mod(a, b)


@importer("Pow")
def power(c: Call, x: Array, y: Array) -> Array:
    """The element type is that of x, whatever that of y."""
    if x.dtype.kind != "f" and y.dtype.kind == "f":
        return np.power(x.astype(y.dtype), y).astype(x.dtype)
    return np.power(x, y if x.dtype == y.dtype else y.astype(x.dtype))


@importer("BitShift")
def bit_shift(c: Call, x: Array, y: Array, *, direction: str) -> Array:
    """`direction`: LEFT or RIGHT."""
    return np.left_shift(x, y) if direction == "LEFT" else np.right_shift(x, y)


@importer("IsInf")
def is_inf(c: Call, x: Array, *, detect_negative: int = 1, detect_positive: int = 1) -> Array:
    """Infinities of the signs that are asked for."""
    found = np.isinf(x)
    if not detect_negative:
        found = found & (x > 0)
    return found if detect_positive else found & (x < 0)


def _over(function: Callable[[Array, Array], Array]) -> Callable[..., Array]:
    def joined(c: Call, first: Array, *rest: Array) -> Array:
        for x in rest:
            first = function(first, x)
        return first

    return joined


importer("Max")(_over(np.maximum))
importer("Min")(_over(np.minimum))
importer("Sum")(_over(np.add))


@importer("Mean")
def mean(c: Call, *inputs: Array) -> Array:
    """Of tensors, element by element."""
    return _over(np.add)(c, *inputs) / len(inputs)


@importer("Clip")
def clip(c: Call, x: Array, low: Array = None, high: Array = None, **limits: Any) -> Array:
    """At least `low`, then at most `high` (also where that is less). Limits were attributes before opset 11."""
    low = low if low is not None else limits.get("min")
    high = high if high is not None else limits.get("max")
    x = x if low is None else np.maximum(x, low)
    return x if high is None else np.minimum(x, high)


@importer("Cast")
def cast(c: Call, x: Array, *, to: int, saturate: int = 1, round_mode: str = "up") -> Array:
    """To the element type `to`."""
    return _cast(c, x, element_type(to, c.refuse))


@importer("CastLike")
def cast_like(c: Call, x: Array, like: Array, *, saturate: int = 1, round_mode: str = "up") -> Array:
    """To the element type of another tensor."""
    return _cast(c, x, like.dtype)


def _cast(c: Call, x: Array, dtype: Any) -> Array:
    return x != 0 if dtype == np.bool_ and x.dtype.kind != "b" else x.astype(dtype)


@importer("LeakyRelu")
def leaky_relu(c: Call, x: Array, *, alpha: float = 0.01) -> Array:
    """alpha * x below zero."""
    return np.where(x < 0, alpha * x, x)


@importer("PRelu")
def prelu(c: Call, x: Array, slope: Array) -> Array:
    """slope * x below zero; before opset 7 the slopes are those of channels."""
    if c.version < 7 and slope.ndim == 1 and x.ndim > 2:
        slope = np.reshape(slope, (-1, *(1,) * (x.ndim - 2)))
    return np.where(x < 0, slope * x, x)


def _elu(x: Array, alpha: float) -> Array:
    # The exponential of what is not negative would overflow, and spoil the gradient.
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, x.dtype.type(0))))


@importer("Elu")
def elu(c: Call, x: Array, *, alpha: float = 1.0) -> Array:
    """alpha * (e ** x - 1) below zero."""
    return _elu(x, alpha)


@importer("Celu")
def celu(c: Call, x: Array, *, alpha: float = 1.0) -> Array:
    """alpha * (e ** (x / alpha) - 1) below zero."""
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, x.dtype.type(0)) / alpha))


@importer("Selu")
def selu(
    c: Call, x: Array, *, alpha: float = 1.67326319217681884765625, gamma: float = 1.05070102214813232421875
) -> Array:
    """gamma times elu."""
    return gamma * _elu(x, alpha)


@importer("Gelu")
def gelu(c: Call, x: Array, *, approximate: str = "none") -> Array:
    """Exact, or by tanh."""
    return nn.gelu(x, approximate == "tanh")


@importer("Swish")
def swish(c: Call, x: Array, *, alpha: float = 1.0) -> Array:
    """x * sigmoid(alpha * x)."""
    return x * nn.sigmoid(x if alpha == 1 else alpha * x)


@importer("Mish")
def mish(c: Call, x: Array) -> Array:
    """x * tanh(softplus(x))."""
    return x * np.tanh(PLAIN["Softplus"](x))


@importer("HardSigmoid")
def hard_sigmoid(c: Call, x: Array, *, alpha: float = 0.2, beta: float = 0.5) -> Array:
    """alpha * x + beta within [0, 1]."""
    return np.clip(alpha * x + beta, 0, 1)


@importer("HardSwish")
def hard_swish(c: Call, x: Array) -> Array:
    """x * (x / 6 + 1 / 2 within [0, 1])."""
    return x * np.clip(x / 6 + 0.5, 0, 1)


@importer("ThresholdedRelu")
def thresholded_relu(c: Call, x: Array, *, alpha: float = 1.0) -> Array:
    """x above alpha, else 0."""
    return np.where(x > alpha, x, x.dtype.type(0))


@importer("Shrink")
def shrink(c: Call, x: Array, *, bias: float = 0.0, lambd: float = 0.5) -> Array:
    """x moved towards zero by `bias`, and 0 within `lambd` of it."""
    return np.where(x < -lambd, x + bias, np.where(x > lambd, x - bias, x.dtype.type(0)))
