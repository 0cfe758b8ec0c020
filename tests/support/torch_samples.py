"""Samples of PyTorch's operators: what they are given, their results and gradients, and the comparison with graphc's.

The gradient is that of the sum of all float results, each element times `weights`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

import graphc
from tests.support import torch_calls, torch_linalg_calls, torch_nn_calls

CALLS: Final[dict[str, Callable[..., Any]]] = {
    **torch_calls.ELEMENTS,
    **torch_calls.REDUCTIONS,
    **torch_calls.SCANS,
    **torch_calls.ORDER,
    **torch_calls.SHAPES,
    **torch_linalg_calls.INDICES,
    **torch_linalg_calls.MATRICES,
    **torch_linalg_calls.FOURIER,
    **torch_nn_calls.NETWORKS,
}
"""By PyTorch's name, the same in NumPy."""

KNOWN: Final = {
    "histc",
    "index_put",
    "__getitem__",
    "_segment_reduce",
    "tensor_split",
    "split_with_sizes",
    "tensordot",
    "bincount",
    "linalg.tensorsolve",
}
"""Where integer arrays are no operands but settings, or say a shape."""

LIMIT: Final = 1e-5

SMALL: Final = 0.1
"""Entries below count as so large: what is zero but for rounding has no digits."""

Nested = Any
"""Arrays within lists and dicts, beside settings."""


@dataclass(frozen=True)
class Sample:
    """A call of an operator. results: float64, integers or truths; gradients: of each float array given, None where
    PyTorch has none. limit: how far off, in parts of the largest entry, a result may be: `LIMIT`, or twice as far as
    PyTorch's own float32 is, or its results for arguments that are other ones in the last place of float32."""

    name: str
    args: list[Any]
    kwargs: dict[str, Any]
    results: list[np.ndarray]
    gradients: list[np.ndarray | None] | None
    limit: float = LIMIT

    @property
    def holds_numbers(self) -> bool:
        """Whether there is something to compare in each result."""
        return all(x.size for x in self.results)

    def far(self, other: Sample) -> float:
        """How far off another sample of the same call is."""
        return max(distances(other.results, self.results) + distances(other.gradients, self.gradients), default=0.0)


def weights(shape: tuple[int, ...]) -> np.ndarray:
    """What the elements of a result are multiplied by before they are summed: float64, no two alike."""
    size = int(np.prod(shape))
    return np.asarray(np.cos(1.0 + np.arange(size)).reshape(shape))


def arrays(value: Nested) -> list[np.ndarray]:
    """The arrays within."""
    if isinstance(value, np.ndarray):
        return [value]
    if isinstance(value, list | tuple):
        return [x for part in value for x in arrays(part)]
    return [x for part in value.values() for x in arrays(part)] if isinstance(value, dict) else []


def replaced(value: Nested, given: list[Any]) -> Nested:
    """The same with other arrays, taken from the front of `given`."""
    if isinstance(value, np.ndarray):
        return given.pop(0)
    if isinstance(value, list | tuple):
        return [replaced(part, given) for part in value]
    return {key: replaced(part, given) for key, part in value.items()} if isinstance(value, dict) else value


def flat(made: Any) -> list[Any]:
    return [x for part in made for x in flat(part)] if isinstance(made, list | tuple) else [made]


def run(sample: Sample, **options: Any) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Results and gradients of a sample, compiled. options: those of graphc.compile."""
    leaves = arrays((sample.args, sample.kwargs))
    floats = [i for i, x in enumerate(leaves) if x.dtype.kind == "f"]
    moved = [i for i, g in zip(floats, sample.gradients or [], strict=False) if g is not None]
    traced = [i for i, x in enumerate(leaves) if x.dtype.kind == "f" or sample.name not in KNOWN]

    def call(given: dict[int, Any]) -> list[Any]:
        args, kwargs = replaced((sample.args, sample.kwargs), [given.get(i, x) for i, x in enumerate(leaves)])
        return flat(CALLS[sample.name](*args, **kwargs))

    def program(*values: Any) -> Any:
        given = dict(zip(traced, values, strict=True))
        if not moved:
            return call(given), []

        def total(*given_floats: Any) -> Any:
            made = call(given | dict(zip(moved, given_floats, strict=True)))
            parts = [np.sum(y * weights(y.shape).astype(y.dtype)) for y in made if y.dtype.kind == "f"]
            return sum(parts), made

        several = graphc.value_and_grad(total, argnums=tuple(range(len(moved))), has_aux=True)
        (_, made), gradients = several(*(given[i] for i in moved))
        return made, list(gradients)

    made, gradients = graphc.compile(program, **options)(*(leaves[i] for i in traced))
    return [np.asarray(x) for x in made], [np.asarray(x) for x in gradients]


def apart(got: np.ndarray, want: np.ndarray) -> float:
    """How far apart two arrays are, in parts of the largest entry; infinite where shapes or what is infinite differ."""
    if got.shape != want.shape:
        return float("inf")
    if want.dtype.kind != "f":
        return 0.0 if np.array_equal(got, want) else float("inf")
    there = np.isfinite(want)
    if not np.array_equal(np.where(there, 0, want), np.where(np.isfinite(got), 0, got), equal_nan=True):
        return float("inf")
    far = np.abs(got[there].astype(np.float64) - want[there])
    return float(np.max(far, initial=0) / max(np.max(np.abs(want[there]), initial=0), SMALL))


Arrays = Sequence[np.ndarray | None] | None


def distances(got: Arrays, want: Arrays) -> list[float]:
    """`apart` of each pair."""
    pairs = zip(got or [], want or [], strict=True)
    return [apart(x, y) for x, y in pairs if x is not None and y is not None]


def compare(sample: Sample, **options: Any) -> list[str]:
    """What of a sample differs from PyTorch, in words."""
    made, gradients = run(sample, **options)
    found = []
    wanted = [g for g in sample.gradients or [] if g is not None]
    for what, got, want in (("result", made, sample.results), ("gradient", gradients, wanted)):
        if len(got) != len(want):
            found.append(f"{len(got)} {what}s, and PyTorch has {len(want)}")
            continue
        for k, (x, y) in enumerate(zip(got, want, strict=True)):
            if x.shape != y.shape:
                found.append(f"{what} {k} has shape {x.shape}, PyTorch's {y.shape}")
            elif (far := apart(x, y)) > sample.limit:
                found.append(f"{what} {k} is {far:.1e} of the largest entry off, more than {sample.limit:.1e}")
    return found
