"""Reductions over axes, and running sums.

attrs: axes, a sorted tuple of non-negative numbers; keepdims. An empty tuple of axes reduces nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from graphc.errors import DTypeError, ShapeError
from graphc.ir.op import Case, Custom, NotDifferentiable, Op, Reduce, Width, apply
from graphc.ir.types import DType, NDArray, Shape, TensorType, f32, i32
from graphc.ops.batching import along
from graphc.ops.elementwise import NUMERIC, call_library, call_test
from graphc.ops.samples import EDGES, integers, sample

REDUCTION: Final = frozenset({"reduction"})
BLOCK: Final = 256
"""Rows that the reference adds one after another; longer sums are made of partial sums, as exact as pairwise ones."""

Axes = tuple[int, ...]


def reduced_shape(shape: Shape, axes: Axes, keepdims: bool) -> Shape:
    """`shape` without `axes`, or with 1 in their place; raises ShapeError for axes that are not there."""
    if list(axes) != sorted(set(axes)) or any(not 0 <= axis < len(shape) for axis in axes):
        raise ShapeError(f"axes {axes} are not increasing axis numbers of {list(shape)}")
    if keepdims:
        return tuple(1 if axis in axes else n for axis, n in enumerate(shape))
    return tuple(n for axis, n in enumerate(shape) if axis not in axes)


def _infer(kinds: tuple[str, ...], identity: bool, dtype: DType | None = None) -> Callable[..., TensorType]:
    def infer(x: TensorType, *, axes: Axes, keepdims: bool) -> TensorType:
        if x.dtype.kind not in kinds:
            raise DTypeError(f"needs a {' or '.join(kinds)} operand, got {x.dtype.name}")
        shape: Shape = reduced_shape(x.shape, axes, keepdims)
        if dtype is not None and len(axes) != 1:
            raise ShapeError(f"needs exactly one axis, got {axes}")
        if not identity and not x.size and x.with_shape(shape).size:
            raise ShapeError(f"there is no element to choose from: axes {axes} of {list(x.shape)} are empty")
        return TensorType(shape, dtype or x.dtype)

    return infer


def _sum(x: NDArray, *, axes: Axes, keepdims: bool) -> NDArray:
    """x.sum in x's dtype, float16 in float32; long sums of floats are pairwise or in blocks, whatever their axes."""
    if x.dtype == np.float16:
        return _sum(x.astype(np.float32), axes=axes, keepdims=keepdims).astype(np.float16)
    if x.dtype.kind != "f" or math.prod(x.shape[axis] for axis in axes) <= BLOCK or not x.size:
        kept: Any = keepdims  # a bool that is not known has no overload in NumPy's stubs
        return np.asarray(np.sum(x, axis=axes, keepdims=kept, dtype=x.dtype))
    # NumPy adds pairwise only along the one axis that is contiguous in memory.
    outer = next((n for n in range(x.ndim, 0, -1) if n - 1 not in axes), 0)
    rows = np.ascontiguousarray(x).reshape(*x.shape[:outer], -1).sum(axis=-1)
    leading = tuple(axis for axis in axes if axis < outer)
    kept = tuple(axis for axis in range(outer) if axis not in axes)
    count = math.prod(x.shape[axis] for axis in leading)
    total = _sum_rows(rows.transpose(*leading, *kept).reshape(count, -1))
    return total.reshape(reduced_shape(x.shape, axes, keepdims))


def _sum_rows(rows: NDArray) -> NDArray:
    """The sum of the rows of a matrix, by blocks of rows."""
    while len(rows) > BLOCK:
        whole = len(rows) // BLOCK * BLOCK
        blocks = rows[:whole].reshape(-1, BLOCK, rows.shape[1]).sum(axis=1)
        rows = np.concatenate([blocks, rows[whole:].sum(axis=0, keepdims=True)])
    return np.asarray(rows.sum(axis=0))


def _mean(x: NDArray, *, axes: Axes, keepdims: bool) -> NDArray:
    count = math.prod(x.shape[axis] for axis in axes)
    wide = x.astype(np.float32) if x.dtype == np.float16 else x
    with np.errstate(invalid="ignore"):
        return np.asarray(_sum(wide, axes=axes, keepdims=keepdims) / wide.dtype.type(count)).astype(x.dtype)


