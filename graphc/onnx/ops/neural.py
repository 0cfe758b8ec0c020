"""Importers of products, convolutions and pools."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.convolution import convolved
from graphc.onnx.registry import Array, Call, importer
from graphc.ops import by_name
from graphc.tracing.trace import apply


@importer("MatMul")
def matmul(c: Call, a: Array, b: Array) -> Array:
    """As np.matmul."""
    return np.matmul(a, b)


@importer("Gemm")
def gemm(
    c: Call,
    a: Array,
    b: Array,
    bias: Array = None,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    transA: int = 0,
    transB: int = 0,
    broadcast: int = 1,
) -> Array:
    """alpha a b + beta bias, either factor transposed."""
    y = (a.T if transA else a) @ (b.T if transB else b)
    y = y if alpha == 1 else alpha * y
    if bias is None or not beta:
        return y
    return y + (bias if beta == 1 else beta * bias)


@importer("Einsum")
def einsum(c: Call, *operands: Array, equation: str) -> Array:
    """As np.einsum."""
    return np.einsum(equation, *operands)


@importer("Det")
def determinant(c: Call, x: Array) -> Array:
    """Of square matrices that are known."""
    return np.linalg.det(c.known(x, "matrix")).astype(x.dtype)


def _around(
    c: Call,
    space: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    pads: Any,
    auto_pad: str,
) -> list[tuple[int, int]]:
    """Zeros before and after, for each axis."""
    axes = len(space)
    if auto_pad == "NOTSET":
        pads = pads or [0] * 2 * axes
        return [(pads[k], pads[axes + k]) for k in range(axes)]
    if auto_pad == "VALID":
        return [(0, 0)] * axes
    around = []
    for n, width, step, apart in zip(space, kernel, strides, dilations, strict=True):
        total = max((-(-n // step) - 1) * step + (width - 1) * apart + 1 - n, 0)
        around.append(
            (total // 2, total - total // 2) if auto_pad == "SAME_UPPER" else (total - total // 2, total // 2)
        )
    return around


@importer("Conv")
def conv(
    c: Call,
    x: Array,
    w: Array,
    bias: Array = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: Any = None,
    group: int = 1,
    kernel_shape: Any = None,
    pads: Any = None,
    strides: Any = None,
) -> Array:
    """x: [N, C, *space], w: [O, C / group, *kernel]."""
    axes = x.ndim - 2
    strides, dilations = strides or [1] * axes, dilations or [1] * axes
    around = _around(c, x.shape[2:], w.shape[2:], strides, dilations, pads, auto_pad)
    y = convolved(x, w, list(strides), list(dilations), around, [1] * axes, group)
    return y if bias is None else y + np.reshape(bias, (-1, *(1,) * axes))


@importer("ConvTranspose")
def conv_transpose(
    c: Call,
    x: Array,
    w: Array,
    bias: Array = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: Any = None,
    group: int = 1,
    kernel_shape: Any = None,
    output_padding: Any = None,
    output_shape: Any = None,
    pads: Any = None,
    strides: Any = None,
) -> Array:
    """x: [N, C, *space], w: [C, O / group, *kernel]: a convolution of x with zeros between, by the kernel turned."""
    axes = x.ndim - 2
    strides, dilations = strides or [1] * axes, dilations or [1] * axes
    more, pads = output_padding or [0] * axes, pads or [0] * 2 * axes
    around = [(0, 0), (0, 0)]
    for k, (n, step, apart) in enumerate(zip(x.shape[2:], strides, dilations, strict=True)):
        reach = (w.shape[2 + k] - 1) * apart
        before, after = pads[k], pads[axes + k]
        if output_shape is not None or auto_pad.startswith("SAME"):
            wanted = n * step if output_shape is None else output_shape[-axes:][k]
            total = (n - 1) * step + more[k] + reach + 1 - wanted
            half = max(total, 0) // 2
            before = half if auto_pad == "SAME_UPPER" else max(total, 0) - half
            after = total - before
        around.append((reach - before, reach - after + more[k]))
    c.sized([*x.shape[:2], *(n * s for n, s in zip(x.shape[2:], strides, strict=True))])
    none = (0,) * x.ndim
    x = apply(by_name("pad"), x, low=none, high=none, interior=(0, 0, *(s - 1 for s in strides)), value=0.0)
    x = x[tuple(slice(max(-a, 0), n - max(-b, 0)) for (a, b), n in zip(around, x.shape, strict=True))]
    x = np.pad(x, [(max(a, 0), max(b, 0)) for a, b in around])
    kernel = np.reshape(np.flip(w, tuple(range(2, w.ndim))), (group, w.shape[0] // group, *w.shape[1:]))
    kernel = np.reshape(np.swapaxes(kernel, 1, 2), (group * w.shape[1], w.shape[0] // group, *w.shape[2:]))
    y = convolved(x, kernel, [1] * axes, list(dilations), [(0, 0)] * axes, [1] * axes, group)
    return y if bias is None else y + np.reshape(bias, (-1, *(1,) * axes))


Join = Callable[[Callable[[Array, Array], Array]], Array]
"""Joins the elements of each window by a function of two."""


def _windows(
    x: Array, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int], counts: Sequence[int]
) -> Join:
    """Joins the elements of each window, axis by axis: one slice of x for each place along the window's side."""

    def join(function: Callable[[Array, Array], Array]) -> Array:
        made = x
        for axis, (width, apart, step, count) in enumerate(zip(kernel, dilations, strides, counts, strict=True), 2):
            total: Array = None
            for place in range(width):
                first = place * apart
                part = made[(*(slice(None),) * axis, slice(first, first + (count - 1) * step + 1, step))]
                total = part if total is None else function(total, part)
            made = total
        return made

    return join


