"""A differentiated loop body taken apart: what a step computes and keeps, and what goes back over the steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from graphc.ir.graph import BACKWARD, Builder, Graph, Node, Value, new_value, prune
from graphc.ir.scan import Scan
from graphc.ir.types import TensorType, bool_
from graphc.ops import by_name
from graphc.tracing.trace import wrap


@dataclass(frozen=True, slots=True)
class Reverse:
    """The two bodies of a scan's gradient.

    forward: the body, which also gives the residuals of each step. backward: takes (consts; cotangents of the float
    carries, sums of the gradients of consts; slices, residuals, cotangents of the float results) and gives (the same
    carry, gradients of slices). wanted: inputs of the scan with a gradient. order: the input that each output of the
    backward scan is the gradient of.
    """

    forward: Graph
    backward: Graph
    wanted: tuple[int, ...]
    order: tuple[int, ...]


def linearize(node: Node, joint: Graph, wanted: Sequence[int]) -> Reverse:
    """Take apart `joint`, the body of a scan with its pullback to the inputs in `wanted` (all float carries are there).

    Kept for the way back is what depends on the step and is no view of something kept: constants, consts and what is
    computed from them alone are there anyway, and are computed again.
    """
    loop, body = Scan.of(node), node.attrs["body"]
    inputs = joint.inputs[: len(body.inputs)]
    cotangents = list(joint.inputs[len(body.inputs) :])
    own, places = loop.operands(inputs), loop.operands(range(len(inputs)))
    backward = _Backward(joint, set(cotangents), {*own.constants, *own.xs}, own.constants)
    backward.add_all()
    gradients = dict(zip(wanted, joint.outputs[len(body.outputs) :], strict=True))
    found = {i: backward.value(v) for i, v in gradients.items()}
    builder = backward.builder

    ends = sum(v.type.dtype.kind == "float" for v in loop.results(body.outputs).carries)
    sums = {i: new_value(inputs[i].type) for i in wanted if i in places.constants}
    carried = [i for i in wanted if i in places.carries]
    sliced = [i for i in wanted if i in places.xs]
    totals = []
    for i, total in sums.items():
        with builder.at(replace(node.source, phase=BACKWARD)):
            totals.append(builder.apply(by_name("add"), total, found[i]))
    builder.inputs = [*own.constants, *cotangents[:ends], *sums.values(), *own.xs]
    builder.inputs += [*backward.residuals.values(), *cotangents[ends:]]
    back = builder.build([*(found[i] for i in carried), *totals, *(found[i] for i in sliced)])
    forward = Graph(inputs, joint.constants, joint.nodes, (*joint.outputs[: len(body.outputs)], *backward.residuals))
    return Reverse(prune(forward), prune(back), tuple(wanted), (*carried, *sums, *sliced))


def ends_early(node: Node) -> bool:
    """Whether a loop may end before all its steps are made, and goes back from where it ended."""
    loop = Scan.of(node)
    return loop.alive >= 0 and not loop.operands(node.inputs).xs


def with_flags(node: Node, forward: Graph) -> Graph:
    """The body that gives residuals, which also stacks whether the loop goes on, if that is to be known on the way
    back."""
    if not ends_early(node):
        return forward
    outputs = (*forward.outputs, forward.outputs[node.attrs["alive"]])
    return Graph(forward.inputs, forward.constants, forward.nodes, outputs)


def back_from(
    builder: Builder,
    node: Node,
    backward: Graph,
    consts: Sequence[Value],
    carried: Sequence[Value],
    stacks: Sequence[Value],
    flags: Value,
) -> Sequence[Value]:
    """The results of the loop that goes back from where a loop ended: it counts down from the steps that were made,
    takes rows of `stacks`, and ends at the first one. flags: whether the loop went on, of each step. Of a loop that
    makes none, what was carried is the result."""
    length = node.attrs["length"]
    if not length:
        return carried
    went: Any = np.any(np.reshape(wrap(builder, flags), (length, -1)), axis=1)
    last: Any = np.sum(went.astype(np.int32), dtype=np.int32) - np.int32(1)
    body = Builder(builder.source)
    fixed = [body.input(v.type, v.hint) for v in consts]
    whole = [body.input(v.type, v.hint) for v in stacks]
    step, _ = body.input(last.value.type, "step"), body.input(TensorType((), bool_), "goes")
    before = [body.input(v.type, v.hint) for v in carried]
    rows = [body.apply(by_name("take"), v, step, axis=0, clamp=True) for v in whole]
    after = body.inline(backward, [*fixed, *before, *rows])
    count = wrap(body, step)
    here = count >= np.int32(0)
    kept: list[Any] = [np.where(here, wrap(body, a), wrap(body, b)) for a, b in zip(after, before, strict=True)]
    following: Any = np.maximum(count - np.int32(1), np.int32(-1))
    results = [x.value for x in (following, following >= np.int32(0), *kept)]
    found = builder.add(
        node.op,
        *(*consts, *stacks, last.value, builder.constant(np.asarray(True)), *carried),
        **Scan(body.build(results), length, len(consts) + len(stacks), len(results), False, alive=1).attrs,
    )
    return found[2:]


class _Backward:
    """The part of a joint graph that depends on cotangents.

    residuals: values of the forward part, with what they are here. here: all values that are here. late: those that
    depend on cotangents.
    given: inputs that are here as they are. fixed: values that are the same in every step.
    """

    def __init__(self, joint: Graph, cotangents: set[Value], given: set[Value], fixed: Sequence[Value]) -> None:
        self.joint = joint
        self.builder = Builder()
        self.builder.constants = dict(joint.constants)
        self.residuals: dict[Value, Value] = {}
        self.fixed: set[Value] = {*joint.constants, *fixed}
        self.here: dict[Value, Value] = {v: v for v in (*given, *cotangents, *joint.constants)}
        self.makers = joint.producers()
        late = set(cotangents)
        for node in joint.nodes:
            if not late.isdisjoint(node.inputs):
                late.update(node.outputs)
        self.late = late

    def add_all(self) -> None:
        """Add the nodes that depend on cotangents, and what they need."""
        for node in self.joint.nodes:
            if all(v in self.fixed for v in node.inputs):
                self.fixed.update(node.outputs)
        for node in self.joint.nodes:
            if not self.late.isdisjoint(node.outputs):
                self._add(node)

    def _add(self, node: Node) -> None:
        inputs = tuple(self.value(v) for v in node.inputs)
        self.builder.nodes.append(replace(node, inputs=inputs))
        self.here.update((v, v) for v in node.outputs)

    def value(self, value: Value) -> Value:
        """What a value of the joint graph is in the backward part; what it needs is added."""
        stack = [value]
        while stack:
            top = stack[-1]
            maker = self.makers.get(top)
            if top in self.here:
                stack.pop()
            elif maker is None or not (top in self.fixed or "view" in maker.op.traits):
                self.here[top] = self.residuals[top] = new_value(top.type, top.hint)
            else:
                missing = [v for v in maker.inputs if v not in self.here]
                if missing:
                    stack += missing
                else:
                    self._add(maker)
        return self.here[value]
