"""PyTorch's operators, as one writes them in NumPy for graphc: functions of the arguments that PyTorch takes.

The names are those of PyTorch's own list of operators and samples; `tests/support/torch_nn_calls.py` has those of
networks. What PyTorch returns as several tensors is a list here, and complex results are their two parts.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import numpy

import graphc
from graphc.ops import by_name
from graphc.tracing.trace import apply

np: Any = numpy  # the stubs of NumPy know nothing of traced values

Call = Callable[..., Any]


class Without(Exception):
    """A setting of PyTorch's that neither NumPy nor graphc has."""


def dims(dim: Any) -> Any:
    """NumPy's axis= of a number, several of them, or none for all."""
    if dim is None:
        return None
    return (tuple(dim) or None) if isinstance(dim, list | tuple) else int(dim)


def as_type(dtype: Any) -> Any:
    return None if dtype is None else np.dtype(dtype)


def axes_of(*dim: Any) -> tuple[int, ...]:
    return tuple(dim[0]) if len(dim) == 1 and isinstance(dim[0], list | tuple) else dim


def one(function: Any) -> Call:
    return lambda x, **_: function(x)


def two(function: Any) -> Call:
    return lambda x, y: function(x, y)


def scaled(function: Any) -> Call:
    return lambda x, y, *, alpha=1: function(x, y * alpha)


def divided(x: Any, y: Any, *, rounding_mode: str | None = None) -> Any:
    made = x / y
    return np.trunc(made) if rounding_mode == "trunc" else np.floor_divide(x, y) if rounding_mode == "floor" else made


def clamp(x: Any, min: Any = None, max: Any = None) -> Any:
    return np.clip(x, min, max)


def logit(x: Any, eps: Any = None) -> Any:
    x = x if eps is None else np.clip(x, eps, 1 - eps)
    return np.log(x / (1 - x))


def xlogy(x: Any, y: Any) -> Any:
    return np.where(x == 0, 0, x * np.log(y))


UNARY: Final = (
    "abs", "ceil", "cos", "cosh", "deg2rad", "exp", "exp2", "expm1", "floor", "isfinite",
    "isinf", "isnan", "isneginf", "isposinf", "log", "log10", "log1p", "log2", "positive", "rad2deg", "reciprocal",
    "sign", "signbit", "sin", "sinc", "sinh", "sqrt", "square", "tan", "tanh", "trunc", "logical_not",
)  # fmt: skip
BINARY: Final = (
    "copysign", "fmax", "fmin", "fmod", "maximum", "minimum", "hypot", "heaviside", "logaddexp", "logaddexp2",
    "logical_and", "logical_or", "logical_xor", "bitwise_and", "bitwise_or", "bitwise_xor", "float_power", "gcd",
    "lcm", "floor_divide",
)  # fmt: skip
"""Elementwise functions that have NumPy's names."""

