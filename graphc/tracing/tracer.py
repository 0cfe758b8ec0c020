"""Traces in progress, and Tracer: what a traced function is given in place of an ndarray."""

from __future__ import annotations

import threading
from typing import Any, Final, TypeGuard

import numpy as np

from graphc.errors import DTypeError, TraceError
from graphc.ir.graph import Builder, Value
from graphc.ir.structure import same_constant
from graphc.ir.types import DType, NDArray
from graphc.tracing.methods import TracerMethods, check_alive
from graphc.tracing.places import Place, Promise
from graphc.tracing.source import located

_WRAPPED: Final = 1 << 30
"""Level of a trace that only wraps a builder: its values never meet those of another trace."""


class Trace:
    """One graph under construction.

    level: how deep it stands in the stack of traces. locate: whether nodes take the user's running line as source
    (else the builder's source holds). A value of an enclosing trace that is used here is lifted: it becomes a further
    input of this graph, recorded in `captured`. promised: arguments that were changed in place, see `aliases`.
    """

    __slots__ = ("_arrays", "_scalars", "alive", "builder", "captured", "level", "lifted", "locate", "promised")

    def __init__(self, builder: Builder, level: int, locate: bool = True) -> None:
        self.builder = builder
        self.level = level
        self.locate = locate
        self.alive = True
        self.lifted: dict[Value, Value] = {}
        self.captured: list[Tracer] = []
        self.promised: list[Promise] = []
        self._scalars: dict[tuple[str, bytes], Value] = {}
        self._arrays: dict[int, tuple[Any, NDArray, Value]] = {}

    def value_of(self, tracer: Tracer) -> Value:
        """The value of a tracer in this graph, lifted where it belongs to an enclosing trace."""
        if tracer.place is not None:
            tracer.place.check(tracer.value.type)
        if tracer.state is self:
            return tracer.value
        lifted = self.lifted.get(tracer.value)
        if lifted is not None:
            return lifted
        check_alive(tracer)
        if not self.locate or tracer.state not in _stack()[: self.level]:
            raise located(TraceError("values of two unrelated traces meet in one operation"))
        return self.lift(tracer)

    def lift(self, tracer: Tracer) -> Value:
        """A new input of this graph that stands for a tracer of an enclosing trace."""
        value = self.builder.input(tracer.value.type, tracer.value.hint)
        self.lifted[tracer.value] = value
        # A tracer of its own, which keeps the value that was taken.
        self.captured.append(Tracer(tracer.state, tracer.value, tracer.weak))
        return value

    def scalar(self, value: Any, dtype: DType) -> Value:
        """A 0-d constant, one for each value and dtype; raises DTypeError where the value does not fit."""
        array = fit(value, dtype)
        key = (dtype.name, array.tobytes())
        found = self._scalars.get(key)
        if found is None:
            found = self._scalars[key] = self.builder.constant(array)
        return found

    def array(self, array: NDArray, dtype: DType, origin: Any) -> Value:
        """A constant of `dtype` with the contents that `array` has now; the same value for the same origin again."""
        if array.ndim == 0:
            return self.scalar(array[()], dtype)
        data = array.astype(dtype.numpy) if array.dtype != dtype.numpy else array
        known = self._arrays.get(id(origin))
        if known is not None and known[2].type.dtype == dtype and same_constant(known[1], data):
            return known[2]
        if data is array or np.shares_memory(data, array):
            data = data.copy()
        value = self.builder.constant(data)
        self._arrays[id(origin)] = (origin, data, value)
        return value


_local = threading.local()


def _stack() -> list[Trace]:
    stack: list[Trace] | None = getattr(_local, "stack", None)
    if stack is None:
        stack = _local.stack = []
    return stack


def current() -> Trace | None:
    """The innermost trace that is running on this thread."""
    stack = _stack()
    return stack[-1] if stack else None


class running:
    """Context in which a new Trace is the innermost one; it ends with the context, and its tracers with it."""

    def __enter__(self) -> Trace:
        stack = _stack()
        self.trace = Trace(Builder(), len(stack) + 1)
        stack.append(self.trace)
        return self.trace

    def __exit__(self, *exc: object) -> None:
        _stack().remove(self.trace)
        self.trace.alive = False


class untraced:
    """Context in which no trace is running, for what runs at once in the middle of one."""

    def __enter__(self) -> None:
        self.kept = list(_stack())
        _stack().clear()

    def __exit__(self, *exc: object) -> None:
        _stack()[:] = self.kept


def wrapping(builder: Builder) -> Trace:
    """The trace whose operations add nodes to `builder`, with the source that the builder has."""
    if not isinstance(builder.trace, Trace):
        builder.trace = Trace(builder, _WRAPPED, locate=False)
    return builder.trace


class Tracer(TracerMethods):
    """A traced array: it has a shape and a dtype, no numbers, and every operation on it adds nodes to a graph.

    value: the graph's value; an operation in place puts another one there. state: the trace it belongs to. weak: it
    stands for a Python number, which takes the element type of what it meets. place: where in NumPy's memory it would
    lie, once that matters. said: the element type that its numbers are shown in where it is returned, if it is another
    one than they are computed in.
    """

    __slots__ = ("place", "said", "state", "value", "weak")

    state: Trace

    def __init__(self, state: Trace, value: Value, weak: bool = False) -> None:
        self.state = state
        self.value = value
        self.weak = weak
        self.place: Place | None = None
        self.said: np.dtype[Any] | None = None

    @property
    def builder(self) -> Builder:
        """The builder that operations on this value add nodes to."""
        return self.state.builder

    def as_strong(self) -> Tracer:
        """The same value with an element type that promotes as an array's."""
        return Tracer(self.state, self.value) if self.weak else self


def fit(value: Any, dtype: DType) -> NDArray:
    """A number as a 0-d array of `dtype`; raises DTypeError where an integer is out of its range."""
    if dtype.kind in ("int", "uint") and not isinstance(value, float | np.floating):
        info = np.iinfo(dtype.numpy)
        number = int(value)
        if not info.min <= number <= info.max:
            raise DTypeError(f"{number} does not fit {dtype.numpy.name}")
    with np.errstate(all="ignore"):
        return np.asarray(value).astype(dtype.numpy)


def is_tracer(x: Any) -> TypeGuard[Tracer]:
    """Whether `x` is a traced array."""
    return isinstance(x, Tracer)
