"""scan: the loop that stays inside a program."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any, SupportsIndex

import numpy as np

from graphc import tree
from graphc.errors import ArgumentError, DTypeError, ShapeError, TraceError
from graphc.ir.types import TensorType
from graphc.ops import by_name
from graphc.ops.structured import NO_BOUND
from graphc.taps import Collector, Tapped, collecting, collector
from graphc.tracing.core import constant, current, emit_all, is_tracer, located, owner, require_functions
from graphc.tracing.promote import converted
from graphc.tracing.settings import true_or_false
from graphc.tracing.trace import Spec, TracedFunction, leaf_type, trace_program
from graphc.tracing.tracer import Tracer

Step = Callable[[Any, Any], tuple[Any, Any]]


def scan(
    step: Step,
    carry: Any,
    xs: Any = None,
    length: SupportsIndex | None = None,
    reverse: bool = False,
    unroll: SupportsIndex | bool = 1,
) -> tuple[Any, Any]:
    """Run `step(carry, x) -> (carry, y)` for each slice x of `xs` along the first axis: (last carry, ys stacked).

    carry, xs and ys are trees of arrays; the carry keeps its structure, shapes and element types. Without xs (None) the
    loop runs `length` times and x is None. reverse: from the last slice to the first; ys stand where their x stood.
    unroll: so many steps are written out in one turn of the loop (True: all), which lets them fuse.
    In a trace the loop is one node of the program: `step` is traced once, however long the loop, and may use values
    around it. Gradients pass through. Called on plain arrays, with no trace running, it is a Python loop.

    Raises ShapeError where the first axes of xs differ, or the carry changes shape; DTypeError where it changes its
    element type; TraceError where it changes structure, or length or unroll is no such number; ArgumentError
    for more steps than 32 bits count. Source: jax.lax.scan.
    """
    require_functions("scan", step=step)
    try:
        true_or_false(reverse, "scan: reverse")
    except TraceError as error:
        raise located(error) from None
    reverse = bool(reverse)
    slices, xs_tree = tree.flatten(xs)
    count = _length(slices, length)
    at_once = min(count, _at_once(unroll, count))
    first, carry_tree = tree.flatten(carry)
    if current() is None and not any(map(is_tracer, [*first, *slices])):
        return _loop(step, carry, slices, xs_tree, count, reverse)
    outer = collector()
    if outer is not None:
        return _tapped(outer, step, carry, xs, count, reverse)
    if at_once > 1:
        return _unrolled(step, carry, slices, xs_tree, count, reverse, at_once)
    return _traced_scan(step, first, carry_tree, slices, xs_tree, count, reverse)


def until(step: Step, carry: Any, most: int) -> Any:
    """The last carry of a scan that may end before `most` steps: after one that leaves the last leaf of the carry, a
    bool, false, no step changes any. Tracing only; where statistics of each step are asked for, it makes all steps.
    """
    if collector() is not None:
        if most == NO_BOUND:
            raise located(TraceError("while_loop: with taps it needs a bound: give max_steps=..."))
        return scan(step, carry, None, length=most)[0]
    first, carry_tree = tree.flatten(carry)
    return _traced_scan(step, first, carry_tree, [], tree.structure(None), most, False, alive=len(first) - 1)[0]


def _traced_scan(
    step: Step,
    first: list[Any],
    carry_tree: tree.TreeDef,
    slices: list[Any],
    xs_tree: tree.TreeDef,
    count: int,
    reverse: bool,
    alive: int = -1,
) -> tuple[Any, Any]:
    start = [_spec(leaf) for leaf in first]
    program = _traced(step, start, carry_tree, slices, xs_tree)
    # A carry that begins as a Python number takes the element type that the first step gives it.
    made = program.graph.outputs
    settled = [Spec(s.shape, v.type.dtype.numpy) if s.weak else s for s, v in zip(start, made, strict=False)]
    if any(s.weak for s in start):
        program = _traced(step, settled, carry_tree, slices, xs_tree)
    _check_carry(program, settled, carry_tree)
    return _emit(program, settled, first, slices, {"length": count, "reverse": reverse} | _ends(alive))


def _ends(alive: int) -> dict[str, int]:
    return {"alive": alive} if alive >= 0 else {}


def _traced(
    step: Step, start: Sequence[Spec], carry_tree: tree.TreeDef, slices: list[Any], xs_tree: Any
) -> TracedFunction:
    """The program of one step: its inputs are the carry, one slice of each of xs, then what it closes over."""

    def one(given: Sequence[Any], taken: Sequence[Any]) -> tuple[Any, Any]:
        return _pair(step(tree.unflatten(carry_tree, given), tree.unflatten(xs_tree, taken)))

    taken = []
    for leaf in slices:
        type, _ = leaf_type(leaf)
        taken.append(Spec(type.shape[1:], type.dtype.numpy))
    program = trace_program(one, (list(start), taken), {})
    after = program.out_tree.children[0]
    if after != carry_tree:
        raise located(TraceError(f"scan: the carry is {carry_tree}, and step makes it {after}"))
    return program


def _pair(made: Any) -> tuple[Any, Any]:
    """What a step returned; raises TraceError where it is no pair."""
    if not isinstance(made, tuple) or len(made) != 2:
        what = f"a tuple of {len(made)}" if isinstance(made, tuple) else f"a {type(made).__name__}"
        raise located(TraceError(f"scan: step has to return a pair (carry, y), and returns {what}"))
    return made


def _check_carry(program: TracedFunction, start: Sequence[Spec], carry_tree: tree.TreeDef) -> None:
    for spec, value, path in zip(start, program.graph.outputs, tree.paths(carry_tree), strict=False):
        what = f"scan: carry{tree.format_path(path)}"
        if value.type.shape != spec.shape:
            raise located(ShapeError(f"{what} has shape {spec.shape}, and after a step {value.type.shape}"))
        if value.type.dtype.numpy != spec.dtype:
            raise located(DTypeError(f"{what} is {spec.dtype}, and after a step {value.type.dtype.numpy}: use astype"))


def _emit(
    program: TracedFunction, start: Sequence[Spec], first: list[Any], slices: list[Any], attrs: dict[str, Any]
) -> tuple[Any, Any]:
    """The node of the loop; its results in their trees."""
    trace = owner([*first, *slices, *program.captured]) if current() is None else current()
    assert trace is not None
    operands = [constant(trace, x) for x in program.captured]
    for leaf, spec in zip(first, start, strict=True):
        dtype = TensorType(spec.shape, leaf_type(spec)[0].dtype).dtype
        operands.append(
            converted(trace, leaf, dtype) if isinstance(leaf, bool | int | float) else constant(trace, leaf)
        )
        if operands[-1].value.type.dtype != dtype:
            operands[-1] = operands[-1].astype(dtype.numpy)
    operands += [constant(trace, x) for x in slices]
    graph, own = program.graph, len(first) + len(slices)
    body = type(graph)((*graph.inputs[own:], *graph.inputs[:own]), graph.constants, graph.nodes, graph.outputs)
    made = emit_all(
        by_name("scan"),
        *operands,
        trace=trace,
        body=body,
        consts=len(program.captured),
        carries=len(first),
        **attrs,
    )
    results: tuple[Any, Any] = tree.unflatten(program.out_tree, [Tracer(trace, x.value, False) for x in made])
    return results


def _spec(leaf: Any) -> Spec:
    type, weak = leaf_type(leaf)
    return Spec(type.shape, type.dtype.numpy, weak)


def _length(slices: list[Any], length: SupportsIndex | None) -> int:
    """How many steps there are; raises where xs do not agree."""
    lengths = []
    for leaf in slices:
        shape = np.shape(leaf) if not hasattr(leaf, "shape") else leaf.shape
        if not shape:
            raise located(ShapeError("scan: a leaf of xs is a scalar: it needs a first axis to take slices of"))
        lengths.append(int(shape[0]))
    if length is not None:
        lengths.append(_steps(length))
    if not lengths:
        raise located(TraceError("scan: without xs it needs a length"))
    if len(set(lengths)) > 1:
        raise located(ShapeError(f"scan: the first axes of xs and length differ: {sorted(set(lengths))}"))
    return lengths[0]


def _steps(length: Any) -> int:
    try:
        count = -1 if isinstance(length, bool) else operator.index(length)
    except TypeError:
        count = -1
    if count < 0:
        raise located(TraceError(f"scan: length {length!r} is no number of steps"))
    return countable(count, "scan: length")


def countable(steps: int, what: str) -> int:
    """So many steps of a loop; raises ArgumentError for more than 32 bits count."""
    if steps >= NO_BOUND:
        raise located(ArgumentError(f"{what} {steps} does not fit: a loop makes less than {NO_BOUND} steps"))
    return steps


class Shapes:
    """The structure and shapes of what a loop on plain arrays carries, which no step may change."""

    def __init__(self, start: Any) -> None:
        leaves, self.treedef = tree.flatten(start)
        self.shapes = list(map(_shape, leaves))

    def require(self, what: str, leaf: str, by: str, carried: Any) -> None:
        """Raise TraceError where a step changed the structure, ShapeError where it changed a shape.

        what: names all that is carried in a message, leaf: a leaf of it, by: what made the step.
        """
        leaves, treedef = tree.flatten(carried)
        if treedef != self.treedef:
            raise located(TraceError(f"{what} is {self.treedef}, and {by} makes it {treedef}"))
        after = list(map(_shape, leaves))
        if after == self.shapes:
            return
        for old, new, path in zip(self.shapes, after, tree.paths(treedef), strict=True):
            if old != new:
                text = f"{leaf}{tree.format_path(path)} has shape {old}, and after a step {new}"
                raise located(ShapeError(text))


def _shape(leaf: Any) -> tuple[int, ...]:
    return tuple(getattr(leaf, "shape", ()))


def _at_once(unroll: Any, count: int) -> int:
    """How many steps one turn of the loop makes."""
    if isinstance(unroll, bool):
        return count if unroll else 1
    try:
        found = operator.index(unroll)
    except TypeError:
        found = 0
    if found < 1:
        raise located(TraceError(f"scan: unroll {unroll!r} is no number of steps, True or False"))
    return found


def _unrolled(
    step: Step, carry: Any, slices: list[Any], xs_tree: tree.TreeDef, count: int, reverse: bool, at_once: int
) -> tuple[Any, Any]:
    """A loop each turn of which makes `at_once` steps, then one of the steps that are left over."""
    trace = current()
    rows = [x if trace is None else constant(trace, x) for x in slices]
    turns, left = divmod(count, at_once)
    begin, end = (left, count) if reverse else (0, count - left)
    blocks = [np.reshape(x[begin:end], (turns, at_once, *x.shape[1:])) for x in rows]

    def several(carry: Any, block: Any) -> tuple[Any, Any]:
        made: list[Any] = [None] * at_once
        for i in reversed(range(at_once)) if reverse else range(at_once):
            taken = tree.unflatten(xs_tree, [x[i] for x in tree.leaves(block)])
            carry, y = _pair(step(tree.map(copied, carry), taken))
            made[i] = tree.map(copied, y)
        return carry, _stacked(made)

    carry, ys = scan(several, carry, blocks, turns, reverse)
    ys = tree.map(lambda y: np.reshape(y, (turns * at_once, *y.shape[2:])), ys)
    if not left:
        return carry, ys
    rest = [x[:begin] if reverse else x[end:] for x in rows]
    carry, others = scan(step, carry, tree.unflatten(xs_tree, rest), left, reverse)
    return carry, tree.map(lambda a, b: np.concatenate([b, a] if reverse else [a, b]), ys, others)


def _stacked(rows: list[Any]) -> Any:
    """The ys of several steps as one tree of arrays with one more axis; raises TraceError where they differ."""
    treedef = tree.structure(rows[0])
    for row in rows:
        if tree.structure(row) != treedef:
            raise located(TraceError(f"scan: y is {treedef} after one step, and {tree.structure(row)} after another"))
    columns = list(zip(*(tree.leaves(row) for row in rows), strict=True))
    for column, path in zip(columns, tree.paths(treedef), strict=True):
        for other in column:
            if _shape(other) != _shape(column[0]):
                text = f"has shape {_shape(column[0])} after one step, and {_shape(other)} after another"
                raise located(ShapeError(f"scan: y{tree.format_path(path)} {text}"))
    return tree.unflatten(treedef, [np.stack(column) for column in columns])


def _tapped(outer: Collector, step: Step, carry: Any, xs: Any, count: int, reverse: bool) -> tuple[Any, Any]:
    """The loop with the taps of its steps: their zeros are slices, their statistics are stacked."""
    tapped: dict[str, Tapped] = {}

    def probe(carry: Any, x: Any) -> tuple[Any, Any]:
        with collecting(inner := Collector(None)):
            made = step(carry, x)
        tapped.update(inner.found)
        return made

    with collecting(None):
        results = scan(probe, carry, xs, count, reverse)
    if outer.zeros is None or not tapped:
        outer.add({name: x.repeated(count) for name, x in tapped.items()})
        return results

    def measured(carry: Any, given: Any) -> tuple[Any, Any]:
        x, zeros = given
        with collecting(inner := Collector(zeros)):
            carry, y = step(carry, x)
        return carry, (y, inner.found)

    zeros = {name: outer.zeros[name] for name in tapped}
    with collecting(None):
        last, (ys, statistics) = scan(measured, carry, (xs, zeros), count, reverse)
    outer.add(statistics)
    return last, ys


def copied(leaf: Any) -> Any:
    """A leaf of its own: what a step changes in place is no array of the caller's, and no y of an earlier step."""
    return leaf.copy() if isinstance(leaf, np.ndarray) or is_tracer(leaf) else leaf


def _loop(
    step: Step,
    carry: Any,
    slices: list[Any],
    xs_tree: tree.TreeDef,
    count: int,
    reverse: bool,
) -> tuple[Any, Any]:
    """The loop on plain arrays."""
    if count == 0:
        from graphc.eager import run_now

        return run_now(lambda c, x: scan(step, c, tree.unflatten(xs_tree, x), 0, reverse), [carry, slices])  # type: ignore[no-any-return]  # trees
    rows: list[Any] = []
    carry, shapes = tree.map(copied, carry), Shapes(carry)
    for i in reversed(range(count)) if reverse else range(count):
        carry, y = _pair(step(carry, tree.unflatten(xs_tree, [copied(x[i]) for x in slices])))
        rows.append(tree.map(copied, y))
        shapes.require("scan: the carry", "scan: carry", "step", carry)
    if reverse:
        rows.reverse()
    return carry, _stacked([tree.map(np.asarray, row) for row in rows])
