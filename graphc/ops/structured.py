"""Ops that hold a sub-graph: what a pass fused, and what the user bundled.

`fused` is made by passes: its body is the graph of the ops that became one kernel, and the reference runs the body
unchanged. `call` is made by tracing (custom_vjp, checkpoint): its body takes its place before fusion. `barrier` is
made by autodiff. `scan` repeats its body; `dynamic_update_slice`, `loop_init` and `loop_yield` are what passes and
lowering make of its loop.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

import numpy as np

from graphc.errors import ShapeError
from graphc.ir.graph import Graph, evaluate
from graphc.ir.op import Custom, Indexed, Inline, NotDifferentiable, Op, Repeat, Shared, apply
from graphc.ir.scan import Scan
from graphc.ir.types import NDArray, TensorType
from graphc.ops.batching import Batch, as_before, spread


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
    if types != tuple(v.type for v in body.inputs):
        raise ShapeError(f"the body takes {[str(v.type) for v in body.inputs]}")
    return tuple(v.type for v in body.outputs)


def _run_body(*arrays: NDArray, body: Graph, **attrs: Any) -> tuple[NDArray, ...]:
    return tuple(evaluate(body, arrays))


fused: Final = Op(
    "fused",
    infer=_infer_body,
    reference=_run_body,
    vjp=NotDifferentiable("fusion happens after differentiation"),
    lowering=Custom("fused"),
    traits=frozenset({"structured", "kernel"}),
    doc="One kernel made of several ops. attrs: body, family (see graphc.families), why (text).",
)


def _batch_call(batch: Batch, *inputs: Any, body: Graph, name: str, rule: Any) -> Any:
    """The call of a body for all examples. A gradient of one's own is asked for those of each example."""
    whole = isinstance(rule, CustomVjp)
    inner, made = batch.graph(body, batch.mapped, [whole] * len(body.outputs))
    found = apply(call, *inputs, body=inner, name=name, rule=_rule_of_examples(batch, rule) if whole else rule)
    results = found if isinstance(found, tuple) else (found,)
    return tuple(x if mapped else Shared(x) for x, mapped in zip(results, made, strict=True))


def _rule_of_examples(batch: Batch, rule: CustomVjp) -> CustomVjp:
    def make() -> tuple[Graph, Graph, tuple[bool, ...]]:
        forward, _ = batch.graph(rule.fwd, batch.mapped, [True] * len(rule.fwd.outputs))
        backward, _ = batch.graph(rule.bwd, [True] * len(rule.bwd.inputs), [True] * len(rule.bwd.outputs))
        positions = [i for i, has in enumerate(rule.has_grad) if has]
        return forward, batch.summed(backward, [not batch.mapped[i] for i in positions]), rule.has_grad

    return CustomVjp(make)


call: Final[Op] = Op(
    "call",
    infer=_infer_body,
    reference=_run_body,
    vjp=NotDifferentiable("autodiff applies attrs['rule'] or differentiates the body"),
    lowering=Inline(),
    traits=frozenset({"structured"}),
    doc="A sub-graph that acts as one op for autodiff. attrs: body, name, rule (CustomVjp, Checkpoint, or None, which "
    "means: differentiate the body).",
    batch=_batch_call,
)

barrier: Final = Op(
    "barrier",
    infer=lambda x: x,
    reference=lambda x: x,
    vjp=lambda g, out, x: (g,),
    lowering=Indexed(lambda emitter, node, index: emitter.read(node.inputs[0], index)),
    traits=frozenset({"structured", "barrier"}),
    doc="Its input, unchanged. Common subexpressions are not merged across it, which keeps a recomputation apart.",
    batch=as_before,
)


NO_BOUND: Final = (1 << 31) - 2
"""The length of a loop that ends by itself alone. It is even, as two steps may be made in one turn."""


def _infer_scan(
    *types: TensorType, body: Graph, length: int, consts: int, carries: int, reverse: bool, alive: int = -1
) -> tuple[TensorType, ...]:
    loop = Scan(body, length, consts, carries, reverse, alive)
    given, made = loop.operands(types), loop.results([v.type for v in body.outputs])
    if alive >= carries or (alive >= 0 and given.carries[alive].dtype.kind != "bool"):
        raise ShapeError(f"carry {alive} does not say whether a loop goes on")
    if length == NO_BOUND and (alive < 0 or given.xs or made.ys):
        raise ShapeError("a loop without a bound has to end by itself, takes no slices and stacks no results")
    for type in given.xs:
        if type.ndim < 1 or type.shape[0] != length:
            raise ShapeError(
                f"a scan of {length} steps takes one slice of {type} each: its first axis must be {length}"
            )
    taken = [*given.constants, *given.carries, *(TensorType(t.shape[1:], t.dtype) for t in given.xs)]
    if taken != [v.type for v in body.inputs]:
        raise ShapeError(f"the body takes {[str(v.type) for v in body.inputs]}, got {[str(t) for t in taken]}")
    if [*made.carries] != [*given.carries]:
        after = [str(t) for t in (*made.carries, *made.ys)]
        raise ShapeError(f"the carry is {[str(t) for t in given.carries]}, and becomes {after}")
    return (*made.carries, *(TensorType((length, *t.shape), t.dtype) for t in made.ys))


