"""Functions that move elements: reshape, transpose, split, join, pad, repeat and their kin."""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from graphc.errors import ShapeError, TraceError
from graphc.ir.types import Shape, broadcast_shapes, normalize_axis
from graphc.tracing.core import constant, emit, is_tracer, owner
from graphc.tracing.promote import as_type, common_dtype, converted, requested
from graphc.tracing.reductions import axes_of, no_out, traced
from graphc.tracing.tracer import Tracer


def ints(value: Any, what: str) -> tuple[int, ...]:
    """A number or a sequence of numbers as ints; raises TraceError for traced ones, which are not known yet."""
    given = value if isinstance(value, tuple | list | np.ndarray | range) else (value,)
    if any(is_tracer(v) for v in given):
        raise TraceError(f"{what} is traced, but has to be known: use x.shape, or mark the argument static")
    try:
        return tuple(operator.index(v) for v in given)
    except TypeError:
        raise TraceError(f"{what} is {value!r}: needs integers") from None


def reshape(a: Any, /, shape: Any = None, order: str = "C", *, newshape: Any = None, copy: Any = None) -> Tracer:
    """np.reshape."""
    x = traced(a)
    wanted = ints(shape if newshape is None else newshape, "shape")
    if order in ("K", "k", "A", "a") and x.ndim > 1:
        raise TraceError(
            f"order={order!r} goes by how an array lies in memory, which a graph does not know: write order='C', row "
            "by row, or order='F', column by column"
        )
    if order in ("F", "f"):
        inner = reshape(transpose(x), wanted[::-1] if -1 not in wanted else _solve(x, wanted)[::-1])
        return transpose(inner)
    wanted = _solve(x, wanted)
    return x if wanted == x.shape else emit("reshape", x, shape=wanted)


