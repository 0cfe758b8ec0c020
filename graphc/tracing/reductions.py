"""Sums, means, extrema and scans along axes, and the reduce and accumulate methods of ufuncs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from graphc.errors import ArgumentError, ShapeError, TraceError
from graphc.ir.types import DType, Shape, bool_, dtype_of, f16, f32, i32, normalize_axis
from graphc.tracing.core import adopted, emit, is_tracer, owner
from graphc.tracing.promote import accumulator, cast, common_dtype, converted, inexact, requested
from graphc.tracing.tracer import Tracer
from graphc.tracing.ufuncs import scalar, truth

NO: Final[Any] = np._NoValue
"""NumPy's own mark for an argument that was not given."""


def traced(x: Any) -> Tracer:
    """An operand as a tracer of the running trace, strongly typed."""
    if is_tracer(x):
        made = adopted(owner((x,)), x)
        return made.as_strong() if made.weak else made
    return converted(owner(()), x, common_dtype((x,)))


def axes_of(x: Tracer, axis: Any) -> Shape:
    """An axis= argument as sorted axes counted from the front; None means all of them."""
    if axis is None:
        return tuple(range(x.ndim))
    given = axis if isinstance(axis, tuple | list) else (axis,)
    if any(is_tracer(a) for a in given):
        raise TraceError("axis= is traced, but has to be known: mark the argument static")
    axes = tuple(sorted(normalize_axis(a, x.ndim) for a in given))
    if len(set(axes)) != len(axes):
        raise ShapeError(f"axis {tuple(given)} names an axis twice")
    return axes


def no_out(out: Any) -> None:
    """Raise TraceError for an out= argument."""
    if out is not None and out is not NO:
        raise TraceError("out= changes an array, which a graph cannot: assign the result, y = np.f(x)")


def flag(keepdims: Any) -> bool:
    """A keepdims= argument."""
    return False if keepdims is NO else bool(keepdims)


def reduce(name: str, x: Tracer, axes: Shape, keepdims: bool) -> Tracer:
    """One reduction node; none where there is no axis to reduce."""
    return emit(name, x, axes=axes, keepdims=keepdims) if axes else x


def chosen(x: Tracer, where: Any, neutral: Any) -> Tracer:
    """`x` with a neutral element in the place of what a where= argument leaves out."""
    if is_all(where):
        return x
    mask = truth(adopted(x.state, where) if is_tracer(where) else converted(x.state, where, bool_))
    if not _spreads_to(mask.shape, x.shape):
        raise ShapeError(f"where= has shape {mask.shape}: it must broadcast to {x.shape}, the shape of what is reduced")
    return emit("where", mask, x, neutral if is_tracer(neutral) else scalar(x, neutral))


def _spreads_to(shape: Shape, wanted: Shape) -> bool:
    """Whether an array of one shape broadcasts to another."""
    return len(shape) <= len(wanted) and all(
        n in (1, m) for n, m in zip(reversed(shape), reversed(wanted), strict=False)
    )


def is_all(where: Any) -> bool:
    """Whether a where= argument leaves nothing out."""
    return where is NO or where is True or where is None


def joined(made: Tracer, initial: Any, name: str) -> Tracer:
    """A result joined with an initial= argument by an op of two operands."""
    if initial is NO or initial is None:
        return made
    return emit(name, made, converted(made.state, initial, made.value.type.dtype))


def sum(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = NO,
    initial: Any = NO,
    where: Any = NO,
) -> Tracer:
    """np.sum: bool and small integers are summed in the default integer."""
    no_out(out)
    x = traced(a)
    x = chosen(cast(x, requested(dtype, accumulator(x.value.type.dtype))), where, 0)
    if x.value.type.dtype == bool_:
        return joined(reduce("max", x, axes_of(x, axis), flag(keepdims)), initial, "or")
    return joined(reduce("sum", x, axes_of(x, axis), flag(keepdims)), initial, "add")


def prod(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = NO,
    initial: Any = NO,
    where: Any = NO,
) -> Tracer:
    """np.prod."""
    no_out(out)
    x = traced(a)
    x = chosen(cast(x, requested(dtype, accumulator(x.value.type.dtype))), where, 1)
    return joined(reduce("prod", x, axes_of(x, axis), flag(keepdims)), initial, "mul")


def mean(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = NO, *, where: Any = NO
) -> Tracer:
    """np.mean: integers are averaged in float."""
    no_out(out)
    x = traced(a)
    x = cast(x, requested(dtype, inexact(x.value.type.dtype)))
    axes = axes_of(x, axis)
    if is_all(where):
        return reduce("mean", x, axes, flag(keepdims))
    total = reduce("sum", _wide(chosen(x, where, 0)), axes, flag(keepdims))
    return cast(emit("div", total, _count(x, where, axes, flag(keepdims), total)), x.value.type.dtype)


