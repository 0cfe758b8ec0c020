"""tap: what a value inside a model looks like, and its gradient, measured in the compiled program."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import numpy as np

from graphc.errors import DTypeError, TraceError
from graphc.trace import trace_program
from graphc.tracing.core import current, is_tracer, located
from graphc.transforms import value_and_grad

Function = Callable[..., Any]

BINS: Final = 32
SATURATED: Final = 0.97
"""Above this, tanh passes less than 6% of a gradient on."""


class _Collector:
    """What taps do meanwhile. zeros: added to what is tapped, by name (None: only find out what is tapped)."""

    def __init__(self, zeros: dict[str, Any] | None) -> None:
        self.zeros = zeros
        self.trace: object = current()
        self.found: dict[str, Any] = {}

    def visit(self, name: str, x: Any) -> Any:
        if current() is not self.trace:
            raise located(TraceError(f"tap: {name!r} stands inside a scan or checkpoint: tap what comes out of it"))
        if name in self.found:
            raise located(TraceError(f"tap: there are two of the name {name!r}"))
        if x.dtype.kind != "f":
            raise located(DTypeError(f"tap: {name!r} is {x.dtype}: needs a float type"))
        if self.zeros is None:
            self.found[name] = np.zeros(x.shape, x.dtype)
            return x
        self.found[name] = statistics(x)
        return x + self.zeros[name]


_local = threading.local()


def tap(name: str, x: Any) -> Any:
    """`x`, unchanged. Within `with_taps` it is reported under this name, together with its gradient.

    Raises TraceError for a name that is given twice, or inside a scan or checkpoint; DTypeError unless x is float.
    """
    collector: _Collector | None = getattr(_local, "collector", None)
    return x if collector is None or not is_tracer(x) else collector.visit(name, x)


@contextmanager
def _collecting(zeros: dict[str, Any] | None) -> Iterator[_Collector]:
    before = getattr(_local, "collector", None)
    _local.collector = collector = _Collector(zeros)
    try:
        yield collector
    finally:
        _local.collector = before


def with_taps(fn: Function, argnums: int | Sequence[int] = 0, has_aux: bool = False) -> Function:
    """`value_and_grad` of `fn` that also reports its taps: (value, gradient, report), or ((value, aux), ...).

    report: for each name {"value": statistics(x), "gradient": statistics(gradient of x)}. The arguments are trees of
    arrays.
    """

    @functools.wraps(fn)
    def tapped(*args: Any, **kwargs: Any) -> tuple[Any, Any, dict[str, Any]]:
        def probe(*args: Any, **kwargs: Any) -> Any:
            with _collecting(None) as collector:
                result = fn(*args, **kwargs)
            zeros.update(collector.found)
            return result

        def loss(zeros: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
            with _collecting(zeros) as collector:
                result = fn(*args, **kwargs)
            value, aux = result if has_aux else (result, ())
            return value, (aux, collector.found)

        zeros: dict[str, Any] = {}
        trace_program(probe, args, kwargs)
        given = tuple(argnums) if isinstance(argnums, Sequence) else (argnums,)
        positions = (0, *(i % len(args) + 1 for i in given))
        (value, (aux, seen)), (slopes, *found) = value_and_grad(loss, positions, has_aux=True)(zeros, *args, **kwargs)
        report = {name: {"value": seen[name], "gradient": statistics(_plain(slopes[name]))} for name in zeros}
        gradients = tuple(found) if isinstance(argnums, Sequence) else found[0]
        return ((value, aux) if has_aux else value), gradients, report

    return tapped


def _plain(x: Any) -> Any:
    """An Array as an ndarray; what is traced as it is."""
    return x if is_tracer(x) else np.asarray(x)


def statistics(x: Any) -> dict[str, Any]:
    """mean, std, saturation (the part of |x| above 0.97), low and high (the extremes), and histogram: i32[32] counts of
    equal bins from low to high. x: float, of any shape with at least one element."""
    flat = np.reshape(x, (-1,))
    low, high = np.min(flat), np.max(flat)
    width = np.where(high > low, high - low, np.ones_like(low))
    bins = np.clip((flat - low) / width * BINS, 0, BINS - 1).astype(np.int32)
    counts = np.sum(bins[:, None] == np.arange(BINS, dtype=np.int32), axis=0)
    return {
        "mean": np.mean(flat),
        "std": np.std(flat),
        "saturation": np.mean((np.abs(flat) > SATURATED).astype(flat.dtype)),
        "low": low,
        "high": high,
        "histogram": counts.astype(np.int32),
    }
