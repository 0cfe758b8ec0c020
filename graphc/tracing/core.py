"""How values and constants enter the graph of a trace; with what the functions of this package need besides."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np

from graphc.errors import TraceError
from graphc.ir.graph import Node, Value
from graphc.ir.op import Op
from graphc.ir.types import DType, NDArray, check_plain, dtype_of, narrow
from graphc.ops import by_name
from graphc.tracing.methods import check_alive
from graphc.tracing.source import caller, located
from graphc.tracing.tracer import Trace, Tracer, current, fit, is_tracer, running, untraced, wrapping

__all__ = [
    "Trace",
    "adopted",
    "as_array",
    "check_alive",
    "constant",
    "current",
    "emit",
    "emit_all",
    "fit",
    "is_tracer",
    "is_weak",
    "located",
    "of_several",
    "owner",
    "require_functions",
    "running",
    "untraced",
    "wrapping",
]


SPREAD: Final = frozenset(("broadcast_to", "cast"))
"""Operations that change no element, beside those of single elements."""


def of_several(nodes: Iterable[Node], values: Iterable[Value]) -> list[str]:
    """Names of the ops that make an element of several of the values, or of one at another place: max, cumsum, flip.

    What is picked out of another array by indices that come of the values is made of one element.
    """
    made, found = set(values), set()
    for node in nodes:
        if made.isdisjoint(node.inputs):
            continue
        read = [v for k, v in enumerate(node.inputs) if k != node.op.indices]
        if not (node.op.elementwise or node.op.name in SPREAD or made.isdisjoint(read)):
            found.add(node.op.name)
        made.update(node.outputs)
    return sorted(found)


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
    weak = bool(operands) and all(x.weak for x in operands)
    return tuple(Tracer(trace, value, weak and value.type.dtype.kind != "bool") for value in made)


def constant(trace: Trace, value: Any, dtype: DType | None = None) -> Tracer:
    """A constant as a tracer, in `dtype` or in its own one; Python scalars stay weak where no dtype is asked for.

    Raises TraceError for what is no array or number, DTypeError for an element type that graphc has none for.
    """
    if isinstance(value, Tracer):
        return adopted(trace, value)
    weak = dtype is None and is_weak(value)
    if isinstance(value, bool | int | float):
        return Tracer(trace, trace.scalar(value, dtype or dtype_of(type(value))), weak)
    array = as_array(value)
    if isinstance(array, Tracer):  # of a list that holds traced values
        made = adopted(trace, array)
        return made if dtype in (None, made.value.type.dtype) else emit("cast", made, dtype=dtype)
    if dtype is None:
        dtype = dtype_of(array.dtype)
    if array.dtype.kind in "iu" and dtype.kind in ("int", "uint"):
        narrow(array)
    return Tracer(trace, trace.array(array, dtype, value))


def adopted(trace: Trace, x: Tracer) -> Tracer:
    """`x` as a value of `trace`: itself, or lifted from an enclosing trace."""
    return x if x.state is trace else Tracer(trace, trace.value_of(x), x.weak)


def require_functions(what: str, **given: Any) -> None:
    """Raise TraceError for what is no function."""
    for name, value in given.items():
        if not callable(value):
            raise located(TraceError(f"{what}: {name} is {value!r}: needs a function"))


def as_array(value: Any) -> NDArray:
    """An operand that is no tracer as an ndarray; raises TraceError for what is no array or number."""
    check_plain(value, "a constant")
    try:
        array = value if isinstance(value, np.ndarray) else np.asarray(value)
    except ValueError:
        raise TraceError(f"{value!r:.60} is no array: what it holds differs in length") from None
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
