"""Tracing: a NumPy function becomes a Graph.

The function is run once on tracers, which stand for its arguments; what it does to them is recorded as nodes. Plain
NumPy code traces as it stands, since NumPy hands its ufuncs and functions to the tracers.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from graphc import tree
from graphc.errors import GraphcError, TraceError
from graphc.ir.graph import Builder, Called, Graph, Value, prune
from graphc.ir.op import Op
from graphc.ir.types import Lengths, Shape, TensorType, as_shape, check_plain, dtype_of, holds_numbers, narrow
from graphc.tracing.aliases import check_promises, fresh, given
from graphc.tracing.chance import Watch
from graphc.tracing.core import (
    Trace,
    constant,
    current,
    emit,
    emit_all,
    is_tracer,
    located,
    owner,
    require_functions,
    running,
    wrapping,
)
from graphc.tracing.dispatch import call_ufunc
from graphc.tracing.einops import introduce
from graphc.tracing.functions import call_function
from graphc.tracing.in_place import changed
from graphc.tracing.indexing import getitem
from graphc.tracing.joining import arrays_of_traced
from graphc.tracing.methods import ABOVE
from graphc.tracing.promote import converted
from graphc.tracing.source import raised_at
from graphc.tracing.tracer import Tracer
from graphc.tracing.updates import At, updated

__all__ = ["Spec", "TracedFunction", "Tracer", "apply", "spec", "trace", "trace_program", "wrap"]


class Spec:
    """An argument known by shape and element type only. weak: it stands for a Python number.

    Raises ShapeError for what is no shape, DTypeError for an element type that graphc has none for.
    """

    __slots__ = ("dtype", "shape", "weak")

    def __init__(self, shape: Lengths, dtype: Any, weak: bool = False) -> None:
        self.shape: Shape = as_shape(shape, "spec: shape")
        self.dtype: np.dtype[Any] = dtype_of(dtype).numpy
        self.weak = weak

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Spec) and (self.shape, self.dtype) == (other.shape, other.dtype)

    def __hash__(self) -> int:
        return hash((self.shape, self.dtype))

    def __repr__(self) -> str:
        return f"spec({self.shape}, {self.dtype.name!r})"


def spec(shape: Lengths, dtype: Any = "float32") -> Spec:
    """An abstract argument for `trace` and `lower`: an array of this shape and element type, without numbers.

    Raises ShapeError for a negative length, DTypeError for an element type that graphc has none for.
    """
    return Spec(shape, dtype)


@dataclass(frozen=True, slots=True)
class TracedFunction:
    """A traced function: its graph, and how arguments and results map to the graph's inputs and outputs.

    in_tree: structure of (args, kwargs); its leaves are the first inputs, in order. captured: tracers of enclosing
    traces that the function used; they are the inputs after those. weak: whether each output stands for a Python
    number. said: the element type that each output is shown in, None for its own.
    """

    graph: Graph
    in_tree: tree.TreeDef
    out_tree: tree.TreeDef
    captured: tuple[Tracer, ...] = ()
    weak: tuple[bool, ...] = ()
    said: tuple[np.dtype[Any] | None, ...] = ()


def trace(fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Graph:
    """The graph of `fn` for arguments like these: pytrees of ndarrays, Arrays, numbers or specs.

    Raises TraceError where the function does what a graph cannot hold, ShapeError, DTypeError and IndexRangeError for
    operations that do not fit; each names the line.
    """
    require_functions("trace", fn=fn)
    program = trace_program(fn, args, kwargs)
    if program.captured:
        raise located(TraceError("trace: the function uses values of a trace that is still running"))
    return program.graph


def trace_program(
    fn: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    captured: Sequence[Tracer] = (),
) -> TracedFunction:
    """Trace `fn` with these arguments, all of whose leaves become inputs.

    captured: tracers of enclosing traces that are inputs in any case, first after the arguments.
    """
    leaves, in_tree = tree.flatten((args, kwargs))
    introduce()
    watch = Watch(fn) if current() is None else None
    paths = argument_paths(fn, in_tree)
    with running() as state:
        inputs = [given(_input(state, leaf, path), called(path)) for leaf, path in zip(leaves, paths, strict=True)]
        for tracer in captured:
            state.lift(tracer)
        positional, named = tree.unflatten(in_tree, inputs)
        try:
            with arrays_of_traced():
                result = fn(*positional, **named)
        except GraphcError as error:
            # What graphc.nn raises is plain Python, and knows nothing of lines.
            raise located(error, source=raised_at(error)) from error.__cause__
        except (TypeError, ValueError) as error:
            explained = _explained(error)
            if explained is not None:
                raise explained from None
            raise
        if watch is not None:
            watch.check()
        found, out_tree = tree.flatten(result)
        made = [_output(state, leaf, path) for leaf, path in zip(found, tree.paths(out_tree), strict=True)]
        graph = prune(state.builder.build([state.value_of(x) for x in made]))
        graph = replace(graph, called=_names(paths, tree.paths(out_tree)))
        check_promises(state, set(graph.values()))
    return TracedFunction(
        graph, in_tree, out_tree, tuple(state.captured), tuple(x.weak for x in made), tuple(x.said for x in made)
    )


def apply(op: Op, *args: Any, **attrs: Any) -> Any:
    """An op on arrays: a node where an argument is traced, else at once, a program on Arrays and NumPy on ndarrays.

    Arguments that are not traced become constants; a Python number takes the element type of the first traced operand.
    An op with several outputs gives a tuple.
    """
    tracers = [x for x in args if is_tracer(x)]
    if not tracers:
        own = next((x.apply_op for x in args if hasattr(type(x), "apply_op")), None)
        if own is not None:  # an Array, which knows its device
            return own(op, args, attrs)
        arrays = [x if isinstance(x, np.ndarray | np.generic) else np.asarray(x) for x in args]
        with np.errstate(all="ignore"):
            return op.reference(*arrays, **attrs)
    owning = owner(args)
    like = tracers[0].value.type.dtype
    operands = [
        converted(owning, x, like) if type(x) in (int, float, bool) and not is_tracer(x) else constant(owning, x)
        for x in args
    ]
    made = emit_all(op, *operands, **attrs)
    return made[0] if len(made) == 1 else made


def wrap(builder: Builder, value: Value) -> Tracer:
    """A tracer for a value of a graph under construction: NumPy operations on it add nodes to `builder`."""
    return Tracer(wrapping(builder), value)


def inline(program: TracedFunction, operands: Sequence[Any]) -> Any:
    """The nodes of a traced function put where tracing stands now; its results as traced values, in their tree.

    operands: what the leaves of its arguments are here (tracers or arrays).
    """
    found = [*operands, *program.captured]
    owning = owner(found)
    values = []
    for x, value in zip(found, program.graph.inputs, strict=True):
        values.append(owning.value_of(converted(owning, x, value.type.dtype)))
    results = owning.builder.inline(program.graph, values)
    tracers = [Tracer(owning, v, w) for v, w in zip(results, program.weak, strict=True)]
    return tree.unflatten(program.out_tree, tracers)


def leaf_type(leaf: Any) -> tuple[TensorType, bool]:
    """Type of an argument's leaf, and whether it is a Python number; raises TraceError for what is no array."""
    if is_tracer(leaf):
        return leaf.value.type, leaf.weak
    if isinstance(leaf, bool | int | float):
        narrow(leaf)
        return TensorType((), dtype_of(type(leaf))), not isinstance(leaf, bool)
    check_plain(leaf)
    shape, dtype = getattr(leaf, "shape", None), getattr(leaf, "dtype", None)
    if shape is None or dtype is None:
        if holds_numbers(leaf):
            raise TraceError(f"is a {type(leaf).__name__}, which is no array: write np.asarray(x)")
        raise TraceError(
            f"is a {type(leaf).__name__}, which is no array or number: make it a static argument, or let the "
            "function close over it"
        )
    return TensorType(tuple(int(n) for n in shape), dtype_of(dtype)), isinstance(leaf, Spec) and leaf.weak


