"""Whole Jacobians of a graph: a product with each unit vector, all of them at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from graphc.autodiff.batch import batched
from graphc.autodiff.reverse import pullback, pushforward
from graphc.ir.graph import Builder, Graph, Value, prune
from graphc.ir.types import TensorType, i32
from graphc.ops import by_name


def forward_jacobian(graph: Graph, position: int) -> Graph:
    """The graph whose outputs are the derivatives of all outputs by one input, in forward mode: [*output, *input].

    All outputs are floats.
    """
    push = pushforward(graph, [position])
    tangents = replace(push, outputs=push.outputs[len(graph.outputs) :])
    given = graph.inputs[position].type
    many, _ = batched(prune(tangents), given.size, [*(False for _ in graph.inputs), True], [True] * len(graph.outputs))
    builder = Builder()
    builder.inputs = list(graph.inputs)
    columns = builder.inline(many, [*graph.inputs, _units(builder, given)])
    return prune(builder.build([_rows_last(builder, column, given) for column in columns]))


def reverse_jacobian(graph: Graph, output: int, wrt: Sequence[int]) -> Graph:
    """The graph whose outputs are the derivatives of one output by some inputs, in reverse mode: [*output, *input]."""
    made = graph.outputs[output]
    gradients = pullback(replace(graph, outputs=(made,)), wrt)
    many, _ = batched(gradients, made.type.size, [*(False for _ in graph.inputs), True], [True] * len(wrt))
    builder = Builder()
    builder.inputs = list(graph.inputs)
    rows = builder.inline(many, [*graph.inputs, _units(builder, made.type)])
    found = [
        builder.apply(by_name("reshape"), row, shape=(*made.type.shape, *graph.inputs[i].type.shape))
        for row, i in zip(rows, wrt, strict=True)
    ]
    return prune(builder.build(found))


def _units(builder: Builder, type: TensorType) -> Value:
    """The unit vectors of a tensor: [size, *shape]."""
    shape = (type.size, type.size)
    row, column = (builder.apply(by_name("iota"), shape=shape, axis=axis, dtype=i32) for axis in (0, 1))
    same = builder.apply(by_name("eq"), row, column)
    ones = builder.apply(by_name("cast"), same, dtype=type.dtype)
    return builder.apply(by_name("reshape"), ones, shape=(type.size, *type.shape))


def _rows_last(builder: Builder, column: Value, given: TensorType) -> Value:
    """[size, *output] as [*output, *input]."""
    axes = range(column.type.ndim)
    turned = builder.apply(by_name("transpose"), column, perm=(*axes[1:], 0))
    return builder.apply(by_name("reshape"), turned, shape=(*column.type.shape[1:], *given.shape))
