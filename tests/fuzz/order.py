"""Statements of the order of elements, updates at places, windows, loops that end by themselves, decompositions."""

from __future__ import annotations

from typing import Final

from tests.fuzz.grow import Grower, Rejected, Slot, kind
from tests.fuzz.moves import ids_of


def _rows(g: Grower, most: int = 70) -> Slot:
    """An array of floats with some elements along its last axis."""
    return g.floats(lambda s: s.rank > 0 and 0 < s.shape[-1] <= most and s.size > 0)


@kind("sort", 3)
def sort(g: Grower) -> None:
    a = g.choose(lambda s: s.rank > 0 and s.size > 0 and not s.boolean)
    axis = g.axis(a)
    n = a.shape[axis]
    k = 1 + g.source.below(min(n, 4))
    texts = [f"np.sort({a}, axis={axis})", f"np.argsort({a}, axis={axis}, stable=True)"]
    texts += [f"graphc.top_k({a}, {k}, {axis})[0]", f"np.sort({a}, axis={axis})[..., ::-1]"]
    texts.append(f"np.take_along_axis({a}, np.argsort({a}, axis={axis}, stable=True), {axis})")
    g.add(g.source.pick(texts))


@kind("top k", 1)
def top_k(g: Grower) -> None:
    a = _rows(g)
    g.add(f"graphc.top_k({a}, {1 + g.source.below(min(a.shape[-1], 5))})", 2)


@kind("quantile", 2)
def quantile(g: Grower) -> None:
    a = g.floats(lambda s: s.rank > 0 and 0 < s.size <= 400)
    axis = g.axis(a)
    q = g.source.pick(("0.5", "0.3", "[0.1, 0.9]"))
    texts = (
        f"np.median({a}, axis={axis})",
        # Beside infinities graphc gives the limit, NumPy NaN (tests/tracing/test_everyday.py).
        f"np.quantile(np.clip({a}, -9, 9), {q}, axis={axis})",
        f"np.quantile({a}, 0.4, axis={axis}, method='lower')",
        f"np.nanmedian({a})",
    )
    g.add(g.source.pick(texts))


@kind("search", 2)
def search(g: Grower) -> None:
    a, b = _rows(g), g.floats(lambda s: s.size > 0)
    if a.dtype != b.dtype:
        raise Rejected
    texts = (
        f"np.searchsorted(np.sort({a}.ravel()), {b})",
        f"np.digitize({b}, np.arange(-2.0, 3))",
        f"np.histogram({b}, bins=5, range=(-2, 3))[0]",
        f"np.interp({b}, np.arange(5.0), np.arange(5.0) ** 2)",
    )
    g.add(g.source.pick(texts))


@kind("running", 3)
def running(g: Grower) -> None:
    a = _rows(g)
    axis = g.axis(a)
    texts = (
        f"np.maximum.accumulate({a}, axis={axis})",
        f"np.cumprod(np.tanh({a}), axis={axis})",
        f"np.minimum.accumulate({a}, axis={axis})",
        f"np.logaddexp.accumulate({a}, axis={axis})",
        f"np.logaddexp.reduce({a}, axis={axis})",
    )
    g.add(g.source.pick(texts))


HOW: Final = ("add", "set", "max", "min", "multiply")


@kind("update", 4)
def update(g: Grower) -> None:
    """Elements or rows of an array, at places that are computed or known."""
    a = g.floats(lambda s: s.rank > 0 and s.size > 0)
    row = a.size // a.shape[0]
    how = g.source.pick(HOW)
    if g.source.below(2):
        step = 1 + g.source.below(3)
        g.add(f"graphc.at({a})[..., ::{step}].{how}({g.number()})")
        return
    ids, found = ids_of(g, a.shape[0], row)
    # What is written twice is written in the order of its places, which NumPy does too.
    shape = (*found.shape, *a.shape[1:])
    values = [s.name for s in g.slots if s.floating and s.dtype == a.dtype and s.shape == shape]
    g.add(f"graphc.at({a})[{ids}].{how}({g.source.pick([g.number(), *values])})")


@kind("segment", 2)
def segment(g: Grower) -> None:
    a = g.floats(lambda s: s.rank > 0 and s.size > 0)
    count = g.source.pick((3, 1, 5))
    ids, _ = ids_of(g, count, 1, lambda s: s.shape == a.shape[:1])
    name = g.source.pick(("segment_sum", "segment_mean"))
    g.add(f"graphc.{name}({a}, {ids} % {count}, {count})")