def _wide(x: Tracer) -> Tracer:
    """Half precision in single, for sums that are divided later."""
    return cast(x, f32) if x.value.type.dtype == f16 else x


def _count(x: Tracer, where: Any, axes: Shape, keepdims: bool, like: Tracer) -> Tracer:
    """How many elements along axes a where= argument leaves in, in the element type of `like`."""
    ones = emit("broadcast_to", scalar(like, 1), shape=x.shape)
    return reduce("sum", chosen(ones, where, 0), axes, keepdims)


def var(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: float = 0,
    keepdims: Any = NO,
    *,
    where: Any = NO,
    mean: Any = NO,
    correction: Any = NO,
) -> Tracer:
    """np.var: the mean of squared deviations, sum / (n - ddof) where ddof is given."""
    found, dtype = _variance(a, axis, dtype, out, ddof, keepdims, mean, correction, where)
    return cast(found, dtype)


def _variance(
    a: Any,
    axis: Any,
    dtype: Any,
    out: Any,
    ddof: float,
    keepdims: Any,
    mean: Any,
    correction: Any,
    where: Any = NO,
) -> tuple[Tracer, DType]:
    """The variance, of half precision in single, and the element type that it is to have in the end."""
    no_out(out)
    if correction is not NO and ddof != 0:
        raise ArgumentError("ddof= and correction= mean the same: leave one of them out")
    ddof = ddof if correction is NO else correction
    x = traced(a)
    wanted = requested(dtype, inexact(x.value.type.dtype))
    x = cast(x, f32 if wanted == f16 else wanted)
    axes, keep = axes_of(x, axis), flag(keepdims)
    if not is_all(where):
        number = _count(x, where, axes, True, x)
        if mean is NO:
            center = emit("div", reduce("sum", chosen(x, where, 0), axes, True), number)
        else:
            center = cast(traced(mean), x.value.type.dtype)
        # What is left out must not reach the sum, nor its gradient.
        apart = emit("sub", chosen(x, where, center), center)
        left = emit("maximum", emit("sub", number, scalar(number, ddof)), scalar(number, 0))
        found = emit("div", reduce("sum", emit("mul", apart, apart), axes, True), left)
        return found if keep else _without(found, axes), wanted
    center = reduce("mean", x, axes, True) if mean is NO else cast(traced(mean), x.value.type.dtype)
    apart = emit("sub", x, center)
    square = emit("mul", apart, apart)
    if not ddof:
        return reduce("mean", square, axes, keep), wanted
    count = 1
    for i in axes:
        count *= x.shape[i]
    total = reduce("sum", square, axes, keep)
    return emit("div", total, scalar(total, max(count - ddof, 0))), wanted


def std(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: float = 0,
    keepdims: Any = NO,
    *,
    where: Any = NO,
    mean: Any = NO,
    correction: Any = NO,
) -> Tracer:
    """np.std: the square root of np.var. The gradient where all elements are equal is 0."""
    found, dtype = _variance(a, axis, dtype, out, ddof, keepdims, mean, correction, where)
    return cast(root(found), dtype)


def _without(x: Tracer, axes: Shape) -> Tracer:
    """`x` without axes, which have the length 1."""
    return emit("reshape", x, shape=tuple(n for i, n in enumerate(x.shape) if i not in axes)) if axes else x


def root(x: Tracer) -> Tracer:
    """The square root of a sum of squares. Its gradient at 0, where there is none, is 0, as in PyTorch."""
    zero = emit("eq", x, scalar(x, 0))
    return emit("where", zero, scalar(x, 0), emit("sqrt", emit("where", zero, scalar(x, 1), x)))


def extremum_of(name: str) -> Callable[..., Tracer]:
    def extremum(
        a: Any, axis: Any = None, out: Any = None, keepdims: Any = NO, initial: Any = NO, where: Any = NO
    ) -> Tracer:
        no_out(out)
        x = traced(a)
        axes = axes_of(x, axis)
        first = None if initial is NO or initial is None else converted(x.state, initial, x.value.type.dtype)
        if first is None and not is_all(where):
            raise ShapeError(f"where= may leave nothing of {x.value.type}, of which there is no {name}: give initial=")
        if first is not None:
            x = chosen(x, where, first)
        if any(x.shape[i] == 0 for i in axes):
            if first is None:
                raise ShapeError(f"{x.value.type} has no elements along axis {axes}, so there is no {name}")
            kept = tuple(1 if i in axes else n for i, n in enumerate(x.shape))
            found = emit("broadcast_to", first, shape=kept)
            return found if flag(keepdims) else _without(found, axes)
        return joined(reduce(name, x, axes, flag(keepdims)), first, f"{name}imum" if x.dtype.kind != "b" else either)

    either = "or" if name == "max" else "and"

    return extremum


