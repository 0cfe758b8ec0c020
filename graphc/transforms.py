"""Functions of functions: gradients, gradients of one's own, recomputation.

Inside a trace a transformed function adds its graph to the one being built, so transforms nest and compose. Called on
plain arrays, with no trace running, it runs at once.
"""

from __future__ import annotations

import functools
import inspect
import operator
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, SupportsIndex

import numpy as np

from graphc import tree
from graphc.autodiff import reverse as autodiff
from graphc.eager import run_now
from graphc.errors import DTypeError, GraphcError, ShapeError, TraceError
from graphc.ir.graph import Graph, Value
from graphc.ir.types import TensorType
from graphc.ops import by_name
from graphc.ops.structured import Checkpoint, CustomVjp, call
from graphc.passes.attention import raise_attention
from graphc.taps import Collector, Tapped, collecting, collector, statistics
from graphc.tracing.aliases import view
from graphc.tracing.core import constant, current, emit_all, is_tracer, located, owner, require_functions
from graphc.tracing.trace import Spec, TracedFunction, apply, inline, leaf_type, trace_program
from graphc.tracing.tracer import Tracer

Function = Callable[..., Any]
Positions = SupportsIndex | Sequence[SupportsIndex]
"""Arguments of a function by position: one or several, integers of any kind."""


def grad(fn: Function, argnums: Positions = 0, has_aux: bool = False) -> Function:
    """The gradient of `fn`, a function that returns a float scalar, with respect to its arguments `argnums`.

    The result has the structure of the argument (a tuple of them where argnums is one). With has_aux, `fn` returns
    (value, aux) and the result is (gradient, aux). Raises ShapeError where the value is no scalar, DTypeError where it
    or an argument is not of a float type. Source: jax.grad.
    """
    require_functions("grad", fn=fn)
    both = value_and_grad(fn, argnums, has_aux)

    @functools.wraps(fn)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, found = both(*args, **kwargs)
        return (found, value[1]) if has_aux else found

    return gradient


def value_and_grad(fn: Function, argnums: Positions = 0, has_aux: bool = False) -> Function:
    """(value, gradient) of `fn`, or ((value, aux), gradient) with has_aux; see `grad`. Source: jax.value_and_grad."""
    require_functions("value_and_grad", fn=fn)

    @functools.wraps(fn)
    def value_and_gradient(*args: Any, **kwargs: Any) -> Any:
        chosen = positions_of(argnums, len(args))
        if current() is None and not any(is_tracer(leaf) for leaf in tree.leaves((args, kwargs))):
            inner = functools.partial(_differentiated, fn, argnums, has_aux)
            leaves, rebuild = opened((args, kwargs), {0: set(chosen)})
            return run_now(lambda *given: called_with(inner, rebuild(given)), leaves)
        return _differentiated(fn, argnums, has_aux, *args, **kwargs)

    return value_and_gradient


def stop_gradient(x: Any) -> Any:
    """`x` (a tree), through which no gradient flows. Source: jax.lax.stop_gradient."""
    op = by_name("stop_gradient")
    return tree.map(lambda leaf: view(apply(op, leaf), leaf, lambda ghost: ghost) if is_tracer(leaf) else leaf, x)


def custom_vjp(fn: Function, fwd: Function, bwd: Function) -> Function:
    """`fn` with a gradient of one's own.

    fwd takes the arguments of `fn` and returns (result, residuals). bwd takes the residuals and the cotangent of the
    result, and returns a tuple with one gradient for each argument (None: no gradient). fwd and bwd are traced only
    where a gradient is taken. Source: jax.custom_vjp.
    """
    require_functions("custom_vjp", fn=fn, fwd=fwd, bwd=bwd)

    @functools.wraps(fn)
    def function(*args: Any, **kwargs: Any) -> Any:
        args = _positional(fn, args, kwargs)
        if current() is None and not any(is_tracer(leaf) for leaf in tree.leaves(args)):
            return fn(*args)
        leaves, rebuild = opened(args)
        program = trace_program(lambda *given: fn(*rebuild(given)), tuple(leaves), {})
        return _call(
            program, leaves, getattr(fn, "__name__", "custom_vjp"), _user_rule(fwd, bwd, program, leaves, args)
        )

    return function