def _run_scan(*arrays: NDArray, body: Graph, **attrs: Any) -> tuple[NDArray, ...]:
    def run(given: list[NDArray]) -> list[NDArray]:
        return evaluate(body, given)

    return repeat(run, arrays, body=body, **attrs)


def repeat(
    run: Callable[[list[NDArray]], list[NDArray]],
    arrays: tuple[NDArray, ...],
    *,
    body: Graph,
    length: int,
    consts: int,
    carries: int,
    reverse: bool,
    alive: int = -1,
) -> tuple[NDArray, ...]:
    """The outputs of a scan in NumPy; `run` computes its body."""
    loop = Scan(body, length, consts, carries, reverse, alive)
    given = loop.operands(arrays)
    carry = list(given.carries)
    stacks = [np.zeros((length, *v.type.shape), v.type.dtype.numpy) for v in loop.results(body.outputs).ys]
    for i in reversed(range(length)) if reverse else range(length):
        made = loop.results(run([*given.constants, *carry, *(x[i] for x in given.xs)]))
        carry = list(made.carries)
        for stack, y in zip(stacks, made.ys, strict=True):
            stack[i] = y
        if alive >= 0 and not carry[alive].any():
            break
    return (*carry, *stacks)


def _batch_scan(batch: Batch, *inputs: Any, **attrs: Any) -> Any:
    """One loop for all examples: a carry that differs after a step differs from the start."""
    loop = Scan(**attrs)
    mapped, places = list(batch.mapped), loop.operands(range(len(inputs)))
    while True:
        _, made = batch.graph(loop.body, mapped, [False] * len(loop.body.outputs))
        grown = [i for i, m in zip(places.carries, loop.results(made).carries, strict=True) if m and not mapped[i]]
        if not grown:
            break
        for i in grown:
            mapped[i] = True
    inner, made = batch.graph(
        loop.body, mapped, [*loop.operands(mapped).carries, *(False for _ in loop.results(made).ys)]
    )
    operands = [
        *loop.operands(inputs).constants,
        *(spread(batch, inputs[i], i) if mapped[i] else inputs[i] for i in places.carries),
        *(np.swapaxes(inputs[i], 0, 1) if mapped[i] else inputs[i] for i in places.xs),
    ]
    found = apply(scan, *operands, **replace(loop, body=inner).attrs)
    last, ys = loop.results(found if isinstance(found, tuple) else (found,))
    stacked = [np.swapaxes(y, 0, 1) if m else y for y, m in zip(ys, loop.results(made).ys, strict=True)]
    return tuple(x if m else Shared(x) for x, m in zip((*last, *stacked), made, strict=True))


scan: Final[Op] = Op(
    "scan",
    infer=_infer_scan,
    reference=_run_scan,
    vjp=NotDifferentiable("autodiff makes a scan of the body's gradient"),
    lowering=Repeat(),
    traits=frozenset({"structured"}),
    doc="A loop. attrs: body, length, consts, carries, reverse, alive. Inputs: what every step sees, the first carry, "
    "tensors of which each step sees one slice. The body maps (consts, carry, slices) to (carry, results); outputs: "
    "the last carry, the results of all steps stacked. reverse: the last slice comes first. alive: the position of a "
    "bool carry, where there is one: once all its elements are false after a step, later steps change no carry, so "
    "that any number of them may be left out; what these would stack is 0, or what they stack.",
    batch=_batch_scan,
)


def _infer_update(stack: TensorType, after: TensorType, row: TensorType, *, shift: int) -> TensorType:
    if stack.ndim < 1 or stack.shape[1:] != row.shape or stack.dtype != row.dtype or after.shape != ():
        raise ShapeError(f"{row} at {after} is no row of {stack}")
    return stack


def _update(stack: NDArray, after: NDArray, row: NDArray, *, shift: int, inplace: bool = False) -> NDArray:
    result = stack if inplace else stack.copy()
    result[int(after) + shift] = row
    return result


dynamic_update_slice: Final = Op(
    "dynamic_update_slice",
    infer=_infer_update,
    reference=_update,
    vjp=NotDifferentiable("it is made after differentiation"),
    lowering=Custom("dynamic_update_slice"),
    traits=frozenset({"structured"}),
    doc="A stack of rows with one row replaced, in the stack's own bytes: the results of a loop. Nothing else may read "
    "the stack. The number of the row is `after` + attrs['shift']: the counter of the loop has gone on by then.",
)

loop_init: Final = Op(
    "loop_init",
    infer=lambda x: x,
    reference=lambda x: x,
    vjp=NotDifferentiable("it is made while lowering"),
    lowering=Indexed(lambda emitter, node, index: emitter.read(node.inputs[0], index)),
    traits=frozenset({"structured"}),
    doc="A tensor of a loop, with the value that it has before the first step.",
)

loop_yield: Final = Op(
    "loop_yield",
    infer=lambda new, variable: new,
    reference=lambda new, variable: new,
    vjp=NotDifferentiable("it is made while lowering"),
    lowering=Indexed(lambda emitter, node, index: emitter.read(node.inputs[0], index)),
    traits=frozenset({"structured"}),
    doc="The end of a step: the first operand takes the place of the second one, a tensor of the loop, in its bytes.",
)
