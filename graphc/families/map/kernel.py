"""The map family: pointwise ops and views, one invocation for a few vectors of four consecutive output elements."""

from __future__ import annotations

from dataclasses import dataclass, replace

from graphc.codegen.emit import Emitter
from graphc.codegen.inplace import in_place
from graphc.codegen.kernel import (
    FEATURE_OF,
    Bindings,
    BuildContext,
    KernelSource,
    Search,
    grid,
    kernel_class,
    settle,
    size_class,
)
from graphc.codegen.rules import rules_of
from graphc.ir.graph import Graph, Node, Value
from graphc.ir.index import LANES, Index, variable
from graphc.ir.op import NotDifferentiable, Op, Pointwise
from graphc.kernels import render
from graphc.kernels.code import Code
from graphc.plan.plan import Target

LARGE = 1 << 16
"""Items above which an invocation takes several."""


@dataclass(frozen=True, slots=True)
class MapLayout:
    """A workgroup of `threads` invocations, each of which takes `steps` items.

    neighbours: the items of an invocation lie side by side, as a processor wants them, which takes them in turn; else
    those of neighbouring invocations do, as a GPU wants them, which takes them at once.
    """

    threads: int
    steps: int
    neighbours: bool

    @property
    def choice(self) -> tuple[int, ...]:
        """What a tuner writes down of it."""
        return self.threads, self.steps, int(self.neighbours)


def layout_of(items: int, target: Target) -> MapLayout:
    """The layout that the rules choose for so many items."""
    threads = min(64 if items <= 4096 else 256, target.max_invocations)
    return MapLayout(threads, 4 if items > LARGE else 1, rules_of(target).neighbours)


def candidates(items: int, target: Target) -> list[MapLayout]:
    """The search space, that of the rules first."""
    sides = [n for n in (32, 64, 256) if n <= target.max_invocations]
    found = [MapLayout(n, steps, near) for n in sides for steps in (1, 2, 4, 8) for near in (False, True)]
    first = layout_of(items, target)
    return [first, *(x for x in found if x != first and (x.steps > 1 or x.neighbours == first.neighbours))]


def search(body: Graph, context: BuildContext) -> Search:
    """The tuner's problem in a body of this family."""
    _, items = _items(body)
    return Search(_name(body, context.label), tuple(x.choice for x in candidates(items, context.target)))


def _name(body: Graph, label: str) -> str:
    return f"map {kernel_class(body, label)}, {size_class(body.outputs[0].type.size)}"


def _items(body: Graph) -> tuple[int, int]:
    """Elements of an item, and how many items there are."""
    size = body.outputs[0].type.size
    lanes = LANES if size >= LANES else 1
    return lanes, -(-size // lanes)


def _layout(body: Graph, context: BuildContext) -> MapLayout:
    """What a tuner chose, if it fits the target, else what the rules choose."""
    if context.target.choices:
        match context.target.choices.get(_name(body, context.label)):
            case (threads, steps, neighbours) if 1 <= threads <= context.target.max_invocations and 1 <= steps <= 64:
                return MapLayout(threads, steps, bool(neighbours))
    return layout_of(_items(body)[1], context.target)


def build(body: Graph, context: BuildContext) -> list[KernelSource]:
    """One kernel for a body of Pointwise and Indexed nodes whose outputs have one element count."""
    return [settle(context, lambda bindings: _kernel(body, context, bindings))]


def _kernel(body: Graph, context: BuildContext, bindings: Bindings) -> KernelSource:
    size = body.outputs[0].type.size
    lanes, items = _items(body)
    emitter = Emitter(body, bindings, "    ")
    flat = variable("(i * 4u)", items * LANES, LANES, 1) if lanes == LANES else variable("i", size)
    outputs = list(dict.fromkeys(body.outputs))
    results = [emitter.read(v, Index(v.type.shape, flat=flat)) for v in outputs]
    written = [bindings.write(v, vector=lanes == LANES) for v in outputs]
    # All is read before anything is written, so that an output may lie in the bytes of an input.
    for value, operand, term in zip(outputs, written, results, strict=True):
        emitter.write(operand, Index(value.type.shape, flat=flat), term)
    layout = _layout(body, context)
    threads, steps = layout.threads, layout.steps
    span, groups = threads * steps, -(-items // (threads * steps))
    workgroups = grid(groups, context.target)
    text = render(
        "map",
        what=context.label,
        size=threads,
        steps=steps,
        lanes=lanes,
        columns=workgroups[0],
        span=span,
        start=f"local * {steps}u" if layout.neighbours else "local",
        stride="" if layout.neighbours else f" * {threads}u",
        items=items,
        body=emitter.text,
    )
    inplace, touches = in_place(emitter.touches, written, bindings)
    return KernelSource(
        name=f"map_{context.label}",
        family="map",
        code=Code.of(text),
        operands=bindings.operands(),
        workgroups=workgroups,
        flops=sum("pointwise" in n.op.traits for n in body.nodes) * size,
        inplace=inplace,
        touches=touches,
    )


def copy_kernel(source: Value, target: Value, context: BuildContext) -> KernelSource:
    """The kernel that copies `source` to `target`, a tensor of the same type."""
    node = Node(_copy, (source,), (target,))
    kernel = build(Graph((source,), {}, (node,), (target,)), context)[0]
    feature = FEATURE_OF.get(source.type.dtype.name)
    return kernel if feature is None else replace(kernel, needs=(feature,))


_copy = Op(
    "copy",
    infer=lambda x: x,
    reference=lambda x: x,
    vjp=NotDifferentiable("it is made after differentiation"),
    lowering=Pointwise(lambda w, node, x: x),
    doc="An output of the program that is also an input, or is given twice.",
)
