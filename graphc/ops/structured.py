"""Ops that hold a sub-graph: what a pass fused, and what the user bundled.

`fused` is made by passes: its body is the graph of the ops that became one kernel, and the reference runs the body
unchanged. `call` is made by tracing (custom_vjp, checkpoint): its body takes its place before fusion.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from graphc.op import Custom, Inline, NotDifferentiable, Op
from graphc.types import NDArray, TensorType

if TYPE_CHECKING:
    from graphc.ir import Graph


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
    doc="A sub-graph that acts as one op for autodiff. attrs: body, name, rule (how to differentiate it).",
)
