"""Sums of products that share a factor, on the adapter of this process: NumPy's results, infinities among them.

`python -m tests.support.special_sums`

A compiler that takes floats for real numbers makes x * a + x * b to x * (a + b), which is infinite for NaN where x is,
x * 1e-20 + y * 1e-20 to (x + y) * 1e-20, which overflows, and (x + 1) + (y + 1) to (x + y) + 2. Here the elements of
sums, means and products, and the terms of matrix products, convolutions and attention have something in common with
their neighbours: a factor that is one along the axis, a number, an element that stands in both. Prints one JSON object:
the adapter, how many results were compared, and those that differ from NumPy's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np

import graphc
from graphc import nn

Array = Any
Function = Callable[..., Array]

SPECIAL: Final = np.array([1, -1, 2, -2, 0.5, 3, np.inf, -np.inf, 0, 1, 1, 2, -1], np.float32)
HUGE: Final = np.array([3e38, 2e38, 1e30], np.float32)
WHOLE: Final = np.array([2.0**27, -(2.0**27)], np.float32)
"""Numbers that 1 is lost in: their sums are exact, with 1 added to each or not."""

TINY: Final = np.float32(1e-20)

ELEMENTS: Final[dict[str, tuple[Array, Function]]] = {
    "x * w": (SPECIAL, lambda x, w, axis: x * w),
    "w * x": (SPECIAL, lambda x, w, axis: w * x),
    "-(x * w)": (SPECIAL, lambda x, w, axis: -(x * w)),
    "x * .5 * w": (SPECIAL, lambda x, w, axis: x * np.float32(0.5) * w),
    "x * w * .5": (SPECIAL, lambda x, w, axis: x * w * np.float32(0.5)),
    "x * x * w": (SPECIAL, lambda x, w, axis: x * x * w),
    "x * (w + 1)": (SPECIAL, lambda x, w, axis: x * (w + 1)),
    "x * exp(w)": (SPECIAL, lambda x, w, axis: x * np.exp(w)),
    "w / x": (SPECIAL, lambda x, w, axis: w / x),
    "x / w": (SPECIAL, lambda x, w, axis: x / w),
    "w - x": (SPECIAL, lambda x, w, axis: w - x),
    "x * w - x": (SPECIAL, lambda x, w, axis: x * w - x),
    "x * w, chosen": (SPECIAL, lambda x, w, axis: np.where(w > 0, x * w, x * w * 2)),
    "neighbours": (SPECIAL, lambda x, w, axis: w * np.roll(w, 1, axis=axis)),
    "opposites": (SPECIAL, lambda x, w, axis: w * np.flip(w, axis=axis)),
    "differences": (SPECIAL, lambda x, w, axis: w - np.roll(w, 1, axis=axis)),
    "twice": (SPECIAL, lambda x, w, axis: np.repeat(w, 2, axis=axis) * np.concatenate([w, w + 1], axis=axis)),
    "w * 1e-20": (HUGE, lambda x, w, axis: w * TINY),
    "w / 1e20": (HUGE, lambda x, w, axis: w / np.float32(1e20)),
    "w + 1": (WHOLE, lambda x, w, axis: w + 1),
    "w - 1": (WHOLE, lambda x, w, axis: w - 1),
}
"""What is summed, of x, which is one along the axis, and w; and the values of both."""

LENGTHS: Final = (2, 3, 5, 8, 33)
OTHERS: Final = (1, 3, 8)


def agree(got: Array, terms: Array, axes: int | tuple[int, ...], exact: bool = False) -> Array:
    """Where a result is the sum of terms, which float64 holds without rounding: to 1e-5 of their sizes."""
    want, size = np.sum(terms, axis=axes, dtype=np.float64), np.sum(np.abs(terms), axis=axes, dtype=np.float64)
    near = np.abs(got - want) <= (0 if exact else 1e-5) * size
    return np.where(np.isnan(want), np.isnan(got), (got == want) | (np.isfinite(want) & near))


def reductions(rng: np.random.Generator) -> Iterator[tuple[str, Array]]:
    """Sums along rows and columns: a name, and where the results are right."""
    for axis in (1, 0):
        for length in LENGTHS:
            for others in OTHERS:
                shape = (others, length) if axis else (length, others)
                small = tuple(1 if a == axis else n for a, n in enumerate(shape))
                arrays = {
                    name: (rng.choice(values, small), rng.choice(values, shape))
                    for name, (values, _) in ELEMENTS.items()
                }

                def sums(arrays: dict[str, Any], axis: int = axis) -> dict[str, Array]:
                    return {name: np.sum(ELEMENTS[name][1](*pair, axis), axis=axis) for name, pair in arrays.items()}

                for passes in (None, ()) if others == 3 else (None,):
                    options: dict[str, Any] = {} if passes is None else {"passes": passes}
                    found = graphc.compile(sums, **options)(arrays)
                    for name, pair in arrays.items():
                        terms = ELEMENTS[name][1](*pair, axis)
                        right = agree(np.asarray(found[name]), terms, axis, exact=name in ("w + 1", "w - 1"))
                        yield f"sum of {name} over {length} along axis {axis}, {others} of them, {passes}", right
                # One at a time: a kernel that computes many shares what they read, and does not write out as much.
                name = ("x * w", "w * 1e-20", "neighbours")[(length + others) % 3]
                one = {name: arrays[name]}
                found = graphc.compile(sums)(one)
                right = agree(np.asarray(found[name]), ELEMENTS[name][1](*one[name], axis), axis)
                yield f"sum of {name} alone over {length} along axis {axis}, {others} of them", right
                factors = rng.choice(SPECIAL[:6], shape)
                got = np.asarray(graphc.compile(lambda w, axis=axis: np.prod(w * np.float32(1e15), axis=axis))(factors))
                if length <= 3:
                    scaled = np.prod((factors * np.float32(1e15)).astype(np.float64), axis=axis)
                    with np.errstate(over="ignore"):
                        want = scaled.astype(np.float32)
                    yield f"product of w * 1e15 over {length}", (got == want) | (np.abs(got / want - 1) < 1e-5)


def products(rng: np.random.Generator) -> Iterator[tuple[str, Array]]:
    """Matrix products."""
    for length in (2, 3, 5, 8):
        for rows, columns in ((1, 5), (3, 16), (8, 4), (33, 32)):
            left, right = (rows, length), (length, columns)
            cases: dict[str, tuple[Function, Array, Array]] = {
                "a row of ones": (lambda a, b: (a, b), (rows, 1), right),
                "a column of ones": (lambda a, b: (a, b), left, (1, columns)),
                "a row of ones, scaled": (lambda a, b: (a * np.float32(0.5), b + 1), (rows, 1), right),
            }
            for name, (change, of_a, of_b) in cases.items():
                a, b = rng.choice(SPECIAL, of_a), rng.choice(SPECIAL, of_b)

                def product(a: Array, b: Array, change: Function = change, shapes: Any = (left, right)) -> Array:
                    a, b = change(a, b)
                    return np.broadcast_to(a, shapes[0]) @ np.broadcast_to(b, shapes[1])

                x, y = change(a, b)
                terms = np.broadcast_to(x, left)[:, :, None] * np.broadcast_to(y, right)[None]
                got = np.asarray(graphc.compile(product)(a, b))
                yield f"product, {name}: {rows} x {length} x {columns}", agree(got, terms, 1)
            huge = rng.choice(HUGE, left)
            got = np.asarray(graphc.compile(lambda a, b: (a * TINY) @ b)(huge, np.ones(right, np.float32)))
            terms = np.broadcast_to((huge * TINY)[:, :, None], (rows, length, columns))
            yield f"product of huge numbers: {rows} x {length} x {columns}", agree(got, terms, 1)


def convolutions(rng: np.random.Generator) -> Iterator[tuple[str, Array]]:
    """Convolutions whose kernel is one number a channel, or whose image is."""
    for batch, ins, size, outs, taps in (
        (1, 1, 5, 1, (2, 2)),
        (2, 1, 8, 2, (1, 2)),
        (1, 2, 9, 8, (2, 1)),
        (1, 3, 7, 4, (3, 3)),
    ):
        shapes = (batch, ins, size, size), (outs, ins, *taps)
        for name, of_x, of_w in (
            ("kernel", shapes[0], (outs, 1, 1, 1)),
            ("image", (batch, 1, 1, 1), shapes[1]),
        ):
            x, w = rng.choice(SPECIAL, of_x), rng.choice(SPECIAL, of_w)

            def conv(x: Array, w: Array, shapes: Any = shapes) -> Array:
                return nn.conv(np.broadcast_to(x, shapes[0]), np.broadcast_to(w, shapes[1]))

            whole, kernel = np.broadcast_to(x, shapes[0]), np.broadcast_to(w, shapes[1])
            windows = np.lib.stride_tricks.sliding_window_view(whole, taps, axis=(2, 3))
            terms = windows[:, None] * kernel[None, :, :, None, None]
            got = np.asarray(graphc.compile(conv)(x, w))
            yield f"convolution of one {name}, {taps}", agree(got, terms, (2, 5, 6))


def attention(q: Array, k: Array, v: Array) -> Array:
    """Attention as NumPy writes it."""
    scores = q @ np.swapaxes(k, -1, -2) * np.float32(0.5)
    weights = np.exp(scores - np.max(scores, axis=-1, keepdims=True))
    return weights / np.sum(weights, axis=-1, keepdims=True) @ v


def attentions(rng: np.random.Generator) -> Iterator[tuple[str, Array]]:
    """Attention with infinite values, with values that are one for all keys, and keys that are one number each."""
    for length in (1, 2, 3, 5, 8):
        for width in (2, 4, 8):
            shape = (3, length, width)
            for name, of_k, of_v in (
                ("infinite values", shape, shape),
                ("one value", shape, (3, 1, width)),
                ("keys of one number", (3, length, 1), shape),
            ):
                q = rng.choice(np.array([1, -1, 2, 0.5], np.float32), shape)
                k = rng.choice(SPECIAL if of_k != shape else SPECIAL[:6], of_k)
                v = rng.choice(SPECIAL if of_k == shape else SPECIAL[:6], of_v)

                def heads(q: Array, k: Array, v: Array, shape: Any = shape) -> Array:
                    return attention(q, np.broadcast_to(k, shape), np.broadcast_to(v, shape))

                want, got = heads(q, k, v), np.asarray(graphc.compile(heads)(q, k, v))
                right = (got == want) | (np.isnan(got) & np.isnan(want)) | (np.abs(got - want) <= 1e-4)
                yield f"attention, {name}: {length} of {width}", right


def main() -> None:
    """Print the report."""
    compared, wrong = 0, []
    rng = np.random.default_rng(0)
    with np.errstate(all="ignore"):
        for part in (reductions, products, convolutions, attentions):
            for name, right in part(rng):
                compared += right.size
                if not right.all():
                    wrong.append(f"{name}: {right.size - np.count_nonzero(right)} of {right.size}")
    print(json.dumps({"adapter": str(graphc.device("wgpu")), "compared": compared, "wrong": wrong}))


if __name__ == "__main__":
    main()
