"""Reverse-mode differentiation: a Graph becomes a Graph that also computes gradients.

The forward nodes stay, in order. Then the nodes whose value reaches the loss and depends on the inputs asked for are
walked in reverse, and the vjp rule of each op adds its backward nodes. There is no recursion over the graph, so deep
graphs are no trouble; the result is a plain graph and can be differentiated again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from graphc.analysis.loops import is_loop, trim
from graphc.autodiff.cotangent_masks import Kept, kept_by
from graphc.autodiff.linearize import Reverse, back_from, ends_early, linearize, with_flags
from graphc.errors import DTypeError, GraphError, ShapeError
from graphc.ir.graph import BACKWARD, Builder, Graph, Node, Source, Value, prune, renamed
from graphc.ir.op import NotDifferentiable
from graphc.ir.rewriting import inline_bodies, rewrite_into
from graphc.ir.scan import Scan
from graphc.ir.types import DType, TensorType
from graphc.ops import by_name
from graphc.ops.structured import NO_BOUND, Checkpoint, CustomVjp, barrier, call, fused
from graphc.tracing.trace import Tracer, wrap


def differentiate(graph: Graph, wrt: Sequence[int]) -> Graph:
    """The graph with one more output for each i in `wrt`: the gradient of outputs[0] with respect to inputs[i].

    outputs[0] is a float scalar (shape ()); a gradient has the type of its input, and is zero where the loss does not
    depend on it. Backward nodes carry the source lines of their forward node, with the phase "backward".
    Raises ShapeError or DTypeError if outputs[0] or one of the inputs cannot be differentiated, and GraphError for a
    graph that is already fused.
    """
    if not graph.outputs:
        raise ShapeError("gradient: the function returns nothing to differentiate")
    loss = graph.outputs[0]
    if loss.type.shape != ():
        raise ShapeError(f"gradient: needs a function that returns a scalar, got {loss.type}: sum or average it")
    if not _is_float(loss.type):
        raise DTypeError(f"gradient: needs a function that returns a float, got {loss.type}")
    for i in wrt:
        if not _is_float(graph.inputs[i].type):
            raise DTypeError(f"gradient: {graph.inputs[i]!r} is not of a float type, so it has no gradient")
    sweep = _Sweep(graph, wrt, (0,))
    one = sweep.builder.constant(np.ones((), loss.type.dtype.numpy))
    sweep.contribute(sweep.loss_key(0), one)
    sweep.backward()
    gradients = [sweep.gradient(i) for i in wrt]
    return prune(sweep.builder.build([*sweep.forward_outputs(), *gradients]))


def pullback(graph: Graph, wrt: Sequence[int]) -> Graph:
    """The vector-Jacobian product of a graph, as a graph.

    Its inputs are those of `graph`, then a cotangent for each float output; its outputs are the gradients of
    inputs[i] for i in `wrt`. It computes what it needs of the forward values itself.
    """
    joint = with_pullback(graph, wrt)
    return prune(replace(joint, outputs=joint.outputs[len(graph.outputs) :]))


def with_pullback(graph: Graph, wrt: Sequence[int], roots: Sequence[int] | None = None) -> Graph:
    """The outputs of a graph, then those of its `pullback`; its inputs are those of the pullback.

    roots: the outputs that have a cotangent, where they are of a float type; all of them by default.
    """
    chosen = range(len(graph.outputs)) if roots is None else roots
    sweep = _Sweep(graph, wrt, chosen)
    for position in chosen:
        output = graph.outputs[position]
        if _is_float(output.type):
            sweep.contribute(sweep.loss_key(position), sweep.builder.input(output.type))
    sweep.backward()
    return sweep.builder.build([*sweep.forward_outputs(), *(sweep.gradient(i) for i in wrt)])


def pushforward(graph: Graph, wrt: Sequence[int]) -> Graph:
    """The Jacobian-vector product of a graph, as a graph: forward mode.

    Its inputs are those of `graph`, then a tangent for each i in `wrt`; its outputs are those of `graph`, then a
    tangent for each of them that is a float. It is the pullback of the pullback, which is linear in its cotangents:
    they are read by nothing that is left, and zeros where a rule names one though it needs no number of it.
    """
    joint = with_pullback(graph, wrt)
    count, first = len(graph.outputs), len(graph.inputs)
    cotangents, roots = range(first, len(joint.inputs)), range(count, len(joint.outputs))
    sweep = _Sweep(joint, cotangents, roots)
    tangents = [sweep.builder.input(graph.inputs[i].type) for i in wrt]
    for position, tangent in zip(roots, tangents, strict=True):
        sweep.contribute(sweep.loss_key(position), tangent)
    sweep.backward()
    outputs = [*sweep.forward_outputs()[:count], *(sweep.gradient(i) for i in cotangents)]
    made = prune(sweep.builder.build(outputs))
    builder = Builder()
    builder.inputs = [*made.inputs[:first], *tangents]
    zeros = [_zeros(builder, joint.inputs[i].type) for i in cotangents]
    return trim(builder.build(builder.inline(made, [*made.inputs[:first], *zeros, *tangents])))


def parted(graph: Graph, given: int, made: int) -> tuple[Graph, Graph]:
    """A graph in two parts: what depends on inputs[given:] comes late, and outputs[:made] do not.

    early: inputs[:given] -> outputs[:made], then what the late part needs. late: that, then inputs[given:] ->
    outputs[made:].
    """
    late = set(graph.inputs[given:])
    first, last = [], []
    for node in graph.nodes:
        if late.isdisjoint(node.inputs):
            first.append(node)
        else:
            last.append(node)
            late.update(node.outputs)
    read = [*(v for node in last for v in node.inputs), *graph.outputs[made:]]
    needed = [v for v in dict.fromkeys(read) if v not in late and v not in graph.constants]
    early = Graph(graph.inputs[:given], graph.constants, tuple(first), (*graph.outputs[:made], *needed))
    after = Graph((*needed, *graph.inputs[given:]), graph.constants, tuple(last), graph.outputs[made:])
    return prune(early), prune(after)


class _Sweep:
    """One forward and backward walk over a graph.

    Cotangents are keyed by the values of the graph being differentiated. `env` gives what such a value is in the
    graph being built: the same object, except where a `call` was replaced by the forward part of its rule.
    """

    def __init__(self, graph: Graph, wrt: Sequence[int], roots: Sequence[int]) -> None:
        self.graph = inline_bodies(graph, lambda node: node.op is call and node.attrs.get("rule") is None)
        self.builder = Builder.of(self.graph)
        self.env: dict[Value, Value] = {}
        self.residuals: dict[Node, list[Value]] = {}
        self.reverses: dict[Node, Reverse] = {}
        self.cotangents: dict[Value, Value] = {}
        self.kept: dict[Value, Kept | None] = {}
        self.active: set[Value] = {self.graph.inputs[i] for i in wrt}
        self.tape: list[Node] = []
        self._forward(_reaching(self.graph, [self.graph.outputs[i] for i in roots]))

    def loss_key(self, position: int) -> Value:
        """The key of the cotangent of an output."""
        return self.graph.outputs[position]

    def forward_outputs(self) -> list[Value]:
        """The outputs of the graph, in the graph being built."""
        return list(renamed(self.graph.outputs, self.env))

    def _forward(self, useful: set[Node]) -> None:
        """Add the nodes, and note those to differentiate: they depend on the inputs asked for and reach a root."""

        def noted(builder: Builder, node: Node, env: Mapping[Value, Value]) -> Sequence[Value] | None:
            if node not in useful or self.active.isdisjoint(node.inputs) or not _differentiable(node):
                return None
            self.tape.append(node)
            self.active.update(v for v in node.outputs if _is_float(v.type))
            rule, arguments = node.attrs.get("rule") if node.op is call else None, renamed(node.inputs, env)
            if is_loop(node):
                results = self._forward_loop(node, arguments)
            elif isinstance(rule, CustomVjp):
                results = builder.inline(rule.fwd, arguments, partial(_or_else, node.source))
            else:
                return None
            self.residuals[node] = list(results[len(node.outputs) :])
            return results[: len(node.outputs)]

        rewrite_into(self.builder, self.graph, noted, self.env)

    def backward(self) -> None:
        """Walk the tape in reverse, from the cotangents contributed so far."""
        for node in reversed(self.tape):
            if not any(v in self.cotangents for v in node.outputs):
                continue
            with self.builder.at(Source(node.source.lines, BACKWARD, node.source.scope)):
                gradients = self._pull(node)
                wanted = [g if v in self.active else None for g, v in zip(gradients, node.inputs, strict=True)]
                here = replace(node, inputs=renamed(node.inputs, self.env))
                kept = kept_by(self.builder, here, self.kept.get(node.outputs[0]), wanted)
                for value, gradient, part in zip(node.inputs, wanted, kept, strict=True):
                    if gradient is not None:
                        self.contribute(value, gradient, part)

    def contribute(self, value: Value, gradient: Value, kept: Kept | None = None) -> None:
        """Add `gradient` to the cotangent of `value`, brought to its shape and element type."""
        gradient = _fit(self.builder, gradient, value.type)
        if value in self.cotangents:
            gradient = self.builder.apply(by_name("add"), self.cotangents[value], gradient)
            kept = kept if kept == self.kept.get(value) else None
        self.cotangents[value] = gradient
        self.kept[value] = kept

    def gradient(self, position: int) -> Value:
        """The cotangent of an input; zeros where nothing was contributed to it."""
        value = self.graph.inputs[position]
        return self.cotangents.get(value) or _zeros(self.builder, value.type)

    def _pull(self, node: Node) -> list[Value | None]:
        """A gradient for each input of `node`, or None."""
        if is_loop(node):
            return self._pull_loop(node)
        rule = node.attrs.get("rule") if node.op is call else None
        if isinstance(rule, CustomVjp):
            return self._pull_custom(node, rule)
        if isinstance(rule, Checkpoint):
            return self._pull_checkpoint(node)
        return self._pull_rule(node)

    def _cotangent(self, output: Value) -> Value:
        return self.cotangents.get(output) or _zeros(self.builder, output.type)

    def _pull_custom(self, node: Node, rule: CustomVjp) -> list[Value | None]:
        cotangents = [self._cotangent(v) for v in node.outputs]
        found = iter(self.builder.inline(rule.bwd, [*self.residuals[node], *cotangents], self._backward_source))
        return [next(found) if has else None for has in rule.has_grad]

    def _pull_checkpoint(self, node: Node) -> list[Value | None]:
        wanted = [i for i, v in enumerate(node.inputs) if v in self.active]
        again = [self.builder.apply(barrier, v) for v in renamed(node.inputs, self.env)]
        cotangents = [self._cotangent(v) for v in node.outputs if _is_float(v.type)]
        body = pullback(node.attrs["body"], wanted)
        found = self.builder.inline(body, [*again, *cotangents], self._backward_source)
        gradients: list[Value | None] = [None] * len(node.inputs)
        for i, value in zip(wanted, found, strict=True):
            gradients[i] = value
        return gradients

    def _forward_loop(self, node: Node, arguments: Sequence[Value]) -> Sequence[Value]:
        """The results of a loop that also stacks what its gradient needs."""
        if node.attrs["length"] == NO_BOUND:
            what = "the gradient of a while_loop needs to know how many turns there are at most: give max_steps=..."
            raise GraphError(f"{what}{node.source.at}")
        loop, body = Scan.of(node), node.attrs["body"]
        carried = loop.operands(range(len(body.inputs))).carries
        wanted = [
            i
            for i, (inner, outer) in enumerate(zip(body.inputs, node.inputs, strict=True))
            if _is_float(inner.type) and (i in carried or outer in self.active)
        ]
        joint = with_pullback(body, wanted)
        reverse = self.reverses[node] = linearize(node, joint, wanted)
        return self.builder.add(node.op, *arguments, **{**node.attrs, "body": with_flags(node, reverse.forward)})

    def _pull_loop(self, node: Node) -> list[Value | None]:
        """The loop that goes back over the steps: it carries the cotangent of the carry, and sums those of consts."""
        reverse, loop = self.reverses[node], Scan.of(node)
        given = loop.operands(renamed(node.inputs, self.env))
        cotangents = [self._cotangent(v) for v in node.outputs if _is_float(v.type)]
        ends = sum(_is_float(v.type) for v in loop.results(node.outputs).carries)
        sums = [_zeros(self.builder, node.inputs[i].type) for i in reverse.wanted if i < loop.consts]
        carried, residuals = [*cotangents[:ends], *sums], self.residuals[node]
        if ends_early(node):
            stacks, flags = [*residuals[:-1], *cotangents[ends:]], residuals[-1]
            found = back_from(self.builder, node, reverse.backward, given.constants, carried, stacks, flags)
        else:
            found = self.builder.add(
                node.op,
                *(*given.constants, *carried, *given.xs, *residuals, *cotangents[ends:]),
                **Scan(reverse.backward, loop.length, loop.consts, len(carried), not loop.reverse).attrs,
            )
        gradients: list[Value | None] = [None] * len(node.inputs)
        for i, value in zip(reverse.order, found, strict=True):
            gradients[i] = value
        return gradients

    def _backward_source(self, source: Source) -> Source:
        """The source of a node of a body that is copied into the backward pass."""
        return replace(source, lines=source.lines or self.builder.source.lines, phase=BACKWARD)

    def _pull_rule(self, node: Node) -> list[Value | None]:
        """Run the vjp rule of the op. For an op with several outputs, g and out are tuples."""
        if isinstance(node.op.vjp, NotDifferentiable):
            raise GraphError(f"gradient: {node.op.name} is not differentiable: {node.op.vjp.reason}")
        g = tuple(wrap(self.builder, self._cotangent(v)) for v in node.outputs)
        out = tuple(wrap(self.builder, v) for v in renamed(node.outputs, self.env))
        inputs = [wrap(self.builder, v) for v in renamed(node.inputs, self.env)]
        single = len(node.outputs) == 1
        start = len(self.builder.nodes)
        found = node.op.vjp(g[0] if single else g, out[0] if single else out, *inputs, **node.attrs)
        source = self.builder.source
        self.builder.nodes[start:] = [replace(n, source=source) for n in self.builder.nodes[start:]]
        return [_as_value(self.builder, x, v.type.dtype) for x, v in zip(found, node.inputs, strict=True)]


def _or_else(other: Source, source: Source) -> Source:
    return source if source.lines else other


def _is_float(type: TensorType) -> bool:
    return type.dtype.kind == "float"


def _differentiable(node: Node) -> bool:
    if node.op is fused:
        raise GraphError("gradient: the graph is already fused; differentiate it before the passes run")
    if node.op is call:
        return True
    if is_loop(node):
        return any(_is_float(v.type) for v in node.outputs)
    return not isinstance(node.op.vjp, NotDifferentiable) and any(_is_float(v.type) for v in node.outputs)


def _reaching(graph: Graph, roots: Sequence[Value]) -> set[Node]:
    """The nodes on which one of the roots depends."""
    live, found = set(roots), set()
    for node in reversed(graph.nodes):
        if not live.isdisjoint(node.outputs):
            found.add(node)
            live.update(node.inputs)
    return found


def _as_value(builder: Builder, gradient: Any, dtype: DType) -> Value | None:
    """What a rule returned as a value of the graph being built."""
    if gradient is None:
        return None
    if isinstance(gradient, Tracer):
        return gradient.value
    return builder.constant(np.asarray(gradient, dtype.numpy))


def _zeros(builder: Builder, type: TensorType) -> Value:
    zero = builder.constant(np.zeros((), type.dtype.numpy))
    return zero if type.shape == () else builder.apply(by_name("broadcast_to"), zero, shape=type.shape)


def _fit(builder: Builder, gradient: Value, type: TensorType) -> Value:
    """`gradient` summed over the axes along which an operand of this type was broadcast, in its element type."""
    shape = gradient.type.shape
    if shape != type.shape and len(shape) >= type.ndim:
        extra = len(shape) - type.ndim
        stretched = [extra + i for i, n in enumerate(type.shape) if n == 1 and shape[extra + i] != 1]
        axes = (*range(extra), *stretched)
        if axes:
            gradient = builder.apply(by_name("sum"), gradient, axes=axes, keepdims=False)
        if gradient.type.size == type.size and gradient.type.shape != type.shape:
            gradient = builder.apply(by_name("reshape"), gradient, shape=type.shape)
    if gradient.type.shape != type.shape:
        gradient = builder.apply(by_name("broadcast_to"), gradient, shape=type.shape)
    if gradient.type.dtype != type.dtype:
        gradient = builder.apply(by_name("cast"), gradient, dtype=type.dtype)
    return gradient
