"""Control flow by traced values: cond, switch, while_loop and fori_loop.

In a trace all branches are computed and one is selected, and a while_loop is a scan whose turns keep the state once its
condition is false, so that it may end then. What is not taken does no harm: its gradients are zero even where they
would be NaN, and its indices are not looked at. On plain arrays only what is taken is run.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, SupportsIndex

import numpy as np

from graphc import tree
from graphc.analysis.intervals import allowed
from graphc.errors import DTypeError, ShapeError, TraceError
from graphc.ir.graph import Builder, Graph, Node, Value, new_value
from graphc.ir.rewriting import rewrite_into
from graphc.ir.types import TensorType, bool_, dtype_of
from graphc.ops import by_name
from graphc.ops.structured import NO_BOUND, CustomVjp, call
from graphc.runtime import Array
from graphc.scan import Shapes, copied, countable, scan, until
from graphc.tracing.core import constant, current, is_tracer, located, require_functions
from graphc.tracing.trace import TracedFunction, inline, leaf_type, trace_program
from graphc.tracing.tracer import Tracer
from graphc.transforms import stop_gradient

_LISTED: Final = 1 << 16
"""Turns up to which the counters of a loop are a list of which each turn takes one; of more, each makes the next."""

_KINDS: Final = {"bool": 0, "uint": 1, "int": 1, "float": 2}


def cond(pred: Any, true_fn: Callable[..., Any], false_fn: Callable[..., Any], *operands: Any) -> Any:
    """`true_fn(*operands)` where the scalar `pred` is true (not zero; NaN is true), else `false_fn(*operands)`.

    Both return trees of one structure, with the same shapes and element types. In a trace both are computed; gradients
    flow through the one that is taken. On plain arrays, with no trace running, only that one is called.

    Raises ShapeError where pred is no scalar or results differ in shape, DTypeError where they differ in element type,
    TraceError where they differ in structure. Source: jax.lax.cond.
    """
    require_functions("cond", true_fn=true_fn, false_fn=false_fn)
    chosen = _predicate(pred, "cond: pred")
    if not _traced(chosen, *operands):
        return (true_fn if bool(chosen) else false_fn)(*operands)
    made = [_program(true_fn, operands), _program(false_fn, operands)]
    types = _matched(made, ["true_fn", "false_fn"], "cond")
    if not is_tracer(chosen):
        return _branch(made[0 if bool(chosen) else 1], operands, None, types)
    found = [_branch(made[0], operands, chosen, types), _branch(made[1], operands, np.logical_not(chosen), types)]
    return tree.map(lambda a, b: np.where(chosen, a, b), *found)


def switch(index: Any, branches: Sequence[Callable[..., Any]], *operands: Any) -> Any:
    """`branches[index](*operands)` for an integer scalar; an index out of range takes the first or the last branch.

    As `cond` otherwise. Raises TraceError without branches, DTypeError where index is no integer, ShapeError where it
    is no scalar. Source: jax.lax.switch.
    """
    branches = list(branches) if isinstance(branches, Sequence) else [branches]
    if not branches:
        raise located(TraceError("switch: needs a branch at least"))
    require_functions("switch", **{f"branches[{i}]": branch for i, branch in enumerate(branches)})
    chosen = _scalar(index, "switch: index")
    if chosen.dtype.kind not in "iu":
        raise located(DTypeError(f"switch: index must be an integer, got {chosen.dtype}"))
    last = len(branches) - 1
    if not _traced(chosen, *operands):
        return branches[min(max(int(chosen), 0), last)](*operands)
    made = [_program(branch, operands) for branch in branches]
    types = _matched(made, [f"branches[{i}]" for i in range(len(made))], "switch")
    if not is_tracer(chosen):
        return _branch(made[min(max(int(chosen), 0), last)], operands, None, types)
    if last == 0:
        return _branch(made[0], operands, None, types)
    chosen = np.clip(chosen, 0, last)
    result = _branch(made[0], operands, chosen == 0, types)
    for i, program in enumerate(made[1:], 1):
        here = chosen == i
        result = tree.map(lambda a, b, here=here: np.where(here, a, b), _branch(program, operands, here, types), result)
    return result


def while_loop(
    cond_fn: Callable[[Any], Any],
    body_fn: Callable[[Any], Any],
    init: Any,
    *,
    max_steps: SupportsIndex | None = None,
) -> Any:
    """Apply `body_fn` to the state, which is `init` at first, as long as `cond_fn(state)`, a scalar, is true.

    The state is a tree of arrays that keeps its structure, shapes and element types. max_steps: the loop ends after so
    many turns in any case. A loop that has it has a gradient; what that needs is kept for max_steps turns.

    In a trace the loop is one node of the program. The host looks whether it goes on after 4 turns, then after a
    quarter of those made so far, 64 at most; turns too many keep the state. Mapped by vmap it ends with the last
    example. With no trace running it is the same on Arrays, and a Python loop on ndarrays.

    Raises TraceError where body_fn changes the structure of the state, ShapeError and DTypeError where it changes a
    shape or element type, ArgumentError for a max_steps that 32 bits do not count, GraphError for the gradient of a
    loop without max_steps. Source: jax.lax.while_loop.
    """
    require_functions("while_loop", cond_fn=cond_fn, body_fn=body_fn)
    most = None if max_steps is None else _turns(max_steps, "while_loop: max_steps")
    if not _traced(init):
        return _while_now(cond_fn, body_fn, init, most)

    def step(given: Any, _: None) -> tuple[Any, None]:
        state, _ = given
        active = _predicate(cond_fn(state), "while_loop: cond_fn(state)")
        program = _program(body_fn, (state,))
        _kept(state, program, "while_loop")
        types = [v.type for v in program.graph.outputs]
        if not is_tracer(active):
            if bool(active) and most is None:
                raise located(TraceError("while_loop: it never ends: cond_fn is always true, and max_steps not given"))
            return ((_branch(program, (state,), None, types) if bool(active) else state), active), None
        made = tree.map(lambda a, b: np.where(active, a, b), _branch(program, (state,), active, types), state)
        return (made, active), None

    # What is carried says whether the turn did something, and not whether the next one will: so cond_fn is never asked
    # of the state after max_steps turns, where its indices may be out of range.
    return until(step, (init, np.asarray(True)), NO_BOUND if most is None else most)[0]


def fori_loop(
    lower: Any,
    upper: Any,
    body_fn: Callable[[Any, Any], Any],
    init: Any,
    *,
    unroll: SupportsIndex | bool = 1,
    max_steps: SupportsIndex | None = None,
) -> Any:
    """Apply `body_fn(i, state)` for i from lower up to, and without, upper; the state is `init` at first.

    The state is a tree of arrays that keeps its structure, shapes and element types. In a trace the loop is one node of
    the program, and has a gradient. With bounds that are traced it is a `while_loop`, whose gradient needs max_steps.
    unroll: see `scan`.

    Raises what `while_loop` raises, and DTypeError where a bound is no integer, or does not fit the element type of i,
    which is int32. Source: jax.lax.fori_loop.
    """
    require_functions("fori_loop", body_fn=body_fn)
    bounds = [_scalar(lower, "fori_loop: lower"), _scalar(upper, "fori_loop: upper")]
    for bound, name in zip(bounds, ("lower", "upper"), strict=True):
        if bound.dtype.kind not in "iu":
            raise located(DTypeError(f"fori_loop: {name} must be an integer, got {bound.dtype}"))
    traced = any(map(is_tracer, bounds))
    kind = np.dtype(np.int32) if traced else dtype_of(int).numpy
    for bound, name in zip(bounds, ("lower", "upper"), strict=True):
        if not is_tracer(bound) and not np.iinfo(kind).min <= int(bound) <= np.iinfo(kind).max:
            text = f"fori_loop: {name} is {bound}, which does not fit {kind}, the element type of i"
            raise located(DTypeError(text))
    most = None if max_steps is None else _turns(max_steps, "fori_loop: max_steps")
    if traced:
        first, end = (x.astype(np.int32) if is_tracer(x) else np.int32(int(x)) for x in bounds)
        return while_loop(
            lambda given: given[0] < end,
            lambda given: (given[0] + np.int32(1), body_fn(*given)),
            (first, init),
            max_steps=most,
        )[1]
    low, high = (int(x) for x in bounds)
    high = max(low, high if most is None else min(high, low + most))
    countable(high - low, "fori_loop: the number of turns")
    if not _traced(init):
        return _fori_now(low, high, body_fn, init)

    def step(state: Any, i: Any) -> tuple[Any, None]:
        made = body_fn(i, state)
        after = tree.structure(made)
        if after != tree.structure(state):
            raise located(TraceError(f"fori_loop: the state is {tree.structure(state)}, and body_fn makes it {after}"))
        return made, None

    def counted(given: Any, _: None) -> tuple[Any, None]:
        i, state = given
        return (i + kind.type(1), step(state, i)[0]), None

    if high - low > _LISTED:
        return scan(counted, (kind.type(low), init), length=high - low, unroll=unroll)[0][1]
    return scan(step, init, np.arange(low, high), unroll=unroll)[0]


def _fori_now(low: int, high: int, body_fn: Callable[[Any, Any], Any], init: Any) -> Any:
    if high > low and any(isinstance(leaf, Array) for leaf in tree.leaves(init)):
        from graphc.eager import run_now

        return run_now(lambda state: fori_loop(low, high, body_fn, state), [init])
    state, shapes, kind = tree.map(copied, init), Shapes(init), dtype_of(int).numpy.type
    for i in range(low, high):
        state = body_fn(kind(i), state)
        shapes.require("fori_loop: the state", "fori_loop: init", "body_fn", state)
    return state


def _while_now(cond_fn: Callable[[Any], Any], body_fn: Callable[[Any], Any], init: Any, most: int | None) -> Any:
    """The loop with no trace running."""
    done = 0
    if any(isinstance(leaf, Array) for leaf in tree.leaves(init)):
        from graphc.eager import run_now

        return run_now(lambda state: while_loop(cond_fn, body_fn, state, max_steps=most), [init])
    state, shapes = tree.map(copied, init), Shapes(init)
    while (most is None or done < most) and bool(_predicate(cond_fn(state), "while_loop: cond_fn(state)")):
        state = body_fn(state)
        done += 1
        shapes.require("while_loop: init", "while_loop: init", "body_fn", state)
    return state


# -- arguments


def _traced(*values: Any) -> bool:
    return current() is not None or any(map(is_tracer, tree.leaves(values)))


def _scalar(x: Any, what: str) -> Any:
    """A traced value, or what is known as a NumPy scalar; raises ShapeError and DTypeError for what is no number."""
    found = x if is_tracer(x) else np.asarray(x)
    if found.dtype.kind not in "biuf":
        raise located(DTypeError(f"{what} must be a number or a bool, got {x!r}"))
    if found.shape != ():
        raise located(ShapeError(f"{what} must be a scalar, got shape {found.shape}"))
    return found


def _predicate(x: Any, what: str) -> Any:
    found = _scalar(x, what)
    return found if found.dtype.kind == "b" else found != 0


def _turns(x: Any, what: str) -> int:
    """A number of turns that is known; raises TraceError for what is none, ArgumentError for too many."""
    try:
        found = operator.index(x)
    except TypeError:
        raise located(TraceError(f"{what} must be an integer that is known, got {type(x).__name__}")) from None
    if isinstance(x, bool) or found < 0:
        raise located(TraceError(f"{what} {x} is no number of turns"))
    return countable(found, what)


# -- branches


def _program(fn: Callable[..., Any], operands: tuple[Any, ...]) -> TracedFunction:
    """A branch, traced by itself: what it changes in place is its own. A tap in it would not know when it counts."""
    return trace_program(fn, operands, {})


def _matched(programs: Sequence[TracedFunction], names: Sequence[str], what: str) -> list[TensorType]:
    """The types of the results, which all branches share; Python numbers take those of other branches."""
    first = programs[0]
    for program, name in zip(programs[1:], names[1:], strict=True):
        if program.out_tree != first.out_tree:
            raise located(TraceError(f"{what}: {names[0]} returns {first.out_tree}, and {name} {program.out_tree}"))
    found = []
    for n, path in enumerate(tree.paths(first.out_tree)):
        types = [p.graph.outputs[n].type for p in programs]
        weak = [p.weak[n] for p in programs]
        firm = [i for i, w in enumerate(weak) if not w]
        leader = firm[0] if firm else max(range(len(types)), key=lambda i: _KINDS[types[i].dtype.kind])
        for i, type in enumerate(types):
            result = f"{what}: {names[leader]}{tree.format_path(path)} is {types[leader]}, and"
            if type.shape != types[leader].shape:
                raise located(ShapeError(f"{result} {names[i]}{tree.format_path(path)} is {type}"))
            fits = weak[i] and _KINDS[type.dtype.kind] <= _KINDS[types[leader].dtype.kind]
            if type.dtype != types[leader].dtype and not fits:
                raise located(DTypeError(f"{result} {names[i]}{tree.format_path(path)} is {type}: use astype"))
        found.append(types[leader])
    return found


def _kept(state: Any, program: TracedFunction, what: str) -> None:
    """Raise where a turn changes the structure or a type of the state."""
    leaves, treedef = tree.flatten(state)
    if program.out_tree != treedef:
        raise located(TraceError(f"{what}: init is {treedef}, and body_fn makes it {program.out_tree}"))
    made = zip(leaves, program.graph.outputs, program.weak, tree.paths(treedef), strict=True)
    for leaf, value, after_weak, path in made:
        type, weak = leaf_type(leaf)
        name = f"{what}: init{tree.format_path(path)}"
        if type.shape != value.type.shape:
            raise located(ShapeError(f"{name} is {type}, and after a turn {value.type}"))
        fits = weak or (after_weak and _KINDS[value.type.dtype.kind] <= _KINDS[type.dtype.kind])
        if type.dtype != value.type.dtype and not fits:
            raise located(DTypeError(f"{name} is {type}, and after a turn {value.type}: use astype"))


def _branch(program: TracedFunction, operands: tuple[Any, ...], active: Any, types: Sequence[TensorType]) -> Any:
    """The results of a branch in their tree; active: whether it is taken, None where it is for certain.

    The gradients of what goes in are selected too: they are 0 where the branch is not taken, whatever is in it.
    """
    given = [*tree.leaves((operands, {})), *program.captured]
    program = replace(program, captured=())
    if active is not None:
        masked = [_masked(x, active) for x in given]
        program, given = replace(program, graph=guarded(program.graph)), [active, *masked]
    trace = current()
    if trace is not None:
        given = [constant(trace, x) for x in given]
    found = zip(tree.leaves(inline(program, given)), types, program.weak, strict=True)
    leaves = [_typed(x, type, weak) for x, type, weak in found]
    return tree.unflatten(program.out_tree, leaves)


def _masked(x: Any, active: Any) -> Any:
    if not is_tracer(x) or x.weak or x.dtype.kind != "f":
        return x
    return np.where(active, x, stop_gradient(x))


def _typed(x: Tracer, type: TensorType, weak: bool) -> Any:
    return x.astype(type.dtype.numpy) if weak and x.value.type.dtype != type.dtype else x


def guarded(graph: Graph) -> Graph:
    """`graph` with one more input, the first: whether its indices count. Where it is false they all are in range."""
    active, builder = new_value(TensorType((), bool_), "active"), Builder.of(graph)
    builder.inputs.insert(0, active)

    def inside(builder: Builder, node: Node, env: Mapping[Value, Value]) -> Sequence[Value] | None:
        if node.op.name == "scan" or (node.op is call and not isinstance(node.attrs.get("rule"), CustomVjp)):
            attrs = {**node.attrs, "body": guarded(node.attrs["body"])}
            if node.op.name == "scan":
                attrs["consts"] += 1
            return builder.copy(replace(node, inputs=(active, *node.inputs), attrs=attrs), env)
        limit = allowed(node)
        if limit is None or limit[1][0] > limit[1][1]:
            return None
        ids, (low, high) = limit
        some = builder.constant(np.asarray(min(max(0, low), high), ids.type.dtype.numpy))
        return builder.copy(node, {ids: builder.apply(by_name("where"), active, ids, some)})

    return builder.build(rewrite_into(builder, graph, inside, {}))