def _pool(
    c: Call, x: Array, kernel: Sequence[int], fill: float, counted: float = 0.0, **settings: Any
) -> tuple[Join, Join]:
    """How to join the windows of x, with `fill` around it, and those of ones: 1 where x has elements, `counted` where
    the node puts some around, and 0 where ceil_mode makes windows reach beyond that."""
    axes = len(kernel)
    strides, dilations = settings["strides"] or [1] * axes, settings["dilations"] or [1] * axes
    space, ceil = x.shape[2:], settings["ceil_mode"]
    around = _around(c, space, kernel, strides, dilations, settings["pads"], settings["auto_pad"])
    if sum(kernel) > 1024:
        c.refuse(f"windows of {list(kernel)} elements")
    counts, beyond = [], []
    for k, (n, (a, b)) in enumerate(zip(space, around, strict=True)):
        reach = (kernel[k] - 1) * dilations[k] + 1
        room = n + a + b - reach
        count = (-(-room // strides[k]) if ceil else room // strides[k]) + 1
        # A window that begins in what was put behind does not count.
        counts.append(count - 1 if ceil and (count - 1) * strides[k] >= n + a else count)
        beyond.append((0, max((counts[-1] - 1) * strides[k] + reach - n - a - b, 0)))

    def joined(x: Array, near: float, far: float) -> Join:
        for widths, value in ((around, near), (beyond, far)):
            if any(map(any, widths)):
                x = np.pad(x, [(0, 0), (0, 0), *widths], constant_values=value)
        return _windows(x, kernel, strides, dilations, counts)

    return joined(x, fill, fill), joined(np.ones((1, 1, *space), x.dtype), counted, 0.0)


@importer("MaxPool")
def max_pool(
    c: Call,
    x: Array,
    *,
    kernel_shape: Any,
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    dilations: Any = None,
    pads: Any = None,
    storage_order: int = 0,
    strides: Any = None,
) -> tuple[Array, ...]:
    """The greatest element of each window."""
    if c.wants(1):
        c.refuse("its second output, the places of the greatest elements, is not imported")
    least = -np.inf if x.dtype.kind == "f" else int(np.iinfo(x.dtype).min)
    settings = {"strides": strides, "dilations": dilations, "pads": pads, "auto_pad": auto_pad, "ceil_mode": ceil_mode}
    join, _ = _pool(c, x, kernel_shape, least, **settings)
    return (join(np.maximum),)


@importer("AveragePool")
def average_pool(
    c: Call,
    x: Array,
    *,
    kernel_shape: Any,
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    count_include_pad: int = 0,
    dilations: Any = None,
    pads: Any = None,
    strides: Any = None,
) -> Array:
    """The mean of each window, with or without the zeros around; those that ceil_mode adds never count."""
    settings = {"strides": strides, "dilations": dilations, "pads": pads, "auto_pad": auto_pad, "ceil_mode": ceil_mode}
    join, counted = _pool(c, x, kernel_shape, 0.0, float(bool(count_include_pad)), **settings)
    return join(np.add) / counted(np.add)


@importer("LpPool", since=2)
def lp_pool(
    c: Call,
    x: Array,
    *,
    kernel_shape: Any,
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    dilations: Any = None,
    p: int = 2,
    pads: Any = None,
    strides: Any = None,
) -> Array:
    """The p-norm of each window."""
    settings = {"strides": strides, "dilations": dilations, "pads": pads, "auto_pad": auto_pad, "ceil_mode": ceil_mode}
    join, _ = _pool(c, np.abs(x) ** p, kernel_shape, 0.0, **settings)
    return join(np.add) ** (1 / p)


@importer("GlobalAveragePool")
def global_average_pool(c: Call, x: Array) -> Array:
    """The mean of each channel."""
    return np.mean(x, axis=tuple(range(2, x.ndim)), keepdims=True)


@importer("GlobalMaxPool")
def global_max_pool(c: Call, x: Array) -> Array:
    """The greatest element of each channel."""
    return np.max(x, axis=tuple(range(2, x.ndim)), keepdims=True)