ELEMENTS: Final[dict[str, Call]] = {
    **{name: one(getattr(np, name)) for name in UNARY},
    "acos": one(np.arccos), "acosh": one(np.arccosh), "asin": one(np.arcsin), "asinh": one(np.arcsinh),
    "atan": one(np.arctan), "atanh": one(np.arctanh), "neg": one(np.negative), "sgn": one(np.sign),
    "bitwise_not": one(np.invert),
    "erf": lambda x: apply(by_name("erf"), x),
    "erfc": lambda x: 1 - apply(by_name("erf"), x),
    "frac": lambda x: x - np.trunc(x),
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "sigmoid": graphc.nn.sigmoid,
    "logit": logit,
    "round": lambda x, decimals=0: np.round(x, decimals),
    "nan_to_num": lambda x, nan=0.0, posinf=None, neginf=None: np.nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf),
    **{name: two(getattr(np, name)) for name in BINARY},
    "ldexp": two(lambda x, y: x * 2.0**y), "mul": two(np.multiply), "true_divide": two(np.true_divide),
    "pow": two(lambda x, y: x**y),
    "remainder": two(np.remainder), "atan2": two(np.arctan2), "bitwise_left_shift": two(np.left_shift),
    "bitwise_right_shift": two(np.right_shift), "eq": two(np.equal), "ne": two(np.not_equal), "lt": two(np.less),
    "le": two(np.less_equal), "gt": two(np.greater), "ge": two(np.greater_equal),
    "__rpow__": lambda x, y: y**x, "__rdiv__": lambda x, y: y / x, "__rsub__": lambda x, y: y - x,
    "__rmod__": lambda x, y: y % x,
    "add": scaled(np.add), "sub": scaled(np.subtract), "rsub": lambda x, y, alpha=1: y - x * alpha, "div": divided,
    "clamp": clamp, "clamp_max": lambda x, y: np.minimum(x, y), "clamp_min": lambda x, y: np.maximum(x, y),
    "lerp": lambda x, y, w: x + w * (y - x),
    "xlogy": xlogy,
    "special.xlog1py": lambda x, y: np.where(x == 0, 0, x * np.log1p(y)),
    "isclose": lambda x, y, rtol=1e-5, atol=1e-8, equal_nan=False: np.isclose(x, y, rtol, atol, equal_nan),
    "where": lambda x, m, y: np.where(m, x, y),
    "masked_fill": lambda x, m, value: np.where(m, value, x),
    "addcmul": lambda x, a, b, *, value=1: x + value * a * b,
    "addcdiv": lambda x, a, b, *, value=1: x + value * a / b,
    "isin": lambda x, y, **_: np.isin(x, y),
    "clone": one(np.copy), "float": one(lambda x: x.astype(np.float32)), "int": one(lambda x: x.astype(np.int32)),
    "bool": one(lambda x: x.astype(bool)),
}  # fmt: skip


