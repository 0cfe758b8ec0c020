"""A trace in progress: which graph is being built, and how values and constants enter it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, TypeGuard

import numpy as np

from graphc.errors import DTypeError, GraphcError, TraceError
from graphc.ir.graph import NOWHERE, Builder, Source, Value
from graphc.ir.op import Op
from graphc.ir.structure import same_constant
from graphc.ir.types import DType, NDArray, check_plain, dtype_of, narrow
from graphc.ops import by_name
from graphc.tracing.source import caller

if TYPE_CHECKING:
    from graphc.tracing.aliases import Promise
    from graphc.tracing.tracer import Tracer

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
            tracer.place.check(tracer)
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
        self.captured.append(_tracer_class()(tracer.state, tracer.value, tracer.weak))
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


def is_tracer(x: Any) -> TypeGuard[Tracer]:
    """Whether `x` is a traced array."""
    return isinstance(x, _tracer_class())


_class: list[type[Tracer]] = []


def _tracer_class() -> type[Tracer]:
    if not _class:
        from graphc.tracing.tracer import Tracer

        _class.append(Tracer)
    return _class[0]


def owner(operands: Sequence[Any]) -> Trace:
    """The trace that an operation on these operands belongs to: the innermost one, or the builder they wrap."""
    for x in operands:
        if is_tracer(x) and not x.state.locate:
            return x.state
    top = current()
    if top is None:
        for x in operands:
            if is_tracer(x):
                check_alive(x)
        raise located(TraceError("a traced value is used on a thread that traces nothing"))
    return top


def check_alive(tracer: Tracer) -> None:
    """Raise TraceError where the trace of `tracer` has ended."""
    if tracer.state.alive:
        return
    made = next((n.source for n in tracer.state.builder.nodes if tracer.value in n.outputs), NOWHERE)
    where = f", made at {made}," if made.lines else ""
    raise located(
        TraceError(
            f"a traced value ({tracer.value.type}){where} is used after its trace ended: return it from the traced "
            "function instead of keeping it in a global, an attribute or an outer list"
        )
    )


def emit(op: Op | str, *operands: Tracer, trace: Trace | None = None, **attrs: Any) -> Tracer:
    """Add one node that has one output."""
    return emit_all(op, *operands, trace=trace, **attrs)[0]


def emit_all(op: Op | str, *operands: Tracer, trace: Trace | None = None, **attrs: Any) -> tuple[Tracer, ...]:
    """Add one node; its outputs."""
    if trace is None:
        trace = owner(operands)
    builder = trace.builder
    values = [x.value if x.state is trace and x.place is None else trace.value_of(x) for x in operands]
    if trace.locate:
        builder.source = caller(2)
    made = builder.add(by_name(op) if isinstance(op, str) else op, *values, **attrs)
    cls = _tracer_class()
    weak = bool(operands) and all(x.weak for x in operands)
    return tuple(cls(trace, value, weak and value.type.dtype.kind != "bool") for value in made)


def fit(value: Any, dtype: DType) -> NDArray:
    """A number as a 0-d array of `dtype`; raises DTypeError where an integer is out of its range."""
    if dtype.kind in ("int", "uint") and not isinstance(value, float | np.floating):
        info = np.iinfo(dtype.numpy)
        number = int(value)
        if not info.min <= number <= info.max:
            raise DTypeError(f"{number} does not fit {dtype.numpy.name}")
    with np.errstate(all="ignore"):
        return np.asarray(value).astype(dtype.numpy)


def constant(trace: Trace, value: Any, dtype: DType | None = None) -> Tracer:
    """A constant as a tracer, in `dtype` or in its own one; Python scalars stay weak where no dtype is asked for.

    Raises TraceError for what is no array or number, DTypeError for an element type that graphc has none for.
    """
    cls = _tracer_class()
    if isinstance(value, cls):
        return adopted(trace, value)
    weak = dtype is None and is_weak(value)
    if isinstance(value, bool | int | float):
        return cls(trace, trace.scalar(value, dtype or dtype_of(type(value))), weak)
    array = as_array(value)
    if isinstance(array, cls):  # of a list that holds traced values
        made = adopted(trace, array)
        return made if dtype in (None, made.value.type.dtype) else emit("cast", made, dtype=dtype)
    if dtype is None:
        dtype = dtype_of(array.dtype)
    if array.dtype.kind in "iu" and dtype.kind in ("int", "uint"):
        narrow(array)
    return cls(trace, trace.array(array, dtype, value))


def adopted(trace: Trace, x: Tracer) -> Tracer:
    """`x` as a value of `trace`: itself, or lifted from an enclosing trace."""
    return x if x.state is trace else _tracer_class()(trace, trace.value_of(x), x.weak)


def as_array(value: Any) -> NDArray:
    """An operand that is no tracer as an ndarray; raises TraceError for what is no array or number."""
    check_plain(value, "a constant")
    array = value if isinstance(value, np.ndarray) else np.asarray(value)
    if array.dtype.kind not in "biuf":
        kind = type(value).__name__ if array.ndim == 0 else array.dtype.name
        hint = ": keep real and imaginary parts as two arrays" if array.dtype.kind == "c" else ""
        raise TraceError(f"a {kind} is no array or number that a graph can hold{hint}")
    return array


def is_weak(value: Any) -> bool:
    """Whether `value` is a Python number (or traced from one), which takes the element type of what it meets."""
    if is_tracer(value):
        return value.weak
    return type(value) in (int, float)


def located(error: GraphcError, what: str = "", source: Source | None = None) -> GraphcError:
    """`error` with the user's line added, and `what` in front; unchanged if it has a line already."""
    text = str(error)
    if "\n  at  " in text:
        return error
    if what and not text.startswith(f"{what}:"):
        text = f"{what}: {text}"
    source = caller(2) if source is None else source
    return type(error)(text + source.at)
