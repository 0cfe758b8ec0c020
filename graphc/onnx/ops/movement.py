"""Importers of operators that move elements, and of those that make tensors from shapes."""

from __future__ import annotations

import itertools
from typing import Any, Final

import numpy as np

from graphc.onnx.ops.reduce import axes_of
from graphc.onnx.registry import Array, Call, importer
from graphc.onnx.tensors import element_type
from graphc.tracing.core import is_tracer


@importer("Constant")
def constant(c: Call, **attributes: Any) -> Array:
    """The value of the one attribute that is given."""
    for name, dtype in (("value_float", np.float32), ("value_floats", np.float32), ("value_int", np.int64)):
        if name in attributes:
            return np.asarray(attributes[name], dtype)
    if "value_ints" in attributes:
        return np.asarray(attributes["value_ints"], np.int64)
    if "value" not in attributes:
        c.refuse(f"a constant with {sorted(attributes)}")
    return attributes["value"]


@importer("ConstantOfShape")
def constant_of_shape(c: Call, shape: Array, *, value: Any = None) -> Array:
    """A tensor of one number, by default 0.0."""
    number = np.zeros(1, np.float32) if value is None else value
    return np.full(c.sized(c.ints(shape, "shape")), np.ravel(number)[0], number.dtype)


@importer("Range")
def count(c: Call, start: Array, limit: Array, delta: Array) -> Array:
    """start, start + delta, ... below limit."""
    first, last, step = (np.ravel(c.known(x, "limits"))[0] for x in (start, limit, delta))
    if step == 0:
        c.refuse("its delta is 0")
    (n,) = c.sized([max(int(np.ceil((last - first) / step)), 0)])
    return (first + np.arange(n) * step).astype(start.dtype)


@importer("EyeLike")
def eye_like(c: Call, x: Array, *, dtype: int | None = None, k: int = 0) -> Array:
    """1 on the k-th diagonal."""
    element = x.dtype if dtype is None else element_type(dtype, c.refuse)
    rows, columns = c.sized(x.shape)
    return np.eye(rows, columns, k=k, dtype=element)


@importer("Shape")
def shape_of(c: Call, x: Array, *, start: int = 0, end: int | None = None) -> Array:
    """The lengths of axes start up to end."""
    return np.asarray(x.shape[slice(_within(start, x.ndim), None if end is None else _within(end, x.ndim))], np.int64)


def _within(axis: int, ndim: int) -> int:
    return min(max(axis + ndim if axis < 0 else axis, 0), ndim)


@importer("Size")
def size_of(c: Call, x: Array) -> Array:
    """How many elements there are."""
    return np.asarray(x.size, np.int64)


@importer("Reshape")
def reshape(c: Call, x: Array, wanted: Array = None, *, shape: Any = None, allowzero: int = 0) -> Array:
    """-1: what is left; 0: the length that x has there, unless zeros are allowed."""
    lengths = c.ints(shape if wanted is None else wanted, "shape")
    if not allowzero:
        if any(n == 0 and k >= x.ndim for k, n in enumerate(lengths)):
            c.refuse(f"shape {lengths} copies an axis that {list(x.shape)} has not")
        lengths = [x.shape[k] if n == 0 else n for k, n in enumerate(lengths)]
    if -1 in lengths:
        rest = int(np.prod([n for n in lengths if n != -1], dtype=object))
        lengths[lengths.index(-1)] = x.size // rest if rest else 0
    return np.reshape(x, lengths)


@importer("Flatten")
def flatten(c: Call, x: Array, *, axis: int = 1) -> Array:
    """[the axes before `axis`, those from it on]."""
    at = axis + x.ndim if axis < 0 else axis
    rows = int(np.prod(x.shape[:at], dtype=np.int64))
    return np.reshape(x, (rows, int(np.prod(x.shape[at:], dtype=np.int64))))


@importer("Squeeze")
def squeeze(c: Call, x: Array, given: Array = None, *, axes: Any = None) -> Array:
    """Without these axes of length 1, by default all such."""
    ones = tuple(k for k, n in enumerate(x.shape) if n == 1)
    return np.squeeze(x, axis=axes_of(c, x, axes if given is None else given, ones))


@importer("Unsqueeze")
def unsqueeze(c: Call, x: Array, given: Array = None, *, axes: Any = None) -> Array:
    """With axes of length 1 at these places of the result."""
    places = c.ints(axes if given is None else given, "axes")
    return np.expand_dims(x, tuple(axis % (x.ndim + len(places)) for axis in places))


@importer("Transpose")
def transpose(c: Call, x: Array, *, perm: Any = None) -> Array:
    """Axis i of the result is axis perm[i]."""
    return np.transpose(x, perm)


@importer("Concat")
def concat(c: Call, *parts: Array, axis: int = 1) -> Array:
    """One after another."""
    c.sized([sum(x.size for x in parts)])
    return np.concatenate(parts, axis=axis)


