"""Calls of NumPy as people write them: which trace, which have a gradient, and what the others are told.

One list for the page docs/numpy.md and for its tests. `python -m pytest tests/tracing/test_numpy_calls.py
--rewrite-golden` writes the page anew.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import graphc

RNG = np.random.default_rng(5)
A = RNG.normal(size=(4, 4)).astype(np.float32)
NAMES: dict[str, Any] = {
    "x": RNG.normal(size=(4, 5)).astype(np.float32),
    "p": (np.abs(RNG.normal(size=(4, 5))) + 0.1).astype(np.float32),
    "v": RNG.normal(size=7).astype(np.float32),
    "w": RNG.normal(size=7).astype(np.float32),
    "a": A,
    "s": (A @ A.T + 4 * np.eye(4)).astype(np.float32),
    "i": RNG.integers(0, 5, size=(4, 5)).astype(np.int32),
    "n": RNG.integers(0, 7, size=9).astype(np.int32),
    "b": RNG.normal(size=(4, 5)) > 0,
    "k": np.int32(2),
}
"""What is traced: x, p (positive), v, w, a (square) and s (and definite) are floats, i, n and k integers, b is bool."""

SECTIONS: dict[str, str] = {
    "Elements": """
        np.abs(x); np.fabs(x); np.sign(x); np.negative(x); np.positive(x); np.square(x); np.sqrt(p); np.cbrt(x)
        np.reciprocal(p); np.exp(x); np.exp2(x); np.expm1(x); np.log(p); np.log2(p); np.log10(p); np.log1p(p)
        np.sin(x); np.cos(x); np.tan(x); np.arcsin(np.tanh(x)); np.arccos(np.tanh(x)); np.arctan(x); np.sinh(x)
        np.cosh(x); np.tanh(x); np.arcsinh(x); np.arccosh(p + 1); np.arctanh(np.tanh(x)); np.deg2rad(x)
        np.rad2deg(x); np.sinc(x); np.floor(x); np.ceil(x); np.rint(x); np.trunc(x); np.fix(x); np.round(x, 1)
        round(v[0]); np.modf(x); np.nan_to_num(x); np.isnan(x); np.isinf(x); np.isfinite(x); np.signbit(x)
        np.isposinf(x); np.isneginf(x)
        np.logical_not(b); np.invert(i); np.real(x); np.conjugate(x); np.clip(x, -0.5, 0.5); np.frexp(x)
        np.spacing(x); np.i0(x)
        """,
    "Elements of two arrays": """
        v + w; v - w; v * w; v / w; x // 0.3; x % 0.3; p**1.7; x**3; p**-1; np.fmod(x, 0.3); np.divmod(x, 0.3)
        np.power(p, 1.3); np.float_power(p, 2); np.hypot(v, w); np.arctan2(v, w); np.copysign(v, w)
        np.logaddexp(v, w); np.logaddexp2(v, w); np.maximum(v, w); np.minimum(v, w); np.fmax(v, w); np.fmin(v, w)
        np.heaviside(x, 0.5); np.ldexp(x, i); np.gcd(i, 4); np.lcm(i, 4); i & 3; i | 3; i ^ 3; i << 2; i >> 1
        b ^ True; v < w; v == w; np.logical_and(b, x > 1); np.isclose(v, w); np.allclose(v, v); np.array_equal(v, w)
        np.nextafter(v, w)
        """,
    "Reductions": """
        np.sum(x); np.sum(x, where=b); np.prod(x, axis=0); np.mean(x, axis=1); np.mean(x, where=b); np.var(x)
        np.std(x, axis=0, ddof=1); np.max(x); np.min(x, axis=1, initial=0); np.ptp(x); np.argmax(x, 1); np.argmin(x)
        np.any(b, axis=0); np.all(b); np.count_nonzero(b); np.average(x, axis=1, weights=np.arange(5.0))
        np.nansum(x); np.nanmean(x, axis=0); np.nanmax(x); np.nanmin(x); np.nanprod(x); np.nanvar(x); np.nanstd(x)
        np.nanargmax(x); np.nanargmin(x); np.nanmedian(x); np.nanquantile(x, 0.3); np.nancumsum(x); np.nancumprod(x)
        np.add.reduce(x, axis=0); np.logaddexp.reduce(x, axis=1); np.bitwise_or.reduce(i); np.trapezoid(v)
        """,
    "Along an axis": """
        np.cumsum(x, axis=1); np.cumprod(x, axis=1); np.add.accumulate(v); np.maximum.accumulate(v)
        np.logaddexp.accumulate(v); np.diff(v); np.ediff1d(v); np.gradient(v); np.unwrap(v); np.convolve(v, w[:3])
        np.correlate(v, w[:3]); np.interp(v, np.arange(4.0), np.arange(4.0) ** 2); np.cov(x); np.corrcoef(x)
        np.apply_along_axis(np.sum, 1, x); np.apply_over_axes(np.sum, x, [0]); np.cross(x[:, :3], x[:, 1:4])
        np.polyval([1, 2, 3.0], v); np.vander(v, 3); np.lib.stride_tricks.sliding_window_view(v, 3)
        np.subtract.accumulate(v)
        """,
    "Order and counts": """
        np.sort(x, axis=-1); np.argsort(x, axis=-1); np.partition(x, 2)[..., 2]; np.lexsort((v, w))
        np.median(x, axis=0); np.percentile(x, 30); np.quantile(x, 0.3); np.searchsorted(np.arange(3.0), v)
        np.digitize(v, np.arange(-1, 2.0)); np.histogram(v, bins=4, range=(-2, 2))[0]; np.bincount(n, minlength=7)
        graphc.unique(i, 5); graphc.top_k(x, 2); np.unique(i); np.isin(i, [1, 3])
        """,
    "Products": """
        a @ a; np.dot(v, w); np.vdot(v, w); np.inner(v, w); np.outer(v, w); np.tensordot(a, a, 1); np.kron(a, a)
        np.einsum("ij,jk,kl->il", a, a, a); np.einsum("ii->i", a); np.matvec(a, a[0]); np.vecdot(a, a)
        np.multiply.outer(v, w); np.linalg.norm(x); np.linalg.norm(x, axis=-1, keepdims=True)
        np.linalg.multi_dot([a, a, a]); np.linalg.matrix_power(a, 3); np.trace(a); np.linalg.inv(s)
        np.linalg.solve(s, a); np.linalg.det(s); np.linalg.slogdet(s)[1]; np.linalg.cholesky(s); np.linalg.qr(s)[1]
        np.linalg.svd(s)[1]; np.linalg.eigh(s)[0]; np.linalg.eigvalsh(s); np.linalg.svdvals(x); np.linalg.pinv(x)
        np.linalg.lstsq(x, a)[0]; np.linalg.matrix_rank(x); np.linalg.cond(s); np.linalg.norm(x, 2)
        np.linalg.norm(x, "nuc"); np.linalg.matrix_power(s, -2); np.linalg.tensorinv(s, 1)
        np.polyfit(np.arange(7.0), v, 1); graphc.solve_triangular(s, a); np.linalg.eigvals(s)
        """,
    "Shapes": """
        np.reshape(x, (5, 4)); np.transpose(x); np.ravel(x); x.flatten(); x.T; a.mT; np.moveaxis(x, 0, 1)
        np.swapaxes(x, 0, 1); np.rollaxis(x, 1); np.expand_dims(v, (0, 2)); np.squeeze(v[None]); np.atleast_2d(v)
        np.broadcast_to(v, (3, 7)); np.broadcast_arrays(v, np.zeros((2, 7))); np.flip(x, 1); np.fliplr(x)
        np.rot90(x); np.roll(x, (1, 2), axis=(0, 1)); np.repeat(x, 3, axis=1); np.tile(x, (2, 3)); np.split(x, 2)
        np.hsplit(a, 2); np.array_split(v, 3); np.unstack(a); np.stack([x, x], 1); np.vstack([x, x])
        np.hstack([x, x]); np.dstack([x, x]); np.column_stack([v, v]); np.concatenate([x, x], -1)
        np.block([[a, a], [a, a]]); np.append(v, v); np.insert(v, 2, 1.0); np.delete(v, 2); np.pad(x, 1)
        np.pad(x, 2, mode="reflect"); np.resize(v, 9)
        """,
    "Building": """
        np.array([v[0], v[1] * 2]); np.asarray(v) * 2; np.zeros_like(x) + x; np.ones_like(x) + x
        np.full_like(x, 2) + x; np.linspace(v[0], v[1], 5); np.meshgrid(v, w); np.diag(v); np.diag(a)
        np.diagonal(a); np.tril(a); np.triu(a); x + np.eye(4, 5); x.astype(np.int32); x.copy(); np.copy(x)
        np.geomspace(p[0, 0], 9.0, 4); np.vectorize(abs)(x); math.exp(v[0]); math.atan2(v[0], v[1])
        """,
    "Choosing and indexing": """
        np.where(x > 0, x, 0); np.select([x > 1, x > 0], [x, x * 2], 0); np.piecewise(x, [x < 0, x >= 0], [-1, 1])
        np.choose(i, [x, x * 2, x, x, x]); np.take(x, [0, 2], axis=1); np.take_along_axis(x, i, axis=1)
        np.compress([True, False, True], x, axis=0); np.extract(np.eye(4, 5) > 0, x); x[..., 0]; x[:, None]; x[::-1]
        v[5:1:-2]; x[np.ix_([0, 1], [2, 3])]; a[np.triu_indices(4)]; v[k]; v[k : k + 2]; x[np.arange(4), i[:, 0]]
        x[:, np.array([True, False, True, False, True])]; graphc.at(v)[n[:3]].set(1); graphc.at(v)[n].add(1.0)
        graphc.at(v)[n].max(0.5); graphc.at(x)[x > 0].set(0); graphc.segment_sum(v, n[:7], 7)
        graphc.put_along_axis(x, i, 0.0, 1); np.add.at(v, n, 1.0); np.put_along_axis(x, i, 0.0, 1); np.nonzero(x)
        np.argwhere(x); np.where(x > 0); x[x > 0]
        """,
    "Python": """
        x * len(x); sum(v); abs(v); [row * 2 for row in x]; float(v[0]); x if x.sum() > 0 else -x; max(v[0], v[1])
        """,
    "Complex numbers": """
        np.abs(v * 1j); np.angle(v + 1j * w); np.real(np.exp(1j * v)); np.abs(np.fft.fft(v)); np.fft.fft(x).imag
        np.abs(np.fft.rfft(v)); np.fft.irfft(np.fft.rfft(v), 7); np.real(np.fft.ifft(np.fft.fft(v) * np.fft.fft(w)))
        np.fft.fft2(x).imag; np.fft.irfftn(np.fft.rfftn(x) * 2, (4, 5), (0, 1)); np.fft.hfft(v); np.fft.ihfft(v).imag
        np.fft.fftshift(x); np.angle(v); v * 1j
        """,
}


@dataclass(frozen=True)
class Call:
    """A call as it is written, as a function of what it traces."""

    text: str
    section: str

    @property
    def names(self) -> list[str]:
        """The names of its arguments, in order of their first place."""
        words = re.findall(r"(?<![\w.\"'])([a-z])(?![\w\"'(=])", self.text)
        return [name for name in dict.fromkeys(words) if name in NAMES]

    @property
    def function(self) -> Callable[..., Any]:
        """The function."""
        made: Callable[..., Any] = eval(
            f"lambda {', '.join(self.names)}: {self.text}", {"np": np, "math": math, "graphc": graphc}
        )
        return made

    @property
    def arguments(self) -> list[Any]:
        """Its arguments."""
        return [NAMES[name] for name in self.names]


CALLS = [
    Call(text.strip(), section)
    for section, lines in SECTIONS.items()
    for line in lines.strip().splitlines()
    for text in line.split("; ")
]


def refusal(call: Call) -> str:
    """Why a call does not trace; nothing where it does."""
    try:
        graphc.trace(call.function, *call.arguments)
    except graphc.GraphcError as error:
        return str(error).split("\n", maxsplit=1)[0]
    return ""


def differentiable(call: Call) -> bool:
    """Whether a gradient of its results reaches an argument."""
    places = [k for k, x in enumerate(call.arguments) if x.dtype.kind == "f"]

    def total(*args: Any) -> Any:
        floats = [leaf for leaf in graphc.tree.leaves(call.function(*args)) if leaf.dtype.kind == "f"]
        return sum((np.sum(leaf * np.float32(1.5)) for leaf in floats), start=np.float32(0) * np.sum(args[places[0]]))

    if not places:
        return False
    found = graphc.compile(graphc.grad(total, argnums=tuple(places)), device="numpy")(*call.arguments)
    return any(np.any(np.asarray(g)) for g in graphc.tree.leaves(found))


_INTRODUCTION = """{traced} of these {count} calls trace, and give NumPy's results on every device, fused and not; the
rest raise an error that says what to write. `x`, `p`, `v`, `w`, `a` and `s` are traced arrays of floats, `i`, `n` and
`k` of integers, `b` of truth. A tick stands for a gradient that reaches an argument; where there is none, the results
are integers, or do not change with small changes. The list is `tests/support/numpy_calls.py`; tests run each call."""


@functools.cache
def page() -> str:
    """docs/numpy.md."""
    refused = {call.text: refusal(call) for call in CALLS}
    traced = sum(not why for why in refused.values())
    lines = [
        "# NumPy functions that trace",
        "",
        _INTRODUCTION.format(traced=traced, count=len(CALLS)),
    ]
    for section in SECTIONS:
        lines += ["", f"## {section}", "", "| call | gradient | or else |", "| --- | --- | --- |"]
        for call in (c for c in CALLS if c.section == section):
            why = re.sub(r"^[\w.\[\] ]+: (np\.[\w.]+ cannot be traced: )?", "", refused[call.text])
            text = call.text.replace("|", "\\|")
            mark = "refused" if refused[call.text] else "✓" if differentiable(call) else ""
            lines.append(f"| `{text}` | {mark} | {why.replace('|', chr(92) + '|')} |")
    return "\n".join(lines) + "\n"
