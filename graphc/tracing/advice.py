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
_UNCHANGED: Final = "a traced value cannot be changed: write"
_PRINTED: Final = "a traced value has no numbers to print: return it from the function"

FUNCTIONS: Final = {
    "nonzero": NO_SHAPE,
    "argwhere": NO_SHAPE,
    "flatnonzero": NO_SHAPE,
    "copyto": "an array cannot be changed: write `np.where(mask, new, x)`, or np.full_like(x, value) to fill one",
    "put": f"{_UNCHANGED} `graphc.at(x.reshape(-1))[ids].set(new).reshape(x.shape)`",
    "put_along_axis": f"{_UNCHANGED} `graphc.put_along_axis(x, ids, new, axis)`",
    "unique": "the shape of its result would depend on values: write `graphc.unique(x, size=n)`",
    "putmask": f"{_UNCHANGED} `np.where(mask, new, x)` for new of the shape of x",
    "place": f"{_UNCHANGED} np.where(mask, new, x), where new has at each place what belongs there",
    "fill_diagonal": f"{_UNCHANGED} `np.where(np.eye(*x.shape, dtype=bool), value, x)`",
    "array2string": _PRINTED,
    "array_repr": _PRINTED,
    "array_str": _PRINTED,
    "save": "a traced value has no numbers to write: return it from the function",
    **dict.fromkeys(
        ("eig", "eigvals"),
        "eigenvalues may be complex, and there are no complex numbers in a graph: where x is symmetric write "
        "`np.linalg.eigvalsh(x)`",
    ),
}
"""Of NumPy's functions, by name."""

UFUNCS: dict[str, str] = {}
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
    "sort": f"{_UNCHANGED} `np.sort(x)`",
    "partition": f"{_UNCHANGED} np.partition(x, kth)",
    "flat": "write `x.reshape(-1)`",
    "ctypes": "a traced value has no memory",
    "data": "a traced value has no memory",
    "strides": "a traced value has no memory layout",
    "flags": "a traced value has no memory layout",
}
"""Of methods and attributes of ndarray, by name."""

_KEYWORDS: Final = {
    "out": "it changes an array, which a graph cannot: assign the result, y = np.f(x)",
    "order": "a graph has row-major order only",
    "like": "leave it out",
}


AT: Final = {"add": "add", "multiply": "multiply", "maximum": "max", "minimum": "min"}
"""The updates that the `at` methods of ufuncs are."""


def at(name: str) -> str:
    """What to write instead of the `at` method of a ufunc."""
    return f"`graphc.at(x)[ids].{AT[name]}(y)`" if name in AT else "x = graphc.at(x)[ids].set(y) for new elements y"


def of_keyword(name: str, key: str) -> str:
    """What to write instead of a keyword of the function `name`."""
    return _KEYWORDS.get(key, "write it out")