def reduced(function: Any) -> Call:
    def call(x: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
        kind = {} if dtype is None else {"dtype": as_type(dtype)}
        return function(x, axis=dims(dim) if np.ndim(x) else None, keepdims=keepdim, **kind)

    return call


def spread(function: Any, *also: Any) -> Call:
    """var, std, and what returns their mean too."""

    def call(
        x: Any, *args: Any, dim: Any = None, unbiased: Any = None, correction: Any = 1, keepdim: bool = False
    ) -> Any:
        for value in args:
            if isinstance(value, bool):
                unbiased = value
            else:
                dim = value
        correction = 1 if correction is None else correction
        ddof = correction if unbiased is None else int(unbiased)
        made = function(x, axis=dims(dim), ddof=ddof, keepdims=keepdim)
        return [made, *(f(x, axis=dims(dim), keepdims=keepdim) for f in also)] if also else made

    return call


def extreme(values: Any, places: Any, of_two: Any) -> Call:
    def call(x: Any, *args: Any, dim: Any = None, keepdim: bool = False, other: Any = None) -> Any:
        for value in args:
            if isinstance(value, bool):
                keepdim = value
            elif isinstance(value, int):
                dim = value
            else:
                other = value
        if other is not None:
            return of_two(x, other)
        if dim is None:
            return values(x)
        found = places(x, axis=dim, keepdims=True) if np.ndim(x) else np.zeros_like(x, dtype=np.int64)
        made = np.take_along_axis(x, found, dim) if np.ndim(x) else x
        return [made, found] if keepdim or not np.ndim(x) else [np.squeeze(v, dim) for v in (made, found)]

    return call


def lower_median(x: Any, dim: Any = None, keepdim: bool = False, ignoring: bool = False) -> Any:
    """The lower of the two in the middle, which is PyTorch's median."""
    if dim is None:
        return lower_median(np.ravel(x), 0, ignoring=ignoring)[0]
    if not np.ndim(x):
        return [x, np.zeros_like(x, dtype=np.int64)]
    order = np.argsort(x, axis=dim)
    n = x.shape[dim]
    if ignoring:
        known = np.sum(~np.isnan(x), axis=dim, keepdims=True)
        place = np.maximum(known - 1, 0) // 2
        ids = np.take_along_axis(order, place, dim)
    else:
        lost = np.isnan(x)
        first = np.argmax(lost, axis=dim, keepdims=True)
        middle = np.take(order, [(n - 1) // 2], axis=dim)
        ids = np.where(np.any(lost, axis=dim, keepdims=True), first, middle)
    values = np.take_along_axis(x, ids, dim)
    return [values, ids] if keepdim else [np.squeeze(v, dim) for v in (values, ids)]


def quantile(function: Any) -> Call:
    def call(x: Any, q: Any, dim: Any = None, keepdim: bool = False, *, interpolation: str = "linear") -> Any:
        return function(x, q, axis=dim if np.ndim(x) else None, keepdims=keepdim, method=interpolation)

    return call


def logsumexp(x: Any, dim: Any, keepdim: bool = False) -> Any:
    return np.logaddexp.reduce(x, axis=dims(dim) if np.ndim(x) else None, keepdims=keepdim)


def norm(x: Any, p: Any = "fro", dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    x = x if dtype is None else x.astype(dtype)
    if p == "nuc":
        return np.linalg.norm(x, "nuc", axis=dims(dim), keepdims=keepdim)
    return vector_norm(x, 2 if p in (None, "fro") else p, dim, keepdim)


def vector_norm(x: Any, ord: Any = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    x = x if dtype is None else x.astype(dtype)
    return np.linalg.vector_norm(x, axis=dims(dim) if np.ndim(x) else None, keepdims=keepdim, ord=ord)


def linalg_norm(x: Any, ord: Any = None, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    x = x if dtype is None else x.astype(dtype)
    return np.linalg.norm(x, ord, axis=dims(dim), keepdims=keepdim)


def histogram(x: Any, bins: int = 100, min: float = 0, max: float = 0) -> Any:
    if min == max:
        raise Without("a range that depends on values")
    return np.histogram(x, bins, (min, max))[0].astype(np.float32)


REDUCTIONS: Final[dict[str, Call]] = {
    "sum": reduced(np.sum), "nansum": reduced(np.nansum), "mean": reduced(np.mean), "nanmean": reduced(np.nanmean),
    "prod": reduced(np.prod), "any": reduced(np.any), "all": reduced(np.all),
    "amax": reduced(np.max), "amin": reduced(np.min),
    "argmax": reduced(np.argmax), "argmin": reduced(np.argmin),
    "count_nonzero": lambda x, dim=None: np.count_nonzero(x, axis=dims(dim) if np.ndim(x) else None),
    "var": spread(np.var), "std": spread(np.std), "var_mean": spread(np.var, np.mean),
    "std_mean": spread(np.std, np.mean),
    "max": extreme(np.max, np.argmax, np.maximum), "min": extreme(np.min, np.argmin, np.minimum),
    "aminmax": lambda x, *, dim=None, keepdim=False: [
        reduced(f)(x, dim, keepdim) for f in (np.min, np.max)
    ],
    "median": lower_median,
    "nanmedian": lambda x, dim=None, keepdim=False: lower_median(x, dim, keepdim, True),
    "quantile": quantile(np.quantile), "nanquantile": quantile(np.nanquantile),
    "logsumexp": logsumexp,
    "norm": norm, "linalg.vector_norm": vector_norm, "linalg.norm": linalg_norm,
    "linalg.matrix_norm": lambda x, ord="fro", dim=(-2, -1), keepdim=False, *, dtype=None: linalg_norm(
        x, ord, dim, keepdim, dtype=dtype
    ),
    "dist": lambda x, y, p=2: vector_norm(x - y, p),
    "histc": histogram,
    "bincount": lambda x, weights=None, minlength=0: np.bincount(x, weights, minlength=minlength),
    "trapezoid": lambda y, x=None, *, dim=-1, dx=1.0: np.trapezoid(y, x, dx, dim),
    "trapz": lambda y, x=None, *, dim=-1, dx=1.0: np.trapezoid(y, x, dx, dim),
    "allclose": lambda x, y, *, rtol=1e-5, atol=1e-8, equal_nan=False: np.allclose(x, y, rtol, atol, equal_nan),
    "equal": lambda x, y: np.array_equal(x, y),
}  # fmt: skip


def running(ufunc: Any) -> Call:
    """cummax, cummin: the values and the last place that has them."""

    def call(x: Any, dim: int) -> Any:
        if not np.ndim(x):
            return [x, np.zeros_like(x, dtype=np.int64)]
        values = ufunc.accumulate(x, axis=dim)
        count = np.reshape(np.arange(x.shape[dim]), [-1 if k == dim % x.ndim else 1 for k in range(x.ndim)])
        same = (x == values) | (np.isnan(x) & np.isnan(values))
        places = np.maximum.accumulate(np.where(same, count, 0), axis=dim)
        return [values, places]

    return call


def gradients(x: Any, *, spacing: Any = None, dim: Any = None, edge_order: int = 1) -> Any:
    apart = [] if spacing is None else list(spacing) if isinstance(spacing, list | tuple) else [spacing]
    made = np.gradient(x, *apart, axis=dims(dim), edge_order=edge_order)
    return list(made) if isinstance(made, list | tuple) else [made]


def cumulative_trapezoid(y: Any, x: Any = None, *, dim: int = -1, dx: float = 1.0) -> Any:
    y = np.moveaxis(y, dim, -1)
    if x is not None:
        x = x if np.ndim(x) == 1 else np.moveaxis(x, dim, -1)
        dx = x[..., 1:] - x[..., :-1]
    return np.moveaxis(np.cumsum((y[..., 1:] + y[..., :-1]) / 2 * dx, axis=-1), -1, dim)


def along(function: Any) -> Call:
    """A scan, which of a number is the number."""
    return lambda x, dim, *, dtype=None: (
        function(x if dtype is None else x.astype(dtype), axis=dim) if np.ndim(x) else x + 0
    )


SCANS: Final[dict[str, Call]] = {
    "cumsum": along(np.cumsum), "cumprod": along(np.cumprod),
    "logcumsumexp": along(lambda x, axis: np.logaddexp.accumulate(x, axis=axis)),
    "cummax": running(np.maximum), "cummin": running(np.minimum),
    "cumulative_trapezoid": cumulative_trapezoid,
    "diff": lambda x, n=1, dim=-1, prepend=None, append=None: np.diff(
        x, n, dim, *([] if prepend is None and append is None else
                     [np._NoValue if prepend is None else prepend, np._NoValue if append is None else append])
    ),
    "gradient": gradients,
}  # fmt: skip


def sort(x: Any, dim: int = -1, descending: bool = False, stable: bool = False) -> Any:
    if not np.ndim(x):
        return [x + 0, np.zeros_like(x, dtype=np.int64)]
    # From the greatest, the first of equal ones first.
    order = np.flip(x.shape[dim] - 1 - np.argsort(np.flip(x, dim), axis=dim), dim) if descending else np.argsort(x, dim)
    return [np.take_along_axis(x, order, dim), order]


def topk(x: Any, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:
    if not np.ndim(x):
        return [x + 0, np.zeros_like(x, dtype=np.int64)]
    if largest:
        return list(graphc.top_k(x, k, axis=dim))
    values, ids = graphc.top_k(-x, k, axis=dim)
    return [-values, ids]


def kthvalue(x: Any, k: int, dim: int = -1, keepdim: bool = False) -> Any:
    if not np.ndim(x):
        return [x + 0, np.zeros_like(x, dtype=np.int64)]
    order = np.take(np.argsort(x, axis=dim), [k - 1], axis=dim)
    values = np.take_along_axis(x, order, dim)
    return [values, order] if keepdim else [np.squeeze(v, dim) for v in (values, order)]


def searchsorted(
    edges: Any, v: Any, *, right: bool = False, side: Any = None, sorter: Any = None, out_int32: bool = False
) -> Any:
    side = side or ("right" if right else "left")
    if np.ndim(edges) == 1:
        return np.searchsorted(edges, v, side=side, sorter=sorter)
    if sorter is not None:
        edges = np.take_along_axis(edges, sorter, -1)
    function = graphc.vmap(lambda e, x: np.searchsorted(e, x, side=side))
    lead = edges.shape[:-1]
    rows = function(
        np.reshape(edges, (math.prod(lead), edges.shape[-1])), np.reshape(v, (math.prod(lead), v.shape[-1]))
    )
    return np.reshape(rows, v.shape)


ORDER: Final[dict[str, Call]] = {
    "sort": sort,
    "argsort": lambda x, dim=-1, descending=False, stable=False: sort(x, dim, descending)[1],
    "msort": lambda x: np.sort(x, axis=0) if np.ndim(x) else x + 0,
    "topk": topk, "kthvalue": kthvalue, "searchsorted": searchsorted,
    "bucketize": lambda v, edges, *, out_int32=False, right=False: np.searchsorted(
        edges, v, side="right" if right else "left"
    ),
}  # fmt: skip


def split(x: Any, size: Any, dim: int = 0) -> Any:
    n = x.shape[dim]
    ends = list(range(size, n, size)) if isinstance(size, int) else list(np.cumsum(size)[:-1])
    return list(np.split(x, ends, axis=dim))


def flat_slices(x: Any, dim: int) -> Any:
    return [np.take(x, k, axis=dim) for k in range(x.shape[dim])]


def unfold(x: Any, dim: int, size: int, step: int) -> Any:
    if not np.ndim(x):
        return np.reshape(x, (1,))[:size]
    windows = np.lib.stride_tricks.sliding_window_view(x, size, axis=dim)
    return windows[(*(slice(None),) * (dim % x.ndim), slice(None, None, step))]


def diag_embed(x: Any, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Any:
    n = x.shape[-1] + abs(offset)
    rows = np.arange(x.shape[-1]) + max(-offset, 0)
    made = graphc.at(np.zeros_like(x, shape=(*x.shape[:-1], n, n)))[..., rows, rows + offset].set(x)
    return np.moveaxis(made, (-2, -1), (dim1, dim2))


def repeat(x: Any, *times: Any) -> Any:
    return np.tile(x, axes_of(*times))


def tensor_split(x: Any, parts: Any, dim: int = 0) -> Any:
    return list(np.array_split(x, int(parts) if not np.ndim(parts) else [int(p) for p in parts], axis=dim))


def chunk(x: Any, parts: int, dim: int = 0) -> Any:
    return split(x, -(-x.shape[dim] // parts), dim)


def block_diag(*parts: Any) -> Any:
    parts = tuple(np.atleast_2d(p) for p in parts)
    wide = sum(p.shape[1] for p in parts)
    rows, at = [], 0
    for p in parts:
        rows.append(np.pad(p, ((0, 0), (at, wide - at - p.shape[1]))))
        at += p.shape[1]
    return np.concatenate(rows)


def select_scatter(x: Any, y: Any, dim: int, index: int) -> Any:
    return graphc.at(x)[(*(slice(None),) * (dim % x.ndim), index)].set(y)


def slice_scatter(x: Any, y: Any, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> Any:
    return graphc.at(x)[(*(slice(None),) * (dim % x.ndim), slice(start, end, step))].set(y)


def diagonal_scatter(x: Any, y: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    moved = np.moveaxis(x, (dim1, dim2), (-2, -1))
    n = y.shape[-1]
    rows, columns = np.arange(n) + max(-offset, 0), np.arange(n) + max(offset, 0)
    return np.moveaxis(graphc.at(moved)[..., rows, columns].set(y), (-2, -1), (dim1, dim2))


def each(function: Any) -> Call:
    return lambda *x: function(*(x[0] if isinstance(x[0], list) else x))


def meshgrid(*x: Any, indexing: str = "ij") -> Any:
    return list(np.meshgrid(*(x[0] if isinstance(x[0], list) else x), indexing=indexing))


def cat(parts: Any, dim: int = 0) -> Any:
    if any(x.ndim != parts[-1].ndim for x in parts):
        raise Without("arrays of other numbers of axes")
    return np.concatenate(parts, axis=dim)


SHAPES: Final[dict[str, Call]] = {
    "cat": cat,
    "stack": lambda parts, dim=0: np.stack(parts, axis=dim),
    **{name: (lambda function: lambda parts: function(parts))(getattr(np, name)) for name in (
        "hstack", "vstack", "dstack", "column_stack"
    )},
    "chunk": chunk, "split": split, "split_with_sizes": split, "tensor_split": tensor_split,
    "hsplit": lambda x, k: list(np.hsplit(x, k)), "vsplit": lambda x, k: list(np.vsplit(x, k)),
    "dsplit": lambda x, k: list(np.dsplit(x, k)),
    "flip": lambda x, dims: np.flip(x, tuple(dims)), "fliplr": one(np.fliplr), "flipud": one(np.flipud),
    "roll": lambda x, shifts, dims=None: np.roll(x, shifts, axis=dims),
    "rot90": lambda x, k=1, dims=(0, 1): np.rot90(x, k, tuple(dims)),
    "permute": lambda x, *d: np.transpose(x, axes_of(*d)),
    "transpose": lambda x, a, b: np.swapaxes(x, a, b) if np.ndim(x) else x + 0,
    "T": lambda x: x.T, "mT": lambda x: x.mT, "t": lambda x: x.T,
    "movedim": lambda x, a, b: np.moveaxis(x, a, b),
    "squeeze": lambda x, *d: np.squeeze(x, tuple(k for k in axes_of(*d) if x.ndim and x.shape[k] == 1) if d else None),
    "unsqueeze": lambda x, d: np.expand_dims(x, d),
    "reshape": lambda x, *s: np.reshape(x, axes_of(*s)), "view": lambda x, *s: np.reshape(x, axes_of(*s)),
    "ravel": one(np.ravel),
    "flatten": lambda x, start_dim=0, end_dim=-1: np.reshape(
        x, (*x.shape[: start_dim % max(x.ndim, 1)], -1, *x.shape[end_dim % max(x.ndim, 1) + 1 :])
    ),
    "expand": lambda x, *s: np.broadcast_to(x, [
        x.shape[k - len(axes_of(*s))] if n == -1 else n for k, n in enumerate(axes_of(*s))
    ]),
    "broadcast_to": lambda x, *s: np.broadcast_to(x, axes_of(*s)),
    "broadcast_tensors": lambda *x: list(np.broadcast_arrays(*x)),
    "tile": repeat,
    "repeat": repeat,
    "diag": lambda x, k=0: np.diag(x, k),
    "diagonal": lambda x, offset=0, dim1=0, dim2=1: np.diagonal(x, offset, dim1, dim2),
    "linalg.diagonal": lambda x, *, offset=0, dim1=-2, dim2=-1: np.diagonal(x, offset, dim1, dim2),
    "diag_embed": diag_embed, "diagflat": lambda x, offset=0: np.diag(np.ravel(x), offset),
    "tril": lambda x, k=0: np.tril(x, k), "triu": lambda x, k=0: np.triu(x, k), "trace": one(np.trace),
    "narrow": lambda x, dim, start, n: np.take(x, start + np.arange(n), axis=dim),
    "select": lambda x, dim, k: np.take(x, k, axis=dim),
    "unbind": lambda x, dim=0: flat_slices(x, dim), "unfold": unfold, "block_diag": block_diag,
    "kron": two(np.kron), "meshgrid": meshgrid,
    **{name: each(getattr(np, name)) for name in ("atleast_1d", "atleast_2d", "atleast_3d")},
    "select_scatter": select_scatter, "slice_scatter": slice_scatter, "diagonal_scatter": diagonal_scatter,
    "cartesian_prod": lambda *x: np.stack([np.ravel(v) for v in np.meshgrid(*x, indexing="ij")], -1)
    if len(x) > 1 else x[0] + 0,
}  # fmt: skip
