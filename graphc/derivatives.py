"""Derivatives that are no gradients: products with Jacobians from either side, and whole Jacobians and Hessians.

Forward mode has no rules of its own. The product of a Jacobian with a cotangent (reverse mode) is linear in the
cotangent, and its own transpose is the product with a tangent: what the first transposition computed for cotangents is
then read by nothing, and falls away.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc import tree
from graphc.autodiff.jacobian import forward_jacobian, reverse_jacobian
from graphc.autodiff.reverse import parted, pushforward, with_pullback
from graphc.eager import run_now
from graphc.errors import DTypeError, GraphcError, ShapeError, TraceError
from graphc.ir.graph import Graph
from graphc.passes.attention import raise_attention
from graphc.tracing.core import current, is_tracer, located, require_functions
from graphc.tracing.trace import TracedFunction, inline, leaf_type, trace_program
from graphc.transforms import Function, Positions, called_with, opened, positions_of, require_float_argument


def jvp(fn: Function, primals: Sequence[Any], tangents: Sequence[Any], has_aux: bool = False) -> Any:
    """(fn(*primals), its derivative along the tangents): the Jacobian times a vector, in forward mode.

    primals, tangents: a tuple with one tree of floats for each argument, of equal structures and shapes. The derivative
    has the structure of the result; it is 0 for integers in it. With has_aux, `fn` returns (value, aux), and the result
    is (value, derivative, aux). Raises TraceError, ShapeError and DTypeError for what does not fit. Source: jax.jvp.
    """
    if not isinstance(primals, tuple | list) or not isinstance(tangents, tuple | list):
        raise located(TraceError("jvp: primals and tangents are tuples, with one entry for each argument"))
    require_functions("jvp", fn=fn)
    given, directions = _matched("jvp", "tangent", primals, tangents)
    if _traced(given, directions):
        return _jvp(fn, has_aux, tree.structure(tuple(primals)), given, directions)
    treedef = tree.structure(tuple(primals))
    return run_now(
        lambda *leaves: _jvp(fn, has_aux, treedef, leaves[: len(given)], leaves[len(given) :]), [*given, *directions]
    )


def _jvp(fn: Function, has_aux: bool, treedef: tree.TreeDef, given: Sequence[Any], directions: Sequence[Any]) -> Any:
    traced = _Traced.of("jvp", fn, has_aux, treedef, given)
    graph = traced.program.graph
    found = _put(pushforward(graph, range(len(given))), [*given, *traced.program.captured, *directions])
    value, aux = traced.results(found)
    derivative = tree.unflatten(traced.value_tree, traced.of_floats(found[len(graph.outputs) :]))
    return (value, derivative, aux) if has_aux else (value, derivative)


def vjp(fn: Function, *primals: Any, has_aux: bool = False) -> Any:
    """(fn(*primals), pull), where pull(cotangent) is the cotangent times the Jacobian, in reverse mode.

    The cotangent has the structure and shapes of the result; pull gives a tuple with one tree for each argument. What
    the function computed is kept for it, so it may be called many times. With has_aux, `fn` returns (value, aux), and
    the result is (value, pull, aux). Raises as `jvp`. Source: jax.vjp.
    """

    def joint(traced: _Traced, count: int) -> Graph:
        # Attention is differentiated as one operation, as gradients do it.
        return with_pullback(raise_attention(traced.program.graph), range(count), traced.values)

    def pull(late: _Late, cotangent: Any) -> Any:
        _, found = _matched("vjp", "cotangent", late.value, cotangent, floats=False)
        return tree.unflatten(
            late.in_tree, late([x for x, is_float in zip(found, late.floats, strict=True) if is_float])
        )

    return _linear("vjp", fn, primals, has_aux, joint, pull)


def linearize(fn: Function, *primals: Any, has_aux: bool = False) -> Any:
    """(fn(*primals), push), where push(*tangents) is the derivative along them: what `jvp` gives, of a linear function.

    What the function computed is kept for it, so it may be called many times. Otherwise as `jvp`, and with has_aux as
    `vjp`. Source: jax.linearize.
    """

    def joint(traced: _Traced, count: int) -> Graph:
        return pushforward(traced.program.graph, range(count))

    def push(late: _Late, *tangents: Any) -> Any:
        _, directions = _matched("linearize", "tangent", tree.unflatten(late.in_tree, late.primals), tangents)
        made = iter(late(directions))
        leaves = [
            next(made) if is_float else np.zeros_like(x)
            for x, is_float in zip(tree.leaves(late.value), late.floats, strict=True)
        ]
        return tree.unflatten(late.value_tree, leaves)

    return _linear("linearize", fn, primals, has_aux, joint, push)


def jacfwd(fn: Function, argnums: Positions = 0, has_aux: bool = False) -> Function:
    """The Jacobian of `fn` with respect to its arguments `argnums`, in forward mode: right for few inputs.

    The result has the structure of what `fn` returns, with the structure of the argument (a tuple of them where argnums
    is one) in the place of each leaf, and derivatives [*shape of the result, *shape of the argument]. With has_aux,
    `fn` returns (value, aux) and the result is (Jacobian, aux). Raises DTypeError where results or arguments are no
    floats. Source: jax.jacfwd.
    """
    return _jacobian("jacfwd", fn, argnums, has_aux)


def jacrev(fn: Function, argnums: Positions = 0, has_aux: bool = False) -> Function:
    """The Jacobian of `fn` as `jacfwd` gives it, in reverse mode: right for few results. Source: jax.jacrev."""
    return _jacobian("jacrev", fn, argnums, has_aux)


def hessian(fn: Function, argnums: Positions = 0, has_aux: bool = False) -> Function:
    """The second derivatives of `fn`: `jacfwd` of `jacrev`, [*result, *argument, *argument]. Source: jax.hessian."""
    require_functions("hessian", fn=fn)
    return jacfwd(jacrev(fn, argnums, has_aux), argnums, has_aux)


def _jacobian(name: str, fn: Function, argnums: Positions, has_aux: bool) -> Function:
    require_functions(name, fn=fn)

    @functools.wraps(fn)
    def jacobian(*args: Any, **kwargs: Any) -> Any:
        chosen = positions_of(argnums, len(args), name)
        if _traced(tree.leaves((args, kwargs))):
            return _differentiated(name, fn, argnums, has_aux, *args, **kwargs)
        inner = functools.partial(_differentiated, name, fn, argnums, has_aux)
        leaves, rebuild = opened((args, kwargs), {0: set(chosen)})
        return run_now(lambda *given: called_with(inner, rebuild(given)), leaves)

    return jacobian


def _differentiated(name: str, fn: Function, argnums: Positions, has_aux: bool, /, *args: Any, **kwargs: Any) -> Any:
    """The Jacobian inside a running trace."""
    asked = positions_of(argnums, len(args), name)
    positions = tuple(dict.fromkeys(asked))
    subject, treedef = tree.flatten(tuple(args[i] for i in positions))
    for leaf, path in zip(subject, tree.paths(treedef), strict=True):
        require_float_argument(leaf, positions[path[0]], path[1:], name)

    def varied(*chosen: Any) -> Any:
        parts = dict(zip(positions, chosen, strict=True))
        return fn(*(parts.get(i, a) for i, a in enumerate(args)), **kwargs)

    traced = _Traced.of(name, functools.wraps(fn)(varied), has_aux, treedef, subject)
    graph, operands = traced.program.graph, [*subject, *traced.program.captured]
    for path, value in zip(tree.paths(traced.value_tree), graph.outputs, strict=False):
        if value.type.dtype.kind != "float":
            raise located(DTypeError(f"{name}: result{tree.format_path(path)} is {value.type}: needs a float type"))
    results = _put(graph, operands)
    values = Graph(graph.inputs, graph.constants, graph.nodes, graph.outputs[: traced.count])
    if name == "jacfwd":
        columns = [_put(forward_jacobian(values, i), operands) for i in range(len(subject))]
        rows = [[column[j] for column in columns] for j in range(traced.count)]
    else:
        raised = raise_attention(values)
        rows = [[*_put(reverse_jacobian(raised, j, range(len(subject))), operands)] for j in range(traced.count)]

    def of_arguments(row: list[Any]) -> Any:
        parts = tree.unflatten(treedef, row)
        found = tuple(parts[positions.index(i)] for i in asked)
        return found if isinstance(argnums, Sequence) else found[0]

    made = tree.unflatten(traced.value_tree, [of_arguments(row) for row in rows])
    return (made, traced.results(results)[1]) if has_aux else made


@dataclass(frozen=True, slots=True)
class _Traced:
    """A function traced with its float arguments as inputs.

    count: how many outputs are the value, which come before those of aux. floats: which of these are of a float type.
    """

    program: TracedFunction
    value_tree: tree.TreeDef
    aux_tree: tree.TreeDef | None

    @classmethod
    def of(cls, name: str, fn: Function, has_aux: bool, treedef: tree.TreeDef, leaves: Sequence[Any]) -> _Traced:
        """Trace `fn`, whose arguments are a tree with these leaves; raises TraceError where there is no aux to give."""
        program = trace_program(lambda *given: fn(*tree.unflatten(treedef, given)), tuple(leaves), {})
        out = program.out_tree
        if not has_aux:
            return cls(program, out, None)
        if out.kind != "tuple" or len(out.children) != 2:
            title = getattr(fn, "__name__", "fn")
            raise located(TraceError(f"{name}: {title} returns {out}: has_aux needs a pair (value, aux)"))
        return cls(program, *out.children)

    @property
    def count(self) -> int:
        return self.value_tree.num_leaves

    @property
    def values(self) -> range:
        return range(self.count)

    @property
    def floats(self) -> list[bool]:
        return [v.type.dtype.kind == "float" for v in self.program.graph.outputs[: self.count]]

    def results(self, found: Sequence[Any]) -> tuple[Any, Any]:
        """(value, aux) of the outputs of the graph."""
        value = tree.unflatten(self.value_tree, found[: self.count])
        if self.aux_tree is None:
            return value, None
        return value, tree.unflatten(self.aux_tree, found[self.count : self.count + self.aux_tree.num_leaves])

    def of_floats(self, derivatives: Sequence[Any]) -> list[Any]:
        """A derivative for each leaf of the value: those given for floats, zeros for others."""
        found = iter(derivatives)
        outputs = self.program.graph.outputs[: self.count]
        return [
            next(found) if is_float else np.zeros(v.type.shape, v.type.dtype.numpy)
            for v, is_float in zip(outputs, self.floats, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class _Late:
    """The linear part of a function, and what it needs of the rest."""

    graph: Graph
    residuals: Sequence[Any]
    primals: Sequence[Any]
    in_tree: tree.TreeDef
    value: Any
    value_tree: tree.TreeDef
    floats: Sequence[bool]

    def __call__(self, leaves: Sequence[Any]) -> Sequence[Any]:
        """Its outputs: in the running trace, or at once on arrays."""
        given = [*self.residuals, *leaves]
        if _traced(given):
            return _put(self.graph, given)
        found: Sequence[Any] = run_now(lambda *x: _put(self.graph, x), given)
        return found


def _linear(
    name: str,
    fn: Function,
    primals: tuple[Any, ...],
    has_aux: bool,
    joint: Callable[[_Traced, int], Graph],
    apply: Callable[..., Any],
) -> Any:
    """(value, the linear part as a function), and aux."""
    require_functions(name, fn=fn)
    leaves, treedef = tree.flatten(primals)
    for leaf, path in zip(leaves, tree.paths(treedef), strict=True):
        require_float_argument(leaf, path[0], path[1:], name)
    kept: list[tuple[_Traced, Graph]] = []

    def early(*given: Any) -> Any:
        traced = _Traced.of(name, fn, has_aux, treedef, given)
        inputs = [*given, *traced.program.captured]
        made = len(traced.program.graph.outputs)
        first, last = parted(joint(traced, len(given)), len(inputs), made)
        kept.append((traced, last))
        found = _put(first, inputs)
        value, aux = traced.results(found)
        return value, aux, list(found[made:])

    value, aux, residuals = early(*leaves) if _traced(leaves) else run_now(early, leaves)
    traced, last = kept[-1]
    late = _Late(last, residuals, leaves, treedef, value, traced.value_tree, traced.floats)
    linear = functools.partial(apply, late)
    return (value, linear, aux) if has_aux else (value, linear)


def _put(graph: Graph, operands: Sequence[Any]) -> tuple[Any, ...]:
    """The outputs of a graph, whose nodes are put where tracing stands now."""
    count = len(graph.outputs)
    several = tree.structure((0,) * count)
    made: tuple[Any, ...] = inline(TracedFunction(graph, several, several, (), (False,) * count), operands)
    return made


def _traced(*leaves: Sequence[Any]) -> bool:
    return current() is not None or any(is_tracer(x) for group in leaves for x in group)


def _matched(name: str, what: str, primal: Any, other: Any, floats: bool = True) -> tuple[list[Any], list[Any]]:
    """The leaves of two trees of equal structures and shapes; raises where they differ."""
    primal = tuple(primal) if floats else primal
    other = tuple(other) if floats else other
    leaves, treedef = tree.flatten(primal)
    found, other_tree = tree.flatten(other)
    if treedef != other_tree:
        raise located(TraceError(f"{name}: the {what} is {other_tree}, and stands for {treedef}"))
    for leaf, x, path in zip(leaves, found, tree.paths(treedef), strict=True):
        if floats:
            require_float_argument(leaf, path[0], path[1:], name)
        try:
            type, got = leaf_type(leaf)[0], leaf_type(x)[0]
        except GraphcError as error:
            raise located(error.__class__(f"{name}: the {what}{tree.format_path(path)} {error}")) from None
        if type.shape != got.shape:
            text = f"{name}: the {what}{tree.format_path(path)} is {got}, and stands for {type}: needs its shape"
            raise located(ShapeError(text))
    return leaves, found
