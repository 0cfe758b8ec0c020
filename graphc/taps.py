"""tap: what a value inside a model looks like, and its gradient, measured in the compiled program.

To learn the gradient of a value, zeros are added to it, and the gradient of those is taken. What is tapped in a body
that is traced on its own (a step of a scan, a checkpoint) is an output of that body.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from graphc.errors import DTypeError, TraceError
from graphc.ir.types import Shape
from graphc.tracing.aliases import view
from graphc.tracing.core import Trace, current, is_tracer, located

BINS: Final = 32
SATURATED: Final = 0.97
"""Above this, tanh passes less than 6% of a gradient on."""


@dataclass(frozen=True, slots=True)
class Tapped:
    """Shape and element type of what stands under a name. steps: how many of its axes number the steps of scans."""

    shape: Shape
    dtype: np.dtype[Any]
    steps: int = 0

    def repeated(self, times: int) -> Tapped:
        """The same in a scan of `times` steps."""
        return Tapped((times, *self.shape), self.dtype, self.steps + 1)


@dataclass(slots=True)
class Collector:
    """What taps do meanwhile. zeros: added to what is tapped, by name (None: only find out what is tapped).

    found: what is tapped, by name; its statistics, where there are zeros.
    """

    zeros: Mapping[str, Any] | None
    trace: Trace | None = field(default_factory=current)
    found: dict[str, Any] = field(default_factory=dict)

    def visit(self, name: str, x: Any) -> Any:
        """What `tap` returns."""
        if current() is not self.trace:
            inside = "a custom_vjp, a gradient, a vmap, or a branch or body of cond, switch or while_loop"
            text = f"tap: {name!r} stands inside {inside}: tap what goes in, or what comes out of it"
            raise located(TraceError(text))
        if x.dtype.kind != "f":
            raise located(DTypeError(f"tap: {name!r} is {x.dtype}: needs a float type"))
        self.add({name: Tapped(x.shape, x.dtype) if self.zeros is None else statistics(x)})
        return x if self.zeros is None else view(x + self.zeros[name], x, lambda ghost: ghost)

    def add(self, found: Mapping[str, Any]) -> None:
        """Take in what was found here or in a body. Raises TraceError for a name that there is already."""
        for name in found:
            if name in self.found:
                raise located(TraceError(f"tap: there are two of the name {name!r}"))
        self.found.update(found)


_local = threading.local()


def collector() -> Collector | None:
    """The collector of the function that is being traced; None where taps are nothing."""
    found: Collector | None = getattr(_local, "collector", None)
    return found


@contextmanager
def collecting(by: Collector | None) -> Iterator[None]:
    """Meanwhile, taps report to `by`."""
    before = collector()
    _local.collector = by
    try:
        yield
    finally:
        _local.collector = before


def tap(name: str, x: Any) -> Any:
    """`x`, unchanged. Within `with_taps` it is reported under this name, together with its gradient.

    Within a scan there is a report for each step: its arrays have one more axis, the first. Raises TraceError for a
    name that is given twice, or inside a custom_vjp, a gradient, a vmap, or what cond, switch and while_loop choose to
    run; DTypeError unless x is float.
    """
    active = collector()
    return x if active is None or not is_tracer(x) else active.visit(name, x)


def statistics(x: Any, steps: int = 0) -> dict[str, Any]:
    """mean, std, saturation (the part of |x| above 0.97), low and high (the extremes), and histogram: i32[32] counts of
    equal bins from low to high. x: float, of any shape with at least one element. steps: how many of its first axes
    stay as they are."""
    flat = np.reshape(x, (*x.shape[:steps], -1))
    low, high = np.min(flat, axis=-1), np.max(flat, axis=-1)
    width = np.where(high > low, high - low, np.ones_like(low))
    bins = np.clip((flat - low[..., None]) / width[..., None] * BINS, 0, BINS - 1).astype(np.int32)
    counts = np.sum(bins[..., None] == np.arange(BINS, dtype=np.int32), axis=-2)
    return {
        "mean": np.mean(flat, axis=-1),
        "std": np.std(flat, axis=-1),
        "saturation": np.mean((np.abs(flat) > SATURATED).astype(flat.dtype), axis=-1),
        "low": low,
        "high": high,
        "histogram": counts.astype(np.int32),
    }