def _solve(x: Tracer, shape: Shape) -> Shape:
    """`shape` with its -1 replaced; raises ShapeError where the sizes differ."""
    known = math.prod(n for n in shape if n != -1)
    unknown = shape.count(-1)
    if unknown == 1 and known and x.size % known == 0:
        return tuple(x.size // known if n == -1 else n for n in shape)
    if unknown or known != x.size or any(n < 0 for n in shape):
        raise ShapeError(f"{x.value.type} has {x.size} elements, which do not fill shape {shape}")
    return shape


def transpose(a: Any, axes: Any = None) -> Tracer:
    """np.transpose."""
    x = traced(a)
    perm = tuple(reversed(range(x.ndim))) if axes is None else ints(axes, "axes")
    if axes is not None:
        if len(perm) != x.ndim:
            raise ShapeError(f"axes {perm} do not name each axis of {x.value.type} once")
        perm = tuple(normalize_axis(i, x.ndim) for i in perm)
    return permuted(x, perm)


def permuted(x: Tracer, perm: Sequence[int]) -> Tracer:
    """The axes of `x` in the order `perm`; no node for the order that they have."""
    if sorted(perm) != list(range(x.ndim)):
        raise ShapeError(f"axes {tuple(perm)} do not name each axis of {x.value.type} once")
    return x if tuple(perm) == tuple(range(x.ndim)) else emit("transpose", x, perm=tuple(perm))


def matrix_transpose(x: Any, /) -> Tracer:
    """np.matrix_transpose: the last two axes swapped."""
    t = traced(x)
    if t.ndim < 2:
        raise ShapeError(f"needs two axes or more, got {t.value.type}")
    return swapaxes(t, -1, -2)


def swapaxes(a: Any, axis1: int, axis2: int) -> Tracer:
    """np.swapaxes."""
    x = traced(a)
    i, j = normalize_axis(axis1, x.ndim), normalize_axis(axis2, x.ndim)
    perm = list(range(x.ndim))
    perm[i], perm[j] = perm[j], perm[i]
    return permuted(x, perm)


def moveaxis(a: Any, source: Any, destination: Any) -> Tracer:
    """np.moveaxis."""
    x = traced(a)
    start = [normalize_axis(i, x.ndim, "source") for i in ints(source, "source")]
    stop = [normalize_axis(i, x.ndim, "destination") for i in ints(destination, "destination")]
    if len(start) != len(stop) or len(set(start)) != len(start) or len(set(stop)) != len(stop):
        raise ShapeError(f"source {start} and destination {stop} must each name as many axes, each once")
    perm = [i for i in range(x.ndim) if i not in start]
    for to, axis in sorted(zip(stop, start, strict=True)):
        perm.insert(to, axis)
    return permuted(x, perm)


def rollaxis(a: Any, axis: int, start: int = 0) -> Tracer:
    """np.rollaxis."""
    x = traced(a)
    axis = normalize_axis(axis, x.ndim)
    start = start + x.ndim if start < 0 else start
    return moveaxis(x, axis, start - 1 if start > axis else start)


def broadcast_to(array: Any, shape: Any, subok: bool = False) -> Tracer:
    """np.broadcast_to."""
    x = traced(array)
    wanted = ints(shape, "shape")
    return x if wanted == x.shape else emit("broadcast_to", x, shape=wanted)


def broadcast_arrays(*args: Any, subok: bool = False) -> tuple[Tracer, ...]:
    """np.broadcast_arrays."""
    trace = owner(args)
    found = [constant(trace, x) for x in args]
    shape = broadcast_shapes(*(x.shape for x in found))
    return tuple(broadcast_to(x, shape) for x in found)


def expand_dims(a: Any, axis: Any) -> Tracer:
    """np.expand_dims."""
    x = traced(a)
    axes = ints(axis, "axis")
    rank = x.ndim + len(axes)
    at = {normalize_axis(i, rank) for i in axes}
    if len(at) != len(axes):
        raise ShapeError(f"axis {axes} names an axis twice")
    rest = iter(x.shape)
    return reshape(x, tuple(1 if i in at else next(rest) for i in range(rank)))


def squeeze(a: Any, axis: Any = None) -> Tracer:
    """np.squeeze."""
    x = traced(a)
    axes = {i for i, n in enumerate(x.shape) if n == 1} if axis is None else set(axes_of(x, axis))
    for i in axes:
        if x.shape[i] != 1:
            raise ShapeError(f"axis {i} of {x.value.type} has length {x.shape[i]}, only length 1 can be taken out")
    return reshape(x, tuple(n for i, n in enumerate(x.shape) if i not in axes))


def ravel(a: Any, order: str = "C") -> Tracer:
    """np.ravel."""
    return reshape(a, (-1,) if traced(a).size else (0,), order)


def _at_least(rank: int) -> Callable[..., Any]:
    def pad_axes(*arys: Any) -> Any:
        found = []
        for a in arys:
            x = traced(a)
            if rank == 3 and x.ndim == 2:
                x = reshape(x, (*x.shape, 1))
            elif rank == 3 and x.ndim == 1:
                x = reshape(x, (1, *x.shape, 1))
            elif x.ndim < rank:
                x = reshape(x, (1,) * (rank - x.ndim) + x.shape)
            found.append(x)
        return found[0] if len(found) == 1 else tuple(found)

    return pad_axes


atleast_1d, atleast_2d, atleast_3d = _at_least(1), _at_least(2), _at_least(3)


def concatenate(
    arrays: Any, /, axis: Any = 0, out: Any = None, *, dtype: Any = None, casting: str = "same_kind"
) -> Tracer:
    """np.concatenate."""
    no_out(out)
    given = list(arrays)
    trace = owner(given)
    common = requested(dtype, common_dtype(tuple(given)))
    parts = [converted(trace, x, common) for x in given]
    if axis is None:
        parts, axis = [ravel(x) for x in parts], 0
    if any(x.ndim == 0 for x in parts):
        raise ShapeError("zero-dimensional arrays cannot be concatenated: use np.stack")
    if len(parts) == 1:
        return parts[0]
    return emit("concatenate", *parts, axis=normalize_axis(axis, parts[0].ndim))


def stack(arrays: Any, axis: int = 0, out: Any = None, *, dtype: Any = None, casting: str = "same_kind") -> Tracer:
    """np.stack."""
    given = list(arrays)
    trace = owner(given)
    parts = [constant(trace, x) for x in given]
    shapes = {x.shape for x in parts}
    if len(shapes) != 1:
        raise ShapeError(f"all arrays need one shape, got {' and '.join(str(x.value.type) for x in parts)}")
    at = normalize_axis(axis, parts[0].ndim + 1)
    return concatenate([expand_dims_weakly(x, at) for x in parts], at, out, dtype=dtype)


def expand_dims_weakly(x: Tracer, axis: int) -> Tracer:
    """`x` with one more axis, as weakly typed as it was."""
    made = expand_dims(x, axis)
    return Tracer(made.state, made.value, x.weak)


def append(arr: Any, values: Any, axis: Any = None) -> Tracer:
    """np.append."""
    return concatenate((arr, values), axis)


def vstack(tup: Any, *, dtype: Any = None, casting: str = "same_kind") -> Tracer:
    """np.vstack."""
    return concatenate(_each(atleast_2d, tup), 0, dtype=dtype)


def hstack(tup: Any, *, dtype: Any = None, casting: str = "same_kind") -> Tracer:
    """np.hstack."""
    parts = _each(atleast_1d, tup)
    return concatenate(parts, 0 if parts[0].ndim == 1 else 1, dtype=dtype)


def dstack(tup: Any) -> Tracer:
    """np.dstack."""
    return concatenate(_each(atleast_3d, tup), 2)


def column_stack(tup: Any) -> Tracer:
    """np.column_stack."""
    parts = _each(lambda x: x, tup)
    return concatenate([reshape(atleast_1d(x), (-1, 1)) if x.ndim < 2 else x for x in parts], 1)


def _each(shaped: Callable[[Any], Tracer], arrays: Any) -> list[Tracer]:
    given = list(arrays)
    trace = owner(given)
    return [shaped(constant(trace, x)) for x in given]


def part(x: Tracer, axis: int, start: int, stop: int, step: int = 1) -> Tracer:
    """x[start:stop:step] along one axis, start and stop within it."""
    if (start, stop, step) == (0, x.shape[axis], 1):
        return x
    starts, stops, steps = [0] * x.ndim, list(x.shape), [1] * x.ndim
    starts[axis], stops[axis], steps[axis] = start, max(stop, start), step
    return emit("slice", x, start=tuple(starts), stop=tuple(stops), step=tuple(steps))


def array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Tracer]:
    """np.array_split: parts whose lengths differ by at most one, or cuts at given indices."""
    x = traced(ary)
    axis = normalize_axis(axis, x.ndim)
    n = x.shape[axis]
    if isinstance(indices_or_sections, list | tuple | np.ndarray):
        # Cuts follow slice rules: negative ones count from the end, those outside are brought inside.
        inner = [slice(None, i).indices(n)[1] for i in ints(indices_or_sections, "indices")]
        cuts = [0, *inner, n]
        return [part(x, axis, i, max(i, j)) for i, j in itertools.pairwise(cuts)]
    count = ints(indices_or_sections, "sections")[0]
    if count <= 0:
        raise ShapeError(f"the number of sections is {count}: needs at least 1")
    base, extra = divmod(n, count)
    cuts = [i * base + min(i, extra) for i in range(count + 1)]
    return [part(x, axis, i, j) for i, j in itertools.pairwise(cuts)]


