"""Ops that hold a sub-graph: what a pass fused, and what the user bundled.

`fused` is made by passes: its body is the graph of the ops that became one kernel, and the reference runs the body
unchanged. `call` is made by tracing (custom_vjp, checkpoint): its body takes its place before fusion. `barrier` is
made by autodiff.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from graphc.op import Custom, Indexed, Inline, NotDifferentiable, Op
from graphc.types import NDArray, TensorType

if TYPE_CHECKING:
    from graphc.ir import Graph


@dataclass(frozen=True, eq=False)
class CustomVjp:
    """Rule of a `call`: its gradient as the user wrote it.

    make gives (fwd, bwd, has_grad) when a gradient is first taken, so that the user's gradient may call the function
    itself. fwd: takes the call's inputs; its outputs are those of the call, then the residuals. bwd: takes the
    residuals, then one cotangent for each output of the call; its outputs are the gradients of those inputs i of the
    call for which has_grad[i] holds, in order (the other inputs get none).
    """

    make: Callable[[], tuple[Graph, Graph, tuple[bool, ...]]]

    @cached_property
    def _parts(self) -> tuple[Graph, Graph, tuple[bool, ...]]:
        return self.make()

    @property
    def fwd(self) -> Graph:
        """Computes the results and the residuals."""
        return self._parts[0]

    @property
    def bwd(self) -> Graph:
        """Computes the gradients."""
        return self._parts[1]

    @property
    def has_grad(self) -> tuple[bool, ...]:
        """Whether each input of the call gets a gradient."""
        return self._parts[2]

    def __repr__(self) -> str:
        return "custom_vjp"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Rule of a `call`: keep only its inputs for the backward pass, and compute the body again there."""

    def __repr__(self) -> str:
        return "checkpoint"


def _infer_body(*types: TensorType, body: Graph, **attrs: Any) -> tuple[TensorType, ...]:
    from graphc.errors import ShapeError

    if types != tuple(v.type for v in body.inputs):
        raise ShapeError(f"the body takes {[str(v.type) for v in body.inputs]}")
    return tuple(v.type for v in body.outputs)


def _run_body(*arrays: NDArray, body: Graph, **attrs: Any) -> tuple[NDArray, ...]:
    from graphc.ir import evaluate

    return tuple(evaluate(body, arrays))


fused: Final = Op(
    "fused",
    infer=_infer_body,
    reference=_run_body,
    vjp=NotDifferentiable("fusion happens after differentiation"),
    lowering=Custom("fused"),
    traits=frozenset({"structured"}),
    doc="One kernel made of several ops. attrs: body, family (map, row, column, matmul), why (text).",
)

call: Final = Op(
    "call",
    infer=_infer_body,
    reference=_run_body,
    vjp=NotDifferentiable("autodiff applies attrs['rule'] or differentiates the body"),
    lowering=Inline(),
    traits=frozenset({"structured"}),
    doc="A sub-graph that acts as one op for autodiff. attrs: body, name, rule (CustomVjp, Checkpoint, or None, which "
    "means: differentiate the body).",
)

barrier: Final = Op(
    "barrier",
    infer=lambda x: x,
    reference=lambda x: x,
    vjp=lambda g, out, x: (g,),
    lowering=Indexed(lambda emitter, node, index: emitter.read(node.inputs[0], index)),
    traits=frozenset({"structured", "barrier"}),
    doc="Its input, unchanged. Common subexpressions are not merged across it, which keeps a recomputation apart.",
)
