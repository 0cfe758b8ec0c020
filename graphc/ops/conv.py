"""Convolution over two spatial axes. Its gradients are convolutions as well, with the roles of operands exchanged."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from graphc.errors import ShapeError
from graphc.ir.op import Case, Custom, Op, apply
from graphc.ir.types import NDArray, TensorType, f32
from graphc.ops.batching import Batch
from graphc.ops.elementwise import NUMERIC, same_dtype
from graphc.ops.samples import integers, sample

Pair = tuple[int, int]


def spread_size(size: int, spread: int) -> int:
    """Places along an axis of `size` elements that have `spread` - 1 zeros between them."""
    return (size - 1) * spread + 1 if size else 0


def infer_conv(
    x: TensorType,
    w: TensorType,
    *,
    strides: Pair,
    padding: tuple[Pair, Pair],
    dilation: Pair,
    spread: Pair,
    groups: int,
) -> TensorType:
    """Type of a convolution: x [N, C, H, W], w [O, C / groups, h, w] -> [N, O, H', W'].

    padding: zeros before and after each spatial axis; below zero, elements are left out. dilation: distance of the
    kernel's elements. spread: distance of the elements of x, between which zeros are taken (as a transposed
    convolution has them). Accumulation is f32. Raises ShapeError where the channels do not fit or the kernel is larger
    than what it moves over. Source: the ONNX operator Conv; the jargon of XLA's ConvGeneralDilated.
    """
    same_dtype((x, w), NUMERIC)
    if x.ndim != 4 or w.ndim != 4:
        raise ShapeError(f"x is {x}, w is {w}: need [N, C, H, W] and [O, C / groups, h, w]")
    if groups < 1 or w.shape[1] * groups != x.shape[1] or w.shape[0] % groups:
        raise ShapeError(
            f"x is {x}, w is {w}, groups is {groups}: need x.shape[1] == w.shape[1] * groups, and w.shape[0] a "
            "multiple of groups"
        )
    if min(*strides, *dilation, *spread) < 1:
        raise ShapeError(f"strides {strides}, dilation {dilation} and spread {spread} are at least 1")
    sizes = []
    for axis in range(2):
        size, taps = x.shape[2 + axis], w.shape[2 + axis]
        whole = spread_size(size, spread[axis]) + sum(padding[axis])
        reach = (taps - 1) * dilation[axis] + 1
        if taps < 1 or whole < reach:
            raise ShapeError(f"x is {x}, w is {w}: the kernel reaches over {reach} places of {whole} along axis {axis}")
        sizes.append((whole - reach) // strides[axis] + 1)
    return TensorType((x.shape[0], w.shape[0], *sizes), x.dtype)


def _conv(
    x: NDArray,
    w: NDArray,
    *,
    strides: Pair,
    padding: tuple[Pair, Pair],
    dilation: Pair,
    spread: Pair,
    groups: int,
) -> NDArray:
    if x.dtype == np.float16:
        x32, w32 = x.astype(np.float32), w.astype(np.float32)
        attrs: dict[str, Any] = {"dilation": dilation, "spread": spread, "groups": groups}
        return _conv(x32, w32, strides=strides, padding=padding, **attrs).astype(np.float16)
    types = TensorType(x.shape, f32), TensorType(w.shape, f32)
    made = infer_conv(*types, strides=strides, padding=padding, dilation=dilation, spread=spread, groups=groups)
    batch, outs, *size = made.shape
    x, taps = padded(x, padding, spread), w.shape[2:]
    x, w = x.reshape(batch, groups, w.shape[1], *x.shape[2:]), w.reshape(groups, outs // groups, w.shape[1], *taps)
    out = np.zeros((batch, groups, outs // groups, *size), x.dtype)
    if taps[0] * taps[1] <= size[0] * size[1]:  # one product for each element of the kernel
        for a, b in np.ndindex(*taps):
            rows, columns = _places(dilation, strides, size, (a, b))
            moved = x[..., rows, columns].reshape(batch, groups, x.shape[2], size[0] * size[1])
            out += np.matmul(w[..., a, b], moved).reshape(out.shape)
    else:  # one for each position
        flat = w.reshape(groups, outs // groups, w.shape[2] * taps[0] * taps[1])
        for i, j in np.ndindex(*size):
            rows, columns = _places(strides, dilation, taps, (i, j))
            seen = x[..., rows, columns].reshape(batch, groups, flat.shape[-1], 1)
            out[..., i, j] = np.matmul(flat, seen)[..., 0]
    return out.reshape(batch, outs, *size)


def padded(x: NDArray, padding: tuple[Pair, Pair], spread: Pair) -> NDArray:
    """x with zeros between its elements and around them, or without what lies outside."""
    height, width = (spread_size(n, s) for n, s in zip(x.shape[2:], spread, strict=True))
    whole = np.zeros((*x.shape[:2], height, width), x.dtype)
    whole[:, :, :: spread[0], :: spread[1]] = x
    around = [(max(low, 0), max(high, 0)) for low, high in padding]
    whole = np.pad(whole, [(0, 0), (0, 0), *around])
    rows, columns = (slice(max(-low, 0), whole.shape[2 + a] - max(-high, 0)) for a, (low, high) in enumerate(padding))
    return whole[..., rows, columns]


def _places(first: Pair, step: Pair, count: Any, at: Pair) -> tuple[slice, ...]:
    """The places at `at` times `first`, and on from there in steps."""
    return tuple(slice(at[a] * first[a], at[a] * first[a] + step[a] * (count[a] - 1) + 1, step[a]) for a in range(2))


def _conv_vjp(
    g: Any,
    out: Any,
    x: Any,
    w: Any,
    *,
    strides: Pair,
    padding: tuple[Pair, Pair],
    dilation: Pair,
    spread: Pair,
    groups: int,
) -> tuple[Any, Any]:
    """Both are convolutions: of g with the kernel turned round, and of x with g as its kernel."""
    batch, channels, outs = x.shape[0], x.shape[1], w.shape[0]
    taps, places = w.shape[2:], g.shape[2:]
    back, forth = [], []
    for axis in range(2):
        low, reach = padding[axis][0], (taps[axis] - 1) * dilation[axis]
        wide, moved = spread_size(x.shape[2 + axis], spread[axis]), (places[axis] - 1) * strides[axis]
        back.append((reach - low, wide - 1 + low - moved))
        forth.append((low, reach + moved + 1 - wide - low))
    turned = np.flip(np.reshape(w, (groups, outs // groups, channels // groups, *taps)), (3, 4))
    turned = np.reshape(np.swapaxes(turned, 1, 2), (channels, outs // groups, *taps))
    dx = apply(conv, g, turned, strides=spread, padding=tuple(back), dilation=dilation, spread=strides, groups=groups)
    # A sum over the batch, which takes the place of the channels; those of a group are a batch.
    grouped = np.reshape(x, (batch, groups, channels // groups, *x.shape[2:]))
    grouped = np.reshape(np.transpose(grouped, (2, 1, 0, 3, 4)), (channels // groups, groups * batch, *x.shape[2:]))
    dw = apply(
        conv,
        grouped,
        np.swapaxes(g, 0, 1),
        strides=dilation,
        padding=tuple(forth),
        dilation=strides,
        spread=spread,
        groups=groups,
    )
    return dx, np.swapaxes(dw, 0, 1)


def _batch_conv(batch: Batch, x: Any, w: Any, *, groups: int, **attrs: Any) -> Any:
    """One convolution: examples are a part of the batch, of the output channels, or groups of their own."""
    n = batch.size
    if not batch.mapped[1]:
        made = apply(conv, np.reshape(x, (n * x.shape[1], *x.shape[2:])), w, groups=groups, **attrs)
        return np.reshape(made, (n, x.shape[1], *made.shape[1:]))
    outs = w.shape[1]
    if not batch.mapped[0]:
        kernels = np.swapaxes(np.reshape(w, (n, groups, outs // groups, *w.shape[2:])), 0, 1)
        made = apply(conv, x, np.reshape(kernels, (outs * n, *w.shape[2:])), groups=groups, **attrs)
        made = np.reshape(made, (x.shape[0], groups, n, outs // groups, *made.shape[2:]))
        return np.reshape(np.moveaxis(made, 2, 0), (n, x.shape[0], outs, *made.shape[4:]))
    images = np.swapaxes(x, 0, 1)
    images = np.reshape(images, (x.shape[1], n * x.shape[2], *x.shape[3:]))
    made = apply(conv, images, np.reshape(w, (n * outs, *w.shape[2:])), groups=groups * n, **attrs)
    return np.swapaxes(np.reshape(made, (x.shape[1], n, outs, *made.shape[2:])), 0, 1)


def _conv_cases() -> tuple[Case, ...]:
    def attrs(stride: Any = 1, pad: Any = 0, dilation: Any = 1, spread: Any = 1, groups: int = 1) -> dict[str, Any]:
        def pair(n: Any) -> Any:
            return n if isinstance(n, tuple) else (n, n)

        padding = pad if isinstance(pad, tuple) else ((pad, pad), (pad, pad))
        return {
            "strides": pair(stride),
            "padding": padding,
            "dilation": pair(dilation),
            "spread": pair(spread),
            "groups": groups,
        }

    made = (
        ((2, 3, 5, 6), (4, 3, 3, 3), attrs(pad=1)),
        ((1, 1, 1, 1), (1, 1, 1, 1), attrs()),
        ((2, 4, 7, 5), (6, 2, 3, 2), attrs(stride=(2, 1), pad=((1, 0), (2, 1)), groups=2)),
        ((2, 3, 8, 9), (3, 1, 2, 3), attrs(dilation=(2, 3), groups=3)),
        ((1, 2, 4, 3), (3, 2, 3, 3), attrs(spread=(2, 3), pad=2)),
        ((1, 2, 9, 8), (5, 2, 3, 2), attrs(stride=3, pad=((-1, 2), (1, -2)))),
        ((3, 2, 6, 4), (2, 2, 6, 4), attrs()),
        ((2, 0, 3, 3), (2, 0, 2, 2), attrs()),
        ((0, 2, 3, 3), (2, 2, 2, 2), attrs(pad=1)),
    )
    found = [Case((sample(*x), sample(*w, seed=1)), a, rtol=1e-5, atol=1e-5) for x, w, a in made]
    found.append(Case((integers(2, 3, 5, 4), integers(4, 3, 3, 2, seed=1)), attrs(pad=1)))
    return tuple(found)


conv: Final[Op] = Op(
    "conv",
    infer_conv,
    _conv,
    _conv_vjp,
    Custom("conv"),
    frozenset({"contraction"}),
    _conv_cases,
    "convolution (a correlation, as in every library) of x [N, C, H, W] with w [O, C / groups, h, w]",
    batch=_batch_conv,
)
