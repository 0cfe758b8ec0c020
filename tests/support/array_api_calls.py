"""The functions of the array API standard 2024.12, in calls of each; what is missing, and why.

One list for the page docs/array_api.md and for its tests. `python -m pytest tests/tracing/test_array_api.py
--rewrite-golden` writes the page anew.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import graphc
from graphc import array_api
from graphc.ir.types import ALL_DTYPES, dtype_of
from graphc.tracing.functions import TABLE

RNG = np.random.default_rng(6)
A = RNG.normal(size=(3, 3)).astype(np.float32)
NAMES: dict[str, Any] = {
    "x": RNG.normal(size=(3, 4)).astype(np.float32),
    "y": RNG.normal(size=(3, 4)).astype(np.float32),
    "p": (np.abs(RNG.normal(size=(3, 4))) + 0.2).astype(np.float32),
    "q": RNG.uniform(-0.9, 0.9, size=(3, 4)).astype(np.float32),
    "v": RNG.normal(size=5).astype(np.float32),
    "w": RNG.normal(size=5).astype(np.float32),
    "a": A,
    "s": (A @ A.T + 3 * np.eye(3)).astype(np.float32),
    "i": RNG.integers(0, 4, size=(3, 4)).astype(np.int32),
    "j": RNG.integers(1, 4, size=(3, 4)).astype(np.int32),
    "n": np.array([2, 0, 2, 1], np.int32),
    "b": RNG.normal(size=(3, 4)) > 0,
    "c": RNG.normal(size=(3, 4)) > 0,
}
"""x, y, p (positive), q (below 1), v, w, a (square), s (definite) are float32, i, j, n int32, b and c bool."""

CALLS: dict[str, str] = {
    "elements": """
        abs(x); abs(i); acos(q); acosh(p + 1); add(x, y); add(i, j); add(x, 2); asin(q); asinh(x); atan(x)
        atan2(x, y); atanh(q); bitwise_and(i, j); bitwise_and(b, c); bitwise_left_shift(i, j); bitwise_invert(i)
        bitwise_invert(b); bitwise_or(i, j); bitwise_right_shift(i, j); bitwise_xor(i, j); ceil(x); ceil(i)
        clip(x, -0.5, 0.5); clip(x, min=0.1); clip(i, max=2); clip(x); conj(x); copysign(x, y); cos(x); cosh(x)
        divide(x, y); equal(i, j); equal(b, c); exp(x); expm1(x); floor(x); floor(i); floor_divide(x, y)
        floor_divide(i, j); greater(x, y); greater(x, 0.5); greater_equal(i, j); hypot(x, y); isfinite(x); isinf(x)
        isnan(x / 0); less(x, y); less_equal(i, j); log(p); log1p(p); log2(p); log10(p); logaddexp(x, y)
        logical_and(b, c); logical_not(b); logical_or(b, c); logical_xor(b, c); maximum(x, y); maximum(i, j)
        minimum(x, y); multiply(x, y); multiply(i, j); negative(x); negative(i); nextafter(x, y); not_equal(x, y)
        positive(x); pow(p, y); pow(i, j); pow(x, 2); real(x); reciprocal(p); remainder(x, p); remainder(i, j)
        round(x); round(i); sign(x); sign(i); signbit(x); sin(x); sinh(x); square(x); square(i); sqrt(p)
        subtract(x, y); subtract(i, j); tan(x); tanh(x); trunc(x); trunc(i)
        """,
    "making": """
        arange(5); arange(1, 7, 2); arange(0.0, 1, 0.25); asarray([1, 2, 3]); asarray([[1.5, 2], [3, 4]])
        asarray(x, copy=True); asarray(True); empty((2, 0)); empty_like(x[:0, :]); eye(3); eye(2, 4, k=1)
        from_dlpack(x); full((2, 3), 7); full((2,), 0.5); full_like(x, 3); linspace(0, 1, 5)
        linspace(0, 1, 4, endpoint=False); meshgrid(v, w); meshgrid(v, w, indexing="ij"); ones((2, 3)); ones_like(i)
        tril(a); tril(x, k=1); triu(a); triu(x, k=-1); zeros((2, 3)); zeros(4, dtype=xp.int32); zeros_like(b)
        """,
    "types": """
        astype(x, xp.int32); astype(i, xp.float32); astype(b, xp.float32); can_cast(x, xp.float64)
        can_cast(xp.int32, xp.int64); finfo(xp.float32).max; iinfo(xp.int32).max
        isdtype(xp.float32, "real floating"); isdtype(xp.int32, ("integral", "bool")); result_type(x, y)
        result_type(xp.int32, xp.int32)
        """,
    "indices": """
        take(v, n); take(x, n, axis=1); take_along_axis(x, i, axis=1); take_along_axis(x, i)
        """,
    "products": """
        matmul(a, x); matmul(a, a[0, :]); matrix_transpose(x); tensordot(a, x, axes=1)
        tensordot(x, y, axes=((0, 1), (0, 1))); vecdot(x, y); vecdot(x, y, axis=-2)
        """,
    "shapes": """
        broadcast_arrays(x, x[0, :]); broadcast_to(v, (2, 5)); concat((x, y), axis=1); concat([x, y], axis=None)
        expand_dims(x, axis=1); flip(x); flip(x, axis=1); moveaxis(x, 0, 1); permute_dims(x, (1, 0)); repeat(x, 2)
        repeat(x, 2, axis=1); reshape(x, (2, 6)); reshape(x, (-1,)); roll(x, 1); roll(x, (1, -1), axis=(0, 1))
        squeeze(x[:1, :], axis=0); stack([x, y], axis=1); tile(x, (2, 1)); unstack(x); unstack(x, axis=1)
        """,
    "searching": """
        argmax(x); argmax(x, axis=1, keepdims=True); argmin(i, axis=0); count_nonzero(i); count_nonzero(b, axis=1)
        nonzero(b); searchsorted(xp.sort(v), w); searchsorted(xp.sort(v), w, side="right"); where(b, x, y)
        where(b, i, 0)
        """,
    "sets": """
        unique_all(i); unique_counts(i); unique_inverse(i); unique_values(i)
        """,
    "order": """
        argsort(v); argsort(i, axis=0); argsort(i, descending=True); sort(x); sort(i, axis=0)
        sort(x, descending=True)
        """,
    "statistics": """
        cumulative_sum(v); cumulative_sum(x, axis=1); cumulative_sum(i, axis=0, include_initial=True)
        cumulative_prod(x, axis=1); cumulative_prod(v, include_initial=True); max(x); max(x, axis=1); mean(x)
        mean(x, axis=(0, 1), keepdims=True); min(i, axis=0); prod(x); prod(x, axis=1); std(x)
        std(x, axis=0, correction=1); sum(x); sum(i, axis=1); sum(x, axis=0, keepdims=True); var(x)
        var(x, axis=1, correction=1)
        """,
    "truth": """
        all(b); all(x, axis=1); any(b, axis=0, keepdims=True); diff(x); diff(x, axis=0, n=2)
        diff(v, prepend=w, append=w)
        """,
    "linalg": """
        linalg.cholesky(s); linalg.cholesky(s, upper=True); linalg.cross(a, a[::-1, :]); linalg.det(s)
        linalg.diagonal(x); linalg.diagonal(x, offset=1); linalg.eigh(s)[0]; linalg.eigvalsh(s); linalg.inv(s)
        linalg.matmul(a, x); linalg.matrix_norm(x); linalg.matrix_norm(x, ord=1, keepdims=True)
        linalg.matrix_power(a, 3); linalg.matrix_rank(s); linalg.matrix_transpose(x); linalg.outer(v, w)
        linalg.pinv(x); linalg.qr(s)[1] ** 2; linalg.slogdet(s); linalg.solve(s, x); linalg.svd(s)[1]
        linalg.svdvals(x); linalg.tensordot(a, x, axes=1); linalg.trace(x); linalg.trace(x, offset=1)
        linalg.vecdot(x, y); linalg.vector_norm(x); linalg.vector_norm(x, axis=1, ord=1)
        linalg.vector_norm(x, axis=(0, 1), keepdims=True)
        """,
    "fft": """
        fft.fftfreq(5); fft.rfftfreq(6, d=0.5); fft.fftshift(v); fft.fftshift(x, axes=1); fft.ifftshift(x)
        """,
    "constants": """
        e * x; pi * x; inf * p; newaxis is None
        """,
}
"""Calls of each function, without the name of the namespace."""

MISSING: dict[str, str] = {
    "imag": "it takes complex numbers alone",
    **{
        f"fft.{name}": "there are no complex numbers"
        for name in "fft fftn hfft ifft ifftn ihfft irfft irfftn rfft rfftn".split()  # noqa: SIM905
    },
}
"""What the standard has and the namespace has not, and why."""

_DECOMPOSED: dict[str, Any] = {
    **{
        name: getattr(np.linalg, name)
        for name in ("cholesky", "det", "eigh", "eigvalsh", "inv", "qr", "slogdet", "solve")
    },
    **dict.fromkeys(("matrix_rank", "pinv", "svd", "svdvals"), np.linalg.svd),
}
"""Functions of linalg, and NumPy's that they rest on."""