def _along(function: Callable[..., Any]) -> Callable[..., NDArray]:
    def reference(x: NDArray, *, axes: Axes, keepdims: bool) -> NDArray:
        return np.asarray(function(x, axis=axes, keepdims=keepdims))

    return reference


def _position(function: Callable[..., Any]) -> Callable[..., NDArray]:
    def reference(x: NDArray, *, axes: Axes, keepdims: bool) -> NDArray:
        return np.asarray(function(x, axis=axes[0], keepdims=keepdims)).astype(np.int32)

    return reference


def spread(value: Any, shape: Shape, axes: Axes) -> Any:
    """A reduced tensor repeated along the axes that were reduced, back to `shape`."""
    return np.broadcast_to(np.reshape(value, reduced_shape(shape, axes, True)), shape)


def _sum_vjp(g: Any, out: Any, x: Any, *, axes: Axes, keepdims: bool) -> tuple[Any]:
    return (spread(g, x.shape, axes),)


def _mean_vjp(g: Any, out: Any, x: Any, *, axes: Axes, keepdims: bool) -> tuple[Any]:
    count = max(1, math.prod(x.shape[axis] for axis in axes))
    return (spread(g / count, x.shape, axes),)


def _extremum_vjp(g: Any, out: Any, x: Any, *, axes: Axes, keepdims: bool) -> tuple[Any]:
    # Equal extremes share the gradient. A NaN equals nothing: there the count is 0, and so is the gradient.
    hit = x == spread(out, x.shape, axes)
    ties = np.sum(hit.astype(x.dtype), axis=axes, keepdims=True)
    share = np.reshape(g, ties.shape) / np.maximum(ties, 1)
    return (np.where(hit, share, 0),)


