"""Batching: a Graph for one example becomes a Graph for many.

Values that depend on mapped inputs get a first axis, that of the examples; all others are computed once. The batching
rule of each op gives its nodes (`graphc/ops/batching.py`); an op without one runs in a loop over the examples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from graphc.errors import GraphError
from graphc.ir.graph import Builder, Graph, Node, Value, new_value, renamed
from graphc.ir.op import Op, Shared
from graphc.ir.rewriting import inline_bodies, rewrite_into
from graphc.ir.scan import Scan
from graphc.ir.types import TensorType
from graphc.ops import by_name
from graphc.ops.batching import rule_of
from graphc.ops.structured import call, fused
from graphc.tracing.trace import Tracer, wrap


def batched(
    graph: Graph, size: int, mapped: Sequence[bool], every: Sequence[bool] | None = None
) -> tuple[Graph, tuple[bool, ...]]:
    """The graph for `size` examples, and which of its outputs are mapped, those in `every` in any case.

    mapped: which inputs have the examples along a first axis; the others are the same for all. Raises GraphError for a
    graph that is already fused.
    """
    graph = inline_bodies(graph, lambda node: node.op is call and node.attrs.get("rule") is None)
    found = {value for value, is_mapped in zip(graph.inputs, mapped, strict=True) if is_mapped}
    env = {value: new_value(_of_examples(value.type, size), value.hint) for value in graph.inputs if value in found}
    builder = Builder.of(replace(graph, inputs=renamed(graph.inputs, env)))

    def for_all(builder: Builder, node: Node, env: Mapping[Value, Value]) -> Sequence[Value] | None:
        if found.isdisjoint(node.inputs):
            return None
        results = _applied(builder, node, size, env, found)
        found.update(v for v, made in zip(node.outputs, results, strict=True) if not isinstance(made, Shared))
        return [made.x if isinstance(made, Shared) else made for made in results]

    outputs = list(rewrite_into(builder, graph, for_all, env))
    flags = [value in found for value in graph.outputs]
    for i, value in enumerate(graph.outputs):
        if every is not None and every[i] and not flags[i]:
            outputs[i] = builder.apply(by_name("broadcast_to"), outputs[i], shape=(size, *value.type.shape))
            flags[i] = True
    return builder.build(outputs), tuple(flags)


def _of_examples(type: TensorType, size: int) -> TensorType:
    return TensorType((size, *type.shape), type.dtype)


@dataclass(frozen=True, slots=True)
class _Batch:
    """What a rule is told: see `graphc.ir.op.Batch`."""

    op: Op
    size: int
    mapped: tuple[bool, ...]

    def graph(self, body: Graph, mapped: Sequence[bool], every: Sequence[bool]) -> tuple[Graph, tuple[bool, ...]]:
        """A body for all examples."""
        return batched(body, self.size, mapped, every)

    def summed(self, body: Graph, chosen: Sequence[bool]) -> Graph:
        """A body whose chosen outputs are summed over the examples."""
        builder = Builder()
        builder.inputs = list(body.inputs)
        outputs = builder.inline(body, body.inputs)
        sums = [
            builder.apply(by_name("sum"), value, axes=(0,), keepdims=False) if sum_it else value
            for value, sum_it in zip(outputs, chosen, strict=True)
        ]
        return builder.build(sums)


def _applied(builder: Builder, node: Node, size: int, env: Mapping[Value, Value], found: set[Value]) -> list[Any]:
    """The outputs of a node for all examples: values, or `Shared` values."""
    if node.op is fused:
        raise GraphError("vmap: the graph is already fused; map it before the passes run")
    if size == 0:  # nothing to compute, and rules need not think of it
        return [_zeros(builder, _of_examples(v.type, 0)) for v in node.outputs]
    batch = _Batch(node.op, size, tuple(v in found for v in node.inputs))
    rule = rule_of(node.op)
    inputs = renamed(node.inputs, env)
    if rule is None:
        return _one_by_one(builder, node, batch, inputs)
    made = rule(batch, *(wrap(builder, v) for v in inputs), **node.attrs)
    results = [_value(x) for x in (made if isinstance(made, tuple) else (made,))]
    for output, result in zip(node.outputs, results, strict=True):
        expected = output.type if isinstance(result, Shared) else _of_examples(output.type, size)
        got = result.x.type if isinstance(result, Shared) else result.type
        if got != expected:
            raise GraphError(f"vmap: the batching rule of {node.op.name} gives {got}, needs {expected}")
    return results


def _value(x: Any) -> Any:
    if isinstance(x, Shared):
        return Shared(_value(x.x))
    assert isinstance(x, Tracer), "a batching rule gives traced arrays"
    return x.value


def _zeros(builder: Builder, type: TensorType) -> Value:
    zero = builder.constant(np.zeros((), type.dtype.numpy))
    return builder.apply(by_name("broadcast_to"), zero, shape=type.shape)


def _one_by_one(builder: Builder, node: Node, batch: _Batch, inputs: Sequence[Value]) -> list[Value]:
    """A loop over the examples, of the op itself."""
    shared = [i for i, mapped in enumerate(batch.mapped) if not mapped]
    order = [*shared, *(i for i, mapped in enumerate(batch.mapped) if mapped)]
    body = Builder(node.source)
    given = {i: body.input(node.inputs[i].type, node.inputs[i].hint) for i in order}
    outputs = body.add(node.op, *(given[i] for i in range(len(node.inputs))), **node.attrs)
    return list(
        builder.add(
            by_name("scan"),
            *(inputs[i] for i in order),
            **Scan(body.build(outputs), batch.size, len(shared), 0, False).attrs,
        )
    )