UNTRACED: dict[str, str] = {
    **dict.fromkeys(
        ("nonzero", "unique_all", "unique_counts", "unique_inverse", "unique_values"),
        "the shape of its result depends on values",
    ),
    "from_dlpack": "a traced value has no memory",
    "nextafter": "bits cannot be taken apart in a graph",
    **{
        f"linalg.{name}": "there is no such decomposition in a graph"
        for name, function in _DECOMPOSED.items()
        if function not in TABLE
    },
}
"""What works on Arrays alone, and why."""


@dataclass(frozen=True)
class Call:
    """A call as it is written, as a function of a namespace and of what it takes."""

    text: str
    section: str

    @property
    def function_name(self) -> str:
        """What it calls: abs, linalg.det."""
        found = re.match(r"(?:linalg\.|fft\.)?\w+", self.text)
        assert found is not None
        return found.group()

    @property
    def names(self) -> list[str]:
        """The names of its arguments, in order of their first place."""
        words = re.findall(r"(?<![\w.\"'])([a-z])(?![\w\"'(=])", self.text.removeprefix("e "))
        return [name for name in dict.fromkeys(words) if name in NAMES]

    @property
    def function(self) -> Callable[..., Any]:
        """The function of the namespace and the arguments."""
        made: Callable[..., Any] = eval(f"lambda xp, {', '.join(self.names)}: xp.{self.text}")
        return made

    @property
    def arguments(self) -> list[Any]:
        """Its arguments, as ndarrays."""
        return [NAMES[name] for name in self.names]

    @property
    def traced(self) -> bool:
        """Whether it can be traced."""
        return self.function_name not in UNTRACED