def _prod_vjp(g: Any, out: Any, x: Any, *, axes: Axes, keepdims: bool) -> tuple[Any]:
    """Product of all the other elements, from a tree of partial products: right at zeros, and differentiable again."""
    kept = tuple(axis for axis in range(x.ndim) if axis not in axes)
    count = math.prod(x.shape[axis] for axis in axes)
    outer = tuple(x.shape[axis] for axis in kept)
    level = np.reshape(np.transpose(x, kept + axes), (*outer, count))
    levels = []
    while level.shape[-1] > 1:
        if level.shape[-1] % 2:
            level = np.concatenate([level, np.ones_like(level, shape=(*outer, 1))], axis=-1)
        levels.append(level)
        level = level[..., 0::2] * level[..., 1::2]
    others = np.reshape(g, (*outer, 1))
    for level in reversed(levels):
        others = others[..., : level.shape[-1] // 2]
        pair = np.stack([others * level[..., 1::2], others * level[..., 0::2]], axis=-1)
        others = np.reshape(pair, level.shape)
    order = kept + axes
    shape = tuple(x.shape[axis] for axis in order)
    back = tuple(order.index(axis) for axis in range(x.ndim))
    return (np.transpose(np.reshape(others[..., :count], shape), back),)


def lowest(dtype: DType) -> str:
    """WGSL expression of the value that every other one exceeds: -inf, or the least integer."""
    return _end(dtype, 0xFF800000, "min")


def highest(dtype: DType) -> str:
    """WGSL expression of the value that exceeds every other one."""
    return _end(dtype, 0x7F800000, "max")


def _end(dtype: DType, bits: int, which: str) -> str:
    if dtype.kind == "float":  # an infinite constant expression is an error in WGSL; a function's result is none
        infinite = f"gc_from_bits({bits:#x}u)"
        return infinite if dtype == f32 else f"{dtype.wgsl}({infinite})"
    info = np.iinfo(dtype.numpy)
    value = int(getattr(info, which))
    if dtype.itemsize == 8 and which == "min":
        return f"({dtype.wgsl}({value + 1}) - {dtype.wgsl}(1))"
    return f"{dtype.wgsl}({value})"


def _join(which: str) -> Callable[[Width, DType, str, str], str]:
    def combine(w: Width, dtype: DType, a: str, b: str) -> str:
        return call_library(w, dtype, f"gc_{which}", a, b) if dtype.kind == "float" else f"{which}({a}, {b})"

    return combine


def _better(symbol: str) -> Callable[[Width, DType, str, str], str]:
    def better(w: Width, dtype: DType, a: str, b: str) -> str:
        if dtype.kind != "float":
            return f"({a} {symbol} {b})"
        nan_a, nan_b = (call_test(w, dtype, "gc_isnan", v) for v in (a, b))
        # A NaN goes before every number, and before no other NaN.
        return f"(({nan_a} | ({a} {symbol} {b})) & !{nan_b})"

    return better


def _cases(integer: bool = True, empty: bool = True, rtol: float = 1e-6, atol: float = 1e-6) -> tuple[Case, ...]:
    shapes: tuple[tuple[Shape, Axes], ...] = (
        ((3, 5), (1,)),
        ((3, 5), (0,)),
        ((3, 5), (0, 1)),
        ((2, 3, 4), (1,)),
        ((2, 3, 4), (0, 2)),
        ((2, 3, 4), (1, 2)),
        ((7,), (0,)),
        ((1, 1), (0, 1)),
        ((4, 8), (1,)),
        ((0, 3), (1,)),
    )
    found = [
        Case((sample(*shape, seed=n),), {"axes": axes, "keepdims": n % 2 == 0}, rtol, atol)
        for n, (shape, axes) in enumerate(shapes)
    ]
    found.append(Case((sample(),), {"axes": (), "keepdims": False}))
    found.append(Case((sample(2, 3),), {"axes": (), "keepdims": True}))
    if empty:
        found.append(Case((sample(0, 3),), {"axes": (0,), "keepdims": False}))
        found.append(Case((sample(2, 0),), {"axes": (1,), "keepdims": True}))
    if integer:
        found.append(Case((integers(5, 4),), {"axes": (0,), "keepdims": False}))
        found.append(Case((integers(5, 4, low=0, dtype="uint32"),), {"axes": (1,), "keepdims": False}))
    return tuple(found)


def _sum_cases() -> tuple[Case, ...]:
    long = sample(1031, 3, low=0.0, high=1.0)
    return (
        *_cases(atol=1e-5),
        Case((long,), {"axes": (0,), "keepdims": False}, 3e-6, grad=False),
        Case((long.T.copy(),), {"axes": (1,), "keepdims": False}, 3e-6, grad=False),
        Case((EDGES.reshape(4, 4),), {"axes": (1,), "keepdims": False}, grad=False),
        Case((np.full((3, 2), 2**31 - 1, np.int32),), {"axes": (0,), "keepdims": False}),
    )


sum_: Final = Op(
    "sum",
    _infer(NUMERIC, identity=True),
    _sum,
    _sum_vjp,
    Reduce(lambda dtype: f"{dtype.wgsl}(0)", lambda w, dtype, a, b: f"({a} + {b})", "subgroupAdd"),
    REDUCTION,
    _sum_cases,
    "the sum over axes",
)

mean: Final = Op(
    "mean",
    _infer(("float",), identity=True),
    _mean,
    _mean_vjp,
    Reduce(
        lambda dtype: f"{dtype.wgsl}(0)",
        lambda w, dtype, a, b: f"({a} + {b})",
        "subgroupAdd",
        finish=lambda acc, count: f"({acc} / {count}.0)",
    ),
    REDUCTION,
    lambda: _cases(integer=False, empty=False, atol=1e-5),
    "the arithmetic mean over axes",
)

prod: Final = Op(
    "prod",
    _infer(NUMERIC, identity=True),
    lambda x, *, axes, keepdims: np.asarray(np.prod(x, axis=axes, keepdims=keepdims, dtype=x.dtype)),
    _prod_vjp,
    Reduce(lambda dtype: f"{dtype.wgsl}(1)", lambda w, dtype, a, b: f"({a} * {b})", "subgroupMul"),
    REDUCTION,
    lambda: (
        *_cases(rtol=3e-6),
        Case((np.array([[2, 0, 3], [0, 4, 0], [1, 2, -3]], np.float32),), {"axes": (1,), "keepdims": False}),
    ),
    "the product over axes",
)


def _extremum_cases() -> tuple[Case, ...]:
    ties = np.array([[1, 3, 3], [2, 2, 2], [-1, 0, -1]], np.float32)
    nans = np.where(np.eye(5, 7, dtype=bool), np.nan, sample(5, 7)).astype(np.float32)
    nans[4] = -np.inf
    return (
        *_cases(empty=False),
        Case((ties,), {"axes": (1,), "keepdims": False}, grad=False),
        Case((nans,), {"axes": (1,), "keepdims": False}, grad=False),
        Case((nans,), {"axes": (0,), "keepdims": True}, grad=False),
        Case((EDGES,), {"axes": (0,), "keepdims": False}, grad=False),
    )


def _bool_cases() -> tuple[Case, ...]:
    bits = np.array([[True, False, True], [False, False, False], [True, True, True]])
    return tuple(Case((bits,), {"axes": axes, "keepdims": False}) for axes in ((0,), (1,), (0, 1)))


max_: Final = Op(
    "max",
    _infer((*NUMERIC, "bool"), identity=False),
    _along(np.max),
    _extremum_vjp,
    Reduce(lowest, _join("max"), associative=True),
    REDUCTION,
    lambda: (*_extremum_cases(), *_bool_cases()),
    "the greatest element over axes (any, on bool); NaN where there is one; ties share the gradient",
)

min_: Final = Op(
    "min",
    _infer((*NUMERIC, "bool"), identity=False),
    _along(np.min),
    _extremum_vjp,
    Reduce(highest, _join("min"), associative=True),
    REDUCTION,
    lambda: (*_extremum_cases(), *_bool_cases()),
    "the least element over axes (all, on bool); NaN where there is one; ties share the gradient",
)


def _arg_cases() -> tuple[Case, ...]:
    return tuple(case for case in (*_extremum_cases(), *_bool_cases()) if len(case.attrs["axes"]) == 1)


argmax: Final = Op(
    "argmax",
    _infer((*NUMERIC, "bool"), identity=False, dtype=i32),
    _position(np.argmax),
    NotDifferentiable("a position is an integer"),
    Reduce(lowest, _join("max"), arg="max", better=_better(">")),
    REDUCTION,
    _arg_cases,
    "the position of the greatest element along one axis: the first of equal ones, the first NaN if there is one",
)

argmin: Final = Op(
    "argmin",
    _infer((*NUMERIC, "bool"), identity=False, dtype=i32),
    _position(np.argmin),
    NotDifferentiable("a position is an integer"),
    Reduce(highest, _join("min"), arg="min", better=_better("<")),
    REDUCTION,
    _arg_cases,
    "the position of the least element along one axis: the first of equal ones, the first NaN if there is one",
)


def _infer_cumsum(x: TensorType, *, axis: int, reverse: bool) -> TensorType:
    if x.dtype.kind not in NUMERIC:
        raise DTypeError(f"needs a {' or '.join(NUMERIC)} operand, got {x.dtype.name}")
    if not 0 <= axis < x.ndim:
        raise ShapeError(f"axis {axis} is out of range for {x.ndim} axes")
    return x


def _cumsum(x: NDArray, *, axis: int, reverse: bool) -> NDArray:
    wide = np.float64 if x.dtype.kind == "f" else x.dtype  # one rounding, however long the sum
    if reverse:
        return np.flip(np.cumsum(np.flip(x, axis), axis=axis, dtype=wide), axis).astype(x.dtype)
    return np.cumsum(x, axis=axis, dtype=wide).astype(x.dtype)


def _cumsum_cases() -> tuple[Case, ...]:
    shapes: tuple[tuple[Shape, int], ...] = (
        ((7,), 0),
        ((3, 5), 1),
        ((3, 5), 0),
        ((2, 3, 4), 1),
        ((0, 3), 0),
        ((3, 0), 1),
    )
    found = [
        Case((sample(*shape),), {"axis": axis, "reverse": reverse}, atol=1e-5)
        for shape, axis in shapes
        for reverse in (False, True)
    ]
    found.append(Case((sample(3, 700),), {"axis": 1, "reverse": False}, rtol=1e-5, atol=1e-4, grad=False))
    found.append(Case((integers(5, 4),), {"axis": 0, "reverse": False}))
    return tuple(found)


cumsum: Final[Op] = Op(
    "cumsum",
    _infer_cumsum,
    _cumsum,
    lambda g, out, x, *, axis, reverse: (apply(cumsum, g, axis=axis, reverse=not reverse),),
    Custom("cumsum"),
    frozenset(),
    _cumsum_cases,
    "the running sum along an axis, from its end where `reverse`",
    batch=along("axis"),
)