def _input(state: Trace, leaf: Any, path: tree.Path) -> Tracer:
    try:
        if isinstance(leaf, np.ndarray | np.generic) and leaf.dtype.kind in "iu":
            narrow(leaf)
        type, weak = leaf_type(leaf)
    except GraphcError as error:
        what = f"argument {called(path)}"
        raise located(error.__class__(f"{what} {error}".replace(" value:", ":"))) from None
    hint = leaf.value.hint if is_tracer(leaf) else _hint(path)
    return Tracer(state, state.builder.input(type, hint), weak)


def _explained(error: Exception) -> GraphcError | None:
    """The TraceError that Python or NumPy has hidden behind an error of its own, if it is so."""
    if isinstance(error.__cause__, TraceError):
        return error.__cause__
    if isinstance(error, TypeError) and not isinstance(error, GraphcError) and "Tracer" in str(error):
        text = f"{error}: a traced value has no numbers yet: mark the argument static, or write it with NumPy functions"
        return located(TraceError(text), source=raised_at(error))
    return None


def _output(state: Trace, leaf: Any, path: tree.Path) -> Tracer:
    if is_tracer(leaf):
        made = Tracer(state, state.value_of(leaf), leaf.weak)
        made.said = leaf.said
        return made
    try:
        return constant(state, leaf)
    except GraphcError as error:
        raise located(error.__class__(f"result{tree.format_path(path)}: {error}")) from None