TYPES = [d.name for d in ALL_DTYPES]

ALL = [
    Call(text.strip(), section)
    for section, lines in CALLS.items()
    for line in lines.strip().splitlines()
    for text in line.split("; ")
]


def plain(value: Any) -> Any:
    """Results with numbers in the place of element types, whichever library they are of."""
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    kind = getattr(value, "_np_dtype", value)
    return TYPES.index(dtype_of(kind).name) if isinstance(kind, np.dtype) else value


def refusal(call: Call) -> str:
    """Why a call does not trace; nothing where it does."""
    try:
        graphc.trace(lambda *args: plain(call.function(array_api, *args)), *call.arguments)
    except graphc.GraphcError as error:
        return str(error).split("\n", maxsplit=1)[0]
    return ""


_INTRODUCTION = """`x.__array_namespace__()` of an Array, and of a traced value, is `graphc.array_api`: the array API
standard, 2024.12, for whatever is written against it (`array_api_compat`, SciPy, scikit-learn). Its functions take
Arrays, traced values and ndarrays, and give what `array_api_strict` gives, which a test holds for each call below;
element types are narrowed to 32 bits unless `graphc.enable_x64()` is on, and integers of 8 and 16 bits are held in 32.
What makes arrays takes a `device=`; inside of a traced function it makes constants. The list is
`tests/support/array_api_calls.py`."""


def page() -> str:
    """docs/array_api.md."""
    lines = [
        "# The array API standard",
        "",
        _INTRODUCTION,
        "",
        "| function | Arrays | traced | calls that are tested |",
    ]
    lines.append("| --- | --- | --- | --- |")
    for name in dict.fromkeys(c.function_name for c in ALL):
        calls = ", ".join(f"`{c.text}`".replace("|", "\\|") for c in ALL if c.function_name == name)
        decomposed = name.removeprefix("linalg.") in _DECOMPOSED
        traced = "as [NumPy's](numpy.md)" if decomposed else UNTRACED.get(name, "✓")
        lines.append(f"| `{name}` | ✓ | {traced} | {calls} |")
    lines += ["", "## What is missing", "", "| function | why |", "| --- | --- |"]
    lines += [f"| `{name}` | {why} |" for name, why in MISSING.items()]
    lines += [
        "",
        "`complex64` and `complex128` are there as names, so that code can ask for them, and no array has them. Arrays",
        "never change: `x[0] = y` raises, and says to write `x = x.at[0].set(y)`. So functions of array-api-extra that",
        "assign to slices (`pad`, `create_diagonal`) do not run, and the others do.",
    ]
    return "\n".join(lines) + "\n"
