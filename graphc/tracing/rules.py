"""Functions of NumPy that bring their own gradient: what custom_vjp is to users, for the front end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.ir.graph import Graph
from graphc.ir.types import TensorType
from graphc.ops.structured import CustomVjp, call
from graphc.tracing.core import emit_all
from graphc.tracing.methods import ABOVE
from graphc.tracing.tracer import Tracer


def with_gradient(
    name: str,
    function: Callable[[Any], Any],
    forward: Callable[[Any], Any],
    backward: Callable[..., Any],
    x: Tracer,
) -> Tracer:
    """`function(x)`, one traced value of another.

    forward: gives the same and what is kept for the gradient, a pair; where it calls what brings the gradient, there
    are gradients of any order. backward: takes the result, what was kept, and the cotangent; gives the gradient of x.
    """
    like = x.value.type
    body = _graph(function, like)
    (made,) = (value.type for value in body.outputs)

    def make() -> tuple[Graph, Graph, tuple[bool, ...]]:
        def first(x: Any) -> Any:
            result, kept = forward(x)
            return result, (result, kept)

        ahead = _graph(first, like)
        return ahead, _graph(backward, made, ahead.outputs[-1].type, made), (True,)

    (result,) = emit_all(call, x, body=body, name=name, rule=CustomVjp(make))
    return result


def _graph(function: Callable[..., Any], *types: TensorType) -> Graph:
    """A function of arrays of these types as a graph of its own."""
    found: Graph = ABOVE["graph_of"](function, types)
    return found