def argument_paths(fn: Callable[..., Any], in_tree: tree.TreeDef) -> list[tree.Path]:
    """The path of each leaf of (args, kwargs), which begins with the name of its parameter."""
    names = _parameter_names(fn)
    return [_named(path, names) for path in tree.paths(in_tree)]


def _named(path: tree.Path, names: list[str]) -> tree.Path:
    """A path within (args, kwargs) that starts at the argument's name."""
    if path[0] == 1:
        return path[1:]
    position = path[1]
    return (names[position] if position < len(names) else f"arg{position}", *path[2:])


def called(path: tree.Path) -> str:
    """A path as the user would write it: x, params["w"]."""
    return f"{path[0]}{tree.format_path(path[1:])}"


def _names(arguments: Sequence[tree.Path], results: Sequence[tree.Path]) -> Called:
    """What is shown of the paths to arguments, which begin with a parameter's name, and to results."""
    return Called(
        tuple(f"{path[0]}{tree.dotted_path(path[1:])}" for path in arguments),
        tuple(f"result{tree.dotted_path(path)}" for path in results),
    )


def _hint(path: tree.Path) -> str:
    """The last name in a path, with the positions after it: w, layers_0."""
    tail: list[str] = []
    for key in reversed(path):
        tail.append(str(key))
        if isinstance(key, str):
            break
    text = "_".join(reversed(tail))
    return "".join(c if c.isalnum() or c in "_." else "_" for c in text)


def _parameter_names(fn: Callable[..., Any]) -> list[str]:
    """Names of the parameters that may be given by position."""
    try:
        parameters = inspect.signature(fn).parameters.values()
    except (TypeError, ValueError):
        return []
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [p.name for p in parameters if p.kind in kinds]


def graph_of(function: Callable[..., Any], types: Sequence[TensorType]) -> Graph:
    """The graph of a function of arrays of these types."""
    return trace_program(function, tuple(Spec(type.shape, type.dtype.numpy) for type in types), {}).graph


ABOVE.update(
    apply=apply,
    at=lambda x: At(x, updated),
    call_function=call_function,
    call_ufunc=call_ufunc,
    changed=changed,
    emit=emit,
    fresh=fresh,
    getitem=getitem,
    graph_of=graph_of,
)