@importer("Split")
def split(
    c: Call, x: Array, sizes: Array = None, *, axis: int = 0, split: Any = None, num_outputs: int | None = None
) -> tuple[Array, ...]:
    """Parts of these lengths, or so many equal parts, of which the last may be smaller."""
    (along,) = axes_of(c, x, [axis])
    n, parts = x.shape[along], len(c.outputs) if num_outputs is None else num_outputs
    given = split if sizes is None else sizes
    lengths = [-(-n // parts)] * parts if given is None else c.ints(given, "split")
    ends = np.minimum(np.cumsum([0, *lengths]), n)
    before = (slice(None),) * along
    return tuple(x[(*before, slice(int(a), int(b)))] for a, b in itertools.pairwise(ends))


@importer("Slice")
def take_slice(
    c: Call, x: Array, starts: Array = None, ends: Array = None, axes: Array = None, steps: Array = None, **old: Any
) -> Array:
    """x[start:end:step] along some axes."""
    first = c.ints(old["starts"] if starts is None else starts, "starts")
    last = c.ints(old["ends"] if ends is None else ends, "ends")
    given = old.get("axes") if axes is None else axes
    along = axes_of(c, x, given, tuple(range(len(first))))
    by = [1] * len(first) if steps is None else c.ints(steps, "steps")
    key: list[slice] = [slice(None)] * x.ndim
    for axis, a, b, step in zip(along, first, last, by, strict=True):
        n = x.shape[axis]
        if step == 0:
            c.refuse("a step of 0")
        low, high = (0, n) if step > 0 else (0, n - 1)
        a = min(max(a + n if a < 0 else a, low), high)
        b = min(max(b + n if b < 0 else b, -1 if step < 0 else 0), n)
        key[axis] = slice(a, b if b >= 0 else None, step)
    return x[tuple(key)]


@importer("Expand")
def expand(c: Call, x: Array, shape: Array) -> Array:
    """Broadcast, to the shape and to what x has."""
    return np.broadcast_to(x, c.sized(np.broadcast_shapes(x.shape, tuple(c.ints(shape, "shape")))))


@importer("Tile")
def tile(c: Call, x: Array, repeats: Array) -> Array:
    """Repeated along each axis."""
    times = c.ints(repeats, "repeats")
    c.sized([n * m for n, m in zip(x.shape, times, strict=True)])
    return np.tile(x, times)


_MODES: Final[dict[str, Any]] = {"reflect": "reflect", "edge": "edge", "wrap": "wrap"}


@importer("Pad")
def pad(
    c: Call,
    x: Array,
    given: Array = None,
    constant: Array = None,
    axes: Array = None,
    *,
    pads: Any = None,
    value: float = 0.0,
    mode: str = "constant",
) -> Array:
    """Elements around, or fewer where a number is negative."""
    widths = c.ints(pads if given is None else given, "pads")
    along = axes_of(c, x, axes)
    low, high = [0] * x.ndim, [0] * x.ndim
    for k, axis in enumerate(along):
        low[axis], high[axis] = widths[k], widths[len(along) + k]
    x = x[tuple(slice(max(-a, 0), n - max(-b, 0)) for a, b, n in zip(low, high, x.shape, strict=True))]
    around = [(max(a, 0), max(b, 0)) for a, b in zip(low, high, strict=True)]
    c.sized([n + a + b for n, (a, b) in zip(x.shape, around, strict=True)])
    if mode != "constant":
        return np.pad(x, around, mode=_MODES[mode])
    if constant is None or not is_tracer(constant):
        return np.pad(x, around, constant_values=value if constant is None else np.ravel(constant)[0].item())
    inside = np.pad(np.ones(x.shape, np.bool_), around)
    return np.where(inside, np.pad(x, around), np.reshape(constant, ()))


@importer("Trilu")
def trilu(c: Call, x: Array, k: Array = None, *, upper: int = 1) -> Array:
    """The upper or lower triangle of the last two axes."""
    diagonal = 0 if k is None else c.ints(k, "k")[0]
    return (np.triu if upper else np.tril)(x, k=diagonal)


@importer("DepthToSpace")
def depth_to_space(c: Call, x: Array, *, blocksize: int, mode: str = "DCR") -> Array:
    """[N, C b b, H, W] -> [N, C, H b, W b]; the channel is last (DCR) or first (CRD) of the three."""
    n, channels, h, w = x.shape
    b, inner = blocksize, channels // blocksize**2
    if mode == "DCR":
        x = np.transpose(np.reshape(x, (n, b, b, inner, h, w)), (0, 3, 4, 1, 5, 2))
    else:
        x = np.transpose(np.reshape(x, (n, inner, b, b, h, w)), (0, 1, 4, 2, 5, 3))
    return np.reshape(x, (n, inner, h * b, w * b))


@importer("SpaceToDepth")
def space_to_depth(c: Call, x: Array, *, blocksize: int, mode: str = "DCR") -> Array:
    """The other way round."""
    n, channels, h, w = x.shape
    b = blocksize
    x = np.reshape(x, (n, channels, h // b, b, w // b, b))
    x = np.transpose(x, (0, 3, 5, 1, 2, 4) if mode == "DCR" else (0, 1, 3, 5, 2, 4))
    return np.reshape(x, (n, channels * b * b, h // b, w // b))
