"""Functions that build arrays of parts: block, piecewise, choose, insert, delete, linspace with traced ends."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from graphc.errors import ArgumentError, IndexRangeError, ShapeError, TraceError
from graphc.ir.types import broadcast_shapes, f32, i32, normalize_axis
from graphc.tracing import advice
from graphc.tracing.core import as_array, constant, emit, is_tracer, of_several, owner
from graphc.tracing.promote import as_type, cast, common_dtype, converted
from graphc.tracing.reductions import no_out, traced
from graphc.tracing.selection import clip, gathered
from graphc.tracing.shaping import broadcast_to, concatenate, moveaxis, part, ravel, reshape
from graphc.tracing.tracer import Tracer
from graphc.tracing.ufuncs import scalar


def block(arrays: Any) -> Any:
    """np.block: nested lists of arrays joined, the innermost along the last axis."""

    def depth(part: Any) -> int:
        if not isinstance(part, list):
            return 0
        if not part:
            raise ShapeError("an empty list has no arrays to join")
        depths = {depth(p) for p in part}
        if len(depths) != 1:
            raise ShapeError("the lists are nested to different depths")
        return 1 + depths.pop()

    levels = depth(arrays)

    def rank(part: Any) -> int:
        return max(map(rank, part)) if isinstance(part, list) else np.ndim(part)

    axes = max(levels, rank(arrays))

    def join(part: Any, level: int) -> Tracer:
        if isinstance(part, list):
            return concatenate([join(p, level - 1) for p in part], -level)
        x = traced(part)
        return reshape(x, (1,) * (axes - x.ndim) + x.shape)

    return join(arrays, levels)


def piecewise(x: Any, condlist: Any, funclist: Any, *args: Any, **kw: Any) -> Any:
    """np.piecewise: the function of the last condition that holds; 0 where none does.

    A function is called on the whole array, where NumPy gives it the elements that it counts for. Raises TraceError
    where that may differ: for one that makes an element of several.
    """
    t = traced(x)
    conditions = condlist if isinstance(condlist, list | tuple) and len(condlist) and (
        np.ndim(condlist[0]) or not t.ndim
    ) else [condlist]  # fmt: skip
    conditions = [traced(c) for c in conditions]
    count = len(funclist)
    if count == len(conditions) + 1:
        known: Any = conditions[0]
        for c in conditions[1:]:
            known = np.logical_or(known, c)
        conditions = [*conditions, traced(np.logical_not(known))]
    elif count != len(conditions):
        raise ShapeError(f"{len(conditions)} conditions need as many functions, or one more, got {count}")
    made: Any = np.zeros_like(t)
    for condition, function in zip(conditions, funclist, strict=True):
        value = _of_each(function, t, args, kw) if callable(function) else function
        made = np.where(condition, converted(t.state, value, t.value.type.dtype), made)
    return made


def _of_each(function: Callable[..., Any], x: Tracer, args: tuple[Any, ...], kw: dict[str, Any]) -> Any:
    """The function of an array that has to make each element of one."""
    before = len(x.state.builder.nodes)
    made = function(x, *args, **kw)
    if several := of_several(x.state.builder.nodes[before:], [x.value]):
        raise TraceError(
            f"a function has {', '.join(several)}, which is more than one element's, and np.piecewise gives it those "
            "alone for which its condition holds: write np.where(condition, made, 0) with what it makes of the array"
        )
    return made


def choose(a: Any, choices: Any, out: Any = None, mode: str = "raise") -> Any:
    """np.choose: for each element of `a` the choice of that number."""
    no_out(out)
    ids = traced(a)
    given = list(choices)
    if ids.value.type.dtype.kind not in ("int", "uint", "bool") or not given:
        raise ShapeError(f"{ids.value.type} chooses among {len(given)}: needs integers, and a choice or more")
    trace = owner((a, *given))
    common = common_dtype(tuple(given))
    parts = [converted(trace, x, common).as_strong() for x in given]
    shape = broadcast_shapes(ids.shape, *(x.shape for x in parts))
    n = len(parts)
    ids = cast(ids, i32)
    if mode == "wrap":
        ids = emit("mod", ids, scalar(ids, n))
    elif mode == "clip":
        ids = clip(ids, 0, n - 1)
    elif ids.size:
        ids = emit("checked", ids, low=0, high=n - 1, what="choose")
    made = broadcast_to(parts[-1], shape)
    for k in reversed(range(n - 1)):
        made = emit("where", emit("eq", ids, scalar(ids, k)), parts[k], made)
    return made


def compress(condition: Any, a: Any, axis: Any = None, out: Any = None) -> Any:
    """np.compress by a known condition."""
    no_out(out)
    if is_tracer(condition):
        raise TraceError(advice.NO_SHAPE)
    x = traced(a)
    if axis is None:
        x, axis = ravel(x), 0
    axis = normalize_axis(axis, x.ndim)
    if np.ndim(condition) != 1:
        raise ShapeError(f"the condition has {np.ndim(condition)} axes: needs one")
    ids = np.flatnonzero(np.asarray(condition))
    return _rows(x, ids, axis)


def extract(condition: Any, arr: Any) -> Any:
    """np.extract by a known condition."""
    if is_tracer(condition):
        raise TraceError(advice.NO_SHAPE)
    return _rows(ravel(arr), np.flatnonzero(np.asarray(condition)), 0)


def _rows(x: Tracer, ids: Any, axis: int) -> Tracer:
    """The rows of known numbers along an axis."""
    if ids.size and (ids.max() >= x.shape[axis] or ids.min() < 0):
        raise IndexRangeError(f"index {ids.max()} is out of range for axis {axis} of length {x.shape[axis]}")
    return gathered(x, constant(x.state, ids.astype(np.int32)), axis, True)


def delete(arr: Any, obj: Any, axis: Any = None) -> Any:
    """np.delete at known places."""
    x = traced(arr)
    if axis is None:
        x, axis = ravel(x), 0
    axis = normalize_axis(axis, x.ndim)
    n = x.shape[axis]
    if is_tracer(obj):
        raise TraceError("what is deleted is traced, but has to be known: mark the argument static")
    return _kept(x, np.delete(np.arange(n), obj), axis)


def _kept(x: Tracer, ids: Any, axis: int) -> Tracer:
    """The rows `ids`, which grow, along an axis: slices where they stand side by side."""
    if not ids.size:
        return part(x, axis, 0, 0)
    cuts = [0, *(np.flatnonzero(np.diff(ids) != 1) + 1), len(ids)]
    if len(cuts) > 6:
        return _rows(x, ids, axis)
    runs = [part(x, axis, int(ids[i]), int(ids[j - 1]) + 1) for i, j in itertools.pairwise(cuts)]
    return runs[0] if len(runs) == 1 else concatenate(runs, axis)


def insert(arr: Any, obj: Any, values: Any, axis: Any = None) -> Any:
    """np.insert at known places."""
    x = traced(arr)
    if axis is None:
        x, axis = ravel(x), 0
    axis = normalize_axis(axis, x.ndim)
    n = x.shape[axis]
    if is_tracer(obj):
        raise TraceError("the place is traced, but has to be known: mark the argument static")
    given = converted(x.state, values, x.value.type.dtype)
    # Where each row of the result comes from: NumPy inserts negative numbers, from -1 on, among the rows' own.
    single = not isinstance(obj, slice) and np.ndim(obj) == 0
    places = np.arange(n)[obj] if isinstance(obj, slice) else np.asarray(obj)
    if places.dtype.kind == "b":
        places = np.flatnonzero(places)
    if single:
        given = reshape(given, (1,) * (x.ndim - given.ndim) + given.shape) if given.ndim < x.ndim else given
        given = moveaxis(given, 0, axis)
        count = given.shape[axis]
    else:
        count = int(places.size)
        given = reshape(given, (1,) * (x.ndim - given.ndim) + given.shape) if given.ndim < x.ndim else given
        count = given.shape[axis] if count == 1 else count
    given = broadcast_to(given, (*x.shape[:axis], count, *x.shape[axis + 1 :]))
    try:
        order = np.insert(np.arange(n), obj, n + np.arange(count))
    except IndexError as error:
        raise IndexRangeError(str(error)) from None
    except ValueError as error:
        raise ShapeError(str(error)) from None
    return _rows(concatenate((x, given), axis), order, axis)


def linspace(
    start: Any,
    stop: Any,
    num: Any = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
    *,
    device: Any = None,
) -> Any:
    """np.linspace between traced ends."""
    if is_tracer(num):
        raise TraceError("num is traced, but has to be known: mark the argument static")
    count = operator.index(num)
    if count < 0:
        raise ShapeError(f"num is {count}: it must not be negative")
    trace = owner((start, stop))
    parts = count - 1 if endpoint else count
    if dtype is not None and np.dtype(dtype).kind in "iu" and 0 < parts < 46340 and not retstep:
        ends = (v for v in (start, stop) if not isinstance(v, int) or v < 0)  # other plain integers are of either kind
        if {v.dtype.kind if is_tracer(v) else as_array(v).dtype.kind for v in ends} in ({"i"}, {"u"}):
            return as_type(moveaxis(traced(_whole_steps(trace, start, stop, count, parts)), 0, axis), dtype)
    common = common_dtype((start, stop, np.float32(0)))
    common = common if common.kind == "float" else f32
    first, last = (converted(trace, v, common).as_strong() for v in (start, stop))
    apart: Any = emit("sub", last, first)
    step = apart / parts if parts > 0 else apart * np.nan
    rank = len(broadcast_shapes(first.shape, last.shape))
    turn = reshape(emit("iota", trace=trace, shape=(count,), axis=0, dtype=common), (count, *(1,) * rank))
    made: Any = turn * (step if parts > 0 else apart) + first
    if endpoint and count > 1:
        end = reshape(emit("eq", turn, scalar(turn, count - 1)), turn.shape)
        made = np.where(end, last, made)
    made = moveaxis(made, 0, axis)
    if dtype is not None:
        made = np.floor(made) if np.dtype(dtype).kind in "iu" else made
        made = as_type(made, dtype)
    return (made, step) if retstep else made


def _whole_steps(trace: Any, start: Any, stop: Any, count: int, parts: int) -> Any:
    """floor(start + i * (stop - start) / parts) of integers: by quotients, which no float rounds and none exceeds."""
    common = common_dtype((start, stop))
    first, last = (converted(trace, v, common).as_strong() for v in (start, stop))
    rank = len(broadcast_shapes(first.shape, last.shape))
    turn = np.arange(count).reshape(count, *(1,) * rank)
    rest: Any = cast(last % parts, i32) - cast(first % parts, i32)
    whole: Any = last // parts - first // parts + cast(rest // parts, common)
    return first + whole * turn.astype(first.dtype) + cast(rest % parts * turn.astype(np.int32) // parts, common)


def logspace(
    start: Any, stop: Any, num: Any = 50, endpoint: bool = True, base: Any = 10.0, dtype: Any = None, axis: int = 0
) -> Any:
    """np.logspace between traced ends."""
    made: Any = linspace(start, stop, num, endpoint, axis=axis)
    made = np.power(converted(made.state, base, made.value.type.dtype), made)
    return made if dtype is None else as_type(made, dtype)


def geomspace(start: Any, stop: Any, num: Any = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0) -> Any:
    """np.geomspace between traced ends; NaN between two of different signs."""
    for known in (start, stop):
        if not is_tracer(known) and np.any(np.asarray(known) == 0):
            raise ArgumentError("a geometric sequence cannot hold 0, which is one of its ends")
    given = traced(start), traced(stop)
    shape = broadcast_shapes(*(v.shape for v in given))
    first, last = (broadcast_to(v, shape) for v in given)
    sign: Any = np.sign(first)
    far = np.where(np.sign(last) == sign, np.log(np.abs(last)), np.nan)
    made: Any = np.exp(linspace(np.log(np.abs(first)), far, num, endpoint)) * sign
    count = made.shape[0]
    turn = np.arange(count).reshape(-1, *(1 for _ in shape))
    for end, value in ((0, first), (count - 1, last))[: 2 if endpoint and count > 1 else 1]:
        made = np.where(turn == end, cast(value, made.value.type.dtype), made)
    made = moveaxis(made, 0, axis)
    return made if dtype is None else as_type(made, dtype)


def apply_along_axis(func1d: Any, axis: int, arr: Any, *args: Any, **kwargs: Any) -> Any:
    """np.apply_along_axis: the function once for each row, which suits few rows."""
    x = traced(arr)
    axis = normalize_axis(axis, x.ndim)
    rows = moveaxis(x, axis, -1)
    lead = rows.shape[:-1]
    flat: Any = reshape(rows, (-1 if x.size else 0, rows.shape[-1]))
    count = flat.shape[0]
    if not count:
        raise ShapeError(f"{x.value.type} has no rows along axis {axis}")
    if count > _MOST_ROWS:
        raise TraceError(
            f"it would trace the function {count} times: call it on the whole array, with its axis= argument"
        )
    found = [traced(func1d(flat[k], *args, **kwargs)) for k in range(count)]
    made: Any = np.stack(found)
    made = np.reshape(made, (*lead, *made.shape[1:]))
    inner = tuple(range(len(lead), made.ndim))
    return np.moveaxis(made, inner, tuple(range(axis, axis + len(inner))))


_MOST_ROWS: Final = 256


def apply_over_axes(func: Any, a: Any, axes: Any) -> Any:
    """np.apply_over_axes."""
    made: Any = traced(a)
    for axis in np.atleast_1d(np.asarray(axes)):
        found = func(made, int(axis))
        made = found if found.ndim == made.ndim else np.expand_dims(found, int(axis))
    return made


TABLE: Final[dict[Any, Callable[..., Any]]] = {
    np.block: block,
    np.piecewise: piecewise,
    np.choose: choose,
    np.compress: compress,
    np.extract: extract,
    np.delete: delete,
    np.insert: insert,
    np.linspace: linspace,
    np.logspace: logspace,
    np.geomspace: geomspace,
    np.apply_along_axis: apply_along_axis,
    np.apply_over_axes: apply_over_axes,
}