def checkpoint(fn: Function) -> Function:
    """`fn`, whose inner values are not kept for the backward pass but computed again there. Source: jax.checkpoint."""
    require_functions("checkpoint", fn=fn)

    @functools.wraps(fn)
    def function(*args: Any, **kwargs: Any) -> Any:
        if current() is None and not any(is_tracer(leaf) for leaf in tree.leaves((args, kwargs))):
            return fn(*args, **kwargs)
        leaves, rebuild = opened((args, kwargs))
        outer = collector()

        def body(*given: Any) -> Any:
            if outer is None:
                return called_with(fn, rebuild(given)), {}
            with collecting(inner := Collector(outer.zeros)):
                result = called_with(fn, rebuild(given))
            tapped.update(inner.found)
            return result, inner.found if outer.zeros is not None else {}

        tapped: dict[str, Any] = {}
        program = trace_program(body, tuple(leaves), {})
        program = replace(program, graph=raise_attention(program.graph))
        result, found = _call(program, leaves, getattr(fn, "__name__", "checkpoint"), Checkpoint())
        if outer is not None:
            outer.add(found or tapped)
        return result

    return function


def with_taps(fn: Function, argnums: Positions = 0, has_aux: bool = False) -> Function:
    """`value_and_grad` of `fn` that also reports its taps: (value, gradient, report), or ((value, aux), ...).

    report: for each name {"value": statistics(x), "gradient": statistics(gradient of x)}, see `graphc.taps`. The
    arguments are trees of arrays.
    """
    require_functions("with_taps", fn=fn)

    @functools.wraps(fn)
    def tapped(*args: Any, **kwargs: Any) -> tuple[Any, Any, dict[str, Any]]:
        known: dict[str, Tapped] = {}

        def probe(*args: Any, **kwargs: Any) -> Any:
            with collecting(found := Collector(None)):
                result = fn(*args, **kwargs)
            known.update(found.found)
            return result

        def loss(zeros: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
            with collecting(found := Collector(zeros)):
                result = fn(*args, **kwargs)
            value, aux = result if has_aux else (result, ())
            return value, (aux, found.found)

        trace_program(probe, args, kwargs)
        zeros = {name: np.zeros(x.shape, x.dtype) for name, x in known.items()}
        positions = (0, *(i + 1 for i in positions_of(argnums, len(args))))
        (value, (aux, seen)), (slopes, *found) = value_and_grad(loss, positions, has_aux=True)(zeros, *args, **kwargs)
        report = {
            name: {"value": seen[name], "gradient": statistics(_plain(slopes[name]), x.steps)}
            for name, x in known.items()
        }
        gradients = tuple(found) if isinstance(argnums, Sequence) else found[0]
        return ((value, aux) if has_aux else value), gradients, report

    return tapped


def _plain(x: Any) -> Any:
    """An Array as an ndarray; what is traced as it is."""
    return x if is_tracer(x) else np.asarray(x)


def _differentiated(fn: Function, argnums: Positions, has_aux: bool, /, *args: Any, **kwargs: Any) -> Any:
    """Value and gradient inside a running trace."""
    asked = positions_of(argnums, len(args))
    positions = tuple(dict.fromkeys(asked))  # an argument that is named twice is one that is varied once
    subject, treedef = tree.flatten(tuple(args[i] for i in positions))
    for leaf, path in zip(subject, tree.paths(treedef), strict=True):
        require_float_argument(leaf, positions[path[0]], path[1:])

    def flat(*leaves: Any) -> Any:
        parts = dict(zip(positions, tree.unflatten(treedef, leaves), strict=True))
        return fn(*(parts.get(i, a) for i, a in enumerate(args)), **kwargs)

    program = trace_program(flat, tuple(subject), {})
    _require_scalar(fn, program, has_aux)
    # Attention is differentiated as one operation: its backward pass then needs no tensor of all scores either.
    differentiated = autodiff.differentiate(raise_attention(program.graph), range(len(subject)))
    both = tree.TreeDef("tuple", tuple, (0, 1), (program.out_tree, treedef))
    weak = (*program.weak, *(False for _ in subject))
    value, found = inline(TracedFunction(differentiated, program.in_tree, both, program.captured, weak), subject)
    gradients = tuple(found[positions.index(i)] for i in asked)
    return value, gradients if isinstance(argnums, Sequence) else gradients[0]


def called_with(fn: Function, given: tuple[tuple[Any, ...], dict[str, Any]]) -> Any:
    """`fn` of (args, kwargs)."""
    args, kwargs = given
    return fn(*args, **kwargs)


def positions_of(argnums: Positions, count: int, name: str = "grad") -> tuple[int, ...]:
    """The arguments that argnums names, as positions in [0, count); raises TraceError for what names none."""
    given = tuple(argnums) if isinstance(argnums, Sequence) else (argnums,)
    found = []
    for i in given:
        try:
            position = count if isinstance(i, bool) else operator.index(i)
        except TypeError:
            position = count
        if not -count <= position < count:
            raise located(TraceError(f"{name}: argnums {i!r}, but {count} positional arguments were given"))
        found.append(position % count)
    return tuple(found)


def require_float_argument(leaf: Any, position: int, path: tree.Path, name: str = "grad") -> None:
    """Raise unless a leaf of the argument at a position is an array or number of a float type."""
    what = f"{name}: argument {position}{tree.format_path(path)}"
    try:
        type, _ = leaf_type(leaf)
    except GraphcError as error:
        raise located(error.__class__(f"{what} {error}")) from None
    if type.dtype.kind != "float":
        raise located(DTypeError(f"{what} is {type}: needs a float type; make it a float, or leave it out of argnums"))


def _require_scalar(fn: Function, program: TracedFunction, has_aux: bool) -> None:
    """Raise unless the function gave a float scalar (and aux beside it)."""
    name = getattr(fn, "__name__", "fn")
    out = program.out_tree
    if has_aux:
        if out.kind != "tuple" or len(out.children) != 2:
            raise located(TraceError(f"grad: {name} returns {out}: has_aux needs a pair (value, aux)"))
        out = out.children[0]
    if out.kind != "leaf":
        hint = "" if has_aux else "; for further results return (value, aux) and say has_aux=True"
        raise located(TraceError(f"grad: {name} returns {out}: needs one float scalar{hint}"))
    loss = program.graph.outputs[0]
    made = program.graph.producers().get(loss)
    source = made.source if made is not None and made.source.lines else None
    if loss.type.shape != ():
        text = f"grad: {name} returns {loss.type}: needs a float scalar, write np.mean or np.sum over it"
        raise located(ShapeError(text), source=source)
    if loss.type.dtype.kind != "float":
        raise located(DTypeError(f"grad: {name} returns {loss.type}: needs a float scalar"), source=source)


def _positional(fn: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
    """Keyword arguments in their positions; raises TraceError for one that is keyword-only."""
    if not kwargs:
        return args
    bound = inspect.signature(fn).bind(*args, **kwargs)
    bound.apply_defaults()
    if bound.kwargs:
        raise located(TraceError(f"custom_vjp: {', '.join(bound.kwargs)} has to be a positional argument"))
    return bound.args


def opened(given: Any, numbers: dict[int, set[int]] | None = None) -> tuple[list[Any], Callable[[Sequence[Any]], Any]]:
    """The leaves of a tree that are arrays, and a function that puts others in their place; the rest stays as it is.

    numbers: for children of the root, positions within them where Python numbers count as arrays too.
    """
    leaves, treedef = tree.flatten(given)
    paths = tree.paths(treedef)

    def counts(leaf: Any, path: tree.Path) -> bool:
        if _is_array(leaf):
            return True
        counted = numbers is not None and len(path) > 1 and path[1] in numbers.get(path[0], ())
        return counted and isinstance(leaf, bool | int | float)

    chosen = [i for i, (leaf, path) in enumerate(zip(leaves, paths, strict=True)) if counts(leaf, path)]

    def rebuild(arrays: Sequence[Any]) -> Any:
        full = list(leaves)
        for i, x in zip(chosen, arrays, strict=True):
            full[i] = x
        return tree.unflatten(treedef, full)

    return [leaves[i] for i in chosen], rebuild


def _is_array(leaf: Any) -> bool:
    return hasattr(leaf, "shape") and hasattr(leaf, "dtype")


def _call(program: TracedFunction, leaves: Sequence[Any], name: str, rule: Any) -> Any:
    """One `call` node for a traced function; its results in their tree."""
    operands = [*leaves, *program.captured]
    trace = owner(operands)
    tracers = [constant(trace, x) for x in operands]
    made = emit_all(call, *tracers, trace=trace, body=program.graph, name=name, rule=rule)
    results = [Tracer(trace, x.value, w) for x, w in zip(made, program.weak, strict=True)]
    return tree.unflatten(program.out_tree, results)


def _user_rule(
    fwd: Function, bwd: Function, program: TracedFunction, leaves: Sequence[Any], args: tuple[Any, ...]
) -> CustomVjp:
    """The rule of a custom_vjp call: fwd and bwd are traced when a gradient is first taken.

    Values of enclosing traces that fn closes over are inputs of the call; fwd hands them on as residuals.
    """
    likes = [_like(*leaf_type(leaf)) for leaf in leaves]
    captured = program.captured
    _, rebuild = opened(args)

    def make() -> tuple[Graph, Graph, tuple[bool, ...]]:
        kept: list[Callable[[Sequence[Any]], Any]] = []

        def forward(*given: Any) -> Any:
            result = fwd(*rebuild(given))
            if not isinstance(result, tuple) or len(result) != 2:
                raise located(TraceError("custom_vjp: fwd has to return a pair (result, residuals)"))
            residuals, put_back = opened(result[1])
            kept.append(put_back)
            return result[0], residuals

        first = _checked(trace_program(forward, tuple(likes), {}, captured=captured), captured, "fwd")
        count = len(program.graph.outputs)
        made = first.graph.outputs
        if first.out_tree.children[0] != program.out_tree or _types(made[:count]) != _types(program.graph.outputs):
            raise located(TraceError("custom_vjp: the result of fwd differs in structure or type from that of fn"))
        residuals = [_like(v.type, w) for v, w in zip(made[count:], first.weak[count:], strict=True)]

        def backward(saved: Any, *cotangents: Any) -> Any:
            cotangent = tree.unflatten(program.out_tree, cotangents)
            return _gradients(bwd(kept[0](saved), cotangent), args, likes)

        given = (residuals, *(_like(v.type) for v in program.graph.outputs))
        second = _checked(trace_program(backward, given, {}, captured=captured), captured, "bwd")
        has_grad = [child.kind != "none" for child in second.out_tree.children] + [False] * len(captured)
        return (
            _handing_on(first.graph, len(captured)),
            _residuals_first(second.graph, count, len(captured)),
            tuple(has_grad),
        )

    return CustomVjp(make)


def _like(type: TensorType, weak: bool = False) -> Spec:
    return Spec(type.shape, type.dtype.numpy, weak)


def _types(values: Sequence[Value]) -> list[TensorType]:
    return [v.type for v in values]


def _checked(program: TracedFunction, captured: tuple[Tracer, ...], what: str) -> TracedFunction:
    """`program`; raises TraceError where it uses other values of enclosing traces than `captured`."""
    if [x.value for x in program.captured] != [x.value for x in captured]:
        raise located(
            TraceError(f"custom_vjp: {what} uses a traced value that the function itself does not: make it an argument")
        )
    return program


def _handing_on(graph: Graph, captured: int) -> Graph:
    """The graph with its last inputs as further outputs."""
    return replace(graph, outputs=(*graph.outputs, *graph.inputs[len(graph.inputs) - captured :]))


def _residuals_first(graph: Graph, cotangents: int, captured: int) -> Graph:
    """The graph with its captured inputs before the cotangents, as they come from fwd."""
    split = len(graph.inputs) - captured
    start = split - cotangents
    return replace(graph, inputs=(*graph.inputs[:start], *graph.inputs[split:], *graph.inputs[start:split]))


def _gradients(found: Any, args: tuple[Any, ...], likes: Sequence[Any]) -> list[Any]:
    """What bwd returned, as one gradient (or None) for each array among the arguments."""
    if not isinstance(found, tuple | list) or len(found) != len(args):
        shown = f"{len(found)} gradients" if isinstance(found, tuple | list) else f"a {type(found).__name__}"
        raise located(
            TraceError(f"custom_vjp: bwd returns {shown}: needs a tuple with one for each of {len(args)} arguments")
        )
    flat: list[Any] = []
    for i, (gradient, arg) in enumerate(zip(found, args, strict=True)):
        leaves, treedef = tree.flatten(arg)
        parts = _matching(gradient, treedef)
        if parts is None:
            shape = tree.structure(gradient)
            raise located(TraceError(f"custom_vjp: bwd returns {shape} for argument {i}, which is {treedef}"))
        flat += [part for part, leaf in zip(parts, leaves, strict=True) if _is_array(leaf)]
    for part, like in zip(flat, likes, strict=True):
        if part is not None and np.shape(part) != like.shape:
            raise located(
                ShapeError(f"custom_vjp: bwd returns a gradient of shape {np.shape(part)} for one of {like.shape}")
            )
    return flat


def _matching(gradient: Any, treedef: tree.TreeDef) -> list[Any] | None:
    """The leaves of `gradient` at the places of `treedef`, None standing for a subtree; None where they differ."""
    if gradient is None:
        return [None] * treedef.num_leaves
    if treedef.kind == "leaf":
        return [gradient] if tree.is_leaf(gradient) else None
    children = tree.children(gradient, treedef)
    if children is None:
        return None
    found: list[Any] = []
    for child, below in zip(children, treedef.children, strict=True):
        parts = _matching(child, below)
        if parts is None:
            return None
        found += parts
    return found
