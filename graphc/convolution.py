"""Convolutions over one to three spatial axes, transposed ones, and pools: plain functions around one op.

`graphc.nn` has them all. Shapes are [N, C, *space] for what is moved over, [O, C, *kernel] for weights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from graphc.errors import ArgumentError, ShapeError
from graphc.ops import by_name
from graphc.tracing.operands import integer, operand, takes
from graphc.tracing.trace import apply

Array = Any
"""An ndarray, an Array or a traced array; each function takes either and gives the same kind back."""

Setting = int | Sequence[int]
"""A number for all spatial axes, or one for each."""

Around = list[tuple[int, int]]
"""Elements before and after, for each spatial axis."""

MOST: Final = 3
"""Spatial axes at most."""


@takes(numbers="x w")
def conv(
    x: Array,
    w: Array,
    *,
    stride: Setting = 1,
    padding: Setting | str = 0,
    dilation: Setting = 1,
    groups: int = 1,
) -> Array:
    """Convolution (a correlation, as in every library) over one to three spatial axes.

    x: [N, C, *space], w: [O, C / groups, *kernel] -> [N, O, *space]. stride, padding, dilation: a number for all axes,
    or one for each; padding counts zeros on either side, "valid" is none, and "same" as many as give
    ceil(space / stride) results. groups: each has its part of the channels of x, and of those of the result. Raises
    ShapeError, and ArgumentError for settings that make no sense.
    """
    x, w = _of_one_kind("conv", x, w)
    integer("conv", "groups", groups)
    axes = _axes("conv", x, w, "[O, C / groups, *kernel]")
    strides, dilations = _each("conv: stride", stride, axes, 1), _each("conv: dilation", dilation, axes, 1)
    around = _around("conv", x.shape[2:], w.shape[2:], strides, dilations, padding)
    if groups < 1 or w.shape[1] * groups != x.shape[1] or w.shape[0] % groups:
        raise ShapeError(
            f"conv: x has shape {x.shape}, w {w.shape} and groups is {groups}: need x.shape[1] == w.shape[1] * groups, "
            "and w.shape[0] a multiple of groups"
        )
    for axis, (taps, apart, more) in enumerate(zip(w.shape[2:], dilations, around, strict=True)):
        whole, reach = x.shape[2 + axis] + sum(more), (taps - 1) * apart + 1
        if taps < 1 or whole < reach:
            raise ShapeError(
                f"conv: x has shape {x.shape}, w {w.shape}: the kernel reaches over {reach} places of {whole} along "
                f"axis {axis}"
            )
    return convolved(x, w, strides, dilations, around, [1] * axes, groups)


@takes(numbers="x w")
def conv_transpose(
    x: Array,
    w: Array,
    *,
    stride: Setting = 1,
    padding: Setting = 0,
    output_padding: Setting = 0,
    dilation: Setting = 1,
    groups: int = 1,
) -> Array:
    """Transposed convolution: what the gradient of `conv` does to x, over one to three spatial axes.

    x: [N, C, *space], w: [C, O / groups, *kernel] -> [N, O, *space], where an axis of n elements becomes
    (n - 1) * stride + dilation * (kernel - 1) + 1 - 2 * padding + output_padding. Settings are those of the convolution
    that it is the transpose of; output_padding, less than the stride or the dilation, adds elements at the end. The
    layout of w is that of PyTorch and ONNX. Raises ShapeError, and ArgumentError for settings that make no sense.
    """
    x, w = _of_one_kind("conv_transpose", x, w)
    integer("conv_transpose", "groups", groups)
    axes = _axes("conv_transpose", x, w, "[C, O / groups, *kernel]")
    strides = _each("conv_transpose: stride", stride, axes, 1)
    dilations = _each("conv_transpose: dilation", dilation, axes, 1)
    paddings = _each("conv_transpose: padding", padding, axes, 0)
    more = _each("conv_transpose: output_padding", output_padding, axes, 0)
    if any(m >= max(s, d) for m, s, d in zip(more, strides, dilations, strict=True)):
        raise ArgumentError(f"conv_transpose: output_padding {output_padding!r} has to be below stride or dilation")
    if groups < 1 or x.shape[1] != w.shape[0] or w.shape[0] % groups:
        raise ShapeError(
            f"conv_transpose: x has shape {x.shape}, w {w.shape} and groups is {groups}: need x.shape[1] == "
            "w.shape[0], a multiple of groups"
        )
    reach = [(n - 1) * apart for n, apart in zip(w.shape[2:], dilations, strict=True)]
    for axis, (size, step) in enumerate(zip(x.shape[2:], strides, strict=True)):
        made = (size - 1) * step + reach[axis] + 1 - 2 * paddings[axis] + more[axis]
        if made < 1:
            raise ShapeError(
                f"conv_transpose: x has shape {x.shape}, w {w.shape} and padding is {padding!r}: that leaves {made} "
                f"places along axis {axis}"
            )
    around = [(r - p, r - p + m) for r, p, m in zip(reach, paddings, more, strict=True)]
    turned = np.flip(w, tuple(range(2, 2 + axes)))
    parts = np.reshape(turned, (groups, w.shape[0] // groups, *w.shape[1:]))
    kernel = np.reshape(np.swapaxes(parts, 1, 2), (groups * w.shape[1], w.shape[0] // groups, *w.shape[2:]))
    return convolved(x, kernel, [1] * axes, dilations, around, strides, groups)


@takes(numbers="x")
def max_pool(
    x: Array,
    window: Setting,
    stride: Setting | None = None,
    padding: Setting | str = 0,
) -> Array:
    """The greatest element of each window: x [N, C, *space] -> [N, C, *space]. NaN goes before every number.

    window: its size, for all axes or one for each; stride: the distance of windows, their size unless given. padding:
    as in `conv`; what is put around is never the greatest. The gradient goes to the first of the greatest elements.
    Raises ShapeError, and ArgumentError for settings that make no sense.
    """
    x = array_like(x)
    least = -np.inf if x.dtype.kind == "f" else int(np.iinfo(x.dtype).min)

    def greater(a: Array, b: Array) -> Array:
        return np.where((b > a) | (b != b), b, a)

    return _pooled("max_pool", x, window, stride, padding, least, greater)[0]


@takes(floats="x")
def avg_pool(
    x: Array,
    window: Setting,
    stride: Setting | None = None,
    padding: Setting | str = 0,
) -> Array:
    """The mean of each window: x [N, C, *space] of floats -> [N, C, *space]. Zeros that are put around count.

    Half precision is summed in single. Settings and errors are those of `max_pool`; DTypeError for what is no float.
    """
    x = array_like(x)
    half = x.dtype == np.float16
    total, count = _pooled("avg_pool", x.astype(np.float32) if half else x, window, stride, padding, 0, np.add)
    mean = total * np.asarray(1 / count, total.dtype)
    return mean.astype(np.float16) if half else mean


def array_like(x: Any) -> Array:
    """`x` itself where it is an array of some kind, else the ndarray of a number or list."""
    return x if hasattr(x, "shape") else np.asarray(x)


def _of_one_kind(name: str, x: Array, w: Array) -> tuple[Array, Array]:
    """Both as arrays; raises DTypeError where one holds floats and the other does not."""
    x, w = array_like(x), array_like(w)
    if x.dtype.kind != w.dtype.kind:
        x, w = operand(name, "x", x), operand(name, "w", w)
    return x, w


def _axes(name: str, x: Array, w: Array, layout: str) -> int:
    """The number of spatial axes."""
    axes = len(x.shape) - 2
    if not 1 <= axes <= MOST or len(w.shape) != axes + 2:
        raise ShapeError(
            f"{name}: x has shape {x.shape} and w {w.shape}: need [N, C, *space] and {layout}, with one to three "
            "spatial axes"
        )
    return axes


def _each(what: str, given: Setting, axes: int, least: int) -> list[int]:
    """A setting for each axis; raises ArgumentError where it is none."""
    given = given.tolist() if isinstance(given, np.ndarray) else given
    found = list(given) if isinstance(given, Sequence) else [given] * axes
    if len(found) != axes or any(not isinstance(n, int | np.integer) or n < least for n in found):
        raise ArgumentError(f"{what} {given!r}: write a number of {least} or more, or {axes} of them")
    return [int(n) for n in found]


def _around(
    name: str,
    space: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    padding: Setting | str,
) -> Around:
    """What `padding` says, for each axis."""
    if isinstance(padding, str) and padding == "same":
        totals = [
            max((-(-size // step) - 1) * step + (taps - 1) * apart + 1 - size, 0)
            for size, taps, step, apart in zip(space, kernel, strides, dilations, strict=True)
        ]
        return [(total // 2, total - total // 2) for total in totals]
    if isinstance(padding, str) and padding != "valid":
        raise ArgumentError(f'{name}: padding {padding!r}: write a number, "same" or "valid"')
    return [(n, n) for n in _each(f"{name}: padding", 0 if isinstance(padding, str) else padding, len(space), 0)]


def convolved(
    x: Array, w: Array, strides: list[int], dilations: list[int], around: Around, spread: list[int], groups: int
) -> Array:
    """A convolution with any setting; over three axes and more the sum of those over the others at each place of the
    kernel along the first. spread: the distance of the elements of x, between which zeros are taken."""
    axes = len(strides)
    if axes > 2:
        return _over_first(x, w, strides, dilations, around, spread, groups)
    if axes == 1:  # sums over the first axis can be of any length
        x, w = np.reshape(x, (*x.shape, 1)), np.reshape(w, (*w.shape, 1))
        strides, dilations, spread, around = [*strides, 1], [*dilations, 1], [*spread, 1], [*around, (0, 0)]
    y = apply(
        by_name("conv"),
        x,
        w,
        strides=tuple(strides),
        padding=tuple(around),
        dilation=tuple(dilations),
        spread=tuple(spread),
        groups=groups,
    )
    return np.reshape(y, y.shape[:-1]) if axes == 1 else y


def _over_first(
    x: Array, w: Array, strides: list[int], dilations: list[int], around: Around, spread: list[int], groups: int
) -> Array:
    """Each depth of the result is the sum of convolutions of those depths of x that the kernel's depths meet."""
    size, step, apart, wide = x.shape[2], strides[0], dilations[0], spread[0]
    (before, after), rest = around[0], around[1:]
    whole = (size - 1) * wide + 1 + before + after
    count = (whole - (w.shape[2] - 1) * apart - 1) // step + 1
    if count < 1:
        raise ShapeError(f"conv: the kernel reaches over {(w.shape[2] - 1) * apart + 1} places of {whole} along axis 0")
    total: Array = None
    for place in range(w.shape[2]):
        # Which depths of x stand where this depth of the kernel meets them; those between and around are zeros.
        met = [(n * step + place * apart - before) for n in range(count)]
        inside = [0 <= at <= (size - 1) * wide and at % wide == 0 for at in met]
        if not any(inside):
            continue
        first = inside.index(True)
        last = len(inside) - 1 - inside[::-1].index(True)
        every = next((k for k in range(1, last - first + 1) if inside[first + k]), 1)
        depths = slice(met[first] // wide, met[last] // wide + 1, max(every * step // wide, 1))
        part = np.moveaxis(x[:, :, depths], 2, 1)
        rows = np.reshape(part, (part.shape[0] * part.shape[1], *part.shape[2:]))
        made = convolved(rows, w[:, :, place], strides[1:], dilations[1:], rest, spread[1:], groups)
        made = np.reshape(made, (*part.shape[:2], *made.shape[1:]))
        spaced = _placed(made, count, first, every)
        total = spaced if total is None else total + spaced
    if total is None:  # the kernel meets nothing but padding
        nothing = np.zeros_like(x, shape=(*x.shape[:2], *x.shape[3:]))
        made = convolved(nothing, w[:, :, 0], strides[1:], dilations[1:], rest, spread[1:], groups)  # for its shape
        total = np.zeros_like(x, shape=(x.shape[0], count, *made.shape[1:]))
    return np.moveaxis(total, 1, 2)


def _placed(x: Array, count: int, first: int, every: int) -> Array:
    """The elements of axis 1 at `first`, and on from there in steps, of `count` that are zero elsewhere."""
    if every > 1:
        wider = np.pad(np.expand_dims(x, 2), [(0, 0), (0, 0), (0, every - 1), *[(0, 0)] * (len(x.shape) - 2)])
        x = np.reshape(wider, (x.shape[0], x.shape[1] * every, *x.shape[2:]))[:, : (x.shape[1] - 1) * every + 1]
    left = count - first - x.shape[1]
    return np.pad(x, [(0, 0), (first, left), *[(0, 0)] * (len(x.shape) - 2)]) if first or left else x


def _pooled(
    name: str,
    x: Array,
    window: Setting,
    stride: Setting | None,
    padding: Setting | str,
    fill: float,
    join: Callable[[Array, Array], Array],
) -> tuple[Array, int]:
    """The elements of each window joined, and how many they are: axis by axis, the last one first."""
    axes = len(x.shape) - 2
    if not 1 <= axes <= MOST:
        raise ShapeError(f"{name}: x has shape {x.shape}: need [N, C, *space] with one to three spatial axes")
    sizes = _each(f"{name}: window", window, axes, 1)
    strides = sizes if stride is None else _each(f"{name}: stride", stride, axes, 1)
    around = _around(name, x.shape[2:], sizes, strides, [1] * axes, padding)
    for axis, (size, (before, after)) in enumerate(zip(sizes, around, strict=True)):
        if x.shape[2 + axis] + before + after < size:
            raise ShapeError(f"{name}: a window of {size} does not fit axis {axis} of {x.shape[2 + axis]} elements")
        if not isinstance(padding, str) and max(before, after) >= size:
            raise ArgumentError(f"{name}: padding {padding!r} holds whole windows of {window!r}: write less")
    if any(map(any, around)):
        x = np.pad(x, [(0, 0), (0, 0), *around], constant_values=fill)
    for axis in reversed(range(axes)):
        count = (x.shape[2 + axis] - sizes[axis]) // strides[axis] + 1
        total: Array = None
        for place in range(sizes[axis]):
            reach = slice(place, place + (count - 1) * strides[axis] + 1, strides[axis])
            part = x[(*(slice(None),) * (2 + axis), reach)]
            total = part if total is None else join(total, part)
        x = total
    return x, int(np.prod(sizes))