def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Tracer]:
    """np.split: equal parts, or cuts at given indices."""
    x = traced(ary)
    at = normalize_axis(axis, x.ndim)
    if not isinstance(indices_or_sections, list | tuple | np.ndarray):
        count = ints(indices_or_sections, "sections")[0]
        if count <= 0 or x.shape[at] % count:
            raise ShapeError(f"axis {at} of {x.value.type} does not divide into {count} equal parts")
    return array_split(x, indices_or_sections, at)


def hsplit(ary: Any, indices_or_sections: Any) -> list[Tracer]:
    """np.hsplit."""
    return split(ary, indices_or_sections, 0 if traced(ary).ndim == 1 else 1)


def vsplit(ary: Any, indices_or_sections: Any) -> list[Tracer]:
    """np.vsplit."""
    return split(ary, indices_or_sections, 0)


def dsplit(ary: Any, indices_or_sections: Any) -> list[Tracer]:
    """np.dsplit."""
    return split(ary, indices_or_sections, 2)


def unstack(x: Any, /, *, axis: int = 0) -> tuple[Tracer, ...]:
    """np.unstack."""
    moved = moveaxis(x, axis, 0)
    return tuple(moved)


def flip(m: Any, axis: Any = None) -> Tracer:
    """np.flip."""
    x = traced(m)
    axes = axes_of(x, axis)
    return emit("flip", x, axes=axes) if axes else x


def roll(a: Any, shift: Any, axis: Any = None) -> Tracer:
    """np.roll."""
    x = traced(a)
    if axis is None:
        return reshape(roll(ravel(x), shift, 0), x.shape)
    shifts, axes = ints(shift, "shift"), ints(axis, "axis")
    if len(shifts) != len(axes) and 1 not in (len(shifts), len(axes)):
        raise ShapeError(f"{len(shifts)} shifts for {len(axes)} axes: need one for all, or one for each")
    if len(shifts) != len(axes):
        shifts, axes = (shifts * len(axes), axes) if len(shifts) == 1 else (shifts, axes * len(shifts))
    for by, along in zip(shifts, axes, strict=True):
        i = normalize_axis(along, x.ndim)
        n = x.shape[i]
        if n and by % n:
            cut = n - by % n
            x = emit("concatenate", part(x, i, cut, n), part(x, i, 0, cut), axis=i)
    return x