def position_of(name: str) -> Callable[..., Tracer]:
    def position(a: Any, axis: Any = None, out: Any = None, *, keepdims: Any = NO) -> Tracer:
        no_out(out)
        x = traced(a)
        rank = x.ndim
        if axis is None:
            x, axis = emit("reshape", x, shape=(x.size,)), 0
            shape: Shape = (1,) * rank
        else:
            axis = normalize_axis(axis, x.ndim)
            shape = (*x.shape[:axis], 1, *x.shape[axis + 1 :])
        if x.shape[axis] == 0:
            raise ShapeError(f"{x.value.type} has no elements along axis {axis}, so there is no {name}")
        if x.value.type.dtype == bool_:
            x = cast(x, dtype_of(np.int32))
        found = cast(emit(name, x, axes=(axis,), keepdims=False), dtype_of(np.int64))
        return emit("reshape", found, shape=shape) if flag(keepdims) else found

    return position


def any_(a: Any, axis: Any = None, out: Any = None, keepdims: Any = NO, *, where: Any = NO) -> Tracer:
    """np.any: False where there is no element."""
    return _logical("max", a, axis, out, keepdims, where)


def all_(a: Any, axis: Any = None, out: Any = None, keepdims: Any = NO, *, where: Any = NO) -> Tracer:
    """np.all: True where there is no element."""
    return _logical("min", a, axis, out, keepdims, where)


def _logical(name: str, a: Any, axis: Any, out: Any, keepdims: Any, where: Any) -> Tracer:
    no_out(out)
    x = chosen(truth(traced(a)), where, name == "min")
    axes = axes_of(x, axis)
    if any(x.shape[i] == 0 for i in axes):
        # An extremum needs an element, a product or sum does not.
        total = reduce("prod" if name == "min" else "sum", cast(x, i32), axes, flag(keepdims))
        return truth(total)
    return reduce(name, x, axes, flag(keepdims))


def cumsum(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Tracer:
    """np.cumsum: of the flattened array without an axis."""
    no_out(out)
    x = traced(a)
    x = cast(x, requested(dtype, accumulator(x.value.type.dtype)))
    if axis is None:
        x, axis = emit("reshape", x, shape=(x.size,)), 0
    return emit("cumsum", x, axis=normalize_axis(axis, x.ndim), reverse=False)


def ptp(a: Any, axis: Any = None, out: Any = None, keepdims: Any = NO) -> Tracer:
    """np.ptp: the largest less the smallest."""
    return emit("sub", extremum_of("max")(a, axis, out, keepdims), extremum_of("min")(a, axis, out, keepdims))


def count_nonzero(a: Any, axis: Any = None, *, keepdims: bool = False) -> Tracer:
    """np.count_nonzero."""
    return sum(truth(traced(a)), axis, keepdims=keepdims)


def average(a: Any, axis: Any = None, weights: Any = None, returned: bool = False, *, keepdims: Any = NO) -> Any:
    """np.average."""
    if weights is None:
        made = mean(a, axis, keepdims=keepdims)
        count = np.size(a) / max(made.size, 1)
        return (made, np.full_like(made, count)) if returned else made
    x, w = traced(a), traced(weights)
    if x.shape != w.shape:
        given = axis if isinstance(axis, tuple | list) else () if axis is None else (axis,)
        axes = tuple(normalize_axis(i, x.ndim) for i in given)
        if not axes or w.shape != tuple(x.shape[i] for i in axes):
            raise ShapeError(
                f"weights are {w.value.type}, axis is {axis!r}: need the shape of {x.value.type}, or that of these axes"
            )
        turned: Any = np.transpose(w, sorted(range(len(axes)), key=axes.__getitem__))
        w = emit("reshape", turned, shape=tuple(n if i in axes else 1 for i, n in enumerate(x.shape)))
    kept: Any = flag(keepdims)
    spread: Any = np.broadcast_to(w, x.shape)
    total = np.sum(spread, axis=axis, keepdims=kept)
    found = np.sum(x * w, axis=axis, keepdims=kept) / total
    return (found, total) if returned else found


TABLE: Final[dict[Any, Callable[..., Any]]] = {
    np.sum: sum,
    np.prod: prod,
    np.mean: mean,
    np.var: var,
    np.std: std,
    np.max: extremum_of("max"),
    np.amax: extremum_of("max"),
    np.min: extremum_of("min"),
    np.amin: extremum_of("min"),
    np.argmax: position_of("argmax"),
    np.argmin: position_of("argmin"),
    np.any: any_,
    np.all: all_,
    np.cumsum: cumsum,
    np.ptp: ptp,
    np.count_nonzero: count_nonzero,
    np.average: average,
}