@kind("windows", 2)
def windows(g: Grower) -> None:
    a = g.floats(lambda s: s.rank > 0 and s.shape[-1] >= 3 and s.size > 0)
    size = g.source.pick((2, 3, 1))
    texts = [
        f"np.sum(np.lib.stride_tricks.sliding_window_view({a}, {size}, axis=-1), axis=-1)",
        f"np.lib.stride_tricks.sliding_window_view({a}, {size}, axis=-1)[..., 0]",
    ]
    if a.rank == 1:
        texts += [f"np.convolve({a}, {a}[:{size}])", f"np.correlate({a}, {a}[:{size}], 'same')", f"np.gradient({a})"]
    g.add(g.source.pick(texts))


@kind("convolution", 2)
def convolution(g: Grower) -> None:
    """Over an array whose last axes are channels and space."""
    a = g.floats(lambda s: s.rank in (3, 4) and min(s.shape[2:]) >= 3 and s.size > 0 and s.dtype == "float32")
    kernel = (2, a.shape[1], *(3,) * (a.rank - 2))
    count = 2 * a.shape[1] * 3 ** (a.rank - 2)
    w = f"np.sin(np.arange({count}, dtype=f32)).reshape({kernel})"
    texts = (
        f"nn.conv({a}, {w})",
        f"nn.conv({a}, {w}, stride=2, padding=1)",
        f"nn.relu(nn.conv({a}, {w}, padding='same'))",
        f"nn.conv_transpose({a}, np.swapaxes({w}, 0, 1), stride=2)",
        f"nn.max_pool({a}, 2)",
        f"nn.avg_pool({a}, 3, 1, padding=1)",
    )
    g.add(g.source.pick(texts))


@kind("fourier", 1)
def fourier(g: Grower) -> None:
    a = g.floats(lambda s: s.rank > 0 and 0 < s.shape[-1] <= 40 and s.size > 0 and s.dtype == "float32")
    finite = f"np.nan_to_num(np.tanh({a}))"  # which sums an infinity or NaN reaches is up to the algorithm
    texts = (
        f"np.real(np.fft.fft({finite}))",
        f"np.imag(np.fft.rfft({finite}))",
        f"np.fft.irfft(np.fft.rfft({finite}) * 2, {a.shape[-1]})",
        f"np.real(np.fft.fftn({finite}))",
    )
    g.add(g.source.pick(texts))


@kind("branch", 2)
def branch(g: Grower) -> None:
    a = g.floats(lambda s: s.size > 0)
    b = g.like(a)
    texts = (
        f"graphc.cond(np.sum({b}) > 0.3, lambda t: t * 2, lambda t: np.tanh(t), {a})",
        f"graphc.switch(np.argmax({b}) % 3, [lambda t: t, lambda t: t * 0.5 + 1, np.sin], {a})",
    )
    g.add(g.source.pick(texts))


@kind("bounded loop", 2)
def bounded_loop(g: Grower) -> None:
    a = g.floats(lambda s: s.size > 0 and s.dtype == "float32")
    b = g.like(a)
    texts = (
        f"graphc.fori_loop(0, {g.source.pick((3, 1, 5))}, lambda i, t: t * 0.5 + {b}, {a})",
        f"graphc.while_loop(lambda t: np.sum(t) < 9.3, lambda t: t * 0.5 + np.abs({b}), {a}, max_steps=4)",
    )
    g.add(g.source.pick(texts))


@kind("decomposition", 2)
def decomposition(g: Grower) -> None:
    """Of matrices whose results are far from every jump."""
    a = g.floats(lambda s: s.rank >= 2 and 0 < s.shape[-1] <= 9 and s.shape[-2] > 0 and 0 < s.size <= 300)
    if a.dtype != "float32":
        raise Rejected
    n = a.shape[-1]
    sound = f"(np.tanh({a}).mT @ np.tanh({a}) + 2 * np.eye({n}, dtype=f32))"
    texts = (
        f"np.linalg.solve({sound}, {a}.mT)",
        f"np.linalg.cholesky({sound})",
        f"np.linalg.inv({sound})",
        f"np.linalg.slogdet({sound})[1]",
        f"graphc.solve_triangular({sound}, {a}.mT, lower=True)",
        f"np.linalg.eigvalsh({sound})",
    )
    g.add(g.source.pick(texts))