def rot90(m: Any, k: int = 1, axes: Any = (0, 1)) -> Tracer:
    """np.rot90."""
    x = traced(m)
    i, j = (normalize_axis(axis, x.ndim, "axes") for axis in ints(axes, "axes"))
    if i == j:
        raise ShapeError(f"axes {axes!r} name one axis twice")
    if k % 4 == 0:
        return x
    if k % 4 == 2:
        return flip(x, (i, j))
    return swapaxes(flip(x, j), i, j) if k % 4 == 1 else flip(swapaxes(x, i, j), j)


def repeat(a: Any, repeats: Any, axis: Any = None) -> Tracer:
    """np.repeat."""
    x = traced(a)
    if axis is None:
        x, axis = ravel(x), 0
    axis = normalize_axis(axis, x.ndim)
    counts = ints(repeats, "repeats")
    n = x.shape[axis]
    if len(counts) != 1:
        if len(counts) != n:
            raise ShapeError(f"{len(counts)} repeats for axis {axis} of {x.value.type}")
        ids = constant(x.state, np.repeat(np.arange(n, dtype=np.int32), counts))
        return emit("take", x, ids, axis=axis, clamp=True)
    head, tail = x.shape[: axis + 1], x.shape[axis + 1 :]
    wide = broadcast_to(reshape(x, (*head, 1, *tail)), (*head, counts[0], *tail))
    return reshape(wide, (*head[:-1], n * counts[0], *tail))


def tile(A: Any, reps: Any) -> Tracer:
    """np.tile."""
    x = traced(A)
    times = ints(reps, "reps")
    rank = max(x.ndim, len(times))
    times = (1,) * (rank - len(times)) + times
    shape = (1,) * (rank - x.ndim) + x.shape
    apart = tuple(m for r, n in zip(times, shape, strict=True) for m in ((1, n) if r != 1 else (n,)))
    wide = tuple(m for r, n in zip(times, shape, strict=True) for m in ((r, n) if r != 1 else (n,)))
    x = broadcast_to(reshape(x, apart), wide)
    return reshape(x, tuple(r * n for r, n in zip(times, shape, strict=True)))


def resize(a: Any, new_shape: Any) -> Tracer:
    """np.resize: the elements over and over until the shape is full."""
    x = ravel(a)
    shape = ints(new_shape, "shape")
    if any(n < 0 for n in shape):
        raise ShapeError(f"shape {shape} has a negative length")
    size = math.prod(shape)
    if not x.size and size:
        return broadcast_to(constant(x.state, np.zeros((), x.dtype)).as_strong(), shape)
    times = -(-size // x.size) if x.size else 0
    return reshape(part(tile(x, times), 0, 0, size), shape)


def astype(x: Any, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Tracer:
    """np.astype; float64 and int64 are narrowed unless x64 is on, integers of 8 and 16 bits are held in 32."""
    return as_type(traced(x), np.float64 if dtype is None else dtype)


TABLE: Final[dict[Any, Callable[..., Any]]] = {
    np.reshape: reshape,
    np.transpose: transpose,
    np.permute_dims: transpose,
    np.matrix_transpose: matrix_transpose,
    np.swapaxes: swapaxes,
    np.moveaxis: moveaxis,
    np.rollaxis: rollaxis,
    np.broadcast_to: broadcast_to,
    np.broadcast_arrays: broadcast_arrays,
    np.expand_dims: expand_dims,
    np.squeeze: squeeze,
    np.ravel: ravel,
    np.atleast_1d: atleast_1d,
    np.atleast_2d: atleast_2d,
    np.atleast_3d: atleast_3d,
    np.concatenate: concatenate,
    np.stack: stack,
    np.append: append,
    np.vstack: vstack,
    np.hstack: hstack,
    np.dstack: dstack,
    np.column_stack: column_stack,
    np.split: split,
    np.array_split: array_split,
    np.hsplit: hsplit,
    np.vsplit: vsplit,
    np.dsplit: dsplit,
    np.flip: flip,
    np.fliplr: lambda m: flip(m, 1),
    np.flipud: lambda m: flip(m, 0),
    np.roll: roll,
    np.rot90: rot90,
    np.repeat: repeat,
    np.tile: tile,
    np.resize: resize,
    np.astype: astype,
}
if hasattr(np, "unstack"):  # NumPy 2.1
    TABLE[np.unstack] = unstack
