"""What to write instead of what a graph has nothing for.

Code between backquotes gives the same numbers as the call that is refused, which a test holds for each piece of it; its
names are those of the call: x is what is traced, mask a bool array, n a length, and so on.
"""

from __future__ import annotations

from typing import Final

NO_SHAPE: Final = (
    "the shape of its result would depend on values: mask the elements with np.where instead of picking them, or call "
    "it before the traced function"
)
_NO_SORT: Final = "there is no sort in a graph: call it before the traced function, or after it"
_UNCHANGED: Final = "a traced value cannot be changed: write"
_PRINTED: Final = "a traced value has no numbers to print: return it from the function"
_BEFORE: Final = "call it before the traced function, or after it"
_COUNT: Final = "np.sum(mask)"
_MEAN: Final = f"np.sum(np.where(mask, x, 0)) / {_COUNT}"
_VARIANCE: Final = f"np.sum(np.where(mask, (x - m) ** 2, 0)) / {_COUNT}"

FUNCTIONS: Final = {
    "nonzero": NO_SHAPE,
    "argwhere": NO_SHAPE,
    "flatnonzero": NO_SHAPE,
    "unique": NO_SHAPE,
    "compress": NO_SHAPE,
    "extract": NO_SHAPE,
    "delete": "write `np.concatenate([x[:i], x[i + 1:]])`",
    "insert": "write `np.concatenate([x[:i], values, x[i:]])` for an array of values",
    "sort": _NO_SORT,
    "argsort": _NO_SORT,
    "partition": _NO_SORT,
    "argpartition": _NO_SORT,
    "median": _NO_SORT,
    "percentile": _NO_SORT,
    "quantile": _NO_SORT,
    "choose": "write `np.take_along_axis(np.stack(choices), ids[None], axis=0)[0]`",
    "searchsorted": "write `np.sum(edges < v[..., None], axis=-1)`, with <= for side='right'",
    "digitize": "write `np.sum(edges <= x[..., None], axis=-1)` for growing edges, with < for right=True",
    "bincount": "write `np.sum(ids[:, None] == np.arange(n), axis=0)`",
    "histogram": f"write sums of comparisons with the edges, or {_BEFORE}",
    "cumprod": "write `np.exp(np.cumsum(np.log(x)))` for positive x",
    "copyto": "an array cannot be changed: write `np.where(mask, new, x)`, or np.full_like(x, value) to fill one",
    "put": f"{_UNCHANGED} `np.where(mask, new, x)` with the mask of what is to change",
    "put_along_axis": f"{_UNCHANGED} `np.where(ids[..., None] == np.arange(n), new[..., None], x)`",
    "putmask": f"{_UNCHANGED} `np.where(mask, new, x)` for new of the shape of x",
    "place": f"{_UNCHANGED} np.where(mask, new, x), where new has at each place what belongs there",
    "fill_diagonal": f"{_UNCHANGED} `np.where(np.eye(*x.shape, dtype=bool), value, x)`",
    "array2string": _PRINTED,
    "array_repr": _PRINTED,
    "array_str": _PRINTED,
    "save": "a traced value has no numbers to write: return it from the function",
    "inv": f"there is no matrix inverse in a graph: {_BEFORE}",
    "solve": f"there is no linear solver in a graph: {_BEFORE}",
    "svd": f"there is no decomposition in a graph: {_BEFORE}",
    "det": f"there is no determinant in a graph: {_BEFORE}",
}
"""Of NumPy's functions, by name."""

UFUNCS: Final = {"ldexp": "write `x * np.exp2(n)`"}
"""Of NumPy's ufuncs, by name."""

METHODS: Final = {
    "item": "a traced value has no number yet: return it from the function and read it there",
    "tolist": "a traced value has no numbers yet: return it from the function and read it there",
    "tobytes": "a traced value has no bytes yet: return it from the function and read it there",
    "fill": f"{_UNCHANGED} `np.full_like(x, value)`",
    "put": FUNCTIONS["put"],
    "itemset": f"{_UNCHANGED} np.where(mask, new, x)",
    "resize": f"{_UNCHANGED} `x.reshape(shape)` for a shape of as many elements",
    "view": "bits cannot be reinterpreted in a graph: x.astype(dtype) converts values",
    "nonzero": NO_SHAPE,
    "compress": NO_SHAPE,
    "sort": _NO_SORT,
    "argsort": _NO_SORT,
    "partition": _NO_SORT,
    "argpartition": _NO_SORT,
    "searchsorted": "write `np.sum(x < v[..., None], axis=-1)`, with <= for side='right'",
    "choose": FUNCTIONS["choose"].replace("ids", "x"),
    "cumprod": FUNCTIONS["cumprod"],
    "flat": "write `x.reshape(-1)`",
    "ctypes": "a traced value has no memory",
    "data": "a traced value has no memory",
    "strides": "a traced value has no memory layout",
    "flags": "a traced value has no memory layout",
}
"""Of methods and attributes of ndarray, by name."""

_NAN: Final = "mask what is not to count with NaN: write `np.{0}(np.where(mask, x, np.nan))`"

WHERE: Final = {
    "sum": "write `np.sum(np.where(mask, x, 0))`",
    "prod": "write `np.prod(np.where(mask, x, 1))`",
    "mean": f"write `{_MEAN}`",
    "var": f"write `m = {_MEAN}` and `{_VARIANCE}`",
    "std": f"write `m = {_MEAN}` and `np.sqrt({_VARIANCE})`",
    "max": "write `np.maximum(np.max(np.where(mask, x, -np.inf)), initial)`",
    "min": "write `np.minimum(np.min(np.where(mask, x, np.inf)), initial)`",
    "any": "write `np.any(np.where(mask, x, False))`",
    "all": "write `np.all(np.where(mask, x, True))`",
    **{name: _NAN.format(name) for name in ("nansum", "nanprod", "nanmean")},
    "nanmax": "write `np.fmax(np.nanmax(np.where(mask, x, np.nan)), initial)`",
    "nanmin": "write `np.fmin(np.nanmin(np.where(mask, x, np.nan)), initial)`",
}
"""Of where=, by the function."""

INITIAL: Final = {
    "sum": "write `np.sum(x) + initial`",
    "prod": "write `np.prod(x) * initial`",
    "max": "write `np.maximum(np.max(x), initial)`",
    "min": "write `np.minimum(np.min(x), initial)`",
    "nansum": "write `np.nansum(x) + initial`",
    "nanprod": "write `np.nanprod(x) * initial`",
    "nanmax": "write `np.fmax(np.nanmax(x), initial)`",
    "nanmin": "write `np.fmin(np.nanmin(x), initial)`",
}
"""Of initial=, by the function."""

REDUCE: Final = {
    "add": "sum",
    "multiply": "prod",
    "maximum": "max",
    "minimum": "min",
    "logical_or": "any",
    "logical_and": "all",
}
"""The functions that the reduce methods of ufuncs are."""

_KEYWORDS: Final = {
    "out": "it changes an array, which a graph cannot: assign the result, y = np.f(x)",
    "order": "a graph has row-major order only",
    "like": "leave it out",
}


def of_keyword(name: str, key: str) -> str:
    """What to write instead of a keyword of the function `name`."""
    name = {"amax": "max", "amin": "min"}.get(name, name)
    own = {"where": WHERE, "initial": INITIAL}.get(key, {}).get(name)
    return own or _KEYWORDS.get(key, "write it out")
